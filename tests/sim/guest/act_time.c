/* Timers of vcpu_op and set_timer_op, blocking and yielding. */
#include "guest.h"

static uint32_t tick_port;

static int64_t single(uint64_t at, uint32_t flags)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = at, .flags = flags};

    return vcpu_op(VCPUOP_set_singleshot_timer, 0, &t);
}

static void ticks_begin(void)
{
    tick_port = (uint32_t)event_virq(VIRQ_TIMER, 0);
}

static void ticks_end(void)
{
    event_close(tick_port);
}

/* Fires once, not before its time; past times at once. */
static void one_shot(void)
{
    uint64_t at = now() + 3 * MS;

    ticks_begin();
    EQ(single(at, 0), 0);
    OK(WAIT(fired[tick_port] == 1));
    OK(now() >= at);
    rest(5 * MS);
    EQ(fired[tick_port], 1);
    EQ(single(now() - MS, 0), 0);
    OK(WAIT(fired[tick_port] == 2));
    EQ(single(now() - MS, VCPU_SSHOTTMR_future), -XEN_ETIME);
    EQ(single(now() + 2 * MS, 0), 0);
    EQ(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    EQ(single(UINT64_C(1) << 62, 0), 0); /* a far one is no trouble */
    rest(4 * MS);
    EQ(fired[tick_port], 2);
    EQ(single(now() + 100000 * SECOND, 0), 0);
    EQ(single(now() + MS, 0), 0); /* replaces it */
    OK(WAIT(fired[tick_port] == 3));
    EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, 0x7fff00000000), -XEN_EFAULT);
    ticks_end();
}

static void periodic(void)
{
    struct vcpu_set_periodic_timer t = {.period_ns = 2 * MS};
    uint64_t start = now();

    ticks_begin();
    EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &t), 0);
    OK(WAIT(fired[tick_port] >= 5));
    OK(now() >= start + 10 * MS);
    EQ(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    rest(MS);
    start = fired[tick_port];
    rest(6 * MS);
    EQ(fired[tick_port], start);
    t.period_ns = MS / 2;
    EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &t), -XEN_EINVAL);
    t.period_ns = UINT64_MAX;
    EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &t), -XEN_EINVAL);
    EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, 0x7fff00000000), -XEN_EFAULT);
    ticks_end();
}

static void timer_op(void)
{
    uint64_t at = now() + 2 * MS;

    ticks_begin();
    EQ(HC1(__HYPERVISOR_set_timer_op, at), 0);
    OK(WAIT(fired[tick_port] == 1));
    OK(now() >= at);
    EQ(HC1(__HYPERVISOR_set_timer_op, now() + 2 * MS), 0);
    EQ(HC1(__HYPERVISOR_set_timer_op, 0), 0); /* stops it */
    rest(4 * MS);
    EQ(fired[tick_port], 1);
    ticks_end();
}

/* Blocking ends with an event, which is not delivered as long as interrupts are off. */
static void block(void)
{
    uint64_t at = now() + 50 * MS;

    ticks_begin();
    EQ(single(at, 0), 0);
    irq_off();
    /* One that comes right before the hypercall wakes nobody: not near the time, then. */
    while (!vcpu_info()->evtchn_upcall_pending && now() < at + PATIENCE) {
        if (now() + 20 * MS < at)
            sched_op(SCHEDOP_block, NULL);
    }
    OK(now() >= at);
    EQ(vcpu_info()->evtchn_upcall_pending, 1);
    EQ(fired[tick_port], 0);
    irq_on();
    OK(WAIT(fired[tick_port] == 1));
    for (unsigned i = 0; i < 100; i++)
        EQ(sched_op(SCHEDOP_yield, NULL), 0);
    ticks_end();
}

/* HLT ends with the timer's event. */
static void halted(void)
{
    uint64_t at = now() + 2 * MS;

    ticks_begin();
    EQ(single(at, 0), 0);
    OK(HALT_UNTIL(fired[tick_port]));
    EQ(fired[tick_port], 1);
    OK(now() >= at);
    ticks_end();
}

static void poll_times(void)
{
    uint64_t start = now();

    EQ(poll_until(1), 0);
    EQ(poll_until(start), 0);
    EQ(poll_until(UINT64_MAX), 0); /* the top bit set: long past */
    OK(now() < start + PATIENCE);
    for (uint64_t t = now() + MS; t < start + 8 * MS; t = now() + MS) {
        EQ(poll_until(t), 0);
        OK(now() >= t);
    }
}

static void wallclock(void)
{
    OK(shared->wc_version % 2 == 0);
    OK(shared->wc_nsec < SECOND);
}

static void watchdog(void)
{
    struct sched_watchdog w = {.id = 0, .timeout = 0}, v;
    int64_t id;

    OK(sched_op(SCHEDOP_watchdog, &w) < 0); /* none to stop */
    w.timeout = 30;
    id = sched_op(SCHEDOP_watchdog, &w);
    OK(id > 0);
    v = (struct sched_watchdog){.id = (uint32_t)id, .timeout = 60};
    EQ(sched_op(SCHEDOP_watchdog, &v), 0);
    v.id = 77;
    EQ(sched_op(SCHEDOP_watchdog, &v), -XEN_EINVAL);
    v = (struct sched_watchdog){.id = (uint32_t)id, .timeout = 0};
    EQ(sched_op(SCHEDOP_watchdog, &v), 0);
}

const struct act acts_time[] = {
    {"time-one-shot", 1, one_shot},
    {"time-periodic", 1, periodic},
    {"time-set-timer", 1, timer_op},
    {"time-block", 1, block},
    {"time-hlt", 1, halted},
    {"time-poll", 1, poll_times},
    {"time-wallclock", 1, wallclock},
    {"time-watchdog", 1, watchdog},
    {0},
};
