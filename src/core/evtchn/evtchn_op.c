/* The hypercall: one small function per sub-operation, each decode, authorise,
 * perform. Where the answer cannot be written the new port is closed again. */
#include "core/evtchn/evtchn_private.h"

#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/policy/policy.h"
#include "core/state.h"

/*@ // A hypercall begins and ends without references, without locks, and with no port
    // that was made and that nobody knows of.
    predicate called{L}(struct vcpu *v) = \valid_read(v) && \valid(v->domain) &&
        \valid_read(hv) && port_table(v->domain) && !held(&v->domain->evtchn.lock) &&
        references == 0 && permitted == 0 && untold_port == 0;
    predicate settled{L}(struct vcpu *v) = references == 0 && untold_port == 0 &&
        !held(&v->domain->evtchn.lock); */

/* May caller name domain peer as the one to bind to a port of d's? The default
 * policy does not care, nor whether there is such a domain yet. */
/*@ requires \valid_read(hv) && 0 <= references <= 1;
    assigns references, permitted;
    ensures balance: references == \old(references);
    ensures \result <= 0;
    ensures asked: \result == 0 && hv->policy_silo ==> permitted != 0;
    ensures default_policy: !hv->policy_silo ==> \result == 0 && permitted == \old(permitted); */
static int peer_allowed(const struct domain *caller, const struct domain *d, domid_t peer)
{
    struct domain *p;
    int rc;

    if (!hv->policy_silo) {
        return 0;
    }
    p = domain_get(peer);
    if (p == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check_pair(POLICY_EVTCHN_PEER, caller, d, p);
    domain_put(p);
    return rc;
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_alloc_unbound(struct vcpu *v, uint64_t gva)
{
    evtchn_alloc_unbound_t op;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    d = domain_get_for(v, op.dom);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_EVTCHN_UNBOUND, v->domain, d);
    if (rc == 0) {
        domid_t remote = op.remote_dom == DOMID_SELF ? v->domain->id : op.remote_dom;

        rc = peer_allowed(v->domain, d, remote);
        if (rc == 0) {
            rc = evtchn_alloc_unbound(d, remote, &op.port);
        }
    }
    if (rc == 0 && guest_copy_out(v, gva, &op, sizeof(op)) != 0) {
        (void)evtchn_close(d, op.port);
        rc = -XEN_EFAULT;
    }
    domain_put(d);
    return rc;
}

/* Ends an operation that gave the caller a new port; copied is what guest_copy_out()
 * said of telling it. */
/*@ requires \valid_read(v) && untold_port == (copied == 0 ? 0 : port);
    assigns untold_port, events;
    ensures untold_port == 0;
    ensures \result == (copied == 0 ? 0 : -XEN_EFAULT); */
static int64_t answer_port(struct vcpu *v, int copied, uint32_t port)
{
    if (copied != 0) {
        (void)evtchn_close(v->domain, port);
        return -XEN_EFAULT;
    }
    return 0;
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_bind_interdomain(struct vcpu *v, uint64_t gva)
{
    evtchn_bind_interdomain_t op;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    rc = evtchn_bind_interdomain(v->domain, op.remote_dom, op.remote_port, &op.local_port);
    if (rc != 0) {
        return rc;
    }
    return answer_port(v, guest_copy_out(v, gva, &op, sizeof(op)), op.local_port);
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_bind_virq(struct vcpu *v, uint64_t gva)
{
    evtchn_bind_virq_t op;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    rc = evtchn_bind_virq(v->domain, op.virq, op.vcpu, &op.port);
    if (rc != 0) {
        return rc;
    }
    return answer_port(v, guest_copy_out(v, gva, &op, sizeof(op)), op.port);
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_bind_ipi(struct vcpu *v, uint64_t gva)
{
    evtchn_bind_ipi_t op;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    rc = evtchn_bind_ipi(v->domain, op.vcpu, &op.port);
    if (rc != 0) {
        return rc;
    }
    return answer_port(v, guest_copy_out(v, gva, &op, sizeof(op)), op.port);
}

/* No domain has physical interrupts, so every number is out of range. */
/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0;
    ensures \result == -XEN_EFAULT || \result == -XEN_EINVAL; */
static int64_t op_bind_pirq(struct vcpu *v, uint64_t gva)
{
    evtchn_bind_pirq_t op;

    return guest_copy_in(v, &op, gva, sizeof(op)) != 0 ? -XEN_EFAULT : -XEN_EINVAL;
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_close(struct vcpu *v, uint64_t gva)
{
    evtchn_close_t op;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    return evtchn_close(v->domain, op.port);
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_send(struct vcpu *v, uint64_t gva)
{
    evtchn_send_t op;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    return evtchn_send(v->domain, op.port);
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_status(struct vcpu *v, uint64_t gva)
{
    evtchn_status_t op;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    d = domain_get_for(v, op.dom);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_EVTCHN_STATUS, v->domain, d);
    if (rc == 0) {
        rc = evtchn_status(d, &op);
    }
    domain_put(d);
    if (rc == 0 && guest_copy_out(v, gva, &op, sizeof(op)) != 0) {
        rc = -XEN_EFAULT;
    }
    return rc;
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_bind_vcpu(struct vcpu *v, uint64_t gva)
{
    evtchn_bind_vcpu_t op;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    return evtchn_bind_vcpu(v->domain, op.port, op.vcpu);
}

/*@ requires called(v);
    ensures settled(v) && \result <= 0;
    ensures \result == 0 || \result == -XEN_EFAULT || \result == -XEN_EINVAL; */
static int64_t op_unmask(struct vcpu *v, uint64_t gva)
{
    struct domain *d = v->domain;
    struct evtchn *chn;
    evtchn_unmask_t op;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    lock_acquire(&d->evtchn.lock);
    chn = evtchn_lookup(d, op.port);
    if (chn != NULL) {
        evtchn_unmask(d, op.port, chn);
    }
    lock_release(&d->evtchn.lock);
    return chn != NULL ? 0 : -XEN_EINVAL;
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_reset(struct vcpu *v, uint64_t gva)
{
    evtchn_reset_t op;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    d = domain_get_for(v, op.dom);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_EVTCHN_RESET, v->domain, d);
    if (rc == 0 && d != v->domain && d->pause_count == 0) {
        rc = -XEN_EINVAL;
    }
    if (rc == 0) {
        /* The table remembers how far it came: the same arguments continue. */
        rc = evtchn_reset(d);
    }
    domain_put(d);
    return rc;
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_init_control(struct vcpu *v, uint64_t gva)
{
    evtchn_init_control_t op;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    rc = evtchn_fifo_init_control(v->domain, op.vcpu, op.control_gfn, op.offset);
    op.link_bits = EVTCHN_FIFO_LINK_BITS;
    if (rc == 0 && guest_copy_out(v, gva, &op, sizeof(op)) != 0) {
        rc = -XEN_EFAULT;
    }
    return rc;
}

/*@ requires called(v);
    assigns references, permitted, untold_port, events;
    ensures settled(v) && \result <= 0; */
static int64_t op_expand_array(struct vcpu *v, uint64_t gva)
{
    evtchn_expand_array_t op;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    return evtchn_fifo_expand_array(v->domain, op.array_gfn);
}

/*@ requires called(v);
    ensures settled(v) && \result <= 0; */
static int64_t op_set_priority(struct vcpu *v, uint64_t gva)
{
    struct domain *d = v->domain;
    evtchn_set_priority_t op;
    struct evtchn *chn;
    int rc = 0;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    lock_acquire(&d->evtchn.lock);
    chn = evtchn_lookup(d, op.port);
    if (chn == NULL) {
        rc = -XEN_EINVAL;
    } else if (d->evtchn.fifo == NULL) {
        rc = -XEN_ENOSYS;
    } else if (op.priority > EVTCHN_FIFO_PRIORITY_MIN) {
        rc = -XEN_EINVAL;
    } else {
        /*@ assert op.priority <= EVTCHN_FIFO_PRIORITY_MIN; */
        /* An event that is pending already stays in the queue it is in. */
        chn->priority = (uint8_t)op.priority;
    }
    lock_release(&d->evtchn.lock);
    return rc;
}

/*@ requires called(v) && \valid_read(args + (0 .. 5));
    ensures settled(v) && \result <= 0;
    ensures unknown: (uint32_t)\old(args[0]) > EVTCHNOP_set_priority ==> \result == -XEN_ENOSYS; */
int64_t do_event_channel_op(struct vcpu *v, uint64_t args[6])
{
    uint64_t gva = args[1];

    switch ((uint32_t)args[0]) {
    case EVTCHNOP_bind_interdomain:
        return op_bind_interdomain(v, gva);
    case EVTCHNOP_bind_virq:
        return op_bind_virq(v, gva);
    case EVTCHNOP_bind_pirq:
        return op_bind_pirq(v, gva);
    case EVTCHNOP_close:
        return op_close(v, gva);
    case EVTCHNOP_send:
        return op_send(v, gva);
    case EVTCHNOP_status:
        return op_status(v, gva);
    case EVTCHNOP_alloc_unbound:
        return op_alloc_unbound(v, gva);
    case EVTCHNOP_bind_ipi:
        return op_bind_ipi(v, gva);
    case EVTCHNOP_bind_vcpu:
        return op_bind_vcpu(v, gva);
    case EVTCHNOP_unmask:
        return op_unmask(v, gva);
    case EVTCHNOP_reset:
        return op_reset(v, gva);
    case EVTCHNOP_init_control:
        return op_init_control(v, gva);
    case EVTCHNOP_expand_array:
        return op_expand_array(v, gva);
    case EVTCHNOP_set_priority:
        return op_set_priority(v, gva);
    default:
        return -XEN_ENOSYS;
    }
}
