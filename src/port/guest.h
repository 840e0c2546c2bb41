/* Port: running guest code, and the normalised exit record that every engine
 * (VMX, SVM, Unicorn, a test script) produces. Nouns follow Intel SDM Vol. 3
 * ch. 24-28 and AMD APM Vol. 2 ch. 15. */
#ifndef CORBEL_PORT_GUEST_H
#define CORBEL_PORT_GUEST_H

#include "base/types.h"

struct vcpu;
struct domain;

/* General-purpose registers in their instruction-encoding order. */
enum gpr {
    GPR_RAX,
    GPR_RCX,
    GPR_RDX,
    GPR_RBX,
    GPR_RSP,
    GPR_RBP,
    GPR_RSI,
    GPR_RDI,
    GPR_R8,
    GPR_R9,
    GPR_R10,
    GPR_R11,
    GPR_R12,
    GPR_R13,
    GPR_R14,
    GPR_R15,
    GPR_COUNT
};

struct guest_regs {
    uint64_t gpr[GPR_COUNT];
    uint64_t rip;
    uint64_t rflags;
};

enum exit_reason {
    EXIT_PREEMPTED, /* kick, timer or host interrupt: nothing to emulate */
    EXIT_HLT,       /* rip at the instruction, insn_len set */
    EXIT_CPUID,     /* leaf in rax, subleaf in rcx */
    EXIT_RDMSR,     /* index in rcx */
    EXIT_WRMSR,     /* index in rcx, value in rdx:rax */
    EXIT_IO,        /* io */
    EXIT_HYPERCALL, /* vmcall or vmmcall; number in rax */
    EXIT_FAULT2,    /* second-stage violation or misconfiguration: fault2 */
    EXIT_EXCEPTION, /* an intercepted exception: event */
    EXIT_CR_WRITE,  /* mov to cr, clts, lmsw: cr */
    EXIT_TRIPLE,    /* triple fault */
    EXIT_WINDOW,    /* the window asked for in guest_entry is open */
    EXIT_PAUSE,     /* pause loop */
    EXIT_RDTSC,     /* rdtsc: result wanted in rdx:rax */
    EXIT_RDTSCP,    /* rdtscp: also rcx */
    EXIT_XSETBV,    /* index in rcx, value in rdx:rax */
    EXIT_CACHE,     /* invd, wbinvd */
    EXIT_DR,        /* mov to or from a debug register */
    EXIT_UNDEFINED, /* an instruction no guest may use: gets #UD */
    EXIT_FAILED,    /* the engine refused the state: the domain crashes */
    EXIT_EOI,       /* the CPU ended a level-triggered interrupt: apic.vector */
    EXIT_APIC,      /* the CPU wrote the register at apic.offset into the local APIC's page */
    EXIT_REASONS
};

/* Event types as in the VM-entry interruption-information field, SDM 24.8.3. */
enum event_type {
    EVENT_NONE = 0xff,
    EVENT_EXT_INT = 0,
    EVENT_NMI = 2,
    EVENT_HW_EXCEPTION = 3,
    EVENT_SW_INT = 4,
    EVENT_PRIV_SW_EXCEPTION = 5,
    EVENT_SW_EXCEPTION = 6,
};

struct guest_event {
    uint8_t type; /* enum event_type */
    uint8_t vector;
    bool has_error;
    uint32_t error;
    uint64_t cr2; /* for #PF */
};

struct guest_exit {
    uint8_t reason;   /* enum exit_reason */
    uint8_t insn_len; /* length of the instruction, 0 when not known */
    uint8_t cpl;      /* current privilege level */
    bool cs_l, cs_d;  /* CS.L and CS.D: decode size */
    bool intr_shadow; /* blocking by STI or MOV SS */
    uint64_t cr0, cr3, cr4, efer;
    union {
        struct {
            uint16_t port;
            uint8_t size; /* 1, 2 or 4 */
            bool in;
            bool string, rep; /* INS/OUTS: emulated by instruction decode */
        } io;
        struct {
            gaddr_t gpa; /* exact to the byte iff exact */
            uint64_t gla;
            bool exact;
            bool read, write, fetch;
        } fault2;
        struct {
            uint8_t cr; /* 0, 3, 4 or 8 */
            uint8_t gpr;
            uint64_t value;
        } cr;
        struct {
            uint8_t vector;
            uint16_t offset;
        } apic;
        struct guest_event event;
    } u;
    struct guest_event vectoring; /* event whose delivery was interrupted, or EVENT_NONE */
};

/* What to change on the way in. */
struct guest_entry {
    struct guest_event inject; /* EVENT_NONE: nothing */
    bool intr_window;          /* leave (EXIT_WINDOW) when interrupts become acceptable */
    bool nmi_window;
};

struct guest_seg {
    uint16_t sel;
    uint16_t attr; /* VMX access-rights format, bits 0-15; 0x10000 unusable is 'unusable' */
    bool unusable;
    uint32_t limit;
    uint64_t base;
};

enum seg_reg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

struct guest_dtr {
    uint64_t base;
    uint32_t limit;
};

/* The whole architectural state that an engine holds for a vCPU. */
struct guest_state {
    struct guest_regs regs;
    uint64_t cr0, cr2, cr3, cr4, efer;
    struct guest_seg seg[SEG_COUNT];
    struct guest_dtr gdtr, idtr;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, dr7, dr6, xcr0;
};

/* x87 and SSE registers in the memory layout of FXSAVE64 (SDM Vol. 1 10.5.1): all
 * that XCR0 can name while CPUID offers no more. */
struct guest_fpu {
    uint8_t fxsave[512];
} __attribute__((aligned(16)));

/* Creates and destroys the engine's part of a vCPU: -XEN_ENOMEM or 0. The
 * engine finds the domain's second stage through v->domain. */
int port_guest_create(struct vcpu *v);
void port_guest_destroy(struct vcpu *v);

/* Loads the whole state into the engine, or saves it from there. The vCPU is
 * not running. */
void port_guest_load(struct vcpu *v, const struct guest_state *s);
void port_guest_save(struct vcpu *v, struct guest_state *s);

/* The same for x87 and SSE registers, which port_guest_load() and port_guest_save() leave
 * alone. The core loads them once before v first runs (reset state), then only when
 * a toolstack sets them: an engine keeps them across runs and never lets the
 * hypervisor's own show. MXCSR has no reserved bit set. */
void port_guest_load_fpu(struct vcpu *v, const struct guest_fpu *f);
void port_guest_save_fpu(struct vcpu *v, struct guest_fpu *f);

/* Reads or writes one MSR that the engine holds (EFER, STAR, FS_BASE, ...). */
uint64_t port_guest_rdmsr(struct vcpu *v, uint32_t msr);
void port_guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

/* Writes CR0, CR3 or CR4 after the exit handler has allowed it. */
void port_guest_set_cr(struct vcpu *v, unsigned cr, uint64_t value);

/* Runs v on this CPU until something stops it. regs are loaded before and hold
 * the guest's registers after; *out says why it stopped. */
void port_guest_run(struct vcpu *v, struct guest_regs *regs, const struct guest_entry *in,
                    struct guest_exit *out);

/* v goes off this CPU and may run on another next: what the engine keeps of it in
 * the CPU's own registers goes to memory. */
void port_guest_leave(struct vcpu *v);

/* Second-stage mappings of d were removed or tightened: no CPU may use an old
 * one after this returns. */
void port_guest_flush(struct domain *d);

#endif
