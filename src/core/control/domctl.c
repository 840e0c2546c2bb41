/* Dispatch of domctl: one structure in, one operation on one domain. */
#include "base/atomic.h"
#include "core/arch.h"
#include "core/control/control.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/policy/policy.h"
#include "core/vcpu/vcpu.h"

/* Finds the domain that op names; *out stays NULL where none is needed. */
static int find_target(const struct xen_domctl *op, struct domain **out)
{
    switch (op->cmd) {
    case XEN_DOMCTL_createdomain:
        return 0;
    case XEN_DOMCTL_test_assign_device:
    case XEN_DOMCTL_vm_event_op:
        if (op->domain == DOMID_INVALID) {
            return 0;
        }
        break;
    default:
        break;
    }
    *out = domain_get(op->domain);
    return *out != NULL || op->cmd == XEN_DOMCTL_getdomaininfo ? 0 : -XEN_ESRCH;
}

/* Operations that need no claim: they look only, or order themselves. */
static bool needs_claim(uint32_t cmd)
{
    return cmd != XEN_DOMCTL_createdomain && cmd != XEN_DOMCTL_getdomaininfo &&
           cmd != XEN_DOMCTL_destroydomain;
}

static int64_t vcpu_operation(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                              bool *copyback)
{
    switch (op->cmd) {
    case XEN_DOMCTL_max_vcpus:
        return domctl_max_vcpus(v, d, op->u.max_vcpus.max);
    case XEN_DOMCTL_getvcpuinfo:
        return domctl_vcpu_info(d, op, copyback);
    case XEN_DOMCTL_setvcpuaffinity:
        return domctl_set_affinity(v, d, op);
    case XEN_DOMCTL_getvcpuaffinity:
        return domctl_get_affinity(v, d, op);
    case XEN_DOMCTL_setnodeaffinity:
        return domctl_set_node_affinity(v, d, op);
    case XEN_DOMCTL_getnodeaffinity:
        return domctl_get_node_affinity(v, d, op);
    case XEN_DOMCTL_scheduler_op:
        return domctl_scheduler(v, d, op, copyback);
    default:
        return arch_domctl(v, d, op, copyback);
    }
}

static int64_t memory_operation(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                                bool *copyback)
{
    switch (op->cmd) {
    case XEN_DOMCTL_max_mem:
        return domctl_max_mem(d, op->u.max_mem.max_memkb);
    case XEN_DOMCTL_get_paging_mempool_size:
        return domctl_get_mempool(d, op, copyback);
    case XEN_DOMCTL_set_paging_mempool_size:
        return domctl_set_mempool(d, op->u.paging_mempool.size);
    case XEN_DOMCTL_shadow_op:
        return domctl_shadow(v, d, op, copyback);
    case XEN_DOMCTL_getpageframeinfo3:
        return domctl_frame_info(v, d, op);
    case XEN_DOMCTL_irq_permission:
        return domctl_irq_permission(op);
    case XEN_DOMCTL_iomem_permission:
        return domctl_iomem_permission(op);
    case XEN_DOMCTL_ioport_permission:
        return domctl_ioport_permission(op);
    case XEN_DOMCTL_memory_mapping:
        return domctl_memory_mapping(op);
    case XEN_DOMCTL_assign_device:
    case XEN_DOMCTL_test_assign_device:
    case XEN_DOMCTL_deassign_device:
    case XEN_DOMCTL_get_device_group:
        return -XEN_EOPNOTSUPP; /* no IOMMU */
    case XEN_DOMCTL_setvnumainfo:
    case XEN_DOMCTL_soft_reset:
        return -XEN_EOPNOTSUPP;
    default:
        return vcpu_operation(v, d, op, copyback);
    }
}

static int64_t perform(struct vcpu *v, struct domain *d, struct xen_domctl *op, bool *copyback)
{
    switch (op->cmd) {
    case XEN_DOMCTL_createdomain:
        return domctl_create(op, copyback);
    case XEN_DOMCTL_getdomaininfo:
        return domctl_domain_info(v, d, op, copyback);
    case XEN_DOMCTL_destroydomain:
        return domain_kill(d);
    case XEN_DOMCTL_pausedomain:
        return domctl_pause(v, d);
    case XEN_DOMCTL_unpausedomain:
        return domctl_unpause(d);
    case XEN_DOMCTL_resumedomain:
        return domctl_resume(v, d);
    case XEN_DOMCTL_setdomainhandle:
        lock_acquire(&d->lock);
        for (unsigned i = 0; i < sizeof(d->handle); i++) {
            d->handle[i] = op->u.setdomainhandle.handle[i];
        }
        lock_release(&d->lock);
        return 0;
    case XEN_DOMCTL_settimeoffset:
        return domctl_time_offset(d, op->u.settimeoffset.time_offset_seconds);
    case XEN_DOMCTL_set_virq_handler:
        return evtchn_set_virq_handler(d, op->u.set_virq_handler.virq);
    default:
        return memory_operation(v, d, op, copyback);
    }
}

/* d stands for the whole of it under one claim at a time, as for Xen's domctl
 * lock: who comes second asks again. */
static int64_t perform_claimed(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                               bool *copyback)
{
    int64_t rc;

    if (d == NULL || !needs_claim(op->cmd)) {
        return d == NULL && needs_claim(op->cmd) ? -XEN_EOPNOTSUPP : perform(v, d, op, copyback);
    }
    if (!cmpxchg_u32(&d->control_claim, 0, 1)) {
        return HYPERCALL_RESTART;
    }
    rc = perform(v, d, op, copyback);
    store_u32(&d->control_claim, 0);
    return rc;
}

/* Information is not control: the domain that serves xenstore may have it. Where the
 * number names no domain, the one that it leads to is asked for by domctl_domain_info(). */
static int authorise(struct vcpu *v, const struct domain *d, uint32_t cmd)
{
    if (cmd != XEN_DOMCTL_getdomaininfo) {
        return policy_check(POLICY_DOMCTL, v->domain, d);
    }
    return policy_check(POLICY_DOMAIN_INFO, v->domain, d != NULL ? d : v->domain);
}

int64_t do_domctl(struct vcpu *v, uint64_t args[6])
{
    struct xen_domctl op;
    struct domain *d = NULL;
    bool copyback = false;
    int64_t rc;

    if (guest_copy_in(v, &op, args[0], sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION) {
        return -XEN_EACCES;
    }
    rc = find_target(&op, &d);
    if (rc != 0) {
        return rc;
    }
    rc = authorise(v, d, op.cmd);
    if (rc == 0) {
        rc = perform_claimed(v, d, &op, &copyback);
    }
    if (d != NULL) {
        domain_put(d);
    }
    if (copyback && guest_copy_out(v, args[0], &op, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    return rc;
}
