/* What each exit means. The engine's record in, changes of registers and queued
 * events out. */
#include "base/atomic.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "port/trace.h"
#include "core/time/tsc.h"
#include "x86/hvm/hvm.h"
#include "x86/hvm/hvm_exit.h"
#include "x86/x86.h"

static bool in_long_code(const struct vcpu *v)
{
    return (v->arch->exit.efer & EFER_LMA) != 0 && v->arch->exit.cs_l;
}

unsigned hvm_fetch(struct vcpu *v, struct insn *out)
{
    const struct guest_exit *x = &v->arch->exit;
    uint8_t bytes[15];
    unsigned n = sizeof(bytes);
    uint64_t la = v->arch->regs.rip;
    struct guest_state s;

    if (!in_long_code(v)) {
        port_guest_save(v, &s);
        la = (uint32_t)(la + s.seg[SEG_CS].base);
    }
    if (guest_copy_in(v, bytes, la, n) != 0) {
        n = (unsigned)(PAGE_SIZE - (la & (PAGE_SIZE - 1)));
        if (n >= sizeof(bytes) || guest_copy_in(v, bytes, la, n) != 0) {
            return 0;
        }
    }
    if (insn_decode(bytes, n, in_long_code(v) ? 8 : x->cs_d ? 4 : 2, out) != 0) {
        return 0;
    }
    return out->len;
}

void hvm_skip(struct vcpu *v, unsigned len)
{
    struct vcpu_arch *a = v->arch;
    struct insn insn;

    if (len == 0) {
        len = hvm_fetch(v, &insn);
        if (len == 0) {
            domain_crash(v->domain, "an instruction without end was intercepted");
            return;
        }
    }
    a->regs.rip += len;
    if (!in_long_code(v)) {
        a->regs.rip = (uint32_t)a->regs.rip;
    }
    a->regs.rflags &= ~RFLAGS_RF;
    a->exit.intr_shadow = false;
    /* An engine that asks from inside an instruction steps by itself. */
    if ((a->regs.rflags & RFLAGS_TF) != 0 && !a->in_engine && a->pending.type == EVENT_NONE) {
        hvm_inject_exception(v, VECTOR_DB, false, 0);
        a->stepped = true;
    }
}

static void inject_gp(struct vcpu *v)
{
    hvm_inject_exception(v, VECTOR_GP, true, 0);
}

static void set_pair(struct vcpu *v, uint64_t value)
{
    v->arch->regs.gpr[GPR_RAX] = (uint32_t)value;
    v->arch->regs.gpr[GPR_RDX] = value >> 32;
}

static uint64_t pair(const struct vcpu *v)
{
    return (uint32_t)v->arch->regs.gpr[GPR_RAX] | v->arch->regs.gpr[GPR_RDX] << 32;
}

/* HLT with interrupts off ends in nothing but an NMI: taken as "off". */
static void exit_hlt(struct vcpu *v)
{
    struct vcpu_arch *a = v->arch;

    hvm_skip(v, a->exit.insn_len);
    if (a->pending.type != EVENT_NONE || load_u8(&a->nmi_pending) != 0) {
        return;
    }
    if ((a->regs.rflags & RFLAGS_IF) == 0) {
        hvm_vcpu_down(v);
    } else {
        vcpu_block(v);
    }
}

static void exit_cpuid(struct vcpu *v)
{
    uint64_t *gpr = v->arch->regs.gpr;
    struct cpuid_leaf r = cpuid_query(v, (uint32_t)gpr[GPR_RAX], (uint32_t)gpr[GPR_RCX]);

    gpr[GPR_RAX] = r.eax;
    gpr[GPR_RBX] = r.ebx;
    gpr[GPR_RCX] = r.ecx;
    gpr[GPR_RDX] = r.edx;
    hvm_skip(v, v->arch->exit.insn_len);
}

