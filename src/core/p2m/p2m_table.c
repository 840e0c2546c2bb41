#include "core/p2m/p2m_table.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/domain/domain.h"
#include "core/mem/frame.h"
#include "core/mem/page_alloc.h"
#include "port/guest.h"
#include "port/mem.h"

/* What an entry is, as arch_p2m_decode() tells. */
/*@ logic integer entry_type_of(integer entry) = field(entry, 52, 0xf);
    logic integer entry_mfn_of(integer entry) = field(entry, 12, 0xffffffffff);
    logic boolean entry_leaf(integer format, integer entry, integer level) =
        (entry_type_of(entry) != P2M_INVALID ||
         (entry & (format == P2M_FORMAT_EPT ? 7 : 1)) != 0) &&
        (level == 0 || (entry & 0x80) != 0);
    // 4 KiB units of a type that an entry at level maps.
    logic integer maps(integer format, integer entry, integer level, integer type) =
        entry_leaf(format, entry, level) && entry_type_of(entry) == type ? span_of(level) : 0; */

/*@ requires level <= P2M_ROOT_LEVEL;
    terminates \true;
    assigns \nothing;
    ensures \valid(\result); */
static uint64_t *table_slot(mfn_t table, uint64_t g, unsigned level)
{
    return (uint64_t *)mfn_to_ptr(table) + p2m_slot_of(g, level);
}

/*@ requires \valid_read(p);
    assigns \nothing;
    ensures \result.level <= P2M_ROOT_LEVEL;
    ensures \result.s.present ==> \result.s.leaf && \result.s.mfn.v <= 0xffffffffff;
    ensures \valid(\result.slot[\result.level]); */
struct p2m_place p2m_walk(const struct p2m *p, uint64_t g)
{
    struct p2m_place w;
    mfn_t table = p->root;

    /*@ loop invariant w.level <= P2M_ROOT_LEVEL;
        loop assigns w, table;
        loop variant w.level; */
    for (w.level = P2M_ROOT_LEVEL;; w.level--) {
        w.slot[w.level] = table_slot(table, g, w.level);
        w.s = arch_p2m_decode(p->format, load_u64(w.slot[w.level]), w.level);
        if (!w.s.present || w.s.leaf) {
            return w;
        }
        check(w.level > 0);
        table = w.s.mfn;
    }
}

/*@ requires \valid_read(w) && w->level <= P2M_ROOT_LEVEL;
    requires w->s.present ==> w->s.mfn.v <= 0xffffffffff;
    assigns \nothing;
    ensures \result.order == 9 * w->level;
    ensures \result.type == (w->s.present ? w->s.type : P2M_INVALID);
    ensures frame: w->s.present && !without_frame(w->s.type) ==>
        \result.mfn.v == w->s.mfn.v + g % span_of(w->level);
    ensures none: !w->s.present || without_frame(w->s.type) ==>
        \result.mfn.v == MFN_INVALID_V; */
struct p2m_entry p2m_entry_at(const struct p2m_place *w, uint64_t g)
{
    struct p2m_entry e = {.mfn = mfn_invalid(), .type = P2M_INVALID};

    e.order = (uint8_t)(9 * w->level);
    if (w->s.present) {
        e.type = w->s.type;
        if (!p2m_type_has_no_frame(e.type)) {
            e.mfn = mfn(w->s.mfn.v + (g & (p2m_span(w->level) - 1)));
        }
    }
    return e;
}

/* One loop for all four levels, which nothing leaves but the result: most of what a guest
 * passes to a hypercall is looked up here. */
/*@ requires \valid_read(p);
    assigns \nothing;
    ensures \result.order <= 27 && \result.order % 9 == 0;
    ensures none: without_frame(\result.type) ==> \result.mfn.v == MFN_INVALID_V;
    ensures frame: \result.mfn.v == MFN_INVALID_V ||
        \result.mfn.v <= 0xffffffffff + g % span_of(\result.order / 9); */
struct p2m_entry p2m_find(const struct p2m *p, uint64_t g)
{
    struct p2m_entry e = {.mfn = mfn_invalid(), .type = P2M_INVALID};
    unsigned level = P2M_ROOT_LEVEL;
    mfn_t table = p->root;
    struct p2m_slot s;

