/* Grant tables: the table itself, versions, mapping, teardown. */
#include "tests/unit/gnttab/gnttab_calls.h"

#include <xen/memory.h>

#define RW GNTMAP_host_map
#define RO (GNTMAP_host_map | GNTMAP_readonly)
#define MAPS UINT64_C(0x80000000) /* where mappings go */

static struct domain *a, *b; /* a grants, b maps */
static struct vcpu *av, *bv;

static void setup(void)
{
    fixture_start(32, 1);
    a = fixture_domain(8, 2);
    b = fixture_domain(8, 2);
    av = a->vcpu[0];
    bv = b->vcpu[0];
    fixture_populate(a, 0x10, 8);
    fixture_populate(b, 0x10, 8);
}

START_TEST(size_and_setup)
{
    struct gnttab_query_size q = {.dom = DOMID_SELF};
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 4};
    uint64_t list[4];

    setup();
    ck_assert_int_eq(gt(av, GNTTABOP_query_size, &q, sizeof(q), 1), 0);
    ck_assert_int_eq(q.status, GNTST_okay);
    ck_assert_uint_eq(q.nr_frames, 1);
    ck_assert_uint_eq(q.max_nr_frames, 64);
    q.dom = b->id;
    ck_assert_int_eq(gt(av, GNTTABOP_query_size, &q, sizeof(q), 1), 0);
    ck_assert_int_eq(q.status, GNTST_permission_denied);
    q.dom = 777;
    ck_assert_int_eq(gt(av, GNTTABOP_query_size, &q, sizeof(q), 1), 0);
    ck_assert_int_eq(q.status, GNTST_bad_domain);
    ck_assert_int_eq(gt(av, GNTTABOP_query_size, &q, 0, 2), -XEN_EINVAL);
    s.frame_list.p = (xen_pfn_t *)(uintptr_t)0x10000;
    ck_assert_int_eq(gt(av, GNTTABOP_setup_table, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_okay);
    ck_assert_uint_eq(a->gnttab.nr_frames, 4);
    memcpy(list, fixture_guest(a, 0x10000), sizeof(list));
    ck_assert_uint_eq(list[3], UINT64_MAX); /* not mapped by the guest yet */
    s.nr_frames = 65;
    ck_assert_int_eq(gt(av, GNTTABOP_setup_table, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_general_error);
    s.nr_frames = UINT32_MAX;
    ck_assert_int_eq(gt(av, GNTTABOP_setup_table, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_general_error);
    s.nr_frames = 4;
    s.frame_list.p = (xen_pfn_t *)(uintptr_t)0x7ffff000;
    ck_assert_int_eq(gt(av, GNTTABOP_setup_table, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_bad_virt_addr);
    ck_assert_int_eq(gt(av, GNTTABOP_setup_table, &s, sizeof(s), 0), -XEN_EINVAL);
    ck_assert_int_eq(gt(av, GNTTABOP_dump_table, &s, sizeof(s), 1), -XEN_ENOSYS);
    ck_assert_int_eq(gt(av, 99, &s, sizeof(s), 1), -XEN_ENOSYS);
    for (unsigned cmd = 0; cmd <= GNTTABOP_cache_flush; cmd++) {
        ck_assert_int_eq(
            fixture_hypercall(av, __HYPERVISOR_grant_table_op, cmd, UINT64_C(0x7ffff0000), 1, 0, 0),
            cmd == GNTTABOP_dump_table ? -XEN_ENOSYS : -XEN_EFAULT);
        ck_assert_int_eq(
            fixture_hypercall(av, __HYPERVISOR_grant_table_op, cmd, 0x10000, 0x80000000, 0, 0),
            -XEN_EINVAL);
    }
    fixture_stop();
}
END_TEST

/* The guest is given m at g, as memory_op does it. */
static void see(gfn_t g, mfn_t m)
{
    ck_assert_int_eq(p2m_map(a, g, m, P2M_4K, P2M_SHARED), 0);
    gnttab_mapped(a, g, m);
}

START_TEST(frames)
{
    mfn_t m, n;

    setup();
    ck_assert_int_eq(gnttab_frame_at(a, 0, &m), 0);
    see(gfn(0x50), m);
    ck_assert_ptr_eq(mfn_to_ptr(m), a->gnttab.shared[0]);
    ck_assert_int_eq(gnttab_frame_at(a, 5, &n), 0);
    see(gfn(0x55), n);
    ck_assert_uint_eq(a->gnttab.nr_frames, 6);
    /* A frame moves: its old place is empty. */
    ck_assert_int_eq(gnttab_frame_at(a, 0, &n), 0);
    ck_assert_uint_eq(n.v, m.v);
    see(gfn(0x51), m);
    ck_assert_uint_eq(p2m_lookup(a, gfn(0x50)).type, P2M_INVALID);
    /* It is forgotten when it went away, and only then. */
    gnttab_unmapped(a, gfn(0x51), m);
    ck_assert_uint_eq(a->gnttab.shared_gfn[0].v, 0x51);
    ck_assert_int_eq(p2m_unmap(a, gfn(0x51), NULL, false), 0);
    gnttab_unmapped(a, gfn(0x50), m);
    ck_assert_uint_eq(a->gnttab.shared_gfn[0].v, 0x51);
    gnttab_unmapped(a, gfn(0x51), m);
    ck_assert(gfn_is_invalid(a->gnttab.shared_gfn[0]));
    ck_assert_int_eq(gnttab_frame_at(a, 64, &m), -XEN_EINVAL);
    ck_assert_int_eq(gnttab_frame_at(a, UINT64_MAX, &m), -XEN_EINVAL);
    ck_assert_int_eq(gnttab_frame_at(a, XENMAPIDX_grant_table_status, &m), -XEN_EINVAL);
    ck_assert_int_eq(gnttab_get_frame(a, true, 0, &m), -XEN_EINVAL);
    /* Status frames come with version 2. */
    ck_assert_int_eq(gt_version(av, 2), 0);
    ck_assert_uint_eq(a->gnttab.nr_status_frames, 1);
    ck_assert_int_eq(gnttab_frame_at(a, XENMAPIDX_grant_table_status | 1, &m), 0);
    see(gfn(0x60), m);
    ck_assert_uint_eq(a->gnttab.nr_frames, 9);
    ck_assert_int_eq(gnttab_get_frame(a, true, 8, &n), -XEN_EINVAL);
    ck_assert_int_eq(gnttab_get_frame(a, true, 7, &n), 0);
    ck_assert_int_eq(gt_version(av, 1), 0);
    ck_assert_uint_eq(p2m_lookup(a, gfn(0x60)).type, P2M_INVALID);
    fixture_stop();
}
END_TEST

/* Two CPUs put one frame in two places before either says so, in every order of what
 * follows. */
START_TEST(one_place)
{
    mfn_t m;

    setup();
    ck_assert_int_eq(gt_version(av, 2), 0);
    ck_assert_int_eq(gnttab_frame_at(a, XENMAPIDX_grant_table_status, &m), 0);
    for (unsigned last = 0; last < 2; last++) {
        ck_assert_int_eq(p2m_map(a, gfn(0x50), m, P2M_4K, P2M_SHARED), 0);
        ck_assert_int_eq(p2m_map(a, gfn(0x51), m, P2M_4K, P2M_SHARED), 0);
        gnttab_mapped(a, gfn(0x51 - last), m);
        gnttab_mapped(a, gfn(0x50 + last), m);
        ck_assert_uint_eq(p2m_lookup(a, gfn(0x50 + last)).type, P2M_SHARED);
        ck_assert_uint_eq(p2m_lookup(a, gfn(0x51 - last)).type, P2M_INVALID);
    }
    /* The place was taken for something else before it was said. */
    gnttab_mapped(a, gfn(0x52), m);
    ck_assert_uint_eq(p2m_lookup(a, gfn(0x51)).type, P2M_SHARED);
    /* The version changed before it was said. */
    ck_assert_int_eq(p2m_map(a, gfn(0x50), m, P2M_4K, P2M_SHARED), 0);
    ck_assert_int_eq(gt_version(av, 1), 0);
    gnttab_mapped(a, gfn(0x50), m);
    ck_assert_uint_eq(p2m_lookup(a, gfn(0x50)).type, P2M_INVALID);
    ck_assert_uint_eq(p2m_lookup(a, gfn(0x51)).type, P2M_INVALID);
    fixture_stop();
}
END_TEST

START_TEST(versions)
{
    struct gnttab_get_version g = {.dom = DOMID_SELF};
    struct gnttab_get_status_frames s = {.dom = DOMID_SELF, .nr_frames = 1};
    grant_handle_t h, k;

    setup();
    ck_assert_int_eq(gt(av, GNTTABOP_get_version, &g, sizeof(g), 1), 0);
    ck_assert_uint_eq(g.version, 1);
    ck_assert_int_eq(gt_version(av, 0), -XEN_EINVAL);
    ck_assert_int_eq(gt_version(av, 3), -XEN_EINVAL);
    ck_assert_int_eq(gt(av, GNTTABOP_get_status_frames, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_general_error);
    /* The reserved entries come along, in use or not; others must be unused. */
    gt_grant(a, 1, b->id, 0x11, 0);
    gt_grant(a, 2, b->id, 0x12, GTF_readonly);
    gt_grant(a, 20, b->id, 0x13, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 1, RW, MAPS, &h), GNTST_okay);
    ck_assert_int_eq(gt_map(bv, a->id, 20, RW, MAPS + 4096, &k), GNTST_okay);
    ck_assert_int_eq(gt_version(av, 2), -XEN_EBUSY);
    ck_assert_int_eq(gt_version(av, 1), 0);
    ck_assert_int_eq(gt_unmap(bv, k, MAPS + 4096), GNTST_okay);
    ck_assert_int_eq(gt_version(av, 2), 0);
    ck_assert_uint_eq(gt_v2(a, 1)->hdr.flags, GTF_permit_access);
    ck_assert_uint_eq(gt_v2(a, 1)->full_page.frame, 0x11);
    ck_assert_uint_eq(gt_marks(a, 1), GTF_reading | GTF_writing);
    ck_assert_uint_eq(gt_v2(a, 2)->hdr.flags, GTF_permit_access | GTF_readonly);
    ck_assert_uint_eq(gt_v2(a, 20)->hdr.flags, 0);
    fixture_audit();
    s.frame_list.p = (uint64_t *)(uintptr_t)0x10000;
    ck_assert_int_eq(gt(av, GNTTABOP_get_status_frames, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_okay);
    s.nr_frames = 2;
    ck_assert_int_eq(gt(av, GNTTABOP_get_status_frames, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_general_error);
    gt_v2(a, 3)->hdr = (grant_entry_header_t){.flags = GTF_transitive, .domid = b->id};
    ck_assert_int_eq(gt_version(av, 1), 0);
    ck_assert_uint_eq(gt_v1(a, 1)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    ck_assert_uint_eq(gt_v1(a, 1)->frame, 0x11);
    ck_assert_uint_eq(gt_v1(a, 3)->flags, 0);
    ck_assert_int_eq(gt_unmap(bv, h, MAPS), GNTST_okay);
    ck_assert_uint_eq(gt_v1(a, 1)->flags, GTF_permit_access);
    g.dom = b->id;
    ck_assert_int_eq(gt(av, GNTTABOP_get_version, &g, sizeof(g), 1), -XEN_EPERM);
    g.dom = 777;
    ck_assert_int_eq(gt(av, GNTTABOP_get_version, &g, sizeof(g), 1), -XEN_ESRCH);
    fixture_stop();
}
END_TEST

static void map_and_use(void)
{
    grant_handle_t h, k, l;
    struct p2m_entry e;

    gt_grant(a, 9, b->id, 0x12, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS, &h), GNTST_okay);
    ck_assert_uint_eq(gt_marks(a, 9), GTF_reading);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RW, MAPS + 4096, &k), GNTST_okay);
    ck_assert_uint_ne(h, k);
    ck_assert_uint_eq(gt_marks(a, 9), GTF_reading | GTF_writing);
    ck_assert_uint_eq(p2m_lookup(b, gfn(MAPS >> 12)).type, P2M_GRANT_RO);
    e = p2m_lookup(b, gfn((MAPS >> 12) + 1));
    ck_assert_uint_eq(e.type, P2M_GRANT_RW);
    ck_assert_uint_eq(e.mfn.v, gt_mfn(a, 0x12).v);
    strcpy(fixture_guest(a, 0x12000), "granted");
    ck_assert_str_eq(fixture_guest(b, MAPS), "granted");
    fixture_audit();
    /* In use is in use: what the entry says by now does not matter. */
    gt_grant(a, 9, 777, 0x7777, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS + 8192, &l), GNTST_okay);
    ck_assert_uint_eq(p2m_lookup(b, gfn((MAPS >> 12) + 2)).mfn.v, e.mfn.v);
    ck_assert_int_eq(gt_unmap(bv, l, MAPS + 8192), GNTST_okay);
    ck_assert_int_eq(gt_unmap(bv, k, 0), GNTST_okay);             /* asks for nothing */
    ck_assert_int_eq(gt_unmap(bv, k, MAPS), GNTST_general_error); /* another's place */
    ck_assert_int_eq(gt_unmap(bv, k, MAPS + 4096), GNTST_okay);
    ck_assert_uint_eq(p2m_lookup(b, gfn((MAPS >> 12) + 1)).type, P2M_INVALID);
    ck_assert_int_eq(gt_unmap(bv, k, MAPS + 4096), GNTST_bad_handle);
    ck_assert_int_eq(gt_unmap(bv, h, MAPS), GNTST_okay);
    ck_assert_uint_eq(gt_marks(a, 9), 0);
    ck_assert_int_eq(gt_unmap(bv, UINT32_MAX, MAPS), GNTST_bad_handle);
    ck_assert_int_eq(gt_unmap(bv, 70000, MAPS), GNTST_bad_handle);
    fixture_audit();
}

START_TEST(mapping)
{
    setup();
    map_and_use();
    ck_assert_int_eq(gt_version(av, 2), 0);
    map_and_use();
    fixture_stop();
}
END_TEST

START_TEST(map_errors)
{
    struct domain *c;
    grant_handle_t h, k;
    uint64_t pages;
    mfn_t m;

    setup();
    c = fixture_domain(4, 1);
    gt_grant(a, 9, b->id, 0x12, GTF_readonly);
    gt_grant(a, 10, b->id, 0x9999, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, 0, MAPS, &h), GNTST_bad_gntref);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RW | GNTMAP_device_map, MAPS, &h), GNTST_general_error);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RW | GNTMAP_contains_pte, MAPS, &h), GNTST_general_error);
    ck_assert_int_eq(gt_map(bv, 777, 9, RO, MAPS, &h), GNTST_bad_domain);
    ck_assert_int_eq(gt_map(bv, DOMID_SELF, 9, RO, MAPS, &h), GNTST_bad_domain);
    ck_assert_int_eq(gt_map(bv, a->id, 512, RO, MAPS, &h), GNTST_bad_gntref);
    ck_assert_int_eq(gt_map(bv, a->id, UINT32_MAX, RO, MAPS, &h), GNTST_bad_gntref);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RW, MAPS, &h), GNTST_general_error);  /* read-only */
    ck_assert_int_eq(gt_map(bv, a->id, 11, RO, MAPS, &h), GNTST_general_error); /* empty */
    ck_assert_int_eq(gt_map(c->vcpu[0], a->id, 9, RO, MAPS, &h), GNTST_general_error);
    ck_assert_int_eq(gt_map(bv, a->id, 10, RO, MAPS, &h), GNTST_bad_page);
    ck_assert_uint_eq(gt_marks(a, 10), 0);
    gt_v1(a, 12)->flags = GTF_accept_transfer;
    gt_v1(a, 12)->domid = b->id;
    ck_assert_int_eq(gt_map(bv, a->id, 12, RO, MAPS, &h), GNTST_general_error);
    gt_grant(a, 12, b->id, 0x12, GTF_sub_page);
    ck_assert_int_eq(gt_map(bv, a->id, 12, RO, MAPS, &h), GNTST_general_error);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, UINT64_C(1) << 60, &h), GNTST_general_error);
    ck_assert_uint_eq(gt_marks(a, 9), 0);
    /* Not own RAM: the granter's own table, and what it maps from others. */
    ck_assert_int_eq(gnttab_frame_at(a, 0, &m), 0);
    ck_assert_int_eq(p2m_map(a, gfn(0x50), m, P2M_4K, P2M_SHARED), 0);
    gt_grant(a, 13, b->id, 0x50, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 13, RO, MAPS, &h), GNTST_bad_page);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS, &h), GNTST_okay);
    gt_grant(b, 9, c->id, MAPS >> 12, 0);
    ck_assert_int_eq(gt_map(c->vcpu[0], b->id, 9, RO, MAPS, &k), GNTST_bad_page);
    /* A mapping cannot lie on another; on own RAM it replaces that. */
    gt_grant(a, 14, b->id, 0x13, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 14, RO, MAPS, &k), GNTST_general_error);
    pages = b->tot_pages;
    ck_assert_int_eq(gt_map(bv, a->id, 14, RW, 0x11000, &k), GNTST_okay);
    ck_assert_uint_eq(b->tot_pages, pages - 1);
    ck_assert_int_eq(gt_unmap(bv, k, 0x11000), GNTST_okay);
    ck_assert_uint_eq(p2m_lookup(b, gfn(0x11)).type, P2M_INVALID);
    /* A type that does not go with writing. */
    fixture_auditing(false);
    ck_assert(frame_get_type(gt_mfn(a, 0x13), FRAME_L1));
    ck_assert_int_eq(gt_map(bv, a->id, 14, RW, MAPS + 4096, &k), GNTST_general_error);
    ck_assert_uint_eq(gt_marks(a, 14), 0);
    ck_assert_int_eq(gt_map(bv, a->id, 14, RO, MAPS + 4096, &k), GNTST_okay);
    ck_assert_int_eq(gt_map(bv, a->id, 14, RW, MAPS + 8192, &h), GNTST_general_error);
    ck_assert_uint_eq(gt_marks(a, 14), GTF_reading);
    frame_put_type(gt_mfn(a, 0x13));
    fixture_stop();
}
END_TEST

