/* Timers: order, flood, cancellation, migration between CPUs. */
#include "tests/unit/fixture.h"

#include "port/time.h"

#define FLOOD 20000u

static unsigned order[FLOOD], fired;

struct probe {
    struct timer t;
    unsigned id;
    unsigned count;
    uint64_t again; /* re-arm for this many ns from now, 0: no */
    uint64_t at;
    unsigned cpu;
};

static void probe_fired(void *arg)
{
    struct probe *p = arg;

    order[fired % FLOOD] = p->id;
    fired++;
    p->count++;
    p->at = port_time_now();
    p->cpu = port_cpu_id();
    if (p->again) {
        timer_set(&p->t, port_time_now() + p->again);
    }
}

static void probe_init(struct probe *p, unsigned id, unsigned cpu)
{
    *p = (struct probe){.id = id};
    timer_init(&p->t, probe_fired, p, cpu);
}

static void setup_one(void)
{
    fixture_start(16, 1);
    fired = 0;
}

static void setup_two(void)
{
    fixture_start(16, 2);
    fired = 0;
}

START_TEST(test_order)
{
    struct probe p[6];
    const uint64_t when[6] = {500, 100, 500, 300, 100, 500};
    const unsigned want[6] = {1, 4, 3, 0, 2, 5};

    for (unsigned i = 0; i < 6; i++) {
        probe_init(&p[i], i, 0);
        timer_set(&p[i].t, when[i]);
        fixture_audit();
    }
    ck_assert_uint_eq(timers_next(), 100);
    world_set_time(99);
    timers_run();
    ck_assert_uint_eq(fired, 0);
    world_set_time(500);
    ck_assert(timers_pending());
    timers_run();
    ck_assert_uint_eq(fired, 6);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(order[i], want[i]);
    }
    ck_assert_uint_eq(timers_next(), TIME_NEVER);
    ck_assert(!timers_pending());
}
END_TEST

START_TEST(test_rearm_and_stop)
{
    struct probe a, b;
    struct timer zero = {.active = false};

    probe_init(&a, 0, 0);
    probe_init(&b, 1, 0);
    timer_set(&a.t, 1000);
    timer_set(&b.t, 2000);
    timer_set(&a.t, 3000); /* later */
    ck_assert_uint_eq(timers_next(), 2000);
    timer_set(&a.t, 10); /* earlier */
    ck_assert_uint_eq(timers_next(), 10);
    timer_stop(&a.t);
    timer_stop(&a.t);
    timer_disarm(&a.t);
    ck_assert(!a.t.active);
    timer_stop(&zero);
    world_set_time(5000);
    timers_run();
    ck_assert_uint_eq(a.count, 0);
    ck_assert_uint_eq(b.count, 1);
    /* The past is due at once, but only in the next turn of timers_run(). */
    timer_set(&a.t, 1);
    a.again = 0;
    timers_run();
    ck_assert_uint_eq(a.count, 1);
    timer_set(&a.t, TIME_NEVER);
    timers_run();
    ck_assert_uint_eq(a.count, 1);
    timer_stop(&a.t);
}
END_TEST

static void rearm_past(void *arg)
{
    struct probe *p = arg;

    p->count++;
    timer_set(&p->t, 0);
}

START_TEST(test_rearm_in_the_past_does_not_starve)
{
    struct probe evil, good;

    probe_init(&evil, 0, 0);
    evil.t.fn = rearm_past;
    probe_init(&good, 1, 0);
    timer_set(&evil.t, 10);
    timer_set(&good.t, 50);
    world_set_time(100);
    timers_run();
    ck_assert_uint_eq(evil.count, 1);
    ck_assert_uint_eq(good.count, 1);
    world_set_time(200);
    timers_run();
    ck_assert_uint_eq(evil.count, 2);
    timer_stop(&evil.t);
}
END_TEST

