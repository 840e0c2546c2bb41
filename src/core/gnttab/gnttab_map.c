/* Mapping grants: handles, the mapper's second stage, undoing. No lock is held
 * while the second stage changes; a handle that is being changed is BUSY, and
 * unknown to others. The pin outlives the mapping. */
#include "core/gnttab/gnttab_private.h"

#include "base/check.h"
#include "core/hypercall/hypercall.h"
#include "core/mem/frame.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m.h"
#include "core/policy/policy.h"

_Static_assert(sizeof(struct gnttab_maptrack) * MAPTRACK_PER_BLOCK <=
                   (PAGE_SIZE << MAPTRACK_BLOCK_ORDER),
               "a block holds its handles");

/*@ // Each handle has an entry of its own, by number, and by block and place in it. The free ones
    // are linked: each leads to another free one or is the last, no two lead to the same, and none
    // to the first. So a list that starts there has an end, and what is not free is not on it.
    logic struct gnttab_maptrack *slot{L}(struct gnttab *t, integer h) =
        &t->maptrack[h / MAPTRACK_PER_BLOCK][h % MAPTRACK_PER_BLOCK];
    predicate at{L}(struct gnttab *t, integer b, integer i) =
        0 <= b < t->maptrack_blocks && 0 <= i < MAPTRACK_PER_BLOCK;
    predicate free_at{L}(struct gnttab *t, integer b, integer i) =
        at(t, b, i) && t->maptrack[b][i].state == MAPTRACK_FREE;
    predicate handle{L}(struct gnttab *t, integer h) =
        at(t, h / MAPTRACK_PER_BLOCK, h % MAPTRACK_PER_BLOCK);
    predicate free_handle{L}(struct gnttab *t, integer h) =
        free_at(t, h / MAPTRACK_PER_BLOCK, h % MAPTRACK_PER_BLOCK);
    predicate place_of(integer b, integer i, integer h) =
        b == h / MAPTRACK_PER_BLOCK && i == h % MAPTRACK_PER_BLOCK;
    predicate maptrack{L}(struct gnttab *t) = \valid(t) &&
        t->maptrack_blocks <= GNTTAB_MAX_MAPTRACK_FRAMES &&
        \valid_read(t->maptrack + (0 .. t->maptrack_blocks - 1)) &&
        (\forall integer b; 0 <= b < t->maptrack_blocks ==>
            \valid(t->maptrack[b] + (0 .. MAPTRACK_PER_BLOCK - 1))) &&
        (\forall integer b, i; at(t, b, i) ==> \separated(&t->maptrack[b][i], t) &&
            \separated(&t->maptrack[b][i], t->maptrack + (0 .. t->maptrack_blocks - 1))) &&
        (\forall integer b, i, c, j; at(t, b, i) && at(t, c, j) &&
            &t->maptrack[b][i] == &t->maptrack[c][j] ==> b == c && i == j);
    predicate first_is_free{L}(struct gnttab *t) =
        t->maptrack_free == MAPTRACK_NONE || free_handle(t, t->maptrack_free);
    predicate links_are_free{L}(struct gnttab *t) = \forall integer b, i;
        free_at(t, b, i) && t->maptrack[b][i].ref != MAPTRACK_NONE ==>
            free_handle(t, t->maptrack[b][i].ref);
    predicate none_to_first{L}(struct gnttab *t) = \forall integer b, i;
        free_at(t, b, i) && t->maptrack[b][i].ref != MAPTRACK_NONE ==>
            t->maptrack[b][i].ref != t->maptrack_free;
    predicate links_differ{L}(struct gnttab *t) = \forall integer b, i, c, j;
        free_at(t, b, i) && free_at(t, c, j) && (b != c || i != j) &&
            t->maptrack[b][i].ref != MAPTRACK_NONE ==>
            t->maptrack[b][i].ref != t->maptrack[c][j].ref;
    predicate free_list{L}(struct gnttab *t) =
        first_is_free(t) && links_are_free(t) && none_to_first(t) && links_differ(t); */

