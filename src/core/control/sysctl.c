/* Dispatch of sysctl: what concerns the whole machine. */
#include "core/arch.h"
#include "core/console/console.h"
#include "core/control/control.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/policy/policy.h"
#include "core/sched/sched.h"
#include "core/vcpu/vcpu.h"

/* Domains told of in one call; the caller asks again from where it ended. */
#define LIST_MAX 1024u

static int64_t domain_list(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;
    uint64_t gva = CONTROL_GVA(l->buffer);
    uint32_t max = l->max_domains < LIST_MAX ? l->max_domains : LIST_MAX, n = 0;
    uint32_t id = l->first_domain;

    while (n < max && id < DOMID_FIRST_RESERVED) {
        struct domain *d = domain_next((domid_t)id);
        struct xen_domctl_getdomaininfo info;
        int rc;

        if (d == NULL) {
            break;
        }
        id = d->id + 1u;
        rc = policy_check(POLICY_DOMAIN_INFO, v->domain, d);
        if (rc == 0) {
            control_domain_info(d, &info);
        }
        domain_put(d);
        if (rc != 0) {
            continue;
        }
        if (guest_copy_out(v, gva + n * sizeof(info), &info, sizeof(info)) != 0) {
            return -XEN_EFAULT;
        }
        n++;
    }
    l->num_domains = n;
    return 0;
}

static int64_t read_console(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_readconsole *r = &op->u.readconsole;

    return console_history_read(v, CONTROL_GVA(r->buffer), &r->count, &r->index,
                                r->incremental != 0, r->clear != 0);
}

static int64_t power_management(const struct xen_sysctl *op)
{
    uint32_t cpu = op->cmd == XEN_SYSCTL_get_pmstat ? op->u.get_pmstat.cpuid : op->u.pm_op.cpuid;

    /* The machine's CPUs run at one speed. */
    return cpu >= 64 || (control_online_cpus() >> cpu & 1) == 0 ? -XEN_EINVAL : -XEN_ENODEV;
}

static int64_t machine_operation(struct vcpu *v, struct xen_sysctl *op)
{
    switch (op->cmd) {
    case XEN_SYSCTL_physinfo:
        return sysctl_physinfo(v, op);
    case XEN_SYSCTL_cputopoinfo:
        return sysctl_cputopo(v, op);
    case XEN_SYSCTL_numainfo:
        return sysctl_numa(v, op);
    case XEN_SYSCTL_pcitopoinfo:
        return sysctl_pcitopo(v, op);
    case XEN_SYSCTL_getcpuinfo:
        return sysctl_cpu_times(v, op);
    case XEN_SYSCTL_availheap:
        return sysctl_heap(op);
    case XEN_SYSCTL_page_offline_op:
        return sysctl_offline_pages(v, op);
    case XEN_SYSCTL_cpu_hotplug:
        return sysctl_cpu_hotplug(op);
    case XEN_SYSCTL_get_pmstat:
    case XEN_SYSCTL_pm_op:
        return power_management(op);
    default:
        return arch_sysctl(v, op);
    }
}

static int64_t perform(struct vcpu *v, struct xen_sysctl *op)
{
    switch (op->cmd) {
    case XEN_SYSCTL_readconsole:
        return read_console(v, op);
    case XEN_SYSCTL_getdomaininfolist:
        return domain_list(v, op);
    case XEN_SYSCTL_sched_id:
        op->u.sched_id.sched_id = sched_xen_id();
        return 0;
    case XEN_SYSCTL_cpupool_op:
        return sysctl_cpupool(v, op);
    case XEN_SYSCTL_scheduler_op:
        return sysctl_scheduler(op);
    case XEN_SYSCTL_debug_keys:
        return sysctl_debug_keys(v, op);
    case XEN_SYSCTL_coverage_op:
        return -XEN_EOPNOTSUPP; /* not a build that counts */
    case XEN_SYSCTL_psr_cmt_op:
    case XEN_SYSCTL_psr_alloc:
        return -XEN_ENODEV;
    case XEN_SYSCTL_perfc_op: /* none of these is in the build */
    case XEN_SYSCTL_lockprof_op:
    case XEN_SYSCTL_tbuf_op:
    case XEN_SYSCTL_livepatch_op:
        return -XEN_ENOSYS;
    default:
        return machine_operation(v, op);
    }
}

/* Who is told of no domain, not even of itself, is told that it may not ask. */
static int authorise(struct vcpu *v, uint32_t cmd)
{
    if (cmd == XEN_SYSCTL_getdomaininfolist) {
        return policy_check(POLICY_DOMAIN_INFO, v->domain, v->domain);
    }
    return policy_check(POLICY_SYSCTL, v->domain, NULL);
}

int64_t do_sysctl(struct vcpu *v, uint64_t args[6])
{
    struct xen_sysctl op;
    int64_t rc;

    if (guest_copy_in(v, &op, args[0], sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION) {
        return -XEN_EACCES;
    }
    rc = authorise(v, op.cmd);
    if (rc != 0) {
        return rc;
    }
    rc = perform(v, &op);
    /* -XEN_ENOBUFS: and this is how much there would be. */
    if ((rc == 0 || rc == -XEN_ENOBUFS) && guest_copy_out(v, args[0], &op, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    return rc;
}
