/* Buddy allocator over the frame table. Lock level LOCK_HEAP, taken inside. */
#ifndef CORBEL_CORE_MEM_PAGE_ALLOC_H
#define CORBEL_CORE_MEM_PAGE_ALLOC_H

#include "core/mem/frame.h"

/* Free blocks of up to this order are merged whether clean or dirty; larger ones
 * only like with like, so 1 GiB blocks come back when idle CPUs have scrubbed. */
#define PAGE_ALLOC_MIXED_ORDER 9u

struct domain;

/* For the proofs: guest frames given to domains, and guest pages in their accounts. */
/*@ ghost int given; */
/*@ ghost int accounted; */
/*@ axiomatic Limits {
    logic integer limit_of(struct domain *d); // what hyp_pages_limit() says
} */

/* Builds the free lists from a frame table in which every frame to hand out says
 * "free, inner". Once, by hv_init(). */
void heap_init(void);

/* Frames for d's own use as guest memory: type FRAME_NONE, one reference each,
 * allocated, zeroed. Counts in d->tot_pages; fails (mfn_invalid) when that
 * would pass d->max_pages or memory is short. order <= FRAME_ORDER_MAX. */
mfn_t guest_pages_alloc(struct domain *d, unsigned order);

/* As guest_pages_alloc, but accepts only frames below 2^addr_bits bytes (0: no
 * limit). Limits other than 2^32 are searched for in bounded time: they may fail
 * although a fragmented heap still holds a block. */
mfn_t guest_pages_alloc_below(struct domain *d, unsigned order, unsigned addr_bits);

/* As guest_pages_alloc_below, but fails rather than zero memory first: for orders
 * whose zeroing would take longer than one may keep a CPU. */
mfn_t guest_pages_alloc_clean(struct domain *d, unsigned order, unsigned addr_bits);

/* 2^order zeroed hypervisor frames of the given type (FRAME_HYP, FRAME_SHARED
 * or FRAME_P2M), accounted to d (NULL: the hypervisor itself). One reference
 * each. NULL when memory is short, or d has as much as hyp_pages_limit() allows. */
void *hyp_pages_alloc(struct domain *d, unsigned order, enum frame_type type);

/* Gives them back at once; the caller knows that nobody maps them. For
 * FRAME_SHARED pages that a guest may still map, use frame_put(). */
void hyp_pages_free(void *p, unsigned order);

/* How many hypervisor frames may serve d: what its vCPUs, its ports, grants and
 * mappings of grants, and its second stage need at the limits that its creator
 * set. UINT64_MAX while it is being created. */
uint64_t hyp_pages_limit(const struct domain *d);

/* Pages that satisfy sizeof-type requests: bytes rounded up to a power of two
 * of frames. */
unsigned order_of_bytes(uint64_t bytes);

/* Frees one frame whose last reference went. For frame.c only. */
void page_free_one(mfn_t m);

uint64_t free_page_count(void);
uint64_t total_page_count(void);

/* The first frame of a free block of at least so many pages, for the audit to
 * write in while no other CPU is inside the core: the block stays free, and must
 * hold zeroes again afterwards. Invalid when there is none. */
mfn_t page_alloc_scratch(uint64_t pages);

/* Scrubs some dirty free memory; called when a CPU is idle. True iff there was
 * any. */
bool page_scrub_some(void);

#endif
