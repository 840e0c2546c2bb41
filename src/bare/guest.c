/* port/guest.h on real CPUs: chooses between VT-x and AMD-V, and does what both leave
 * to software: FPU, XCR0, TSC_AUX and debug registers, and making all CPUs forget old
 * second-stage translations. */
#include "bare/guest.h"

#include "base/atomic.h"
#include "base/string.h"
#include "bare/bare.h"
#include "core/console/console.h"
#include "core/mem/page_alloc.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define MSR_PRED_CMD 0x49u
#define PRED_CMD_IBPB 1u
#define DR7_ARMED 0xffu /* L0-L3, G0-G3 */

enum engine { ENGINE_NONE, ENGINE_SVM, ENGINE_VMX };

/* What a CPU does with guests. Others read running and turns. */
struct guest_cpu {
    uint64_t running;       /* address of the domain whose code it runs, or 0 */
    uint32_t turns;         /* counts entries and exits */
    struct port_guest *fpu; /* whose FPU state is in the registers */
    uint64_t last;          /* serial of the vCPU that ran last */
    uint64_t xcr0, tsc_aux; /* as they are in the CPU */
} __attribute__((aligned(64)));

static struct guest_cpu cpus[MAX_CPUS];
static uint64_t serials;   /* atomic: vCPUs created so far */
static enum engine engine; /* constant after guest_start() */
struct guest_host guest_host;

static struct guest_cpu *this_guest_cpu(void)
{
    return &cpus[port_cpu_id()];
}

static void find_features(void)
{
    uint32_t max = cpuid(0x80000000, 0).eax;

    guest_host.xsave = cpuid(1, 0).ecx >> 26 & 1;
    guest_host.rdtscp = cpuid(0x80000001, 0).edx >> 27 & 1;
    guest_host.auto_ibrs = max >= 0x80000021 && (cpuid(0x80000021, 0).eax >> 8 & 1);
    guest_host.ibpb = (max >= 0x80000008 && (cpuid(0x80000008, 0).ebx >> 12 & 1)) ||
                      (cpuid(0, 0).eax >= 7 && (cpuid(7, 0).edx >> 26 & 1));
}

static const char *choose_engine(void)
{
    const char *why;

    if (cpuid(0x80000001, 0).ecx >> 2 & 1) {
        why = svm_supported();
        if (!why)
            engine = ENGINE_SVM;
        return why;
    }
    if (cpuid(1, 0).ecx >> 5 & 1) {
        why = vmx_supported();
        if (!why)
            engine = ENGINE_VMX;
        return why;
    }
    return "the CPU has neither VT-x nor AMD-V";
}

bool guest_start(void)
{
    const char *why;

    find_features();
    why = choose_engine();
    if (why) {
        hv_log(0, "no guest can run on this machine: %s", why);
        return false;
    }
    x86_set_p2m_format(engine == ENGINE_SVM ? P2M_FORMAT_NPT : P2M_FORMAT_EPT);
    x86_set_vendor(engine == ENGINE_SVM ? VENDOR_AMD : VENDOR_INTEL);
    if (!guest_cpu_start()) {
        engine = ENGINE_NONE;
        return false;
    }
    return true;
}

bool guest_cpu_start(void)
{
    struct guest_cpu *c = this_guest_cpu();
    int rc = 0;

    write_cr0((read_cr0() | CR0_MP) & ~(CR0_EM | CR0_TS));
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (guest_host.xsave ? CR4_OSXSAVE : 0));
    c->xcr0 = 0; /* none that a guest may have: it is written at the first entry */
    c->tsc_aux = UINT64_MAX;
    switch (engine) {
    case ENGINE_SVM:
        rc = svm_cpu_start();
        break;
    case ENGINE_VMX:
        rc = vmx_cpu_start();
        break;
    case ENGINE_NONE:
        return false;
    }
    if (rc != 0)
        hv_log(0, "CPU %u cannot run guests: %d", port_cpu_id(), rc);
    return rc == 0;
}

void guest_cpu_stop(void)
{
    if (engine == ENGINE_SVM)
        svm_cpu_stop();
    else if (engine == ENGINE_VMX)
        vmx_cpu_stop();
}

