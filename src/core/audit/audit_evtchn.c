/* INV-EVT-1 .. 4 over one domain's ports. */
#include "core/audit/audit_impl.h"

#define PORTS_PER_GROUP (EVTCHN_PER_BUCKET * EVTCHN_BUCKETS_PER_GROUP)
#define PORTS_MAX (EVTCHN_GROUPS * PORTS_PER_GROUP)

/* Storage of a port, whatever the table's limits say; NULL without. */
static const struct evtchn *storage(const struct domain *d, uint64_t port)
{
    struct evtchn **group;

    if (port >= PORTS_MAX)
        return NULL;
    group = d->evtchn.group[port / PORTS_PER_GROUP];
    if (group == NULL)
        return NULL;
    group += port % PORTS_PER_GROUP / EVTCHN_PER_BUCKET;
    return *group == NULL ? NULL : *group + port % EVTCHN_PER_BUCKET;
}

static void audit_peer(struct audit_report *r, const struct domain *d, uint32_t port,
                       const struct evtchn *e)
{
    const struct domain *peer = audit_domain(e->remote_domid);
    const struct evtchn *other = peer == NULL ? NULL : storage(peer, e->remote_port);

    audit_claim(r,
                other != NULL && other->state == EVTCHN_INTERDOMAIN &&
                    other->remote_domid == d->id && other->remote_port == port,
                "INV-EVT-1", "d%u port %u is bound to d%u port %u, which does not name it back",
                d->id, port, e->remote_domid, e->remote_port);
}

/* A bound VIRQ port is found through the virq_port[] of some vCPU. */
static bool virq_is_named(const struct audit_report *r, const struct domain *d, uint32_t port,
                          const struct evtchn *e)
{
    for (unsigned i = 0; (i = audit_next_vcpu(r->zero, d, i)) < MAX_VCPUS; i++) {
        const struct vcpu *v = d->vcpu[i];

        if (e->remote_port < ARRAY_SIZE(v->virq_port) && v->virq_port[e->remote_port] == port)
            return true;
    }
    return false;
}

static void audit_virqs(struct audit_report *r, const struct domain *d, const struct vcpu *v)
{
    for (uint32_t virq = 0; virq < ARRAY_SIZE(v->virq_port); virq++) {
        uint32_t port = v->virq_port[virq];
        const struct evtchn *e;

        if (port == 0)
            continue;
        e = storage(d, port);
        audit_claim(r, e != NULL && e->state == EVTCHN_VIRQ && e->remote_port == virq, "INV-EVT-3",
                    "d%uv%u: VIRQ %u names port %u, which is not bound to it", d->id, v->id, virq,
                    port);
        /* Only these are raised per vCPU; EVTCHNOP_bind_vcpu may move others. */
        if (e != NULL && (virq == VIRQ_TIMER || virq == VIRQ_DEBUG))
            audit_claim(r, e->vcpu == v->id, "INV-EVT-3",
                        "d%uv%u: port %u of VIRQ %u notifies vCPU %u", d->id, v->id, port, virq,
                        e->vcpu);
    }
}

static void audit_port(struct audit_report *r, const struct domain *d, uint32_t port,
                       const struct evtchn *e)
{
    audit_claim(r, port != 0 && port <= d->evtchn.max_port, "INV-EVT-2",
                "d%u uses port %u, its limit is %u", d->id, port, d->evtchn.max_port);
    audit_claim(r, e->state <= EVTCHN_IPI, "INV-EVT-2", "d%u port %u has state %u", d->id, port,
                e->state);
    audit_claim(r, e->vcpu < MAX_VCPUS && (e->vcpu == 0 || d->vcpu[e->vcpu] != NULL), "INV-EVT-2",
                "d%u port %u notifies vCPU %u", d->id, port, e->vcpu);
    if (e->state == EVTCHN_INTERDOMAIN)
        audit_peer(r, d, port, e);
    if (e->state == EVTCHN_VIRQ)
        audit_claim(r, virq_is_named(r, d, port, e), "INV-EVT-3",
                    "d%u port %u is bound to VIRQ %u, whose vCPUs do not name it", d->id, port,
                    e->remote_port);
}

/* One bucket of ports; returns how many are in use. */
static uint32_t audit_bucket(struct audit_report *r, const struct domain *d, uint32_t first,
                             const struct evtchn *bucket)
{
    uint32_t active = 0;

    for (uint32_t i = 0; i < EVTCHN_PER_BUCKET; i++) {
        size_t known;

        if (bucket[i].state > EVTCHN_RESERVED) {
            active++;
            audit_port(r, d, first + i, &bucket[i]);
            continue;
        }
        /* The rest was perhaps never used. */
        known = zero_known(r->zero, &bucket[i], (EVTCHN_PER_BUCKET - i) * sizeof(bucket[i]));
        i += known > sizeof(bucket[i]) ? (uint32_t)(known / sizeof(bucket[i])) - 1 : 0;
    }
    return active;
}

/* How many of the buckets that are numbered from i on are seen to be absent at once,
 * where none may be: most are. */
static uint32_t absent_run(const struct audit_report *r, const struct domain *d, uint32_t i)
{
    struct evtchn **group = d->evtchn.group[i / EVTCHN_BUCKETS_PER_GROUP];
    uint32_t left = EVTCHN_BUCKETS_PER_GROUP - i % EVTCHN_BUCKETS_PER_GROUP;
    size_t known;

    if (group == NULL)
        return left;
    group += i % EVTCHN_BUCKETS_PER_GROUP;
    known = zero_known(r->zero, group, left * sizeof(*group)) / sizeof(*group);
    if (known != 0)
        return (uint32_t)known;
    return i % 8 == 0 && audit_eight_are((const uint64_t *)(uintptr_t)group, 0) ? 8 : 0;
}

void audit_evtchn(struct audit_report *r, const struct domain *d)
{
    uint32_t active = 0, buckets = d->evtchn.valid_ports / EVTCHN_PER_BUCKET;

    audit_claim(r, d->evtchn.valid_ports % EVTCHN_PER_BUCKET == 0, "INV-EVT-2",
                "d%u: %u ports are no whole number of buckets", d->id, d->evtchn.valid_ports);
    for (uint32_t i = 0; i < EVTCHN_GROUPS * EVTCHN_BUCKETS_PER_GROUP; i++) {
        struct evtchn **group = d->evtchn.group[i / EVTCHN_BUCKETS_PER_GROUP];
        const struct evtchn *bucket = NULL;
        uint32_t absent = i >= buckets ? absent_run(r, d, i) : 0;

        if (absent != 0) {
            i += absent - 1;
            continue;
        }
        if (group != NULL)
            bucket = group[i % EVTCHN_BUCKETS_PER_GROUP];
        if (bucket == NULL && i >= buckets)
            continue;
        audit_claim(r, bucket != NULL && i < buckets, "INV-EVT-2",
                    "d%u: storage of port %u disagrees with %u valid ports", d->id,
                    i * EVTCHN_PER_BUCKET, d->evtchn.valid_ports);
        if (bucket != NULL)
            active += audit_bucket(r, d, i * EVTCHN_PER_BUCKET, bucket);
    }
    audit_claim(r, active == d->evtchn.active, "INV-EVT-4", "d%u has %u active ports, %u counted",
                d->id, active, d->evtchn.active);
    for (unsigned i = 0; (i = audit_next_vcpu(r->zero, d, i)) < MAX_VCPUS; i++)
        audit_virqs(r, d, d->vcpu[i]);
}
