/* Grant tables: every interleaving of two hypercalls, or of one and the granting
 * guest. */
#include "base/atomic.h"
#include "core/gnttab/gnttab_private.h"
#include "tests/unit/gnttab/gnttab_calls.h"
#include "tests/unit/interleave_calls.h"

#define MAP_GFN UINT64_C(0x80000)
#define MAP_GPA (MAP_GFN << PAGE_SHIFT)
#define PAGE 0x12u /* what is granted */
#define OTHER_PAGE 0x13u
#define REF 9u
#define OTHER_REF 10u
#define RW GNTMAP_host_map
#define MARKED (GTF_reading | GTF_writing)

static struct domain *a, *b; /* grants; uses */
static int64_t rc[2];
static int status[2];
static grant_handle_t handle[2];

static void build(void)
{
    fixture_start(3, 2);
    a = fixture_domain(2, 1);
    b = fixture_domain(2, 2);
    fixture_populate(a, 0x10, 4);
    fixture_populate(b, 0x10, 4);
    interleave_scratch(a);
    interleave_scratch(b);
    gt_grant(a, REF, b->id, PAGE, 0);
    gt_grant(a, OTHER_REF, b->id, OTHER_PAGE, 0);
    memset(fixture_guest(a, PAGE << PAGE_SHIFT), 0xa5, PAGE_SIZE);
    /* The first handles are there already. */
    ck_assert_int_eq(gt_map(b->vcpu[0], a->id, REF, RW, MAP_GPA, &handle[0]), 0);
    ck_assert_int_eq(gt_unmap(b->vcpu[0], handle[0], MAP_GPA), 0);
}

static void build_v2(void)
{
    build();
    ck_assert_int_eq(gt_version(a->vcpu[0], 2), 0);
    gt_grant(a, REF, b->id, PAGE, 0);
}

static void build_mapped(void)
{
    build();
    ck_assert_int_eq(gt_map(b->vcpu[0], a->id, REF, RW, MAP_GPA, &handle[0]), 0);
}

static void explore(struct interleave x)
{
    interleave_explore(&x);
}

static void map(void)
{
    status[0] = il_map(b->vcpu[0], a->id, REF, RW, MAP_GPA, &handle[0]);
}

static void copy(void)
{
    status[0] = il_copy(b->vcpu[0], a->id, REF, 0x10);
}

/* Whether the mapping is there, everywhere that it shows. */
static void expect_mapped(bool mapped)
{
    ck_assert_uint_eq(gt_marks(a, REF), mapped ? MARKED : 0);
    ck_assert_uint_eq(a->gnttab.pinned, mapped);
    ck_assert_int_eq(p2m_lookup(b, gfn(MAP_GFN)).type, mapped ? P2M_GRANT_RW : P2M_INVALID);
}

/* Ends access as the ABI says: the permission goes, but not while it is in use.
 * Version 1: one word has both. Version 2: away with it first, then look. */
static void end_access(void)
{
    uint16_t *flags = &gt_v1(a, REF)->flags;
    uint16_t seen;

    interleave_point();
    seen = load_u16(flags);
    interleave_point();
    status[1] = (seen & MARKED) == 0 && cmpxchg_u16(flags, seen, 0);
}

static void end_access_v2(void)
{
    interleave_point();
    store_u16(&gt_v2(a, REF)->hdr.flags, 0);
    memory_fence();
    interleave_point();
    status[1] = (*gt_status(a, REF) & MARKED) == 0;
}

static unsigned mapped_or_ended(void)
{
    bool mapped = status[0] == GNTST_okay;

    ck_assert(mapped || status[0] == GNTST_general_error);
    expect_mapped(mapped);
    ck_assert_int_eq(status[1] == 1, !mapped);
    return mapped;
}

