/* Many vCPUs on several CPUs, with random pausing, waking, pinning, capping,
 * shutting down and killing in between, and CPUs that overtake one another at
 * every lock. The audit holds throughout and no time is lost. */
#include "tests/unit/fixture.h"

#include "base/atomic.h"
#include "port/time.h"

#define MS UINT64_C(1000000)
#define DOMAINS 6u

static struct domain *dom[DOMAINS];
static uint32_t state;
static uint64_t stop_at;
static uint64_t born; /* when the vCPUs were made */
static unsigned audits, ops, acquires, kills;
static struct timer driver[4]; /* one per CPU: acts from inside the core */

static uint32_t rnd(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % n;
}

static bool overtake(void)
{
    return acquires++ % 3 == 0 && rnd(4) == 0;
}

static void push_hlt(struct vcpu *v)
{
    struct guest_exit e = {.reason = EXIT_HLT, .insn_len = 1, .vectoring = {.type = EVENT_NONE}};
    struct guest_regs r = {.rip = 0x1000, .rflags = 0x202};

    script_push(v, &e, &r);
}

/* Every state's time together is the age of the vCPU. */
static void check_time(struct vcpu *v)
{
    struct vcpu_runstate_info r;
    uint64_t upto;

    vcpu_runstate_get(v, &r);
    /* A CPU whose clock is ahead may have been the last to change the state. */
    upto = r.state_entry_time > port_time_now() ? r.state_entry_time : port_time_now();
    ck_assert_uint_eq(r.time[0] + r.time[1] + r.time[2] + r.time[3] + born, upto);
}

static void random_params(struct domain *d, struct vcpu *v)
{
    struct sched_params p = {
        .weight = (uint16_t)rnd(1000),
        .cap = (uint16_t)(rnd(3) ? 0 : 1 + rnd(150)),
        .period_us = 10 + rnd(20000),
        .budget_us = rnd(10000),
        .extratime = rnd(2),
    };

    (void)sched_set_params(d, &p);
    (void)sched_set_vcpu_params(v, &p);
}

static void random_op(void)
{
    unsigned i = rnd(DOMAINS);
    struct domain *d = dom[i];
    struct vcpu *v = d->vcpu[rnd(d->max_vcpus)];

    switch (rnd(12)) {
    case 0:
        vcpu_pause_async(v);
        break;
    case 1:
    case 2:
        vcpu_unpause(v);
        break;
    case 3:
        push_hlt(v);
        break;
    case 4:
    case 5:
        vcpu_kick(v);
        break;
    case 6:
        (void)sched_set_affinity(v, 1 + rnd(15), 1 + rnd(15));
        break;
    case 7:
        random_params(d, v);
        break;
    case 8:
        vcpu_wake_flags(v, VPF_DOWN);
        break;
    case 9:
        vcpu_sleep_flags(v, VPF_DOWN);
        break;
    case 10:
        timer_set(&v->singleshot, port_time_now() + rnd(3000000));
        break;
    default:
        if (rnd(20) == 0) {
            domain_shutdown(d, SHUTDOWN_reboot);
        } else {
            (void)domain_resume(d);
        }
        break;
    }
    check_time(v);
    ops++;
}

static void drive(void *arg)
{
    random_op();
    if (world_now() >= stop_at) {
        world_request_stop();
    } else {
        timer_set(arg, port_time_now() + 2000 + rnd(40000));
    }
}

static void at_exit(void)
{
    if (rnd(64) == 0 && world_quiescent()) {
        /* Nobody may overtake the audit where it takes a lock. */
        world_acquire_hook = NULL;
        fixture_audit();
        world_acquire_hook = overtake;
        audits++;
    }
}

