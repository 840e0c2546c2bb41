/* The allocator: accounts, limits, zeroing, merging, exhaustion. */
#include "tests/unit/fixture.h"

#include <signal.h>

#include "core/mem/frame_word.h"

#define MIB_PAGES (1u << (20 - PAGE_SHIFT))

static struct domain *d;

static void setup(void)
{
    fixture_start(64, 1);
    d = fixture_domain(32, 1);
}

static void teardown(void)
{
    fixture_stop();
}

static void free_pages(mfn_t m, unsigned order)
{
    for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
        ck_assert(frame_get(mfn(m.v + i), d->id));
        ck_assert(frame_release_allocation(mfn(m.v + i)));
        frame_put(mfn(m.v + i));
    }
}

static bool all_zero(mfn_t m, unsigned order)
{
    const uint64_t *p = mfn_to_ptr(m);

    for (uint64_t i = 0; i < (PAGE_SIZE << order) / sizeof(*p); i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

START_TEST(accounts)
{
    uint64_t unused = free_page_count(), hyp = d->hyp_pages, own = hv->hyp_pages;
    mfn_t m = guest_pages_alloc(d, 3);
    void *a, *b;

    ck_assert(!mfn_is_invalid(m));
    ck_assert_uint_eq(m.v & 7, 0);
    ck_assert_uint_eq(d->tot_pages, 8);
    ck_assert_uint_eq(free_page_count(), unused - 8);
    a = hyp_pages_alloc(d, 2, FRAME_P2M);
    b = hyp_pages_alloc(NULL, 1, FRAME_HYP);
    ck_assert_uint_eq(d->hyp_pages, hyp + 4);
    ck_assert_uint_eq(hv->hyp_pages, own + 2);
    ck_assert_uint_eq(frame_read(ptr_to_mfn(a)).owner, d->id);
    ck_assert_uint_eq(frame_read(ptr_to_mfn(b)).owner, DOMID_XEN);
    fixture_audit();
    hyp_pages_free(a, 2);
    hyp_pages_free(b, 1);
    free_pages(m, 3);
    ck_assert_uint_eq(d->tot_pages, 0);
    ck_assert_uint_eq(d->hyp_pages, hyp);
    ck_assert_uint_eq(hv->hyp_pages, own);
    ck_assert_uint_eq(free_page_count(), unused);
}
END_TEST

START_TEST(reservation_limits)
{
    mfn_t m;

    d->max_pages = 10;
    ck_assert(mfn_is_invalid(guest_pages_alloc(d, 4)));
    ck_assert_uint_eq(d->tot_pages, 0);
    m = guest_pages_alloc(d, 3);
    ck_assert(!mfn_is_invalid(m));
    ck_assert(mfn_is_invalid(guest_pages_alloc(d, 2)));
    ck_assert_uint_eq(d->tot_pages, 8);
    ck_assert(mfn_is_invalid(guest_pages_alloc(d, FRAME_ORDER_MAX + 1)));
    ck_assert(mfn_is_invalid(guest_pages_alloc(d, UINT32_MAX)));
    ck_assert_ptr_null(hyp_pages_alloc(d, FRAME_ORDER_MAX + 1, FRAME_HYP));
    free_pages(m, 3);
}
END_TEST

START_TEST(exhaustion)
{
    uint64_t unused = free_page_count(), n = 0;
    mfn_t *taken = calloc(unused, sizeof(*taken));

    d->max_pages = UINT64_MAX / 2;
    ck_assert(mfn_is_invalid(guest_pages_alloc(d, 15)));
    ck_assert_uint_eq(d->tot_pages, 0);
    for (;;) {
        mfn_t m = guest_pages_alloc(d, 0);

        if (mfn_is_invalid(m))
            break;
        ck_assert_uint_ne(m.v, 0);
        taken[n++] = m;
    }
    ck_assert_uint_eq(n, unused);
    ck_assert_uint_eq(free_page_count(), 0);
    ck_assert_ptr_null(hyp_pages_alloc(NULL, 0, FRAME_HYP));
    ck_assert(!page_scrub_some());
    fixture_audit();
    /* Freed in an order that lets nothing merge at first, all comes back. */
    for (uint64_t i = 0; i < n; i += 2)
        free_pages(taken[i], 0);
    fixture_audit();
    ck_assert(mfn_is_invalid(guest_pages_alloc(d, 1)));
    for (uint64_t i = 1; i < n; i += 2)
        free_pages(taken[i], 0);
    ck_assert_uint_eq(free_page_count(), unused);
    fixture_audit();
    taken[0] = guest_pages_alloc(d, 12);
    ck_assert(!mfn_is_invalid(taken[0]));
    free_pages(taken[0], 12);
    free(taken);
}
END_TEST

START_TEST(reuse_is_zeroed)
{
    void **last = NULL;

    for (unsigned order = 0; order <= 9; order += 3) {
        mfn_t m = guest_pages_alloc(d, order), n;

        ck_assert(all_zero(m, order));
        memset(mfn_to_ptr(m), 0xa5, PAGE_SIZE << order);
        free_pages(m, order);
        n = guest_pages_alloc(d, order);
        ck_assert(all_zero(n, order));
        memset(mfn_to_ptr(n), 0xa5, PAGE_SIZE << order);
        free_pages(n, order);
    }
    /* Every frame of the machine, whatever it held; the pages' first words chain them. */
    d->hyp_limit = 0;
    for (uint64_t i = 0, n = free_page_count(); i < n; i++) {
        void **p = hyp_pages_alloc(d, 0, FRAME_HYP);

        ck_assert(all_zero(ptr_to_mfn(p), 0));
        *p = last;
        last = p;
    }
    while (last != NULL) {
        void **p = last;

        last = *p;
        hyp_pages_free(p, 0);
    }
}
END_TEST

START_TEST(scrubbing)
{
    uint64_t dirty;
    unsigned rounds = 0;
    mfn_t m;

    while (page_scrub_some())
        continue;
    ck_assert_uint_eq(hv->heap.dirty_pages, 0);
    m = guest_pages_alloc(d, 9);
    memset(mfn_to_ptr(m), 0xa5, PAGE_SIZE << 9);
    free_pages(m, 9);
    dirty = hv->heap.dirty_pages;
    ck_assert_uint_ge(dirty, 512);
    /* A block that is taken half scrubbed is zeroed nevertheless. */
    ck_assert(page_scrub_some());
    m = guest_pages_alloc(d, 9);
    ck_assert(all_zero(m, 9));
    memset(mfn_to_ptr(m), 0xa5, PAGE_SIZE << 9);
    ck_assert(hv->heap.scrub.v != m.v);
    free_pages(m, 9);
    for (; page_scrub_some(); rounds++)
        fixture_audit();
    ck_assert_uint_ge(rounds, 512 / 16);
    ck_assert_uint_eq(hv->heap.dirty_pages, 0);
    ck_assert(all_zero(m, 9));
    m = guest_pages_alloc(d, 0);
    memset(mfn_to_ptr(m), 0xa5, PAGE_SIZE);
    free_pages(m, 0);
    /* One freed page never makes more than a mixed block dirty. */
    ck_assert_uint_le(hv->heap.dirty_pages, UINT64_C(1) << PAGE_ALLOC_MIXED_ORDER);
    fixture_audit();
}
END_TEST

START_TEST(address_limits)
{
    mfn_t m = guest_pages_alloc_below(d, 0, 24);

    ck_assert(!mfn_is_invalid(m));
    ck_assert_uint_lt(m.v, UINT64_C(1) << (24 - PAGE_SHIFT));
    free_pages(m, 0);
    ck_assert(mfn_is_invalid(guest_pages_alloc_below(d, 0, 12)));
    ck_assert(mfn_is_invalid(guest_pages_alloc_below(d, 0, 1)));
    ck_assert(mfn_is_invalid(guest_pages_alloc_below(d, 9, 20)));
    ck_assert_uint_eq(d->tot_pages, 0);
    m = guest_pages_alloc_below(d, 0, 64);
    free_pages(m, 0);
    m = guest_pages_alloc_below(d, 0, UINT32_MAX);
    free_pages(m, 0);
}
END_TEST

START_TEST(orders)
{
    ck_assert_uint_eq(order_of_bytes(0), 0);
    ck_assert_uint_eq(order_of_bytes(1), 0);
    ck_assert_uint_eq(order_of_bytes(PAGE_SIZE), 0);
    ck_assert_uint_eq(order_of_bytes(PAGE_SIZE + 1), 1);
    ck_assert_uint_eq(order_of_bytes(3 * PAGE_SIZE), 2);
    ck_assert_uint_eq(order_of_bytes(UINT64_C(1) << 30), 18);
    ck_assert_uint_gt(order_of_bytes(UINT64_MAX), FRAME_ORDER_MAX);
    ck_assert_uint_eq(total_page_count(), 64 * MIB_PAGES - 1);
}
END_TEST

/* Random allocations and frees, audited on the way: the same every time. */
START_TEST(random_walk)
{
    struct {
        mfn_t m;
        unsigned order;
    } held[64];
    uint64_t unused = free_page_count();

    memset(held, 0, sizeof(held));
    for (unsigned i = 0; i < 4000; i++) {
        unsigned k = world_random() % ARRAY_SIZE(held);

        if (held[k].m.v != 0) {
            free_pages(held[k].m, held[k].order);
            held[k].m = mfn(0);
        } else {
            held[k].order = world_random() % 8;
            held[k].m = guest_pages_alloc(d, held[k].order);
            if (mfn_is_invalid(held[k].m)) {
                held[k].m = mfn(0);
                continue;
            }
            ck_assert(all_zero(held[k].m, held[k].order));
            memset(mfn_to_ptr(held[k].m), 0xff, PAGE_SIZE << held[k].order);
        }
        if (i % 16 == 0)
            page_scrub_some();
        if (i % 200 == 0)
            fixture_audit();
    }
    for (unsigned k = 0; k < ARRAY_SIZE(held); k++) {
        if (held[k].m.v != 0)
            free_pages(held[k].m, held[k].order);
    }
    ck_assert_uint_eq(free_page_count(), unused);
}
END_TEST

START_TEST(free_of_a_mapped_page)
{
    void *p = hyp_pages_alloc(d, 0, FRAME_SHARED);

    ck_assert(frame_get(ptr_to_mfn(p), d->id));
    hyp_pages_free(p, 0);
}
END_TEST

START_TEST(free_of_a_guest_page)
{
    hyp_pages_free(mfn_to_ptr(guest_pages_alloc(d, 0)), 0);
}
END_TEST

START_TEST(free_twice)
{
    void *p = hyp_pages_alloc(d, 0, FRAME_HYP);

    hyp_pages_free(p, 0);
    hyp_pages_free(p, 0);
}
END_TEST

START_TEST(free_too_much)
{
    void *p = hyp_pages_alloc(d, 1, FRAME_HYP);

    hyp_pages_free(p, 9);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("page_alloc");
    TCase *t = tcase_create("pages");
    TCase *p = tcase_create("panics");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, accounts);
    tcase_add_test(t, reservation_limits);
    tcase_add_test(t, exhaustion);
    tcase_add_test(t, scrubbing);
    tcase_add_test(t, address_limits);
    tcase_add_test(t, orders);
    tcase_add_test(t, random_walk);
    tcase_add_test(t, reuse_is_zeroed);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(p, setup, NULL);
    tcase_add_test_raise_signal(p, free_of_a_mapped_page, SIGABRT);
    tcase_add_test_raise_signal(p, free_of_a_guest_page, SIGABRT);
    tcase_add_test_raise_signal(p, free_twice, SIGABRT);
    tcase_add_test_raise_signal(p, free_too_much, SIGABRT);
    suite_add_tcase(s, p);
    return fixture_run(s);
}
