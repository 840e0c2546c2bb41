/* Grant tables with oneself: version 1. The other version is in act_grant2.c. */
#include "guest.h"

#define NOBODY 0x7000u
#define BAD_POINTER UINT64_C(0x7fff00000000)
#define REF 8u /* the first that is not reserved */

static domid_t own_id(void)
{
    return (domid_t)cpuid(xen_leaf + 4, 0).c;
}

static volatile uint32_t *word_of(uint64_t gfn)
{
    return AT(gfn);
}

/* The same in both versions. */
static void map_and_unmap(void)
{
    uint64_t page = GFN(page_alloc()), at = hole_gfn(2);
    uint32_t handle, second, v;

    *word_of(page) = 0x1234;
    grant_access(REF, own_id(), page, 0);
    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle), GNTST_okay);
    EQ(grant_status_of(REF), GTF_reading | GTF_writing);
    EQ(*word_of(at), 0x1234);
    *word_of(at) = 0x5678;
    EQ(*word_of(page), 0x5678);
    OK(!grant_end(REF)); /* in use */
    EQ(grant_map(own_id(), REF, at + 1, GNTMAP_host_map | GNTMAP_readonly, &second), GNTST_okay);
    EQ(*word_of(at + 1), 0x5678);
    EQ(grant_unmap(at, handle), GNTST_okay);
    EQ(*word_of(at), UINT32_MAX);
    EQ(grant_status_of(REF), GTF_reading);
    EQ(try_store((uint64_t)(uintptr_t)AT(at + 1), 1), VEC_GP);
    EQ(*word_of(page), 0x5678);
    EQ(try_load((uint64_t)(uintptr_t)AT(at + 1), &v), 0);
    EQ(grant_unmap(at + 1, second), GNTST_okay);
    EQ(grant_unmap(at + 1, second), GNTST_bad_handle);
    EQ(grant_status_of(REF), 0);
    OK(grant_end(REF));
    page_free(AT(page));
}

static void read_only(void)
{
    uint64_t page = GFN(page_alloc()), at = hole_gfn(1);
    uint32_t handle;

    *word_of(page) = 0x1234;
    grant_access(REF, own_id(), page, GTF_readonly);
    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle), GNTST_general_error);
    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map | GNTMAP_readonly, &handle), GNTST_okay);
    EQ(*word_of(at), 0x1234);
    EQ(try_store((uint64_t)(uintptr_t)AT(at), 1), VEC_GP);
    EQ(*word_of(page), 0x1234);
    EQ(grant_copy(grant_own(page, 0), false, grant_ref_at(own_id(), REF, 64), true, 4),
       GNTST_general_error);
    EQ(grant_copy(grant_ref_at(own_id(), REF, 0), true, grant_own(page, 64), false, 4), GNTST_okay);
    EQ(word_of(page)[16], 0x1234);
    EQ(grant_unmap(at, handle), GNTST_okay);
    OK(grant_end(REF));
    page_free(AT(page));
}

static void errors(void)
{
    uint64_t page = GFN(page_alloc()), at = hole_gfn(2);
    uint32_t handle;
    struct gnttab_map_grant_ref op = {.dom = own_id(), .ref = REF, .host_addr = at << 12};

    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle), GNTST_general_error); /* none */
    EQ(grant_map(NOBODY, REF, at, GNTMAP_host_map, &handle), GNTST_bad_domain);
    EQ(grant_map(own_id(), 1u << 30, at, GNTMAP_host_map, &handle), GNTST_bad_gntref);
    grant_access(REF, NOBODY, page, 0); /* for somebody else */
    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle), GNTST_general_error);
    grant_access(REF, own_id(), hole_gfn(1), 0); /* no memory */
    OK(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle) < 0);
    grant_access(REF, own_id(), UINT32_MAX, 0);
    OK(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle) < 0);
    grant_access(REF, own_id(), page, 0);
    EQ(grant_map(own_id(), REF, at, 0, &handle), GNTST_bad_gntref);
    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map | GNTMAP_device_map, &handle),
       GNTST_general_error);
    OK(grant_map(own_id(), REF, UINT64_C(1) << 45, GNTMAP_host_map, &handle) < 0);
    EQ(grant_status_of(REF), 0);
    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle), GNTST_okay);
    EQ(grant_unmap(at + 1, handle), GNTST_general_error); /* not there */
    EQ(grant_unmap(at, handle + 1000), GNTST_bad_handle);
    EQ(grant_unmap(at, UINT32_MAX), GNTST_bad_handle);
    EQ(grant_unmap(at, handle), GNTST_okay);
    OK(grant_end(REF));
    EQ(gnttab_op(GNTTABOP_map_grant_ref, BAD_POINTER, 1), -XEN_EFAULT);
    EQ(gnttab_op(GNTTABOP_copy, BAD_POINTER, 1), -XEN_EFAULT);
    EQ(gnttab_op(GNTTABOP_map_grant_ref, &op, UINT32_MAX), -XEN_EINVAL);
    EQ(gnttab_op(GNTTABOP_map_grant_ref, &op, 0), 0);
    EQ(gnttab_op(99, &op, 1), -XEN_ENOSYS);
    page_free(AT(page));
}

