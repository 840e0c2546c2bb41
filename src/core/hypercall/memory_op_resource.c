#include "base/arith.h"
#include "base/xen.h"

#include <xen/hvm/ioreq.h>

#include "core/domain/domain.h"
#include "core/gnttab/gnttab.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/hypercall/memory_op.h"
#include "core/mem/frame.h"
#include "core/vcpu/vcpu.h"

/* One page of status words serves this many grant frames. */
#define FRAMES_PER_STATUS (sizeof(grant_entry_v2_t) / sizeof(grant_status_t))

/* What is looked at in one go, as in Xen: it is mapped only if all of it exists. */
#define CHUNK_FRAMES 32u

#define IOREQS_PER_FRAME (PAGE_SIZE / sizeof(struct ioreq))

/* Frames of the resource that exist or may come to exist; 0: no such resource. */
/*@ requires \valid_read(d) && \valid_read(r);
    assigns \nothing;
    ensures \result != 0 ==> r->type == XENMEM_resource_ioreq_server ||
        (r->type == XENMEM_resource_grant_table && r->id <= 1); */
static uint32_t resource_size(const struct domain *d, const struct xen_mem_acquire_resource *r)
{
    uint32_t frames = d->gnttab.max_frames;

    switch (r->type) {
    case XENMEM_resource_grant_table:
        if (r->id == XENMEM_resource_grant_table_id_shared) {
            return frames;
        }
        if (r->id == XENMEM_resource_grant_table_id_status) {
            return (uint32_t)((frames + FRAMES_PER_STATUS - 1) / FRAMES_PER_STATUS);
        }
        return 0;
    case XENMEM_resource_ioreq_server:
        /* The buffered ring and the vCPUs' slots. */
        return 1 + (uint32_t)((d->max_vcpus + IOREQS_PER_FRAME - 1) / IOREQS_PER_FRAME);
    default:
        return 0; /* XENMEM_resource_vmtrace_buf: no domain has one */
    }
}

/* Finds the n frames from first on. */
/*@ requires \valid(d) && \valid_read(r) && permitted != 0 && 1 <= n <= CHUNK_FRAMES;
    requires \valid(m + (0 .. n - 1)) && \separated(m + (0 .. n - 1), r);
    requires first + n <= UINT32_MAX;
    assigns m[0 .. n - 1];
    ensures -4095 <= \result <= 0 && \result != -XEN_ERESTART; */
static int resource_frames(struct domain *d, const struct xen_mem_acquire_resource *r,
                           uint64_t first, uint64_t n, mfn_t *m)
{
    bool status = r->id == XENMEM_resource_grant_table_id_status;
    int rc;

    if (r->type == XENMEM_resource_ioreq_server) {
        /* There are no ioreq servers whose pages could be mapped. */
        return r->id > UINT16_MAX ? -XEN_EINVAL : -XEN_ENOENT;
    }
    /* The last one first: it makes the table grow. */
    rc = gnttab_get_frame(d, status, first + n - 1, &m[n - 1]);
    /*@ loop invariant 0 <= i < n && -4095 <= rc <= 0 && rc != -XEN_ERESTART;
        loop assigns i, rc, m[0 .. n - 1];
        loop variant n - i; */
    for (uint64_t i = 0; rc == 0 && i + 1 < n; i++) {
        rc = gnttab_get_frame(d, status, first + i, &m[i]);
    }
    return rc;
}

/* Maps frame m of d in the caller's map at g. */
/*@ requires batch(b) && \valid_read(d) && nothing_loose;
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs;
    ensures batch(b) && nothing_loose && -4095 <= \result <= 0 && \result != -XEN_ERESTART; */
static int acquire_one(struct p2m_batch *b, struct domain *d, uint64_t g, mfn_t m)
{
    struct p2m_entry old;
    int rc;

    if (!frame_get(m, d->id)) {
        return -XEN_EINVAL;
    }
    rc = p2m_batch_exchange(b, gfn(g), m, P2M_FOREIGN, MEMOP_REPLACEABLE, &old);
    if (rc != 0) {
        frame_put(m);
        return rc == -XEN_EEXIST ? -XEN_EBUSY : rc;
    }
    memory_op_dropped(b, gfn(g), &old);
    return 0;
}

/* Maps up to CHUNK_FRAMES of the request, from its frame i on: how many, or an error. */
/*@ requires batch(b) && \valid_read(v) && \valid(d) && \valid_read(r) && nothing_loose;
    requires i < r->nr_frames && r->frame + r->nr_frames <= UINT32_MAX;
    requires \separated(b, d) && \separated(b, r) && \separated(b, v) && \separated(r, b->d);
    assigns b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word, b->d->shared_info_gfn,
        loose_pages, loose_refs;
    ensures batch(b) && nothing_loose && \result != HYPERCALL_RESTART;
    ensures progress: \result < 0 || 0 < \result <= r->nr_frames - i; */
