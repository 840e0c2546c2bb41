/* A domain's life: created, found, paused, shut down, killed, freed. */
#include "tests/unit/fixture.h"

#include "core/evtchn/evtchn.h"
#include "port/time.h"

static struct xen_domctl_createdomain config(void)
{
    return (struct xen_domctl_createdomain){
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = 2,
        .max_evtchn_port = 1023,
        .max_grant_frames = -1,
        .max_maptrack_frames = -1,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch = {.emulation_flags = XEN_X86_EMU_LAPIC},
    };
}

static void setup(void)
{
    fixture_start(48, 1);
}

static void setup2(void)
{
    fixture_start(48, 2);
}

static void kill_all(struct domain *d)
{
    int rc;

    while ((rc = domain_kill(d)) == -XEN_ERESTART) {
        hv->cpu[0].resched = 0;
    }
    ck_assert_int_eq(rc, 0);
}

static int create(const struct xen_domctl_createdomain *cfg, domid_t id)
{
    struct domain *d = NULL;
    int rc = domain_create(id, cfg, false, &d);

    if (rc == 0) {
        kill_all(d);
        domain_put(d);
    }
    return rc;
}

START_TEST(test_config)
{
    struct xen_domctl_createdomain c = config();

    ck_assert_int_eq(create(&c, 7), 0);
    ck_assert_int_eq(create(&c, DOMID_FIRST_RESERVED), -XEN_EINVAL);
    ck_assert_int_eq(create(&c, DOMID_SELF), -XEN_EINVAL);
    c.max_vcpus = 0;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c.max_vcpus = 129;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c.max_vcpus = 128;
    ck_assert_int_eq(create(&c, 7), 0);
    c = config();
    c.flags = 0;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c.flags = XEN_DOMCTL_CDF_hvm;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c.flags = XEN_DOMCTL_CDF_hap;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    for (unsigned bit = 0; bit < 32; bit++) {
        bool known =
            (1u << bit) & (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_s3_integrity |
                           XEN_DOMCTL_CDF_oos_off | XEN_DOMCTL_CDF_xs_domain);

        c.flags = config().flags | 1u << bit;
        ck_assert_int_eq(create(&c, 7), known ? 0 : -XEN_EINVAL);
    }
    c = config();
    c.iommu_opts = 1;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c = config();
    c.grant_opts = XEN_DOMCTL_GRANT_version(3);
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c.grant_opts = 0x12;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c = config();
    c.max_grant_frames = 1 << 20;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c = config();
    c.max_maptrack_frames = INT32_MAX;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c = config();
    c.vmtrace_size = 4096;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    c = config();
    c.cpupool_id = 1;
    ck_assert_int_eq(create(&c, 7), -XEN_EINVAL);
    ck_assert_uint_eq(hv->domain_count, 0);
    ck_assert_uint_eq(hv->alive_count, 0);
}
END_TEST

