/* Hypercall memory_op: reservations, the guest-physical map, hostile arguments. */
#include "tests/unit/hypercall/memory_calls.h"

#define LIST2_GPA 0x1102000ull
#define ERRS_GPA 0x1103000ull

START_TEST(populate_and_decrease)
{
    uint64_t before = d->tot_pages;
    uint64_t *list = list_of(d, LIST_GPA);

    for (unsigned preempt = 0; preempt < 2; preempt++) {
        this_cpu()->preempt_every = preempt;
        for (unsigned i = 0; i < 10; i++) {
            list[i] = G0 + 3 * i;
        }
        ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 10, 0, DOMID_SELF), 10);
        ck_assert_uint_eq(d->tot_pages, before + 10);
        ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 27)).type, P2M_RAM_RW);
        ck_assert_uint_eq(list[9], G0 + 27);
        fixture_audit();
        ck_assert_int_eq(reserve(v, XENMEM_decrease_reservation, 10, 0, d->id), 10);
        ck_assert_uint_eq(d->tot_pages, before);
        /* They are gone: the first one ends it. */
        ck_assert_int_eq(reserve(v, XENMEM_decrease_reservation, 10, 0, d->id), 0);
    }
}
END_TEST

START_TEST(populate_orders)
{
    uint64_t before = d->tot_pages;
    uint64_t *list = list_of(d, LIST_GPA);

    list[0] = G0;       /* one 2 MiB leaf */
    list[1] = G0 + 513; /* not aligned: pages */
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 2, 9, DOMID_SELF), 2);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).order, P2M_2M);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 513)).order, P2M_4K);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 512)).type, P2M_INVALID);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 1024)).type, P2M_RAM_RW);
    ck_assert_uint_eq(d->tot_pages, before + 1024);
    /* Again over what is there: the old memory is freed. */
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 2, 9, DOMID_SELF), 2);
    ck_assert_uint_eq(d->tot_pages, before + 1024);
    fixture_audit();
    ck_assert_int_eq(reserve(v, XENMEM_decrease_reservation, 2, 9, DOMID_SELF), 2);
    ck_assert_uint_eq(d->tot_pages, before);
    list[0] = G0 + 8;
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 3, DOMID_SELF), 1);
    ck_assert_uint_eq(d->tot_pages, before + 8);
}
END_TEST

START_TEST(populate_bounds)
{
    uint64_t *list = list_of(d, LIST_GPA);
    struct xen_memory_reservation r = {
        .extent_start = {(void *)LIST_GPA}, .nr_extents = 1, .domid = DOMID_SELF};

    list[0] = 1ull << P2M_GFN_BITS;
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 0, DOMID_SELF), 0);
    list[0] = UINT64_MAX;
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 9, DOMID_SELF), 0);
    ck_assert_int_eq(reserve(v, XENMEM_decrease_reservation, 1, 9, DOMID_SELF), 0);
    list[0] = (1ull << P2M_GFN_BITS) - 256;
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 9, DOMID_SELF), 0);
    list[0] = G0;
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 10, DOMID_SELF), 0);
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, UINT32_MAX, DOMID_SELF), 0);
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, UINT64_MAX, 0, DOMID_SELF), 0);
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 0, 0, DOMID_SELF), 0);
    ck_assert_int_eq(reserve(v, XENMEM_increase_reservation, 1, 0, DOMID_SELF), 0);
    /* Others' memory, and nobody's. */
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 0, other->id), 0);
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 0, 999), 0);
    /* Flags. */
    r.mem_flags = XENMEMF_populate_on_demand;
    ck_assert_int_eq(memory_op(v, XENMEM_populate_physmap, &r, sizeof(r)), 0);
    r.mem_flags = XENMEMF_address_bits(12);
    ck_assert_int_eq(memory_op(v, XENMEM_populate_physmap, &r, sizeof(r)), 0);
    r.mem_flags = XENMEMF_address_bits(26);
    ck_assert_int_eq(memory_op(v, XENMEM_populate_physmap, &r, sizeof(r)), 1);
    ck_assert_uint_lt(p2m_lookup(d, gfn(G0)).mfn.v, 1u << 14);
    /* A list that ends in nowhere. */
    r.mem_flags = 0;
    r.extent_start.p = (void *)(ARG_GPA + 4 * PAGE_SIZE - 8);
    r.nr_extents = 2;
    *list_of(d, ARG_GPA + 4 * PAGE_SIZE - 8) = G0 + 1;
    ck_assert_int_eq(memory_op(v, XENMEM_populate_physmap, &r, sizeof(r)), 1);
    /* A continuation that lies, and an argument that is not there. */
    ck_assert_int_eq(memory_op(v, XENMEM_populate_physmap | 2 << 6, &r, sizeof(r)), 2);
    ck_assert_int_eq(memory_op(v, XENMEM_populate_physmap | 1ull << 40, &r, sizeof(r)), 1ll << 34);
    ck_assert_int_eq(
        fixture_hypercall(v, __HYPERVISOR_memory_op, XENMEM_populate_physmap | 5 << 6, 0, 0, 0, 0),
        5);
}
END_TEST

