#include "core/mem/page_claim.h"

#include "base/arith.h"
#include "base/atomic.h"
#include "base/check.h"
#include "core/state.h"

/*@ // What is claimed is free, and d's claim is part of it.
    predicate claims{L}(struct domain *d) = \valid(hv) &&
        hv->heap.claimed <= hv->heap.free_pages &&
        (d != \null ==> \valid(d) && \separated(d, hv) && d->outstanding_pages <= hv->heap.claimed);
    // The claims of all other domains.
    logic integer others_claims{L}(struct domain *d) =
        hv->heap.claimed - (d == \null ? 0 : d->outstanding_pages); */

/*@ requires INV_MEM_6: d != \null && claims(d);
    assigns hv->heap.claimed, d->outstanding_pages;
    ensures \result == 0 || \result == -XEN_EINVAL || \result == -XEN_ENOMEM;
    ensures \result == 0 ==> d->outstanding_pages == pages - d->tot_pages &&
        d->tot_pages < pages <= d->max_pages && \old(d->outstanding_pages) == 0;
    ensures \result == 0 ==> d->state != DOMAIN_DYING && d->state != DOMAIN_DEAD;
    ensures \result != 0 ==> d->outstanding_pages == \old(d->outstanding_pages);
    ensures \result == -XEN_ENOMEM ==>
        pages - d->tot_pages > hv->heap.free_pages - hv->heap.claimed;
    ensures INV_MEM_6: claims(d) && others_claims(d) == \old(others_claims(d)); */
static int claim(struct domain *d, uint64_t pages)
{
    struct heap *h = &hv->heap;
    uint64_t has = load_u64(&d->tot_pages), wanted;
    uint8_t state = load_u8(&d->state);

    if (d->outstanding_pages != 0 || pages <= has || pages > load_u64(&d->max_pages) ||
        state == DOMAIN_DYING || state == DOMAIN_DEAD) {
        return -XEN_EINVAL;
    }
    wanted = pages - has;
    check(h->claimed <= h->free_pages);
    if (wanted > h->free_pages - h->claimed) {
        return -XEN_ENOMEM;
    }
    h->claimed += wanted;
    store_u64(&d->outstanding_pages, wanted);
    return 0;
}

/*@ requires INV_MEM_6: d != \null && claims(d);
    requires !held(&hv->heap.lock);
    assigns hv->heap.claimed, d->outstanding_pages, hv->heap.lock.spin.word;
    ensures unlocked: !held(&hv->heap.lock);
    ensures \result == 0 ==> d->outstanding_pages == (pages == 0 ? 0 : pages - d->tot_pages);
    ensures \result != 0 ==> pages != 0 && d->outstanding_pages == \old(d->outstanding_pages);
    ensures INV_MEM_6: claims(d) && others_claims(d) == \old(others_claims(d)); */
int page_claim_set(struct domain *d, uint64_t pages)
{
    struct heap *h = &hv->heap;
    int rc = 0;

    lock_acquire(&h->lock);
    if (pages == 0) {
        h->claimed -= d->outstanding_pages;
        store_u64(&d->outstanding_pages, 0);
    } else {
        rc = claim(d, pages);
    }
    lock_release(&h->lock);
    return rc;
}

/*@ requires \valid_read(hv);
    assigns \nothing;
    ensures \result == hv->heap.claimed; */
uint64_t page_claim_total(void)
{
    return load_u64(&hv->heap.claimed);
}

/*@ requires INV_MEM_6: claims(d);
    assigns \nothing;
    ensures kept_for_others: \result <==> others_claims(d) + n <= hv->heap.free_pages; */
bool page_claim_admits(const struct domain *d, uint64_t n)
{
    const struct heap *h = &hv->heap;
    uint64_t own = d == NULL ? 0 : d->outstanding_pages;
    uint64_t others = h->claimed - own;

    /* Part of a request may come from the claim, and the rest from what is free. */
    return n <= h->free_pages && others <= h->free_pages - n;
}

/*@ requires INV_MEM_6: claims(d);
    requires admitted: others_claims(d) + n <= hv->heap.free_pages;
    assigns hv->heap.claimed, d->outstanding_pages;
    ensures INV_MEM_6: claims(d) && others_claims(d) == \old(others_claims(d));
    ensures kept_for_others: hv->heap.claimed + n <= hv->heap.free_pages;
    ensures d != \null ==> d->outstanding_pages ==
        \max(0, \old(d->outstanding_pages) - n); */
void page_claim_consume(struct domain *d, uint64_t n)
{
    uint64_t used;

    if (d == NULL || d->outstanding_pages == 0) {
        return;
    }
    used = min_u64(n, d->outstanding_pages);
    hv->heap.claimed -= used;
    store_u64(&d->outstanding_pages, d->outstanding_pages - used);
}
