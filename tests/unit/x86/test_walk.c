/* The page-table walker: formats, rights, reserved bits, accessed and dirty. */
#include "tests/unit/fixture.h"

#include "core/p2m/p2m.h"
#include "x86/hvm/hvm.h"

#define PG (1ull << 31)
#define WP (1ull << 16)
#define PSE (1ull << 4)
#define PAE (1ull << 5)
#define SMEP (1ull << 20)
#define SMAP (1ull << 21)
#define LMA (1ull << 10)
#define NXE (1ull << 11)
#define NX (1ull << 63)
#define P 1ull
#define W 2ull
#define U 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull

/* Tables at these pages; the data page is never touched by a walk. */
#define ROOT 0x10000ull
#define T3 0x11000ull
#define T2 0x12000ull
#define T1 0x13000ull
#define DATA 0x20000ull
#define LA 0x00007f1234567890ull

static struct domain *d;
static struct walk_mode m;
static struct walk_result r;

static uint64_t *slot(uint64_t table, unsigned index)
{
    return (uint64_t *)fixture_guest(d, table) + index;
}

static uint64_t *level_slot(unsigned level)
{
    static const uint64_t table[] = {T1, T2, T3, ROOT};

    return slot(table[level], LA >> (12 + 9 * level) & 511);
}

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(8, 1);
    fixture_populate(d, 0x10, 4);
    m = (struct walk_mode){.cr0 = PG | WP | 1, .cr3 = ROOT, .cr4 = PAE, .efer = LMA | NXE};
    *level_slot(3) = T3 | P | W | U;
    *level_slot(2) = T2 | P | W | U;
    *level_slot(1) = T1 | P | W | U;
    *level_slot(0) = DATA | P | W | U;
}

static void teardown(void)
{
    fixture_kill(d);
    fixture_stop();
}

static int walk(uint64_t la, enum walk_access a)
{
    memset(&r, 0x5a, sizeof(r));
    return guest_walk(d, &m, la, a, true, &r);
}

static void faults(uint64_t la, enum walk_access a, uint32_t error)
{
    ck_assert_int_eq(walk(la, a), -1);
    ck_assert_uint_eq(r.error, error);
}

START_TEST(test_long)
{
    unsigned i;

    ck_assert_int_eq(guest_walk(d, &m, LA, WALK_READ, false, &r), 0);
    ck_assert_uint_eq(*level_slot(0) & A, 0);
    ck_assert_int_eq(walk(LA, WALK_READ), 0);
    ck_assert_uint_eq(r.gpa.v, DATA | 0x890);
    ck_assert_uint_eq(r.order, 0);
    ck_assert(r.writable && r.executable && r.user && !r.dirty);
    for (i = 0; i < 4; i++)
        ck_assert_uint_eq(*level_slot(i) & (A | D), A);
    ck_assert_int_eq(walk(LA, WALK_WRITE), 0);
    ck_assert(r.dirty);
    ck_assert_uint_eq(*level_slot(0) & (A | D), A | D);
    ck_assert_uint_eq(*level_slot(1) & D, 0);
    faults(0x0000800000000000ull, WALK_READ, 0);
    faults(LA + 0x1000, WALK_READ, 0);
    faults(LA + 0x1000, WALK_WRITE, 2);
    faults(LA + 0x1000, WALK_FETCH, 16);
    m.user = true;
    faults(LA + 0x1000, WALK_WRITE, 6);
}
END_TEST

START_TEST(test_rights)
{
    unsigned i;

    for (i = 0; i < 4; i++) { /* every level counts */
        m.user = true;
        *level_slot(i) &= ~W;
        ck_assert_int_eq(walk(LA, WALK_READ), 0);
        ck_assert(!r.writable);
        faults(LA, WALK_WRITE, 7);
        m.user = false;
        faults(LA, WALK_WRITE, 3);
        m.cr0 &= ~WP;
        ck_assert_int_eq(walk(LA, WALK_WRITE), 0);
        m.cr0 |= WP;
        *level_slot(i) |= W;
        *level_slot(i) &= ~U;
        m.user = true;
        faults(LA, WALK_READ, 5);
        m.user = false;
        ck_assert_int_eq(walk(LA, WALK_READ), 0);
        ck_assert(!r.user);
        *level_slot(i) |= U | NX;
        faults(LA, WALK_FETCH, 0x11);
        ck_assert_int_eq(walk(LA, WALK_READ), 0);
        ck_assert(!r.executable);
        m.efer = LMA; /* NX is reserved without EFER.NXE */
        faults(LA, WALK_READ, 9);
        m.efer = LMA | NXE;
        *level_slot(i) &= ~NX;
    }
}
END_TEST

