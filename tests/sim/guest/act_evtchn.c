/* Event channels within one domain, two-level; act_fifo.c goes on with the other ABI. */
#include "guest.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#define NOBODY 0x7000u
#define BAD_POINTER UINT64_C(0x7fff00000000)
#define PORTS 200u

static domid_t own_id(void)
{
    return (domid_t)cpuid(xen_leaf + 4, 0).c;
}

static void loop(void)
{
    int64_t a = event_unbound(DOMID_SELF), b;

    OK(a > 0);
    EQ(event_status((uint32_t)a).status, EVTCHNSTAT_unbound);
    EQ(event_status((uint32_t)a).u.unbound.dom, own_id());
    EQ(event_send((uint32_t)a), 0); /* nobody hears it */
    b = event_interdomain(DOMID_SELF, (uint32_t)a);
    OK(b > 0 && b != a);
    EQ(event_status((uint32_t)a).status, EVTCHNSTAT_interdomain);
    EQ(event_status((uint32_t)a).u.interdomain.port, b);
    EQ(event_status((uint32_t)b).u.interdomain.port, a);
    OK(WAIT(fired[b] == 1)); /* binding tells that something may have been missed */
    EQ(event_send((uint32_t)a), 0);
    OK(WAIT(fired[b] == 2));
    EQ(fired[a], 0);
    EQ(event_send((uint32_t)b), 0);
    OK(WAIT(fired[a] == 1));
    EQ(event_interdomain(DOMID_SELF, (uint32_t)a), -XEN_EINVAL); /* taken */
    EQ(event_close((uint32_t)b), 0);
    EQ(event_status((uint32_t)b).status, EVTCHNSTAT_closed);
    EQ(event_status((uint32_t)a).status, EVTCHNSTAT_unbound);
    EQ(event_close((uint32_t)a), 0);
    EQ(event_close((uint32_t)a), -XEN_EINVAL);
    EQ(event_send((uint32_t)a), -XEN_EINVAL);
}

static void masked(void)
{
    uint32_t port = (uint32_t)event_ipi(0);

    event_mask(port);
    EQ(event_send(port), 0);
    EQ(event_send(port), 0);
    rest(MS);
    EQ(fired[port], 0);
    OK(event_pending(port));
    EQ(event_unmask(port), 0);
    OK(WAIT(fired[port] == 1));
    OK(!event_pending(port));
    irq_off();
    EQ(event_send(port), 0);
    EQ(event_send(port), 0); /* pending already */
    EQ(fired[port], 1);
    EQ(vcpu_info()->evtchn_upcall_pending, 1);
    irq_on();
    OK(WAIT(fired[port] == 2));
    rest(MS);
    EQ(fired[port], 2);
    event_mask(port);
    event_send(port);
    event_clear(port);
    event_unmask(port);
    rest(MS);
    EQ(fired[port], 2);
    EQ(event_close(port), 0);
}

static void errors(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = NOBODY, .remote_dom = 0};
    struct evtchn_status status = {.dom = NOBODY, .port = 1};
    struct evtchn_bind_pirq pirq = {.pirq = 9};
    struct evtchn_reset reset = {.dom = NOBODY};
    struct evtchn_set_priority priority = {.port = 1, .priority = 3};
    uint32_t port = (uint32_t)event_ipi(0);

    EQ(evtchn_op(EVTCHNOP_alloc_unbound, &alloc), -XEN_ESRCH);
    EQ(evtchn_op(EVTCHNOP_status, &status), -XEN_ESRCH);
    EQ(evtchn_op(EVTCHNOP_reset, &reset), -XEN_ESRCH);
    EQ(evtchn_op(EVTCHNOP_bind_pirq, &pirq), -XEN_EINVAL);
    status = (struct evtchn_status){.dom = DOMID_SELF, .port = 1u << 20};
    EQ(evtchn_op(EVTCHNOP_status, &status), -XEN_EINVAL);
    EQ(event_interdomain(NOBODY, 1), -XEN_ESRCH);
    EQ(event_interdomain(DOMID_SELF, port), -XEN_EINVAL); /* no unbound port */
    EQ(event_interdomain(DOMID_SELF, 1u << 20), -XEN_EINVAL);
    EQ(event_ipi(99), -XEN_ENOENT);
    EQ(event_virq(VIRQ_TIMER, 99), -XEN_ENOENT);
    EQ(event_virq(NR_VIRQS, 0), -XEN_EINVAL);
    EQ(event_virq(VIRQ_DOM_EXC, 1), -XEN_EINVAL); /* global ones live on vCPU 0 */
    EQ(event_bind_cpu(port, 0), -XEN_EINVAL);     /* an IPI stays where it is */
    EQ(event_bind_cpu(port, 99), -XEN_ENOENT);
    EQ(event_close(0), -XEN_EINVAL);
    EQ(event_send(0), -XEN_EINVAL);
    EQ(event_unmask(1u << 20), -XEN_EINVAL);
    EQ(event_send(1u << 20), -XEN_EINVAL);
    if (!fifo) {
        priority.port = port;
        EQ(evtchn_op(EVTCHNOP_set_priority, &priority), -XEN_ENOSYS);
    }
    for (unsigned op = EVTCHNOP_bind_interdomain; op <= EVTCHNOP_set_priority; op++)
        if (!EQ(evtchn_op(op, BAD_POINTER), -XEN_EFAULT))
            say("     operation %u", op);
    EQ(event_close(port), 0);
}

