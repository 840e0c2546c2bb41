/* vCPUs: what they do, where they may run, and their domain's share of the CPUs. */
#include "base/atomic.h"
#include "base/string.h"
#include "core/control/control.h"
#include "core/domain/domain.h"
#include "core/state.h"

#define NODES_MAX 64u
#define NODE_0 UINT64_C(1)

uint64_t control_online_cpus(void)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        if (load_u8((const uint8_t *)&hv->cpu[i].online) != 0) {
            mask |= UINT64_C(1) << i;
        }
    }
    return mask;
}

int64_t domctl_vcpu_info(struct domain *d, struct xen_domctl *op, bool *copyback)
{
    struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
    struct vcpu_runstate_info r;
    struct vcpu *v;
    uint32_t why;

    if (info->vcpu >= d->max_vcpus) {
        return -XEN_EINVAL;
    }
    v = domain_vcpu(d, info->vcpu);
    if (v == NULL) {
        return -XEN_ESRCH;
    }
    vcpu_runstate_get(v, &r);
    why = load_u32(&v->pause_flags);
    info->online = (why & VPF_DOWN) == 0;
    info->blocked = (why & VPF_BLOCKED) != 0;
    info->running = load_u8((const uint8_t *)&v->sched.running) != 0;
    info->cpu_time = r.time[RUNSTATE_running];
    info->cpu = load_u16(&v->sched.cpu);
    *copyback = true;
    return 0;
}

/* The vCPU that an affinity operation is about. */
static int affinity_target(struct domain *d, const struct xen_domctl_vcpuaffinity *a,
                           struct vcpu **out)
{
    bool hard = (a->flags & XEN_VCPUAFFINITY_HARD) != 0;
    bool soft = (a->flags & XEN_VCPUAFFINITY_SOFT) != 0;

    if (a->vcpu >= d->max_vcpus) {
        return -XEN_EINVAL;
    }
    *out = domain_vcpu(d, a->vcpu);
    if (*out == NULL) {
        return -XEN_ESRCH;
    }
    if (a->flags == 0 || (hard && CONTROL_GVA(a->cpumap_hard.bitmap) == 0) ||
        (soft && CONTROL_GVA(a->cpumap_soft.bitmap) == 0)) {
        return -XEN_EINVAL;
    }
    return 0;
}

/* Both maps are read and checked before either is put in force. What goes back is
 * what the scheduler can use of them. */
int64_t domctl_set_affinity(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    uint64_t online = control_online_cpus(), hard, soft;
    struct vcpu *t;
    int rc = affinity_target(d, a, &t);

    if (rc != 0) {
        return rc;
    }
    if ((a->flags & XEN_VCPUAFFINITY_FORCE) != 0) {
        (void)sched_pin_override(t, -1);
    }
    hard = load_u64(&t->sched.hard_affinity);
    soft = load_u64(&t->sched.soft_affinity);
    if ((a->flags & XEN_VCPUAFFINITY_HARD) != 0) {
        rc = control_bitmap_in(v, &a->cpumap_hard, hv->cpu_count, &hard);
    }
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT) != 0) {
        rc = control_bitmap_in(v, &a->cpumap_soft, hv->cpu_count, &soft);
    }
    if (rc == 0 && (a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) != 0) {
        if ((a->flags & XEN_VCPUAFFINITY_HARD) != 0 && (hard & online) == 0) {
            rc = -XEN_EINVAL;
        } else {
            rc = t->sched.pinned ? -XEN_EBUSY : sched_set_affinity(t, hard, soft);
        }
    }
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_HARD) != 0) {
        rc = control_bitmap_out(v, &a->cpumap_hard, hv->cpu_count, hard & online);
    }
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT) != 0) {
        rc = control_bitmap_out(v, &a->cpumap_soft, hv->cpu_count, soft & hard & online);
    }
    return rc;
}

int64_t domctl_get_affinity(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *t;
    int rc = affinity_target(d, a, &t);

    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_HARD) != 0) {
        rc = control_bitmap_out(v, &a->cpumap_hard, hv->cpu_count,
                                load_u64(&t->sched.hard_affinity));
    }
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT) != 0) {
        rc = control_bitmap_out(v, &a->cpumap_soft, hv->cpu_count,
                                load_u64(&t->sched.soft_affinity));
    }
    return rc;
}

/* There is one node. A map of all nodes means: as the vCPUs are. */
int64_t domctl_set_node_affinity(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    uint64_t nodes = 0;
    int rc = control_bitmap_in(v, &op->u.nodeaffinity.nodemap, NODES_MAX, &nodes);

    if (rc != 0) {
        return rc;
    }
    if ((nodes & NODE_0) == 0) {
        return -XEN_EINVAL;
    }
    d->node_affinity = nodes == ~UINT64_C(0) ? 0 : nodes;
    return 0;
}

int64_t domctl_get_node_affinity(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    return control_bitmap_out(v, &op->u.nodeaffinity.nodemap, NODES_MAX,
                              d->node_affinity != 0 ? d->node_affinity : NODE_0);
}
