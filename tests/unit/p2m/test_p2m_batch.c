/* Batches of changes: what they take out stays alive until their end. */
#include "tests/unit/fixture.h"

#include "core/p2m/p2m_batch.h"

#define G0 0x10000ull

static struct domain *d, *other;
static struct p2m_batch b;
static struct p2m_entry old;

static void setup(void)
{
    fixture_start(64, 1);
    d = fixture_domain(16, 1);
    other = fixture_domain(4, 1);
    fixture_populate(d, G0, 100);
    p2m_batch_begin(&b, d);
}

static void teardown(void)
{
    fixture_stop();
}

static int unmap(uint64_t g, unsigned order, uint32_t types)
{
    return p2m_batch_unmap(&b, gfn(g), order, mfn_invalid(), types, &old);
}

START_TEST(kept_until_the_end)
{
    mfn_t m = p2m_lookup(d, gfn(G0)).mfn;
    unsigned flushes = script_flush_count();
    struct p2m_entry e;

    ck_assert_int_eq(unmap(G0, P2M_4K, P2M_SET_OWN_RAM), 0);
    ck_assert_uint_eq(old.mfn.v, m.v);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).type, P2M_INVALID);
    ck_assert_uint_eq(frame_read(m).refs, 1);
    ck_assert_uint_eq(script_flush_count(), flushes);
    /* A borrowed frame's reference, too. */
    fixture_populate(other, 0, 1);
    ck_assert(p2m_get_page(other, gfn(0), &e));
    ck_assert_int_eq(p2m_batch_exchange(&b, gfn(G0 + 1), e.mfn, P2M_FOREIGN, P2M_SET_ANY, &old), 0);
    ck_assert_int_eq(unmap(G0 + 1, P2M_4K, P2M_SET_ANY), 0);
    ck_assert_uint_eq(frame_read(e.mfn).refs, 2);
    p2m_batch_end(&b);
    ck_assert_uint_eq(script_flush_count(), flushes + 1);
    ck_assert_uint_eq(frame_read(m).state, FRAME_FREE);
    ck_assert_uint_eq(frame_read(e.mfn).refs, 1);
    ck_assert_uint_eq(d->tot_pages, 98);
    /* Nothing more to do. */
    p2m_batch_end(&b);
    ck_assert_uint_eq(script_flush_count(), flushes + 1);
}
END_TEST

START_TEST(refusals_change_nothing)
{
    mfn_t m = p2m_lookup(d, gfn(G0)).mfn;

    ck_assert_int_eq(unmap(UINT64_MAX, P2M_4K, P2M_SET_ANY), -XEN_ENOENT);
    ck_assert_int_eq(unmap(G0 + 200, P2M_2M, P2M_SET_ANY), -XEN_ENOENT);
    ck_assert_int_eq(unmap(G0, P2M_4K, P2M_SET(P2M_POD)), -XEN_EEXIST);
    ck_assert_uint_eq(old.type, P2M_INVALID);
    ck_assert_int_eq(p2m_batch_unmap(&b, gfn(G0), P2M_4K, mfn(m.v + 1), P2M_SET_ANY, &old),
                     -XEN_ENOENT);
    ck_assert_int_eq(p2m_batch_exchange(&b, gfn(G0), m, P2M_SHARED, P2M_SET(P2M_POD), &old),
                     -XEN_EEXIST);
    ck_assert_int_eq(p2m_batch_exchange(&b, gfn(UINT64_MAX), m, P2M_RAM_RW, P2M_SET_ANY, &old),
                     -XEN_EINVAL);
    ck_assert_int_eq(p2m_batch_move(&b, gfn(G0 + 200), gfn(G0), P2M_SET_ANY, &old), -XEN_EINVAL);
    ck_assert_int_eq(p2m_batch_move(&b, gfn(G0), gfn(UINT64_MAX), P2M_SET_ANY, &old), -XEN_EINVAL);
    p2m_batch_end(&b);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).mfn.v, m.v);
    ck_assert_uint_eq(d->tot_pages, 100);
}
END_TEST

/* Whole superpages where there are some, pieces elsewhere; tables go with the batch. */
START_TEST(superpages)
{
    mfn_t m = guest_pages_alloc(d, P2M_2M);
    uint64_t tables = d->p2m.table_pages;

    ck_assert_int_eq(p2m_map(d, gfn(G0 + 512), m, P2M_2M, P2M_RAM_RW), 0);
    ck_assert_int_eq(unmap(G0 + 512, P2M_2M, P2M_SET_OWN_RAM), 0);
    ck_assert_uint_eq(old.order, P2M_2M);
    ck_assert_uint_eq(d->tot_pages, 612);
    p2m_batch_end(&b);
    ck_assert_uint_eq(d->tot_pages, 100);
    ck_assert_uint_eq(d->p2m.table_pages, tables);
    m = guest_pages_alloc(d, P2M_2M);
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 512), m, P2M_2M, P2M_RAM_RW), 0);
    ck_assert_int_eq(unmap(G0 + 513, P2M_2M, P2M_SET_OWN_RAM), 0);
    ck_assert_uint_eq(old.order, P2M_4K);
    ck_assert_uint_eq(old.mfn.v, m.v + 1);
    for (uint64_t i = 0; i < 512; i++) {
        ck_assert_int_eq(unmap(G0 + 512 + i, P2M_2M, P2M_SET_OWN_RAM), i == 1 ? -XEN_ENOENT : 0);
    }
    p2m_batch_end(&b);
    ck_assert_uint_eq(d->tot_pages, 100);
    ck_assert_uint_eq(d->p2m.table_pages, tables);
}
END_TEST

/* A batch that overflows finishes what it has and goes on. */
START_TEST(more_than_fits)
{
    unsigned flushes = script_flush_count();

    for (uint64_t i = 0; i < 100; i++) {
        ck_assert_int_eq(unmap(G0 + i, P2M_4K, P2M_SET_OWN_RAM), 0);
        ck_assert_uint_le(b.n, P2M_BATCH_ENTRIES);
    }
    p2m_batch_end(&b);
    ck_assert_uint_eq(script_flush_count(),
                      flushes + (100 + P2M_BATCH_ENTRIES - 1) / P2M_BATCH_ENTRIES);
    ck_assert_uint_eq(d->tot_pages, 0);
    ck_assert_uint_eq(d->p2m.table_pages, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("p2m_batch");
    TCase *c = tcase_create("p2m_batch");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, kept_until_the_end);
    tcase_add_test(c, refusals_change_nothing);
    tcase_add_test(c, superpages);
    tcase_add_test(c, more_than_fits);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
