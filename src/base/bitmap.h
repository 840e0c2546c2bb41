/* Bits of words that no other CPU touches meanwhile (base/atomic.h has the
 * others). */
#ifndef CORBEL_BASE_BITMAP_H
#define CORBEL_BASE_BITMAP_H

#include "base/types.h"

/*@ predicate map_bit{L}(uint64_t *p, integer i) = word_bit(p[i / 64], i % 64); */

/* Number of bits set. */
/*@ assigns \nothing;
    ensures \result <= 64;
    ensures \result == 0 <==> v == 0; */
static inline unsigned bits_count(uint64_t v)
{
    unsigned n = 0;

    /*@ loop invariant n <= 64 && low_zeroes(v, n) && v <= \at(v, Pre);
        loop invariant n == 0 <==> v == \at(v, Pre);
        loop assigns v, n;
        loop variant v; */
    for (; v != 0; v &= v - 1)
        n++;
    return n;
}

/* Index of the lowest set bit; 64 when there is none. */
/*@ assigns \nothing;
    ensures v == 0 <==> \result == 64;
    ensures v != 0 ==> \result < 64 && word_bit(v, \result);
    ensures \forall integer i; 0 <= i < \result ==> !word_bit(v, i); */
static inline unsigned bits_lowest(uint64_t v)
{
    return v == 0 ? 64u : (unsigned)__builtin_ctzll(v);
}

/* Index of the highest set bit; 64 when there is none. */
/*@ assigns \nothing;
    ensures v == 0 <==> \result == 64;
    ensures v != 0 ==> \result < 64 && word_bit(v, \result);
    ensures v != 0 ==> \forall integer i; \result < i < 64 ==> !word_bit(v, i); */
static inline unsigned bits_highest(uint64_t v)
{
    return v == 0 ? 64u : 63u - (unsigned)__builtin_clzll(v);
}

/* First set bit of [from, bits) in the bitmap at p; bits when there is none. */
/*@ requires bits <= UINT64_MAX - 63 && \valid_read(p + (0 .. (bits + 63) / 64 - 1));
    assigns \nothing;
    ensures \result <= bits;
    ensures \result < bits ==> from <= \result && map_bit(p, \result);
    ensures \forall integer i; from <= i < \result ==> !map_bit(p, i); */
static inline uint64_t bitmap_next_set(const uint64_t *p, uint64_t bits, uint64_t from)
{
    /*@ loop invariant \at(from, Pre) <= from;
        loop invariant \forall integer i; \at(from, Pre) <= i < from && i < bits ==> !map_bit(p, i);
        loop assigns from;
        loop variant bits - from; */
    while (from < bits) {
        uint64_t rest = p[from / 64] >> (from % 64);

        /*@ assert \forall integer i; from <= i < from - from % 64 + 64 ==>
                i / 64 == from / 64 && i % 64 == from % 64 + (i - from); */
        /*@ assert \forall integer b; 0 <= b < 64 - from % 64 ==>
                (word_bit(rest, b) <==> word_bit(p[from / 64], from % 64 + b)); */
        /*@ assert \forall integer i; from <= i < from - from % 64 + 64 ==>
                (map_bit(p, i) <==> word_bit(p[from / 64], i % 64)); */
        /*@ assert \forall integer i; from <= i < from - from % 64 + 64 ==>
                (word_bit(rest, i - from) <==> map_bit(p, i)); */
        if (rest != 0) {
            from += bits_lowest(rest);
            return from < bits ? from : bits;
        }
        from = from - from % 64 + 64;
    }
    return bits;
}

#endif
