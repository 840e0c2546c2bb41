/* The bits of a frame word as pure functions: unpacking a packed value gives it
 * back, and no field reaches into another's bits. Layout: frame.h. */
#ifndef CORBEL_CORE_MEM_FRAME_WORD_H
#define CORBEL_CORE_MEM_FRAME_WORD_H

#include "core/mem/frame.h"

#define FW_STATE_SHIFT 0u
#define FW_STATE_MASK UINT64_C(0x3)

/* In use. */
#define FW_TYPE_SHIFT 2u
#define FW_TYPE_MASK UINT64_C(0xf)
#define FW_TYPE_COUNT_SHIFT 6u
#define FW_TYPE_COUNT_MASK UINT64_C(0x1ffff)
#define FW_ALLOCATED_SHIFT 23u
#define FW_ALLOCATED_MASK UINT64_C(0x1)
#define FW_REFS_SHIFT 24u
#define FW_REFS_MASK UINT64_C(0x1ffffff)
#define FW_OWNER_SHIFT 49u
#define FW_OWNER_MASK UINT64_C(0x7fff)

/* Free. */
#define FW_ORDER_SHIFT 2u
#define FW_ORDER_MASK UINT64_C(0x1f)
#define FW_DIRTY_SHIFT 7u
#define FW_DIRTY_MASK UINT64_C(0x1)
#define FW_NEXT_SHIFT 8u
#define FW_NEXT_MASK UINT64_C(0xfffffff)
#define FW_PREV_SHIFT 36u
#define FW_PREV_MASK UINT64_C(0xfffffff)

/* The head of a free block, decoded. Links are frame numbers; 0 ends a list. */
struct free_block {
    uint8_t order;
    bool dirty;
    uint64_t next, prev;
};

/*@ requires shift < 64;
    assigns \nothing;
    ensures \result == field(word, shift, mask); */
static inline uint64_t fw_field(uint64_t word, unsigned shift, uint64_t mask)
{
    return (word >> shift) & mask;
}

/* word with the field replaced by value, of which only the field's bits count. */
/*@ requires shift < 64 && (mask << shift) <= UINT64_MAX;
    assigns \nothing;
    ensures \result == with(word, shift, mask, value); */
static inline uint64_t fw_with(uint64_t word, unsigned shift, uint64_t mask, uint64_t value)
{
    return (word & ~(mask << shift)) | ((value & mask) << shift);
}

/*@ assigns \nothing;
    ensures \result == word_state(word); */
static inline enum frame_state fw_state(uint64_t word)
{
    return (enum frame_state)fw_field(word, FW_STATE_SHIFT, FW_STATE_MASK);
}

/*@ assigns \nothing;
    ensures \result <==> word_used(word); */
static inline bool fw_is_used(uint64_t word)
{
    return fw_field(word, FW_STATE_SHIFT, FW_STATE_MASK) == FRAME_USED;
}

/*@ assigns \nothing;
    ensures \result <==> word_free(word); */
static inline bool fw_is_free(uint64_t word)
{
    return fw_field(word, FW_STATE_SHIFT, FW_STATE_MASK) == FRAME_FREE;
}

/*@ assigns \nothing;
    ensures \result == word_type(word); */
static inline uint64_t fw_type(uint64_t word)
{
    return fw_field(word, FW_TYPE_SHIFT, FW_TYPE_MASK);
}

/*@ assigns \nothing;
    ensures \result == word_type_count(word); */
static inline uint64_t fw_type_count(uint64_t word)
{
    return fw_field(word, FW_TYPE_COUNT_SHIFT, FW_TYPE_COUNT_MASK);
}

/*@ assigns \nothing;
    ensures \result <==> word_allocated(word) != 0; */
static inline bool fw_allocated(uint64_t word)
{
    return fw_field(word, FW_ALLOCATED_SHIFT, FW_ALLOCATED_MASK) != 0;
}

/*@ assigns \nothing;
    ensures \result == word_refs(word); */
static inline uint64_t fw_refs(uint64_t word)
{
    return fw_field(word, FW_REFS_SHIFT, FW_REFS_MASK);
}

/*@ assigns \nothing;
    ensures \result == word_owner(word); */
static inline uint64_t fw_owner(uint64_t word)
{
    return fw_field(word, FW_OWNER_SHIFT, FW_OWNER_MASK);
}

/*@ assigns \nothing;
    ensures word_refs(\result) == (refs & FW_REFS_MASK);
    ensures word_type_count(\result) == word_type_count(word);
    ensures same_but_refs: word_state(\result) == word_state(word) &&
        word_type(\result) == word_type(word) &&
        word_allocated(\result) == word_allocated(word) &&
        word_owner(\result) == word_owner(word);
    ensures balance: \result == with(word, FW_REFS_SHIFT, FW_REFS_MASK, refs); */
static inline uint64_t fw_with_refs(uint64_t word, uint64_t refs)
{
    return fw_with(word, FW_REFS_SHIFT, FW_REFS_MASK, refs);
}

/*@ assigns \nothing;
    ensures word_type(\result) == (type & FW_TYPE_MASK);
    ensures word_type_count(\result) == (count & FW_TYPE_COUNT_MASK);
    ensures same_but_type: word_state(\result) == word_state(word) &&
        word_refs(\result) == word_refs(word) &&
        word_allocated(\result) == word_allocated(word) &&
        word_owner(\result) == word_owner(word); */
