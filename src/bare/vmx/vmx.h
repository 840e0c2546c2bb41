/* What the files of the VT-x engine share. Its functions for guest.c are in
 * bare/guest.h. Chapters and tables are those of the SDM, Vol. 3. */
#ifndef CORBEL_BARE_VMX_VMX_H
#define CORBEL_BARE_VMX_VMX_H

#include "bare/bare.h"
#include "bare/guest.h"
#include "bare/vmx/vmx_sdm.h"
#include "core/state.h"

/* The engine's part of a vCPU: one page. Its VMCS is active on at most one CPU,
 * that where v runs or ran last (24.1). */
struct vmx_vcpu {
    uint8_t *vmcs; /* the VMCS region: the CPU's business only */
    struct port_guest *g;
    uint16_t vpid;     /* 0: this CPU has none */
    bool launched;     /* since the last VMCLEAR: VMRESUME, not VMLAUNCH */
    bool in_long_mode; /* VMCS_ENTRY_CTL has ENTRY_CTL_IA32E */
    bool stale;        /* linear translations of the vCPU are to be dropped */
    uint8_t soft_len;  /* length of the INT3, INTO or ICEBP that was intercepted */
    uint8_t threshold; /* VMCS_TPR_THRESHOLD */
    bool access;       /* VMCS_APIC_ACCESS names a frame */
    uint32_t apic;     /* of PROC2_APIC, what the VMCS has */
    uint32_t cpu;      /* where the VMCS is active, GUEST_NO_CPU: nowhere */

    /* What the VMCS holds, to save accesses to it. */
    uint32_t proc, proc2, blocking; /* proc2: without those of apic */
    uint64_t rip, rsp, rflags, dr7;
    uint64_t cr0_shadow, cr4_shadow, efer;
    uint64_t eoi_exits[4];
    uint64_t host_rsp;

    /* What it has no room for. The MSRs are in the CPU while it owns them. */
    uint64_t cr2, dr6;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;

    const char *refused; /* why the CPU last refused to enter */
};

/* A CPU in VMX operation. */
struct vmx_cpu {
    uint8_t *vmxon;           /* the VMXON region, NULL: not in VMX operation */
    struct vmx_vcpu *current; /* whose VMCS is current, or NULL */
    struct vmx_vcpu *msrs;    /* whose STAR to KERNEL_GS_BASE the CPU holds, or NULL */
    uint64_t deadline;        /* TSC at which a guest's run is to end: VMCS_TIMER */
    uint64_t deadline_ns;     /* the same as system time */
};
extern struct vmx_cpu vmx_cpus[MAX_CPUS];

/* vmx_cpu.c: what every VMCS gets, the same on all CPUs. */
struct vmx_controls {
    uint32_t revision;
    uint32_t pin, proc, proc2, exit, entry;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* of guests */
    bool flush_l1d, clear_buffers; /* before an entry: the CPU has L1TF, MDS */
    uint8_t timer_shift;           /* of the TSC, for VMCS_TIMER */
    bool apic;                     /* registers and interrupts of local APICs are the CPU's */
};
extern struct vmx_controls vmx_controls;

/* Bits of CR0 and CR4 that the guest changes without an exit. */
#define CR0_GUEST_OWNED UINT64_C(0x5000e) /* MP EM TS WP AM */
#define CR4_GUEST_OWNED UINT64_C(0x684)   /* TSD PGE OSFXSR OSXMMEXCPT */

/* vmx_vmcs.c: the VMCS of x becomes current on this CPU. Its vCPU runs here, or
 * nowhere. */
void vmx_grab(struct vmx_vcpu *x);
/* The same VMCS may be wanted elsewhere next: no effect on the CPU where the vCPU
 * runs. */
void vmx_release(struct vmx_vcpu *x);
/* Where the bitmap of MSRs is, by whether the CPU does the registers of x2APIC mode. */
uint64_t vmx_msr_bitmap(bool x2apic);
/* Takes x's MSRs out of this CPU. */
void vmx_take_msrs(struct vmx_vcpu *x);
/* Gives it x's. */
void vmx_give_msrs(struct vmx_vcpu *x);

/* vmx_run.c: the second stage, and whether the CPU notes in it what is written. */
void vmx_write_eptp(struct vmx_vcpu *x);

/* vmx_apic.c: the fields of a new VMCS, which is current. */
void vmx_apic_create(struct vmx_vcpu *x);
/* Before an entry: the VMCS follows x86's local APIC. */
void vmx_apic_enter(struct vmx_vcpu *x);

/* vmx_state.c: the PDPTEs of PAE paging, from the guest's memory (26.3.2.4). */
void vmx_load_pdptes(struct vmx_vcpu *x);
void vmx_set_entry_controls(struct vmx_vcpu *x, bool long_mode);
/* CR0 and CR4 as the guest sees them. */
uint64_t vmx_guest_cr0(const struct vmx_vcpu *x);
uint64_t vmx_guest_cr4(const struct vmx_vcpu *x);

/* vmx_exit.c: fills out from the VMCS after an exit; regs have rsp, rip, rflags. */
void vmx_decode_exit(struct vmx_vcpu *x, const struct guest_regs *regs, struct guest_exit *out);

/* vmx_diagnose.c: logs and says which check of 26.2 or 26.3 the entry met. */
const char *vmx_diagnose_vmfail(struct vmx_vcpu *x);
const char *vmx_diagnose_entry(struct vmx_vcpu *x, uint32_t reason, uint64_t qualification);

/* vmx_entry.S */
bool vmx_enter(struct guest_regs *regs, bool launched, uint64_t *host_rsp);
void vmx_exit_point(void);

static inline struct vmx_cpu *vmx_this_cpu(void)
{
    return &vmx_cpus[port_cpu_id()];
}

/* vmx_entry.S: VMfail of VMREAD or VMWRITE, no such field or no current VMCS. */
void vmx_bad_field(void);

static inline uint64_t vmread(uint64_t field)
{
    uint64_t v;

    __asm__ volatile("vmread %1, %0\n\tjbe vmx_bad_field" : "=r"(v) : "r"(field) : "cc");
    return v;
}

static inline void vmwrite(uint64_t field, uint64_t v)
{
    __asm__ volatile("vmwrite %1, %0\n\tjbe vmx_bad_field" : : "r"(field), "r"(v) : "cc");
}

#endif
