/* The end of a domain: every interleaving of its destruction with what others do
 * to it. The destruction is interrupted as often as it lets itself be. */
#include "base/atomic.h"
#include "core/evtchn/evtchn_private.h"
#include "core/gnttab/gnttab_private.h"
#include "tests/unit/evtchn/evtchn_calls.h"
#include "tests/unit/gnttab/gnttab_calls.h"
#include "tests/unit/interleave_calls.h"

#define MAP_GFN UINT64_C(0x80000)
#define MAP_GPA (MAP_GFN << PAGE_SHIFT)
#define PAGE 0x12u /* of a's; granted to b */
#define FREE_GFN 0x20u
#define REF 9u

static struct domain *tools, *a, *b; /* toolstack; who ends; its peer */
static uint32_t pa, pb, bound;
static grant_handle_t handle;
static int64_t rc[2];
static int status;

static void build(void)
{
    fixture_start(3, 2);
    tools = fixture_domain(2, 2);
    tools->privileged = true;
    a = fixture_domain(2, 1);
    b = fixture_domain(2, 2);
    interleave_scratch(tools);
    interleave_scratch(b);
    fixture_populate(tools, 0x10, 1);
    fixture_populate(a, PAGE, 2);
    fixture_populate(b, 0x10, 1);
    gt_grant(a, REF, b->id, PAGE, 0);
    memset(fixture_guest(a, PAGE << PAGE_SHIFT), 0xa5, PAGE_SIZE);
    ck_assert_int_eq(gt_map(b->vcpu[0], a->id, REF, GNTMAP_host_map, MAP_GPA, &handle), 0);
    ck_assert_int_eq(gt_unmap(b->vcpu[0], handle, MAP_GPA), 0);
    ck_assert_int_eq(evtchn_alloc_unbound(a, b->id, &pa), 0);
    hv->cpu[1].preempt_every = 1;
}

static void build_bound(void)
{
    build();
    ck_assert_int_eq(evtchn_bind_interdomain(b, a->id, pa, &pb), 0);
    b->shared_info->evtchn_pending[0] = 0;
    b->shared_info->evtchn_mask[0] = ~UINT64_C(0);
}

static void build_mapped(void)
{
    build();
    ck_assert_int_eq(gt_map(b->vcpu[0], a->id, REF, GNTMAP_host_map, MAP_GPA, &handle), 0);
}

static void explore(struct interleave x)
{
    x.shared_only = true;
    interleave_explore(&x);
}

static void destroy_a(void)
{
    rc[1] = il_destroy(tools->vcpu[1], a->id);
}

/* What is left of a, but for pages that others still have. */
static void expect_dead(uint64_t pages)
{
    ck_assert_int_eq(rc[1], 0);
    ck_assert_uint_eq(a->state, DOMAIN_DEAD);
    ck_assert_uint_eq(a->tot_pages, pages);
    ck_assert_uint_eq(a->p2m.table_pages, 0);
    ck_assert_uint_eq(a->evtchn.active, 0);
    ck_assert_ptr_null(domain_get(a->id));
}

static void map(void)
{
    status = il_map(b->vcpu[0], a->id, REF, GNTMAP_host_map, MAP_GPA, &handle);
}

/* 0: before; 1: refused by what is going; 2: gone. A mapping outlives its granter. */
static unsigned mapped_or_refused(void)
{
    bool mapped = status == GNTST_okay;

    expect_dead(mapped);
    ck_assert_int_eq(p2m_lookup(b, gfn(MAP_GFN)).type, mapped ? P2M_GRANT_RW : P2M_INVALID);
    if (mapped) {
        ck_assert_uint_eq(*(uint8_t *)fixture_guest(b, MAP_GPA), 0xa5);
        ck_assert_int_eq(gt_unmap(b->vcpu[0], handle, MAP_GPA), 0);
        ck_assert_uint_eq(a->tot_pages, 0);
        return 0;
    }
    ck_assert(status == GNTST_bad_page || status == GNTST_bad_domain);
    return status == GNTST_bad_page ? 1 : 2;
}

START_TEST(map_and_destroy)
{
    explore((struct interleave){.name = "destroy, map",
                                .build = build,
                                .body = {map, destroy_a},
                                .outcome = mapped_or_refused,
                                .outcomes = 7,
                                .switches = 2,
                                .at_least = 260});
}
END_TEST

static void unmap(void)
{
    status = il_unmap(b->vcpu[0], handle, MAP_GPA);
}

static unsigned unmapped(void)
{
    ck_assert_int_eq(status, GNTST_okay);
    expect_dead(0);
    ck_assert_int_eq(p2m_lookup(b, gfn(MAP_GFN)).type, P2M_INVALID);
    return 0;
}

START_TEST(unmap_and_destroy)
{
    explore((struct interleave){.name = "destroy, unmap",
                                .build = build_mapped,
                                .body = {unmap, destroy_a},
                                .outcome = unmapped,
                                .outcomes = 1,
                                .switches = 2,
                                .at_least = 90});
}
END_TEST