/*@ requires \valid_read(t) && \valid_read(t->maptrack + (0 .. t->maptrack_blocks - 1));
    requires handle / MAPTRACK_PER_BLOCK < t->maptrack_blocks ==>
        \valid(t->maptrack[handle / MAPTRACK_PER_BLOCK] + (0 .. MAPTRACK_PER_BLOCK - 1));
    assigns \nothing;
    ensures \result == \null <==> handle / MAPTRACK_PER_BLOCK >= t->maptrack_blocks;
    ensures \result != \null ==> \valid(\result) && \result == slot(t, handle); */
struct gnttab_maptrack *gnttab_maptrack_of(const struct gnttab *t, grant_handle_t handle)
{
    if (handle / MAPTRACK_PER_BLOCK >= t->maptrack_blocks) {
        return NULL;
    }
    return &t->maptrack[handle / MAPTRACK_PER_BLOCK][handle % MAPTRACK_PER_BLOCK];
}

static unsigned root_order(const struct gnttab *t)
{
    return order_of_bytes((uint64_t)t->max_maptrack_frames * sizeof(*t->maptrack));
}

/* Lock held: a block more of free handles, if there may be one. */
static void add_block(struct domain *d)
{
    struct gnttab *t = &d->gnttab;
    struct gnttab_maptrack *block;
    uint32_t first = t->maptrack_blocks * MAPTRACK_PER_BLOCK;

    if (t->maptrack_blocks >= t->max_maptrack_frames) {
        return;
    }
    if (t->maptrack == NULL) {
        t->maptrack = hyp_pages_alloc(d, root_order(t), FRAME_HYP);
        if (t->maptrack == NULL) {
            return;
        }
    }
    block = hyp_pages_alloc(d, MAPTRACK_BLOCK_ORDER, FRAME_HYP);
    if (block == NULL) {
        return;
    }
    for (uint32_t i = 0; i < MAPTRACK_PER_BLOCK; i++) {
        block[i].state = MAPTRACK_FREE;
        block[i].ref = i + 1 < MAPTRACK_PER_BLOCK ? first + i + 1 : t->maptrack_free;
    }
    t->maptrack[t->maptrack_blocks++] = block;
    t->maptrack_free = first;
}

/* Lock held: takes the first free handle. */
/*@ requires maptrack(t) && free_list(t);
    assigns t->maptrack_free, slot(t, t->maptrack_free)->state;
    ensures none: \old(t->maptrack_free) == MAPTRACK_NONE ==> \result == MAPTRACK_NONE &&
        t->maptrack_free == MAPTRACK_NONE;
    ensures was_free: \result != MAPTRACK_NONE ==> \old(free_handle(t, t->maptrack_free)) &&
        \result == \old(t->maptrack_free) && slot(t, \result)->state == MAPTRACK_BUSY;
    ensures first: first_is_free(t);
    ensures links: links_are_free(t);
    ensures to_first: none_to_first(t);
    ensures differ: links_differ(t); */
static grant_handle_t first_free(struct gnttab *t)
{
    grant_handle_t h = t->maptrack_free;

    if (h != MAPTRACK_NONE) {
        struct gnttab_maptrack *m = gnttab_maptrack_of(t, h);

        check(m != NULL && m->state == MAPTRACK_FREE);
        /*@ assert own: free_handle(t, h) && m == slot(t, h) && \separated(m, t); */
        /*@ assert next: m->ref != MAPTRACK_NONE ==> free_handle(t, m->ref) && m->ref != h; */
        /*@ assert lone: m->ref != MAPTRACK_NONE ==> \forall integer b, i;
                free_at(t, b, i) && !place_of(b, i, h) ==> t->maptrack[b][i].ref != m->ref; */
        /*@ assert apart: \forall integer b, i; at(t, b, i) && !place_of(b, i, h) ==>
                &t->maptrack[b][i] != m; */
        t->maptrack_free = m->ref;
        m->state = MAPTRACK_BUSY;
        /*@ assert same: \forall integer b, i; at(t, b, i) && !place_of(b, i, h) ==>
                t->maptrack[b][i].state == \at(t->maptrack[b][i].state, Pre); */
        /*@ assert others: \forall integer b, i; free_at(t, b, i) ==>
                free_at{Pre}(t, b, i) && !place_of(b, i, h); */
        /*@ assert kept: \forall integer b, i; free_at{Pre}(t, b, i) && !place_of(b, i, h) ==>
                free_at(t, b, i); */
    }
    return h;
}

