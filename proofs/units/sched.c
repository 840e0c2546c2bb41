/* src/core/sched/sched.c: who becomes runnable, and who stops being so. By contract what it calls;
 * of the run queue what sched-queue proves of it, where the queue is in order. What changes of
 * other vCPUs, and who is told, is one variable here, sched_others. */
#include "core/sched/runqueue.h"
#include "core/arch.h"
#include "core/time/pvclock.h"
#include "locks.h"
#include "port/cpu.h"
#include "port/time.h"
#include "port/trace.h"

/*@ ghost int sched_others; */

/*@ // Nothing keeps v from running: what vcpu_runnable() answers.
    predicate can_run{L}(struct vcpu *v) = v->pause_flags == 0 && v->pause_count == 0 &&
        v->domain->pause_count == 0 && v->domain->hold_count == 0 &&
        v->domain->shutting_down == 0 && v->domain->state == DOMAIN_ALIVE && !v->dead;
    // v, its domain and the queue are objects of their own.
    predicate on_cpu{L}(struct runqueue *rq, struct vcpu *v) = \valid(rq) && \valid(v) &&
        \valid_read(v->domain) && \base_addr(v) != \base_addr(rq) &&
        \base_addr(v) != \base_addr(v->domain) && \base_addr(rq) != \base_addr(v->domain) &&
        v->sched.cpu < MAX_CPUS;
    predicate at_rest{L}(struct vcpu *v) =
        v->runstate.state == RUNSTATE_blocked || v->runstate.state == RUNSTATE_offline; */

/*@ requires \valid_read(v) && \valid_read(v->domain);
    terminates \true;
    assigns \nothing;
    ensures \result <==> can_run(v); */
bool vcpu_runnable(const struct vcpu *v);

/*@ requires \valid(v);
    terminates \true;
    assigns v->runstate;
    ensures v->runstate.state == state; */
void vcpu_runstate_change(struct vcpu *v, int state, uint64_t now);

/*@ requires \valid(v);
    terminates \true;
    assigns sched_others; */
void vcpu_runstate_publish(struct vcpu *v);

/*@ requires \valid(rq) && \valid(v) && !v->sched.queued && !v->sched.running;
    terminates \true;
    assigns v->sched.prev, v->sched.next, v->sched.queued, rq->head, rq->tail, rq->length,
        rq->last[0 .. SCHED_PRIOS - 1], sched_others;
    ensures v->sched.queued; */
void rq_insert(struct runqueue *rq, struct vcpu *v);

/*@ requires \valid(rq) && \valid(v) && v->sched.queued;
    terminates \true;
    assigns v->sched.prev, v->sched.next, v->sched.queued, rq->head, rq->tail, rq->length,
        rq->last[0 .. SCHED_PRIOS - 1], sched_others;
    ensures !v->sched.queued; */
void rq_remove(struct runqueue *rq, struct vcpu *v);

/*@ requires \valid_read(v) && \valid(hv) && v->sched.cpu < MAX_CPUS;
    requires !held(&hv->cpu[v->sched.cpu].rq.lock);
    terminates \true;
    assigns hv->cpu[v->sched.cpu].rq.lock.spin.word;
    ensures \result == &hv->cpu[v->sched.cpu].rq && held(&\result->lock); */
struct runqueue *sched_lock(const struct vcpu *v);

/*@ terminates \true;
    assigns sched_others; */
void port_trace(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c);

/*@ terminates \true;
    assigns \nothing; */
uint64_t port_time_now(void);

/*@ terminates \true;
    assigns sched_others; */
void port_cpu_kick(unsigned cpu);

/*@ terminates \true;
    assigns \nothing;
    ensures \result < MAX_CPUS; */
static inline unsigned kind_place(const struct vcpu *v);

/*@ requires \valid(v);
    terminates \true;
    assigns v->sched.prio, v->sched.key, v->sched.deadline, v->sched.left, v->sched.level,
        sched_others; */
static inline void kind_wake(struct vcpu *v, uint64_t now);

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

#include "../../src/core/sched/sched.c"
