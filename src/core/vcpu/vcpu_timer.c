/* The three timers of a vCPU. They follow it from CPU to CPU, so that what fires
 * has its vCPU at hand. */
#include "base/atomic.h"
#include "core/evtchn/evtchn.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"

static void singleshot_fired(void *arg)
{
    evtchn_virq_vcpu(arg, VIRQ_TIMER);
}

/* Sends the tick that is due at now and sets the next one on the period's grid. */
static void periodic_tick(struct vcpu *v, uint64_t now)
{
    uint64_t period = load_u64(&v->periodic_period);

    if (period == 0) {
        return;
    }
    if (now >= v->periodic_next) {
        v->periodic_next += (now - v->periodic_next) / period * period + period;
        evtchn_virq_vcpu(v, VIRQ_TIMER);
    }
    timer_set(&v->periodic, v->periodic_next);
}

static void periodic_fired(void *arg)
{
    periodic_tick(arg, port_time_now());
}

static void poll_timed_out(void *arg)
{
    struct vcpu *v = arg;

    if ((load_u32(&v->pause_flags) & VPF_POLL) != 0) {
        vcpu_wake_flags(v, VPF_BLOCKED | VPF_POLL);
    }
}

void vcpu_timers_init(struct vcpu *v)
{
    timer_init(&v->singleshot, singleshot_fired, v, v->sched.cpu);
    timer_init(&v->periodic, periodic_fired, v, v->sched.cpu);
    timer_init(&v->poll, poll_timed_out, v, v->sched.cpu);
}

void vcpu_timers_stop(struct vcpu *v)
{
    store_u64(&v->periodic_period, 0);
    timer_stop(&v->singleshot);
    timer_stop(&v->periodic);
    timer_stop(&v->poll);
}

void vcpu_set_periodic(struct vcpu *v, uint64_t period)
{
    /* A tick that runs elsewhere now would set the timer again. */
    store_u64(&v->periodic_period, 0);
    timer_stop(&v->periodic);
    if (period != 0) {
        v->periodic_next = port_time_now() + period;
        store_u64(&v->periodic_period, period);
        if (load_u8((const uint8_t *)&v->sched.running) != 0) {
            timer_set(&v->periodic, v->periodic_next);
        }
    }
}

void vcpu_timers_switch_in(struct vcpu *v)
{
    unsigned cpu = port_cpu_id();

    timer_migrate(&v->singleshot, cpu);
    timer_migrate(&v->periodic, cpu);
    timer_migrate(&v->poll, cpu);
    periodic_tick(v, port_time_now());
}

void vcpu_timers_switch_out(struct vcpu *v)
{
    timer_disarm(&v->periodic);
}