static void exit_msr(struct vcpu *v, bool write)
{
    uint32_t msr = (uint32_t)v->arch->regs.gpr[GPR_RCX];
    uint64_t value = pair(v);

    if ((write ? msr_write(v, msr, value) : msr_read(v, msr, &value)) != 0) {
        inject_gp(v);
        return;
    }
    if (!write) {
        set_pair(v, value);
    }
    hvm_skip(v, v->arch->exit.insn_len);
}

/* One instruction in software. What cannot be emulated gets #GP. */
static void emulate(struct vcpu *v, gaddr_t gpa, bool exact)
{
    if (emulate_instruction(v, gpa, exact) < 0) {
        inject_gp(v);
    }
}

static void exit_io(struct vcpu *v)
{
    const struct guest_exit *x = &v->arch->exit;
    uint64_t *rax = &v->arch->regs.gpr[GPR_RAX];
    uint32_t mask = x->u.io.size >= 4 ? UINT32_MAX : (UINT32_C(1) << (8 * x->u.io.size)) - 1;
    uint32_t value = x->u.io.in ? mask : (uint32_t)*rax & mask;

    if (x->u.io.string || x->u.io.rep) {
        emulate(v, gaddr(0), false);
        return;
    }
    vdev_io(v, x->u.io.port, x->u.io.size, x->u.io.in, &value);
    if (x->u.io.in) {
        *rax = x->u.io.size >= 4 ? value : (*rax & ~(uint64_t)mask) | (value & mask);
    }
    hvm_skip(v, x->insn_len);
}

/* Second stage: RAM mapped meanwhile is tried again; a page that may not be
 * accessed so, and emptiness, go through the emulator, where writes to what is
 * not writable vanish and reads of nothing give all ones. */
static void exit_fault2(struct vcpu *v)
{
    const struct guest_exit *x = &v->arch->exit;
    struct p2m_entry e = p2m_lookup(v->domain, gaddr_gfn(x->u.fault2.gpa));

    if (vlapic_access_at(v->domain, &e) && !x->u.fault2.fetch)
        e.type = P2M_MMIO_DM;
    switch (e.type) {
    case P2M_RAM_RW:
    case P2M_POD:
        return;
    case P2M_SHARED:
    case P2M_GRANT_RW:
    case P2M_FOREIGN:
    case P2M_GRANT_RO:
        if (x->u.fault2.fetch) {
            domain_crash(v->domain, "code fetched from a page that is not the domain's");
            return;
        }
        if (e.type != P2M_GRANT_RO || !x->u.fault2.write) {
            return;
        }
        break;
    case P2M_RAM_RO:
        if (!x->u.fault2.write) {
            return;
        }
        break;
    default:
        break;
    }
    if (x->vectoring.type != EVENT_NONE) {
        domain_crash(v->domain, "event delivery needs memory that is not there");
        return;
    }
    if (e.type == P2M_GRANT_RO) {
        inject_gp(v); /* as in Xen: not dropped, as for the domain's own read-only memory */
        return;
    }
    emulate(v, x->u.fault2.gpa, x->u.fault2.exact);
}

/* Only 64-bit kernels are served: real and virtual-8086 mode, user mode and
 * 32-bit code are turned away. */
static int64_t hypercall_allowed(const struct vcpu *v)
{
    const struct guest_exit *x = &v->arch->exit;

    if (x->cpl != 0 || (x->cr0 & CR0_PE) == 0 || (v->arch->regs.rflags & RFLAGS_VM) != 0) {
        return -XEN_EPERM;
    }
    return in_long_code(v) ? 0 : -XEN_ENOSYS;
}

