/* vcpu_op: vCPUs up and down, runstates, areas that the hypervisor writes, timers' errors. */
#include "guest.h"

#include <xen/hvm/hvm_vcpu.h>

#define BAD_POINTER UINT64_C(0x7fff00000000)

static void errors(void)
{
    struct vcpu_register_vcpu_info info = {.mfn = hole_gfn(1)};
    struct vcpu_register_runstate_memory_area area = {.addr.p = BAD_POINTER};
    uint64_t physid;

    EQ(vcpu_op(VCPUOP_is_up, 0, NULL), 1);
    EQ(vcpu_op(VCPUOP_is_up, 99, NULL), -XEN_ENOENT);
    EQ(vcpu_op(VCPUOP_up, 99, NULL), -XEN_ENOENT);
    EQ(vcpu_op(VCPUOP_down, 99, NULL), -XEN_ENOENT);
    OK(vcpu_op(VCPUOP_initialise, 0, BAD_POINTER) < 0);
    EQ(vcpu_op(VCPUOP_get_runstate_info, 0, BAD_POINTER), -XEN_EFAULT);
    EQ(vcpu_op(VCPUOP_register_vcpu_info, 0, BAD_POINTER), -XEN_EFAULT);
    EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, BAD_POINTER), -XEN_EFAULT);
    (void)vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area); /* must not harm */
    OK(vcpu_op(VCPUOP_register_vcpu_info, 0, &info) < 0);          /* no memory there */
    info = (struct vcpu_register_vcpu_info){.mfn = GFN(page_alloc()), .offset = PAGE - 8};
    EQ(vcpu_op(VCPUOP_register_vcpu_info, 0, &info), -XEN_EINVAL); /* crosses the page */
    OK(vcpu_op(VCPUOP_get_physid, 0, &physid) < 0);
    OK(vcpu_op(VCPUOP_send_nmi, 99, NULL) < 0);
}

/* The time in the four states adds up. */
static void runstate(void)
{
    static struct vcpu_runstate_info area;
    struct vcpu_register_runstate_memory_area where = {.addr.v = &area};
    struct vcpu_runstate_info a, b;
    uint64_t start, sum = 0;

    start = now();
    EQ(vcpu_op(VCPUOP_get_runstate_info, 0, &a), 0);
    EQ(a.state, RUNSTATE_running);
    while (now() < start + 5 * MS)
        rest(MS);
    EQ(vcpu_op(VCPUOP_get_runstate_info, 0, &b), 0);
    OK(b.time[RUNSTATE_blocked] > a.time[RUNSTATE_blocked]);
    for (unsigned i = 0; i < 4; i++)
        sum += b.time[i] - a.time[i];
    OK(sum >= 5 * MS && sum <= now() - start);
    EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &where), 0);
    rest(MS);
    EQ(area.state, RUNSTATE_running);
    OK(area.time[RUNSTATE_blocked] >= b.time[RUNSTATE_blocked]);
    where.addr.p = 0;
    EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &where), 0);
    a = *(volatile struct vcpu_runstate_info *)&area;
    rest(MS);
    EQ(area.time[RUNSTATE_blocked], a.time[RUNSTATE_blocked]);
}

static void time_area(void)
{
    static volatile struct vcpu_time_info area;
    struct vcpu_register_time_memory_area where = {.addr.p = (uint64_t)(uintptr_t)&area};

    EQ(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &where), 0);
    rest(MS);
    EQ(area.tsc_to_system_mul, vcpu_info()->time.tsc_to_system_mul);
    EQ(area.tsc_shift, vcpu_info()->time.tsc_shift);
    EQ(area.version & 1, 0);
    where.addr.p = 0;
    EQ(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &where), 0);
}

static void count(void *arg)
{
    ++*(volatile uint32_t *)arg;
}

/* vCPU 1 by VCPUOP_initialise: down, and up again where it was. */
static void up_and_down(void)
{
    volatile uint32_t counter = 0;
    struct vcpu_hvm_context bad = {.mode = 77};

    EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    EQ(vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL); /* has no state yet */
    EQ(vcpu_op(VCPUOP_initialise, 1, BAD_POINTER), -XEN_EFAULT);
    EQ(vcpu_op(VCPUOP_initialise, 1, &bad), -XEN_EINVAL);
    bad.mode = VCPU_HVM_MODE_64B; /* but paging off */
    EQ(vcpu_op(VCPUOP_initialise, 1, &bad), -XEN_EINVAL);
    if (!EQ(cpu_start(1), 0))
        return;
    EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    EQ(vcpu_op(VCPUOP_initialise, 1, &bad), -XEN_EEXIST);
    cpu_job(1, count, (void *)&counter);
    OK(cpu_done(1));
    EQ(counter, 1);
    EQ(vcpu_op(VCPUOP_down, 1, NULL), 0);
    EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    cpu_job(1, count, (void *)&counter);
    rest(2 * MS);
    EQ(counter, 1);
    EQ(vcpu_op(VCPUOP_up, 1, NULL), 0);
    OK(cpu_done(1));
    EQ(counter, 2);
}

