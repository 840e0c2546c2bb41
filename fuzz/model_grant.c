/* Grants: who maps what, and whether the granter's table allowed it. The entries are
 * read where the guest wrote them. */
#include "fuzz/model.h"

#include "base/xen.h"

#include <string.h>

#include <xen/grant_table.h>

#include "core/gnttab/gnttab_private.h"
#include "fuzz/machine.h"

struct map {
    bool live, readonly;
    uint16_t mapper, granter;
    uint32_t handle, ref;
    uint64_t gfn, mfn; /* where the mapper has it, and which frame it is */
};

static struct map maps[MODEL_MAPS];
static unsigned map_count;
static bool maps_all;                    /* no mapping is missing for want of room */
static uint32_t versions[MODEL_DOMAINS]; /* 0: not known */

static void add(struct map m)
{
    unsigned i = 0;

    while (i < map_count && maps[i].live)
        i++;
    if (i == MODEL_MAPS) {
        maps_all = false;
        return;
    }
    if (i == map_count)
        map_count++;
    maps[i] = m;
    maps[i].live = true;
}

static struct map *find(uint16_t mapper, uint32_t handle)
{
    for (unsigned i = 0; i < map_count; i++) {
        if (maps[i].live && maps[i].mapper == mapper && maps[i].handle == handle)
            return &maps[i];
    }
    return NULL;
}

/* A mapping of the grant; writing: only one that may write. */
static const struct map *user_of(uint16_t granter, uint32_t ref, bool writing)
{
    for (unsigned i = 0; i < map_count; i++) {
        const struct map *m = &maps[i];

        if (m->live && m->granter == granter && m->ref == ref && (!writing || !m->readonly))
            return m;
    }
    return NULL;
}

static void import_of(uint16_t i)
{
    const struct domain *d = exec_domain(i);

    if (!d)
        return;
    versions[i] = d->gnttab.version;
    for (uint32_t h = 0; h < d->gnttab.maptrack_blocks * MAPTRACK_PER_BLOCK; h++) {
        const struct gnttab_maptrack *m =
            &d->gnttab.maptrack[h / MAPTRACK_PER_BLOCK][h % MAPTRACK_PER_BLOCK];

        if (m->state == MAPTRACK_MAPPED)
            add((struct map){true, m->readonly, i, m->granter->id, h, m->ref, m->gfn.v, m->mfn.v});
    }
}

void model_grant_import(void)
{
    map_count = 0;
    maps_all = true;
    for (uint16_t i = 0; i < MODEL_DOMAINS; i++)
        import_of(i);
}

static void compare_of(uint16_t i, unsigned *seen)
{
    const struct domain *d = exec_domain(i);

    if (!d)
        return;
    for (uint32_t h = 0; h < d->gnttab.maptrack_blocks * MAPTRACK_PER_BLOCK; h++) {
        const struct gnttab_maptrack *t =
            &d->gnttab.maptrack[h / MAPTRACK_PER_BLOCK][h % MAPTRACK_PER_BLOCK];
        const struct map *m;

        if (t->state != MAPTRACK_MAPPED)
            continue;
        m = find(i, h);
        ++*seen;
        model_expect(m && m->granter == t->granter->id && m->ref == t->ref &&
                         m->readonly == t->readonly && m->gfn == t->gfn.v && m->mfn == t->mfn.v,
                     NULL, "GNT", "a handle names what nobody mapped");
    }
}

void model_grant_compare(void)
{
    unsigned seen = 0, live = 0;

    if (!maps_all)
        return;
    for (uint16_t i = 0; i < MODEL_DOMAINS; i++)
        compare_of(i, &seen);
    for (unsigned i = 0; i < map_count; i++)
        live += maps[i].live && exec_domain(maps[i].mapper);
    model_expect(seen == live, NULL, "GNT", "a mapping is lost");
}

/* A shared entry in a form that both versions have. */
struct entry {
    uint32_t flags, marks;
    uint16_t domid;
    uint64_t frame;
    uint32_t start, end; /* bytes granted */
    uint16_t trans_domid;
    uint32_t trans_ref;
};

