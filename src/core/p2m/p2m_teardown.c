#include "base/arith.h"
#include "base/atomic.h"
#include "base/check.h"
#include "core/domain/domain.h"
#include "core/hypercall/hypercall.h"
#include "core/mem/frame_word.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_table.h"
#include "core/state.h"
#include "port/guest.h"
#include "port/mem.h"

/* Progress of a teardown; the order is that of the work. */
enum { TEARDOWN_BEGIN, TEARDOWN_LEAVES, TEARDOWN_ORPHANS, TEARDOWN_DONE };

/* Frames dropped, or leaves cleared, in one step. */
#define STEP_FRAMES 64u
/* Frame-table words looked at in one step. */
#define STEP_SCAN 4096u

static void drop_frame(struct domain *d, mfn_t m, unsigned type)
{
    if ((P2M_SET_OWN_RAM & P2M_SET(type)) != 0) {
        p2m_release_ram(d, m);
    } else if (p2m_type_has_ref(type)) {
        frame_put(m);
    }
}

/* A superpage's leaf is cleared at once, its frames go in steps. */
static void drop_some(struct domain *d)
{
    struct p2m *p = &d->p2m;

    for (unsigned i = 0; i < STEP_FRAMES && p->drop_left != 0; i++) {
        p2m_release_ram(d, p->drop_mfn);
        p->drop_mfn = mfn(p->drop_mfn.v + 1);
        p->drop_left--;
    }
}

/* Clears the leaf e at *w, which is the cursor's; true iff the batch may go on in the
 * same table, with what is the cursor's now. */
static bool clear_leaf(struct p2m *p, const struct p2m_entry *e, struct p2m_place *w)
{
    p2m_slot_write(p, w->slot[w->level], w->level, arch_p2m_empty(p->format));
    p->cursor += UINT64_C(1) << e->order;
    if (e->order != 0 && (P2M_SET_OWN_RAM & P2M_SET(e->type)) != 0) {
        p->drop_mfn = e->mfn;
        p->drop_left = UINT64_C(1) << e->order;
    }
    w->slot[w->level]++;
    return e->order == 0 && (p->cursor & (P2M_SLOTS - 1)) != 0;
}

static void clear_some(struct domain *d)
{
    struct p2m *p = &d->p2m;
    struct p2m_entry gone[STEP_FRAMES];
    struct p2m_removed r = {.old = {.mfn = mfn_invalid(), .type = P2M_INVALID}};
    struct p2m_place w;
    unsigned n = 0;
    uint64_t from;

    lock_acquire(&p->lock);
    from = p->cursor;
    w = p2m_walk(p, from);
    while (n < STEP_FRAMES && p2m_find_from(p, &p->cursor, &w)) {
        gone[n] = p2m_entry_at(&w, p->cursor);
        n++;
        if (!clear_leaf(p, &gone[n - 1], &w)) {
            break;
        }
    }
    if (from >> 9 != p->cursor >> 9) {
        p2m_prune(p, from, &r);
    }
    lock_release(&p->lock);
    p2m_finish(d, &r, true);
    for (unsigned i = 0; i < n; i++) {
        if (gone[i].order == 0) {
            drop_frame(d, gone[i].mfn, gone[i].type);
        }
    }
}

static void free_root(struct domain *d)
{
    struct p2m *p = &d->p2m;
    mfn_t root = p->root;

    lock_acquire(&p->lock);
    check(p->table_pages == 1);
    p->table_pages = 0;
    p->root = mfn_invalid();
    /* The store's frames are among the orphans. */
    p->pod_single = p->pod_super = mfn(0);
    p->pod_count = 0;
    lock_release(&p->lock);
    hyp_pages_free(mfn_to_ptr(root), 0);
}

/* Guest memory that no leaf maps any more: replaced by p2m_map(). */
static void drop_orphans(struct domain *d)
{
    struct p2m *p = &d->p2m;
    uint64_t m = p->cursor, end = min_u64(m + STEP_SCAN, hv->max_mfn);
    uint64_t fields = fw_pack_used(FRAME_NONE, true, 0, FW_OWNER_MASK) | FW_STATE_MASK;
    uint64_t mine = fw_pack_used(FRAME_NONE, true, 0, d->id);

    for (; m < end; m++) {
        uint64_t word = load_u64(&hv->frames[m]);

        if ((word & fields) == mine && fw_type(word) < FRAME_HYP) {
            p2m_release_ram(d, mfn(m));
        }
    }
    p->cursor = m;
}

static void teardown_begin(struct domain *d)
{
    struct p2m *p = &d->p2m;

    p->teardown = TEARDOWN_DONE;
    if (!p2m_exists(p)) {
        return;
    }
    lock_acquire(&p->lock);
    p->dying = true;
    p->teardown = TEARDOWN_LEAVES;
    p->cursor = 0;
    lock_release(&p->lock);
    port_guest_flush(d);
}

static void teardown_step(struct domain *d)
{
    struct p2m *p = &d->p2m;

    switch (p->teardown) {
    case TEARDOWN_BEGIN:
        teardown_begin(d);
        break;
    case TEARDOWN_LEAVES:
        if (p->drop_left != 0) {
            drop_some(d);
        } else if (p->cursor < P2M_GFN_LIMIT) {
            clear_some(d);
        } else {
            free_root(d);
            p->cursor = 0;
            p->teardown = TEARDOWN_ORPHANS;
        }
        break;
    case TEARDOWN_ORPHANS:
        if (load_u64(&d->tot_pages) == 0 || p->cursor >= hv->max_mfn) {
            p->teardown = TEARDOWN_DONE;
        } else {
            drop_orphans(d);
        }
        break;
    default:
        unreachable_state();
    }
}

int p2m_teardown(struct domain *d)
{
    while (d->p2m.teardown != TEARDOWN_DONE) {
        teardown_step(d);
        if (d->p2m.teardown != TEARDOWN_DONE && hypercall_preempt()) {
            return -XEN_ERESTART;
        }
    }
    return 0;
}
