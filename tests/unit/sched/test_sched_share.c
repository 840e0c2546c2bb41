/* Credit over a virtual minute: shares by weight and cap come out within two parts
 * of a hundred. */
#include "tests/unit/sched/sched_run.h"

#define MINUTE (60 * SECOND)
#define STEP (250 * US)

static void start(unsigned cpus)
{
    sched_start(SCHED_CREDIT, cpus, STEP);
}

static void stop(void)
{
    sched_quiet();
    fixture_stop();
}

START_TEST(test_four_weights)
{
    struct vcpu *v[4];

    start(1);
    for (unsigned i = 0; i < 4; i++) {
        v[i] = sched_hog((uint16_t)(128 << i), 0);
    }
    sched_run_for(MINUTE);
    for (unsigned i = 0; i < 4; i++) {
        sched_near("weight", sched_ran(v[i]), (MINUTE << i) / 15, 20);
    }
    stop();
}
END_TEST

START_TEST(test_more_vcpus_than_cpus)
{
    const uint16_t weight[5] = {256, 256, 256, 512, 1024};
    struct vcpu *v[5];

    start(2);
    for (unsigned i = 0; i < 5; i++) {
        v[i] = sched_hog(weight[i], 0);
    }
    sched_run_for(MINUTE);
    for (unsigned i = 0; i < 5; i++) {
        sched_near("weight", sched_ran(v[i]), 2 * MINUTE * weight[i] / 2304, 20);
    }
    stop();
}
END_TEST

/* Nobody can use more than one CPU: what the heaviest has too much goes to the others
 * by their weights. */
START_TEST(test_excess_is_shared)
{
    struct vcpu *a, *b, *c;

    start(2);
    a = sched_hog(4096, 0);
    b = sched_hog(256, 0);
    c = sched_hog(512, 0);
    sched_run_for(MINUTE);
    sched_near("heaviest", sched_ran(a), MINUTE, 20);
    sched_near("light", sched_ran(b), MINUTE / 3, 20);
    sched_near("middle", sched_ran(c), MINUTE * 2 / 3, 20);
    stop();
}
END_TEST

START_TEST(test_domains_of_many_vcpus)
{
    struct domain *d[3];

    start(3);
    for (unsigned i = 0; i < 3; i++) {
        d[i] = sched_hogs(4, (uint16_t)(256 << i), 0);
    }
    sched_run_for(MINUTE);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t sum = 0;

        for (unsigned k = 0; k < 4; k++) {
            sum += sched_ran(d[i]->vcpu[k]);
            sched_near("vcpu", sched_ran(d[i]->vcpu[k]), (3 * MINUTE << i) / 28, 20);
        }
        sched_near("domain", sum, (3 * MINUTE << i) / 7, 20);
    }
    stop();
}
END_TEST

START_TEST(test_cap_of_an_idle_machine)
{
    struct vcpu *a, *b;
    struct domain *d;

    start(5);
    a = sched_hog(256, 50);
    b = sched_hog(256, 7);
    d = sched_hogs(3, 256, 150);
    sched_run_for(MINUTE);
    sched_near("cap 50", sched_ran(a), MINUTE / 2, 20);
    sched_near("cap 7", sched_ran(b), MINUTE * 7 / 100, 20);
    sched_near("cap 150", sched_ran(d->vcpu[0]) + sched_ran(d->vcpu[1]) + sched_ran(d->vcpu[2]),
               MINUTE * 3 / 2, 20);
    /* Parked is offline, to the nanosecond. */
    ck_assert_uint_gt(sched_time(a, RUNSTATE_offline), MINUTE * 49 / 100);
    stop();
}
END_TEST

START_TEST(test_cap_of_a_busy_machine)
{
    struct vcpu *a, *b, *c;

    start(1);
    a = sched_hog(2048, 50);
    b = sched_hog(256, 0);
    c = sched_hog(512, 0);
    sched_run_for(MINUTE);
    sched_near("cap 50", sched_ran(a), MINUTE / 2, 20);
    sched_near("light", sched_ran(b), MINUTE / 6, 20);
    sched_near("middle", sched_ran(c), MINUTE / 3, 20);
    stop();
}
END_TEST

