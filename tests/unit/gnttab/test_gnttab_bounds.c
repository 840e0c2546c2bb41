/* Grant tables: the corners of version 2, answers that cannot be written, counts
 * that are full. */
#include "core/gnttab/gnttab_private.h"
#include "core/mem/frame.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_log.h"
#include "tests/unit/gnttab/gnttab_calls.h"

#include <xen/memory.h>

#define RO_GFN UINT64_C(0x400)
#define STATUS_GFN UINT64_C(0x500)
#define MAPS UINT64_C(0x80000000)

static struct domain *a, *b;
static struct vcpu *av, *bv;

static void setup(void)
{
    fixture_start(32, 1);
    a = fixture_domain(8, 1);
    b = fixture_domain(8, 1);
    av = a->vcpu[0];
    bv = b->vcpu[0];
    fixture_populate(a, 0x10, 8);
    fixture_populate(b, 0x10, 8);
}

/* An unmapping's address 0 means none: what is mapped there could not go. */
START_TEST(nothing_at_zero)
{
    grant_handle_t h;

    setup();
    gt_grant(a, 9, b->id, 0x12, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, GNTMAP_host_map, 0, &h), GNTST_bad_virt_addr);
    ck_assert_int_eq(gt_map(bv, a->id, 9, GNTMAP_host_map, MAPS, &h), GNTST_okay);
    ck_assert_int_eq(gt_unmap(bv, h, MAPS), GNTST_okay);
    fixture_stop();
}
END_TEST

START_TEST(swap_v2)
{
    struct gnttab_swap_grant_ref s = {.ref_a = 9, .ref_b = 10};
    grant_handle_t h;

    setup();
    ck_assert_int_eq(gt_version(av, 2), 0);
    gt_grant(a, 9, b->id, 0x12, 0);
    gt_grant(a, 10, b->id, 0x13, GTF_readonly);
    ck_assert_int_eq(gt(av, GNTTABOP_swap_grant_ref, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_okay);
    ck_assert_uint_eq(gt_v2(a, 9)->full_page.frame, 0x13);
    ck_assert_uint_eq(gt_v2(a, 10)->full_page.frame, 0x12);
    ck_assert_uint_eq(gt_marks(a, 9) | gt_marks(a, 10), 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, GNTMAP_host_map, MAPS, &h), GNTST_general_error);
    ck_assert_int_eq(gt_map(bv, a->id, 10, GNTMAP_host_map, MAPS, &h), GNTST_okay);
    ck_assert_uint_eq(gt_mfn(b, MAPS >> PAGE_SHIFT).v, gt_mfn(a, 0x12).v);
    ck_assert_int_eq(gt(av, GNTTABOP_swap_grant_ref, &s, sizeof(s), 1), 0);
    ck_assert_int_eq(s.status, GNTST_eagain);
    fixture_stop();
}
END_TEST

START_TEST(no_answer)
{
    struct gnttab_get_version get = {.dom = DOMID_SELF};
    struct gnttab_set_version set = {.version = 2};
    struct gnttab_setup_table table = {.dom = DOMID_SELF, .nr_frames = 1};
    void *page;
    mfn_t m;

    setup();
    m = guest_pages_alloc(a, 0);
    ck_assert_int_eq(p2m_map(a, gfn(RO_GFN), m, P2M_4K, P2M_RAM_RO), 0);
    page = fixture_guest(a, RO_GFN << PAGE_SHIFT);
    memcpy(page, &get, sizeof(get));
    ck_assert_int_eq(fixture_hypercall(av, __HYPERVISOR_grant_table_op, GNTTABOP_get_version,
                                       RO_GFN << PAGE_SHIFT, 1, 0, 0),
                     -XEN_EFAULT);
    /* The version has changed; only the news is lost. */
    memcpy(page, &set, sizeof(set));
    ck_assert_int_eq(fixture_hypercall(av, __HYPERVISOR_grant_table_op, GNTTABOP_set_version,
                                       RO_GFN << PAGE_SHIFT, 1, 0, 0),
                     -XEN_EFAULT);
    ck_assert_uint_eq(a->gnttab.version, 2);
    memcpy(page, &table, sizeof(table));
    ck_assert_int_eq(fixture_hypercall(av, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table,
                                       RO_GFN << PAGE_SHIFT, 1, 0, 0),
                     -XEN_EFAULT);
    /* Others' tables. */
    table.dom = b->id;
    table.status = 99;
    ck_assert_int_eq(gt(av, GNTTABOP_setup_table, &table, sizeof(table), 1), 0);
    ck_assert_int_eq(table.status, GNTST_permission_denied);
    table.dom = 777;
    ck_assert_int_eq(gt(av, GNTTABOP_setup_table, &table, sizeof(table), 1), 0);
    ck_assert_int_eq(table.status, GNTST_bad_domain);
    fixture_stop();
}
END_TEST

