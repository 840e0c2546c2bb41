/* INV-GNT-1 .. 3 over one domain's grant table. */
#include "core/audit/audit_impl.h"
#include "port/mem.h"

static void audit_frame(struct audit_report *r, const struct domain *d, const void *page,
                        const char *what, uint32_t index)
{
    struct frame f = {.state = FRAME_ABSENT};

    if (page != NULL)
        f = frame_read(ptr_to_mfn(page));
    audit_claim(r, f.state == FRAME_USED && f.type == FRAME_SHARED && f.owner == d->id, "INV-GNT-1",
                "%s grant frame %u of d%u is a frame of d%u, type %u", what, index, d->id, f.owner,
                f.type);
}

void audit_gnttab(struct audit_report *r, struct domain *d)
{
    const struct gnttab *t = &d->gnttab;
    uint32_t before = r->violations;
    const char *name;

    audit_claim(r,
                t->nr_frames <= GNTTAB_MAX_FRAMES && (t->nr_frames == 0 || t->shared != NULL) &&
                    t->nr_status_frames <= t->status_pages &&
                    (t->status_pages == 0 || t->status != NULL),
                "INV-GNT-1", "d%u counts %u shared and %u of %u status frames", d->id, t->nr_frames,
                t->nr_status_frames, t->status_pages);
    if (r->violations != before)
        return;
    for (uint32_t i = 0; i < t->nr_frames; i++)
        audit_frame(r, d, t->shared[i], "shared", i);
    for (uint32_t i = 0; i < t->status_pages; i++)
        audit_frame(r, d, t->status[i], "status", i);
    if (r->violations != before)
        return;
    /* What hangs off grants and handles is known to gnttab alone. */
    name = gnttab_audit(d, r->zero);
    audit_claim(r, name == NULL, name, "in the grant table of d%u", d->id);
}
