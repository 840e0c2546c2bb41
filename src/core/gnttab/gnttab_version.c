/* Versions of the shared table: changing between them, status frames. */
#include "core/gnttab/gnttab_private.h"

#include "base/atomic.h"
#include "base/string.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m.h"

#define MARKS (GTF_reading | GTF_writing)

_Static_assert(STATUS_MAX_FRAMES * sizeof(void *) <= PAGE_SIZE / 2, "half a page of pointers");

/*@ requires frames <= GNTTAB_MAX_FRAMES;
    assigns \nothing;
    ensures \result * STATUS_PER_FRAME >= frames * V2_PER_FRAME;
    ensures (\result - 1) * STATUS_PER_FRAME < frames * V2_PER_FRAME;
    ensures \result <= STATUS_MAX_FRAMES; */
uint32_t gnttab_status_frames_for(uint32_t frames)
{
    return (frames * V2_PER_FRAME + STATUS_PER_FRAME - 1) / STATUS_PER_FRAME;
}

int gnttab_populate_status(struct domain *d, uint32_t frames)
{
    struct gnttab *t = &d->gnttab;
    uint32_t want = gnttab_status_frames_for(frames);

    if (t->status == NULL) {
        t->status = hyp_pages_alloc(d, 0, FRAME_HYP);
        if (t->status == NULL) {
            return -XEN_ENOMEM;
        }
        t->status_gfn = (gfn_t *)(void *)((uint8_t *)t->status + PAGE_SIZE / 2);
    }
    while (t->status_pages < want) {
        void *page = hyp_pages_alloc(d, 0, FRAME_SHARED);

        if (page == NULL) {
            return -XEN_ENOMEM;
        }
        t->status[t->status_pages] = page;
        t->status_gfn[t->status_pages] = gfn_invalid();
        t->status_pages++;
    }
    if (t->nr_status_frames < want) {
        t->nr_status_frames = want;
    }
    return 0;
}

/* One grant in a form that both versions can express. */
struct plain_grant {
    uint16_t flags;
    domid_t domid;
    uint64_t frame;
};

static struct plain_grant read_grant(const struct gnttab *t, grant_ref_t ref)
{
    struct plain_grant g = {0};

    if (t->version == 1) {
        const grant_entry_v1_t *e = gnttab_entry_v1(t, ref);

        g = (struct plain_grant){e->flags, e->domid, e->frame};
    } else {
        const grant_entry_v2_t *e = gnttab_entry_v2(t, ref);
        uint16_t flags = load_u16(&e->hdr.flags);

        /* Version 1 has neither parts nor chains. */
        if ((flags & GTF_type_mask) == GTF_permit_access) {
            g.flags = (uint16_t)((flags & ~MARKS) | (gnttab_status_read(t, ref) & MARKS));
            g.domid = e->hdr.domid;
            g.frame = e->full_page.frame;
        }
    }
    return g;
}

static void write_grant(struct gnttab *t, grant_ref_t ref, struct plain_grant g)
{
    if (t->version == 1) {
        grant_entry_v1_t *e = gnttab_entry_v1(t, ref);

        e->domid = g.domid;
        e->frame = (uint32_t)g.frame;
        store_u16(&e->flags, g.flags);
    } else {
        grant_entry_v2_t *e = gnttab_entry_v2(t, ref);

        e->hdr.domid = g.domid;
        e->full_page.frame = g.frame;
        gnttab_status_write(t, ref, g.flags & MARKS);
        store_u16(&e->hdr.flags, (uint16_t)(g.flags & ~MARKS));
    }
}

/* Lock held. The reserved grants, which may be in use, are carried over; all
 * others are forgotten. */
static int change_version(struct domain *d, uint32_t version)
{
    struct gnttab *t = &d->gnttab;
    struct plain_grant kept[GNTTAB_NR_RESERVED_ENTRIES];

    if (t->pinned != 0) {
        return -XEN_EBUSY;
    }
    if (version == 2) {
        int rc = gnttab_populate_status(d, t->nr_frames);

        if (rc != 0) {
            return rc;
        }
    } else {
        t->nr_status_frames = 0;
    }
    for (grant_ref_t i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        kept[i] = read_grant(t, i);
    }
    for (uint32_t i = 0; i < t->nr_frames; i++) {
        memset(t->shared[i], 0, PAGE_SIZE);
    }
    for (uint32_t i = 0; i < t->status_pages; i++) {
        memset(t->status[i], 0, PAGE_SIZE);
    }
    t->version = version;
    for (grant_ref_t i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        write_grant(t, i, kept[i]);
    }
    return 0;
}

/* In version 1 the guest has no status frames: its mappings of them go. The
 * frames stay the table's, so a mapping made meanwhile harms nobody. */
static void unmap_status(struct domain *d)
{
    struct gnttab *t = &d->gnttab;

    for (uint32_t i = 0; i < STATUS_MAX_FRAMES; i++) {
        gfn_t g = gfn_invalid();
        void *page = NULL;

        lock_acquire(&t->lock);
        if (t->version == 1 && i < t->status_pages) {
            page = t->status[i];
            g = t->status_gfn[i];
            t->status_gfn[i] = gfn_invalid();
        }
        lock_release(&t->lock);
        if (page == NULL) {
            return;
        }
        if (!gfn_is_invalid(g)) {
            p2m_unmap_if(d, g, ptr_to_mfn(page));
        }
    }
}

int gnttab_set_version(struct domain *d, uint32_t version)
{
    struct gnttab *t = &d->gnttab;
    int rc = 0;

    if (version != 1 && version != 2) {
        return -XEN_EINVAL;
    }
    /* As if the operation were not known: what a version 1 guest goes by. */
    if (version > t->max_version) {
        return -XEN_ENOSYS;
    }
    lock_acquire(&t->lock);
    if (t->version != version) {
        rc = change_version(d, version);
    }
    lock_release(&t->lock);
    if (rc == 0 && version == 1) {
        unmap_status(d);
    }
    return rc;
}
