/* Inside of p2m/: walking and changing the tables. The p2m lock is held unless
 * a comment says otherwise. */
#ifndef CORBEL_CORE_P2M_P2M_TABLE_H
#define CORBEL_CORE_P2M_P2M_TABLE_H

#include "core/arch.h"
#include "core/p2m/p2m.h"

#define P2M_ROOT_LEVEL 3u
#define P2M_SLOTS 512u
#define P2M_GFN_LIMIT (UINT64_C(1) << P2M_GFN_BITS)

/*@ logic integer span_of(integer level) =
        level == 0 ? 1 : level == 1 ? 512 : level == 2 ? 262144 : 134217728;
    // Which slot of a table at level g is under.
    logic integer slot_of(integer g, integer level) = g / span_of(level) % P2M_SLOTS;
    logic boolean without_frame(integer type) = type == P2M_MMIO_DM || type == P2M_POD;
    predicate with_reference(integer type) =
        type == P2M_GRANT_RW || type == P2M_GRANT_RO || type == P2M_FOREIGN; */

/* 4 KiB units under one slot of a table at level. */
/*@ requires level <= P2M_ROOT_LEVEL;
    assigns \nothing;
    ensures \result == span_of(level); */
static inline uint64_t p2m_span(unsigned level)
{
    uint64_t span = UINT64_C(1) << (9 * level);

    //@ assert level == 0 ==> span == 1;
    //@ assert level == 1 ==> span == 512;
    //@ assert level == 2 ==> span == 262144;
    //@ assert level == 3 ==> span == 134217728;
    return span;
}

/* Which slot of a table at level g is under. */
/*@ requires level <= P2M_ROOT_LEVEL;
    assigns \nothing;
    ensures \result < P2M_SLOTS && \result == slot_of(g, level); */
static inline uint64_t p2m_slot_of(uint64_t g, unsigned level)
{
    uint64_t slot = (g >> (9 * level)) & (P2M_SLOTS - 1);

    //@ assert level == 0 ==> slot == g % 512;
    //@ assert level == 1 ==> slot == g / 512 % 512;
    //@ assert level == 2 ==> slot == g / 262144 % 512;
    //@ assert level == 3 ==> slot == g / 134217728 % 512;
    return slot;
}

/* Where the walk for a gfn ended: a leaf or an empty slot. */
struct p2m_place {
    uint64_t *slot[P2M_ROOT_LEVEL + 1]; /* slots passed, down to level */
    unsigned level;
    struct p2m_slot s; /* what the last slot holds */
};

/* g is below P2M_GFN_LIMIT and the root exists. */
struct p2m_place p2m_walk(const struct p2m *p, uint64_t g);
/* The same for who wants no more than what is there: p2m_entry_at() of the place. */
struct p2m_entry p2m_find(const struct p2m *p, uint64_t g) __attribute__((flatten));

/* The next leaf from *g's slot on, which *w names, in the same table. True: *w is where it
 * is, *g its first gfn from *g on; false: *g is where to go on. */
bool p2m_find_from(const struct p2m *p, uint64_t *g, struct p2m_place *w);

/* The walk's result as the entry of the very gfn g. */
struct p2m_entry p2m_entry_at(const struct p2m_place *w, uint64_t g);

/* What a change took out and what may only go after the engines' flush. */
struct p2m_removed {
    struct p2m_entry old;
    bool flush;
    bool leaves;     /* table[0] still holds leaves */
    unsigned tables; /* detached */
    mfn_t table[P2M_ROOT_LEVEL];
};

/* A wanted change of [g, g + span(level)). */
struct p2m_change {
    uint64_t g;
    mfn_t m;
    unsigned level;
    uint8_t type;     /* P2M_INVALID: unmap */
    uint32_t replace; /* set of types that may be there now */
    mfn_t want;       /* invalid, or what must be mapped there now */
};

/* Has a leaf of this type no frame? */
/*@ assigns \nothing;
    ensures \result <==> without_frame(type); */
static inline bool p2m_type_has_no_frame(unsigned type)
{
    return type == P2M_MMIO_DM || type == P2M_POD;
}

/* Makes the change. -XEN_ENOENT (nothing or not want there), -XEN_EEXIST (a type not
 * in replace there), -XEN_ENOMEM, -XEN_EINVAL (dying) or 0. p2m_finish() follows
 * in every case, after the lock. */
int p2m_apply(struct domain *d, const struct p2m_change *c, struct p2m_removed *r);

/* The slot for g at level, made by adding tables and splitting superpages. */
int p2m_reach(struct domain *d, uint64_t g, unsigned level, uint64_t **slot);

/* Writes a slot and keeps the counts; entry is a leaf or empty. */
void p2m_slot_write(struct p2m *p, uint64_t *slot, unsigned level, uint64_t entry);

uint64_t p2m_leaf(const struct p2m *p, mfn_t m, enum p2m_type type, unsigned level);

/* p2m_move()'s change of both places; the domain is not dying. */
int p2m_move_locked(struct domain *d, uint64_t from, uint64_t to, uint32_t replace,
                    struct p2m_removed *r);

/* Can [g, g + 2^order) -> [m, ...) be one leaf of this type? */
bool p2m_leaf_possible(gfn_t g, mfn_t m, unsigned order, enum p2m_type type);

/* Detaches the tables on the way to g that have become empty. */
void p2m_prune(struct p2m *p, uint64_t g, struct p2m_removed *r);

/* Without the lock: flushes, drops references (that of r->old unless keep_old)
 * and frees the detached tables. */
void p2m_finish(struct domain *d, const struct p2m_removed *r, bool keep_old);

/* Looks at the rest of the table that decides *g: true with the first leaf at
 * or after *g and its gfn in *g; false when there is none, and *g has moved to
 * the next gfn to look at. */
bool p2m_find_leaf(const struct p2m *p, uint64_t *g, struct p2m_entry *e);

/* True iff a leaf of this type holds a reference on its frame. */
/*@ assigns \nothing;
    ensures \result <==> with_reference(type); */
static inline bool p2m_type_has_ref(unsigned type)
{
    return type == P2M_GRANT_RW || type == P2M_GRANT_RO || type == P2M_FOREIGN;
}

/*@ requires \valid_read(p);
    assigns \nothing;
    ensures \result <==> p->table_pages != 0; */
static inline bool p2m_exists(const struct p2m *p)
{
    return p->table_pages != 0;
}

#endif
