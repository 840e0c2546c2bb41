/* What a domain may cost the hypervisor: every way to make it grow ends at a limit,
 * without harm to others. */
#include "tests/unit/fixture.h"

#include "tests/unit/evtchn/evtchn_calls.h"
#include "tests/unit/gnttab/gnttab_calls.h"

#define G0 0x100000ull

static struct domain *greedy, *other;

static void setup(void)
{
    fixture_start(96, 1);
    greedy = fixture_domain(16, 1);
    other = fixture_domain(16, 1);
    fixture_populate(greedy, FIXTURE_SCRATCH_GPA >> PAGE_SHIFT, FIXTURE_SCRATCH_PAGES);
    fixture_populate(other, FIXTURE_SCRATCH_GPA >> PAGE_SHIFT, FIXTURE_SCRATCH_PAGES);
    fixture_populate(other, 1, 1); /* what it grants */
}

static void teardown(void)
{
    fixture_stop();
}

/* One page in every 2 MiB and in every 1 GiB: how many until it is refused. */
static uint64_t sparse_map(struct domain *d)
{
    uint64_t n = 0;
    mfn_t m = guest_pages_alloc(d, 0);
    int rc;

    ck_assert(!mfn_is_invalid(m));
    for (;; n++) {
        rc = n == 0 ? p2m_map(d, gfn(G0), m, P2M_4K, P2M_RAM_RW)
                    : p2m_map(d, gfn(G0 + n * 512 * 513), mfn(0), P2M_4K, P2M_MMIO_DM);
        if (rc != 0) {
            break;
        }
        ck_assert_uint_lt(n, 100000);
    }
    ck_assert_int_eq(rc, -XEN_ENOMEM);
    return n;
}

/* Ports until there are no more. */
static uint64_t all_ports(struct domain *d, int64_t want)
{
    uint64_t n = 0;
    uint32_t port;
    int64_t rc;

    while ((rc = ev_alloc(d->vcpu[0], DOMID_SELF, other->id, &port)) == 0) {
        ck_assert_uint_lt(++n, 200000);
    }
    ck_assert_int_eq(rc, want);
    return n;
}

/* Grants one page of other's to d and maps it until it is refused. */
static uint64_t all_handles(struct domain *d)
{
    uint64_t n = 0;
    grant_handle_t h;
    mfn_t m;

    ck_assert_int_eq(gnttab_frame_at(other, 0, &m), 0);
    ((grant_entry_v1_t *)mfn_to_ptr(m))[8] =
        (grant_entry_v1_t){.flags = GTF_permit_access, .domid = d->id, .frame = 1};
    while (gt_map(d->vcpu[0], other->id, 8, GNTMAP_host_map | GNTMAP_readonly,
                  (0x40000 + n) << PAGE_SHIFT, &h) == GNTST_okay) {
        ck_assert_uint_lt(++n, 400000);
    }
    return n;
}

START_TEST(everything_at_once)
{
    uint64_t limit = hyp_pages_limit(greedy), free_before, tables;
    grant_handle_t h;
    uint32_t port;
    mfn_t m;

    ck_assert_uint_gt(greedy->hyp_limit, 0);
    /* No more than a part of this small machine. */
    ck_assert_uint_lt(limit, total_page_count());
    free_before = free_page_count() + greedy->hyp_pages;
    for (uint64_t i = 0; gnttab_frame_at(greedy, i, &m) == 0; i++) {
    }
    ck_assert_uint_eq(greedy->gnttab.nr_frames, greedy->gnttab.max_frames);
    ck_assert_uint_gt(all_ports(greedy, -XEN_ENOSPC), 1000);
    ck_assert_uint_gt(all_handles(greedy), 1000);
    tables = sparse_map(greedy);
    ck_assert_uint_gt(tables, 100);
    ck_assert_uint_ge(greedy->p2m.table_pages, p2m_table_limit(greedy) - 2);
    fixture_audit();
    ck_assert_uint_le(greedy->hyp_pages, limit);
    ck_assert_uint_ge(free_page_count() + limit + greedy->tot_pages, free_before);
    /* The other one lives as before. */
    ck_assert_int_eq(ev_alloc(other->vcpu[0], DOMID_SELF, greedy->id, &port), 0);
    fixture_populate(other, 0x5000, 600);
    ck_assert_int_eq(gnttab_frame_at(other, 1, &m), 0);
    ck_assert_int_eq(
        gt_map(other->vcpu[0], greedy->id, 8, GNTMAP_host_map, 0x40000ULL << PAGE_SHIFT, &h),
        GNTST_general_error);
    fixture_audit();
}
END_TEST

/* The limit itself, wherever it is met: refused, and nothing is half done. */
START_TEST(refused_at_every_size)
{
    uint64_t ports = 0, handles = 0, frames = 0;

    for (uint64_t spare = 0; spare < 24; spare++) {
        struct domain *d = fixture_domain(4, 1);
        mfn_t m;

        fixture_populate(d, FIXTURE_SCRATCH_GPA >> PAGE_SHIFT, FIXTURE_SCRATCH_PAGES);
        d->p2m.table_limit = 1;
        d->hyp_limit = d->hyp_pages - 1 + spare;
        ck_assert_uint_eq(hyp_pages_limit(d), d->hyp_pages + spare);
        for (uint64_t i = 0; gnttab_frame_at(d, i, &m) == 0; i++) {
            frames++;
        }
        fixture_audit();
        ports += all_ports(d, -XEN_ENOMEM);
        handles += all_handles(d);
        fixture_audit();
        ck_assert_uint_le(d->hyp_pages, hyp_pages_limit(d));
        fixture_kill(d);
    }
    ck_assert_uint_gt(ports, 0);
    ck_assert_uint_gt(frames, 0);
    ck_assert_uint_eq(handles, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hyp_limit");
    TCase *c = tcase_create("hyp_limit");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 100);
    tcase_add_test(c, everything_at_once);
    tcase_add_test(c, refused_at_every_size);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
