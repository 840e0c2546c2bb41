/* Bring-up, and the loop that every physical CPU runs. */
#ifndef CORBEL_CORE_INIT_H
#define CORBEL_CORE_INIT_H

#include "base/types.h"

/* RAM as the port found it: byte ranges, any order and alignment. */
struct memory_range {
    uint64_t start, end;
};

struct boot_info {
    const struct memory_range *ram; /* usable: neither image nor firmware */
    size_t ram_count;
    struct memory_range kept; /* whole frames outside ram, the hypervisor's own until
                               * it gives them to hyp_pages_free(); empty: none */
    uint32_t cpu_count;
    uint8_t sched_kind; /* enum sched_kind of core/sched/sched.h */
    bool ram_zeroed;    /* all of ram holds zeroes: nothing needs scrubbing at first */
    bool silo;          /* policy: unprivileged domains are kept apart */
};

/* Builds struct hv inside the given memory: frame table, heap, CPUs. Runs once
 * on CPU 0 before any other core function. 0, -XEN_EINVAL or -XEN_ENOMEM. */
int hv_init(const struct boot_info *boot);

/* Joins the calling physical CPU (not 0) to the scheduler. */
void cpu_online(unsigned cpu);

/* One turn of a CPU's life: due timers, scheduling, then a vCPU's time slice or
 * idling. The port calls it for ever. */
void cpu_turn(void);

#endif
