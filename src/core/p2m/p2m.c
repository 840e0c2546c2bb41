#include "core/p2m/p2m.h"

#include "base/arith.h"
#include "base/check.h"
#include "core/domain/domain.h"
#include "core/mem/frame.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_pod.h"
#include "core/p2m/p2m_table.h"
#include "port/mem.h"

int p2m_init(struct domain *d, uint8_t format)
{
    struct p2m *p = &d->p2m;
    uint64_t *root;

    lock_init(&p->lock, LOCK_P2M);
    p->format = format;
    root = hyp_pages_alloc(d, 0, FRAME_P2M);
    if (root == NULL) {
        return -XEN_ENOMEM;
    }
    for (unsigned i = 0; i < P2M_SLOTS; i++) {
        root[i] = arch_p2m_empty(format);
    }
    p->root = ptr_to_mfn(root);
    p->table_pages = 1;
    return 0;
}

/*@ requires \valid_read(d);
    assigns \nothing;
    ensures \result == (d->p2m.table_limit != 0 ? d->p2m.table_limit : 1024 + d->max_pages / 128);
 */
uint64_t p2m_table_limit(const struct domain *d)
{
    if (d->p2m.table_limit != 0) {
        return d->p2m.table_limit;
    }
    /* 4 MiB, and four times what a dense table of max_pages needs. */
    return 1024 + d->max_pages / 128;
}

/*@ requires \valid(d) && !held(&d->p2m.lock);
    assigns d->p2m.lock.spin.word;
    ensures !held(&d->p2m.lock);
    ensures outside: g.v >= P2M_GFN_LIMIT ==>
        \result.type == P2M_INVALID && \result.mfn.v == MFN_INVALID_V;
    ensures none: without_frame(\result.type) ==> \result.mfn.v == MFN_INVALID_V;
    ensures \result.order <= 27; */
struct p2m_entry p2m_peek(struct domain *d, gfn_t g)
{
    struct p2m_entry e = {.mfn = mfn_invalid(), .type = P2M_INVALID};

    if (g.v >= P2M_GFN_LIMIT) {
        return e;
    }
    lock_acquire(&d->p2m.lock);
    if (p2m_exists(&d->p2m)) {
        e = p2m_find(&d->p2m, g.v);
    }
    lock_release(&d->p2m.lock);
    return e;
}

struct p2m_entry p2m_lookup(struct domain *d, gfn_t g)
{
    struct p2m_entry e;
    unsigned tries = 0;

    do {
        e = p2m_peek(d, g);
    } while (e.type == P2M_POD && p2m_pod_demand(d, g, &tries));
    return e;
}

/* The leaf keeps the frame in use while the lock is held: own RAM until its
 * allocation goes (after it was unmapped), others by the leaf's reference. */
static bool entry_get(const struct domain *d, const struct p2m_entry *e)
{
    domid_t owner;

    switch (e->type) {
    case P2M_RAM_RW:
    case P2M_RAM_RO:
        return frame_get(e->mfn, d->id);
    case P2M_SHARED:
    case P2M_GRANT_RW:
    case P2M_GRANT_RO:
    case P2M_FOREIGN:
        return frame_get_any(e->mfn, &owner);
    default:
        return false;
    }
}

static bool get_page(struct domain *d, gfn_t g, struct p2m_entry *e)
{
    bool got = false;

    lock_acquire(&d->p2m.lock);
    if (p2m_exists(&d->p2m)) {
        *e = p2m_find(&d->p2m, g.v);
        got = entry_get(d, e);
    }
    lock_release(&d->p2m.lock);
    return got;
}

bool p2m_get_page(struct domain *d, gfn_t g, struct p2m_entry *e)
{
    unsigned tries = 0;
    bool got;

    *e = (struct p2m_entry){.mfn = mfn_invalid(), .type = P2M_INVALID};
    if (g.v >= P2M_GFN_LIMIT) {
        return false;
    }
    do {
        got = get_page(d, g, e);
    } while (!got && e->type == P2M_POD && p2m_pod_demand(d, g, &tries));
    return got;
}

