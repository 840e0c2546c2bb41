/* The core on a real machine without guest code: time, timers, interrupts, an
 * idle domain created and destroyed, and the audit. */
#include "bare/bare.h"

#include "base/string.h"
#include "core/console/console.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

#define TEST_PAGES 512u
#define TEST_TIMER_NS 20000000u

static bool timer_fired;

static void on_timer(void *arg)
{
    *(bool *)arg = true;
}

static bool timers_work(void)
{
    struct timer t;
    uint64_t start = port_time_now();

    timer_init(&t, on_timer, &timer_fired, 0);
    timer_set(&t, start + TEST_TIMER_NS);
    while (!timer_fired && port_time_now() - start < 50 * (uint64_t)TEST_TIMER_NS)
        cpu_turn();
    hv_log(1, "timer of %u us fired after %lu us\n", TEST_TIMER_NS / 1000,
           (port_time_now() - start) / 1000);
    return timer_fired && port_time_now() - start >= TEST_TIMER_NS;
}

static bool domain_lives_and_dies(void)
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = 2,
        .max_evtchn_port = 1023,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .arch.emulation_flags = XEN_X86_EMU_LAPIC,
    };
    struct domain *d;
    uint64_t guest;
    int rc = domain_create(1, &cfg, false, &d);

    if (rc != 0) {
        hv_log(0, "domain_create: %d\n", rc);
        return false;
    }
    d->max_pages = TEST_PAGES;
    rc = vcpu_create(d, 0);
    for (uint64_t i = 0; rc == 0 && i < TEST_PAGES; i++) {
        mfn_t m = guest_pages_alloc(d, 0);

        rc = mfn_is_invalid(m) ? -XEN_ENOMEM : p2m_map(d, gfn(i), m, P2M_4K, P2M_RAM_RW);
    }
    guest = d->tot_pages;
    hv_log(1, "domain %u: %lu guest pages, %lu hypervisor pages, rc %d\n", d->id, guest,
           d->hyp_pages, rc);
    domain_unpause(d);
    cpu_turn();
    while (domain_kill(d) == -XEN_ERESTART) {
    }
    domain_put(d);
    return rc == 0 && guest == TEST_PAGES;
}

bool first_light(void)
{
    uint64_t before = free_page_count();
    struct audit_report report;
    bool ok = timers_work();

    ok = domain_lives_and_dies() && ok;
    audit_run(&report);
    hv_log(1, "memory: %lu MiB, %lu pages free, %lu hypervisor pages\n",
           total_page_count() >> 8, free_page_count(), report.frames_hyp);
    hv_log(1, "audit: %u violations%s%s, %lu frames leaked\n", report.violations,
           report.first ? ", first " : "", report.first ? report.first : "",
           report.frames_leaked);
    if (free_page_count() != before)
        hv_log(0, "free pages: %lu before, %lu after\n", before, free_page_count());
    return ok && report.violations == 0 && report.frames_leaked == 0 &&
           free_page_count() == before;
}
