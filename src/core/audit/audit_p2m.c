/* INV-P2M-1 .. 7: walks each second-stage table by itself, not through p2m. */
#include "base/arith.h"
#include "core/arch.h"
#include "core/audit/audit_impl.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m_log.h"
#include "port/mem.h"

#define ROOT_LEVEL 3u
#define ENTRIES 512u

/* Frames that one search for double mappings covers: there is a bit on the
 * stack for each. */
#define WINDOW 8192u

struct p2m_walk {
    struct audit_report *r;
    const struct domain *d;
    struct audit_count *counts; /* or NULL */
    uint64_t tables;
    uint64_t pages[P2M_TYPES];
    uint64_t ram_first, ram_last; /* frames that its RAM leaves name */
    uint64_t right_word;          /* the last frame that was right ... */
    uint8_t right_type;           /* ... for a leaf of this type; P2M_INVALID: none was */
};

static bool is_ram(uint8_t type)
{
    return type == P2M_RAM_RW || type == P2M_RAM_RO;
}

static bool is_borrowed(uint8_t type)
{
    return type == P2M_GRANT_RW || type == P2M_GRANT_RO || type == P2M_FOREIGN;
}

static void audit_leaf_frame(struct p2m_walk *w, uint64_t g, mfn_t m, uint8_t type)
{
    uint64_t word = m.v < hv->max_mfn ? hv->frames[m.v] : 0;
    struct frame f;
    unsigned id = w->d->id;
    uint32_t before = w->r->violations;

    /* Neighbours are often alike. */
    if (word == w->right_word && type == w->right_type)
        return;
    f = fw_unpack(word);
    if (is_ram(type)) {
        audit_claim(w->r, f.state == FRAME_USED && f.owner == w->d->id && f.type < FRAME_HYP,
                    "INV-P2M-2", "d%u maps gfn %#lx to frame %#lx of d%u, type %u, as its RAM", id,
                    g, m.v, f.owner, f.type);
    } else if (type == P2M_SHARED) {
        audit_claim(w->r, f.state == FRAME_USED && f.type == FRAME_SHARED, "INV-P2M-2",
                    "d%u maps gfn %#lx to frame %#lx of type %u as shared", id, g, m.v, f.type);
    } else if (is_borrowed(type)) {
        uint32_t least = 1 + audit_own_refs(f);

        audit_claim(w->r, f.state == FRAME_USED && f.refs >= least, "INV-P2M-3",
                    "d%u borrows frame %#lx at gfn %#lx, which has %u references", id, m.v, g,
                    f.refs);
    }
    w->right_word = word;
    w->right_type = w->r->violations == before ? type : P2M_INVALID;
}

static void count_leaf_frame(struct p2m_walk *w, uint64_t g, mfn_t m, uint8_t type)
{
    struct audit_count *c;

    if (w->counts == NULL || m.v >= hv->max_mfn)
        return;
    c = &w->counts[m.v];
    if (is_borrowed(type))
        c->refs++;
    if (!is_ram(type))
        return;
    audit_claim(w->r, (c->types & AUDIT_COUNT_MAPPED) == 0, "INV-P2M-5",
                "d%u maps its frame %#lx twice, once at gfn %#lx", w->d->id, m.v, g);
    c->types |= AUDIT_COUNT_MAPPED;
}

/* Of RAM that is not noted as written nobody holds a frame for writing. */
static void audit_unwritten(struct p2m_walk *w, uint64_t g, uint64_t size, mfn_t m)
{
    for (uint64_t i = 0; i < size; i++) {
        struct frame f = frame_read(mfn(m.v + i));

        audit_claim(w->r, f.type != FRAME_WRITABLE || f.type_count == 0, "INV-P2M-7",
                    "d%u's gfn %#lx is held for writing and does not count as written", w->d->id,
                    g + i);
    }
}

