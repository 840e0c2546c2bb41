/* Accounts, limits and zeroing around buddy.c's blocks. A block on its way between "free"
 * and "in use" has a head word of state FRAME_USED with no references: no merge takes it
 * and no reference can be taken. That is what lets zeroing and word filling happen without
 * the lock. */
#include "core/mem/page_alloc.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/string.h"
#include "core/domain/domain.h"
#include "core/mem/buddy.h"
#include "core/mem/frame_word.h"
#include "core/mem/page_claim.h"
#include "core/state.h"
#include "port/mem.h"

/* Frames zeroed in one go under the heap lock. */
#define SCRUB_CHUNK 16u

/*@ requires frame_table && m.v < hv->max_mfn && word_free(hv->frames[m.v]);
    assigns \nothing;
    ensures word_block(hv->frames[m.v], \result.order, \result.dirty, \result.next,
                       \result.prev); */
static struct free_block block_read(mfn_t m)
{
    return fw_unpack_free(load_u64(&hv->frames[m.v]));
}

/* What is asked of the free lists. */
struct request {
    struct domain *d; /* whose guest memory, and whose claim, it is; NULL: neither */
    uint64_t limit;   /* frames below this number, a power of two */
    unsigned order;
    bool clean; /* no block that would have to be zeroed first */
};

struct block {
    mfn_t m;
    bool dirty; /* it needs zeroing */
};

/* Takes the frames. The head's word says in use without references. mfn 0 when there
 * are none. */
/*@ requires INV_MEM_1: \valid(hv) && heap_ok && room && !held(&hv->heap.lock);
    requires \valid_read(q) && \separated(q, hv) && q->order <= FRAME_ORDER_MAX;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap, q->d->outstanding_pages, home;
    ensures unlocked: !held(&hv->heap.lock);
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures none: \result.m.v == 0 ==> home == \old(home) && free_frames == \old(free_frames);
    ensures place: \result.m.v != 0 ==> place(\result.m.v, \old(q->order));
    ensures was_free: \result.m.v != 0 && within(any, \result.m.v, span(\old(q->order))) ==>
        \old(home) != 0 && home == 0;
    ensures none_lost: \result.m.v != 0 && !within(any, \result.m.v, span(\old(q->order))) ==>
        (home != 0 <==> \old(home) != 0);
    ensures taken: \result.m.v != 0 ==> taken(word(\result.m.v)) && extent(word(\result.m.v)) < 0;
    ensures rest: \result.m.v != 0 ==> \forall integer y; \result.m.v < y < \result.m.v +
        span(\old(q->order)) ==> extent(word(y)) == 0;
    ensures below: \result.m.v != 0 ==> \result.m.v < \old(q->limit);
    ensures counted: \result.m.v != 0 ==>
        free_frames + span(\old(q->order)) == \old(free_frames); */
static struct block block_take(const struct request *q)
{
    struct heap *h = &hv->heap;
    struct block b = {.dirty = false};

    lock_acquire(&h->lock);
    if (page_claim_admits(q->d, frames_of(q->order)))
        b.m = buddy_find(q->order, q->limit, q->clean);
    if (b.m.v != 0) {
        page_claim_consume(q->d, frames_of(q->order));
        b.dirty = buddy_take(b.m, q->order);
    }
    lock_release(&h->lock);
    return b;
}

static void block_zero(mfn_t m, unsigned order)
{
    memset(mfn_to_ptr(m), 0, PAGE_SIZE << order);
    port_code_changed(m, frames_of(order));
}

/* Takes, zeroes, and gives every frame its word; the words come last because
 * they are what makes the frames reachable. */
