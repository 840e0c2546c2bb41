/* Every decision on which the schedulers differ: one switch each. Unless said
 * otherwise the caller holds the lock of the run queue concerned. */
#ifndef CORBEL_CORE_SCHED_SCHED_KIND_H
#define CORBEL_CORE_SCHED_SCHED_KIND_H

#include "core/sched/runqueue.h"

#define SCHED_FOREVER_NS UINT64_C(1000000000)

/* v is new; it goes for ever. No lock held. */
static inline void kind_vcpu_init(struct vcpu *v)
{
    if (hv->sched_kind == SCHED_RTDS) {
        rtds_vcpu_init(v);
    }
}

static inline void kind_vcpu_destroy(struct vcpu *v)
{
    if (hv->sched_kind == SCHED_RTDS) {
        rtds_vcpu_destroy(v);
    }
}

/* The CPU where v, which becomes runnable, had better wait. No lock needed. */
static inline unsigned kind_place(const struct vcpu *v)
{
    switch (hv->sched_kind) {
    case SCHED_NULL:
        return null_place(v);
    case SCHED_RTDS:
        return rtds_place(v);
    default:
        return credit_place(v);
    }
}

/* v was at rest and is about to be queued: gives it priority and key. */
static inline void kind_wake(struct vcpu *v, uint64_t now)
{
    switch (hv->sched_kind) {
    case SCHED_NULL:
        null_rank(v);
        break;
    case SCHED_RTDS:
        rtds_wake(v, now);
        break;
    default:
        credit_wake(v);
        break;
    }
}

/* v is about to be queued again, here or elsewhere. */
static inline void kind_rank(struct vcpu *v)
{
    if (hv->sched_kind == SCHED_NULL) {
        null_rank(v);
    }
}

/* v woke up and joins rq. */
static inline void kind_joined(struct runqueue *rq, struct vcpu *v)
{
    if (hv->sched_kind == SCHED_CREDIT) {
        credit_joined(rq, v);
    }
}

/* v goes to another CPU's queue, or away for ever. */
static inline void kind_leaves(struct runqueue *rq, struct vcpu *v)
{
    if (hv->sched_kind == SCHED_CREDIT) {
        credit_left(rq, v);
    }
}

/* v neither runs nor waits, or must not run on its CPU any more. */
static inline void kind_rests(struct runqueue *rq, struct vcpu *v)
{
    if (hv->sched_kind == SCHED_NULL) {
        null_left(rq, v);
    }
}

/* v, which runs here, pays for its time up to now: its priority changes, and it may
 * have to stop (VPF_PARKED). */
static inline void kind_charge(struct runqueue *rq, struct vcpu *v, uint64_t now)
{
    switch (hv->sched_kind) {
    case SCHED_NULL:
        null_charge(rq, v);
        break;
    case SCHED_RTDS:
        rtds_charge(v, now);
        break;
    default:
        credit_charge(rq, v, now);
        break;
    }
}

/* May v, which runs here, go on, as far as the scheduler is concerned? */
static inline bool kind_stays(const struct vcpu *v)
{
    return hv->sched_kind == SCHED_NULL ? v->sched.owner : !v->sched.migrate;
}

/* Who is to run next among those that wait here, or NULL. */
static inline struct vcpu *kind_head(const struct runqueue *rq)
{
    if (hv->sched_kind == SCHED_NULL && rq->head != rq->owner) {
        return NULL;
    }
    return rq->head;
}

/* Until when v, which runs, is not preempted. */
static inline uint64_t kind_hold(const struct vcpu *v)
{
    return hv->sched_kind == SCHED_CREDIT ? credit_hold(v) : 0;
}

/* Does yielding put v behind others? */
static inline bool kind_yields(void)
{
    return hv->sched_kind == SCHED_CREDIT;
}

/* For how long v may run now. */
static inline uint64_t kind_slice(const struct vcpu *v)
{
    switch (hv->sched_kind) {
    case SCHED_NULL:
        return SCHED_FOREVER_NS;
    case SCHED_RTDS:
        return v->sched.left;
    default:
        return credit_slice(v);
    }
}

/* Should this CPU look for somebody in other queues, when the best here has priority
 * best (-1: nobody)? */
static inline bool kind_pulls(const struct runqueue *rq, int best)
{
    switch (hv->sched_kind) {
    case SCHED_NULL:
        return rq->owner == NULL;
    case SCHED_RTDS:
        return true;
    default:
        return best <= SCHED_OVER;
    }
}

/* Moves a vCPU from another queue to this CPU's that goes before priority above and
 * key bound. No lock held. */
static inline void kind_pull(struct cpu *c, int above, uint64_t bound)
{
    switch (hv->sched_kind) {
    case SCHED_NULL:
        null_pull(c);
        break;
    case SCHED_RTDS:
        rtds_pull(c, bound);
        break;
    default:
        credit_pull(c, above);
        break;
    }
}

/* The CPU that should look because v waits, or MAX_CPUS. */
static inline unsigned kind_tell(const struct vcpu *v)
{
    switch (hv->sched_kind) {
    case SCHED_NULL:
        return null_tell(v);
    case SCHED_RTDS:
        return rtds_tell(v);
    default:
        return sched_idle_cpu_for(v);
    }
}

#endif
