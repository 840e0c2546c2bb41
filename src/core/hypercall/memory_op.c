#include "core/hypercall/memory_op.h"

#include "base/atomic.h"
#include "core/arch.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"

int memory_op_target(struct vcpu *v, domid_t domid, enum policy_op op, struct domain **out)
{
    struct domain *d = domain_get_for(v, domid);
    int rc;

    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(op, v->domain, d);
    if (rc != 0) {
        domain_put(d);
        return rc;
    }
    *out = d;
    return 0;
}

/* current_reservation, maximum_reservation, maximum_gpfn. */
/*@ requires calls(v);
    assigns references, permitted;
    ensures nothing_held && (\result >= 0 || \result == -XEN_EFAULT || \result == -XEN_ESRCH ||
        \result == -XEN_EPERM); */
static int64_t reservation_query(struct vcpu *v, uint32_t op, uint64_t gva)
{
    struct xen_memory_domain arg;
    struct domain *d;
    uint64_t n;
    int rc;

    if (guest_copy_in(v, &arg, gva, sizeof(arg)) != 0) {
        return -XEN_EFAULT;
    }
    rc = memory_op_target(v, arg.domid, POLICY_MEMORY_STAT, &d);
    if (rc != 0) {
        return rc;
    }
    switch (op) {
    case XENMEM_current_reservation:
        n = load_u64(&d->tot_pages);
        break;
    case XENMEM_maximum_reservation:
        n = load_u64(&d->max_pages);
        break;
    default:
        n = load_u64(&d->p2m.max_gfn);
        break;
    }
    domain_put(d);
    return (int64_t)(n & INT64_MAX);
}

/* No domain has a virtual NUMA topology. */
/*@ requires calls(v);
    assigns references, permitted;
    ensures nothing_held && \result < 0 && \result != HYPERCALL_RESTART; */
static int64_t vnumainfo(struct vcpu *v, uint64_t gva)
{
    struct xen_vnuma_topology_info arg;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &arg, gva, sizeof(arg)) != 0) {
        return -XEN_EFAULT;
    }
    if (arg.pad != 0) {
        return -XEN_EINVAL;
    }
    rc = memory_op_target(v, arg.domid, POLICY_MEMORY_STAT, &d);
    if (rc != 0) {
        return rc;
    }
    domain_put(d);
    return -XEN_EOPNOTSUPP;
}

/* Operations whose first argument carries no progress. */
/*@ requires calls(v) && arguments(v, args) && \valid_read(hv) && hv->max_mfn <= INT64_MAX;
    ensures nothing_held;
    ensures \result == HYPERCALL_RESTART ==> args[0] == \old(args[0]) % 64; */
static int64_t single_step(struct vcpu *v, uint32_t op, uint64_t args[6])
{
    uint64_t gva = args[1];

    switch (op) {
    case XENMEM_maximum_ram_page:
        return (int64_t)hv->max_mfn;
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return reservation_query(v, op, gva);
    case XENMEM_remove_from_physmap:
        return memory_op_remove_from_physmap(v, gva);
    case XENMEM_claim_pages:
        return memory_op_claim_pages(v, gva);
    case XENMEM_set_pod_target:
    case XENMEM_get_pod_target:
        return memory_op_pod_target(v, op == XENMEM_set_pod_target, args);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0; /* no page is ever shared between domains */
    case XENMEM_access_op:
        return memory_op_access(v, gva);
    case XENMEM_paging_op:
    case XENMEM_sharing_op:
        return -XEN_ENOSYS; /* as Xen's default build */
    case XENMEM_exchange:
        return memory_op_exchange(v, gva);
    case XENMEM_get_vnumainfo:
        return vnumainfo(v, gva);
    case XENMEM_reserved_device_memory_map:
        return memory_op_reserved_device_memory(v, gva);
    default:
        return arch_memory_op(v, op, gva);
    }
}

/* args: command with progress, argument structure. */
/*@ requires calls(v) && arguments(v, args) && \valid_read(hv) && hv->max_mfn <= INT64_MAX;
    ensures nothing_held;
    ensures same: \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64; */
int64_t do_memory_op(struct vcpu *v, uint64_t args[6])
{
    uint32_t op = (uint32_t)(args[0] & MEMOP_CMD_MASK);
    uint64_t start = args[0] >> MEMOP_EXTENT_SHIFT;

    switch (op) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return memory_op_reservation(v, op, start, args);
    case XENMEM_add_to_physmap:
        return start > UINT16_MAX ? -XEN_EDOM : memory_op_add_to_physmap(v, start, args);
    case XENMEM_add_to_physmap_batch:
        return start > UINT16_MAX ? -XEN_EDOM : memory_op_add_to_physmap_batch(v, start, args);
    case XENMEM_acquire_resource:
        return memory_op_acquire_resource(v, start, args);
    default:
        return start != 0 ? -XEN_EINVAL : single_step(v, op, args);
    }
}
