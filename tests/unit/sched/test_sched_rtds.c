/* RTDS: what is reserved is held under load, in every period. */
#include "tests/unit/sched/sched_run.h"

static void stop(void)
{
    sched_quiet();
    fixture_stop();
}

static void set(struct vcpu *v, uint32_t period_us, uint32_t budget_us, bool extratime)
{
    struct sched_params p = {
        .period_us = period_us, .budget_us = budget_us, .extratime = extratime};

    ck_assert_int_eq(sched_set_vcpu_params(v, &p), 0);
}

/* The least and the most that a vCPU ran in any window of a period. */
struct window {
    struct vcpu *v;
    uint64_t period, last, least, most, count;
    struct timer tick;
};

static void window_over(void *arg)
{
    struct window *w = arg;
    uint64_t ran = sched_ran(w->v), now = port_time_now();

    if (w->count++ > 2) {
        w->least = ran - w->last < w->least ? ran - w->last : w->least;
        w->most = ran - w->last > w->most ? ran - w->last : w->most;
    }
    w->last = ran;
    timer_set(&w->tick, now + w->period - now % w->period);
}

static void window_start(struct window *w, struct vcpu *v, uint64_t period)
{
    *w = (struct window){.v = v, .period = period, .least = UINT64_MAX};
    timer_init(&w->tick, window_over, w, 0);
    timer_set(&w->tick, period);
}

START_TEST(test_reservation_under_load)
{
    struct window w;
    struct vcpu *v, *z[3];
    uint64_t rest = 0;

    sched_start(SCHED_RTDS, 1, 0);
    v = sched_hog(0, 0);
    set(v, 10000, 4000, false);
    for (unsigned i = 0; i < 3; i++) {
        z[i] = sched_hog(0, 0);
        set(z[i], 10000, 1000, true);
    }
    window_start(&w, v, 10 * MS);
    sched_run_for(2 * SECOND);
    timer_stop(&w.tick);
    sched_near("reserved", sched_ran(v), 800 * MS, 20);
    ck_assert_uint_gt(w.count, 190);
    /* In each period, to the time that it takes to leave guest mode. */
    ck_assert_msg(w.least >= 3900 * US, "%llu ns in one period", (unsigned long long)w.least);
    ck_assert_msg(w.most <= 4100 * US, "%llu ns in one period", (unsigned long long)w.most);
    for (unsigned i = 0; i < 3; i++) {
        rest += sched_ran(z[i]);
        /* Their own millisecond, and a fair part of what nobody reserved. */
        sched_near("extratime", sched_ran(z[i]), 400 * MS, 100);
    }
    sched_near("all", rest + sched_ran(v), 2 * SECOND, 10);
    stop();
}
END_TEST

/* Different periods: EDF fills a CPU to the brim without missing a deadline. */
START_TEST(test_deadlines)
{
    const uint32_t period[3] = {5000, 10000, 20000}, budget[3] = {2000, 3000, 5500};
    struct window w[3];
    struct vcpu *v[3], *noise;

    sched_start(SCHED_RTDS, 1, 0);
    for (unsigned i = 0; i < 3; i++) {
        v[i] = sched_hog(0, 0);
        set(v[i], period[i], budget[i], false);
        window_start(&w[i], v[i], period[i] * US);
    }
    noise = sched_hog(0, 0);
    set(noise, 1000000, 10, true);
    sched_run_for(2 * SECOND);
    for (unsigned i = 0; i < 3; i++) {
        timer_stop(&w[i].tick);
        ck_assert_msg(w[i].least >= budget[i] * US * 95 / 100, "vCPU %u: %llu ns", i,
                      (unsigned long long)w[i].least);
        sched_near("reserved", sched_ran(v[i]), 2 * SECOND / period[i] * budget[i], 20);
    }
    ck_assert_uint_lt(sched_ran(noise), 100 * MS);
    stop();
}
END_TEST

/* Global EDF over several CPUs: reservations of more than half a CPU each, more of
 * them than CPUs, beside busy ones. */
START_TEST(test_more_cpus)
{
    struct vcpu *v[3], *z[4];

    sched_start(SCHED_RTDS, 3, 0);
    for (unsigned i = 0; i < 3; i++) {
        v[i] = sched_hog(0, 0);
        set(v[i], 10000, 6000, false);
    }
    for (unsigned i = 0; i < 4; i++) {
        z[i] = sched_hog(0, 0);
        set(z[i], 10000, 100, true);
    }
    sched_run_for(SECOND);
    for (unsigned i = 0; i < 3; i++) {
        sched_near("reserved", sched_ran(v[i]), 600 * MS, 20);
    }
    for (unsigned i = 0; i < 4; i++) {
        sched_near("extratime", sched_ran(z[i]), 300 * MS, 100);
    }
    stop();
}
END_TEST

/* Without extratime a budget is also a limit, on an idle machine too; with it the
 * machine is filled. */