static void audit_leaf(struct p2m_walk *w, uint64_t g, unsigned level, struct p2m_slot s)
{
    uint64_t size = UINT64_C(1) << (9 * level);

    if (s.type >= P2M_TYPES) {
        audit_violation(w->r, "INV-P2M-2", "d%u maps gfn %#lx with type %u", w->d->id, g, s.type);
        return;
    }
    w->pages[s.type] += size;
    if (s.type == P2M_INVALID || s.type == P2M_MMIO_DM || s.type == P2M_POD)
        return;
    if (is_ram(s.type)) {
        w->ram_first = min_u64(w->ram_first, s.mfn.v);
        w->ram_last = max_u64(w->ram_last, s.mfn.v + size - 1);
    } else {
        audit_claim(w->r, level == 0, "INV-P2M-3", "d%u maps gfn %#lx of type %u by a superpage",
                    w->d->id, g, s.type);
    }
    for (uint64_t i = 0; i < size; i++) {
        audit_leaf_frame(w, g + i, mfn(s.mfn.v + i), s.type);
        count_leaf_frame(w, g + i, mfn(s.mfn.v + i), s.type);
    }
}

/* How many entries from e on, of left, are seen to be empty at once; most are. */
static uint64_t empty_run(const struct p2m_walk *w, const uint64_t *e, uint64_t left,
                          uint64_t empty)
{
    uint64_t n = empty == 0 ? zero_known(w->r->zero, e, left * sizeof(*e)) / sizeof(*e) : 0;

    return n != 0 ? n : audit_eight_are(e, empty) ? 8 : 0;
}

/* The depth of the recursion is that of the table: at most four. */
static void audit_table(struct p2m_walk *w, mfn_t table, unsigned level, uint64_t g)
{
    const uint64_t empty = arch_p2m_empty(w->d->p2m.format);
    const uint64_t dirty = arch_p2m_dirty(w->d->p2m.format);
    struct frame f = frame_read(table);
    const uint64_t *entries;

    if (f.state != FRAME_USED || f.type != FRAME_P2M || f.owner != w->d->id) {
        audit_violation(w->r, "INV-P2M-1", "table %#lx of d%u is a frame of d%u, type %u", table.v,
                        w->d->id, f.owner, f.type);
        return;
    }
    w->tables++;
    entries = mfn_to_ptr(table);
    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint64_t first = g + (i << (9 * level));
        uint64_t run = i % 8 == 0 ? empty_run(w, entries + i, ENTRIES - i, empty) : 0;
        struct p2m_slot s;

        if (run != 0 || entries[i] == empty) {
            i += run != 0 ? run - 1 : 0;
            continue;
        }
        s = arch_p2m_decode(w->d->p2m.format, entries[i], level);
        if (!s.present)
            continue;
        if (s.leaf && s.type == P2M_RAM_RW && p2m_log_on(w->d) && (entries[i] & dirty) == 0)
            audit_unwritten(w, first, UINT64_C(1) << (9 * level), s.mfn);
        if (s.leaf)
            audit_leaf(w, first, level, s);
        else if (level > 0)
            audit_table(w, s.mfn, level - 1, first);
    }
}

struct window {
    uint64_t first;
    uint64_t seen[WINDOW / 64];
    uint64_t twice; /* a frame met for the second time, or 0 */
};

/* Notes the frames of one RAM leaf that lie in the window. */
static void window_note(struct window *w, uint64_t m, uint64_t size)
{
    uint64_t from = max_u64(m, w->first), to = min_u64(m + size, w->first + WINDOW);

    for (; from < to; from++) {
        uint64_t i = from - w->first, bit = UINT64_C(1) << (i % 64);

        if ((w->seen[i / 64] & bit) != 0)
            w->twice = from;
        w->seen[i / 64] |= bit;
    }
}