static void copy(void)
{
    status = il_copy(b->vcpu[0], a->id, REF, 0x10);
}

static unsigned copied_or_refused(void)
{
    const uint8_t *page = fixture_guest(b, 0x10000);

    expect_dead(0);
    ck_assert_uint_eq(page[0], status == GNTST_okay ? 0xa5 : 0);
    ck_assert_uint_eq(page[0], page[PAGE_SIZE - 1]);
    if (status == GNTST_okay) {
        return 0;
    }
    ck_assert(status == GNTST_bad_page || status == GNTST_bad_domain);
    return status == GNTST_bad_page ? 1 : 2;
}

START_TEST(copy_and_destroy)
{
    explore((struct interleave){.name = "destroy, grant copy",
                                .build = build,
                                .body = {copy, destroy_a},
                                .outcome = copied_or_refused,
                                .outcomes = 7,
                                .switches = 2,
                                .at_least = 190});
}
END_TEST

static void bind(void)
{
    rc[0] = il_bind(b->vcpu[0], a->id, pa, &bound);
}

static unsigned bound_or_refused(void)
{
    expect_dead(0);
    if (rc[0] == 0) {
        ck_assert_uint_eq(ev_state(b->vcpu[0], bound), EVTCHNSTAT_unbound);
        ck_assert_uint_eq(b->evtchn.active, 1);
        return 0;
    }
    ck_assert(rc[0] == -XEN_EINVAL || rc[0] == -XEN_ESRCH);
    ck_assert_uint_eq(b->evtchn.active, 0);
    return rc[0] == -XEN_EINVAL ? 1 : 2;
}

START_TEST(bind_and_destroy)
{
    explore((struct interleave){.name = "destroy, bind_interdomain",
                                .build = build,
                                .body = {bind, destroy_a},
                                .outcome = bound_or_refused,
                                .outcomes = 7,
                                .switches = 2,
                                .at_least = 220});
}
END_TEST

/* The toolstack makes a port for whom it ends. */
static void alloc(void)
{
    evtchn_alloc_unbound_t op = {.dom = a->id, .remote_dom = b->id};

    rc[0] = il_evtchn(tools->vcpu[0], EVTCHNOP_alloc_unbound, &op, sizeof(op));
}

static unsigned allocated_or_refused(void)
{
    expect_dead(0);
    if (rc[0] == 0) {
        return 0;
    }
    ck_assert(rc[0] == -XEN_EINVAL || rc[0] == -XEN_ESRCH);
    return rc[0] == -XEN_EINVAL ? 1 : 2;
}

START_TEST(alloc_and_destroy)
{
    explore((struct interleave){.name = "destroy, alloc_unbound",
                                .build = build,
                                .body = {alloc, destroy_a},
                                .outcome = allocated_or_refused,
                                .outcomes = 7,
                                .switches = 2,
                                .at_least = 340});
}
END_TEST

static void send(void)
{
    rc[0] = il_send(b->vcpu[0], pb);
}

/* Who sends to somebody who ends notices nothing. */
static unsigned unbound(void)
{
    expect_dead(0);
    ck_assert_int_eq(rc[0], 0);
    ck_assert_uint_eq(ev_state(b->vcpu[0], pb), EVTCHNSTAT_unbound);
    ck_assert_uint_eq(b->evtchn.active, 1);
    return 0;
}

static void poll(void)
{
    struct {
        sched_poll_t p;
        evtchn_port_t port[1];
    } arg = {.p = {.nr_ports = 1}, .port = {pb}};

    arg.p.ports.p = (void *)(uintptr_t)(interleave_gva() + ((uintptr_t)arg.port - (uintptr_t)&arg));
    rc[0] = interleave_call(b->vcpu[0], __HYPERVISOR_sched_op, SCHEDOP_poll, &arg, sizeof(arg), 0);
}

/* Nor is that an event: who waits for one still does, and can be woken. */
static unsigned still_waits(void)
{
    struct vcpu *v = b->vcpu[0];

    ck_assert_uint_eq(load_u32(&v->pause_flags) & (VPF_POLL | VPF_BLOCKED), VPF_POLL | VPF_BLOCKED);
    evtchn_notify(b, pb);
    ck_assert_uint_eq(load_u32(&v->pause_flags) & (VPF_POLL | VPF_BLOCKED), 0);
    return unbound();
}

START_TEST(send_or_poll_and_destroy)
{
    explore((struct interleave){.name = "destroy, send",
                                .build = build_bound,
                                .body = {send, destroy_a},
                                .outcome = unbound,
                                .outcomes = 1,
                                .switches = 2,
                                .at_least = 220});
    explore((struct interleave){.name = "destroy, poll",
                                .build = build_bound,
                                .body = {poll, destroy_a},
                                .outcome = still_waits,
                                .outcomes = 1,
                                .switches = 2,
                                .at_least = 110});
}
END_TEST

static void populate(void)
{
    rc[0] = il_reserve(tools->vcpu[0], XENMEM_populate_physmap, a->id, FREE_GFN);
}

