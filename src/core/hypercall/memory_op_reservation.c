#include "base/arith.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/hypercall/memory_op.h"
#include "core/mem/page_alloc.h"
#include "core/vcpu/vcpu.h"

/* Pages of a leaf. */
#define LEAF_2M (UINT64_C(1) << P2M_2M)
#define LEAF_1G (UINT64_C(1) << P2M_1G)

/* A checked request. */
struct reservation {
    struct domain *d; /* referenced */
    uint64_t extents; /* guest array of frame numbers */
    uint64_t count;
    unsigned order;
    unsigned addr_bits; /* 0: any */
    bool on_demand;     /* XENMEMF_populate_on_demand */
};

/* Checks what caller asks for; false: nothing of it can be done. */
/*@ requires \valid_read(caller) && \valid_read(arg) && \valid(r) &&
        \separated(r, arg) && \separated(r, caller);
    assigns r->on_demand, r->extents, r->count, r->order, r->addr_bits;
    ensures part: \result ==> start < r->count && r->count == arg->nr_extents;
    ensures bounded: \result ==> r->count <= MEMOP_EXTENTS_MAX &&
        r->order <= MEMOP_ORDER_CONTROL &&
        (!caller->privileged ==> r->order <= MEMOP_ORDER_GUEST);
    ensures address: \result ==> r->addr_bits == 0 || PAGE_SHIFT < r->addr_bits < 64;
    ensures decrease: \result && op != XENMEM_populate_physmap ==> !r->on_demand; */
static bool reservation_decode(const struct domain *caller, uint32_t op, uint64_t start,
                               const struct xen_memory_reservation *arg, struct reservation *r)
{
    uint32_t bits;

    if (arg->nr_extents > MEMOP_EXTENTS_MAX || start >= arg->nr_extents ||
        arg->extent_order > (caller->privileged ? MEMOP_ORDER_CONTROL : MEMOP_ORDER_GUEST)) {
        return false;
    }
    bits = op == XENMEM_decrease_reservation ? 0 : XENMEMF_get_address_bits(arg->mem_flags);
    if (bits != 0 && bits <= PAGE_SHIFT) {
        return false;
    }
    r->on_demand =
        op == XENMEM_populate_physmap && (arg->mem_flags & XENMEMF_populate_on_demand) != 0;
    r->extents = HANDLE_GVA(arg->extent_start);
    r->count = arg->nr_extents;
    r->order = arg->extent_order;
    r->addr_bits = bits < 64 ? bits : 0;
    return true;
}

/* The largest leaf for the page at g + done of an extent of 2^order whose frames
 * are aligned to it. */
/*@ requires order <= MEMOP_ORDER_CONTROL && g + done < 0x8000000000000000;
    assigns \nothing;
    ensures \result == P2M_4K || \result == P2M_2M || \result == P2M_1G;
    ensures fits: \result <= order;
    ensures large: \result == P2M_2M ==> (g + done) % 512 == 0 && done % 512 == 0;
    ensures huge: \result == P2M_1G ==> (g + done) % 262144 == 0 && done % 262144 == 0; */
static unsigned leaf_order(uint64_t g, uint64_t done, unsigned order)
{
    uint64_t at = g + done;

    if (order >= P2M_1G && at % LEAF_1G == 0 && done % LEAF_1G == 0) {
        return P2M_1G;
    }
    return order >= P2M_2M && at % LEAF_2M == 0 && done % LEAF_2M == 0 ? P2M_2M : P2M_4K;
}

/* Extents above 2 MiB are many leaves, or much memory: they go only where nothing
 * is, so that putting them there, or failing to, is a bounded amount of work. The
 * caller may try again with smaller ones. */
/*@ requires \valid_read(r) && r->order <= MEMOP_ORDER_CONTROL;
    assigns \nothing;
    ensures \result ==> g + (1 << r->order) <= 0x1000000000;
    ensures \result && r->order > P2M_2M ==> g % 512 == 0;
    ensures g + (1 << r->order) <= 0x1000000000 && (r->order <= P2M_2M || g % 512 == 0) ==>
        \result; */
