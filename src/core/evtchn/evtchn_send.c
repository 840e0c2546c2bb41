/* Raising events: from guests, from the hypervisor, as VIRQs. */
#include "core/evtchn/evtchn_private.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/arch.h"
#include "core/policy/policy.h"

_Static_assert(ARRAY_SIZE(((struct vcpu *)NULL)->virq_port) == NR_VIRQS, "a port per VIRQ");

/*@ assigns \nothing;
    ensures \result <==> global_virq(virq); */
bool evtchn_virq_is_global(uint32_t virq)
{
    switch (virq) {
    case VIRQ_TIMER:
    case VIRQ_DEBUG:
    case VIRQ_XENOPROF:
    case VIRQ_XENPMU:
        return false;
    default:
        return true;
    }
}

/* evtchn_upcall_pending is the first byte of vcpu_info; the word around it is
 * changed as a whole so that the byte next to it, the guest's, is kept. */
_Static_assert(offsetof(vcpu_info_t, evtchn_upcall_pending) == 0, "upcall_pending comes first");

void evtchn_upcall(struct vcpu *v)
{
    vcpu_info_t *info = v->info;

    if (info == NULL) {
        /* Registering one later raises the upcall: evtchn_vcpu_info_moved(). */
        return;
    }
    if ((fetch_or_u64((uint64_t *)(void *)info, 1) & 1) == 0) {
        arch_vcpu_upcall(v);
        vcpu_kick(v);
    }
}

void evtchn_wake_pollers(struct domain *d, uint32_t port)
{
    for (uint32_t i = 0; i < d->max_vcpus && i < MAX_VCPUS; i++) {
        struct vcpu *v = d->vcpu[i];
        uint32_t polled;

        if (v == NULL || (load_u32(&v->pause_flags) & VPF_POLL) == 0) {
            continue;
        }
        polled = load_u32(&v->poll_port);
        if (polled == 0 || polled == port) {
            vcpu_wake_flags(v, VPF_POLL | VPF_BLOCKED);
        }
    }
}

void evtchn_raise(struct domain *d, uint32_t port, struct evtchn *chn)
{
    check(lock_held(&d->evtchn.lock));
    if (d->evtchn.fifo != NULL) {
        evtchn_fifo_raise(d, evtchn_vcpu(d, chn), port, chn);
    } else {
        evtchn_2l_raise(d, evtchn_vcpu(d, chn), port);
    }
}

void evtchn_unmask(struct domain *d, uint32_t port, struct evtchn *chn)
{
    check(lock_held(&d->evtchn.lock));
    if (d->evtchn.fifo != NULL) {
        evtchn_fifo_unmask(d, evtchn_vcpu(d, chn), port, chn);
    } else {
        evtchn_2l_unmask(d, evtchn_vcpu(d, chn), port);
    }
}

/*@ // No table is locked, and each is in order.
    predicate unlocked{L} = domains && entries && \forall struct domain *r; is_domain(r) ==>
        port_table(r) && own_entries(r) && !held(&r->evtchn.lock);
    predicate locked_only{L}(struct domain *d) = \forall struct domain *r; is_domain(r) ==>
        (held(&r->evtchn.lock) <==> r == d); */

/* Delivers to the peer that d's port had a moment ago. The locks are taken one
 * after the other: whoever is bound to that port when the peer is looked at
 * gets the event, and nobody when the pair is gone. */
/*@ requires unlocked && is_domain(d);
    ensures references: references == \old(references);
    ensures asked: \result == 0 || (\result == -XEN_EPERM && events == \old(events));
    ensures unlocked: \forall struct domain *r; is_domain(r) ==> !held(&r->evtchn.lock); */
static int send_interdomain(struct domain *d, uint32_t port, domid_t peer, uint32_t peer_port)
{
    struct domain *rd = domain_get(peer);
    struct evtchn *rchn;
    int rc;

    if (rd == NULL) {
        return 0; /* it died: the port is unbound by now */
    }
    rc = policy_check(POLICY_EVTCHN_SEND, d, rd);
    if (rc == 0) {
        lock_acquire(&rd->evtchn.lock);
        /*@ assert locks: locked_only(rd); */
        /*@ assert table: port_table(rd) && own_entries(rd); */
        rchn = evtchn_lookup(rd, peer_port);
        if (rchn != NULL && rchn->state == EVTCHN_INTERDOMAIN && rchn->remote_domid == d->id &&
            rchn->remote_port == port) {
            /*@ assert INV_EVT_1: names_peer(rd, peer_port, d, port); */
            /*@ assert own: is_entry(rchn) && permitted != 0; */
            evtchn_raise(rd, peer_port, rchn);
        }
        /*@ assert locks: locked_only(rd); */
        lock_release(&rd->evtchn.lock);
    }
    domain_put(rd);
    return rc;
}

