/* The shared table: its frames, where the guest maps them, its end. */
#include "core/gnttab/gnttab_private.h"

#include <xen/memory.h>

#include "base/check.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m.h"

#define ACTIVE_BLOCK_BYTES (ACTIVE_PER_BLOCK * sizeof(struct gnttab_active))

_Static_assert(GNTTAB_MAX_FRAMES * sizeof(void *) <= PAGE_SIZE, "a page of pointers");
_Static_assert(sizeof(struct gnttab_active) == 32, "active entries stay small");

/*@ requires \valid_read(t) && t->nr_frames <= GNTTAB_MAX_FRAMES;
    terminates \true;
    assigns \nothing;
    ensures t->version == 1 ==> \result == t->nr_frames * V1_PER_FRAME;
    ensures t->version != 1 ==> \result == t->nr_frames * V2_PER_FRAME;
    ensures active: \forall integer ref; 0 <= ref < \result ==>
        ref / ACTIVE_PER_BLOCK < t->nr_frames; */
uint32_t gnttab_entries(const struct gnttab *t)
{
    return t->nr_frames * (t->version == 1 ? V1_PER_FRAME : V2_PER_FRAME);
}

/* A block per shared frame has room for version 1; version 2, with half as many
 * grants, uses the first half of the blocks. */
/*@ requires \valid_read(t) && ref / ACTIVE_PER_BLOCK < t->nr_frames;
    requires \valid_read(t->active + ref / ACTIVE_PER_BLOCK);
    terminates \true;
    assigns \nothing;
    ensures \result == &t->active[ref / ACTIVE_PER_BLOCK][ref % ACTIVE_PER_BLOCK];
    ensures \valid(t->active[ref / ACTIVE_PER_BLOCK] + (0 .. ACTIVE_PER_BLOCK - 1)) ==>
        \valid(\result); */
struct gnttab_active *gnttab_active_of(const struct gnttab *t, grant_ref_t ref)
{
    return &t->active[ref / ACTIVE_PER_BLOCK][ref % ACTIVE_PER_BLOCK];
}

static int add_frame(struct domain *d)
{
    struct gnttab *t = &d->gnttab;
    uint32_t i = t->nr_frames;

    t->active[i] = hyp_pages_alloc(d, order_of_bytes(ACTIVE_BLOCK_BYTES), FRAME_HYP);
    if (t->active[i] == NULL) {
        return -XEN_ENOMEM;
    }
    t->shared[i] = hyp_pages_alloc(d, 0, FRAME_SHARED);
    if (t->shared[i] == NULL) {
        hyp_pages_free(t->active[i], order_of_bytes(ACTIVE_BLOCK_BYTES));
        t->active[i] = NULL;
        return -XEN_ENOMEM;
    }
    t->shared_gfn[i] = gfn_invalid();
    t->nr_frames = i + 1;
    return 0;
}

int gnttab_grow(struct domain *d, uint32_t frames)
{
    struct gnttab *t = &d->gnttab;
    int rc = 0;

    if (frames > t->max_frames || d->state != DOMAIN_ALIVE) {
        return -XEN_EINVAL;
    }
    if (t->version == 2) {
        rc = gnttab_populate_status(d, frames);
    }
    while (rc == 0 && t->nr_frames < frames) {
        rc = add_frame(d);
    }
    return rc;
}

int gnttab_init(struct domain *d, uint32_t max_version, uint32_t max_frames, uint32_t max_maptrack)
{
    struct gnttab *t = &d->gnttab;
    int rc = -XEN_ENOMEM;

    lock_init(&t->lock, LOCK_GNTTAB);
    max_frames = max_frames == UINT32_MAX ? GNTTAB_DEFAULT_FRAMES : max_frames;
    max_maptrack = max_maptrack == UINT32_MAX ? GNTTAB_DEFAULT_MAPTRACK_FRAMES : max_maptrack;
    if (max_version < 1 || max_version > GNTTAB_MAX_VERSION || max_frames == 0 ||
        max_frames > GNTTAB_MAX_FRAMES || max_maptrack > GNTTAB_MAX_MAPTRACK_FRAMES) {
        return -XEN_EINVAL;
    }
    t->version = 1;
    t->max_version = max_version;
    t->max_frames = max_frames;
    t->max_maptrack_frames = max_maptrack;
    t->maptrack_free = MAPTRACK_NONE;
    t->shared = hyp_pages_alloc(d, 0, FRAME_HYP);
    t->shared_gfn = hyp_pages_alloc(d, 0, FRAME_HYP);
    t->active = hyp_pages_alloc(d, 0, FRAME_HYP);
    if (t->shared != NULL && t->shared_gfn != NULL && t->active != NULL) {
        rc = add_frame(d);
    }
    if (rc != 0) {
        gnttab_free(d);
    }
    return rc;
}

