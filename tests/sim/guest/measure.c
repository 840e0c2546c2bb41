/* What the hypervisor's paths cost, as a guest sees them: minimum and median of many
 * repetitions, in ticks of the TSC. One line "measure NAME MINIMUM MEDIAN" for each path,
 * RESULT at the end, power-off. Words of the command line:
 *
 *   n=NUMBER     repetitions (default 200)
 *   role=alone   (default) what one vCPU does by itself
 *   role=shared  what two vCPUs do on one CPU
 *   role=apart   the same on two CPUs
 *   role=halted  that, as far as nobody waits without halting: QEMU's CPUs take turns when it
 *                counts instructions, and turns are long
 *
 * It asks nothing of the hypervisor but Xen's ABI: the same program measures Xen. */
#include "guest.h"

#include <xen/version.h>

#define SAMPLES_MAX 1000u
#define CALLS 8u /* in one multicall */
#define REF 8u
#define WARM_UP 4u
#define MSR_TSC_DEADLINE 0x6e0u
#define MODE_DEADLINE (2u << 17)
#define MASKED (1u << 16)
#define AHEAD 200000u /* ticks from the setting of a timer to its end */
#define AHEAD_NS 200000u
#define VEC_OTHER 0x51u /* does nothing but arrive */
#define NEVER UINT64_MAX

static uint64_t samples[SAMPLES_MAX];
static unsigned repetitions;
static bool failed;
static volatile uint64_t arrived; /* when a handler ran; 0: not yet */

void play(void);

/* The acts' checks are no part of this, but the runtime may use them. */
bool eq_(const char *file, int line, const char *what, int64_t got, int64_t want)
{
    if (got == want)
        return true;
    if (!failed)
        say("FAIL %s:%d: %s is %ld, not %ld", file, line, what, got, want);
    failed = true;
    return false;
}

static void sort(uint64_t *v, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        uint64_t x = v[i];
        unsigned j = i;

        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

static void tell(const char *name, unsigned n)
{
    if (n == 0) {
        say("SKIP %s", name);
        return;
    }
    sort(samples, n);
    say("measure %s %lu %lu", name, samples[0], samples[n / 2]);
}

/* once() takes one sample; NEVER: there is none this time. */
static void measure(const char *name, uint64_t (*once)(void))
{
    unsigned n = 0;

    for (unsigned i = 0; i < WARM_UP; i++)
        once();
    for (unsigned i = 0; i < repetitions; i++) {
        uint64_t took = once();

        if (took != NEVER)
            samples[n++] = took;
    }
    tell(name, n);
}

/* ---- Alone: exits */
static uint64_t nothing(void)
{
    uint64_t t = tsc();

    return tsc() - t;
}

static uint64_t cpuid_exit(void)
{
    uint64_t t = tsc();

    cpuid(0, 0);
    return tsc() - t;
}

static uint64_t xen_version(void)
{
    uint64_t t = tsc();

    HC2(__HYPERVISOR_xen_version, XENVER_version, NULL);
    return tsc() - t;
}

static uint64_t multicall(void)
{
    static struct multicall_entry calls[CALLS];
    uint64_t t;

    for (unsigned i = 0; i < CALLS; i++)
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version};
    t = tsc();
    HC2(__HYPERVISOR_multicall, calls, CALLS);
    t = tsc() - t;
    for (unsigned i = 0; i < CALLS; i++)
        EQ(calls[i].result >> 16, 4);
    return t;
}

/* ---- Alone: events */
static uint32_t loop_port;

static void note_event(uint32_t port)
{
    (void)port;
    arrived = tsc();
}

static void note_irq(struct frame *f)
{
    (void)f;
    arrived = tsc();
}

/* From t until a handler was there; NEVER: it does not come. */
static uint64_t since(uint64_t t)
{
    uint64_t end = now() + PATIENCE;

    while (arrived == 0 && now() < end)
        relax();
    OK(arrived != 0);
    return arrived == 0 ? NEVER : arrived - t;
}

static uint64_t event(void)
{
    uint64_t t;

    arrived = 0;
    t = tsc();
    event_send(loop_port);
    return since(t);
}

static void events(void)
{
    int64_t port = event_ipi(0);

    if (!OK(port > 0))
        return;
    loop_port = (uint32_t)port;
    event_hook[loop_port] = note_event;
    measure("event_to_handler", event);
    event_close(loop_port);
}

