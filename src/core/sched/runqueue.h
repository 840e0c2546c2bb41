/* What the files of core/sched share. Unless said otherwise the caller holds the
 * lock of the run queue concerned. */
#ifndef CORBEL_CORE_SCHED_RUNQUEUE_H
#define CORBEL_CORE_SCHED_RUNQUEUE_H

#include "base/atomic.h"
#include "core/domain/domain.h"
#include "core/sched/sched.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"

/* sched_rtds.c: as Xen's. */
#define SCHED_RTDS_PERIOD_US 10000u
#define SCHED_RTDS_BUDGET_US 4000u
#define SCHED_RTDS_MIN_US 10u

/* How many waiting vCPUs a CPU looks at in another one's queue. */
#define SCHED_SCAN 16u

/*@ predicate hv_cpus{L} = \valid_read(hv) && 0 < hv->cpu_count <= MAX_CPUS; */
/* System time stays below this, for 146 years. */
#define TIME_MAX (UINT64_C(1) << 62)

/*@ requires \valid_read(rq);
    terminates \true;
    assigns \nothing;
    ensures \result == rq->current; */
static inline struct vcpu *rq_current(const struct runqueue *rq)
{
    return (struct vcpu *)(uintptr_t)load_u64((const uint64_t *)&rq->current);
}

/*@ requires hv_cpus && cpu < hv->cpu_count;
    terminates \true;
    assigns \nothing;
    ensures \result <==> hv->cpu[cpu].online; */
static inline bool cpu_online_now(unsigned cpu)
{
    return load_u8((const uint8_t *)&hv->cpu[cpu].online) != 0;
}

/* v, which ran until now, does not any more, as others see at once. */
/*@ requires \valid(v);
    terminates \true;
    assigns v->sched.running;
    ensures !v->sched.running; */
static inline void stops_running(struct vcpu *v)
{
    store_u8((uint8_t *)&v->sched.running, false);
}

/* Is CPU cpu online with nothing to run, as far as can be seen without its lock? */
/*@ requires hv_cpus && cpu < hv->cpu_count;
    assigns \nothing;
    ensures \result <==> hv->cpu[cpu].online && hv->cpu[cpu].rq.current == \null &&
        hv->cpu[cpu].rq.length == 0; */
static inline bool cpu_seems_idle(unsigned cpu)
{
    const struct cpu *c = &hv->cpu[cpu];

    return cpu_online_now(cpu) && rq_current(&c->rq) == NULL && load_u32(&c->rq.length) == 0;
}

/* May v run on CPU cpu? */
/*@ requires \valid_read(v) && cpu < MAX_CPUS;
    assigns \nothing;
    ensures \result <==> word_bit(v->sched.hard_affinity, cpu); */
static inline bool cpu_allowed(const struct vcpu *v, unsigned cpu)
{
    return (load_u64(&v->sched.hard_affinity) >> cpu & 1) != 0;
}

/* Does a go before b? */
/*@ predicate goes_before{L}(struct vcpu *a, struct vcpu *b) = a->sched.prio > b->sched.prio ||
        (a->sched.prio == b->sched.prio && a->sched.key < b->sched.key); */
/*@ requires \valid_read(a) && \valid_read(b);
    assigns \nothing;
    ensures \result <==> goes_before(a, b); */
static inline bool sched_before(const struct vcpu *a, const struct vcpu *b)
{
    return a->sched.prio > b->sched.prio ||
           (a->sched.prio == b->sched.prio && a->sched.key < b->sched.key);
}

/* For the proofs: who waits on which queue, and what changes of other vCPUs. */
/*@ ghost int waiting; */
/*@ ghost int sched_others; */