static int change(struct domain *d, const struct p2m_change *c, struct p2m_entry *old,
                  bool keep_old)
{
    struct p2m_removed r = {.old = {.mfn = mfn_invalid(), .type = P2M_INVALID}};
    int rc;

    lock_acquire(&d->p2m.lock);
    rc = p2m_apply(d, c, &r);
    lock_release(&d->p2m.lock);
    p2m_finish(d, &r, keep_old);
    if (old != NULL) {
        *old = r.old;
    }
    return rc;
}

/*@ requires order == P2M_4K || order == P2M_2M || order == P2M_1G;
    assigns \nothing;
    ensures within: \result ==> g.v + (1 << order) <= P2M_GFN_LIMIT;
    ensures aligned: \result ==> g.v % (1 << order) == 0;
    ensures frame: \result && !without_frame(type) ==>
        m.v % (1 << order) == 0 && m.v != MFN_INVALID_V;
    ensures INV_P2M_3: \result && (with_reference(type) || type == P2M_SHARED) ==> order == P2M_4K;
    ensures \result ==> P2M_INVALID < type < P2M_TYPES; */
bool p2m_leaf_possible(gfn_t g, mfn_t m, unsigned order, enum p2m_type type)
{
    uint64_t inner = (UINT64_C(1) << order) - 1;

    //@ assert order == 0 ==> inner == 0;
    //@ assert order == 9 ==> inner == 0x1ff;
    //@ assert order == 18 ==> inner == 0x3ffff;
    switch (type) {
    case P2M_RAM_RW:
    case P2M_RAM_RO:
        if (order == P2M_1G && !arch_p2m_leaf_1g()) {
            return false;
        }
        break;
    case P2M_MMIO_DM:
    case P2M_POD:
        m = mfn(0);
        break;
    case P2M_SHARED:
    case P2M_GRANT_RW:
    case P2M_GRANT_RO:
    case P2M_FOREIGN:
        if (order != P2M_4K) {
            return false;
        }
        break;
    default:
        return false;
    }
    return range_within(g.v, inner + 1, P2M_GFN_LIMIT) && !mfn_is_invalid(m) &&
           (g.v & inner) == 0 && (m.v & inner) == 0;
}

static int map_leaf(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type type,
                    uint32_t replace)
{
    struct p2m_change c = {.g = g.v,
                           .m = m,
                           .level = order / 9,
                           .type = (uint8_t)type,
                           .replace = replace,
                           .want = mfn_invalid()};

    return change(d, &c, NULL, false);
}

