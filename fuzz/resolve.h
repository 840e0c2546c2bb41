/* What operands stand for. */
#ifndef CORBEL_FUZZ_RESOLVE_H
#define CORBEL_FUZZ_RESOLVE_H

#include "fuzz/program.h"

/* Who asks, and when. */
struct resolve_at {
    uint16_t domid;
    unsigned vcpu;
    uint64_t now;  /* system time, ns */
    unsigned slot; /* argument slot, for lists */
};

/* The number that element i of field f of o stands for. */
uint64_t resolve_field(const struct op *o, unsigned f, unsigned i, const struct resolve_at *at);

/* The operand that stands for value, as nearly as there is one (for recording). */
struct operand resolve_reverse(const struct op *o, unsigned f, uint64_t value,
                               const struct resolve_at *at);

/* Results that later operands may name (M_RESULT). */
void resolve_forget(void);
void resolve_result(enum field_kind k, uint64_t value);

#endif
