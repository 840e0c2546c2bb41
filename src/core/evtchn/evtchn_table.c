/* The table of ports: storage, and who gets which port. */
#include "core/evtchn/evtchn_private.h"

#include "base/arith.h"
#include "base/check.h"
#include "core/mem/page_alloc.h"

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

/* A page of places for buckets of group g, all NULL; NULL when memory is short. */
/*@ requires \valid(d) && is_domain(d) && 0 <= g < EVTCHN_GROUPS;
    terminates \true;
    assigns d->hyp_pages;
    ensures \result != \null ==> own_group(d, g, \result); */
static struct evtchn **group_new(struct domain *d, uint32_t g)
{
    return hyp_pages_alloc(d, 0, FRAME_HYP);
}

_Static_assert(EVTCHN_FREE == 0, "what a page of zeroes says");

/* A page of entries, all free; NULL when memory is short. */
/*@ requires \valid(d) && is_domain(d);
    terminates \true;
    assigns d->hyp_pages;
    ensures \result != \null ==> own_bucket(\result); */
static struct evtchn *bucket_new(struct domain *d)
{
    return hyp_pages_alloc(d, 0, FRAME_HYP);
}

/*@ requires objects && is_domain(d) && g < EVTCHN_GROUPS;
    assigns d->evtchn.group[g];
    ensures d->evtchn.group[g] == group;
    ensures places: \forall struct evtchn **s; is_place(s) ==> *s == \old(*s);
    ensures others: \forall struct domain *r, integer i; is_domain(r) && 0 <= i < EVTCHN_GROUPS &&
        (r != d || i != g) ==> r->evtchn.group[i] == \old(r->evtchn.group[i]); */
static void set_group(struct domain *d, uint32_t g, struct evtchn **group)
{
    d->evtchn.group[g] = group;
    /*@ assert same: \forall integer i; 0 <= i < EVTCHN_GROUPS && i != g ==>
            d->evtchn.group[i] == \at(d->evtchn.group[i], Pre); */
    /*@ assert apart: \forall struct domain *r, integer i; is_domain(r) && r != d &&
            0 <= i < EVTCHN_GROUPS ==> r->evtchn.group[i] == \at(r->evtchn.group[i], Pre); */
}

/* Sees to it that the group of d's next port has a page; false when memory is short. */
/*@ requires tables && is_domain(d) && d->evtchn.valid_ports < EVTCHN_FIFO_NR_CHANNELS;
    assigns d->hyp_pages, d->evtchn.group[d->evtchn.valid_ports / PORTS_PER_GROUP];
    ensures \result ==> d->evtchn.group[d->evtchn.valid_ports / PORTS_PER_GROUP] != \null;
    ensures stay: stay{Pre, Here};
    ensures tables: tables; */
static bool reach_group(struct domain *d)
{
    uint32_t g = d->evtchn.valid_ports / PORTS_PER_GROUP;

    /*@ assert grouped: grouped; */
    if (d->evtchn.group[g] == NULL) {
        set_group(d, g, group_new(d, g));
        /*@ assert kept: \forall struct domain *r, integer k, i; is_domain(r) &&
                0 <= k < EVTCHN_GROUPS && \at(r->evtchn.group[k], Pre) != \null &&
                0 <= i < EVTCHN_BUCKETS_PER_GROUP ==>
                r->evtchn.group[k] == \at(r->evtchn.group[k], Pre) &&
                r->evtchn.group[k][i] == \at(r->evtchn.group[k][i], Pre); */
        /*@ assert groups: \forall struct domain *r; is_domain(r) ==> own_groups(r); */
        /*@ assert same: same_places{Pre, Here}; */
        /*@ assert ports: \forall struct domain *r; is_domain(r) ==> port_table(r); */
        /*@ assert stay: stay{Pre, Here}; */
    }
    return d->evtchn.group[g] != NULL;
}