/* Lock held: the next that first_free() takes. */
/*@ requires maptrack(t) && free_list(t) && handle(t, h) && slot(t, h)->state == MAPTRACK_BUSY;
    assigns t->maptrack_free, slot(t, h)->state, slot(t, h)->granter, slot(t, h)->ref;
    ensures found_again: t->maptrack_free == h && slot(t, h)->state == MAPTRACK_FREE &&
        slot(t, h)->ref == \old(t->maptrack_free);
    ensures first: first_is_free(t);
    ensures links: links_are_free(t);
    ensures to_first: none_to_first(t);
    ensures differ: links_differ(t); */
static void put_free(struct gnttab *t, grant_handle_t h)
{
    struct gnttab_maptrack *m = gnttab_maptrack_of(t, h);

    check(m != NULL && m->state == MAPTRACK_BUSY);
    /*@ assert own: handle(t, h) && m == slot(t, h) && \separated(m, t) &&
            \separated(m, t->maptrack + (0 .. t->maptrack_blocks - 1)); */
    /*@ assert apart: \forall integer b, i; at(t, b, i) && !place_of(b, i, h) ==>
            &t->maptrack[b][i] != m; */
    /*@ assert nobody: t->maptrack_free != h && \forall integer b, i; free_at(t, b, i) ==>
            t->maptrack[b][i].ref != h; */
    m->granter = NULL;
    /*@ assert there: \forall integer b; 0 <= b < t->maptrack_blocks ==>
            t->maptrack[b] == \at(t->maptrack[b], Pre); */
    m->state = MAPTRACK_FREE;
    m->ref = t->maptrack_free;
    t->maptrack_free = h;
    /*@ assert mine: m == slot(t, h) && m->ref == \at(t->maptrack_free, Pre); */
    /*@ assert same: \forall integer b, i; at(t, b, i) && !place_of(b, i, h) ==>
            t->maptrack[b][i].state == \at(t->maptrack[b][i].state, Pre) &&
            t->maptrack[b][i].ref == \at(t->maptrack[b][i].ref, Pre); */
    /*@ assert others: \forall integer b, i; free_at(t, b, i) && !place_of(b, i, h) ==>
            free_at{Pre}(t, b, i); */
    /*@ assert kept: \forall integer b, i; free_at{Pre}(t, b, i) ==>
            free_at(t, b, i) && !place_of(b, i, h); */
    /*@ assert next: m->ref != MAPTRACK_NONE ==> free_handle(t, m->ref); */
    /*@ assert linked: \forall integer b, i; free_at{Pre}(t, b, i) &&
            t->maptrack[b][i].ref != MAPTRACK_NONE ==> free_handle(t, t->maptrack[b][i].ref); */
}

/*@ requires \valid(d) && !held(&d->gnttab.lock);
    terminates \true;
    assigns handles, grants, d->gnttab.lock.spin.word;
    ensures !held(&d->gnttab.lock);
    ensures handles == \old(handles) + (\result != MAPTRACK_NONE ? 1 : 0); */
static grant_handle_t handle_claim(struct domain *d)
{
    struct gnttab *t = &d->gnttab;
    grant_handle_t h;

    lock_acquire(&t->lock);
    if (t->maptrack_free == MAPTRACK_NONE) {
        add_block(d);
    }
    h = first_free(t);
    lock_release(&t->lock);
    return h;
}

/*@ requires \valid(d) && !held(&d->gnttab.lock) && handles > 0;
    terminates \true;
    assigns handles, grants, d->gnttab.lock.spin.word;
    ensures !held(&d->gnttab.lock);
    ensures handles == \old(handles) - 1; */
static void handle_release(struct domain *d, grant_handle_t h)
{
    lock_acquire(&d->gnttab.lock);
    put_free(&d->gnttab, h);
    lock_release(&d->gnttab.lock);
}

