/* x86's part of a domain and of a vCPU, and what the files of x86/hvm share. */
#ifndef CORBEL_X86_HVM_HVM_H
#define CORBEL_X86_HVM_HVM_H

#include "base/xen.h"

#include <xen/hvm/params.h>

#include "core/domain/domain.h"
#include "core/vcpu/vcpu.h"
#include "port/guest.h"
#include "x86/hvm/vdev.h"
#include "x86/hvm/vlapic.h"

struct vcpu_arch {
    struct vlapic lapic;        /* first, since it has a page of its own */
    struct guest_regs regs;     /* valid while the vCPU is stopped */
    struct guest_exit exit;     /* the exit being handled: modes for translation */
    struct guest_event pending; /* exception or re-injection for the next entry */
    uint8_t nmi_pending;        /* atomic */
    bool nmi_blocked;           /* from the injection to the guest's IRET */
    bool wait_sipi;             /* INIT received, waiting for SIPI */
    bool live;                  /* state is in the engine */
    uint8_t upcall_vector;      /* HVMOP_set_evtchn_upcall_vector, 0: none */
    uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_var[16];
    uint64_t pat, xcr0, tsc_aux, misc_enable, mcg_status;
    uint64_t exits[EXIT_REASONS];
    struct guest_event deferred; /* acknowledged interrupt that an exception overtook */
    bool asked_intr, asked_nmi;  /* windows asked for at the last entry */
    bool in_engine;              /* port_guest_run() is below us on the stack */
    bool stepped;                /* the pending #DB is a single step: DR6.BS is due */
    uint32_t ipi;                /* atomic: INIT and SIPI not yet acted upon, hvm_vcpu.c */
    uint32_t started;            /* atomic: somebody gave this vCPU its start state */
    uint64_t dr[4];              /* DR0-DR3 of engines that intercept them */
};

/* Words of a feature set that the model has anything in: the first of those in
 * <xen/arch-x86/cpufeatureset.h>. */
#define CPUID_WORDS 16u

/* BIOS INT 15h, EAX=E820h: what XENMEM_memory_map copies out. */
struct e820_entry {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

/* How a domain is told of events when no vCPU has its own vector; the types of
 * HVM_PARAM_CALLBACK_IRQ plus one. */
enum callback_type { CALLBACK_NONE, CALLBACK_GSI, CALLBACK_INTX, CALLBACK_VECTOR };

struct domain_arch {
    uint64_t params[HVM_NR_PARAMS];
    uint8_t callback_vector; /* from HVM_PARAM_CALLBACK_IRQ of type vector, or 0 */
    uint32_t vcpu_total;     /* as cpuid and MADT tell */
    struct vdev dev;         /* PIT, IOAPIC, PM timer, RTC of the domain */
    uint64_t hypercalls[64]; /* counts by number */
    gfn_t special_gfn;       /* first gfn of the builder's special pages */
    uint8_t callback_type;   /* enum callback_type */
    uint8_t vendor;          /* enum cpu_vendor that CPUID shows */
    uint32_t callback_gsi;
    uint32_t callback_line;  /* atomic: that GSI is asserted */
    struct e820_entry *e820; /* hypervisor pages, or NULL; guarded by domain.lock */
    uint32_t e820_count;
    uint8_t e820_order;
    uint32_t emulation_flags;                /* as the toolstack asked */
    uint32_t features_off[CPUID_WORDS];      /* features of the model that the domain lacks */
    uint32_t cpuid_basic_max, cpuid_ext_max; /* highest leaves shown, 0: the model's */
};

/* memory_map.c: replaces the domain's physical memory map. -XEN_EINVAL,
 * -XEN_ENOMEM or 0. */
struct mem_region;
int hvm_set_memory_map(struct domain *d, const struct mem_region *map, unsigned count);
void hvm_free_memory_map(struct domain *d);

/* hvm_run.c: what happens on the way in. */
void hvm_prepare_entry(struct vcpu *v, struct guest_entry *entry);
/* Queues an exception for the next entry; a second one while one is pending
 * becomes #DF, then a triple fault (SDM 6.15). */
void hvm_inject_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);
void hvm_inject_pf(struct vcpu *v, uint32_t error, uint64_t cr2);
/* An event whose delivery an exit interrupted goes back into the queue. */
void hvm_requeue(struct vcpu *v, const struct guest_event *e);
/* True iff an interrupt, NMI or exception could be delivered now. */
bool hvm_event_deliverable(struct vcpu *v);
/* The window that the last entry asked for has opened. */
void hvm_window_open(struct vcpu *v);
/* The guest can go no further: HVM_PARAM_TRIPLE_FAULT_REASON says how it stops. */
void hvm_triple_fault(struct vcpu *v);

