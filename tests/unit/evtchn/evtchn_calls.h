/* Event channel hypercalls for tests: each returns the hypercall's result. */
#ifndef CORBEL_TESTS_EVTCHN_CALLS_H
#define CORBEL_TESTS_EVTCHN_CALLS_H

#include "core/evtchn/evtchn.h"
#include "tests/unit/fixture.h"

static inline int64_t ev(struct vcpu *v, unsigned cmd, void *arg, size_t n)
{
    return fixture_op(v, __HYPERVISOR_event_channel_op, cmd, arg, n);
}

static inline int64_t ev_alloc(struct vcpu *v, domid_t dom, domid_t remote, uint32_t *port)
{
    evtchn_alloc_unbound_t op = {.dom = dom, .remote_dom = remote};
    int64_t rc = ev(v, EVTCHNOP_alloc_unbound, &op, sizeof(op));

    *port = op.port;
    return rc;
}

static inline int64_t ev_bind(struct vcpu *v, domid_t remote, uint32_t rport, uint32_t *port)
{
    evtchn_bind_interdomain_t op = {.remote_dom = remote, .remote_port = rport};
    int64_t rc = ev(v, EVTCHNOP_bind_interdomain, &op, sizeof(op));

    *port = op.local_port;
    return rc;
}

static inline int64_t ev_virq(struct vcpu *v, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    evtchn_bind_virq_t op = {.virq = virq, .vcpu = vcpu};
    int64_t rc = ev(v, EVTCHNOP_bind_virq, &op, sizeof(op));

    *port = op.port;
    return rc;
}

static inline int64_t ev_ipi(struct vcpu *v, uint32_t vcpu, uint32_t *port)
{
    evtchn_bind_ipi_t op = {.vcpu = vcpu};
    int64_t rc = ev(v, EVTCHNOP_bind_ipi, &op, sizeof(op));

    *port = op.port;
    return rc;
}

static inline int64_t ev_close(struct vcpu *v, uint32_t port)
{
    evtchn_close_t op = {.port = port};

    return ev(v, EVTCHNOP_close, &op, sizeof(op));
}

static inline int64_t ev_send(struct vcpu *v, uint32_t port)
{
    evtchn_send_t op = {.port = port};

    return ev(v, EVTCHNOP_send, &op, sizeof(op));
}

static inline int64_t ev_unmask(struct vcpu *v, uint32_t port)
{
    evtchn_unmask_t op = {.port = port};

    return ev(v, EVTCHNOP_unmask, &op, sizeof(op));
}

static inline int64_t ev_bind_vcpu(struct vcpu *v, uint32_t port, uint32_t vcpu)
{
    evtchn_bind_vcpu_t op = {.port = port, .vcpu = vcpu};

    return ev(v, EVTCHNOP_bind_vcpu, &op, sizeof(op));
}

static inline int64_t ev_reset(struct vcpu *v, domid_t dom)
{
    evtchn_reset_t op = {.dom = dom};

    return ev(v, EVTCHNOP_reset, &op, sizeof(op));
}

static inline int64_t ev_control(struct vcpu *v, uint32_t vcpu, uint64_t g, uint32_t offset)
{
    evtchn_init_control_t op = {.control_gfn = g, .offset = offset, .vcpu = vcpu};
    int64_t rc = ev(v, EVTCHNOP_init_control, &op, sizeof(op));

    if (rc == 0) {
        ck_assert_uint_eq(op.link_bits, EVTCHN_FIFO_LINK_BITS);
    }
    return rc;
}

static inline int64_t ev_expand(struct vcpu *v, uint64_t g)
{
    evtchn_expand_array_t op = {.array_gfn = g};

    return ev(v, EVTCHNOP_expand_array, &op, sizeof(op));
}

static inline int64_t ev_priority(struct vcpu *v, uint32_t port, uint32_t priority)
{
    evtchn_set_priority_t op = {.port = port, .priority = priority};

    return ev(v, EVTCHNOP_set_priority, &op, sizeof(op));
}

static inline int64_t ev_status(struct vcpu *v, domid_t dom, uint32_t port, evtchn_status_t *s)
{
    *s = (evtchn_status_t){.dom = dom, .port = port};
    return ev(v, EVTCHNOP_status, s, sizeof(*s));
}

static inline unsigned ev_state(struct vcpu *v, uint32_t port)
{
    evtchn_status_t s;

    ck_assert_int_eq(ev_status(v, DOMID_SELF, port, &s), 0);
    return s.status;
}

/* Binds a port of a to a port of b. */
static inline void ev_pair(struct vcpu *a, struct vcpu *b, uint32_t *pa, uint32_t *pb)
{
    ck_assert_int_eq(ev_alloc(a, DOMID_SELF, b->domain->id, pa), 0);
    ck_assert_int_eq(ev_bind(b, a->domain->id, *pa, pb), 0);
}

#endif
