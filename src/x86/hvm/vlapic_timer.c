/* The local APIC timer: one-shot, periodic, TSC deadline (SDM 10.5.4). One tick
 * of its bus clock is one nanosecond of system time. */
#include "x86/hvm/hvm.h"

#include "base/arith.h"
#include "base/atomic.h"
#include "port/cpu.h"
#include "port/time.h"

/* A guest may ask for a period of a few ticks; interrupts come no more often
 * than this. */
#define PERIOD_MIN_NS UINT64_C(50000)

enum timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE, TIMER_RESERVED };

static enum timer_mode mode_of(const struct vlapic *l)
{
    return (enum timer_mode)(load_u32(&l->lvt_timer) >> 17 & 3);
}

/* The page shows the registers; the CPU may have put the guest's value there before the
 * old one was done with. */
static void set_lvt(struct vlapic *l, uint32_t value)
{
    store_u32(&l->lvt_timer, value);
    l->page[LAPIC_LVT_TIMER].v = value;
}

static void set_initial(struct vlapic *l, uint32_t count)
{
    l->initial = l->page[LAPIC_TIMER_INITIAL].v = count;
}

/* Bits 3, 1, 0 of the register: 0 divides by 2, 6 by 128, 7 by 1. */
static uint64_t tick_ns(uint32_t divide)
{
    unsigned code = (divide & 3) | (divide >> 1 & 4);

    return UINT64_C(1) << ((code + 1) & 7);
}

static uint64_t period_ns(const struct vlapic *l)
{
    return (uint64_t)l->initial * tick_ns(l->divide);
}

static void timer_interrupt(struct vcpu *v)
{
    uint32_t lvt = load_u32(&v->arch->lapic.lvt_timer);

    if ((lvt & LVT_MASKED) == 0)
        vlapic_set_irq(v, (uint8_t)lvt, false);
}

static void timer_fired(void *arg)
{
    struct vcpu *v = arg;
    struct vlapic *l = &v->arch->lapic;
    enum timer_mode mode = mode_of(l);
    uint64_t period = period_ns(l), now = port_time_now();

    timer_interrupt(v);
    if (mode == TIMER_DEADLINE) {
        l->tsc_deadline = 0;
    } else if (mode == TIMER_PERIODIC && period != 0) {
        uint64_t elapsed = now - l->timer_start;

        /* The count is always that of the exact period; late or too many
         * interrupts are merged. */
        l->timer_start += elapsed - elapsed % period;
        timer_set(&l->timer, max_u64(l->timer_start + period, now + PERIOD_MIN_NS));
    }
}

void vlapic_timer_create(struct vcpu *v)
{
    timer_init(&v->arch->lapic.timer, timer_fired, v, port_cpu_id());
}

void vlapic_timer_stop(struct vcpu *v)
{
    timer_stop(&v->arch->lapic.timer);
}

void vlapic_timer_reset(struct vcpu *v)
{
    struct vlapic *l = &v->arch->lapic;

    vlapic_timer_stop(v);
    l->tsc_deadline = 0;
    set_lvt(l, LVT_MASKED);
    set_initial(l, 0);
    l->divide = l->page[LAPIC_TIMER_DIVIDE].v = 0;
}

void vlapic_switch_in(struct vcpu *v)
{
    struct timer *t = &v->arch->lapic.timer;

    if (t->cpu != port_cpu_id())
        timer_migrate(t, port_cpu_id());
}

/* Arms the timer for the running count. */
static void timer_start_count(struct vcpu *v)
{
    struct vlapic *l = &v->arch->lapic;

    if (l->initial == 0 || mode_of(l) >= TIMER_DEADLINE) {
        timer_stop(&l->timer);
        return;
    }
    timer_set(&l->timer, l->timer_start + period_ns(l));
}

