/* The table of ports, and by contract what it calls. What the two ABIs change of the
 * guest's memory is one variable here, events. */
#include "locks.h"
#include "core/evtchn/evtchn_private.h"

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