/*@ requires \valid(d) && !held(&d->gnttab.lock) && handles > 0 && h != MAPTRACK_NONE;
    terminates \true;
    assigns grants, d->gnttab.lock.spin.word;
    ensures !held(&d->gnttab.lock); */
static void handle_publish(struct domain *d, grant_handle_t h, struct gnttab_maptrack entry)
{
    lock_acquire(&d->gnttab.lock);
    entry.state = MAPTRACK_MAPPED;
    *gnttab_maptrack_of(&d->gnttab, h) = entry;
    lock_release(&d->gnttab.lock);
}

/* Puts the frame into the mapper's second stage with a reference of its own.
 * Own RAM that was there is given back, as if ballooned out. */
/*@ // Every leaf that maps a grant has its reference, every mapping its pin.
    predicate mapped{K, L}(integer n) = \at(leaves, L) == \at(leaves, K) + n &&
        \at(frame_refs, L) == \at(frame_refs, K) + n; */

/*@ requires INV_GNT_3: 0 <= leaves <= frame_refs <= 1000;
    assigns frame_refs, leaves, grants;
    ensures \result ==> mapped{Pre, Post}(1);
    ensures !\result ==> mapped{Pre, Post}(0); */
static bool place(struct domain *d, gfn_t g, mfn_t m, domid_t owner, bool readonly)
{
    struct p2m_entry old;

    if (!frame_get(m, owner)) {
        return false;
    }
    if (p2m_exchange(d, g, m, readonly ? P2M_GRANT_RO : P2M_GRANT_RW,
                     P2M_SET_OWN_RAM | P2M_SET(P2M_POD), &old) != 0) {
        frame_put(m);
        return false;
    }
    if ((P2M_SET(old.type) & P2M_SET_OWN_RAM) != 0) {
        p2m_release_ram(d, old.mfn);
    }
    return true;
}

/* Pins and maps; rd is referenced. GNTST_*. */
/*@ requires \valid(d) && \valid(rd) && \valid_read(op) && \valid(m) && \separated(m, op);
    requires INV_GNT_3: 0 <= leaves <= frame_refs <= 1000;
    assigns *m, pins, frame_refs, leaves, grants;
    ensures INV_GNT_2: pins == \old(pins) + (\result == GNTST_okay ? 1 : 0);
    ensures INV_GNT_3: \result == GNTST_okay ==> mapped{Pre, Post}(1);
    ensures INV_GNT_3_kept: \result != GNTST_okay ==> mapped{Pre, Post}(0);
    ensures GNTST_eagain <= \result <= 0;
    ensures \result == GNTST_okay ==> m->mfn.v <= 0xfffffff;
    ensures \result == GNTST_okay ==> m->granter == rd && m->ref == op->ref &&
        m->gfn.v == op->host_addr / PAGE_SIZE &&
        (m->readonly <==> (op->flags & GNTMAP_readonly) != 0); */
static int map_pinned(struct domain *d, struct domain *rd, const struct gnttab_map_grant_ref *op,
                      struct gnttab_maptrack *m)
{
    struct gnttab_pin pin;
    int rc;

    *m = (struct gnttab_maptrack){.granter = rd,
                                  .gfn = gaddr_gfn(gaddr(op->host_addr)),
                                  .ref = op->ref,
                                  .readonly = (op->flags & GNTMAP_readonly) != 0};
    rc = gnttab_pin(rd, op->ref, d->id, m->readonly, PIN_MAP, &pin);
    if (rc != GNTST_okay) {
        return rc;
    }
    m->mfn = pin.mfn;
    if (!place(d, m->gfn, pin.mfn, rd->id, m->readonly)) {
        gnttab_unpin(rd, op->ref, m->readonly);
        return GNTST_general_error;
    }
    return GNTST_okay;
}

/* What a translated domain may ask for. GNTST_*. */
/*@ assigns \nothing;
    ensures \result == GNTST_okay || \result == GNTST_general_error ||
        \result == GNTST_bad_gntref;
    ensures \result == GNTST_okay <==> (flags & GNTMAP_host_map) != 0 &&
        (flags & GNTMAP_device_map) == 0 && (flags & GNTMAP_application_map) == 0 &&
        (flags & GNTMAP_contains_pte) == 0; */
