/* Credit: every 30 ms of which somebody used any, the CPU time of the machine is
 * shared out by weight among those who are active. Credit is CPU time in
 * microseconds: what a vCPU uses it pays for, to the microsecond. */
#include "core/sched/runqueue.h"

#define WEIGHT_MAX 65535u

/* What a pass over the active vCPUs of all CPUs has found. */
struct census {
    uint64_t weight; /* sum */
    uint32_t epoch;  /* number of this pass: marks domains that were counted in it */
    unsigned cpus;   /* online */
    uint64_t now;
};

static uint64_t weight_of(const struct vcpu *v)
{
    uint32_t w = load_u32(&v->domain->weight);

    return w == 0 ? 1 : w > WEIGHT_MAX ? WEIGHT_MAX : w;
}

int8_t sched_prio_of_credit(const struct vcpu *v)
{
    return v->sched.credit >= 0 ? SCHED_UNDER : SCHED_OVER;
}

void sched_burn(struct vcpu *v, uint64_t now)
{
    uint64_t us;

    if (now <= v->sched.burn_start) {
        return;
    }
    us = (now - v->sched.burn_start) / 1000;
    v->sched.burn_start += us * 1000;
    if (us == 0) {
        return;
    }
    v->sched.ran = true;
    if (us >= (uint64_t)(v->sched.credit + SCHED_CREDIT_MAX_US)) {
        v->sched.credit = -SCHED_CREDIT_MAX_US;
    } else {
        v->sched.credit -= (int32_t)us;
    }
}

bool sched_over_cap(const struct vcpu *v)
{
    return load_u32(&v->domain->cap) != 0 && v->sched.credit < 0;
}

static void count_cpu(struct runqueue *rq, struct census *c)
{
    lock_acquire(&rq->lock);
    for (struct vcpu *v = rq->active; v != NULL; v = v->sched.active_next) {
        struct domain *d = v->domain;

        c->weight += weight_of(v);
        if (d->sched_epoch != c->epoch) {
            d->sched_epoch = c->epoch;
            d->sched_active = 0;
        }
        d->sched_active++;
    }
    lock_release(&rq->lock);
}

/* Credit for one period. Nobody can use more than one CPU, or than its cap. */
static int32_t share_of(const struct vcpu *v, const struct census *c)
{
    uint64_t share = c->cpus * (uint64_t)SCHED_PERIOD_US * weight_of(v) / c->weight;
    uint64_t cap = load_u32(&v->domain->cap);

    share = share < SCHED_PERIOD_US ? share : SCHED_PERIOD_US;
    if (cap != 0) {
        uint32_t sharers = v->domain->sched_active != 0 ? v->domain->sched_active : 1;
        uint64_t most = cap * (SCHED_PERIOD_US / 100) / sharers;

        share = share < most ? share : most;
    }
    return (int32_t)share;
}

static void give_credit(struct vcpu *v, const struct census *c)
{
    int32_t share = share_of(v, c);
    /* A capped domain saves nothing up, or it would exceed its cap later. */
    int32_t most = load_u32(&v->domain->cap) != 0 ? share : SCHED_CREDIT_MAX_US;

    v->sched.credit += share;
    if (v->sched.credit > most) {
        v->sched.credit = most;
    }
}

/* A vCPU that slept for a whole period leaves the list, most of its past forgiven
 * and forgotten. */
static bool asleep(const struct vcpu *v)
{
    return !v->sched.ran && !v->sched.queued && !v->sched.running &&
           (load_u32(&v->pause_flags) & VPF_PARKED) == 0;
}

static void requeue(struct runqueue *rq, struct vcpu *v)
{
    int8_t prio = sched_prio_of_credit(v);

    if ((load_u32(&v->pause_flags) & VPF_PARKED) != 0 && !sched_over_cap(v)) {
        fetch_and_u32(&v->pause_flags, ~VPF_PARKED);
        if (!v->sched.queued && !v->sched.running && vcpu_runnable(v)) {
            vcpu_runstate_change(v, RUNSTATE_runnable, port_time_now());
            v->sched.prio = prio;
            rq_insert(rq, v);
        }
    } else if (v->sched.queued && v->sched.prio != SCHED_BOOST && v->sched.prio != prio) {
        rq_remove(rq, v);
        v->sched.prio = prio;
        rq_insert(rq, v);
    } else if (v->sched.running && v->sched.prio != SCHED_BOOST) {
        v->sched.prio = prio;
    }
}

static void pay_cpu(struct cpu *cpu, const struct census *c)
{
    struct runqueue *rq = &cpu->rq;
    struct vcpu *next;
    bool better;

    lock_acquire(&rq->lock);
    for (struct vcpu *v = rq->active; v != NULL; v = next) {
        next = v->sched.active_next;
        if (v->sched.running) {
            sched_burn(v, port_time_now());
        }
        if (asleep(v)) {
            v->sched.credit = v->sched.credit > 0 ? v->sched.credit / 2 : 0;
            rq_deactivate(rq, v);
            continue;
        }
        v->sched.ran = false;
        give_credit(v, c);
        requeue(rq, v);
    }
    better =
        rq->head != NULL && (rq->current == NULL || rq->head->sched.prio > rq->current->sched.prio);
    lock_release(&rq->lock);
    if (better) {
        sched_raise(cpu->id);
    }
}

void sched_account(void *arg)
{
    struct timer *t = arg;
    struct census c = {.epoch = (uint32_t)t->seq, .now = port_time_now()};

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        if (load_u8((const uint8_t *)&hv->cpu[i].online) != 0) {
            c.cpus++;
        }
        count_cpu(&hv->cpu[i].rq, &c);
    }
    if (c.weight == 0) {
        return;
    }
    timer_set(t, c.now + SCHED_PERIOD_NS);
    for (unsigned i = 0; i < hv->cpu_count; i++) {
        pay_cpu(&hv->cpu[i], &c);
    }
}
