/* Programs: what an input's bytes mean. Every byte string is a program; records
 * have a fixed size, so that cutting and pasting keeps their meaning. */
#ifndef CORBEL_FUZZ_PROGRAM_H
#define CORBEL_FUZZ_PROGRAM_H

#include <stdio.h>

#include "fuzz/grammar.h"

#define RECORD_BYTES 32u
#define PROGRAM_OPS 64u /* records beyond are not looked at */

/* How an operand was chosen. */
enum operand_mode {
    M_LIVE,   /* something that exists or makes sense */
    M_EDGE,   /* a boundary value of the kind */
    M_RAW,    /* the 16-bit value itself */
    M_RESULT, /* what an earlier operation returned for this kind */
    OPERAND_MODES
};

/* What goes wrong meanwhile. */
enum op_mod {
    MOD_NONE,
    MOD_RACE,    /* runs at the same time as the next operation; mod_arg: where to switch */
    MOD_FETCH,   /* memory changes after the n-th read of it; mod_arg: n and how */
    MOD_FAIL,    /* the n-th allocation fails; mod_arg: n */
    MOD_PREEMPT, /* every n-th preemption point fires; mod_arg: n */
    MOD_GONE,    /* after the n-th read the page that was read cannot be written any more, or
                  * not even be read, until the operation ends; mod_arg: n and which */
    MOD_SHARED,  /* a bit of a word that guests see changes before the hypervisor reads the
                  * word once more, the n-th such time; mod_arg: n and which bit */
    OP_MODS
};

struct operand {
    uint8_t mode; /* enum operand_mode */
    uint16_t val;
};

struct op {
    uint16_t code; /* index into grammar_ops */
    uint8_t dom;   /* 0 .. 3: which of the machine's domains does it */
    uint8_t vcpu;  /* 0 .. 1 */
    bool paging;   /* the guest has paging on */
    uint8_t mod;   /* enum op_mod */
    uint8_t mod_arg;
    struct operand f[OP_FIELDS];
};

struct program {
    bool teardown; /* all domains die at the end */
    unsigned count;
    struct op op[PROGRAM_OPS];
};

/* Record 0 is the header. Total: never fails. */
void program_decode(const uint8_t *bytes, size_t len, struct program *p);
/* Canonical bytes of p; cap is at least (PROGRAM_OPS + 1) * RECORD_BYTES. Returns
 * the length. program_decode() of it gives p again. */
size_t program_encode(const struct program *p, uint8_t *bytes);

/* One operation as one record. */
void op_decode(const uint8_t *record, struct op *o);
void op_encode(const struct op *o, uint8_t *record);

/* One line, without the newline. */
void op_print(FILE *f, const struct op *o);
void program_print(FILE *f, const struct program *p);

/* A program as text, one operation a line as op_print() writes them: for seeds that
 * are written by hand. 0, or the number of the first line that is wrong. */
int program_parse(const char *text, struct program *p);

#endif
