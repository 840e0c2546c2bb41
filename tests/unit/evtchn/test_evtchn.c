/* Event channels, two-level ABI: binding, sending, closing, limits, teardown. */
#include "core/guest_mem/guest_mem.h"
#include "core/p2m/p2m.h"
#include "tests/unit/evtchn/evtchn_calls.h"

static struct domain *a, *b;
static struct vcpu *av, *bv;

static void setup(void)
{
    fixture_start(32, 1);
    a = fixture_domain(4, 4);
    b = fixture_domain(4, 1);
    av = a->vcpu[0];
    bv = b->vcpu[0];
}

static bool bit(const xen_ulong_t *map, uint32_t n)
{
    return (map[n / 64] >> (n % 64)) & 1;
}

static bool pending(struct domain *d, uint32_t port)
{
    return bit(d->shared_info->evtchn_pending, port);
}

/* The guest takes everything that is pending on v. */
static void drain(struct vcpu *v)
{
    memset(v->domain->shared_info->evtchn_pending, 0,
           sizeof(v->domain->shared_info->evtchn_pending));
    v->info->evtchn_pending_sel = 0;
    v->info->evtchn_upcall_pending = 0;
}

START_TEST(interdomain)
{
    evtchn_status_t s;
    uint32_t pa, pb, other;

    setup();
    ck_assert_int_eq(ev_alloc(av, DOMID_SELF, b->id, &pa), 0);
    ck_assert_uint_eq(pa, 1);
    ck_assert_int_eq(ev_status(av, DOMID_SELF, pa, &s), 0);
    ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(s.u.unbound.dom, b->id);
    ck_assert_int_eq(ev_send(av, pa), 0); /* nobody there: dropped */
    ck_assert_int_eq(ev_bind(bv, a->id, pa, &pb), 0);
    /* The new port is pending: the peer may have sent before. */
    ck_assert(pending(b, pb) && bv->info->evtchn_upcall_pending == 1);
    ck_assert(!pending(a, pa));
    ck_assert_int_eq(ev_status(av, a->id, pa, &s), 0);
    ck_assert_uint_eq(s.status, EVTCHNSTAT_interdomain);
    ck_assert_uint_eq(s.u.interdomain.dom, b->id);
    ck_assert_uint_eq(s.u.interdomain.port, pb);
    drain(bv);
    ck_assert_int_eq(ev_send(av, pa), 0);
    ck_assert(pending(b, pb));
    ck_assert_uint_eq(bv->info->evtchn_pending_sel, 1);
    ck_assert_uint_eq(bv->info->evtchn_upcall_pending, 1);
    ck_assert_int_eq(ev_bind(bv, a->id, pa, &other), -XEN_EINVAL); /* taken */
    fixture_audit();
    /* Closing one side leaves the other waiting for the same domain. */
    ck_assert_int_eq(ev_close(bv, pb), 0);
    ck_assert(!pending(b, pb));
    ck_assert_int_eq(ev_status(av, a->id, pa, &s), 0);
    ck_assert_uint_eq(s.status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(s.u.unbound.dom, b->id);
    ck_assert_uint_eq(ev_state(bv, pb), EVTCHNSTAT_closed);
    ck_assert_int_eq(ev_send(bv, pb), -XEN_EINVAL);
    ck_assert_int_eq(ev_bind(bv, a->id, pa, &pb), 0);
    ck_assert_int_eq(ev_close(av, pa), 0);
    ck_assert_uint_eq(ev_state(bv, pb), EVTCHNSTAT_unbound);
    ck_assert_int_eq(ev_close(bv, pb), 0);
    ck_assert_int_eq(ev_close(bv, pb), -XEN_EINVAL);
    fixture_stop();
}
END_TEST

START_TEST(interdomain_errors)
{
    struct domain *c;
    evtchn_status_t s;
    uint32_t pa, pb, p;

    setup();
    c = fixture_domain(4, 1);
    ck_assert_int_eq(ev_alloc(av, b->id, a->id, &p), -XEN_EPERM);
    ck_assert_int_eq(ev_alloc(av, 777, a->id, &p), -XEN_ESRCH);
    ck_assert_int_eq(ev_alloc(av, DOMID_IO, a->id, &p), -XEN_ESRCH);
    ck_assert_int_eq(ev_alloc(av, DOMID_SELF, b->id, &pa), 0);
    ck_assert_int_eq(ev_bind(c->vcpu[0], a->id, pa, &p), -XEN_EINVAL); /* not for c */
    ck_assert_int_eq(ev_bind(bv, 777, pa, &p), -XEN_ESRCH);
    ck_assert_int_eq(ev_bind(bv, a->id, pa + 1, &p), -XEN_EINVAL);
    ck_assert_int_eq(ev_bind(bv, a->id, 0, &p), -XEN_EINVAL);
    ck_assert_int_eq(ev_bind(bv, a->id, UINT32_MAX, &p), -XEN_EINVAL);
    ck_assert_int_eq(ev_status(bv, a->id, pa, &s), -XEN_EPERM);
    ck_assert_int_eq(ev_status(bv, 777, pa, &s), -XEN_ESRCH);
    /* The control domain may do all of it. */
    c->privileged = true;
    ck_assert_int_eq(ev_alloc(c->vcpu[0], b->id, a->id, &pb), 0);
    ck_assert_int_eq(ev_status(c->vcpu[0], b->id, pb, &s), 0);
    ck_assert_uint_eq(s.u.unbound.dom, a->id);
    ck_assert_int_eq(ev_alloc(c->vcpu[0], b->id, DOMID_SELF, &p), 0);
    ck_assert_int_eq(ev_bind(c->vcpu[0], b->id, p, &p), 0);
    /* To oneself, by either name. */
    ck_assert_int_eq(ev_alloc(av, DOMID_SELF, DOMID_SELF, &pa), 0);
    ck_assert_int_eq(ev_bind(av, DOMID_SELF, pa, &p), 0);
    drain(av);
    ck_assert_int_eq(ev_send(av, pa), 0);
    ck_assert(pending(a, p) && !pending(a, pa));
    ck_assert_int_eq(ev_close(av, p), 0);
    ck_assert_uint_eq(ev_state(av, pa), EVTCHNSTAT_unbound);
    fixture_stop();
}
END_TEST

START_TEST(ports_out_of_range)
{
    static const uint32_t bad[] = {128, 4096, 131072, 0x7fffffff, UINT32_MAX};
    evtchn_status_t s;

    setup();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_int_eq(ev_send(av, bad[i]), -XEN_EINVAL);
        ck_assert_int_eq(ev_close(av, bad[i]), -XEN_EINVAL);
        ck_assert_int_eq(ev_unmask(av, bad[i]), -XEN_EINVAL);
        ck_assert_int_eq(ev_bind_vcpu(av, bad[i], 0), -XEN_EINVAL);
        ck_assert_int_eq(ev_priority(av, bad[i], 0), -XEN_EINVAL);
        ck_assert_int_eq(ev_status(av, DOMID_SELF, bad[i], &s), -XEN_EINVAL);
        ck_assert(!evtchn_port_valid(a, bad[i]) && !evtchn_port_pending(a, bad[i]));
        evtchn_notify(a, bad[i]);
    }
    ck_assert_uint_eq(ev_state(av, 0), EVTCHNSTAT_closed);
    ck_assert_int_eq(ev_send(av, 0), -XEN_EINVAL);
    ck_assert_int_eq(ev_close(av, 0), -XEN_EINVAL);
    ck_assert_int_eq(ev_bind_vcpu(av, 0, 0), -XEN_EINVAL);
    ck_assert(!evtchn_port_valid(a, 0));
    ck_assert_uint_eq(ev_state(av, 1), EVTCHNSTAT_closed);
    ck_assert_int_eq(ev_send(av, 1), -XEN_EINVAL);
    ck_assert_int_eq(ev_bind_vcpu(av, 1, 99), -XEN_ENOENT);
    ck_assert_int_eq(ev_priority(av, 1, 0), -XEN_ENOSYS); /* two-level has none */
    ck_assert_int_eq(ev(av, 99, &s, sizeof(s)), -XEN_ENOSYS);
    ck_assert_int_eq(ev(av, EVTCHNOP_bind_pirq, &s, sizeof(s)), -XEN_EINVAL);
    fixture_stop();
}
END_TEST

