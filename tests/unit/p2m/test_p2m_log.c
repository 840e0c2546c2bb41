/* The log of written pages: what it tells, what it forgets, who counts as a writer. */
#include "tests/unit/fixture.h"

#include "core/arch.h"
#include "core/guest_mem/guest_mem.h"
#include "core/p2m/p2m_log.h"
#include "x86/x86.h"

#define G0 0x10000ull /* 2 MiB aligned, away from what the fixture maps */
#define G_1G (UINT64_C(1) << 18)

static struct domain *d;
static uint64_t bits[P2M_LOG_CHUNK / 64];

static void setup(void)
{
    fixture_start(64, 1);
    d = fixture_domain(32, 1);
}

static void teardown(void)
{
    fixture_stop();
}

static unsigned read_log(uint64_t g, unsigned n, enum p2m_log_mode mode)
{
    unsigned count = 0;

    (void)p2m_log_read(d, g, n, mode, bits);
    for (unsigned i = 0; i < P2M_LOG_CHUNK; i++) {
        count += bits[i / 64] >> (i % 64) & 1;
    }
    return count;
}

static bool is_written(unsigned i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

static void start(void)
{
    ck_assert_int_eq(p2m_log_start(d, P2M_LOG_TOOLSTACK), 0);
    (void)p2m_log_count(d, P2M_LOG_FORGET);
}

static void map_2m(uint64_t g)
{
    mfn_t m = guest_pages_alloc(d, P2M_2M);

    ck_assert(!mfn_is_invalid(m));
    ck_assert_int_eq(p2m_map(d, gfn(g), m, P2M_2M, P2M_RAM_RW), 0);
}

static void write_to(uint64_t g)
{
    uint8_t one = 1;

    ck_assert_int_eq(guest_phys_write(d, gaddr(g << PAGE_SHIFT), &one, 1), 0);
}

START_TEST(small_pages)
{
    uint8_t byte;

    fixture_populate(d, G0, 512);
    write_to(G0 + 1); /* before the log is on: nobody asks */
    start();
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_PEEK), 0);
    write_to(G0 + 3);
    write_to(G0 + 511);
    ck_assert_int_eq(guest_phys_read(d, gaddr((G0 + 4) << PAGE_SHIFT), &byte, 1), 0);
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_PEEK), 2);
    ck_assert_uint_eq(p2m_log_count(d, P2M_LOG_PEEK), 2);
    ck_assert_uint_eq(read_log(G0, 511, P2M_LOG_CLEAN), 1); /* the last is not asked for */
    ck_assert(is_written(3));
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_CLEAN), 1);
    ck_assert(is_written(511));
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_CLEAN), 0);
    /* What is new there counts as written. */
    fixture_populate(d, G0 + 512, 2);
    ck_assert_uint_eq(read_log(G0 + 512, 512, P2M_LOG_CLEAN), 2);
    p2m_log_stop(d, P2M_LOG_KEY);
    ck_assert(p2m_log_on(d));
    p2m_log_stop(d, P2M_LOG_TOOLSTACK);
    ck_assert(!p2m_log_on(d));
}
END_TEST

START_TEST(large_pages)
{
    uint32_t tables;

    map_2m(G0);
    map_2m(G0 + 512);
    start();
    ck_assert_uint_eq(p2m_peek(d, gfn(G0)).order, P2M_2M);
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_CLEAN), 0);
    ck_assert_uint_eq(p2m_peek(d, gfn(G0)).order, P2M_2M);
    tables = d->p2m.table_pages;
    /* At first all of it, and from then on its pages. */
    write_to(G0 + 7);
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_PEEK), 512);
    ck_assert_uint_eq(p2m_peek(d, gfn(G0)).order, P2M_2M);
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_CLEAN), 512);
    ck_assert_uint_eq(p2m_peek(d, gfn(G0)).order, P2M_4K);
    ck_assert_uint_eq(d->p2m.table_pages, tables + 1);
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_CLEAN), 0);
    write_to(G0 + 7);
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_CLEAN), 1);
    ck_assert(is_written(7));
    /* Without memory for tables it stays large, and nothing is lost. */
    d->p2m.table_limit = d->p2m.table_pages;
    write_to(G0 + 512);
    ck_assert_uint_eq(read_log(G0 + 512, 512, P2M_LOG_CLEAN), 512);
    ck_assert_uint_eq(read_log(G0 + 512, 512, P2M_LOG_CLEAN), 512);
    d->p2m.table_limit = 0;
    ck_assert_uint_eq(read_log(G0 + 512, 100, P2M_LOG_CLEAN), 100);
    ck_assert_uint_eq(read_log(G0 + 512, 512, P2M_LOG_CLEAN), 412);
    ck_assert_uint_eq(read_log(G0 + 512, 512, P2M_LOG_CLEAN), 0);
}
END_TEST

