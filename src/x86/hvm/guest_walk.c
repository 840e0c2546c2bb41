/* The guest's own page tables, walked in software as SDM Vol. 3 ch. 4 and APM
 * Vol. 2 ch. 5 describe them. Runs on every TLB miss of the simulator and on
 * every access the hypervisor makes to a guest's linear addresses. */
#include "x86/hvm/hvm.h"

#include "base/atomic.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m.h"
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

static uint64_t bits(unsigned hi, unsigned lo)
{
    return (~UINT64_C(0) >> (63 - hi)) & (~UINT64_C(0) << lo);
}

/* A page-table frame: the domain's own writable RAM, referenced for as long as
 * it is written, so that no stale mapping makes us write a reused one. */
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
static uint64_t reserved_bits(const struct walk *w, unsigned level, bool leaf)
{
    uint64_t mask;

    if (w->kind == PAGING_32)
        return level == 1 && leaf ? UINT64_C(1) << 21 : 0;
    mask = bits(51, GUEST_PHYS_BITS);
    if ((w->m->efer & EFER_NXE) == 0)
        mask |= PTE_NX;
    if (w->kind == PAGING_PAE) {
        mask |= bits(62, 52);
        if (level == 2)
            return mask | PTE_NX | bits(8, 5) | bits(2, 1);
    }
    if (level == 3)
        mask |= PTE_PS;
    else if (level != 0 && leaf)
        mask |= level == 2 ? bits(29, 13) : bits(20, 13);
    return mask;
}

static bool may_write(const struct walk *w)
{
    return w->w || (!w->m->user && (w->m->cr0 & CR0_WP) == 0);
}

static bool may_fetch(const struct walk *w)
{
    return !w->nx && !(!w->m->user && w->u && (w->m->cr4 & CR4_SMEP) != 0);
}

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

static int walk_fault(struct walk *w, uint32_t why)
{
    w->error = why;
    if (w->access == WALK_WRITE)
        w->error |= PF_WRITE;
    if (w->m->user)
        w->error |= PF_USER;
    if (w->access == WALK_FETCH &&
        ((w->m->cr4 & CR4_SMEP) != 0 || (w->kind != PAGING_32 && (w->m->efer & EFER_NXE) != 0)))
        w->error |= PF_FETCH;
    return -1;
}

/* Checks one entry and folds its rights into w. */
static int entry_check(struct walk *w, unsigned level, uint64_t e, bool leaf)
{
    if ((e & PTE_P) == 0)
        return walk_fault(w, 0);
    if ((e & reserved_bits(w, level, leaf)) != 0)
        return walk_fault(w, PF_PRESENT | PF_RESERVED);
    if (w->kind == PAGING_PAE && level == 2)
        return 0;
    w->w = w->w && (e & PTE_W) != 0;
    w->u = w->u && (e & PTE_U) != 0;
    w->nx = w->nx || (w->kind != PAGING_32 && (e & PTE_NX) != 0);
    if (leaf && !may_access(w))
        return walk_fault(w, PF_PRESENT);
    return 0;
}

/* The accessed and dirty bits that this use of the entry sets. */
static uint64_t entry_touch(const struct walk *w, unsigned level, bool leaf)
{
    if (!w->set_ad || (w->kind == PAGING_PAE && level == 2))
        return 0;
    return PTE_A | (leaf && w->access == WALK_WRITE ? PTE_D : 0);
}

static bool entry_update(const struct walk *w, void *slot, uint64_t e, uint64_t new_e)
{
    if (w->kind == PAGING_32)
        return cmpxchg_u32(slot, (uint32_t)e, (uint32_t)new_e);
    return cmpxchg_u64(slot, e, new_e);
}

/* Judges the entry e. 0: used, and the rights in w have advanced. -1: a fault.
 * NEEDS_UPDATE: first *out has to be stored. */
static int entry_judge(struct walk *w, unsigned level, uint64_t e, uint64_t *out)
{
    bool leaf = is_leaf(w, level, e);
    struct walk next = *w;

    if (entry_check(&next, level, e, leaf) != 0) {
        w->error = next.error;
        return -1;
    }
    *out = e | entry_touch(w, level, leaf);
    if (*out != e)
        return NEEDS_UPDATE;
    *w = next;
    return 0;
}

static uint64_t entry_read(const struct walk *w, const void *slot)
{
    return w->kind == PAGING_32 ? load_u32(slot) : load_u64(slot);
}

/* Reads one entry without taking a reference: right when the frame's word says
 * afterwards that it is the domain's guest memory. */
