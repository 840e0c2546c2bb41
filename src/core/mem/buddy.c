/* A free block's buddy is not free with the same order if the two may be merged. Clean
 * and dirty blocks are merged up to PAGE_ALLOC_MIXED_ORDER only, so that one freed page
 * costs the scrubber 2 MiB, not the gigabyte around it. */
#include "core/mem/buddy.h"

#include "base/atomic.h"
#include "core/mem/page_alloc.h"

/* Free blocks looked at per list when a request limits addresses within a zone;
 * keeps such a request bounded however fragmented memory is. */
#define LIMITED_SEARCH 64u

/* A block on its list. */
/*@ requires table && place(m.v, order) && extent(word(m.v)) == 0 && room;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, home;
    ensures table && top == \old(top);
    ensures home == (m.v <= any < m.v + span(order) ? m.v : \old(home));
    ensures on: extent(word(m.v)) == span(order) && (dirt(word(m.v)) != 0 <==> dirty != 0);
    ensures still: \forall integer x; 0 <= x < top && x != m.v ==>
        still(word(x), \old(word(x)));
    ensures free_frames == \old(free_frames) + span(order);
    ensures dirty_frames == \old(dirty_frames) + (dirty ? span(order) : 0); */
static void link(mfn_t m, unsigned order, bool dirty)
{
    free_list_add(m, order, dirty);
    /*@ ghost if (m.v <= any && any - m.v < (UINT64_C(1) << order)) home = m.v; */
}

/* A block off its list. */
/*@ requires table && head(m.v) && 0 < m.v;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, hv->heap.scrub.v, home;
    ensures table && top == \old(top);
    ensures home == (\old(home) == m.v ? 0 : \old(home));
    ensures was: \result.order <= FRAME_ORDER_MAX && \result.order == rank(\old(word(m.v))) &&
        span(\result.order) == extent(\old(word(m.v))) &&
        (\result.dirty <==> dirt(\old(word(m.v))) != 0);
    ensures off: extent(word(m.v)) == 0;
    ensures still: \forall integer x; 0 <= x < top && x != m.v ==>
        still(word(x), \old(word(x)));
    ensures free_frames + span(\result.order) == \old(free_frames);
    ensures dirty_frames + (\result.dirty ? span(\result.order) : 0) == \old(dirty_frames); */
static struct free_block unlink(mfn_t m)
{
    struct free_block b = fw_unpack_free(load_u64(&hv->frames[m.v]));

    free_list_remove(m, b);
    /*@ ghost if (home == m.v) home = 0; */
    return b;
}

/* Takes a block off its list: its frames are in none then. */
/*@ requires heap_ok && head(m.v);
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, hv->heap.scrub.v, home;
    ensures table && top == \old(top);
    ensures placed: placed;
    ensures filled: filled;
    ensures homed: homed;
    ensures loose: loose(m.v, \result.order);
    ensures was: \result.order == rank(\old(word(m.v))) && span(\result.order) ==
        extent(\old(word(m.v))) && (\result.dirty <==> dirt(\old(word(m.v))) != 0);
    ensures exactly: within(any, m.v, span(\result.order)) ==> \old(home) == m.v && home == 0;
    ensures exactly: !within(any, m.v, span(\result.order)) ==> home == \old(home);
    ensures still: \forall integer x; 0 <= x < top && x != m.v ==>
        still(word(x), \old(word(x)));
    ensures free_frames + span(\result.order) == \old(free_frames);
    ensures dirty_frames + (\result.dirty ? span(\result.order) : 0) == \old(dirty_frames); */
static struct free_block drop(mfn_t m)
{
    return unlink(m);
}

/* Puts [m, m + 2^order) on its list without merging it. */
/*@ requires heap_ok && room && loose(m.v, order);
    requires not_twice: within(any, m.v, span(order)) ==> home == 0;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, home;
    ensures table && top == \old(top);
    ensures placed: placed;
    ensures filled: filled;
    ensures homed: homed;
    ensures exactly: within(any, m.v, span(order)) ==> home == m.v;
    ensures exactly: !within(any, m.v, span(order)) ==> home == \old(home);
    ensures on: extent(word(m.v)) == span(order) && (dirt(word(m.v)) != 0 <==> dirty != 0);
    ensures still: \forall integer x; 0 <= x < top && x != m.v ==>
        still(word(x), \old(word(x)));
    ensures free_frames == \old(free_frames) + span(order);
    ensures dirty_frames == \old(dirty_frames) + (dirty ? span(order) : 0); */