/*@ requires INV_MEM_1: \valid(hv) && heap_ok && room && !held(&hv->heap.lock);
    requires \valid_read(q) && \separated(q, hv) && q->order <= FRAME_ORDER_MAX;
    requires in_use: extent(w) < 0;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap, q->d->outstanding_pages, home;
    ensures unlocked: !held(&hv->heap.lock);
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures none: \result.v == 0 ==> home == \old(home) && free_frames == \old(free_frames);
    ensures place: \result.v != 0 ==> place(\result.v, \old(q->order));
    ensures was_free: \result.v != 0 && within(any, \result.v, span(\old(q->order))) ==>
        \old(home) != 0 && home == 0;
    ensures none_lost: \result.v != 0 && !within(any, \result.v, span(\old(q->order))) ==>
        (home != 0 <==> \old(home) != 0);
    ensures in_use: \result.v != 0 ==> \forall integer y;
        within(y, \result.v, span(\old(q->order))) ==> word(y) == w; */
static mfn_t block_alloc(const struct request *q, uint64_t w)
{
    unsigned order = q->order;
    struct block b = block_take(q);

    if (b.m.v != 0) {
        if (b.dirty)
            block_zero(b.m, order);
        buddy_use(b.m, order, w);
    }
    return b.m;
}

/*@ requires \valid_read(q) && q->order <= FRAME_ORDER_MAX;
    terminates \true;
    assigns given;
    ensures \result.v == MFN_INVALID_V ==> given == \old(given);
    ensures \result.v != MFN_INVALID_V ==> given == \old(given) + span(q->order); */
static mfn_t pages_alloc(const struct request *q, uint64_t word)
{
    mfn_t m = block_alloc(q, word);

    return m.v != 0 ? m : mfn_invalid();
}

/* Gives back 2^order frames whose words say in use without references. */
/*@ requires INV_MEM_1: \valid(hv) && heap_ok && room && !held(&hv->heap.lock);
    requires place(m.v, order);
    requires in_use: \forall integer y; within(y, m.v, span(order)) ==> extent(word(y)) < 0;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, hv->heap.scrub.v, hv->heap.lock.spin.word, home;
    ensures unlocked: !held(&hv->heap.lock);
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures not_twice: within(any, m.v, span(order)) ==> \old(home) == 0;
    ensures none_lost: home != 0 <==> \old(home) != 0 || within(any, m.v, span(order));
    ensures zeroed: within(any, m.v, span(order)) ==> soiled;
    ensures counted: free_frames == \old(free_frames) + span(order); */
static void pages_free(mfn_t m, unsigned order)
{
    buddy_unuse(m, order);
    lock_acquire(&hv->heap.lock);
    buddy_give(m, order);
    lock_release(&hv->heap.lock);
}

void heap_init(void)
{
    lock_init(&hv->heap.lock, LOCK_HEAP);
    lock_acquire(&hv->heap.lock);
    buddy_init(hv->ram_dirty);
    lock_release(&hv->heap.lock);
}

/* Frames below this number are addressed with addr_bits bits. */
/*@ assigns \nothing;
    ensures 1 <= \result <= 0x10000000;
    ensures addr_bits == 0 || addr_bits >= 40 ==> \result == 0x10000000;
    ensures within: 12 <= addr_bits < 40 ==> \result == span(addr_bits - 12);
    ensures none: 0 < addr_bits < 12 ==> \result == 1; */
static uint64_t limit_of_bits(unsigned addr_bits)
{
    if (addr_bits == 0 || addr_bits >= FRAME_MFN_BITS + PAGE_SHIFT)
        return UINT64_C(1) << FRAME_MFN_BITS;
    return addr_bits <= PAGE_SHIFT ? 1 : UINT64_C(1) << (addr_bits - PAGE_SHIFT);
}

/*@ requires \valid(d);
    assigns given, accounted;
    ensures INV_MEM_4: accounted - given == \old(accounted - given);
    ensures \result.v == MFN_INVALID_V ==> given == \old(given);
    ensures \result.v != MFN_INVALID_V ==> order <= FRAME_ORDER_MAX &&
        given == \old(given) + span(order); */
mfn_t guest_pages_alloc(struct domain *d, unsigned order)
{
    return guest_pages_alloc_below(d, order, 0);
}

/*@ requires \valid_read(q) && \valid(q->d);
    assigns given, accounted;
    ensures INV_MEM_4: accounted - given == \old(accounted - given);
    ensures \result.v == MFN_INVALID_V ==> given == \old(given);
    ensures \result.v != MFN_INVALID_V ==> q->order <= FRAME_ORDER_MAX &&
        given == \old(given) + span(q->order); */
