/* Binding ports to peers, VIRQs and vCPUs, and asking what they are bound to. */
#include "core/evtchn/evtchn_private.h"

#include "core/policy/policy.h"

/* chn, which evtchn_take() has found, is in this state now. */
/*@ requires \valid(chn);
    assigns chn->state, chn->priority;
    ensures \result == chn && chn->state == (uint8_t)state; */
static struct evtchn *begin(struct evtchn *chn, enum evtchn_state state)
{
    chn->state = (uint8_t)state;
    chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    return chn;
}

/* A new port that waits for remote, or that consumer c of the hypervisor has. */
static int alloc(struct domain *d, domid_t remote, enum evtchn_consumer c, uint32_t *port)
{
    struct evtchn *chn;
    int rc;

    lock_acquire(&d->evtchn.lock);
    rc = evtchn_take(d, port);
    if (rc == 0) {
        chn = begin(evtchn_slot(d, *port), EVTCHN_UNBOUND);
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

/* Makes chn, new port p of d's, and rchn, port q of r's, which waits for d, peers. */
/*@ requires \valid(d) && held(&d->evtchn.lock) && \valid_read(r);
    requires places: apart(chn, rchn, d, r) && apart(rchn, chn, d, r);
    requires waits: rchn->state == EVTCHN_UNBOUND && rchn->remote_domid == d->id;
    requires free: chn->state == EVTCHN_FREE;
    assigns chn->state, chn->priority, chn->remote_domid, chn->remote_port, chn->pending,
        chn->last_vcpu, chn->last_priority, rchn->state, rchn->remote_port, events;
    ensures INV_EVT_1: names(chn, r, q);
    ensures INV_EVT_1_back: names(rchn, d, p);
    ensures locked: held(&d->evtchn.lock); */
static void join(struct domain *d, uint32_t p, struct evtchn *chn, const struct domain *r,
                 uint32_t q, struct evtchn *rchn)
{
    begin(chn, EVTCHN_INTERDOMAIN)->remote_domid = r->id;
    chn->remote_port = q;
    rchn->state = EVTCHN_INTERDOMAIN;
    rchn->remote_port = p;
    /* The peer may have sent while nobody was there to hear it. */
    evtchn_raise(d, p, chn);
}

/* Both domains are locked. */
/*@ requires table_of(d) && table_of(rd) && same_or_apart(d, rd) && port_place(port);
    requires held(&d->evtchn.lock) && held(&rd->evtchn.lock);
    requires own: has_port(rd, remote_port) ==> own_entry(port_entry(rd, remote_port));
    ensures \result <= 0;
    ensures asked_for: \result == 0 ==> \old(has_port(rd, remote_port) &&
        port_entry(rd, remote_port)->state == EVTCHN_UNBOUND &&
        port_entry(rd, remote_port)->remote_domid == d->id);
    ensures port: \result == 0 ==> 0 < *port < d->evtchn.valid_ports;
    ensures remote_port: \result == 0 ==> 0 < remote_port < rd->evtchn.valid_ports;
    ensures INV_EVT_1: \result == 0 ==> names_peer(d, *port, rd, remote_port);
    ensures INV_EVT_1_back: \result == 0 ==> names_peer(rd, remote_port, d, *port);
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) + (\result == 0 ? 1 : 0); */
static int bind_pair(struct domain *d, struct domain *rd, uint32_t remote_port, uint32_t *port)
{
    struct evtchn *rchn = evtchn_lookup(rd, remote_port), *chn;
    uint32_t p;
    int rc;

    if (rchn == NULL || rchn->state != EVTCHN_UNBOUND || rchn->remote_domid != d->id) {
        return -XEN_EINVAL;
    }
    rc = evtchn_take(d, port);
    if (rc != 0) {
        return rc;
    }
    p = *port;
    chn = evtchn_slot(d, p);
    /*@ assert new: apart(chn, rchn, d, rd); */
    /*@ assert waiting: apart(rchn, chn, d, rd); */
    /*@ assert told: \separated(chn, port) && \separated(rchn, port); */
    /*@ assert port: 0 < p < d->evtchn.valid_ports; */
    /*@ assert remote_port: 0 < remote_port < rd->evtchn.valid_ports; */
    join(d, p, chn, rd, remote_port, rchn);
    /*@ assert same: *port == p; */
    /*@ assert places: chn == port_entry(d, p) && rchn == port_entry(rd, remote_port); */
    /*@ assert bound: names(chn, rd, remote_port) && names(rchn, d, p); */
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
    rc = v->virq_port[virq] != 0 ? -XEN_EEXIST : evtchn_take(d, port);
    if (rc == 0) {
        chn = begin(evtchn_slot(d, *port), EVTCHN_VIRQ);
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
    rc = evtchn_take(d, port);
    if (rc == 0) {
        chn = begin(evtchn_slot(d, *port), EVTCHN_IPI);
        chn->vcpu = vcpu;
    }
    lock_release(&d->evtchn.lock);
    return rc;
}

/*@ requires \valid_read(chn);
    assigns \nothing;
    ensures \result <==> chn->state == EVTCHN_UNBOUND || chn->state == EVTCHN_INTERDOMAIN ||
        (chn->state == EVTCHN_VIRQ && global_virq(chn->remote_port)); */
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

/*@ requires \valid_read(chn) && \valid(s) && \separated(chn, s);
    assigns s->vcpu, s->status, s->u;
    ensures s->vcpu == chn->vcpu;
    ensures chn->state == EVTCHN_UNBOUND ==> s->status == EVTCHNSTAT_unbound &&
        s->u.unbound.dom == chn->remote_domid;
    ensures chn->state == EVTCHN_VIRQ ==> s->status == EVTCHNSTAT_virq &&
        s->u.virq == chn->remote_port;
    ensures chn->state == EVTCHN_IPI ==> s->status == EVTCHNSTAT_ipi;
    ensures chn->state <= EVTCHN_RESERVED ==> s->status == EVTCHNSTAT_closed; */
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
