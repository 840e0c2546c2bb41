/* Exits other than hypercalls: registers by enum gpr, the rest by engine.c. */
#include "fuzz/grammar_table.h"

#include "port/guest.h"
#include "x86/hvm/vdev.h"

#define EXIT(name, reason, ...)                                                                    \
    {                                                                                              \
        "exit_" name, OP_EXIT, SUB_NONE, NO_REG, reason, 0, 0, false, G_EXIT,                      \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const uint64_t leaves[] = {0,          1,          2,          4,          5,
                                  6,          7,          0xa,        0xb,        0xd,
                                  0x40000000, 0x40000001, 0x40000002, 0x40000003, 0x40000004,
                                  0x40000005, 0x80000000, 0x80000001, 0x80000002, 0x80000007,
                                  0x80000008, 0x8000001d, 0x8000001e, 0x80000021, 0xffffffff};
static const uint64_t msrs[] = {
    0x10,       0x1b,       0x17,       0x3a,       0x48,       0x49,       0x8b,       0xce,
    0xfe,       0x10a,      0x140,      0x174,      0x175,      0x176,      0x179,      0x17a,
    0x186,      0x198,      0x199,      0x1a0,      0x1d9,      0x200,      0x201,      0x20f,
    0x250,      0x258,      0x26f,      0x277,      0x2ff,      0x400,      0x401,      0x480,
    0x6e0,      0x802,      0x803,      0x808,      0x80a,      0x80b,      0x80d,      0x80f,
    0x810,      0x820,      0x828,      0x82f,      0x830,      0x832,      0x835,      0x836,
    0x837,      0x838,      0x839,      0x83e,      0x83f,      0xda0,      0x40000000, 0x40000001,
    0x40000200, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
    0xc0000103, 0xc0010010, 0xc0010015, 0xc001001f, 0xc0010055, 0xc0010062, 0xc0010114, 0xc0011029};
static const uint64_t apic_base_msr[] = {0x1b};
/* On, as the boot CPU's or not; x2APIC; off. */
static const uint64_t apic_bases[] = {0xfee00900, 0xfee00d00, 0xfee00800, 0xfee00c00,
                                      0xfee00100, 0xfee00000, 0xfee00500};
static const uint64_t ports[] = {
    0x20,  0x21, 0x40,  0x41,          0x42,          0x43,        0x60,   0x61,   0x64,
    0x70,  0x71, 0x80,  0xa0,          0xe9,          0x3f8,       0xcf8,  0xcf9,  0xcfc,
    0xcff, 0x92, 0x402, PM1A_EVT_PORT, PM1A_CNT_PORT, PM_TMR_PORT, 0xb00c, 0xb00d, 0xffff};
static const uint64_t sizes[] = {1, 2, 4, 1};
/* Registers of the local APIC and the IOAPIC's two windows, and other places. */
static const uint64_t devices[] = {
    0xfee00020, 0xfee00030, 0xfee00080, 0xfee000a0, 0xfee000b0, 0xfee000d0, 0xfee000e0,
    0xfee000f0, 0xfee00100, 0xfee00200, 0xfee00280, 0xfee00300, 0xfee00310, 0xfee00320,
    0xfee00350, 0xfee00360, 0xfee00370, 0xfee00380, 0xfee00390, 0xfee003e0, 0xfee003f0,
    0xfec00000, 0xfec00010, 0xfec00040, 0xfed00000, 0xfee00ffc, 0xfee00fff, 0xfffff000};
/* What the CPU writes to the local APIC's page before it exits: SDM 30.4.3.2. */
static const uint64_t apic_writes[] = {0x20,  0x80,  0xb0,  0xd0,  0xe0,  0xf0,
                                       0x280, 0x300, 0x310, 0x320, 0x330, 0x340,
                                       0x350, 0x360, 0x370, 0x380, 0x3e0, 0x3f0};
static const uint64_t vectors[] = {0, 1, 3, 6, 8, 13, 14, 17, 18, 32};
static const uint64_t types[] = {EVENT_HW_EXCEPTION, EVENT_NMI,          EVENT_EXT_INT,
                                 EVENT_SW_INT,       EVENT_SW_EXCEPTION, EVENT_PRIV_SW_EXCEPTION};
static const uint64_t crs[] = {0, 3, 4, 8, 2};

static const struct op_desc ops[] = {
    EXIT("hlt", EXIT_HLT, O("if", K_INT, 2)),
    EXIT("cpuid", EXIT_CPUID, RE(GPR_RAX, "leaf", leaves), R(GPR_RCX, "subleaf", K_INT, 8)),
    EXIT("rdmsr", EXIT_RDMSR, RE(GPR_RCX, "msr", msrs)),
    EXIT("wrmsr", EXIT_WRMSR, RE(GPR_RCX, "msr", msrs), R(GPR_RAX, "low", K_WORD, 0),
         R(GPR_RDX, "high", K_WORD, 0)),
    EXIT("wrmsr_apic_base", EXIT_WRMSR, RE(GPR_RCX, "msr", apic_base_msr),
         RE(GPR_RAX, "low", apic_bases), R(GPR_RDX, "high", K_INT, 1)),
    EXIT("wrmsr_hypercall_page", EXIT_WRMSR, O("frame", K_GPA, 0)),
    EXIT("in", EXIT_IO, OE("port", ports), OE("size", sizes), O("rep", K_INT, 1)),
    EXIT("out", EXIT_IO, OE("port", ports), OE("size", sizes), R(GPR_RAX, "value", K_WORD, 0),
         O("rep", K_INT, 1)),
    EXIT("string_io", EXIT_IO, OE("port", ports), OE("size", sizes), O("in", K_INT, 2),
         O("rep", K_INT, 2), R(GPR_RDI, "di", K_GVA, 0), R(GPR_RSI, "si", K_GVA, 0),
         R(GPR_RCX, "count", K_COUNT, 0), O("insn", K_WORD, 0)),
    EXIT("mmio", EXIT_FAULT2, OE("gpa", devices), O("write", K_INT, 2),
         R(GPR_RAX, "value", K_WORD, 0), O("insn", K_WORD, 0), R(GPR_RCX, "count", K_COUNT, 0),
         R(GPR_RSI, "si", K_GVA, 0)),
    EXIT("fault2", EXIT_FAULT2, O("gpa", K_GPA, 0), O("access", K_FLAGS, 7), O("exact", K_INT, 2),
         O("insn", K_WORD, 0), R(GPR_RAX, "value", K_WORD, 0), O("vectoring", K_INT, 1),
         R(GPR_RDI, "di", K_GVA, 0)),
    EXIT("exception", EXIT_EXCEPTION, OE("vector", vectors), OE("type", types),
         O("error", K_WORD, 0), O("cr2", K_GVA, 0)),
    EXIT("cr_write", EXIT_CR_WRITE, OE("cr", crs), O("value", K_WORD, 0)),
    EXIT("triple", EXIT_TRIPLE, O("unused", K_INT, 1)),
    EXIT("window", EXIT_WINDOW, O("unused", K_INT, 1)),
    EXIT("pause", EXIT_PAUSE, O("unused", K_INT, 1)),
    EXIT("rdtsc", EXIT_RDTSC, O("unused", K_INT, 1)),
    EXIT("rdtscp", EXIT_RDTSCP, O("unused", K_INT, 1)),
    EXIT("xsetbv", EXIT_XSETBV, R(GPR_RCX, "index", K_INT, 2), R(GPR_RAX, "low", K_INT, 256),
         R(GPR_RDX, "high", K_WORD, 0)),
    EXIT("cache", EXIT_CACHE, O("unused", K_INT, 1)),
    EXIT("dr", EXIT_DR, O("insn", K_WORD, 0), R(GPR_RAX, "value", K_WORD, 0)),
    EXIT("eoi", EXIT_EOI, O("vector", K_INT, 256)),
    EXIT("apic_write", EXIT_APIC, OE("register", apic_writes), O("value", K_WORD, 0)),
    EXIT("undefined", EXIT_UNDEFINED, O("unused", K_INT, 1)),
    EXIT("vmcall_user", EXIT_HYPERCALL, O("cpl", K_INT, 4), O("mode", K_INT, 4),
         R(GPR_RAX, "nr", K_INT, 64)),
};

const struct op_table grammar_exit = TABLE(ops);
