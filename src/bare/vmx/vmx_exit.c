/* From the VMCS's exit fields to the record of port/guest.h (SDM Vol. 3 27.2, 24.9,
 * tables 27-3 to 27-7). */
#include "bare/vmx/vmx.h"

#include "core/console/console.h"
#include "x86/hvm/vlapic.h"
#include "x86/x86.h"

#define CR_ACCESS_MOV_TO 0u
#define CR_ACCESS_CLTS 2u
#define CR_ACCESS_LMSW 3u
#define CR0_TS UINT64_C(8)
#define CR0_LMSW UINT64_C(0xf) /* PE MP EM TS */
#define DR6_HITS UINT64_C(0xf)
#define DB_CAUSES UINT64_C(0x600f) /* B0-B3 BD BS, as in DR6 */
#define DB_BD UINT64_C(0x2000)
#define DR7_GD UINT64_C(0x2000)
#define VECTOR_AC 17u
#define QUAL_IO_IN (1u << 3)
#define QUAL_IO_STRING (1u << 4)
#define QUAL_IO_REP (1u << 5)

static void decode_modes(struct vmx_vcpu *x, struct guest_exit *out)
{
    uint64_t cs = vmread(VMCS_GUEST_CS_AR);

    out->cpl = (uint8_t)SEG_DPL(vmread(VMCS_GUEST_SS_AR));
    out->cs_l = x->in_long_mode && (cs & SEG_L);
    out->cs_d = !out->cs_l && (cs & SEG_DB);
    out->cr0 = vmx_guest_cr0(x);
    out->cr3 = vmread(VMCS_GUEST_CR3);
    out->cr4 = vmx_guest_cr4(x);
    out->efer = x->efer;
    x->blocking = (uint32_t)vmread(VMCS_GUEST_BLOCKING);
    out->intr_shadow = (x->blocking & (BLOCKING_STI | BLOCKING_MOV_SS)) != 0;
}

static void decode_event(uint32_t info, uint64_t error, uint64_t cr2, struct guest_event *e)
{
    e->type = EVENT_TYPE(info);
    e->vector = (uint8_t)info;
    e->has_error = (info & EVENT_HAS_ERROR) != 0;
    e->error = e->has_error ? (uint32_t)error : 0;
    e->cr2 = cr2;
}

/* 27.2.4. A NMI that was not delivered does not block others either. */
static void decode_vectoring(struct vmx_vcpu *x, uint32_t info, struct guest_exit *out)
{
    decode_event(info, vmread(VMCS_VECTORING_ERROR), x->cr2, &out->vectoring);
    if (out->vectoring.type == EVENT_NMI) {
        x->blocking &= ~BLOCKING_NMI;
        vmwrite(VMCS_GUEST_BLOCKING, x->blocking);
    }
}

/* An IRET that did not end blocks NMIs again: 27.2.3. */
static void block_nmi_again(struct vmx_vcpu *x, const struct guest_exit *out)
{
    if (out->vectoring.type == EVENT_NONE) {
        x->blocking |= BLOCKING_NMI;
        vmwrite(VMCS_GUEST_BLOCKING, x->blocking);
    }
}

/* The exit left DR6 and DR7 as they were: table 27-1. */
static void decode_debug(struct vmx_vcpu *x)
{
    uint64_t causes = vmread(VMCS_QUALIFICATION) & DB_CAUSES;

    x->dr6 = (x->dr6 & ~DR6_HITS) | causes;
    if (causes & DB_BD) {
        x->dr7 &= ~DR7_GD; /* 17.2.4 */
        vmwrite(VMCS_GUEST_DR7, x->dr7);
    }
}

static void decode_exception(struct vmx_vcpu *x, struct guest_exit *out)
{
    uint32_t info = (uint32_t)vmread(VMCS_EXIT_EVENT);
    uint8_t vector = (uint8_t)info;

    if (EVENT_TYPE(info) == EVENT_NMI) {
        out->reason = EXIT_PREEMPTED;
        return;
    }
    if ((info & EVENT_NMI_UNBLOCKED) && vector != VECTOR_DF)
        block_nmi_again(x, out);
    if (vector != VECTOR_DB && vector != VECTOR_AC) {
        out->reason = EXIT_PREEMPTED; /* a machine check: the host's */
        return;
    }
    out->reason = EXIT_EXCEPTION;
    decode_event(info, vmread(VMCS_EXIT_EVENT_ERROR), 0, &out->u.event);
    if (vector == VECTOR_DB)
        decode_debug(x);
    x->soft_len = out->insn_len = (uint8_t)vmread(VMCS_EXIT_LENGTH);
}