START_TEST(virq)
{
    uint32_t p[4], q;

    setup();
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(ev_virq(av, VIRQ_TIMER, i, &p[i]), 0);
    }
    ck_assert_int_eq(ev_virq(av, VIRQ_TIMER, 2, &q), -XEN_EEXIST);
    ck_assert_int_eq(ev_virq(av, VIRQ_TIMER, 4, &q), -XEN_ENOENT);
    ck_assert_int_eq(ev_virq(av, VIRQ_TIMER, UINT32_MAX, &q), -XEN_ENOENT);
    ck_assert_int_eq(ev_virq(av, NR_VIRQS, 0, &q), -XEN_EINVAL);
    ck_assert_int_eq(ev_virq(av, UINT32_MAX, 0, &q), -XEN_EINVAL);
    ck_assert_int_eq(ev_virq(av, VIRQ_DOM_EXC, 1, &q), -XEN_EINVAL); /* global: vCPU 0 */
    ck_assert_int_eq(ev_virq(av, VIRQ_ARCH_0, 1, &q), -XEN_EINVAL);
    evtchn_virq_vcpu(a->vcpu[2], VIRQ_TIMER);
    ck_assert(pending(a, p[2]) && !pending(a, p[0]));
    ck_assert_uint_eq(a->vcpu[2]->info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 0);
    evtchn_virq_vcpu(a->vcpu[2], VIRQ_DEBUG); /* not bound */
    /* A per-vCPU VIRQ stays where it is, a global one may move. */
    ck_assert_int_eq(ev_bind_vcpu(av, p[1], 0), -XEN_EINVAL);
    ck_assert_int_eq(ev_virq(av, VIRQ_DOM_EXC, 0, &q), 0);
    ck_assert_int_eq(ev_bind_vcpu(av, q, 3), 0);
    evtchn_virq_global(a, VIRQ_DOM_EXC);
    ck_assert(pending(a, q));
    ck_assert_uint_eq(a->vcpu[3]->info->evtchn_upcall_pending, 1);
    ck_assert_int_eq(ev_send(av, q), -XEN_EINVAL); /* VIRQs are not for guests to send */
    fixture_audit();
    ck_assert_int_eq(ev_close(av, q), 0);
    ck_assert_int_eq(ev_close(av, p[1]), 0);
    evtchn_virq_global(a, VIRQ_DOM_EXC);
    evtchn_virq_vcpu(a->vcpu[1], VIRQ_TIMER);
    ck_assert(!pending(a, q) && !pending(a, p[1]));
    ck_assert_int_eq(ev_virq(av, VIRQ_TIMER, 1, &q), 0);
    ck_assert_uint_eq(q, p[1]);
    fixture_stop();
}
END_TEST

