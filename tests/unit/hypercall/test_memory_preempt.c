/* Long memory operations, stopped wherever they can be: each leaves what the same
 * operation leaves that was never stopped, and nothing is out of order while it is
 * stopped. */
#include "tests/unit/fixture.h"

#include <xen/memory.h>

#include "core/p2m/p2m_batch.h"
#include "core/p2m/p2m_pod.h"

#define ARG_GPA 0x1100000ull
#define LIST_GPA 0x1101000ull
#define LIST2_GPA 0x1102000ull
#define ERRS_GPA 0x1103000ull
#define G0 0x10000ull
#define WINDOW 4096u
#define AUDITS_MAX 40u

static struct domain *dom0, *d;

/* What an operation may change, in the window from G0 on. */
struct outcome {
    int64_t rc;
    uint64_t pages[P2M_TYPES], tables, total, store, hyp, free;
    uint64_t max_gfn;
    uint8_t type[WINDOW], order[WINDOW];
    int32_t errs[512];
    unsigned stops;
};

static void machine(void)
{
    fixture_start(128, 1);
    dom0 = fixture_domain(64, 1);
    dom0->privileged = true;
    d = fixture_domain(32, 1);
    fixture_populate(dom0, ARG_GPA >> PAGE_SHIFT, 4);
}

static uint64_t *list_at(uint64_t gpa)
{
    return fixture_guest(dom0, gpa);
}

/* dom0 calls; every n-th place where the operation may stop it does. */
static void run(uint64_t cmd, const void *arg, size_t len, unsigned every, struct outcome *o)
{
    uint64_t args[6] = {cmd, ARG_GPA};

    memcpy(fixture_guest(dom0, ARG_GPA), arg, len);
    this_cpu()->preempt_every = every;
    for (o->stops = 0;; o->stops++) {
        this_cpu()->resched = 0;
        this_cpu()->current = dom0->vcpu[0];
        o->rc = hypercall(dom0->vcpu[0], __HYPERVISOR_memory_op, args);
        this_cpu()->current = NULL;
        if (o->rc != HYPERCALL_RESTART) {
            break;
        }
        ck_assert_uint_lt(o->stops, 100000);
        if (o->stops < AUDITS_MAX) {
            fixture_audit();
        }
    }
    this_cpu()->preempt_every = 0;
}

static void look(struct domain *of, struct outcome *o)
{
    memcpy(o->pages, of->p2m.pages, sizeof(o->pages));
    o->tables = of->p2m.table_pages;
    o->total = of->tot_pages;
    o->store = of->p2m.pod_count;
    o->hyp = of->hyp_pages;
    o->free = free_page_count();
    o->max_gfn = of->p2m.max_gfn;
    for (unsigned i = 0; i < WINDOW; i++) {
        struct p2m_entry e = p2m_peek(of, gfn(G0 + i));

        o->type[i] = e.type;
        o->order[i] = e.order;
    }
    memcpy(o->errs, list_at(ERRS_GPA), sizeof(o->errs));
}

/* One operation: how things are before it, and the call. */
struct operation {
    void (*prepare)(void);
    void (*call)(unsigned every, struct outcome *o);
    bool on_dom0;   /* what changes is dom0's map */
    unsigned stops; /* at least */
    int64_t rc;
};

static void call_reserve(uint64_t cmd, uint64_t n, unsigned order, unsigned flags, unsigned every,
                         struct outcome *o)
{
    struct xen_memory_reservation r = {.extent_start = {(void *)LIST_GPA},
                                       .nr_extents = n,
                                       .extent_order = order,
                                       .mem_flags = flags,
                                       .domid = d->id};

    run(cmd, &r, sizeof(r), every, o);
}

static void list_extents(unsigned n, uint64_t step)
{
    for (unsigned i = 0; i < n; i++) {
        list_at(LIST_GPA)[i] = G0 + i * step;
    }
}

static void prepare_pages(void)
{
    list_extents(64, 3);
}

static void call_populate_pages(unsigned every, struct outcome *o)
{
    call_reserve(XENMEM_populate_physmap, 64, 0, 0, every, o);
}

/* Large extents, half of them over memory that is there. */
static void prepare_extents(void)
{
    list_extents(4, 513);
    fixture_populate(d, G0 + 513, 256);
    fixture_populate(d, G0 + 2 * 513 + 100, 3);
}

static void call_populate_extents(unsigned every, struct outcome *o)
{
    call_reserve(XENMEM_populate_physmap, 4, 9, 0, every, o);
}

/* The domain's limit ends it in the middle. */
static void prepare_limit(void)
{
    list_extents(64, 3);
    d->max_pages = d->tot_pages + 40;
}

static void prepare_decrease(void)
{
    list_extents(3, 512);
    for (unsigned i = 0; i < 2; i++) {
        mfn_t m = guest_pages_alloc(d, P2M_2M);

        ck_assert_int_eq(p2m_map(d, gfn(G0 + 512 * i), m, P2M_2M, P2M_RAM_RW), 0);
    }
    fixture_populate(d, G0 + 1024, 512);
    /* The first superpage falls to pieces. */
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 5), p2m_lookup(d, gfn(G0 + 5)).mfn, P2M_4K, P2M_RAM_RO),
                     0);
}

