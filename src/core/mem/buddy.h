/* Blocks of free memory: merged when they come back, split when less is wanted. A block
 * is an aligned power of two of frames; which list it is on, free_list.h says. Under
 * LOCK_HEAP. */
#ifndef CORBEL_CORE_MEM_BUDDY_H
#define CORBEL_CORE_MEM_BUDDY_H

#include "core/mem/free_list.h"

/* For the proofs: any frame, and the free block that it is in: its first frame, or 0. What
 * is said of one arbitrary frame is true of all. */
/*@ ghost uint64_t any; */
/*@ ghost uint64_t home; */

/* What the frame table and the heap say; most proofs know these by name only. */
#ifndef PROOF_BY_NAME
/*@ logic integer word{L}(integer x) = hv->frames[x];
    logic integer top{L} = hv->max_mfn;
    logic integer free_frames{L} = hv->heap.free_pages;
    logic integer dirty_frames{L} = hv->heap.dirty_pages;
    // Frames of the free block that begins with this word; 0: free, but it is not the first
    // of its block; -1: not free.
    logic integer extent(integer w) = word_state(w) != FRAME_FREE ? -1 :
        order_of(w) <= FRAME_ORDER_MAX ? span(order_of(w)) : 0;
    logic integer rank(integer w) = order_of(w);
    logic integer dirt(integer w) = dirty_of(w);
    predicate taken(integer w) = word_used(w) && word_refs(w) == 0;
    predicate boundary(integer m, integer n) = aligned(m, n);
    predicate table{L} = \valid(hv) && 0 < hv->max_mfn <= FW_NEXT_MASK + 1 &&
        \valid(hv->frames + (0 .. hv->max_mfn - 1)) && \base_addr(hv->frames) != \base_addr(hv); */
#endif

/*@ predicate room{L} = free_frames <= UINT64_MAX - 0x40000 &&
        dirty_frames <= UINT64_MAX - 0x40000;
    predicate within(integer y, integer m, integer n) = m <= y < m + n;
    predicate head{L}(integer x) = 0 <= x < top && 0 < extent(word(x));
    // A place for a block.
    predicate place{L}(integer m, integer order) = 0 <= order <= FRAME_ORDER_MAX &&
        0 < m && boundary(m, span(order)) && m + span(order) <= top <= FW_NEXT_MASK + 1 &&
        1 <= span(order);
    // Each block has its place, and all of its other words say inner; so no frame is in two,
    // and what is in use is in none.
    predicate placed{L} = top <= FW_NEXT_MASK + 1 && \forall integer x; head(x) ==> 0 < x &&
        boundary(x, extent(word(x))) && x + extent(word(x)) <= top;
    predicate filled{L} = \forall integer x, y; head(x) && x < y < x + extent(word(x)) ==>
        extent(word(y)) == 0;
    // Where the frame is; nowhere exactly if no block has it.
    predicate homed{L} =
        (home != 0 ==> head(home) && within(any, home, extent(word(home)))) &&
        (home == 0 ==> \forall integer x; head(x) ==> !within(any, x, extent(word(x))));
    predicate blocks{L} = placed && filled && homed;
    predicate heap_ok{L} = table && blocks;
    // A place whose frames are free, but in no block.
    predicate loose{L}(integer m, integer order) = place(m, order) &&
        (\forall integer y; within(y, m, span(order)) ==> extent(word(y)) == 0) &&
        (\forall integer x; head(x) && x < m ==> x + extent(word(x)) <= m);
    // Of blocks only their links change, of what is in none nothing.
    predicate still(integer w, integer old) = extent(w) == extent(old) &&
        dirt(w) == dirt(old) && (extent(old) <= 0 ==> w == old);
    // Words of frames in use.
    predicate used_same{A, B} = \forall integer x; 0 <= x < \at(top, A) &&
        extent(word{A}(x)) < 0 ==> word{B}(x) == word{A}(x);
    // The frame is free, in a block that may hold old data.
    predicate soiled{L} = home != 0 && dirt(word(home)) != 0; */

/* Puts all frames whose words say inner on the lists, which are empty: once. Frame 0 is not
 * among them. */
/*@ requires table && 0 < top <= FW_NEXT_MASK + 1 && home == 0 && extent(word(0)) < 0;
    requires \forall integer x; 0 <= x < top ==> extent(word(x)) <= 0;
    requires free_frames == 0 && dirty_frames == 0;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, home;
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures none_lost: any < top && \old(extent(word(any))) == 0 ==> home != 0;
    ensures used_same: used_same{Pre, Post}; */
void buddy_init(bool dirty);

/* Gives [m, m + 2^order), all of whose words say inner, back to the free lists: merged
 * with its buddies as far as that goes. */
/*@ requires INV_MEM_1: heap_ok && room;
    requires loose(m.v, order);
    requires not_twice: within(any, m.v, span(order)) ==> home == 0;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, hv->heap.scrub.v, home;
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures exactly: home != 0 <==> \old(home) != 0 || within(any, m.v, span(order));
    ensures zeroed: \old(soiled) || within(any, m.v, span(order)) && dirty ==> soiled;
    ensures used_same: used_same{Pre, Post};
    ensures counted: free_frames == \old(free_frames) + span(order); */
