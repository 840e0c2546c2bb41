/* Changing programs: what the AFL++ mutator, the trimmer and the minimiser share. */
#ifndef CORBEL_FUZZ_MUTATE_H
#define CORBEL_FUZZ_MUTATE_H

#include "fuzz/program.h"

struct rng {
    uint64_t s;
};
uint64_t rng_next(struct rng *r);

/* Which operations new ones are taken from: bits of enum op_group. */
void mutate_prefer(uint32_t groups);

/* A new operation. */
void mutate_fresh(struct rng *r, struct op *o);
/* One to a few changes; with (may be NULL) is what to splice from. */
void mutate_program(struct rng *r, struct program *p, const struct program *with);

/* Shrinking: step number n of p, into out. False: there are no more steps. First
 * whole runs of operations go, then single ones, then faults, then operands. */
bool shrink_step(const struct program *p, unsigned n, struct program *out);
unsigned shrink_steps(const struct program *p);

#endif