START_TEST(unwritable_answer)
{
    struct gnttab_map_grant_ref op = {.host_addr = MAPS, .flags = RW, .ref = 9};
    struct p2m_entry e;

    setup();
    op.dom = a->id;
    gt_grant(a, 9, b->id, 0x12, 0);
    memcpy(fixture_guest(b, 0x10000), &op, sizeof(op));
    ck_assert_int_eq(p2m_unmap(b, gfn(0x10), &e, false), 0);
    ck_assert_int_eq(p2m_map(b, gfn(0x10), e.mfn, P2M_4K, P2M_RAM_RO), 0);
    ck_assert_int_eq(fixture_hypercall(bv, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref,
                                       0x10000, 1, 0, 0),
                     -XEN_EFAULT);
    ck_assert_uint_eq(gt_marks(a, 9), 0);
    ck_assert_uint_eq(p2m_lookup(b, gfn(MAPS >> 12)).type, P2M_INVALID);
    /* A grant of a page that the granter itself may only read. */
    gt_grant(b, 9, a->id, 0x10, 0);
    ck_assert_int_eq(gt_map(av, b->id, 9, RW, MAPS, &op.handle), GNTST_bad_page);
    ck_assert_int_eq(gt_map(av, b->id, 9, RO, MAPS, &op.handle), GNTST_okay);
    ck_assert_int_eq(gt_map(av, b->id, 9, RW, MAPS + 4096, &op.handle), GNTST_general_error);
    fixture_stop();
}
END_TEST

