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

/*@ requires tables && is_domain(d) && !held(&d->evtchn.lock);
    assigns d->evtchn.lock.spin.word;
    ensures locked: held(&d->evtchn.lock);
    ensures sizes: same_sizes{Pre, Here};
    ensures tables: tables; */
static void table_lock(struct domain *d)
{
    lock_acquire(&d->evtchn.lock);
    /*@ assert sizes: same_sizes{Pre, Here}; */
    /*@ assert ports: \forall struct domain *r; is_domain(r) ==> port_table(r); */
    /*@ assert groups: \forall struct domain *r; is_domain(r) ==> own_groups(r); */
}

/*@ requires tables && is_domain(d) && is_domain(r);
    requires !held(&d->evtchn.lock) && !held(&r->evtchn.lock);
    assigns d->evtchn.lock.spin.word, r->evtchn.lock.spin.word;
    ensures locked: held(&d->evtchn.lock) && held(&r->evtchn.lock);
    ensures sizes: same_sizes{Pre, Here};
    ensures tables: tables; */
static void tables_lock(struct domain *d, struct domain *r)
{
    lock_pair(&d->evtchn.lock, &r->evtchn.lock);
    /*@ assert sizes: same_sizes{Pre, Here}; */
    /*@ assert ports: \forall struct domain *x; is_domain(x) ==> port_table(x); */
    /*@ assert groups: \forall struct domain *x; is_domain(x) ==> own_groups(x); */
}