static void decode_cr(struct vmx_vcpu *x, const struct guest_regs *regs, struct guest_exit *out)
{
    uint64_t q = vmread(VMCS_QUALIFICATION);
    unsigned access = q >> 4 & 3;

    out->reason = EXIT_CR_WRITE;
    out->u.cr.cr = q & 15;
    out->u.cr.gpr = q >> 8 & 15;
    if (access == CR_ACCESS_CLTS) {
        out->u.cr.cr = 0;
        out->u.cr.value = out->cr0 & ~CR0_TS;
    } else if (access == CR_ACCESS_LMSW) {
        out->u.cr.cr = 0;
        out->u.cr.value = (out->cr0 & ~CR0_LMSW) | (q >> 16 & CR0_LMSW) | (out->cr0 & CR0_PE);
    } else if (access == CR_ACCESS_MOV_TO) {
        out->u.cr.value = regs->gpr[out->u.cr.gpr];
        if (!out->cs_l)
            out->u.cr.value = (uint32_t)out->u.cr.value;
    } else {
        out->reason = EXIT_FAILED; /* MOV from CR3 or CR8: not asked for */
    }
}

static void decode_io(struct guest_exit *out)
{
    uint64_t q = vmread(VMCS_QUALIFICATION);

    out->reason = EXIT_IO;
    out->u.io.port = (uint16_t)(q >> 16);
    out->u.io.size = (uint8_t)((q & 7) + 1);
    out->u.io.in = (q & QUAL_IO_IN) != 0;
    out->u.io.string = (q & QUAL_IO_STRING) != 0;
    out->u.io.rep = (q & QUAL_IO_REP) != 0;
}

static void decode_ept(struct vmx_vcpu *x, struct guest_exit *out)
{
    uint64_t q = vmread(VMCS_QUALIFICATION);
    bool final = (q & EPT_QUAL_LINEAR) && (q & EPT_QUAL_FINAL);

    if (q & EPT_QUAL_NMI_UNBLOCKED)
        block_nmi_again(x, out);
    out->reason = EXIT_FAULT2;
    out->u.fault2.gpa = gaddr(vmread(VMCS_GUEST_PHYSICAL));
    out->u.fault2.gla = q & EPT_QUAL_LINEAR ? vmread(VMCS_GUEST_LINEAR) : 0;
    out->u.fault2.exact = final;
    out->u.fault2.read = (q & EPT_QUAL_READ) != 0;
    out->u.fault2.write = (q & EPT_QUAL_WRITE) != 0;
    out->u.fault2.fetch = (q & EPT_QUAL_FETCH) != 0;
}

/* What the CPU leaves of xAPIC mode is emulated as on CPUs that do none of it. */
static void decode_apic_access(struct guest_exit *out)
{
    uint64_t q = vmread(VMCS_QUALIFICATION);
    unsigned kind = APIC_QUAL_KIND(q);

    out->reason = EXIT_FAULT2;
    out->u.fault2.gpa = gaddr(LAPIC_BASE | (q & APIC_QUAL_OFFSET));
    out->u.fault2.gla = 0;
    out->u.fault2.exact = kind == APIC_READ || kind == APIC_WRITE;
    out->u.fault2.read = kind == APIC_READ;
    out->u.fault2.write = kind == APIC_WRITE;
    out->u.fault2.fetch = kind == APIC_FETCH;
}

/* RDPMC: there are no counters. The exit comes after the CPU's own checks. */
static void decode_rdpmc(struct guest_exit *out)
{
    out->reason = EXIT_EXCEPTION;
    out->u.event = (struct guest_event){EVENT_HW_EXCEPTION, VECTOR_GP, true, 0, 0};
}

