/* The table of ports, and by contract what it calls. What the two ABIs change of the
 * guest's memory is one variable here, events. */
#include "locks.h"
#include "policies.h"
#include "core/evtchn/evtchn_private.h"

/*@ terminates \true;
    assigns references;
    ensures \result == \null ==> references == \old(references);
    ensures \result != \null ==> references == \old(references) + 1 && is_domain(\result) &&
        \result->id == id; */
struct domain *domain_get(domid_t id);

/*@ requires is_domain(d);
    terminates \true;
    assigns references;
    ensures references == \old(references) - 1; */
void domain_put(struct domain *d);

/*@ requires is_domain(d) && !held(&d->evtchn.lock);
    terminates \true;
    assigns events; */
void console_ring_service(struct domain *d);

/*@ requires \valid_read(d) && \valid(chn);
    terminates \true;
    assigns chn->pending, events;
    ensures chn->pending == 0; */
void evtchn_fifo_clear_pending(struct domain *d, uint32_t port, struct evtchn *chn);

/*@ requires \valid_read(d) && d->evtchn.fifo != \null;
    terminates \true;
    assigns \nothing; */
bool evtchn_fifo_linked(const struct domain *d, uint32_t port);

/*@ requires \valid_read(d);
    terminates \true;
    assigns events; */
bool evtchn_2l_clear_pending(struct domain *d, uint32_t port);

/*@ requires \valid(d) && held(&d->evtchn.lock) && \valid(chn);
    terminates \true;
    assigns chn->pending, chn->last_vcpu, chn->last_priority, events; */
void evtchn_raise(struct domain *d, uint32_t port, struct evtchn *chn);

#include "../../src/core/evtchn/evtchn_table.c"
#include "../../src/core/evtchn/evtchn.c"
#include "../../src/core/evtchn/evtchn_send.c"