static void call_decrease(unsigned every, struct outcome *o)
{
    call_reserve(XENMEM_decrease_reservation, 3, 9, 0, every, o);
}

/* There is a hole in the second of three. */
static void prepare_decrease_hole(void)
{
    struct p2m_entry old;

    prepare_decrease();
    ck_assert_int_eq(p2m_unmap(d, gfn(G0 + 512 + 200), &old, false), 0);
    p2m_release_ram(d, old.mfn);
}

static void prepare_move(void)
{
    fixture_populate(d, G0, 100);
    fixture_populate(d, G0 + 1000, 10);
}

static void call_move(unsigned every, struct outcome *o)
{
    struct xen_add_to_physmap a = {
        .domid = d->id, .size = 100, .space = XENMAPSPACE_gmfn_range, .idx = G0, .gpfn = G0 + 950};

    run(XENMEM_add_to_physmap, &a, sizeof(a), every, o);
}

static void prepare_foreign(void)
{
    fixture_populate(d, G0, 90);
    fixture_populate(dom0, G0 + 20, 20);
    for (unsigned i = 0; i < 100; i++) {
        list_at(LIST_GPA)[i] = G0 + i;
        list_at(LIST2_GPA)[i] = i == 50 ? UINT64_MAX : G0 + i;
    }
}

static void call_foreign(unsigned every, struct outcome *o)
{
    struct xen_add_to_physmap_batch b = {.domid = DOMID_SELF,
                                         .space = XENMAPSPACE_gmfn_foreign,
                                         .size = 100,
                                         .u.foreign_domid = d->id,
                                         .idxs = {(void *)LIST_GPA},
                                         .gpfns = {(void *)LIST2_GPA},
                                         .errs = {(void *)ERRS_GPA}};

    run(XENMEM_add_to_physmap_batch, &b, sizeof(b), every, o);
}

static void prepare_acquire(void)
{
    list_extents(64, 1);
    fixture_populate(dom0, G0 + 8, 8);
}

static void call_acquire(unsigned every, struct outcome *o)
{
    struct xen_mem_acquire_resource r = {.domid = d->id,
                                         .type = XENMEM_resource_grant_table,
                                         .nr_frames = 64,
                                         .frame_list = {(void *)LIST_GPA}};

    run(XENMEM_acquire_resource, &r, sizeof(r), every, o);
}

static void prepare_nothing(void)
{
}

static void call_pod_target(unsigned every, struct outcome *o)
{
    struct xen_pod_target t = {.target_pages = 1100, .domid = d->id};

    run(XENMEM_set_pod_target, &t, sizeof(t), every, o);
}

static void call_pod_mark(unsigned every, struct outcome *o)
{
    list_extents(4, 700);
    call_reserve(XENMEM_populate_physmap, 4, 9, XENMEMF_populate_on_demand, every, o);
}

/* The balloon gives back what was never touched, and some that was. */
static void prepare_pod_balloon(void)
{
    struct outcome o;

    call_pod_target(0, &o);
    list_extents(4, 512);
    call_reserve(XENMEM_populate_physmap, 4, 9, XENMEMF_populate_on_demand, 0, &o);
    ck_assert_int_eq(o.rc, 4);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 3)).type, P2M_RAM_RW);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 513)).type, P2M_RAM_RW);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 1030)).type, P2M_RAM_RW);
    memset(fixture_guest(d, (G0 + 3) << PAGE_SHIFT), 1, 16);
}

static void call_pod_decrease(unsigned every, struct outcome *o)
{
    call_reserve(XENMEM_decrease_reservation, 2, 9, 0, every, o);
}

static const struct operation operations[] = {
    {prepare_pages, call_populate_pages, false, 63, 64},
    {prepare_extents, call_populate_extents, false, 3, 4},
    {prepare_limit, call_populate_pages, false, 39, 40},
    {prepare_decrease, call_decrease, false, 1024, 3},
    {prepare_decrease_hole, call_decrease, false, 500, 1},
    {prepare_move, call_move, false, 99, 0},
    {prepare_foreign, call_foreign, true, 99, 0},
    {prepare_acquire, call_acquire, true, 1, 0},
    {prepare_nothing, call_pod_target, false, 70, 0},
    {prepare_nothing, call_pod_mark, false, 3, 4},
    {prepare_pod_balloon, call_pod_decrease, false, 1, 2},
};

static void outcome_of(const struct operation *op, unsigned every, struct outcome *o)
{
    memset(o, 0, sizeof(*o));
    machine();
    op->prepare();
    op->call(every, o);
    look(op->on_dom0 ? dom0 : d, o);
    fixture_audit();
    fixture_stop();
}