/* Exits whose reason says all. */
static uint8_t plain_reason(uint32_t reason)
{
    switch (reason) {
    case REASON_EXT_INT:
    case REASON_INIT:
    case REASON_SIPI:
    case REASON_TPR:
    case REASON_TIMER:
        return EXIT_PREEMPTED;
    case REASON_TRIPLE_FAULT:
        return EXIT_TRIPLE;
    case REASON_INT_WINDOW:
    case REASON_NMI_WINDOW:
        return EXIT_WINDOW;
    case REASON_CPUID:
        return EXIT_CPUID;
    case REASON_HLT:
        return EXIT_HLT;
    case REASON_INVD:
    case REASON_WBINVD:
        return EXIT_CACHE;
    case REASON_RDTSC:
        return EXIT_RDTSC;
    case REASON_RDTSCP:
        return EXIT_RDTSCP;
    case REASON_VMCALL:
        return EXIT_HYPERCALL;
    case REASON_DR:
        return EXIT_DR;
    case REASON_RDMSR:
        return EXIT_RDMSR;
    case REASON_WRMSR:
        return EXIT_WRMSR;
    case REASON_PAUSE:
        return EXIT_PAUSE;
    case REASON_XSETBV:
        return EXIT_XSETBV;
    default:
        return EXIT_REASONS;
    }
}

/* VMX's own instructions, GETSEC, RSM, MONITOR and MWAIT. */
static bool is_undefined(uint32_t reason)
{
    return (reason >= REASON_VMX_FIRST && reason <= REASON_VMX_LAST) || reason == REASON_GETSEC ||
           reason == REASON_RSM || reason == REASON_MWAIT || reason == REASON_MONITOR ||
           reason == REASON_INVEPT || reason == REASON_INVVPID;
}

static void decode_rest(const struct vmx_vcpu *x, uint32_t reason, struct guest_exit *out)
{
    if (is_undefined(reason)) {
        out->reason = EXIT_UNDEFINED;
        return;
    }
    hv_log_guest(x->g->v->domain, 1, "VT-x: exit %u with qualification %lx, guest physical %lx",
                 reason, vmread(VMCS_QUALIFICATION), vmread(VMCS_GUEST_PHYSICAL));
    out->reason = EXIT_FAILED;
}

void vmx_decode_exit(struct vmx_vcpu *x, const struct guest_regs *regs, struct guest_exit *out)
{
    uint32_t reason = (uint32_t)vmread(VMCS_EXIT_REASON) & REASON_BASIC;
    uint32_t vectoring = (uint32_t)vmread(VMCS_VECTORING);

    decode_modes(x, out);
    if (vectoring & EVENT_VALID)
        decode_vectoring(x, vectoring, out);
    switch (reason) {
    case REASON_EXCEPTION_NMI:
        decode_exception(x, out);
        return;
    case REASON_CR:
        decode_cr(x, regs, out);
        break;
    case REASON_IO:
        decode_io(out);
        break;
    case REASON_EPT_VIOLATION:
        decode_ept(x, out);
        return;
    case REASON_RDPMC:
        decode_rdpmc(out);
        return;
    case REASON_APIC_ACCESS:
        decode_apic_access(out);
        return;
    case REASON_EOI: /* behind the instruction, as the next: 29.1.4, 29.4.3.3 */
        out->reason = EXIT_EOI;
        out->u.apic.vector = (uint8_t)vmread(VMCS_QUALIFICATION);
        return;
    case REASON_APIC_WRITE:
        out->reason = EXIT_APIC;
        out->u.apic.offset = vmread(VMCS_QUALIFICATION) & APIC_QUAL_OFFSET;
        return;
    default:
        out->reason = plain_reason(reason);
        break;
    }
    if (out->reason == EXIT_REASONS)
        decode_rest(x, reason, out);
    else if (out->reason != EXIT_PREEMPTED && out->reason != EXIT_WINDOW)
        out->insn_len = (uint8_t)vmread(VMCS_EXIT_LENGTH);
    if (reason == REASON_NMI_WINDOW && (x->blocking & BLOCKING_STI)) {
        /* The NMI is to go in now; blocked by STI, the window would open again. */
        x->blocking &= ~BLOCKING_STI;
        vmwrite(VMCS_GUEST_BLOCKING, x->blocking);
        out->intr_shadow = false;
    }
}