static void virq(void)
{
    int64_t port = event_virq(VIRQ_TIMER, 0), other;
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = now() + MS};

    if (!OK(port > 0))
        return;
    EQ(event_status((uint32_t)port).status, EVTCHNSTAT_virq);
    EQ(event_status((uint32_t)port).u.virq, VIRQ_TIMER);
    EQ(event_virq(VIRQ_TIMER, 0), -XEN_EEXIST);
    EQ(event_send((uint32_t)port), -XEN_EINVAL); /* only the hypervisor sends it */
    EQ(vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    OK(WAIT(fired[port] == 1));
    OK(now() >= t.timeout_abs_ns);
    EQ(event_close((uint32_t)port), 0);
    other = event_virq(VIRQ_TIMER, 0);
    OK(other > 0);
    EQ(event_close((uint32_t)other), 0);
}

/* Ports are used up, and there again when they are closed. */
static void many(void)
{
    static uint32_t ports[PORTS];
    unsigned good = 0;

    for (unsigned i = 0; i < PORTS; i++) {
        int64_t rc = event_ipi(0);

        if (!OK(rc > 0))
            return;
        ports[i] = (uint32_t)rc;
    }
    for (unsigned i = 0; i < PORTS; i++)
        event_send(ports[i]);
    WAIT(fired[ports[PORTS - 1]] == 1);
    for (unsigned i = 0; i < PORTS; i++)
        good += fired[ports[i]] == 1;
    EQ(good, PORTS);
    for (unsigned i = 0; i < PORTS; i++)
        good -= event_close(ports[i]) == 0;
    EQ(good, 0);
}

static int64_t poll_port(uint32_t port, uint64_t timeout)
{
    evtchn_port_t p = port;
    struct sched_poll poll = {.nr_ports = 1, .timeout = timeout};

    set_xen_guest_handle(poll.ports, &p);
    return sched_op(SCHEDOP_poll, &poll);
}

static void poll(void)
{
    uint32_t port = (uint32_t)event_ipi(0);
    uint64_t start;
    struct sched_poll bad = {.nr_ports = 1000};

    event_mask(port);
    start = now();
    EQ(poll_port(port, start + 2 * MS), 0);
    OK(now() >= start + 2 * MS);
    EQ(poll_port(port, 1), 0); /* past */
    event_send(port);
    start = now();
    EQ(poll_port(port, start + PATIENCE), 0); /* masked, but pending */
    OK(now() < start + PATIENCE);
    EQ(fired[port], 0);
    EQ(poll_port(1u << 20, start + SECOND), -XEN_EINVAL);
    EQ(sched_op(SCHEDOP_poll, &bad), -XEN_EINVAL);
    bad.nr_ports = 1;
    bad.ports.p = (evtchn_port_t *)(uintptr_t)BAD_POINTER;
    EQ(sched_op(SCHEDOP_poll, &bad), -XEN_EFAULT);
    EQ(sched_op(SCHEDOP_poll, BAD_POINTER), -XEN_EFAULT);
    event_close(port);
}

static int64_t param(unsigned op, domid_t domid, uint32_t index, uint64_t *value)
{
    struct xen_hvm_param p = {.domid = domid, .index = index, .value = *value};
    int64_t rc = hvm_op(op, &p);

    *value = p.value;
    return rc;
}