/* A status frame that the guest has mapped and removes again can be mapped anew. */
START_TEST(status_frame_comes_and_goes)
{
    struct xen_add_to_physmap add = {.domid = DOMID_SELF,
                                     .space = XENMAPSPACE_grant_table,
                                     .idx = XENMAPIDX_grant_table_status,
                                     .gpfn = STATUS_GFN};
    struct xen_remove_from_physmap remove = {.domid = DOMID_SELF, .gpfn = STATUS_GFN};

    setup();
    ck_assert_int_eq(gt_version(av, 2), 0);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(
            fixture_op(av, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add)), 0);
        ck_assert_uint_eq(a->gnttab.status_gfn[0].v, STATUS_GFN);
        ck_assert_ptr_eq(fixture_guest(a, STATUS_GFN << PAGE_SHIFT), a->gnttab.status[0]);
        ck_assert_int_eq(fixture_op(av, __HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &remove,
                                    sizeof(remove)),
                         0);
        ck_assert(gfn_is_invalid(a->gnttab.status_gfn[0]));
        ck_assert_uint_eq(p2m_lookup(a, gfn(STATUS_GFN)).type, P2M_INVALID);
    }
    fixture_stop();
}
END_TEST

/* A frame whose count of writers is full is not written to by a copy, nor granted
 * to one writer more. */
