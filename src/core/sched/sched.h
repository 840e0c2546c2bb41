/* The scheduler: per-CPU run queues, and one of three ways to order them, chosen
 * when the hypervisor starts: credit (shares by weight), null (a CPU for each vCPU)
 * and rtds (reserved budget per period). Lock level LOCK_RUNQUEUE per CPU.
 *
 * A domain's parameters are set and read only by sched_set_params() and
 * sched_get_params(), those of one vCPU by sched_set_vcpu_params() and
 * sched_get_vcpu_params(), and those of all by sched_set_tunables():
 * XEN_DOMCTL_scheduler_op and XEN_SYSCTL_scheduler_op end there.
 *
 * INV-SCHED-1: a vCPU is on exactly one run queue iff it is runnable and not
 *              running.
 * INV-SCHED-2: each queue is ordered by priority, and within one by key.
 * INV-SCHED-3: runstate agrees with queue and current.
 * INV-SCHED-4: a CPU's owner is on that CPU, and owns no other; with the null
 *              scheduler a CPU runs its owner only. */
#ifndef CORBEL_CORE_SCHED_SCHED_H
#define CORBEL_CORE_SCHED_SCHED_H

#include "core/lock.h"
#include "core/time/timer.h"

struct vcpu;
struct domain;

#define SCHED_WEIGHT_DEFAULT 256u
#define SCHED_WEIGHT_MAX 65535u

/* Which scheduler: boot_info.sched_kind, hv->sched_kind. */
enum sched_kind {
    SCHED_CREDIT, /* the default */
    SCHED_NULL,
    SCHED_RTDS,
    SCHED_KINDS
};

/* The kind that Xen's sched= calls so ("credit", "null", "rtds"): true iff there is
 * one. */
bool sched_kind_of_name(const char *name, uint8_t *kind);
const char *sched_kind_name(uint8_t kind);
/* XEN_SCHEDULER_* of <xen/domctl.h> for hv->sched_kind. */
uint32_t sched_xen_id(void);

/* Parameters of a domain or of a vCPU: those of the scheduler in use count. */
struct sched_params {
    uint16_t weight;    /* credit; 0 when set: as it was */
    uint16_t cap;       /* credit: percent of one CPU, 0: none */
    uint32_t period_us; /* rtds */
    uint32_t budget_us; /* rtds: CPU time reserved in each period */
    bool extratime;     /* rtds: may also use what nobody reserved */
};
#define SCHED_CAP_KEEP UINT16_C(0xffff) /* params.cap when set: as it was */

/* Sets the parameters of all of d's vCPUs; extratime only of one vCPU. 0, or
 * -XEN_EINVAL with nothing changed. The null scheduler has none: 0. No lock above
 * LOCK_DOMAIN held. */
int sched_set_params(struct domain *d, const struct sched_params *p);
/* credit: d's parameters. rtds: the defaults of a new vCPU, as Xen. */
void sched_get_params(const struct domain *d, struct sched_params *p);
/* Of one vCPU: -XEN_EINVAL with a scheduler that has no such parameters. */
int sched_set_vcpu_params(struct vcpu *v, const struct sched_params *p);
int sched_get_vcpu_params(struct vcpu *v, struct sched_params *p);

/* Limits as Xen's: <xen/sysctl.h>, struct xen_sysctl_credit_schedule. */
struct sched_tunables {
    uint32_t slice_us;     /* credit: a time slice, 1000 .. 1000000 */
    uint32_t ratelimit_us; /* credit: nobody is preempted earlier; 0, or 100 .. 500000 */
};
/* -XEN_EINVAL: out of range, or a slice shorter than the ratelimit. */
int sched_set_tunables(const struct sched_tunables *t);
struct sched_tunables sched_get_tunables(void);

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

    uint64_t key;   /* order within one priority, least first */
    uint32_t epoch; /* credit: the accounting that counted it last */
    bool at_peak;   /* credit: gets as much as it can use */
    bool migrate;   /* credit: a CPU that it prefers is idle */
    bool owner;     /* null: its CPU is its own */

    bool extratime; /* rtds, all times in ns */
    uint32_t level; /* how many budgets it used up beyond the reserved one */
    uint64_t period, budget;
    uint64_t deadline;      /* end of its current period */
    uint64_t left;          /* of the budget */
    struct timer replenish; /* at the deadline */
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

    uint64_t look_at;       /* when schedule() has to look again */
    uint64_t current_key;   /* atomic: current's key, UINT64_MAX: idle */
    uint64_t pinned_weight; /* credit: of the active vCPUs that can run only here */
    uint64_t pinned_spill;  /* credit: what they did not use in the last period, us */
    struct vcpu *owner;     /* null: whose CPU this is */
};

/* Before any CPU or vCPU exists: -XEN_EINVAL when there is no such kind. */
int sched_init(uint8_t kind);
void runqueue_init(struct runqueue *rq, unsigned cpu);
void sched_vcpu_init(struct vcpu *v);
/* v does not run and never will again. */
void sched_vcpu_destroy(struct vcpu *v);

/* Sets where v may run (hard) and had better run (soft): -XEN_EINVAL when no
 * online CPU is in hard, -XEN_EBUSY while SCHEDOP_pin_override is in force. No lock
 * held. */
int sched_set_affinity(struct vcpu *v, uint64_t hard, uint64_t soft);
/* SCHEDOP_pin_override: pins v to CPU pcpu, or (negative) undoes it. -XEN_EINVAL: no
 * such online CPU, or nothing to undo; -XEN_EBUSY: it is pinned already. */
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
