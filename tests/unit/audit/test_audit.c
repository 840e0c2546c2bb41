/* The auditor itself: each named invariant is broken on purpose and must be
 * caught by its name, and the machine must be clean again when it is mended. */
#include "tests/unit/audit/audit_break.h"

#include "core/gnttab/gnttab_private.h"

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

static struct evtchn *port_of(struct domain *d, uint32_t port)
{
    return &d->evtchn.group[0][port / EVTCHN_PER_BUCKET][port % EVTCHN_PER_BUCKET];
}

START_TEST(clean)
{
    struct audit_report r;

    audit_run(&r);
    ck_assert_uint_eq(r.violations, 0);
    ck_assert_ptr_null(r.first);
    ck_assert_uint_eq(r.frames_free, free_page_count());
    ck_assert_uint_eq(r.frames_guest, a->tot_pages + b->tot_pages);
    ck_assert_uint_eq(r.frames_hyp, a->hyp_pages + b->hyp_pages + hv->hyp_pages);
    ck_assert_uint_eq(r.frames_leaked, 0);
    ck_assert_uint_eq(r.frames_free + r.frames_guest + r.frames_hyp, total_page_count());
}
END_TEST

/* The first free block of more than one frame. */
static mfn_t free_block(void)
{
    for (uint64_t m = 1; m < hv->max_mfn; m++) {
        struct free_block f = fw_unpack_free(hv->frames[m]);

        if (fw_is_free(hv->frames[m]) && f.order > 0 && f.order <= FRAME_ORDER_MAX)
            return mfn(m);
    }
    ck_abort_msg("no free block");
    return mfn(0);
}

START_TEST(mem_1)
{
    mfn_t m = free_block();
    uint64_t word = *word_of(m);
    struct free_block f = fw_unpack_free(word);

    expect_when("INV-MEM-1", hv->heap.free_pages, hv->heap.free_pages + 1);
    expect_when("INV-MEM-1", hv->heap.dirty_pages, hv->heap.dirty_pages + 1);
    expect_when("INV-MEM-1", hv->heap.total_pages, hv->heap.total_pages - 1);
    expect_when("INV-MEM-1", *word_of(m), fw_pack_inner());
    expect_when("INV-MEM-1", *word_of(mfn(m.v + 1)), 0);
    expect_when("INV-MEM-1", *word_of(mfn(m.v + 1)), fw_pack_used(FRAME_NONE, true, 1, a->id));
    expect_when("INV-MEM-1", *word_of(mfn(0)), fw_pack_inner());
    expect_when("INV-MEM-1", *word_of(mfn(0)), 4);
    f.order--;
    expect_when("INV-MEM-1", *word_of(m), fw_pack_free(f));
    f = fw_unpack_free(word);
    f.prev = m.v;
    expect_when("INV-MEM-1", *word_of(m), fw_pack_free(f));
    f = fw_unpack_free(word);
    f.next = m.v;
    expect_when("INV-MEM-1", *word_of(m), fw_pack_free(f));
    f = fw_unpack_free(word);
    f.next = ptr_to_mfn(hv).v;
    expect_when("INV-MEM-1", *word_of(m), fw_pack_free(f));
    f = fw_unpack_free(word);
    f.dirty = !f.dirty;
    expect_when("INV-MEM-1", *word_of(m), fw_pack_free(f));
    for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
        mfn_t *list = &hv->heap.zone[HEAP_LOW].clean[order];

        if (list->v != 0)
            expect_when("INV-MEM-1", *list, mfn(0));
        expect_when("INV-MEM-1", hv->heap.zone[HEAP_HIGH].dirty[order], m);
    }
}
END_TEST

START_TEST(mem_2)
{
    uint64_t *word = word_of(ram(a, 3));
    uint64_t *hyp = word_of(ptr_to_mfn(a->shared_info));

    expect_when("INV-MEM-2", *word, fw_with_refs(*word, 0));
    expect_when("INV-MEM-2", *hyp, fw_with(*hyp, FW_ALLOCATED_SHIFT, FW_ALLOCATED_MASK, 1));
}
END_TEST

START_TEST(mem_3)
{
    uint64_t *word = word_of(ram(a, 3));
    uint64_t *hyp = word_of(ptr_to_mfn(a->shared_info));

    expect_when("INV-MEM-3", *word, fw_with_type(*word, FRAME_WRITABLE, 2));
    expect_when("INV-MEM-3", *word, fw_with_type(*word, FRAME_NONE, 1));
    expect_when("INV-MEM-3", *word, fw_with_type(*word, FRAME_L2, 0));
    expect_when("INV-MEM-3", *hyp, fw_with_type(*hyp, FRAME_SHARED, 1));
}
END_TEST