/* Weights count on one CPU too where some are pinned together. */
START_TEST(test_pinned_together)
{
    struct vcpu *a, *b, *c, *e;

    start(2);
    a = sched_hog(256, 0);
    b = sched_hog(768, 0);
    c = sched_hog(256, 0);
    e = sched_hog(256, 0);
    sched_run_for(MS);
    ck_assert_int_eq(sched_set_affinity(a, 1, ~0ull), 0);
    ck_assert_int_eq(sched_set_affinity(b, 1, ~0ull), 0);
    ck_assert_int_eq(sched_set_affinity(c, 2, ~0ull), 0);
    ck_assert_int_eq(sched_set_affinity(e, 2, ~0ull), 0);
    sched_run_for(MINUTE);
    sched_near("pinned light", sched_ran(a), MINUTE / 4, 20);
    sched_near("pinned heavy", sched_ran(b), MINUTE * 3 / 4, 20);
    sched_near("equal", sched_ran(c), MINUTE / 2, 20);
    sched_near("equal", sched_ran(e), MINUTE / 2, 20);
    stop();
}
END_TEST

/* What one leaves unused goes to the others by their weights. */
START_TEST(test_napper_leaves_its_share)
{
    struct sched_napper n;
    struct vcpu *a, *b, *z;
    uint64_t left;

    start(1);
    z = sched_hog(1024, 0);
    a = sched_hog(256, 0);
    b = sched_hog(512, 0);
    sched_napper_start(&n, z, 20 * MS, 2 * MS);
    sched_run_for(MINUTE);
    left = MINUTE - sched_ran(z);
    ck_assert_uint_lt(sched_ran(z), MINUTE / 5);
    ck_assert_uint_gt(sched_ran(z), MINUTE / 20);
    sched_near("light", sched_ran(a), left / 3, 20);
    sched_near("heavy", sched_ran(b), left * 2 / 3, 20);
    sched_napper_stop(&n);
    stop();
}
END_TEST

/* Sleeping does not pay: whoever is busy for long and sleeps for a while in between
 * gets no more than its share. */
START_TEST(test_sleeping_does_not_pay)
{
    struct sched_napper n;
    struct vcpu *a, *z;

    start(1);
    z = sched_hog(64, 0);
    a = sched_hog(960, 0);
    sched_napper_start(&n, z, 200 * MS, 100 * MS);
    sched_run_for(MINUTE);
    ck_assert_uint_lt(sched_ran(z), MINUTE * 8 / 100);
    ck_assert_uint_gt(sched_ran(a), MINUTE * 92 / 100);
    sched_napper_stop(&n);
    stop();
}
END_TEST

/* Changed while it runs. */
START_TEST(test_parameters_change)
{
    struct sched_params p = {.weight = 0, .cap = 101}, q;
    struct vcpu *a, *b;
    uint64_t before;

    start(1);
    a = sched_hog(256, 0);
    b = sched_hog(256, 0);
    sched_run_for(10 * SECOND);
    sched_near("equal", sched_ran(a), 5 * SECOND, 20);
    before = sched_ran(a);
    p = (struct sched_params){.weight = 768, .cap = SCHED_CAP_KEEP};
    ck_assert_int_eq(sched_set_params(a->domain, &p), 0);
    sched_run_for(10 * SECOND);
    sched_near("heavier", sched_ran(a) - before, 7500 * MS, 20);
    p = (struct sched_params){.weight = 0, .cap = 10};
    ck_assert_int_eq(sched_set_params(a->domain, &p), 0);
    before = sched_ran(a);
    sched_run_for(10 * SECOND);
    sched_near("capped", sched_ran(a) - before, SECOND, 20);
    sched_get_params(a->domain, &q);
    ck_assert_uint_eq(q.weight, 768);
    ck_assert_uint_eq(q.cap, 10);
    p.cap = 0;
    ck_assert_int_eq(sched_set_params(a->domain, &p), 0);
    before = sched_ran(a);
    sched_run_for(10 * SECOND);
    sched_near("uncapped", sched_ran(a) - before, 7500 * MS, 20);
    ck_assert_uint_gt(sched_ran(b), 10 * SECOND);
    /* Credit has no parameters of a vCPU. */
    ck_assert_int_eq(sched_set_vcpu_params(a, &p), -XEN_EINVAL);
    ck_assert_int_eq(sched_get_vcpu_params(a, &q), -XEN_EINVAL);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched share");
    const TTest *const all[] = {
        test_four_weights,          test_more_vcpus_than_cpus,    test_excess_is_shared,
        test_domains_of_many_vcpus, test_cap_of_an_idle_machine,  test_cap_of_a_busy_machine,
        test_pinned_together,       test_napper_leaves_its_share, test_sleeping_does_not_pay,
        test_parameters_change,
    };

    sched_add(s, "credit", all, sizeof(all) / sizeof(all[0]));
    return fixture_run(s);
}
