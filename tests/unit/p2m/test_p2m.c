/* The second-stage table: mapping, splitting, replacing, references, teardown. */
#include "tests/unit/fixture.h"

#include "core/p2m/p2m.h"

#define G0 0x10000ull /* 2 MiB aligned, away from what the fixture maps */
#define G_1G (UINT64_C(1) << 30)

static struct domain *d, *other;
static uint64_t ram_before;

static void setup(void)
{
    fixture_start(64, 1);
    d = fixture_domain(32, 1);
    other = fixture_domain(16, 1);
    /* The upper tables of the first gigabyte are there. */
    fixture_populate(d, 1, 1);
    ram_before = d->p2m.pages[P2M_RAM_RW];
}

/* Pages of RAM mapped since the setup. */
static uint64_t ram(void)
{
    return d->p2m.pages[P2M_RAM_RW] - ram_before;
}

static void teardown(void)
{
    fixture_stop();
}

static mfn_t new_page(struct domain *owner, unsigned order)
{
    mfn_t m = guest_pages_alloc(owner, order);

    ck_assert(!mfn_is_invalid(m));
    return m;
}

/* A page of other with one more reference for a foreign or grant leaf. */
static mfn_t lent_page(uint64_t gfn_of_other)
{
    struct p2m_entry e;

    fixture_populate(other, gfn_of_other, 1);
    ck_assert(p2m_get_page(other, gfn(gfn_of_other), &e));
    ck_assert_uint_eq(frame_read(e.mfn).refs, 2);
    return e.mfn;
}

START_TEST(map_and_lookup)
{
    mfn_t m = new_page(d, 0);
    struct p2m_entry e;

    e = p2m_lookup(d, gfn(G0));
    ck_assert_uint_eq(e.type, P2M_INVALID);
    ck_assert(mfn_is_invalid(e.mfn));
    ck_assert(!p2m_get_page(d, gfn(G0), &e));

    ck_assert_int_eq(p2m_map(d, gfn(G0), m, P2M_4K, P2M_RAM_RW), 0);
    e = p2m_lookup(d, gfn(G0));
    ck_assert_uint_eq(e.type, P2M_RAM_RW);
    ck_assert_uint_eq(e.mfn.v, m.v);
    ck_assert_uint_eq(e.order, P2M_4K);
    ck_assert_uint_eq(ram(), 1);
    ck_assert_uint_eq(d->p2m.max_gfn, G0);
    ck_assert(p2m_get_page(d, gfn(G0), &e));
    ck_assert_uint_eq(frame_read(m).refs, 2);
    frame_put(m);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 1)).type, P2M_INVALID);
    ck_assert_uint_eq(p2m_lookup(d, gfn(UINT64_MAX)).type, P2M_INVALID);
    ck_assert_uint_eq(p2m_lookup(d, gfn(1ull << P2M_GFN_BITS)).type, P2M_INVALID);
    ck_assert(!p2m_get_page(d, gfn((1ull << P2M_GFN_BITS) + G0), &e));
}
END_TEST

START_TEST(bad_arguments)
{
    mfn_t m = new_page(d, 0);
    struct p2m_entry old;

    ck_assert_int_eq(p2m_map(d, gfn(G0), m, 1, P2M_RAM_RW), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 1), mfn(512), P2M_2M, P2M_RAM_RW), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, gfn(G0), mfn(513), P2M_2M, P2M_RAM_RW), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, gfn(G0), mfn_invalid(), P2M_4K, P2M_RAM_RW), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, gfn(1ull << P2M_GFN_BITS), m, P2M_4K, P2M_RAM_RW), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, gfn(UINT64_MAX), m, P2M_4K, P2M_RAM_RW), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, gfn(G0), m, P2M_4K, P2M_INVALID), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, gfn(G0), m, P2M_4K, P2M_TYPES), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, gfn(G0), mfn(512), P2M_2M, P2M_FOREIGN), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, gfn(G0), mfn(512), P2M_2M, P2M_SHARED), -XEN_EINVAL);
    ck_assert_int_eq(p2m_unmap(d, gfn(G0), &old, false), -XEN_ENOENT);
    ck_assert_int_eq(p2m_unmap(d, gfn(UINT64_MAX), &old, false), -XEN_ENOENT);
    ck_assert_int_eq(p2m_unmap_if(d, gfn(G0), m), -XEN_ENOENT);
    ck_assert_int_eq(p2m_unmap_if(d, gfn(G0), mfn_invalid()), -XEN_ENOENT);
    ck_assert_int_eq(p2m_move(d, gfn(G0), gfn(G0 + 1), P2M_SET_ANY, &old), -XEN_EINVAL);
    ck_assert_int_eq(p2m_move(d, gfn(UINT64_MAX), gfn(G0), P2M_SET_ANY, &old), -XEN_EINVAL);
    ck_assert_uint_eq(ram(), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G0), m, P2M_4K, P2M_RAM_RW), 0);
    ck_assert_uint_eq(ram(), 1);
}
END_TEST

