/* Memory operations of the toolstack: claims, populate on demand, and what is
 * answered but not offered. */
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/hypercall/memory_op.h"
#include "core/mem/page_claim.h"
#include "core/p2m/p2m_pod.h"
#include "core/vcpu/vcpu.h"

#include "base/atomic.h"

int64_t memory_op_claim_pages(struct vcpu *v, uint64_t gva)
{
    struct xen_memory_reservation r;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &r, gva, sizeof(r)) != 0) {
        return -XEN_EFAULT;
    }
    if (HANDLE_GVA(r.extent_start) != 0 || r.extent_order != 0 || r.mem_flags != 0) {
        return -XEN_EINVAL;
    }
    d = domain_get(r.domid);
    if (d == NULL) {
        return -XEN_EINVAL;
    }
    rc = policy_check(POLICY_MEMORY_CLAIM, v->domain, d);
    if (rc == 0) {
        rc = page_claim_set(d, r.nr_extents);
    }
    domain_put(d);
    return rc;
}

/* What is done so far can be seen in the domain: the call is just repeated. */
int64_t memory_op_pod_target(struct vcpu *v, bool set, uint64_t args[6])
{
    struct xen_pod_target t;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &t, args[1], sizeof(t)) != 0) {
        return -XEN_EFAULT;
    }
    rc = memory_op_target(v, t.domid, POLICY_POD_TARGET, &d);
    if (rc != 0) {
        return rc;
    }
    if (set) {
        rc = p2m_pod_set_target(d, t.target_pages);
    }
    if (rc == -XEN_ERESTART) {
        domain_put(d);
        return memory_op_restart(args, 0);
    }
    if (rc == 0) {
        t.tot_pages = load_u64(&d->tot_pages);
        p2m_pod_counts(d, &t.pod_cache_pages, &t.pod_entries);
        rc = guest_copy_out(v, args[1], &t, sizeof(t));
    }
    domain_put(d);
    return rc;
}

/* Nobody can have set up the ring that reports accesses. */
int64_t memory_op_access(struct vcpu *v, uint64_t gva)
{
    struct xen_mem_access_op op;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    d = domain_get(op.domid);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = d == v->domain ? -XEN_EPERM : policy_check(POLICY_MEM_ACCESS, v->domain, d);
    domain_put(d);
    return rc != 0 ? rc : -XEN_ENODEV;
}

/*@ requires \valid_read(v) && \valid_read(v->domain) && \valid_read(x);
    assigns \nothing;
    ensures \result == 0 || \result == -XEN_EPERM || \result == -XEN_EINVAL;
    ensures orders: \result == 0 ==> x->in.extent_order <= MEMOP_ORDER_CONTROL &&
        x->out.extent_order <= MEMOP_ORDER_CONTROL && (!v->domain->privileged ==>
        x->in.extent_order <= MEMOP_ORDER_GUEST && x->out.extent_order <= MEMOP_ORDER_GUEST);
    ensures counts: \result == 0 ==> x->nr_exchanged <= x->in.nr_extents &&
        x->in.nr_extents <= (UINT32_MAX >> x->in.extent_order) &&
        x->out.nr_extents <= (UINT32_MAX >> x->out.extent_order);
    ensures pages: \result == 0 ==> (x->in.nr_extents << x->in.extent_order) ==
        (x->out.nr_extents << x->out.extent_order);
    ensures same_domain: \result == 0 ==> x->in.domid == x->out.domid; */
static int exchange_decode(const struct vcpu *v, const struct xen_memory_exchange *x)
{
    unsigned max = v->domain->privileged ? MEMOP_ORDER_CONTROL : MEMOP_ORDER_GUEST;

    if (x->in.extent_order > max || x->out.extent_order > max) {
        return -XEN_EPERM;
    }
    if (x->nr_exchanged > x->in.nr_extents || x->in.domid != x->out.domid ||
        UINT32_MAX >> x->in.extent_order < x->in.nr_extents ||
        UINT32_MAX >> x->out.extent_order < x->out.nr_extents ||
        x->in.nr_extents << x->in.extent_order != x->out.nr_extents << x->out.extent_order) {
        return -XEN_EINVAL;
    }
    return 0;
}

/* Memory of a translated domain is not taken from it for other memory: it could not
 * see the difference. As in Xen only a request for nothing succeeds. */
int64_t memory_op_exchange(struct vcpu *v, uint64_t gva)
{
    struct xen_memory_exchange x;
    struct domain *d;
    uint64_t g;
    int rc;

    if (guest_copy_in(v, &x, gva, sizeof(x)) != 0) {
        return -XEN_EFAULT;
    }
    rc = exchange_decode(v, &x);
    if (rc == 0) {
        rc = memory_op_target(v, x.in.domid, POLICY_MEMORY_ADJUST, &d);
    }
    if (rc != 0) {
        return rc;
    }
    domain_put(d);
    if (x.nr_exchanged == x.in.nr_extents) {
        return 0;
    }
    return guest_copy_in(
               v, &g, memory_op_element(HANDLE_GVA(x.in.extent_start), x.nr_exchanged, sizeof(g)),
               sizeof(g)) != 0
               ? -XEN_EFAULT
               : -XEN_EINVAL;
}

/* Without an IOMMU no device has memory reserved. */
int64_t memory_op_reserved_device_memory(struct vcpu *v, uint64_t gva)
{
    struct xen_reserved_device_memory_map map;

    if (guest_copy_in(v, &map, gva, sizeof(map)) != 0) {
        return -XEN_EFAULT;
    }
    if ((map.flags & ~XENMEM_RDM_ALL) != 0) {
        return -XEN_EINVAL;
    }
    map.nr_entries = 0;
    return guest_copy_out(v, gva, &map, sizeof(map));
}