/* The second element of an array at the end of all addresses is not at address 0. */
START_TEST(arrays_do_not_wrap)
{
    struct xen_memory_reservation r = {
        .extent_start = {(void *)(UINT64_MAX - 7)}, .nr_extents = 2, .domid = DOMID_SELF};

    fixture_populate(d, 0, 1);
    *list_of(d, 0) = G0;
    ck_assert_int_eq(memory_op(v, XENMEM_populate_physmap | 1 << 6, &r, sizeof(r)), 1);
    ck_assert_int_eq(memory_op(v, XENMEM_decrease_reservation | 1 << 6, &r, sizeof(r)), 1);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).type, P2M_INVALID);
}
END_TEST

START_TEST(populate_up_to_the_limit)
{
    uint64_t *list = list_of(d, LIST_GPA);
    uint64_t room;

    d->max_pages = d->tot_pages + 3;
    room = d->max_pages - d->tot_pages;
    for (unsigned i = 0; i < 10; i++) {
        list[i] = G0 + i;
    }
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 10, 0, DOMID_SELF), (int64_t)room);
    ck_assert_uint_eq(d->tot_pages, d->max_pages);
    /* No room for tables: nothing of the extent stays. */
    d->max_pages += 1024;
    d->p2m.table_limit = d->p2m.table_pages + 1;
    list[0] = (1ull << 20) - 100;
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 9, DOMID_SELF), 0);
    ck_assert_uint_eq(d->tot_pages, d->max_pages - 1024);
    ck_assert_uint_eq(p2m_lookup(d, gfn(list[0])).type, P2M_INVALID);
    fixture_audit();
}
END_TEST

START_TEST(privileged_adjusts_others)
{
    uint64_t *list = list_of(dom0, LIST_GPA);
    uint64_t before = d->tot_pages;

    list[0] = G0;
    ck_assert_int_eq(reserve(v0, XENMEM_populate_physmap, 1, 10, d->id), 1);
    ck_assert_uint_eq(d->tot_pages, before + 1024);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 512)).order, P2M_2M);
    ck_assert_int_eq(reserve(v0, XENMEM_decrease_reservation, 1, 10, d->id), 1);
    ck_assert_uint_eq(d->tot_pages, before);
}
END_TEST

