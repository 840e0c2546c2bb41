/* The table of ports: storage, allocation, closing, teardown. */
#include "core/evtchn/evtchn_private.h"

#include "base/arith.h"
#include "base/check.h"
#include "core/hypercall/hypercall.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

/* A guest that rebinds a port as fast as another of its vCPUs closes it gets an
 * error in the end. */
#define CLOSE_RETRIES 64u

_Static_assert(sizeof(struct evtchn) * EVTCHN_PER_BUCKET <= PAGE_SIZE, "bucket fits a page");
_Static_assert(sizeof(struct evtchn *) * EVTCHN_BUCKETS_PER_GROUP <= PAGE_SIZE,
               "group fits a page");
_Static_assert(PORTS_PER_GROUP *EVTCHN_GROUPS == EVTCHN_FIFO_NR_CHANNELS,
               "table covers the FIFO ABI");

/*@ requires port_table(d) && port < d->evtchn.valid_ports;
    assigns \nothing;
    ensures \valid(\result) && \valid(*\result + (0 .. EVTCHN_PER_BUCKET - 1));
    ensures \result == &d->evtchn.group[port / PORTS_PER_GROUP]
        [port % PORTS_PER_GROUP / EVTCHN_PER_BUCKET]; */
static struct evtchn **bucket_of(const struct domain *d, uint32_t port)
{
    return &d->evtchn.group[port / PORTS_PER_GROUP][port % PORTS_PER_GROUP / EVTCHN_PER_BUCKET];
}

/*@ requires port_table(d);
    assigns \nothing;
    ensures INV_EVT_2: \result == \null <==> port >= d->evtchn.valid_ports;
    ensures \result != \null ==> \valid(\result) && \result == port_entry(d, port); */
struct evtchn *evtchn_slot(const struct domain *d, uint32_t port)
{
    if (port >= d->evtchn.valid_ports) {
        return NULL;
    }
    return &(*bucket_of(d, port))[port % EVTCHN_PER_BUCKET];
}

/*@ requires port_table(d);
    assigns \nothing;
    ensures INV_EVT_2: \result == \null <==> port == 0 || port >= d->evtchn.valid_ports;
    ensures \result != \null ==> \valid(\result) && \result == port_entry(d, port); */
struct evtchn *evtchn_lookup(const struct domain *d, uint32_t port)
{
    return port == 0 ? NULL : evtchn_slot(d, port);
}

/* First port that the domain's limit or its ABI forbids. */
/*@ requires \valid_read(d);
    assigns \nothing;
    ensures \result <= d->evtchn.max_port + 1 && \result <= EVTCHN_FIFO_NR_CHANNELS;
    ensures d->evtchn.fifo == \null ==> \result <= EVTCHN_2L_NR_CHANNELS;
    ensures \result == d->evtchn.max_port + 1 || \result ==
        (d->evtchn.fifo == \null ? EVTCHN_2L_NR_CHANNELS : EVTCHN_FIFO_NR_CHANNELS); */
static uint32_t port_limit(const struct domain *d)
{
    uint32_t abi =
        d->evtchn.fifo != NULL ? EVTCHN_FIFO_NR_CHANNELS : (uint32_t)EVTCHN_2L_NR_CHANNELS;

    return (uint32_t)min_u64(abi, (uint64_t)d->evtchn.max_port + 1);
}

/* Adds storage for the next EVTCHN_PER_BUCKET ports. */
static int grow(struct domain *d)
{
    struct evtchn_table *t = &d->evtchn;
    uint32_t port = t->valid_ports;
    struct evtchn *bucket;

    check(port < EVTCHN_FIFO_NR_CHANNELS);
    if (t->group[port / PORTS_PER_GROUP] == NULL) {
        t->group[port / PORTS_PER_GROUP] = hyp_pages_alloc(d, 0, FRAME_HYP);
        if (t->group[port / PORTS_PER_GROUP] == NULL) {
            return -XEN_ENOMEM;
        }
    }
    bucket = hyp_pages_alloc(d, 0, FRAME_HYP);
    if (bucket == NULL) {
        return -XEN_ENOMEM;
    }
    for (unsigned i = 0; i < EVTCHN_PER_BUCKET; i++) {
        bucket[i].state = EVTCHN_FREE;
    }
    *bucket_of(d, port) = bucket;
    t->valid_ports = port + EVTCHN_PER_BUCKET;
    return 0;
}