START_TEST(batches)
{
    struct gnttab_map_grant_ref op[40];
    struct gnttab_unmap_grant_ref un[40];

    setup();
    memset(op, 0, sizeof(op));
    memset(un, 0, sizeof(un));
    for (unsigned i = 0; i < 40; i++) {
        gt_grant(a, 10 + i, b->id, 0x10 + i % 8, 0);
        op[i].host_addr = MAPS + i * PAGE_SIZE;
        op[i].flags = RW;
        op[i].ref = 10 + i;
        op[i].dom = i == 7 ? 777 : a->id;
    }
    this_cpu()->preempt_every = 1;
    ck_assert_int_eq(gt(bv, GNTTABOP_map_grant_ref, op, sizeof(op[0]), 40), 0);
    for (unsigned i = 0; i < 40; i++) {
        ck_assert_int_eq(op[i].status, i == 7 ? GNTST_bad_domain : GNTST_okay);
        ck_assert(i == 7 || op[i].dev_bus_addr == gt_mfn(a, 0x10 + i % 8).v << PAGE_SHIFT);
        un[i].host_addr = op[i].host_addr;
        un[i].handle = i == 7 ? 1000 : op[i].handle;
    }
    ck_assert_int_eq(gt(bv, GNTTABOP_unmap_grant_ref, un, sizeof(un[0]), 40), 0);
    this_cpu()->preempt_every = 0;
    for (unsigned i = 0; i < 40; i++) {
        ck_assert_int_eq(un[i].status, i == 7 ? GNTST_bad_handle : GNTST_okay);
    }
    ck_assert_uint_eq(a->gnttab.pinned, 0);
    ck_assert_int_eq(gt(bv, GNTTABOP_map_grant_ref, op, sizeof(op[0]), 0), 0);
    fixture_stop();
}
END_TEST

