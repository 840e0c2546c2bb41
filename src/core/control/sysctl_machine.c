/* What the machine is made of: one NUMA node, one socket, no PCI devices. */
#include "base/arith.h"
#include "base/atomic.h"
#include "base/string.h"
#include "core/arch.h"
#include "core/control/control.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "core/mem/page_claim.h"
#include "core/state.h"
#include "port/time.h"

#define NODES_MAX 64u
#define NODE_DISTANCE_SELF 10u /* ACPI 6.4, SLIT: to itself */
#define OFFLINE_PAGES_MAX 1024u
#define PCI_MAX 64u

int64_t sysctl_physinfo(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_physinfo *p = &op->u.physinfo;

    memset(p, 0, sizeof(*p));
    p->threads_per_core = 1;
    p->cores_per_socket = hv->cpu_count;
    p->nr_nodes = 1;
    p->max_node_id = NODES_MAX - 1;
    p->max_cpu_id = hv->cpu_count - 1;
    for (uint64_t m = control_online_cpus(); m != 0; m &= m - 1) {
        p->nr_cpus++;
    }
    p->total_pages = total_page_count();
    p->free_pages = free_page_count();
    p->outstanding_pages = page_claim_total();
    p->cpu_khz = port_tsc_khz();
    p->max_mfn = hv->max_mfn - 1;
    p->capabilities = XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
    return arch_sysctl(v, op);
}

int64_t sysctl_cputopo(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_cputopoinfo *t = &op->u.cputopoinfo;
    uint64_t gva = CONTROL_GVA(t->cputopo);
    uint32_t n = hv->cpu_count;

    if (gva != 0) {
        n = (uint32_t)min_u64(n, t->num_cpus);
        for (uint32_t i = 0; i < n; i++) {
            struct xen_sysctl_cputopo one = {.core = i};

            if (guest_copy_out(v, gva + i * sizeof(one), &one, sizeof(one)) != 0) {
                return -XEN_EFAULT;
            }
        }
    }
    t->num_cpus = n;
    return 0;
}

int64_t sysctl_numa(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_numainfo *t = &op->u.numainfo;
    uint64_t info_gva = CONTROL_GVA(t->meminfo), distance_gva = CONTROL_GVA(t->distance);
    struct xen_sysctl_meminfo info = {
        .memsize = total_page_count() << PAGE_SHIFT,
        .memfree = free_page_count() << PAGE_SHIFT,
    };
    uint32_t n = 1, distance = NODE_DISTANCE_SELF;

    if (info_gva != 0 || distance_gva != 0) {
        n = (uint32_t)min_u64(n, t->num_nodes);
    }
    if (n != 0 && info_gva != 0 && guest_copy_out(v, info_gva, &info, sizeof(info)) != 0) {
        return -XEN_EFAULT;
    }
    if (n != 0 && distance_gva != 0 &&
        guest_copy_out(v, distance_gva, &distance, sizeof(distance)) != 0) {
        return -XEN_EFAULT;
    }
    t->num_nodes = n;
    return 0;
}

/* No device is known. A long list is answered in part, and the caller goes on. */
int64_t sysctl_pcitopo(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_pcitopoinfo *t = &op->u.pcitopoinfo;
    uint64_t devs = CONTROL_GVA(t->devs), nodes = CONTROL_GVA(t->nodes);
    uint32_t n = (uint32_t)min_u64(t->num_devs, PCI_MAX);

    if (devs == 0 || nodes == 0) {
        return -XEN_EINVAL;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t node = XEN_INVALID_DEV;
        physdev_pci_device_t dev;

        if (guest_copy_in(v, &dev, devs + i * sizeof(dev), sizeof(dev)) != 0 ||
            guest_copy_out(v, nodes + i * sizeof(node), &node, sizeof(node)) != 0) {
            return -XEN_EFAULT;
        }
    }
    t->num_devs = n;
    return 0;
}

/* Time that cpu has waited for work, up to when it last woke. */
static uint64_t idle_time(unsigned cpu)
{
    return load_u64(&hv->cpu[cpu].idle_ns);
}

int64_t sysctl_cpu_times(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_getcpuinfo *g = &op->u.getcpuinfo;
    uint32_t n = (uint32_t)min_u64(g->max_cpus, hv->cpu_count);

    for (uint32_t i = 0; i < n; i++) {
        struct xen_sysctl_cpuinfo one = {.idletime = idle_time(i)};

        if (guest_copy_out(v, CONTROL_GVA(g->info) + i * sizeof(one), &one, sizeof(one)) != 0) {
            return -XEN_EFAULT;
        }
    }
    g->nr_cpus = n;
    return 0;
}

/* Exact for the whole of memory. Of a part of it, free memory is assumed where it
 * can be: the heap keeps no count by address. */
int64_t sysctl_heap(struct xen_sysctl *op)
{
    struct xen_sysctl_availheap *a = &op->u.availheap;
    uint64_t from = 0, to = hv->max_mfn;

    if (a->min_bitwidth > PAGE_SHIFT) {
        from = a->min_bitwidth >= 64 ? to : UINT64_C(1) << (a->min_bitwidth - PAGE_SHIFT);
    }
    if (a->max_bitwidth != 0 && a->max_bitwidth < 64) {
        to = a->max_bitwidth <= PAGE_SHIFT
                 ? 0
                 : min_u64(to, UINT64_C(1) << (a->max_bitwidth - PAGE_SHIFT));
    }
    if (from >= to || (a->node != -1 && a->node != 0)) {
        a->avail_bytes = 0;
    } else {
        a->avail_bytes = min_u64(free_page_count(), to - from) << PAGE_SHIFT;
    }
    return 0;
}

/* Frames cannot be taken out of use; none ever was. */
int64_t sysctl_offline_pages(struct vcpu *v, struct xen_sysctl *op)
{
    const struct xen_sysctl_page_offline_op *p = &op->u.page_offline;
    uint32_t none = 0;

    if (p->end < p->start) {
        return -XEN_EINVAL;
    }
    if (p->cmd != sysctl_query_page_offline) {
        return p->cmd == sysctl_page_offline || p->cmd == sysctl_page_online ? -XEN_EOPNOTSUPP
                                                                             : -XEN_EINVAL;
    }
    if (p->end - p->start >= OFFLINE_PAGES_MAX) {
        return -XEN_E2BIG;
    }
    for (uint32_t i = 0; i <= p->end - p->start; i++) {
        if (!frame_valid(mfn(p->start + (uint64_t)i))) {
            return -XEN_EINVAL;
        }
        if (guest_copy_out(v, CONTROL_GVA(p->status) + i * sizeof(none), &none, sizeof(none)) !=
            0) {
            return -XEN_EFAULT;
        }
    }
    return 0;
}

int64_t sysctl_cpu_hotplug(const struct xen_sysctl *op)
{
    uint32_t cpu = op->u.cpu_hotplug.cpu;

    switch (op->u.cpu_hotplug.op) {
    case XEN_SYSCTL_CPU_HOTPLUG_ONLINE:
        return -XEN_EINVAL; /* it is, or there is none */
    case XEN_SYSCTL_CPU_HOTPLUG_OFFLINE:
        return cpu == 0 || cpu >= hv->cpu_count ? -XEN_EINVAL : -XEN_EOPNOTSUPP;
    default:
        return -XEN_EOPNOTSUPP; /* no core has a second thread */
    }
}
