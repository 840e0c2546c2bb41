/* The grammar of fuzz programs, once, as data: every operation, its operands and
 * their kinds. Decoder, printer, mutator, minimiser, seed writers, documentation
 * (GRAMMAR.md) and the reference model all go by these tables. */
#ifndef CORBEL_FUZZ_GRAMMAR_H
#define CORBEL_FUZZ_GRAMMAR_H

#include "base/types.h"

#define OP_FIELDS 9u

/* What an operand means: decides how its 16-bit value becomes a number. */
enum field_kind {
    K_NONE,   /* no operand here */
    K_DOMID,  /* a domain's number, DOMID_SELF, reserved ones */
    K_VCPU,   /* a vCPU's number */
    K_PORT,   /* an event channel of the caller */
    K_VIRQ,   /* a virtual interrupt's number */
    K_GFN,    /* a frame: own memory first */
    K_HOLE,   /* a frame: where nothing is mapped first */
    K_MFN,    /* a machine frame */
    K_GREF,   /* a grant reference */
    K_HANDLE, /* a grant handle */
    K_GPA,    /* address of a K_GFN frame plus an offset */
    K_HPA,    /* address of a K_HOLE frame plus an offset */
    K_GVA,    /* a linear address: buffers of the program first */
    K_ENUM,   /* one of a list of values */
    K_FLAGS,  /* an or of bits of a mask */
    K_INT,    /* a number, mostly below a bound */
    K_ORDER,  /* order of an extent */
    K_COUNT,  /* how many elements or extents */
    K_TIME,   /* absolute system time: now plus so many microseconds */
    K_OFFSET, /* byte offset within a page */
    K_WORD,   /* any number; boundary values often */
    FIELD_KINDS
};

/* Where its number goes. */
enum field_place {
    IN_STRUCT,  /* field of the argument structure at offset, size bytes */
    IN_REG,     /* argument register number offset */
    IN_LIST,    /* 16 numbers of size bytes each in guest memory; its address goes to the
                 * structure at offset */
    IN_REGLIST, /* the same, but its address goes to register number offset */
    IN_OP,      /* nowhere: the operation itself uses it */
};

struct field_desc {
    const char *name; /* NULL: end */
    uint8_t kind;     /* enum field_kind */
    uint8_t place;    /* enum field_place */
    uint16_t offset;
    uint8_t size;
    uint32_t arg;           /* K_INT: the bound; K_FLAGS: the mask; K_ENUM: how many values */
    const uint64_t *values; /* K_ENUM */
};

enum op_class {
    OP_CALL,  /* a hypercall */
    OP_EXIT,  /* another exit from guest mode */
    OP_GUEST, /* something that the guest does to its own memory */
    OP_WORLD, /* something that happens */
};

/* Where the sub-operation's number goes. */
enum op_sub { SUB_NONE, SUB_REG, SUB_DOMCTL, SUB_SYSCTL, SUB_PLATFORM };

/* Which mutators prefer it: bits. */
enum op_group {
    G_EVTCHN = 1,
    G_GRANT = 2,
    G_MEMORY = 4,
    G_SCHED = 8, /* and vCPUs, time */
    G_HVM = 16,
    G_MISC = 32,
    G_CONTROL = 64, /* domctl, sysctl, platform */
    G_EXIT = 128,
    G_LIFE = 256,
};
#define G_HYPERCALL (G_EVTCHN | G_GRANT | G_MEMORY | G_SCHED | G_HVM | G_MISC | G_LIFE)

#define NO_REG 0xffu

struct op_desc {
    const char *name;
    uint8_t class;     /* enum op_class */
    uint8_t sub_place; /* enum op_sub */
    uint8_t ptr_reg;   /* OP_CALL: register that takes the structure's address, or NO_REG */
    uint16_t nr;       /* OP_CALL: hypercall; OP_EXIT: enum exit_reason; else enum op_action */
    uint32_t sub;      /* sub-operation */
    uint16_t arg_size; /* of one element of the structure */
    bool batch;        /* the structure is an array: field "count" says how long */
    uint16_t group;    /* enum op_group */
    struct field_desc field[OP_FIELDS];
};

/* What OP_GUEST and OP_WORLD operations do (op_desc.nr). */
enum op_action {
    ACT_MEM,          /* write a word of guest memory */
    ACT_GRANT_V1,     /* write a grant entry */
    ACT_GRANT_V2,     /* the same, version 2: full page */
    ACT_GRANT_SUB,    /* version 2: part of a page */
    ACT_GRANT_TRANS,  /* version 2: transitive */
    ACT_GRANT_STATUS, /* write a status word */
    ACT_EVT_BITS,     /* write words of pending and mask bits */
    ACT_EVT_PORT,     /* set or clear one port's pending or mask bit, or its FIFO word */
    ACT_FIFO_CTRL,    /* write the FIFO control block */
    ACT_INFO,         /* write vcpu_info */
    ACT_PTE,          /* write a page-table entry */
    ACT_CODE,         /* write instruction bytes */
    ACT_REGS,         /* set a register */
    ACT_TIME,         /* time passes */
    ACT_MOVE,         /* the vCPU moves to other physical CPUs */
    ACT_NMI,          /* an NMI arrives */
    ACT_IRQ,          /* an interrupt arrives at the local APIC */
    ACT_INPUT,        /* somebody types on a domain's console */
    ACT_KILL,         /* a domain is killed, to the end */
    ACT_MULTICALL,    /* the next operations become one multicall */
};

/* All operations, in the order of the parts. */
#define GRAMMAR_MAX 256u
extern const struct op_desc *grammar_ops[GRAMMAR_MAX];
extern unsigned grammar_count;
/* Fills the table; called by whoever comes first, any number of times. */
void grammar_init(void);

/* The index of the operation with that name; -1: none. */
int grammar_find(const char *name);
/* Fields in use, and whether f is one of them: for loops that run often. */
unsigned grammar_fields(const struct op_desc *o);
static inline bool grammar_has(const struct op_desc *o, unsigned f)
{
    return f < OP_FIELDS && o->field[f].name != NULL;
}
const char *grammar_kind_name(enum field_kind k);
const char *grammar_class_name(enum op_class c);
/* Writes GRAMMAR.md to stdout. */
void grammar_document(void);

/* Lives of things, as program text: grammar_sequence.c. */
extern const char *const grammar_sequences[];
extern const unsigned grammar_sequence_count;

/* The parts of the table. */
struct op_table {
    const struct op_desc *ops;
    unsigned count;
};
extern const struct op_table grammar_evtchn, grammar_grant, grammar_memory, grammar_sched,
    grammar_hvm, grammar_misc, grammar_control[3], grammar_exit, grammar_guest;

#endif
