/* src/core/evtchn/evtchn_fifo.c: event words. EVTCHN_FIFO_BUSY is bit 28, LINKED 29. */
/*@ axiomatic FifoWord {
    axiom fifo_link: \forall uint32_t old, uint32_t port; port <= 0x1ffff ==>
        (((old & 0xeffe0000) | port) & 0x1ffff) == port &&
        (((old & 0xeffe0000) | port) & 0x10000000) == 0 &&
        (((old & 0xeffe0000) | port) & 0xe0000000) == (old & 0xe0000000) &&
        ((old & 0xeffe0000) | port) <= 0xffffffff;
} */

#include "../../src/core/evtchn/evtchn_fifo.c"
