/* src/core/gnttab/gnttab_pin.c, and by contract what it calls. A word that a guest writes too
 * has an arbitrary value whenever it is read, and before each change that is made to it. */
#include "grants.h"
#include "base/atomic.h"

/*@ requires \valid_read(p);
    terminates \true;
    assigns looks;
    ensures looks == \old(looks) + 1; */
uint32_t proof_look(const uint32_t *p);

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
#define cmpxchg_u32(p, expected, desired) proof_swap(p, expected, desired)
#define fetch_or_u32(p, v) proof_set(p, v)
#define fetch_and_u32(p, v) proof_clear(p, v)

#include "../../src/core/gnttab/gnttab_pin.c"
