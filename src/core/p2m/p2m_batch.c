#include "core/p2m/p2m_batch.h"

#include "base/check.h"
#include "core/domain/domain.h"
#include "core/mem/frame.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_pod.h"
#include "core/p2m/p2m_table.h"
#include "port/guest.h"
#include "port/mem.h"

void p2m_batch_begin(struct p2m_batch *b, struct domain *d)
{
    b->d = d;
    b->flush = false;
    b->pod = false;
    b->n = 0;
    b->tables = 0;
}

static void let_go(struct p2m_batch *b, const struct p2m_entry *e)
{
    if (p2m_type_has_ref(e->type)) {
        frame_put(e->mfn);
    } else if ((P2M_SET_OWN_RAM & P2M_SET(e->type)) != 0 &&
               !(b->pod && p2m_pod_keep(b->d, e->mfn, e->order))) {
        for (uint64_t i = 0; i < UINT64_C(1) << e->order; i++) {
            p2m_release_ram(b->d, mfn(e->mfn.v + i));
        }
    }
}

void p2m_batch_end(struct p2m_batch *b)
{
    if (b->flush || b->tables != 0) {
        port_guest_flush(b->d);
    }
    for (unsigned i = 0; i < b->n; i++) {
        let_go(b, &b->old[i]);
    }
    for (unsigned i = 0; i < b->tables; i++) {
        hyp_pages_free(mfn_to_ptr(b->table[i]), 0);
    }
    if (b->pod) {
        p2m_pod_trim(b->d);
    }
    b->flush = false;
    b->n = 0;
    b->tables = 0;
}

/* Before a step: room for what it may take out. */
static void make_room(struct p2m_batch *b)
{
    if (b->n == P2M_BATCH_ENTRIES || b->tables > P2M_BATCH_TABLES - P2M_ROOT_LEVEL) {
        p2m_batch_end(b);
    }
}

/* After a step: takes over what it took out. */
static void note(struct p2m_batch *b, const struct p2m_removed *r, struct p2m_entry *old)
{
    check(!r->leaves);
    *old = r->old;
    if (r->old.type != P2M_INVALID && !p2m_type_has_no_frame(r->old.type)) {
        b->old[b->n++] = r->old;
    }
    b->flush = b->flush || r->flush;
    for (unsigned i = 0; i < r->tables; i++) {
        b->table[b->tables++] = r->table[i];
    }
}

int p2m_batch_exchange(struct p2m_batch *b, gfn_t g, mfn_t m, enum p2m_type type, uint32_t replace,
                       struct p2m_entry *old)
{
    struct p2m_change c = {.g = g.v,
                           .m = m,
                           .level = 0,
                           .type = (uint8_t)type,
                           .replace = replace | P2M_SET(P2M_INVALID),
                           .want = mfn_invalid()};
    struct p2m_removed r = {.old = {.mfn = mfn_invalid(), .type = P2M_INVALID}};
    int rc;

    old->type = P2M_INVALID;
    if (!p2m_leaf_possible(g, m, P2M_4K, type)) {
        return -XEN_EINVAL;
    }
    make_room(b);
    lock_acquire(&b->d->p2m.lock);
    rc = p2m_apply(b->d, &c, &r);
    lock_release(&b->d->p2m.lock);
    r.old.order = P2M_4K; /* of a superpage only this piece was taken out */
    note(b, &r, old);
    return rc;
}

int p2m_batch_move(struct p2m_batch *b, gfn_t from, gfn_t to, uint32_t replace,
                   struct p2m_entry *old)
{
    struct p2m *p = &b->d->p2m;
    struct p2m_removed r = {.old = {.mfn = mfn_invalid(), .type = P2M_INVALID}};
    int rc = -XEN_EINVAL;

    *old = r.old;
    if (from.v >= P2M_GFN_LIMIT || to.v >= P2M_GFN_LIMIT) {
        return rc;
    }
    make_room(b);
    lock_acquire(&p->lock);
    if (p2m_exists(p) && !p->dying) {
        rc = p2m_move_locked(b->d, from.v, to.v, replace, &r);
    }
    lock_release(&p->lock);
    r.old.order = P2M_4K;
    note(b, &r, old);
    return rc;
}

int p2m_batch_unmap(struct p2m_batch *b, gfn_t g, unsigned order, mfn_t want, uint32_t types,
                    struct p2m_entry *old)
{
    struct p2m *p = &b->d->p2m;
    struct p2m_change c = {.g = g.v,
                           .m = mfn_invalid(),
                           .level = 0,
                           .type = P2M_INVALID,
                           .replace = types & ~P2M_SET(P2M_INVALID),
                           .want = want};
    struct p2m_removed r = {.old = {.mfn = mfn_invalid(), .type = P2M_INVALID}};
    int rc;

    *old = r.old;
    if (g.v >= P2M_GFN_LIMIT) {
        return -XEN_ENOENT;
    }
    make_room(b);
    lock_acquire(&p->lock);
    if (order == P2M_2M && g.v % p2m_span(1) == 0 && p2m_exists(p) && p2m_walk(p, g.v).level >= 1) {
        c.level = 1;
    }
    rc = p2m_apply(b->d, &c, &r);
    lock_release(&p->lock);
    r.old.order = (uint8_t)(9 * c.level);
    note(b, &r, old);
    return rc;
}
