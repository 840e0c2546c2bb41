/* Takes the place of proofs/include/bits.h where contracts are run: no axioms, and no
 * definitions, which lib/eacsl.py puts in the place of their uses. */
#ifndef CORBEL_PROOFS_BITS_H
#define CORBEL_PROOFS_BITS_H

#include <stdbool.h>
#include <stdint.h>

/*@ // As in proofs/include/bits.h, but without shifts of what is less than a word: E-ACSL loses
    // their upper bits.
    logic integer with(integer w, integer s, integer m, integer v) =
        w - (w & (m * (0x8000000000000000 >> (63 - s)))) +
        (v & m) * (0x8000000000000000 >> (63 - s)); */

extern char eacsl_none[]; /* what is behind a pointer to nothing: zeroes */

#define __builtin_ctzll proof_ctzll
#define __builtin_clzll proof_clzll

/*@ requires x != 0;
    ensures 0 <= \result < 64 && ((x >> \result) & 1) != 0; */
int proof_ctzll(unsigned long long x);

/*@ requires x != 0;
    ensures 0 <= \result < 64 && ((x >> (63 - \result)) & 1) != 0; */
int proof_clzll(unsigned long long x);

#endif
