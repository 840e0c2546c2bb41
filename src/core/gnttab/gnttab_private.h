/* What the files of core/gnttab share. */
#ifndef CORBEL_CORE_GNTTAB_GNTTAB_PRIVATE_H
#define CORBEL_CORE_GNTTAB_GNTTAB_PRIVATE_H

#include "core/domain/domain.h"
#include "core/gnttab/gnttab.h"
#include "core/vcpu/vcpu.h"
#include "port/mem.h"

#define V1_PER_FRAME ((uint32_t)(PAGE_SIZE / sizeof(grant_entry_v1_t)))
#define V2_PER_FRAME ((uint32_t)(PAGE_SIZE / sizeof(grant_entry_v2_t)))
#define STATUS_PER_FRAME ((uint32_t)(PAGE_SIZE / sizeof(grant_status_t)))
#define STATUS_MAX_FRAMES (GNTTAB_MAX_FRAMES * V2_PER_FRAME / STATUS_PER_FRAME)

/* What the hypervisor knows of one grant while it is in use. Once pinned, this
 * is what counts, whatever the guest makes of the shared entry. */
struct gnttab_active {
    mfn_t mfn;              /* the frame; invalid for a transitive grant */
    uint32_t readers;       /* mappings and copies in progress, read-only */
    uint32_t writers;       /* the same, read-write */
    domid_t domid;          /* grantee */
    uint16_t start, length; /* bytes of the frame that are granted */
    domid_t trans_domid;    /* transitive: whose grant */
    grant_ref_t trans_ref;  /* transitive: which */
    bool part;              /* sub-page or transitive: for copies only */
    bool transitive;
    bool frame_readonly; /* the granter itself may only read the frame */
};
#define ACTIVE_PER_BLOCK V1_PER_FRAME
#define ACTIVE_PINS_MAX 0xffffu

enum maptrack_state {
    MAPTRACK_FREE,
    MAPTRACK_BUSY, /* being mapped or unmapped by a hypercall */
    MAPTRACK_MAPPED,
};

/* A mapping of somebody's grant, named by its handle. */
struct gnttab_maptrack {
    struct domain *granter; /* referenced, unless free */
    gfn_t gfn;              /* where it is mapped */
    mfn_t mfn;
    grant_ref_t ref; /* free: next free handle */
    uint8_t state;   /* enum maptrack_state */
    bool readonly;
};
#define MAPTRACK_PER_BLOCK 256u
#define MAPTRACK_BLOCK_ORDER 1u
#define MAPTRACK_NONE UINT32_MAX

/* What pinning a grant gives. */
struct gnttab_pin {
    mfn_t mfn;
    uint16_t start, length;
    bool transitive;
    domid_t trans_domid;
    grant_ref_t trans_ref;
};

/* Which use a grant is pinned for. */
enum pin_use { PIN_MAP, PIN_COPY };

/* For the proofs: a mapping whose handle nobody was told yet, or MAPTRACK_NONE; and what
 * changes of grant tables behind the functions that are known by contract. */
/*@ ghost uint32_t untold_handle; */
/*@ ghost int grants; */
/* What is held at a moment: pinned grants, references of frames and of their types, handles
 * in use, and leaves of second stages that map grants, each of which has a reference. */
/*@ ghost int pins; */
/*@ ghost int frame_refs; */
/*@ ghost int type_refs; */
/*@ ghost int handles; */
/*@ ghost int leaves; */
/* How many copies were made. */
/*@ ghost int copies; */
/* Of words that a guest writes too: how often they were read and changed, and what the guest
 * had left in the one that was changed last. */
/*@ ghost int looks; */
/*@ ghost int changes; */
/*@ ghost uint32_t was; */
/* Whether the guest was last shown the marks of the grant at hand. */
/*@ ghost int reading_shown; */
/*@ ghost int writing_shown; */

/*@ // Where the guest sees the frames of a table.
    predicate frame_lists{L}(struct gnttab *t) =
        \valid_read(t->shared_gfn + (0 .. t->nr_frames - 1)) &&
        \valid_read(t->status_gfn + (0 .. t->nr_status_frames - 1));
    // d is a domain that v named, perhaps its own.
    predicate other_table{L}(struct vcpu *v, struct domain *d) = \valid(d) &&
        !held(&d->gnttab.lock) && frame_lists(&d->gnttab) && \separated(v, d) &&
        (d == v->domain || \separated(d, v->domain)); */

/* gnttab.c; the lock is held. */

/* Number of grants that the table has room for. */
uint32_t gnttab_entries(const struct gnttab *t);
grant_entry_v1_t *gnttab_entry_v1(const struct gnttab *t, grant_ref_t ref);
grant_entry_v2_t *gnttab_entry_v2(const struct gnttab *t, grant_ref_t ref);
struct gnttab_active *gnttab_active_of(const struct gnttab *t, grant_ref_t ref);
/* Makes the table at least frames long. -XEN_EINVAL, -XEN_ENOMEM or 0. */
int gnttab_grow(struct domain *d, uint32_t frames);

/* gnttab_version.c */

/* Lock held: status frames that shared frames need, and having them. */
uint32_t gnttab_status_frames_for(uint32_t frames);
int gnttab_populate_status(struct domain *d, uint32_t frames);
/* GNTTABOP_set_version on d itself; takes the lock. */
int gnttab_set_version(struct domain *d, uint32_t version);

/* gnttab_pin.c; they take the lock of granter rd. */

/* Pins grant ref of rd for use by domain grantee. GNTST_*. */
int gnttab_pin(struct domain *rd, grant_ref_t ref, domid_t grantee, bool readonly, enum pin_use use,
               struct gnttab_pin *out);
void gnttab_unpin(struct domain *rd, grant_ref_t ref, bool readonly);
/* Lock held: clears GTF_reading and GTF_writing bits that the guest sees. */
void gnttab_clear_marks(struct gnttab *t, grant_ref_t ref, uint32_t marks);
uint32_t gnttab_status_read(const struct gnttab *t, grant_ref_t ref);
void gnttab_status_write(struct gnttab *t, grant_ref_t ref, uint32_t status);

/* gnttab_map.c: operations of v's domain; they take the locks. */
void gnttab_map(struct domain *d, struct gnttab_map_grant_ref *op);
/* GNTST_*; host_addr 0 leaves the mapping alone. */
int gnttab_unmap(struct domain *d, grant_handle_t handle, uint64_t host_addr, uint64_t new_addr);
/* Does d map frame m by a grant? */
bool gnttab_maps(struct domain *d, mfn_t m);
struct gnttab_maptrack *gnttab_maptrack_of(const struct gnttab *t, grant_handle_t handle);
void gnttab_maptrack_free_all(struct domain *d);

/* gnttab_copy.c: GNTST_*. */
int gnttab_copy(struct domain *d, const struct gnttab_copy *op);

#endif
