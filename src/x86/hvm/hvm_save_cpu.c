/* The CPU record: registers and hidden state of one vCPU. */
#include "base/atomic.h"
#include "base/string.h"
#include "port/time.h"
#include "core/time/tsc.h"
#include "x86/hvm/hvm.h"
#include "x86/hvm/hvm_save.h"
#include "x86/x86.h"

/* Attributes stand in 12 bits in a record: SDM table 24-2 without bits 8-11. */
#define AR_PRESENT 0x80u
#define PENDING_VALID (UINT32_C(1) << 31)
#define RIP_CANONICAL(a) ((uint64_t)((int64_t)((a) << 16) >> 16) == (a))

static uint32_t ar_of(const struct guest_seg *s)
{
    return s->unusable ? 0 : (s->attr & 0xffu) | (s->attr >> 4 & 0xf00u);
}

static struct guest_seg seg_of(uint32_t sel, uint32_t limit, uint64_t base, uint32_t ar)
{
    return (struct guest_seg){
        .sel = (uint16_t)sel,
        .attr = (uint16_t)((ar & 0xff) | (ar & 0xf00) << 4),
        .unusable = (ar & AR_PRESENT) == 0,
        .limit = limit,
        .base = base,
    };
}

void hvm_cpu_state(struct vcpu *v, struct guest_state *s)
{
    const struct vcpu_arch *a = v->arch;

    if (a->live) {
        port_guest_save(v, s);
    } else {
        hvm_vcpu_reset_state(s);
    }
    s->regs = a->regs;
    s->pat = a->pat;
    s->xcr0 = a->xcr0;
    s->tsc_aux = a->tsc_aux;
}

static void save_gprs(struct hvm_hw_cpu *r, const struct guest_regs *g)
{
    r->rax = g->gpr[GPR_RAX];
    r->rbx = g->gpr[GPR_RBX];
    r->rcx = g->gpr[GPR_RCX];
    r->rdx = g->gpr[GPR_RDX];
    r->rbp = g->gpr[GPR_RBP];
    r->rsi = g->gpr[GPR_RSI];
    r->rdi = g->gpr[GPR_RDI];
    r->rsp = g->gpr[GPR_RSP];
    r->r8 = g->gpr[GPR_R8];
    r->r9 = g->gpr[GPR_R9];
    r->r10 = g->gpr[GPR_R10];
    r->r11 = g->gpr[GPR_R11];
    r->r12 = g->gpr[GPR_R12];
    r->r13 = g->gpr[GPR_R13];
    r->r14 = g->gpr[GPR_R14];
    r->r15 = g->gpr[GPR_R15];
    r->rip = g->rip;
    r->rflags = g->rflags;
}

static void load_gprs(struct guest_regs *g, const struct hvm_hw_cpu *r)
{
    g->gpr[GPR_RAX] = r->rax;
    g->gpr[GPR_RBX] = r->rbx;
    g->gpr[GPR_RCX] = r->rcx;
    g->gpr[GPR_RDX] = r->rdx;
    g->gpr[GPR_RBP] = r->rbp;
    g->gpr[GPR_RSI] = r->rsi;
    g->gpr[GPR_RDI] = r->rdi;
    g->gpr[GPR_RSP] = r->rsp;
    g->gpr[GPR_R8] = r->r8;
    g->gpr[GPR_R9] = r->r9;
    g->gpr[GPR_R10] = r->r10;
    g->gpr[GPR_R11] = r->r11;
    g->gpr[GPR_R12] = r->r12;
    g->gpr[GPR_R13] = r->r13;
    g->gpr[GPR_R14] = r->r14;
    g->gpr[GPR_R15] = r->r15;
    g->rip = r->rip;
    g->rflags = r->rflags;
}

#define SAVE_SEG(r, name, s)                                                                       \
    do {                                                                                           \
        (r)->name##_sel = (s)->sel;                                                                \
        (r)->name##_limit = (s)->limit;                                                            \
        (r)->name##_base = (s)->base;                                                              \
        (r)->name##_arbytes = ar_of(s);                                                            \
    } while (0)