/* False: the table is not that long. */
static bool read_entry(const struct domain *d, uint32_t ref, struct entry *e)
{
    const struct gnttab *t = &d->gnttab;
    const grant_entry_v2_t *v2;

    memset(e, 0, sizeof(*e));
    e->end = PAGE_SIZE;
    if (t->version == 1) {
        const grant_entry_v1_t *v1;

        if (ref >= t->nr_frames * (PAGE_SIZE / sizeof(*v1)))
            return false;
        v1 = (const grant_entry_v1_t *)t->shared[ref / (PAGE_SIZE / sizeof(*v1))] +
             ref % (PAGE_SIZE / sizeof(*v1));
        e->flags = v1->flags;
        e->marks = v1->flags & (GTF_reading | GTF_writing);
        e->domid = v1->domid;
        e->frame = v1->frame;
        return true;
    }
    if (ref >= t->nr_frames * (PAGE_SIZE / sizeof(*v2)))
        return false;
    v2 = (const grant_entry_v2_t *)t->shared[ref / (PAGE_SIZE / sizeof(*v2))] +
         ref % (PAGE_SIZE / sizeof(*v2));
    e->flags = v2->hdr.flags;
    e->marks = ((const uint16_t *)t->status[ref / (PAGE_SIZE / 2)])[ref % (PAGE_SIZE / 2)];
    e->domid = v2->hdr.domid;
    e->frame = v2->full_page.frame;
    if ((e->flags & GTF_type_mask) == GTF_transitive) {
        e->trans_domid = v2->transitive.trans_domid;
        e->trans_ref = v2->transitive.gref;
    } else if (e->flags & GTF_sub_page) {
        e->start = v2->sub_page.page_off;
        e->end = e->start + v2->sub_page.length;
    }
    return true;
}

static uint32_t type_of(const struct entry *e)
{
    return e->flags & GTF_type_mask;
}

/* What the hypervisor mapped, and whether it was granted. */
static void judge_map(const struct model_call *c, const struct gnttab_map_grant_ref *in,
                      struct domain *granter, uint64_t *mfn)
{
    const struct map *user = user_of((uint16_t)in->dom, in->ref, false);
    const struct map *writer = user_of((uint16_t)in->dom, in->ref, true);
    bool readonly = in->flags & GNTMAP_readonly;
    struct p2m_entry at = model_entry(exec_domain(c->self), in->host_addr >> PAGE_SHIFT);
    struct entry e;

    *mfn = at.mfn.v;
    model_expect(at.type == (readonly ? P2M_GRANT_RO : P2M_GRANT_RW), c, "GNT",
                 "what was mapped is not there");
    model_expect(read_entry(granter, in->ref, &e), c, "GNT", "a grant beyond the table was mapped");
    /* Of a grant in use what counts is the entry as it was; its owner may have written there. */
    model_expect(readonly || writer || !(e.flags & GTF_readonly), c, "GNT",
                 "a read-only grant was mapped for writing");
    model_expect((user || (e.marks & GTF_reading)) &&
                     (readonly || writer || (e.marks & GTF_writing)),
                 c, "GNT", "the granter cannot see that its grant is in use");
    if (user) {
        model_expect(user->mapper == c->self && user->mfn == at.mfn.v, c, "GNT",
                     "a grant in use means something else for another");
        return;
    }
    model_expect(type_of(&e) == GTF_permit_access && e.domid == c->self &&
                     (granter->gnttab.version == 1 || !(e.flags & GTF_sub_page)),
                 c, "GNT", "what was not granted to the caller was mapped");
    model_expect(model_entry(granter, e.frame).mfn.v == at.mfn.v ||
                     (granter->id == c->self && e.frame == in->host_addr >> PAGE_SHIFT),
                 c, "GNT", "another frame than the granted one was mapped");
}