START_TEST(test_budget_is_a_limit)
{
    struct sched_params p;
    struct vcpu *v;

    sched_start(SCHED_RTDS, 2, 0);
    v = sched_hog(0, 0);
    ck_assert_int_eq(sched_get_vcpu_params(v, &p), 0);
    ck_assert_uint_eq(p.period_us, 10000);
    ck_assert_uint_eq(p.budget_us, 4000);
    ck_assert(p.extratime);
    sched_run_for(SECOND);
    sched_near("extratime", sched_ran(v), SECOND, 10);
    set(v, 10000, 4000, false);
    sched_run_for(SECOND);
    sched_near("limited", sched_ran(v), 1400 * MS, 20);
    set(v, 50000, 5000, false);
    sched_run_for(SECOND);
    sched_near("less", sched_ran(v), 1500 * MS, 20);
    stop();
}
END_TEST

/* A sleeper with a reservation runs at once when it wakes, budget provided. */
START_TEST(test_sleeper)
{
    struct sched_napper n;
    struct vcpu *v, *z[2];

    sched_start(SCHED_RTDS, 1, 0);
    v = sched_hog(0, 0);
    set(v, 5000, 2000, false);
    for (unsigned i = 0; i < 2; i++) {
        z[i] = sched_hog(0, 0);
        set(z[i], 10000, 2000, true);
    }
    sched_napper_start(&n, v, 10 * MS, MS);
    sched_run_for(SECOND);
    sched_napper_stop(&n);
    ck_assert_uint_gt(sched_ran(v), 90 * MS);
    /* Its runnable time: nobody with budget of its own keeps it waiting for long. */
    ck_assert_uint_lt(sched_time(v, RUNSTATE_runnable), 150 * MS);
    sched_near("all", sched_ran(v) + sched_ran(z[0]) + sched_ran(z[1]), SECOND, 10);
    stop();
}
END_TEST

START_TEST(test_parameters)
{
    struct sched_params p = {.period_us = 10000, .budget_us = 9}, q;
    struct domain *d;

    sched_start(SCHED_RTDS, 1, 0);
    d = sched_hogs(2, 0, 0);
    ck_assert_int_eq(sched_set_vcpu_params(d->vcpu[0], &p), -XEN_EINVAL);
    ck_assert_int_eq(sched_set_params(d, &p), -XEN_EINVAL);
    p = (struct sched_params){.period_us = 1000, .budget_us = 1001};
    ck_assert_int_eq(sched_set_vcpu_params(d->vcpu[0], &p), -XEN_EINVAL);
    p = (struct sched_params){.period_us = 0, .budget_us = 0};
    ck_assert_int_eq(sched_set_params(d, &p), -XEN_EINVAL);
    p = (struct sched_params){.period_us = UINT32_MAX, .budget_us = UINT32_MAX};
    ck_assert_int_eq(sched_set_params(d, &p), 0);
    sched_run_for(20 * MS);
    p = (struct sched_params){.period_us = 20, .budget_us = 10, .extratime = false};
    ck_assert_int_eq(sched_set_vcpu_params(d->vcpu[1], &p), 0);
    p = (struct sched_params){.period_us = 3000, .budget_us = 1000, .extratime = true};
    ck_assert_int_eq(sched_set_params(d, &p), 0);
    ck_assert_int_eq(sched_get_vcpu_params(d->vcpu[1], &q), 0);
    ck_assert_uint_eq(q.period_us, 3000);
    ck_assert_uint_eq(q.budget_us, 1000);
    ck_assert(!q.extratime); /* only set one by one */
    ck_assert_int_eq(sched_get_vcpu_params(d->vcpu[0], &q), 0);
    ck_assert(q.extratime);
    sched_get_params(d, &q);
    ck_assert_uint_eq(q.period_us, 10000);
    ck_assert_uint_eq(q.budget_us, 4000);
    stop();
}
END_TEST

/* Pinned, moved and taken down in the middle of it. */
START_TEST(test_affinity_and_hotplug)
{
    struct vcpu *v, *z[4];

    sched_start(SCHED_RTDS, 2, 0);
    v = sched_hog(0, 0);
    set(v, 10000, 5000, false);
    for (unsigned i = 0; i < 4; i++) {
        z[i] = sched_hog(0, 0);
        set(z[i], 10000, 1000, true);
    }
    sched_run_for(MS);
    ck_assert_int_eq(sched_set_affinity(v, 2, ~0ull), 0);
    sched_run_for(500 * MS);
    ck_assert_uint_eq(v->sched.cpu, 1);
    sched_near("pinned", sched_ran(v), 250 * MS, 40);
    vcpu_sleep_flags(v, VPF_DOWN);
    sched_run_for(100 * MS);
    ck_assert_int_eq(v->runstate.state, RUNSTATE_offline);
    ck_assert(!v->sched.replenish.active);
    vcpu_wake_flags(v, VPF_DOWN);
    ck_assert_int_eq(sched_set_affinity(v, 1, ~0ull), 0);
    sched_run_for(500 * MS);
    ck_assert_uint_eq(v->sched.cpu, 0);
    sched_near("moved", sched_ran(v), 500 * MS, 40);
    sched_kill(v);
    sched_run_for(10 * MS);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched rtds");
    const TTest *const all[] = {
        test_reservation_under_load, test_deadlines, test_more_cpus,
        test_budget_is_a_limit,      test_sleeper,   test_parameters,
        test_affinity_and_hotplug,
    };

    sched_add(s, "rtds", all, sizeof(all) / sizeof(all[0]));
    return fixture_run(s);
}