START_TEST(ipi_and_bind_vcpu)
{
    uint32_t p[4], pa, pb, q;
    evtchn_status_t s;

    setup();
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(ev_ipi(av, i, &p[i]), 0);
    }
    ck_assert_int_eq(ev_ipi(av, 4, &q), -XEN_ENOENT);
    ck_assert_int_eq(ev_send(av, p[3]), 0);
    ck_assert(pending(a, p[3]));
    ck_assert_uint_eq(a->vcpu[3]->info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 0);
    ck_assert_int_eq(ev_bind_vcpu(av, p[3], 0), -XEN_EINVAL); /* an IPI has its vCPU */
    ck_assert_int_eq(ev_status(av, DOMID_SELF, p[3], &s), 0);
    ck_assert_uint_eq(s.status, EVTCHNSTAT_ipi);
    ck_assert_uint_eq(s.vcpu, 3);
    ev_pair(av, bv, &pa, &pb);
    ck_assert_int_eq(ev_bind_vcpu(av, pa, 2), 0);
    ck_assert_int_eq(ev_send(bv, pb), 0);
    ck_assert_uint_eq(a->vcpu[2]->info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 0);
    ck_assert_int_eq(ev_bind_vcpu(av, pa, 4), -XEN_ENOENT);
    /* A port that is closed and bound again starts on vCPU 0. */
    ck_assert_int_eq(ev_close(av, pa), 0);
    ck_assert_int_eq(ev_alloc(av, DOMID_SELF, b->id, &q), 0);
    ck_assert_uint_eq(q, pa);
    ck_assert_int_eq(ev_status(av, DOMID_SELF, q, &s), 0);
    ck_assert_uint_eq(s.vcpu, 0);
    fixture_stop();
}
END_TEST

