/* SCHEDOP_*: errors, blocking, polling, shutdown, watchdogs. */
#include "tests/unit/sched/sched_run.h"

#include <xen/sched.h>

#include "core/evtchn/evtchn.h"

static void setup(void)
{
    fixture_start(32, 1);
}

static struct vcpu *hog(uint16_t weight)
{
    return sched_hog(weight, 0);
}

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
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), -XEN_EBUSY);
    ck_assert_int_eq(sched_set_affinity(v, 1, 1), -XEN_EBUSY);
    pin.pcpu = 77;
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), -XEN_EINVAL);
    pin.pcpu = -1;
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), 0);
    ck_assert_uint_eq(v->sched.hard_affinity, ~UINT64_C(0));
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), -XEN_EINVAL);
    pin.pcpu = INT32_MAX;
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), -XEN_EINVAL);
    pin.pcpu = INT32_MIN;
    ck_assert_int_eq(sched_op(v, SCHEDOP_pin_override, &pin, sizeof(pin)), -XEN_EINVAL);
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
    ck_assert_int_eq(sched_op(v, SCHEDOP_shutdown_code, &s, sizeof(s)), 0);
    s.reason = SHUTDOWN_crash;
    /* The first one counts, as in Xen. */
    ck_assert_int_eq(sched_op(v, SCHEDOP_shutdown_code, &s, sizeof(s)), 0);
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

/* Far future sleeps; what is negative in Xen's signed times is long past. */
START_TEST(test_poll_timeouts)
{
    const uint64_t past[] = {1, 5 * MS, UINT64_C(1) << 63, UINT64_MAX};
    struct vcpu *v = hog(256);
    struct poll_args a;

    memset(&a, 0, sizeof(a));
    world_set_time(10 * MS);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(do_poll(v, &a, 0, past[i]), 0);
        ck_assert_uint_eq(v->pause_flags, VPF_BLOCKED | VPF_POLL);
        timers_run();
        ck_assert_uint_eq(v->pause_flags, 0);
        fixture_audit();
    }
    ck_assert_int_eq(do_poll(v, &a, 0, INT64_MAX), 0);
    world_set_time(UINT64_C(1) << 62);
    timers_run();
    ck_assert_uint_eq(v->pause_flags, VPF_BLOCKED | VPF_POLL);
    world_set_time(INT64_MAX);
    timers_run();
    ck_assert_uint_eq(v->pause_flags, 0);
    fixture_audit();
}
END_TEST

/* Every reason ends the domain and is what the toolstack sees, unknown ones too; only
 * their low byte counts. */
START_TEST(test_shutdown_reasons)
{
    const uint32_t reason[] = {SHUTDOWN_poweroff,
                               SHUTDOWN_reboot,
                               SHUTDOWN_suspend,
                               SHUTDOWN_crash,
                               SHUTDOWN_soft_reset,
                               77,
                               0x1fe};
    sched_shutdown_t s;
    sched_remote_shutdown_t r;
    struct vcpu *boss = hog(256);

    boss->domain->privileged = true;
    for (unsigned i = 0; i < sizeof(reason) / sizeof(reason[0]); i++) {
        struct vcpu *v = hog(256), *w = hog(256);

        s.reason = reason[i];
        ck_assert_int_eq(sched_op(v, SCHEDOP_shutdown, &s, sizeof(s)), 0);
        ck_assert(v->domain->shut_down);
        ck_assert_uint_eq(v->domain->shutdown_code, (uint8_t)reason[i]);
        memset(&r, 0, sizeof(r));
        r.domain_id = w->domain->id;
        r.reason = reason[i];
        ck_assert_int_eq(sched_op(boss, SCHEDOP_remote_shutdown, &r, sizeof(r)), 0);
        ck_assert(w->domain->shut_down);
        ck_assert_uint_eq(w->domain->shutdown_code, (uint8_t)reason[i]);
        /* Once is enough. */
        r.reason = SHUTDOWN_MAX;
        ck_assert_int_eq(sched_op(boss, SCHEDOP_remote_shutdown, &r, sizeof(r)), 0);
        ck_assert_uint_eq(w->domain->shutdown_code, (uint8_t)reason[i]);
    }
    boss->domain->privileged = false;
    fixture_audit();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched_op");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, fixture_stop);
    tcase_add_test(t, test_op_errors);
    tcase_add_test(t, test_block);
    tcase_add_test(t, test_poll);
    tcase_add_test(t, test_poll_timeouts);
    tcase_add_test(t, test_shutdown);
    tcase_add_test(t, test_shutdown_reasons);
    tcase_add_test(t, test_watchdog);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