static void put(mfn_t m, unsigned order, bool dirty)
{
    link(m, order, dirty);
}

/* The other half of the block of the next order that has m as a half. */
/*@ requires table && order < FRAME_ORDER_MAX && place(m.v, order);
    assigns \nothing;
    ensures \result.v == m.v + span(order) || \result.v == m.v - span(order);
    ensures lower: \result.v < m.v ==> boundary(\result.v, span(order + 1));
    ensures upper: m.v < \result.v ==> boundary(m.v, span(order + 1));
    ensures twice: span(order + 1) == 2 * span(order); */
static mfn_t buddy_of(mfn_t m, unsigned order)
{
    const uint64_t buddy = m.v ^ frames_of(order);

    /*@ assert buddy == m.v + span(order) || buddy == m.v - span(order); */
    return mfn(buddy);
}

/* May the buddy of a block of this order and cleanness be merged with it? */
/*@ requires table && order < FRAME_ORDER_MAX;
    assigns \nothing;
    ensures \result ==> head(buddy.v) && extent(word(buddy.v)) == span(order); */
static bool may_merge(mfn_t buddy, unsigned order, bool dirty)
{
    struct free_block b;
    uint64_t word;

    if (buddy.v >= hv->max_mfn)
        return false;
    word = load_u64(&hv->frames[buddy.v]);
    if (!fw_is_free(word))
        return false;
    b = fw_unpack_free(word);
    return b.order == order && (b.dirty == dirty || order < PAGE_ALLOC_MIXED_ORDER);
}

void buddy_release(mfn_t m, unsigned order, bool dirty)
{
    /*@ loop invariant table && top == \at(top, Pre);
        loop invariant placed: placed;
        loop invariant filled: filled;
        loop invariant homed: homed;
        loop invariant loose: loose(m.v, order);
        loop invariant not_twice: within(any, m.v, span(order)) ==> home == 0;
        loop invariant exactly: home != 0 || within(any, m.v, span(order)) <==>
            \at(home, Pre) != 0 || within(any, \at(m.v, Pre), span(\at(order, Pre)));
        loop invariant zeroed: soiled{Pre} ||
            within(any, \at(m.v, Pre), span(\at(order, Pre))) && \at(dirty, Pre) ==>
            soiled || within(any, m.v, span(order)) && dirty;
        loop invariant used_same: used_same{Pre, Here};
        loop invariant counted: free_frames + span(order) ==
            \at(free_frames, Pre) + span(\at(order, Pre));
        loop invariant free_frames <= \at(free_frames, Pre);
        loop invariant dirty_frames <= \at(dirty_frames, Pre);
        loop assigns m, order, dirty, hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1],
            hv->heap.free_pages, hv->heap.dirty_pages, hv->heap.scrub.v, home;
        loop variant FRAME_ORDER_MAX - order; */
    while (order < FRAME_ORDER_MAX) {
        mfn_t buddy = buddy_of(m, order);
        struct free_block b;

        if (!may_merge(buddy, order, dirty))
            break;
        b = drop(buddy);
        dirty = dirty || b.dirty;
        if (buddy.v < m.v)
            m = buddy;
        order++;
    }
    put(m, order, dirty);
}

void buddy_clean(mfn_t m)
{
    struct free_block b = drop(m);

    buddy_release(m, b.order, false);
}

/* The first block of a list, or 0. */
/*@ requires table && order <= FRAME_ORDER_MAX;
    assigns \nothing;
    ensures \result.v != 0 ==> head(\result.v) && rank(word(\result.v)) == order &&
        (dirt(word(\result.v)) != 0 <==> dirty != 0); */
static mfn_t list_first(const struct heap_list *z, unsigned order, bool dirty)
{
    return dirty ? z->dirty[order] : z->clean[order];
}

/* The block that follows m on its list, or 0. */
/*@ requires table && head(m.v);
    assigns \nothing;
    ensures \result.v != 0 ==> head(\result.v) && rank(word(\result.v)) == rank(word(m.v)) &&
        dirt(word(\result.v)) == dirt(word(m.v)); */
static mfn_t list_next(mfn_t m)
{
    return mfn(fw_unpack_free(load_u64(&hv->frames[m.v])).next);
}

/* The first block of a list that lies below limit frames, or 0. */
/*@ requires table && order <= FRAME_ORDER_MAX;
    assigns \nothing;
    ensures \result.v != 0 ==> head(\result.v) && \result.v < limit &&
        rank(word(\result.v)) == order && (dirt(word(\result.v)) != 0 <==> dirty != 0); */