START_TEST(mem_4)
{
    uint64_t *word = word_of(ram(a, 3));

    expect_when("INV-MEM-4", a->tot_pages, a->tot_pages + 1);
    expect_when("INV-MEM-4", b->tot_pages, 0);
    expect_when("INV-MEM-4", *word, fw_with(*word, FW_OWNER_SHIFT, FW_OWNER_MASK, b->id));
}
END_TEST

START_TEST(mem_5)
{
    uint64_t *hyp = word_of(ptr_to_mfn(a->shared_info));

    expect_when("INV-MEM-5", a->hyp_pages, a->hyp_pages - 1);
    expect_when("INV-MEM-5", hv->hyp_pages, hv->hyp_pages + 1);
    expect_when("INV-MEM-5", *hyp, fw_with(*hyp, FW_OWNER_SHIFT, FW_OWNER_MASK, DOMID_XEN));
}
END_TEST

START_TEST(leak)
{
    uint64_t *word = word_of(ram(a, 3));
    uint64_t right = *word;
    struct audit_report r;

    *word = fw_with(right, FW_OWNER_SHIFT, FW_OWNER_MASK, 0x7000);
    audit_run(&r);
    ck_assert_uint_eq(r.frames_leaked, 1);
    *word = fw_with(right, FW_OWNER_SHIFT, FW_OWNER_MASK, DOMID_XEN);
    audit_run(&r);
    ck_assert_uint_eq(r.frames_leaked, 1);
    *word = right;
}
END_TEST

START_TEST(p2m_1)
{
    uint64_t *root = word_of(a->p2m.root);

    expect_when("INV-P2M-1", *root, fw_with_type(*root, FRAME_HYP, 0));
    expect_when("INV-P2M-1", a->p2m.root, b->p2m.root);
}
END_TEST

START_TEST(p2m_2)
{
    uint64_t *mine = word_of(ram(a, 3)), *theirs = word_of(ram(b, 3));
    uint64_t right = *mine;

    /* Two domains' frames swap owners: every count stays what it was. */
    *mine = *theirs;
    *theirs = right;
    expect("INV-P2M-2");
    *theirs = *mine;
    *mine = right;
    fixture_audit();
}
END_TEST

START_TEST(p2m_3)
{
    mfn_t m = ram(b, 5);
    uint64_t *word = word_of(m);

    ck_assert(frame_get(m, b->id));
    ck_assert_int_eq(p2m_map(a, gfn(100), m, P2M_4K, P2M_FOREIGN), 0);
    fixture_audit();
    expect_when("INV-P2M-3", *word, fw_with_refs(*word, 1));
    /* Two borrowers and one reference: each leaf alone looks right. */
    ck_assert(frame_get(m, b->id));
    ck_assert_int_eq(p2m_map(a, gfn(101), m, P2M_4K, P2M_GRANT_RO), 0);
    fixture_audit();
    expect_when("INV-MEM-7", *word, fw_with_refs(*word, 2));
}
END_TEST

START_TEST(p2m_4)
{
    expect_when("INV-P2M-4", a->p2m.pages[P2M_RAM_RW], a->p2m.pages[P2M_RAM_RW] - 1);
    expect_when("INV-P2M-4", a->p2m.pages[P2M_FOREIGN], 1);
    expect_when("INV-P2M-4", b->p2m.table_pages, b->p2m.table_pages + 1);
    expect_when("INV-P2M-4", *entry_of(a, 3), arch_p2m_empty(a->p2m.format));
}
END_TEST

START_TEST(p2m_5)
{
    expect_when("INV-P2M-5", *entry_of(a, 3), *entry_of(a, 4));
}
END_TEST

/* A channel between a and b; returns a's port, and b's through *remote. */
static uint32_t channel(uint32_t *remote)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = b->id};
    struct evtchn_bind_interdomain bind = {.remote_dom = a->id};

    ck_assert_int_eq(fixture_op(a->vcpu[0], __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
                                &alloc, sizeof(alloc)),
                     0);
    bind.remote_port = alloc.port;
    ck_assert_int_eq(fixture_op(b->vcpu[0], __HYPERVISOR_event_channel_op,
                                EVTCHNOP_bind_interdomain, &bind, sizeof(bind)),
                     0);
    *remote = bind.local_port;
    return alloc.port;
}

