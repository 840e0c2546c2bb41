/* Checked arithmetic on values that a guest may have chosen. */
#ifndef CORBEL_BASE_ARITH_H
#define CORBEL_BASE_ARITH_H

#include "base/types.h"

/*@ assigns \nothing;
    ensures \result <==> a + b > UINT64_MAX; */
static inline bool add_overflows(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b;
}

/* True iff [start, start + count) is not empty and lies below limit. */
/*@ assigns \nothing;
    ensures \result <==> count > 0 && start + count <= limit; */
static inline bool range_within(uint64_t start, uint64_t count, uint64_t limit)
{
    return count != 0 && start < limit && count <= limit - start;
}

/*@ assigns \nothing;
    ensures \result == \min(a, b); */
static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*@ assigns \nothing;
    ensures \result == \max(a, b); */
static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* a is a power of two. */
/*@ requires pow2(a);
    assigns \nothing;
    ensures \result <= v < \result + a;
    ensures aligned(\result, a); */
static inline uint64_t align_down(uint64_t v, uint64_t a)
{
    return v & ~(a - 1);
}

/* a is a power of two; v is at most 2^64 - a. */
/*@ requires pow2(a) && v + a - 1 <= UINT64_MAX;
    assigns \nothing;
    ensures v <= \result < v + a;
    ensures aligned(\result, a); */
static inline uint64_t align_up(uint64_t v, uint64_t a)
{
    return align_down(v + (a - 1), a);
}

#endif
