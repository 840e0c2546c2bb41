/* The scheduler over virtual time: shares, caps, boost, affinity, stealing, and
 * SCHEDOP_*. */
#include "tests/unit/fixture.h"

#include <xen/hvm/params.h>
#include <xen/sched.h>

#include "core/evtchn/evtchn.h"
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

static int64_t sched_op(struct vcpu *v, unsigned cmd, void *arg, size_t len)
{
    return fixture_op(v, __HYPERVISOR_sched_op, cmd, arg, len);
}

START_TEST(test_op_errors)
{
    struct vcpu *v = hog(256);
    const unsigned with_arg[] = {SCHEDOP_shutdown, SCHEDOP_poll, SCHEDOP_remote_shutdown,
                                 SCHEDOP_shutdown_code, SCHEDOP_watchdog};
    sched_pin_override_t pin = {.pcpu = 0};
    sched_remote_shutdown_t remote = {.domain_id = 999, .reason = SHUTDOWN_crash};

    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_sched_op, 99, 0, 0, 0, 0), -XEN_ENOSYS);
    for (unsigned i = 0; i < sizeof(with_arg) / sizeof(with_arg[0]); i++) {
        ck_assert_int_eq(
            fixture_hypercall(v, __HYPERVISOR_sched_op, with_arg[i], 0x7ffff000, 0, 0, 0),
            -XEN_EFAULT);
    }
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), -XEN_EPERM);
    ck_assert_int_eq(sched_op(v, SCHEDOP_remote_shutdown, &remote, sizeof(remote)), -XEN_ESRCH);
    remote.domain_id = DOMID_SELF;
    ck_assert_int_eq(sched_op(v, SCHEDOP_remote_shutdown, &remote, sizeof(remote)), -XEN_ESRCH);
    remote.domain_id = hog(256)->domain->id;
    ck_assert_int_eq(sched_op(v, SCHEDOP_remote_shutdown, &remote, sizeof(remote)), -XEN_EPERM);
    ck_assert(!v->domain->shutting_down);
    v->domain->privileged = true;
    ck_assert_int_eq(sched_op(v, SCHEDOP_remote_shutdown, &remote, sizeof(remote)), 0);
    pin.pcpu = -1;
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), -XEN_EINVAL);
    pin.pcpu = 0;
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), 0);
    ck_assert_uint_eq(v->sched.hard_affinity, 1);
    pin.pcpu = 77;
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), -XEN_EINVAL);
    pin.pcpu = -1;
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), 0);
    ck_assert_uint_eq(v->sched.hard_affinity, ~UINT64_C(0));
    v->domain->privileged = false;
}
END_TEST

START_TEST(test_block)
{
    struct vcpu *v = hog(256);

    v->info->evtchn_upcall_mask = 1;
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0, 0), 0);
    ck_assert_uint_eq(v->info->evtchn_upcall_mask, 0);
    ck_assert_uint_eq(v->pause_flags, VPF_BLOCKED);
    ck_assert_int_eq(v->runstate.state, RUNSTATE_blocked);
    fixture_audit();
    vcpu_kick(v);
    ck_assert_uint_eq(v->pause_flags, 0);
    ck_assert_int_eq(v->runstate.state, RUNSTATE_runnable);
    ck_assert(v->sched.queued);
    fixture_audit();
}
END_TEST

struct poll_args {
    sched_poll_t p;
    evtchn_port_t ports[130];
};

static int64_t do_poll(struct vcpu *v, struct poll_args *a, unsigned n, uint64_t timeout)
{
    a->p.nr_ports = n;
    a->p.timeout = timeout;
    *(uint64_t *)&a->p.ports = FIXTURE_SCRATCH_GPA + offsetof(struct poll_args, ports);
    return sched_op(v, SCHEDOP_poll, a, sizeof(*a));
}

START_TEST(test_poll)
{
    struct vcpu *v = hog(256);
    struct domain *d = v->domain;
    struct poll_args a;
    uint32_t p1, p2;

    memset(&a, 0, sizeof(a));
    ck_assert_int_eq(evtchn_alloc_unbound(d, d->id, &p1), 0);
    ck_assert_int_eq(evtchn_alloc_unbound(d, d->id, &p2), 0);
    ck_assert_int_eq(do_poll(v, &a, 129, 0), -XEN_EINVAL);
    a.ports[0] = p1;
    a.ports[1] = 100000;
    ck_assert_int_eq(do_poll(v, &a, 2, 0), -XEN_EINVAL);
    ck_assert_uint_eq(v->pause_flags, 0);
    a.p.nr_ports = 1;
    *(uint64_t *)&a.p.ports = 0x7ffff000;
    ck_assert_int_eq(sched_op(v, SCHEDOP_poll, &a, sizeof(a)), -XEN_EFAULT);
    /* A set, woken by one of its ports, masked as it is. */
    a.ports[1] = p2;
    d->shared_info->evtchn_mask[0] = ~0ul;
    ck_assert_int_eq(do_poll(v, &a, 2, 0), 0);
    ck_assert_uint_eq(v->pause_flags, VPF_BLOCKED | VPF_POLL);
    fixture_audit();
    evtchn_notify(d, p2);
    ck_assert_uint_eq(v->pause_flags, 0);
    /* Pending already: does not wait. */
    ck_assert_int_eq(do_poll(v, &a, 2, 0), 0);
    ck_assert_uint_eq(v->pause_flags, 0);
    /* One port: another one does not wake it; the timeout does. */
    ck_assert_int_eq(do_poll(v, &a, 1, 5 * MS), 0);
    ck_assert_uint_eq(v->poll_port, p1);
    d->shared_info->evtchn_pending[0] = 0;
    evtchn_notify(d, p2);
    ck_assert_uint_eq(v->pause_flags, VPF_BLOCKED | VPF_POLL);
    world_set_time(5 * MS - 1);
    timers_run();
    ck_assert_uint_eq(v->pause_flags, VPF_BLOCKED | VPF_POLL);
    world_set_time(5 * MS);
    timers_run();
    ck_assert_uint_eq(v->pause_flags, 0);
    /* No port at all: sleeps until the timeout. An old one is forgotten. */
    ck_assert_int_eq(do_poll(v, &a, 0, 9 * MS), 0);
    vcpu_kick(v);
    ck_assert_int_eq(do_poll(v, &a, 1, 0), 0);
    world_set_time(20 * MS);
    timers_run();
    ck_assert_uint_eq(v->pause_flags, VPF_BLOCKED | VPF_POLL);
    fixture_audit();
}
END_TEST

