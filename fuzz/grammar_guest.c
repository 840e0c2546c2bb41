/* What guests do to memory that they share with the hypervisor, and what happens
 * to them. */
#include "fuzz/grammar_table.h"

#include <xen/grant_table.h>

#define ACT(name, class, action, group, ...)                                                       \
    {                                                                                              \
        name, class, SUB_NONE, NO_REG, action, 0, 0, false, group,                                 \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const uint64_t grant_flags[] = {
    GTF_permit_access,   GTF_permit_access | GTF_readonly,
    GTF_permit_access,   0,
    GTF_accept_transfer, GTF_permit_access | GTF_reading | GTF_writing,
    GTF_transitive,      0xffff};
static const uint64_t bits[] = {0, 1, 2, 3};
static const uint64_t words[] = {0, 1, 2, 3};

static const struct op_desc ops[] = {
    ACT("guest_write", OP_GUEST, ACT_MEM, G_MISC, O("at", K_GPA, 0), O("value", K_WORD, 0),
        O("many", K_INT, 3)),
    ACT("guest_grant", OP_GUEST, ACT_GRANT_V1, G_GRANT, O("ref", K_GREF, 0),
        OE("flags", grant_flags), O("dom", K_DOMID, 0), O("frame", K_GFN, 0)),
    ACT("guest_grant_v2", OP_GUEST, ACT_GRANT_V2, G_GRANT, O("ref", K_GREF, 0),
        OE("flags", grant_flags), O("dom", K_DOMID, 0), O("frame", K_GFN, 0)),
    ACT("guest_grant_sub", OP_GUEST, ACT_GRANT_SUB, G_GRANT, O("ref", K_GREF, 0),
        OE("flags", grant_flags), O("dom", K_DOMID, 0), O("frame", K_GFN, 0),
        O("start", K_OFFSET, 0), O("length", K_OFFSET, 0)),
    ACT("guest_grant_trans", OP_GUEST, ACT_GRANT_TRANS, G_GRANT, O("ref", K_GREF, 0),
        OE("flags", grant_flags), O("dom", K_DOMID, 0), O("trans_dom", K_DOMID, 0),
        O("trans_ref", K_GREF, 0)),
    ACT("guest_grant_status", OP_GUEST, ACT_GRANT_STATUS, G_GRANT, O("ref", K_GREF, 0),
        O("value", K_WORD, 0)),
    ACT("guest_evtchn_words", OP_GUEST, ACT_EVT_BITS, G_EVTCHN, OE("which", words),
        O("index", K_INT, 4), O("value", K_WORD, 0)),
    ACT("guest_evtchn_port", OP_GUEST, ACT_EVT_PORT, G_EVTCHN, O("port", K_PORT, 0),
        OE("bits", bits), O("clear", K_INT, 2)),
    ACT("guest_fifo_word", OP_GUEST, ACT_FIFO_CTRL, G_EVTCHN, O("frame", K_GFN, 0),
        O("offset", K_OFFSET, 0), O("value", K_WORD, 0)),
    ACT("guest_vcpu_info", OP_GUEST, ACT_INFO, G_EVTCHN, O("pending", K_INT, 2),
        O("mask", K_INT, 2), O("selector", K_WORD, 0)),
    ACT("guest_pte", OP_GUEST, ACT_PTE, G_HVM, O("index", K_INT, 512), O("frame", K_GFN, 0),
        O("flags", K_FLAGS, 0xfff), O("table", K_INT, 2)),
    ACT("guest_code", OP_GUEST, ACT_CODE, G_EXIT, O("at", K_INT, 64), O("insn", K_WORD, 0),
        O("raw", K_WORD, 0)),
    ACT("guest_register", OP_GUEST, ACT_REGS, G_EXIT, O("register", K_INT, 18),
        O("value", K_WORD, 0)),
    ACT("time_passes", OP_WORLD, ACT_TIME, G_SCHED, O("us", K_WORD, 0)),
    ACT("vcpu_moves", OP_WORLD, ACT_MOVE, G_SCHED, O("cpus", K_INT, 4)),
    ACT("nmi", OP_WORLD, ACT_NMI, G_EXIT, O("unused", K_INT, 1)),
    ACT("interrupt", OP_WORLD, ACT_IRQ, G_EXIT, O("vector", K_INT, 256), O("level", K_INT, 2)),
    ACT("console_input", OP_WORLD, ACT_INPUT, G_MISC, O("bytes", K_INT, 16), O("value", K_WORD, 0)),
    ACT("domain_dies", OP_WORLD, ACT_KILL, G_LIFE, O("unused", K_INT, 1)),
};

const struct op_table grammar_guest = TABLE(ops);