/* ---- Alone: grants to oneself */
static uint64_t grant_hole;
static domid_t self;
static uint32_t grant_handle;
static uint64_t unmap_took[SAMPLES_MAX];
static unsigned unmaps;

static domid_t own_id(void)
{
    return (domid_t)cpuid(xen_leaf + 4, 0).c;
}

static uint64_t map_and_unmap(void)
{
    uint64_t t = tsc(), mapped, unmapped;

    if (!EQ(grant_map(self, REF, grant_hole, GNTMAP_host_map, &grant_handle), GNTST_okay))
        return NEVER;
    mapped = tsc() - t;
    t = tsc();
    EQ(grant_unmap(grant_hole, grant_handle), GNTST_okay);
    unmapped = tsc() - t;
    unmap_took[unmaps++ % SAMPLES_MAX] = unmapped;
    return mapped;
}

static void grants(void)
{
    void *page = page_alloc();

    self = own_id();
    if (!EQ(grant_init(1), 0))
        return;
    grant_hole = hole_gfn(1);
    grant_access(REF, self, GFN(page), 0);
    measure("grant_map", map_and_unmap);
    for (unsigned i = 0; i < repetitions && i < unmaps; i++)
        samples[i] = unmap_took[(i + WARM_UP) % SAMPLES_MAX];
    tell("grant_unmap", repetitions < unmaps ? repetitions : unmaps);
    grant_end(REF);
}

/* ---- Alone: the local APIC */
static uint64_t self_ipi(void)
{
    uint64_t t;

    arrived = 0;
    t = tsc();
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST);
    return since(t);
}

static uint64_t self_ipi_register(void)
{
    uint64_t t;

    arrived = 0;
    t = tsc();
    lapic_write(LAPIC_SELF_IPI, VEC_TEST);
    return since(t);
}

/* With nothing to end. */
static uint64_t end_of_interrupt(void)
{
    uint64_t t = tsc();

    lapic_write(LAPIC_EOI, 0);
    return tsc() - t;
}

/* From the moment it was set to, for as long as that is not missed. */
static uint64_t deadline_by(bool halting)
{
    uint64_t end, deadline;

    arrived = 0;
    irq_off();
    deadline = tsc() + AHEAD;
    end = deadline + 1000 * (uint64_t)AHEAD;
    wrmsr(MSR_TSC_DEADLINE, deadline);
    if (tsc() >= deadline) {
        irq_on();
        return NEVER;
    }
    if (halting)
        halt();
    irq_on();
    while (arrived == 0 && tsc() < end)
        relax();
    return arrived == 0 ? NEVER : arrived - deadline;
}

static uint64_t deadline_busy(void)
{
    return deadline_by(false);
}

static uint64_t deadline_halted(void)
{
    return deadline_by(true);
}

static uint64_t arm_deadline(void)
{
    uint64_t t = tsc();

    wrmsr(MSR_TSC_DEADLINE, t + (UINT64_C(1) << 40));
    return tsc() - t;
}

static void lapic_deadlines(void)
{
    if (!(cpuid(1, 0).c >> 24 & 1)) {
        say("SKIP deadlines: the CPU has none");
        return;
    }
    irq_hook[VEC_TIMER] = note_irq;
    lapic_write(LAPIC_LVTT, MODE_DEADLINE | VEC_TIMER);
    measure("deadline_arm", arm_deadline);
    measure("deadline_to_handler", deadline_busy);
    measure("deadline_to_handler_halted", deadline_halted);
    lapic_write(LAPIC_LVTT, MASKED);
    irq_hook[VEC_TIMER] = NULL;
}

static void local_apic(void)
{
    irq_hook[VEC_TEST] = note_irq;
    measure("self_ipi_xapic", self_ipi);
    measure("eoi_xapic", end_of_interrupt);
    if (cpuid(1, 0).c >> 21 & 1) {
        lapic_x2apic();
        measure("self_ipi_x2apic", self_ipi);
        measure("self_ipi_register", self_ipi_register);
        measure("eoi_x2apic", end_of_interrupt);
    }
    irq_hook[VEC_TEST] = NULL;
    lapic_deadlines();
}

