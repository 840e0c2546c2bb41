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

/* Writes vcpu_info.time with the version protocol (odd while changing). */
void pvclock_update(struct vcpu *v);

/* Writes shared_info's wall clock. */
void wallclock_update(struct domain *d);

#endif
