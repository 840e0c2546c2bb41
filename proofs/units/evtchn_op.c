/* src/core/evtchn/evtchn_op.c, and by contract what it calls. A copy from the guest leaves
 * an arbitrary value; a copy to the guest tells it the port that was made. */
#include "hypercalls.h"
#include "locks.h"
#include "policies.h"
#include "core/evtchn/evtchn_private.h"
#include "core/guest_mem/guest_mem.h"
#include "core/state.h"

/*@ terminates \true;
    assigns \nothing;
    ensures \result == 0 || \result == -XEN_EFAULT; */
int proof_copied_in(void);

/*@ terminates \true;
    assigns untold_port;
    ensures \result == 0 ==> untold_port == 0;
    ensures \result != 0 ==> \result == -XEN_EFAULT && untold_port == \old(untold_port); */
int proof_copied_out(void);

#define guest_copy_in(v, p, gva, n)                                                                \
    ({                                                                                             \
        __typeof__(*(p)) arbitrary;                                                                \
        *(p) = arbitrary;                                                                          \
        proof_copied_in();                                                                         \
    })
#define guest_copy_out(v, gva, p, n) proof_copied_out()

/*@ requires 0 <= references <= 1;
    terminates \true;
    assigns references;
    ensures \result == \null ==> references == \old(references);
    ensures \result != \null ==> references == \old(references) + 1 && \valid(\result); */
struct domain *domain_get(domid_t id);

/*@ requires \valid_read(caller) && 0 <= references <= 1;
    terminates \true;
    assigns references;
    ensures \result == \null ==> references == \old(references);
    ensures \result != \null ==> references == \old(references) + 1 && \valid(\result); */
struct domain *domain_get_for(struct vcpu *caller, domid_t id);

/*@ requires \valid(port) && permitted != 0 && untold_port == 0;
    terminates \true;
    assigns *port, untold_port, events;
    ensures \result == 0 ==> *port > 0 && untold_port == *port;
    ensures \result != 0 ==> \result < 0 && untold_port == 0; */
int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *port);

/*@ requires \valid(port) && untold_port == 0 && references == 0;
    terminates \true;
    assigns *port, untold_port, events, permitted;
    ensures \result == 0 ==> *port > 0 && untold_port == *port;
    ensures \result != 0 ==> \result < 0 && untold_port == 0; */
int evtchn_bind_interdomain(struct domain *d, domid_t remote, uint32_t remote_port, uint32_t *port);

/*@ requires \valid(port) && untold_port == 0;
    terminates \true;
    assigns *port, untold_port, events;
    ensures \result == 0 ==> *port > 0 && untold_port == *port;
    ensures \result != 0 ==> \result < 0 && untold_port == 0; */
int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port);

/*@ requires \valid(port) && untold_port == 0;
    terminates \true;
    assigns *port, untold_port, events;
    ensures \result == 0 ==> *port > 0 && untold_port == *port;
    ensures \result != 0 ==> \result < 0 && untold_port == 0; */
int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port);

/*@ terminates \true;
    assigns untold_port, events;
    ensures -XEN_EINVAL == \result || \result == -XEN_EAGAIN || \result == 0;
    ensures untold_port == (port == \old(untold_port) ? 0 : \old(untold_port)); */
int evtchn_close(struct domain *d, uint32_t port);

/*@ requires references == 0;
    terminates \true;
    assigns events, permitted;
    ensures \result <= 0; */
int evtchn_send(struct domain *d, uint32_t port);

/*@ requires \valid(s) && permitted != 0;
    terminates \true;
    assigns s->vcpu, s->status;
    ensures \result == 0 || \result == -XEN_EINVAL; */
int evtchn_status(struct domain *d, evtchn_status_t *s);

/*@ terminates \true;
    assigns events;
    ensures \result <= 0; */
int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu);

/*@ requires permitted != 0;
    terminates \true;
    assigns events;
    ensures \result <= 0; */
int evtchn_reset(struct domain *d);

/*@ terminates \true;
    assigns events;
    ensures \result <= 0; */
int evtchn_fifo_init_control(struct domain *d, uint32_t vcpu, uint64_t control_gfn,
                             uint32_t offset);

/*@ terminates \true;
    assigns events;
    ensures \result <= 0; */
int evtchn_fifo_expand_array(struct domain *d, uint64_t array_gfn);

/*@ requires port_table(d);
    terminates \true;
    assigns \nothing;
    ensures \result != \null ==> \valid(\result) && \separated(\result, d); */
struct evtchn *evtchn_lookup(const struct domain *d, uint32_t port);

/*@ requires \valid(d) && held(&d->evtchn.lock) && \valid(chn);
    terminates \true;
    assigns chn->pending, chn->last_vcpu, chn->last_priority, events; */
void evtchn_unmask(struct domain *d, uint32_t port, struct evtchn *chn);

#include "../../src/core/evtchn/evtchn_op.c"
