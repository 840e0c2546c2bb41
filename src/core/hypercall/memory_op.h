/* What the files of hypercall memory_op share. Source: <xen/memory.h>. */
#ifndef CORBEL_CORE_HYPERCALL_MEMORY_OP_H
#define CORBEL_CORE_HYPERCALL_MEMORY_OP_H

#include "base/arith.h"
#include "base/xen.h"

#include <xen/memory.h>

#include "core/domain/domain.h"
#include "core/p2m/p2m.h"
#include "core/p2m/p2m_batch.h"
#include "core/policy/policy.h"
#include "core/vcpu/vcpu.h"

/* The first argument: operation, and above it how many extents an earlier part
 * of the same call has done; for decrease_reservation above that, from bit 32,
 * how many pages of the next extent. */
#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK ((UINT64_C(1) << MEMOP_EXTENT_SHIFT) - 1)
#define MEMOP_EXTENTS_MAX (UINT32_MAX >> MEMOP_EXTENT_SHIFT)
#define MEMOP_PAGES_SHIFT 32

/* Largest extents, in Xen's default configuration. */
#define MEMOP_ORDER_GUEST 9u
#define MEMOP_ORDER_CONTROL 18u

/* The linear address in a guest handle. */
#define HANDLE_GVA(h) ((uint64_t)(uintptr_t)(h).p)

/* For the proofs: whether a batch has not flushed what it has changed; references of frames
 * that no leaf has yet; and pages that were allocated, but are neither mapped nor given back. */
/*@ ghost int unflushed; */
/*@ ghost int loose_refs; */
/*@ ghost int loose_pages; */

/*@ axiomatic SomeDomain { predicate some_domain(struct domain *d) reads \nothing; } */

/*@ // v calls, and holds nothing; permitted says whether the policy has been asked.
    predicate nothing_loose{L} = loose_refs == 0 && loose_pages == 0;
    predicate nothing_held{L} = references == 0 && unflushed == 0 && nothing_loose;
    predicate calls{L}(struct vcpu *v) = \valid_read(v) && \valid(v->domain) &&
        !held(&v->domain->lock) && \separated(v, v->domain) && nothing_held && permitted == 0 &&
        \forall struct domain *d; some_domain(d) ==> d == v->domain || \separated(d, v->domain);
    // The arguments are apart from what else a handler reads, domains not least.
    predicate arguments{L}(struct vcpu *v, uint64_t *args) = \valid(args + (0 .. 5)) &&
        \separated(args + (0 .. 5), v) && \separated(args + (0 .. 5), v->domain) &&
        \forall struct domain *d; some_domain(d) ==> \separated(args + (0 .. 5), d);
    // Changes of a domain's map are under way.
    predicate batch{L}(struct p2m_batch *b) = \valid(b) && \valid(b->d) &&
        \separated(b, b->d) && !held(&b->d->lock) && permitted != 0;
    // What the first argument says of progress.
    logic integer extents_done{L}(uint64_t *args) = args[0] / 64;
    logic integer pages_done{L}(uint64_t *args) = args[0] / 0x100000000; */

/* Where element i, of size bytes, of a guest's array is; when that is beyond all
 * addresses, the last one, where no copy of more than a byte succeeds. */
/*@ requires i <= UINT32_MAX && (size == 4 || size == 8);
    assigns \nothing;
    ensures \result == \min(UINT64_MAX, array + i * size); */
static inline uint64_t memory_op_element(uint64_t array, uint64_t i, uint64_t size)
{
    /*@ assert far: i * size == (size == 4 ? i * 4 : i * 8); */
    return add_overflows(array, i * size) ? UINT64_MAX : array + i * size;
}

/* args go on at extent done. */
/*@ requires \valid(args + (0 .. 5)) && done <= UINT32_MAX;
    assigns args[0];
    ensures \result == HYPERCALL_RESTART;
    ensures args[0] == \old(args[0]) % 64 + done * 64;
    ensures lossless: args[0] % 64 == \old(args[0]) % 64 && extents_done(args) == done; */
static inline int64_t memory_op_restart(uint64_t args[6], uint64_t done)
{
    args[0] = (args[0] & MEMOP_CMD_MASK) | (done << MEMOP_EXTENT_SHIFT);
    return HYPERCALL_RESTART;
}

/* The same, with the pages of that extent that are done. */
/*@ requires \valid(args + (0 .. 5)) && done <= MEMOP_EXTENTS_MAX && page <= UINT32_MAX;
    assigns args[0];
    ensures \result == HYPERCALL_RESTART;
    ensures same: args[0] % 64 == \old(args[0]) % 64;
    ensures extents: extents_done(args) % 0x4000000 == done;
    ensures pages: pages_done(args) == page; */