static int map_flags(uint32_t flags)
{
    if ((flags & (GNTMAP_device_map | GNTMAP_host_map)) == 0) {
        return GNTST_bad_gntref;
    }
    if ((flags & (GNTMAP_device_map | GNTMAP_application_map | GNTMAP_contains_pte)) != 0) {
        return GNTST_general_error;
    }
    return GNTST_okay;
}

/*@ requires \valid(d) && \valid(op) && \separated(op, d) && !held(&d->gnttab.lock);
    requires 0 <= leaves <= frame_refs <= 1000 && 0 <= handles <= 1000;
    assigns op->status, op->handle, op->dev_bus_addr, pins, references, handles, frame_refs,
        leaves, grants, permitted, untold_handle, d->gnttab.lock.spin.word;
    ensures unlocked: !held(&d->gnttab.lock);
    ensures INV_GNT_2: op->status == GNTST_okay ==> pins == \old(pins) + 1 &&
        references == \old(references) + 1 && handles == \old(handles) + 1 &&
        mapped{Pre, Post}(1) && permitted != 0 && untold_handle == op->handle &&
        op->handle != MAPTRACK_NONE;
    ensures nothing_kept: op->status != GNTST_okay ==> pins == \old(pins) &&
        references == \old(references) && handles == \old(handles) && mapped{Pre, Post}(0) &&
        untold_handle == \old(untold_handle); */
void gnttab_map(struct domain *d, struct gnttab_map_grant_ref *op)
{
    struct gnttab_maptrack m;
    struct domain *rd;
    grant_handle_t h;
    int rc = map_flags(op->flags);

    if (rc != GNTST_okay) {
        op->status = (int16_t)rc;
        return;
    }
    rd = domain_get(op->dom);
    if (rd == NULL) {
        op->status = GNTST_bad_domain;
        return;
    }
    h = MAPTRACK_NONE;
    if (policy_check(POLICY_GRANT_MAP, d, rd) != 0) {
        rc = GNTST_permission_denied;
    } else {
        h = handle_claim(d);
        rc = h == MAPTRACK_NONE ? GNTST_no_space : map_pinned(d, rd, op, &m);
    }
    op->status = (int16_t)rc;
    if (rc != GNTST_okay) {
        if (h != MAPTRACK_NONE) {
            handle_release(d, h);
        }
        domain_put(rd);
        return;
    }
    /* The reference on rd is the handle's now. */
    handle_publish(d, h, m);
    /*@ ghost untold_handle = h; */
    op->handle = h;
    op->dev_bus_addr = m.mfn.v << PAGE_SHIFT;
}

/* Takes a mapped handle for unmapping. GNTST_*. */
/*@ requires \valid(d) && !held(&d->gnttab.lock) && \valid(out);
    terminates \true;
    assigns *out, grants, d->gnttab.lock.spin.word;
    ensures !held(&d->gnttab.lock);
    ensures \result == GNTST_okay && host_addr != 0 ==> handles > 0 && h != MAPTRACK_NONE &&
        \valid(out->granter); */
static int handle_take(struct domain *d, grant_handle_t h, uint64_t host_addr, uint64_t new_addr,
                       struct gnttab_maptrack *out)
{
    struct gnttab_maptrack *m;
    int rc = GNTST_bad_handle;

    lock_acquire(&d->gnttab.lock);
    m = gnttab_maptrack_of(&d->gnttab, h);
    if (m != NULL && m->state == MAPTRACK_MAPPED) {
        rc = GNTST_okay;
        if (host_addr != 0) {
            if (new_addr != 0 || m->gfn.v != host_addr >> PAGE_SHIFT) {
                rc = GNTST_general_error;
            } else {
                m->state = MAPTRACK_BUSY;
                *out = *m;
            }
        }
    }
    lock_release(&d->gnttab.lock);
    return rc;
}

/* Removes the mapping from the second stage; false when it is not there. */
/*@ requires \valid(d) && \valid_read(m);
    assigns frame_refs, leaves;
    ensures INV_GNT_3: \result ==> mapped{Pre, Post}(-1);
    ensures INV_GNT_3_kept: mapped{Pre, Post}(0) || mapped{Pre, Post}(-1); */
