/* The guest-physical map: every interleaving of two memory operations on it. */
#include "tests/unit/interleave_calls.h"

#define FROM 0x100u
#define TO 0x101u
#define BEYOND 0x102u
#define OWN_PAGES 4u /* FROM and TO, and the scratch pages */

static struct domain *d;
static int64_t rc[2];
static mfn_t from_mfn, to_mfn;

static void build_empty(void)
{
    fixture_start(3, 2);
    d = fixture_domain(2, 2);
    interleave_scratch(d);
    /* So that the tables are there. */
    fixture_populate(d, FROM - 1, 1);
}

static void build(void)
{
    fixture_start(3, 2);
    d = fixture_domain(2, 2);
    interleave_scratch(d);
    fixture_populate(d, FROM, 2);
    from_mfn = p2m_lookup(d, gfn(FROM)).mfn;
    to_mfn = p2m_lookup(d, gfn(TO)).mfn;
    ck_assert_uint_eq(d->tot_pages, OWN_PAGES);
}

static void explore(struct interleave x)
{
    interleave_explore(&x);
}

static bool is_at(uint64_t g, mfn_t m)
{
    struct p2m_entry e = p2m_lookup(d, gfn(g));

    return e.type == P2M_RAM_RW && e.mfn.v == m.v;
}

static unsigned type_at(uint64_t g)
{
    return p2m_lookup(d, gfn(g)).type;
}

static void move(void)
{
    rc[0] = il_add_to_physmap(d->vcpu[0], DOMID_SELF, XENMAPSPACE_gmfn, FROM, TO);
}

static void exchange(void)
{
    struct {
        struct xen_memory_exchange x;
        uint64_t in[1], out[1];
    } arg = {.x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                   .out = {.nr_extents = 1, .domid = DOMID_SELF}},
             .in = {FROM},
             .out = {TO}};
    uint64_t at = interleave_gva() + sizeof(arg.x);

    arg.x.in.extent_start.p = (void *)(uintptr_t)at;
    arg.x.out.extent_start.p = (void *)(uintptr_t)(at + sizeof(arg.in));
    rc[1] =
        interleave_call(d->vcpu[1], __HYPERVISOR_memory_op, XENMEM_exchange, &arg, sizeof(arg), 0);
    ck_assert_uint_eq(arg.x.nr_exchanged, 0);
}

/* A translated domain's exchange is refused, and in the way of nothing. */
static unsigned moved(void)
{
    ck_assert_int_eq(rc[0], 0);
    ck_assert_int_eq(rc[1], -XEN_EINVAL);
    ck_assert(is_at(TO, from_mfn));
    ck_assert_uint_eq(type_at(FROM), P2M_INVALID);
    ck_assert_uint_eq(d->tot_pages, OWN_PAGES - 1);
    return 0;
}

START_TEST(exchange_and_move)
{
    explore((struct interleave){.name = "exchange, add_to_physmap",
                                .build = build,
                                .body = {move, exchange},
                                .outcome = moved,
                                .outcomes = 1,
                                .switches = 5,
                                .at_least = 70});
}
END_TEST

static void decrease_from(void)
{
    rc[1] = il_reserve(d->vcpu[1], XENMEM_decrease_reservation, DOMID_SELF, FROM);
}

/* 0: moved away before it could be given back; 1: given back before. */
static unsigned moved_or_gone(void)
{
    ck_assert_uint_eq(type_at(FROM), P2M_INVALID);
    if (rc[0] == 0) {
        ck_assert_int_eq(rc[1], 0);
        ck_assert(is_at(TO, from_mfn));
    } else {
        ck_assert_int_eq(rc[0], -XEN_EINVAL);
        ck_assert_int_eq(rc[1], 1);
        ck_assert(is_at(TO, to_mfn));
    }
    ck_assert_uint_eq(d->tot_pages, OWN_PAGES - 1);
    return rc[0] != 0;
}

START_TEST(move_and_decrease)
{
    explore((struct interleave){.name = "add_to_physmap, decrease_reservation",
                                .build = build,
                                .body = {move, decrease_from},
                                .outcome = moved_or_gone,
                                .outcomes = 3,
                                .switches = 5,
                                .at_least = 280});
}
END_TEST

static void move_on(void)
{
    rc[1] = il_add_to_physmap(d->vcpu[1], DOMID_SELF, XENMAPSPACE_gmfn, TO, BEYOND);
}

/* FROM to TO while what is at TO goes further: 0: what was there first went, the
 * other took its place; 1: the same page went both ways, and the other is freed. */
static unsigned chain(void)
{
    bool both = is_at(BEYOND, from_mfn);

    ck_assert_int_eq(rc[0], 0);
    ck_assert_int_eq(rc[1], 0);
    ck_assert_uint_eq(type_at(FROM), P2M_INVALID);
    ck_assert(both ? type_at(TO) == P2M_INVALID : is_at(BEYOND, to_mfn) && is_at(TO, from_mfn));
    ck_assert_uint_eq(d->tot_pages, both ? OWN_PAGES - 1 : OWN_PAGES);
    return both;
}

