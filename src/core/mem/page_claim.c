#include "core/mem/page_claim.h"

#include "base/arith.h"
#include "base/atomic.h"
#include "base/check.h"
#include "core/state.h"

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

uint64_t page_claim_total(void)
{
    return load_u64(&hv->heap.claimed);
}

bool page_claim_admits(const struct domain *d, uint64_t n)
{
    const struct heap *h = &hv->heap;
    uint64_t own = d == NULL ? 0 : d->outstanding_pages;
    uint64_t others = h->claimed - own;

    /* Part of a request may come from the claim, and the rest from what is free. */
    return n <= h->free_pages && others <= h->free_pages - n;
}

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
