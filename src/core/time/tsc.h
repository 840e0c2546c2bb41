/* The time-stamp counter of a domain: the machine's own, or one that counts its
 * system time at another frequency. Source: <xen/arch-x86/cpuid.h>, leaf 4 of Xen's
 * (0x40000003), and XEN_DOMCTL_settscinfo. */
#ifndef CORBEL_CORE_TIME_TSC_H
#define CORBEL_CORE_TIME_TSC_H

#include "base/types.h"
#include "core/time/pvclock.h"

struct domain;

/* Numbers as in that leaf. */
enum domain_tsc_mode {
    TSC_MODE_DEFAULT, /* emulated only if need be */
    TSC_MODE_EMULATE,
    TSC_MODE_NATIVE,
};

/* What a new domain has is all zero: the machine's counter. Changes only while no
 * vCPU of the domain runs. */
struct domain_tsc {
    uint32_t mode;              /* enum domain_tsc_mode */
    bool emulated;              /* RDTSC exits; the guest sees khz from offset on */
    uint32_t khz;               /* 0: the machine's */
    uint32_t incarnation;       /* how often it was restored, counted from 1 */
    uint64_t offset;            /* system time at which an emulated counter was 0 (may wrap) */
    struct pvclock_scale scale; /* ticks to ns */
};

/* XEN_DOMCTL_settscinfo: with mode default the counter is emulated only if khz (0:
 * the machine's) is not what the machine has. elapsed_ns is the time that the guest's
 * counter has been running. No vCPU of d runs. -XEN_EINVAL: no such mode. */
int domain_tsc_set(struct domain *d, uint32_t mode, uint64_t elapsed_ns, uint32_t khz,
                   uint32_t incarnation);
/* XEN_DOMCTL_gettscinfo; elapsed_ns and khz are 0 in a mode that never emulates. */
void domain_tsc_get(const struct domain *d, uint32_t *mode, uint64_t *elapsed_ns, uint32_t *khz,
                    uint32_t *incarnation);

/* What RDTSC gives a vCPU of d now, on this CPU. Monotonic across vCPUs as far as
 * system time is, or the machine's counter. */
uint64_t domain_tsc_read(const struct domain *d);
/* Ticks per millisecond of that, and its scale. */
uint32_t domain_tsc_khz(const struct domain *d);
struct pvclock_scale domain_tsc_scale(const struct domain *d);
/* The first system time, ns, at which d's counter will have reached tsc; now if it
 * has, TIME_NEVER if that is centuries away. */
uint64_t domain_tsc_deadline(const struct domain *d, uint64_t tsc);

#endif