/* Gives the storage of the last EVTCHN_PER_BUCKET ports back. */
static void shrink(struct domain *d)
{
    struct evtchn_table *t = &d->evtchn;
    uint32_t port = t->valid_ports - EVTCHN_PER_BUCKET;
    struct evtchn **bucket = bucket_of(d, port);

    t->valid_ports = port;
    hyp_pages_free(*bucket, 0);
    *bucket = NULL;
    if (port % PORTS_PER_GROUP == 0) {
        hyp_pages_free(t->group[port / PORTS_PER_GROUP], 0);
        t->group[port / PORTS_PER_GROUP] = NULL;
    }
}

int evtchn_init(struct domain *d, uint32_t max_port)
{
    struct evtchn_table *t = &d->evtchn;
    int rc;

    lock_init(&t->lock, LOCK_EVTCHN);
    t->max_port = max_port;
    rc = grow(d);
    if (rc != 0) {
        evtchn_free(d);
        return rc;
    }
    evtchn_slot(d, 0)->state = EVTCHN_RESERVED;
    t->free_hint = 1;
    return 0;
}

/*@ requires table_of(d) && held(&d->evtchn.lock) && port_place(port);
    terminates \true;
    assigns *port, d->evtchn.active, d->evtchn.free_hint, d->evtchn.valid_ports,
        d->evtchn.group[0 .. 1], d->evtchn.group[0 .. 1][0 .. EVTCHN_BUCKETS_PER_GROUP - 1];
    ensures \result == 0 || \result == -XEN_EINVAL || \result == -XEN_ENOSPC ||
        \result == -XEN_ENOMEM;
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) + (\result == 0 ? 1 : 0);
    ensures grows: \forall struct domain *r, integer p; is_domain(r) && has_port{Pre}(r, p) ==>
        has_port(r, p) && port_entry(r, p) == port_entry{Pre}(r, p);
    ensures tables: \forall struct domain *r; is_domain(r) && port_table{Pre}(r) ==>
        port_table(r);
    ensures was_free: \result == 0 ==> has_port(d, *port) && d->state == DOMAIN_ALIVE &&
        port_entry(d, *port)->state == EVTCHN_FREE && own_entry(port_entry(d, *port)); */
int evtchn_take(struct domain *d, uint32_t *port)
{
    struct evtchn_table *t = &d->evtchn;
    uint32_t limit = port_limit(d);
    bool skipped = false;

    check(lock_held(&t->lock));
    if (d->state != DOMAIN_ALIVE) {
        return -XEN_EINVAL;
    }
    for (uint32_t p = t->free_hint; p < limit; p++) {
        const struct evtchn *chn;

        if (p >= t->valid_ports) {
            int rc = grow(d);

            if (rc != 0) {
                return rc;
            }
        }
        chn = evtchn_slot(d, p);
        if (chn->state != EVTCHN_FREE) {
            continue;
        }
        if (t->fifo != NULL && evtchn_fifo_linked(d, p)) {
            if (!skipped) {
                skipped = true;
                t->free_hint = p;
            }
            continue;
        }
        if (!skipped) {
            t->free_hint = p + 1;
        }
        t->active++;
        *port = p;
        return 0;
    }
    return -XEN_ENOSPC;
}

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
        shrink(d);
        lock_release(&t->lock);
        if (t->valid_ports != 0 && hypercall_preempt()) {
            return -XEN_ERESTART;
        }
    }
    return 0;
}

void evtchn_free(struct domain *d)
{
    struct evtchn_table *t = &d->evtchn;

    check(t->fifo == NULL);
    while (t->valid_ports != 0) {
        shrink(d);
    }
    /* A group whose first bucket could not be had. */
    for (unsigned i = 0; i < EVTCHN_GROUPS; i++) {
        if (t->group[i] != NULL) {
            hyp_pages_free(t->group[i], 0);
            t->group[i] = NULL;
        }
    }
}