static bool extent_possible(const struct reservation *r, uint64_t g)
{
    return range_within(g, UINT64_C(1) << r->order, UINT64_C(1) << P2M_GFN_BITS) &&
           (r->order <= P2M_2M || g % LEAF_2M == 0);
}

/*@ // An extent that is being populated: done pages of it have their places, and the rest, unless
    // they come on demand, is allocated.
    predicate reservation{L}(struct reservation *r) = \valid_read(r) && \valid(r->d) &&
        r->order <= MEMOP_ORDER_CONTROL && r->addr_bits < 64;
    predicate populating{L}(struct p2m_batch *b, struct reservation *r) = batch(b) &&
        reservation(r) && b->d == r->d && loose_refs == 0 &&
        \separated(r, b, r->d) && \separated(b, r->d);
    predicate extent_at{L}(struct reservation *r, integer g, integer m) =
        g + (1 << r->order) <= 0x1000000000 && (r->order > P2M_2M ==> g % 512 == 0) &&
        m + (1 << r->order) <= 0xffffffffff && (r->on_demand ==> m == 0) &&
        (r->order >= P2M_2M ==> m % 512 == 0) && (r->order >= P2M_1G ==> m % 262144 == 0);
    predicate left{L}(struct reservation *r, integer pages) =
        loose_pages == (r->on_demand ? 0 : pages);
    logic integer leaf_pages(integer leaf) =
        leaf == P2M_1G ? 262144 : leaf == P2M_2M ? 512 : 1; */

/* Maps m (unless on demand) at g; what was there goes. */
/*@ requires populating(b, r) && loose_pages >= (r->on_demand ? 0 : 1);
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs;
    ensures populating(b, r) && \result <= 0;
    ensures loose_pages == \old(loose_pages) - (\result == 0 && !r->on_demand ? 1 : 0); */
static int populate_page(struct p2m_batch *b, const struct reservation *r, gfn_t g, mfn_t m)
{
    uint32_t replaced = r->on_demand ? P2M_SET(P2M_POD) : MEMOP_REPLACEABLE;
    struct p2m_entry old;
    int rc;

    /*@ assert no_grant: (replaced & P2M_SET_GRANT) == 0; */
    rc = p2m_batch_exchange(b, g, m, r->on_demand ? P2M_POD : P2M_RAM_RW, replaced, &old);
    /*@ assert still: populating(b, r); */
    if (rc == 0) {
        memory_op_dropped(b, g, &old);
    }
    return rc;
}

/* Maps one leaf of 2^leaf frames from m (unless on demand) at g; what was there
 * goes. Counts in *done what is mapped. */
/*@ requires populating(b, r) && extent_at(r, g, m.v) && \valid(done);
    requires \separated(done, b, r, r->d);
    requires leaf == P2M_4K || leaf == P2M_2M || leaf == P2M_1G;
    requires left(r, (1 << r->order) - *done) && *done + leaf_pages(leaf) <= (1 << r->order);
    requires large: leaf == P2M_2M ==> (g + *done) % 512 == 0 && *done % 512 == 0;
    requires huge: leaf == P2M_1G ==> (g + *done) % 262144 == 0 && *done % 262144 == 0;
    requires leaf <= r->order;
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs, *done;
    ensures populating(b, r) && left(r, (1 << r->order) - *done);
    ensures \result == 0 ==> *done == \old(*done) + leaf_pages(leaf);
    ensures \result != 0 ==> \old(*done) <= *done < \old(*done) + leaf_pages(leaf); */
static int populate_leaf(struct p2m_batch *b, const struct reservation *r, uint64_t g, mfn_t m,
                         unsigned leaf, uint64_t *done)
{
    uint64_t end;
    int rc;

    /*@ assert size: (1 << leaf) == leaf_pages(leaf); */
    end = *done + (UINT64_C(1) << leaf);
    /*@ assert large: leaf == P2M_2M ==> m.v % 512 == 0 && (m.v + *done) % 512 == 0; */
    /*@ assert huge: leaf == P2M_1G ==> m.v % 262144 == 0 && (m.v + *done) % 262144 == 0; */
    rc = p2m_map_new(r->d, gfn(g + *done), mfn(m.v + *done), leaf,
                     r->on_demand ? P2M_POD : P2M_RAM_RW);
    if (rc == 0) {
        *done = end;
    }
    /*@ assert still: populating(b, r) && left(r, (1 << r->order) - *done); */
    if (rc != -XEN_EEXIST || r->order > P2M_2M) {
        return rc;
    }
    /*@ loop invariant \at(*done, Pre) <= *done <= end && populating(b, r);
        loop invariant left(r, (1 << r->order) - *done);
        loop assigns rc, b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word,
            b->d->shared_info_gfn, loose_pages, loose_refs, *done;
        loop variant end - *done; */
    while (*done < end) {
        rc = populate_page(b, r, gfn(g + *done), mfn(m.v + *done));
        if (rc != 0) {
            return rc;
        }
        ++*done;
    }
    return 0;
}