START_TEST(test_lookup)
{
    struct xen_domctl_createdomain c = config();
    struct domain *a, *b, *x = NULL;

    ck_assert_uint_eq(domain_unused_id(5), 5);
    ck_assert_int_eq(domain_create(5, &c, false, &a), 0);
    ck_assert_int_eq(domain_create(5, &c, false, &x), -XEN_EEXIST);
    ck_assert_ptr_null(x);
    ck_assert_uint_eq(domain_unused_id(5), 6);
    ck_assert_int_eq(domain_create(DOMID_FIRST_RESERVED - 1, &c, true, &b), 0);
    ck_assert_uint_eq(domain_unused_id(DOMID_FIRST_RESERVED - 1), DOMID_INVALID);
    ck_assert_uint_eq(a->pause_count, 1);
    ck_assert_uint_eq(a->refs, 2);
    ck_assert_ptr_eq(domain_get(5), a);
    ck_assert_uint_eq(a->refs, 3);
    domain_put(a);
    ck_assert_ptr_null(domain_get(4));
    ck_assert_ptr_null(domain_get(DOMID_SELF));
    ck_assert_ptr_null(domain_get(0xffff));
    ck_assert_ptr_eq(domain_next(0), a);
    domain_put(a);
    ck_assert_ptr_eq(domain_next(6), b);
    domain_put(b);
    ck_assert_ptr_eq(domain_control(), b);
    domain_put(b);
    ck_assert_int_eq(vcpu_create(a, 0), 0);
    ck_assert_ptr_eq(domain_get_for(a->vcpu[0], DOMID_SELF), a);
    ck_assert_ptr_eq(domain_get_for(a->vcpu[0], b->id), b);
    ck_assert_ptr_null(domain_get_for(a->vcpu[0], DOMID_IO));
    domain_put(a);
    domain_put(b);
    ck_assert_ptr_eq(domain_vcpu(a, 0), a->vcpu[0]);
    ck_assert_ptr_null(domain_vcpu(a, 1));
    ck_assert_ptr_null(domain_vcpu(a, 128));
    ck_assert_ptr_null(domain_vcpu(a, ~0u));
    fixture_audit();
    kill_all(a);
    ck_assert_ptr_null(domain_get(5));
    ck_assert_int_eq(domain_create(5, &c, false, &x), -XEN_EEXIST); /* not freed yet */
    ck_assert_int_eq(domain_kill(a), 0);
    ck_assert_int_eq(vcpu_create(a, 1), -XEN_EINVAL);
    domain_put(a);
    ck_assert_uint_eq(domain_unused_id(5), 5);
    kill_all(b);
    domain_put(b);
}
END_TEST

START_TEST(test_create_kill_loop)
{
    uint64_t free_pages = 0, hyp = 0;

    for (unsigned i = 0; i < 60; i++) {
        struct domain *d = fixture_domain(4, 2 + i % 40);

        fixture_populate(d, 0, 100);
        if (i % 3 == 0) {
            ck_assert_int_eq(vcpu_register_info(d->vcpu[d->max_vcpus - 1], gfn(3), 8), 0);
        }
        if (i % 4 == 0) {
            hv->cpu[0].preempt_every = 1 + i % 7;
        }
        fixture_audit();
        fixture_kill(d);
        hv->cpu[0].preempt_every = 0;
        if (i == 0) {
            free_pages = free_page_count();
            hyp = hv->hyp_pages;
        }
        ck_assert_uint_eq(free_page_count(), free_pages);
        ck_assert_uint_eq(hv->hyp_pages, hyp);
        ck_assert_uint_eq(hv->domain_count, 0);
        ck_assert_uint_eq(hv->alive_count, 0);
    }
}
END_TEST

START_TEST(test_create_out_of_memory)
{
    struct xen_domctl_createdomain c = config();
    struct domain *d;
    void *taken[20000];
    unsigned n = 0, failed = 0;
    int rc;

    ck_assert_int_eq(create(&c, 1), 0);
    while (n < 20000 && (taken[n] = hyp_pages_alloc(NULL, 0, FRAME_HYP)) != NULL) {
        n++;
    }
    /* With each page more, creation gets further before it fails. */
    do {
        uint64_t before = free_page_count();

        rc = domain_create(1, &c, false, &d);
        if (rc != 0) {
            ck_assert_int_eq(rc, -XEN_ENOMEM);
            ck_assert_uint_eq(free_page_count(), before);
            ck_assert_uint_eq(hv->domain_count, 0);
            fixture_audit();
            failed++;
            hyp_pages_free(taken[--n], 0);
        }
    } while (rc != 0);
    ck_assert_uint_gt(failed, 5);
    while (vcpu_create(d, 0) != 0) {
        hyp_pages_free(taken[--n], 0);
        fixture_audit();
    }
    while (n) {
        hyp_pages_free(taken[--n], 0);
    }
    kill_all(d);
    domain_put(d);
}
END_TEST

