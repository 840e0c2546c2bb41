/* What the files of core/evtchn share. Unless said otherwise the caller holds
 * d->evtchn.lock. */
#ifndef CORBEL_CORE_EVTCHN_EVTCHN_PRIVATE_H
#define CORBEL_CORE_EVTCHN_EVTCHN_PRIVATE_H

#include "core/domain/domain.h"
#include "core/evtchn/evtchn.h"
#include "core/vcpu/vcpu.h"

#define FIFO_WORDS_PER_PAGE ((uint32_t)(PAGE_SIZE / sizeof(event_word_t)))
#define FIFO_PAGES ((uint32_t)EVTCHN_FIFO_NR_CHANNELS / FIFO_WORDS_PER_PAGE)

/* The FIFO ABI's event array: pinned guest pages. */
struct evtchn_fifo {
    uint32_t pages;
    event_word_t *page[FIFO_PAGES];
};

#define PORTS_PER_GROUP (EVTCHN_PER_BUCKET * EVTCHN_BUCKETS_PER_GROUP)

/*@ predicate group_of(struct evtchn **g, integer buckets) = \valid(g + (0 .. buckets - 1)) &&
        \forall integer i; 0 <= i < buckets ==> \valid(g[i] + (0 .. EVTCHN_PER_BUCKET - 1));
    // Every valid port has storage.
    predicate port_table(struct domain *d) = \valid_read(d) &&
        d->evtchn.valid_ports % EVTCHN_PER_BUCKET == 0 &&
        d->evtchn.valid_ports <= EVTCHN_FIFO_NR_CHANNELS &&
        (d->evtchn.valid_ports <= PORTS_PER_GROUP ?
            group_of(d->evtchn.group[0], d->evtchn.valid_ports / EVTCHN_PER_BUCKET) :
            group_of(d->evtchn.group[0], EVTCHN_BUCKETS_PER_GROUP) &&
            group_of(d->evtchn.group[1],
                     (d->evtchn.valid_ports - PORTS_PER_GROUP) / EVTCHN_PER_BUCKET)); */

/*@ axiomatic Domains {
    // The domains, and the entries in the pages of their tables.
    predicate is_domain(struct domain *d);
    predicate is_entry(struct evtchn *e);
} */

/*@ logic struct evtchn *port_entry{L}(struct domain *d, integer port) =
        &d->evtchn.group[port / PORTS_PER_GROUP][port % PORTS_PER_GROUP / EVTCHN_PER_BUCKET]
            [port % EVTCHN_PER_BUCKET];
    predicate has_port{L}(struct domain *d, integer p) = 0 < p < d->evtchn.valid_ports;
    predicate port_used{L}(struct domain *d, integer p) =
        has_port(d, p) && port_entry(d, p)->state > EVTCHN_RESERVED;
    // What is found where no lock is held.
    predicate unlocked_table{L}(struct domain *d) = \valid(d) && port_table(d) &&
        !held(&d->evtchn.lock);
    predicate global_virq(integer virq) = virq != VIRQ_TIMER && virq != VIRQ_DEBUG &&
        virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
    // e, port of d's, is recorded with v, which has its VIRQ: vCPU 0 if that is global.
    predicate records{L}(struct vcpu *v, struct evtchn *e, integer port) = \valid(v) &&
        \separated(v, e) && v->virq_port[e->remote_port] == port;
    predicate recorded{L}(struct domain *d, struct evtchn *e, integer port) =
        e->state == EVTCHN_VIRQ ==> e->vcpu < MAX_VCPUS && e->remote_port < NR_VIRQS &&
        (global_virq(e->remote_port) ==> records(d->vcpu[0], e, port)) &&
        (!global_virq(e->remote_port) ==> records(d->vcpu[e->vcpu], e, port)); */

/*@ // An entry is no part of a domain, nor of another entry.
    predicate own_entry(struct evtchn *e) = \valid(e) && is_entry(e) &&
        (\forall struct domain *d; is_domain(d) ==> \separated(e, d)) &&
        (\forall struct evtchn *o; is_entry(o) && o != e ==> \separated(e, o));
    predicate table_of{L}(struct domain *d) = \valid(d) && is_domain(d) && port_table(d);
    predicate same_or_apart(struct domain *d, struct domain *r) = d == r || \separated(d, r);
    // Where a new port is written: no part of a domain, nor of an entry.
    predicate port_place(uint32_t *port) = \valid(port) &&
        (\forall struct domain *r; is_domain(r) ==> \separated(r, port)) &&
        (\forall struct evtchn *e; is_entry(e) ==> \separated(e, port));
    // Entry e is another one than f, and no part of domains d and r.
    predicate apart(struct evtchn *e, struct evtchn *f, struct domain *d, struct domain *r) =
        \valid(e) && e != f && \separated(e, f) && \separated(e, d) && \separated(e, r);
    // Entry e is bound to port q of r; so is port p of d; so it is to any port of r's.
    predicate names{L}(struct evtchn *e, struct domain *r, integer q) =
        e->state == EVTCHN_INTERDOMAIN && e->remote_domid == r->id && e->remote_port == q;
    predicate names_peer{L}(struct domain *d, integer p, struct domain *r, integer q) =
        names(port_entry(d, p), r, q);
    logic integer peer_of{L}(struct domain *d, integer p) = port_entry(d, p)->remote_port;
    predicate bound_to{L}(struct domain *d, integer p, struct domain *r) = has_port(d, p) &&
        names_peer(d, p, r, peer_of(d, p)); */