START_TEST(masking)
{
    uint32_t p;

    setup();
    ck_assert_int_eq(ev_ipi(av, 0, &p), 0);
    a->shared_info->evtchn_mask[0] = ~(xen_ulong_t)0;
    ck_assert_int_eq(ev_send(av, p), 0);
    ck_assert(pending(a, p) && evtchn_port_pending(a, p));
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 0);
    ck_assert_int_eq(ev_unmask(av, p), 0);
    ck_assert(!bit(a->shared_info->evtchn_mask, p));
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(av->info->evtchn_pending_sel, 1);
    /* Unmasking what is not masked, or not pending, raises nothing. */
    av->info->evtchn_upcall_pending = 0;
    av->info->evtchn_pending_sel = 0;
    ck_assert_int_eq(ev_unmask(av, p), 0);
    drain(av);
    a->shared_info->evtchn_mask[0] = ~(xen_ulong_t)0;
    ck_assert_int_eq(ev_unmask(av, p), 0);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 0);
    /* The neighbouring byte is the guest's own. */
    ((uint8_t *)av->info)[1] = 0xa5;
    ck_assert_int_eq(ev_send(av, p), 0);
    ck_assert_uint_eq(((uint8_t *)av->info)[1], 0xa5);
    ck_assert_uint_eq(av->info->evtchn_upcall_pending, 1);
    fixture_stop();
}
END_TEST

START_TEST(limits)
{
    uint32_t p = 0, n = 0;

    setup();
    b->evtchn.max_port = 5;
    while (ev_alloc(bv, DOMID_SELF, a->id, &p) == 0) {
        ck_assert_uint_eq(p, ++n);
    }
    ck_assert_uint_eq(n, 5);
    ck_assert_int_eq(ev_alloc(bv, DOMID_SELF, a->id, &p), -XEN_ENOSPC);
    ck_assert_int_eq(ev_ipi(bv, 0, &p), -XEN_ENOSPC);
    ck_assert_int_eq(ev_close(bv, 3), 0);
    ck_assert_int_eq(ev_close(bv, 2), 0);
    ck_assert_int_eq(ev_ipi(bv, 0, &p), 0);
    ck_assert_uint_eq(p, 2); /* the lowest */
    for (n = 0; evtchn_alloc_unbound(a, b->id, &p) == 0; n++) {
    }
    ck_assert_uint_eq(n, EVTCHN_2L_NR_CHANNELS - 1);
    ck_assert_int_eq(ev_alloc(av, DOMID_SELF, b->id, &p), -XEN_ENOSPC);
    /* Binding needs a port of one's own; the peer's stays as it was. */
    ck_assert_int_eq(ev_bind(bv, a->id, 7, &p), 0);
    ck_assert_int_eq(ev_bind(bv, a->id, 8, &p), -XEN_ENOSPC);
    ck_assert_uint_eq(ev_state(av, 8), EVTCHNSTAT_unbound);
    ck_assert_int_eq(ev_send(bv, 3), 0);
    ck_assert(pending(a, 7));
    fixture_stop();
}
END_TEST

START_TEST(faults)
{
    evtchn_bind_ipi_t ipi = {.vcpu = 0};
    struct p2m_entry e;
    uint32_t port, pa;

    setup();
    for (unsigned cmd = 0; cmd <= EVTCHNOP_set_priority; cmd++) {
        ck_assert_int_eq(fixture_hypercall(av, __HYPERVISOR_event_channel_op, cmd,
                                           UINT64_C(0x7ffff0000), 0, 0, 0),
                         -XEN_EFAULT);
        ck_assert_int_eq(
            fixture_hypercall(av, __HYPERVISOR_event_channel_op, cmd, UINT64_MAX, 0, 0, 0),
            -XEN_EFAULT);
    }
    /* Arguments that can be read but not written: the port does not stay. */
    fixture_populate(a, 0x100, 1);
    memcpy(fixture_guest(a, 0x100000), &ipi, sizeof(ipi));
    ck_assert_int_eq(p2m_unmap(a, gfn(0x100), &e, false), 0);
    ck_assert_int_eq(p2m_map(a, gfn(0x100), e.mfn, P2M_4K, P2M_RAM_RO), 0);
    ck_assert_int_eq(
        fixture_hypercall(av, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, 0x100000, 0, 0, 0),
        -XEN_EFAULT);
    ck_assert_uint_eq(a->evtchn.active, 0);
    ck_assert_int_eq(ev_alloc(bv, DOMID_SELF, a->id, &pa), 0);
    *(evtchn_bind_interdomain_t *)fixture_guest(a, 0x100000) =
        (evtchn_bind_interdomain_t){.remote_dom = b->id, .remote_port = pa};
    ck_assert_int_eq(fixture_hypercall(av, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain,
                                       0x100000, 0, 0, 0),
                     -XEN_EFAULT);
    ck_assert_uint_eq(ev_state(bv, pa), EVTCHNSTAT_unbound);
    ck_assert_int_eq(ev_bind(av, b->id, pa, &port), 0);
    fixture_stop();
}
END_TEST