/* ---- Alone: Xen's own timer. Its end is given in ns: what is left over is turned into ticks. */
static uint64_t singleshot(void)
{
    struct vcpu_set_singleshot_timer s = {.timeout_abs_ns = now() + AHEAD_NS};
    uint64_t end = s.timeout_abs_ns + SECOND, late, hz = tsc_hz();

    arrived = 0;
    if (vcpu_op(VCPUOP_set_singleshot_timer, me()->id, &s) != 0)
        return NEVER;
    while (arrived == 0 && now() < end)
        relax();
    if (arrived == 0)
        return NEVER;
    late = now() - s.timeout_abs_ns;
    return late / 1000 * (hz / 1000) / 1000 - (tsc() - arrived);
}

static void xen_timer(void)
{
    int64_t port = event_virq(VIRQ_TIMER, 0);

    if (!OK(port > 0))
        return;
    event_hook[port] = note_event;
    measure("timer_event_to_handler", singleshot);
    event_close((uint32_t)port);
}

/* ---- A pair */
static volatile bool stop, halts; /* of the second vCPU */
static volatile uint64_t heard;   /* when the second one's handler ran */
static volatile uint32_t switches;

static void yielder(void *unused)
{
    (void)unused;
    while (!stop) {
        switches++;
        sched_op(SCHEDOP_yield, NULL);
    }
}

/* There and back, by two switches, if the other ran just once meanwhile. */
static uint64_t yield(void)
{
    uint32_t before = switches;
    uint64_t t = tsc();

    sched_op(SCHEDOP_yield, NULL);
    t = tsc() - t;
    return switches == before + 1 ? t / 2 : NEVER;
}

static void answer(struct frame *f)
{
    (void)f;
    heard = tsc();
    lapic_icr(apic_id_of(0), ICR_ASSERT | VEC_TEST);
}

static void listener(void *unused)
{
    (void)unused;
    irq_off();
    while (!stop) {
        if (halts) {
            halt();
            irq_off();
            continue;
        }
        irq_on();
        relax();
        irq_off();
    }
    irq_on();
}

/* There and back; the sender halts iff the receiver does. */
static uint64_t round_trip(void)
{
    uint64_t t;

    rest(MS); /* until the other one is where it waits */
    arrived = heard = 0;
    irq_off();
    t = tsc();
    lapic_icr(apic_id_of(1), ICR_ASSERT | VEC_TEST2);
    while (arrived == 0) {
        if (halts) {
            halt();
        } else {
            irq_on();
            relax();
        }
        irq_off();
    }
    irq_on();
    return arrived - t;
}

/* As far as its clock tells: only where the two share one. */
static uint64_t one_way(void)
{
    uint64_t took = round_trip();

    return took == NEVER || heard >= arrived ? NEVER : took - (arrived - heard);
}

static void end_job(void)
{
    stop = true;
    lapic_icr(apic_id_of(1), ICR_ASSERT | VEC_OTHER);
    OK(cpu_done(1));
    stop = false;
}

static void use_x2apic(void *unused)
{
    (void)unused;
    lapic_x2apic();
}

static void pair(const char *role)
{
    if (!EQ(cpu_start(1), 0))
        return;
    cpu_job(1, use_x2apic, NULL);
    OK(cpu_done(1));
    lapic_x2apic();
    irq_hook[VEC_TEST] = note_irq;
    irq_hook[VEC_TEST2] = answer;
    halts = true;
    cpu_job(1, listener, NULL);
    measure("ipi_one_way_halted", one_way);
    measure("ipi_round_trip_halted", round_trip);
    end_job();
    if (same(role, "halted"))
        return;
    if (same(role, "shared")) {
        cpu_job(1, yielder, NULL);
        rest(MS);
        measure("switch", yield);
    } else {
        halts = false;
        cpu_job(1, listener, NULL);
        measure("ipi_one_way_busy", one_way);
        measure("ipi_round_trip_busy", round_trip);
    }
    end_job();
}

void play(void)
{
    static char role[WORD_MAX] = "alone";

    word("role", role);
    repetitions = (unsigned)number("n", 200);
    if (repetitions > SAMPLES_MAX)
        repetitions = SAMPLES_MAX;
    say("measure: %s, %u vCPUs, TSC %lu kHz", role, vcpus, tsc_hz() / 1000);
    if (same(role, "alone")) {
        measure("nothing", nothing);
        measure("cpuid", cpuid_exit);
        measure("xen_version", xen_version);
        measure("multicall_of_8", multicall);
        events();
        grants();
        xen_timer();
        local_apic();
    } else {
        pair(role);
    }
    say("RESULT %s", failed ? "FAIL" : "PASS");
    power_off(SHUTDOWN_poweroff);
}