/* For the proofs: what changes behind the functions that are known by contract (ports, the
 * guest's words, vCPUs that are told), and a port that was made for a caller who was not told
 * yet, or 0. */
/*@ ghost int events; */
/*@ ghost uint32_t untold_port; */

/* evtchn.c: the table. */

/* The entry of a port with storage, port 0 included; NULL beyond the table. */
struct evtchn *evtchn_slot(const struct domain *d, uint32_t port);
/* The entry of a port that a guest names: never port 0. */
struct evtchn *evtchn_lookup(const struct domain *d, uint32_t port);
/* Finds the lowest free port, growing the table, and counts it as active; the caller
 * fills its entry. -XEN_EINVAL (d is dying), -XEN_ENOSPC, -XEN_ENOMEM or 0. */
int evtchn_take(struct domain *d, uint32_t *port);
/* Puts a port back that is bound to nothing any more. */
void evtchn_drop(struct domain *d, uint32_t port, struct evtchn *chn);
/* No lock held: unbinds and frees a port. -XEN_EINVAL when it is not in use,
 * -XEN_EAGAIN when its peer changed too often meanwhile. */
int evtchn_close(struct domain *d, uint32_t port);
/* No lock held: closes all ports but the hypervisor's consumers' and goes back
 * to the two-level ABI. -XEN_ERESTART while there is more, -XEN_EAGAIN when
 * ports were bound meanwhile. */
int evtchn_reset(struct domain *d);

/* evtchn_send.c: raising events. */

/* Makes port pending and tells the vCPU it is bound to. */
void evtchn_raise(struct domain *d, uint32_t port, struct evtchn *chn);
void evtchn_unmask(struct domain *d, uint32_t port, struct evtchn *chn);
/* No lock held: EVTCHNOP_send. */
int evtchn_send(struct domain *d, uint32_t port);
/* Sets v's upcall_pending and tells v when it was not set. */
void evtchn_upcall(struct vcpu *v);
/* Wakes the vCPUs that wait for port in SCHEDOP_poll. */
void evtchn_wake_pollers(struct domain *d, uint32_t port);
/* Is virq bound once per domain rather than per vCPU? */
bool evtchn_virq_is_global(uint32_t virq);
/* The vCPU that port is bound to; NULL before it exists. */
static inline struct vcpu *evtchn_vcpu(const struct domain *d, const struct evtchn *chn)
{
    return chn->vcpu < MAX_VCPUS ? d->vcpu[chn->vcpu] : NULL;
}

/* evtchn_bind.c: each takes its locks. Errors as Xen's operation of that name. */
int evtchn_bind_interdomain(struct domain *d, domid_t remote, uint32_t remote_port, uint32_t *port);
int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port);
int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port);
int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu);
int evtchn_status(struct domain *d, evtchn_status_t *s);

/* evtchn_2l.c: the two-level ABI. Ports that it cannot express are ignored. */
void evtchn_2l_raise(struct domain *d, struct vcpu *v, uint32_t port);
void evtchn_2l_unmask(struct domain *d, struct vcpu *v, uint32_t port);
bool evtchn_2l_pending(const struct domain *d, uint32_t port);
/* Clears the pending bit; its old value. */
bool evtchn_2l_clear_pending(struct domain *d, uint32_t port);

/* evtchn_fifo.c: the FIFO ABI; d->evtchn.fifo is not NULL. */
void evtchn_fifo_raise(struct domain *d, struct vcpu *v, uint32_t port, struct evtchn *chn);
void evtchn_fifo_unmask(struct domain *d, struct vcpu *v, uint32_t port, struct evtchn *chn);
bool evtchn_fifo_pending(const struct domain *d, uint32_t port, const struct evtchn *chn);
void evtchn_fifo_clear_pending(struct domain *d, uint32_t port, struct evtchn *chn);
/* Is port still linked into a queue of the guest's, so that it cannot be reused? */
bool evtchn_fifo_linked(const struct domain *d, uint32_t port);
/* No lock held: EVTCHNOP_init_control, EVTCHNOP_expand_array. */
int evtchn_fifo_init_control(struct domain *d, uint32_t vcpu, uint64_t control_gfn,
                             uint32_t offset);
int evtchn_fifo_expand_array(struct domain *d, uint64_t array_gfn);
/* Back to the two-level ABI; unpins everything. What was pending stays so. */
void evtchn_fifo_destroy(struct domain *d);

#endif
