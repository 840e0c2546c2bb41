/* The conversions, and version protocols of src/core/time. */
#include "base/xen.h"

#include "locks.h"
#include "port/time.h"

/*@ axiomatic TimeShifts {
    axiom time_twice: \forall uint64_t v; (v << 1) == 2 * v;
    axiom time_doubled: \forall uint32_t v, uint8_t s, uint8_t t; s < 32 && t == s + 1 ==>
        (v << t) == 2 * (v << s);
    axiom time_shifted: \forall uint32_t v, uint8_t s; s < 32 ==> (s == 0 ==> (v << s) == v) &&
        (s >= 12 ==> (v << s) >= 4096 * v) && (s >= 20 ==> (v << s) >= 0x100000 * v);
    axiom time_shl: \forall uint64_t v; (v << 32) == 0x100000000 * v;
    axiom time_shr: \forall uint64_t v;
        (v >> 32) == v / 0x100000000 && (v & 0xffffffff) == v % 0x100000000;
    axiom made_odd: \forall uint32_t v; (v | 1) % 2 == 1 && v <= (v | 1) <= v + 1 &&
        ((v | 1) | 1) == (v | 1);
} */

/*@ terminates \true;
    assigns \nothing; */
uint64_t port_time_now(void);
/*@ terminates \true;
    assigns \nothing;
    ensures \result != 0; */
uint32_t port_tsc_khz(void);
#include "../../src/core/time/pvclock.c"
#include "../../src/core/time/tsc.c"

/* Time that is made ticks, and ticks that are made time again, is less by no more than 1 ns. */
/*@ requires mul >= 0x80000000 && 1 <= ns <= CENTURIES_NS;
    assigns \nothing;
    ensures ns - 1 <= \result <= ns; */
uint64_t proof_there_and_back(uint64_t ns, uint32_t mul)
{
    return times(over(ns, mul), mul);
}
