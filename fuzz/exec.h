/* Runs a program on a machine that is fresh every time. */
#ifndef CORBEL_FUZZ_EXEC_H
#define CORBEL_FUZZ_EXEC_H

#include "fuzz/program.h"

enum op_status {
    OP_DONE,   /* finished; rc and the structure are its results */
    OP_WAITS,  /* a hypercall finished, but its vCPU sleeps now (results are good) */
    OP_NOBODY, /* there is no such domain or vCPU, or it cannot run: nothing was done */
    OP_DIED,   /* its domain was gone before it came back */
    OP_STATUSES
};

/* An operation that completed. Of operations that ran at the same time each is
 * reported, in the order in which they ended. */
struct op_done {
    unsigned index; /* in the program */
    const struct op *op;
    const struct op_desc *desc;
    uint8_t status; /* enum op_status */
    uint16_t domid; /* who did it */
    uint16_t vcpu;
    bool strayed;              /* a multicall: calls were made that nobody reported */
    bool raced;                /* another operation ran meanwhile */
    bool fetched;              /* memory changed under it */
    bool shared;               /* a word that it shares with the hypervisor did */
    bool failed;               /* an allocation was made to fail */
    uint32_t elements;         /* of a batch as far as there are structures, may be 0; else 1 */
    uint64_t value[OP_FIELDS]; /* resolved operands; of lists and batches the first ones */
    int64_t rc;                /* OP_CALL: as the guest sees it */
    /* OP_CALL: the argument structures as the hypervisor read them, and with what it wrote
     * there, elements * arg_size bytes. */
    const uint8_t *arg_in, *arg_out;
    size_t arg_len;
};

/* What the oracle and the log hang on. Any may be NULL. */
struct exec_hooks {
    void *arg;
    void (*begin)(void *arg); /* the fresh machine stands, nothing ran */
    void (*done)(void *arg, const struct op_done *d);
    void (*end)(void *arg); /* quiescent, before the final audit (and teardown) */
};

struct exec_options {
    bool audit_each; /* audit after every operation, not only at the end */
    struct exec_hooks hooks;
};

struct exec_stats {
    uint64_t programs, ops, hypercalls, skipped;
};

/* Builds the machine and takes the snapshot. Once. */
void exec_init(void);

/* Runs p. NULL, or the text of what is wrong: a failed check, or the name of the
 * first invariant that does not hold. After that the process can do nothing more. */
const char *exec_run(const struct program *p, const struct exec_options *o);

extern struct exec_stats exec_stats;

/* The number that element i of field f of o stands for, in the state as it is now
 * (only M_RESULT and K_TIME depend on it). */
uint64_t exec_resolve(const struct op *o, unsigned f, unsigned i);

/* Domains of the machine by number, as listed now; NULL: none. */
struct domain;
struct domain *exec_domain(uint16_t domid);

/* A violation found by a hook: ends the program with this text. */
void exec_violation(const char *text);

#endif
