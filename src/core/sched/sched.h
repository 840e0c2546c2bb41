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

/* sched_vcpu.prio; a CPU without a vCPU idles. */
enum sched_prio {
    SCHED_OVER,  /* used up its share */
    SCHED_UNDER, /* has credit left */
    SCHED_BOOST, /* has credit left and just woke up */
    SCHED_PRIOS
};

struct sched_vcpu {
    struct vcpu *next, *prev; /* run queue links */
    uint16_t cpu;             /* whose queue it is on, or where it runs or last ran */
    bool queued, running;
    int8_t prio;            /* enum sched_prio */
    int32_t credit;         /* in microseconds of CPU time */
    uint64_t hard_affinity; /* bit per physical CPU */
    uint64_t soft_affinity;
    uint64_t run_start; /* when it was last switched in */

    uint64_t burn_start; /* up to here its running time is paid for */
    struct vcpu *active_next, *active_prev;
    bool active;       /* on its CPU's list of those that get credit */
    bool ran;          /* used CPU time since the last accounting */
    bool yield;        /* SCHEDOP_yield: let another one go first */
    bool pinned;       /* SCHEDOP_pin_override is in force */
    uint64_t unpinned; /* hard affinity from before */
};

struct runqueue {
    struct lock lock;
    struct vcpu *head, *tail;
    uint32_t length;
    struct vcpu *current; /* running here, NULL when idle */
    struct timer slice;
    struct timer account; /* CPU 0's accounts for all */

    struct vcpu *last[SCHED_PRIOS]; /* last of each priority, NULL: none */
    struct vcpu *active;            /* list of active vCPUs of this CPU */
    uint64_t slice_end;             /* when current has had its turn */
};

void runqueue_init(struct runqueue *rq, unsigned cpu);
void sched_vcpu_init(struct vcpu *v);
/* v does not run and never will again. */
void sched_vcpu_destroy(struct vcpu *v);

/* Sets where v may run (hard) and had better run (soft): -XEN_EINVAL when no
 * online CPU is in hard. No lock held. */
int sched_set_affinity(struct vcpu *v, uint64_t hard, uint64_t soft);
/* SCHEDOP_pin_override: pins v to CPU pcpu, or (negative) undoes it. */
int sched_pin_override(struct vcpu *v, int32_t pcpu);

/* Locks the run queue of v's CPU and returns it: release its lock. v changes its
 * CPU, and whether it is queued, only under this lock. */
struct runqueue *sched_lock(const struct vcpu *v);

/* v became runnable / stopped being runnable: takes the queue lock. */
void sched_wake(struct vcpu *v);
void sched_sleep(struct vcpu *v);
/* Waits until v is not running on any CPU (v is not runnable). Returns at once when
 * v is the caller's own vCPU. No lock is held. */
void sched_sync(struct vcpu *v);
/* The current vCPU goes behind its peers. */
void sched_yield_current(void);

/* Asks this or another CPU to go through schedule(). */
void sched_raise(unsigned cpu);
/* True iff this CPU should leave what it does and go through cpu_turn():
 * schedule() was asked for, or a timer is due. */
bool sched_pending(void);

/* Picks who runs next on this CPU and switches to it: sets cpu->current (NULL:
 * idle), runstates, pvclock, slice timer. No lock held. */
void schedule(void);

/* SCHEDOP_*: see <xen/sched.h>. */
int64_t do_sched_op(struct vcpu *v, uint64_t args[6]);

#endif
