/* Memory: <xen/memory.h>. */
#include "fuzz/grammar_table.h"

#include <xen/memory.h>

#define MEM(name, st, ...)                                                                         \
    {                                                                                              \
        "memory_" #name, OP_CALL, SUB_REG, 1, __HYPERVISOR_memory_op, XENMEM_##name, sizeof(st),   \
            false, G_MEMORY,                                                                       \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define NOTHING(name)                                                                              \
    {                                                                                              \
        "memory_" #name, OP_CALL, SUB_REG, 1, __HYPERVISOR_memory_op, XENMEM_##name, 64, false,    \
            G_MEMORY,                                                                              \
        {                                                                                          \
            R(2, "unused", K_INT, 2)                                                               \
        }                                                                                          \
    }

typedef struct xen_memory_reservation res_t;
typedef struct xen_memory_exchange exchange_t;
typedef struct xen_add_to_physmap add_t;
typedef struct xen_add_to_physmap_batch batch_t;
typedef struct xen_remove_from_physmap remove_t;
typedef struct xen_memory_domain dom_t;
typedef struct xen_memory_map map_t;
typedef struct xen_foreign_memory_map fmap_t;
typedef struct xen_pod_target pod_t;
typedef struct xen_mem_access_op access_t;
typedef struct xen_mem_acquire_resource acquire_t;
typedef struct xen_reserved_device_memory_map rdm_t;
typedef struct xen_vnuma_topology_info vnuma_t;

static const uint64_t spaces[] = {XENMAPSPACE_grant_table, XENMAPSPACE_gmfn,
                                  XENMAPSPACE_shared_info, XENMAPSPACE_grant_table,
                                  XENMAPSPACE_gmfn_range,  XENMAPSPACE_gmfn_foreign,
                                  XENMAPSPACE_dev_mmio,    6};
static const uint64_t batch_spaces[] = {XENMAPSPACE_gmfn_foreign, XENMAPSPACE_gmfn_foreign,
                                        XENMAPSPACE_gmfn,         XENMAPSPACE_grant_table,
                                        XENMAPSPACE_shared_info,  XENMAPSPACE_dev_mmio,
                                        XENMAPSPACE_gmfn_range};
static const uint64_t resources[] = {XENMEM_resource_grant_table, XENMEM_resource_grant_table,
                                     XENMEM_resource_ioreq_server, XENMEM_resource_vmtrace_buf, 9};

static const uint64_t grant_frames[] = {
    0, 1, 2, 3, XENMAPIDX_grant_table_status, XENMAPIDX_grant_table_status | 1, 5};

#define MEM_FLAGS (XENMEMF_populate_on_demand | XENMEMF_exact_node_request | XENMEMF_vnode | 0xff)

static const struct op_desc ops[] = {
    MEM(increase_reservation, res_t, L(res_t, extent_start, K_HOLE, 8, 0),
        S(res_t, nr_extents, K_COUNT, 0), S(res_t, extent_order, K_ORDER, 0),
        S(res_t, mem_flags, K_FLAGS, MEM_FLAGS), S(res_t, domid, K_DOMID, 0), O("start", K_INT, 4)),
    MEM(decrease_reservation, res_t, L(res_t, extent_start, K_GFN, 8, 0),
        S(res_t, nr_extents, K_COUNT, 0), S(res_t, extent_order, K_ORDER, 0),
        S(res_t, mem_flags, K_FLAGS, MEM_FLAGS), S(res_t, domid, K_DOMID, 0), O("start", K_INT, 4)),
    MEM(populate_physmap, res_t, L(res_t, extent_start, K_HOLE, 8, 0),
        S(res_t, nr_extents, K_COUNT, 0), S(res_t, extent_order, K_ORDER, 0),
        S(res_t, mem_flags, K_FLAGS, MEM_FLAGS), S(res_t, domid, K_DOMID, 0), O("start", K_INT, 4)),
    MEM(exchange, exchange_t, L(exchange_t, in.extent_start, K_GFN, 8, 0),
        S(exchange_t, in.nr_extents, K_COUNT, 0), S(exchange_t, in.extent_order, K_ORDER, 0),
        S(exchange_t, out.nr_extents, K_COUNT, 0), S(exchange_t, out.extent_order, K_ORDER, 0),
        S(exchange_t, in.domid, K_DOMID, 0), S(exchange_t, out.domid, K_DOMID, 0),
        S(exchange_t, nr_exchanged, K_COUNT, 0), L(exchange_t, out.extent_start, K_HOLE, 8, 0)),
    NOTHING(maximum_ram_page),
    MEM(current_reservation, dom_t, S(dom_t, domid, K_DOMID, 0)),
    MEM(maximum_reservation, dom_t, S(dom_t, domid, K_DOMID, 0)),
    MEM(maximum_gpfn, dom_t, S(dom_t, domid, K_DOMID, 0)),
    MEM(add_to_physmap, add_t, S(add_t, domid, K_DOMID, 0), S(add_t, size, K_COUNT, 0),
        E(add_t, space, spaces), S(add_t, idx, K_GFN, 0), S(add_t, gpfn, K_HOLE, 0),
        O("start", K_INT, 4)),
    {"memory_add_grant_frame",
     OP_CALL,
     SUB_REG,
     1,
     __HYPERVISOR_memory_op,
     XENMEM_add_to_physmap,
     sizeof(add_t),
     false,
     G_MEMORY | G_GRANT,
     {S(add_t, domid, K_DOMID, 0), S(add_t, space, K_INT, 2), E(add_t, idx, grant_frames),
      S(add_t, gpfn, K_HOLE, 0)}},
    MEM(add_to_physmap_batch, batch_t, S(batch_t, domid, K_DOMID, 0),
        E(batch_t, space, batch_spaces), S(batch_t, size, K_COUNT, 0),
        S(batch_t, u.foreign_domid, K_DOMID, 0), L(batch_t, idxs, K_GFN, 8, 0),
        L(batch_t, gpfns, K_HOLE, 8, 0), S(batch_t, errs, K_GVA, 0), O("start", K_INT, 4)),
    MEM(remove_from_physmap, remove_t, S(remove_t, domid, K_DOMID, 0), S(remove_t, gpfn, K_GFN, 0)),
    MEM(memory_map, map_t, S(map_t, nr_entries, K_COUNT, 0), S(map_t, buffer, K_GVA, 0)),
    MEM(machine_memory_map, map_t, S(map_t, nr_entries, K_COUNT, 0), S(map_t, buffer, K_GVA, 0)),
    MEM(set_memory_map, fmap_t, S(fmap_t, domid, K_DOMID, 0), S(fmap_t, map.nr_entries, K_COUNT, 0),
        S(fmap_t, map.buffer, K_GVA, 0)),
    MEM(set_pod_target, pod_t, S(pod_t, target_pages, K_INT, 64), S(pod_t, domid, K_DOMID, 0)),
    MEM(get_pod_target, pod_t, S(pod_t, domid, K_DOMID, 0)),
    NOTHING(get_sharing_freed_pages),
    NOTHING(get_sharing_shared_pages),
    MEM(paging_op, xen_mem_paging_op_t, S(xen_mem_paging_op_t, domain, K_DOMID, 0),
        S(xen_mem_paging_op_t, op, K_INT, 3), S(xen_mem_paging_op_t, gfn, K_GFN, 0)),
    MEM(access_op, access_t, S(access_t, op, K_INT, 6), S(access_t, access, K_INT, 10),
        S(access_t, domid, K_DOMID, 0), S(access_t, nr, K_COUNT, 0), S(access_t, pfn, K_GFN, 0)),
    MEM(sharing_op, xen_mem_sharing_op_t, S(xen_mem_sharing_op_t, op, K_INT, 12),
        S(xen_mem_sharing_op_t, domain, K_DOMID, 0)),
    MEM(claim_pages, res_t, S(res_t, nr_extents, K_INT, 256), S(res_t, domid, K_DOMID, 0),
        S(res_t, extent_order, K_INT, 1)),
    MEM(get_vnumainfo, vnuma_t, S(vnuma_t, domid, K_DOMID, 0), S(vnuma_t, pad, K_INT, 1)),
    MEM(acquire_resource, acquire_t, S(acquire_t, domid, K_DOMID, 0), E(acquire_t, type, resources),
        S(acquire_t, id, K_INT, 3), S(acquire_t, nr_frames, K_COUNT, 0),
        S(acquire_t, frame, K_INT, 6), L(acquire_t, frame_list, K_HOLE, 8, 0),
        O("start", K_INT, 4)),
    MEM(reserved_device_memory_map, rdm_t, S(rdm_t, flags, K_FLAGS, 1),
        S(rdm_t, nr_entries, K_COUNT, 0), S(rdm_t, buffer, K_GVA, 0)),
    {"memory_unknown",
     OP_CALL,
     SUB_NONE,
     1,
     __HYPERVISOR_memory_op,
     0,
     64,
     false,
     G_MEMORY,
     {R(0, "cmd", K_WORD, 0)}},
};

const struct op_table grammar_memory = TABLE(ops);