    /*@ loop invariant level <= P2M_ROOT_LEVEL;
        loop assigns level, table, s;
        loop variant level; */
    for (;; level--) {
        s = arch_p2m_decode(p->format, load_u64(table_slot(table, g, level)), level);
        if (!s.present || s.leaf) {
            break;
        }
        check(level > 0);
        table = s.mfn;
    }
    e.order = (uint8_t)(9 * level);
    if (s.present) {
        e.type = s.type;
        if (!p2m_type_has_no_frame(e.type)) {
            e.mfn = mfn(s.mfn.v + (g & (p2m_span(level) - 1)));
        }
    }
    return e;
}

/*@ requires \valid_read(p) && level <= 2 && type < P2M_TYPES;
    requires without_frame(type) || m.v <= 0xffffffffff;
    assigns \nothing;
    ensures type == P2M_INVALID ==> \result == 0;
    ensures type != P2M_INVALID ==> entry_leaf(p->format, \result, level) &&
        entry_mfn_of(\result) == (without_frame(type) ? 0 : m.v);
    ensures entry_type_of(\result) == type; */
uint64_t p2m_leaf(const struct p2m *p, mfn_t m, enum p2m_type type, unsigned level)
{
    return arch_p2m_encode_leaf(p->format, p2m_type_has_no_frame(type) ? mfn(0) : m, type, level);
}

/*@ requires \valid(p) && level <= P2M_ROOT_LEVEL;
    requires entry_leaf(p->format, entry, level) ==> entry_type_of(entry) < P2M_TYPES;
    requires entry_leaf(p->format, entry, level) ==> (add
        ? p->pages[entry_type_of(entry)] + span_of(level) <= UINT64_MAX
        : p->pages[entry_type_of(entry)] >= span_of(level));
    assigns p->pages[0 .. P2M_TYPES - 1];
    ensures none: !entry_leaf(p->format, entry, level) ==>
        \forall integer t; 0 <= t < P2M_TYPES ==> p->pages[t] == \old(p->pages[t]);
    ensures others: \forall integer t; 0 <= t < P2M_TYPES && t != entry_type_of(entry) ==>
        p->pages[t] == \old(p->pages[t]);
    ensures counted: entry_leaf(p->format, entry, level) ==>
        \forall integer t; t == entry_type_of(entry) ==> p->pages[t] ==
            (add ? \old(p->pages[t]) + span_of(level) : \old(p->pages[t]) - span_of(level)); */
static void count_leaf(struct p2m *p, uint64_t entry, unsigned level, bool add)
{
    struct p2m_slot s = arch_p2m_decode(p->format, entry, level);

    if (!s.present || !s.leaf) {
        return;
    }
    check(s.type < P2M_TYPES);
    if (add) {
        p->pages[s.type] += p2m_span(level);
    } else {
        check(p->pages[s.type] >= p2m_span(level));
        p->pages[s.type] -= p2m_span(level);
    }
}

/*@ requires \valid(p) && \valid(slot) && \separated(p, slot) && level <= P2M_ROOT_LEVEL;
    requires entry_leaf(p->format, *slot, level) ==> entry_type_of(*slot) < P2M_TYPES &&
        p->pages[entry_type_of(*slot)] >= span_of(level);
    requires entry_leaf(p->format, entry, level) ==> entry_type_of(entry) < P2M_TYPES;
    requires \forall integer t; 0 <= t < P2M_TYPES ==>
        p->pages[t] + span_of(level) <= UINT64_MAX;
    assigns *slot, p->pages[0 .. P2M_TYPES - 1];
    ensures *slot == entry;
    ensures INV_P2M_4: \forall integer t; 0 <= t < P2M_TYPES ==> p->pages[t] == \old(p->pages[t]) -
        maps(p->format, \old(*slot), level, t) + maps(p->format, entry, level, t); */
void p2m_slot_write(struct p2m *p, uint64_t *slot, unsigned level, uint64_t entry)
{
    count_leaf(p, load_u64(slot), level, false);
    /*@ assert \forall integer t; 0 <= t < P2M_TYPES ==> p->pages[t] ==
            \at(p->pages[t], Pre) - maps(p->format, *slot, level, t); */
    //@ ghost L: ;
    count_leaf(p, entry, level, true);
    //@ assert *slot == \at(*slot, Pre);
    /*@ assert \forall integer t; 0 <= t < P2M_TYPES ==> p->pages[t] ==
            \at(p->pages[t], L) + maps(p->format, entry, level, t); */
    /*@ assert \forall integer t; 0 <= t < P2M_TYPES ==> p->pages[t] == \at(p->pages[t], Pre) -
            maps(p->format, \at(*slot, Pre), level, t) + maps(p->format, entry, level, t); */
    store_u64(slot, entry);
}