static void copies(void)
{
    uint64_t a = GFN(page_alloc()), b = GFN(page_alloc());

    for (unsigned i = 0; i < PAGE / 4; i++)
        word_of(a)[i] = i;
    EQ(grant_copy(grant_own(a, 0), false, grant_own(b, 0), false, PAGE), GNTST_okay);
    EQ(memcmp(AT(a), AT(b), PAGE), 0);
    grant_access(REF, own_id(), a, 0);
    grant_access(REF + 1, own_id(), b, 0);
    memset(AT(b), 0, PAGE);
    EQ(grant_copy(grant_ref_at(own_id(), REF, 40), true, grant_ref_at(own_id(), REF + 1, 80), true,
                  8),
       GNTST_okay);
    EQ(word_of(b)[19], 0);
    EQ(word_of(b)[20], 10);
    EQ(word_of(b)[21], 11);
    EQ(word_of(b)[22], 0);
    EQ(grant_copy(grant_own(a, 1), false, grant_own(b, 0), false, PAGE), GNTST_bad_copy_arg);
    EQ(grant_copy(grant_own(a, 0), false, grant_own(b, PAGE - 4), false, 8), GNTST_bad_copy_arg);
    EQ(grant_copy(grant_own(hole_gfn(1), 0), false, grant_own(b, 0), false, 8), GNTST_bad_page);
    EQ(grant_copy(grant_ref_at(NOBODY, REF, 0), true, grant_own(b, 0), false, 8), GNTST_bad_domain);
    EQ(grant_copy(grant_ref_at(own_id(), 1u << 30, 0), true, grant_own(b, 0), false, 8),
       GNTST_bad_gntref);
    EQ(grant_copy(grant_ref_at(own_id(), REF + 2, 0), true, grant_own(b, 0), false, 8),
       GNTST_general_error);
    EQ(word_of(b)[0], 0);
    EQ(grant_status_of(REF), 0);
    EQ(grant_status_of(REF + 1), 0);
    OK(grant_end(REF));
    OK(grant_end(REF + 1));
    page_free(AT(a));
    page_free(AT(b));
}

static void sizes(void)
{
    struct gnttab_query_size q = {.dom = DOMID_SELF};
    struct gnttab_get_version version = {.dom = DOMID_SELF};
    struct gnttab_set_version set = {.version = 3};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    static xen_pfn_t frames[2];

    EQ(gnttab_op(GNTTABOP_query_size, &q, 1), 0);
    EQ(q.status, GNTST_okay);
    OK(q.nr_frames >= 1 && q.nr_frames <= q.max_nr_frames);
    EQ(gnttab_op(GNTTABOP_query_size, &q, 2), -XEN_EINVAL);
    q.dom = NOBODY;
    EQ(gnttab_op(GNTTABOP_query_size, &q, 1), 0);
    EQ(q.status, GNTST_bad_domain);
    EQ(gnttab_op(GNTTABOP_get_version, &version, 1), 0);
    EQ(version.version, grant_version);
    EQ(gnttab_op(GNTTABOP_set_version, &set, 1), -XEN_EINVAL);
    EQ(set.version, grant_version);
    set_xen_guest_handle(setup.frame_list, frames);
    EQ(gnttab_op(GNTTABOP_setup_table, &setup, 1), 0);
    EQ(setup.status, GNTST_okay);
    setup.nr_frames = 100000;
    EQ(gnttab_op(GNTTABOP_setup_table, &setup, 1), 0);
    EQ(setup.status, GNTST_general_error);
}

static void swap(void)
{
    uint64_t page = GFN(page_alloc()), at = hole_gfn(1);
    struct gnttab_swap_grant_ref op = {.ref_a = REF, .ref_b = REF + 3};
    uint32_t handle;

    grant_access(REF, own_id(), page, 0);
    EQ(gnttab_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    EQ(op.status, GNTST_okay);
    OK(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle) < 0);
    EQ(grant_map(own_id(), REF + 3, at, GNTMAP_host_map, &handle), GNTST_okay);
    EQ(gnttab_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    EQ(op.status, GNTST_eagain); /* in use */
    EQ(grant_unmap(at, handle), GNTST_okay);
    op.ref_b = 1u << 30;
    EQ(gnttab_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    EQ(op.status, GNTST_bad_gntref);
    OK(grant_end(REF + 3));
    page_free(AT(page));
}

/* A granted page that is given away while mapped stays readable there. */
static void ballooned(void)
{
    uint64_t page = GFN(page_alloc()), at = hole_gfn(1);
    xen_pfn_t extent = page;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    uint32_t handle;

    *word_of(page) = 0x1234;
    grant_access(REF, own_id(), page, 0);
    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle), GNTST_okay);
    set_xen_guest_handle(r.extent_start, &extent);
    EQ(memory_op(XENMEM_decrease_reservation, &r), 1);
    EQ(*word_of(page), UINT32_MAX);
    EQ(*word_of(at), 0x1234);
    EQ(grant_unmap(at, handle), GNTST_okay);
    OK(grant_end(REF));
    EQ(memory_op(XENMEM_populate_physmap, &r), 1);
    EQ(*word_of(page), 0);
    page_free(AT(page));
}

