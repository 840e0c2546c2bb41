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
/* 32-bit words of an entry. */
#define V1_WORDS 2u
#define V2_WORDS 4u

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

/*@ axiomatic OneGrant {
        logic struct domain *one_granter reads \nothing;
        logic integer one_ref reads \nothing;
        logic integer one_readonly reads \nothing;
    }
    logic integer naming(struct domain *granter, integer ref, integer readonly) =
        granter != \null && granter == one_granter && ref == one_ref && readonly == one_readonly ?
        1 : 0;
    // Where the guest sees the frames of a table.
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
struct gnttab_active *gnttab_active_of(const struct gnttab *t, grant_ref_t ref);
/* Makes the table at least frames long. -XEN_EINVAL, -XEN_ENOMEM or 0. */
int gnttab_grow(struct domain *d, uint32_t frames);

/* gnttab_entry.c: the shared entry of a grant that the table has room for; the lock is held. */

/*@ // A page of the table as 32-bit words, and as long ones.
    axiomatic SharedPages {
        logic uint32_t *words_in(void *page) reads \nothing;
        logic uint64_t *longs_in(void *page) reads \nothing;
    }
    // An entry's words: flags and grantee, then in version 1 the frame, in version 2 which part,
    // then as one long word the frame, or the next grant.
    logic uint32_t *v1_at{L}(struct gnttab *t, integer ref) =
        words_in(t->shared[ref / V1_PER_FRAME]) + ref % V1_PER_FRAME * V1_WORDS;
    logic uint32_t *v2_at{L}(struct gnttab *t, integer ref) =
        words_in(t->shared[ref / V2_PER_FRAME]) + ref % V2_PER_FRAME * V2_WORDS;
    logic uint64_t *frame_at{L}(struct gnttab *t, integer ref) =
        longs_in(t->shared[ref / V2_PER_FRAME]) + (ref % V2_PER_FRAME * 2 + 1);
    logic uint32_t *status_at{L}(struct gnttab *t, integer ref) =
        words_in(t->status[ref / STATUS_PER_FRAME]) + ref % STATUS_PER_FRAME / 2;
    // Where the guest is shown that a grant is in use.
    logic uint32_t *marks_at{L}(struct gnttab *t, integer version, integer ref) =
        version == 1 ? v1_at(t, ref) : status_at(t, ref);
    logic integer status_marks(integer ref, integer marks) = ref % 2 == 0 ? marks : marks * 0x10000;
    predicate in_table(integer version, integer frames, integer ref) =
        0 <= ref < frames * (version == 1 ? V1_PER_FRAME : V2_PER_FRAME);
    // All pages of a table are there, and a status for each grant.
    predicate pages{L}(struct gnttab *t) = \valid(t) && (t->version == 1 || t->version == 2) &&
        \valid_read(t->shared + (0 .. t->nr_frames - 1)) &&
        (\forall integer i; 0 <= i < t->nr_frames ==>
            \valid(words_in(t->shared[i]) + (0 .. PAGE_SIZE / 4 - 1)) &&
            \separated(words_in(t->shared[i]) + (0 .. PAGE_SIZE / 4 - 1), t) &&
            \valid_read(longs_in(t->shared[i]) + (0 .. PAGE_SIZE / 8 - 1))) &&
        (t->version == 2 ==>
            t->nr_frames * V2_PER_FRAME <= t->nr_status_frames * STATUS_PER_FRAME &&
            \valid_read(t->status + (0 .. t->nr_status_frames - 1)) &&
            (\forall integer i; 0 <= i < t->nr_status_frames ==>
                \valid(words_in(t->status[i]) + (0 .. PAGE_SIZE / 4 - 1)) &&
                \separated(words_in(t->status[i]) + (0 .. PAGE_SIZE / 4 - 1), t)));
    // Those of one grant.
    predicate words{L}(struct gnttab *t, integer version, integer ref) = \valid(t) &&
        \valid(marks_at(t, version, ref)) && \separated(marks_at(t, version, ref), t) &&
        (version == 1 ? \valid_read(t->shared + ref / V1_PER_FRAME) &&
            \valid_read(v1_at(t, ref) + (0 .. V1_WORDS - 1)) :
         version == 2 && \valid_read(t->shared + ref / V2_PER_FRAME) &&
            \valid_read(v2_at(t, ref) + (0 .. V2_WORDS - 1)) &&
            \valid_read(frame_at(t, ref)) && \valid_read(t->status + ref / STATUS_PER_FRAME));
*/

grant_entry_v1_t *gnttab_entry_v1(const struct gnttab *t, grant_ref_t ref);
grant_entry_v2_t *gnttab_entry_v2(const struct gnttab *t, grant_ref_t ref);
/* The word of flags and grantee, first in the entries of both versions. */
/*@ requires words(t, t->version, ref);
    terminates \true;
    assigns \nothing;
    ensures \result == (t->version == 1 ? v1_at(t, ref) : v2_at(t, ref)); */
uint32_t *gnttab_entry_header(const struct gnttab *t, grant_ref_t ref);
/* The word with the marks that the guest sees, which in version 2 is that of two grants' status,
 * and which bits of it are ref's marks. */
/*@ requires words(t, t->version, ref);
    terminates \true;
    assigns \nothing;
    ensures \result == marks_at(t, t->version, ref); */
uint32_t *gnttab_entry_marks(const struct gnttab *t, grant_ref_t ref);
/*@ requires \valid_read(t) && marks <= 0xffff;
    assigns \nothing;
    ensures \result == (t->version == 1 ? marks : status_marks(ref, marks)); */
uint32_t gnttab_entry_mark_bits(const struct gnttab *t, grant_ref_t ref, uint32_t marks);
/* Version 2: ref's status. */
/*@ requires words(t, t->version, ref) && t->version == 2;
    assigns looks;
    ensures read_once: looks == \old(looks) + 1;
    ensures \result <= 0xffff; */
uint32_t gnttab_status_read(const struct gnttab *t, grant_ref_t ref);
/*@ requires words(t, t->version, ref) && t->version == 2;
    assigns *marks_at(t, t->version, ref), changes, was;
    ensures changes == \old(changes) + 2; */
void gnttab_status_write(struct gnttab *t, grant_ref_t ref, uint32_t status);
/* The guest's number of the granted frame. */
/*@ requires words(t, t->version, ref);
    terminates \true;
    assigns looks;
    ensures read_once: looks == \old(looks) + 1; */
uint64_t gnttab_entry_frame(const struct gnttab *t, grant_ref_t ref);
/* Fills what is granted from the entry whose header was marked: the frame, or 0 if it is
 * another's. */
/*@ requires words(t, t->version, ref) && \valid(a) && \separated(a, t);
    assigns a->mfn, a->start, a->length, a->part, a->transitive, a->trans_domid, a->trans_ref,
        looks;
    ensures a->mfn.v == MFN_INVALID_V;
    ensures whole: a->part <==> t->version == 2 && ((header & GTF_sub_page) != 0 ||
        (header & GTF_type_mask) == GTF_transitive);
    ensures page: !a->part ==> a->start == 0 && a->length == PAGE_SIZE;
    ensures a->transitive <==>
        t->version == 2 && (header & GTF_type_mask) == GTF_transitive;
    ensures read_once: looks == \old(looks) + (a->part ? 2 : 1); */
uint64_t gnttab_entry_read(const struct gnttab *t, grant_ref_t ref, uint32_t header,
                           struct gnttab_active *a);

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