/* Takes back what a failed extent has mapped, the first done pages of it. Another
 * vCPU may have put something else there. */
/*@ requires populating(b, r) && extent_at(r, g, m.v) && done <= (1 << r->order);
    requires left(r, (1 << r->order) - done);
    assigns b->flush, b->n, b->tables, unflushed, loose_pages;
    ensures populating(b, r) && left(r, 0); */
static void populate_undo(struct p2m_batch *b, const struct reservation *r, uint64_t g, mfn_t m,
                          uint64_t done)
{
    uint32_t types = r->on_demand ? P2M_SET(P2M_POD) : P2M_SET_OWN_RAM;
    struct p2m_entry old;

    /*@ assert no_grant: (types & P2M_SET_GRANT) == 0; */
    /*@ loop invariant i <= done + 511 && populating(b, r);
        loop assigns i, old, b->flush, b->n, b->tables, unflushed;
        loop variant done - i; */
    for (uint64_t i = 0; i < done; i += UINT64_C(1) << old.order) {
        unsigned leaf = leaf_order(g, i, r->order) == P2M_4K ? P2M_4K : P2M_2M;
        mfn_t want = r->on_demand ? mfn_invalid() : mfn(m.v + i);

        old.order = P2M_4K;
        if (p2m_batch_unmap(b, gfn(g + i), leaf, want, types, &old) != 0) {
            old.order = P2M_4K;
        }
    }
    /*@ loop invariant done <= i <= (1 << r->order) && left(r, (1 << r->order) - i);
        loop assigns i, loose_pages;
        loop variant (1 << r->order) - i; */
    for (uint64_t i = done; !r->on_demand && i < UINT64_C(1) << r->order; i++) {
        p2m_release_ram(r->d, mfn(m.v + i));
    }
}

/* Maps an extent at g in the largest leaves that fit. On failure nothing of it
 * stays. */
/*@ requires populating(b, r) && extent_at(r, g, m.v) && left(r, 1 << r->order);
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs;
    ensures populating(b, r) && left(r, 0); */
static bool populate_extent(struct p2m_batch *b, const struct reservation *r, uint64_t g, mfn_t m)
{
    uint64_t done = 0;
    int rc = 0;

    /*@ loop invariant done <= (1 << r->order) && populating(b, r);
        loop invariant left(r, (1 << r->order) - done);
        loop assigns rc, done, b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word,
            b->d->shared_info_gfn, loose_pages, loose_refs;
        loop variant (1 << r->order) - done + (rc == 0 ? 1 : 0); */
    while (rc == 0 && done < UINT64_C(1) << r->order) {
        rc = populate_leaf(b, r, g, m, leaf_order(g, done, r->order), &done);
    }
    if (rc != 0) {
        populate_undo(b, r, g, m, done);
    }
    return rc == 0;
}

/*@ requires reservation(r) && permitted != 0;
    assigns loose_pages;
    ensures allocated{Pre, Post}(\result.v, r->order); */
static mfn_t extent_alloc(const struct reservation *r)
{
    return r->order > P2M_2M ? guest_pages_alloc_clean(r->d, r->order, r->addr_bits)
                             : guest_pages_alloc_below(r->d, r->order, r->addr_bits);
}

/*@ requires populating(b, r) && loose_pages == 0 && \valid(b->d);
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs;
    ensures populating(b, r) && loose_pages == 0; */
