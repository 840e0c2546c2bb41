#include "base/arith.h"
#include "core/domain/domain.h"
#include "core/gnttab/gnttab.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/hypercall/memory_op.h"
#include "core/mem/frame.h"
#include "core/vcpu/vcpu.h"
#include "port/mem.h"

/* A page of the hypervisor that d could see at g is seen there no more. */
/*@ requires \valid(d) && !held(&d->lock);
    assigns d->lock.spin.word, d->shared_info_gfn;
    ensures !held(&d->lock); */
static void shared_unmapped(struct domain *d, gfn_t g, mfn_t m)
{
    if (m.v != ptr_to_mfn(d->shared_info).v) {
        gnttab_unmapped(d, g, m);
        return;
    }
    lock_acquire(&d->lock);
    if (d->shared_info_gfn.v == g.v) {
        d->shared_info_gfn = gfn_invalid();
    }
    lock_release(&d->lock);
}

void memory_op_dropped(struct p2m_batch *b, gfn_t g, const struct p2m_entry *old)
{
    if (old->type == P2M_SHARED) {
        shared_unmapped(b->d, g, old->mfn);
    }
}

/* Puts m at g; what was there goes with the batch. */
/*@ requires batch(b) && may_map(type, 1);
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs;
    ensures batch(b) && -4095 <= \result <= 0 && \result != -XEN_ERESTART;
    ensures \result == 0 ==> mapped{Pre, Post}(type, 1);
    ensures \result != 0 ==> mapped{Pre, Post}(P2M_INVALID, 0); */
static int replace(struct p2m_batch *b, gfn_t g, mfn_t m, enum p2m_type type)
{
    struct p2m_entry old;
    int rc = p2m_batch_exchange(b, g, m, type, MEMOP_REPLACEABLE, &old);

    if (rc == 0 && (type != P2M_SHARED || old.type != P2M_SHARED || old.mfn.v != m.v)) {
        memory_op_dropped(b, g, &old);
    }
    return rc == -XEN_EEXIST ? -XEN_EBUSY : rc;
}

/* There is one place for shared_info: the old one is given up. */
/*@ requires batch(b) && nothing_loose;
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs;
    ensures batch(b) && nothing_loose && \result <= 0 && \result != -XEN_ERESTART; */
static int map_shared_info(struct p2m_batch *b, uint64_t idx, gfn_t g)
{
    struct domain *d = b->d;
    mfn_t m = ptr_to_mfn(d->shared_info);
    gfn_t before;
    int rc;

    if (idx != 0) {
        return -XEN_EINVAL;
    }
    rc = replace(b, g, m, P2M_SHARED);
    if (rc != 0) {
        return rc;
    }
    lock_acquire(&d->lock);
    before = d->shared_info_gfn;
    d->shared_info_gfn = g;
    lock_release(&d->lock);
    if (!gfn_is_invalid(before) && before.v != g.v) {
        (void)p2m_unmap_if(d, before, m); /* gone already: the guest removed it */
    }
    return 0;
}

/*@ requires batch(b) && nothing_loose;
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs;
    ensures batch(b) && nothing_loose && \result <= 0 && \result != -XEN_ERESTART; */
static int map_grant_frame(struct p2m_batch *b, uint64_t idx, gfn_t g)
{
    struct domain *d = b->d;
    mfn_t m;
    int rc;

    if (g.v >= UINT64_C(1) << P2M_GFN_BITS) {
        return -XEN_EINVAL;
    }
    rc = gnttab_frame_at(d, idx, &m);
    if (rc != 0) {
        return rc;
    }
    rc = replace(b, g, m, P2M_SHARED);
    if (rc == 0) {
        gnttab_mapped(d, g, m);
    }
    return rc;
}

/*@ requires batch(b) && nothing_loose;
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn;
    ensures batch(b) && \result <= 0 && \result != -XEN_ERESTART; */
static int move_own(struct p2m_batch *b, uint64_t idx, gfn_t g)
{
    struct p2m_entry old;
    int rc;

    (void)p2m_lookup(b->d, gfn(idx)); /* populated when that is due */
    rc = p2m_batch_move(b, gfn(idx), g, MEMOP_REPLACEABLE, &old);
    if (rc == 0) {
        memory_op_dropped(b, g, &old);
    }
    return rc == -XEN_EEXIST ? -XEN_EBUSY : rc;
}

