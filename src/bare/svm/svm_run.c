/* Into the guest: what is injected, which windows are watched, and the way back. */
#include "bare/svm/svm.h"

#include "base/string.h"
#include "core/domain/domain.h"
#include "core/vcpu/vcpu.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

static void set_intercept1(struct vmcb *b, uint32_t bit, bool on)
{
    uint32_t want = on ? b->intercept1 | bit : b->intercept1 & ~bit;

    if (b->intercept1 != want) {
        b->intercept1 = want;
        b->clean &= ~CLEAN_INTERCEPTS;
    }
}

static void set_exceptions(struct vmcb *b, uint32_t want)
{
    if (b->intercept_exceptions != want) {
        b->intercept_exceptions = want;
        b->clean &= ~CLEAN_INTERCEPTS;
    }
}

/* 15.20. INT n, INT3 and INTO are not injected: x86 lets them run again. */
static void inject(struct vmcb *b, const struct guest_event *e)
{
    uint64_t v = e->vector | EVENT_VALID;

    b->event_inj = 0;
    switch (e->type) {
    case EVENT_NONE:
        return;
    case EVENT_EXT_INT:
        v |= EVENT_TYPE_INTR << EVENT_TYPE_SHIFT;
        break;
    case EVENT_NMI:
        v |= EVENT_TYPE_NMI << EVENT_TYPE_SHIFT;
        break;
    case EVENT_SW_INT:
        v |= EVENT_TYPE_SOFT << EVENT_TYPE_SHIFT;
        break;
    default:
        v |= EVENT_TYPE_EXCEPTION << EVENT_TYPE_SHIFT;
        break;
    }
    if (e->has_error)
        v |= EVENT_ERROR_VALID | (uint64_t)e->error << 32;
    if (e->type == EVENT_HW_EXCEPTION && e->vector == VECTOR_PF) {
        b->cr2 = e->cr2;
        b->clean &= ~CLEAN_CR2;
    }
    b->event_inj = v;
}

/* V_TPR is what the guest reads as CR8, whose writes are intercepted. A dummy
 * virtual interrupt of the highest priority, intercepted, opens the window (15.21.4). */
static void set_v_intr(struct vcpu *v, struct vmcb *b, bool window)
{
    uint64_t want = V_INTR_MASKING | vlapic_tpr(v);

    if (window)
        want |= V_IRQ | V_INTR_PRIO | V_IGN_TPR;
    if (b->v_intr != want) {
        b->v_intr = want;
        b->clean &= ~CLEAN_V_INTR;
    }
    set_intercept1(b, INTERCEPT_VINTR, window);
}

/* The end of an NMI's handler is its IRET, intercepted when it is reached; a single
 * step then shows when it is done. While that lasts all exceptions are intercepted:
 * none may push the borrowed RFLAGS.TF. */
static void watch_iret(struct svm_vcpu *s, const struct guest_regs *regs,
                       const struct guest_entry *in)
{
    struct vmcb *b = s->vmcb;

    if (in->inject.type == EVENT_NMI)
        s->nmi_masked = true;
    if (in->inject.type != EVENT_NONE || regs->rip != s->step_rip)
        s->stepping = false;
    set_intercept1(b, INTERCEPT_IRET, s->nmi_masked && !s->stepping);
    set_exceptions(b, s->stepping ? UINT32_MAX : SVM_EXCEPTIONS);
    if (s->stepping)
        b->rflags |= RFLAGS_TF;
}

static void set_rdtsc(struct port_guest *g)
{
    struct vmcb *b = g->svm->vmcb;
    bool on = g->v->domain->tsc.emulated;
    uint32_t want =
        on ? b->intercept2 | INTERCEPT_RDTSCP : b->intercept2 & ~(uint32_t)INTERCEPT_RDTSCP;

    set_intercept1(b, INTERCEPT_RDTSC, on);
    if (b->intercept2 != want) {
        b->intercept2 = want;
        b->clean &= ~CLEAN_INTERCEPTS;
    }
}

