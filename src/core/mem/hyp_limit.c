#include "core/mem/hyp_limit.h"

#include "base/arith.h"
#include "core/gnttab/gnttab_private.h"
#include "core/mem/page_alloc.h"
#include "core/vcpu/vcpu.h"

/* Pages for one vCPU: its own structure, the architecture's and the engine's. */
#define PAGES_PER_VCPU 48u
/* Pages for the domain as such: shared_info, the architecture's structure, the
 * memory map that it is told. */
#define PAGES_PER_DOMAIN 64u

static uint64_t evtchn_pages(const struct evtchn_table *t)
{
    uint64_t ports = min_u64((uint64_t)t->max_port + 1, EVTCHN_FIFO_NR_CHANNELS);

    /* The groups, the list of the guest's FIFO pages, and the ports. */
    return EVTCHN_GROUPS + 1 + (ports + EVTCHN_PER_BUCKET - 1) / EVTCHN_PER_BUCKET;
}

static uint64_t gnttab_pages(const struct gnttab *t)
{
    uint64_t active =
        UINT64_C(1) << order_of_bytes(ACTIVE_PER_BLOCK * sizeof(struct gnttab_active));
    uint64_t lists = 4; /* shared, shared_gfn, active, status */
    uint64_t maptrack = UINT64_C(1)
                        << order_of_bytes(t->max_maptrack_frames * sizeof(*t->maptrack));

    return lists + t->max_frames * (1 + active) + gnttab_status_frames_for(t->max_frames) +
           maptrack + ((uint64_t)t->max_maptrack_frames << MAPTRACK_BLOCK_ORDER);
}

void hyp_limit_set(struct domain *d)
{
    d->hyp_limit = PAGES_PER_DOMAIN + (uint64_t)d->max_vcpus * PAGES_PER_VCPU +
                   evtchn_pages(&d->evtchn) + gnttab_pages(&d->gnttab);
}

uint64_t hyp_pages_limit(const struct domain *d)
{
    return d->hyp_limit == 0 ? UINT64_MAX : d->hyp_limit + p2m_table_limit(d);
}
