/* The guest's own page tables, walked in software as SDM Vol. 3 ch. 4 and APM
 * Vol. 2 ch. 5 describe them. Runs on every TLB miss of the simulator and on
 * every access the hypervisor makes to a guest's linear addresses. */
#include "x86/hvm/hvm.h"

#include "base/atomic.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m_log.h"
#include "port/mem.h"
#include "x86/x86.h"

#define CR0_WP (UINT64_C(1) << 16)
#define CR4_PSE (UINT64_C(1) << 4)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)

#define PTE_P UINT64_C(0x01)
#define PTE_W UINT64_C(0x02)
#define PTE_U UINT64_C(0x04)
#define PTE_A UINT64_C(0x20)
#define PTE_D UINT64_C(0x40)
#define PTE_PS UINT64_C(0x80)
#define PTE_NX (UINT64_C(1) << 63)
#define PTE_ADDR UINT64_C(0x000ffffffffff000)

#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_USER 4u
#define PF_RESERVED 8u
#define PF_FETCH 16u

#define BITS(hi, lo) (((UINT64_C(2) << ((hi) - (lo))) - 1) << (lo))

/* Guest-physical addresses are as wide as the p2m: higher bits are reserved. */
#define GUEST_PHYS_BITS (P2M_GFN_BITS + PAGE_SHIFT)

/* Another vCPU may change an entry between its reading and the setting of its
 * accessed bit. A guest that does nothing else gets a spurious fault. */
#define UPDATE_TRIES 16u

#define NEEDS_UPDATE 1

enum paging { PAGING_32, PAGING_PAE, PAGING_LONG };

struct walk {
    struct domain *d;
    const struct walk_mode *m;
    uint64_t la;
    enum walk_access access;
    enum paging kind;
    bool set_ad;
    bool w, u, nx; /* rights accumulated from the root down */
    uint32_t error;
};

/*@ // An entry of a table at level that maps memory (SDM tables 4-4 to 4-19).
    predicate leaf_entry(integer kind, integer cr4, integer level, integer e) =
        level == 0 || ((e & PTE_PS) != 0 &&
                       (kind == PAGING_LONG ? level <= 2 :
                        kind == PAGING_PAE ? level == 1 : (cr4 & CR4_PSE) != 0));
    predicate root_entry(integer kind, integer level) = kind == PAGING_PAE && level == 2;
    predicate walk_valid{L}(struct walk *w) = \valid(w) && \valid_read(w->m) &&
        \separated(w, w->m) && PAGING_32 <= w->kind <= PAGING_LONG &&
        WALK_READ <= w->access <= WALK_FETCH;
    // SDM 4.6: what the rights gathered so far let this access do.
    predicate writes{L}(struct walk *w) = w->w || (!w->m->user && (w->m->cr0 & CR0_WP) == 0);
    predicate fetches{L}(struct walk *w) =
        !w->nx && (w->m->user || !w->u || (w->m->cr4 & CR4_SMEP) == 0);
    predicate reads{L}(struct walk *w) = (w->m->user ==> w->u) &&
        (!w->m->user && w->u && (w->m->cr4 & CR4_SMAP) != 0 ==> w->m->ac && !w->m->implicit);
    predicate access_allowed{L}(struct walk *w) = (w->m->user ==> w->u) &&
        (w->access == WALK_FETCH ==> fetches(w)) && (w->access != WALK_FETCH ==> reads(w)) &&
        (w->access == WALK_WRITE ==> writes(w));
    // A page-fault error code: SDM 4.7.
    predicate fault_code(integer error, integer access, integer user) =
        \let why = error - (access == WALK_WRITE ? PF_WRITE : 0) - (user != 0 ? PF_USER : 0);
        why == 0 || why == PF_PRESENT || why == PF_PRESENT + PF_RESERVED ||
        (access == WALK_FETCH && (why == PF_FETCH || why == PF_FETCH + PF_PRESENT ||
                                  why == PF_FETCH + PF_PRESENT + PF_RESERVED));
    predicate fault_says{L}(struct walk *w) = fault_code(w->error, w->access, w->m->user);
    // What out says that the page allows includes the access asked for.
    predicate allows{L}(struct walk_result *out, struct walk_mode *m, integer access) =
        (m->user ==> out->user) && (access == WALK_WRITE ==> out->writable) &&
        (access == WALK_FETCH ==> out->executable) &&
        (access != WALK_FETCH && !m->user && (m->cr4 & CR4_SMAP) != 0 && out->user ==>
            m->ac && !m->implicit);
    // Going down, rights only get fewer.
    predicate fewer_rights{A, B}(struct walk *w) = (\at(w->w, B) ==> \at(w->w, A)) &&
        (\at(w->u, B) ==> \at(w->u, A)) && (\at(w->nx, A) ==> \at(w->nx, B)); */

