/* core/lock.h by contract. The reasoning is sequential: a lock is held once this CPU has
 * taken it, and taking one that is held already, or giving back one that is not, is a
 * mistake; so every path of a proved function gives back what it took. */
#ifndef CORBEL_PROOFS_LOCKS_H
#define CORBEL_PROOFS_LOCKS_H

#include "core/lock.h"

/*@ requires \valid(l) && !held(l);
    terminates \true;
    assigns l->spin.word;
    ensures held(l); */
void lock_acquire(struct lock *l);

/*@ requires \valid(l) && held(l);
    terminates \true;
    assigns l->spin.word;
    ensures !held(l); */
void lock_release(struct lock *l);

/*@ requires \valid(a) && \valid(b) && !held(a) && !held(b);
    terminates \true;
    assigns a->spin.word, b->spin.word;
    ensures held(a) && held(b); */
void lock_pair(struct lock *a, struct lock *b);

/*@ requires \valid(a) && \valid(b) && held(a) && held(b);
    terminates \true;
    assigns a->spin.word, b->spin.word;
    ensures !held(a) && !held(b); */
void unlock_pair(struct lock *a, struct lock *b);

/*@ requires \valid_read(l);
    terminates \true;
    assigns \nothing;
    ensures \result <==> held(l); */
bool lock_held(const struct lock *l);

/*@ requires \valid(l);
    terminates \true;
    assigns l->spin.word, l->level;
    ensures !held(l); */
void lock_init(struct lock *l, enum lock_level level);

#endif