START_TEST(queries)
{
    struct xen_memory_domain q = {DOMID_SELF};
    struct xen_vnuma_topology_info n = {.domid = DOMID_SELF};

    ck_assert_int_eq(memory_op(v, XENMEM_current_reservation, &q, sizeof(q)),
                     (int64_t)d->tot_pages);
    ck_assert_int_eq(memory_op(v, XENMEM_maximum_reservation, &q, sizeof(q)),
                     (int64_t)d->max_pages);
    ck_assert_int_eq(memory_op(v, XENMEM_maximum_gpfn, &q, sizeof(q)), (int64_t)d->p2m.max_gfn);
    ck_assert_int_eq(memory_op(v, XENMEM_maximum_ram_page, &q, 0), (int64_t)hv->max_mfn);
    ck_assert_int_eq(memory_op(v, XENMEM_get_sharing_freed_pages, &q, 0), 0);
    ck_assert_int_eq(memory_op(v, XENMEM_get_vnumainfo, &n, sizeof(n)), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(memory_op(v, XENMEM_current_reservation | 1 << 6, &q, sizeof(q)), -XEN_EINVAL);
    q.domid = other->id;
    ck_assert_int_eq(memory_op(v, XENMEM_current_reservation, &q, sizeof(q)), -XEN_EPERM);
    ck_assert_int_eq(memory_op(v0, XENMEM_current_reservation, &q, sizeof(q)),
                     (int64_t)other->tot_pages);
    q.domid = 4321;
    ck_assert_int_eq(memory_op(v, XENMEM_current_reservation, &q, sizeof(q)), -XEN_ESRCH);
    for (uint64_t op = 0; op < 64; op++) {
        int64_t rc = fixture_hypercall(v, __HYPERVISOR_memory_op, op, UINT64_MAX, 0, 0, 0);

        ck_assert_int_le(rc, op == XENMEM_maximum_ram_page ? (int64_t)hv->max_mfn : 0);
        ck_assert(op <= 28 || rc == -XEN_ENOSYS);
    }
}
END_TEST

static int64_t add(struct vcpu *who, domid_t id, unsigned space, uint64_t idx, uint64_t g,
                   uint16_t size)
{
    struct xen_add_to_physmap a = {
        .domid = id, .size = size, .space = space, .idx = idx, .gpfn = g};

    return memory_op(who, XENMEM_add_to_physmap, &a, sizeof(a));
}

START_TEST(add_shared_info)
{
    mfn_t si = ptr_to_mfn(d->shared_info);
    uint64_t before = d->tot_pages;

    fixture_populate(d, G0, 2);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_shared_info, 0, G0, 0), 0);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).mfn.v, si.v);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).type, P2M_SHARED);
    ck_assert_uint_eq(d->shared_info_gfn.v, G0);
    /* The memory it covered is freed. */
    ck_assert_uint_eq(d->tot_pages, before + 1);
    /* Again the same, then elsewhere: it has one place. */
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_shared_info, 0, G0, 0), 0);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_shared_info, 0, G0 + 7, 0), 0);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).type, P2M_INVALID);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 7)).mfn.v, si.v);
    ck_assert_uint_eq(d->shared_info_gfn.v, G0 + 7);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_shared_info, 1, G0, 0), -XEN_EINVAL);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_shared_info, 0, UINT64_MAX, 0), -XEN_EINVAL);
    ck_assert_int_eq(add(v, other->id, XENMAPSPACE_shared_info, 0, G0, 0), -XEN_EPERM);
    ck_assert_int_eq(add(v, 4321, XENMAPSPACE_shared_info, 0, G0, 0), -XEN_ESRCH);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_dev_mmio, 0, G0, 0), -XEN_EINVAL);
    ck_assert_int_eq(add(v, DOMID_SELF, 77, 0, G0, 0), -XEN_EINVAL);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn_foreign, 0, G0, 0), -XEN_ENOSYS);
    /* Populating over it takes it away, not its page. */
    *list_of(d, LIST_GPA) = G0 + 7;
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 0, DOMID_SELF), 1);
    ck_assert(gfn_is_invalid(d->shared_info_gfn));
    ck_assert_uint_eq(frame_read(si).refs, 1);
}
END_TEST

START_TEST(add_grant_frames)
{
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_grant_table, 0, G0, 0), 0);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).type, P2M_SHARED);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).mfn.v, ptr_to_mfn(d->gnttab.shared[0]).v);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_grant_table, 0, G0 + 1, 0), 0);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_grant_table, 1 << 20, G0 + 1, 0), -XEN_EINVAL);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_grant_table, UINT64_MAX, G0, 0), -XEN_EINVAL);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_grant_table, 0, 1ull << 60, 0), -XEN_EINVAL);
    fixture_audit();
}
END_TEST