/* A new port that waits for remote, or that consumer c of the hypervisor has. */
/*@ requires may_grow(d, port) && !held(&d->evtchn.lock);
    ensures unlocked: !held(&d->evtchn.lock);
    ensures made: \result == 0 ==> has_port(d, *port) &&
        port_entry(d, *port)->state == EVTCHN_UNBOUND;
    ensures waits: \result == 0 ==> port_entry(d, *port)->remote_domid == remote;
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) + (\result == 0 ? 1 : 0); */
static int alloc(struct domain *d, domid_t remote, enum evtchn_consumer c, uint32_t *port)
{
    struct evtchn *chn;
    int rc;

    table_lock(d);
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

/* A new port of d's for rchn, port q of rd's, which stays what and where it is. */
/*@ requires may_grow(d, port) && is_domain(rd) && held(&d->evtchn.lock);
    requires waits: has_port(rd, q) && rchn == port_entry(rd, q) &&
        rchn->state == EVTCHN_UNBOUND && rchn->remote_domid == d->id;
    requires held(&rd->evtchn.lock);
    assigns *port, d->hyp_pages, d->evtchn.active, d->evtchn.free_hint, d->evtchn.valid_ports,
        d->evtchn.group[0 .. EVTCHN_GROUPS - 1], {*s | struct evtchn **s; domain_of(s) == d};
    ensures \result <= 0;
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) + (\result == 0 ? 1 : 0);
    ensures stays: has_port(rd, q) && rchn == port_entry(rd, q);
    ensures tables: port_table(d);
    ensures new: \result == 0 ==> has_port(d, *port) &&
        port_entry(d, *port)->state == EVTCHN_FREE;
    ensures apart: \result == 0 ==> apart(port_entry(d, *port), rchn, d, rd) &&
        apart(rchn, port_entry(d, *port), d, rd);
    ensures told: \result == 0 ==> \separated(port_entry(d, *port), port) &&
        \separated(rchn, port);
    ensures valid: \valid(d) && \valid(rd) && \valid_read(port);
    ensures locked: held(&d->evtchn.lock) && held(&rd->evtchn.lock);
    ensures own: is_entry(rchn) && (\result == 0 ==> is_entry(port_entry(d, *port)));
    ensures waits: rchn->state == EVTCHN_UNBOUND && rchn->remote_domid == d->id; */
static int take_for(struct domain *d, const struct domain *rd, uint32_t q,
                    const struct evtchn *rchn, uint32_t *port)
{
    int rc;

    /*@ assert known: domains && entries && own_entries(rd); */
    /*@ assert own: is_entry(rchn); */
    rc = evtchn_take(d, port);
    /*@ assert stays: has_port(rd, q) && rchn == port_entry(rd, q); */
    /*@ assert apart: rc == 0 ==> port_entry(d, *port) != rchn; */
    return rc;
}

/* Makes d's new port and rchn, port q of rd's, peers. */
/*@ requires \valid(d) && \valid(rd) && \valid_read(port) && port_table(d) &&
        held(&d->evtchn.lock) && held(&rd->evtchn.lock);
    requires new: has_port(d, *port) && port_entry(d, *port)->state == EVTCHN_FREE;
    requires waits: has_port(rd, q) && rchn == port_entry(rd, q) &&
        rchn->state == EVTCHN_UNBOUND && rchn->remote_domid == d->id;
    requires apart: apart(port_entry(d, *port), rchn, d, rd) &&
        apart(rchn, port_entry(d, *port), d, rd);
    requires told: \separated(port_entry(d, *port), port) && \separated(rchn, port);
    ensures port: 0 < *port < d->evtchn.valid_ports;
    ensures remote_port: 0 < q < rd->evtchn.valid_ports;
    ensures INV_EVT_1: names_peer(d, *port, rd, q);
    ensures INV_EVT_1_back: names_peer(rd, q, d, *port);
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active);
    ensures entries: port_entry(d, *port) == \old(port_entry(d, *port)) &&
        port_entry(rd, q) == \old(port_entry(rd, q));
    ensures locked: held(&d->evtchn.lock) && held(&rd->evtchn.lock);
    ensures valid: \valid(d) && \valid(rd);
    ensures references: references == \old(references) && permitted == \old(permitted); */
static void pair_up(struct domain *d, const struct domain *rd, uint32_t q, struct evtchn *rchn,
                    const uint32_t *port)
{
    uint32_t p = *port;
    struct evtchn *chn = evtchn_slot(d, p);

    join(d, p, chn, rd, q, rchn);
    /*@ assert same: *port == p; */
    /*@ assert places: chn == port_entry(d, p) && rchn == port_entry(rd, q); */
    /*@ assert bound: names(chn, rd, q) && names(rchn, d, p); */
}

/* Both domains are locked. */
/*@ requires may_grow(d, port) && is_domain(rd) && \valid(rd);
    requires held(&d->evtchn.lock) && held(&rd->evtchn.lock);
    ensures \result <= 0;
    ensures asked_for: \result == 0 ==> \old(has_port(rd, remote_port) &&
        port_entry(rd, remote_port)->state == EVTCHN_UNBOUND &&
        port_entry(rd, remote_port)->remote_domid == d->id);
    ensures port: \result == 0 ==> 0 < *port < d->evtchn.valid_ports;
    ensures remote_port: \result == 0 ==> 0 < remote_port < rd->evtchn.valid_ports;
    ensures INV_EVT_1: \result == 0 ==> names_peer(d, *port, rd, remote_port);
    ensures INV_EVT_1_back: \result == 0 ==> names_peer(rd, remote_port, d, *port);
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) + (\result == 0 ? 1 : 0);
    ensures own: \result == 0 ==> is_entry(port_entry(d, *port)) &&
        is_entry(port_entry(rd, remote_port));
    ensures locked: held(&d->evtchn.lock) && held(&rd->evtchn.lock);
    ensures valid: \valid(d) && \valid(rd);
    ensures references: references == \old(references) && permitted == \old(permitted); */
static int bind_pair(struct domain *d, struct domain *rd, uint32_t remote_port, uint32_t *port)
{
    struct evtchn *rchn = evtchn_lookup(rd, remote_port);
    int rc;

    if (rchn == NULL || rchn->state != EVTCHN_UNBOUND || rchn->remote_domid != d->id) {
        return -XEN_EINVAL;
    }
    rc = take_for(d, rd, remote_port, rchn, port);
    if (rc == 0) {
        pair_up(d, rd, remote_port, rchn, port);
    }
    return rc;
}

/*@ requires may_grow(d, port);
    requires \forall struct domain *r; is_domain(r) ==> !held(&r->evtchn.lock);
    ensures references: references == \old(references);
    ensures unlocked: !held(&d->evtchn.lock);
    ensures INV_EVT_1: \result == 0 ==> \exists struct domain *r; is_domain(r) &&
        names_peer(d, *port, r, remote_port) && names_peer(r, remote_port, d, *port);
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) + (\result == 0 ? 1 : 0);
    ensures allowed: \result == 0 ==> permitted != 0; */
int evtchn_bind_interdomain(struct domain *d, domid_t remote, uint32_t remote_port, uint32_t *port)
{
    struct domain *rd = domain_get(remote == DOMID_SELF ? d->id : remote);
    int rc;

    if (rd == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_EVTCHN_BIND, d, rd);
    if (rc == 0) {
        tables_lock(d, rd);
        rc = bind_pair(d, rd, remote_port, port);
        unlock_pair(&d->evtchn.lock, &rd->evtchn.lock);
        /*@ assert bound: rc == 0 ==> names_peer(d, *port, rd, remote_port); */
        /*@ assert bound: rc == 0 ==> names_peer(rd, remote_port, d, *port); */
    }
    domain_put(rd);
    return rc;
}

/* chn, new port of v's domain, is bound to virq of v, vCPU id of the domain. */
/*@ requires \valid(chn) && \valid(v) && \separated(chn, v) && virq < NR_VIRQS;
    assigns chn->state, chn->priority, chn->vcpu, chn->remote_port, v->virq_port[virq];
    ensures INV_EVT_3: chn->state == EVTCHN_VIRQ && chn->vcpu == id && chn->remote_port == virq &&
        v->virq_port[virq] == port; */
static void record(struct evtchn *chn, uint32_t port, struct vcpu *v, uint32_t id, uint32_t virq)
{
    begin(chn, EVTCHN_VIRQ);
    chn->vcpu = id;
    chn->remote_port = virq;
    v->virq_port[virq] = port;
}

/*@ requires may_grow(d, port) && vcpus && !held(&d->evtchn.lock);
    ensures unlocked: !held(&d->evtchn.lock);
    ensures there_is: \result == 0 ==> virq < NR_VIRQS && vcpu < MAX_VCPUS;
    ensures once: \result == 0 ==> global_virq(virq) ==> vcpu == 0; */
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
    table_lock(d);
    rc = v->virq_port[virq] != 0 ? -XEN_EEXIST : evtchn_take(d, port);
    /*@ assert locked: held(&d->evtchn.lock); */
    if (rc == 0) {
        chn = evtchn_slot(d, *port);
        /*@ assert own: is_entry(chn); */
        /*@ assert apart: \separated(chn, d) && \separated(chn, port) && \separated(chn, v); */
        /*@ assert record: \separated(v, d) && \separated(v, port); */
        record(chn, *port, v, vcpu, virq);
        /*@ assert locked: held(&d->evtchn.lock); */
    }
    lock_release(&d->evtchn.lock);
    return rc;
}

/*@ requires may_grow(d, port) && vcpus && !held(&d->evtchn.lock);
    ensures unlocked: !held(&d->evtchn.lock);
    ensures made: \result == 0 ==> has_port(d, *port) && port_entry(d, *port)->state == EVTCHN_IPI;
    ensures notified: \result == 0 ==> port_entry(d, *port)->vcpu == vcpu < MAX_VCPUS;
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) + (\result == 0 ? 1 : 0); */
int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port)
{
    struct evtchn *chn;
    int rc;

    if (domain_vcpu(d, vcpu) == NULL) {
        return -XEN_ENOENT;
    }
    table_lock(d);
    rc = evtchn_take(d, port);
    if (rc == 0) {
        chn = evtchn_slot(d, *port);
        /*@ assert own: is_entry(chn); */
        /*@ assert apart: \separated(chn, d) && \separated(chn, port); */
        begin(chn, EVTCHN_IPI);
        chn->vcpu = vcpu;
        /*@ assert made: has_port(d, *port) && chn == port_entry(d, *port); */
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
