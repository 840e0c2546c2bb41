/* Hypercalls for bodies of interleavings: the arguments lie in the executing CPU's
 * page of the caller's domain. */
#ifndef CORBEL_TESTS_INTERLEAVE_CALLS_H
#define CORBEL_TESTS_INTERLEAVE_CALLS_H

#include "tests/unit/interleave.h"

#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>

#include "core/guest_mem/guest_mem.h"

/* populate_physmap or decrease_reservation of one page of domain id. */
static inline int64_t il_reserve(struct vcpu *v, unsigned cmd, domid_t id, uint64_t g)
{
    struct {
        struct xen_memory_reservation r;
        uint64_t list[1];
    } arg = {.r = {.nr_extents = 1, .domid = id}, .list = {g}};

    arg.r.extent_start.p = (void *)(uintptr_t)(interleave_gva() + sizeof(arg.r));
    return interleave_call(v, __HYPERVISOR_memory_op, cmd, &arg, sizeof(arg), 0);
}

static inline int64_t il_add_to_physmap(struct vcpu *v, domid_t id, unsigned space, uint64_t idx,
                                        uint64_t g)
{
    struct xen_add_to_physmap arg = {
        .domid = id, .space = (uint16_t)space, .idx = (xen_ulong_t)idx, .gpfn = g};

    return interleave_call(v, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &arg, sizeof(arg), 0);
}

/* Page idx of domain of comes to g of v's own; *err is the page's own result. */
static inline int64_t il_map_foreign(struct vcpu *v, domid_t of, uint64_t idx, uint64_t g, int *err)
{
    struct {
        struct xen_add_to_physmap_batch b;
        uint64_t idx[1], g[1];
        int32_t err[1];
    } arg = {.b = {.domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 1},
             .idx = {idx},
             .g = {g},
             .err = {99}};
    uint64_t at = interleave_gva();
    int64_t rc;

    arg.b.u.foreign_domid = of;
    arg.b.idxs.p = (void *)(uintptr_t)(at + ((uintptr_t)arg.idx - (uintptr_t)&arg));
    arg.b.gpfns.p = (void *)(uintptr_t)(at + ((uintptr_t)arg.g - (uintptr_t)&arg));
    arg.b.errs.p = (void *)(uintptr_t)(at + ((uintptr_t)arg.err - (uintptr_t)&arg));
    rc = interleave_call(v, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &arg, sizeof(arg),
                         0);
    *err = arg.err[0];
    return rc;
}

/* Returns the operation's status. */
static inline int il_map(struct vcpu *v, domid_t dom, uint32_t ref, uint32_t flags, uint64_t addr,
                         uint32_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = addr, .flags = flags, .ref = ref, .dom = dom, .status = 99};

    ck_assert_int_eq(
        interleave_call(v, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, sizeof(op), 1),
        0);
    *handle = op.handle;
    return op.status;
}

static inline int il_unmap(struct vcpu *v, uint32_t handle, uint64_t addr)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = addr, .handle = handle, .status = 99};

    ck_assert_int_eq(interleave_call(v, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &op,
                                     sizeof(op), 1),
                     0);
    return op.status;
}

/* A whole page from dom's grant to v's own page g. */
static inline int il_copy(struct vcpu *v, domid_t dom, uint32_t ref, uint64_t g)
{
    struct gnttab_copy op = {.source = {.domid = dom},
                             .dest = {.domid = DOMID_SELF},
                             .len = PAGE_SIZE,
                             .flags = GNTCOPY_source_gref,
                             .status = 99};

    op.source.u.ref = ref;
    op.dest.u.gmfn = g;
    ck_assert_int_eq(
        interleave_call(v, __HYPERVISOR_grant_table_op, GNTTABOP_copy, &op, sizeof(op), 1), 0);
    return op.status;
}

static inline int64_t il_evtchn(struct vcpu *v, unsigned cmd, void *arg, size_t n)
{
    return interleave_call(v, __HYPERVISOR_event_channel_op, cmd, arg, n, 0);
}

static inline int64_t il_bind(struct vcpu *v, domid_t remote, uint32_t remote_port, uint32_t *port)
{
    evtchn_bind_interdomain_t op = {.remote_dom = remote, .remote_port = remote_port};
    int64_t rc = il_evtchn(v, EVTCHNOP_bind_interdomain, &op, sizeof(op));

    *port = op.local_port;
    return rc;
}

static inline int64_t il_close(struct vcpu *v, uint32_t port)
{
    evtchn_close_t op = {.port = port};

    return il_evtchn(v, EVTCHNOP_close, &op, sizeof(op));
}

static inline int64_t il_send(struct vcpu *v, uint32_t port)
{
    evtchn_send_t op = {.port = port};

    return il_evtchn(v, EVTCHNOP_send, &op, sizeof(op));
}

static inline int64_t il_destroy(struct vcpu *v, domid_t id)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_destroydomain,
                            .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
                            .domain = id};

    ck_assert_int_eq(guest_phys_write(v->domain, gaddr(interleave_gva()), &op, sizeof(op)), 0);
    return interleave_call_plain(v, __HYPERVISOR_domctl, interleave_gva(), 0, 0);
}

#endif