START_TEST(moved_info)
{
    vcpu_info_t *info;
    uint32_t p;

    setup();
    ck_assert_int_eq(ev_ipi(av, 3, &p), 0);
    info = a->vcpu[3]->info;
    a->vcpu[3]->info = NULL; /* as of a vCPU beyond shared_info's 32 */
    ck_assert_int_eq(ev_send(av, p), 0);
    ck_assert(pending(a, p));
    evtchn_vcpu_info_moved(a->vcpu[3]);
    a->vcpu[3]->info = info;
    ck_assert_uint_eq(info->evtchn_upcall_pending, 0);
    evtchn_vcpu_info_moved(a->vcpu[3]);
    ck_assert_uint_eq(info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(info->evtchn_pending_sel, ~(xen_ulong_t)0);
    fixture_stop();
}
END_TEST

START_TEST(pollers)
{
    uint32_t p, q;

    setup();
    ck_assert_int_eq(ev_ipi(av, 0, &p), 0);
    ck_assert_int_eq(ev_ipi(av, 0, &q), 0);
    a->shared_info->evtchn_mask[0] = ~(xen_ulong_t)0; /* polling is for masked ports */
    for (unsigned i = 1; i < 3; i++) {
        a->vcpu[i]->initialised = true;
        vcpu_wake_flags(a->vcpu[i], VPF_DOWN);
        vcpu_sleep_flags(a->vcpu[i], VPF_POLL | VPF_BLOCKED);
    }
    a->vcpu[1]->poll_port = q;
    a->vcpu[2]->poll_port = 0; /* a set */
    ck_assert_int_eq(ev_send(av, p), 0);
    ck_assert_uint_eq(a->vcpu[1]->pause_flags, VPF_POLL | VPF_BLOCKED);
    ck_assert_uint_eq(a->vcpu[2]->pause_flags, 0);
    ck_assert_int_eq(ev_send(av, q), 0);
    ck_assert_uint_eq(a->vcpu[1]->pause_flags, 0);
    fixture_stop();
}
END_TEST

START_TEST(reset)
{
    uint32_t pa[100], pb[100], console, p;

    setup();
    ck_assert_int_eq(evtchn_alloc_consumer(a, CONSUMER_CONSOLE, &console), 0);
    for (unsigned i = 0; i < 100; i++) {
        ev_pair(av, bv, &pa[i], &pb[i]);
    }
    ck_assert_int_eq(ev_virq(av, VIRQ_TIMER, 1, &p), 0);
    ck_assert_int_eq(ev_reset(bv, a->id), -XEN_EPERM);
    ck_assert_int_eq(ev_reset(av, 777), -XEN_ESRCH);
    b->privileged = true;
    ck_assert_int_eq(ev_reset(bv, a->id), -XEN_EINVAL); /* it runs */
    this_cpu()->preempt_every = 1;
    ck_assert_int_eq(ev_reset(av, DOMID_SELF), 0);
    this_cpu()->preempt_every = 0;
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_uint_eq(ev_state(av, pa[i]), EVTCHNSTAT_closed);
        ck_assert_uint_eq(ev_state(bv, pb[i]), EVTCHNSTAT_unbound);
    }
    ck_assert_uint_eq(a->evtchn.active, 1);
    ck_assert_uint_eq(ev_state(av, console), EVTCHNSTAT_unbound);
    ck_assert_int_eq(ev_virq(av, VIRQ_TIMER, 1, &p), 0);
    domain_pause(a);
    ck_assert_int_eq(ev_reset(bv, a->id), 0);
    domain_unpause(a);
    ck_assert_uint_eq(ev_state(av, p), EVTCHNSTAT_closed);
    fixture_stop();
}
END_TEST

