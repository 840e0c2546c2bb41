/* Populate on demand: a domain starts with a larger map than memory. Leaves of type
 * P2M_POD get their frames from the domain's store when they are first looked
 * up; what the guest's balloon gives back pays for the rest. Source:
 * XENMEMF_populate_on_demand and XENMEM_set_pod_target in <xen/memory.h>. */
#ifndef CORBEL_CORE_P2M_P2M_POD_H
#define CORBEL_CORE_P2M_P2M_POD_H

#include "core/p2m/p2m.h"

/* Sets how much memory the domain is to have, by what it keeps in store. -XEN_ENOMEM,
 * -XEN_ERESTART while there is more to do, or 0; 0 too where Xen thinks the balloon
 * should see to it. No lock is held. */
int p2m_pod_set_target(struct domain *d, uint64_t target);

/* What XENMEM_get_pod_target tells, in 4 KiB. */
void p2m_pod_counts(struct domain *d, uint64_t *cache, uint64_t *entries);

/* Populates g, which was found to be P2M_POD: true when it is worth looking again.
 * *tries, 0 at first, counts how often a caller has. A domain that has no frame
 * left, and no page that holds only zeroes, crashes. Any lock below LOCK_P2M. */
bool p2m_pod_demand(struct domain *d, gfn_t g, unsigned *tries);

/* Own RAM that was taken out of the map, no engine reaches any more, and nobody
 * else uses goes into the store, if there is less in it than may be demanded.
 * False: it is still the caller's. */
bool p2m_pod_keep(struct domain *d, mfn_t m, unsigned order);

/* Frees some of what the store has beyond what can be demanded. */
void p2m_pod_trim(struct domain *d);

#endif