static void map(const struct model_call *c)
{
    const struct gnttab_map_grant_ref *in = c->in, *out = c->out;
    struct domain *granter = in->dom < MODEL_DOMAINS ? exec_domain((uint16_t)in->dom) : NULL;
    uint64_t mfn;

    if (c->done->rc != 0 || out->status != GNTST_okay || !granter)
        return;
    model_expect(!find(c->self, out->handle), c, "GNT", "a handle in use was given out");
    judge_map(c, in, granter, &mfn);
    add((struct map){true, in->flags & GNTMAP_readonly, c->self, (uint16_t)in->dom, out->handle,
                     in->ref, in->host_addr >> PAGE_SHIFT, mfn});
}

static void unmapped(const struct model_call *c, uint32_t handle, uint64_t addr, int status)
{
    struct map *m = find(c->self, handle);
    struct domain *granter;
    struct p2m_entry at;
    struct entry e;

    if (!maps_all)
        return;
    if (!m) {
        model_expect(status != GNTST_okay, c, "GNT", "what is not mapped was unmapped");
        return;
    }
    model_expect(status != GNTST_bad_handle, c, "GNT", "a good handle counts as bad");
    if (status != GNTST_okay || addr == 0)
        return;
    model_expect(m->gfn == addr >> PAGE_SHIFT, c, "GNT", "unmapped at an address it is not at");
    m->live = false;
    at = model_entry(exec_domain(c->self), m->gfn);
    model_expect((at.type != P2M_GRANT_RW && at.type != P2M_GRANT_RO) || at.mfn.v != m->mfn, c,
                 "GNT", "what was unmapped is still there");
    granter = exec_domain(m->granter);
    if (!granter || !read_entry(granter, m->ref, &e))
        return;
    model_expect(user_of(m->granter, m->ref, false) || !(e.marks & GTF_reading), c, "GNT",
                 "a grant that nobody uses is marked as in use");
    /* Who could only read has left a mark that the granter set itself. */
    model_expect(m->readonly || user_of(m->granter, m->ref, true) || !(e.marks & GTF_writing), c,
                 "GNT", "a grant that nobody writes is marked as written");
}

/* Finds the bytes of one side of a copy; NULL: the model cannot tell. Objects to what
 * was not granted. */
static const uint8_t *side(const struct model_call *c, const struct gnttab_copy_ptr *p, bool gref,
                           bool writing, uint32_t len)
{
    uint16_t id = model_target(c, p->domid);
    struct domain *d = id < MODEL_DOMAINS ? exec_domain(id) : NULL;
    struct entry e;

    if (!d)
        return NULL;
    if (!gref) {
        model_expect(id == c->self, c, "GNT", "another domain's frame was copied by its number");
        return model_ram(d, (p->u.gmfn << PAGE_SHIFT) + p->offset);
    }
    if (user_of(id, p->u.ref, false))
        return NULL; /* what counts is the entry as it was then */
    model_expect(read_entry(d, p->u.ref, &e), c, "GNT", "a grant beyond the table was used");
    model_expect(e.domid == c->self && (!writing || !(e.flags & GTF_readonly)), c, "GNT",
                 "what was not granted to the caller was copied");
    if (type_of(&e) == GTF_transitive && d->gnttab.version == 2) {
        d = e.trans_domid < MODEL_DOMAINS ? exec_domain(e.trans_domid) : NULL;
        if (!d || user_of(e.trans_domid, e.trans_ref, false))
            return NULL;
        model_expect(read_entry(d, e.trans_ref, &e) && e.domid == id &&
                         (!writing || !(e.flags & GTF_readonly)),
                     c, "GNT", "a transitive grant led to what was not granted");
    }
    model_expect(type_of(&e) == GTF_permit_access, c, "GNT", "an entry that grants nothing served");
    model_expect(p->offset >= e.start && p->offset + len <= e.end, c, "GNT",
                 "bytes outside a sub-page grant were copied");
    return model_ram(d, (e.frame << PAGE_SHIFT) + p->offset);
}

/* Is p in a page that the caller's arguments are in, which change after the copy? */
static bool in_arguments(const struct model_call *c, const uint8_t *p)
{
    for (uint64_t g = ARG_GFN; g < CODE_GFN; g++) {
        const uint8_t *page = model_ram(exec_domain(c->self), g << PAGE_SHIFT);

        if (page && p >= page && p < page + PAGE_SIZE)
            return true;
    }
    return false;
}

