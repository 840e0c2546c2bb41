/* What the files of the executor share. */
#ifndef CORBEL_FUZZ_EXEC_IMPL_H
#define CORBEL_FUZZ_EXEC_IMPL_H

#include "fuzz/engine.h"
#include "fuzz/exec.h"
#include "fuzz/machine.h"
#include "fuzz/resolve.h"

struct domain;
struct vcpu;

/* A hypercall, ready to be made. */
struct call {
    const struct op *op;
    const struct op_desc *desc;
    uint64_t nr, reg[6];
    uint64_t gva; /* of its structure */
    uint8_t arg[ARG_SLOT];
    uint8_t list[ARG_LISTS * ARG_LIST_BYTES]; /* the lists that it points to ... */
    unsigned lists;                           /* ... so many */
    size_t arg_len;
    uint32_t elements;
    uint64_t value[OP_FIELDS];
};

/* An operation that a vCPU was given. */
struct flight {
    bool used;
    unsigned index, calls; /* the operation, and those that its multicall took along */
    struct vcpu *v;
    uint16_t domid, vcpu;
    bool raced;
    struct call call[ARG_SLOTS];
};

struct exec {
    const struct program *p;
    const struct exec_options *o;
    unsigned next;
    unsigned in_flight;
    bool meanwhile; /* operation next happens while the one before it runs */
    struct flight flight[2];
    bool idle;       /* nothing moves any more */
    bool over;       /* all CPUs park */
    bool stuck;      /* a vCPU never rests */
    bool ended;      /* the last operation is done, and what follows it */
    unsigned parked; /* a bit per CPU that waits for the next program */
    uint32_t stalls;
    char text[256]; /* what is wrong; empty: nothing */
};

extern struct exec exec;

/* exec_op.c: puts together what op needs in v's argument slot; false when its memory
 * is gone (it is made nevertheless). */
void call_build(struct call *c, const struct op *op, struct vcpu *v, unsigned slot);
/* The task of operation index for v; takes more operations along for a multicall. */
void flight_arm(struct flight *f, struct vcpu *v, unsigned index);
/* Reports what came back. */
void flight_report(struct flight *f, enum op_status status, int64_t rc);
void exec_report(struct op_done *d);
/* Reports call nth of f. */
void flight_report_call(struct flight *f, unsigned nth, enum op_status status, int64_t rc);

/* exec_exit.c: the exit that op stands for. */
void exit_build(struct engine_task *t, const struct op *op, struct vcpu *v);
/* Writes instruction bytes where v executes. */
void code_write(struct vcpu *v, unsigned at, uint64_t insn);

/* exec_guest.c: OP_GUEST and OP_WORLD (but multicalls) of domain d. True iff it could
 * be done. */
bool act(const struct op *op, struct domain *d, struct vcpu *v);
/* As a control domain would kill it, again and again until it is done. */
bool domain_dies(struct domain *d);

/* exec.c: what the guest does to its memory in the middle of the running operation, if
 * that is what the program says. */
bool exec_meanwhile(void);

/* The linear address at which tasks execute. */
#define TASK_RIP (((uint64_t)CODE_GFN << PAGE_SHIFT) + 0x100)
/* The machine's state as v's exits show it. */
void exit_modes(struct guest_exit *x, const struct op *op);
struct resolve_at exec_at(const struct vcpu *v, unsigned slot);
uint64_t exec_value(const struct op *op, const struct vcpu *v, const char *field);

/* calls.c: what the hypervisor reads and writes of the arguments of f's first slots calls,
 * from now on, and what a multicall's entries return. */
void calls_arm(const struct flight *f, unsigned slots);
/* The arguments of call nth as the hypervisor read them, and with what it wrote there. */
const uint8_t *calls_in(const struct flight *f, unsigned nth);
const uint8_t *calls_out(const struct flight *f, unsigned nth);
/* Did call nth have a list with another address, or another first number, than the executor gave
 * it: an earlier entry of its multicall may write over them, or over the pointers to them. */
bool calls_lists_moved(const struct flight *f, unsigned nth);
/* Was f's call never continued? */
bool calls_once(const struct flight *f);
/* How many of a multicall's entries were reported when they ended; is the next one half
 * done; did anything else run? */
unsigned calls_told(const struct flight *f);
bool calls_midway(const struct flight *f);
bool calls_strayed(const struct flight *f);
/* A multicall returned rc. */
void calls_complete(const struct flight *f, int64_t rc);
/* From faults.c, when v's memory was read or written. */
void calls_read(const struct vcpu *v, uint64_t gva, const void *bytes, size_t n);
void calls_wrote(const struct vcpu *v, uint64_t gva, const void *bytes, size_t n);

/* faults.c: what goes wrong during an operation. */
void faults_arm(const struct op *op);
void faults_disarm(void);

#endif