START_TEST(consumer)
{
    uint32_t p, q;

    setup();
    ck_assert_int_eq(evtchn_alloc_consumer(a, CONSUMER_CONSOLE, &p), 0);
    ck_assert_int_eq(ev_send(av, p), 0);
    ck_assert_int_eq(ev_bind(bv, a->id, p, &q), -XEN_EINVAL);
    ck_assert_int_eq(ev_bind_vcpu(av, p, 1), 0);
    evtchn_notify(a, p);
    ck_assert(pending(a, p));
    ck_assert_uint_eq(a->vcpu[1]->info->evtchn_upcall_pending, 1);
    ck_assert_int_eq(ev_close(av, p), 0);
    evtchn_notify(a, p);
    ck_assert(!pending(a, p));
    fixture_stop();
}
END_TEST

START_TEST(teardown)
{
    uint32_t pa[300], pb[300], p;

    setup();
    for (unsigned i = 0; i < 300; i++) {
        /* Half of them listen on either side. */
        if (i % 2) {
            ev_pair(av, bv, &pa[i], &pb[i]);
        } else {
            ev_pair(bv, av, &pb[i], &pa[i]);
        }
    }
    ck_assert_int_eq(ev_virq(av, VIRQ_TIMER, 0, &p), 0);
    this_cpu()->preempt_every = 1;
    fixture_kill(a);
    this_cpu()->preempt_every = 0;
    for (unsigned i = 0; i < 300; i++) {
        ck_assert_uint_eq(ev_state(bv, pb[i]), EVTCHNSTAT_unbound);
        ck_assert_int_eq(ev_send(bv, pb[i]), 0);
    }
    fixture_audit();
    /* A dying domain gets no new ports. */
    b->state = DOMAIN_DYING;
    ck_assert_int_eq(evtchn_alloc_unbound(b, 1, &p), -XEN_EINVAL);
    b->state = DOMAIN_ALIVE;
    fixture_stop();
}
END_TEST

START_TEST(random_ops)
{
    struct domain *d[3];
    uint32_t x = 12345 + (uint32_t)_i, p;
    evtchn_status_t s;

    setup();
    d[0] = a;
    d[1] = b;
    d[2] = fixture_domain(4, 2);
    for (unsigned i = 0; i < 6000; i++) {
        struct domain *me = d[(x = x * 1664525 + 1013904223) >> 8 & 1 ? 0 : (x >> 9) % 3];
        struct domain *you = d[(x >> 12) % 3];
        struct vcpu *v = me->vcpu[0];
        uint32_t port = (x >> 16) % 24;

        switch ((x >> 24) % 10) {
        case 0:
        case 1:
            (void)ev_alloc(v, DOMID_SELF, you->id, &p);
            break;
        case 2:
        case 3:
        case 4:
            (void)ev_bind(v, you->id, port, &p);
            break;
        case 5:
            (void)ev_virq(v, port, port % 4, &p);
            break;
        case 6:
            (void)ev_bind_vcpu(v, port, port % 4);
            break;
        case 7:
            (void)ev_send(v, port);
            break;
        case 8:
            (void)ev_status(v, DOMID_SELF, port, &s);
            break;
        default:
            (void)ev_close(v, port);
            break;
        }
        if (i % 500 == 0) {
            fixture_audit();
        }
    }
    fixture_kill(d[_i % 3]);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("evtchn");
    TCase *t = tcase_create("two-level");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, interdomain);
    tcase_add_test(t, interdomain_errors);
    tcase_add_test(t, ports_out_of_range);
    tcase_add_test(t, virq);
    tcase_add_test(t, ipi_and_bind_vcpu);
    tcase_add_test(t, masking);
    tcase_add_test(t, limits);
    tcase_add_test(t, faults);
    tcase_add_test(t, moved_info);
    tcase_add_test(t, pollers);
    tcase_add_test(t, reset);
    tcase_add_test(t, consumer);
    tcase_add_test(t, teardown);
    tcase_add_loop_test(t, random_ops, 0, 3);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
