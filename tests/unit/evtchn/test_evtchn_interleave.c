/* Event channels: every interleaving of two hypercalls that touch one pair. */
#include "base/atomic.h"
#include "core/evtchn/evtchn_private.h"
#include "tests/unit/evtchn/evtchn_calls.h"
#include "tests/unit/interleave_calls.h"

static struct domain *a, *b;
static uint32_t pa, pb; /* a's port, b's */
static uint32_t bound;
static int64_t rc[2];

static void build_unbound(void)
{
    fixture_start(3, 2);
    a = fixture_domain(2, 2);
    b = fixture_domain(2, 2);
    interleave_scratch(a);
    interleave_scratch(b);
    pb = 0;
    ck_assert_int_eq(ev_alloc(a->vcpu[0], DOMID_SELF, b->id, &pa), 0);
}

static void build_pair(void)
{
    build_unbound();
    ck_assert_int_eq(ev_bind(b->vcpu[0], a->id, pa, &pb), 0);
    /* Binding has raised b's event. */
    b->shared_info->evtchn_pending[0] = 0;
}

static void explore(struct interleave x)
{
    interleave_explore(&x);
}

static bool pending(struct domain *d, uint32_t port)
{
    return (d->shared_info->evtchn_pending[0] >> port & 1) != 0;
}

static unsigned state(struct domain *d, uint32_t port)
{
    return ev_state(d->vcpu[0], port);
}

static void bind(void)
{
    rc[0] = il_bind(b->vcpu[0], a->id, pa, &bound);
}

static void bind_too(void)
{
    rc[1] = il_bind(b->vcpu[1], a->id, pa, &pb);
}

static void close_a(void)
{
    rc[1] = il_close(a->vcpu[0], pa);
}

static void close_b(void)
{
    rc[0] = il_close(b->vcpu[0], pb);
}

static void send_b(void)
{
    rc[0] = il_send(b->vcpu[0], pb);
}

static void reset(struct domain *d, int64_t *result)
{
    evtchn_reset_t op = {.dom = DOMID_SELF};

    *result = il_evtchn(d->vcpu[0], EVTCHNOP_reset, &op, sizeof(op));
}

static void reset_a(void)
{
    reset(a, &rc[1]);
}

static void reset_b(void)
{
    reset(b, &rc[0]);
}

/* 1: bound, and left alone when a closed its end. */
static unsigned bound_then_closed(void)
{
    evtchn_status_t s;

    ck_assert_int_eq(rc[1], 0);
    ck_assert_uint_eq(state(a, pa), EVTCHNSTAT_closed);
    if (rc[0] != 0) {
        ck_assert_int_eq(rc[0], -XEN_EINVAL);
        ck_assert_uint_eq(b->evtchn.active, 0);
        return 0;
    }
    ck_assert_int_eq(ev_status(b->vcpu[0], DOMID_SELF, bound, &s), 0);
    ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(s.u.unbound.dom, a->id);
    ck_assert(pending(b, bound));
    return 1;
}

START_TEST(bind_and_close)
{
    explore((struct interleave){.name = "bind, close",
                                .build = build_unbound,
                                .body = {bind, close_a},
                                .outcome = bound_then_closed,
                                .outcomes = 3,
                                .switches = 4,
                                .at_least = 120});
    explore((struct interleave){.name = "bind, reset",
                                .build = build_unbound,
                                .body = {bind, reset_a},
                                .outcome = bound_then_closed,
                                .outcomes = 3,
                                .switches = 2,
                                .at_least = 140});
}
END_TEST

static unsigned one_bound(void)
{
    uint32_t winner = rc[0] == 0 ? bound : pb;

    ck_assert_int_eq(rc[0] + rc[1], -XEN_EINVAL);
    ck_assert(rc[0] == 0 || rc[1] == 0);
    ck_assert_uint_eq(b->evtchn.active, 1);
    ck_assert_uint_eq(state(b, winner), EVTCHNSTAT_interdomain);
    ck_assert_uint_eq(state(a, pa), EVTCHNSTAT_interdomain);
    return rc[0] == 0;
}

START_TEST(bind_twice)
{
    explore((struct interleave){.name = "bind, bind",
                                .build = build_unbound,
                                .body = {bind, bind_too},
                                .outcome = one_bound,
                                .outcomes = 3,
                                .switches = 4,
                                .at_least = 320});
}
END_TEST

/* A closed port is never found pending; its peer waits for a new binding. */
static unsigned sent_or_closed(void)
{
    ck_assert_int_eq(rc[0], 0);
    ck_assert_int_eq(rc[1], 0);
    ck_assert_uint_eq(state(a, pa), EVTCHNSTAT_closed);
    ck_assert_uint_eq(state(b, pb), EVTCHNSTAT_unbound);
    ck_assert(!pending(a, pa) && !pending(b, pb));
    return 0;
}

START_TEST(send_and_close)
{
    explore((struct interleave){.name = "send, close",
                                .build = build_pair,
                                .body = {send_b, close_a},
                                .outcome = sent_or_closed,
                                .outcomes = 1,
                                .switches = 4,
                                .at_least = 240});
    explore((struct interleave){.name = "send, reset",
                                .build = build_pair,
                                .body = {send_b, reset_a},
                                .outcome = sent_or_closed,
                                .outcomes = 1,
                                .switches = 2,
                                .at_least = 150});
}
END_TEST

