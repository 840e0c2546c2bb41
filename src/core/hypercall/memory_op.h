/* What the files of hypercall memory_op share. Source: <xen/memory.h>. */
#ifndef CORBEL_CORE_HYPERCALL_MEMORY_OP_H
#define CORBEL_CORE_HYPERCALL_MEMORY_OP_H

#include "base/xen.h"

#include <xen/memory.h>

#include "core/p2m/p2m.h"
#include "core/p2m/p2m_batch.h"
#include "core/policy/policy.h"

struct domain;
struct vcpu;

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

/* args go on at extent done. */
static inline int64_t memory_op_restart(uint64_t args[6], uint64_t done)
{
    args[0] = (args[0] & MEMOP_CMD_MASK) | (done << MEMOP_EXTENT_SHIFT);
    return HYPERCALL_RESTART;
}

/* Resolves domid for v and asks the policy. 0 and *out referenced, -XEN_ESRCH or
 * -XEN_EPERM. */
int memory_op_target(struct vcpu *v, domid_t domid, enum policy_op op, struct domain **out);

/* increase_reservation, decrease_reservation, populate_physmap: the number of
 * extents done, those before start included. */
int64_t memory_op_reservation(struct vcpu *v, uint32_t op, uint64_t start, uint64_t args[6]);

int64_t memory_op_add_to_physmap(struct vcpu *v, uint64_t start, uint64_t args[6]);
int64_t memory_op_add_to_physmap_batch(struct vcpu *v, uint64_t start, uint64_t args[6]);
int64_t memory_op_remove_from_physmap(struct vcpu *v, uint64_t gva);

int64_t memory_op_acquire_resource(struct vcpu *v, uint64_t start, uint64_t args[6]);

/* memory_op_control.c: what a toolstack asks for. */
int64_t memory_op_claim_pages(struct vcpu *v, uint64_t gva);
int64_t memory_op_pod_target(struct vcpu *v, bool set, uint64_t args[6]);
int64_t memory_op_access(struct vcpu *v, uint64_t gva);
int64_t memory_op_exchange(struct vcpu *v, uint64_t gva);
int64_t memory_op_reserved_device_memory(struct vcpu *v, uint64_t gva);

/* What was taken out of the batch's domain's map at g may have been a page of the
 * hypervisor's, whose owner hears of it. No lock is held. */
void memory_op_dropped(struct p2m_batch *b, gfn_t g, const struct p2m_entry *old);

/* What the memory operations may replace or remove. Grant mappings are not
 * among it: their references belong to the grant table's handles, and only
 * unmapping the handle ends them. */
#define MEMOP_REPLACEABLE (P2M_SET_ANY & ~P2M_SET_GRANT)

#endif