#define LOAD_SEG(r, name)                                                                          \
    seg_of((r)->name##_sel, (r)->name##_limit, (r)->name##_base, (r)->name##_arbytes)

static void save_segments(struct hvm_hw_cpu *r, const struct guest_state *s)
{
    SAVE_SEG(r, cs, &s->seg[SEG_CS]);
    SAVE_SEG(r, ds, &s->seg[SEG_DS]);
    SAVE_SEG(r, es, &s->seg[SEG_ES]);
    SAVE_SEG(r, fs, &s->seg[SEG_FS]);
    SAVE_SEG(r, gs, &s->seg[SEG_GS]);
    SAVE_SEG(r, ss, &s->seg[SEG_SS]);
    SAVE_SEG(r, tr, &s->seg[SEG_TR]);
    SAVE_SEG(r, ldtr, &s->seg[SEG_LDTR]);
    r->gdtr_base = s->gdtr.base;
    r->gdtr_limit = s->gdtr.limit;
    r->idtr_base = s->idtr.base;
    r->idtr_limit = s->idtr.limit;
}

static void load_segments(struct guest_state *s, const struct hvm_hw_cpu *r)
{
    s->seg[SEG_CS] = LOAD_SEG(r, cs);
    s->seg[SEG_DS] = LOAD_SEG(r, ds);
    s->seg[SEG_ES] = LOAD_SEG(r, es);
    s->seg[SEG_FS] = LOAD_SEG(r, fs);
    s->seg[SEG_GS] = LOAD_SEG(r, gs);
    s->seg[SEG_SS] = LOAD_SEG(r, ss);
    s->seg[SEG_TR] = LOAD_SEG(r, tr);
    s->seg[SEG_LDTR] = LOAD_SEG(r, ldtr);
    s->gdtr = (struct guest_dtr){r->gdtr_base, r->gdtr_limit};
    s->idtr = (struct guest_dtr){r->idtr_base, r->idtr_limit};
}

static void save_pending(struct hvm_hw_cpu *r, const struct vcpu_arch *a)
{
    const struct guest_event *e = a->pending.type != EVENT_NONE ? &a->pending : &a->deferred;

    if (e->type != EVENT_NONE) {
        r->pending_event = PENDING_VALID | e->vector | (uint32_t)e->type << 8 |
                           (e->has_error ? UINT32_C(1) << 11 : 0);
        r->error_code = e->error;
    }
}

void hvm_cpu_save(struct vcpu *v, struct hvm_hw_cpu *r)
{
    const struct vcpu_arch *a = v->arch;
    struct guest_state s;

    hvm_cpu_state(v, &s);
    memset(r, 0, sizeof(*r));
    save_gprs(r, &s.regs);
    save_segments(r, &s);
    r->cr0 = s.cr0;
    r->cr2 = s.cr2;
    r->cr3 = s.cr3;
    r->cr4 = s.cr4;
    r->dr0 = a->dr[0];
    r->dr1 = a->dr[1];
    r->dr2 = a->dr[2];
    r->dr3 = a->dr[3];
    r->dr6 = s.dr6;
    r->dr7 = s.dr7;
    r->sysenter_cs = s.sysenter_cs;
    r->sysenter_esp = s.sysenter_esp;
    r->sysenter_eip = s.sysenter_eip;
    r->shadow_gs = s.kernel_gs_base;
    r->msr_lstar = s.lstar;
    r->msr_star = s.star;
    r->msr_cstar = s.cstar;
    r->msr_syscall_mask = s.sfmask;
    r->msr_efer = s.efer;
    r->msr_tsc_aux = s.tsc_aux;
    r->tsc = domain_tsc_read(v->domain);
    hvm_fpu_save(v, r->fpu_regs);
    r->flags = XEN_X86_FPU_INITIALISED;
    save_pending(r, a);
}

static bool pending_valid(const struct hvm_hw_cpu *r)
{
    switch (r->pending_type) {
    case EVENT_EXT_INT:
        return r->pending_vector >= 16;
    case EVENT_HW_EXCEPTION:
        return r->pending_vector < 32;
    case EVENT_NMI:
    case EVENT_SW_INT:
    case EVENT_PRIV_SW_EXCEPTION:
    case EVENT_SW_EXCEPTION:
        return true;
    default:
        return false;
    }
}

/* The guest's TSC is the machine's, whatever the record says of it. */
int hvm_cpu_load(struct vcpu *v, const struct hvm_hw_cpu *r)
{
    struct vcpu_arch *a = v->arch;
    struct guest_state s;

    if (r->pad0 != 0 || (r->flags & ~(uint32_t)XEN_X86_FPU_INITIALISED) != 0 ||
        !RIP_CANONICAL(r->rip) || r->msr_tsc_aux >> 32 != 0 ||
        (r->pending_valid && !pending_valid(r))) {
        return -XEN_EINVAL;
    }
    hvm_cpu_state(v, &s);
    load_gprs(&s.regs, r);
    load_segments(&s, r);
    s.cr0 = r->cr0;
    s.cr2 = r->cr2;
    s.cr3 = r->cr3;
    s.cr4 = r->cr4;
    s.dr6 = (r->dr6 & UINT64_C(0xe00f)) | UINT64_C(0xffff0ff0);
    s.dr7 = (r->dr7 & UINT64_C(0xffff2bff)) | 0x400;
    s.sysenter_cs = r->sysenter_cs;
    s.sysenter_esp = r->sysenter_esp;
    s.sysenter_eip = r->sysenter_eip;
    s.kernel_gs_base = r->shadow_gs;
    s.lstar = r->msr_lstar;
    s.star = r->msr_star;
    s.cstar = r->msr_cstar;
    s.sfmask = (uint32_t)r->msr_syscall_mask;
    s.efer = r->msr_efer;
    s.tsc_aux = r->msr_tsc_aux;
    if (hvm_state_check(v->domain, &s) != 0) {
        return -XEN_EINVAL;
    }
    hvm_vcpu_load_state(v, &s);
    if ((r->flags & XEN_X86_FPU_INITIALISED) != 0) {
        hvm_fpu_load(v, r->fpu_regs);
    } else {
        hvm_fpu_reset(v);
    }
    a->dr[0] = r->dr0;
    a->dr[1] = r->dr1;
    a->dr[2] = r->dr2;
    a->dr[3] = r->dr3;
    if (r->pending_valid) {
        a->pending = (struct guest_event){.type = r->pending_type,
                                          .vector = r->pending_vector,
                                          .has_error = r->pending_error_valid,
                                          .error = r->error_code};
    }
    store_u32(&a->started, 1);
    store_u32(&a->ipi, 0);
    a->wait_sipi = false;
    store_u8((uint8_t *)&v->initialised, true);
    vcpu_wake_flags(v, VPF_DOWN | VPF_BLOCKED);
    return 0;
}