void vlapic_timer_set_initial(struct vcpu *v, uint32_t count)
{
    struct vlapic *l = &v->arch->lapic;

    if (mode_of(l) == TIMER_DEADLINE) { /* 10.5.4.1: ignored */
        set_initial(l, l->initial);
        return;
    }
    timer_stop(&l->timer);
    set_initial(l, count);
    l->timer_start = port_time_now();
    timer_start_count(v);
}

uint32_t vlapic_timer_current(const struct vlapic *l)
{
    uint32_t initial = l->initial;
    uint64_t ticks;

    if (initial == 0 || mode_of(l) >= TIMER_DEADLINE)
        return 0;
    ticks = (port_time_now() - l->timer_start) / tick_ns(l->divide);
    if (mode_of(l) == TIMER_PERIODIC)
        return initial - (uint32_t)(ticks % initial);
    return ticks >= initial ? 0 : initial - (uint32_t)ticks;
}

/* The count goes on from where it is, at the new rate. */
void vlapic_timer_set_divide(struct vcpu *v, uint32_t value)
{
    struct vlapic *l = &v->arch->lapic;
    uint32_t current_count = vlapic_timer_current(l);
    uint64_t done = l->initial - current_count;

    l->divide = l->page[LAPIC_TIMER_DIVIDE].v = value;
    if (current_count == 0)
        return;
    timer_stop(&l->timer);
    l->timer_start = port_time_now() - done * tick_ns(value);
    timer_start_count(v);
}

void vlapic_timer_set_lvt(struct vcpu *v, uint32_t value)
{
    struct vlapic *l = &v->arch->lapic;
    enum timer_mode before = mode_of(l), after = (enum timer_mode)(value >> 17 & 3);
    uint32_t count = vlapic_timer_current(l);

    if (before == after) {
        set_lvt(l, value);
        return;
    }
    timer_stop(&l->timer);
    set_lvt(l, value);
    /* 10.5.4.1: a change to or from deadline mode disarms the timer. Between
     * the other two the count in progress goes on. */
    if (before >= TIMER_DEADLINE || after >= TIMER_DEADLINE) {
        l->tsc_deadline = 0;
        set_initial(l, 0);
    } else if (count != 0) {
        uint64_t done = l->initial - count;

        l->timer_start = port_time_now() - done * tick_ns(l->divide);
        timer_start_count(v);
    }
}

uint64_t vlapic_timer_deadline(const struct vlapic *l)
{
    return mode_of(l) == TIMER_DEADLINE ? l->tsc_deadline : 0;
}

void vlapic_timer_set_deadline(struct vcpu *v, uint64_t tsc)
{
    struct vlapic *l = &v->arch->lapic;
    uint64_t at;

    if (mode_of(l) != TIMER_DEADLINE)
        return;
    timer_stop(&l->timer);
    l->tsc_deadline = tsc;
    if (tsc == 0)
        return;
    if (tsc <= domain_tsc_read(v->domain)) {
        l->tsc_deadline = 0;
        timer_interrupt(v);
        return;
    }
    at = domain_tsc_deadline(v->domain, tsc);
    if (at != TIME_NEVER)
        timer_set(&l->timer, at);
}

uint32_t vlapic_timer_divisor(const struct vlapic *l)
{
    return (uint32_t)tick_ns(l->divide);
}

void vlapic_timer_restore(struct vcpu *v, uint32_t left)
{
    struct vlapic *l = &v->arch->lapic;
    uint32_t initial = l->page[LAPIC_TIMER_INITIAL].v;

    timer_stop(&l->timer);
    l->initial = initial;
    l->divide = l->page[LAPIC_TIMER_DIVIDE].v;
    store_u32(&l->lvt_timer, l->page[LAPIC_LVT_TIMER].v);
    if (mode_of(l) == TIMER_DEADLINE) {
        vlapic_timer_set_deadline(v, l->tsc_deadline);
        return;
    }
    left = left < initial ? left : initial;
    /* A one-shot that had run out stays so. */
    l->timer_start = port_time_now() - (uint64_t)(initial - left) * tick_ns(l->divide);
    if (left != 0)
        timer_start_count(v);
}
