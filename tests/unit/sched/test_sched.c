/* The credit scheduler over virtual time: shares, caps, boost, ratelimit, affinity,
 * stealing, hot-plug. */
#include "tests/unit/fixture.h"

#include "port/time.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static uint64_t stop_at;

static void stop_hook(void)
{
    if (world_now() >= stop_at) {
        world_request_stop();
    }
}

/* Runs the machine for ns of virtual time. */
static void run_for(uint64_t ns)
{
    stop_at = world_latest() + ns;
    world_exit_hook = stop_hook;
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_exit_hook = NULL;
    fixture_audit();
}

/* Takes all vCPUs off their CPUs, so that main may act on them again. */
static void quiet(void)
{
    struct domain *d;

    for (domid_t id = 0; (d = domain_next(id)) != NULL; domain_put(d)) {
        id = d->id + 1;
        for (unsigned i = 0; i < d->max_vcpus; i++) {
            if (d->vcpu[i]) {
                vcpu_pause_async(d->vcpu[i]);
            }
        }
    }
    (void)world_drain(SECOND);
    fixture_audit();
}

static uint64_t time_in(struct vcpu *v, int state)
{
    struct vcpu_runstate_info r;

    vcpu_runstate_get(v, &r);
    return r.time[state];
}

static uint64_t time_all(struct vcpu *v)
{
    return time_in(v, 0) + time_in(v, 1) + time_in(v, 2) + time_in(v, 3);
}

static struct vcpu *hog(uint32_t weight)
{
    struct domain *d = fixture_domain(4, 1);

    d->weight = weight;
    return d->vcpu[0];
}

/* |a / b - want| within percent of want, in parts of 1000 */
static void assert_near(uint64_t a, uint64_t b, uint64_t permille, unsigned tolerance)
{
    int64_t got = (int64_t)(a * 1000 / b);

    ck_assert_msg(llabs(got - (int64_t)permille) <= tolerance, "%lld permille, want %llu",
                  (long long)got, (unsigned long long)permille);
}

static void setup1(void)
{
    fixture_start(32, 1);
}

static void setup2(void)
{
    fixture_start(32, 2);
}

static void setup4(void)
{
    fixture_start(64, 4);
}

START_TEST(test_weights)
{
    struct vcpu *a = hog(256), *b = hog(512), *c = hog(1024);
    uint64_t all;

    run_for(3 * SECOND);
    all = time_in(a, 0) + time_in(b, 0) + time_in(c, 0);
    assert_near(time_in(a, 0), all, 143, 15);
    assert_near(time_in(b, 0), all, 286, 15);
    assert_near(time_in(c, 0), all, 571, 15);
    /* Nothing is lost: the CPU was never idle, and states add up to the ns. */
    assert_near(all, 3 * SECOND, 1000, 10);
    ck_assert_uint_eq(time_all(a), port_time_now());
    ck_assert_uint_eq(time_all(b), port_time_now());
    ck_assert_uint_eq(time_all(c), port_time_now());
    quiet();
}
END_TEST

START_TEST(test_extreme_weights)
{
    struct vcpu *a = hog(1), *b = hog(65535), *c = hog(0);

    run_for(2 * SECOND);
    ck_assert_uint_gt(time_in(b, 0), 2 * SECOND * 9 / 10);
    /* Nobody starves for ever. */
    ck_assert_uint_gt(time_in(a, 0) + time_in(c, 0), 0);
    quiet();
}
END_TEST

START_TEST(test_shares_over_cpus)
{
    struct vcpu *v[3];

    for (unsigned i = 0; i < 3; i++) {
        v[i] = hog(256);
    }
    run_for(2 * SECOND);
    for (unsigned i = 0; i < 3; i++) {
        assert_near(time_in(v[i], 0), 2 * SECOND, 667, 40);
    }
    quiet();
}
END_TEST

START_TEST(test_fills_all_cpus)
{
    struct domain *d = fixture_domain(4, 4);

    for (unsigned i = 1; i < 4; i++) {
        d->vcpu[i]->initialised = true;
        vcpu_wake_flags(d->vcpu[i], VPF_DOWN);
    }
    run_for(200 * MS);
    for (unsigned i = 0; i < 4; i++) {
        assert_near(time_in(d->vcpu[i], 0), 200 * MS, 1000, 10);
    }
    quiet();
}
END_TEST