static bool populate_one(struct p2m_batch *b, const struct reservation *r, uint64_t g)
{
    mfn_t m = mfn(0);

    if (!extent_possible(r, g)) {
        return false;
    }
    if (!r->on_demand) {
        m = extent_alloc(r);
        if (mfn_is_invalid(m)) {
            /* What the batch has replaced counts until it ends. */
            p2m_batch_end(b);
            m = extent_alloc(r);
        }
    }
    return !mfn_is_invalid(m) && populate_extent(b, r, g, m);
}

/*@ requires populating(b, r) && loose_pages == 0 && \valid_read(v);
    requires start < r->count && r->count <= MEMOP_EXTENTS_MAX;
    requires \valid(args + (0 .. 5)) && \separated(args + (0 .. 5), b, r, r->d);
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs, args[0];
    ensures populating(b, r) && loose_pages == 0;
    ensures start <= \result <= \old(r->count) || \result == HYPERCALL_RESTART;
    ensures \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64 && start <
        extents_done(args) < \old(r->count); */
static int64_t populate(struct vcpu *v, const struct reservation *r, struct p2m_batch *b,
                        uint64_t start, uint64_t args[6])
{
    /*@ loop invariant start <= i <= r->count && r->count == \at(r->count, Pre);
        loop invariant populating(b, r) && loose_pages == 0;
        loop invariant args[0] == \at(args[0], Pre);
        loop assigns i, b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word,
            b->d->shared_info_gfn, loose_pages, loose_refs;
        loop variant r->count - i; */
    for (uint64_t i = start; i < r->count; i++) {
        uint64_t g;

        if (i != start && hypercall_preempt()) {
            return memory_op_restart(args, i);
        }
        if (guest_copy_in(v, &g, memory_op_element(r->extents, i, sizeof(g)), sizeof(g)) != 0 ||
            !populate_one(b, r, g)) {
            return (int64_t)i;
        }
    }
    return (int64_t)r->count;
}

/* Takes the next piece of an extent at g out of the map: a page or 2 MiB. */
/*@ requires populating(b, r) && \valid(page) && *page < (1 << r->order);
    requires \separated(page, b, r, r->d) && g + (1 << r->order) <= 0x1000000000;
    assigns b->flush, b->n, b->tables, unflushed, *page;
    ensures populating(b, r);
    ensures \result ==> \old(*page) < *page <= (1 << r->order);
    ensures !\result ==> *page == \old(*page); */
static bool decrease_piece(struct p2m_batch *b, const struct reservation *r, uint64_t g,
                           uint64_t *page)
{
    bool whole = (UINT64_C(1) << r->order) - *page >= UINT64_C(1) << P2M_2M;
    struct p2m_entry old;

    if (p2m_batch_unmap(b, gfn(g + *page), whole ? P2M_2M : P2M_4K, mfn_invalid(),
                        P2M_SET_OWN_RAM | P2M_SET(P2M_POD), &old) != 0) {
        return false;
    }
    /*@ assert still: populating(b, r) && (1 << old.order) <= (1 << r->order) - *page; */
    *page += UINT64_C(1) << old.order;
    return true;
}

/*@ requires populating(b, r) && loose_pages == 0 && \valid_read(v);
    requires start < r->count && r->count <= MEMOP_EXTENTS_MAX;
    requires \valid(args + (0 .. 5)) && \separated(args + (0 .. 5), b, r, r->d);
    requires page < (1 << r->order);
    assigns b->flush, b->n, b->tables, unflushed, args[0];
    ensures populating(b, r);
    ensures start <= \result <= r->count || \result == HYPERCALL_RESTART;
    ensures \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64 &&
        extents_done(args) % 0x4000000 < r->count && pages_done(args) < (1 << r->order) &&
        (extents_done(args) % 0x4000000 > start ||
         (extents_done(args) % 0x4000000 == start && pages_done(args) > page)); */