/* Maps frame idx of domain foreign at g. */
/*@ requires batch(b) && nothing_loose && references == 1;
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        references, permitted, loose_pages, loose_refs;
    ensures batch(b) && nothing_loose && references == 1;
    ensures \result <= 0 && \result != -XEN_ERESTART; */
static int map_foreign(struct p2m_batch *b, domid_t foreign, uint64_t idx, gfn_t g)
{
    struct domain *f = domain_get(foreign);
    struct p2m_entry e;
    int rc;

    if (f == NULL) {
        return -XEN_ESRCH;
    }
    /* As in Xen it is the domain that gets to see the frame which must be allowed to. */
    rc = f == b->d ? -XEN_EINVAL : policy_check(POLICY_FOREIGN_MAP, b->d, f);
    if (rc == 0 && !p2m_get_page(f, gfn(idx), &e)) {
        rc = -XEN_EINVAL;
    } else if (rc == 0) {
        /* The reference passes to the entry. */
        rc = e.type == P2M_RAM_RW ? replace(b, g, e.mfn, P2M_FOREIGN) : -XEN_EINVAL;
        if (rc != 0) {
            frame_put(e.mfn);
        }
    }
    domain_put(f);
    return rc;
}

/*@ requires batch(b) && nothing_loose && references == 1;
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        references, permitted, loose_pages, loose_refs;
    ensures batch(b) && nothing_loose && references == 1;
    ensures \result <= 0 && \result != -XEN_ERESTART; */
static int map_one(struct p2m_batch *b, unsigned space, domid_t foreign, uint64_t idx, uint64_t g)
{
    switch (space) {
    case XENMAPSPACE_shared_info:
        return map_shared_info(b, idx, gfn(g));
    case XENMAPSPACE_grant_table:
        return map_grant_frame(b, idx, gfn(g));
    case XENMAPSPACE_gmfn:
        return move_own(b, idx, gfn(g));
    case XENMAPSPACE_gmfn_foreign:
        return map_foreign(b, foreign, idx, gfn(g));
    default:
        return -XEN_EINVAL;
    }
}

/*@ requires batch(batch) && nothing_loose && references == 1;
    requires \valid_read(a) && \valid(args + (0 .. 5)) && start == extents_done(args);
    requires \separated(args + (0 .. 5), a, batch, batch->d) && \separated(a, batch, batch->d);
    assigns batch->flush, batch->n, batch->tables, unflushed, batch->d->lock.spin.word,
        batch->d->shared_info_gfn, references, permitted, loose_pages, loose_refs, args[0];
    ensures batch(batch) && nothing_loose && references == 1 && \result <= 0;
    ensures \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64 &&
        start < extents_done(args) < a->size; */
static int64_t move_range(struct p2m_batch *batch, const struct xen_add_to_physmap *a,
                          uint64_t start, uint64_t args[6])
{
    if (a->size < start) {
        return -XEN_EILSEQ;
    }
    if (add_overflows(a->gpfn, a->size) || add_overflows(a->idx, a->size)) {
        return -XEN_EOVERFLOW;
    }
    /*@ loop invariant start <= i && (i != start ==> i <= a->size) && batch(batch);
        loop invariant nothing_loose && references == 1;
        loop invariant args[0] == \at(args[0], Pre);
        loop assigns i, batch->flush, batch->n, batch->tables, unflushed, batch->d->lock.spin.word,
            batch->d->shared_info_gfn, references, permitted, loose_pages, loose_refs;
        loop variant a->size - i; */
    for (uint64_t i = start; i < a->size;) {
        int rc = map_one(batch, XENMAPSPACE_gmfn, DOMID_INVALID, a->idx + i, a->gpfn + i);

        if (rc != 0) {
            return rc;
        }
        if (++i < a->size && hypercall_preempt()) {
            return memory_op_restart(args, i);
        }
    }
    return 0;
}

int64_t memory_op_add_to_physmap(struct vcpu *v, uint64_t start, uint64_t args[6])
{
    struct xen_add_to_physmap a;
    struct p2m_batch b;
    struct domain *d;
    int64_t rc;

    if (guest_copy_in(v, &a, args[1], sizeof(a)) != 0) {
        return -XEN_EFAULT;
    }
    if (a.space == XENMAPSPACE_gmfn_foreign) {
        return -XEN_ENOSYS; /* the batch names the other domain */
    }
    rc = memory_op_target(v, a.domid, POLICY_MEMORY_MAP, &d);
    if (rc != 0) {
        return rc;
    }
    p2m_batch_begin(&b, d);
    rc = a.space == XENMAPSPACE_gmfn_range ? move_range(&b, &a, start, args)
                                           : map_one(&b, a.space, DOMID_INVALID, a.idx, a.gpfn);
    p2m_batch_end(&b);
    domain_put(d);
    return rc;
}

