#include "core/p2m/p2m_pod.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/string.h"
#include "core/domain/domain.h"
#include "core/hypercall/hypercall.h"
#include "core/mem/frame.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_table.h"
#include "core/state.h"
#include "port/guest.h"
#include "port/mem.h"

#define SUPER_PAGES (UINT64_C(1) << P2M_2M)

/* Leaves and gaps that one sweep passes. */
#define SWEEP_STEPS 1024u
/* What one lookup may cost: 64 sweeps, or waiting for another CPU's. A guest's access
 * starts over when it faults again. */
#define TRY_SWEEP 1024u
#define TRY_WAIT 1u
#define TRIES_MAX (64u * TRY_SWEEP)
/* Steps of one p2m_pod_trim(): more than a batch can have set free. */
#define TRIM_STEPS 1024u

/* The store. All of it holds zeroes but the first word of each block, which is the
 * next one's number. The p2m lock is held. */

static mfn_t *list_of(struct p2m *p, unsigned order)
{
    return order == P2M_2M ? &p->pod_super : &p->pod_single;
}

static void store_put(struct p2m *p, mfn_t m, unsigned order)
{
    mfn_t *head = list_of(p, order);

    *(uint64_t *)mfn_to_ptr(m) = head->v;
    *head = m;
    p->pod_count += UINT64_C(1) << order;
}

/* Invalid when there is no block of that order. */
static mfn_t store_take(struct p2m *p, unsigned order)
{
    mfn_t *head = list_of(p, order), m = *head;
    uint64_t *link;

    if (m.v == 0) {
        return mfn_invalid();
    }
    link = mfn_to_ptr(m);
    *head = mfn(*link);
    *link = 0;
    check(p->pod_count >= UINT64_C(1) << order);
    p->pod_count -= UINT64_C(1) << order;
    return m;
}

/* One page, from a larger block when there is no other. */
static mfn_t store_take_single(struct p2m *p)
{
    mfn_t m = store_take(p, P2M_4K);

    if (mfn_is_invalid(m)) {
        m = store_take(p, P2M_2M);
        for (uint64_t i = SUPER_PAGES - 1; !mfn_is_invalid(m) && i > 0; i--) {
            store_put(p, mfn(m.v + i), P2M_4K);
        }
    }
    return m;
}

static void release(struct domain *d, mfn_t m, unsigned order)
{
    for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
        p2m_release_ram(d, mfn(m.v + i));
    }
}

/* Adds a block of at most missing pages. */
static int store_grow(struct domain *d, uint64_t missing)
{
    struct p2m *p = &d->p2m;
    unsigned order = missing >= SUPER_PAGES ? P2M_2M : P2M_4K;
    mfn_t m = guest_pages_alloc(d, order);
    bool dying;

    if (mfn_is_invalid(m) && order != P2M_4K) {
        order = P2M_4K;
        m = guest_pages_alloc(d, order);
    }
    if (mfn_is_invalid(m)) {
        return -XEN_ENOMEM;
    }
    lock_acquire(&p->lock);
    dying = p->dying;
    if (!dying) {
        store_put(p, m, order);
    }
    lock_release(&p->lock);
    if (dying) {
        release(d, m, order);
        return -XEN_EINVAL;
    }
    return 0;
}

/* Frees a block of at most excess pages. */
static void store_shrink(struct domain *d, uint64_t excess)
{
    struct p2m *p = &d->p2m;
    unsigned order = P2M_2M;
    mfn_t m = mfn_invalid();

    lock_acquire(&p->lock);
    if (excess >= SUPER_PAGES) {
        m = store_take(p, order);
    }
    if (mfn_is_invalid(m)) {
        order = P2M_4K;
        m = store_take_single(p);
    }
    lock_release(&p->lock);
    if (!mfn_is_invalid(m)) {
        release(d, m, order);
    }
}

/* How much should be in store for the domain to have target pages? Xen's rules: a
 * domain that has run and can demand nothing any more, or has that much
 * already, is its balloon's affair. */
static uint64_t store_target(struct domain *d, uint64_t target)
{
    struct p2m *p = &d->p2m;
    uint64_t wanted, entries = p->pages[P2M_POD], total = load_u64(&d->tot_pages);
    uint64_t populated = total - p->pod_count;

    if ((populated != 0 && entries == 0) || p->dying || target < total) {
        return p->pod_count;
    }
    wanted = target - populated;
    return populated != 0 && wanted > entries ? entries : wanted;
}