static mfn_t list_find(const struct heap_list *z, unsigned order, bool dirty, uint64_t limit)
{
    mfn_t m = list_first(z, order, dirty);

    /*@ loop invariant m.v != 0 ==> head(m.v) && rank(word(m.v)) == order &&
            (dirt(word(m.v)) != 0 <==> dirty != 0);
        loop invariant i <= LIMITED_SEARCH;
        loop assigns i, m;
        loop variant LIMITED_SEARCH - i; */
    for (unsigned i = 0; m.v != 0 && i < LIMITED_SEARCH; i++) {
        if (m.v < limit)
            return m;
        m = list_next(m);
    }
    return mfn(0);
}

/*@ requires table && order <= FRAME_ORDER_MAX;
    assigns \nothing;
    ensures found: \result.v != 0 ==> head(\result.v) && \result.v < limit &&
        order <= rank(word(\result.v)) && (clean ==> dirt(word(\result.v)) == 0); */
static mfn_t zone_find(const struct heap_list *z, unsigned order, uint64_t limit, bool clean)
{
    mfn_t m = mfn(0);

    /*@ loop invariant \at(order, Pre) <= order <= FRAME_ORDER_MAX + 1;
        loop invariant m.v != 0 ==> head(m.v) && m.v < limit &&
            \at(order, Pre) <= rank(word(m.v)) && (clean ==> dirt(word(m.v)) == 0);
        loop assigns order, m;
        loop variant FRAME_ORDER_MAX + 1 - order; */
    for (; order <= FRAME_ORDER_MAX && m.v == 0; order++) {
        m = list_find(z, order, false, limit);
        if (m.v == 0 && !clean)
            m = list_find(z, order, true, limit);
    }
    return m;
}

mfn_t buddy_find(unsigned order, uint64_t limit, bool clean)
{
    mfn_t m = mfn(0);

    if (limit > HEAP_LOW_FRAMES)
        m = zone_find(&hv->heap.zone[HEAP_HIGH], order, limit, clean);
    if (m.v == 0)
        m = zone_find(&hv->heap.zone[HEAP_LOW], order, limit, clean);
    return m;
}

/* Where the upper half of a block begins whose halves are of this order. */
/*@ requires table && order < FRAME_ORDER_MAX && place(m.v, order + 1);
    assigns \nothing;
    ensures \result.v == m.v + span(order);
    ensures halves: place(m.v, order) && place(\result.v, order);
    ensures twice: span(order + 1) == 2 * span(order); */
static mfn_t upper_half(mfn_t m, unsigned order)
{
    const uint64_t half = frames_of(order);

    /*@ assert span(order + 1) == 2 * half; */
    /*@ assert boundary(m.v, half) && boundary(m.v + half, half); */
    return mfn(m.v + half);
}

/* Halves what has been taken until it is of the order, and puts the upper halves back. */
/*@ requires heap_ok && room && loose(m.v, have) && order <= have;
    requires not_twice: within(any, m.v, span(have)) ==> home == 0;
    requires free_frames + span(have) <= UINT64_MAX - 0x40000;
    requires dirty_frames + (dirty ? span(have) : 0) <= UINT64_MAX - 0x40000;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, home;
    ensures heap_ok && top == \old(top);
    ensures loose: loose(m.v, order) && span(order) <= span(have);
    ensures handed_out: within(any, m.v, span(order)) ==> home == 0;
    ensures kept: within(any, m.v, span(have)) && !within(any, m.v, span(order)) ==> home != 0;
    ensures kept: within(any, m.v, span(have)) && !within(any, m.v, span(order)) ==>
        (soiled <==> dirty != 0);
    ensures others: !within(any, m.v, span(have)) ==> home == \old(home) &&
        (soiled <==> \old(soiled));
    ensures used_same: used_same{Pre, Post};
    ensures free_frames + span(order) == \old(free_frames) + span(have); */
