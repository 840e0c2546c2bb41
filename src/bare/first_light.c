/* The core on a real machine without a guest to boot: page tables, time, timers,
 * interrupts, an idle domain created and destroyed, and the audit. */
#include "bare/bare.h"

#include "base/string.h"
#include "core/console/console.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

#define TEST_PAGES 512u
#define TEST_TIMER_NS 20000000u
#define TEST_TURNS 10u
#define TEST_TURN_NS 1000000u
#define CR0_WP (UINT64_C(1) << 16)

struct alarm {
    struct timer timer;
    unsigned rings;
};

/* Rings again every millisecond: after the first time, too, an idle CPU wakes. */
static void ring(void *arg)
{
    struct alarm *a = arg;

    a->rings++;
    timer_set(&a->timer, port_time_now() + TEST_TURN_NS);
}

bool first_light_turn(uint64_t deadline)
{
    struct alarm a = {.rings = 0};
    bool early;

    timer_init(&a.timer, ring, &a, 0);
    timer_set(&a.timer, deadline);
    while (a.rings == 0 && port_time_now() < deadline + UINT64_C(1000000000))
        cpu_turn();
    early = port_time_now() < deadline;
    timer_stop(&a.timer);
    return a.rings != 0 && !early;
}

/* The halted CPU wakes by its timer's interrupt, and not before it is due. */
static bool interrupts_wake(void)
{
    for (unsigned i = 0; i < TEST_TURNS; i++) {
        uint64_t due = port_time_now() + TEST_TURN_NS, count = this_area()->timer_count;

        port_timer_arm(due);
        while (this_area()->timer_count == count)
            port_cpu_idle();
        /* The timer and the TSC were measured apart: a hundredth is not early. */
        if (port_time_now() < due - TEST_TURN_NS / 100) {
            hv_log(0, "timer interrupt %lu ns early", due - port_time_now());
            return false;
        }
    }
    hv_log(2, "interrupts: woken %u times of %u", TEST_TURNS, TEST_TURNS);
    return true;
}

static bool pages_are_guarded(void)
{
    struct paging_figures f = paging_audit();
    bool ok = f.writable_executable == 0 && (read_cr0() & CR0_WP) && !paging_mapped(0);

    for (unsigned i = 0; i < BARE_STACKS; i++) {
        uint64_t guard = bare_stacks[i].guard;

        ok = ok && !paging_mapped(guard) && paging_mapped(guard + PAGE_SIZE) &&
             !paging_mapped(guard - IMAGE_BASE + DIRECTMAP_BASE);
    }
    hv_log(2, "paging: %lu mappings, %lu of them writable and executable; guards %s", f.leaves,
           f.writable_executable, ok ? "in place" : "BROKEN");
    return ok;
}

static bool timers_work(void)
{
    uint64_t start = port_time_now();
    bool ok = first_light_turn(start + TEST_TIMER_NS);

    hv_log(2, "timer of %u us fired after %lu us", TEST_TIMER_NS / 1000,
           (port_time_now() - start) / 1000);
    return ok;
}

static bool idles(struct domain *d)
{
    uint64_t guest;
    bool ok = true;
    int rc;

    d->max_pages = TEST_PAGES;
    rc = vcpu_create(d, 0);
    for (uint64_t i = 0; rc == 0 && i < TEST_PAGES; i++) {
        mfn_t m = guest_pages_alloc(d, 0);

        rc = mfn_is_invalid(m) ? -XEN_ENOMEM : p2m_map(d, gfn(i), m, P2M_4K, P2M_RAM_RW);
    }
    guest = d->tot_pages;
    hv_log(2, "domain %u: %lu guest pages, %lu hypervisor pages, rc %d", d->id, guest, d->hyp_pages,
           rc);
    domain_unpause(d);
    for (unsigned i = 0; i < TEST_TURNS; i++)
        ok = first_light_turn(port_time_now() + TEST_TURN_NS) && ok;
    return ok && rc == 0 && guest == TEST_PAGES;
}

/* A new domain, what it is for, and its end. */
static bool domain_lives_and_dies(bool (*life)(struct domain *d))
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = 2,
        .max_evtchn_port = 1023,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch.emulation_flags = XEN_X86_EMU_LAPIC,
    };
    struct domain *d;
    int rc = domain_create(1, &cfg, false, &d);
    bool ok;

    if (rc != 0) {
        hv_log(0, "domain_create: %d", rc);
        return false;
    }
    ok = life(d);
    while (domain_kill(d) == -XEN_ERESTART) {
    }
    domain_put(d);
    domain_settle();
    d = domain_get(1);
    if (d) {
        hv_log(0, "domain 1 outlives its last reference");
        domain_put(d);
        ok = false;
    }
    return ok;
}

bool first_light(bool guests)
{
    struct audit_report report;
    uint64_t before;
    bool ok = pages_are_guarded();

    ok = interrupts_wake() && ok;
    ok = timers_work() && ok;
    /* The first domain leaves the page of the domain table that it needed. */
    ok = domain_lives_and_dies(idles) && ok;
    before = free_page_count();
    ok = domain_lives_and_dies(idles) && ok;
    ok = (!guests || domain_lives_and_dies(first_guest)) && ok;
    if (free_page_count() != before) {
        hv_log(0, "free pages: %lu before, %lu after", before, free_page_count());
        ok = false;
    }
    if (!smp_hold(true)) {
        hv_log(0, "%u CPUs do not come to rest", smp_running() - 1);
        return false;
    }
    audit_run(&report);
    hv_log(2, "memory: %lu MiB, %lu pages free, %lu of the hypervisor", total_page_count() >> 8,
           free_page_count(), report.frames_hyp);
    hv_log(2, "audit: %u violations%s%s, %lu frames leaked", report.violations,
           report.first ? ", first " : "", report.first ? report.first : "", report.frames_leaked);
    return ok && report.violations == 0 && report.frames_leaked == 0;
}
