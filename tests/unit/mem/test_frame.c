/* References and types of frames, overflow and misuse included. */
#include "tests/unit/fixture.h"

#include <signal.h>

#include "core/mem/frame_word.h"

static struct domain *d;
static mfn_t m;

static void setup(void)
{
    fixture_start(16, 1);
    d = fixture_domain(4, 1);
    m = guest_pages_alloc(d, 0);
    ck_assert(!mfn_is_invalid(m));
}

static void free_page(mfn_t p)
{
    ck_assert(frame_get(p, d->id));
    ck_assert(frame_release_allocation(p));
    frame_put(p);
}

static void teardown(void)
{
    free_page(m);
    fixture_stop();
}

START_TEST(fresh_page)
{
    struct frame f = frame_read(m);

    ck_assert(f.state == FRAME_USED && f.type == FRAME_NONE && f.type_count == 0);
    ck_assert(f.allocated && f.refs == 1 && f.owner == d->id);
    ck_assert(frame_valid(m));
    ck_assert(!frame_valid(mfn(0)) && !frame_valid(mfn(hv->max_mfn)));
    ck_assert(!frame_valid(mfn_invalid()));
    ck_assert_uint_eq(frame_read(mfn_invalid()).state, FRAME_ABSENT);
    ck_assert_uint_eq(frame_read(mfn(0)).state, FRAME_ABSENT);
}
END_TEST

START_TEST(references)
{
    domid_t owner = 0;

    ck_assert(frame_get(m, d->id));
    ck_assert(!frame_get(m, d->id + 1));
    ck_assert(frame_get_any(m, &owner));
    ck_assert_uint_eq(owner, d->id);
    ck_assert_uint_eq(frame_read(m).refs, 3);
    frame_put(m);
    frame_put(m);
    ck_assert_uint_eq(frame_read(m).refs, 1);
}
END_TEST

START_TEST(nothing_to_refer_to)
{
    uint64_t hv_frame = ptr_to_mfn(hv).v;
    domid_t owner = 4711;
    void *p = hyp_pages_alloc(d, 0, FRAME_HYP), *s = hyp_pages_alloc(d, 0, FRAME_SHARED);

    for (uint64_t i = 0; i < 4; i++) {
        mfn_t bad = mfn((const uint64_t[]){0, hv->max_mfn, UINT64_MAX, hv_frame}[i]);

        ck_assert(!frame_get(bad, d->id) && !frame_get(bad, 0) && !frame_get(bad, DOMID_XEN));
        ck_assert(!frame_get_any(bad, &owner));
    }
    /* Free frames, and those that guests never see. */
    for (uint64_t i = 1; i < hv->max_mfn; i++) {
        if (frame_read(mfn(i)).state == FRAME_FREE)
            ck_assert(!frame_get(mfn(i), 0) && !frame_get_any(mfn(i), &owner));
    }
    ck_assert(!frame_get(ptr_to_mfn(p), d->id));
    ck_assert_uint_eq(owner, 4711);
    ck_assert(frame_get(ptr_to_mfn(s), d->id));
    frame_put(ptr_to_mfn(s));
    hyp_pages_free(p, 0);
    hyp_pages_free(s, 0);
}
END_TEST

START_TEST(overflow)
{
    uint64_t word = hv->frames[m.v];
    domid_t owner;

    hv->frames[m.v] = fw_with_refs(word, FRAME_REFS_MAX);
    ck_assert(!frame_get(m, d->id) && !frame_get_any(m, &owner));
    hv->frames[m.v] = fw_with_refs(word, FRAME_REFS_MAX - 1);
    ck_assert(frame_get(m, d->id));
    ck_assert(!frame_get(m, d->id));
    hv->frames[m.v] = fw_with_type(fw_with_refs(word, 5), FRAME_WRITABLE, FRAME_TYPE_COUNT_MAX);
    ck_assert(!frame_get_type(m, FRAME_WRITABLE));
    ck_assert_uint_eq(frame_read(m).type_count, FRAME_TYPE_COUNT_MAX);
    hv->frames[m.v] = word;
}
END_TEST

