/* Ports: closing, reset, teardown. */
#include "core/evtchn/evtchn_private.h"

#include "base/arith.h"
#include "base/check.h"
#include "core/hypercall/hypercall.h"
#include "core/state.h"

/* A guest that rebinds a port as fast as another of its vCPUs closes it gets an
 * error in the end. */
#define CLOSE_RETRIES 64u

/*@ requires \valid(d) && held(&d->evtchn.lock);
    requires \valid(chn) && \separated(chn, d) && chn->state > EVTCHN_RESERVED;
    requires INV_EVT_4: d->evtchn.active > 0;
    assigns chn->state, chn->consumer, chn->vcpu, chn->remote_port, chn->remote_domid,
        chn->pending, d->evtchn.active, d->evtchn.free_hint, events;
    ensures chn->state == EVTCHN_FREE && chn->consumer == CONSUMER_NONE && chn->vcpu == 0 &&
        chn->remote_port == 0 && chn->remote_domid == 0;
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) - 1;
    ensures found_again: d->evtchn.free_hint == \min(\old(d->evtchn.free_hint), port); */
void evtchn_drop(struct domain *d, uint32_t port, struct evtchn *chn)
{
    struct evtchn_table *t = &d->evtchn;

    check(lock_held(&t->lock) && chn->state > EVTCHN_RESERVED && t->active > 0);
    /* Who gets the port next must not find an event of the old binding. */
    if (t->fifo != NULL) {
        evtchn_fifo_clear_pending(d, port, chn);
    } else {
        evtchn_2l_clear_pending(d, port);
    }
    /* last_vcpu and last_priority stay: a queue's tail may still name the port. */
    chn->state = EVTCHN_FREE;
    chn->consumer = CONSUMER_NONE;
    chn->vcpu = 0;
    chn->remote_port = 0;
    chn->remote_domid = 0;
    t->active--;
    t->free_hint = (uint32_t)min_u64(t->free_hint, port);
}

/* Forgets whom d's port is bound to, where no other domain is involved. */
/*@ requires \valid_read(d) && \valid_read(chn) && recorded(d, chn, port);
    assigns d->vcpu[0]->virq_port[chn->remote_port],
        d->vcpu[chn->vcpu]->virq_port[chn->remote_port];
    ensures INV_EVT_3: chn->state == EVTCHN_VIRQ && global_virq(chn->remote_port) ==>
        d->vcpu[0]->virq_port[chn->remote_port] == 0;
    ensures INV_EVT_3_own: chn->state == EVTCHN_VIRQ && !global_virq(chn->remote_port) ==>
        d->vcpu[chn->vcpu]->virq_port[chn->remote_port] == 0; */
static void unbind_own(struct domain *d, uint32_t port, const struct evtchn *chn)
{
    if (chn->state == EVTCHN_VIRQ) {
        struct vcpu *v = d->vcpu[evtchn_virq_is_global(chn->remote_port) ? 0 : chn->vcpu];

        /*@ assert INV_EVT_3: v != \null && records(v, chn, port); */
        check(v != NULL && v->virq_port[chn->remote_port] == port);
        v->virq_port[chn->remote_port] = 0;
    }
}

/* Puts chn, d's port, back; rchn, which it was bound to, waits for d again. */
/*@ requires \valid(d) && held(&d->evtchn.lock);
    requires places: apart(chn, rchn, d, d) && apart(rchn, chn, d, d);
    requires INV_EVT_1: chn->state == EVTCHN_INTERDOMAIN && names(rchn, d, port);
    requires INV_EVT_4: d->evtchn.active > 0;
    assigns chn->state, chn->consumer, chn->vcpu, chn->remote_port, chn->remote_domid,
        chn->pending, rchn->state, rchn->remote_port, d->evtchn.active, d->evtchn.free_hint,
        events;
    ensures chn->state == EVTCHN_FREE;
    ensures rchn->state == EVTCHN_UNBOUND;
    ensures rchn->remote_domid == d->id;
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) - 1;
    ensures locked: held(&d->evtchn.lock); */