static void stress(uint32_t seed, uint8_t kind)
{
    unsigned alive = 0;

    state = seed * 2654435761u + 1;
    fixture_start(64, 4);
    ck_assert_int_eq(sched_init(kind), 0);
    born = 12345678901 + seed;
    world_set_time(born);
    for (unsigned i = 0; i < DOMAINS; i++) {
        dom[i] = fixture_domain(4, 1 + i);
        for (unsigned k = 1; k <= i; k++) {
            dom[i]->vcpu[k]->initialised = true;
            vcpu_wake_flags(dom[i]->vcpu[k], VPF_DOWN);
        }
    }
    stop_at = born + 40 * MS;
    for (unsigned i = 0; i < 4; i++) {
        timer_init(&driver[i], drive, &driver[i], i);
        timer_set(&driver[i], born + 1000 * i);
    }
    world_exit_hook = at_exit;
    world_acquire_hook = overtake;
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_exit_hook = NULL;
    world_acquire_hook = NULL;
    fixture_audit();
    for (unsigned i = 0; i < 4; i++) {
        timer_stop(&driver[i]);
    }
    for (unsigned i = 0; i < DOMAINS; i++) {
        for (unsigned k = 0; k < dom[i]->max_vcpus; k++) {
            vcpu_pause_async(dom[i]->vcpu[k]);
        }
    }
    (void)world_drain(1000 * MS);
    for (unsigned i = 0; i < DOMAINS; i++) {
        /* Every shutdown was completed. */
        ck_assert(dom[i]->shutting_down == dom[i]->shut_down);
        alive += !dom[i]->shut_down;
        for (unsigned k = 0; k < dom[i]->max_vcpus; k++) {
            check_time(dom[i]->vcpu[k]);
            ck_assert(!dom[i]->vcpu[k]->sched.running);
        }
    }
    ck_assert_uint_eq(hv->alive_count, alive);
    fixture_stop();
}

START_TEST(test_stress)
{
    audits = ops = 0;
    stress((uint32_t)_i + 1, (uint8_t)(_i % SCHED_KINDS));
    ck_assert_uint_gt(ops, 500);
    ck_assert_uint_gt(audits, 5);
}
END_TEST

/* The same seed gives the same run. */
START_TEST(test_deterministic)
{
    unsigned first;

    ops = acquires = 0;
    stress(99, SCHED_CREDIT);
    first = acquires;
    ops = acquires = 0;
    stress(99, SCHED_CREDIT);
    ck_assert_uint_eq(acquires, first);
}
END_TEST

/* One CPU runs guests while others kill them: nothing is used after it is freed. */
static unsigned alive_killers;

static void killer(void *arg)
{
    unsigned from = *(unsigned *)arg;

    for (unsigned i = from; i < DOMAINS; i += 2) {
        int rc;

        for (unsigned k = rnd(2000); k > 0; k--) {
            port_cpu_relax();
        }
        while ((rc = domain_kill(dom[i])) == -XEN_ERESTART) {
            store_u32(&this_cpu()->resched, 0);
            port_cpu_relax();
        }
        ck_assert_int_eq(rc, 0);
        kills++;
    }
    alive_killers--;
}

static void guests(void *arg)
{
    cpu_online(port_cpu_id());
    while (alive_killers) {
        cpu_turn();
        world_advance(500);
        port_cpu_relax();
    }
}

static bool kick_all(uint64_t next)
{
    port_cpu_kick(2);
    port_cpu_kick(3);
    return true;
}

START_TEST(test_kill_race)
{
    unsigned odd[2] = {0, 1};

    state = (uint32_t)_i * 7919 + 5;
    kills = 0;
    alive_killers = 2;
    fixture_start(64, 4);
    ck_assert_int_eq(sched_init((uint8_t)(_i % SCHED_KINDS)), 0);
    hv->cpu[0].online = false;
    hv->cpu[2].online = hv->cpu[3].online = true;
    for (unsigned i = 0; i < DOMAINS; i++) {
        dom[i] = fixture_domain(4, 1 + i);
        for (unsigned k = 0; k <= i; k++) {
            dom[i]->vcpu[k]->initialised = true;
            vcpu_wake_flags(dom[i]->vcpu[k], VPF_DOWN);
            ck_assert_int_eq(sched_set_affinity(dom[i]->vcpu[k], 0xc, 0xc), 0);
        }
        fixture_populate(dom[i], 0, 20);
    }
    world_set_body(0, killer, &odd[0]);
    world_set_body(1, killer, &odd[1]);
    world_set_body(2, guests, NULL);
    world_set_body(3, guests, NULL);
    world_idle_hook = kick_all;
    world_acquire_hook = overtake;
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_idle_hook = NULL;
    world_acquire_hook = NULL;
    ck_assert_uint_eq(kills, DOMAINS);
    fixture_audit();
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched stress");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 100);
    tcase_add_loop_test(t, test_stress, 0, 12);
    tcase_add_test(t, test_deterministic);
    tcase_add_loop_test(t, test_kill_race, 0, 6);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