/*@ axiomatic Waiting {
        // The vCPUs; who of them waits on which queue, and how far from its head: any sets and
        // any numbers of which the contracts hold.
        predicate is_vcpu(struct vcpu *p) reads \nothing;
        predicate waits{L}(struct runqueue *rq, struct vcpu *p) reads waiting;
        logic integer place{L}(struct vcpu *p) reads waiting;
    }
    // Where the one behind p, or with \null the first, is named; so the one before p, or the last.
    logic struct vcpu **next_of(struct runqueue *rq, struct vcpu *p) =
        p != \null ? &p->sched.next : &rq->head;
    logic struct vcpu **prev_of(struct runqueue *rq, struct vcpu *p) =
        p != \null ? &p->sched.prev : &rq->tail;
    // INV-SCHED-1: p and its neighbours name each other.
    predicate linked{L}(struct runqueue *rq, struct vcpu *p) =
        *next_of(rq, p->sched.prev) == p && *prev_of(rq, p->sched.next) == p;
    // A vCPU, or none, that is no part of rq, and of another vCPU v only if it is v.
    predicate clear(struct runqueue *rq, struct vcpu *v, struct vcpu *p) = p != \null ==>
        \valid(p) && \base_addr(p) != \base_addr(rq) &&
        (v != \null && p != v ==> \base_addr(p) != \base_addr(v));
    // v may be put between prev and next: \null is the end.
    predicate gap(struct runqueue *rq, struct vcpu *v, struct vcpu *prev, struct vcpu *next) =
        clear(rq, v, prev) && clear(rq, v, next) && clear(rq, prev, next) &&
        prev != v && next != v;
    // Each vCPU is an object of its own.
    predicate vcpus(struct runqueue *rq) =
        (\forall struct vcpu *p; is_vcpu(p) ==> \valid(p) && \base_addr(p) != \base_addr(rq)) &&
        \forall struct vcpu *p, *q; is_vcpu(p) && is_vcpu(q) && p != q ==>
            \base_addr(p) != \base_addr(q);
    // INV-SCHED-1 of who waits, p. INV-SCHED-2: it goes before none in front of it.
    predicate follows{L}(struct runqueue *rq, struct vcpu *p) =
        is_vcpu(p) && p->sched.queued && !p->sched.running && linked(rq, p) &&
        p->sched.cpu < MAX_CPUS && rq == &hv->cpu[p->sched.cpu].rq &&
        0 <= p->sched.prio < SCHED_PRIOS && rq->last[p->sched.prio] != \null &&
        0 <= place(p) && place(p->sched.prev) < place(p) &&
        (p->sched.prev != \null ==> waits(rq, p->sched.prev) &&
            !goes_before(p, p->sched.prev)) &&
        (p->sched.next != \null ==> waits(rq, p->sched.next));
    // last[] names the last of each priority that there is.
    predicate last_of{L}(struct runqueue *rq, integer k) = rq->last[k] != \null ==>
        waits(rq, rq->last[k]) && rq->last[k]->sched.prio == k &&
        (rq->last[k]->sched.next != \null ==> rq->last[k]->sched.next->sched.prio < k);
    predicate first_of{L}(struct runqueue *rq) = rq->head != \null ==> waits(rq, rq->head) &&
        rq->head->sched.prev == \null;
    predicate queue{L}(struct runqueue *rq) = \valid(rq) && vcpus(rq) && first_of(rq) &&
        rq->length < UINT32_MAX && (rq->current == \null || is_vcpu(rq->current)) &&
        (\forall struct vcpu *p; waits(rq, p) ==> follows(rq, p) && rq->length > 0) &&
        \forall integer k; 0 <= k < SCHED_PRIOS ==> last_of(rq, k);
    // Nobody who waits there, and none of its ends, has changed.
    predicate same_queue{K, L}(struct runqueue *rq) =
        \at(rq->head, L) == \at(rq->head, K) && \at(rq->tail, L) == \at(rq->tail, K) &&
        \at(rq->length, L) == \at(rq->length, K) && (\forall integer k; 0 <= k < SCHED_PRIOS ==>
            \at(rq->last[k], L) == \at(rq->last[k], K)) &&
        \forall struct vcpu *p; waits{K}(rq, p) ==> waits{L}(rq, p) &&
            \at(p->sched.next, L) == \at(p->sched.next, K) &&
            \at(p->sched.prev, L) == \at(p->sched.prev, K) &&
            \at(p->sched.prio, L) == \at(p->sched.prio, K) &&
            \at(p->sched.key, L) == \at(p->sched.key, K) &&
            \at(p->sched.cpu, L) == \at(p->sched.cpu, K) &&
            \at(p->sched.queued, L) == \at(p->sched.queued, K) &&
            \at(p->sched.running, L) == \at(p->sched.running, K);
    logic struct vcpu *peer_of{L}(integer prio, struct vcpu *p) =
        p != \null && p->sched.prio == prio ? p : (struct vcpu *)\null; */

/* sched_queue.c */

