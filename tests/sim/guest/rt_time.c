/* The pvclock (<xen/xen.h>, struct vcpu_time_info), and sleeping by it. */
#include "guest.h"

uint64_t tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

/* (delta << shift) * mul / 2^32 without losing the top. */
static uint64_t scale(uint64_t delta, uint32_t mul, int8_t shift)
{
    uint64_t lo, hi;

    delta = shift < 0 ? delta >> -shift : delta << shift;
    __asm__("mul %3" : "=a"(lo), "=d"(hi) : "a"(delta), "r"((uint64_t)mul));
    return hi << 32 | lo >> 32;
}

uint64_t now(void)
{
    const volatile struct vcpu_time_info *t = &vcpu_info()->time;
    uint32_t version;
    uint64_t ns;

    do {
        while ((version = t->version) & 1)
            relax();
        __asm__ volatile("" ::: "memory");
        ns = t->system_time + scale(tsc() - t->tsc_timestamp, t->tsc_to_system_mul, t->tsc_shift);
        __asm__ volatile("" ::: "memory");
    } while (t->version != version);
    return ns;
}

uint64_t tsc_hz(void)
{
    const volatile struct vcpu_time_info *t = &vcpu_info()->time;
    uint64_t hz = (SECOND << 32) / t->tsc_to_system_mul;

    return t->tsc_shift < 0 ? hz << -t->tsc_shift : hz >> t->tsc_shift;
}

uint64_t poll_until(uint64_t deadline)
{
    struct sched_poll p = {.nr_ports = 0, .timeout = deadline};

    return (uint64_t)sched_op(SCHEDOP_poll, &p);
}

void rest(uint64_t ns)
{
    poll_until(now() + ns);
}

int64_t backstop_begin(void)
{
    struct vcpu_set_periodic_timer t = {.period_ns = SECOND};
    int64_t port = event_virq(VIRQ_TIMER, me()->id); /* unless there is one */

    vcpu_op(VCPUOP_set_periodic_timer, me()->id, &t);
    return port;
}

void backstop_end(int64_t port)
{
    vcpu_op(VCPUOP_stop_periodic_timer, me()->id, NULL);
    if (port > 0)
        event_close((uint32_t)port);
}