START_TEST(types)
{
    ck_assert(frame_get(m, d->id));
    ck_assert(frame_get(m, d->id));
    ck_assert(frame_get_type(m, FRAME_WRITABLE));
    ck_assert(frame_get_type(m, FRAME_WRITABLE));
    ck_assert(!frame_get_type(m, FRAME_L1));
    ck_assert_uint_eq(frame_read(m).type_count, 2);
    frame_put_type(m);
    ck_assert(!frame_get_type(m, FRAME_L4));
    frame_put_type(m);
    ck_assert_uint_eq(frame_read(m).type, FRAME_NONE);
    ck_assert(frame_get_type(m, FRAME_L4));
    frame_put_type(m);
    frame_put(m);
    frame_put(m);
}
END_TEST

START_TEST(hypervisor_types_stay)
{
    void *p = hyp_pages_alloc(d, 0, FRAME_SHARED);

    ck_assert(!frame_get_type(ptr_to_mfn(p), FRAME_WRITABLE));
    ck_assert_uint_eq(frame_read(ptr_to_mfn(p)).type, FRAME_SHARED);
    hyp_pages_free(p, 0);
}
END_TEST

START_TEST(allocation_goes_once)
{
    mfn_t p = guest_pages_alloc(d, 0);
    uint64_t pages = d->tot_pages, unused = free_page_count();

    ck_assert(frame_get(p, d->id));
    ck_assert(frame_get(p, d->id));
    ck_assert(frame_release_allocation(p));
    ck_assert(!frame_release_allocation(p));
    ck_assert_uint_eq(frame_read(p).refs, 2);
    /* It counts until the last reference goes. */
    frame_put(p);
    ck_assert_uint_eq(d->tot_pages, pages);
    frame_put(p);
    ck_assert_uint_eq(d->tot_pages, pages - 1);
    ck_assert_uint_eq(free_page_count(), unused + 1);
    ck_assert_uint_eq(frame_read(p).state, FRAME_FREE);
    ck_assert(!frame_get(p, d->id));
}
END_TEST

START_TEST(shared_page_outlives_its_user)
{
    uint64_t pages = d->hyp_pages;
    mfn_t p = ptr_to_mfn(hyp_pages_alloc(d, 0, FRAME_SHARED));

    ck_assert_uint_eq(d->hyp_pages, pages + 1);
    ck_assert(frame_get(p, d->id));
    ck_assert(!frame_release_allocation(p));
    frame_put(p);
    ck_assert_uint_eq(frame_read(p).state, FRAME_USED);
    frame_put(p);
    ck_assert_uint_eq(frame_read(p).state, FRAME_FREE);
    ck_assert_uint_eq(d->hyp_pages, pages);
}
END_TEST

START_TEST(put_of_the_allocation)
{
    frame_put(m);
}
END_TEST

START_TEST(put_with_a_type)
{
    ck_assert(frame_get(m, d->id));
    ck_assert(frame_get_type(m, FRAME_WRITABLE));
    ck_assert(frame_release_allocation(m));
    frame_put(m);
}
END_TEST

START_TEST(put_of_a_free_frame)
{
    free_page(m);
    frame_put(m);
}
END_TEST

START_TEST(release_without_reference)
{
    frame_release_allocation(m);
}
END_TEST

START_TEST(put_type_without_type)
{
    frame_put_type(m);
}
END_TEST

START_TEST(get_of_a_hypervisor_type)
{
    frame_get_type(m, FRAME_HYP);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frame");
    TCase *t = tcase_create("frame");
    TCase *p = tcase_create("panics");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, fresh_page);
    tcase_add_test(t, references);
    tcase_add_test(t, nothing_to_refer_to);
    tcase_add_test(t, overflow);
    tcase_add_test(t, types);
    tcase_add_test(t, hypervisor_types_stay);
    tcase_add_test(t, allocation_goes_once);
    tcase_add_test(t, shared_page_outlives_its_user);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(p, setup, NULL);
    tcase_add_test_raise_signal(p, put_of_the_allocation, SIGABRT);
    tcase_add_test_raise_signal(p, put_with_a_type, SIGABRT);
    tcase_add_test_raise_signal(p, put_of_a_free_frame, SIGABRT);
    tcase_add_test_raise_signal(p, release_without_reference, SIGABRT);
    tcase_add_test_raise_signal(p, put_type_without_type, SIGABRT);
    tcase_add_test_raise_signal(p, get_of_a_hypervisor_type, SIGABRT);
    suite_add_tcase(s, p);
    return fixture_run(s);
}