/* INIT stops a vCPU, SIPI starts it in real mode. */
static void init_sipi(void)
{
    volatile uint32_t counter = 0;

    if (!OK(cpu_start_sipi(1)))
        return;
    EQ(vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    cpu_job(1, count, (void *)&counter);
    OK(cpu_done(1));
    EQ(counter, 1);
}

static void every_cpu(void)
{
    for (unsigned i = 1; i < vcpus; i++)
        OK(cpus[i].alive || cpu_start_sipi(i));
}

static void remember_time(void *arg)
{
    *(volatile uint64_t *)arg = now();
}

/* Time does not run backwards from one vCPU to the next. */
static void monotonic(void)
{
    uint64_t last = now();

    for (unsigned round = 0; round < 20; round++)
        for (unsigned i = 1; i < vcpus; i++) {
            volatile uint64_t there = 0;

            cpu_job(i, remember_time, (void *)&there);
            if (!OK(cpu_done(i)))
                return;
            OK(there >= last);
            last = now();
            OK(last >= there);
        }
}

/* Interrupts and NMIs from one local APIC to others. */
static void ipis(void)
{
    uint32_t before = cpus[1].irqs[VEC_TEST], mine = me()->irqs[VEC_TEST];
    uint32_t nmis = cpus[1].irqs[VEC_NMI];

    for (uint32_t i = 1; i <= 20; i++) {
        lapic_icr(apic_id_of(1), ICR_ASSERT | VEC_TEST);
        if (!OK(WAIT(cpus[1].irqs[VEC_TEST] == before + i)))
            return;
    }
    EQ(me()->irqs[VEC_TEST], mine);
    lapic_icr(0, ICR_OTHERS | ICR_ASSERT | VEC_TEST);
    OK(WAIT(cpus[1].irqs[VEC_TEST] == before + 21));
    EQ(me()->irqs[VEC_TEST], mine);
    lapic_icr(0, ICR_ALL | ICR_ASSERT | VEC_TEST);
    OK(WAIT(cpus[1].irqs[VEC_TEST] == before + 22));
    OK(WAIT(me()->irqs[VEC_TEST] == mine + 1));
    lapic_icr(apic_id_of(1), ICR_NMI | ICR_ASSERT);
    OK(WAIT(cpus[1].irqs[VEC_NMI] == nmis + 1));
    EQ(vcpu_op(VCPUOP_send_nmi, 1, NULL), 0);
    OK(WAIT(cpus[1].irqs[VEC_NMI] == nmis + 2));
    lapic_icr(0xfe, ICR_ASSERT | VEC_TEST); /* to nobody */
    rest(MS);
    EQ(cpus[1].irqs[VEC_TEST], before + 22);
}

static void register_own(void *arg)
{
    static struct vcpu_register_vcpu_info info;
    uint8_t *page = arg;

    info = (struct vcpu_register_vcpu_info){.mfn = GFN(page), .offset = 128};
    irq_off();
    if (EQ(vcpu_op(VCPUOP_register_vcpu_info, me()->id, &info), 0))
        vcpu_info_of[me()->id] = (struct vcpu_info *)(page + 128);
    irq_on();
    EQ(vcpu_op(VCPUOP_register_vcpu_info, me()->id, &info), -XEN_EINVAL); /* once only */
}

/* vcpu_info may lie anywhere in the guest's memory. A vCPU that runs says so itself. */
static void own_info(void)
{
    struct vcpu_register_vcpu_info info = {.mfn = GFN(page_alloc()), .offset = 128};
    struct vcpu_info *old = vcpu_info_of[1];
    uint64_t before, there = 0;

    EQ(vcpu_op(VCPUOP_register_vcpu_info, 1, &info), -XEN_EINVAL);
    before = now();
    cpu_job(1, register_own, AT(info.mfn));
    OK(cpu_done(1));
    OK(vcpu_info_of[1] != old);
    cpu_job(1, remember_time, &there);
    OK(cpu_done(1));
    OK(there > before && there < now());
}

const struct act acts_vcpu[] = {
    {"vcpu-errors", 1, errors},       {"vcpu-runstate", 1, runstate},
    {"vcpu-time-area", 1, time_area}, {"vcpu-up-down", 2, up_and_down},
    {"vcpu-sipi", 2, init_sipi},      {"vcpu-all", 2, every_cpu},
    {"vcpu-monotonic", 2, monotonic}, {"vcpu-ipi", 2, ipis},
    {"vcpu-info", 2, own_info},       {0},
};