static mfn_t guest_alloc(const struct request *q)
{
    struct domain *d = q->d;
    mfn_t m;

    if (q->order > FRAME_ORDER_MAX)
        return mfn_invalid();
    if (!domain_pages_reserve(d, frames_of(q->order)))
        return mfn_invalid();
    m = pages_alloc(q, fw_pack_used(FRAME_NONE, true, 1, d->id));
    if (mfn_is_invalid(m))
        domain_pages_return(d, frames_of(q->order));
    return m;
}

/*@ requires \valid(d);
    assigns given, accounted;
    ensures INV_MEM_4: accounted - given == \old(accounted - given);
    ensures \result.v == MFN_INVALID_V ==> given == \old(given);
    ensures \result.v != MFN_INVALID_V ==> order <= FRAME_ORDER_MAX &&
        given == \old(given) + span(order); */
mfn_t guest_pages_alloc_below(struct domain *d, unsigned order, unsigned addr_bits)
{
    return guest_alloc(
        &(struct request){.d = d, .order = order, .limit = limit_of_bits(addr_bits)});
}

/*@ requires \valid(d);
    assigns given, accounted;
    ensures INV_MEM_4: accounted - given == \old(accounted - given);
    ensures \result.v == MFN_INVALID_V ==> given == \old(given);
    ensures \result.v != MFN_INVALID_V ==> order <= FRAME_ORDER_MAX &&
        given == \old(given) + span(order); */
mfn_t guest_pages_alloc_clean(struct domain *d, unsigned order, unsigned addr_bits)
{
    return guest_alloc(&(struct request){
        .d = d, .order = order, .limit = limit_of_bits(addr_bits), .clean = true});
}

/* A domain lives as long as frames are accounted to it, so its list entry can be
 * read without the list's lock. An owner that is not listed is a domain that is
 * only being made or unmade: its counters go with it. */
static struct domain *owner_domain(domid_t owner)
{
    const uint64_t *page;

    if (owner >= DOMID_FIRST_RESERVED)
        return NULL;
    page = (const uint64_t *)(uintptr_t)load_u64(
        (const uint64_t *)&hv->domain_page[owner / DOMAINS_PER_PAGE]);
    if (page == NULL)
        return NULL;
    return (struct domain *)(uintptr_t)load_u64(&page[owner % DOMAINS_PER_PAGE]);
}

static void hyp_account(domid_t owner, uint64_t delta)
{
    struct domain *d;

    if (owner == DOMID_XEN) {
        fetch_add_u64(&hv->hyp_pages, delta);
        return;
    }
    d = owner_domain(owner);
    if (d != NULL)
        fetch_add_u64(&d->hyp_pages, delta);
}

/* Counts n more hypervisor frames, unless that passes d's limit. */
/*@ requires \valid(count) && (d != \null ==> \valid_read(d));
    assigns *count;
    ensures !\result ==> *count == \old(*count);
    ensures \result ==> *count == \old(*count) + n;
    ensures INV_MEM_8: \result && d != \null ==> *count <= limit_of(d); */
static bool hyp_pages_count(const struct domain *d, uint64_t *count, uint64_t n)
{
    uint64_t limit = d == NULL ? UINT64_MAX : hyp_pages_limit(d);
    uint64_t old;

    /*@ loop invariant *count == \at(*count, Pre);
        loop assigns old, *count;
        loop variant 1; */
    do {
        old = load_u64(count);
        if (old > limit || n > limit - old)
            return false;
    } while (!cmpxchg_u64(count, old, old + n));
    return true;
}

void *hyp_pages_alloc(struct domain *d, unsigned order, enum frame_type type)
{
    domid_t owner = d == NULL ? DOMID_XEN : d->id;
    struct request q = {.order = order, .limit = limit_of_bits(0)};
    uint64_t *count = d == NULL ? &hv->hyp_pages : &d->hyp_pages;
    mfn_t m;

    check(type >= FRAME_HYP && type < FRAME_TYPES);
    if (order > FRAME_ORDER_MAX || !hyp_pages_count(d, count, frames_of(order)))
        return NULL;
    m = pages_alloc(&q, fw_pack_used(type, false, 1, owner));
    if (mfn_is_invalid(m)) {
        fetch_add_u64(count, 0 - frames_of(order));
        return NULL;
    }
    return mfn_to_ptr(m);
}