START_TEST(add_own_frames)
{
    struct xen_remove_from_physmap rm = {.domid = DOMID_SELF, .gpfn = G0 + 100};
    uint64_t before;
    mfn_t m;

    fixture_populate(d, G0, 8);
    before = d->tot_pages;
    m = p2m_lookup(d, gfn(G0)).mfn;
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn, G0, G0 + 100, 0), 0);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 100)).mfn.v, m.v);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn, G0, G0 + 101, 0), -XEN_EINVAL);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn, UINT64_MAX, G0, 0), -XEN_EINVAL);
    /* Over other memory, which is freed. */
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn, G0 + 100, G0 + 1, 0), 0);
    ck_assert_uint_eq(d->tot_pages, before - 1);
    for (unsigned preempt = 0; preempt < 2; preempt++) {
        uint64_t from = preempt ? G0 + 200 : G0 + 2, to = preempt ? G0 + 300 : G0 + 200;

        this_cpu()->preempt_every = preempt;
        ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn_range, from, to, 6), 0);
        ck_assert_uint_eq(p2m_lookup(d, gfn(to + 5)).type, P2M_RAM_RW);
    }
    ck_assert_uint_eq(d->tot_pages, before - 1);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn_range, UINT64_MAX, 0, 6), -XEN_EOVERFLOW);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn_range, 0, UINT64_MAX, 6), -XEN_EOVERFLOW);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn_range, 0, 0, 0), 0);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_memory_op, XENMEM_add_to_physmap | 1 << 6,
                                       ARG_GPA, 0, 0, 0),
                     -XEN_EILSEQ);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_memory_op,
                                       XENMEM_add_to_physmap | 65536 << 6, ARG_GPA, 0, 0, 0),
                     -XEN_EDOM);
    rm.gpfn = G0 + 300;
    ck_assert_int_eq(memory_op(v, XENMEM_remove_from_physmap, &rm, sizeof(rm)), 0);
    ck_assert_uint_eq(d->tot_pages, before - 2);
    ck_assert_int_eq(memory_op(v, XENMEM_remove_from_physmap, &rm, sizeof(rm)), -XEN_ENOENT);
    rm.domid = other->id;
    ck_assert_int_eq(memory_op(v, XENMEM_remove_from_physmap, &rm, sizeof(rm)), -XEN_EPERM);
}
END_TEST

static int64_t batch(struct vcpu *who, unsigned space, domid_t foreign, uint16_t size,
                     uint64_t start)
{
    struct xen_add_to_physmap_batch b = {.domid = DOMID_SELF,
                                         .space = (uint16_t)space,
                                         .size = size,
                                         .u.foreign_domid = foreign,
                                         .idxs = {(void *)LIST_GPA},
                                         .gpfns = {(void *)LIST2_GPA},
                                         .errs = {(void *)ERRS_GPA}};

    return memory_op(who, XENMEM_add_to_physmap_batch | start << 6, &b, sizeof(b));
}

