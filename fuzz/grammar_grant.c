/* Grant tables: <xen/grant_table.h>. */
#include "fuzz/grammar_table.h"

#include <xen/grant_table.h>

#define GNT(name, cmd, st, many, ...)                                                              \
    {                                                                                              \
        "grant_" name, OP_CALL, SUB_REG, 1, __HYPERVISOR_grant_table_op, cmd, sizeof(st), many,    \
            G_GRANT,                                                                               \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define COUNT R(2, "count", K_COUNT, 0)
#define ONE RE(2, "count", ones)

typedef struct gnttab_map_grant_ref map_t;
typedef struct gnttab_unmap_grant_ref unmap_t;
typedef struct gnttab_unmap_and_replace replace_t;
typedef struct gnttab_transfer transfer_t;
typedef struct gnttab_copy copy_t;
typedef struct gnttab_swap_grant_ref swap_t;
typedef struct gnttab_cache_flush flush_t;
typedef struct gnttab_setup_table setup_t;
typedef struct gnttab_query_size size_query_t;
typedef struct gnttab_get_status_frames status_t;

static const uint64_t ones[] = {1, 1, 1, 1, 1, 1, 0, 2};
static const uint64_t versions[] = {1, 2, 1, 2, 0, 3};

static const struct op_desc ops[] = {
    GNT("map", GNTTABOP_map_grant_ref, map_t, true, S(map_t, host_addr, K_HPA, 0),
        S(map_t, flags, K_FLAGS, GNTMAP_host_map | GNTMAP_readonly | GNTMAP_device_map),
        S(map_t, ref, K_GREF, 0), S(map_t, dom, K_DOMID, 0), COUNT),
    GNT("unmap", GNTTABOP_unmap_grant_ref, unmap_t, true, S(unmap_t, host_addr, K_HPA, 0),
        S(unmap_t, dev_bus_addr, K_HPA, 0), S(unmap_t, handle, K_HANDLE, 0), COUNT),
    GNT("replace", GNTTABOP_unmap_and_replace, replace_t, true, S(replace_t, host_addr, K_HPA, 0),
        S(replace_t, new_addr, K_HPA, 0), S(replace_t, handle, K_HANDLE, 0), COUNT),
    GNT("transfer", GNTTABOP_transfer, transfer_t, true, S(transfer_t, mfn, K_GFN, 0),
        S(transfer_t, domid, K_DOMID, 0), S(transfer_t, ref, K_GREF, 0), COUNT),
    GNT("copy", GNTTABOP_copy, copy_t, true, S(copy_t, source.u.ref, K_GREF, 0),
        S(copy_t, source.domid, K_DOMID, 0), S(copy_t, source.offset, K_OFFSET, 0),
        S(copy_t, dest.u.gmfn, K_GFN, 0), S(copy_t, dest.domid, K_DOMID, 0),
        S(copy_t, dest.offset, K_OFFSET, 0), S(copy_t, len, K_OFFSET, 0),
        S(copy_t, flags, K_FLAGS, GNTCOPY_source_gref | GNTCOPY_dest_gref), COUNT),
    GNT("swap", GNTTABOP_swap_grant_ref, swap_t, true, S(swap_t, ref_a, K_GREF, 0),
        S(swap_t, ref_b, K_GREF, 0), COUNT),
    GNT("cache_flush", GNTTABOP_cache_flush, flush_t, true,
        S(flush_t, a.dev_bus_addr, K_MFN, PAGE_SHIFT), S(flush_t, offset, K_OFFSET, 0),
        S(flush_t, length, K_OFFSET, 0), S(flush_t, op, K_FLAGS, 3), COUNT),
    GNT("setup_table", GNTTABOP_setup_table, setup_t, false, S(setup_t, dom, K_DOMID, 0),
        S(setup_t, nr_frames, K_INT, 6), S(setup_t, frame_list, K_GVA, 0), ONE),
    GNT("query_size", GNTTABOP_query_size, size_query_t, false, S(size_query_t, dom, K_DOMID, 0),
        ONE),
    GNT("set_version", GNTTABOP_set_version, gnttab_set_version_t, false,
        E(gnttab_set_version_t, version, versions), ONE),
    GNT("status_frames", GNTTABOP_get_status_frames, status_t, false,
        S(status_t, nr_frames, K_INT, 4), S(status_t, dom, K_DOMID, 0),
        S(status_t, frame_list, K_GVA, 0), ONE),
    GNT("get_version", GNTTABOP_get_version, gnttab_get_version_t, false,
        S(gnttab_get_version_t, dom, K_DOMID, 0), ONE),
    {"grant_unknown",
     OP_CALL,
     SUB_NONE,
     1,
     __HYPERVISOR_grant_table_op,
     0,
     64,
     false,
     G_GRANT,
     {R(0, "cmd", K_INT, 20), R(2, "count", K_COUNT, 0)}},
};

const struct op_table grammar_grant = TABLE(ops);
