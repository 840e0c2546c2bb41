/* Time as guests read it: pvclock (vcpu_time_info), wall clock, vCPU timers.
 * Source: <xen/xen.h> struct vcpu_time_info, <xen/vcpu.h>. */
#ifndef CORBEL_CORE_TIME_PVCLOCK_H
#define CORBEL_CORE_TIME_PVCLOCK_H

#include "base/types.h"

struct domain;
struct vcpu;

/* Scale of the pvclock: ns = ((tsc << shift) * mul) >> 32. */
struct pvclock_scale {
    uint32_t mul;
    int8_t shift;
};
struct pvclock_scale pvclock_scale_of_khz(uint32_t khz);

/* Nanoseconds that so many ticks take at this scale. */
uint64_t pvclock_ns(struct pvclock_scale s, uint64_t ticks);

/* One instant in both clocks, the same for all vCPUs while TSC and system time
 * keep pace: that is what XEN_PVCLOCK_TSC_STABLE_BIT promises. */
struct pvclock_base {
    uint32_t state; /* enum in pvclock.c, atomic */
    uint64_t system_time, tsc;
};

/* Writes vcpu_info.time, and the registered copy of it, with the version protocol
 * (odd while changing). v runs on this CPU, or is not running. */
void pvclock_update(struct vcpu *v);

/* Writes shared_info's wall clock: the time of day, with the domain's offset, at
 * system time 0. */
void wallclock_update(struct domain *d);

/* The time of day as the control domain has set it: ns since 1970-01-01 UTC. */
uint64_t wallclock_ns(void);
/* It was seconds and ns after 1970-01-01 UTC at system time system_time. Domains
 * see it after wallclock_update(). */
void wallclock_set(uint64_t seconds, uint32_t ns, uint64_t system_time);

#endif
