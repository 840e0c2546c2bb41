#include "tests/unit/fixture.h"

#include "base/atomic.h"
#include "core/guest_mem/guest_mem.h"

#define FIXTURE_DOMAINS 256u

/* A test's first hypercalls are audited one by one, those of a flood now and then. */
#define AUDIT_ALWAYS 500u
#define AUDIT_EVERY 61u

static bool auditing;
static unsigned calls;
static struct domain *made[FIXTURE_DOMAINS]; /* those whose reference the test still has */
static uint64_t pages_at_start;

/* What the hypervisor keeps for itself it may keep. */
static uint64_t pages_accounted(void)
{
    return free_page_count() + hv->hyp_pages;
}

static void print_console(uint16_t domid, const char *s, size_t n)
{
    if (getenv("FIXTURE_CONSOLE")) {
        fwrite(s, 1, n, stderr);
    }
}

void fixture_start(unsigned mem_mib, unsigned cpus)
{
    struct world_config cfg = {.mem_bytes = (uint64_t)mem_mib << 20, .cpus = cpus};

    memset(made, 0, sizeof(made));
    auditing = true;
    calls = 0;
    world_console_sink = print_console;
    ck_assert_int_eq(world_start(&cfg), 0);
    ck_assert_int_eq(hv_init(world_boot_info()), 0);
    pages_at_start = pages_accounted();
}

void fixture_audit(void)
{
    struct audit_report r;

    memset(&r, 0, sizeof(r));
    audit_run(&r);
    ck_assert_msg(r.violations == 0, "audit: %u violations, first %s: %s", r.violations,
                  r.first ? r.first : "?", r.detail);
    ck_assert_msg(r.frames_leaked == 0, "audit: %llu frames leaked",
                  (unsigned long long)r.frames_leaked);
}

static void kill_domain(struct domain *d)
{
    int rc;

    do {
        rc = domain_kill(d);
    } while (rc == -XEN_ERESTART);
    ck_assert_int_eq(rc, 0);
}

void fixture_empty(void)
{
    struct domain *d;

    /* All die before any reference is dropped: they may map one another's pages. */
    for (domid_t id = 0; (d = domain_next(id)) != NULL;) {
        id = d->id + 1;
        if (d->state != DOMAIN_DEAD) {
            kill_domain(d);
        }
        domain_put(d);
    }
    for (unsigned i = 0; i < FIXTURE_DOMAINS; i++) {
        if (made[i]) {
            domain_put(made[i]);
        }
    }
    ck_assert_ptr_null(domain_next(0));
    fixture_audit();
    ck_assert_uint_eq(pages_accounted(), pages_at_start);
}

void fixture_stop(void)
{
    fixture_audit();
    fixture_empty();
    world_stop();
    hv = NULL;
}

static struct domain *make_domain(domid_t id, bool privileged, unsigned max_mib, unsigned vcpus)
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = vcpus,
        .max_evtchn_port = UINT32_MAX,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch = {.emulation_flags = XEN_X86_EMU_LAPIC},
    };
    struct domain *d = NULL;

    memset(cfg.handle, id, sizeof(cfg.handle));
    ck_assert_int_eq(domain_create(id, &cfg, privileged, &d), 0);
    ck_assert_ptr_nonnull(d);
    d->max_pages = (uint64_t)max_mib << (20 - PAGE_SHIFT);
    for (unsigned i = 0; i < vcpus; i++) {
        ck_assert_int_eq(vcpu_create(d, i), 0);
    }
    d->vcpu[0]->initialised = true;
    vcpu_wake_flags(d->vcpu[0], VPF_DOWN);
    domain_unpause(d);
    for (unsigned i = 0; i < FIXTURE_DOMAINS; i++) {
        if (!made[i]) {
            made[i] = d;
            return d;
        }
    }
    ck_abort_msg("too many domains");
    return NULL;
}

struct domain *fixture_domain(unsigned max_mib, unsigned vcpus)
{
    return make_domain(domain_unused_id(1), false, max_mib, vcpus);
}

struct domain *fixture_dom0(void)
{
    return make_domain(0, true, 16, 1);
}

void fixture_kill(struct domain *d)
{
    for (unsigned i = 0; i < FIXTURE_DOMAINS; i++) {
        if (made[i] == d) {
            made[i] = NULL;
        }
    }
    kill_domain(d);
    domain_put(d);
}

void fixture_populate(struct domain *d, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        mfn_t m = guest_pages_alloc(d, 0);

        ck_assert_msg(!mfn_is_invalid(m), "no page for gfn %#llx", (unsigned long long)(first + i));
        ck_assert_int_eq(p2m_map(d, gfn(first + i), m, P2M_4K, P2M_RAM_RW), 0);
    }
}

void *fixture_guest(struct domain *d, uint64_t gpa)
{
    struct p2m_entry e = p2m_lookup(d, gfn(gpa >> PAGE_SHIFT));

    if (e.type == P2M_INVALID || e.type == P2M_MMIO_DM || mfn_is_invalid(e.mfn)) {
        return NULL;
    }
    return (uint8_t *)mfn_to_ptr(e.mfn) + (gpa & (PAGE_SIZE - 1));
}

/* Other CPUs are outside the core unless the test makes them race. */
static void audit_after_call(void)
{
    calls++;
    if (auditing && (calls <= AUDIT_ALWAYS || calls % AUDIT_EVERY == 0) && world_quiescent()) {
        fixture_audit();
    }
}

void fixture_auditing(bool on)
{
    auditing = on;
}

int64_t fixture_hypercall(struct vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
                          uint64_t a3, uint64_t a4)
{
    uint64_t args[6] = {a0, a1, a2, a3, a4, 0};
    struct vcpu *saved = this_cpu()->current;
    int64_t rc = HYPERCALL_RESTART;

    for (unsigned i = 0; rc == HYPERCALL_RESTART; i++) {
        ck_assert_msg(i < 10000000, "hypercall %llu never ends", (unsigned long long)nr);
        /* A vCPU that waits for this CPU would preempt every operation. */
        store_u32(&this_cpu()->resched, 0);
        this_cpu()->current = v;
        rc = hypercall(v, nr, args);
        this_cpu()->current = saved;
    }
    audit_after_call();
    return rc;
}

int64_t fixture_op(struct vcpu *v, uint64_t nr, uint64_t sub, void *arg, size_t len)
{
    struct domain *d = v->domain;
    int64_t rc;

    ck_assert_uint_le(len, FIXTURE_SCRATCH_PAGES * PAGE_SIZE);
    if (!fixture_guest(d, FIXTURE_SCRATCH_GPA)) {
        fixture_populate(d, FIXTURE_SCRATCH_GPA >> PAGE_SHIFT, FIXTURE_SCRATCH_PAGES);
    }
    ck_assert_int_eq(guest_phys_write(d, gaddr(FIXTURE_SCRATCH_GPA), arg, len), 0);
    rc = fixture_hypercall(v, nr, sub, FIXTURE_SCRATCH_GPA, 0, 0, 0);
    ck_assert_int_eq(guest_phys_read(d, gaddr(FIXTURE_SCRATCH_GPA), arg, len), 0);
    return rc;
}

int fixture_run(Suite *s)
{
    SRunner *r = srunner_create(s);
    int failed;

    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