START_TEST(test_cap)
{
    struct vcpu *a = hog(256), *b = hog(256);

    a->domain->cap = 25;
    run_for(2 * SECOND);
    assert_near(time_in(a, 0), 2 * SECOND, 250, 15);
    assert_near(time_in(b, 0), 2 * SECOND, 750, 15);
    vcpu_pause_async(b);
    run_for(SECOND);
    /* Not even an idle machine lends it more. */
    assert_near(time_in(a, 0), 3 * SECOND, 250, 15);
    quiet();
}
END_TEST

START_TEST(test_affinity)
{
    struct vcpu *a = hog(256), *b = hog(256);

    ck_assert_int_eq(sched_set_affinity(a, 0, ~0ull), -XEN_EINVAL);
    ck_assert_int_eq(sched_set_affinity(a, 1ull << 60, ~0ull), -XEN_EINVAL);
    run_for(10 * MS); /* all CPUs are online now */
    ck_assert_int_eq(sched_set_affinity(a, 1u << 3, ~0ull), 0);
    ck_assert_int_eq(sched_set_affinity(b, 1u << 3, ~0ull), 0);
    run_for(400 * MS);
    ck_assert_uint_eq(a->sched.cpu, 3);
    ck_assert_uint_eq(b->sched.cpu, 3);
    assert_near(time_in(a, 0), 400 * MS, 510, 60);
    assert_near(time_in(b, 0), 400 * MS, 510, 60);
    ck_assert_ptr_null(hv->cpu[0].current);
    /* Soft affinity is a wish only. */
    ck_assert_int_eq(sched_set_affinity(a, ~0ull, 1u << 1), 0);
    ck_assert_int_eq(sched_set_affinity(b, ~0ull, 1u << 3), 0);
    run_for(100 * MS);
    ck_assert_uint_ne(a->sched.cpu, b->sched.cpu);
    assert_near(time_in(a, 0) + time_in(b, 0), 610 * MS, 1000, 40);
    quiet();
}
END_TEST

START_TEST(test_preempted_moves_to_idle_cpu)
{
    struct vcpu *a = hog(256), *b = hog(256);
    uint64_t ran;

    vcpu_pause_async(b);
    run_for(20 * MS);
    ran = time_in(a, 0);
    ck_assert_int_eq(sched_set_affinity(b, 1ull << a->sched.cpu, ~0ull), 0);
    vcpu_unpause(b); /* boosted: takes a's CPU */
    run_for(100 * MS);
    assert_near(time_in(a, 0) - ran, 100 * MS, 1000, 20);
    assert_near(time_in(b, 0), 100 * MS, 1000, 20);
    quiet();
}
END_TEST

/* A vCPU that sleeps (HLT) and is woken every 5 ms beside a busy one. */
static struct vcpu *sleeper;
static struct timer wake;
static uint64_t woken_at, worst, wakes;

static void push_hlt(struct vcpu *v)
{
    struct guest_exit e = {.reason = EXIT_HLT, .insn_len = 1, .vectoring = {.type = EVENT_NONE}};
    struct guest_regs r = {.rip = 0x1000, .rflags = 0x202};

    script_push(v, &e, &r);
}

static void wake_fired(void *arg)
{
    woken_at = port_time_now();
    wakes++;
    push_hlt(sleeper);
    vcpu_kick(sleeper);
    timer_set(&wake, woken_at + 5 * MS);
}

static void watch_switch(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c)
{
    if (ev == TRACE_SWITCH && a == sleeper->domain->id && woken_at) {
        uint64_t late = port_time_now() - woken_at;

        worst = late > worst ? late : worst;
        woken_at = 0;
    }
}

START_TEST(test_boost)
{
    struct vcpu *busy = hog(256);

    sleeper = hog(256);
    woken_at = worst = wakes = 0;
    push_hlt(sleeper);
    world_trace_sink = watch_switch;
    timer_init(&wake, wake_fired, NULL, 0);
    timer_set(&wake, 20 * MS);
    run_for(500 * MS);
    world_trace_sink = NULL;
    timer_stop(&wake);
    ck_assert_uint_gt(wakes, 90);
    ck_assert_msg(worst < MS / 2, "woken %llu ns late", (unsigned long long)worst);
    ck_assert_int_eq(sleeper->runstate.state, RUNSTATE_blocked);
    ck_assert_uint_gt(time_in(sleeper, RUNSTATE_blocked), 400 * MS);
    assert_near(time_in(busy, 0), 500 * MS, 980, 20);
    quiet();
}
END_TEST