START_TEST(handles_run_out)
{
    grant_handle_t h, last = 0;

    setup();
    b->gnttab.max_maptrack_frames = 2;
    gt_grant(a, 9, b->id, 0x12, 0);
    for (unsigned i = 0; i < 512; i++) {
        ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS + i * PAGE_SIZE, &last), GNTST_okay);
    }
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS + 512 * PAGE_SIZE, &h), GNTST_no_space);
    ck_assert_int_eq(gt_unmap(bv, last, MAPS + 511 * PAGE_SIZE), GNTST_okay);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS + 512 * PAGE_SIZE, &h), GNTST_okay);
    ck_assert_uint_eq(h, last);
    fixture_audit();
    /* The mapper dies with all of them. */
    this_cpu()->preempt_every = 1;
    fixture_kill(b);
    this_cpu()->preempt_every = 0;
    ck_assert_uint_eq(gt_marks(a, 9), 0);
    ck_assert_uint_eq(a->gnttab.pinned, 0);
    fixture_audit();
    fixture_stop();
}
END_TEST

START_TEST(granter_dies)
{
    struct gnttab_copy copy = {.flags = GNTCOPY_source_gref, .len = 4};
    grant_handle_t h, k;
    struct frame f;
    domid_t id;
    mfn_t m;

    setup();
    gt_grant(a, 9, b->id, 0x12, 0);
    strcpy(fixture_guest(a, 0x12000), "survives");
    ck_assert_int_eq(gt_map(bv, a->id, 9, RW, MAPS, &h), GNTST_okay);
    m = gt_mfn(a, 0x12);
    id = a->id;
    /* The granter dies: the frame stays. */
    fixture_kill(a);
    f = frame_read(m);
    ck_assert_uint_eq(f.state, FRAME_USED);
    ck_assert_str_eq(fixture_guest(b, MAPS), "survives");
    ck_assert_int_eq(gt_map(bv, id, 9, RO, MAPS + 4096, &k), GNTST_bad_domain);
    copy.source.domid = id;
    copy.source.u.ref = 9;
    copy.dest.domid = DOMID_SELF;
    copy.dest.u.gmfn = 0x10;
    ck_assert_int_eq(gt(bv, GNTTABOP_copy, &copy, sizeof(copy), 1), 0);
    ck_assert_int_eq(copy.status, GNTST_bad_domain);
    fixture_audit();
    ck_assert_int_eq(gt_unmap(bv, h, MAPS), GNTST_okay);
    ck_assert_uint_eq(frame_read(m).state, FRAME_FREE);
    fixture_stop();
}
END_TEST