static void copy(const struct model_call *c)
{
    const struct gnttab_copy *in = c->in, *out = c->out;
    const uint8_t *from, *to;

    if (c->done->rc != 0 || out->status != GNTST_okay)
        return;
    model_expect(in->source.offset + in->len <= PAGE_SIZE && in->dest.offset + in->len <= PAGE_SIZE,
                 c, "GNT", "a copy went over the end of a page");
    from = side(c, &in->source, in->flags & GNTCOPY_source_gref, false, in->len);
    to = side(c, &in->dest, in->flags & GNTCOPY_dest_gref, true, in->len);
    if (!from || !to || in_arguments(c, to) || in_arguments(c, from) ||
        (from < to + in->len && to < from + in->len))
        return;
    model_expect(memcmp(from, to, in->len) == 0, c, "GNT", "a copy is not like its source");
}

/* In version 1 there are no status frames to be seen. */
static void judge_status(const struct model_call *c)
{
    const struct domain *d = exec_domain(c->self);

    for (uint64_t g = 0; g < HOLE_GFN + HOLE_GFNS; g++) {
        struct p2m_entry e = model_entry(d, g);

        for (uint32_t i = 0; e.type == P2M_SHARED && i < d->gnttab.status_pages; i++)
            model_expect(mfn_to_ptr(e.mfn) != d->gnttab.status[i], c, "GNT",
                         "a status frame of version 2 is still seen");
    }
}

static void set_version(const struct model_call *c)
{
    const gnttab_set_version_t *in = c->in;

    if (c->done->rc == -XEN_EFAULT)
        versions[c->self] = 0; /* done, perhaps, and only the answer was not to be had */
    if (c->done->rc != 0 || versions[c->self] == in->version)
        return;
    for (unsigned i = 0; versions[c->self] != 0 && i < map_count; i++)
        model_expect(!maps[i].live || maps[i].granter != c->self ||
                         maps[i].ref < GNTTAB_NR_RESERVED_ENTRIES,
                     c, "GNT", "the version changed under a grant in use");
    versions[c->self] = in->version;
    if (in->version == 1)
        judge_status(c);
}

bool model_grant_follows(const struct op_done *d)
{
    const uint8_t *in = d->arg_in;

    if (d->desc->sub == GNTTABOP_copy)
        return d->elements == 1; /* one may change the arguments of the next */
    if (d->desc->sub == GNTTABOP_map_grant_ref && d->rc != 0)
        return d->elements == 1; /* nothing was done */
    if (d->desc->sub != GNTTABOP_map_grant_ref && d->desc->sub != GNTTABOP_unmap_grant_ref &&
        d->desc->sub != GNTTABOP_unmap_and_replace)
        return true;
    for (uint32_t i = 0; i < d->elements; i++) {
        uint64_t addr; /* the first field of all three */

        memcpy(&addr, in + i * d->desc->arg_size, sizeof(addr));
        if (addr >> PAGE_SHIFT >= ARG_GFN && addr >> PAGE_SHIFT < CODE_GFN)
            return false;
    }
    return d->rc == 0;
}

void model_grant_op(const struct model_call *c)
{
    switch (c->done->desc->sub) {
    case GNTTABOP_map_grant_ref:
        map(c);
        break;
    case GNTTABOP_unmap_grant_ref: {
        const struct gnttab_unmap_grant_ref *in = c->in, *out = c->out;

        unmapped(c, in->handle, in->host_addr, out->status);
        break;
    }
    case GNTTABOP_unmap_and_replace: {
        const struct gnttab_unmap_and_replace *in = c->in, *out = c->out;

        unmapped(c, in->handle, in->host_addr, out->status);
        break;
    }
    case GNTTABOP_copy:
        copy(c);
        break;
    case GNTTABOP_set_version:
        set_version(c);
        break;
    default:
        break;
    }
}