void hyp_pages_free(void *p, unsigned order)
{
    mfn_t m = ptr_to_mfn(p);
    uint64_t word = hv->frames[m.v];

    check(order <= FRAME_ORDER_MAX && (m.v & (frames_of(order) - 1)) == 0);
    check(fw_is_used(word) && fw_type(word) >= FRAME_HYP && fw_refs(word) == 1);
    for (uint64_t i = 0; i < frames_of(order); i++) {
        /* All frames of one allocation look alike and nobody else refers to them. */
        bool alone = cmpxchg_u64(&hv->frames[m.v + i], word, fw_with_refs(word, 0));

        check(alone);
    }
    pages_free(m, order);
    hyp_account((domid_t)fw_owner(word), 0 - frames_of(order));
}

void page_free_one(mfn_t m)
{
    struct frame f = frame_read(m);

    check(f.state == FRAME_USED && f.refs == 0);
    pages_free(m, 0);
    if (f.type >= FRAME_HYP) {
        hyp_account(f.owner, 0 - UINT64_C(1));
    } else {
        struct domain *d = owner_domain(f.owner);

        if (d != NULL)
            domain_pages_return(d, 1);
    }
}

/*@ assigns \nothing;
    ensures \result <= 51;
    ensures enough: \result < 51 ==> bytes <= (PAGE_SIZE << \result);
    ensures no_more: \result > 0 ==> (PAGE_SIZE << (\result - 1)) < bytes; */