START_TEST(test_pages_accounting)
{
    struct domain *d = fixture_domain(1, 1); /* 256 pages */
    uint32_t refs = d->refs;

    ck_assert(domain_pages_reserve(d, 0));
    ck_assert(!domain_pages_reserve(d, 257));
    ck_assert(!domain_pages_reserve(d, ~UINT64_C(0)));
    ck_assert(domain_pages_reserve(d, 200));
    ck_assert_uint_eq(d->refs, refs + 1);
    ck_assert(!domain_pages_reserve(d, 57));
    ck_assert(!domain_pages_reserve(d, ~UINT64_C(0) - 100));
    ck_assert(domain_pages_reserve(d, 56));
    d->max_pages = 10; /* lowered below what is in use */
    ck_assert(!domain_pages_reserve(d, 1));
    domain_pages_return(d, 256);
    ck_assert_uint_eq(d->refs, refs);
    ck_assert_uint_eq(d->tot_pages, 0);
}
END_TEST

/* The audit finds so many references whose holder it does not know: the test itself. */
static void audit_but_for(uint32_t own)
{
    struct audit_report r;

    audit_run(&r);
    ck_assert_uint_eq(r.violations, own);
    ck_assert_str_eq(r.first, "INV-MEM-7");
    ck_assert_uint_eq(r.frames_leaked, 0);
}

START_TEST(test_memory_outlives_domain)
{
    struct domain *d = fixture_domain(4, 1);
    domid_t id = d->id;
    mfn_t page, shared = ptr_to_mfn(d->shared_info);
    domid_t owner;

    fixture_populate(d, 0, 10);
    page = p2m_lookup(d, gfn(4)).mfn;
    ck_assert(frame_get_any(page, &owner)); /* as a foreign mapping has it */
    ck_assert(frame_get_any(shared, &owner));
    fixture_kill(d);
    ck_assert_uint_eq(hv->domain_count, 1);
    ck_assert_ptr_null(domain_get(id));
    ck_assert_uint_eq(d->state, DOMAIN_DEAD);
    ck_assert_uint_eq(d->tot_pages, 1);
    audit_but_for(2);
    frame_put(page);
    /* Its last guest page is back, but its shared_info is still mapped. */
    ck_assert_uint_eq(hv->domain_count, 1);
    ck_assert_uint_eq(d->hyp_pages, 1);
    audit_but_for(1);
    domain_settle();
    ck_assert_uint_eq(hv->domain_count, 1);
    frame_put(shared);
    domain_settle();
    ck_assert_uint_eq(hv->domain_count, 0);
}
END_TEST

START_TEST(test_put_under_lock)
{
    struct domain *d = fixture_domain(4, 1), *other = fixture_domain(4, 1);

    kill_all(d);
    lock_acquire(&other->p2m.lock);
    fixture_kill(d); /* DEAD already: only the reference */
    ck_assert_uint_eq(hv->domain_count, 2);
    lock_release(&other->p2m.lock);
    ck_assert(sched_pending());
    domain_settle();
    ck_assert_uint_eq(hv->domain_count, 1);
    /* So is a crash. */
    lock_acquire(&other->p2m.lock);
    domain_crash(other, "a test says so");
    ck_assert(other->shutting_down);
    ck_assert(!other->shut_down);
    lock_release(&other->p2m.lock);
    domain_settle();
    ck_assert(other->shut_down);
    ck_assert_uint_eq(other->shutdown_code, SHUTDOWN_crash);
    ck_assert(other->crashed);
    ck_assert_uint_eq(hv->alive_count, 0);
    domain_crash(other, "again");
    domain_shutdown(other, SHUTDOWN_poweroff);
    ck_assert_uint_eq(other->shutdown_code, SHUTDOWN_crash);
    fixture_audit();
}
END_TEST