START_TEST(superpage_is_split_by_unmap)
{
    uint32_t tables = d->p2m.table_pages;
    mfn_t m = new_page(d, 9);
    struct p2m_entry old;

    ck_assert_int_eq(p2m_map(d, gfn(G0), m, P2M_2M, P2M_RAM_RW), 0);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 77)).mfn.v, m.v + 77);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 77)).order, P2M_2M);
    ck_assert_uint_eq(ram(), 512);
    ck_assert_int_eq(p2m_unmap(d, gfn(G0 + 77), &old, false), 0);
    ck_assert_uint_eq(old.mfn.v, m.v + 77);
    ck_assert_uint_eq(old.type, P2M_RAM_RW);
    p2m_release_ram(d, old.mfn);
    ck_assert_uint_eq(frame_read(old.mfn).state, FRAME_FREE);
    ck_assert_uint_eq(ram(), 511);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 77)).type, P2M_INVALID);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 78)).mfn.v, m.v + 78);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 78)).order, P2M_4K);
    fixture_audit();
    /* When the last page goes, so do the tables. */
    for (uint64_t i = 0; i < 512; i++) {
        int rc = p2m_unmap(d, gfn(G0 + i), &old, false);

        ck_assert_int_eq(rc, i == 77 ? -XEN_ENOENT : 0);
        if (rc == 0) {
            p2m_release_ram(d, old.mfn);
        }
    }
    ck_assert_uint_eq(ram(), 0);
    ck_assert_uint_eq(d->p2m.table_pages, tables);
}
END_TEST

START_TEST(mapping_4k_splits_2m)
{
    mfn_t m = new_page(d, 9), n = new_page(d, 0);
    struct p2m_entry old;

    ck_assert_int_eq(p2m_map(d, gfn(G0), m, P2M_2M, P2M_RAM_RW), 0);
    ck_assert_int_eq(p2m_map_new(d, gfn(G0 + 5), n, P2M_4K, P2M_RAM_RW), -XEN_EEXIST);
    ck_assert_int_eq(p2m_exchange(d, gfn(G0 + 5), n, P2M_RAM_RW, P2M_SET_GRANT, &old), -XEN_EEXIST);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 5)).order, P2M_2M);
    ck_assert_int_eq(p2m_exchange(d, gfn(G0 + 5), n, P2M_RAM_RW, P2M_SET_OWN_RAM, &old), 0);
    ck_assert_uint_eq(old.mfn.v, m.v + 5);
    p2m_release_ram(d, old.mfn);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 5)).mfn.v, n.v);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 4)).mfn.v, m.v + 4);
    ck_assert_uint_eq(ram(), 512);
}
END_TEST

START_TEST(superpage_replaces_table)
{
    uint32_t tables = d->p2m.table_pages;
    mfn_t lent = lent_page(G0), m = new_page(d, 9);

    ck_assert_int_eq(p2m_map(d, gfn(G0 + 3), lent, P2M_4K, P2M_FOREIGN), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 9), mfn(0), P2M_4K, P2M_MMIO_DM), 0);
    ck_assert_uint_eq(d->p2m.pages[P2M_FOREIGN], 1);
    ck_assert_int_eq(p2m_map_new(d, gfn(G0), m, P2M_2M, P2M_RAM_RW), -XEN_EEXIST);
    ck_assert_int_eq(p2m_map(d, gfn(G0), m, P2M_2M, P2M_RAM_RW), 0);
    ck_assert_uint_eq(d->p2m.pages[P2M_FOREIGN], 0);
    ck_assert_uint_eq(d->p2m.pages[P2M_MMIO_DM], 0);
    ck_assert_uint_eq(ram(), 512);
    ck_assert_uint_eq(frame_read(lent).refs, 1);
    ck_assert_uint_eq(d->p2m.table_pages, tables);
}
END_TEST