START_TEST(test_smep_smap)
{
    m.cr4 |= SMEP | SMAP;
    faults(LA, WALK_FETCH, 0x11);
    faults(LA, WALK_READ, 1);
    faults(LA, WALK_WRITE, 3);
    m.ac = true;
    ck_assert_int_eq(walk(LA, WALK_READ), 0);
    ck_assert(!r.executable);
    faults(LA, WALK_FETCH, 0x11);
    m.implicit = true;
    faults(LA, WALK_READ, 1);
    m.user = true;
    m.implicit = m.ac = false;
    ck_assert_int_eq(walk(LA, WALK_FETCH), 0);
    m.user = false;
    *level_slot(0) &= ~U;
    ck_assert_int_eq(walk(LA, WALK_FETCH), 0);
    ck_assert_int_eq(walk(LA, WALK_READ), 0);
    ck_assert(r.executable);
    /* I/D is reported with SMEP even without NX. */
    m.efer = LMA;
    faults(LA + 0x1000, WALK_FETCH, 16);
    m.cr4 &= ~SMEP;
    faults(LA + 0x1000, WALK_FETCH, 0);
}
END_TEST

START_TEST(test_large)
{
    *level_slot(1) = 0x40000000ull | P | W | PS | 0x1000; /* bit 12 is PAT */
    ck_assert_int_eq(walk(LA, WALK_WRITE), 0);
    ck_assert_uint_eq(r.gpa.v, 0x40000000ull | (LA & 0x1fffff));
    ck_assert_uint_eq(r.order, 9);
    ck_assert_uint_eq(*level_slot(1) & (A | D), A | D);
    *level_slot(1) |= 0x2000;
    faults(LA, WALK_READ, 9);
    *level_slot(2) = 0x80000000ull | P | W | PS;
    ck_assert_int_eq(walk(LA, WALK_READ), 0);
    ck_assert_uint_eq(r.gpa.v, 0x80000000ull | (LA & 0x3fffffff));
    ck_assert_uint_eq(r.order, 18);
    *level_slot(2) |= 1ull << 29;
    faults(LA, WALK_READ, 9);
    *level_slot(2) = 0x80000000ull | P | W | PS | 1ull << 48; /* beyond the address width */
    faults(LA, WALK_READ, 9);
    *level_slot(2) = 0x80000000ull | P | W | PS | 1ull << 52; /* ignored */
    ck_assert_int_eq(walk(LA, WALK_READ), 0);
    *level_slot(3) |= PS;
    faults(LA, WALK_READ, 9);
}
END_TEST

START_TEST(test_missing_tables)
{
    struct p2m_entry e;

    *level_slot(1) = 0x7777000ull | P | W | U; /* nothing there */
    ck_assert_int_eq(walk(LA, WALK_READ), -2);
    ck_assert_uint_eq(r.gpa.v, 0x7777000);
    *level_slot(2) = 0x0000fffffffff000ull | P | W | U;
    ck_assert_int_eq(walk(LA, WALK_READ), -2);
    m.cr3 = 0x00000ffffffff000ull;
    ck_assert_int_eq(walk(LA, WALK_READ), -2);
    m.cr3 = ROOT;
    *level_slot(2) = T2 | P | W | U;
    *level_slot(1) = T1 | P | W | U;
    ck_assert_int_eq(walk(LA, WALK_READ), 0);
    /* A table in read-only memory. */
    e = p2m_lookup(d, gfn(T1 >> 12));
    ck_assert_int_eq(p2m_map(d, gfn(T1 >> 12), e.mfn, P2M_4K, P2M_RAM_RO), 0);
    ck_assert_int_eq(walk(LA, WALK_READ), -2);
    ck_assert_int_eq(p2m_map(d, gfn(T1 >> 12), e.mfn, P2M_4K, P2M_RAM_RW), 0);
    ck_assert_int_eq(walk(LA, WALK_READ), 0);
}
END_TEST