static inline uint64_t fw_with_type(uint64_t word, uint64_t type, uint64_t count)
{
    word = fw_with(word, FW_TYPE_SHIFT, FW_TYPE_MASK, type);
    return fw_with(word, FW_TYPE_COUNT_SHIFT, FW_TYPE_COUNT_MASK, count);
}

/*@ assigns \nothing;
    ensures word_allocated(\result) == 0;
    ensures same_but_allocated: word_state(\result) == word_state(word) &&
        word_type(\result) == word_type(word) &&
        word_type_count(\result) == word_type_count(word) &&
        word_refs(\result) == word_refs(word) && word_owner(\result) == word_owner(word); */
static inline uint64_t fw_without_allocated(uint64_t word)
{
    return fw_with(word, FW_ALLOCATED_SHIFT, FW_ALLOCATED_MASK, 0);
}

/* A frame in use. */
/*@ assigns \nothing;
    ensures word_used(\result);
    ensures word_type(\result) == (type & FW_TYPE_MASK) && word_type_count(\result) == 0;
    ensures word_allocated(\result) != 0 <==> allocated;
    ensures word_refs(\result) == (refs & FW_REFS_MASK);
    ensures word_owner(\result) == (owner & FW_OWNER_MASK); */
static inline uint64_t fw_pack_used(uint64_t type, bool allocated, uint64_t refs, uint64_t owner)
{
    uint64_t word = fw_with(0, FW_STATE_SHIFT, FW_STATE_MASK, FRAME_USED);

    word = fw_with(word, FW_TYPE_SHIFT, FW_TYPE_MASK, type);
    word = fw_with(word, FW_ALLOCATED_SHIFT, FW_ALLOCATED_MASK, allocated ? 1 : 0);
    word = fw_with(word, FW_REFS_SHIFT, FW_REFS_MASK, refs);
    return fw_with(word, FW_OWNER_SHIFT, FW_OWNER_MASK, owner);
}

/*@ predicate word_block(integer w, integer order, integer dirty, integer next, integer prev) =
        word_free(w) && field(w, FW_ORDER_SHIFT, FW_ORDER_MASK) == order &&
        (field(w, FW_DIRTY_SHIFT, FW_DIRTY_MASK) != 0 <==> dirty != 0) &&
        field(w, FW_NEXT_SHIFT, FW_NEXT_MASK) == next &&
        field(w, FW_PREV_SHIFT, FW_PREV_MASK) == prev; */

/* The head of a free block. */
/*@ requires b.order <= FW_ORDER_MASK && b.next <= FW_NEXT_MASK && b.prev <= FW_PREV_MASK;
    assigns \nothing;
    ensures word_block(\result, b.order, b.dirty, b.next, b.prev); */
static inline uint64_t fw_pack_free(struct free_block b)
{
    uint64_t word = fw_with(0, FW_STATE_SHIFT, FW_STATE_MASK, FRAME_FREE);

    word = fw_with(word, FW_ORDER_SHIFT, FW_ORDER_MASK, b.order);
    word = fw_with(word, FW_DIRTY_SHIFT, FW_DIRTY_MASK, b.dirty ? 1 : 0);
    word = fw_with(word, FW_NEXT_SHIFT, FW_NEXT_MASK, b.next);
    return fw_with(word, FW_PREV_SHIFT, FW_PREV_MASK, b.prev);
}

/* A free frame that is not the first of its block. */
/*@ assigns \nothing;
    ensures word_block(\result, FRAME_ORDER_INNER, 0, 0, 0); */
static inline uint64_t fw_pack_inner(void)
{
    return fw_pack_free((struct free_block){.order = FRAME_ORDER_INNER});
}

/*@ requires word_free(word);
    assigns \nothing;
    ensures word_block(word, \result.order, \result.dirty, \result.next, \result.prev); */
static inline struct free_block fw_unpack_free(uint64_t word)
{
    return (struct free_block){
        .order = (uint8_t)fw_field(word, FW_ORDER_SHIFT, FW_ORDER_MASK),
        .dirty = fw_field(word, FW_DIRTY_SHIFT, FW_DIRTY_MASK) != 0,
        .next = fw_field(word, FW_NEXT_SHIFT, FW_NEXT_MASK),
        .prev = fw_field(word, FW_PREV_SHIFT, FW_PREV_MASK),
    };
}

/*@ assigns \nothing;
    ensures \result.state == word_state(word);
    ensures word_used(word) ==> \result.type == word_type(word) &&
        \result.type_count == word_type_count(word) && \result.refs == word_refs(word) &&
        \result.owner == word_owner(word) && (\result.allocated <==> word_allocated(word) != 0);
    ensures INV_MEM_1: !word_used(word) ==> \result.type == FRAME_NONE &&
        \result.type_count == 0 && \result.refs == 0 && \result.owner == 0 &&
        !\result.allocated; */
static inline struct frame fw_unpack(uint64_t word)
{
    struct frame f = {.state = (uint8_t)fw_state(word)};

    if (fw_is_used(word)) {
        f.type = (uint8_t)fw_type(word);
        f.allocated = fw_allocated(word);
        f.type_count = (uint32_t)fw_type_count(word);
        f.refs = (uint32_t)fw_refs(word);
        f.owner = (uint16_t)fw_owner(word);
    }
    return f;
}

#endif