/* A page-table frame: the domain's own writable RAM, referenced for as long as
 * it is written, so that no stale mapping makes us write a reused one. */
/*@ requires \valid(out);
    terminates \true;
    assigns *out;
    ensures \valid_read(d); */
static bool table_get(struct domain *d, gaddr_t a, mfn_t *out)
{
    struct p2m_entry e;

    if (!p2m_get_page(d, gaddr_gfn(a), &e))
        return false;
    if (e.type != P2M_RAM_RW) {
        frame_put(e.mfn);
        return false;
    }
    *out = e.mfn;
    return true;
}

/*@ requires \valid_read(w) && \valid_read(w->m) && PAGING_32 <= w->kind <= PAGING_LONG;
    assigns \nothing;
    ensures \result <==> leaf_entry(w->kind, w->m->cr4, level, entry); */
static bool is_leaf(const struct walk *w, unsigned level, uint64_t entry)
{
    if (level == 0)
        return true;
    if ((entry & PTE_PS) == 0)
        return false;
    switch (w->kind) {
    case PAGING_LONG:
        return level <= 2;
    case PAGING_PAE:
        return level == 1;
    default:
        return (w->m->cr4 & CR4_PSE) != 0;
    }
}

/* Bits that must be zero in an entry of this kind: SDM 4.3, 4.4, 4.5. */
/*@ requires \valid_read(w) && \valid_read(w->m) && PAGING_32 <= w->kind <= PAGING_LONG;
    requires level <= 3;
    assigns \nothing;
    ensures w->kind == PAGING_32 ==> \result == (level == 1 && leaf ? 0x200000 : 0);
    ensures w->kind != PAGING_32 && !root_entry(w->kind, level) ==> \result ==
        0xf000000000000 + ((w->m->efer & EFER_NXE) == 0 ? 0x8000000000000000 : 0) +
        (w->kind == PAGING_PAE ? 0x7ff0000000000000 : 0) +
        (level == 3 ? 0x80 : level == 0 || !leaf ? 0 : level == 2 ? 0x3fffe000 : 0x1fe000);
    ensures root_entry(w->kind, level) ==> \result == 0xffff0000000001e6; */
static uint64_t reserved_bits(const struct walk *w, unsigned level, bool leaf)
{
    uint64_t mask = BITS(51, GUEST_PHYS_BITS);
    bool root = w->kind == PAGING_PAE && level == 2;

    if (w->kind == PAGING_32)
        return level == 1 && leaf ? BITS(21, 21) : 0;
    /* No two parts overlap, so that the sum is the union. */
    if ((w->m->efer & EFER_NXE) == 0 || root)
        mask += PTE_NX;
    if (w->kind == PAGING_PAE)
        mask += BITS(62, 52);
    if (root)
        mask += BITS(8, 5) + BITS(2, 1);
    else if (level == 3)
        mask += PTE_PS;
    else if (level != 0 && leaf)
        mask += level == 2 ? BITS(29, 13) : BITS(20, 13);
    return mask;
}