static void part(struct domain *d, uint32_t port, struct evtchn *chn, struct evtchn *rchn)
{
    rchn->state = EVTCHN_UNBOUND;
    rchn->remote_port = 0;
    evtchn_drop(d, port, chn);
}

/* Closes d's port if it is bound to one of rd's. Both are locked. */
/*@ requires table_of(d) && table_of(rd) && same_or_apart(d, rd) && held(&d->evtchn.lock);
    requires INV_EVT_1: bound_to(d, port, rd) ==> has_port(rd, peer_of(d, port)) &&
        names_peer(rd, peer_of(d, port), d, port);
    requires INV_EVT_4: bound_to(d, port, rd) ==> d->evtchn.active > 0;
    requires places: bound_to(d, port, rd) ==>
        apart(port_entry(d, port), port_entry(rd, peer_of(d, port)), d, rd) &&
        apart(port_entry(rd, peer_of(d, port)), port_entry(d, port), d, rd);
    assigns port_entry(d, port)->state, port_entry(d, port)->consumer, port_entry(d, port)->vcpu,
        port_entry(d, port)->remote_port, port_entry(d, port)->remote_domid,
        port_entry(d, port)->pending, port_entry(rd, peer_of(d, port))->state,
        port_entry(rd, peer_of(d, port))->remote_port, d->evtchn.active, d->evtchn.free_hint,
        events;
    ensures \result <==> \old(bound_to(d, port, rd));
    ensures closed: \result ==> port_entry(d, port)->state == EVTCHN_FREE;
    ensures waits: \result ==>
        port_entry(rd, \old(peer_of(d, port)))->state == EVTCHN_UNBOUND &&
        port_entry(rd, \old(peer_of(d, port)))->remote_domid == d->id;
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) - (\result ? 1 : 0);
    ensures locked: held(&d->evtchn.lock); */
static bool close_pair(struct domain *d, uint32_t port, struct domain *rd)
{
    struct evtchn *chn = evtchn_lookup(d, port), *rchn;

    if (chn == NULL || chn->state != EVTCHN_INTERDOMAIN || chn->remote_domid != rd->id) {
        return false;
    }
    rchn = evtchn_lookup(rd, chn->remote_port);
    /* INV-EVT-1 */
    check(rchn != NULL && rchn->state == EVTCHN_INTERDOMAIN && rchn->remote_domid == d->id &&
          rchn->remote_port == port);
    part(d, port, chn, rchn);
    return true;
}

/* One attempt at an interdomain port, whose peer was seen in domain peer: true
 * iff the port is done with. */
static bool close_interdomain(struct domain *d, uint32_t port, domid_t peer)
{
    struct domain *rd = domain_get(peer);
    bool done;

    if (rd == NULL) {
        return false;
    }
    lock_pair(&d->evtchn.lock, &rd->evtchn.lock);
    done = close_pair(d, port, rd);
    unlock_pair(&d->evtchn.lock, &rd->evtchn.lock);
    domain_put(rd);
    return done;
}

int evtchn_close(struct domain *d, uint32_t port)
{
    for (unsigned i = 0; i < CLOSE_RETRIES; i++) {
        struct evtchn *chn;
        domid_t peer;

        lock_acquire(&d->evtchn.lock);
        chn = evtchn_lookup(d, port);
        if (chn == NULL || chn->state <= EVTCHN_RESERVED) {
            lock_release(&d->evtchn.lock);
            return -XEN_EINVAL;
        }
        if (chn->state != EVTCHN_INTERDOMAIN) {
            unbind_own(d, port, chn);
            evtchn_drop(d, port, chn);
            lock_release(&d->evtchn.lock);
            return 0;
        }
        peer = chn->remote_domid;
        lock_release(&d->evtchn.lock);
        if (close_interdomain(d, port, peer)) {
            return 0;
        }
    }
    return -XEN_EAGAIN;
}