static inline int64_t memory_op_restart_within(uint64_t args[6], uint64_t done, uint64_t page)
{
    (void)memory_op_restart(args, done);
    args[0] |= page << MEMOP_PAGES_SHIFT;
    /*@ assert sum: args[0] == \at(args[0], Pre) % 64 + 64 * (done + page * 0x4000000); */
    /*@ assert extents: args[0] / 64 == done + page * 0x4000000; */
    /*@ assert pages: 0 <= args[0] - page * 0x100000000 < 0x100000000; */
    return HYPERCALL_RESTART;
}

/* Resolves domid for v and asks the policy. 0 and *out referenced, -XEN_ESRCH or
 * -XEN_EPERM. */
int memory_op_target(struct vcpu *v, domid_t domid, enum policy_op op, struct domain **out);

/* increase_reservation, decrease_reservation, populate_physmap: the number of
 * extents done, those before start included. */
/*@ requires calls(v) && arguments(v, args);
    requires start == extents_done(args) && op == args[0] % 64;
    ensures nothing_held && !held(&v->domain->lock);
    ensures \result >= 0 || \result == HYPERCALL_RESTART;
    ensures goes_on: \result == HYPERCALL_RESTART ==> args[0] % 64 == op &&
        (extents_done(args) % 0x4000000 > \old(args[0]) / 64 % 0x4000000 ||
         (op == XENMEM_decrease_reservation &&
          extents_done(args) % 0x4000000 == \old(args[0]) / 64 % 0x4000000 &&
          pages_done(args) > \old(args[0]) / 0x100000000)); */
int64_t memory_op_reservation(struct vcpu *v, uint32_t op, uint64_t start, uint64_t args[6]);

/*@ requires calls(v) && arguments(v, args) && start <= UINT16_MAX;
    requires start == extents_done(args);
    ensures nothing_held && \result <= 0;
    ensures goes_on: \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64 &&
        start < extents_done(args) <= UINT16_MAX; */
int64_t memory_op_add_to_physmap(struct vcpu *v, uint64_t start, uint64_t args[6]);
/*@ requires calls(v) && arguments(v, args) && start <= UINT16_MAX;
    requires start == extents_done(args);
    ensures nothing_held && \result <= 0;
    ensures goes_on: \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64 &&
        start < extents_done(args) <= UINT16_MAX; */
int64_t memory_op_add_to_physmap_batch(struct vcpu *v, uint64_t start, uint64_t args[6]);
/*@ requires calls(v);
    ensures nothing_held && \result <= 0 && \result != HYPERCALL_RESTART; */
int64_t memory_op_remove_from_physmap(struct vcpu *v, uint64_t gva);

/*@ requires calls(v) && arguments(v, args) && start == extents_done(args);
    ensures nothing_held && \result <= 0;
    ensures goes_on: \result == HYPERCALL_RESTART ==> args[0] % 64 == \old(args[0]) % 64 &&
        start < extents_done(args) <= MEMOP_EXTENTS_MAX; */
int64_t memory_op_acquire_resource(struct vcpu *v, uint64_t start, uint64_t args[6]);

/* memory_op_control.c: what a toolstack asks for. */
/*@ requires calls(v);
    assigns references, permitted;
    ensures nothing_held && \result <= 0 && \result != HYPERCALL_RESTART; */
int64_t memory_op_claim_pages(struct vcpu *v, uint64_t gva);
/*@ requires calls(v) && arguments(v, args);
    assigns references, permitted, args[0];
    ensures nothing_held && \result <= 0;
    ensures \result == HYPERCALL_RESTART ==> args[0] == \old(args[0]) % 64; */
int64_t memory_op_pod_target(struct vcpu *v, bool set, uint64_t args[6]);
/*@ requires calls(v);
    assigns references, permitted;
    ensures nothing_held && \result < 0 && \result != HYPERCALL_RESTART; */
int64_t memory_op_access(struct vcpu *v, uint64_t gva);
/*@ requires calls(v);
    assigns references, permitted;
    ensures nothing_held && \result <= 0 && \result != HYPERCALL_RESTART; */
int64_t memory_op_exchange(struct vcpu *v, uint64_t gva);
/*@ requires calls(v);
    assigns \nothing;
    ensures \result <= 0 && \result != HYPERCALL_RESTART; */
int64_t memory_op_reserved_device_memory(struct vcpu *v, uint64_t gva);

/* What was taken out of the batch's domain's map at g may have been a page of the
 * hypervisor's, whose owner hears of it. No lock is held. */
/*@ requires batch(b) && \valid_read(old);
    assigns b->d->lock.spin.word, b->d->shared_info_gfn;
    ensures !held(&b->d->lock); */
void memory_op_dropped(struct p2m_batch *b, gfn_t g, const struct p2m_entry *old);

/* What the memory operations may replace or remove. Grant mappings are not
 * among it: their references belong to the grant table's handles, and only
 * unmapping the handle ends them. */
#define MEMOP_REPLACEABLE (P2M_SET_ANY & ~P2M_SET_GRANT)

#endif