/* Whole gigabytes of frames that no machine here has: the table does not care. */
START_TEST(gigabyte_leaves)
{
    const uint64_t big = UINT64_C(1) << P2M_1G;
    mfn_t m = mfn(big), n = mfn(3 * big), lent = lent_page(G0);
    struct p2m_entry old;

    ck_assert_int_eq(p2m_map(d, gfn(big), m, P2M_1G, P2M_RAM_RW), 0);
    ck_assert_uint_eq(p2m_lookup(d, gfn(big + 12345)).mfn.v, m.v + 12345);
    ck_assert_uint_eq(p2m_lookup(d, gfn(big + 12345)).order, P2M_1G);
    ck_assert_int_eq(p2m_unmap(d, gfn(big + 12345), &old, false), 0);
    ck_assert_uint_eq(old.mfn.v, m.v + 12345);
    ck_assert_uint_eq(ram(), big - 1);
    ck_assert_uint_eq(p2m_lookup(d, gfn(big + 12344)).order, P2M_4K);
    ck_assert_uint_eq(p2m_lookup(d, gfn(big)).order, P2M_2M);
    /* Over smaller leaves it becomes 2 MiB leaves; references drop. */
    ck_assert_int_eq(p2m_map(d, gfn(big + 12345), lent, P2M_4K, P2M_GRANT_RO), 0);
    ck_assert_int_eq(p2m_map(d, gfn(big), n, P2M_1G, P2M_RAM_RW), 0);
    ck_assert_uint_eq(frame_read(lent).refs, 1);
    ck_assert_uint_eq(ram(), big);
    ck_assert_uint_eq(d->p2m.pages[P2M_GRANT_RO], 0);
    ck_assert_uint_eq(p2m_lookup(d, gfn(big + 12345)).mfn.v, n.v + 12345);
    fixture_kill(d);
    d = NULL;
}
END_TEST

START_TEST(borrowed_frames_keep_references)
{
    mfn_t lent = lent_page(G0), lent2 = lent_page(G0 + 1);
    struct p2m_entry e;

    ck_assert_int_eq(p2m_map(d, gfn(G0), lent, P2M_4K, P2M_FOREIGN), 0);
    ck_assert_uint_eq(frame_read(lent).refs, 2);
    ck_assert(p2m_get_page(d, gfn(G0), &e));
    ck_assert_uint_eq(frame_read(lent).refs, 3);
    frame_put(lent);
    /* Replaced: the reference goes. */
    ck_assert_int_eq(p2m_map(d, gfn(G0), lent2, P2M_4K, P2M_GRANT_RW), 0);
    ck_assert_uint_eq(frame_read(lent).refs, 1);
    /* Kept by the caller. */
    ck_assert_int_eq(p2m_unmap(d, gfn(G0), &e, true), 0);
    ck_assert_uint_eq(e.type, P2M_GRANT_RW);
    ck_assert_uint_eq(frame_read(lent2).refs, 2);
    ck_assert_int_eq(p2m_map(d, gfn(G0), lent2, P2M_4K, P2M_GRANT_RW), 0);
    ck_assert_int_eq(p2m_unmap_types(d, gfn(G0), P2M_SET_OWN_RAM, &e), -XEN_EEXIST);
    ck_assert_int_eq(p2m_unmap_if(d, gfn(G0), lent), -XEN_ENOENT);
    ck_assert_int_eq(p2m_unmap_if(d, gfn(G0), lent2), 0);
    ck_assert_uint_eq(frame_read(lent2).refs, 1);
    /* The lender takes its page away: the borrower's reference keeps it. */
    ck_assert(p2m_get_page(other, gfn(G0), &e));
    ck_assert_int_eq(p2m_map(d, gfn(G0), lent, P2M_4K, P2M_FOREIGN), 0);
    ck_assert_int_eq(p2m_unmap(other, gfn(G0), &e, false), 0);
    p2m_release_ram(other, e.mfn);
    ck_assert_uint_eq(frame_read(lent).state, FRAME_USED);
    ck_assert_int_eq(p2m_unmap(d, gfn(G0), &e, false), 0);
    ck_assert_uint_eq(frame_read(lent).state, FRAME_FREE);
}
END_TEST

