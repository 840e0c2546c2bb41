/* The auditor's view of references: who holds them, what is set aside, and what an
 * audit costs. */
#include "tests/unit/audit/audit_break.h"

#include <time.h>

#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_claim.h"
#include "core/p2m/p2m_pod.h"

static struct domain *a, *b;

static void setup(void)
{
    fixture_start(32, 2);
    a = fixture_domain(8, 2);
    b = fixture_domain(8, 1);
    fixture_populate(a, 0, 16);
    fixture_populate(b, 0, 16);
    fixture_audit();
}

static void teardown(void)
{
    fixture_stop();
}

START_TEST(mem_6)
{
    ck_assert_int_eq(page_claim_set(a, a->tot_pages + 8), 0);
    fixture_audit();
    expect_when("INV-MEM-6", hv->heap.claimed, 9);
    expect_when("INV-MEM-6", a->outstanding_pages, 0);
}
END_TEST

/* A reference, typed or not, without a holder; and a holder without one. */
START_TEST(mem_7)
{
    uint64_t *word = word_of(ram(a, 5));
    uint64_t *info = word_of(ptr_to_mfn(a->shared_info));
    void *page;

    expect_when("INV-MEM-7", *word, fw_with_refs(*word, 2));
    expect_when("INV-MEM-7", *info, fw_with_refs(*info, 2));
    expect_when("INV-MEM-7", *word, fw_with_type(*word, FRAME_WRITABLE, 1));
    page = guest_page_pin(a, gfn(5));
    ck_assert_ptr_nonnull(page);
    expect("INV-MEM-7");
    a->vcpu[0]->info_page = page;
    fixture_audit();
    expect_when("INV-MEM-7", *word, fw_with_type(*word, FRAME_NONE, 0));
    expect_when("INV-MEM-7", a->vcpu[0]->info_page, NULL);
    a->vcpu[0]->info_page = NULL;
    guest_page_unpin(page);
}
END_TEST

START_TEST(mem_8)
{
    a->p2m.table_limit = 1;
    expect_when("INV-MEM-8", a->hyp_limit, 1);
    a->p2m.table_limit = 0;
}
END_TEST

/* Without room for counts, by windows; a reference too many is not seen then. */
START_TEST(p2m_5_short_of_memory)
{
    uint64_t *word = word_of(ram(b, 5));
    void **pages = malloc((free_page_count() + 1) * sizeof(*pages));
    uint64_t n = 0;

    ck_assert(frame_get(ram(b, 5), b->id));
    expect("INV-MEM-7");
    b->hyp_limit = 0;
    while ((pages[n] = hyp_pages_alloc(b, 0, FRAME_HYP)) != NULL) {
        n++;
    }
    fixture_audit();
    expect_when("INV-P2M-5", *entry_of(a, 3), *entry_of(a, 4));
    ck_assert_int_eq(p2m_map(a, gfn(600), ram(b, 5), P2M_4K, P2M_FOREIGN), -XEN_ENOMEM);
    ck_assert_int_eq(p2m_map(a, gfn(17), ram(b, 5), P2M_4K, P2M_FOREIGN), 0);
    expect_when("INV-P2M-3", *word, fw_with_refs(*word, 1));
    while (n > 0) {
        hyp_pages_free(pages[--n], 0);
    }
    free(pages);
}
END_TEST

START_TEST(p2m_6)
{
    mfn_t spare;

    ck_assert_int_eq(p2m_map(a, gfn(512), mfn(0), P2M_2M, P2M_POD), 0);
    this_cpu()->resched = 0;
    ck_assert_int_eq(p2m_pod_set_target(a, a->tot_pages + 2), 0);
    fixture_audit();
    expect_when("INV-P2M-6", a->p2m.pod_count, 1);
    expect_when("INV-P2M-6", a->p2m.pod_count, 3);
    spare = a->p2m.pod_single;
    expect_when("INV-P2M-6", a->p2m.pod_single, ram(a, 5));
    expect_when("INV-P2M-6", a->p2m.pod_single, ram(b, 5));
    expect_when("INV-P2M-6", *word_of(spare), fw_with_refs(*word_of(spare), 2));
}
END_TEST

/* What an audit costs, so that somebody notices when that changes. */
START_TEST(cost)
{
    struct audit_report r;
    struct timespec t0, t1;
    double us;

    fixture_stop();
    fixture_start(512, 1);
    a = fixture_domain(256, 1);
    for (uint64_t g = 0; g < 256u << 8; g += 512) {
        mfn_t m = guest_pages_alloc(a, P2M_2M);

        ck_assert_int_eq(p2m_map(a, gfn(g), m, P2M_2M, P2M_RAM_RW), 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &t0);
    audit_run(&r);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    ck_assert_uint_eq(r.violations, 0);
    us = (double)(t1.tv_sec - t0.tv_sec) * 1e6 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e3;
    printf("audit: %.1f us per MiB of machine memory\n", us / 512);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("audit_refs");
    TCase *t = tcase_create("audit_refs");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, mem_6);
    tcase_add_test(t, mem_7);
    tcase_add_test(t, mem_8);
    tcase_add_test(t, p2m_5_short_of_memory);
    tcase_add_test(t, p2m_6);
    tcase_add_test(t, cost);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
