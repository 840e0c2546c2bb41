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

/*@ axiomatic Domains {
    // The domains, their vCPUs, the entries of their tables, and the places of their buckets:
    // whose, and of which bucket. Any of which the contracts hold.
    predicate is_domain(struct domain *d) reads \nothing;
    predicate is_vcpu(struct vcpu *v) reads \nothing;
    predicate is_entry(struct evtchn *e) reads \nothing;
    predicate is_place(struct evtchn **place) reads \nothing;
    logic struct domain *domain_of(struct evtchn **place) reads \nothing;
    logic integer bucket_at(struct evtchn **place) reads \nothing;
} */

/*@ logic struct evtchn **bucket_place{L}(struct domain *d, integer port) =
        &d->evtchn.group[port / PORTS_PER_GROUP][port % PORTS_PER_GROUP / EVTCHN_PER_BUCKET];
    // Every valid port has storage.
    predicate port_table{L}(struct domain *d) = \valid_read(d) &&
        d->evtchn.valid_ports % EVTCHN_PER_BUCKET == 0 &&
        d->evtchn.valid_ports <= EVTCHN_FIFO_NR_CHANNELS &&
        \forall integer p; 0 <= p < d->evtchn.valid_ports ==> \valid(bucket_place(d, p)) &&
            \valid(*bucket_place(d, p) + (0 .. EVTCHN_PER_BUCKET - 1));
    logic struct evtchn *port_entry{L}(struct domain *d, integer port) =
        *bucket_place(d, port) + port % EVTCHN_PER_BUCKET;
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

/*@ // Each of them is an object of its own.
    predicate domains = (\forall struct domain *d; is_domain(d) ==> \valid(d)) &&
        \forall struct domain *d, *r; is_domain(d) && is_domain(r) && r != d ==>
            \base_addr(d) != \base_addr(r);
    predicate places = (\forall struct evtchn **s; is_place(s) ==> \valid(s)) &&
        \forall struct domain *d, struct evtchn **s; is_domain(d) && is_place(s) ==>
            \base_addr(d) != \base_addr(s);
    predicate entries = (\forall struct evtchn *e; is_entry(e) ==> \valid(e)) &&
        (\forall struct domain *d, struct evtchn *e; is_domain(d) && is_entry(e) ==>
            \base_addr(d) != \base_addr(e)) &&
        \forall struct evtchn *e, *o; is_entry(e) && is_entry(o) && e != o ==> \separated(e, o);
    predicate vcpus = (\forall struct vcpu *v; is_vcpu(v) ==> \valid(v)) &&
        (\forall struct domain *d, struct vcpu *v; is_domain(d) && is_vcpu(v) ==>
            \base_addr(d) != \base_addr(v)) &&
        \forall struct evtchn *e, struct vcpu *v; is_entry(e) && is_vcpu(v) ==>
            \base_addr(e) != \base_addr(v);
    predicate objects = domains && places && entries;
    predicate own_group(struct domain *d, integer g, struct evtchn **group) =
        \valid(group + (0 .. EVTCHN_BUCKETS_PER_GROUP - 1)) &&
        \forall integer i; 0 <= i < EVTCHN_BUCKETS_PER_GROUP ==> is_place(group + i) &&
            domain_of(group + i) == d && bucket_at(group + i) == g * EVTCHN_BUCKETS_PER_GROUP + i;
    predicate own_bucket(struct evtchn *bucket) = \valid(bucket + (0 .. EVTCHN_PER_BUCKET - 1)) &&
        \forall integer i; 0 <= i < EVTCHN_PER_BUCKET ==> is_entry(bucket + i);
    predicate table_of{L}(struct domain *d) = \valid(d) && is_domain(d) && port_table(d);
    predicate same_or_apart(struct domain *d, struct domain *r) = d == r || \separated(d, r);
    predicate own_groups{L}(struct domain *d) = \forall integer g; 0 <= g < EVTCHN_GROUPS ==>
        (d->evtchn.group[g] == \null ? d->evtchn.valid_ports <= g * PORTS_PER_GROUP :
                                       own_group(d, g, d->evtchn.group[g]));
    predicate own_entries{L}(struct domain *d) = \forall integer p;
        0 <= p < d->evtchn.valid_ports ==> is_entry(port_entry(d, p));
    predicate tables{L} = objects && \forall struct domain *d; is_domain(d) ==>
        port_table(d) && own_groups(d) && own_entries(d);
    // Each port's bucket has its place in a group that exists.
    predicate grouped{L} = \forall struct domain *r, integer p; is_domain(r) &&
        0 <= p < r->evtchn.valid_ports ==> 0 <= p / PORTS_PER_GROUP < EVTCHN_GROUPS &&
        0 <= p % PORTS_PER_GROUP / EVTCHN_PER_BUCKET < EVTCHN_BUCKETS_PER_GROUP &&
        r->evtchn.group[p / PORTS_PER_GROUP] != \null;
    predicate same_places{K, L} = \forall struct domain *r, integer p; is_domain(r) &&
        0 <= p < \at(r->evtchn.valid_ports, K) ==>
        bucket_place{L}(r, p) == bucket_place{K}(r, p) &&
        \at(*bucket_place{L}(r, p), L) == \at(*bucket_place{K}(r, p), K);
    predicate same_sizes{K, L} = \forall struct domain *r; is_domain(r) ==>
        \at(r->evtchn.valid_ports, L) == \at(r->evtchn.valid_ports, K);
    predicate hint{L}(struct domain *d) = 0 < d->evtchn.free_hint <= d->evtchn.valid_ports;
    predicate stay{K, L} = \forall struct domain *r, integer p; is_domain(r) &&
        0 <= p < \at(r->evtchn.valid_ports, K) ==> p < \at(r->evtchn.valid_ports, L) &&
        port_entry{L}(r, p) == port_entry{K}(r, p);
    // Where a new port is written: no part of a domain, a vCPU or an entry.
    predicate port_place(uint32_t *port) = \valid(port) &&
        (\forall struct domain *r; is_domain(r) ==> \base_addr(r) != \base_addr(port)) &&
        (\forall struct vcpu *v; is_vcpu(v) ==> \base_addr(v) != \base_addr(port)) &&
        (\forall struct evtchn *e; is_entry(e) ==> \separated(e, port));
    // What making a port needs of d.
    predicate may_grow{L}(struct domain *d, uint32_t *port) = tables && is_domain(d) &&
        \valid(d) && hint(d) && d->evtchn.active < UINT32_MAX && port_place(port);
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

/* evtchn_table.c: the table. */

/* The entry of a port with storage, port 0 included; NULL beyond the table. */
struct evtchn *evtchn_slot(const struct domain *d, uint32_t port);
/* The entry of a port that a guest names: never port 0. */
struct evtchn *evtchn_lookup(const struct domain *d, uint32_t port);
/* Finds the lowest free port, growing the table, and counts it as active; the caller
 * fills its entry. -XEN_EINVAL (d is dying), -XEN_ENOSPC, -XEN_ENOMEM or 0. */
int evtchn_take(struct domain *d, uint32_t *port);
/* Gives the storage of the last EVTCHN_PER_BUCKET ports back. */
void evtchn_shrink(struct domain *d);

/* evtchn.c: ports that go. */

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
