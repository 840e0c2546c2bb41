/* Words that a guest writes too: each has an arbitrary value whenever it is read, and before each
 * change that is made to it. What is done to them is counted. */
#ifndef CORBEL_PROOFS_SHARED_WORDS_H
#define CORBEL_PROOFS_SHARED_WORDS_H

#include "base/atomic.h"

/*@ requires \valid_read(p);
    terminates \true;
    assigns looks;
    ensures looks == \old(looks) + 1; */
uint32_t proof_look(const uint32_t *p);

/*@ requires \valid_read(p);
    terminates \true;
    assigns looks;
    ensures looks == \old(looks) + 1; */
uint64_t proof_look_long(const uint64_t *p);

/*@ requires \valid(p);
    terminates \true;
    assigns *p, changes, was;
    ensures \result ==> was == expected && *p == desired && changes == \old(changes) + 1;
    ensures !\result ==> changes == \old(changes); */
bool proof_swap(uint32_t *p, uint32_t expected, uint32_t desired);

/*@ requires \valid(p);
    terminates \true;
    assigns *p, changes, was;
    ensures *p == (was | v) && changes == \old(changes) + 1; */
uint32_t proof_set(uint32_t *p, uint32_t v);

/*@ requires \valid(p);
    terminates \true;
    assigns *p, changes, was;
    ensures *p == (was & v) && changes == \old(changes) + 1; */
uint32_t proof_clear(uint32_t *p, uint32_t v);

#define load_u32(p) proof_look(p)
#define load_u64(p) proof_look_long(p)
#define cmpxchg_u32(p, expected, desired) proof_swap(p, expected, desired)
#define fetch_or_u32(p, v) proof_set(p, v)
#define fetch_and_u32(p, v) proof_clear(p, v)

#endif