/* Puts v behind those of its priority and key; or takes it out. */
/*@ requires queue(rq) && is_vcpu(v) && 0 <= v->sched.prio < SCHED_PRIOS;
    requires !v->sched.queued && !v->sched.running;
    assigns v->sched.prev, v->sched.next, v->sched.queued, rq->head, rq->tail, rq->length,
        rq->last[v->sched.prio], {p->sched.next | struct vcpu *p; is_vcpu(p)},
        {p->sched.prev | struct vcpu *p; is_vcpu(p)};
    ensures INV_SCHED_1: v->sched.queued && rq->length == \old(rq->length) + 1;
    ensures INV_SCHED_1_linked: linked(rq, v) && (v->sched.prev != \null ==>
        is_vcpu(v->sched.prev) && v->sched.prev != v) && (v->sched.next != \null ==>
        is_vcpu(v->sched.next) && v->sched.next != v);
    ensures INV_SCHED_2: v->sched.prev != \null ==> !goes_before(v, v->sched.prev);
    ensures INV_SCHED_2_next: v->sched.next != \null ==> goes_before(v, v->sched.next); */
void rq_insert(struct runqueue *rq, struct vcpu *v);
/*@ requires \valid(rq) && \valid(v) && \base_addr(v) != \base_addr(rq);
    requires v->sched.queued && 0 <= v->sched.prio < SCHED_PRIOS && rq->length > 0;
    requires gap(rq, v, v->sched.prev, v->sched.next);
    assigns v->sched.prev, v->sched.next, v->sched.queued, *next_of(rq, v->sched.prev),
        *prev_of(rq, v->sched.next), rq->last[v->sched.prio], rq->length;
    ensures INV_SCHED_1: !v->sched.queued && v->sched.prev == \null && v->sched.next == \null &&
        rq->length == \old(rq->length) - 1;
    ensures joined: *next_of(rq, \old(v->sched.prev)) == \old(v->sched.next);
    ensures joined: *prev_of(rq, \old(v->sched.next)) == \old(v->sched.prev);
    ensures last: \let prev = \old(v->sched.prev); \let was = \old(rq->last[v->sched.prio]);
        \let now = rq->last[v->sched.prio];
        now == (was != v ? was : peer_of(v->sched.prio, prev)); */
void rq_remove(struct runqueue *rq, struct vcpu *v);
/* Moves v, which is not running, from one locked queue to another. */
void rq_move(struct runqueue *from, struct runqueue *to, unsigned to_cpu, struct vcpu *v);
/* The first of at most SCHED_SCAN waiting vCPUs of priority above above that may run
 * on CPU cpu; soft: and had better. NULL when there is none. */
struct vcpu *rq_first_for(const struct runqueue *rq, unsigned cpu, int above, bool soft);
/* No lock needed: the CPUs that are online; an idle CPU that v may run on, or
 * MAX_CPUS; where v had better wait if it cannot run at once: where it was, or the
 * shortest queue. */
uint64_t sched_online_cpus(void);
/*@ requires \valid_read(v) && hv_cpus && v->sched.cpu < MAX_CPUS;
    terminates \true;
    assigns \nothing;
    ensures \result == MAX_CPUS || \result < hv->cpu_count;
    ensures \result < MAX_CPUS ==> word_bit(v->sched.hard_affinity, \result); */
unsigned sched_idle_cpu_for(const struct vcpu *v);
unsigned sched_waiting_cpu_for(const struct vcpu *v);
/* No lock held: moves v, unless it runs, to a CPU that it may run on. */
void sched_replace(struct vcpu *v);

/* sched_credit.c */

unsigned credit_place(const struct vcpu *v);
void credit_wake(struct vcpu *v);
void credit_joined(struct runqueue *rq, struct vcpu *v);
void credit_left(struct runqueue *rq, struct vcpu *v);
void credit_charge(const struct runqueue *rq, struct vcpu *v, uint64_t now);
uint64_t credit_hold(const struct vcpu *v);
uint64_t credit_slice(const struct vcpu *v);
void credit_pull(struct cpu *c, int above);
/* Timer function: hands out credit while anybody is active. */
void sched_account(void *arg);

/* sched_null.c */

void null_rank(struct vcpu *v);
unsigned null_place(const struct vcpu *v);
void null_left(struct runqueue *rq, struct vcpu *v);
void null_charge(struct runqueue *rq, struct vcpu *v);
void null_pull(struct cpu *c);
unsigned null_tell(const struct vcpu *v);

/* sched_rtds.c */

void rtds_vcpu_init(struct vcpu *v);
void rtds_vcpu_destroy(struct vcpu *v);
unsigned rtds_place(const struct vcpu *v);
void rtds_wake(struct vcpu *v, uint64_t now);
void rtds_charge(struct vcpu *v, uint64_t now);
void rtds_pull(struct cpu *c, uint64_t bound);
unsigned rtds_tell(const struct vcpu *v);
/* No lock above LOCK_DOMAIN held; p has been checked. */
void rtds_set_params(struct vcpu *v, const struct sched_params *p);
void rtds_get_params(struct vcpu *v, struct sched_params *p);

#endif