START_TEST(same_end)
{
    static const unsigned pace[] = {1, 2, 3, 7};
    const struct operation *op = &operations[_i];
    struct outcome whole, parts;

    outcome_of(op, 0, &whole);
    ck_assert_int_eq(whole.rc, op->rc);
    ck_assert_uint_eq(whole.stops, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(pace); i++) {
        outcome_of(op, pace[i], &parts);
        ck_assert_uint_ge(parts.stops, op->stops / pace[i]);
        parts.stops = 0;
        ck_assert_int_eq(parts.rc, whole.rc);
        ck_assert_uint_eq(parts.total, whole.total);
        ck_assert_uint_eq(parts.tables, whole.tables);
        ck_assert(memcmp(parts.pages, whole.pages, sizeof(whole.pages)) == 0);
        ck_assert(memcmp(parts.type, whole.type, sizeof(whole.type)) == 0);
        ck_assert(memcmp(parts.order, whole.order, sizeof(whole.order)) == 0);
        ck_assert_msg(memcmp(&parts, &whole, sizeof(whole)) == 0, "another end at pace %u",
                      pace[i]);
    }
}
END_TEST

/* The progress that a guest finds in its register it can change. */
START_TEST(hostile_progress)
{
    struct outcome o;

    machine();
    list_extents(2, 512);
    prepare_decrease();
    /* Behind the extent: nothing is done. In its middle: the rest of it. */
    call_reserve(XENMEM_decrease_reservation | UINT64_C(512) << 32, 2, 9, 0, 0, &o);
    ck_assert_int_eq(o.rc, 0);
    call_reserve(XENMEM_decrease_reservation | UINT64_C(500) << 32, 2, 9, 0, 0, &o);
    ck_assert_int_eq(o.rc, 2);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 499)).type, P2M_RAM_RW);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 500)).type, P2M_INVALID);
    call_reserve(XENMEM_decrease_reservation | UINT64_MAX << 6, 2, 9, 0, 0, &o);
    ck_assert_int_eq(o.rc, (INT64_C(1) << 26) - 1);
    call_reserve(XENMEM_populate_physmap | UINT64_C(1) << 32, 2, 9, 0, 0, &o);
    ck_assert_int_eq(o.rc, 1 << 26);
    fixture_stop();
}
END_TEST

/* Larger extents than 2 MiB go only where nothing is, and in clean memory. */
START_TEST(large_extents)
{
    struct outcome o;

    machine();
    list_extents(1, 1);
    call_reserve(XENMEM_populate_physmap, 1, 11, 0, 0, &o);
    ck_assert_int_eq(o.rc, 1);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 2047)).order, P2M_2M);
    call_reserve(XENMEM_populate_physmap, 1, 11, 0, 0, &o);
    ck_assert_int_eq(o.rc, 0);
    ck_assert_uint_eq(d->tot_pages, 2048);
    /* The third 2 MiB are in use: the first two do not stay. */
    list_at(LIST_GPA)[0] = G0 - 1024;
    call_reserve(XENMEM_populate_physmap, 1, 11, 0, 0, &o);
    ck_assert_int_eq(o.rc, 0);
    ck_assert_uint_eq(d->tot_pages, 2048);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 - 1024)).type, P2M_INVALID);
    list_at(LIST_GPA)[0] = G0 + 4097;
    call_reserve(XENMEM_populate_physmap, 1, 11, 0, 0, &o);
    ck_assert_int_eq(o.rc, 0);
    list_at(LIST_GPA)[0] = G0;
    call_reserve(XENMEM_decrease_reservation, 1, 11, 0, 1, &o);
    ck_assert_int_eq(o.rc, 1);
    ck_assert_uint_eq(d->tot_pages, 0);
    fixture_stop();
}
END_TEST

/* The engines are flushed once for a batch, not once for a page. */
START_TEST(one_flush)
{
    struct outcome o;
    unsigned before;

    machine();
    prepare_foreign();
    call_foreign(0, &o);
    before = script_flush_count();
    call_foreign(0, &o);
    ck_assert_uint_eq(script_flush_count(), before); /* nothing changes */
    prepare_decrease();
    before = script_flush_count();
    call_decrease(0, &o);
    ck_assert_int_eq(o.rc, 3);
    ck_assert_uint_le(script_flush_count() - before, 2 + 1025 / P2M_BATCH_ENTRIES);
    prepare_pages();
    call_populate_pages(0, &o);
    before = script_flush_count();
    call_populate_pages(0, &o); /* over itself */
    ck_assert_int_eq(o.rc, 64);
    ck_assert_uint_le(script_flush_count() - before, 64 / P2M_BATCH_ENTRIES + 1);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory_preempt");
    TCase *c = tcase_create("memory_preempt");

    tcase_set_timeout(c, 100);
    tcase_add_loop_test(c, same_end, 0, ARRAY_SIZE(operations));
    tcase_add_test(c, hostile_progress);
    tcase_add_test(c, large_extents);
    tcase_add_test(c, one_flush);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