START_TEST(both_ways_and_self)
{
    grant_handle_t h;

    setup();
    gt_grant(a, 9, b->id, 0x12, 0);
    gt_grant(b, 9, a->id, 0x12, 0);
    gt_grant(a, 10, a->id, 0x13, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RW, MAPS, &h), GNTST_okay);
    ck_assert_int_eq(gt_map(av, b->id, 9, RW, MAPS, &h), GNTST_okay);
    ck_assert_int_eq(gt_map(av, a->id, 10, RW, MAPS + 4096, &h), GNTST_okay);
    fixture_audit();
    ck_assert_int_eq(gt_unmap(av, h, MAPS + 4096), GNTST_okay);
    ck_assert_uint_eq(p2m_lookup(a, gfn(0x13)).type, P2M_RAM_RW);
    ck_assert_int_eq(gt_map(av, a->id, 10, RW, MAPS + 4096, &h), GNTST_okay);
    fixture_kill(a);
    fixture_kill(b);
    fixture_stop();
}
END_TEST

START_TEST(removed_by_other_means)
{
    grant_handle_t h, k;
    struct p2m_entry e;

    setup();
    gt_grant(a, 9, b->id, 0x12, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RW, MAPS, &h), GNTST_okay);
    ck_assert_int_eq(p2m_unmap(b, gfn(MAPS >> 12), &e, false), 0);
    ck_assert_int_eq(gt_unmap(bv, h, MAPS), GNTST_general_error);
    ck_assert_uint_eq(gt_marks(a, 9), GTF_reading | GTF_writing);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS, &k), GNTST_okay);
    ck_assert_int_eq(gt_unmap(bv, h, MAPS), GNTST_okay);
    ck_assert_int_eq(gt_unmap(bv, k, MAPS), GNTST_general_error);
    fixture_audit();
    fixture_kill(b);
    ck_assert_uint_eq(gt_marks(a, 9), 0);
    fixture_stop();
}
END_TEST

