/* Binding ports to peers, VIRQs and vCPUs, and asking what they are bound to. */
#include "core/evtchn/evtchn_private.h"

#include "core/policy/policy.h"

/* A new port that waits for remote, or that consumer c of the hypervisor has. */
static int alloc(struct domain *d, domid_t remote, enum evtchn_consumer c, uint32_t *port)
{
    struct evtchn *chn;
    int rc;

    lock_acquire(&d->evtchn.lock);
    rc = evtchn_take(d, port, &chn);
    if (rc == 0) {
        chn->state = EVTCHN_UNBOUND;
        chn->remote_domid = remote;
        chn->consumer = (uint8_t)c;
    }
    lock_release(&d->evtchn.lock);
    return rc;
}

int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *port)
{
    return alloc(d, remote, CONSUMER_NONE, port);
}

int evtchn_alloc_consumer(struct domain *d, enum evtchn_consumer c, uint32_t *port)
{
    return alloc(d, DOMID_XEN, c, port);
}

/* Both domains are locked. */
static int bind_pair(struct domain *d, struct domain *rd, uint32_t remote_port, uint32_t *port)
{
    struct evtchn *chn, *rchn;
    int rc;

    rchn = evtchn_lookup(rd, remote_port);
    if (rchn == NULL || rchn->state != EVTCHN_UNBOUND || rchn->remote_domid != d->id) {
        return -XEN_EINVAL;
    }
    rc = evtchn_take(d, port, &chn);
    if (rc != 0) {
        return rc;
    }
    chn->state = EVTCHN_INTERDOMAIN;
    chn->remote_domid = rd->id;
    chn->remote_port = remote_port;
    rchn->state = EVTCHN_INTERDOMAIN;
    rchn->remote_port = *port;
    /* The peer may have sent while nobody was there to hear it. */
    evtchn_raise(d, *port, chn);
    return 0;
}

int evtchn_bind_interdomain(struct domain *d, domid_t remote, uint32_t remote_port, uint32_t *port)
{
    struct domain *rd = domain_get(remote == DOMID_SELF ? d->id : remote);
    int rc;

    if (rd == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_EVTCHN_BIND, d, rd);
    if (rc == 0) {
        lock_pair(&d->evtchn.lock, &rd->evtchn.lock);
        rc = bind_pair(d, rd, remote_port, port);
        unlock_pair(&d->evtchn.lock, &rd->evtchn.lock);
    }
    domain_put(rd);
    return rc;
}

int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    struct evtchn *chn;
    struct vcpu *v;
    int rc;

    if (virq >= NR_VIRQS || (evtchn_virq_is_global(virq) && vcpu != 0)) {
        return -XEN_EINVAL;
    }
    v = domain_vcpu(d, vcpu);
    if (v == NULL) {
        return -XEN_ENOENT;
    }
    lock_acquire(&d->evtchn.lock);
    rc = v->virq_port[virq] != 0 ? -XEN_EEXIST : evtchn_take(d, port, &chn);
    if (rc == 0) {
        chn->state = EVTCHN_VIRQ;
        chn->vcpu = vcpu;
        chn->remote_port = virq;
        v->virq_port[virq] = *port;
    }
    lock_release(&d->evtchn.lock);
    return rc;
}

int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port)
{
    struct evtchn *chn;
    int rc;

    if (domain_vcpu(d, vcpu) == NULL) {
        return -XEN_ENOENT;
    }
    lock_acquire(&d->evtchn.lock);
    rc = evtchn_take(d, port, &chn);
    if (rc == 0) {
        chn->state = EVTCHN_IPI;
        chn->vcpu = vcpu;
    }
    lock_release(&d->evtchn.lock);
    return rc;
}

static bool may_move(const struct evtchn *chn)
{
    switch (chn->state) {
    case EVTCHN_VIRQ:
        return evtchn_virq_is_global(chn->remote_port);
    case EVTCHN_UNBOUND:
    case EVTCHN_INTERDOMAIN:
        return true;
    default:
        return false;
    }
}

int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
    struct evtchn *chn;
    int rc = -XEN_EINVAL;

    if (domain_vcpu(d, vcpu) == NULL) {
        return -XEN_ENOENT;
    }
    lock_acquire(&d->evtchn.lock);
    chn = evtchn_lookup(d, port);
    if (chn != NULL && may_move(chn)) {
        chn->vcpu = vcpu;
        rc = 0;
    }
    lock_release(&d->evtchn.lock);
    return rc;
}

static void describe(const struct evtchn *chn, evtchn_status_t *s)
{
    s->vcpu = chn->vcpu;
    switch (chn->state) {
    case EVTCHN_UNBOUND:
        s->status = EVTCHNSTAT_unbound;
        s->u.unbound.dom = chn->remote_domid;
        break;
    case EVTCHN_INTERDOMAIN:
        s->status = EVTCHNSTAT_interdomain;
        s->u.interdomain.dom = chn->remote_domid;
        s->u.interdomain.port = chn->remote_port;
        break;
    case EVTCHN_VIRQ:
        s->status = EVTCHNSTAT_virq;
        s->u.virq = chn->remote_port;
        break;
    case EVTCHN_IPI:
        s->status = EVTCHNSTAT_ipi;
        break;
    default:
        s->status = EVTCHNSTAT_closed;
        break;
    }
}

/* Port 0 answers "closed": tools count up from it. */
int evtchn_status(struct domain *d, evtchn_status_t *s)
{
    struct evtchn *chn;

    lock_acquire(&d->evtchn.lock);
    chn = evtchn_slot(d, s->port);
    if (chn != NULL) {
        describe(chn, s);
    }
    lock_release(&d->evtchn.lock);
    return chn != NULL ? 0 : -XEN_EINVAL;
}