/* Lock held: the frame. */
static int find_frame(struct domain *d, bool status, uint64_t idx, mfn_t *out)
{
    struct gnttab *t = &d->gnttab;
    int rc = 0;

    if (idx >= (status ? STATUS_MAX_FRAMES : GNTTAB_MAX_FRAMES)) {
        return -XEN_EINVAL;
    }
    if (status && t->version != 2) {
        return -XEN_EINVAL;
    }
    if (idx >= (status ? t->nr_status_frames : t->nr_frames)) {
        /* A status frame is there from the first shared frame that it serves. */
        rc = gnttab_grow(d, (uint32_t)(status ? idx * (STATUS_PER_FRAME / V2_PER_FRAME) : idx) + 1);
    }
    if (rc == 0) {
        *out = ptr_to_mfn(status ? t->status[idx] : t->shared[idx]);
    }
    return rc;
}

int gnttab_frame_at(struct domain *d, uint64_t idx, mfn_t *out)
{
    struct gnttab *t = &d->gnttab;
    bool status;
    int rc;

    lock_acquire(&t->lock);
    status = t->version == 2 && (idx & XENMAPIDX_grant_table_status) != 0;
    rc = find_frame(d, status, status ? idx & ~(uint64_t)XENMAPIDX_grant_table_status : idx, out);
    lock_release(&t->lock);
    return rc;
}

/* Lock held: where it is recorded at which place the guest sees m; NULL: it is no frame of
 * the table, or none that the guest may see. */
static gfn_t *place_of(struct gnttab *t, mfn_t m)
{
    const void *page = mfn_to_ptr(m);

    for (uint32_t i = 0; i < t->nr_frames; i++) {
        if (t->shared[i] == page) {
            return &t->shared_gfn[i];
        }
    }
    for (uint32_t i = 0; i < (t->version == 2 ? t->status_pages : 0); i++) {
        if (t->status[i] == page) {
            return &t->status_gfn[i];
        }
    }
    return NULL;
}

/* Lock held: does the guest see m at g? */
static bool sees(struct domain *d, gfn_t g, mfn_t m)
{
    struct p2m_entry e = p2m_peek(d, g);

    return e.type == P2M_SHARED && e.mfn.v == m.v;
}

/* Two CPUs may put one frame in two places. Whoever comes here last finds what the other
 * recorded, for nothing is recorded or forgotten but as the map says under the lock. */
void gnttab_mapped(struct domain *d, gfn_t g, mfn_t m)
{
    struct gnttab *t = &d->gnttab;
    gfn_t gone = gfn_invalid(), *place;

    lock_acquire(&t->lock);
    place = place_of(t, m);
    if (place == NULL) {
        gone = g;
    } else if (sees(d, g, m)) {
        gone = place->v != g.v ? *place : gfn_invalid();
        *place = g;
    }
    lock_release(&t->lock);
    if (!gfn_is_invalid(gone)) {
        (void)p2m_unmap_if(d, gone, m); /* not there: the guest removed it */
    }
}

void gnttab_unmapped(struct domain *d, gfn_t g, mfn_t m)
{
    gfn_t *place;

    lock_acquire(&d->gnttab.lock);
    place = place_of(&d->gnttab, m);
    if (place != NULL && place->v == g.v && !sees(d, g, m)) {
        *place = gfn_invalid();
    }
    lock_release(&d->gnttab.lock);
}

int gnttab_get_frame(struct domain *d, bool status, uint64_t idx, mfn_t *out)
{
    int rc;

    lock_acquire(&d->gnttab.lock);
    rc = find_frame(d, status, idx, out);
    lock_release(&d->gnttab.lock);
    return rc;
}

static void free_page(void *page)
{
    if (page != NULL) {
        hyp_pages_free(page, 0);
    }
}

void gnttab_free(struct domain *d)
{
    struct gnttab *t = &d->gnttab;

    check(t->pinned == 0);
    gnttab_maptrack_free_all(d);
    for (uint32_t i = 0; i < t->nr_frames; i++) {
        /* The control domain may still look at it: the last reference frees. */
        frame_put(ptr_to_mfn(t->shared[i]));
        hyp_pages_free(t->active[i], order_of_bytes(ACTIVE_BLOCK_BYTES));
    }
    for (uint32_t i = 0; i < t->status_pages; i++) {
        frame_put(ptr_to_mfn(t->status[i]));
    }
    t->nr_frames = 0;
    t->nr_status_frames = 0;
    t->status_pages = 0;
    free_page(t->shared);
    free_page(t->shared_gfn);
    free_page(t->active);
    free_page(t->status);
    t->shared = NULL;
    t->shared_gfn = NULL;
    t->active = NULL;
    t->status = NULL;
    t->status_gfn = NULL;
}