START_TEST(batch_of_foreign_frames)
{
    uint64_t *idx = list_of(dom0, LIST_GPA), *to = list_of(dom0, LIST2_GPA);
    int *errs = (int *)list_of(dom0, ERRS_GPA);
    struct xen_remove_from_physmap rm = {.domid = DOMID_SELF, .gpfn = G0};
    mfn_t m;

    fixture_populate(d, G0, 4);
    m = p2m_lookup(d, gfn(G0)).mfn;
    for (unsigned i = 0; i < 6; i++) {
        idx[i] = G0 + i;
        to[i] = G0 + i;
        errs[i] = 1;
    }
    to[2] = UINT64_MAX;
    this_cpu()->preempt_every = 1;
    ck_assert_int_eq(batch(v0, XENMAPSPACE_gmfn_foreign, d->id, 5, 0), 0);
    ck_assert_int_eq(errs[0], 0);
    ck_assert_int_eq(errs[2], -XEN_EINVAL);
    ck_assert_int_eq(errs[3], 0);
    ck_assert_int_eq(errs[4], -XEN_EINVAL);
    ck_assert_int_eq(errs[5], 1);
    ck_assert_uint_eq(p2m_lookup(dom0, gfn(G0)).type, P2M_FOREIGN);
    ck_assert_uint_eq(p2m_lookup(dom0, gfn(G0)).mfn.v, m.v);
    ck_assert_uint_eq(frame_read(m).refs, 2);
    /* Twice at the same place: one reference. */
    ck_assert_int_eq(batch(v0, XENMAPSPACE_gmfn_foreign, d->id, 1, 0), 0);
    ck_assert_uint_eq(frame_read(m).refs, 2);
    /* A domain's death does not take it away; removal gives it up. */
    fixture_audit();
    fixture_kill(d);
    ck_assert_uint_eq(frame_read(m).state, FRAME_USED);
    ck_assert_int_eq(memory_op(v0, XENMEM_remove_from_physmap, &rm, sizeof(rm)), 0);
    ck_assert_uint_eq(frame_read(m).state, FRAME_FREE);
    rm.gpfn = G0 + 1;
    ck_assert_int_eq(memory_op(v0, XENMEM_remove_from_physmap, &rm, sizeof(rm)), 0);
}
END_TEST

START_TEST(batch_errors)
{
    int *errs = (int *)list_of(dom0, ERRS_GPA);
    int *guest_errs = (int *)list_of(d, ERRS_GPA);

    *list_of(dom0, LIST_GPA) = *list_of(dom0, LIST2_GPA) = G0;
    *list_of(d, LIST_GPA) = *list_of(d, LIST2_GPA) = G0;
    fixture_populate(other, G0, 1);
    ck_assert_int_eq(batch(v, XENMAPSPACE_gmfn_foreign, other->id, 1, 0), 0);
    ck_assert_int_eq(guest_errs[0], -XEN_EPERM);
    ck_assert_int_eq(batch(v0, XENMAPSPACE_gmfn_foreign, 4321, 1, 0), 0);
    ck_assert_int_eq(errs[0], -XEN_ESRCH);
    ck_assert_int_eq(batch(v0, XENMAPSPACE_gmfn_foreign, dom0->id, 1, 0), 0);
    ck_assert_int_eq(errs[0], -XEN_EINVAL);
    ck_assert_int_eq(batch(v0, XENMAPSPACE_gmfn_range, 0, 1, 0), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(batch(v0, XENMAPSPACE_dev_mmio, 1, 1, 0), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(batch(v0, XENMAPSPACE_gmfn_foreign, 1, 0, 0), 0);
    ck_assert_int_eq(batch(v0, XENMAPSPACE_gmfn_foreign, 1, 2, 2), -XEN_EILSEQ);
    ck_assert_int_eq(batch(v0, XENMAPSPACE_gmfn_foreign, 1, 2, 1 << 16), -XEN_EDOM);
    ck_assert_int_eq(fixture_hypercall(v0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch,
                                       UINT64_MAX - 3, 0, 0, 0),
                     -XEN_EFAULT);
}
END_TEST

/* What a grant handle holds is not taken away behind its back. */
START_TEST(grant_mappings_stay)
{
    struct xen_remove_from_physmap rm = {.domid = DOMID_SELF, .gpfn = G0};
    struct p2m_entry e;

    fixture_populate(other, G0, 1);
    fixture_populate(d, G0 + 1, 1);
    ck_assert(p2m_get_page(other, gfn(G0), &e));
    ck_assert_int_eq(p2m_map(d, gfn(G0), e.mfn, P2M_4K, P2M_GRANT_RW), 0);
    *list_of(d, LIST_GPA) = G0;
    ck_assert_int_eq(memory_op(v, XENMEM_remove_from_physmap, &rm, sizeof(rm)), -XEN_EBUSY);
    ck_assert_int_eq(reserve(v, XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 0);
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 0, DOMID_SELF), 0);
    ck_assert_int_eq(reserve(v, XENMEM_populate_physmap, 1, 1, DOMID_SELF), 0);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_gmfn, G0 + 1, G0, 0), -XEN_EBUSY);
    ck_assert_int_eq(add(v, DOMID_SELF, XENMAPSPACE_shared_info, 0, G0, 0), -XEN_EBUSY);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).mfn.v, e.mfn.v);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 1)).type, P2M_RAM_RW);
    fixture_audit();
    ck_assert_int_eq(p2m_unmap_if(d, gfn(G0), e.mfn), 0);
}
END_TEST