/* Fills the table for the slot s at level: empty, or the pieces of the leaf s. */
/*@ requires \valid_read(p) && \valid(table + (0 .. P2M_SLOTS - 1)) && 1 <= level <= P2M_ROOT_LEVEL;
    requires \separated(p, table + (0 .. P2M_SLOTS - 1));
    requires s.present ==> P2M_INVALID < s.type < P2M_TYPES && s.mfn.v <= 0xff00000000;
    assigns table[0 .. P2M_SLOTS - 1];
    ensures empty: !s.present ==> \forall integer i; 0 <= i < P2M_SLOTS ==> table[i] == 0;
    ensures pieces: s.present ==> \forall integer i; 0 <= i < P2M_SLOTS ==>
        entry_leaf(p->format, table[i], level - 1) && entry_type_of(table[i]) == s.type;
    ensures none: s.present && without_frame(s.type) ==>
        \forall integer i; 0 <= i < P2M_SLOTS ==> entry_mfn_of(table[i]) == 0;
    ensures frames: s.present && !without_frame(s.type) ==>
        \forall integer i; 0 <= i < P2M_SLOTS ==>
            entry_mfn_of(table[i]) == piece(s.mfn.v, i, level); */
static void table_fill(const struct p2m *p, uint64_t *table, struct p2m_slot s, unsigned level)
{
    uint64_t span = p2m_span(level - 1);

    //@ assert level == 1 ==> span == 1;
    //@ assert level == 2 ==> span == 512;
    //@ assert level == 3 ==> span == 262144;
    /*@ loop invariant i <= P2M_SLOTS;
        loop invariant !s.present ==> \forall integer k; 0 <= k < i ==> table[k] == 0;
        loop invariant leaves: s.present ==> \forall integer k; 0 <= k < i ==>
            entry_leaf(p->format, table[k], level - 1) && entry_type_of(table[k]) == s.type;
        loop invariant none: s.present && without_frame(s.type) ==>
            \forall integer k; 0 <= k < i ==> entry_mfn_of(table[k]) == 0;
        loop invariant frames: s.present && !without_frame(s.type) ==>
            \forall integer k; 0 <= k < i ==> entry_mfn_of(table[k]) == piece(s.mfn.v, k, level);
        loop assigns i, table[0 .. P2M_SLOTS - 1];
        loop variant P2M_SLOTS - i; */
    for (uint64_t i = 0; i < P2M_SLOTS; i++) {
        if (s.present) {
            //@ assert span == 1 ==> i * span == i;
            //@ assert span == 512 ==> i * span == i * 512;
            //@ assert span == 262144 ==> i * span == i * 262144;
            //@ assert 0 <= i * span <= 133955584;
            //@ assert s.mfn.v + i * span == piece(s.mfn.v, i, level);
            table[i] = p2m_leaf(p, mfn(s.mfn.v + i * span), s.type, level - 1);
            //@ assert without_frame(s.type) ==> entry_mfn_of(table[i]) == 0;
            /*@ assert !without_frame(s.type) ==>
                    entry_mfn_of(table[i]) == piece(s.mfn.v, i, level); */
            /*@ assert !without_frame(s.type) ==> \forall integer k; 0 <= k < i ==>
                    entry_mfn_of(table[k]) == piece(s.mfn.v, k, level); */
        } else {
            table[i] = arch_p2m_empty(p->format);
        }
    }
}

/* A new table for the slot s at level. */
static mfn_t table_new(struct domain *d, struct p2m_slot s, unsigned level)
{
    struct p2m *p = &d->p2m;
    uint64_t *table;

    if (p->table_pages >= p2m_table_limit(d)) {
        return mfn_invalid();
    }
    table = hyp_pages_alloc(d, 0, FRAME_P2M);
    if (table == NULL) {
        return mfn_invalid();
    }
    table_fill(p, table, s, level);
    p->table_pages++;
    return ptr_to_mfn(table);
}