/* hvm_exit.c: handles v->arch->exit with v->arch->regs. */
void hvm_handle_exit(struct vcpu *v);
/* Moves rip past the instruction of len bytes and clears the shadow. */
void hvm_skip(struct vcpu *v, unsigned len);

/* hvm_vcpu.c: INIT, SIPI and the states they load. */
void hvm_vcpu_reset_state(struct guest_state *s);
/* Gives v, which does not run, the state s. */
void hvm_vcpu_load_state(struct vcpu *v, const struct guest_state *s);
/* hvm_fpu.c: x87 and SSE registers of v, which does not run, in the layout of FXSAVE64. */
#define HVM_FPU_BYTES 512u
#define XSTATE_X87 1u
#define XSTATE_SSE 2u
void hvm_fpu_reset_state(struct guest_fpu *f);
void hvm_fpu_reset(struct vcpu *v);
/* Also of a vCPU that has never run. */
void hvm_fpu_save(struct vcpu *v, uint8_t image[HVM_FPU_BYTES]);
/* v's other state was loaded before. Loading parts: those in xstate_bv, as XRSTOR does. */
void hvm_fpu_load(struct vcpu *v, const uint8_t image[HVM_FPU_BYTES]);
void hvm_fpu_load_parts(struct vcpu *v, const uint8_t image[HVM_FPU_BYTES], uint64_t xstate_bv);
/* -XEN_EINVAL for control registers that no CPU would enter with. Bits of RFLAGS that
 * are fixed are put right. */
int hvm_state_check(const struct domain *d, struct guest_state *s);
void hvm_vcpu_init(struct vcpu *v);
void hvm_vcpu_sipi(struct vcpu *v, uint8_t vector);
void hvm_vcpu_nmi(struct vcpu *v);
/* Acts on INIT and SIPI, on v's own CPU between two runs. */
void hvm_vcpu_service_ipis(struct vcpu *v);
/* v stops for good, as by HLT with interrupts off; the last one powers off. */
void hvm_vcpu_down(struct vcpu *v);

/* hvm_op.c */
int64_t do_hvm_op(struct vcpu *v, uint64_t args[6]);
uint64_t hvm_param(const struct domain *d, uint32_t index);
/* Defaults of the parameters at a domain's creation. */
void hvm_params_init(struct domain *d);

/* hypercall_page.c: the 4 KiB page that MSR 0x40000000 asks for. */
#define HYPERCALL_ENTRY_SIZE 32u
#define HYPERCALL_ENTRIES (PAGE_SIZE / HYPERCALL_ENTRY_SIZE)
void hypercall_page_fill(uint8_t page[4096], bool intel);
/* The entry of hypercall nr alone. */
void hypercall_page_entry(uint8_t entry[HYPERCALL_ENTRY_SIZE], uint32_t nr, bool intel);
/* Writes it to d's frame g: 0, or -XEN_EFAULT when that is not writable memory. */
int hypercall_page_install(struct domain *d, gfn_t g);

/* cpuid.c: what the domain sees. */
struct cpuid_leaf {
    uint32_t eax, ebx, ecx, edx;
};
struct cpuid_leaf cpuid_query(struct vcpu *v, uint32_t leaf, uint32_t subleaf);
/* What every domain of a vendor could see, without what depends on domain or vCPU
 * (topology, OSXSAVE). */
#define CPUID_BASIC_MAX 0xdu
struct cpuid_leaf cpuid_model(uint8_t vendor, uint32_t leaf, uint32_t subleaf);
uint32_t cpuid_model_ext_max(uint8_t vendor);
/* Its features. */
void cpuid_model_features(uint8_t vendor, uint32_t words[CPUID_WORDS]);
/* Puts the features that a leaf tells of into words; takes those in off out of it. */
void cpuid_leaf_words(uint32_t leaf, uint32_t subleaf, const struct cpuid_leaf *l,
                      uint32_t words[CPUID_WORDS]);
void cpuid_mask_features(uint32_t leaf, uint32_t subleaf, const uint32_t off[CPUID_WORDS],
                         struct cpuid_leaf *l);
