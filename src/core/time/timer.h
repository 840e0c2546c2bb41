/* One-shot software timers on per-CPU queues. Lock level LOCK_TIMER inside.
 *
 * INV-TIME-1: each queue is ordered by (expires, seq).
 * INV-TIME-2: an active timer is on exactly the queue of its CPU. */
#ifndef CORBEL_CORE_TIME_TIMER_H
#define CORBEL_CORE_TIME_TIMER_H

#include "core/lock.h"
#include "port/time.h"

struct timer {
    uint64_t expires; /* system time, ns */
    uint64_t seq;     /* order of equal expiries */
    void (*fn)(void *arg);
    void *arg;
    struct timer *child, *sibling, *prev; /* pairing heap; prev: parent or left sibling */
    uint16_t cpu;
    bool active;
};

struct timer_queue {
    struct lock lock;
    struct timer *root;
    uint64_t next_seq;
};

void timer_queue_init(struct timer_queue *q);

/* A timer that calls fn(arg) on CPU cpu, without locks held. */
void timer_init(struct timer *t, void (*fn)(void *), void *arg, unsigned cpu);

/* (Re)arms t for system time expires, the past included. */
void timer_set(struct timer *t, uint64_t expires);

/* Disarms t. After return fn is not running on another CPU unless the caller
 * is fn itself. */
void timer_stop(struct timer *t);

/* Moves t to another CPU's queue, keeping its expiry. */
void timer_migrate(struct timer *t, unsigned cpu);

/* Runs what is due on this CPU and re-arms the port's timer. */
void timers_run(void);

/* This CPU's earliest expiry, TIME_NEVER when none. */
uint64_t timers_next(void);

#endif