/*@ requires \valid_read(w) && \valid_read(w->m) && PAGING_32 <= w->kind <= PAGING_LONG;
    requires level <= 3;
    assigns \nothing; */
static bool is_malformed(const struct walk *w, unsigned level, uint64_t e, bool leaf)
{
    return (e & reserved_bits(w, level, leaf)) != 0;
}

/*@ requires \valid_read(w) && \valid_read(w->m);
    assigns \nothing;
    ensures \result <==> writes(w); */
static bool may_write(const struct walk *w)
{
    return w->w || (!w->m->user && (w->m->cr0 & CR0_WP) == 0);
}

/*@ requires \valid_read(w) && \valid_read(w->m);
    assigns \nothing;
    ensures \result <==> fetches(w); */
static bool may_fetch(const struct walk *w)
{
    return !w->nx && !(!w->m->user && w->u && (w->m->cr4 & CR4_SMEP) != 0);
}

/*@ requires \valid_read(w) && \valid_read(w->m) && WALK_READ <= w->access <= WALK_FETCH;
    assigns \nothing;
    ensures \result <==> access_allowed(w); */
static bool may_access(const struct walk *w)
{
    if (w->m->user && !w->u)
        return false;
    if (w->access == WALK_FETCH)
        return may_fetch(w);
    if (!w->m->user && w->u && (w->m->cr4 & CR4_SMAP) != 0 && (w->m->implicit || !w->m->ac))
        return false;
    return w->access != WALK_WRITE || may_write(w);
}

/*@ requires walk_valid(w);
    requires why == 0 || why == PF_PRESENT || why == PF_PRESENT + PF_RESERVED;
    assigns w->error;
    ensures \result == -1 && fault_says(w);
    ensures w->access != WALK_FETCH ==> w->error == why +
        (w->access == WALK_WRITE ? PF_WRITE : 0) + (w->m->user ? PF_USER : 0); */
static int walk_fault(struct walk *w, uint32_t why)
{
    bool fetch =
        w->access == WALK_FETCH &&
        ((w->m->cr4 & CR4_SMEP) != 0 || (w->kind != PAGING_32 && (w->m->efer & EFER_NXE) != 0));

    w->error = why + (w->access == WALK_WRITE ? PF_WRITE : 0) + (w->m->user ? PF_USER : 0) +
               (fetch ? PF_FETCH : 0);
    return -1;
}

/* Going down, rights only get fewer. */
/*@ requires \valid(w) && PAGING_32 <= w->kind <= PAGING_LONG;
    assigns w->w, w->u, w->nx;
    ensures w->w <==> \old(w->w) && (e & PTE_W) != 0;
    ensures w->u <==> \old(w->u) && (e & PTE_U) != 0;
    ensures w->nx <==> \old(w->nx) || (w->kind != PAGING_32 && (e & PTE_NX) != 0); */
static void rights_fold(struct walk *w, uint64_t e)
{
    if ((e & PTE_W) == 0)
        w->w = false;
    if ((e & PTE_U) == 0)
        w->u = false;
    if (w->kind != PAGING_32 && (e & PTE_NX) != 0)
        w->nx = true;
}

/* Checks one entry and folds its rights into w. */
/*@ requires walk_valid(w) && level <= 3;
    requires leaf <==> leaf_entry(w->kind, w->m->cr4, level, e);
    assigns w->w, w->u, w->nx, w->error;
    ensures \result == 0 || \result == -1;
    ensures fewer_rights{Pre, Here}(w);
    ensures \result == 0 ==> (e & PTE_P) != 0 && w->error == \old(w->error);
    ensures \result == -1 ==> fault_says(w);
    ensures folded: \result == 0 && !root_entry(w->kind, level) ==>
        (w->w <==> \old(w->w) && (e & PTE_W) != 0) &&
        (w->u <==> \old(w->u) && (e & PTE_U) != 0) &&
        (w->nx <==> \old(w->nx) || (w->kind != PAGING_32 && (e & PTE_NX) != 0));
    ensures \result == 0 && leaf ==> access_allowed(w); */