START_TEST(move_is_one_step)
{
    uint32_t tables = d->p2m.table_pages;
    mfn_t m = new_page(d, 9), lent = lent_page(G0);
    struct p2m_entry old;

    ck_assert_int_eq(p2m_map(d, gfn(G0), m, P2M_2M, P2M_RAM_RW), 0);
    ck_assert_int_eq(p2m_move(d, gfn(G0 + 1), gfn(G0 + 1), P2M_SET_ANY, &old), 0);
    ck_assert_uint_eq(old.type, P2M_INVALID);
    /* Within one superpage, onto another page of it. */
    ck_assert_int_eq(p2m_move(d, gfn(G0 + 1), gfn(G0 + 2), P2M_SET_OWN_RAM, &old), 0);
    ck_assert_uint_eq(old.mfn.v, m.v + 2);
    p2m_release_ram(d, old.mfn);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 2)).mfn.v, m.v + 1);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 1)).type, P2M_INVALID);
    /* Far away and back: no table stays behind. */
    ck_assert_int_eq(p2m_move(d, gfn(G0 + 2), gfn(G_1G), P2M_SET_OWN_RAM, &old), 0);
    ck_assert_uint_eq(old.type, P2M_INVALID);
    ck_assert_int_eq(p2m_move(d, gfn(G_1G), gfn(G0 + 1), P2M_SET_OWN_RAM, &old), 0);
    ck_assert_uint_eq(d->p2m.table_pages, tables + 1);
    /* Not what may not be replaced, and not what is not own RAM. */
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 2), lent, P2M_4K, P2M_GRANT_RW), 0);
    ck_assert_int_eq(p2m_move(d, gfn(G0), gfn(G0 + 2), P2M_SET_OWN_RAM, &old), -XEN_EEXIST);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).mfn.v, m.v);
    ck_assert_int_eq(p2m_move(d, gfn(G0 + 2), gfn(G0), P2M_SET_ANY, &old), -XEN_EINVAL);
}
END_TEST

START_TEST(tables_are_limited)
{
    uint32_t tables = d->p2m.table_pages;
    struct p2m_entry old;
    mfn_t m[5];

    for (unsigned i = 0; i < 5; i++) {
        m[i] = new_page(d, 0);
    }
    d->p2m.table_limit = tables + 2;
    /* Three tables are missing for this one; what was added is taken back. */
    ck_assert_int_eq(p2m_map(d, gfn(UINT64_C(1) << 34), m[0], P2M_4K, P2M_RAM_RW), -XEN_ENOMEM);
    ck_assert_uint_eq(d->p2m.table_pages, tables);
    d->p2m.table_limit = tables + 1;
    ck_assert_int_eq(p2m_map(d, gfn(G0), m[0], P2M_4K, P2M_RAM_RW), 0);
    ck_assert_uint_eq(d->p2m.table_pages, tables + 1);
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 1), m[1], P2M_4K, P2M_RAM_RW), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 512), m[2], P2M_4K, P2M_RAM_RW), -XEN_ENOMEM);
    ck_assert_int_eq(p2m_move(d, gfn(G0), gfn(G0 + 512), P2M_SET_ANY, &old), -XEN_ENOMEM);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).mfn.v, m[0].v);
    d->p2m.table_limit = 0;
    for (unsigned i = 2; i < 5; i++) {
        ck_assert_int_eq(p2m_map(d, gfn(G0 + i * 512), m[i], P2M_4K, P2M_RAM_RW), 0);
    }
}
END_TEST

static uint64_t seen[8];
static unsigned seen_count;

static int note(void *arg, gfn_t g, struct p2m_entry e)
{
    unsigned *stop = arg;

    seen[seen_count++] = g.v;
    return seen_count == *stop ? 42 : 0;
}

START_TEST(for_each_goes_in_order)
{
    mfn_t big = new_page(d, 9);
    unsigned stop = 0;

    ck_assert_int_eq(p2m_map(d, gfn(G_1G), new_page(d, 0), P2M_4K, P2M_RAM_RO), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G0), new_page(d, 0), P2M_4K, P2M_RAM_RW), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 511), new_page(d, 0), P2M_4K, P2M_RAM_RW), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 1024), big, P2M_2M, P2M_RAM_RW), 0);
    seen_count = 0;
    ck_assert_int_eq(p2m_for_each(d, note, &stop), 0);
    ck_assert_uint_eq(seen_count, 5);
    ck_assert_uint_eq(seen[1], G0);
    ck_assert_uint_eq(seen[2], G0 + 511);
    ck_assert_uint_eq(seen[3], G0 + 1024);
    ck_assert_uint_eq(seen[4], G_1G);
    seen_count = 0;
    stop = 2;
    ck_assert_int_eq(p2m_for_each(d, note, &stop), 42);
    ck_assert_uint_eq(seen_count, 2);
}
END_TEST

