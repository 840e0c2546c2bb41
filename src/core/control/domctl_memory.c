/* A domain's memory and what it may reach of the machine, which has no devices to
 * give away. */
#include "base/arith.h"
#include "base/atomic.h"
#include "core/control/control.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "core/vcpu/vcpu.h"

#define KIB_PER_PAGE_SHIFT (PAGE_SHIFT - 10)
#define MIB_PER_PAGE_SHIFT (20 - PAGE_SHIFT)
#define FRAMES_MAX 1024u /* as Xen: of one getpageframeinfo3 */
#define FRAME_CHUNK 32u
#define IRQS 256u
#define IOPORTS 65536u

/* Less than it has now means: no more until it has given enough back. */
int64_t domctl_max_mem(struct domain *d, uint64_t kib)
{
    store_u64(&d->max_pages, min_u64(kib >> KIB_PER_PAGE_SHIFT, UINT32_MAX));
    return 0;
}

/* The paging pool is the limit on second-stage tables: they are allocated when
 * they are needed. */
int64_t domctl_get_mempool(struct domain *d, struct xen_domctl *op, bool *copyback)
{
    op->u.paging_mempool.size = p2m_table_limit(d) << PAGE_SHIFT;
    *copyback = true;
    return 0;
}

static int set_table_limit(struct domain *d, uint64_t pages)
{
    int rc = 0;

    lock_acquire(&d->p2m.lock);
    if (pages < d->p2m.table_pages) {
        rc = -XEN_ENOMEM; /* tables in use do not go away */
    } else {
        d->p2m.table_limit = pages;
    }
    lock_release(&d->p2m.lock);
    return rc;
}

int64_t domctl_set_mempool(struct domain *d, uint64_t bytes)
{
    if ((bytes & (PAGE_SIZE - 1)) != 0 || bytes >> PAGE_SHIFT > UINT32_MAX) {
        return -XEN_EINVAL;
    }
    return set_table_limit(d, bytes >> PAGE_SHIFT);
}

int64_t domctl_shadow(struct vcpu *v, struct domain *d, struct xen_domctl *op, bool *copyback)
{
    struct xen_domctl_shadow_op *s = &op->u.shadow_op;
    int rc;

    *copyback = true;
    if (d == v->domain) {
        return -XEN_EINVAL;
    }
    if (load_u8(&d->state) != DOMAIN_ALIVE) {
        return 0;
    }
    if (domain_vcpu(d, 0) == NULL) {
        return -XEN_EINVAL;
    }
    switch (s->op) {
    case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
        s->mb =
            (uint32_t)align_up(p2m_table_limit(d), 1u << MIB_PER_PAGE_SHIFT) >> MIB_PER_PAGE_SHIFT;
        return 0;
    case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
        rc = set_table_limit(d, (uint64_t)s->mb << MIB_PER_PAGE_SHIFT);
        s->mb =
            (uint32_t)align_up(p2m_table_limit(d), 1u << MIB_PER_PAGE_SHIFT) >> MIB_PER_PAGE_SHIFT;
        return rc;
    default:
        return domctl_log_dirty(v, d, s);
    }
}

/* Frames that hold RAM have no page-table type in a translated domain. */
static uint64_t frame_kind(struct domain *d, uint64_t g)
{
    switch (p2m_lookup(d, gfn(g)).type) {
    case P2M_RAM_RW:
    case P2M_RAM_RO:
    case P2M_GRANT_RW:
    case P2M_GRANT_RO:
    case P2M_FOREIGN:
        return XEN_DOMCTL_PFINFO_NOTAB;
    default:
        return XEN_DOMCTL_PFINFO_XTAB;
    }
}

int64_t domctl_frame_info(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    uint64_t gva = CONTROL_GVA(op->u.getpageframeinfo3.array);
    uint64_t left = op->u.getpageframeinfo3.num;
    xen_pfn_t buf[FRAME_CHUNK];

    if (left > FRAMES_MAX) {
        return -XEN_E2BIG;
    }
    while (left != 0) {
        unsigned n = (unsigned)min_u64(left, FRAME_CHUNK);

        if (guest_copy_in(v, buf, gva, n * sizeof(buf[0])) != 0) {
            return -XEN_EFAULT;
        }
        for (unsigned i = 0; i < n; i++) {
            buf[i] = frame_kind(d, buf[i]);
        }
        if (guest_copy_out(v, gva, buf, n * sizeof(buf[0])) != 0) {
            return -XEN_EFAULT;
        }
        gva += n * sizeof(buf[0]);
        left -= n;
    }
    return 0;
}

/* Nobody can pass on access to devices that nobody has. */
int64_t domctl_irq_permission(const struct xen_domctl *op)
{
    return op->u.irq_permission.pirq >= IRQS ? -XEN_EINVAL : -XEN_EPERM;
}

int64_t domctl_iomem_permission(const struct xen_domctl *op)
{
    uint64_t first = op->u.iomem_permission.first_mfn, n = op->u.iomem_permission.nr_mfns;

    return range_within(first, n, UINT64_C(1) << P2M_GFN_BITS) ? -XEN_EPERM : -XEN_EINVAL;
}

int64_t domctl_ioport_permission(const struct xen_domctl *op)
{
    uint64_t first = op->u.ioport_permission.first_port, n = op->u.ioport_permission.nr_ports;

    return range_within(first, n, IOPORTS) ? -XEN_EPERM : -XEN_EINVAL;
}

int64_t domctl_memory_mapping(const struct xen_domctl *op)
{
    const struct xen_domctl_memory_mapping *m = &op->u.memory_mapping;

    if (!range_within(m->first_mfn, m->nr_mfns, UINT64_C(1) << P2M_GFN_BITS) ||
        add_overflows(m->first_gfn, m->nr_mfns - 1)) {
        return -XEN_EINVAL;
    }
    return -XEN_EPERM;
}