/*@ requires unlocked && is_domain(d);
    ensures references: references == \old(references);
    ensures unknown: !\old(port_used(d, port)) ==>
        \result == -XEN_EINVAL && events == \old(events);
    ensures others: \old(port_used(d, port) && port_entry(d, port)->state == EVTCHN_VIRQ) ==>
        \result == -XEN_EINVAL && events == \old(events);
    ensures ipi: \old(port_used(d, port) && port_entry(d, port)->state == EVTCHN_IPI) ==>
        \result == 0;
    ensures unlocked: \forall struct domain *r; is_domain(r) ==> !held(&r->evtchn.lock); */
int evtchn_send(struct domain *d, uint32_t port)
{
    struct evtchn *chn;
    struct evtchn seen;

    lock_acquire(&d->evtchn.lock);
    /*@ assert locks: locked_only(d); */
    /*@ assert table: port_table(d) && own_entries(d); */
    chn = evtchn_lookup(d, port);
    if (chn == NULL) {
        lock_release(&d->evtchn.lock);
        return -XEN_EINVAL;
    }
    /*@ assert own: is_entry(chn); */
    seen = *chn;
    if (chn->state == EVTCHN_IPI) {
        evtchn_raise(d, port, chn);
    }
    /*@ assert locks: locked_only(d); */
    lock_release(&d->evtchn.lock);
    /*@ assert tables: seen.state != EVTCHN_IPI ==> unlocked; */
    switch (seen.state) {
    case EVTCHN_INTERDOMAIN:
        return send_interdomain(d, port, seen.remote_domid, seen.remote_port);
    case EVTCHN_IPI:
        return 0;
    case EVTCHN_UNBOUND:
        if (seen.consumer == CONSUMER_CONSOLE) {
            console_ring_service(d);
        }
        return 0; /* nobody is there to hear it */
    default:
        return -XEN_EINVAL;
    }
}

void evtchn_notify(struct domain *d, uint32_t port)
{
    struct evtchn *chn;

    lock_acquire(&d->evtchn.lock);
    chn = evtchn_lookup(d, port);
    if (chn != NULL && chn->state > EVTCHN_RESERVED) {
        evtchn_raise(d, port, chn);
    }
    lock_release(&d->evtchn.lock);
}

static void raise_virq(struct vcpu *v, uint32_t virq)
{
    struct domain *d = v->domain;
    uint32_t port;

    lock_acquire(&d->evtchn.lock);
    port = v->virq_port[virq];
    if (port != 0) {
        struct evtchn *chn = evtchn_lookup(d, port);

        /* INV-EVT-3 */
        check(chn != NULL && chn->state == EVTCHN_VIRQ && chn->remote_port == virq);
        evtchn_raise(d, port, chn);
    }
    lock_release(&d->evtchn.lock);
}

void evtchn_virq_vcpu(struct vcpu *v, uint32_t virq)
{
    check(virq < NR_VIRQS && !evtchn_virq_is_global(virq));
    raise_virq(v, virq);
}

void evtchn_virq_global(struct domain *d, uint32_t virq)
{
    check(virq < NR_VIRQS && evtchn_virq_is_global(virq));
    if (d->vcpu[0] != NULL) {
        raise_virq(d->vcpu[0], virq);
    }
}

bool evtchn_port_pending(struct domain *d, uint32_t port)
{
    struct evtchn *chn;
    bool pending = false;

    lock_acquire(&d->evtchn.lock);
    chn = evtchn_lookup(d, port);
    if (chn != NULL) {
        pending =
            d->evtchn.fifo != NULL ? evtchn_fifo_pending(d, port, chn) : evtchn_2l_pending(d, port);
    }
    lock_release(&d->evtchn.lock);
    return pending;
}

/*@ requires unlocked_table(d);
    assigns d->evtchn.lock.spin.word;
    ensures unlocked: !held(&d->evtchn.lock);
    ensures INV_EVT_2: \result <==> has_port(d, port); */
bool evtchn_port_valid(struct domain *d, uint32_t port)
{
    bool valid;

    lock_acquire(&d->evtchn.lock);
    valid = evtchn_lookup(d, port) != NULL;
    lock_release(&d->evtchn.lock);
    return valid;
}

void evtchn_vcpu_info_moved(struct vcpu *v)
{
    vcpu_info_t *info = v->info;

    if (info == NULL) {
        return;
    }
    /* A spurious upcall is harmless, a lost event is not. The FIFO ABI ignores
     * the selector. */
    fetch_or_u64((uint64_t *)(void *)&info->evtchn_pending_sel, ~UINT64_C(0));
    evtchn_upcall(v);
}
