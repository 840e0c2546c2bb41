/* src/core/mem/page_alloc.c: taking blocks and giving them back, with the words of the frame
 * table known by name only, as in buddy.c. */
#include "locks.h"
#include "words_by_name.h"
#include "core/mem/buddy.h"
#include "core/domain/domain.h"

/*@ terminates \true;
    assigns \nothing; */
bool page_claim_admits(const struct domain *d, uint64_t n);

/*@ requires \valid(hv);
    terminates \true;
    assigns hv->heap.claimed, d->outstanding_pages;
    ensures table && top == \old(top);
    ensures \forall integer x; word(x) == \old(word(x));
    ensures free_frames == \old(free_frames) && dirty_frames == \old(dirty_frames); */
void page_claim_consume(struct domain *d, uint64_t n);

/* What a page holds is no part of the frame table. */
/*@ terminates \true;
    assigns \nothing; */
static void block_zero(mfn_t m, unsigned order);

#include "../../src/core/mem/page_alloc.c"
