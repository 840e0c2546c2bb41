/* Grant tables. Lock level LOCK_GNTTAB per domain. Source: <xen/grant_table.h>.
 *
 * INV-GNT-1: every shared and status frame is FRAME_SHARED and the domain's.
 * INV-GNT-2: pin counts equal the maptrack entries that name the grant. */
#ifndef CORBEL_CORE_GNTTAB_GNTTAB_H
#define CORBEL_CORE_GNTTAB_GNTTAB_H

#include "base/xen.h"

#include <xen/grant_table.h>

#include "core/lock.h"

struct domain;
struct vcpu;

#define GNTTAB_MAX_FRAMES 512u

struct gnttab {
    struct lock lock;
    uint32_t version; /* 1 or 2 */
    uint32_t nr_frames, max_frames;
    uint32_t nr_status_frames;
    uint32_t max_maptrack_frames;
    void **shared; /* page of GNTTAB_MAX_FRAMES pointers */
    gfn_t *shared_gfn; /* page: where the guest maps each, or invalid */
};

int gnttab_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack);
/* The frame behind grant-table index idx, growing the table when it may: for
 * XENMAPSPACE_grant_table. -XEN_EINVAL, -XEN_ENOMEM or 0. */
int gnttab_map_frame(struct domain *d, uint64_t idx, gfn_t g, mfn_t *out);
void gnttab_unmapped(struct domain *d, mfn_t m); /* its guest mapping went away */
/* -XEN_ERESTART while there is more. */
int gnttab_teardown(struct domain *d);
void gnttab_free(struct domain *d);

int64_t do_grant_table_op(struct vcpu *v, uint64_t args[6]);

#endif