void buddy_release(mfn_t m, unsigned order, bool dirty);

/* All frames of free block m are zero now. */
/*@ requires INV_MEM_1: heap_ok && room && head(m.v);
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, hv->heap.scrub.v, home;
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures exactly: home != 0 <==> \old(home) != 0;
    ensures zeroed: \old(soiled) && !within(any, m.v, \old(extent(word(m.v)))) ==> soiled;
    ensures used_same: used_same{Pre, Post};
    ensures counted: free_frames == \old(free_frames); */
void buddy_clean(mfn_t m);

/* A free block of at least the order that begins below the limit, a power of two, or 0:
 * the smallest that does, clean before dirty, which clean excludes. As blocks are aligned
 * it ends below the limit too. Looks at a bounded number of blocks. */
/*@ requires table && order <= FRAME_ORDER_MAX;
    assigns \nothing;
    ensures found: \result.v != 0 ==> head(\result.v) && \result.v < limit &&
        order <= rank(word(\result.v)) && (clean ==> dirt(word(\result.v)) == 0); */
mfn_t buddy_find(unsigned order, uint64_t limit, bool clean);

/* Takes the first 2^order frames of free block m, of at least that order; the rest goes
 * back to the lists. The first frame's word says in use without references then. True if
 * the frames need zeroing. */
/*@ requires INV_MEM_1: heap_ok && room && head(m.v) && order <= rank(word(m.v));
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, hv->heap.scrub.v, home;
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures place: place(m.v, order);
    ensures was_free: within(any, m.v, span(order)) ==> \old(home) == m.v && home == 0;
    ensures none_lost: !within(any, m.v, span(order)) ==> (home != 0 <==> \old(home) != 0);
    ensures zeroed: !within(any, m.v, span(order)) ==> (soiled <==> \old(soiled));
    ensures zeroed: \result <==> dirt(\old(word(m.v))) != 0;
    ensures taken: taken(word(m.v)) && extent(word(m.v)) < 0;
    ensures rest: \forall integer y; m.v < y < m.v + span(order) ==> extent(word(y)) == 0;
    ensures used_same: used_same{Pre, Post};
    ensures counted: free_frames + span(order) == \old(free_frames); */
bool buddy_take(mfn_t m, unsigned order);

/* Gives all frames of a block that was taken their word, which says in use. */
/*@ requires INV_MEM_1: heap_ok && place(m.v, order) && extent(w) < 0;
    requires taken: extent(word(m.v)) < 0 && \forall integer y; m.v < y < m.v + span(order) ==>
        extent(word(y)) == 0;
    assigns hv->frames[0 .. FW_NEXT_MASK];
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures in_use: \forall integer y; within(y, m.v, span(order)) ==> word(y) == w;
    ensures same: \forall integer x; 0 <= x < top && !within(x, m.v, span(order)) ==>
        word(x) == \old(word(x));
    ensures counted: free_frames == \old(free_frames) && dirty_frames == \old(dirty_frames); */
void buddy_use(mfn_t m, unsigned order, uint64_t w);

/* First all but the first of 2^order frames in use that nobody refers to say inner: nobody
 * looks at them, so that needs no lock. Then they are given back with the first one. */
/*@ requires INV_MEM_1: heap_ok && place(m.v, order);
    requires in_use: \forall integer y; within(y, m.v, span(order)) ==> extent(word(y)) < 0;
    assigns hv->frames[0 .. FW_NEXT_MASK];
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures inner: \forall integer y; m.v < y < m.v + span(order) ==> extent(word(y)) == 0;
    ensures same: \forall integer x; 0 <= x < top && !(m.v < x < m.v + span(order)) ==>
        word(x) == \old(word(x));
    ensures counted: free_frames == \old(free_frames) && dirty_frames == \old(dirty_frames); */
void buddy_unuse(mfn_t m, unsigned order);
/*@ requires INV_MEM_1: heap_ok && room && place(m.v, order);
    requires in_use: extent(word(m.v)) < 0;
    requires inner: \forall integer y; m.v < y < m.v + span(order) ==> extent(word(y)) == 0;
    requires not_twice: within(any, m.v, span(order)) ==> home == 0;
    assigns hv->frames[0 .. FW_NEXT_MASK], hv->heap.zone[0 .. 1], hv->heap.free_pages,
        hv->heap.dirty_pages, hv->heap.scrub.v, home;
    ensures INV_MEM_1: table && top == \old(top);
    ensures INV_MEM_1: placed && homed;
    ensures INV_MEM_1: filled;
    ensures exactly: home != 0 <==> \old(home) != 0 || within(any, m.v, span(order));
    ensures zeroed: \old(soiled) || within(any, m.v, span(order)) ==> soiled;
    ensures used_same: \forall integer x; 0 <= x < top && x != m.v && \old(extent(word(x))) < 0 ==>
        word(x) == \old(word(x));
    ensures counted: free_frames == \old(free_frames) + span(order); */
void buddy_give(mfn_t m, unsigned order);

#endif