START_TEST(map_and_end_of_access)
{
    explore((struct interleave){.name = "map, end of access",
                                .build = build,
                                .body = {map, end_access},
                                .outcome = mapped_or_ended,
                                .outcomes = 3,
                                .releases = true,
                                .switches = 3,
                                .at_least = 370});
    explore((struct interleave){.name = "map, end of access v2",
                                .build = build_v2,
                                .body = {map, end_access_v2},
                                .outcome = mapped_or_ended,
                                .outcomes = 3,
                                .releases = true,
                                .switches = 3,
                                .at_least = 320});
}
END_TEST

/* 0: neither; 1: copied before the end. Marks never stay. */
static unsigned copied_or_ended(void)
{
    const uint8_t *page = fixture_guest(b, 0x10000);

    ck_assert(status[0] == GNTST_okay || status[0] == GNTST_general_error);
    ck_assert_uint_eq(page[0], status[0] == GNTST_okay ? 0xa5 : 0);
    ck_assert_uint_eq(page[0], page[PAGE_SIZE - 1]);
    expect_mapped(false);
    ck_assert_uint_eq(gt_v1(a, REF)->flags == 0, status[1]);
    return (status[0] == GNTST_okay ? 1 : 0) + (status[1] ? 2 : 0);
}

START_TEST(copy_and_end_of_access)
{
    /* Copied, and then ended or in use; ended first. */
    explore((struct interleave){.name = "copy, end of access",
                                .build = build,
                                .body = {copy, end_access},
                                .outcome = copied_or_ended,
                                .outcomes = 0xe,
                                .releases = true,
                                .switches = 3,
                                .at_least = 240});
}
END_TEST

static void set_version(void)
{
    struct gnttab_set_version op = {.version = 2};

    rc[1] = interleave_call(a->vcpu[0], __HYPERVISOR_grant_table_op, GNTTABOP_set_version, &op,
                            sizeof(op), 1);
    ck_assert_uint_eq(op.version, rc[1] == 0 ? 2 : 1);
}

static unsigned mapped_or_changed(void)
{
    bool mapped = status[0] == GNTST_okay;

    ck_assert(mapped || status[0] == GNTST_general_error);
    ck_assert_int_eq(rc[1], mapped ? -XEN_EBUSY : 0);
    ck_assert_uint_eq(a->gnttab.version, mapped ? 1 : 2);
    expect_mapped(mapped);
    return mapped;
}

START_TEST(map_and_version)
{
    explore((struct interleave){.name = "map, set_version",
                                .build = build,
                                .body = {map, set_version},
                                .outcome = mapped_or_changed,
                                .outcomes = 3,
                                .switches = 3,
                                .at_least = 290});
}
END_TEST

static void give_back(void)
{
    rc[1] = il_reserve(a->vcpu[0], XENMEM_decrease_reservation, DOMID_SELF, PAGE);
}

/* What is mapped outlives the granter's giving it back, and counts as his. */
static unsigned mapped_or_given_back(void)
{
    bool mapped = status[0] == GNTST_okay;
    uint64_t pages = 4 + 2;

    ck_assert(mapped || status[0] == GNTST_bad_page);
    ck_assert_int_eq(rc[1], 1);
    ck_assert_int_eq(p2m_lookup(a, gfn(PAGE)).type, P2M_INVALID);
    expect_mapped(mapped);
    ck_assert_uint_eq(a->tot_pages, mapped ? pages : pages - 1);
    if (mapped) {
        ck_assert_uint_eq(*(uint8_t *)fixture_guest(b, MAP_GPA), 0xa5);
        ck_assert_int_eq(gt_unmap(b->vcpu[0], handle[0], MAP_GPA), 0);
        ck_assert_uint_eq(a->tot_pages, pages - 1);
    }
    return mapped;
}

START_TEST(map_and_decrease)
{
    explore((struct interleave){.name = "map, decrease_reservation",
                                .build = build,
                                .body = {map, give_back},
                                .outcome = mapped_or_given_back,
                                .outcomes = 3,
                                .switches = 3,
                                .at_least = 330});
}
END_TEST