START_TEST(moves_in_a_row)
{
    explore((struct interleave){.name = "add_to_physmap, add_to_physmap",
                                .build = build,
                                .body = {move, move_on},
                                .outcome = chain,
                                .outcomes = 3,
                                .switches = 5,
                                .at_least = 140});
}
END_TEST

static void populate(void)
{
    rc[0] = il_reserve(d->vcpu[0], XENMEM_populate_physmap, DOMID_SELF, FROM);
}

static void populate_too(void)
{
    rc[1] = il_reserve(d->vcpu[1], XENMEM_populate_physmap, DOMID_SELF, FROM);
}

/* Who comes second replaces: one page is there, and one is accounted. */
static unsigned one_page(void)
{
    ck_assert_int_eq(rc[0], 1);
    ck_assert_int_eq(rc[1], 1);
    ck_assert_uint_eq(type_at(FROM), P2M_RAM_RW);
    ck_assert_uint_eq(d->tot_pages, OWN_PAGES);
    return 0;
}

static unsigned page_or_none(void)
{
    ck_assert_int_eq(rc[0], 1);
    ck_assert(rc[1] == 0 || rc[1] == 1);
    ck_assert_uint_eq(type_at(FROM), rc[1] == 1 ? P2M_INVALID : P2M_RAM_RW);
    ck_assert_uint_eq(d->tot_pages, OWN_PAGES - (unsigned)rc[1]);
    return (unsigned)rc[1];
}

START_TEST(populate_and_others)
{
    explore((struct interleave){.name = "populate_physmap, populate_physmap",
                                .build = build_empty,
                                .body = {populate, populate_too},
                                .outcome = one_page,
                                .outcomes = 1,
                                .switches = 5,
                                .at_least = 240});
    explore((struct interleave){.name = "populate_physmap, decrease_reservation",
                                .build = build_empty,
                                .body = {populate, decrease_from},
                                .outcome = page_or_none,
                                .outcomes = 3,
                                .switches = 5,
                                .at_least = 140});
}
END_TEST

static void info_first(void)
{
    rc[0] = il_add_to_physmap(d->vcpu[0], DOMID_SELF, XENMAPSPACE_shared_info, 0, FROM);
}

static void info_second(void)
{
    rc[1] = il_add_to_physmap(d->vcpu[1], DOMID_SELF, XENMAPSPACE_shared_info, 0, TO);
}

/* There is one place for shared_info, the one that is known. */
static unsigned info_once(void)
{
    bool first = type_at(FROM) == P2M_SHARED, second = type_at(TO) == P2M_SHARED;

    ck_assert_int_eq(rc[0], 0);
    ck_assert_int_eq(rc[1], 0);
    ck_assert(first != second);
    ck_assert_uint_eq(d->shared_info_gfn.v, first ? FROM : TO);
    return first;
}

START_TEST(shared_info_twice)
{
    explore((struct interleave){.name = "shared_info, shared_info",
                                .build = build,
                                .body = {info_first, info_second},
                                .outcome = info_once,
                                .outcomes = 3,
                                .switches = 5,
                                .at_least = 290});
}
END_TEST

static void grant_first(void)
{
    rc[0] = il_add_to_physmap(d->vcpu[0], DOMID_SELF, XENMAPSPACE_grant_table, 0, FROM);
}

static void remove_from(void)
{
    struct xen_remove_from_physmap arg = {.domid = DOMID_SELF, .gpfn = FROM};

    rc[1] = interleave_call(d->vcpu[1], __HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &arg,
                            sizeof(arg), 0);
}

/* Removed before the grant frame came, or with it; the place is free for another. */
static unsigned frame_or_nothing(void)
{
    bool there = type_at(FROM) == P2M_SHARED;

    ck_assert_int_eq(rc[0], 0);
    ck_assert_int_eq(rc[1], 0);
    ck_assert_uint_eq(type_at(FROM), there ? P2M_SHARED : P2M_INVALID);
    if (!there) {
        uint64_t args[6] = {XENMEM_add_to_physmap, interleave_gva()};
        struct xen_add_to_physmap a = {
            .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .gpfn = BEYOND};

        ck_assert_int_eq(guest_phys_write(d, gaddr(args[1]), &a, sizeof(a)), 0);
        ck_assert_int_eq(hypercall(d->vcpu[0], __HYPERVISOR_memory_op, args), 0);
        ck_assert_uint_eq(type_at(BEYOND), P2M_SHARED);
    }
    return there;
}

START_TEST(grant_frame_and_remove)
{
    explore((struct interleave){.name = "grant frame, remove_from_physmap",
                                .build = build,
                                .body = {grant_first, remove_from},
                                .outcome = frame_or_nothing,
                                .outcomes = 3,
                                .switches = 5,
                                .at_least = 120});
}
END_TEST

int main(void)
{
    Suite *s = suite_create("p2m_interleave");
    TCase *t = tcase_create("two CPUs");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, exchange_and_move);
    tcase_add_test(t, move_and_decrease);
    tcase_add_test(t, moves_in_a_row);
    tcase_add_test(t, populate_and_others);
    tcase_add_test(t, shared_info_twice);
    tcase_add_test(t, grant_frame_and_remove);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
