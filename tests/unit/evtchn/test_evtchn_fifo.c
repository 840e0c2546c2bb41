/* Event channels, FIFO ABI: queues, priorities, hostile words, the change of ABI
 * and back. */
#include "base/atomic.h"
#include "core/guest_mem/guest_mem.h"
#include "core/p2m/p2m.h"
#include "tests/unit/evtchn/evtchn_calls.h"

#define CONTROL_GFN 0x200u /* + vCPU */
#define ARRAY_GFN 0x300u
#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define BUSY (1u << EVTCHN_FIFO_BUSY)

static struct domain *a, *b;
static struct vcpu *av, *bv;

static void setup(void)
{
    fixture_start(32, 1);
    a = fixture_domain(8, 4);
    b = fixture_domain(4, 1);
    av = a->vcpu[0];
    bv = b->vcpu[0];
    fixture_populate(a, CONTROL_GFN, 4);
    fixture_populate(a, ARRAY_GFN, 200);
}

static evtchn_fifo_control_block_t *control(unsigned vcpu)
{
    return fixture_guest(a, (uint64_t)(CONTROL_GFN + vcpu) << PAGE_SHIFT);
}

static event_word_t *word(uint32_t port)
{
    return (event_word_t *)fixture_guest(a, (ARRAY_GFN + (uint64_t)port / 1024) << PAGE_SHIFT) +
           port % 1024;
}

/* FIFO with one array page and control blocks for all vCPUs. */
static void go_fifo(void)
{
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(ev_control(av, i, CONTROL_GFN + i, 0), 0);
    }
    ck_assert_int_eq(ev_expand(av, ARRAY_GFN), 0);
}

/* What a guest does in an upcall: takes the ports of vCPU i, in their order. */
static unsigned take(unsigned i, uint32_t *ports, unsigned max)
{
    evtchn_fifo_control_block_t *cb = control(i);
    uint32_t ready = cb->ready, n = 0;

    a->vcpu[i]->info->evtchn_upcall_pending = 0;
    cb->ready = 0;
    for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++) {
        uint32_t port = (ready >> q & 1) != 0 ? cb->head[q] : 0;

        while (port != 0 && n < max) {
            uint32_t was = *word(port);

            *word(port) = was & ~(PENDING | LINKED | (uint32_t)EVTCHN_FIFO_LINK_MASK);
            ck_assert((was & LINKED) != 0);
            if ((was & PENDING) != 0 && (was & MASKED) == 0) {
                ports[n++] = port;
            }
            port = was & EVTCHN_FIFO_LINK_MASK;
        }
        cb->head[q] = 0;
    }
    return n;
}

