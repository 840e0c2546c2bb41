#include "core/audit/audit.h"

#include "base/arith.h"
#include "base/fmt.h"
#include "core/audit/audit_impl.h"
#include "core/mem/frame_word.h"

void audit_violation(struct audit_report *r, const char *name, const char *fmt, ...)
{
    va_list args;

    r->violations++;
    if (r->first != NULL)
        return;
    r->first = name;
    va_start(args, fmt);
    fmt_vprint(r->detail, sizeof(r->detail), fmt, args);
    va_end(args);
}

struct domain *audit_domain(uint64_t id)
{
    struct domain **page;

    if (id >= DOMID_FIRST_RESERVED)
        return NULL;
    page = hv->domain_page[id / DOMAINS_PER_PAGE];
    return page == NULL ? NULL : page[id % DOMAINS_PER_PAGE];
}

/* The domains of one page from number from on, of left, that are seen to be none at once. */
static uint64_t absent_run(const struct audit_report *r, struct domain **at, uint64_t from,
                           uint64_t left)
{
    size_t known = zero_known(r->zero, at, left * sizeof(*at)) / sizeof(*at);

    if (known != 0)
        return known;
    return from % 8 == 0 && audit_eight_are((const uint64_t *)(uintptr_t)at, 0) ? 8 : 1;
}

struct domain *audit_next_domain(const struct audit_report *r, uint64_t from)
{
    while (from < DOMID_FIRST_RESERVED) {
        struct domain **page = hv->domain_page[from / DOMAINS_PER_PAGE];
        uint64_t end = (from / DOMAINS_PER_PAGE + 1) * DOMAINS_PER_PAGE;

        if (page == NULL) {
            from = end;
            continue;
        }
        end = min_u64(end, DOMID_FIRST_RESERVED);
        while (from < end) {
            struct domain **at = &page[from % DOMAINS_PER_PAGE];

            if (*at != NULL)
                return *at;
            from += absent_run(r, at, from, end - from);
        }
        from = end;
    }
    return NULL;
}

static void audit_locks(struct audit_report *r)
{
    for (uint32_t i = 0; i < hv->cpu_count; i++)
        audit_claim(r, hv->cpu[i].lock_depth == 0, "INV-LOCK-1", "cpu %u holds %u locks", i,
                    hv->cpu[i].lock_depth);
}

static void audit_domains(struct audit_report *r)
{
    struct domain *d;
    uint32_t listed = 0, alive = 0;

    for (uint64_t id = 0; (d = audit_next_domain(r, id)) != NULL; id++) {
        while (d != audit_domain(id))
            id++;
        listed++;
        alive += d->alive_counted;
        audit_claim(r, d->id == id, "INV-DOM-1", "d%u is listed as d%lu", d->id, id);
        audit_claim(r, d->refs > 0 || d->tot_pages == 0, "INV-DOM-2",
                    "d%u has %lu guest pages, but no reference", d->id, d->tot_pages);
        audit_claim(r, d->refs > 0, "INV-DOM-1", "d%u is listed without a reference", d->id);
        audit_claim(r, d->alive_counted == (d->state == DOMAIN_ALIVE && !d->shut_down), "INV-DOM-3",
                    "d%u (state %u, shut down %u): counted as alive %u", d->id, d->state,
                    d->shut_down, d->alive_counted);
    }
    audit_claim(r, listed == hv->domain_count, "INV-DOM-1", "%u domains listed, %u counted", listed,
                hv->domain_count);
    audit_claim(r, alive == hv->alive_count, "INV-DOM-3", "%u domains alive, %u counted", alive,
                hv->alive_count);
}

/* References of frames beyond their owner's first: an upper bound of those that
 * the leaves of other domains' tables can hold. */
static uint64_t extra_references(void)
{
    uint64_t n = 0;

    for (uint64_t m = 0; m < hv->max_mfn; m++) {
        struct frame f = fw_unpack(hv->frames[m]);
        uint32_t own = audit_own_refs(f);

        if (f.state == FRAME_USED && f.refs > own)
            n += f.refs - own;
    }
    return n;
}

/* Compares references with their holders: one by one, or where there was no room
 * for counts at least in sum. */
static void audit_references(struct audit_report *r, const struct audit_count *counts,
                             uint64_t borrowed)
{
    uint64_t extra;

    if (counts != NULL) {
        audit_counts_compare(r, counts);
        return;
    }
    extra = extra_references();
    audit_claim(r, borrowed <= extra, "INV-P2M-3",
                "leaves borrow %lu frames, but only %lu references are held", borrowed, extra);
}

static void audit_all_domains(struct audit_report *r)
{
    /* Only a sound heap can be trusted to say what is free. */
    struct audit_count *counts = r->violations == 0 ? audit_counts_begin(r) : NULL;
    struct domain *d;
    uint64_t borrowed = 0;

    for (uint64_t id = 0; (d = audit_next_domain(r, id)) != NULL; id = (uint64_t)d->id + 1) {
        uint32_t before;

        audit_p2m(r, d, counts, &borrowed);
        audit_evtchn(r, d);
        before = r->violations;
        audit_gnttab(r, d);
        if (counts != NULL && r->violations == before)
            audit_count_domain(r, counts, d);
        audit_sched_domain(r, d);
        audit_time_domain(r, d);
    }
    /* Half a count proves nothing. */
    if (r->violations == 0)
        audit_references(r, counts, borrowed);
    audit_counts_end(counts);
}

void audit_run(struct audit_report *r)
{
    audit_run_knowing(r, NULL);
}

void audit_run_knowing(struct audit_report *r, const struct zero_lines *z)
{
    bool sound;

    *r = (struct audit_report){.zero = z};
    audit_locks(r);
    audit_domains(r);
    sound = r->violations == 0;
    audit_heap(r);
    audit_mem(r);
    /* The rest goes by the list of domains, and some of it takes locks. */
    if (!sound)
        return;
    audit_all_domains(r);
    for (uint32_t i = 0; i < hv->cpu_count; i++) {
        audit_sched(r, &hv->cpu[i]);
        audit_time(r, &hv->cpu[i]);
    }
}
