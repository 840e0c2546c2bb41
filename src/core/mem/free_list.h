/* The free lists, threaded through the words of the free frames themselves: one per
 * zone, order and cleanness. What is one block the caller decides, who holds
 * LOCK_HEAP; here blocks come and go. */
#ifndef CORBEL_CORE_MEM_FREE_LIST_H
#define CORBEL_CORE_MEM_FREE_LIST_H

#include "core/mem/frame_word.h"
#include "core/state.h"

/* Frames of a block; some proofs know it by name only. */
#ifndef PROOF_BY_NAME
/*@ logic integer span(integer order) = 1 << order; */
#endif

/*@ logic integer order_of(integer w) = field(w, FW_ORDER_SHIFT, FW_ORDER_MASK);
    logic integer dirty_of(integer w) = field(w, FW_DIRTY_SHIFT, FW_DIRTY_MASK);
    logic integer next_of(integer w) = field(w, FW_NEXT_SHIFT, FW_NEXT_MASK);
    logic integer prev_of(integer w) = field(w, FW_PREV_SHIFT, FW_PREV_MASK);
    predicate inner(integer w) = word_block(w, FRAME_ORDER_INNER, 0, 0, 0);
    // The first word of a free block, and of one for the same list.
    predicate block(integer w) = word_free(w) && order_of(w) <= FRAME_ORDER_MAX;
    predicate alike(integer v, integer w) = block(v) && order_of(v) == order_of(w) &&
        dirty_of(v) == dirty_of(w);
    // Blocks that follow each other on a list name each other.
    predicate neighbours{L}(uint64_t *f, integer x, integer y) =
        next_of(f[x]) == y && prev_of(f[y]) == x;

    // The list where a block at m belongs.
    logic mfn_t *list_at{L}(integer m, integer order, integer dirty) =
        \let z = m < HEAP_LOW_FRAMES ? 0 : 1;
        dirty != 0 ? &hv->heap.zone[z].dirty[order] : &hv->heap.zone[z].clean[order];
    predicate frames_apart{L} = \valid(hv) && \base_addr(hv->frames) != \base_addr(hv); */

/* Frames in a block of this order, which is at most FRAME_ORDER_MAX. */
/*@ requires order <= FRAME_ORDER_MAX;
    assigns \nothing;
    ensures \result == span(order) && 1 <= \result <= 0x40000; */
static inline uint64_t frames_of(unsigned order)
{
    return UINT64_C(1) << order;
}

/* Makes [m, m + 2^order), all of whose words say inner, the first block of its list. */
void free_list_add(mfn_t m, unsigned order, bool dirty);

/* Takes block m off its list; b is what its word says. All of its words say inner then. */
void free_list_remove(mfn_t m, struct free_block b);

#endif