START_TEST(evt_1)
{
    uint32_t remote, port = channel(&remote);

    fixture_audit();
    expect_when("INV-EVT-1", port_of(a, port)->remote_port, remote + 1);
    expect_when("INV-EVT-1", port_of(a, port)->remote_domid, a->id);
    expect_when("INV-EVT-1", port_of(a, port)->remote_domid, 0x7000);
    expect_when("INV-EVT-1", port_of(b, remote)->state, EVTCHN_UNBOUND);
}
END_TEST

START_TEST(evt_2)
{
    uint32_t remote, port = channel(&remote);

    expect_when("INV-EVT-2", a->evtchn.max_port, port - 1);
    expect_when("INV-EVT-2", a->evtchn.valid_ports, a->evtchn.valid_ports + EVTCHN_PER_BUCKET);
    expect_when("INV-EVT-2", a->evtchn.valid_ports, 0);
    expect_when("INV-EVT-2", port_of(a, port)->vcpu, MAX_VCPUS);
    expect_when("INV-EVT-2", port_of(a, 0)->state, EVTCHN_UNBOUND);
    expect_when("INV-EVT-2", port_of(a, port)->state, EVTCHN_IPI + 1);
}
END_TEST

START_TEST(evt_3)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER, .vcpu = 1};
    struct vcpu *v = a->vcpu[1];

    ck_assert_int_eq(fixture_op(a->vcpu[0], __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq,
                                &bind, sizeof(bind)),
                     0);
    fixture_audit();
    ck_assert_uint_eq(v->virq_port[VIRQ_TIMER], bind.port);
    expect_when("INV-EVT-3", v->virq_port[VIRQ_TIMER], 0);
    expect_when("INV-EVT-3", v->virq_port[VIRQ_DEBUG], bind.port);
    expect_when("INV-EVT-3", port_of(a, bind.port)->vcpu, 0);
    expect_when("INV-EVT-3", port_of(a, bind.port)->state, EVTCHN_IPI);
}
END_TEST

START_TEST(evt_4)
{
    expect_when("INV-EVT-4", a->evtchn.active, a->evtchn.active + 1);
}
END_TEST

START_TEST(gnt_1)
{
    mfn_t m;

    ck_assert_int_eq(gnttab_frame_at(a, 0, &m), 0);
    fixture_audit();
    expect_when("INV-GNT-1", a->gnttab.shared[0], NULL);
    expect_when("INV-GNT-1", a->gnttab.shared[0], mfn_to_ptr(a->p2m.root));
    expect_when("INV-GNT-1", a->gnttab.shared[0], b->shared_info);
    expect_when("INV-GNT-1", a->gnttab.nr_frames, GNTTAB_MAX_FRAMES + 1);
    expect_when("INV-GNT-1", a->gnttab.nr_status_frames, 1);
}
END_TEST

START_TEST(gnt_2)
{
    expect_when("INV-GNT-2", a->gnttab.pinned, 1);
}
END_TEST

START_TEST(gnt_3)
{
    struct gnttab_active *active = gnttab_active_of(&a->gnttab, 20);

    active->mfn = free_block();
    expect_when("INV-GNT-3", active->readers, 1);
    active->mfn = ram(b, 0);
    expect_when("INV-GNT-3", active->readers, 1);
    active->mfn = ram(a, 0);
    expect_when("INV-GNT-3", active->writers, 1);
    expect_when("INV-GNT-2", active->readers, 1);
    active->mfn = mfn_invalid();
}
END_TEST

START_TEST(sched_1)
{
    struct vcpu *v = a->vcpu[0];
    struct cpu *c = &hv->cpu[v->sched.cpu];

    ck_assert(v->sched.queued);
    expect_when("INV-SCHED-1", v->sched.queued, false);
    expect_when("INV-SCHED-1", v->pause_count, 1);
    expect_when("INV-SCHED-1", a->vcpu[1]->sched.queued, true);
    expect_when("INV-SCHED-1", c->rq.length, c->rq.length + 1);
    expect_when("INV-SCHED-1", v->sched.cpu, 1 - v->sched.cpu);
    expect_when("INV-SCHED-1", c->rq.tail, a->vcpu[1]);
}
END_TEST