static int entry_check(struct walk *w, unsigned level, uint64_t e, bool leaf)
{
    if ((e & PTE_P) == 0)
        return walk_fault(w, 0);
    if (is_malformed(w, level, e, leaf))
        return walk_fault(w, PF_PRESENT | PF_RESERVED);
    if (w->kind == PAGING_PAE && level == 2)
        return 0;
    rights_fold(w, e);
    if (leaf && !may_access(w))
        return walk_fault(w, PF_PRESENT);
    return 0;
}

/* The accessed and dirty bits that this use of the entry sets. */
/*@ requires \valid_read(w) && level <= 3;
    assigns \nothing;
    ensures \result == 0 || \result == PTE_A || \result == (PTE_A | PTE_D);
    ensures \result != 0 ==> w->set_ad && !root_entry(w->kind, level);
    ensures \result == (PTE_A | PTE_D) ==> leaf && w->access == WALK_WRITE; */
static uint64_t entry_touch(const struct walk *w, unsigned level, bool leaf)
{
    if (!w->set_ad || (w->kind == PAGING_PAE && level == 2))
        return 0;
    return leaf && w->access == WALK_WRITE ? PTE_A | PTE_D : PTE_A;
}

/*@ terminates \true;
    assigns \nothing; */
static bool entry_update(const struct walk *w, void *slot, uint64_t e, uint64_t new_e)
{
    if (w->kind == PAGING_32)
        return cmpxchg_u32((uint32_t *)slot, (uint32_t)e, (uint32_t)new_e);
    return cmpxchg_u64((uint64_t *)slot, e, new_e);
}

/* Judges the entry e. 0: used, and the rights in w have advanced. -1: a fault.
 * NEEDS_UPDATE: first *out has to be stored. */
/*@ requires walk_valid(w) && \valid(out) && \separated(w, w->m, out) && level <= 3;
    assigns w->w, w->u, w->nx, w->error, *out;
    ensures \result == 0 || \result == -1 || \result == NEEDS_UPDATE;
    ensures \result == -1 ==> fault_says(w);
    ensures used: \result == 0 ==> *out == e && (e & PTE_P) != 0;
    ensures \result == 0 && leaf_entry(w->kind, w->m->cr4, level, e) ==> access_allowed(w);
    ensures update: \result == NEEDS_UPDATE ==> w->set_ad && *out != e &&
        (*out == (e | PTE_A) || *out == (e | (PTE_A | PTE_D))) &&
        w->w == \old(w->w) && w->u == \old(w->u) && w->nx == \old(w->nx); */
static int entry_judge(struct walk *w, unsigned level, uint64_t e, uint64_t *out)
{
    bool leaf = is_leaf(w, level, e);
    bool may_w = w->w, may_u = w->u, no_x = w->nx;

    if (entry_check(w, level, e, leaf) != 0)
        return -1;
    *out = e | entry_touch(w, level, leaf);
    if (*out == e)
        return 0;
    w->w = may_w;
    w->u = may_u;
    w->nx = no_x;
    return NEEDS_UPDATE;
}

/*@ terminates \true;
    assigns \nothing; */
static uint64_t entry_read(const struct walk *w, const void *slot)
{
    return w->kind == PAGING_32 ? load_u32((const uint32_t *)slot)
                                : load_u64((const uint64_t *)slot);
}

/*@ terminates \true;
    assigns \nothing; */
static void *entry_slot(mfn_t table, gaddr_t a)
{
    return (uint8_t *)mfn_to_ptr(table) + (a.v & ~PAGE_MASK);
}

/* Reads one entry without taking a reference: right when the frame's word says
 * afterwards that it is the domain's guest memory. */