/* The older way to be told, for the whole domain, which needs no EOI. */
static void callback_vector(void)
{
    uint64_t by = (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | VEC_CALLBACK, got = 0;
    uint32_t before = me()->irqs[VEC_CALLBACK], port = (uint32_t)event_ipi(0);

    EQ(param(HVMOP_set_param, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &by), 0);
    EQ(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &got), 0);
    EQ(got, by);
    event_send(port);
    OK(WAIT(fired[port] == 1));
    EQ(me()->irqs[VEC_CALLBACK], before + 1);
    irq_off();
    event_send(port);
    EQ(fired[port], 1);
    irq_on();
    OK(WAIT(fired[port] == 2));
    EQ(me()->irqs[VEC_CALLBACK], before + 2);
    by = 0;
    EQ(param(HVMOP_set_param, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &by), 0);
    event_send(port);
    OK(WAIT(fired[port] == 3));
    EQ(me()->irqs[VEC_CALLBACK], before + 2);
    event_close(port);
}

static void params(void)
{
    struct xen_hvm_evtchn_upcall_vector vector = {.vcpu = 0, .vector = 15};
    uint64_t value = 0;

    EQ(param(HVMOP_get_param, NOBODY, HVM_PARAM_CALLBACK_IRQ, &value), -XEN_ESRCH);
    EQ(param(HVMOP_get_param, DOMID_SELF, 1000, &value), -XEN_EINVAL);
    EQ(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_IDENT_PT, &value), -XEN_EPERM);
    EQ(param(HVMOP_set_param, DOMID_SELF, HVM_PARAM_IDENT_PT, &value), -XEN_EPERM);
    EQ(param(HVMOP_set_param, DOMID_SELF, HVM_PARAM_STORE_PFN, &value), -XEN_EPERM);
    EQ(hvm_op(HVMOP_get_param, BAD_POINTER), -XEN_EFAULT);
    EQ(hvm_op(HVMOP_set_evtchn_upcall_vector, &vector), -XEN_EINVAL); /* an exception's */
    vector = (struct xen_hvm_evtchn_upcall_vector){.vcpu = 99, .vector = VEC_UPCALL};
    EQ(hvm_op(HVMOP_set_evtchn_upcall_vector, &vector), -XEN_ENOENT);
}

static void pong(uint32_t port)
{
    (void)port;
    me()->irqs[0]++;
}

/* From one vCPU to another and back. */
static void ipi(void)
{
    int64_t there, back, moved;

    EQ(cpus[1].alive, 1);
    there = event_ipi(1);
    back = event_ipi(0);
    event_hook[there] = pong;
    for (unsigned i = 1; i <= 50; i++) {
        event_send((uint32_t)there);
        if (!OK(WAIT(fired[there] == i)))
            break;
    }
    EQ(fired_cpu[there], 1);
    moved = event_unbound(DOMID_SELF);
    EQ(event_bind_cpu((uint32_t)moved, 1), 0);
    EQ(event_status((uint32_t)moved).vcpu, 1);
    event_interdomain(DOMID_SELF, (uint32_t)moved);
    EQ(event_close((uint32_t)event_status((uint32_t)moved).u.interdomain.port), 0);
    EQ(event_close((uint32_t)moved), 0);
    EQ(event_close((uint32_t)there), 0);
    EQ(event_close((uint32_t)back), 0);
}

/* All but what the hypervisor keeps for itself is closed. */
static void reset(void)
{
    struct evtchn_reset op = {.dom = DOMID_SELF};
    uint32_t a = (uint32_t)event_ipi(0), b = (uint32_t)event_unbound(0);

    EQ(evtchn_op(EVTCHNOP_reset, &op), 0);
    fifo = false; /* the two-level ABI is in force again */
    EQ(event_status(a).status, EVTCHNSTAT_closed);
    EQ(event_status(b).status, EVTCHNSTAT_closed);
    fired[a] = 0;
    a = (uint32_t)event_ipi(0);
    event_send(a);
    OK(WAIT(fired[a] == 1));
    event_close(a);
}

const struct act acts_evtchn[] = {
    {"evtchn-loop", 1, loop},
    {"evtchn-mask", 1, masked},
    {"evtchn-errors", 1, errors},
    {"evtchn-virq", 1, virq},
    {"evtchn-many", 1, many},
    {"evtchn-poll", 1, poll},
    {"evtchn-callback", 1, callback_vector},
    {"evtchn-params", 1, params},
    {"evtchn-ipi", 2, ipi},
    {"evtchn-reset", 1, reset},
    {0},
};
