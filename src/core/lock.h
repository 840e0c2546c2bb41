/* Spin locks with levels. A CPU takes locks in rising level only; the order is
 * checked at every acquire.
 *
 * INV-LOCK-1: a CPU outside the core holds no lock. */
#ifndef CORBEL_CORE_LOCK_H
#define CORBEL_CORE_LOCK_H

#include "port/cpu.h"

/* Lower levels are taken first. Two locks of one level are taken only through
 * lock_pair(), which orders them by address. */
enum lock_level {
    LOCK_DOMAIN_LIST = 1, /* hv->domains */
    LOCK_CONTROL,         /* one control operation at a time on a domain */
    LOCK_DOMAIN,          /* life cycle, shared_info, pause counts, HVM params */
    LOCK_EVTCHN,          /* ports of one domain */
    LOCK_GNTTAB,          /* grant table of one domain */
    LOCK_P2M,             /* second stage of one domain */
    LOCK_DEVICE,          /* virtual devices of one domain */
    LOCK_RUNQUEUE,        /* one CPU's run queue */
    LOCK_TIMER,           /* one CPU's timer queue */
    LOCK_HEAP,            /* page allocator */
    LOCK_CONSOLE,         /* hypervisor log and console rings */
    LOCK_LEVELS
};

struct lock {
    struct port_spin spin;
    uint8_t level;
};

/*@ predicate held{L}(struct lock *l) = l->spin.word != 0; */

void lock_init(struct lock *l, enum lock_level level);
void lock_acquire(struct lock *l);
void lock_release(struct lock *l);

/* Takes two locks of the same level in address order; a and b may be equal. */
void lock_pair(struct lock *a, struct lock *b);
void unlock_pair(struct lock *a, struct lock *b);

/* True iff the executing CPU holds l; for check(). */
bool lock_held(const struct lock *l);

#endif