int p2m_reach(struct domain *d, uint64_t g, unsigned level, uint64_t **slot)
{
    struct p2m *p = &d->p2m;
    mfn_t table = p->root;

    for (unsigned at = P2M_ROOT_LEVEL; at > level; at--) {
        uint64_t *s = table_slot(table, g, at);
        struct p2m_slot old = arch_p2m_decode(p->format, load_u64(s), at);

        if (old.present && !old.leaf) {
            table = old.mfn;
            continue;
        }
        table = table_new(d, old, at);
        if (mfn_is_invalid(table)) {
            return -XEN_ENOMEM;
        }
        /* The pieces of a split leaf map what it mapped: the counts stay. */
        store_u64(s, arch_p2m_encode_table(p->format, table));
    }
    *slot = table_slot(table, g, level);
    return 0;
}

/*@ requires \valid_read(table + (0 .. P2M_SLOTS - 1));
    assigns \nothing;
    ensures \result <==> \forall integer i; 0 <= i < P2M_SLOTS ==> table[i] == empty; */
static bool all_empty(const uint64_t *table, uint64_t empty)
{
    /*@ loop invariant i <= P2M_SLOTS;
        loop invariant \forall integer k; 0 <= k < i ==> table[k] == empty;
        loop assigns i;
        loop variant P2M_SLOTS - i; */
    for (unsigned i = 0; i < P2M_SLOTS; i++) {
        if (load_u64(&table[i]) != empty) {
            return false;
        }
    }
    return true;
}

static bool table_is_empty(const struct p2m *p, const uint64_t *slot)
{
    const uint64_t *table = (const uint64_t *)((uintptr_t)slot & PAGE_MASK);

    return all_empty(table, arch_p2m_empty(p->format));
}

void p2m_prune(struct p2m *p, uint64_t g, struct p2m_removed *r)
{
    struct p2m_place w = p2m_walk(p, g);

    for (unsigned level = w.level; level < P2M_ROOT_LEVEL; level++) {
        if (!table_is_empty(p, w.slot[level])) {
            return;
        }
        check(r->tables < P2M_ROOT_LEVEL);
        r->table[r->tables++] = ptr_to_mfn(w.slot[level]);
        p->table_pages--;
        store_u64(w.slot[level + 1], arch_p2m_empty(p->format));
    }
}

/* A whole table of 4 KiB leaves is about to be replaced by one 2 MiB leaf. */
static void detach_leaf_table(struct p2m *p, mfn_t table, struct p2m_removed *r)
{
    const uint64_t *slots = mfn_to_ptr(table);

    for (unsigned i = 0; i < P2M_SLOTS; i++) {
        count_leaf(p, load_u64(&slots[i]), 0, false);
    }
    r->leaves = true;
    r->table[r->tables++] = table;
    p->table_pages--;
}

/* May the change be made where the walk ended? */
/*@ requires \valid_read(c) && \valid_read(w) && \valid_read(e) && e->type < P2M_TYPES;
    assigns \nothing;
    ensures \result == 0 || \result == -XEN_EEXIST || \result == -XEN_ENOENT;
    ensures bounded: \result == 0 && w->level < c->level ==>
        c->level == 1 && c->replace == P2M_SET_ANY;
    ensures wanted: \result == 0 && w->level >= c->level && c->want.v != MFN_INVALID_V ==>
        c->want.v == e->mfn.v;
    ensures replaced: \result == 0 && w->level >= c->level ==>
        word_bit(c->replace, e->type); */
static int change_allowed(const struct p2m_change *c, const struct p2m_place *w,
                          const struct p2m_entry *e)
{
    if (w->level < c->level) {
        /* A table is there. Only a table of 4 KiB leaves is replaced as a whole:
         * more would not be a bounded amount of work. */
        return c->level == 1 && c->replace == P2M_SET_ANY ? 0 : -XEN_EEXIST;
    }
    if ((c->replace >> e->type & 1) == 0) {
        return e->type == P2M_INVALID ? -XEN_ENOENT : -XEN_EEXIST;
    }
    if (!mfn_is_invalid(c->want) && c->want.v != e->mfn.v) {
        return -XEN_ENOENT;
    }
    return 0;
}