static unsigned populated_or_not(void)
{
    expect_dead(0);
    ck_assert(rc[0] == 0 || rc[0] == 1);
    return (unsigned)rc[0];
}

START_TEST(populate_and_destroy)
{
    explore((struct interleave){.name = "destroy, populate_physmap",
                                .build = build,
                                .body = {populate, destroy_a},
                                .outcome = populated_or_not,
                                .outcomes = 3,
                                .switches = 2,
                                .at_least = 390});
}
END_TEST

static void place(void)
{
    rc[0] = il_add_to_physmap(tools->vcpu[0], a->id, XENMAPSPACE_shared_info, 0, FREE_GFN);
}

static unsigned placed_or_refused(void)
{
    expect_dead(0);
    ck_assert_uint_eq(a->p2m.pages[P2M_SHARED], 0);
    if (rc[0] == 0) {
        return 0;
    }
    ck_assert(rc[0] == -XEN_EINVAL || rc[0] == -XEN_ESRCH);
    return rc[0] == -XEN_EINVAL ? 1 : 2;
}

START_TEST(place_and_destroy)
{
    explore((struct interleave){.name = "destroy, add_to_physmap",
                                .build = build,
                                .body = {place, destroy_a},
                                .outcome = placed_or_refused,
                                .outcomes = 7,
                                .switches = 2,
                                .at_least = 330});
}
END_TEST

static void map_foreign(void)
{
    rc[0] = il_map_foreign(tools->vcpu[0], a->id, PAGE, 0x10, &status);
}

/* What is mapped stays; what it replaced was given back either way. */
static unsigned foreign_or_refused(void)
{
    struct p2m_entry e = p2m_lookup(tools, gfn(0x10));
    bool mapped = rc[0] == 0 && status == 0;

    ck_assert(rc[0] == 0 || rc[0] == -XEN_ESRCH);
    expect_dead(mapped);
    ck_assert_int_eq(e.type, mapped ? P2M_FOREIGN : P2M_RAM_RW);
    if (mapped) {
        ck_assert_uint_eq(*(uint8_t *)mfn_to_ptr(e.mfn), 0xa5);
        return 0;
    }
    ck_assert(rc[0] == -XEN_ESRCH || status == -XEN_ESRCH || status == -XEN_EINVAL);
    return rc[0] == 0 && status == -XEN_EINVAL ? 1 : 2;
}

START_TEST(foreign_map_and_destroy)
{
    explore((struct interleave){.name = "destroy, foreign map",
                                .build = build,
                                .body = {map_foreign, destroy_a},
                                .outcome = foreign_or_refused,
                                .outcomes = 7,
                                .switches = 2,
                                .at_least = 670});
}
END_TEST

static void destroy_too(void)
{
    rc[0] = il_destroy(tools->vcpu[0], a->id);
}

/* Who comes second waits, and is told then that there is none. */
static unsigned destroyed(void)
{
    ck_assert(rc[0] == 0 || rc[1] == 0);
    ck_assert_int_eq(rc[0] + rc[1], -XEN_ESRCH);
    ck_assert_uint_eq(a->state, DOMAIN_DEAD);
    ck_assert_uint_eq(a->tot_pages, 0);
    return rc[0] == 0;
}

static void destroy_b(void)
{
    rc[0] = il_destroy(tools->vcpu[0], b->id);
}

static void build_both(void)
{
    build_mapped();
    ck_assert_int_eq(evtchn_bind_interdomain(b, a->id, pa, &pb), 0);
    hv->cpu[1].preempt_every = 0;
}

static unsigned both_dead(void)
{
    ck_assert_int_eq(rc[0], 0);
    expect_dead(0);
    ck_assert_uint_eq(b->state, DOMAIN_DEAD);
    ck_assert_uint_eq(b->tot_pages, 0);
    return 0;
}

START_TEST(destroy_twice)
{
    explore((struct interleave){.name = "destroy, destroy",
                                .build = build_bound,
                                .body = {destroy_too, destroy_a},
                                .outcome = destroyed,
                                .outcomes = 3,
                                .switches = 1,
                                .at_least = 80});
    explore((struct interleave){.name = "destroy, destroy the peer",
                                .build = build_both,
                                .body = {destroy_b, destroy_a},
                                .outcome = both_dead,
                                .outcomes = 1,
                                .releases = true,
                                .switches = 1,
                                .at_least = 90});
}
END_TEST

int main(void)
{
    Suite *s = suite_create("domain_interleave");
    TCase *t = tcase_create("two CPUs");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, map_and_destroy);
    tcase_add_test(t, unmap_and_destroy);
    tcase_add_test(t, copy_and_destroy);
    tcase_add_test(t, bind_and_destroy);
    tcase_add_test(t, alloc_and_destroy);
    tcase_add_test(t, send_or_poll_and_destroy);
    tcase_add_test(t, populate_and_destroy);
    tcase_add_test(t, place_and_destroy);
    tcase_add_test(t, foreign_map_and_destroy);
    suite_add_tcase(s, t);
    t = tcase_create("two ends");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, destroy_twice);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
