/* Hypercalls that only x86 knows. What is not here does not exist for a
 * translated domain: PV's (mmu_update, iret, ...) among them. */
#include "base/string.h"
#include "core/arch.h"
#include "core/guest_mem/guest_mem.h"
#include "core/policy/policy.h"
#include "x86/control/control.h"
#include "x86/hvm/hvm.h"

#include <xen/domctl.h>
#include <xen/hvm/dm_op.h>

#define DM_OP_MAX_BUFS 2u

/* Page-table operations are for PV owners only, of which there are none.
 * args: array, count, where to store the number done, owner. */
static int64_t do_mmuext_op(struct vcpu *v, uint64_t args[6])
{
    domid_t owner = (domid_t)args[3];
    struct domain *d;

    if (owner == v->domain->id) {
        return -XEN_ESRCH; /* itself is named by DOMID_SELF only */
    }
    d = domain_get_for(v, owner);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    domain_put(d);
    return -XEN_EINVAL;
}

/* Device models. args: domain, number of buffers, array of buffers. */
static int64_t do_dm_op(struct vcpu *v, uint64_t args[6])
{
    struct xen_dm_op_buf bufs[DM_OP_MAX_BUFS];
    domid_t id = (domid_t)args[0];
    uint32_t count = (uint32_t)args[1];
    struct domain *d;
    int rc;

    if (count > DM_OP_MAX_BUFS) {
        return -XEN_E2BIG;
    }
    if (guest_copy_in(v, bufs, args[2], count * sizeof(bufs[0])) != 0) {
        return -XEN_EFAULT;
    }
    d = domain_get_for(v, id);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = d == v->domain ? -XEN_EPERM : policy_check(POLICY_DOMCTL, v->domain, d);
    domain_put(d);
    return rc != 0 ? rc : -XEN_ENOSYS;
}

/* Continuation of the paging domctls. args: the domctl. */
static int64_t do_paging_domctl_cont(struct vcpu *v, uint64_t args[6])
{
    struct {
        uint32_t cmd, interface_version;
        domid_t domain;
    } op;
    struct domain *d;
    int rc;

    _Static_assert(offsetof(struct xen_domctl, cmd) == 0 &&
                       offsetof(struct xen_domctl, interface_version) == 4 &&
                       offsetof(struct xen_domctl, domain) == 8,
                   "head of struct xen_domctl");
    if (guest_copy_in(v, &op, args[0], sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION) {
        return -XEN_EOPNOTSUPP;
    }
    d = domain_get(op.domain);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_DOMCTL, v->domain, d);
    domain_put(d);
    return rc != 0 ? rc : -XEN_ENOSYS;
}

int64_t arch_hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6])
{
    int rc;

    switch (nr) {
    case __HYPERVISOR_hvm_op:
        return do_hvm_op(v, args);
    case __HYPERVISOR_mmuext_op:
        return do_mmuext_op(v, args);
    case __HYPERVISOR_xenpmu_op:
        return -XEN_EOPNOTSUPP; /* no vPMU by this interface for domains with a LAPIC */
    case __HYPERVISOR_dm_op:
        return do_dm_op(v, args);
    case __HYPERVISOR_hypfs_op:
        rc = policy_check(POLICY_PLATFORM, v->domain, NULL);
        return rc != 0 ? rc : -XEN_ENOSYS;
    case __HYPERVISOR_arch_1:
        return do_paging_domctl_cont(v, args);
    case __HYPERVISOR_platform_op:
        return do_platform_op(v, args);
    case __HYPERVISOR_physdev_op:
        return do_physdev_op(v, args);
    default:
        return -XEN_ENOSYS;
    }
}
