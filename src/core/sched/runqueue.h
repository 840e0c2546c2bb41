/* What the files of core/sched share. Unless said otherwise the caller holds the
 * lock of the run queue concerned. */
#ifndef CORBEL_CORE_SCHED_RUNQUEUE_H
#define CORBEL_CORE_SCHED_RUNQUEUE_H

#include "base/atomic.h"
#include "core/domain/domain.h"
#include "core/sched/sched.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"

#define SCHED_SLICE_NS UINT64_C(10000000)
#define SCHED_SLICE_MIN_NS UINT64_C(1000000)
#define SCHED_PERIOD_NS UINT64_C(30000000)
#define SCHED_PERIOD_US 30000
/* Credit stays within this of zero: what was saved or overdrawn long ago is
 * forgotten. */
#define SCHED_CREDIT_MAX_US 60000

static inline struct vcpu *rq_current(const struct runqueue *rq)
{
    return (struct vcpu *)(uintptr_t)load_u64((const uint64_t *)&rq->current);
}

/* Is CPU cpu online with nothing to run, as far as can be seen without its lock? */
static inline bool cpu_seems_idle(unsigned cpu)
{
    const struct cpu *c = &hv->cpu[cpu];

    return load_u8((const uint8_t *)&c->online) != 0 && rq_current(&c->rq) == NULL &&
           load_u32(&c->rq.length) == 0;
}

/* May v run on CPU cpu? */
static inline bool cpu_allowed(const struct vcpu *v, unsigned cpu)
{
    return (load_u64(&v->sched.hard_affinity) >> cpu & 1) != 0;
}

/* sched_queue.c */

/* Puts v behind those of its priority, v->sched.prio; or takes it out. */
void rq_insert(struct runqueue *rq, struct vcpu *v);
void rq_remove(struct runqueue *rq, struct vcpu *v);
/* Puts v on, or takes it off, the list of those that get credit. */
void rq_activate(struct runqueue *rq, struct vcpu *v);
void rq_deactivate(struct runqueue *rq, struct vcpu *v);
/* Moves v, which is not running, from one locked queue to another. */
void rq_move(struct runqueue *from, struct runqueue *to, unsigned to_cpu, struct vcpu *v);
/* The CPU where v had better wait: idle and preferred, idle, where it was, or the
 * shortest queue. No lock needed. */
unsigned sched_choose_cpu(const struct vcpu *v);
/* An idle CPU that v may run on, or MAX_CPUS. No lock needed. */
unsigned sched_idle_cpu_for(const struct vcpu *v);
/* No lock held: moves v, unless it runs, to a CPU that it may run on. */
void sched_replace(struct vcpu *v);
/* No lock held: moves a vCPU of a priority above above from another queue to this
 * CPU's. True iff one was found. */
bool sched_steal(struct cpu *c, int above);

/* sched_account.c */

/* Makes the running vCPU v pay for its time up to now. */
void sched_burn(struct vcpu *v, uint64_t now);
/* The priority that v's credit earns it. */
int8_t sched_prio_of_credit(const struct vcpu *v);
/* Timer function: hands out credit every SCHED_PERIOD_NS while anybody is active. */
void sched_account(void *arg);
/* v used up a capped domain's share. */
bool sched_over_cap(const struct vcpu *v);

#endif