START_TEST(held_pages)
{
    void *page;

    fixture_populate(d, G0, 4);
    map_2m(G0 + 512);
    page = guest_page_pin(d, gfn(G0 + 512 + 9));
    ck_assert_ptr_nonnull(page);
    start();
    /* Of a large leaf of which one page is held nothing is forgotten. */
    ck_assert_uint_eq(read_log(G0 + 512, 512, P2M_LOG_CLEAN), 512);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(read_log(G0 + 512, 512, P2M_LOG_CLEAN), 1);
        ck_assert(is_written(9));
    }
    guest_page_unpin(page);
    ck_assert_uint_eq(read_log(G0 + 512, 512, P2M_LOG_CLEAN), 1); /* by the last moment */
    ck_assert_uint_eq(read_log(G0 + 512, 512, P2M_LOG_CLEAN), 0);
    /* Held and let go between two looks. */
    page = guest_page_pin(d, gfn(G0 + 2));
    ck_assert_ptr_nonnull(page);
    guest_page_unpin(page);
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_CLEAN), 1);
    ck_assert(is_written(2));
}
END_TEST

START_TEST(what_is_not_logged)
{
    mfn_t m = guest_pages_alloc(d, 0);

    ck_assert_int_eq(p2m_map(d, gfn(G0), m, P2M_4K, P2M_RAM_RO), 0);
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 1), mfn(0), P2M_4K, P2M_MMIO_DM), 0);
    start();
    p2m_log_note(d, gfn(G0));
    p2m_log_note(d, gfn(G0 + 1));
    p2m_log_note(d, gfn(G0 + 2));
    p2m_log_note(d, gfn(UINT64_C(1) << P2M_GFN_BITS));
    ck_assert_uint_eq(read_log(G0, 512, P2M_LOG_CLEAN), 0);
    /* Where nothing is mapped the next place is far off. */
    ck_assert_uint_eq(p2m_log_read(d, 100 * G_1G, 512, P2M_LOG_CLEAN, bits), 101 * G_1G);
    ck_assert_uint_eq(p2m_log_read(d, 1000 * G_1G, 512, P2M_LOG_CLEAN, bits), 1024 * G_1G);
    ck_assert_int_eq(p2m_log_start(d, P2M_LOG_KEY), -XEN_EINVAL);
}
END_TEST

START_TEST(no_dirty_bits)
{
    x86_set_p2m_dirty(false);
    ck_assert_int_eq(p2m_log_start(d, P2M_LOG_TOOLSTACK), -XEN_EOPNOTSUPP);
    ck_assert(!p2m_log_on(d));
    x86_set_p2m_dirty(true);
    ck_assert_uint_eq(arch_p2m_dirty(P2M_FORMAT_EPT), 1 << 9);
    ck_assert_uint_eq(arch_p2m_dirty(P2M_FORMAT_NPT), 1 << 6);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("p2m_log");
    TCase *t = tcase_create("log");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, small_pages);
    tcase_add_test(t, large_pages);
    tcase_add_test(t, held_pages);
    tcase_add_test(t, what_is_not_logged);
    tcase_add_test(t, no_dirty_bits);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