static void write_xcr0(uint64_t v)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static uint64_t read_xcr0(void)
{
    uint32_t lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo | (uint64_t)hi << 32;
}

static void fpu_save(struct guest_cpu *c)
{
    if (c->fpu) {
        __asm__ volatile("fxsaveq %0" : "=m"(c->fpu->fpu.fxsave));
        c->fpu = NULL;
    }
}

/* FNINIT first: without a pending exception FXRSTOR leaves the last instruction and
 * data pointers as they are, and they are another guest's (APM Vol. 5 FXRSTOR). */
static void fpu_load(struct guest_cpu *c, struct port_guest *g)
{
    if (c->fpu == g)
        return;
    fpu_save(c);
    __asm__ volatile("fninit; fxrstorq %0" : : "m"(g->fpu.fxsave));
    c->fpu = g;
}

void guest_fpu_release(void)
{
    fpu_save(this_guest_cpu());
}

static void load_debug_registers(const uint64_t dr[4])
{
    __asm__ volatile("mov %0, %%db0" : : "r"(dr[0]));
    __asm__ volatile("mov %0, %%db1" : : "r"(dr[1]));
    __asm__ volatile("mov %0, %%db2" : : "r"(dr[2]));
    __asm__ volatile("mov %0, %%db3" : : "r"(dr[3]));
}

bool guest_enter(struct port_guest *g, uint64_t dr7)
{
    struct guest_cpu *c = this_guest_cpu();
    uint32_t cpu = port_cpu_id();
    bool drop = g->cpu != cpu;

    fpu_load(c, g);
    if (c->last != g->serial && guest_host.ibpb)
        wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
    c->last = g->serial;
    if (guest_host.xsave && c->xcr0 != g->xcr0) {
        write_xcr0(g->xcr0);
        c->xcr0 = g->xcr0;
    }
    if (guest_host.rdtscp && c->tsc_aux != g->tsc_aux) {
        wrmsr(MSR_TSC_AUX, g->tsc_aux);
        c->tsc_aux = g->tsc_aux;
    }
    if ((dr7 & DR7_ARMED) != 0)
        load_debug_registers(g->v->arch->dr);
    g->cpu = cpu;
    store_u64(&c->running, (uint64_t)(uintptr_t)g->v->domain);
    store_u32(&c->turns, c->turns + 1);
    /* Either port_guest_flush() sees this CPU, or the flag is seen here: the locked
     * instruction orders the stores before it (SDM Vol. 3 8.2.2). */
    return fetch_and_u32(&g->flush, 0) != 0 || drop;
}

void guest_left(struct port_guest *g)
{
    struct guest_cpu *c = this_guest_cpu();

    store_u64(&c->running, 0);
    store_u32(&c->turns, c->turns + 1);
}

void guest_take_interrupts(void)
{
    __asm__ volatile("sti; nop; cli" ::: "memory");
}

bool guest_timer_arm(uint64_t deadline_ns)
{
    return engine == ENGINE_VMX && vmx_timer_arm(deadline_ns);
}

void guest_timer_idle(void)
{
    if (engine == ENGINE_VMX)
        vmx_timer_idle();
}

bool guest_refusals(struct vcpu *v)
{
    return engine != ENGINE_VMX || vmx_refusals(v->guest);
}

/* CPUs that enter from here on see the flags; those inside leave, and come back. */
void port_guest_flush(struct domain *d)
{
    unsigned self = port_cpu_id();

    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (v && v->guest)
            store_u32(&v->guest->flush, 1);
    }
    memory_fence();
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        uint32_t turns = load_u32(&cpus[i].turns);

        if (i == self || load_u64(&cpus[i].running) != (uint64_t)(uintptr_t)d)
            continue;
        port_cpu_kick(i);
        while (load_u32(&cpus[i].turns) == turns)
            port_cpu_relax();
    }
}