/* Grows or shrinks the store until it is as it should be. */
static int store_settle(struct domain *d, uint64_t target)
{
    struct p2m *p = &d->p2m;

    for (;;) {
        uint64_t wanted, has;
        int rc = 0;

        lock_acquire(&p->lock);
        has = p->pod_count;
        wanted = store_target(d, target);
        lock_release(&p->lock);
        if (has == wanted) {
            return 0;
        }
        if (has < wanted) {
            rc = store_grow(d, wanted - has);
        } else {
            store_shrink(d, has - wanted);
        }
        if (rc != 0) {
            return rc;
        }
        if (hypercall_preempt()) {
            return -XEN_ERESTART;
        }
    }
}

/* One call at a time: a page is the domain's before it is in store, so that of two calls one
 * would free what the other brings, without an end. */
int p2m_pod_set_target(struct domain *d, uint64_t target)
{
    struct p2m *p = &d->p2m;
    bool busy;
    int rc;

    lock_acquire(&p->lock);
    busy = p->pod_setting;
    p->pod_setting = true;
    lock_release(&p->lock);
    if (busy) {
        return -XEN_ERESTART;
    }
    rc = store_settle(d, target);
    lock_acquire(&p->lock);
    p->pod_setting = false;
    lock_release(&p->lock);
    return rc;
}

void p2m_pod_counts(struct domain *d, uint64_t *cache, uint64_t *entries)
{
    lock_acquire(&d->p2m.lock);
    *cache = d->p2m.pod_count;
    *entries = d->p2m.pages[P2M_POD];
    lock_release(&d->p2m.lock);
}

/* What the store has beyond (negative: short of) what can be demanded. */
static int64_t store_excess(struct domain *d)
{
    uint64_t cache, entries;

    p2m_pod_counts(d, &cache, &entries);
    return (int64_t)(cache - entries);
}

void p2m_pod_trim(struct domain *d)
{
    for (unsigned i = 0; i < TRIM_STEPS; i++) {
        int64_t excess = store_excess(d);

        if (excess <= 0) {
            return;
        }
        store_shrink(d, (uint64_t)excess);
    }
}

/* Has nobody but the domain's allocation a hold on the frame? */
static bool unshared(mfn_t m, unsigned order)
{
    for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
        struct frame f = frame_read(mfn(m.v + i));

        if (f.refs != 1 || !f.allocated || f.type_count != 0) {
            return false;
        }
    }
    return true;
}

bool p2m_pod_keep(struct domain *d, mfn_t m, unsigned order)
{
    struct p2m *p = &d->p2m;
    uint64_t pages = UINT64_C(1) << order;
    bool kept;

    if (m.v == 0 || store_excess(d) + (int64_t)pages > 0 || !unshared(m, order)) {
        return false;
    }
    memset(mfn_to_ptr(m), 0, PAGE_SIZE << order);
    port_code_changed(m, pages);
    lock_acquire(&p->lock);
    kept = !p->dying && p->pod_count + pages <= p->pages[P2M_POD];
    if (kept) {
        store_put(p, m, order);
    }
    lock_release(&p->lock);
    return kept;
}