START_TEST(test_pae)
{
    uint64_t *pdpte = slot(ROOT, 5), *pde = slot(T2, 0x1a2), *pte = slot(T1, 0x145);
    const uint64_t la = 0x74545abcull; /* 1, 0x1a2, 0x145 */

    m.efer = NXE;
    m.cr3 = ROOT | 0x20;
    *pdpte = T2 | P;
    *pde = T1 | P | W | U;
    *pte = DATA | P | W | U | NX;
    ck_assert_int_eq(walk(la, WALK_WRITE), 0);
    ck_assert_uint_eq(r.gpa.v, DATA | 0xabc);
    ck_assert_uint_eq(*pdpte, T2 | P); /* no A bit there */
    ck_assert_uint_eq(*pte & (A | D), A | D);
    ck_assert_int_eq(walk(la | 0xabcd00000000ull, WALK_READ), 0); /* 32-bit addresses */
    faults(la, WALK_FETCH, 0x11);
    *pte |= 1ull << 55; /* reserved outside 4-level paging */
    faults(la, WALK_READ, 9);
    *pdpte |= 2;
    faults(la, WALK_READ, 9);
    *pdpte = T2 | P;
    *pde = 0x600000 | P | W | PS;
    ck_assert_int_eq(walk(la, WALK_READ), 0);
    ck_assert_uint_eq(r.gpa.v, 0x600000 | (la & 0x1fffff));
    ck_assert_uint_eq(r.order, 9);
    m.user = true;
    faults(la, WALK_READ, 5);
    *pdpte = 0;
    faults(la, WALK_READ, 4);
}
END_TEST

START_TEST(test_legacy)
{
    uint32_t *pde = (uint32_t *)fixture_guest(d, ROOT) + 0x1d1;
    uint32_t *pte = (uint32_t *)fixture_guest(d, T1) + 0x145;
    const uint64_t la = 0x74545abcull;

    m.efer = 0;
    m.cr4 = 0;
    m.cr3 = ROOT | 0x18;
    *pde = T1 | P | W | U;
    *pte = 0x8001f000u | P | U;
    ck_assert_int_eq(walk(la, WALK_FETCH), 0);
    ck_assert_uint_eq(r.gpa.v, 0x8001fabc);
    ck_assert(r.executable);
    faults(la, WALK_WRITE, 3);
    ck_assert_uint_eq(*pte & D, 0);
    *pte |= W;
    ck_assert_int_eq(walk(la, WALK_WRITE), 0);
    ck_assert_uint_eq(*pte & (A | D), A | D);
    *pde |= PS; /* ignored without CR4.PSE */
    ck_assert_int_eq(walk(la, WALK_READ), 0);
    ck_assert_uint_eq(r.order, 0);
    m.cr4 = PSE;
    *pde = 0x00c00000u | 5u << 13 | P | W | PS;
    ck_assert_int_eq(walk(la, WALK_WRITE), 0);
    ck_assert_uint_eq(r.gpa.v, 0x500c00000ull | (la & 0x3fffff));
    ck_assert_uint_eq(r.order, 9);
    *pde |= 1u << 21;
    faults(la, WALK_READ, 9);
    m.cr0 = 1; /* no paging */
    ck_assert_int_eq(walk(0x123456789ull, WALK_WRITE), 0);
    ck_assert_uint_eq(r.gpa.v, 0x23456789);
    ck_assert(r.writable && r.executable && r.dirty);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("walk");
    TCase *t = tcase_create("walk");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_long);
    tcase_add_test(t, test_rights);
    tcase_add_test(t, test_smep_smap);
    tcase_add_test(t, test_large);
    tcase_add_test(t, test_missing_tables);
    tcase_add_test(t, test_pae);
    tcase_add_test(t, test_legacy);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
