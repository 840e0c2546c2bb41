/* struct hv: every mutable object of the hypervisor hangs off this one root,
 * which lives in the machine's own frames. */
#ifndef CORBEL_CORE_STATE_H
#define CORBEL_CORE_STATE_H

#include "core/audit/audit.h"
#include "core/domain/domain.h"
#include "core/lock.h"
#include "core/mem/frame.h"
#include "core/sched/sched.h"
#include "core/time/pvclock.h"
#include "core/time/timer.h"
#include "core/vcpu/vcpu.h"
#include "port/mem.h"

#define DOMAINS_PER_PAGE (PAGE_SIZE / sizeof(struct domain *))
#define DOMAIN_PAGES ((DOMID_FIRST_RESERVED + DOMAINS_PER_PAGE - 1) / DOMAINS_PER_PAGE)

struct cpu {
    uint32_t id;
    bool online;
    uint32_t resched;     /* atomic: go through schedule() */
    struct vcpu *current; /* NULL: idle */
    struct runqueue rq;
    struct timer_queue timers;
    struct domain *deferred; /* domain_settle(): what waits until no lock is held */
    uint8_t lock_depth;      /* levels of the locks held, innermost last */
    uint8_t lock_level[16];
    uint32_t preempt_every; /* tests: make every n-th preempt point fire */
    uint32_t preempt_count;
    uint64_t idle_ns; /* atomic: time spent waiting for something to do */
};

/* Free memory below and above 4 GiB is kept apart: requests that can take any
 * frame leave the frames that 32-bit addresses reach to those that cannot. */
enum heap_zone { HEAP_LOW, HEAP_HIGH, HEAP_ZONES };
#define HEAP_LOW_FRAMES (UINT64_C(1) << (32 - PAGE_SHIFT))

/* First block of a free list; mfn 0 (never handed out) ends a list. */
struct heap_list {
    mfn_t clean[FRAME_ORDER_MAX + 1]; /* blocks that are all zero */
    mfn_t dirty[FRAME_ORDER_MAX + 1]; /* blocks that may hold old data */
};

struct heap {
    struct lock lock;
    struct heap_list zone[HEAP_ZONES];
    uint64_t free_pages;  /* frames in free blocks */
    uint64_t dirty_pages; /* of them in dirty blocks */
    uint64_t total_pages; /* frames of RAM in the frame table, in use or free */
    mfn_t scrub;          /* dirty block being zeroed, 0: none ... */
    uint64_t scrub_done;  /* ... whose first frames are zero already */
    uint64_t claimed;     /* sum of the domains' outstanding_pages */
};

struct hv {
    uint64_t *frames; /* the frame table */
    uint64_t max_mfn; /* frames covered by it */
    bool ram_dirty;   /* RAM may have held data when the hypervisor started */
    struct heap heap;
    uint64_t hyp_pages; /* hypervisor frames that serve no domain */
    uint32_t cpu_count;
    struct lock domain_list_lock;
    struct domain **domain_page[DOMAIN_PAGES];
    uint32_t domain_count; /* not yet freed */
    uint32_t alive_count;  /* not shut down */
    struct cpu cpu[MAX_CPUS];
    struct lock log_lock;
    uint32_t log_levels; /* console_show() */
    struct pvclock_base clock;
    uint8_t sched_kind; /* enum sched_kind, constant */
    struct sched_tunables sched_tunables;
    uint64_t sched_spill;     /* sched_credit.c: credit that nobody used in the last period, us */
    uint64_t sched_ticket;    /* sched_null.c, atomic: order of those that wait for a CPU */
    uint64_t wallclock_shift; /* atomic: ns that wallclock_set() added to the machine's */
    struct console_history history;  /* under log_lock */
    uint32_t virq_handler[NR_VIRQS]; /* atomic: domain id + 1 that gets a global VIRQ, 0: none */
    uint32_t domid_rover;            /* atomic: the last id that was chosen for a new domain */
    bool policy_silo;                /* policy/: unprivileged domains are kept apart */
    uint32_t guest_log_levels;       /* console_show_guests() */
};

extern struct hv *hv;

/*@ predicate frame_table{L} = \valid(hv) && \valid(hv->frames + (0 .. hv->max_mfn - 1)) &&
        \separated(hv, hv->frames + (0 .. hv->max_mfn - 1)); */

static inline struct cpu *this_cpu(void)
{
    return &hv->cpu[port_cpu_id()];
}

/* The vCPU whose exit this CPU is handling, NULL on an idle CPU. */
static inline struct vcpu *current(void)
{
    return this_cpu()->current;
}

#endif
