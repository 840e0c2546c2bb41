/* INV-MEM-2 .. 5 over the frames in use, and INV-MEM-6. */
#include "core/audit/audit_impl.h"
#include "core/mem/frame_word.h"
#include "core/mem/page_alloc.h"

/* Frames of some domains, counted in one pass over the table. There is nowhere
 * to keep a count for each of all domains, so they take turns. */
#define TALLY_DOMAINS 32u

struct tally {
    unsigned n;
    struct {
        const struct domain *d;
        uint64_t guest, hyp;
    } of[TALLY_DOMAINS];
};

static void audit_used(struct audit_report *r, uint64_t m, struct frame f)
{
    bool own = f.type >= FRAME_HYP;

    audit_claim(r, f.refs > 0, "INV-MEM-2", "frame %#lx of d%u is in use without references", m,
                f.owner);
    audit_claim(r, !f.allocated || !own, "INV-MEM-2",
                "hypervisor frame %#lx of d%u is allocated to a guest", m, f.owner);
    audit_claim(r, f.type_count <= f.refs, "INV-MEM-3",
                "frame %#lx of d%u has %u typed references and %u in all", m, f.owner, f.type_count,
                f.refs);
    audit_claim(r, f.type < FRAME_TYPES && (f.type_count > 0) == (f.type != FRAME_NONE && !own),
                "INV-MEM-3", "frame %#lx of d%u has type %u with count %u", m, f.owner, f.type,
                f.type_count);
}

/* Where frames with this word are counted; NULL: not here. */
static uint64_t *tally_of(struct tally *t, uint64_t word)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (t->of[i].d->id == fw_owner(word))
            return fw_type(word) >= FRAME_HYP ? &t->of[i].hyp : &t->of[i].guest;
    }
    return NULL;
}

/* The n frames from m on, which are in use and have the same word. */
static void audit_run_of(struct audit_report *r, uint64_t m, uint64_t n, uint64_t *hv_frames)
{
    struct frame f = fw_unpack(hv->frames[m]);
    uint32_t before = r->violations;

    audit_used(r, m, f);
    for (uint64_t i = 1; i < n && r->violations != before; i++)
        audit_used(r, m + i, f);
    if (f.type >= FRAME_HYP)
        r->frames_hyp += n;
    else
        r->frames_guest += n;
    if (f.owner == DOMID_XEN && f.type >= FRAME_HYP)
        *hv_frames += n;
    else if (audit_domain(f.owner) == NULL)
        r->frames_leaked += n;
}

/* One pass over the table. Counts the hypervisor's own frames too when each word is to be
 * checked, which once is enough for. */
static void audit_frames(struct audit_report *r, bool sound, struct tally *t, uint64_t *hv_frames)
{
    uint64_t n;

    for (uint64_t m = 0; m < hv->max_mfn; m += n) {
        uint64_t *count;

        if (!fw_is_used(hv->frames[m])) {
            n = sound ? audit_next_frame(m) - m : 1;
            continue;
        }
        n = audit_alike(m);
        if (hv_frames != NULL)
            audit_run_of(r, m, n, hv_frames);
        count = tally_of(t, hv->frames[m]);
        if (count != NULL)
            *count += n;
    }
}

/* A limit that was lowered later takes no table away. */
static void audit_limit(struct audit_report *r, const struct domain *d)
{
    uint64_t limit = hyp_pages_limit(d);

    if (limit != UINT64_MAX && d->p2m.table_pages > p2m_table_limit(d))
        limit += d->p2m.table_pages - p2m_table_limit(d);
    audit_claim(r, d->hyp_pages <= limit, "INV-MEM-8",
                "d%u has %lu hypervisor frames, and may have %lu", d->id, d->hyp_pages, limit);
}

static void audit_claims(struct audit_report *r)
{
    const struct heap *h = &hv->heap;
    const struct domain *d;
    uint64_t sum = 0;

    for (uint64_t id = 0; (d = audit_next_domain(r, id)) != NULL; id = (uint64_t)d->id + 1)
        sum += d->outstanding_pages;
    audit_claim(r, sum == h->claimed, "INV-MEM-6", "domains claim %lu pages, %lu counted", sum,
                h->claimed);
    audit_claim(r, h->claimed <= h->free_pages, "INV-MEM-6", "%lu pages claimed, %lu free",
                h->claimed, h->free_pages);
}

void audit_mem(struct audit_report *r)
{
    struct domain *d = audit_next_domain(r, 0);
    bool sound = r->violations == 0, first = true; /* the heap is */
    uint64_t hv_frames = 0;

    do {
        struct tally t = {.n = 0};

        for (; d != NULL && t.n < TALLY_DOMAINS; d = audit_next_domain(r, (uint64_t)d->id + 1))
            t.of[t.n++].d = d;
        audit_frames(r, sound, &t, first ? &hv_frames : NULL);
        first = false;
        for (unsigned i = 0; i < t.n; i++) {
            const struct domain *o = t.of[i].d;

            audit_claim(r, o->tot_pages == t.of[i].guest, "INV-MEM-4",
                        "d%u has %lu guest frames, %lu counted", o->id, t.of[i].guest,
                        o->tot_pages);
            audit_claim(r, o->hyp_pages == t.of[i].hyp, "INV-MEM-5",
                        "d%u has %lu hypervisor frames, %lu counted", o->id, t.of[i].hyp,
                        o->hyp_pages);
            audit_limit(r, o);
        }
    } while (d != NULL);
    audit_claim(r, hv_frames == hv->hyp_pages, "INV-MEM-5",
                "the hypervisor has %lu frames, %lu counted", hv_frames, hv->hyp_pages);
    if (r->violations == 0)
        audit_claims(r);
}
