/* Claims: a promise that memory which is free now stays free until the domain has
 * allocated it (XENMEM_claim_pages, see <xen/memory.h>). What is claimed is not
 * free for anybody else, the hypervisor included.
 *
 * INV-MEM-6: heap.claimed is the sum of the domains' outstanding_pages, and no
 *            more than is free. */
#ifndef CORBEL_CORE_MEM_PAGE_CLAIM_H
#define CORBEL_CORE_MEM_PAGE_CLAIM_H

#include "base/types.h"

struct domain;

/* Claims so many pages for d that it can have pages in all; 0 gives the claim up.
 * -XEN_EINVAL (d has a claim, that many pages already, may not have them, or is
 * dying), -XEN_ENOMEM (not free) or 0. */
int page_claim_set(struct domain *d, uint64_t pages);

/* Sum of all claims that are not used up. */
uint64_t page_claim_total(void);

/* For page_alloc.c, under the heap's lock: may n free pages be taken for d (NULL:
 * not as guest memory)? And that they are. */
bool page_claim_admits(const struct domain *d, uint64_t n);
void page_claim_consume(struct domain *d, uint64_t n);

#endif