START_TEST(acquire_grant_table)
{
    struct xen_mem_acquire_resource r = {.domid = d->id, .type = XENMEM_resource_grant_table};
    struct xen_mem_acquire_resource *out = fixture_guest(dom0, ARG_GPA);
    uint64_t *list = list_of(dom0, LIST_GPA);

    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), 0);
    ck_assert_uint_eq(out->nr_frames, d->gnttab.max_frames);
    r.nr_frames = 1;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    r.frame_list.p = (void *)LIST_GPA;
    list[0] = G0;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), 0);
    ck_assert_uint_eq(p2m_lookup(dom0, gfn(G0)).type, P2M_FOREIGN);
    ck_assert_uint_eq(p2m_lookup(dom0, gfn(G0)).mfn.v, ptr_to_mfn(d->gnttab.shared[0]).v);
    r.frame = d->gnttab.max_frames;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    /* The second frame of two is not there: neither is mapped. */
    r.frame--;
    r.nr_frames = 2;
    list[0] = G0 + 1;
    list[1] = G0 + 2;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    ck_assert_uint_eq(p2m_lookup(dom0, gfn(G0 + 1)).type, P2M_INVALID);
    /* All of it. The second place is a bad one: the first is mapped, as in Xen. */
    r.frame = 0;
    list[1] = UINT64_MAX;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EIO);
    ck_assert_uint_eq(p2m_lookup(dom0, gfn(G0 + 1)).type, P2M_FOREIGN);
    r.frame = UINT32_MAX - 1;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    r.nr_frames = 1;
    r.frame = 0;
    r.id = XENMEM_resource_grant_table_id_status;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    r.id = 0;
    r.frame = UINT64_MAX;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    r.frame = 0;
    r.pad = 1;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    r.pad = 0;
    r.type = 99;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    r.domid = DOMID_SELF;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_ESRCH);
    r.domid = dom0->id;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EPERM);
    ck_assert_int_eq(memory_op(v, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EACCES);
}
END_TEST

/* Device models' pages: their number is known, but there is no such server. */
START_TEST(acquire_other_resources)
{
    struct xen_mem_acquire_resource r = {.domid = d->id, .type = XENMEM_resource_ioreq_server};
    struct xen_mem_acquire_resource *out = fixture_guest(dom0, ARG_GPA);

    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), 0);
    ck_assert_uint_eq(out->nr_frames, 2);
    r.nr_frames = 1;
    r.frame_list.p = (void *)LIST_GPA;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_ENOENT);
    r.id = 1 << 16;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    r.type = XENMEM_resource_vmtrace_buf;
    r.id = 0;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
    r.frame_list.p = NULL;
    r.nr_frames = 0;
    ck_assert_int_eq(memory_op(v0, XENMEM_acquire_resource, &r, sizeof(r)), -XEN_EINVAL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory_op");
    TCase *c = tcase_create("memory_op");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, populate_and_decrease);
    tcase_add_test(c, populate_orders);
    tcase_add_test(c, populate_bounds);
    tcase_add_test(c, arrays_do_not_wrap);
    tcase_add_test(c, populate_up_to_the_limit);
    tcase_add_test(c, privileged_adjusts_others);
    tcase_add_test(c, queries);
    tcase_add_test(c, add_shared_info);
    tcase_add_test(c, add_grant_frames);
    tcase_add_test(c, add_own_frames);
    tcase_add_test(c, batch_of_foreign_frames);
    tcase_add_test(c, batch_errors);
    tcase_add_test(c, grant_mappings_stay);
    tcase_add_test(c, acquire_grant_table);
    tcase_add_test(c, acquire_other_resources);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