/* The batch's entries from start on. */
/*@ requires batch(batch) && nothing_loose && references == 1 && \valid_read(v);
    requires \valid_read(b) && \valid(args + (0 .. 5)) && start == extents_done(args);
    requires \separated(args + (0 .. 5), b, batch, batch->d) && \separated(b, batch, batch->d);
    assigns batch->flush, batch->n, batch->tables, unflushed, batch->d->lock.spin.word,
        batch->d->shared_info_gfn, references, permitted, loose_pages, loose_refs, args[0];
    ensures batch(batch) && nothing_loose && references == 1 && \result <= 0;
    ensures \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64 &&
        start < extents_done(args) < b->size; */
static int64_t map_batch(struct vcpu *v, struct p2m_batch *batch,
                         const struct xen_add_to_physmap_batch *b, uint64_t start, uint64_t args[6])
{
    /*@ loop invariant start <= i && (i != start ==> i <= b->size) && batch(batch);
        loop invariant nothing_loose && references == 1;
        loop invariant args[0] == \at(args[0], Pre);
        loop assigns i, batch->flush, batch->n, batch->tables, unflushed, batch->d->lock.spin.word,
            batch->d->shared_info_gfn, references, permitted, loose_pages, loose_refs;
        loop variant b->size - i; */
    for (uint64_t i = start; i < b->size;) {
        uint64_t idx, g;
        int32_t err;

        if (guest_copy_in(v, &idx, memory_op_element(HANDLE_GVA(b->idxs), i, sizeof(idx)),
                          sizeof(idx)) != 0 ||
            guest_copy_in(v, &g, memory_op_element(HANDLE_GVA(b->gpfns), i, sizeof(g)),
                          sizeof(g)) != 0) {
            return -XEN_EFAULT;
        }
        err = map_one(batch, b->space, b->u.foreign_domid, idx, g);
        if (guest_copy_out(v, memory_op_element(HANDLE_GVA(b->errs), i, sizeof(err)), &err,
                           sizeof(err)) != 0) {
            return -XEN_EFAULT;
        }
        if (++i < b->size && hypercall_preempt()) {
            return memory_op_restart(args, i);
        }
    }
    return 0;
}

int64_t memory_op_add_to_physmap_batch(struct vcpu *v, uint64_t start, uint64_t args[6])
{
    struct xen_add_to_physmap_batch b;
    struct p2m_batch batch;
    struct domain *d;
    int64_t rc;

    if (guest_copy_in(v, &b, args[1], sizeof(b)) != 0) {
        return -XEN_EFAULT;
    }
    if (b.space == XENMAPSPACE_gmfn_range) {
        return -XEN_EOPNOTSUPP;
    }
    rc = memory_op_target(v, b.domid, POLICY_MEMORY_MAP, &d);
    if (rc != 0) {
        return rc;
    }
    if (start != 0 && start >= b.size) {
        rc = -XEN_EILSEQ;
    } else if (b.space == XENMAPSPACE_dev_mmio && b.u.res0 != 0) {
        rc = -XEN_EOPNOTSUPP;
    } else {
        p2m_batch_begin(&batch, d);
        rc = map_batch(v, &batch, &b, start, args);
        p2m_batch_end(&batch);
    }
    domain_put(d);
    return rc;
}

int64_t memory_op_remove_from_physmap(struct vcpu *v, uint64_t gva)
{
    struct xen_remove_from_physmap a;
    struct p2m_entry old;
    struct p2m_batch b;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &a, gva, sizeof(a)) != 0) {
        return -XEN_EFAULT;
    }
    rc = memory_op_target(v, a.domid, POLICY_MEMORY_MAP, &d);
    if (rc != 0) {
        return rc;
    }
    p2m_batch_begin(&b, d);
    rc = p2m_batch_unmap(&b, gfn(a.gpfn), P2M_4K, mfn_invalid(), MEMOP_REPLACEABLE, &old);
    if (rc == 0) {
        memory_op_dropped(&b, gfn(a.gpfn), &old);
    }
    p2m_batch_end(&b);
    domain_put(d);
    return rc == -XEN_EEXIST ? -XEN_EBUSY : rc;
}