static void exit_hypercall(struct vcpu *v)
{
    static const uint8_t order[6] = {GPR_RDI, GPR_RSI, GPR_RDX, GPR_R10, GPR_R8, GPR_R9};
    uint64_t *gpr = v->arch->regs.gpr, args[6], nr = gpr[GPR_RAX];
    int64_t rc = hypercall_allowed(v);
    unsigned i;

    if (rc == 0) {
        for (i = 0; i < 6; i++) {
            args[i] = gpr[order[i]];
        }
        rc = hypercall(v, nr, args);
        if (rc == HYPERCALL_RESTART) {
            for (i = 0; i < 6; i++) {
                gpr[order[i]] = args[i];
            }
            return;
        }
        if (nr < ARRAY_SIZE(v->domain->arch->hypercalls)) {
            fetch_add_u64(&v->domain->arch->hypercalls[nr], 1);
        }
    }
    gpr[GPR_RAX] = (uint64_t)rc;
    hvm_skip(v, v->arch->exit.insn_len);
}

static void exit_exception(struct vcpu *v)
{
    const struct guest_event *e = &v->arch->exit.u.event;

    if (e->type == EVENT_HW_EXCEPTION && e->vector == VECTOR_PF) {
        hvm_inject_pf(v, e->error, e->cr2);
    } else if (e->type == EVENT_HW_EXCEPTION) {
        hvm_inject_exception(v, e->vector, e->has_error, e->error);
    } else {
        v->arch->pending = *e;
    }
}

static void exit_rdtsc(struct vcpu *v, bool with_aux)
{
    set_pair(v, domain_tsc_read(v->domain));
    if (with_aux) {
        v->arch->regs.gpr[GPR_RCX] = v->arch->tsc_aux;
    }
    hvm_skip(v, v->arch->exit.insn_len);
}

static void dispatch(struct vcpu *v)
{
    const struct guest_exit *x = &v->arch->exit;

    switch (x->reason) {
    case EXIT_PREEMPTED:
        return;
    case EXIT_HLT:
        exit_hlt(v);
        return;
    case EXIT_CPUID:
        exit_cpuid(v);
        return;
    case EXIT_RDMSR:
    case EXIT_WRMSR:
        exit_msr(v, x->reason == EXIT_WRMSR);
        return;
    case EXIT_IO:
        exit_io(v);
        return;
    case EXIT_HYPERCALL:
        exit_hypercall(v);
        return;
    case EXIT_FAULT2:
        exit_fault2(v);
        return;
    case EXIT_EXCEPTION:
        exit_exception(v);
        return;
    case EXIT_CR_WRITE:
        hvm_exit_cr(v);
        return;
    case EXIT_TRIPLE:
        hvm_triple_fault(v);
        return;
    case EXIT_WINDOW:
        hvm_window_open(v);
        return;
    case EXIT_PAUSE:
        hvm_skip(v, x->insn_len);
        sched_yield_current();
        return;
    case EXIT_RDTSC:
    case EXIT_RDTSCP:
        exit_rdtsc(v, x->reason == EXIT_RDTSCP);
        return;
    case EXIT_XSETBV:
        hvm_exit_xsetbv(v);
        return;
    case EXIT_CACHE: /* no device bypasses the caches */
        hvm_skip(v, x->insn_len);
        return;
    case EXIT_DR:
        hvm_exit_dr(v);
        return;
    case EXIT_UNDEFINED:
        hvm_inject_exception(v, VECTOR_UD, false, 0);
        return;
    case EXIT_EOI:
        vlapic_ended(v, x->u.apic.vector);
        return;
    case EXIT_APIC:
        vlapic_written(v, x->u.apic.offset);
        return;
    case EXIT_FAILED:
        domain_crash(v->domain, "the CPU refused the vCPU's state");
        return;
    default:
        domain_crash(v->domain, "unknown exit");
        return;
    }
}

void hvm_handle_exit(struct vcpu *v)
{
    const struct guest_exit *x = &v->arch->exit;
    uint8_t reason = x->reason;

    port_trace(TRACE_EXIT, reason, v->arch->regs.rip, v->domain->id);
    if (reason < EXIT_REASONS) {
        v->arch->exits[reason]++;
    }
    if (x->vectoring.type != EVENT_NONE) {
        hvm_requeue(v, &x->vectoring);
    }
    dispatch(v);
    port_trace(TRACE_EXIT_DONE, reason, 0, v->domain->id);
}