START_TEST(test_flood)
{
    struct probe *p = calloc(FLOOD, sizeof(*p));
    uint64_t x = 88172645463325252ull, last = 0;
    unsigned stopped = 0;

    for (unsigned i = 0; i < FLOOD; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        probe_init(&p[i], i, 0);
        timer_set(&p[i].t, 1 + x % 5000);
    }
    for (unsigned i = 0; i < FLOOD; i += 3) {
        timer_stop(&p[i].t);
        stopped++;
    }
    for (unsigned i = 1; i < FLOOD; i += 3) {
        timer_set(&p[i].t, p[i].t.expires + 7);
    }
    fixture_audit();
    world_set_time(2500);
    timers_run();
    fixture_audit();
    ck_assert_uint_gt(timers_next(), 2500);
    world_set_time(6000);
    timers_run();
    ck_assert_uint_eq(fired, FLOOD - stopped);
    for (unsigned i = 0; i < fired; i++) {
        struct timer *t = &p[order[i]].t;

        ck_assert_uint_ge(t->expires, last);
        if (i > 0 && t->expires == last) {
            ck_assert_uint_gt(t->seq, p[order[i - 1]].t.seq);
        }
        last = t->expires;
    }
    free(p);
}
END_TEST

START_TEST(test_migrate)
{
    struct probe a, b;

    probe_init(&a, 0, 0);
    probe_init(&b, 1, 0);
    timer_set(&a.t, 1000);
    timer_migrate(&a.t, 1);
    timer_migrate(&b.t, 1); /* not armed */
    ck_assert_uint_eq(timers_next(), TIME_NEVER);
    world_on_cpu(1);
    ck_assert_uint_eq(timers_next(), 1000);
    timer_set(&b.t, 1000);
    world_set_time(1000);
    timers_run();
    ck_assert_uint_eq(fired, 2);
    ck_assert_uint_eq(a.cpu, 1);
    world_on_cpu(0);
    /* Armed from another CPU: the owner is told to arm its port timer. */
    timer_set(&b.t, 3000);
    ck_assert_uint_eq(hv->cpu[1].timers.rearm, 1);
    world_on_cpu(1);
    ck_assert(timers_pending());
    timers_run();
    ck_assert(!timers_pending());
    timer_stop(&b.t);
}
END_TEST

/* CPU 1 stops a timer whose function is running on CPU 0: it must wait. */
static struct probe slow;
static bool slow_inside, slow_done, stop_returned_early;

static void slow_fired(void *arg)
{
    slow_inside = true;
    for (unsigned i = 0; i < 50; i++) {
        port_cpu_relax();
    }
    slow_inside = false;
    slow_done = true;
}

static void runner(void *arg)
{
    while (!slow_done) {
        timers_run();
        world_advance(100);
        port_cpu_relax();
    }
}

static void stopper(void *arg)
{
    while (!slow_inside) {
        port_cpu_relax();
    }
    timer_stop(&slow.t);
    stop_returned_early = slow_inside;
}

START_TEST(test_stop_waits_for_fn)
{
    slow_inside = slow_done = stop_returned_early = false;
    probe_init(&slow, 0, 0);
    slow.t.fn = slow_fired;
    timer_set(&slow.t, 1000);
    world_set_body(0, runner, NULL);
    world_set_body(1, stopper, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert(slow_done);
    ck_assert(!stop_returned_early);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("timer");
    TCase *one = tcase_create("one CPU"), *two = tcase_create("two CPUs");

    tcase_add_checked_fixture(one, setup_one, fixture_stop);
    tcase_add_test(one, test_order);
    tcase_add_test(one, test_rearm_and_stop);
    tcase_add_test(one, test_rearm_in_the_past_does_not_starve);
    tcase_add_test(one, test_flood);
    suite_add_tcase(s, one);
    tcase_add_checked_fixture(two, setup_two, fixture_stop);
    tcase_add_test(two, test_migrate);
    tcase_add_test(two, test_stop_waits_for_fn);
    suite_add_tcase(s, two);
    return fixture_run(s);
}