/* d, which is new, has all of them that the machine's CPU has. */
void cpuid_start_features(struct domain *d);
/* From now on d has those of the model's features that are in words. */
void cpuid_set_features(struct domain *d, const uint32_t words[CPUID_WORDS]);
/* Control bits that the features shown to d allow. */
uint64_t cpuid_cr4_valid(const struct domain *d);
uint64_t cpuid_efer_valid(const struct domain *d);
uint64_t cpuid_xcr0_valid(const struct domain *d);

/* msr.c: 0, or -1 for #GP. */
int msr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
int msr_write(struct vcpu *v, uint32_t msr, uint64_t value);
/* True iff guests access msr in the engine itself, without an exit. */
bool msr_passthrough(uint32_t msr);

/* guest_walk.c: the guest's own page tables (32-bit, PAE, 4-level). */
enum walk_access { WALK_READ = 0, WALK_WRITE = 1, WALK_FETCH = 2 };
struct walk_mode {
    uint64_t cr0, cr3, cr4, efer;
    bool user;     /* access at CPL 3 */
    bool implicit; /* implicit supervisor access: no SMAP by AC */
    bool ac;       /* EFLAGS.AC */
};
struct walk_result {
    gaddr_t gpa;
    uint32_t error; /* page-fault error code when walk fails */
    uint8_t order;  /* page order of the leaf: 0, 9, 18 */
    bool writable, executable, user, dirty;
};
/* Translates la for access; sets accessed and dirty bits iff set_ad. 0, or -1
 * with error set; -2 when a table lies outside guest memory. */
int guest_walk(struct domain *d, const struct walk_mode *m, uint64_t la, enum walk_access a,
               bool set_ad, struct walk_result *out);

/* emulate.c: decodes and performs the one instruction that touched MMIO or
 * string I/O. 0 done (rip moved), 1 an exception was queued, -1 cannot. */
int emulate_instruction(struct vcpu *v, gaddr_t mmio_gpa, bool have_gpa);
/* insn_len.c: length of the instruction at the bytes, 0 when not decodable. */
struct insn {
    uint8_t len, opcode_len;
    uint8_t prefix_rep;            /* 0, 0xf2, 0xf3 */
    uint8_t rex, opsize, addrsize; /* in bytes */
    uint8_t seg;                   /* enum seg_reg or 0xff */
    uint8_t map;                   /* 0 one byte, 1 0f, 2 0f38, 3 0f3a */
    uint8_t opcode, modrm, sib;
    bool has_modrm, lock;
    int64_t disp;
    uint64_t imm;
    uint8_t imm_size;
    uint8_t vex;  /* 0, or the lead byte: 0xc4, 0xc5, 0x62 or 0x8f (XOP) */
    uint8_t mode; /* as given */
};
/* mode: 2, 4 or 8 (16-, 32-, 64-bit code). 0 or -1. */
/*@ requires mode == 2 || mode == 4 || mode == 8;
    requires n <= 15 ==> \valid_read(bytes + (0 .. n - 1));
    requires n > 15 ==> \valid_read(bytes + (0 .. 14));
    requires \valid(out) && \separated(out, bytes + (0 .. 14));
    assigns *out;
    ensures \result == 0 || \result == -1;
    ensures length: \result == 0 ==> 1 <= out->len <= 15 && out->len <= n;
    ensures opcode: \result == 0 ==> 1 <= out->opcode_len <= 3 && out->opcode_len <= out->len;
    ensures sizes: \result == 0 ==> (out->opsize == 2 || out->opsize == 4 || out->opsize == 8) &&
        (out->addrsize == 2 || out->addrsize == 4 || out->addrsize == 8) && out->imm_size <= 8;
    ensures segment: \result == 0 ==> out->seg <= SEG_GS || out->seg == 0xff;
    ensures \result == 0 ==> out->mode == mode; */
int insn_decode(const uint8_t *bytes, unsigned n, unsigned mode, struct insn *out);
/* Linear address of the memory operand; bases: FS and GS base, others 0 in
 * 64-bit mode. */
/*@ requires \valid_read(i) && \valid_read(r);
    assigns \nothing;
    ensures i->mode != 8 ==> \result <= UINT32_MAX; */
uint64_t insn_effective(const struct insn *i, const struct guest_regs *r, uint64_t seg_base);

#endif