START_TEST(teardown_in_pieces)
{
    mfn_t big = new_page(d, 9), lent = lent_page(G0), orphan = new_page(d, 0);
    unsigned restarts = 0;
    struct p2m_entry e;
    int rc;

    fixture_populate(d, G0, 700);
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 1024), big, P2M_2M, P2M_RAM_RW), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G_1G), lent, P2M_4K, P2M_FOREIGN), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G_1G + 1), orphan, P2M_4K, P2M_RAM_RW), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G_1G + 1), new_page(d, 0), P2M_4K, P2M_RAM_RW), 0);
    ck_assert_uint_eq(d->tot_pages, 1 + 700 + 512 + 2);
    this_cpu()->preempt_every = 1;
    while ((rc = p2m_teardown(d)) == -XEN_ERESTART) {
        ck_assert_int_eq(p2m_map(d, gfn(0), big, P2M_4K, P2M_RAM_RW), -XEN_EINVAL);
        ck_assert_int_eq(p2m_move(d, gfn(G0), gfn(1), P2M_SET_ANY, &e), -XEN_EINVAL);
        ck_assert_uint_lt(++restarts, 10000);
        fixture_audit();
    }
    this_cpu()->preempt_every = 0;
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_gt(restarts, 20);
    ck_assert_uint_eq(d->tot_pages, 0);
    ck_assert_uint_eq(d->p2m.table_pages, 0);
    ck_assert_uint_eq(frame_read(lent).refs, 1);
    ck_assert_uint_eq(frame_read(orphan).state, FRAME_FREE);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).type, P2M_INVALID);
    ck_assert(!p2m_get_page(d, gfn(G0), &e));
    ck_assert_int_eq(p2m_map(d, gfn(G0), big, P2M_4K, P2M_RAM_RW), -XEN_EINVAL);
    ck_assert_int_eq(p2m_teardown(d), 0);
}
END_TEST

/* Random operations against a model of 4 KiB pages. */
START_TEST(model)
{
    enum { SPAN = 2048 };
    static struct {
        uint64_t mfn;
        uint8_t type;
    } want[SPAN];
    mfn_t base = new_page(d, 11);
    uint64_t seed = 12345 + (uint64_t)_i;
    struct p2m_entry old;

    memset(want, 0, sizeof(want));
    for (unsigned step = 0; step < 3000; step++) {
        uint64_t a, b;

        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        a = (seed >> 33) % SPAN;
        b = (seed >> 45) % SPAN;
        if (step % 7 == 0) {
            /* The leaf must not map a page twice: unmap its other places first. */
            uint64_t g = a & ~511ull, m = b & ~511ull;

            for (uint64_t i = 0; i < SPAN; i++) {
                if (want[i].type && want[i].mfn >= m && want[i].mfn < m + 512) {
                    ck_assert_int_eq(p2m_unmap(d, gfn(G0 + i), &old, false), 0);
                    want[i].type = 0;
                }
            }
            ck_assert_int_eq(p2m_map(d, gfn(G0 + g), mfn(base.v + m), P2M_2M, P2M_RAM_RW), 0);
            for (uint64_t i = 0; i < 512; i++) {
                want[g + i].mfn = m + i;
                want[g + i].type = P2M_RAM_RW;
            }
        } else if (step % 7 < 4) {
            int rc = p2m_unmap(d, gfn(G0 + a), &old, false);

            ck_assert_int_eq(rc, want[a].type ? 0 : -XEN_ENOENT);
            want[a].type = 0;
        } else {
            int rc = p2m_move(d, gfn(G0 + a), gfn(G0 + b), P2M_SET_ANY, &old);

            ck_assert_int_eq(rc, want[a].type ? 0 : -XEN_EINVAL);
            if (rc == 0 && a != b) {
                ck_assert_uint_eq(old.type, want[b].type);
                want[b] = want[a];
                want[a].type = 0;
            }
        }
        for (uint64_t i = step % 3; i < SPAN; i += 97) {
            struct p2m_entry e = p2m_lookup(d, gfn(G0 + i));

            ck_assert_uint_eq(e.type, want[i].type);
            ck_assert(e.type == P2M_INVALID || e.mfn.v == base.v + want[i].mfn);
        }
    }
    fixture_audit();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("p2m");
    TCase *c = tcase_create("p2m");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, map_and_lookup);
    tcase_add_test(c, bad_arguments);
    tcase_add_test(c, superpage_is_split_by_unmap);
    tcase_add_test(c, mapping_4k_splits_2m);
    tcase_add_test(c, superpage_replaces_table);
    tcase_add_test(c, gigabyte_leaves);
    tcase_add_test(c, borrowed_frames_keep_references);
    tcase_add_test(c, move_is_one_step);
    tcase_add_test(c, tables_are_limited);
    tcase_add_test(c, for_each_goes_in_order);
    tcase_add_test(c, teardown_in_pieces);
    tcase_add_loop_test(c, model, 0, 4);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