static void unmap(void)
{
    status[1] = il_unmap(b->vcpu[1], handle[0], MAP_GPA);
}

static unsigned copied_and_unmapped(void)
{
    ck_assert_int_eq(status[0], GNTST_okay);
    ck_assert_int_eq(status[1], GNTST_okay);
    expect_mapped(false);
    ck_assert_uint_eq(*(uint8_t *)fixture_guest(b, 0x10000), 0xa5);
    return 0;
}

START_TEST(copy_and_unmap)
{
    explore((struct interleave){.name = "copy, unmap",
                                .build = build_mapped,
                                .body = {copy, unmap},
                                .outcome = copied_and_unmapped,
                                .outcomes = 1,
                                .switches = 3,
                                .at_least = 530});
}
END_TEST

static void unmap_too(void)
{
    status[0] = il_unmap(b->vcpu[0], handle[0], MAP_GPA);
}

static unsigned unmapped_once(void)
{
    expect_mapped(false);
    ck_assert_int_eq(status[0] + status[1], GNTST_okay + GNTST_bad_handle);
    return status[0] == GNTST_okay;
}

START_TEST(unmap_twice)
{
    explore((struct interleave){.name = "unmap, unmap",
                                .build = build_mapped,
                                .body = {unmap_too, unmap},
                                .outcome = unmapped_once,
                                .outcomes = 3,
                                .switches = 3,
                                .at_least = 330});
}
END_TEST

static void map_other(void)
{
    status[1] = il_map(b->vcpu[1], a->id, OTHER_REF, RW, MAP_GPA, &handle[1]);
}

/* One of two mappings at one place. */
static unsigned one_there(void)
{
    bool first = status[0] == GNTST_okay;

    ck_assert_int_eq(status[0] + status[1], GNTST_okay + GNTST_general_error);
    ck_assert_int_eq(p2m_lookup(b, gfn(MAP_GFN)).mfn.v,
                     p2m_lookup(a, gfn(first ? PAGE : OTHER_PAGE)).mfn.v);
    ck_assert_uint_eq(gt_marks(a, REF), first ? MARKED : 0);
    ck_assert_uint_eq(gt_marks(a, OTHER_REF), first ? 0 : MARKED);
    return first;
}

START_TEST(map_at_one_place)
{
    explore((struct interleave){.name = "map, map at one place",
                                .build = build,
                                .body = {map, map_other},
                                .outcome = one_there,
                                .outcomes = 3,
                                .switches = 2,
                                .at_least = 160});
}
END_TEST

static void populate_there(void)
{
    rc[1] = il_reserve(b->vcpu[1], XENMEM_populate_physmap, DOMID_SELF, MAP_GFN);
}

/* Own memory gives way to a grant, a grant gives way to nothing but its unmapping. */
static unsigned mapped_anyway(void)
{
    ck_assert_int_eq(status[0], GNTST_okay);
    ck_assert(rc[1] == 0 || rc[1] == 1);
    expect_mapped(true);
    ck_assert_uint_eq(b->tot_pages, 4 + FIXTURE_SCRATCH_PAGES + 2);
    return (unsigned)rc[1];
}

START_TEST(map_and_populate)
{
    explore((struct interleave){.name = "map, populate_physmap",
                                .build = build,
                                .body = {map, populate_there},
                                .outcome = mapped_anyway,
                                .outcomes = 3,
                                .switches = 3,
                                .at_least = 410});
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gnttab_interleave");
    TCase *t = tcase_create("two CPUs");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, map_and_end_of_access);
    tcase_add_test(t, copy_and_end_of_access);
    tcase_add_test(t, map_and_version);
    tcase_add_test(t, map_and_decrease);
    tcase_add_test(t, copy_and_unmap);
    tcase_add_test(t, unmap_twice);
    tcase_add_test(t, map_at_one_place);
    tcase_add_test(t, map_and_populate);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