/*@ requires unlocked_table(d);
    assigns d->evtchn.lock.spin.word;
    ensures unlocked: !held(&d->evtchn.lock);
    ensures \result <==> port_used(d, port) && port_entry(d, port)->consumer != CONSUMER_NONE; */
static bool port_has_consumer(struct domain *d, uint32_t port)
{
    struct evtchn *chn;
    bool has;

    lock_acquire(&d->evtchn.lock);
    chn = evtchn_lookup(d, port);
    has = chn != NULL && chn->state > EVTCHN_RESERVED && chn->consumer != CONSUMER_NONE;
    lock_release(&d->evtchn.lock);
    return has;
}

/* Ports of the hypervisor's consumers survive a reset, as Xen's own do: the
 * next kernel finds its console where the first one did. */
static int reset_finish(struct domain *d)
{
    struct evtchn_table *t = &d->evtchn;
    uint32_t kept = 0;
    int rc = 0;

    lock_acquire(&t->lock);
    for (uint32_t p = 1; p < t->valid_ports; p++) {
        const struct evtchn *chn = evtchn_slot(d, p);

        kept += chn->state > EVTCHN_RESERVED && chn->consumer != CONSUMER_NONE;
    }
    if (t->active > kept) {
        rc = -XEN_EAGAIN;
    } else if (t->fifo != NULL) {
        evtchn_fifo_destroy(d);
    }
    t->reset_cursor = 0;
    lock_release(&t->lock);
    return rc;
}

int evtchn_reset(struct domain *d)
{
    struct evtchn_table *t = &d->evtchn;
    uint32_t p;

    lock_acquire(&t->lock);
    p = (uint32_t)max_u64(t->reset_cursor, 1);
    lock_release(&t->lock);
    for (;; p++) {
        bool more;

        lock_acquire(&t->lock);
        more = p < t->valid_ports;
        t->reset_cursor = p;
        lock_release(&t->lock);
        if (!more) {
            return reset_finish(d);
        }
        if (!port_has_consumer(d, p)) {
            (void)evtchn_close(d, p);
        }
        if (p % 64 == 0 && hypercall_preempt()) {
            lock_acquire(&t->lock);
            t->reset_cursor = p + 1;
            lock_release(&t->lock);
            return -XEN_ERESTART;
        }
    }
}

int evtchn_teardown(struct domain *d)
{
    struct evtchn_table *t = &d->evtchn;

    check(d->state != DOMAIN_ALIVE);
    if (t->teardown_cursor == 0) {
        /* Whoever allocates from now on sees the state; whoever did is done. */
        lock_acquire(&t->lock);
        t->teardown_cursor = 1;
        lock_release(&t->lock);
    }
    while (t->teardown_cursor < t->valid_ports) {
        uint32_t p = t->teardown_cursor;

        /* Nobody binds a port any more, so that those not in use stay so. */
        lock_acquire(&t->lock);
        while (p % 64 != 63 && evtchn_slot(d, p)->state <= EVTCHN_RESERVED) {
            p++;
        }
        lock_release(&t->lock);
        /* A peer may be closing the same pair: it is tried again. */
        t->teardown_cursor = evtchn_close(d, p) != -XEN_EAGAIN ? p + 1 : p;
        if (t->teardown_cursor % 64 == 0 && hypercall_preempt()) {
            return -XEN_ERESTART;
        }
    }
    lock_acquire(&t->lock);
    check(t->active == 0);
    if (t->fifo != NULL) {
        evtchn_fifo_destroy(d);
    }
    t->teardown_cursor = UINT32_MAX;
    lock_release(&t->lock);
    while (t->valid_ports != 0) {
        lock_acquire(&t->lock);
        evtchn_shrink(d);
        lock_release(&t->lock);
        if (t->valid_ports != 0 && hypercall_preempt()) {
            return -XEN_ERESTART;
        }
    }
    return 0;
}
