/* src/core/evtchn/evtchn_fifo.c: event words, and by contract what tells and wakes vCPUs.
 * Whom that changes is one variable here, events. EVTCHN_FIFO_BUSY is bit 28, LINKED 29. */
/*@ axiomatic FifoWord {
    axiom fifo_link: \forall uint32_t old, uint32_t port; port <= 0x1ffff ==>
        (((old & 0xeffe0000) | port) & 0x1ffff) == port &&
        (((old & 0xeffe0000) | port) & 0x10000000) == 0 &&
        (((old & 0xeffe0000) | port) & 0xe0000000) == (old & 0xe0000000) &&
        ((old & 0xeffe0000) | port) <= 0xffffffff;
    axiom fifo_queue: \forall uint8_t q; q <= 15 ==> 1 <= (1 << q) <= 0x8000;
} */

#include "core/evtchn/evtchn_private.h"

/*@ requires \valid_read(v);
    terminates \true;
    assigns events; */
void evtchn_upcall(struct vcpu *v);

/*@ requires \valid_read(d);
    terminates \true;
    assigns events; */
void evtchn_wake_pollers(struct domain *d, uint32_t port);

#include "../../src/core/evtchn/evtchn_fifo.c"
