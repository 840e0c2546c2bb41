/* The null scheduler: a CPU for each vCPU, and a queue for the rest. */
#include "tests/unit/sched/sched_run.h"

static unsigned owners(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        n += hv->cpu[i].rq.owner != NULL;
    }
    return n;
}

static void stop(void)
{
    sched_quiet();
    fixture_stop();
}

START_TEST(test_one_each)
{
    struct domain *d;

    sched_start(SCHED_NULL, 4, 0);
    d = sched_hogs(4, 0, 0);
    sched_run_for(200 * MS);
    ck_assert_uint_eq(owners(), 4);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert(d->vcpu[i]->sched.running);
        ck_assert_ptr_eq(hv->cpu[d->vcpu[i]->sched.cpu].rq.owner, d->vcpu[i]);
        sched_near("vcpu", sched_ran(d->vcpu[i]), 200 * MS, 5);
    }
    stop();
}
END_TEST

/* Who comes too late waits until somebody goes, first come first served. */
START_TEST(test_rest_waits)
{
    struct vcpu *v[6];

    sched_start(SCHED_NULL, 2, 0);
    for (unsigned i = 0; i < 6; i++) {
        v[i] = sched_hog(0, 0);
    }
    sched_run_for(50 * MS);
    ck_assert(v[0]->sched.running && v[1]->sched.running);
    for (unsigned i = 2; i < 6; i++) {
        ck_assert_uint_eq(sched_ran(v[i]), 0);
        ck_assert_int_eq(v[i]->runstate.state, RUNSTATE_runnable);
    }
    /* Blocking does not give the CPU away. */
    sched_push_hlt(v[0]);
    sched_run_for(50 * MS);
    ck_assert_int_eq(v[0]->runstate.state, RUNSTATE_blocked);
    ck_assert_uint_eq(owners(), 2);
    ck_assert_uint_eq(sched_ran(v[2]), 0);
    /* Nor does pausing; going down does. */
    vcpu_pause_async(v[1]);
    sched_run_for(10 * MS);
    ck_assert_uint_eq(sched_ran(v[2]), 0);
    vcpu_unpause(v[1]);
    sched_run_for(10 * MS);
    ck_assert(v[1]->sched.running);
    vcpu_sleep_flags(v[0], VPF_DOWN);
    sched_run_for(10 * MS);
    ck_assert(v[2]->sched.running);
    ck_assert_uint_eq(sched_ran(v[3]), 0);
    /* Back too late: behind the others. */
    vcpu_wake_flags(v[0], VPF_DOWN | VPF_BLOCKED);
    vcpu_sleep_flags(v[1], VPF_DOWN);
    sched_run_for(10 * MS);
    ck_assert(v[3]->sched.running);
    ck_assert(v[0]->sched.queued);
    /* A domain that dies leaves its CPU, running or waiting. */
    sched_kill(v[4]);
    sched_kill(v[2]);
    sched_run_for(10 * MS);
    ck_assert(v[5]->sched.running);
    sched_kill(v[3]);
    sched_run_for(10 * MS);
    ck_assert(v[0]->sched.running);
    stop();
}
END_TEST

START_TEST(test_affinity)
{
    struct vcpu *v[3];

    sched_start(SCHED_NULL, 3, 0);
    v[0] = sched_hog(0, 0);
    v[1] = sched_hog(0, 0);
    sched_run_for(10 * MS);
    ck_assert_int_eq(sched_set_affinity(v[0], 1, ~0ull), 0);
    ck_assert_int_eq(sched_set_affinity(v[1], 2, ~0ull), 0);
    sched_run_for(10 * MS);
    ck_assert_uint_eq(v[0]->sched.cpu, 0);
    ck_assert_uint_eq(v[1]->sched.cpu, 1);
    ck_assert(v[0]->sched.running && v[1]->sched.running);
    /* The third can only wait for CPU 0, although another one is free. */
    v[2] = sched_hog(0, 0);
    ck_assert_int_eq(sched_set_affinity(v[2], 1, ~0ull), 0);
    sched_run_for(20 * MS);
    ck_assert(v[2]->sched.queued);
    ck_assert_uint_eq(owners(), 2);
    ck_assert_int_eq(sched_set_affinity(v[0], 1u << 2, ~0ull), 0);
    sched_run_for(20 * MS);
    ck_assert_uint_eq(v[0]->sched.cpu, 2);
    ck_assert(v[0]->sched.running && v[2]->sched.running);
    ck_assert_uint_eq(v[2]->sched.cpu, 0);
    /* To where somebody is: waits there; and away again. */
    ck_assert_int_eq(sched_set_affinity(v[1], 1, ~0ull), 0);
    sched_run_for(20 * MS);
    ck_assert(v[1]->sched.queued);
    ck_assert_int_eq(sched_set_affinity(v[1], ~0ull, ~0ull), 0);
    sched_run_for(20 * MS);
    ck_assert(v[1]->sched.running);
    ck_assert_uint_eq(v[1]->sched.cpu, 1);
    stop();
}
END_TEST

START_TEST(test_no_parameters)
{
    struct sched_params p = {.weight = 1, .cap = 1, .period_us = 100, .budget_us = 100};
    struct vcpu *v;

    sched_start(SCHED_NULL, 1, 0);
    v = sched_hog(0, 0);
    ck_assert_int_eq(sched_set_params(v->domain, &p), 0);
    ck_assert_uint_eq(v->domain->cap, 0);
    sched_get_params(v->domain, &p);
    ck_assert_uint_eq(p.weight, 0);
    ck_assert_int_eq(sched_set_vcpu_params(v, &p), -XEN_EINVAL);
    ck_assert_int_eq(sched_get_vcpu_params(v, &p), -XEN_EINVAL);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched null");
    const TTest *const all[] = {test_one_each, test_rest_waits, test_affinity, test_no_parameters};

    sched_add(s, "null", all, sizeof(all) / sizeof(all[0]));
    return fixture_run(s);
}
