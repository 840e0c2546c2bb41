/* The scheduler: per-CPU run queues ordered by priority, credits by weight,
 * wake-up boost, stealing when idle. Lock level LOCK_RUNQUEUE per CPU.
 *
 * INV-SCHED-1: a vCPU is on exactly one run queue iff it is runnable and not
 *              running.
 * INV-SCHED-2: each queue is ordered by priority.
 * INV-SCHED-3: runstate agrees with queue and current. */
#ifndef CORBEL_CORE_SCHED_SCHED_H
#define CORBEL_CORE_SCHED_SCHED_H

#include "core/lock.h"
#include "core/time/timer.h"

struct vcpu;
struct domain;

#define SCHED_WEIGHT_DEFAULT 256u

struct sched_vcpu {
    struct vcpu *next, *prev; /* run queue links */
    uint16_t cpu;             /* whose queue it is on, or where it runs or last ran */
    bool queued, running;
    int8_t prio;              /* see sched.c */
    int32_t credit;           /* in microseconds of CPU time */
    uint64_t hard_affinity;   /* bit per physical CPU */
    uint64_t soft_affinity;
    uint64_t run_start;       /* when it was last switched in */
};

struct runqueue {
    struct lock lock;
    struct vcpu *head, *tail;
    uint32_t length;
    struct vcpu *current; /* running here, NULL when idle */
    struct timer slice;
    struct timer account;
};

void runqueue_init(struct runqueue *rq, unsigned cpu);
void sched_vcpu_init(struct vcpu *v);

/* v became runnable / stopped being runnable: takes the queue lock. */
void sched_wake(struct vcpu *v);
void sched_sleep(struct vcpu *v);
/* Waits until v is not running on any CPU (v is not runnable). */
void sched_sync(struct vcpu *v);
/* The current vCPU goes behind its peers. */
void sched_yield_current(void);

/* Asks this or another CPU to go through schedule(). */
void sched_raise(unsigned cpu);
/* True iff this CPU should leave what it does and go through schedule(). */
bool sched_pending(void);

/* Picks who runs next on this CPU and switches to it: sets cpu->current (NULL:
 * idle), runstates, pvclock, slice timer. No lock held. */
void schedule(void);

/* SCHEDOP_*: see <xen/sched.h>. */
int64_t do_sched_op(struct vcpu *v, uint64_t args[6]);

#endif