/* Puts a bucket in its place. */
/*@ requires objects && is_place(place);
    assigns *place;
    ensures *place == bucket;
    ensures places: \forall struct evtchn **s; is_place(s) && s != place ==> *s == \old(*s);
    ensures groups: \forall struct domain *r, integer i; is_domain(r) && 0 <= i < EVTCHN_GROUPS ==>
        r->evtchn.group[i] == \old(r->evtchn.group[i]); */
static void set_bucket(struct evtchn **place, struct evtchn *bucket)
{
    *place = bucket;
}

/* bucket is storage for d's next EVTCHN_PER_BUCKET ports. */
/*@ requires tables && is_domain(d) && d->evtchn.valid_ports < EVTCHN_FIFO_NR_CHANNELS;
    requires d->evtchn.group[d->evtchn.valid_ports / PORTS_PER_GROUP] != \null;
    requires own_bucket(bucket);
    assigns d->evtchn.valid_ports, *bucket_place(d, d->evtchn.valid_ports);
    ensures more: d->evtchn.valid_ports == \old(d->evtchn.valid_ports) + EVTCHN_PER_BUCKET;
    ensures stay: stay{Pre, Here};
    ensures tables: tables; */
static void add_bucket(struct domain *d, struct evtchn *bucket)
{
    uint32_t port = d->evtchn.valid_ports, g = port / PORTS_PER_GROUP;
    uint32_t b = port % PORTS_PER_GROUP / EVTCHN_PER_BUCKET;

    /*@ assert whole: port % EVTCHN_PER_BUCKET == 0; */
    /*@ assert grouped: grouped; */
    /*@ assert owners: \forall struct domain *r, integer k, i; is_domain(r) &&
            0 <= k < EVTCHN_GROUPS && r->evtchn.group[k] != \null &&
            0 <= i < EVTCHN_BUCKETS_PER_GROUP ==> domain_of(r->evtchn.group[k] + i) == r &&
            bucket_at(r->evtchn.group[k] + i) == k * EVTCHN_BUCKETS_PER_GROUP + i; */
    /*@ assert others: \forall struct domain *r, integer k, i; is_domain(r) &&
            0 <= k < EVTCHN_GROUPS && r->evtchn.group[k] != \null &&
            0 <= i < EVTCHN_BUCKETS_PER_GROUP && (r != d || k != g || i != b) ==>
            is_place(r->evtchn.group[k] + i) &&
            r->evtchn.group[k] + i != d->evtchn.group[g] + b; */
    set_bucket(&d->evtchn.group[g][b], bucket);
    /*@ assert kept: \forall struct domain *r, integer k, i; is_domain(r) &&
            0 <= k < EVTCHN_GROUPS && \at(r->evtchn.group[k], Pre) != \null &&
            0 <= i < EVTCHN_BUCKETS_PER_GROUP && (r != d || k != g || i != b) ==>
            r->evtchn.group[k] == \at(r->evtchn.group[k], Pre) &&
            r->evtchn.group[k][i] == \at(r->evtchn.group[k][i], Pre); */
    d->evtchn.valid_ports = port + EVTCHN_PER_BUCKET;
    /*@ assert same: same_places{Pre, Here}; */
    /*@ assert stay: stay{Pre, Here}; */
    /*@ assert parts: \forall integer p; port <= p < port + EVTCHN_PER_BUCKET ==>
            p / PORTS_PER_GROUP == g && p % PORTS_PER_GROUP / EVTCHN_PER_BUCKET == b &&
            p % EVTCHN_PER_BUCKET == p - port; */
    /*@ assert new: \forall integer p; port <= p < port + EVTCHN_PER_BUCKET ==>
            bucket_place(d, p) == d->evtchn.group[g] + b && *bucket_place(d, p) == bucket &&
            port_entry(d, p) == bucket + (p - port); */
    /*@ assert entries: \forall integer p; port <= p < port + EVTCHN_PER_BUCKET ==>
            is_entry(port_entry(d, p)); */
    /*@ assert entries: \forall struct domain *r; is_domain(r) ==> own_entries(r); */
    /*@ assert groups: \forall struct domain *r; is_domain(r) ==> own_groups(r); */
    /*@ assert sizes: \forall struct domain *r; is_domain(r) && r != d ==>
            r->evtchn.valid_ports == \at(r->evtchn.valid_ports, Pre); */
    /*@ assert ports: port_table(d); */
    /*@ assert ports: \forall struct domain *r; is_domain(r) && r != d ==> port_table(r); */
}

