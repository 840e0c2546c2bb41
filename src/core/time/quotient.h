/* Division, with what the proofs need to know of it: solvers follow products more easily. */
#ifndef CORBEL_CORE_TIME_QUOTIENT_H
#define CORBEL_CORE_TIME_QUOTIENT_H

#include "base/types.h"

/* n / d. */
/*@ requires d != 0;
    assigns \nothing;
    ensures \result * d <= n < \result * d + d;
    behavior narrow:
        assumes n < 0x100000000 * d;
        ensures \result < 0x100000000;
    behavior full:
        assumes 0x80000000 * d <= n;
        ensures 0x80000000 <= \result; */
static inline uint64_t quotient(uint64_t n, uint64_t d)
{
    uint64_t q = n / d;

    //@ assert q * d <= n < q * d + d;
    //@ for narrow: assert q * d < 0x100000000 * d;
    //@ for full: assert 0x80000000 * d < (q + 1) * d;
    return q;
}

/* n / d where 32 bits are enough for it. */
/*@ requires n < 0x100000000 * d;
    assigns \nothing;
    ensures \result * d <= n < \result * d + d;
    behavior full:
        assumes 0x80000000 * d <= n;
        ensures 0x80000000 <= \result; */
static inline uint32_t quotient_u32(uint64_t n, uint64_t d)
{
    return (uint32_t)quotient(n, d);
}

#endif