START_TEST(test_idle_machine_has_no_timers)
{
    sleeper = hog(256);
    push_hlt(sleeper);
    /* Accounting and slices end by themselves. */
    ck_assert_int_eq(world_run(), WORLD_DEADLOCK);
    ck_assert_uint_eq(timers_next(), TIME_NEVER);
    ck_assert(!sleeper->sched.active);
    fixture_audit();
}
END_TEST

START_TEST(test_yield_and_order)
{
    struct vcpu *a = hog(256), *b = hog(256), *c = hog(256);

    schedule();
    ck_assert_ptr_eq(current(), a);
    fixture_audit();
    sched_yield_current();
    ck_assert(sched_pending());
    schedule();
    ck_assert_ptr_eq(current(), b);
    sched_yield_current();
    schedule();
    ck_assert_ptr_eq(current(), c);
    /* Nothing happens without a reason. */
    schedule();
    ck_assert_ptr_eq(current(), c);
    world_set_time(50 * MS);
    schedule();
    ck_assert_ptr_eq(current(), a);
    ck_assert_int_eq(c->sched.prio, SCHED_OVER);
    fixture_audit();
    vcpu_pause_async(a);
    vcpu_pause_async(b);
    vcpu_pause_async(c);
    schedule();
    ck_assert_ptr_null(current());
    fixture_audit();
}
END_TEST

/* Nobody is preempted within the ratelimit, and everybody is soon after it. */
static uint64_t preempted_early, preempted, running_since;

static void watch_preemption(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c)
{
    if (ev != TRACE_SWITCH) {
        return;
    }
    if (a == sleeper->domain->id && running_since) {
        preempted++;
        preempted_early += port_time_now() - running_since < 5 * MS - 1000;
    }
    running_since = a == sleeper->domain->id || a == DOMID_IDLE ? 0 : port_time_now();
}

START_TEST(test_ratelimit)
{
    struct sched_tunables t = sched_get_tunables();
    struct vcpu *busy = hog(256);

    ck_assert_uint_eq(t.ratelimit_us, 1000);
    t.ratelimit_us = 99;
    ck_assert_int_eq(sched_set_tunables(&t), -XEN_EINVAL);
    t.ratelimit_us = t.slice_us + 1;
    ck_assert_int_eq(sched_set_tunables(&t), -XEN_EINVAL);
    t = (struct sched_tunables){1000001, 0};
    ck_assert_int_eq(sched_set_tunables(&t), -XEN_EINVAL);
    t = (struct sched_tunables){999, 0};
    ck_assert_int_eq(sched_set_tunables(&t), -XEN_EINVAL);
    t = (struct sched_tunables){10000, 5000};
    ck_assert_int_eq(sched_set_tunables(&t), 0);
    sleeper = hog(256);
    woken_at = wakes = preempted = preempted_early = running_since = 0;
    push_hlt(sleeper);
    world_trace_sink = watch_preemption;
    timer_init(&wake, wake_fired, NULL, 0);
    timer_set(&wake, 20 * MS);
    run_for(500 * MS);
    world_trace_sink = NULL;
    timer_stop(&wake);
    ck_assert_uint_gt(wakes, 80);
    ck_assert_uint_gt(preempted, 40);
    ck_assert_uint_eq(preempted_early, 0);
    ck_assert_uint_gt(time_in(busy, 0), 450 * MS);
    quiet();
}
END_TEST

/* Soft affinity: a vCPU goes where it had better be as soon as there is room. */
START_TEST(test_soft_affinity_brings_home)
{
    struct vcpu *a = hog(256), *b = hog(256);

    run_for(10 * MS);
    ck_assert_int_eq(sched_set_affinity(a, 1u << 2, ~0ull), 0);
    ck_assert_int_eq(sched_set_affinity(b, ~0ull, 1u << 2), 0);
    run_for(100 * MS);
    ck_assert_uint_eq(a->sched.cpu, 2);
    ck_assert_uint_ne(b->sched.cpu, 2);
    vcpu_pause_async(a);
    run_for(100 * MS);
    ck_assert_uint_eq(b->sched.cpu, 2);
    ck_assert(b->sched.running);
    quiet();
}
END_TEST

static int64_t vcpu_op(struct vcpu *v, unsigned cmd, unsigned id)
{
    return fixture_hypercall(v, __HYPERVISOR_vcpu_op, cmd, id, 0, 0, 0);
}

