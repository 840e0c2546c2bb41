/* The invariants of grant tables, recomputed. */
#include "core/gnttab/gnttab_private.h"

#include "base/arith.h"
#include "base/zero_lines.h"
#include "core/mem/frame.h"
#include "core/state.h"

static bool frames_hold(const struct domain *d, void *const *page, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct frame f = frame_read(ptr_to_mfn(page[i]));

        if (f.state != FRAME_USED || f.type != FRAME_SHARED || f.owner != d->id) {
            return false;
        }
    }
    return true;
}

/* INV-GNT-2, the mapper's side: each handle of a block names a pinned grant. Adds
 * the handles that name granter's grants to the counts. */
static bool handles_hold(const struct domain *d, const struct gnttab_maptrack *block,
                         const struct domain *granter, uint64_t *readers, uint64_t *writers)
{
    for (unsigned i = 0; i < MAPTRACK_PER_BLOCK; i++) {
        const struct gnttab_maptrack *m = &block[i];
        const struct gnttab_active *a;

        if (m->state == MAPTRACK_FREE || m->granter != granter) {
            continue;
        }
        if (m->ref >= granter->gnttab.nr_frames * V1_PER_FRAME) {
            return false;
        }
        a = gnttab_active_of(&granter->gnttab, m->ref);
        if ((m->readonly ? a->readers : a->writers) == 0 || a->domid != d->id ||
            a->mfn.v != m->mfn.v) {
            return false;
        }
        *(m->readonly ? readers : writers) += 1;
    }
    return true;
}

/* INV-GNT-2, all that map d's grants together. */
static bool mappers_hold(const struct domain *d, uint64_t readers, uint64_t writers)
{
    uint64_t r = 0, w = 0;
    struct domain *mapper;
    bool holds = true;

    for (uint32_t left = hv->domain_count, id = 0; holds && left != 0; left--, id++) {
        mapper = domain_next((domid_t)id);
        if (mapper == NULL) {
            break;
        }
        id = mapper->id;
        for (uint32_t i = 0; holds && i < mapper->gnttab.maptrack_blocks; i++) {
            holds = handles_hold(mapper, mapper->gnttab.maptrack[i], d, &r, &w);
        }
        domain_put(mapper);
    }
    return holds && r == readers && w == writers;
}

/* INV-GNT-3: what a grant in use pins is a frame of d's, of the right type. */
static bool pin_holds(const struct domain *d, const struct gnttab_active *a)
{
    struct frame f = frame_read(a->mfn);

    return !a->transitive && f.state == FRAME_USED && f.owner == d->id && f.refs != 0 &&
           (a->writers == 0 || (f.type == FRAME_WRITABLE && f.type_count != 0));
}

/* The next grant in the block, from k on, that may be in use. */
static unsigned next_used(const struct gnttab_active *block, unsigned k,
                          const struct zero_lines *zero)
{
    while (k < ACTIVE_PER_BLOCK && block[k].readers + block[k].writers == 0) {
        size_t known = zero_known(zero, &block[k], (ACTIVE_PER_BLOCK - k) * sizeof(*block));

        k += max_u64(known / sizeof(*block), 1);
    }
    return k;
}

const char *gnttab_audit(struct domain *d, const struct zero_lines *zero)
{
    const struct gnttab *t = &d->gnttab;
    uint64_t readers = 0, writers = 0;
    uint32_t pinned = 0;

    if (!frames_hold(d, t->shared, t->nr_frames) || !frames_hold(d, t->status, t->status_pages)) {
        return "INV-GNT-1";
    }
    for (uint32_t i = 0; i < t->nr_frames; i++) {
        const struct gnttab_active *block = t->active[i];

        for (unsigned k = next_used(block, 0, zero); k < ACTIVE_PER_BLOCK;
             k = next_used(block, k + 1, zero)) {
            const struct gnttab_active *a = &block[k];

            readers += a->readers;
            writers += a->writers;
            pinned += i != 0 || k >= GNTTAB_NR_RESERVED_ENTRIES;
            if (!pin_holds(d, a)) {
                return "INV-GNT-3";
            }
        }
    }
    return pinned == t->pinned && mappers_hold(d, readers, writers) ? NULL : "INV-GNT-2";
}