START_TEST(odd_operations)
{
    struct gnttab_swap_grant_ref s = {.ref_a = 9, .ref_b = 10};
    struct gnttab_cache_flush c = {.op = GNTTAB_CACHE_CLEAN, .length = 64};
    struct gnttab_transfer t = {.mfn = 0x12, .domid = 1};
    struct gnttab_unmap_and_replace r = {.host_addr = MAPS, .new_addr = MAPS + 4096};
    grant_handle_t h;

    setup();
    gt_grant(a, 9, b->id, 0x12, 0);
    gt_grant(a, 10, b->id, 0x13, GTF_readonly);
    ck_assert_int_eq(gt(av, GNTTABOP_swap_grant_ref, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_okay);
    ck_assert_uint_eq(gt_v1(a, 9)->frame, 0x13);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS, &h), GNTST_okay);
    ck_assert_int_eq(gt(av, GNTTABOP_swap_grant_ref, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_eagain);
    s.ref_b = 512;
    ck_assert_int_eq(gt(av, GNTTABOP_swap_grant_ref, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_bad_gntref);
    r.handle = h;
    ck_assert_int_eq(gt(bv, GNTTABOP_unmap_and_replace, &r, sizeof(r), 1), 0);
    ck_assert_int_eq(r.status, GNTST_general_error);
    ck_assert_int_eq(gt(av, GNTTABOP_transfer, &t, sizeof(t), 1), 0);
    ck_assert_int_eq(t.status, GNTST_general_error);
    t.mfn = 0x9999;
    ck_assert_int_eq(gt(av, GNTTABOP_transfer, &t, sizeof(t), 1), 0);
    ck_assert_int_eq(t.status, GNTST_bad_page);
    c.a.dev_bus_addr = gt_mfn(a, 0x13).v << 12;
    ck_assert_int_eq(gt(av, GNTTABOP_cache_flush, &c, sizeof(c), 1), 0);
    ck_assert_int_eq(gt(bv, GNTTABOP_cache_flush, &c, sizeof(c), 1), 0); /* mapped */
    c.a.dev_bus_addr = gt_mfn(a, 0x14).v << 12;
    ck_assert_int_eq(gt(bv, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EINVAL);
    c.a.dev_bus_addr = ptr_to_mfn(a->gnttab.active[0]).v << 12;
    ck_assert_int_eq(gt(av, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EPERM);
    c.a.dev_bus_addr = UINT64_MAX;
    ck_assert_int_eq(gt(av, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EINVAL);
    c.offset = 4095;
    c.length = 2;
    ck_assert_int_eq(gt(av, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EINVAL);
    c.offset = 0;
    c.op = GNTTAB_CACHE_SOURCE_GREF | GNTTAB_CACHE_CLEAN;
    ck_assert_int_eq(gt(av, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EOPNOTSUPP);
    fixture_stop();
}
END_TEST

START_TEST(init_limits)
{
    setup();
    ck_assert_int_eq(gnttab_init(&(struct domain){0}, 2, 0, 1), -XEN_EINVAL);
    ck_assert_int_eq(gnttab_init(&(struct domain){0}, 2, GNTTAB_MAX_FRAMES + 1, 1), -XEN_EINVAL);
    ck_assert_int_eq(gnttab_init(&(struct domain){0}, 2, 1, GNTTAB_MAX_MAPTRACK_FRAMES + 1),
                     -XEN_EINVAL);
    ck_assert_int_eq(gnttab_init(&(struct domain){0}, 0, 1, 1), -XEN_EINVAL);
    ck_assert_int_eq(gnttab_init(&(struct domain){0}, 3, 1, 1), -XEN_EINVAL);
    fixture_stop();
}
END_TEST

/* A domain that was created for version 1 stays there. */
START_TEST(version_limit)
{
    struct gnttab_get_version get = {.dom = DOMID_SELF};

    setup();
    a->gnttab.max_version = 1;
    ck_assert_int_eq(gt_version(av, 2), -XEN_ENOSYS);
    ck_assert_int_eq(gt_version(av, 3), -XEN_EINVAL);
    ck_assert_int_eq(gt_version(av, 1), 0);
    ck_assert_int_eq(gt(av, GNTTABOP_get_version, &get, sizeof(get), 1), 0);
    ck_assert_uint_eq(get.version, 1);
    a->gnttab.max_version = 2;
    ck_assert_int_eq(gt_version(av, 2), 0);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gnttab");
    TCase *t = tcase_create("table and mappings");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, size_and_setup);
    tcase_add_test(t, frames);
    tcase_add_test(t, one_place);
    tcase_add_test(t, versions);
    tcase_add_test(t, mapping);
    tcase_add_test(t, map_errors);
    tcase_add_test(t, unwritable_answer);
    tcase_add_test(t, batches);
    tcase_add_test(t, handles_run_out);
    tcase_add_test(t, granter_dies);
    tcase_add_test(t, both_ways_and_self);
    tcase_add_test(t, removed_by_other_means);
    tcase_add_test(t, odd_operations);
    tcase_add_test(t, init_limits);
    tcase_add_test(t, version_limit);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
