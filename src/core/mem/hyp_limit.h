/* How much memory of the hypervisor's a domain may cost. Every structure has a
 * limit of its own; their sum is enforced by hyp_pages_alloc() besides, so that
 * no path can be without one. */
#ifndef CORBEL_CORE_MEM_HYP_LIMIT_H
#define CORBEL_CORE_MEM_HYP_LIMIT_H

struct domain;

/* Fixes d's limit: d's structures are made and its numbers of ports, grants and
 * vCPUs known. The limit of its second stage may change later. */
void hyp_limit_set(struct domain *d);

#endif