static unsigned both_closed(void)
{
    ck_assert_int_eq(rc[0], 0);
    ck_assert_int_eq(rc[1], 0);
    ck_assert_uint_eq(state(a, pa), EVTCHNSTAT_closed);
    ck_assert_uint_eq(state(b, pb), EVTCHNSTAT_closed);
    ck_assert_uint_eq(a->evtchn.active + b->evtchn.active, 0);
    return 0;
}

START_TEST(both_ends_close)
{
    explore((struct interleave){.name = "close, close",
                                .build = build_pair,
                                .body = {close_b, close_a},
                                .outcome = both_closed,
                                .outcomes = 1,
                                .switches = 4,
                                .at_least = 320});
    explore((struct interleave){.name = "reset, reset",
                                .build = build_pair,
                                .body = {reset_b, reset_a},
                                .outcome = both_closed,
                                .outcomes = 1,
                                .switches = 1,
                                .at_least = 30});
}
END_TEST

/* a waits for its port while b sends: it may not sleep through that. */
static void poll_a(void)
{
    struct vcpu *v = a->vcpu[0];
    struct {
        sched_poll_t p;
        evtchn_port_t port[1];
    } arg = {.p = {.nr_ports = 1}, .port = {pa}};

    arg.p.ports.p = (void *)(uintptr_t)(interleave_gva() + ((uintptr_t)arg.port - (uintptr_t)&arg));
    rc[1] = interleave_call(v, __HYPERVISOR_sched_op, SCHEDOP_poll, &arg, sizeof(arg), 0);
}

static void build_masked(void)
{
    build_pair();
    /* Nothing but the poll wakes it. */
    a->shared_info->evtchn_mask[0] = ~UINT64_C(0);
}

static unsigned awake(void)
{
    ck_assert_int_eq(rc[0], 0);
    ck_assert_int_eq(rc[1], 0);
    ck_assert(pending(a, pa));
    ck_assert_uint_eq(load_u32(&a->vcpu[0]->pause_flags) & (VPF_POLL | VPF_BLOCKED), 0);
    return 0;
}

START_TEST(poll_and_send)
{
    explore((struct interleave){.name = "poll, send",
                                .build = build_masked,
                                .body = {send_b, poll_a},
                                .outcome = awake,
                                .outcomes = 1,
                                .releases = true,
                                .switches = 2,
                                .at_least = 190});
}
END_TEST

/* Unmasking what is raised meanwhile: the upcall is not lost. */
static void unmask_a(void)
{
    evtchn_unmask_t op = {.port = pa};

    rc[1] = il_evtchn(a->vcpu[0], EVTCHNOP_unmask, &op, sizeof(op));
}

static unsigned upcall(void)
{
    ck_assert_int_eq(rc[0], 0);
    ck_assert_int_eq(rc[1], 0);
    ck_assert(pending(a, pa));
    ck_assert_uint_eq(a->shared_info->evtchn_mask[0] >> pa & 1, 0);
    ck_assert_uint_eq(a->vcpu[0]->info->evtchn_upcall_pending, 1);
    return 0;
}

START_TEST(unmask_and_send)
{
    explore((struct interleave){.name = "unmask, send",
                                .build = build_masked,
                                .body = {send_b, unmask_a},
                                .outcome = upcall,
                                .outcomes = 1,
                                .releases = true,
                                .switches = 3,
                                .at_least = 220});
}
END_TEST

/* Moving to another vCPU while an event comes: one of the two hears of it. */
static void move_a(void)
{
    evtchn_bind_vcpu_t op = {.port = pa, .vcpu = 1};

    rc[1] = il_evtchn(a->vcpu[0], EVTCHNOP_bind_vcpu, &op, sizeof(op));
}

static unsigned one_upcall(void)
{
    unsigned first = a->vcpu[0]->info->evtchn_upcall_pending;
    unsigned second = a->vcpu[1]->info->evtchn_upcall_pending;

    ck_assert_int_eq(rc[0], 0);
    ck_assert_int_eq(rc[1], 0);
    ck_assert(pending(a, pa));
    ck_assert_uint_eq(first + second, 1);
    return second;
}

START_TEST(move_and_send)
{
    explore((struct interleave){.name = "bind_vcpu, send",
                                .build = build_pair,
                                .body = {send_b, move_a},
                                .outcome = one_upcall,
                                .outcomes = 3,
                                .releases = true,
                                .switches = 3,
                                .at_least = 220});
}
END_TEST

int main(void)
{
    Suite *s = suite_create("evtchn_interleave");
    TCase *t = tcase_create("two CPUs");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, bind_and_close);
    tcase_add_test(t, bind_twice);
    tcase_add_test(t, send_and_close);
    tcase_add_test(t, both_ends_close);
    tcase_add_test(t, poll_and_send);
    tcase_add_test(t, unmask_and_send);
    tcase_add_test(t, move_and_send);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