static void version_1(void)
{
    EQ(grant_init(1), 0);
}

/* Not while a grant is in use; a switch forgets the grants, but for the reserved ones. */
static void version_2(void)
{
    uint64_t page = GFN(page_alloc()), at = hole_gfn(1);
    struct gnttab_set_version set = {.version = 2};
    uint32_t handle;

    grant_access(REF, own_id(), page, 0);
    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle), GNTST_okay);
    EQ(gnttab_op(GNTTABOP_set_version, &set, 1), -XEN_EBUSY);
    EQ(set.version, 1);
    EQ(grant_unmap(at, handle), GNTST_okay);
    EQ(grant_init(2), 0);
    EQ(grant_version, 2);
    EQ(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle), GNTST_general_error);
    page_free(AT(page));
}

static void sub_page(void)
{
    uint64_t a = GFN(page_alloc()), b = GFN(page_alloc()), at = hole_gfn(1);
    uint32_t handle;

    for (unsigned i = 0; i < PAGE / 4; i++)
        word_of(a)[i] = i;
    grant_sub_page(REF, own_id(), a, 100, 200, 0);
    OK(grant_map(own_id(), REF, at, GNTMAP_host_map, &handle) < 0); /* whole pages only */
    EQ(grant_copy(grant_ref_at(own_id(), REF, 100), true, grant_own(b, 0), false, 200), GNTST_okay);
    EQ(word_of(b)[0], 25);
    EQ(word_of(b)[49], 74);
    EQ(grant_copy(grant_ref_at(own_id(), REF, 96), true, grant_own(b, 0), false, 8),
       GNTST_general_error);
    EQ(grant_copy(grant_ref_at(own_id(), REF, 296), true, grant_own(b, 0), false, 8),
       GNTST_general_error);
    EQ(grant_copy(grant_own(b, 0), false, grant_ref_at(own_id(), REF, 296), true, 4), GNTST_okay);
    EQ(word_of(a)[74], 25);
    OK(grant_end(REF));
    grant_sub_page(REF, own_id(), a, 100, 200, GTF_readonly);
    EQ(grant_copy(grant_own(b, 0), false, grant_ref_at(own_id(), REF, 100), true, 4),
       GNTST_general_error);
    OK(grant_end(REF));
    grant_transitive(REF, own_id(), own_id(), REF + 1); /* a chain needs another domain */
    OK(grant_copy(grant_ref_at(own_id(), REF, 0), true, grant_own(b, 0), false, 4) < 0);
    EQ(grant_status_of(REF), 0);
    OK(grant_end(REF));
    page_free(AT(a));
    page_free(AT(b));
}

static void status_frames(void)
{
    static uint64_t list[4];
    struct gnttab_get_status_frames get = {.nr_frames = 1, .dom = DOMID_SELF};

    set_xen_guest_handle(get.frame_list, list);
    EQ(gnttab_op(GNTTABOP_get_status_frames, &get, 1), 0);
    EQ(get.status, GNTST_okay);
    get.nr_frames = 1000;
    EQ(gnttab_op(GNTTABOP_get_status_frames, &get, 1), 0);
    EQ(get.status, GNTST_general_error);
    get.dom = NOBODY;
    EQ(gnttab_op(GNTTABOP_get_status_frames, &get, 1), 0);
    EQ(get.status, GNTST_bad_domain);
}

static void back_to_1(void)
{
    EQ(grant_init(1), 0);
    EQ(grant_version, 1);
    map_and_unmap();
    EQ(grant_init(2), 0);
    map_and_unmap();
    EQ(grant_init(1), 0);
}

const struct act acts_grant[] = {
    {"grant-version-1", 1, version_1},
    {"grant-map", 1, map_and_unmap},
    {"grant-read-only", 1, read_only},
    {"grant-errors", 1, errors},
    {"grant-copy", 1, copies},
    {"grant-sizes", 1, sizes},
    {"grant-swap", 1, swap},
    {"grant-balloon", 1, ballooned},
    {"grant-version-2", 1, version_2},
    {"grant2-map", 1, map_and_unmap},
    {"grant2-read-only", 1, read_only},
    {"grant2-errors", 1, errors},
    {"grant2-copy", 1, copies},
    {"grant2-sizes", 1, sizes},
    {"grant2-swap", 1, swap},
    {"grant2-sub-page", 1, sub_page},
    {"grant2-status", 1, status_frames},
    {"grant-switch", 1, back_to_1},
    {0},
};