static void split(mfn_t m, unsigned have, unsigned order, bool dirty)
{
    /*@ loop invariant table && top == \at(top, Pre);
        loop invariant placed: placed;
        loop invariant filled: filled;
        loop invariant homed: homed;
        loop invariant loose: loose(m.v, have) && order <= have;
        loop invariant span(have) <= span(\at(have, Pre));
        loop invariant handed_out: within(any, m.v, span(have)) ==> home == 0;
        loop invariant kept: within(any, m.v, span(\at(have, Pre))) &&
            !within(any, m.v, span(have)) ==> home != 0 && (soiled <==> dirty != 0);
        loop invariant others: !within(any, m.v, span(\at(have, Pre))) ==>
            home == \at(home, Pre) && (soiled <==> soiled{Pre});
        loop invariant used_same: used_same{Pre, Here};
        loop invariant free_frames + span(have) ==
            \at(free_frames, Pre) + span(\at(have, Pre));
        loop invariant dirty_frames + (dirty ? span(have) : 0) ==
            \at(dirty_frames, Pre) + (dirty ? span(\at(have, Pre)) : 0);
        loop assigns have, hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1],
            hv->heap.free_pages, hv->heap.dirty_pages, home;
        loop variant have; */
    while (have > order) {
        have--;
        put(upper_half(m, have), have, dirty);
    }
}

/* Frame m into use without references: no merge takes it, and no reference can be taken. */
/*@ requires table && 0 <= m.v < top && extent(word(m.v)) == 0;
    assigns hv->frames[0 .. FW_NEXT_MASK];
    ensures table && top == \old(top);
    ensures taken(word(m.v)) && extent(word(m.v)) < 0;
    ensures same: \forall integer x; 0 <= x < top && x != m.v ==> word(x) == \old(word(x));
    ensures free_frames == \old(free_frames) && dirty_frames == \old(dirty_frames); */
static void use(mfn_t m)
{
    store_u64(&hv->frames[m.v], fw_pack_used(FRAME_NONE, false, 0, 0));
    /*@ assert \forall integer x; 0 <= x < hv->max_mfn && x != m.v ==>
        hv->frames[x] == \at(hv->frames[x], Pre); */
}

/* Frame m is free, but in no block. */
/*@ requires table && 0 <= m.v < top;
    assigns hv->frames[0 .. FW_NEXT_MASK];
    ensures table && top == \old(top);
    ensures extent(word(m.v)) == 0;
    ensures same: \forall integer x; 0 <= x < top && x != m.v ==> word(x) == \old(word(x));
    ensures free_frames == \old(free_frames) && dirty_frames == \old(dirty_frames); */
static void unuse(mfn_t m)
{
    store_u64(&hv->frames[m.v], fw_pack_inner());
    /*@ assert \forall integer x; 0 <= x < hv->max_mfn && x != m.v ==>
        hv->frames[x] == \at(hv->frames[x], Pre); */
}

/*@ requires table && 0 <= m.v < top;
    assigns hv->frames[0 .. FW_NEXT_MASK];
    ensures table && top == \old(top);
    ensures word(m.v) == w;
    ensures same: \forall integer x; 0 <= x < top && x != m.v ==> word(x) == \old(word(x));
    ensures free_frames == \old(free_frames) && dirty_frames == \old(dirty_frames); */
static void set_word(mfn_t m, uint64_t w)
{
    store_u64(&hv->frames[m.v], w);
    /*@ assert \forall integer x; 0 <= x < hv->max_mfn && x != m.v ==>
        hv->frames[x] == \at(hv->frames[x], Pre); */
}

bool buddy_take(mfn_t m, unsigned order)
{
    struct free_block b = drop(m);

    split(m, b.order, order, b.dirty);
    use(m);
    return b.dirty;
}

void buddy_use(mfn_t m, unsigned order, uint64_t w)
{
    /*@ loop invariant 0 <= i <= span(order);
        loop invariant table && top == \at(top, Pre);
        loop invariant placed: placed;
        loop invariant filled: filled;
        loop invariant homed: homed;
        loop invariant \forall integer y; m.v <= y < m.v + i ==> word(y) == w;
        loop invariant \forall integer x; 0 <= x < top && !(m.v <= x < m.v + i) ==>
            word(x) == \at(word(x), Pre);
        loop invariant free_frames == \at(free_frames, Pre) &&
            dirty_frames == \at(dirty_frames, Pre);
        loop assigns i, hv->frames[0 .. FW_NEXT_MASK];
        loop variant span(order) - i; */
    for (uint64_t i = 0; i < frames_of(order); i++)
        set_word(mfn(m.v + i), w);
}

