/* One entry and one exit: what goes in by the VMCS and beside it, and what the exit
 * itself asks of the host (SDM Vol. 3 26, 27). */
#include "bare/vmx/vmx.h"

#include "base/arith.h"
#include "core/p2m/p2m_log.h"
#include "core/time/tsc.h"
#include "port/time.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define INV_ONE_CONTEXT 1u
#define VECTOR_MC 18u

struct inv_descriptor {
    uint64_t first, second;
};

/* Dirty bits only while writes are logged: they make each walk of the guest's own tables a
 * write to these (28.2.4), also where they lie in memory that it may only read. */
void vmx_write_eptp(struct vmx_vcpu *x)
{
    const struct domain *d = x->g->v->domain;

    vmwrite(VMCS_EPTP, d->p2m.root.v << PAGE_SHIFT | EPTP_WB | EPTP_WALK_4 |
                           (p2m_log_on(d) ? EPTP_ACCESSED_DIRTY : 0));
}

/* Translations tagged with the domain's second stage: 28.3.3.1, type 1. */
static void invept(void)
{
    struct inv_descriptor d = {vmread(VMCS_EPTP), 0};

    __asm__ volatile("invept %0, %1\n\tjbe vmx_bad_field"
                     :
                     : "m"(d), "r"((uint64_t)INV_ONE_CONTEXT)
                     : "cc", "memory");
}

/* Those tagged with the vCPU. Without a VPID every entry drops them. */
static void invvpid(struct vmx_vcpu *x)
{
    struct inv_descriptor d = {x->vpid, 0};

    if (!x->vpid)
        return;
    __asm__ volatile("invvpid %0, %1\n\tjbe vmx_bad_field"
                     :
                     : "m"(d), "r"((uint64_t)INV_ONE_CONTEXT)
                     : "cc", "memory");
}

static void write_regs(struct vmx_vcpu *x, const struct guest_regs *regs)
{
    if (regs->rip != x->rip) {
        vmwrite(VMCS_GUEST_RIP, regs->rip);
        x->blocking &= ~(BLOCKING_STI | BLOCKING_MOV_SS); /* an instruction was done */
    }
    if (regs->gpr[GPR_RSP] != x->rsp)
        vmwrite(VMCS_GUEST_RSP, regs->gpr[GPR_RSP]);
    if (regs->rflags != x->rflags)
        vmwrite(VMCS_GUEST_RFLAGS, regs->rflags);
    x->rip = regs->rip;
    x->rsp = regs->gpr[GPR_RSP];
    x->rflags = regs->rflags;
}

/* 24.8.3. In real mode nothing has an error code: 26.2.1.3. */
static void inject(struct vmx_vcpu *x, const struct guest_event *e)
{
    uint32_t info = EVENT_VALID | (uint32_t)e->type << 8 | e->vector;

    if (e->has_error && (x->cr0_shadow & CR0_PE)) {
        info |= EVENT_HAS_ERROR;
        vmwrite(VMCS_ENTRY_ERROR, e->error);
    }
    if (e->type == EVENT_HW_EXCEPTION && e->vector == VECTOR_PF)
        x->cr2 = e->cr2;
    if (e->type >= EVENT_SW_INT)
        vmwrite(VMCS_ENTRY_LENGTH, x->soft_len ? x->soft_len : 1);
    if (e->type == EVENT_NMI)
        x->blocking &= ~(BLOCKING_STI | BLOCKING_MOV_SS | BLOCKING_NMI);
    if (e->type == EVENT_EXT_INT)
        x->blocking &= ~(BLOCKING_STI | BLOCKING_MOV_SS);
    vmwrite(VMCS_ENTRY_EVENT, info);
}

/* Blocking as it is to be, and what must go with it: with RFLAGS.TF a step is
 * pending (26.3.1.5). */
static void write_blocking(struct vmx_vcpu *x, uint32_t in_vmcs)
{
    uint64_t pending;

    if (x->blocking != in_vmcs)
        vmwrite(VMCS_GUEST_BLOCKING, x->blocking);
    if ((x->blocking & (BLOCKING_STI | BLOCKING_MOV_SS)) == 0)
        return;
    pending = vmread(VMCS_GUEST_PENDING_DEBUG) & ~PENDING_DEBUG_BS;
    if (x->rflags & RFLAGS_TF)
        pending |= PENDING_DEBUG_BS;
    vmwrite(VMCS_GUEST_PENDING_DEBUG, pending);
}

static void write_windows(struct vmx_vcpu *x, const struct guest_entry *in)
{
    uint32_t proc = vmx_controls.proc;

    if (in->intr_window)
        proc |= PROC_INT_WINDOW;
    if (in->nmi_window)
        proc |= PROC_NMI_WINDOW;
    if (x->g->v->domain->tsc.emulated)
        proc |= PROC_RDTSC;
    if (proc != x->proc) {
        vmwrite(VMCS_PROC, proc);
        x->proc = proc;
    }
}