START_TEST(test_pause)
{
    struct domain *d = fixture_domain(4, 1);
    struct vcpu *v = d->vcpu[0];

    ck_assert_int_eq(v->runstate.state, RUNSTATE_runnable);
    domain_pause(d);
    domain_pause(d);
    ck_assert_int_eq(v->runstate.state, RUNSTATE_offline);
    ck_assert(!v->sched.queued);
    fixture_audit();
    domain_unpause(d);
    ck_assert(!vcpu_runnable(v));
    domain_unpause(d);
    ck_assert(vcpu_runnable(v));
    ck_assert(v->sched.queued);
    domain_unpause(d); /* once too often */
    ck_assert_uint_eq(d->pause_count, 0);
    fixture_audit();
}
END_TEST

START_TEST(test_control_domain_is_told)
{
    struct domain *c = fixture_domain(4, 1), *d = fixture_domain(4, 1);
    evtchn_bind_virq_t b = {.virq = VIRQ_DOM_EXC};

    c->privileged = true;
    ck_assert_int_eq(
        fixture_op(c->vcpu[0], __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &b, sizeof(b)),
        0);
    ck_assert(!evtchn_port_pending(c, b.port));
    domain_shutdown(d, SHUTDOWN_poweroff);
    ck_assert(evtchn_port_pending(c, b.port));
    c->shared_info->evtchn_pending[0] = 0;
    fixture_kill(d);
    ck_assert(evtchn_port_pending(c, b.port));
    c->privileged = false;
}
END_TEST

START_TEST(test_kill_self)
{
    struct domain *d = fixture_domain(4, 1);

    this_cpu()->current = d->vcpu[0];
    ck_assert_int_eq(domain_kill(d), -XEN_EINVAL);
    this_cpu()->current = NULL;
    ck_assert_uint_eq(d->state, DOMAIN_ALIVE);
}
END_TEST

/* CPU 1 runs the victim; CPU 0 kills it meanwhile. */
static struct domain *victim;
static bool killed, stop_guest;

static void killer(void *arg)
{
    int rc;

    for (unsigned i = 0; i < 3000; i++) {
        port_cpu_relax();
    }
    ck_assert(victim->vcpu[0]->sched.running);
    while ((rc = domain_kill(victim)) == -XEN_ERESTART) {
    }
    killed = rc == 0;
    stop_guest = true;
    port_cpu_kick(1);
}

static void guest_cpu(void *arg)
{
    cpu_online(1);
    while (!stop_guest) {
        cpu_turn();
        world_advance(1000);
        port_cpu_relax();
    }
}

START_TEST(test_kill_running)
{
    struct domain *d = fixture_domain(4, 1);

    victim = d;
    killed = stop_guest = false;
    fixture_populate(d, 0, 50);
    hv->cpu[1].online = true;
    ck_assert_int_eq(sched_set_affinity(d->vcpu[0], 2, 2), 0);
    world_set_body(0, killer, NULL);
    world_set_body(1, guest_cpu, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert(killed);
    ck_assert_uint_eq(d->state, DOMAIN_DEAD);
    ck_assert_uint_eq(d->tot_pages, 0);
    fixture_audit();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("domain");
    TCase *t = tcase_create("one CPU"), *two = tcase_create("two CPUs");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, fixture_stop);
    tcase_add_test(t, test_config);
    tcase_add_test(t, test_lookup);
    tcase_add_test(t, test_create_kill_loop);
    tcase_add_test(t, test_create_out_of_memory);
    tcase_add_test(t, test_pages_accounting);
    tcase_add_test(t, test_memory_outlives_domain);
    tcase_add_test(t, test_put_under_lock);
    tcase_add_test(t, test_pause);
    tcase_add_test(t, test_control_domain_is_told);
    tcase_add_test(t, test_kill_self);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(two, setup2, fixture_stop);
    tcase_add_test(two, test_kill_running);
    suite_add_tcase(s, two);
    return fixture_run(s);
}
