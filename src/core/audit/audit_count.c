/* INV-MEM-7: every reference has a holder. The holders are counted frame by frame
 * and compared with the frame table. The counts lie in a free block, which is
 * given back as zeroes: the audit takes no memory away. */
#include "base/check.h"
#include "base/string.h"
#include "core/audit/audit_impl.h"
#include "core/evtchn/evtchn_private.h"
#include "core/gnttab/gnttab_private.h"
#include "core/mem/frame_word.h"
#include "core/mem/page_alloc.h"

static uint64_t count_bytes(void)
{
    return hv->max_mfn * sizeof(struct audit_count);
}

struct audit_count *audit_counts_begin(const struct audit_report *r)
{
    mfn_t m = page_alloc_scratch((count_bytes() + PAGE_SIZE - 1) >> PAGE_SHIFT);
    struct audit_count *c;

    if (mfn_is_invalid(m))
        return NULL;
    c = mfn_to_ptr(m);
    if (zero_known(r->zero, c, count_bytes()) != count_bytes())
        memset(c, 0, count_bytes());
    return c;
}

/* What was not known to be zero was cleared, and so noted, before; what was known is zero
 * again: nobody has to note that it was written to. */
void audit_counts_end(struct audit_count *c)
{
    uint64_t n = hv->max_mfn;

    if (c == NULL)
        return;
    for (uint64_t m = 0; m < n; m++)
        c[m] = (struct audit_count){0, 0};
}

/* A page that is pinned for the hypervisor's own use. */
static void count_pin(struct audit_count *c, const void *page)
{
    mfn_t m;

    if (page == NULL)
        return;
    m = ptr_to_mfn(page);
    if (m.v < hv->max_mfn) {
        c[m.v].refs++;
        c[m.v].types++;
    }
}

/* A shared page of the hypervisor's own is held by the structure it belongs to; once
 * that has let go of it, by those alone who map it. */
static void count_shared(struct audit_count *c, const void *page)
{
    if (page != NULL && ptr_to_mfn(page).v < hv->max_mfn)
        c[ptr_to_mfn(page).v].refs++;
}

static void count_grants(struct audit_count *c, const struct gnttab *t)
{
    uint32_t left = t->pinned + GNTTAB_NR_RESERVED_ENTRIES; /* gnttab_audit() counted them */

    for (uint32_t i = 0; i < t->nr_frames && left != 0; i++) {
        for (unsigned k = 0; k < ACTIVE_PER_BLOCK && left != 0; k++) {
            const struct gnttab_active *a = &t->active[i][k];
            bool reserved = i == 0 && k < GNTTAB_NR_RESERVED_ENTRIES;

            left -= reserved || a->readers + a->writers != 0;
            if (a->readers + a->writers == 0 || a->mfn.v >= hv->max_mfn)
                continue;
            c[a->mfn.v].refs++;
            c[a->mfn.v].types += a->writers != 0;
        }
    }
}

void audit_count_domain(const struct audit_report *r, struct audit_count *c, const struct domain *d)
{
    const struct evtchn_fifo *fifo = d->evtchn.fifo;

    count_shared(c, d->shared_info);
    count_shared(c, d->arch_shared);
    for (uint32_t i = 0; i < d->gnttab.nr_frames; i++)
        count_shared(c, d->gnttab.shared[i]);
    for (uint32_t i = 0; i < d->gnttab.status_pages; i++)
        count_shared(c, d->gnttab.status[i]);
    count_grants(c, &d->gnttab);
    count_pin(c, d->console.ring);
    for (uint32_t i = 0; fifo != NULL && i < fifo->pages; i++)
        count_pin(c, fifo->page[i]);
    for (unsigned i = 0; (i = audit_next_vcpu(r->zero, d, i)) < MAX_VCPUS; i++) {
        const struct vcpu *v = d->vcpu[i];

        count_pin(c, v->info_page);
        count_pin(c, v->fifo_page);
        count_pin(c, v->runstate_area.page);
        count_pin(c, v->runstate_area.page2);
        count_pin(c, v->time_area.page);
        count_pin(c, v->time_area.page2);
    }
}

void audit_counts_compare(struct audit_report *r, const struct audit_count *c)
{
    uint64_t right = 0; /* the last used word that was right, with ... */
    struct audit_count held = {0, 0};

    for (uint64_t m = 0; m < hv->max_mfn;) {
        uint64_t own, types = c[m].types & ~AUDIT_COUNT_MAPPED, word = hv->frames[m];
        uint32_t before = r->violations;
        struct frame f;

        /* Neighbours are often alike. */
        if (word == right && word != 0 && c[m].refs == held.refs && types == held.types) {
            m++;
            continue;
        }
        if (!fw_is_used(word)) {
            m = audit_next_frame(m);
            continue;
        }
        f = fw_unpack(word);
        own = audit_own_refs(f);
        audit_claim(r, f.refs == own + c[m].refs, "INV-MEM-7",
                    "frame %#lx of d%u, type %u, has %u references, but %lu holders", m, f.owner,
                    f.type, f.refs, own + c[m].refs);
        audit_claim(r, f.type_count == types, "INV-MEM-7",
                    "frame %#lx of d%u has %u references of type %u, but %lu holders", m, f.owner,
                    f.type_count, f.type, types);
        if (r->violations == before) {
            right = word;
            held = (struct audit_count){c[m].refs, (uint32_t)types};
        }
        m++;
    }
}
