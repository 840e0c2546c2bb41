/* Event channels used by several CPUs at once: every acquire of a lock may be
 * where another CPU goes on. */
#include "base/atomic.h"
#include "core/evtchn/evtchn_private.h"
#include "tests/unit/evtchn/evtchn_calls.h"

#define SCRATCH UINT64_C(0x10000) /* a page per CPU */
#define CONTROL_GFN 0x200u
#define ARRAY_GFN 0x300u
#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define LINK ((uint32_t)EVTCHN_FIFO_LINK_MASK)

static struct domain *d[3];
static uint32_t seed;

static uint32_t next_random(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static bool switch_often(void)
{
    return next_random() % 4 == 0;
}

static void setup(unsigned cpus, uint32_t s)
{
    seed = s;
    fixture_start(32, cpus);
    for (unsigned i = 0; i < 3; i++) {
        d[i] = fixture_domain(4, 4);
        fixture_populate(d[i], SCRATCH >> 12, 4);
    }
    fixture_populate(d[0], CONTROL_GFN, 4);
    fixture_populate(d[0], ARRAY_GFN, 1);
    world_acquire_hook = switch_often;
}

/* As ev(), from inside world_run(). */
static int64_t call(struct vcpu *v, unsigned cmd, void *arg, size_t n)
{
    uint64_t at = SCRATCH + port_cpu_id() * PAGE_SIZE;
    uint64_t args[6] = {cmd, at};
    int64_t rc;

    memcpy(fixture_guest(v->domain, at), arg, n);
    do {
        rc = do_event_channel_op(v, args);
    } while (rc == HYPERCALL_RESTART);
    memcpy(arg, fixture_guest(v->domain, at), n);
    return rc;
}

static void one_op(struct vcpu *v)
{
    uint32_t x = next_random(), port = x % 12;
    domid_t peer = d[x / 16 % 3]->id;

    switch (x / 64 % 8) {
    case 0:
    case 1: {
        evtchn_alloc_unbound_t op = {.dom = DOMID_SELF, .remote_dom = peer};

        (void)call(v, EVTCHNOP_alloc_unbound, &op, sizeof(op));
        break;
    }
    case 2:
    case 3:
    case 4: {
        evtchn_bind_interdomain_t op = {.remote_dom = peer, .remote_port = port};

        (void)call(v, EVTCHNOP_bind_interdomain, &op, sizeof(op));
        break;
    }
    case 5: {
        evtchn_send_t op = {.port = port};

        (void)call(v, EVTCHNOP_send, &op, sizeof(op));
        break;
    }
    case 6: {
        evtchn_bind_virq_t op = {.virq = VIRQ_TIMER, .vcpu = v->id};

        (void)call(v, EVTCHNOP_bind_virq, &op, sizeof(op));
        evtchn_virq_vcpu(v, VIRQ_TIMER);
        break;
    }
    default: {
        evtchn_close_t op = {.port = port};
        int64_t rc = call(v, EVTCHNOP_close, &op, sizeof(op));

        ck_assert(rc == 0 || rc == -XEN_EINVAL || rc == -XEN_EAGAIN);
        break;
    }
    }
}

static void actor(void *arg)
{
    struct vcpu *v = arg;

    for (unsigned i = 0; i < 1500; i++) {
        one_op(v);
        world_advance(next_random() % 500);
    }
}

static void killer(void *arg)
{
    evtchn_reset_t op = {.dom = DOMID_SELF};
    int rc;

    for (unsigned i = 0; i < 20; i++) {
        (void)call(d[2]->vcpu[1], EVTCHNOP_reset, &op, sizeof(op));
        world_advance(20000);
    }
    while ((rc = domain_kill(d[2])) == -XEN_ERESTART) {
        world_advance(100);
    }
    ck_assert_int_eq(rc, 0);
}

START_TEST(all_at_once)
{
    setup(4, 77 + (uint32_t)_i);
    world_set_body(0, actor, d[0]->vcpu[0]);
    world_set_body(1, actor, d[1]->vcpu[0]);
    world_set_body(2, actor, d[0]->vcpu[1]);
    world_set_body(3, killer, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_acquire_hook = NULL;
    /* Nobody has sent to a port after it was closed. */
    for (uint32_t port = 1; port < 128; port++) {
        for (unsigned i = 0; i < 2; i++) {
            evtchn_status_t s;

            ck_assert_int_eq(ev_status(d[i]->vcpu[0], DOMID_SELF, port, &s), 0);
            ck_assert(s.status != EVTCHNSTAT_closed || !evtchn_port_pending(d[i], port));
        }
    }
    fixture_stop();
}
END_TEST

/* At the countdown-th acquire of a send, the peer closes its port. */
static int countdown;
static uint32_t victim;

static bool close_victim(void)
{
    if (countdown > 0 && --countdown == 0) {
        ck_assert_uint_eq(this_cpu()->lock_depth, 0);
        ck_assert_int_eq(evtchn_close(d[1], victim), 0);
    }
    return false;
}

static void send_and_close(void *arg)
{
    for (int i = 1; i < 10; i++) {
        uint32_t pa, pb;

        ck_assert_int_eq(evtchn_alloc_unbound(d[1], d[0]->id, &victim), 0);
        ck_assert_int_eq(evtchn_bind_interdomain(d[0], d[1]->id, victim, &pa), 0);
        d[1]->shared_info->evtchn_pending[0] = 0;
        countdown = i;
        ck_assert_int_eq(evtchn_send(d[0], pa), 0);
        if (countdown == 0) {
            ck_assert_uint_eq(d[1]->shared_info->evtchn_pending[0] >> victim & 1, 0);
            ck_assert_int_eq(evtchn_alloc_unbound(d[1], d[0]->id, &pb), 0);
            ck_assert_uint_eq(pb, victim);
        } else {
            countdown = 0;
            ck_assert_uint_eq(d[1]->shared_info->evtchn_pending[0] >> victim & 1, 1);
        }
        ck_assert_int_eq(evtchn_close(d[1], victim), 0);
        ck_assert_int_eq(evtchn_close(d[0], pa), 0);
    }
}

START_TEST(closed_under_a_send)
{
    setup(1, 1);
    world_acquire_hook = close_victim;
    world_set_body(0, send_and_close, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_acquire_hook = NULL;
    fixture_stop();
}
END_TEST

/* A guest that takes FIFO events as the ABI says, while others send. */
#define PORTS 8u
#define ROUNDS 400u
static uint32_t ports[PORTS], sent[PORTS], seen[PORTS];
static unsigned senders;

static event_word_t *word(uint32_t port)
{
    return (event_word_t *)fixture_guest(d[0], (uint64_t)ARRAY_GFN << 12) + port;
}

static uint32_t unlink_word(uint32_t port)
{
    uint32_t w;

    do {
        w = load_u32(word(port));
    } while (!cmpxchg_u32(word(port), w, w & ~(LINKED | LINK)));
    return w & LINK;
}

static void take_all(unsigned vcpu)
{
    evtchn_fifo_control_block_t *cb = fixture_guest(d[0], (CONTROL_GFN + (uint64_t)vcpu) << 12);
    uint32_t ready;

    store_u32((uint32_t *)(void *)d[0]->vcpu[vcpu]->info, 0);
    while ((ready = fetch_and_u32(&cb->ready, 0)) != 0) {
        for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++) {
            uint32_t port = (ready >> q & 1) != 0 ? load_u32(&cb->head[q]) : 0;

            while (port != 0) {
                uint32_t next = unlink_word(port);

                if ((fetch_and_u32(word(port), ~PENDING) & PENDING) != 0) {
                    for (unsigned i = 0; i < PORTS; i++) {
                        seen[i] += ports[i] == port;
                    }
                }
                port = next;
                world_advance(50);
            }
        }
    }
}

static void sender(void *arg)
{
    struct vcpu *v = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned n = next_random() % PORTS;
        evtchn_send_t op = {.port = ports[n]};

        ck_assert_int_eq(call(v, EVTCHNOP_send, &op, sizeof(op)), 0);
        sent[n]++;
        if (i % 5 == 0) {
            evtchn_set_priority_t p = {.port = ports[next_random() % PORTS],
                                       .priority = next_random() % 16};

            ck_assert_int_eq(call(v, EVTCHNOP_set_priority, &p, sizeof(p)), 0);
        }
        world_advance(next_random() % 300);
    }
    senders--;
}

static void taker(void *arg)
{
    while (senders != 0) {
        for (unsigned i = 0; i < 4; i++) {
            if ((load_u32((uint32_t *)(void *)d[0]->vcpu[i]->info) & 1) != 0) {
                take_all(i);
            }
        }
        world_advance(next_random() % 400);
        port_cpu_relax();
    }
}

START_TEST(nothing_lost)
{
    struct vcpu *v;

    setup(3, 1234 + (uint32_t)_i);
    v = d[0]->vcpu[0];
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(ev_control(v, i, CONTROL_GFN + i, 0), 0);
    }
    ck_assert_int_eq(ev_expand(v, ARRAY_GFN), 0);
    for (unsigned i = 0; i < PORTS; i++) {
        ck_assert_int_eq(ev_ipi(v, i % 4, &ports[i]), 0);
        sent[i] = seen[i] = 0;
    }
    senders = 2;
    world_set_body(0, sender, d[0]->vcpu[0]);
    world_set_body(1, sender, d[0]->vcpu[1]);
    world_set_body(2, taker, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_acquire_hook = NULL;
    for (unsigned i = 0; i < 4; i++) {
        if ((load_u32((uint32_t *)(void *)d[0]->vcpu[i]->info) & 1) != 0) {
            take_all(i);
        }
    }
    for (unsigned i = 0; i < PORTS; i++) {
        ck_assert_uint_eq(*word(ports[i]), 0);
        ck_assert(seen[i] > 0 && seen[i] <= sent[i]);
    }
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("evtchn_race");
    TCase *t = tcase_create("several CPUs");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, all_at_once, 0, 8);
    tcase_add_test(t, closed_under_a_send);
    tcase_add_loop_test(t, nothing_lost, 0, 4);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
