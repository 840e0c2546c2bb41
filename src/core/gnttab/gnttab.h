/* Grant tables. Lock level LOCK_GNTTAB per domain. Source: <xen/grant_table.h>.
 *
 * INV-GNT-1: every shared and status frame is FRAME_SHARED and the domain's.
 * INV-GNT-2: pin counts equal the maptrack entries that name the grant.
 * INV-GNT-3: a pinned grant of a frame holds one reference on the frame, and one
 *            of type FRAME_WRITABLE while pinned for writing. */
#ifndef CORBEL_CORE_GNTTAB_GNTTAB_H
#define CORBEL_CORE_GNTTAB_GNTTAB_H

#include "base/xen.h"

#include <xen/grant_table.h>

#include "core/lock.h"

struct domain;
struct vcpu;
struct gnttab_active;   /* gnttab_private.h */
struct gnttab_maptrack; /* gnttab_private.h */

#define GNTTAB_MAX_VERSION 2u
#define GNTTAB_MAX_FRAMES 512u
#define GNTTAB_MAX_MAPTRACK_FRAMES 4096u
/* What a count of (uint32_t)-1, "the default", means. */
#define GNTTAB_DEFAULT_FRAMES 64u
#define GNTTAB_DEFAULT_MAPTRACK_FRAMES 1024u

struct gnttab {
    struct lock lock;
    uint32_t version;     /* 1 or 2 */
    uint32_t max_version; /* what the domain may switch to */
    uint32_t nr_frames, max_frames;
    uint32_t nr_status_frames; /* 0 in version 1 */
    uint32_t max_maptrack_frames;
    void **shared;     /* page of GNTTAB_MAX_FRAMES pointers */
    gfn_t *shared_gfn; /* page: where the guest maps each, or invalid */

    /* As granter. */
    struct gnttab_active **active; /* page: one block of entries per shared frame */
    void **status;                 /* half a page of pointers, NULL before version 2 */
    gfn_t *status_gfn;             /* the other half */
    uint32_t status_pages;         /* status frames allocated, never given back early */
    uint32_t pinned;               /* pinned grants but for the reserved ones */

    /* As mapper. */
    struct gnttab_maptrack **maptrack; /* blocks of MAPTRACK_PER_BLOCK handles */
    uint32_t maptrack_blocks;
    uint32_t maptrack_free;   /* first free handle, MAPTRACK_NONE: none */
    uint32_t teardown_cursor; /* next handle to release */
};

/* All functions below take the locks they need: the caller holds none of level
 * LOCK_GNTTAB or above, and none at all for gnttab_teardown() and the hypercall,
 * which may drop the last reference of a domain. */

/* -XEN_EINVAL for counts beyond what there can be, or a highest version that is not 1
 * or 2; -XEN_ENOMEM or 0. */
int gnttab_init(struct domain *d, uint32_t max_version, uint32_t max_frames, uint32_t max_maptrack);
/* The frame behind XENMAPSPACE_grant_table's index idx, growing the table when it may. The
 * frame stays until d is freed. -XEN_EINVAL, -XEN_ENOMEM or 0. */
int gnttab_frame_at(struct domain *d, uint64_t idx, mfn_t *out);
/* The guest was given the frame m at g. A frame has one place: that where it was before is
 * given up; so is this one if the guest gave up version 2, and m with it, meanwhile. */
void gnttab_mapped(struct domain *d, gfn_t g, mfn_t m);
/* What the guest could see of m at g went away. */
void gnttab_unmapped(struct domain *d, gfn_t g, mfn_t m);
/* Shared (or status) frame number idx, growing the table when it may: for
 * XENMEM_acquire_resource. Errors and lifetime as above. */
int gnttab_get_frame(struct domain *d, bool status, uint64_t idx, mfn_t *out);
/* Undoes every mapping that d, which does not run any more, has of others'
 * grants. -XEN_ERESTART while there is more. */
int gnttab_teardown(struct domain *d);
/* Frees the tables; nobody maps d's grants any more, for who does holds a
 * reference on d. Accepts a table that was never made. */
void gnttab_free(struct domain *d);

/* Name of the first of INV-GNT-1 .. INV-GNT-3 that does not hold for d, or NULL.
 * The machine is quiescent; zero may be NULL. */
struct zero_lines;
const char *gnttab_audit(struct domain *d, const struct zero_lines *zero);

int64_t do_grant_table_op(struct vcpu *v, uint64_t args[6]);

#endif
