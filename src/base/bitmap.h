/* Bits of words that no other CPU touches meanwhile (base/atomic.h has the
 * others). */
#ifndef CORBEL_BASE_BITMAP_H
#define CORBEL_BASE_BITMAP_H

#include "base/types.h"

/* Number of bits set. */
static inline unsigned bits_count(uint64_t v)
{
    unsigned n = 0;

    for (; v != 0; v &= v - 1)
        n++;
    return n;
}

/* Index of the lowest set bit; 64 when there is none. */
static inline unsigned bits_lowest(uint64_t v)
{
    return v == 0 ? 64u : (unsigned)__builtin_ctzll(v);
}

/* Index of the highest set bit; 64 when there is none. */
static inline unsigned bits_highest(uint64_t v)
{
    return v == 0 ? 64u : 63u - (unsigned)__builtin_clzll(v);
}

/* First set bit of [from, bits) in the bitmap at p; bits when there is none. */
static inline uint64_t bitmap_next_set(const uint64_t *p, uint64_t bits, uint64_t from)
{
    while (from < bits) {
        uint64_t rest = p[from >> 6] >> (from & 63);

        if (rest != 0) {
            from += bits_lowest(rest);
            return from < bits ? from : bits;
        }
        from = (from | 63) + 1;
    }
    return bits;
}

#endif