/* Adds storage for the next EVTCHN_PER_BUCKET ports. */
/*@ requires tables && is_domain(d) && d->evtchn.valid_ports < EVTCHN_FIFO_NR_CHANNELS;
    assigns d->hyp_pages, d->evtchn.valid_ports, d->evtchn.group[0 .. EVTCHN_GROUPS - 1],
        {*s | struct evtchn **s; domain_of(s) == d};
    ensures \result == 0 || \result == -XEN_ENOMEM;
    ensures more: d->evtchn.valid_ports ==
        \old(d->evtchn.valid_ports) + (\result == 0 ? EVTCHN_PER_BUCKET : 0);
    ensures stay: stay{Pre, Here};
    ensures tables: tables; */
static int grow(struct domain *d)
{
    struct evtchn *bucket = NULL;

    check(d->evtchn.valid_ports < EVTCHN_FIFO_NR_CHANNELS);
    if (reach_group(d)) {
        bucket = bucket_new(d);
    }
    if (bucket == NULL) {
        return -XEN_ENOMEM;
    }
    /*@ assert groups: own_groups(d); */
    /*@ assert range: 0 <= d->evtchn.valid_ports / PORTS_PER_GROUP < EVTCHN_GROUPS; */
    /*@ assert group: own_group(d, d->evtchn.valid_ports / PORTS_PER_GROUP,
            d->evtchn.group[d->evtchn.valid_ports / PORTS_PER_GROUP]); */
    /*@ assert place: domain_of(bucket_place(d, d->evtchn.valid_ports)) == d; */
    add_bucket(d, bucket);
    return 0;
}

void evtchn_shrink(struct domain *d)
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

/* Can d's port be given out? linked: it is free, but the guest has not unlinked it yet. */
/*@ requires \valid_read(d) && port_table(d) && port < d->evtchn.valid_ports && \valid(linked);
    assigns *linked;
    ensures \result ==> port_entry(d, port)->state == EVTCHN_FREE; */
static bool may_take(const struct domain *d, uint32_t port, bool *linked)
{
    if (evtchn_slot(d, port)->state != EVTCHN_FREE) {
        *linked = false;
        return false;
    }
    *linked = d->evtchn.fifo != NULL && evtchn_fifo_linked(d, port);
    return !*linked;
}

/*@ requires tables && is_domain(d) && 0 < port <= d->evtchn.valid_ports;
    assigns d->evtchn.free_hint;
    ensures d->evtchn.free_hint == port;
    ensures sizes: same_sizes{Pre, Here};
    ensures tables: tables; */
static void set_hint(struct domain *d, uint32_t port)
{
    d->evtchn.free_hint = port;
    /*@ assert sizes: same_sizes{Pre, Here}; */
    /*@ assert others: same_places{Pre, Here}; */
}

/* d's port is told to the caller, who fills its entry, and counts as active. */
/*@ requires tables && is_domain(d) && has_port(d, port) && port_place(told);
    requires d->evtchn.active < UINT32_MAX;
    assigns *told, d->evtchn.active;
    ensures *told == port;
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) + 1;
    ensures sizes: same_sizes{Pre, Here};
    ensures tables: tables; */
