/* The scheduler and its one pool of CPUs, number 0. */
#include "base/atomic.h"
#include "core/control/control.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "core/sched/runqueue.h"
#include "core/state.h"

#define POOL 0u
#define KEYS_MAX 64u
#define US_PER_MS 1000u

static int64_t move_domain(struct vcpu *v, const struct xen_sysctl_cpupool_op *p)
{
    struct domain *d = p->domid <= UINT16_MAX ? domain_get((domid_t)p->domid) : NULL;

    if (d == NULL) {
        return -XEN_ESRCH;
    }
    domain_put(d);
    if (d == v->domain) {
        return -XEN_EPERM;
    }
    return p->cpupool_id == POOL ? 0 : -XEN_ENOENT;
}

int64_t sysctl_cpupool(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_cpupool_op *p = &op->u.cpupool_op;

    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return p->cpupool_id == POOL ? -XEN_EEXIST : -XEN_EOPNOTSUPP;
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return p->cpupool_id == POOL ? -XEN_EBUSY : -XEN_ENOENT;
    case XEN_SYSCTL_CPUPOOL_OP_INFO: /* the first pool from that number on */
        if (p->cpupool_id != POOL) {
            return -XEN_ENOENT;
        }
        p->sched_id = sched_xen_id();
        p->n_dom = load_u32(&hv->domain_count);
        return control_bitmap_out(v, &p->cpumap, hv->cpu_count, control_online_cpus());
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        if (p->cpu != XEN_SYSCTL_CPUPOOL_PAR_ANY && p->cpu >= hv->cpu_count) {
            return -XEN_EINVAL;
        }
        return p->cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY ? -XEN_EINVAL : -XEN_ENODEV;
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        if (p->cpupool_id != POOL) {
            return -XEN_ENOENT;
        }
        if (p->cpu != XEN_SYSCTL_CPUPOOL_PAR_ANY && p->cpu >= hv->cpu_count) {
            return -XEN_EINVAL;
        }
        return -XEN_EBUSY; /* no other pool could have it */
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return move_domain(v, p);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return control_bitmap_out(v, &p->cpumap, hv->cpu_count, 0);
    default:
        return -XEN_ENOSYS;
    }
}

int64_t sysctl_scheduler(struct xen_sysctl *op)
{
    struct xen_sysctl_scheduler_op *s = &op->u.scheduler_op;
    struct xen_sysctl_credit_schedule *c = &s->u.sched_credit;
    struct sched_tunables t;
    int rc = 0;

    if (s->cmd != XEN_SYSCTL_SCHEDOP_putinfo && s->cmd != XEN_SYSCTL_SCHEDOP_getinfo) {
        return -XEN_EINVAL;
    }
    if (s->cpupool_id != POOL) {
        return -XEN_ESRCH;
    }
    if (s->sched_id != sched_xen_id()) {
        return -XEN_EINVAL;
    }
    if (s->sched_id != XEN_SCHEDULER_CREDIT) {
        return -XEN_EOPNOTSUPP; /* the others have nothing to set */
    }
    if (s->cmd == XEN_SYSCTL_SCHEDOP_putinfo) {
        if (c->tslice_ms > XEN_SYSCTL_CSCHED_TSLICE_MAX ||
            c->vcpu_migr_delay_us > XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US) {
            return -XEN_EINVAL;
        }
        if (c->vcpu_migr_delay_us != 0) {
            return -XEN_EOPNOTSUPP;
        }
        t = (struct sched_tunables){c->tslice_ms * US_PER_MS, c->ratelimit_us};
        rc = sched_set_tunables(&t);
    }
    t = sched_get_tunables();
    *c = (struct xen_sysctl_credit_schedule){.tslice_ms = t.slice_us / US_PER_MS,
                                             .ratelimit_us = t.ratelimit_us};
    return rc;
}

static void print_domains(void)
{
    struct domain *d;

    for (domid_t id = 0; (d = domain_next(id)) != NULL; domain_put(d)) {
        id = (domid_t)(d->id + 1);
        hv_log(1, "d%u: state %u, paused %u, %u vCPUs, %lu of %lu pages, %lu of the hypervisor's",
               (unsigned)d->id, (unsigned)d->state, (unsigned)load_u32(&d->pause_count),
               (unsigned)d->max_vcpus, (unsigned long)load_u64(&d->tot_pages),
               (unsigned long)load_u64(&d->max_pages), (unsigned long)load_u64(&d->hyp_pages));
    }
}

static void print_queues(void)
{
    for (unsigned i = 0; i < hv->cpu_count; i++) {
        hv_log(1, "cpu %u: %u waiting, %s", i, (unsigned)load_u32(&hv->cpu[i].rq.length),
               rq_current(&hv->cpu[i].rq) != NULL ? "running" : "idle");
    }
}

/* Keys that mean nothing do nothing. */
static void press(char key)
{
    switch (key) {
    case 'h':
        hv_log(1, "keys: h this list, m memory, q domains, r run queues");
        break;
    case 'm':
        hv_log(1, "memory: %lu pages, %lu free, %lu the hypervisor's own",
               (unsigned long)total_page_count(), (unsigned long)free_page_count(),
               (unsigned long)load_u64(&hv->hyp_pages));
        break;
    case 'q':
        print_domains();
        break;
    case 'r':
        print_queues();
        break;
    default:
        break;
    }
}

int64_t sysctl_debug_keys(struct vcpu *v, const struct xen_sysctl *op)
{
    const struct xen_sysctl_debug_keys *k = &op->u.debug_keys;
    char keys[KEYS_MAX];

    if (k->nr_keys > KEYS_MAX) {
        return -XEN_E2BIG;
    }
    if (guest_copy_in(v, keys, CONTROL_GVA(k->keys), k->nr_keys) != 0) {
        return -XEN_EFAULT;
    }
    for (uint32_t i = 0; i < k->nr_keys; i++) {
        press(keys[i]);
    }
    return 0;
}