int port_guest_create(struct vcpu *v)
{
    struct port_guest *g = hyp_pages_alloc(v->domain, 0, FRAME_HYP);
    int rc = 0;

    if (!g)
        return -XEN_ENOMEM;
    g->v = v;
    g->serial = fetch_add_u64(&serials, 1) + 1;
    g->cpu = GUEST_NO_CPU;
    g->xcr0 = 1;
    if (engine == ENGINE_SVM)
        rc = svm_create(g);
    else if (engine == ENGINE_VMX)
        rc = vmx_create(g);
    if (rc != 0) {
        hyp_pages_free(g, 0);
        return rc;
    }
    v->guest = g;
    return 0;
}

void port_guest_destroy(struct vcpu *v)
{
    struct port_guest *g = v->guest;

    if (!g)
        return;
    v->guest = NULL;
    if (engine == ENGINE_SVM)
        svm_destroy(g);
    else if (engine == ENGINE_VMX)
        vmx_destroy(g);
    hyp_pages_free(g, 0);
}

void port_guest_leave(struct vcpu *v)
{
    struct guest_cpu *c = this_guest_cpu();

    if (c->fpu == v->guest)
        fpu_save(c);
    if (c->last == v->guest->serial && guest_host.xsave)
        v->guest->xcr0 = c->xcr0 = read_xcr0(); /* QEMU's TCG lets guests execute XSETBV */
    if (engine == ENGINE_SVM)
        svm_leave(v->guest);
    else if (engine == ENGINE_VMX)
        vmx_leave(v->guest);
}

void port_guest_load(struct vcpu *v, const struct guest_state *s)
{
    v->guest->xcr0 = s->xcr0;
    v->guest->tsc_aux = s->tsc_aux;
    if (engine == ENGINE_SVM)
        svm_load(v->guest, s);
    else if (engine == ENGINE_VMX)
        vmx_load(v->guest, s);
}

void port_guest_save(struct vcpu *v, struct guest_state *s)
{
    memset(s, 0, sizeof(*s));
    s->regs = v->arch->regs;
    s->xcr0 = v->guest->xcr0;
    s->tsc_aux = v->guest->tsc_aux;
    if (engine == ENGINE_SVM)
        svm_save(v->guest, s);
    else if (engine == ENGINE_VMX)
        vmx_save(v->guest, s);
}

/* v does not run, but may have been the last here. */
void port_guest_load_fpu(struct vcpu *v, const struct guest_fpu *f)
{
    struct guest_cpu *c = this_guest_cpu();

    if (c->fpu == v->guest)
        c->fpu = NULL;
    v->guest->fpu = *f;
}

void port_guest_save_fpu(struct vcpu *v, struct guest_fpu *f)
{
    struct guest_cpu *c = this_guest_cpu();

    if (c->fpu == v->guest)
        fpu_save(c);
    *f = v->guest->fpu;
}

uint64_t port_guest_rdmsr(struct vcpu *v, uint32_t msr)
{
    if (msr == MSR_TSC_AUX)
        return v->guest->tsc_aux;
    if (engine == ENGINE_SVM)
        return svm_rdmsr(v->guest, msr);
    return engine == ENGINE_VMX ? vmx_rdmsr(v->guest, msr) : 0;
}

void port_guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (msr == MSR_TSC_AUX)
        v->guest->tsc_aux = value;
    else if (engine == ENGINE_SVM)
        svm_wrmsr(v->guest, msr, value);
    else if (engine == ENGINE_VMX)
        vmx_wrmsr(v->guest, msr, value);
}

void port_guest_set_cr(struct vcpu *v, unsigned cr, uint64_t value)
{
    if (engine == ENGINE_SVM)
        svm_set_cr(v->guest, cr, value);
    else if (engine == ENGINE_VMX)
        vmx_set_cr(v->guest, cr, value);
}

void port_guest_run(struct vcpu *v, struct guest_regs *regs, const struct guest_entry *in,
                    struct guest_exit *out)
{
    if (engine == ENGINE_SVM) {
        svm_run(v->guest, regs, in, out);
        return;
    }
    if (engine == ENGINE_VMX) {
        vmx_run(v->guest, regs, in, out);
        return;
    }
    memset(out, 0, sizeof(*out));
    out->reason = EXIT_FAILED;
    out->vectoring.type = EVENT_NONE;
}
