/* The frame table: one packed 64-bit word per machine frame.
 *
 * In use:  [1:0] state  [5:2] type  [22:6] type count  [23] allocated
 *          [48:24] references  [63:49] owner
 * Free:    [1:0] state  [6:2] order  [7] dirty  [35:8] next  [63:36] previous
 *          (only the first frame of a free block has order, links and dirty; the
 *          others have order FRAME_ORDER_INNER)
 *
 * INV-MEM-1: a free frame has no references, type or owner.
 * INV-MEM-2: an allocated frame has at least one reference.
 * INV-MEM-3: a typed reference implies a general reference.
 * INV-MEM-4: a domain's tot_pages is the number of its guest frames.
 * INV-MEM-5: a domain's hyp_pages is the number of its hypervisor frames.
 * INV-MEM-6: heap.claimed is the sum of the claims, and no more than is free.
 * INV-MEM-7: every reference has a holder: the allocation (the hypervisor, for its
 *            own frames), a leaf that borrows, a pinned grant, a pinned page.
 * INV-MEM-8: no domain has more hypervisor frames than hyp_pages_limit(). */
#ifndef CORBEL_CORE_MEM_FRAME_H
#define CORBEL_CORE_MEM_FRAME_H

#include "base/xen.h"

#include "base/types.h"

enum frame_state { FRAME_ABSENT, FRAME_FREE, FRAME_USED };

enum frame_type {
    FRAME_NONE,     /* guest memory without a type */
    FRAME_WRITABLE, /* mapped writable somewhere that counts */
    FRAME_L1,       /* page tables of PV guests */
    FRAME_L2,
    FRAME_L3,
    FRAME_L4,
    FRAME_SEGDESC,
    FRAME_HYP,    /* hypervisor's own, accounted to the owner, never mapped by a guest */
    FRAME_SHARED, /* hypervisor's own and mapped by guests: shared_info, grant frames */
    FRAME_P2M,    /* second-stage tables */
    FRAME_TYPES
};

#define FRAME_MFN_BITS 28u /* at most 1 TiB of machine memory */
#define FRAME_ORDER_MAX 18u
#define FRAME_ORDER_INNER 31u
#define FRAME_TYPE_COUNT_MAX ((1u << 17) - 1)
#define FRAME_REFS_MAX ((1u << 25) - 1)

/*@ logic integer word_state(integer w) = field(w, 0, 0x3);
    logic integer word_type(integer w) = field(w, 2, 0xf);
    logic integer word_type_count(integer w) = field(w, 6, 0x1ffff);
    logic integer word_allocated(integer w) = field(w, 23, 0x1);
    logic integer word_refs(integer w) = field(w, 24, 0x1ffffff);
    logic integer word_owner(integer w) = field(w, 49, 0x7fff);
    predicate word_used(integer w) = word_state(w) == FRAME_USED;
    predicate word_free(integer w) = word_state(w) == FRAME_FREE;

    // As src/core/audit/audit_mem.c checks them of each word.
    predicate INV_MEM_2(integer w) = word_used(w) ==>
        word_refs(w) > 0 && (word_allocated(w) != 0 ==> word_type(w) < FRAME_HYP);
    predicate INV_MEM_3(integer w) = word_used(w) ==>
        word_type_count(w) <= word_refs(w) && word_type(w) < FRAME_TYPES &&
        (word_type_count(w) > 0 <==> FRAME_NONE < word_type(w) < FRAME_HYP); */

/* A decoded word. */
struct frame {
    uint8_t state, type;
    bool allocated;
    uint32_t type_count, refs;
    uint16_t owner;
};

/* True iff m is RAM that the frame table covers. */
bool frame_valid(mfn_t m);

/* A consistent reading of one frame's word; state FRAME_ABSENT for any m that
 * is not RAM. */
struct frame frame_read(mfn_t m);

/* Takes a general reference iff m is in use, has references, is owned by owner
 * and is not hidden from guests (FRAME_HYP, FRAME_P2M). Never overflows. */
bool frame_get(mfn_t m, domid_t owner);

/* The same whoever owns m; *owner says who. */
bool frame_get_any(mfn_t m, domid_t *owner);

/* Drops a reference; the last one frees the frame (scrubbed before reuse) and
 * gives it back to its owner's accounts. */
void frame_put(mfn_t m);

/* Takes or drops a typed reference besides a general one. Getting fails if the
 * frame has another type with a count, or the count is full. */
bool frame_get_type(mfn_t m, enum frame_type type);
void frame_put_type(mfn_t m);

/* Drops the allocation reference of a guest frame, exactly once: true iff this
 * call did it (a reference must be held by the caller meanwhile). */
bool frame_release_allocation(mfn_t m);

#endif