static int64_t decrease(struct vcpu *v, const struct reservation *r, struct p2m_batch *b,
                        uint64_t start, uint64_t page, uint64_t args[6])
{
    bool first = true;

    /*@ loop invariant start <= i <= r->count && populating(b, r) && page < (1 << r->order);
        loop invariant i == start ==> page == \at(page, Pre) && first;
        loop invariant args[0] == \at(args[0], Pre);
        loop assigns i, page, first, b->flush, b->n, b->tables, unflushed;
        loop variant r->count - i; */
    for (uint64_t i = start; i < r->count; i++, page = 0) {
        uint64_t g;

        if (guest_copy_in(v, &g, memory_op_element(r->extents, i, sizeof(g)), sizeof(g)) != 0 ||
            !range_within(g, UINT64_C(1) << r->order, UINT64_C(1) << P2M_GFN_BITS)) {
            return (int64_t)i;
        }
        /*@ loop invariant page <= (1 << r->order) && populating(b, r);
            loop invariant i == start ==> page >= \at(page, Pre) &&
                (page == \at(page, Pre) <==> first);
            loop invariant args[0] == \at(args[0], Pre);
            loop assigns page, first, b->flush, b->n, b->tables, unflushed;
            loop variant (1 << r->order) - page; */
        while (page < UINT64_C(1) << r->order) {
            if (!first && hypercall_preempt()) {
                return memory_op_restart_within(args, i, page);
            }
            first = false;
            if (!decrease_piece(b, r, g, &page)) {
                return (int64_t)i;
            }
        }
    }
    return (int64_t)r->count;
}

/* Does what r asks for, from its extent start and there from its page on. */
/*@ requires reservation(r) && page <= UINT32_MAX && \valid_read(v);
    requires start < r->count && r->count <= MEMOP_EXTENTS_MAX;
    requires references == 1 && permitted != 0 && unflushed == 0 && nothing_loose;
    requires !held(&r->d->lock) && \separated(r, r->d) && \valid(args + (0 .. 5));
    requires \separated(args + (0 .. 5), r, r->d);
    assigns unflushed, r->d->lock.spin.word, r->d->shared_info_gfn, loose_pages, loose_refs,
        args[0];
    ensures unflushed == 0 && nothing_loose && !held(&r->d->lock);
    ensures start <= \result <= r->count || \result == HYPERCALL_RESTART;
    ensures same: \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64;
    ensures goes_on: \result == HYPERCALL_RESTART ==> extents_done(args) % 0x4000000 > start ||
        (op == XENMEM_decrease_reservation && extents_done(args) % 0x4000000 == start &&
         pages_done(args) > page); */
static int64_t reservation_change(struct vcpu *v, uint32_t op, const struct reservation *r,
                                  uint64_t start, uint64_t page, uint64_t args[6])
{
    int64_t rc = (int64_t)start;
    struct p2m_batch b;

    p2m_batch_begin(&b, r->d);
    /* Nobody populates his own memory on demand. */
    if (op == XENMEM_populate_physmap && !(r->on_demand && r->d == v->domain)) {
        rc = populate(v, r, &b, start, args);
    } else if (op == XENMEM_decrease_reservation && page >> r->order == 0) {
        b.pod = true;
        rc = decrease(v, r, &b, start, page, args);
    }
    /* Memory without a place in the map has no use for a translated domain, and
     * all domains here are: increase_reservation gives none. */
    p2m_batch_end(&b);
    return rc;
}

int64_t memory_op_reservation(struct vcpu *v, uint32_t op, uint64_t start, uint64_t args[6])
{
    struct xen_memory_reservation arg;
    struct reservation r;
    struct domain *d;
    uint64_t page = 0;
    int64_t rc;

    if (op == XENMEM_decrease_reservation) {
        page = args[0] >> MEMOP_PAGES_SHIFT;
        start &= MEMOP_EXTENTS_MAX;
    }
    /*@ assert decoded: op == XENMEM_decrease_reservation ==>
            start == args[0] / 64 % 0x4000000 && page == args[0] / 0x100000000; */
    if (guest_copy_in(v, &arg, args[1], sizeof(arg)) != 0 ||
        !reservation_decode(v->domain, op, start, &arg, &r)) {
        return (int64_t)start;
    }
    /*@ assert unlocked: !held(&v->domain->lock); */
    /*@ assert others: \forall struct domain *o; some_domain(o) ==>
            o == v->domain || \separated(o, v->domain); */
    if (memory_op_target(v, arg.domid, POLICY_MEMORY_ADJUST, &d) != 0) {
        return (int64_t)start;
    }
    r.d = d;
    rc = reservation_change(v, op, &r, start, page, args);
    domain_put(d);
    return rc;
}