START_TEST(sched_2)
{
    struct runqueue *rq = &hv->cpu[a->vcpu[0]->sched.cpu].rq;
    struct vcpu *v = a->vcpu[1];

    /* A second vCPU beside the first. */
    v->sched.hard_affinity = UINT64_C(1) << a->vcpu[0]->sched.cpu;
    v->sched.cpu = a->vcpu[0]->sched.cpu;
    v->initialised = true;
    vcpu_wake_flags(v, VPF_DOWN);
    fixture_audit();
    ck_assert_uint_ge(rq->length, 2);
    expect_when("INV-SCHED-2", rq->head->sched.prio, INT8_MIN);
    expect_when("INV-SCHED-2", rq->tail->sched.prio, INT8_MAX);
    expect_when("INV-SCHED-2", rq->last[rq->tail->sched.prio], NULL);
}
END_TEST

START_TEST(sched_3)
{
    struct vcpu *v = a->vcpu[0], *down = a->vcpu[1];
    struct cpu *c = &hv->cpu[0];

    expect_when("INV-SCHED-3", v->runstate.state, RUNSTATE_blocked);
    expect_when("INV-SCHED-3", down->runstate.state, RUNSTATE_running);
    expect_when("INV-SCHED-3", down->sched.running, true);
    expect_when("INV-SCHED-3", c->current, v);
    expect_when("INV-SCHED-3", c->rq.current, v);
}
END_TEST

static void nothing(void *arg)
{
}

START_TEST(time_1)
{
    struct timer *t = &a->vcpu[0]->singleshot, *u = &a->vcpu[1]->singleshot;
    uint64_t now = port_time_now();

    timer_set(t, now + 1000000);
    timer_set(u, now + 2000000);
    fixture_audit();
    expect_when("INV-TIME-1", u->expires, 0);
    timer_stop(t);
    timer_stop(u);
}
END_TEST

START_TEST(time_2)
{
    static struct timer others[4];
    struct timer *t = &a->vcpu[0]->singleshot;
    uint64_t now = port_time_now();

    timer_set(t, now + 1000000);
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
        timer_init(&others[i], nothing, NULL, t->cpu);
        timer_set(&others[i], now + 900000 + 100000 * i);
    }
    fixture_audit();
    expect_when("INV-TIME-2", t->active, false);
    expect_when("INV-TIME-2", t->cpu, 1 - t->cpu);
    expect_when("INV-TIME-2", t->cpu, MAX_CPUS);
    expect_when("INV-TIME-2", a->vcpu[1]->singleshot.active, true);
    expect_when("INV-TIME-2", others[0].active, false);
    expect_when("INV-TIME-2", t->prev, t);
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        timer_stop(&others[i]);
    timer_stop(t);
}
END_TEST

START_TEST(lock_1)
{
    struct lock l;

    lock_init(&l, LOCK_P2M);
    lock_acquire(&l);
    expect("INV-LOCK-1");
    lock_release(&l);
}
END_TEST

START_TEST(dom_1)
{
    expect_when("INV-DOM-1", hv->domain_count, hv->domain_count + 1);
    expect_when("INV-DOM-1", a->id, b->id);
    expect_when("INV-DOM-1", hv->domain_page[0][a->id], NULL);
}
END_TEST

START_TEST(dom_2)
{
    expect_when("INV-DOM-2", a->refs, 0);
}
END_TEST

START_TEST(dom_3)
{
    expect_when("INV-DOM-3", hv->alive_count, hv->alive_count + 1);
    expect_when("INV-DOM-3", a->shut_down, true);
    expect_when("INV-DOM-3", a->alive_counted, false);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("audit");
    TCase *t = tcase_create("broken on purpose");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, clean);
    tcase_add_test(t, mem_1);
    tcase_add_test(t, mem_2);
    tcase_add_test(t, mem_3);
    tcase_add_test(t, mem_4);
    tcase_add_test(t, mem_5);
    tcase_add_test(t, leak);
    tcase_add_test(t, p2m_1);
    tcase_add_test(t, p2m_2);
    tcase_add_test(t, p2m_3);
    tcase_add_test(t, p2m_4);
    tcase_add_test(t, p2m_5);
    tcase_add_test(t, evt_1);
    tcase_add_test(t, evt_2);
    tcase_add_test(t, evt_3);
    tcase_add_test(t, evt_4);
    tcase_add_test(t, gnt_1);
    tcase_add_test(t, gnt_2);
    tcase_add_test(t, gnt_3);
    tcase_add_test(t, sched_1);
    tcase_add_test(t, sched_2);
    tcase_add_test(t, sched_3);
    tcase_add_test(t, time_1);
    tcase_add_test(t, time_2);
    tcase_add_test(t, lock_1);
    tcase_add_test(t, dom_1);
    tcase_add_test(t, dom_2);
    tcase_add_test(t, dom_3);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