static void prepare(struct port_guest *g, const struct guest_regs *regs,
                    const struct guest_entry *in)
{
    struct vcpu *v = g->v;
    struct svm_vcpu *s = g->svm;
    struct vmcb *b = s->vmcb;
    uint64_t root = v->domain->p2m.root.v << PAGE_SHIFT;

    b->rip = regs->rip;
    b->rflags = regs->rflags;
    b->rsp = regs->gpr[GPR_RSP];
    b->rax = regs->gpr[GPR_RAX];
    b->shadow = v->arch->exit.intr_shadow ? VMCB_SHADOW : 0;
    if (b->n_cr3 != root) {
        b->n_cr3 = root;
        b->clean &= ~CLEAN_NP;
    }
    inject(b, &in->inject);
    set_v_intr(v, b, in->intr_window);
    set_rdtsc(g);
    watch_iret(s, regs, in);
}

/* An NMI waits. If x86 takes NMIs to be masked and they no longer are, the window is
 * open already: true. If something else goes first, the guest is to come back as soon
 * as that is done. */
static bool nmi_window_open(struct port_guest *g, const struct guest_entry *in)
{
    const struct vcpu_arch *a = g->v->arch;

    if (!in->nmi_window || g->svm->nmi_masked)
        return false;
    if (a->nmi_blocked && in->inject.type == EVENT_NONE)
        return true;
    if (in->inject.type != EVENT_NONE || a->exit.intr_shadow)
        lapic_send(this_area()->apic_id, VECTOR_KICK);
    return false;
}

static void set_modes(const struct svm_vcpu *s, struct guest_exit *out)
{
    const struct vmcb *b = s->vmcb;

    memset(out, 0, sizeof(*out));
    out->cpl = b->cpl;
    out->cs_l = (b->cs.attr & VMCB_ATTR_L) != 0;
    out->cs_d = (b->cs.attr & VMCB_ATTR_D) != 0;
    out->intr_shadow = (b->shadow & VMCB_SHADOW) != 0;
    out->cr0 = b->cr0;
    out->cr3 = b->cr3;
    out->cr4 = b->cr4;
    out->efer = s->efer;
    out->vectoring.type = EVENT_NONE;
}

extern const uint8_t svm_vmrun[], svm_left[];

/* While GIF is clear only exceptions come here; but QEMU now and then takes an interrupt all
 * the same. */
bool svm_trapped(const struct trap_frame *f)
{
    if (f->rip != (uint64_t)(uintptr_t)svm_vmrun && f->rip != (uint64_t)(uintptr_t)svm_left)
        return false;
    __asm__ volatile("vmsave %%rax" : : "a"(f->rax) : "memory");
    __asm__ volatile("vmload %%rax" : : "a"(*(const uint64_t *)f->rsp) : "memory");
    return true;
}

void svm_trap_back(const struct trap_frame *f)
{
    __asm__ volatile("vmload %%rax" : : "a"(f->rax) : "memory");
}

void svm_run(struct port_guest *g, struct guest_regs *regs, const struct guest_entry *in,
             struct guest_exit *out)
{
    struct svm_vcpu *s = g->svm;
    struct vmcb *b = s->vmcb;
    bool elsewhere = g->cpu != port_cpu_id();

    prepare(g, regs, in);
    if (nmi_window_open(g, in)) {
        set_modes(s, out);
        out->reason = EXIT_WINDOW;
        return;
    }
    if (elsewhere)
        b->clean = 0; /* what this CPU may have cached of the VMCB is older */
    svm_set_asid(s, guest_enter(g, b->dr7));
    svm_enter(s->vmcb_pa, regs->gpr, svm_host_pa());
    guest_left(g);
    b->clean = svm_features & SVM_CLEAN_BITS ? CLEAN_ALL : 0;
    regs->rip = b->rip;
    regs->rflags = b->rflags;
    regs->gpr[GPR_RSP] = b->rsp;
    regs->gpr[GPR_RAX] = b->rax;
    set_modes(s, out);
    svm_decode_exit(g, in, out);
}
