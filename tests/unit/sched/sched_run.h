/* Running the machine for some virtual time and looking where it went. */
#ifndef CORBEL_TESTS_SCHED_RUN_H
#define CORBEL_TESTS_SCHED_RUN_H

#include "tests/unit/fixture.h"

#include "hostsim/world/world_impl.h"
#include "port/cpu.h"
#include "port/time.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static uint64_t sched_stop_at;

static inline void sched_stop_hook(void)
{
    if (world_now() >= sched_stop_at) {
        world_request_stop();
    }
}

/* A machine with the given scheduler, whose guests leave guest mode only every
 * step_ns when nothing happens. */
static inline void sched_start(uint8_t kind, unsigned cpus, uint64_t step_ns)
{
    fixture_start(64, cpus);
    ck_assert_int_eq(sched_init(kind), 0);
    script_run_ns(step_ns);
    world.cfg.quantum_ns = step_ns ? step_ns : world.cfg.quantum_ns;
}

static inline void sched_stop_timer(void *arg)
{
    world_request_stop();
}

static inline void sched_run_for(uint64_t ns)
{
    static struct timer t; /* for when all CPUs idle */

    sched_stop_at = world_latest() + ns;
    timer_init(&t, sched_stop_timer, NULL, 0);
    timer_set(&t, sched_stop_at);
    /* What main did in place of an idle CPU, that has to see. */
    for (unsigned i = 0; i < hv->cpu_count; i++) {
        port_cpu_kick(i);
    }
    world_exit_hook = sched_stop_hook;
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_exit_hook = NULL;
    timer_stop(&t);
    fixture_audit();
}

/* Takes all vCPUs off their CPUs, so that main may act on them again. */
static inline void sched_quiet(void)
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
    script_run_ns(0);
    fixture_audit();
}

/* Main can only kill what does not run. */
static inline void sched_kill(struct vcpu *v)
{
    vcpu_pause_async(v);
    sched_run_for(MS);
    fixture_kill(v->domain);
}

static inline uint64_t sched_time(struct vcpu *v, int state)
{
    struct vcpu_runstate_info r;

    vcpu_runstate_get(v, &r);
    return r.time[state];
}

static inline uint64_t sched_ran(struct vcpu *v)
{
    return sched_time(v, RUNSTATE_running);
}

/* A domain of busy vCPUs, all up. */
static inline struct domain *sched_hogs(unsigned vcpus, uint16_t weight, uint16_t cap)
{
    struct domain *d = fixture_domain(4, vcpus);
    struct sched_params p = {.weight = weight, .cap = cap};

    if (hv->sched_kind == SCHED_CREDIT) {
        ck_assert_int_eq(sched_set_params(d, &p), 0);
    }
    for (unsigned i = 1; i < vcpus; i++) {
        d->vcpu[i]->initialised = true;
        vcpu_wake_flags(d->vcpu[i], VPF_DOWN);
    }
    return d;
}

static inline struct vcpu *sched_hog(uint16_t weight, uint16_t cap)
{
    return sched_hogs(1, weight, cap)->vcpu[0];
}

/* got within permille parts of 1000 of want */
static inline void sched_near(const char *what, uint64_t got, uint64_t want, unsigned permille)
{
    uint64_t off = got > want ? got - want : want - got;

    if (getenv("SCHED_VERBOSE")) {
        printf("%s: %llu, want %llu: off by %.2f %%\n", what, (unsigned long long)got,
               (unsigned long long)want, 100.0 * (double)off / (double)want);
    }
    ck_assert_msg(off * 1000 <= want * permille, "%s: %llu ns, want %llu ns", what,
                  (unsigned long long)got, (unsigned long long)want);
}

static inline void sched_push_hlt(struct vcpu *v)
{
    struct guest_exit e = {.reason = EXIT_HLT, .insn_len = 1, .vectoring = {.type = EVENT_NONE}};
    struct guest_regs r = {.rip = 0x1000, .rflags = 0x202};

    script_push(v, &e, &r);
}

/* A vCPU that wakes up every period and is busy for so long then. */
struct sched_napper {
    struct vcpu *v;
    uint64_t period, busy;
    struct timer wake, nap;
};

static inline void sched_nap(void *arg)
{
    struct sched_napper *n = arg;

    sched_push_hlt(n->v);
}

static inline void sched_rise(void *arg)
{
    struct sched_napper *n = arg;

    vcpu_kick(n->v);
    timer_set(&n->nap, port_time_now() + n->busy);
    timer_set(&n->wake, port_time_now() + n->period);
}

static inline void sched_napper_start(struct sched_napper *n, struct vcpu *v, uint64_t period,
                                      uint64_t busy)
{
    *n = (struct sched_napper){.v = v, .period = period, .busy = busy};
    sched_push_hlt(v);
    timer_init(&n->wake, sched_rise, n, 0);
    timer_init(&n->nap, sched_nap, n, 0);
    timer_set(&n->wake, port_time_now() + period);
}

static inline void sched_napper_stop(struct sched_napper *n)
{
    timer_stop(&n->wake);
    timer_stop(&n->nap);
}

static inline void sched_add(Suite *s, const char *name, const TTest *const *tests, unsigned n)
{
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 120);
    for (unsigned i = 0; i < n; i++) {
        tcase_add_test(t, tests[i]);
    }
    suite_add_tcase(s, t);
}

#endif
