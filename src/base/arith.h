/* Checked arithmetic on values that a guest may have chosen. */
#ifndef CORBEL_BASE_ARITH_H
#define CORBEL_BASE_ARITH_H

#include "base/types.h"

static inline bool add_overflows(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b;
}

/* True iff [start, start + count) is not empty and lies below limit. */
static inline bool range_within(uint64_t start, uint64_t count, uint64_t limit)
{
    return count != 0 && start < limit && count <= limit - start;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t align_up(uint64_t v, uint64_t a)
{
    return (v + a - 1) & ~(a - 1);
}

static inline uint64_t align_down(uint64_t v, uint64_t a)
{
    return v & ~(a - 1);
}

#endif
