/* Grant table hypercalls for tests. */
#ifndef CORBEL_TESTS_GNTTAB_CALLS_H
#define CORBEL_TESTS_GNTTAB_CALLS_H

#include "core/gnttab/gnttab.h"
#include "core/guest_mem/guest_mem.h"
#include "core/p2m/p2m.h"
#include "port/mem.h"
#include "tests/unit/fixture.h"

/* Runs cmd over n structures of the given size, in place. */
static inline int64_t gt(struct vcpu *v, unsigned cmd, void *args, size_t size, unsigned n)
{
    struct domain *d = v->domain;
    int64_t rc;

    if (!fixture_guest(d, FIXTURE_SCRATCH_GPA)) {
        fixture_populate(d, FIXTURE_SCRATCH_GPA >> PAGE_SHIFT, FIXTURE_SCRATCH_PAGES);
    }
    ck_assert_int_eq(guest_phys_write(d, gaddr(FIXTURE_SCRATCH_GPA), args, size * n), 0);
    rc = fixture_hypercall(v, __HYPERVISOR_grant_table_op, cmd, FIXTURE_SCRATCH_GPA, n, 0, 0);
    ck_assert_int_eq(guest_phys_read(d, gaddr(FIXTURE_SCRATCH_GPA), args, size * n), 0);
    return rc;
}

static inline int gt_map(struct vcpu *v, domid_t dom, grant_ref_t ref, uint32_t flags,
                         uint64_t addr, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = addr, .flags = flags, .ref = ref, .dom = dom, .status = 99};

    ck_assert_int_eq(gt(v, GNTTABOP_map_grant_ref, &op, sizeof(op), 1), 0);
    *handle = op.handle;
    return op.status;
}

static inline int gt_unmap(struct vcpu *v, grant_handle_t handle, uint64_t addr)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = addr, .handle = handle, .status = 99};

    ck_assert_int_eq(gt(v, GNTTABOP_unmap_grant_ref, &op, sizeof(op), 1), 0);
    return op.status;
}

static inline int64_t gt_version(struct vcpu *v, uint32_t version)
{
    struct gnttab_set_version op = {.version = version};
    int64_t rc = gt(v, GNTTABOP_set_version, &op, sizeof(op), 1);

    ck_assert_uint_eq(op.version, v->domain->gnttab.version);
    return rc;
}

static inline grant_entry_v1_t *gt_v1(struct domain *d, grant_ref_t ref)
{
    return (grant_entry_v1_t *)d->gnttab.shared[ref / 512] + ref % 512;
}

static inline grant_entry_v2_t *gt_v2(struct domain *d, grant_ref_t ref)
{
    return (grant_entry_v2_t *)d->gnttab.shared[ref / 256] + ref % 256;
}

static inline grant_status_t *gt_status(struct domain *d, grant_ref_t ref)
{
    return (grant_status_t *)d->gnttab.status[ref / 2048] + ref % 2048;
}

/* The guest grants gfn to dom, in its table's version. */
static inline void gt_grant(struct domain *d, grant_ref_t ref, domid_t dom, uint64_t g,
                            uint16_t flags)
{
    if (d->gnttab.version == 1) {
        *gt_v1(d, ref) = (grant_entry_v1_t){
            .flags = (uint16_t)(GTF_permit_access | flags), .domid = dom, .frame = (uint32_t)g};
    } else {
        *gt_v2(d, ref) = (grant_entry_v2_t){
            .full_page = {.hdr = {.flags = (uint16_t)(GTF_permit_access | flags), .domid = dom},
                          .frame = g}};
    }
}

/* The marks that the guest sees. */
static inline unsigned gt_marks(struct domain *d, grant_ref_t ref)
{
    unsigned word = d->gnttab.version == 1 ? gt_v1(d, ref)->flags : *gt_status(d, ref);

    return word & (GTF_reading | GTF_writing);
}

static inline mfn_t gt_mfn(struct domain *d, uint64_t g)
{
    return p2m_lookup(d, gfn(g)).mfn;
}

#endif
