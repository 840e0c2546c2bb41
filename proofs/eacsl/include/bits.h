/* Takes the place of proofs/include/bits.h where contracts are run: no axioms, and no
 * definitions, which lib/eacsl.py puts in the place of their uses. */
#ifndef CORBEL_PROOFS_BITS_H
#define CORBEL_PROOFS_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define __builtin_ctzll proof_ctzll
#define __builtin_clzll proof_clzll

/*@ requires x != 0;
    ensures 0 <= \result < 64 && ((x >> \result) & 1) != 0; */
int proof_ctzll(unsigned long long x);

/*@ requires x != 0;
    ensures 0 <= \result < 64 && ((x >> (63 - \result)) & 1) != 0; */
int proof_clzll(unsigned long long x);

#endif