static bool displace(struct domain *d, const struct gnttab_maptrack *m)
{
    struct p2m_entry e = p2m_lookup(d, m->gfn);

    if ((P2M_SET(e.type) & P2M_SET_GRANT) == 0 || e.mfn.v != m->mfn.v) {
        return false;
    }
    /* Another vCPU may have put another grant there since; it loses that. */
    if (p2m_unmap_types(d, m->gfn, P2M_SET_GRANT, &e) != 0) {
        return false;
    }
    frame_put(e.mfn);
    return e.mfn.v == m->mfn.v;
}

/*@ requires \valid(d) && !held(&d->gnttab.lock);
    assigns pins, references, handles, frame_refs, leaves, grants, untold_handle,
        d->gnttab.lock.spin.word;
    ensures unlocked: !held(&d->gnttab.lock);
    ensures what_map_took: \result == GNTST_okay && host_addr != 0 ==>
        pins == \old(pins) - 1 && references == \old(references) - 1 &&
        handles == \old(handles) - 1 && mapped{Pre, Post}(-1);
    ensures untold_handle ==
        (handle == \old(untold_handle) ? MAPTRACK_NONE : \old(untold_handle));
    ensures nothing_lost: \result != GNTST_okay || host_addr == 0 ==> pins == \old(pins) &&
        references == \old(references) && handles == \old(handles) &&
        (mapped{Pre, Post}(0) || mapped{Pre, Post}(-1)); */
int gnttab_unmap(struct domain *d, grant_handle_t handle, uint64_t host_addr, uint64_t new_addr)
{
    /*@ ghost if (untold_handle == handle) untold_handle = MAPTRACK_NONE; */
    struct gnttab_maptrack m;
    int rc = handle_take(d, handle, host_addr, new_addr, &m);

    if (rc != GNTST_okay || host_addr == 0) {
        return rc;
    }
    if (!displace(d, &m)) {
        /* The guest removed it by other means: as in Xen, the grant stays pinned
         * until the guest ends. */
        handle_publish(d, handle, m);
        return GNTST_general_error;
    }
    gnttab_unpin(m.granter, m.ref, m.readonly);
    domain_put(m.granter);
    handle_release(d, handle);
    return GNTST_okay;
}

bool gnttab_maps(struct domain *d, mfn_t mfn)
{
    struct gnttab *t = &d->gnttab;
    bool found = false;

    lock_acquire(&t->lock);
    for (grant_handle_t h = 0; !found && h < t->maptrack_blocks * MAPTRACK_PER_BLOCK; h++) {
        const struct gnttab_maptrack *m = gnttab_maptrack_of(t, h);

        found = m->state == MAPTRACK_MAPPED && m->mfn.v == mfn.v;
    }
    lock_release(&t->lock);
    return found;
}

int gnttab_teardown(struct domain *d)
{
    struct gnttab *t = &d->gnttab;

    for (; t->teardown_cursor < t->maptrack_blocks * MAPTRACK_PER_BLOCK; t->teardown_cursor++) {
        struct gnttab_maptrack *m = gnttab_maptrack_of(t, t->teardown_cursor);
        struct gnttab_maptrack gone = *m;

        if (m->state != MAPTRACK_MAPPED) {
            continue;
        }
        m->state = MAPTRACK_BUSY;
        (void)displace(d, &gone);
        gnttab_unpin(gone.granter, gone.ref, gone.readonly);
        handle_release(d, t->teardown_cursor);
        domain_put(gone.granter);
        if (hypercall_preempt()) {
            return -XEN_ERESTART;
        }
    }
    return 0;
}

void gnttab_maptrack_free_all(struct domain *d)
{
    struct gnttab *t = &d->gnttab;

    for (uint32_t i = 0; i < t->maptrack_blocks; i++) {
        hyp_pages_free(t->maptrack[i], MAPTRACK_BLOCK_ORDER);
    }
    if (t->maptrack != NULL) {
        hyp_pages_free(t->maptrack, root_order(t));
    }
    t->maptrack = NULL;
    t->maptrack_blocks = 0;
    t->maptrack_free = MAPTRACK_NONE;
}
