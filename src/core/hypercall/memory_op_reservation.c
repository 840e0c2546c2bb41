#include "base/arith.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/hypercall/memory_op.h"
#include "core/mem/page_alloc.h"
#include "core/vcpu/vcpu.h"

/* Largest extents, in Xen's default configuration. */
#define MAX_ORDER_GUEST 9u
#define MAX_ORDER_CONTROL 18u

/* A checked request. */
struct reservation {
    struct domain *d; /* referenced */
    uint64_t extents; /* guest array of frame numbers */
    uint64_t count;
    unsigned order;
    unsigned addr_bits; /* 0: any */
};

/* False: nothing of it can be done. */
static bool reservation_decode(struct vcpu *v, uint32_t op, uint64_t start, uint64_t gva,
                               struct reservation *r)
{
    struct xen_memory_reservation arg;
    uint32_t bits;

    if (guest_copy_in(v, &arg, gva, sizeof(arg)) != 0 || arg.nr_extents > MEMOP_EXTENTS_MAX ||
        start >= arg.nr_extents ||
        arg.extent_order > (v->domain->privileged ? MAX_ORDER_CONTROL : MAX_ORDER_GUEST)) {
        return false;
    }
    bits = op == XENMEM_decrease_reservation ? 0 : XENMEMF_get_address_bits(arg.mem_flags);
    if (bits != 0 && bits <= PAGE_SHIFT) {
        return false;
    }
    /* Memory that appears on first touch is not offered. */
    if (op == XENMEM_populate_physmap && (arg.mem_flags & XENMEMF_populate_on_demand) != 0) {
        return false;
    }
    r->extents = HANDLE_GVA(arg.extent_start);
    r->count = arg.nr_extents;
    r->order = arg.extent_order;
    r->addr_bits = bits < 64 ? bits : 0;
    return memory_op_target(v, arg.domid, POLICY_MEMORY_ADJUST, &r->d) == 0;
}

/* Maps 4 KiB or one superpage of new memory at g + *done from m + *done on; what
 * was there goes. Counts in *done what is mapped. */
static int populate_leaf(struct domain *d, gfn_t g, mfn_t m, unsigned order, uint64_t *done)
{
    uint64_t end = *done + (UINT64_C(1) << order);
    int rc = p2m_map_new(d, gfn(g.v + *done), mfn(m.v + *done), order, P2M_RAM_RW);

    if (rc == 0) {
        *done = end;
    }
    if (rc != -XEN_EEXIST) {
        return rc;
    }
    while (*done < end) {
        gfn_t at = gfn(g.v + *done);
        struct p2m_entry old;

        rc = p2m_exchange(d, at, mfn(m.v + *done), P2M_RAM_RW, MEMOP_REPLACEABLE, &old);
        if (rc != 0) {
            return rc;
        }
        memory_op_dropped(d, at, &old);
        ++*done;
    }
    return 0;
}

/* Maps new frames [m, m + 2^order) at g in the largest leaves that fit. On
 * failure none of them stays. */
static bool populate_extent(struct domain *d, gfn_t g, mfn_t m, unsigned order)
{
    uint64_t n = UINT64_C(1) << order;
    uint64_t done = 0;
    int rc = 0;

    while (rc == 0 && done < n) {
        uint64_t aligned = (g.v + done) | done | n;
        unsigned leaf = P2M_4K;

        if (aligned % (UINT64_C(1) << P2M_1G) == 0) {
            leaf = P2M_1G;
        } else if (aligned % (UINT64_C(1) << P2M_2M) == 0) {
            leaf = P2M_2M;
        }
        rc = populate_leaf(d, g, m, leaf, &done);
    }
    for (uint64_t i = 0; rc != 0 && i < n; i++) {
        /* Whoever unmaps a frame frees it; one that was never mapped is ours. */
        if (i >= done || p2m_unmap_if(d, gfn(g.v + i), mfn(m.v + i)) == 0) {
            p2m_release_ram(d, mfn(m.v + i));
        }
    }
    return rc == 0;
}

static bool populate_one(const struct reservation *r, uint64_t g)
{
    mfn_t m;

    if (!range_within(g, UINT64_C(1) << r->order, UINT64_C(1) << P2M_GFN_BITS)) {
        return false;
    }
    m = guest_pages_alloc_below(r->d, r->order, r->addr_bits);
    return !mfn_is_invalid(m) && populate_extent(r->d, gfn(g), m, r->order);
}

/* Takes own RAM out of [g, g + 2^order) and frees it. */
static bool decrease_one(const struct reservation *r, uint64_t g)
{
    if (!range_within(g, UINT64_C(1) << r->order, UINT64_C(1) << P2M_GFN_BITS)) {
        return false;
    }
    for (uint64_t i = 0; i < UINT64_C(1) << r->order; i++) {
        struct p2m_entry old;

        if (p2m_unmap_types(r->d, gfn(g + i), P2M_SET_OWN_RAM, &old) != 0) {
            return false;
        }
        p2m_release_ram(r->d, old.mfn);
    }
    return true;
}

int64_t memory_op_reservation(struct vcpu *v, uint32_t op, uint64_t start, uint64_t args[6])
{
    struct reservation r;
    uint64_t i = start;
    bool preempted = false;

    if (!reservation_decode(v, op, start, args[1], &r)) {
        return (int64_t)start;
    }
    /* Memory without a place in the map has no use for a translated domain, and
     * all domains here are: increase_reservation gives none. */
    while (op != XENMEM_increase_reservation && i < r.count) {
        uint64_t g;

        if (i != start && hypercall_preempt()) {
            preempted = true;
            break;
        }
        if (guest_copy_in(v, &g, r.extents + i * sizeof(g), sizeof(g)) != 0 ||
            !(op == XENMEM_populate_physmap ? populate_one(&r, g) : decrease_one(&r, g))) {
            break;
        }
        i++;
    }
    domain_put(r.d);
    return preempted ? memory_op_restart(args, i) : (int64_t)i;
}