START_TEST(init_errors)
{
    evtchn_init_control_t op = {0};

    setup();
    ck_assert_int_eq(ev_expand(av, ARRAY_GFN), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(ev_control(av, 4, CONTROL_GFN, 0), -XEN_ENOENT);
    ck_assert_int_eq(ev_control(av, UINT32_MAX, CONTROL_GFN, 0), -XEN_ENOENT);
    ck_assert_int_eq(ev_control(av, 0, CONTROL_GFN, 4), -XEN_EINVAL);
    ck_assert_int_eq(ev_control(av, 0, CONTROL_GFN, 4096 - sizeof(op)), -XEN_EINVAL);
    ck_assert_int_eq(ev_control(av, 0, CONTROL_GFN, UINT32_MAX - 7), -XEN_EINVAL);
    ck_assert_int_eq(ev_control(av, 0, 0x9999, 0), -XEN_EINVAL);
    ck_assert_int_eq(ev_control(av, 0, UINT64_MAX, 0), -XEN_EINVAL);
    ck_assert_ptr_null(a->evtchn.fifo);
    ck_assert_int_eq(ev_control(av, 0, CONTROL_GFN, 4096 - 72), 0);
    ck_assert_int_eq(ev_control(av, 0, CONTROL_GFN + 1, 0), -XEN_EINVAL); /* once */
    ck_assert_int_eq(ev_expand(av, 0x9999), -XEN_EINVAL);
    ck_assert_int_eq(ev_expand(av, UINT64_MAX), -XEN_EINVAL);
    /* The same page may serve twice: it is the guest's loss. */
    ck_assert_int_eq(ev_control(av, 1, CONTROL_GFN, 0), 0);
    for (unsigned i = 0; i < 128; i++) {
        ck_assert_int_eq(ev_expand(av, ARRAY_GFN + i), 0);
    }
    ck_assert_int_eq(ev_expand(av, ARRAY_GFN + 128), -XEN_ENOSPC);
    /* Pinned pages cannot go while they are used. */
    fixture_audit();
    ck_assert_int_eq(ev_reset(av, DOMID_SELF), 0);
    ck_assert_ptr_null(a->evtchn.fifo);
    ck_assert_int_eq(ev_control(av, 0, CONTROL_GFN, 0), 0);
    fixture_stop();
}
END_TEST

START_TEST(queues)
{
    uint32_t p[8], got[8];

    setup();
    go_fifo();
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_int_eq(ev_ipi(av, 1, &p[i]), 0);
    }
    ck_assert_int_eq(ev_send(av, p[2]), 0);
    ck_assert_uint_eq(*word(p[2]), PENDING | LINKED);
    ck_assert_uint_eq(control(1)->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    ck_assert_uint_eq(control(1)->head[EVTCHN_FIFO_PRIORITY_DEFAULT], p[2]);
    ck_assert_uint_eq(a->vcpu[1]->info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 0);
    ck_assert_int_eq(ev_send(av, p[2]), 0); /* already there */
    ck_assert_int_eq(ev_send(av, p[0]), 0);
    ck_assert_int_eq(ev_send(av, p[5]), 0);
    ck_assert_uint_eq(*word(p[2]), PENDING | LINKED | p[0]);
    ck_assert_uint_eq(take(1, got, 8), 3);
    ck_assert(got[0] == p[2] && got[1] == p[0] && got[2] == p[5]);
    ck_assert_int_eq(ev_send(av, p[5]), 0); /* the tail again */
    ck_assert_int_eq(ev_send(av, p[2]), 0);
    ck_assert_uint_eq(take(1, got, 8), 2);
    ck_assert(got[0] == p[5] && got[1] == p[2]);
    /* The more urgent first. */
    ck_assert_int_eq(ev_priority(av, p[6], EVTCHN_FIFO_PRIORITY_MAX), 0);
    ck_assert_int_eq(ev_priority(av, p[7], EVTCHN_FIFO_PRIORITY_MIN), 0);
    ck_assert_int_eq(ev_priority(av, p[7], EVTCHN_FIFO_PRIORITY_MIN + 1), -XEN_EINVAL);
    ck_assert_int_eq(ev_priority(av, p[7], UINT32_MAX), -XEN_EINVAL);
    ck_assert_int_eq(ev_send(av, p[7]), 0);
    ck_assert_int_eq(ev_send(av, p[1]), 0);
    ck_assert_int_eq(ev_send(av, p[6]), 0);
    ck_assert_uint_eq(take(1, got, 8), 3);
    ck_assert(got[0] == p[6] && got[1] == p[1] && got[2] == p[7]);
    /* A port that was the tail of one queue and moves leaves that queue sound. */
    ck_assert_int_eq(ev_send(av, p[7]), 0);
    ck_assert_uint_eq(take(1, got, 8), 1);
    ck_assert_int_eq(ev_priority(av, p[7], EVTCHN_FIFO_PRIORITY_DEFAULT), 0);
    ck_assert_int_eq(ev_priority(av, p[4], EVTCHN_FIFO_PRIORITY_MIN), 0);
    ck_assert_int_eq(ev_send(av, p[7]), 0);
    ck_assert_int_eq(ev_send(av, p[4]), 0);
    ck_assert_uint_eq(take(1, got, 8), 2);
    ck_assert(got[0] == p[7] && got[1] == p[4]);
    fixture_stop();
}
END_TEST

START_TEST(masks_and_moves)
{
    uint32_t pa, pb, q, got[4];

    setup();
    go_fifo();
    ev_pair(av, bv, &pa, &pb);
    *word(pa) |= MASKED;
    ck_assert_int_eq(ev_send(bv, pb), 0);
    ck_assert_uint_eq(*word(pa), PENDING | MASKED);
    ck_assert(evtchn_port_pending(a, pa));
    ck_assert_int_eq(ev_unmask(av, pa), 0);
    ck_assert_uint_eq(*word(pa), PENDING | LINKED);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 1);
    /* Still on vCPU 0's queue, whatever it is bound to by now. */
    ck_assert_int_eq(ev_bind_vcpu(av, pa, 3), 0);
    ck_assert_int_eq(ev_send(bv, pb), 0);
    ck_assert_uint_eq(control(3)->ready, 0);
    ck_assert_uint_eq(take(0, got, 4), 1);
    ck_assert_int_eq(ev_send(bv, pb), 0);
    ck_assert_uint_eq(take(0, got, 4), 0);
    ck_assert_uint_eq(take(3, got, 4), 1);
    ck_assert_uint_eq(got[0], pa);
    ck_assert_int_eq(ev_bind_vcpu(av, pa, 0), 0);
    ck_assert_int_eq(ev_send(bv, pb), 0);
    ck_assert_uint_eq(take(0, got, 4), 1);
    /* A closed port that is still linked is not given out again. */
    ck_assert_int_eq(ev_send(bv, pb), 0);
    ck_assert_int_eq(ev_close(av, pa), 0);
    ck_assert_uint_eq(*word(pa), LINKED);
    ck_assert_int_eq(ev_ipi(av, 0, &q), 0);
    ck_assert_uint_ne(q, pa);
    ck_assert_uint_eq(take(0, got, 4), 0);
    ck_assert_int_eq(ev_ipi(av, 0, &q), 0);
    ck_assert_uint_eq(q, pa);
    ck_assert_int_eq(ev_send(av, q), 0);
    ck_assert_uint_eq(take(0, got, 4), 1);
    fixture_stop();
}
END_TEST