static int64_t acquire_chunk(struct vcpu *v, struct domain *d, struct p2m_batch *b,
                             const struct xen_mem_acquire_resource *r, uint64_t i)
{
    uint64_t g[CHUNK_FRAMES], n = min_u64(r->nr_frames - i, CHUNK_FRAMES);
    mfn_t m[CHUNK_FRAMES];
    int rc = resource_frames(d, r, r->frame + i, n, m);

    if (rc != 0) {
        return rc;
    }
    if (guest_copy_in(v, g, memory_op_element(HANDLE_GVA(r->frame_list), i, sizeof(g[0])),
                      n * sizeof(g[0])) != 0) {
        return -XEN_EFAULT;
    }
    /*@ loop invariant 0 <= j <= n && batch(b) && nothing_loose;
        loop assigns j, rc, b->flush, b->n, b->tables, unflushed, b->d->lock.spin.word,
            b->d->shared_info_gfn, loose_pages, loose_refs;
        loop variant n - j; */
    for (uint64_t j = 0; j < n; j++) {
        rc = acquire_one(b, d, g[j], m[j]);
        if (rc != 0) {
            return i + j != 0 ? -XEN_EIO : rc;
        }
    }
    return (int64_t)n;
}

/*@ requires \valid_read(v) && \valid(v->domain) && \valid(d) && \valid(r) && permitted != 0;
    requires references == 1 && unflushed == 0 && nothing_loose && !held(&v->domain->lock);
    requires arguments(v, args) && start == extents_done(args);
    requires \separated(r, v->domain) && \separated(r, args + (0 .. 5)) && \separated(v, r);
    requires r->nr_frames <= MEMOP_EXTENTS_MAX && r->frame + r->nr_frames <= UINT32_MAX;
    assigns r->nr_frames, args[0], v->domain->lock.spin.word, v->domain->shared_info_gfn,
        unflushed, loose_pages, loose_refs;
    ensures references == 1 && unflushed == 0 && nothing_loose && \result <= 0;
    ensures goes_on: \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64 &&
        start < extents_done(args) <= MEMOP_EXTENTS_MAX; */
static int64_t acquire(struct vcpu *v, struct domain *d, struct xen_mem_acquire_resource *r,
                       uint64_t start, uint64_t args[6])
{
    uint32_t size = resource_size(d, r);
    struct p2m_batch b;
    int64_t rc = 0;

    if (size == 0) {
        return -XEN_EINVAL;
    }
    if (HANDLE_GVA(r->frame_list) == 0) {
        if (r->nr_frames != 0) {
            return -XEN_EINVAL;
        }
        r->nr_frames = size;
        return guest_copy_out(v, args[1], r, sizeof(*r));
    }
    if (start >= r->nr_frames) {
        return -XEN_EINVAL;
    }
    p2m_batch_begin(&b, v->domain);
    /*@ loop invariant start <= i <= r->nr_frames && rc == 0;
        loop invariant batch(&b) && b.d == v->domain && nothing_loose;
        loop invariant args[0] == \at(args[0], Pre);
        loop assigns i, rc, args[0], b.flush, b.n, b.tables, unflushed, v->domain->lock.spin.word,
            v->domain->shared_info_gfn, loose_pages, loose_refs;
        loop variant r->nr_frames - i; */
    for (uint64_t i = start; i < r->nr_frames;) {
        rc = acquire_chunk(v, d, &b, r, i);
        if (rc < 0) {
            break;
        }
        i += (uint64_t)rc;
        rc = 0;
        if (i < r->nr_frames && hypercall_preempt()) {
            rc = memory_op_restart(args, i);
            break;
        }
    }
    p2m_batch_end(&b);
    return rc;
}

int64_t memory_op_acquire_resource(struct vcpu *v, uint64_t start, uint64_t args[6])
{
    struct xen_mem_acquire_resource r;
    struct domain *d;
    int64_t rc;

    /* Only the privileged domain's map may hold other domains' frames. */
    if (!v->domain->privileged) {
        return -XEN_EACCES;
    }
    if (guest_copy_in(v, &r, args[1], sizeof(r)) != 0) {
        return -XEN_EFAULT;
    }
    /* Progress must fit above the operation in the first argument. */
    if (r.pad != 0 || r.frame > UINT32_MAX || r.nr_frames > MEMOP_EXTENTS_MAX ||
        r.frame + r.nr_frames > UINT32_MAX) {
        return -XEN_EINVAL;
    }
    d = domain_get(r.domid);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = d == v->domain ? -XEN_EPERM : policy_check(POLICY_RESOURCE_MAP, v->domain, d);
    if (rc == 0) {
        rc = acquire(v, d, &r, start, args);
    }
    domain_put(d);
    return rc;
}