START_TEST(test_shutdown)
{
    struct vcpu *v = hog(256);
    sched_shutdown_t s = {.reason = SHUTDOWN_reboot};

    ck_assert_uint_eq(hv->alive_count, 1);
    ck_assert_int_eq(sched_op(v, SCHEDOP_shutdown_code, &s, sizeof(s)), 0);
    ck_assert_int_eq(sched_op(v, SCHEDOP_shutdown_code, &s, sizeof(s)), -XEN_EEXIST);
    s.reason = SHUTDOWN_poweroff;
    ck_assert_int_eq(sched_op(v, SCHEDOP_shutdown, &s, sizeof(s)), 0);
    ck_assert(v->domain->shutting_down);
    ck_assert(v->domain->shut_down);
    ck_assert_uint_eq(v->domain->shutdown_code, SHUTDOWN_reboot);
    ck_assert_uint_eq(hv->alive_count, 0);
    ck_assert(!vcpu_runnable(v));
    ck_assert_int_eq(v->runstate.state, RUNSTATE_offline);
    fixture_audit();
    ck_assert_int_eq(domain_resume(v->domain), 0);
    ck_assert_int_eq(domain_resume(v->domain), -XEN_EINVAL);
    ck_assert(vcpu_runnable(v));
    ck_assert_uint_eq(hv->alive_count, 1);
    fixture_audit();
}
END_TEST

START_TEST(test_watchdog)
{
    struct vcpu *v = hog(256);
    sched_watchdog_t w = {.id = 0, .timeout = 0};

    ck_assert_int_eq(sched_op(v, SCHEDOP_watchdog, &w, sizeof(w)), -XEN_EINVAL);
    w.timeout = 30;
    ck_assert_int_eq(sched_op(v, SCHEDOP_watchdog, &w, sizeof(w)), 1);
    ck_assert_int_eq(sched_op(v, SCHEDOP_watchdog, &w, sizeof(w)), 2);
    ck_assert_int_eq(sched_op(v, SCHEDOP_watchdog, &w, sizeof(w)), -XEN_ENOSPC);
    w.id = 3;
    ck_assert_int_eq(sched_op(v, SCHEDOP_watchdog, &w, sizeof(w)), -XEN_EINVAL);
    w = (sched_watchdog_t){.id = 2, .timeout = 0};
    ck_assert_int_eq(sched_op(v, SCHEDOP_watchdog, &w, sizeof(w)), 0);
    ck_assert_int_eq(sched_op(v, SCHEDOP_watchdog, &w, sizeof(w)), -XEN_EINVAL);
    world_set_time(20 * SECOND);
    w = (sched_watchdog_t){.id = 1, .timeout = 30};
    ck_assert_int_eq(sched_op(v, SCHEDOP_watchdog, &w, sizeof(w)), 0);
    world_set_time(49 * SECOND);
    timers_run();
    ck_assert(!v->domain->shut_down);
    world_set_time(50 * SECOND);
    timers_run();
    ck_assert(v->domain->shut_down);
    ck_assert_uint_eq(v->domain->shutdown_code, SHUTDOWN_watchdog);
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
    const TTest *const one[] = {test_weights,
                                test_extreme_weights,
                                test_cap,
                                test_boost,
                                test_idle_machine_has_no_timers,
                                test_yield_and_order,
                                test_op_errors,
                                test_block,
                                test_poll,
                                test_shutdown,
                                test_watchdog};
    const TTest *const two[] = {test_shares_over_cpus};
    const TTest *const four[] = {test_fills_all_cpus, test_affinity,
                                 test_preempted_moves_to_idle_cpu};

    add(s, "one CPU", setup1, one, sizeof(one) / sizeof(one[0]));
    add(s, "two CPUs", setup2, two, 1);
    add(s, "four CPUs", setup4, four, 3);
    return fixture_run(s);
}