bool vmx_timer_arm(uint64_t deadline_ns)
{
    if (!(vmx_controls.pin & PIN_TIMER))
        return false;
    vmx_this_cpu()->deadline = deadline_ns == TIME_NEVER ? UINT64_MAX : clock_tsc_at(deadline_ns);
    vmx_this_cpu()->deadline_ns = deadline_ns;
    return true;
}

/* Each time: the local APIC may have fired for the same before it was quite due. */
void vmx_timer_idle(void)
{
    if (vmx_controls.pin & PIN_TIMER)
        lapic_timer_arm(vmx_this_cpu()->deadline_ns);
}

/* 25.5.1. It counts in the guest only, so each entry says how much is left; at 0 the exit
 * comes before the first instruction. */
static void write_timer(void)
{
    uint64_t deadline, now;

    if (!(vmx_controls.pin & PIN_TIMER))
        return;
    deadline = vmx_this_cpu()->deadline;
    now = rdtsc();
    vmwrite(VMCS_TIMER,
            deadline > now ? min_u64((deadline - now) >> vmx_controls.timer_shift, UINT32_MAX) : 0);
}

static void prepare(struct vmx_vcpu *x, const struct guest_regs *regs, const struct guest_entry *in)
{
    uint32_t blocking = x->blocking;

    write_regs(x, regs);
    if (in->inject.type != EVENT_NONE)
        inject(x, &in->inject);
    write_blocking(x, blocking);
    write_windows(x, in);
    vmx_apic_enter(x);
    if (vmx_this_cpu()->msrs != x)
        vmx_give_msrs(x);
    if (read_cr2() != x->cr2)
        __asm__ volatile("mov %0, %%cr2" : : "r"(x->cr2));
}

/* IA32_FLUSH_CMD (Vol. 4 table 2-2), and VERW where it overwrites buffers (MD_CLEAR). */
static void clear_leaks(void)
{
    static const uint16_t selector = DATA_SELECTOR;

    if (vmx_controls.flush_l1d)
        wrmsr(MSR_FLUSH_CMD, FLUSH_CMD_L1D);
    if (vmx_controls.clear_buffers)
        __asm__ volatile("verw %0" : : "m"(selector) : "cc");
}

/* Between guest_enter() and guest_left(). False: VMfail. */
static bool enter(struct vmx_vcpu *x, struct guest_regs *regs)
{
    bool entered;

    if (guest_enter(x->g, x->dr7)) {
        vmx_write_eptp(x);
        invept();
        x->stale = true;
    }
    if (x->stale) {
        invvpid(x);
        x->stale = false;
    }
    write_timer();
    clear_leaks();
    entered = vmx_enter(regs, x->launched, &x->host_rsp);
    guest_left(x->g);
    return entered;
}

/* What stopped the guest may be the host's own business. An NMI that exits blocks
 * others until IRET (27.5.5), so its handler is called as for one that came here. */
static void serve_host(uint32_t reason)
{
    uint32_t info;

    if (reason == REASON_EXT_INT) {
        guest_take_interrupts();
    } else if (reason == REASON_EXCEPTION_NMI) {
        info = (uint32_t)vmread(VMCS_EXIT_EVENT);
        if (EVENT_TYPE(info) == EVENT_NMI)
            __asm__ volatile("int $2" : : : "memory");
        else if ((info & 0xff) == VECTOR_MC)
            __asm__ volatile("int $18" : : : "memory");
    } else if (reason == REASON_ENTRY_MACHINE_CHECK) {
        __asm__ volatile("int $18" : : : "memory");
    }
}

static void read_regs(struct vmx_vcpu *x, struct guest_regs *regs)
{
    regs->rip = x->rip = vmread(VMCS_GUEST_RIP);
    regs->gpr[GPR_RSP] = x->rsp = vmread(VMCS_GUEST_RSP);
    regs->rflags = x->rflags = vmread(VMCS_GUEST_RFLAGS);
}

void vmx_run(struct port_guest *g, struct guest_regs *regs, const struct guest_entry *in,
             struct guest_exit *out)
{
    struct vmx_vcpu *x = g->vmx;
    uint32_t reason;

    out->reason = EXIT_FAILED; /* the rest of *out stays until there is an exit */
    out->insn_len = 0;
    out->vectoring.type = EVENT_NONE;
    vmx_grab(x);
    prepare(x, regs, in);
    if (!enter(x, regs)) {
        x->refused = vmx_diagnose_vmfail(x);
        return;
    }
    x->cr2 = read_cr2();
    reason = (uint32_t)vmread(VMCS_EXIT_REASON);
    if (reason & REASON_ENTRY_FAILED) {
        serve_host(reason & REASON_BASIC);
        x->refused = vmx_diagnose_entry(x, reason & REASON_BASIC, vmread(VMCS_QUALIFICATION));
        return;
    }
    x->launched = true;
    read_regs(x, regs);
    vmx_decode_exit(x, regs, out);
    serve_host(reason & REASON_BASIC);
}