int p2m_map(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type type)
{
    int rc;

    if ((order != P2M_4K && order != P2M_2M && order != P2M_1G) ||
        !p2m_leaf_possible(g, m, order, type)) {
        return -XEN_EINVAL;
    }
    rc = map_leaf(d, g, m, order, type, P2M_SET_ANY);
    if (rc != -XEN_EEXIST) {
        return rc;
    }
    /* A 1 GiB leaf where smaller ones are: each 2 MiB of it by itself. */
    check(order == P2M_1G);
    for (uint64_t i = 0; i < P2M_SLOTS; i++) {
        uint64_t offset = i << P2M_2M;

        rc = map_leaf(d, gfn(g.v + offset), mfn(m.v + offset), P2M_2M, type, P2M_SET_ANY);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int p2m_map_new(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type type)
{
    if ((order != P2M_4K && order != P2M_2M && order != P2M_1G) ||
        !p2m_leaf_possible(g, m, order, type)) {
        return -XEN_EINVAL;
    }
    return map_leaf(d, g, m, order, type, P2M_SET(P2M_INVALID));
}

int p2m_exchange(struct domain *d, gfn_t g, mfn_t m, enum p2m_type type, uint32_t replace,
                 struct p2m_entry *old)
{
    struct p2m_change c = {.g = g.v,
                           .m = m,
                           .level = 0,
                           .type = (uint8_t)type,
                           .replace = replace | P2M_SET(P2M_INVALID),
                           .want = mfn_invalid()};

    old->type = P2M_INVALID;
    if (!p2m_leaf_possible(g, m, P2M_4K, type)) {
        return -XEN_EINVAL;
    }
    return change(d, &c, old, true);
}

static int unmap(struct domain *d, gfn_t g, mfn_t want, uint32_t types, struct p2m_entry *old,
                 bool keep_old)
{
    struct p2m_change c = {.g = g.v,
                           .m = mfn_invalid(),
                           .level = 0,
                           .type = P2M_INVALID,
                           .replace = types & ~P2M_SET(P2M_INVALID),
                           .want = want};

    if (g.v >= P2M_GFN_LIMIT) {
        return -XEN_ENOENT;
    }
    return change(d, &c, old, keep_old);
}

int p2m_unmap(struct domain *d, gfn_t g, struct p2m_entry *old, bool keep_ref)
{
    return unmap(d, g, mfn_invalid(), P2M_SET_ANY, old, keep_ref);
}

int p2m_unmap_types(struct domain *d, gfn_t g, uint32_t types, struct p2m_entry *old)
{
    return unmap(d, g, mfn_invalid(), types, old, true);
}

int p2m_unmap_if(struct domain *d, gfn_t g, mfn_t m)
{
    if (mfn_is_invalid(m)) {
        return -XEN_ENOENT;
    }
    return unmap(d, g, m, P2M_SET_ANY, NULL, false);
}

int p2m_move_locked(struct domain *d, uint64_t from, uint64_t to, uint32_t replace,
                    struct p2m_removed *r)
{
    struct p2m *p = &d->p2m;
    struct p2m_place w = p2m_walk(p, from);
    struct p2m_entry ram = p2m_entry_at(&w, from);
    uint64_t *slot;
    struct p2m_change c = {.g = to,
                           .m = ram.mfn,
                           .level = 0,
                           .type = ram.type,
                           .replace = replace | P2M_SET(P2M_INVALID),
                           .want = mfn_invalid()};
    int rc;

    if ((P2M_SET_OWN_RAM & P2M_SET(ram.type)) == 0) {
        return -XEN_EINVAL;
    }
    if (from == to) {
        return 0;
    }
    rc = p2m_reach(d, from, 0, &slot);
    if (rc == 0) {
        rc = p2m_apply(d, &c, r);
    }
    if (rc == 0) {
        /* to's table was not pruned: its slot is in use. from's may be now. */
        p2m_slot_write(p, slot, 0, arch_p2m_empty(p->format));
        p2m_prune(p, from, r);
        r->flush = true;
    }
    return rc;
}

int p2m_move(struct domain *d, gfn_t from, gfn_t to, uint32_t replace, struct p2m_entry *old)
{
    struct p2m_removed r = {.old = {.mfn = mfn_invalid(), .type = P2M_INVALID}};
    int rc = -XEN_EINVAL;

    *old = r.old;
    if (from.v >= P2M_GFN_LIMIT || to.v >= P2M_GFN_LIMIT) {
        return rc;
    }
    lock_acquire(&d->p2m.lock);
    if (p2m_exists(&d->p2m) && !d->p2m.dying) {
        rc = p2m_move_locked(d, from.v, to.v, replace, &r);
    }
    lock_release(&d->p2m.lock);
    p2m_finish(d, &r, true);
    *old = r.old;
    return rc;
}

void p2m_release_ram(struct domain *d, mfn_t m)
{
    if (frame_get(m, d->id)) {
        frame_release_allocation(m);
        frame_put(m);
    }
}

int p2m_for_each(struct domain *d, int (*f)(void *arg, gfn_t g, struct p2m_entry e), void *arg)
{
    struct p2m *p = &d->p2m;
    uint64_t g = 0;

    while (g < P2M_GFN_LIMIT) {
        struct p2m_entry e;
        bool found = false;
        int rc;

        lock_acquire(&p->lock);
        if (p2m_exists(p)) {
            found = p2m_find_leaf(p, &g, &e);
        } else {
            g = P2M_GFN_LIMIT;
        }
        lock_release(&p->lock);
        if (!found) {
            continue;
        }
        rc = f(arg, gfn(g), e);
        if (rc != 0) {
            return rc;
        }
        g += UINT64_C(1) << e.order;
    }
    return 0;
}
