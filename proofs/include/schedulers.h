/* What the schedulers decide, by contract: only what it may change of the vCPU and of its queue,
 * and that there is such a priority. What changes of other vCPUs, and who is told, is one
 * variable here, sched_others. */
#ifndef CORBEL_PROOFS_SCHEDULERS_H
#define CORBEL_PROOFS_SCHEDULERS_H

#include "core/sched/runqueue.h"

/*@ predicate prio_of{L}(struct vcpu *v) = 0 <= v->sched.prio < SCHED_PRIOS; */

/*@ terminates \true;
    assigns \nothing;
    ensures \result < MAX_CPUS; */
static inline unsigned kind_place(const struct vcpu *v);

/*@ requires \valid(v) && !v->sched.queued && !v->sched.running;
    terminates \true;
    assigns v->sched.prio, v->sched.key, v->sched.deadline, v->sched.left, v->sched.level,
        sched_others;
    ensures prio_of(v); */
static inline void kind_wake(struct vcpu *v, uint64_t now);

/*@ requires \valid(v) && !v->sched.queued && prio_of(v);
    terminates \true;
    assigns v->sched.prio, v->sched.key, sched_others;
    ensures prio_of(v); */
static inline void kind_rank(struct vcpu *v);

/*@ requires \valid(rq) && \valid(v);
    terminates \true;
    assigns rq->active, v->sched.active, v->sched.active_prev, v->sched.active_next,
        sched_others; */
static inline void kind_joined(struct runqueue *rq, struct vcpu *v);

/*@ requires \valid(rq) && \valid(v);
    terminates \true;
    assigns rq->active, v->sched.active, v->sched.active_prev, v->sched.active_next,
        sched_others; */
static inline void kind_leaves(struct runqueue *rq, struct vcpu *v);

/*@ requires \valid(rq) && \valid(v) && !v->sched.queued && !v->sched.running;
    terminates \true;
    assigns rq->owner, v->sched.owner, v->sched.key, sched_others; */
static inline void kind_rests(struct runqueue *rq, struct vcpu *v);

/*@ requires \valid(rq) && \valid(v) && v->sched.running && prio_of(v);
    terminates \true;
    assigns rq->owner, v->sched.owner, v->sched.prio, v->sched.key, v->sched.credit,
        v->sched.burn_start, v->sched.ran, v->sched.left, v->sched.level, v->pause_flags,
        sched_others;
    ensures prio_of(v); */
static inline void kind_charge(struct runqueue *rq, struct vcpu *v, uint64_t now);

/*@ requires \valid_read(v);
    terminates \true;
    assigns \nothing; */
static inline bool kind_stays(const struct vcpu *v);

/*@ requires \valid_read(rq);
    terminates \true;
    assigns \nothing;
    ensures \result == \null || \result == rq->head; */
static inline struct vcpu *kind_head(const struct runqueue *rq);

/*@ requires \valid_read(v);
    terminates \true;
    assigns \nothing;
    ensures \result <= MAX_CPUS; */
static inline unsigned kind_tell(const struct vcpu *v);

/*@ requires \valid_read(v);
    terminates \true;
    assigns \nothing;
    ensures \result <= TIME_MAX; */
static inline uint64_t kind_slice(const struct vcpu *v);

/*@ requires \valid_read(v);
    terminates \true;
    assigns \nothing; */
static inline uint64_t kind_hold(const struct vcpu *v);

#endif