/* Like audit_table(), which has found all tables to be sound. */
static void window_table(struct window *w, const struct domain *d, mfn_t table, unsigned level)
{
    const uint64_t *entries = mfn_to_ptr(table);

    for (uint64_t i = 0; i < ENTRIES; i++) {
        struct p2m_slot s = arch_p2m_decode(d->p2m.format, entries[i], level);

        if (s.present && s.leaf && is_ram(s.type))
            window_note(w, s.mfn.v, UINT64_C(1) << (9 * level));
        else if (s.present && !s.leaf && level > 0)
            window_table(w, d, s.mfn, level - 1);
    }
}

static void audit_single(struct p2m_walk *w)
{
    for (uint64_t m = w->ram_first; m <= w->ram_last && m < hv->max_mfn; m += WINDOW) {
        struct window win = {.first = m};

        window_table(&win, w->d, w->d->p2m.root, ROOT_LEVEL);
        audit_claim(w->r, win.twice == 0, "INV-P2M-5", "d%u maps its frame %#lx twice", w->d->id,
                    win.twice);
    }
}

/* One list of the store: its blocks' frames, at most limit of them. */
static uint64_t audit_store(struct p2m_walk *w, mfn_t m, unsigned order, uint64_t limit)
{
    uint64_t n = 0, size = UINT64_C(1) << order;

    while (m.v != 0 && n < limit) {
        for (uint64_t i = 0; i < size; i++) {
            struct frame f = frame_read(mfn(m.v + i));

            if (f.state != FRAME_USED || f.owner != w->d->id || f.type >= FRAME_HYP ||
                !f.allocated || f.refs != 1 || f.type_count != 0 ||
                (w->counts != NULL && (w->counts[m.v + i].types & AUDIT_COUNT_MAPPED) != 0)) {
                audit_violation(w->r, "INV-P2M-6", "d%u keeps frame %#lx of d%u, %u references",
                                w->d->id, m.v + i, f.owner, f.refs);
                return n;
            }
            if (w->counts != NULL)
                w->counts[m.v + i].types |= AUDIT_COUNT_MAPPED;
        }
        n += size;
        m = mfn(*(const uint64_t *)mfn_to_ptr(m));
    }
    return n;
}

static void audit_pod(struct p2m_walk *w)
{
    const struct p2m *p = &w->d->p2m;
    uint32_t before = w->r->violations;
    uint64_t n = audit_store(w, p->pod_single, P2M_4K, p->pod_count + 1);

    if (w->r->violations == before)
        n += audit_store(w, p->pod_super, P2M_2M, p->pod_count + 1);
    if (w->r->violations == before)
        audit_claim(w->r, n == p->pod_count, "INV-P2M-6", "d%u keeps %lu frames, %lu counted",
                    w->d->id, n, p->pod_count);
}

void audit_p2m(struct audit_report *r, const struct domain *d, struct audit_count *counts,
               uint64_t *borrowed)
{
    const struct p2m *p = &d->p2m;
    struct p2m_walk w = {.r = r, .d = d, .counts = counts, .ram_first = UINT64_MAX};
    uint32_t before = r->violations;

    if (p->root.v != 0 && !mfn_is_invalid(p->root))
        audit_table(&w, p->root, ROOT_LEVEL, 0);
    if (r->violations == before && counts == NULL && w.ram_first <= w.ram_last)
        audit_single(&w);
    if (r->violations == before)
        audit_pod(&w);
    audit_claim(r, w.tables == p->table_pages, "INV-P2M-4", "d%u has %lu tables, %u counted", d->id,
                w.tables, p->table_pages);
    for (unsigned type = P2M_INVALID + 1; type < P2M_TYPES; type++) {
        audit_claim(r, w.pages[type] == p->pages[type], "INV-P2M-4",
                    "d%u maps %lu pages of type %u, %lu counted", d->id, w.pages[type], type,
                    p->pages[type]);
        if (is_borrowed((uint8_t)type))
            *borrowed += w.pages[type];
    }
}
