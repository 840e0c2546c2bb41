#include "base/arith.h"
#include "core/domain/domain.h"
#include "core/gnttab/gnttab.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/hypercall/memory_op.h"
#include "core/mem/frame.h"
#include "core/vcpu/vcpu.h"

/* One page of status words serves this many grant frames. */
#define FRAMES_PER_STATUS (sizeof(grant_entry_v2_t) / sizeof(grant_status_t))

/* Frames of the resource that exist or may come to exist; 0: no such resource. */
static uint32_t resource_size(const struct domain *d, const struct xen_mem_acquire_resource *r)
{
    uint32_t frames = d->gnttab.max_frames;

    if (r->type != XENMEM_resource_grant_table) {
        return 0;
    }
    switch (r->id) {
    case XENMEM_resource_grant_table_id_shared:
        return frames;
    case XENMEM_resource_grant_table_id_status:
        return (uint32_t)((frames + FRAMES_PER_STATUS - 1) / FRAMES_PER_STATUS);
    default:
        return 0;
    }
}

/* Maps frame i of the request where the caller's list says. */
static int acquire_one(struct vcpu *v, struct domain *d, const struct xen_mem_acquire_resource *r,
                       uint64_t i)
{
    struct p2m_entry old;
    uint64_t g;
    mfn_t m;
    int rc;

    if (guest_copy_in(v, &g, HANDLE_GVA(r->frame_list) + i * sizeof(g), sizeof(g)) != 0) {
        return -XEN_EFAULT;
    }
    rc = gnttab_get_frame(d, r->id == XENMEM_resource_grant_table_id_status, r->frame + i, &m);
    if (rc != 0) {
        return rc;
    }
    if (!frame_get(m, d->id)) {
        return -XEN_EINVAL;
    }
    rc = p2m_exchange(v->domain, gfn(g), m, P2M_FOREIGN, MEMOP_REPLACEABLE, &old);
    if (rc != 0) {
        frame_put(m);
        return rc == -XEN_EEXIST ? -XEN_EBUSY : rc;
    }
    memory_op_dropped(v->domain, gfn(g), &old);
    return 0;
}

static int64_t acquire(struct vcpu *v, struct domain *d, struct xen_mem_acquire_resource *r,
                       uint64_t start, uint64_t args[6])
{
    uint32_t size = resource_size(d, r);

    if (size == 0) {
        return -XEN_EINVAL;
    }
    if (HANDLE_GVA(r->frame_list) == 0) {
        if (r->nr_frames != 0) {
            return -XEN_EINVAL;
        }
        r->nr_frames = size;
        return guest_copy_out(v, args[1], r, sizeof(*r));
    }
    if (start != 0 && start >= r->nr_frames) {
        return -XEN_EINVAL;
    }
    for (uint64_t i = start; i < r->nr_frames;) {
        int rc = acquire_one(v, d, r, i);

        if (rc != 0) {
            return i != 0 ? -XEN_EIO : rc;
        }
        if (++i < r->nr_frames && hypercall_preempt()) {
            return memory_op_restart(args, i);
        }
    }
    return 0;
}

int64_t memory_op_acquire_resource(struct vcpu *v, uint64_t start, uint64_t args[6])
{
    struct xen_mem_acquire_resource r;
    struct domain *d;
    int64_t rc;

    /* Only the privileged domain's map may hold other domains' frames. */
    if (!v->domain->privileged) {
        return -XEN_EACCES;
    }
    if (guest_copy_in(v, &r, args[1], sizeof(r)) != 0) {
        return -XEN_EFAULT;
    }
    /* Progress must fit above the operation in the first argument. */
    if (r.pad != 0 || r.frame > UINT32_MAX || r.nr_frames > MEMOP_EXTENTS_MAX) {
        return -XEN_EINVAL;
    }
    if (r.domid == DOMID_SELF || r.domid == v->domain->id) {
        return -XEN_EPERM;
    }
    rc = memory_op_target(v, r.domid, POLICY_FOREIGN_MAP, &d);
    if (rc != 0) {
        return rc;
    }
    rc = acquire(v, d, &r, start, args);
    domain_put(d);
    return rc;
}