/*@ requires \valid(e);
    terminates \true;
    assigns *e; */
static bool table_peek(const struct walk *w, gaddr_t a, uint64_t *e)
{
    struct p2m_entry at = p2m_lookup(w->d, gaddr_gfn(a));
    struct frame f;

    if (at.type != P2M_RAM_RW)
        return false;
    *e = entry_read(w, entry_slot(at.mfn, a));
    f = frame_read(at.mfn);
    return f.state == FRAME_USED && f.allocated && f.owner == w->d->id && f.type != FRAME_HYP &&
           f.type != FRAME_SHARED && f.type != FRAME_P2M;
}

/* Reads the entry at a under a reference to its table, setting A and D. */
/*@ requires walk_valid(w) && \valid(out) && \separated(w, w->m, out) && level <= 3;
    assigns w->w, w->u, w->nx, w->error, *out;
    ensures \result == 0 || \result == -1 || \result == -2;
    ensures \result == -1 ==> fault_says(w);
    ensures \result == 0 ==> (*out & PTE_P) != 0 &&
        (leaf_entry(w->kind, w->m->cr4, level, *out) ==> access_allowed(w)); */
static int entry_set(struct walk *w, gaddr_t a, unsigned level, uint64_t *out)
{
    unsigned tries;
    void *slot;
    int rc = NEEDS_UPDATE;
    mfn_t m;

    if (!table_get(w->d, a, &m))
        return -2;
    slot = entry_slot(m, a);
    /*@ loop invariant tries <= UPDATE_TRIES;
        loop invariant rc == 0 || rc == -1 || rc == NEEDS_UPDATE;
        loop invariant rc == -1 ==> fault_says(w);
        loop invariant rc == 0 ==> (*out & PTE_P) != 0 &&
            (leaf_entry(w->kind, w->m->cr4, level, *out) ==> access_allowed(w));
        loop assigns tries, rc, w->w, w->u, w->nx, w->error, *out;
        loop variant UPDATE_TRIES - tries; */
    for (tries = 0; rc == NEEDS_UPDATE && tries < UPDATE_TRIES; tries++) {
        uint64_t e = entry_read(w, slot);

        rc = entry_judge(w, level, e, out);
        if (rc == NEEDS_UPDATE && entry_update(w, slot, e, *out))
            rc = entry_judge(w, level, *out, out);
    }
    frame_put(m);
    p2m_written(w->d, gaddr_gfn(a));
    return rc == NEEDS_UPDATE ? walk_fault(w, 0) : rc;
}

/* Where in its table the entry is that the walk passes at level. */
/*@ requires \valid_read(w) && PAGING_32 <= w->kind <= PAGING_LONG && level <= 3;
    requires table.v <= PTE_ADDR;
    assigns \nothing;
    ensures table.v <= \result.v <= table.v + PAGE_SIZE - (w->kind == PAGING_32 ? 4 : 8);
    ensures root_entry(w->kind, level) ==> \result.v <= table.v + 24; */
static gaddr_t entry_addr(const struct walk *w, gaddr_t table, unsigned level)
{
    uint64_t last = w->kind == PAGING_32 ? 1023 : w->kind == PAGING_PAE && level == 2 ? 3 : 511;
    unsigned shift = PAGE_SHIFT + (w->kind == PAGING_32 ? 10 * level : 9 * level);
    uint64_t index = (w->la >> shift) & last;

    //@ assert 0 <= index <= last;
    return gaddr(table.v + (w->kind == PAGING_32 ? index * 4 : index * 8));
}

/*@ requires walk_valid(w) && \valid(entry) && \separated(w, w->m, entry) && level <= 3;
    requires table.v <= PTE_ADDR;
    assigns w->w, w->u, w->nx, w->error, *entry;
    ensures \result == 0 || \result == -1 || \result == -2;
    ensures \result == -1 ==> fault_says(w);
    ensures \result == 0 ==> (*entry & PTE_P) != 0 &&
        (leaf_entry(w->kind, w->m->cr4, level, *entry) ==> access_allowed(w)); */