int p2m_apply(struct domain *d, const struct p2m_change *c, struct p2m_removed *r)
{
    struct p2m *p = &d->p2m;
    struct p2m_place w;
    struct p2m_slot old;
    uint64_t *slot, entry;
    int rc;

    if (p->dying || !p2m_exists(p)) {
        return -XEN_EINVAL;
    }
    w = p2m_walk(p, c->g);
    r->old = p2m_entry_at(&w, c->g);
    rc = change_allowed(c, &w, &r->old);
    if (rc == 0) {
        rc = p2m_reach(d, c->g, c->level, &slot);
    }
    if (rc != 0) {
        r->old.type = P2M_INVALID;
        p2m_prune(p, c->g, r);
        return rc;
    }
    old = arch_p2m_decode(p->format, load_u64(slot), c->level);
    if (old.present && !old.leaf) {
        r->old.type = P2M_INVALID;
        detach_leaf_table(p, old.mfn, r);
    }
    entry =
        c->type == P2M_INVALID ? arch_p2m_empty(p->format) : p2m_leaf(p, c->m, c->type, c->level);
    /* What is populated on demand was never in reach of an engine. */
    r->flush = old.present && old.type != P2M_POD && load_u64(slot) != entry;
    p2m_slot_write(p, slot, c->level, entry);
    if (c->type == P2M_INVALID) {
        p2m_prune(p, c->g, r);
    } else if (c->g + p2m_span(c->level) - 1 > p->max_gfn) {
        p->max_gfn = c->g + p2m_span(c->level) - 1;
    }
    return 0;
}

void p2m_finish(struct domain *d, const struct p2m_removed *r, bool keep_old)
{
    if (r->flush || r->tables != 0) {
        port_guest_flush(d);
    }
    if (!keep_old && p2m_type_has_ref(r->old.type)) {
        frame_put(r->old.mfn);
    }
    for (unsigned t = 0; t < r->tables; t++) {
        const uint64_t *slots = mfn_to_ptr(r->table[t]);

        for (unsigned i = 0; t == 0 && r->leaves && i < P2M_SLOTS; i++) {
            struct p2m_slot s = arch_p2m_decode(d->p2m.format, slots[i], 0);

            if (s.present && p2m_type_has_ref(s.type)) {
                frame_put(s.mfn);
            }
        }
        hyp_pages_free(mfn_to_ptr(r->table[t]), 0);
    }
}

/* Eight slots at once: most of most tables is empty. */
/*@ requires \valid_read(slot + (0 .. 7));
    assigns \nothing;
    ensures \result <==> \forall integer i; 0 <= i < 8 ==> slot[i] == empty; */
static bool eight_empty(const uint64_t *slot, uint64_t empty)
{
    uint64_t differ = 0;

    /*@ loop invariant i <= 8;
        loop invariant differ == 0 <==> \forall integer k; 0 <= k < i ==> slot[k] == empty;
        loop assigns i, differ;
        loop variant 8 - i; */
    for (unsigned i = 0; i < 8; i++) {
        uint64_t bits = load_u64(&slot[i]) ^ empty;

        //@ assert bits == (slot[i] ^ empty);
        //@ assert bits == 0 <==> slot[i] == empty;
        //@ assert (differ | bits) == 0 <==> differ == 0 && bits == 0;
        differ |= bits;
    }
    return differ == 0;
}

bool p2m_find_from(const struct p2m *p, uint64_t *g, struct p2m_place *w)
{
    uint64_t *slot = w->slot[w->level];
    uint64_t span = p2m_span(w->level), empty = arch_p2m_empty(p->format), at = *g;

    for (;;) {
        uint64_t entry = load_u64(slot);

        if (entry != empty) {
            w->s = arch_p2m_decode(p->format, entry, w->level);
            if (w->s.present) {
                w->slot[w->level] = slot;
                *g = at;
                return w->s.leaf;
            }
        }
        if (((uintptr_t)slot & (8 * sizeof(*slot) - 1)) == 0 && eight_empty(slot, empty)) {
            at = (at | (8 * span - 1)) + 1;
            slot += 8;
        } else {
            at = (at | (span - 1)) + 1;
            slot++;
        }
        if (((uintptr_t)slot & (PAGE_SIZE - 1)) == 0) {
            *g = at;
            return false;
        }
    }
}

bool p2m_find_leaf(const struct p2m *p, uint64_t *g, struct p2m_entry *e)
{
    struct p2m_place w = p2m_walk(p, *g);

    if (!p2m_find_from(p, g, &w)) {
        return false;
    }
    *e = p2m_entry_at(&w, *g);
    return true;
}