/* The guest's part of a hostile story, told by the words before a send. */
START_TEST(hostile_words)
{
    static const uint32_t values[] = {
        0,
        LINKED,
        LINKED | BUSY,
        LINKED | MASKED | 0x1ffff,
        BUSY,
        PENDING | BUSY | 0x1ffff,
        ~0u,
        0x0fffffff,
        LINKED | 5,
        PENDING | LINKED | 3,
        MASKED | BUSY,
    };
    uint32_t p[6], x = 99, got[16];

    setup();
    go_fifo();
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_int_eq(ev_ipi(av, i % 4, &p[i]), 0);
    }
    for (unsigned i = 0; i < 5000; i++) {
        x = x * 1664525 + 1013904223;
        *word(p[(x >> 8) % 6]) = values[(x >> 16) % ARRAY_SIZE(values)];
        control((x >> 20) % 4)->head[(x >> 12) % 16] = x;
        control((x >> 22) % 4)->ready = x >> 3;
        ck_assert_int_eq(ev_send(av, p[(x >> 24) % 6]), 0);
        ck_assert_int_eq(ev_unmask(av, p[(x >> 27) % 6]), 0);
        (void)ev_priority(av, p[(x >> 10) % 6], (x >> 5) % 16);
    }
    fixture_audit();
    /* Garbage in the link of a queue's last word is replaced, not mixed in. */
    for (unsigned i = 0; i < 6; i++) {
        *word(p[i]) = 0;
        ck_assert_int_eq(ev_priority(av, p[i], 9), 0);
    }
    ck_assert_int_eq(ev_send(av, p[0]), 0);
    *word(p[0]) = PENDING | LINKED | BUSY | 0x1ffff;
    ck_assert_int_eq(ev_send(av, p[4]), 0); /* the same vCPU */
    ck_assert_uint_eq(*word(p[0]), PENDING | LINKED | p[4]);
    /* It still works once the guest behaves. */
    for (unsigned i = 0; i < 6; i++) {
        *word(p[i]) = 0;
        ck_assert_int_eq(ev_priority(av, p[i], 3), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        memset(control(i), 0, sizeof(*control(i)));
        a->vcpu[i]->info->evtchn_upcall_pending = 0;
    }
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_int_eq(ev_send(av, p[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(a->vcpu[i]->info->evtchn_upcall_pending, 1);
        ck_assert_uint_eq(take(i, got, 16), i < 2 ? 2 : 1);
    }
    fixture_stop();
}
END_TEST

START_TEST(switch_keeps_pending)
{
    uint32_t p[4], v1, got[8];

    setup();
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(ev_ipi(av, i, &p[i]), 0);
    }
    ck_assert_int_eq(ev_virq(av, VIRQ_TIMER, 1, &v1), 0);
    ck_assert_int_eq(ev_send(av, p[0]), 0);
    ck_assert_int_eq(ev_send(av, p[3]), 0);
    evtchn_virq_vcpu(a->vcpu[1], VIRQ_TIMER);
    *word(p[3]) = MASKED;
    ck_assert_int_eq(ev_control(av, 0, CONTROL_GFN, 0), 0);
    ck_assert(evtchn_port_pending(a, p[0]) && !evtchn_port_pending(a, p[2]));
    ck_assert_uint_eq(a->shared_info->evtchn_pending[0], 0); /* taken along */
    /* Without an array page events wait in the table. */
    ck_assert_int_eq(ev_send(av, p[1]), 0);
    ck_assert(evtchn_port_pending(a, p[1]));
    ck_assert_int_eq(ev_expand(av, ARRAY_GFN), 0);
    ck_assert_uint_eq(take(0, got, 8), 1);
    ck_assert_uint_eq(got[0], p[0]);
    ck_assert_uint_eq(*word(p[3]), PENDING | MASKED);
    /* vCPU 1 has no control block yet: its events are linked when it comes. */
    ck_assert_uint_eq(*word(p[1]), PENDING);
    a->vcpu[1]->info->evtchn_upcall_pending = 0;
    ck_assert_int_eq(ev_control(av, 1, CONTROL_GFN + 1, 0), 0);
    ck_assert_uint_eq(a->vcpu[1]->info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(take(1, got, 8), 2);
    ck_assert_int_eq(ev_control(av, 3, CONTROL_GFN + 3, 0), 0);
    ck_assert_uint_eq(take(3, got, 8), 0);
    ck_assert_int_eq(ev_unmask(av, p[3]), 0);
    ck_assert_uint_eq(take(3, got, 8), 1);
    fixture_stop();
}
END_TEST

START_TEST(many_ports)
{
    uint32_t p, n = 0, got[4];

    setup();
    go_fifo();
    while ((p = 0, evtchn_alloc_unbound(a, b->id, &p)) == 0) {
        n++;
        if (n == 5000) {
            break;
        }
    }
    ck_assert_uint_eq(p, 5000); /* beyond what two levels can say */
    ck_assert_int_eq(ev_ipi(av, 2, &p), 0);
    ck_assert_int_eq(ev_send(av, p), 0); /* no array page there yet */
    ck_assert_uint_eq(a->vcpu[2]->info->evtchn_upcall_pending, 0);
    for (unsigned i = 1; i < 5; i++) {
        ck_assert_int_eq(ev_expand(av, ARRAY_GFN + i), 0);
    }
    ck_assert_uint_eq(take(2, got, 4), 1);
    ck_assert_uint_eq(got[0], p);
    a->evtchn.max_port = 5001;
    ck_assert_int_eq(ev_ipi(av, 2, &p), -XEN_ENOSPC);
    this_cpu()->preempt_every = 1;
    fixture_kill(a);
    this_cpu()->preempt_every = 0;
    fixture_stop();
}
END_TEST

START_TEST(reset_to_two_level)
{
    uint32_t pa, pb, console;

    setup();
    ck_assert_int_eq(evtchn_alloc_consumer(a, CONSUMER_CONSOLE, &console), 0);
    ev_pair(av, bv, &pa, &pb);
    ck_assert_int_eq(ev_send(bv, pb), 0);
    go_fifo();
    ck_assert_int_eq(ev_send(bv, pb), 0);
    *word(console) = MASKED;
    evtchn_notify(a, console);
    av->info->evtchn_upcall_pending = 0;
    av->info->evtchn_pending_sel = 0;
    ck_assert_int_eq(ev_reset(av, DOMID_SELF), 0);
    ck_assert_ptr_null(a->evtchn.fifo);
    ck_assert_uint_eq(a->shared_info->evtchn_pending[0], UINT64_C(1) << console);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 1);
    /* Nothing left over swallows an event of the next binding. */
    a->shared_info->evtchn_pending[0] = 0;
    av->info->evtchn_pending_sel = 0;
    av->info->evtchn_upcall_pending = 0;
    ck_assert_int_eq(ev_bind(av, b->id, pb, &pa), 0);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(a->shared_info->evtchn_pending[0], UINT64_C(1) << pa);
    fixture_audit();
    go_fifo();
    ck_assert(evtchn_port_pending(a, pa));
    fixture_stop();
}
END_TEST

START_TEST(pinned_pages)
{
    struct p2m_entry e;
    uint32_t p;

    setup();
    go_fifo();
    ck_assert_int_eq(ev_ipi(av, 0, &p), 0);
    /* The guest gives the pages away; the hypervisor goes on writing to its own. */
    ck_assert_int_eq(p2m_unmap(a, gfn(ARRAY_GFN), &e, false), 0);
    p2m_release_ram(a, e.mfn);
    ck_assert_int_eq(p2m_unmap(a, gfn(CONTROL_GFN), &e, false), 0);
    p2m_release_ram(a, e.mfn);
    ck_assert_int_eq(ev_send(av, p), 0);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 1);
    fixture_kill(a);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("evtchn_fifo");
    TCase *t = tcase_create("fifo");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, init_errors);
    tcase_add_test(t, queues);
    tcase_add_test(t, masks_and_moves);
    tcase_add_test(t, hostile_words);
    tcase_add_test(t, switch_keeps_pending);
    tcase_add_test(t, many_ports);
    tcase_add_test(t, reset_to_two_level);
    tcase_add_test(t, pinned_pages);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
