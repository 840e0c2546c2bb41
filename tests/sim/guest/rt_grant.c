/* Grant tables: one frame of either version, and the operations in short. */
#include "guest.h"

unsigned grant_version;
static union {
    volatile grant_entry_v1_t *v1;
    volatile grant_entry_v2_t *v2;
} table;
static volatile grant_status_t *status;
static uint64_t table_gfn, status_gfn;

static int64_t map_frame(uint64_t idx, uint64_t gfn)
{
    struct xen_add_to_physmap map = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .idx = idx, .gpfn = gfn};

    return memory_op(XENMEM_add_to_physmap, &map);
}

int64_t grant_init(unsigned version)
{
    struct gnttab_set_version set = {.version = version};
    int64_t rc = gnttab_op(GNTTABOP_set_version, &set, 1);

    if (!table_gfn) {
        table_gfn = hole_gfn(1);
        status_gfn = hole_gfn(1);
    }
    if (!rc)
        rc = map_frame(0, table_gfn);
    if (!rc && version == 2)
        rc = map_frame(XENMAPIDX_grant_table_status, status_gfn);
    grant_version = set.version;
    table.v1 = AT(table_gfn);
    status = AT(status_gfn);
    return rc;
}

uint16_t grant_status_of(grant_ref_t ref)
{
    return (grant_version == 1 ? table.v1[ref].flags : status[ref]) & (GTF_reading | GTF_writing);
}

void grant_access(grant_ref_t ref, domid_t domid, uint64_t gfn, uint16_t flags)
{
    if (grant_version == 1) {
        table.v1[ref].domid = domid;
        table.v1[ref].frame = (uint32_t)gfn;
        __atomic_store_n(&table.v1[ref].flags, GTF_permit_access | flags, __ATOMIC_SEQ_CST);
    } else {
        table.v2[ref].full_page.hdr.domid = domid;
        table.v2[ref].full_page.frame = gfn;
        __atomic_store_n(&table.v2[ref].hdr.flags, GTF_permit_access | flags, __ATOMIC_SEQ_CST);
    }
}

void grant_sub_page(grant_ref_t ref, domid_t domid, uint64_t gfn, uint16_t off, uint16_t len,
                    uint16_t flags)
{
    table.v2[ref].sub_page.hdr.domid = domid;
    table.v2[ref].sub_page.frame = gfn;
    table.v2[ref].sub_page.page_off = off;
    table.v2[ref].sub_page.length = len;
    __atomic_store_n(&table.v2[ref].hdr.flags, GTF_permit_access | GTF_sub_page | flags,
                     __ATOMIC_SEQ_CST);
}

void grant_transitive(grant_ref_t ref, domid_t domid, domid_t via, grant_ref_t via_ref)
{
    table.v2[ref].transitive.hdr.domid = domid;
    table.v2[ref].transitive.trans_domid = via;
    table.v2[ref].transitive.gref = via_ref;
    __atomic_store_n(&table.v2[ref].hdr.flags, GTF_transitive, __ATOMIC_SEQ_CST);
}

/* <xen/grant_table.h>, "Invalidating an unused grant entry". */
bool grant_end(grant_ref_t ref)
{
    uint16_t flags;

    if (grant_version == 2) {
        flags = table.v2[ref].hdr.flags;
        table.v2[ref].hdr.flags = 0;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!grant_status_of(ref))
            return true;
        table.v2[ref].hdr.flags = flags;
        return false;
    }
    flags = table.v1[ref].flags;
    do {
        if (flags & (GTF_reading | GTF_writing))
            return false;
    } while (!__atomic_compare_exchange_n(&table.v1[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return true;
}

int grant_map(domid_t domid, grant_ref_t ref, uint64_t gfn, uint32_t flags, uint32_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = gfn << 12, .flags = flags, .ref = ref, .dom = domid};

    if (gnttab_op(GNTTABOP_map_grant_ref, &op, 1) != 0)
        return 1;
    *handle = op.handle;
    return op.status;
}

int grant_unmap(uint64_t gfn, uint32_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = gfn << 12, .handle = handle};

    return gnttab_op(GNTTABOP_unmap_grant_ref, &op, 1) != 0 ? 1 : op.status;
}

struct gnttab_copy_ptr grant_ref_at(domid_t domid, grant_ref_t ref, unsigned offset)
{
    return (struct gnttab_copy_ptr){.u.ref = ref, .domid = domid, .offset = (uint16_t)offset};
}

struct gnttab_copy_ptr grant_own(uint64_t gfn, unsigned offset)
{
    return (struct gnttab_copy_ptr){.u.gmfn = gfn, .domid = DOMID_SELF, .offset = (uint16_t)offset};
}

int grant_copy(struct gnttab_copy_ptr from, bool from_ref, struct gnttab_copy_ptr to, bool to_ref,
               unsigned len)
{
    struct gnttab_copy op = {.len = (uint16_t)len};

    op.source.u.ref = 0;
    memcpy(&op.source, &from, sizeof(from));
    memcpy(&op.dest, &to, sizeof(to));
    op.flags = (uint16_t)((from_ref ? GNTCOPY_source_gref : 0) | (to_ref ? GNTCOPY_dest_gref : 0));
    return gnttab_op(GNTTABOP_copy, &op, 1) != 0 ? 1 : op.status;
}
