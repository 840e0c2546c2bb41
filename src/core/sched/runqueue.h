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

/* sched_queue.c */

/* Puts v behind those of its priority and key; or takes it out. */
void rq_insert(struct runqueue *rq, struct vcpu *v);
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