static bool table_peek(const struct walk *w, gaddr_t a, uint64_t *e)
{
    struct p2m_entry at = p2m_lookup(w->d, gaddr_gfn(a));
    struct frame f;

    if (at.type != P2M_RAM_RW)
        return false;
    *e = entry_read(w, (uint8_t *)mfn_to_ptr(at.mfn) + (a.v & ~PAGE_MASK));
    f = frame_read(at.mfn);
    return f.state == FRAME_USED && f.allocated && f.owner == w->d->id && f.type != FRAME_HYP &&
           f.type != FRAME_SHARED && f.type != FRAME_P2M;
}

/* Reads the entry at a under a reference to its table, setting A and D. */
static int entry_set(struct walk *w, gaddr_t a, unsigned level, uint64_t *out)
{
    unsigned tries;
    uint64_t *slot;
    int rc = NEEDS_UPDATE;
    mfn_t m;

    if (!table_get(w->d, a, &m))
        return -2;
    slot = (uint64_t *)((uint8_t *)mfn_to_ptr(m) + (a.v & ~PAGE_MASK));
    for (tries = 0; rc == NEEDS_UPDATE && tries < UPDATE_TRIES; tries++) {
        uint64_t e = entry_read(w, slot);

        rc = entry_judge(w, level, e, out);
        if (rc == NEEDS_UPDATE && entry_update(w, slot, e, *out))
            rc = entry_judge(w, level, *out, out);
    }
    frame_put(m);
    return rc == NEEDS_UPDATE ? walk_fault(w, 0) : rc;
}

static int level_step(struct walk *w, gaddr_t table, unsigned level, uint64_t *entry)
{
    unsigned index_bits = w->kind == PAGING_32 ? 10 : w->kind == PAGING_PAE && level == 2 ? 2 : 9;
    unsigned shift = PAGE_SHIFT + level * (w->kind == PAGING_32 ? 10 : 9);
    uint64_t index = (w->la >> shift) & ((UINT64_C(1) << index_bits) - 1), e;
    gaddr_t a = gaddr(table.v + index * (w->kind == PAGING_32 ? 4 : 8));

    if (a.v >> GUEST_PHYS_BITS != 0)
        return -2;
    if (table_peek(w, a, &e)) {
        int rc = entry_judge(w, level, e, entry);

        if (rc != NEEDS_UPDATE)
            return rc;
    }
    return entry_set(w, a, level, entry);
}

static void walk_leaf(const struct walk *w, unsigned level, uint64_t e, struct walk_result *out)
{
    uint64_t size = UINT64_C(1) << (PAGE_SHIFT + level * (w->kind == PAGING_32 ? 10 : 9));
    uint64_t base = e & PTE_ADDR;

    /* PSE-36: bits 20:13 of a 4 MiB entry are address bits 39:32. */
    if (w->kind == PAGING_32)
        base = (e & 0xfffff000) | (level == 1 ? ((e >> 13) & 0xff) << 32 : 0);
    out->gpa = gaddr((base & ~(size - 1)) | (w->la & (size - 1)));
    out->order = (uint8_t)(9 * level);
    out->writable = may_write(w);
    out->executable = may_fetch(w);
    out->user = w->u;
    out->dirty = (e & PTE_D) != 0;
}

static int walk_flat(uint64_t la, struct walk_result *out)
{
    out->gpa = gaddr(la & 0xffffffff);
    out->order = P2M_1G;
    out->writable = out->executable = out->user = out->dirty = true;
    return 0;
}

static bool canonical(uint64_t la)
{
    uint64_t top = la >> 47;

    return top == 0 || top == 0x1ffff;
}

/* writable and executable say what the mode's privilege may do beyond the
 * access asked for; user is the U/S right of the page. For -2, gpa is where the
 * table would be. */
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
    gaddr_t table = gaddr(m->cr3 & UINT64_C(0xfffff000));
    unsigned level = 1;
    uint64_t e = 0;
    int rc;

    out->error = 0;
    if ((m->cr0 & CR0_PG) == 0)
        return walk_flat(la, out);
    if ((m->efer & EFER_LMA) != 0) {
        w.kind = PAGING_LONG;
        table = gaddr(m->cr3 & PTE_ADDR);
        level = 3;
        if (!canonical(la)) {
            rc = walk_fault(&w, 0);
            out->error = w.error;
            return rc;
        }
    } else {
        w.la = la & 0xffffffff;
        if ((m->cr4 & CR4_PAE) != 0) {
            w.kind = PAGING_PAE;
            table = gaddr(m->cr3 & UINT64_C(0xffffffe0));
            level = 2;
        }
    }
    for (;;) {
        rc = level_step(&w, table, level, &e);
        if (rc != 0) {
            out->error = w.error;
            out->gpa = table;
            return rc;
        }
        if (is_leaf(&w, level, e))
            break;
        table = gaddr(w.kind == PAGING_32 ? e & 0xfffff000 : e & PTE_ADDR);
        level--;
    }
    walk_leaf(&w, level, e, out);
    return 0;
}
