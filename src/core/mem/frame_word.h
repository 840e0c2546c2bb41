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

static inline uint64_t fw_field(uint64_t word, unsigned shift, uint64_t mask)
{
    return (word >> shift) & mask;
}

/* word with the field replaced by value, of which only the field's bits count. */
static inline uint64_t fw_with(uint64_t word, unsigned shift, uint64_t mask, uint64_t value)
{
    return (word & ~(mask << shift)) | ((value & mask) << shift);
}

static inline enum frame_state fw_state(uint64_t word)
{
    return (enum frame_state)fw_field(word, FW_STATE_SHIFT, FW_STATE_MASK);
}

static inline bool fw_is_used(uint64_t word)
{
    return fw_field(word, FW_STATE_SHIFT, FW_STATE_MASK) == FRAME_USED;
}

static inline bool fw_is_free(uint64_t word)
{
    return fw_field(word, FW_STATE_SHIFT, FW_STATE_MASK) == FRAME_FREE;
}

static inline uint64_t fw_type(uint64_t word)
{
    return fw_field(word, FW_TYPE_SHIFT, FW_TYPE_MASK);
}

static inline uint64_t fw_type_count(uint64_t word)
{
    return fw_field(word, FW_TYPE_COUNT_SHIFT, FW_TYPE_COUNT_MASK);
}

static inline bool fw_allocated(uint64_t word)
{
    return fw_field(word, FW_ALLOCATED_SHIFT, FW_ALLOCATED_MASK) != 0;
}

static inline uint64_t fw_refs(uint64_t word)
{
    return fw_field(word, FW_REFS_SHIFT, FW_REFS_MASK);
}

static inline uint64_t fw_owner(uint64_t word)
{
    return fw_field(word, FW_OWNER_SHIFT, FW_OWNER_MASK);
}

static inline uint64_t fw_with_refs(uint64_t word, uint64_t refs)
{
    return fw_with(word, FW_REFS_SHIFT, FW_REFS_MASK, refs);
}

static inline uint64_t fw_with_type(uint64_t word, uint64_t type, uint64_t count)
{
    word = fw_with(word, FW_TYPE_SHIFT, FW_TYPE_MASK, type);
    return fw_with(word, FW_TYPE_COUNT_SHIFT, FW_TYPE_COUNT_MASK, count);
}

static inline uint64_t fw_without_allocated(uint64_t word)
{
    return fw_with(word, FW_ALLOCATED_SHIFT, FW_ALLOCATED_MASK, 0);
}

/* A frame in use. */
static inline uint64_t fw_pack_used(uint64_t type, bool allocated, uint64_t refs, uint64_t owner)
{
    uint64_t word = fw_with(0, FW_STATE_SHIFT, FW_STATE_MASK, FRAME_USED);

    word = fw_with(word, FW_TYPE_SHIFT, FW_TYPE_MASK, type);
    word = fw_with(word, FW_ALLOCATED_SHIFT, FW_ALLOCATED_MASK, allocated ? 1 : 0);
    word = fw_with(word, FW_REFS_SHIFT, FW_REFS_MASK, refs);
    return fw_with(word, FW_OWNER_SHIFT, FW_OWNER_MASK, owner);
}

/* The head of a free block. */
static inline uint64_t fw_pack_free(struct free_block b)
{
    uint64_t word = fw_with(0, FW_STATE_SHIFT, FW_STATE_MASK, FRAME_FREE);

    word = fw_with(word, FW_ORDER_SHIFT, FW_ORDER_MASK, b.order);
    word = fw_with(word, FW_DIRTY_SHIFT, FW_DIRTY_MASK, b.dirty ? 1 : 0);
    word = fw_with(word, FW_NEXT_SHIFT, FW_NEXT_MASK, b.next);
    return fw_with(word, FW_PREV_SHIFT, FW_PREV_MASK, b.prev);
}

/* A free frame that is not the first of its block. */
static inline uint64_t fw_pack_inner(void)
{
    return fw_pack_free((struct free_block){.order = FRAME_ORDER_INNER});
}

static inline struct free_block fw_unpack_free(uint64_t word)
{
    return (struct free_block){
        .order = (uint8_t)fw_field(word, FW_ORDER_SHIFT, FW_ORDER_MASK),
        .dirty = fw_field(word, FW_DIRTY_SHIFT, FW_DIRTY_MASK) != 0,
        .next = fw_field(word, FW_NEXT_SHIFT, FW_NEXT_MASK),
        .prev = fw_field(word, FW_PREV_SHIFT, FW_PREV_MASK),
    };
}

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
