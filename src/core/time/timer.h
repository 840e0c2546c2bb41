/* One-shot software timers on per-CPU queues. Lock level LOCK_TIMER inside.
 *
 * INV-TIME-1: each queue is ordered by (expires, seq).
 * INV-TIME-2: an active timer is on exactly the queue of its CPU. */
#ifndef CORBEL_CORE_TIME_TIMER_H
#define CORBEL_CORE_TIME_TIMER_H

#include "core/lock.h"
#include "port/time.h"

/*@ axiomatic OwnCpu { logic integer own_cpu reads \nothing; } */
/* For the proofs: port timers that were armed, and CPUs that were kicked. */
/*@ ghost int told_cpus; */

struct timer {
    uint64_t expires; /* system time, ns */
    uint64_t seq;     /* order of equal expiries */
    void (*fn)(void *arg);
    void *arg;
    struct timer *child, *sibling, *prev; /* pairing heap; prev: parent or left sibling */
    uint16_t cpu;
    bool active;
    uint16_t run_cpu; /* where fn last ran */
};

struct timer_queue {
    struct lock lock;
    struct timer *root;
    uint64_t next_seq;

    struct timer *running; /* whose fn runs on this CPU now, atomic */
    uint64_t run_now;      /* time up to which timers_run() runs what is due */
    uint64_t next;         /* expiry of root or TIME_NEVER, atomic */
    uint32_t rearm;        /* atomic: another CPU put something earlier on it */
};

void timer_queue_init(struct timer_queue *q);

/* A timer that calls fn(arg) on CPU cpu, without locks held. */
void timer_init(struct timer *t, void (*fn)(void *), void *arg, unsigned cpu);

/* (Re)arms t for system time expires, the past included. What is armed while
 * timers_run() runs on t's CPU waits for its next run. Any lock below LOCK_TIMER
 * may be held. */
void timer_set(struct timer *t, uint64_t expires);

/* Disarms t. After return fn is not running on another CPU unless the caller
 * is fn itself. The caller holds no lock that fn takes. A timer that is all zero
 * is accepted. */
void timer_stop(struct timer *t);
/* The same without waiting for fn. */
void timer_disarm(struct timer *t);

/* Moves t to another CPU's queue, keeping its expiry. */
void timer_migrate(struct timer *t, unsigned cpu);

/* Runs what is due on this CPU and re-arms the port's timer. */
void timers_run(void);

/* This CPU's earliest expiry, TIME_NEVER when none. */
uint64_t timers_next(void);
/* True iff this CPU should go through timers_run(): something is due, or another
 * CPU put something earlier on its queue. */
bool timers_pending(void);

#endif