static int level_step(struct walk *w, gaddr_t table, unsigned level, uint64_t *entry)
{
    gaddr_t a = entry_addr(w, table, level);
    uint64_t e;

    if (a.v >> GUEST_PHYS_BITS != 0)
        return -2;
    if (table_peek(w, a, &e)) {
        int rc = entry_judge(w, level, e, entry);

        if (rc != NEEDS_UPDATE)
            return rc;
    }
    return entry_set(w, a, level, entry);
}

/* The address that the leaf e at level gives w->la. */
/*@ requires \valid_read(w) && PAGING_32 <= w->kind <= PAGING_LONG && level <= 2;
    assigns \nothing; */
static gaddr_t leaf_addr(const struct walk *w, unsigned level, uint64_t e)
{
    unsigned shift = PAGE_SHIFT + (w->kind == PAGING_32 ? 10 * level : 9 * level);
    uint64_t inner = (UINT64_C(1) << shift) - 1;
    uint64_t base = e & PTE_ADDR;

    /* PSE-36: bits 20:13 of a 4 MiB entry are address bits 39:32. */
    if (w->kind == PAGING_32)
        base = (e & 0xfffff000) | (level == 1 ? ((e >> 13) & 0xff) << 32 : 0);
    return gaddr((base & ~inner) | (w->la & inner));
}

/*@ requires \valid_read(w) && \valid_read(w->m) && \valid(out) && \separated(out, w, w->m);
    requires PAGING_32 <= w->kind <= PAGING_LONG && level <= (w->kind == PAGING_32 ? 1 : 2);
    assigns out->gpa, out->order, out->writable, out->executable, out->user, out->dirty;
    ensures out->order == 9 * level;
    ensures out->writable <==> writes(w);
    ensures out->executable <==> fetches(w);
    ensures out->user <==> w->u;
    ensures out->dirty <==> (e & PTE_D) != 0; */
static void walk_leaf(const struct walk *w, unsigned level, uint64_t e, struct walk_result *out)
{
    out->gpa = leaf_addr(w, level, e);
    out->order = (uint8_t)(9 * level);
    out->writable = may_write(w);
    out->executable = may_fetch(w);
    out->user = w->u;
    out->dirty = (e & PTE_D) != 0;
}

/*@ requires \valid(out);
    assigns out->gpa, out->order, out->writable, out->executable, out->user, out->dirty;
    ensures \result == 0 && out->gpa.v == la % 0x100000000; */
static int walk_flat(uint64_t la, struct walk_result *out)
{
    out->gpa = gaddr(la & 0xffffffff);
    out->order = P2M_1G;
    out->writable = out->executable = out->user = out->dirty = true;
    return 0;
}

/*@ assigns \nothing;
    ensures \result <==> la < 0x800000000000 || la >= 0xffff800000000000; */
static bool canonical(uint64_t la)
{
    uint64_t top = la >> 47;

    return top == 0 || top == 0x1ffff;
}

/* Where the walk starts: chooses the kind of paging, returns the root's level. */
/*@ requires \valid(w) && \valid_read(w->m) && \valid(table) && \separated(w, w->m, table);
    assigns w->kind, w->la, table->v;
    ensures \result == (w->kind == PAGING_LONG ? 3 : w->kind == PAGING_PAE ? 2 : 1);
    ensures PAGING_32 <= w->kind <= PAGING_LONG && table->v <= PTE_ADDR;
    ensures w->kind == PAGING_LONG <==> (w->m->efer & EFER_LMA) != 0;
    ensures w->kind != PAGING_LONG ==> w->la <= 0xffffffff; */