static void give(struct domain *d, uint32_t port, uint32_t *told)
{
    d->evtchn.active++;
    *told = port;
    /*@ assert sizes: same_sizes{Pre, Here}; */
    /*@ assert others: same_places{Pre, Here}; */
    /*@ assert ports: \forall struct domain *r; is_domain(r) ==> port_table(r); */
    /*@ assert groups: \forall struct domain *r; is_domain(r) ==> own_groups(r); */
}

/*@ requires tables && is_domain(d) && held(&d->evtchn.lock) && port_place(port);
    requires hint(d) && d->evtchn.active < UINT32_MAX;
    assigns *port, d->hyp_pages, d->evtchn.active, d->evtchn.free_hint, d->evtchn.valid_ports,
        d->evtchn.group[0 .. EVTCHN_GROUPS - 1], {*s | struct evtchn **s; domain_of(s) == d};
    ensures \result == 0 || \result == -XEN_EINVAL || \result == -XEN_ENOSPC ||
        \result == -XEN_ENOMEM;
    ensures INV_EVT_4: d->evtchn.active == \old(d->evtchn.active) + (\result == 0 ? 1 : 0);
    ensures stay: stay{Pre, Here};
    ensures tables: tables;
    ensures hint: hint(d);
    ensures within: \result == 0 ==> has_port(d, *port);
    ensures was_free: \result == 0 ==> d->state == DOMAIN_ALIVE &&
        port_entry(d, *port)->state == EVTCHN_FREE && is_entry(port_entry(d, *port)); */
int evtchn_take(struct domain *d, uint32_t *port)
{
    struct evtchn_table *t = &d->evtchn;
    uint32_t limit = port_limit(d);
    bool skipped = false;

    check(lock_held(&t->lock));
    if (d->state != DOMAIN_ALIVE) {
        return -XEN_EINVAL;
    }
    /*@ loop invariant tables: tables;
        loop invariant stay: stay{Pre, Here};
        loop invariant hint: hint(d) && 0 < p <= t->valid_ports;
        loop assigns p, skipped, d->hyp_pages, d->evtchn.free_hint, d->evtchn.valid_ports,
            d->evtchn.group[0 .. EVTCHN_GROUPS - 1], {*s | struct evtchn **s; domain_of(s) == d};
        loop variant limit - p; */
    for (uint32_t p = t->free_hint; p < limit; p++) {
        bool linked = false;

        if (p >= t->valid_ports) {
            int rc = grow(d);

            if (rc != 0) {
                return rc;
            }
        }
        /*@ assert within: 0 < p < d->evtchn.valid_ports; */
        /*@ assert hint: hint(d); */
        /*@ assert stay: stay{Pre, Here}; */
        /*@ assert all: own_entries(d); */
        /*@ assert own: is_entry(port_entry(d, p)); */
        if (may_take(d, p, &linked)) {
            /*@ assert free: port_entry(d, p)->state == EVTCHN_FREE; */
            if (!skipped) {
                set_hint(d, p + 1);
            }
            /*@ assert hint: hint(d) && p < d->evtchn.valid_ports; */
            /*@ assert free: port_entry(d, p)->state == EVTCHN_FREE; */
            /*@ assert stay: stay{Pre, Here}; */
            give(d, p, port);
            /*@ assert hint: hint(d) && has_port(d, p); */
            /*@ assert stay: stay{Pre, Here}; */
            /*@ assert free: port_entry(d, p)->state == EVTCHN_FREE; */
            return 0;
        }
        if (linked && !skipped) {
            skipped = true;
            set_hint(d, p);
        }
    }
    return -XEN_ENOSPC;
}

void evtchn_free(struct domain *d)
{
    struct evtchn_table *t = &d->evtchn;

    check(t->fifo == NULL);
    while (t->valid_ports != 0) {
        evtchn_shrink(d);
    }
    /* A group whose first bucket could not be had. */
    for (unsigned i = 0; i < EVTCHN_GROUPS; i++) {
        if (t->group[i] != NULL) {
            hyp_pages_free(t->group[i], 0);
            t->group[i] = NULL;
        }
    }
}