static bool is_zero(mfn_t m)
{
    const uint64_t *word = mfn_to_ptr(m);

    for (unsigned i = 0; i < PAGE_SIZE / sizeof(*word); i++) {
        if (load_u64(&word[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* Lock held: puts a P2M_POD leaf where page m with only zeroes is mapped at g. */
static bool sweep_out(struct domain *d, uint64_t g)
{
    struct p2m *p = &d->p2m;
    uint64_t *slot;

    if (p2m_reach(d, g, 0, &slot) != 0) {
        return false;
    }
    p2m_slot_write(p, slot, 0, p2m_leaf(p, mfn(0), P2M_POD, 0));
    return true;
}

/* Lock held: takes out what may hold only zeroes, from the cursor on. */
static unsigned sweep_collect(struct domain *d, mfn_t *found)
{
    struct p2m *p = &d->p2m;
    unsigned n = 0;

    for (unsigned i = 0; i < SWEEP_STEPS && n < P2M_POD_SWEEP; i++) {
        struct p2m_entry e;

        if (p->pod_cursor >= P2M_GFN_LIMIT) {
            p->pod_cursor = 0;
            p->pod_wraps++;
            break;
        }
        if (!p2m_find_leaf(p, &p->pod_cursor, &e)) {
            continue;
        }
        if (e.type != P2M_RAM_RW) {
            p->pod_cursor = (p->pod_cursor | ((UINT64_C(1) << e.order) - 1)) + 1;
            continue;
        }
        if (unshared(e.mfn, P2M_4K) && is_zero(e.mfn) && sweep_out(d, p->pod_cursor)) {
            p->pod_swept[n] = gfn(p->pod_cursor);
            found[n++] = e.mfn;
        }
        p->pod_cursor++;
    }
    return n;
}

/* Lock held, engines flushed: m, taken out at pod_swept[i], goes into the store, or
 * back when it was written to or taken hold of meanwhile. False: its place is
 * no longer its. */
static bool sweep_settle(struct domain *d, unsigned i, mfn_t m)
{
    struct p2m *p = &d->p2m;
    uint64_t g = p->pod_swept[i].v;
    struct p2m_place w;

    if (p->dying || !p2m_exists(p)) {
        return false;
    }
    w = p2m_walk(p, g);
    if (w.level != 0 || w.s.type != P2M_POD) {
        return false;
    }
    if (m.v != 0 && unshared(m, P2M_4K) && is_zero(m)) {
        store_put(p, m, P2M_4K);
        p->pod_wraps = 0;
    } else {
        p2m_slot_write(p, w.slot[0], 0, p2m_leaf(p, m, P2M_RAM_RW, 0));
    }
    return true;
}

/* Looks for pages that the guest has touched but not used. They are taken out first
 * and looked at again after the flush; meanwhile nobody populates their places. */
static void sweep(struct domain *d)
{
    struct p2m *p = &d->p2m;
    mfn_t found[P2M_POD_SWEEP];
    uint32_t freed = 0;
    unsigned n;

    lock_acquire(&p->lock);
    if (p->pod_sweeping || p->dying) {
        lock_release(&p->lock);
        return;
    }
    n = sweep_collect(d, found);
    p->pod_sweeping = n != 0;
    for (unsigned i = n; i < P2M_POD_SWEEP; i++) {
        p->pod_swept[i] = gfn_invalid();
    }
    lock_release(&p->lock);
    if (n == 0) {
        return;
    }
    port_guest_flush(d);
    lock_acquire(&p->lock);
    for (unsigned i = 0; i < n; i++) {
        freed |= sweep_settle(d, i, found[i]) ? 0 : UINT32_C(1) << i;
    }
    p->pod_sweeping = false;
    lock_release(&p->lock);
    for (unsigned i = 0; i < n; i++) {
        if ((freed >> i & 1) != 0) {
            p2m_release_ram(d, found[i]);
        }
    }
}

static bool being_swept(const struct p2m *p, gfn_t g)
{
    for (unsigned i = 0; p->pod_sweeping && i < P2M_POD_SWEEP; i++) {
        if (p->pod_swept[i].v == g.v) {
            return true;
        }
    }
    return false;
}

/* Lock held: -XEN_ENOMEM (no table), -XEN_EAGAIN (nothing in store), -XEN_EBUSY or 0. */
static int populate(struct domain *d, gfn_t g)
{
    struct p2m *p = &d->p2m;
    struct p2m_place w;
    unsigned order;
    uint64_t *slot;
    mfn_t m;
    int rc;

    if (p->dying || !p2m_exists(p) || being_swept(p, g)) {
        return -XEN_EBUSY;
    }
    w = p2m_walk(p, g.v);
    if (p2m_entry_at(&w, g.v).type != P2M_POD) {
        return 0;
    }
    order = w.level >= 1 && p->pod_super.v != 0 ? P2M_2M : P2M_4K;
    rc = p2m_reach(d, g.v, order / 9, &slot);
    if (rc != 0) {
        return rc;
    }
    m = order == P2M_2M ? store_take(p, P2M_2M) : store_take_single(p);
    if (mfn_is_invalid(m)) {
        return -XEN_EAGAIN;
    }
    p2m_slot_write(p, slot, order / 9, p2m_leaf(p, m, P2M_RAM_RW, order / 9));
    p->pod_wraps = 0;
    return 0;
}

bool p2m_pod_demand(struct domain *d, gfn_t g, unsigned *tries)
{
    struct p2m *p = &d->p2m;
    bool hopeless;
    int rc;

    lock_acquire(&p->lock);
    rc = populate(d, g);
    /* A whole turn after the one under way when the last page was found. */
    hopeless = rc == -XEN_ENOMEM || (rc == -XEN_EAGAIN && p->pod_wraps >= 2);
    lock_release(&p->lock);
    if (rc == 0) {
        return true;
    }
    if (hopeless) {
        domain_crash(d, "out of memory to populate on demand");
        return false;
    }
    *tries += rc == -XEN_EBUSY ? TRY_WAIT : TRY_SWEEP;
    if (*tries > TRIES_MAX) {
        return false;
    }
    if (rc == -XEN_EBUSY) {
        port_cpu_relax();
        return true;
    }
    /* A flush waits for other CPUs, and those may wait for the caller's lock. */
    if (this_cpu()->lock_depth != 0) {
        return false;
    }
    sweep(d);
    return true;
}