void buddy_unuse(mfn_t m, unsigned order)
{
    /*@ loop invariant 1 <= i <= span(order);
        loop invariant table && top == \at(top, Pre);
        loop invariant placed: placed;
        loop invariant filled: filled;
        loop invariant homed: homed;
        loop invariant \forall integer y; m.v < y < m.v + i ==> extent(word(y)) == 0;
        loop invariant \forall integer x; 0 <= x < top && !(m.v < x < m.v + i) ==>
            word(x) == \at(word(x), Pre);
        loop invariant free_frames == \at(free_frames, Pre) &&
            dirty_frames == \at(dirty_frames, Pre);
        loop assigns i, hv->frames[0 .. FW_NEXT_MASK];
        loop variant span(order) - i; */
    for (uint64_t i = 1; i < frames_of(order); i++)
        unuse(mfn(m.v + i));
}

void buddy_give(mfn_t m, unsigned order)
{
    unuse(m);
    buddy_release(m, order, true);
}

/*@ requires table;
    assigns \nothing;
    ensures \result <==> m.v < top; */
static bool in_table(mfn_t m)
{
    return m.v < hv->max_mfn;
}

/* Is m RAM that is free? */
/*@ requires table;
    assigns \nothing;
    ensures \result <==> m.v < top && 0 <= extent(word(m.v)); */
static bool is_spare(mfn_t m)
{
    return m.v < hv->max_mfn && fw_is_free(load_u64(&hv->frames[m.v]));
}

/* The largest order of which a block may begin at m. */
/*@ requires 0 < m.v <= FW_NEXT_MASK;
    assigns \nothing;
    ensures \result <= FRAME_ORDER_MAX && boundary(m.v, span(\result)) && 1 <= span(\result);
    ensures single: span(0) == 1; */
static unsigned order_at(mfn_t m)
{
    unsigned order = 0;

    /*@ loop invariant order <= FRAME_ORDER_MAX && aligned(m.v, 1 << order);
        loop assigns order;
        loop variant FRAME_ORDER_MAX - order; */
    while (order < FRAME_ORDER_MAX && (m.v & frames_of(order)) == 0)
        order++;
    return order;
}

/*@ requires 0 < order <= FRAME_ORDER_MAX && m.v <= FW_NEXT_MASK && boundary(m.v, span(order));
    assigns \nothing;
    ensures \result == order - 1 && boundary(m.v, span(\result)) && 1 <= span(\result); */
static unsigned smaller(mfn_t m, unsigned order)
{
    /*@ assert aligned(m.v, 1 << order) && 1 << order == 2 * (1 << (order - 1)); */
    (void)m;
    return order - 1;
}

/* The order of the largest block of free frames that may begin at m. */
/*@ requires table && placed && 0 < m.v < top && extent(word(m.v)) == 0;
    requires \forall integer x; 0 <= x < top && m.v <= x ==> extent(word(x)) <= 0;
    assigns \nothing;
    ensures place(m.v, \result);
    ensures \forall integer y; within(y, m.v, span(\result)) ==> extent(word(y)) == 0; */
static unsigned spare_order(mfn_t m)
{
    unsigned order = order_at(m);
    uint64_t count = 1;

    /*@ loop invariant 1 <= count <= span(order) && m.v + count <= top;
        loop invariant \forall integer y; m.v <= y < m.v + count ==> extent(word(y)) == 0;
        loop assigns count;
        loop variant span(order) - count; */
    while (count < frames_of(order) && is_spare(mfn(m.v + count)))
        count++;
    /*@ loop invariant order <= FRAME_ORDER_MAX && boundary(m.v, span(order)) &&
            1 <= span(order);
        loop assigns order;
        loop variant order; */
    while (frames_of(order) > count)
        order = smaller(m, order);
    return order;
}

void buddy_init(bool dirty)
{
    uint64_t m = 0;

    /*@ loop invariant table && top == \at(top, Pre);
        loop invariant placed: placed;
        loop invariant filled: filled;
        loop invariant homed: homed;
        loop invariant behind: \forall integer x; head(x) ==> x + extent(word(x)) <= m;
        loop invariant ahead: \forall integer x; 0 <= x < top && m <= x ==>
            word(x) == \at(word(x), Pre);
        loop invariant used_same: used_same{Pre, Here};
        loop invariant none_lost: any < m && any < top && \at(extent(word(any)), Pre) == 0 ==>
            home != 0;
        loop invariant m <= top && free_frames <= m && dirty_frames <= m;
        loop assigns m, hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1],
            hv->heap.free_pages, hv->heap.dirty_pages, home;
        loop variant top - m; */
    while (in_table(mfn(m))) {
        uint64_t count = 1;

        if (is_spare(mfn(m))) {
            unsigned order = spare_order(mfn(m));

            put(mfn(m), order, dirty);
            count = frames_of(order);
        }
        m += count;
    }
}