static unsigned walk_root(struct walk *w, gaddr_t *table)
{
    if ((w->m->efer & EFER_LMA) != 0) {
        w->kind = PAGING_LONG;
        table->v = w->m->cr3 & PTE_ADDR;
        return 3;
    }
    w->la &= 0xffffffff;
    if ((w->m->cr4 & CR4_PAE) != 0) {
        w->kind = PAGING_PAE;
        table->v = w->m->cr3 & UINT64_C(0xffffffe0);
        return 2;
    }
    w->kind = PAGING_32;
    table->v = w->m->cr3 & UINT64_C(0xfffff000);
    return 1;
}

/* From the table at level down to a leaf. For -2, out->gpa is where the table would be. */
/*@ requires walk_valid(w) && \valid(out) && \separated(w, w->m, out);
    requires level <= (w->kind == PAGING_LONG ? 3 : w->kind == PAGING_PAE ? 2 : 1);
    requires table.v <= PTE_ADDR;
    assigns *out, w->w, w->u, w->nx, w->error;
    ensures \result == 0 || \result == -1 || \result == -2;
    ensures allowed: \result == 0 ==> allows(out, w->m, w->access);
    ensures fault: \result == -1 ==> fault_says(w); */
static int walk_down(struct walk *w, gaddr_t table, unsigned level, struct walk_result *out)
{
    uint64_t e = 0;

    /*@ loop invariant level <= (w->kind == PAGING_LONG ? 3 : w->kind == PAGING_PAE ? 2 : 1);
        loop invariant table.v <= PTE_ADDR;
        loop assigns level, table, e, w->w, w->u, w->nx, w->error;
        loop variant level; */
    for (;;) {
        int rc = level_step(w, table, level, &e);

        if (rc != 0) {
            out->gpa = table;
            return rc;
        }
        if (is_leaf(w, level, e))
            break;
        table = gaddr(w->kind == PAGING_32 ? e & 0xfffff000 : e & PTE_ADDR);
        level--;
    }
    //@ assert access_allowed(w);
    walk_leaf(w, level, e, out);
    return 0;
}

/*@ requires walk_valid(w) && \valid(out) && \separated(w, w->m, out);
    assigns *out, w->kind, w->la, w->w, w->u, w->nx, w->error;
    ensures \result == 0 || \result == -1 || \result == -2;
    ensures allowed: \result == 0 ==> allows(out, w->m, w->access);
    ensures fault: \result == -1 ==> fault_code(out->error, w->access, w->m->user); */
static int walk_paged(struct walk *w, struct walk_result *out)
{
    gaddr_t table;
    unsigned level = walk_root(w, &table);
    int rc;

    if (w->kind == PAGING_LONG && !canonical(w->la))
        rc = walk_fault(w, 0);
    else
        rc = walk_down(w, table, level, out);
    if (rc != 0)
        out->error = w->error;
    return rc;
}

/* writable and executable say what the mode's privilege may do beyond the
 * access asked for; user is the U/S right of the page. For -2, gpa is where the
 * table would be. */
/*@ requires \valid_read(m) && \valid(out) && \separated(m, out);
    requires WALK_READ <= a <= WALK_FETCH;
    assigns *out;
    ensures \result == 0 || \result == -1 || \result == -2;
    ensures allowed: \result == 0 && (m->cr0 & CR0_PG) != 0 ==> allows(out, m, a);
    ensures fault: \result == -1 ==> fault_code(out->error, a, m->user); */
int guest_walk(struct domain *d, const struct walk_mode *m, uint64_t la, enum walk_access a,
               bool set_ad, struct walk_result *out)
{
    struct walk w = {.d = d,
                     .m = m,
                     .la = la,
                     .access = a,
                     .set_ad = set_ad,
                     .kind = PAGING_32,
                     .w = true,
                     .u = true};

    out->error = 0;
    if ((m->cr0 & CR0_PG) == 0)
        return walk_flat(la, out);
    return walk_paged(&w, out);
}