START_TEST(full_count)
{
    struct gnttab_copy op = {.source = {.domid = DOMID_SELF, .u.gmfn = 0x10},
                             .dest = {.domid = DOMID_SELF, .u.gmfn = 0x11},
                             .len = 16,
                             .status = 99};
    grant_handle_t h;
    mfn_t m;

    setup();
    m = gt_mfn(a, 0x11);
    memset(fixture_guest(a, 0x10000), 0x77, 16);
    gt_grant(a, 9, b->id, 0x11, 0);
    fixture_auditing(false);
    for (uint32_t i = 0; i < FRAME_TYPE_COUNT_MAX; i++) {
        ck_assert(frame_get(m, a->id) && frame_get_type(m, FRAME_WRITABLE));
    }
    ck_assert(!frame_get_type(m, FRAME_WRITABLE));
    ck_assert_int_eq(gt(av, GNTTABOP_copy, &op, sizeof(op), 1), 0);
    ck_assert_int_eq(op.status, GNTST_general_error);
    ck_assert_uint_eq(*(uint8_t *)fixture_guest(a, 0x11000), 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, GNTMAP_host_map, MAPS, &h), GNTST_general_error);
    ck_assert_uint_eq(gt_marks(a, 9), 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, GNTMAP_host_map | GNTMAP_readonly, MAPS, &h), GNTST_okay);
    for (uint32_t i = 0; i < FRAME_TYPE_COUNT_MAX; i++) {
        frame_put_type(m);
        frame_put(m);
    }
    fixture_auditing(true);
    ck_assert_int_eq(gt(av, GNTTABOP_copy, &op, sizeof(op), 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    ck_assert_uint_eq(*(uint8_t *)fixture_guest(a, 0x11000), 0x77);
    fixture_stop();
}
END_TEST

/* What the granter's log of written pages tells of [0, 512). */
static bool logged(uint64_t g, enum p2m_log_mode mode)
{
    uint64_t bits[P2M_LOG_CHUNK / 64];

    (void)p2m_log_read(a, 0, P2M_LOG_CHUNK, mode, bits);
    return (bits[g / 64] >> (g % 64) & 1) != 0;
}

/* A frame that another may write counts as written for as long as he may. */
START_TEST(log_of_written_pages)
{
    struct gnttab_copy copy = {.source.domid = DOMID_SELF, .source.u.gmfn = 0x10, .len = 8};
    grant_handle_t h, reader;

    setup();
    gt_grant(a, 9, b->id, 0x12, 0);
    gt_grant(a, 10, b->id, 0x13, 0);
    ck_assert_int_eq(p2m_log_start(a, P2M_LOG_KEY), 0);
    (void)logged(0, P2M_LOG_FORGET);
    ck_assert_int_eq(
        gt_map(bv, a->id, 9, GNTMAP_host_map | GNTMAP_readonly, MAPS + PAGE_SIZE, &reader), 0);
    ck_assert(!logged(0x12, P2M_LOG_PEEK));
    ck_assert_int_eq(gt_map(bv, a->id, 9, GNTMAP_host_map, MAPS, &h), GNTST_okay);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(logged(0x12, P2M_LOG_CLEAN));
        fixture_audit();
    }
    ck_assert_int_eq(gt_unmap(bv, h, MAPS), GNTST_okay);
    ck_assert(logged(0x12, P2M_LOG_CLEAN));
    ck_assert(!logged(0x12, P2M_LOG_PEEK));
    /* With an entry that names another frame than the one in use there are no more writers. */
    gt_v1(a, 9)->frame = 0x14;
    ck_assert_int_eq(gt_map(bv, a->id, 9, GNTMAP_host_map, MAPS, &h), GNTST_general_error);
    ck_assert(!logged(0x12, P2M_LOG_PEEK) && !logged(0x14, P2M_LOG_PEEK));
    gt_v1(a, 9)->frame = 0x12;
    ck_assert_int_eq(gt_unmap(bv, reader, MAPS + PAGE_SIZE), GNTST_okay);
    /* A copy into a grant, and one from another's into its own memory. */
    copy.dest.domid = a->id;
    copy.dest.u.ref = 10;
    copy.flags = GNTCOPY_dest_gref;
    ck_assert_int_eq(gt(bv, GNTTABOP_copy, &copy, sizeof(copy), 1), 0);
    ck_assert_int_eq(copy.status, GNTST_okay);
    ck_assert(logged(0x13, P2M_LOG_CLEAN));
    gt_grant(b, 9, a->id, 0x12, GTF_readonly);
    copy = (struct gnttab_copy){.source.domid = b->id, .source.u.ref = 9, .len = 8};
    copy.dest.domid = DOMID_SELF;
    copy.dest.u.gmfn = 0x15;
    copy.flags = GNTCOPY_source_gref;
    ck_assert_int_eq(gt(av, GNTTABOP_copy, &copy, sizeof(copy), 1), 0);
    ck_assert_int_eq(copy.status, GNTST_okay);
    ck_assert(logged(0x15, P2M_LOG_CLEAN));
    ck_assert(!logged(0x15, P2M_LOG_PEEK));
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gnttab_bounds");
    TCase *t = tcase_create("bounds");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, nothing_at_zero);
    tcase_add_test(t, swap_v2);
    tcase_add_test(t, no_answer);
    tcase_add_test(t, status_frame_comes_and_goes);
    tcase_add_test(t, full_count);
    tcase_add_test(t, log_of_written_pages);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
