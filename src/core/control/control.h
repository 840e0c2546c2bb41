/* Control operations: what the toolstack in the control domain asks for. Sources:
 * <xen/domctl.h>, <xen/sysctl.h>; behaviour of Xen 4.17. */
#ifndef CORBEL_CORE_CONTROL_CONTROL_H
#define CORBEL_CORE_CONTROL_CONTROL_H

#include "base/xen.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

#include "base/types.h"

struct domain;
struct vcpu;

/* args: the operation's structure. No lock is held. */
int64_t do_domctl(struct vcpu *v, uint64_t args[6]);
int64_t do_sysctl(struct vcpu *v, uint64_t args[6]);

/* The rest is for the files of control/ and the architecture's part of it. */

/* The linear address in a guest handle. */
#define CONTROL_GVA(h) ((uint64_t)(uintptr_t)(h).p)

/* A bitmap of at most 64 bits from and to the caller's map of any size up to
 * CONTROL_BITMAP_MAX bits: bits that only one side has are dropped when read, and
 * zero when written. -XEN_EFAULT, -XEN_E2BIG or 0. */
#define CONTROL_BITMAP_MAX (UINT32_C(1) << 19)
int control_bitmap_in(struct vcpu *v, const struct xenctl_bitmap *map, unsigned bits,
                      uint64_t *out);
int control_bitmap_out(struct vcpu *v, const struct xenctl_bitmap *map, unsigned bits,
                       uint64_t value);

/* Physical CPUs that are online: bit per CPU. */
uint64_t control_online_cpus(void);

/* What is told of d. */
void control_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/* One operation each; d is what it is for, and no other control operation on it
 * is under way. */
int64_t domctl_create(struct xen_domctl *op, bool *copyback);
/* d may be NULL: no domain has that number. */
int64_t domctl_domain_info(struct vcpu *v, struct domain *d, struct xen_domctl *op, bool *copyback);
int64_t domctl_pause(struct vcpu *v, struct domain *d);
int64_t domctl_unpause(struct domain *d);
int64_t domctl_resume(struct vcpu *v, struct domain *d);
int64_t domctl_max_vcpus(struct vcpu *v, struct domain *d, uint32_t max);
int64_t domctl_time_offset(struct domain *d, int64_t seconds);

int64_t domctl_vcpu_info(struct domain *d, struct xen_domctl *op, bool *copyback);
int64_t domctl_set_affinity(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_get_affinity(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_set_node_affinity(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_get_node_affinity(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_scheduler(struct vcpu *v, struct domain *d, struct xen_domctl *op, bool *copyback);

int64_t domctl_max_mem(struct domain *d, uint64_t kib);
int64_t domctl_get_mempool(struct domain *d, struct xen_domctl *op, bool *copyback);
int64_t domctl_set_mempool(struct domain *d, uint64_t bytes);
int64_t domctl_shadow(struct vcpu *v, struct domain *d, struct xen_domctl *op, bool *copyback);
/* s->op is none of the above; op goes back to the caller. */
int64_t domctl_log_dirty(struct vcpu *v, struct domain *d, struct xen_domctl_shadow_op *s);
int64_t domctl_frame_info(struct vcpu *v, struct domain *d, struct xen_domctl *op);

int64_t domctl_irq_permission(const struct xen_domctl *op);
int64_t domctl_iomem_permission(const struct xen_domctl *op);
int64_t domctl_ioport_permission(const struct xen_domctl *op);
int64_t domctl_memory_mapping(const struct xen_domctl *op);

int64_t sysctl_physinfo(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_cputopo(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_numa(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_pcitopo(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_cpu_times(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_heap(struct xen_sysctl *op);
int64_t sysctl_offline_pages(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_cpu_hotplug(const struct xen_sysctl *op);
int64_t sysctl_cpupool(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_scheduler(struct xen_sysctl *op);
int64_t sysctl_debug_keys(struct vcpu *v, const struct xen_sysctl *op);

#endif