unsigned order_of_bytes(uint64_t bytes)
{
    unsigned order = 0;

    /*@ loop invariant order <= 51;
        loop invariant order > 0 ==> (PAGE_SIZE << (order - 1)) < bytes;
        loop assigns order;
        loop variant 51 - order; */
    while (order < 63 - PAGE_SHIFT && (PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

/*@ // v is the first block of a list of this order; none of them has one; no dirty one has.
    predicate first_of{L}(integer v, integer order) = v != 0 &&
        (v == hv->heap.zone[0].clean[order].v || v == hv->heap.zone[0].dirty[order].v ||
         v == hv->heap.zone[1].clean[order].v || v == hv->heap.zone[1].dirty[order].v);
    predicate empty{L}(integer order) =
        hv->heap.zone[0].clean[order].v == 0 && hv->heap.zone[0].dirty[order].v == 0 &&
        hv->heap.zone[1].clean[order].v == 0 && hv->heap.zone[1].dirty[order].v == 0;
    predicate no_dirty{L}(integer order) = hv->heap.zone[0].dirty[order].v == 0 &&
        hv->heap.zone[1].dirty[order].v == 0; */

/* The first block of a list of this order, or 0. */
/*@ requires \valid_read(hv) && order <= FRAME_ORDER_MAX;
    assigns \nothing;
    ensures \result.v == 0 ==> empty(order);
    ensures \result.v != 0 ==> first_of(\result.v, order); */
static mfn_t any_first(unsigned order)
{
    const struct heap_list *low = &hv->heap.zone[HEAP_LOW], *high = &hv->heap.zone[HEAP_HIGH];

    if (low->clean[order].v != 0)
        return low->clean[order];
    if (low->dirty[order].v != 0)
        return low->dirty[order];
    return high->clean[order].v != 0 ? high->clean[order] : high->dirty[order];
}

/* The first block of the first list that has one, of those of at least this order, or 0. */
/*@ requires \valid_read(hv);
    assigns \nothing;
    ensures none_overlooked: \result.v == 0 ==>
        \forall integer k; order <= k <= FRAME_ORDER_MAX ==> empty(k);
    ensures smallest: \result.v != 0 ==> \exists integer k; order <= k <= FRAME_ORDER_MAX &&
        first_of(\result.v, k) && \forall integer i; order <= i < k ==> empty(i); */
static mfn_t first_from(unsigned order)
{
    /*@ loop invariant \at(order, Pre) <= order;
        loop invariant \forall integer k; \at(order, Pre) <= k < order &&
            k <= FRAME_ORDER_MAX ==> empty(k);
        loop assigns order;
        loop variant FRAME_ORDER_MAX + 1 - order; */
    for (; order <= FRAME_ORDER_MAX; order++) {
        mfn_t m = any_first(order);

        if (m.v != 0)
            return m;
    }
    return mfn(0);
}

/*@ requires \valid_read(hv) && pages <= 0x10000000;
    assigns \nothing;
    ensures large_enough: \result.v == MFN_INVALID_V || \exists integer k;
        0 <= k <= FRAME_ORDER_MAX && pages * PAGE_SIZE <= (PAGE_SIZE << k) &&
        first_of(\result.v, k); */
mfn_t page_alloc_scratch(uint64_t pages)
{
    unsigned order = order_of_bytes(pages << PAGE_SHIFT);
    mfn_t m = first_from(order);

    /*@ assert order <= FRAME_ORDER_MAX ==> pages * PAGE_SIZE <= (PAGE_SIZE << order); */
    /*@ assert \forall integer k; order <= k <= FRAME_ORDER_MAX ==>
        pages * PAGE_SIZE <= (PAGE_SIZE << k); */
    return m.v != 0 ? m : mfn_invalid();
}

/*@ requires \valid_read(hv);
    assigns \nothing;
    ensures \result == hv->heap.free_pages; */
uint64_t free_page_count(void)
{
    return load_u64(&hv->heap.free_pages);
}

/*@ requires \valid_read(hv);
    assigns \nothing;
    ensures \result == hv->heap.total_pages; */
uint64_t total_page_count(void)
{
    return hv->heap.total_pages;
}

/* The first dirty block, larger ones first: they are what splits are made of. */
/*@ requires \valid_read(hv);
    assigns \nothing;
    ensures none_overlooked: \result.v == 0 ==>
        \forall integer k; 0 <= k <= FRAME_ORDER_MAX ==> no_dirty(k);
    ensures largest: \result.v != 0 ==> \exists integer k; 0 <= k <= FRAME_ORDER_MAX &&
        (\result.v == hv->heap.zone[0].dirty[k].v || \result.v == hv->heap.zone[1].dirty[k].v) &&
        \forall integer i; k < i <= FRAME_ORDER_MAX ==> no_dirty(i); */
static mfn_t dirty_block(void)
{
    const struct heap_list *low = &hv->heap.zone[HEAP_LOW], *high = &hv->heap.zone[HEAP_HIGH];

    /*@ loop invariant 0 <= above <= FRAME_ORDER_MAX + 1;
        loop invariant \forall integer i; above <= i <= FRAME_ORDER_MAX ==> no_dirty(i);
        loop assigns above;
        loop variant above; */
    for (unsigned above = FRAME_ORDER_MAX + 1; above > 0; above--) {
        const unsigned order = above - 1;

        if (low->dirty[order].v != 0)
            return low->dirty[order];
        if (high->dirty[order].v != 0)
            return high->dirty[order];
    }
    return mfn(0);
}

bool page_scrub_some(void)
{
    struct heap *h = &hv->heap;
    struct free_block b;
    uint64_t left, count;
    mfn_t first;

    if (load_u64(&h->dirty_pages) == 0)
        return false;
    lock_acquire(&h->lock);
    if (h->scrub.v == 0) {
        h->scrub = dirty_block();
        h->scrub_done = 0;
    }
    if (h->scrub.v != 0) {
        b = block_read(h->scrub);
        left = frames_of(b.order) - h->scrub_done;
        count = left < SCRUB_CHUNK ? left : SCRUB_CHUNK;
        first = mfn(h->scrub.v + h->scrub_done);
        memset(mfn_to_ptr(first), 0, count << PAGE_SHIFT);
        port_code_changed(first, count);
        h->scrub_done += count;
        if (count == left)
            buddy_clean(h->scrub);
    }
    lock_release(&h->lock);
    return true;
}