/* VCPUOP_down and up of vCPUs that wait in a queue, that run, and that block. */
START_TEST(test_hotplug)
{
    struct domain *d = fixture_domain(4, 3);
    struct vcpu *a = d->vcpu[0], *b = d->vcpu[1], *c = d->vcpu[2];

    b->initialised = c->initialised = true;
    ck_assert_int_eq(vcpu_op(a, VCPUOP_up, 1), 0);
    ck_assert_int_eq(vcpu_op(a, VCPUOP_up, 2), 0);
    schedule();
    ck_assert_ptr_eq(current(), a);
    ck_assert(b->sched.queued && c->sched.queued);
    for (unsigned i = 0; i < 100; i++) {
        unsigned id = 1 + i % 2;
        struct vcpu *v = d->vcpu[id];

        ck_assert_int_eq(vcpu_op(a, VCPUOP_down, id), 0);
        ck_assert(!v->sched.queued);
        ck_assert_int_eq(v->runstate.state, RUNSTATE_offline);
        ck_assert_int_eq(vcpu_op(a, VCPUOP_is_up, id), 0);
        ck_assert_int_eq(vcpu_op(a, VCPUOP_down, id), 0);
        fixture_audit();
        world_set_time(port_time_now() + MS);
        /* Going up twice changes nothing. */
        ck_assert_int_eq(vcpu_op(a, VCPUOP_up, id), 0);
        ck_assert(v->sched.queued);
        ck_assert_int_eq(vcpu_op(a, VCPUOP_up, id), 0);
        fixture_audit();
    }
    /* A blocked one stays blocked; the running one takes itself down. */
    ck_assert_int_eq(fixture_hypercall(b, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0, 0), 0);
    ck_assert_int_eq(vcpu_op(a, VCPUOP_down, 1), 0);
    ck_assert_int_eq(vcpu_op(a, VCPUOP_down, 0), 0);
    schedule();
    ck_assert_ptr_eq(current(), c);
    ck_assert_int_eq(a->runstate.state, RUNSTATE_offline);
    fixture_audit();
    ck_assert_int_eq(vcpu_op(c, VCPUOP_up, 1), 0);
    ck_assert_int_eq(b->runstate.state, RUNSTATE_blocked);
    ck_assert_int_eq(vcpu_op(c, VCPUOP_up, 0), 0);
    ck_assert(a->sched.queued);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(time_all(d->vcpu[i]), port_time_now());
        vcpu_pause_async(d->vcpu[i]);
    }
    schedule();
    ck_assert_ptr_null(current());
    fixture_audit();
}
END_TEST

START_TEST(test_names)
{
    const char *const name[] = {"credit", "null", "rtds"};
    const uint32_t id[] = {XEN_SCHEDULER_CREDIT, XEN_SCHEDULER_NULL, XEN_SCHEDULER_RTDS};
    uint8_t kind = 99;

    ck_assert_int_eq(hv->sched_kind, SCHED_CREDIT);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(sched_kind_of_name(name[i], &kind));
        ck_assert_uint_eq(kind, i);
        ck_assert_str_eq(sched_kind_name(kind), name[i]);
        ck_assert_int_eq(sched_init(kind), 0);
        ck_assert_uint_eq(sched_xen_id(), id[i]);
    }
    ck_assert(!sched_kind_of_name("credit2", &kind));
    ck_assert(!sched_kind_of_name("", &kind));
    ck_assert(!sched_kind_of_name("nul", &kind));
    ck_assert_int_eq(sched_init(SCHED_KINDS), -XEN_EINVAL);
}
END_TEST

static void add(Suite *s, const char *name, void (*setup)(void), const TTest *const *tests,
                unsigned n)
{
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, fixture_stop);
    for (unsigned i = 0; i < n; i++) {
        tcase_add_test(t, tests[i]);
    }
    suite_add_tcase(s, t);
}

int main(void)
{
    Suite *s = suite_create("sched");
    const TTest *const one[] = {
        test_weights,
        test_extreme_weights,
        test_cap,
        test_boost,
        test_idle_machine_has_no_timers,
        test_yield_and_order,
        test_ratelimit,
        test_hotplug,
        test_names,
    };
    const TTest *const two[] = {test_shares_over_cpus};
    const TTest *const four[] = {test_fills_all_cpus, test_affinity,
                                 test_preempted_moves_to_idle_cpu, test_soft_affinity_brings_home};

    add(s, "one CPU", setup1, one, sizeof(one) / sizeof(one[0]));
    add(s, "two CPUs", setup2, two, 1);
    add(s, "four CPUs", setup4, four, 4);
    return fixture_run(s);
}
