/* A domain's share of the CPUs, by the parameters that the scheduler in use has. */
#include "core/control/control.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/sched/sched.h"
#include "core/vcpu/vcpu.h"

static void params_out(struct xen_domctl_scheduler_op *s, const struct sched_params *p)
{
    if (s->sched_id == XEN_SCHEDULER_RTDS) {
        s->u.rtds.period = p->period_us;
        s->u.rtds.budget = p->budget_us;
        s->u.rtds.flags = p->extratime ? XEN_DOMCTL_SCHEDRT_extra : 0;
    } else if (s->sched_id == XEN_SCHEDULER_CREDIT) {
        s->u.credit.weight = p->weight;
        s->u.credit.cap = p->cap;
    }
}

static struct sched_params rtds_params(const struct xen_domctl_sched_rtds *r)
{
    return (struct sched_params){
        .period_us = r->period,
        .budget_us = r->budget,
        .extratime = (r->flags & XEN_DOMCTL_SCHEDRT_extra) != 0,
    };
}

static int put_info(struct domain *d, const struct xen_domctl_scheduler_op *s)
{
    struct sched_params p = {.weight = 0};

    if (s->sched_id == XEN_SCHEDULER_RTDS) {
        p = rtds_params(&s->u.rtds);
    } else if (s->sched_id == XEN_SCHEDULER_CREDIT) {
        p.weight = s->u.credit.weight;
        p.cap = s->u.credit.cap;
    }
    return sched_set_params(d, &p);
}

/* One entry of the vcpus array at gva. */
static int one_vcpu(struct vcpu *v, struct domain *d, bool put, uint64_t gva)
{
    struct xen_domctl_schedparam_vcpu e;
    struct sched_params p;
    struct vcpu *t;
    int rc;

    if (guest_copy_in(v, &e, gva, sizeof(e)) != 0) {
        return -XEN_EFAULT;
    }
    t = domain_vcpu(d, e.vcpuid);
    if (t == NULL) {
        return -XEN_EINVAL;
    }
    if (put) {
        p = rtds_params(&e.u.rtds);
        return sched_set_vcpu_params(t, &p);
    }
    rc = sched_get_vcpu_params(t, &p);
    if (rc != 0) {
        return rc;
    }
    e.u.rtds.period = p.period_us;
    e.u.rtds.budget = p.budget_us;
    e.u.rtds.flags = p.extratime ? XEN_DOMCTL_SCHEDRT_extra : 0;
    return guest_copy_out(v, gva, &e, sizeof(e));
}

/* As Xen's RTDS, a long array is done in part: the toolstack goes on after as many
 * as nr_vcpus says. */
static int each_vcpu(struct vcpu *v, struct domain *d, struct xen_domctl_scheduler_op *s, bool put)
{
    uint64_t gva = CONTROL_GVA(s->u.v.vcpus);
    uint32_t i = 0;
    int rc = 0;

    while (i < s->u.v.nr_vcpus) {
        rc = one_vcpu(v, d, put, gva + i * sizeof(struct xen_domctl_schedparam_vcpu));
        if (rc != 0) {
            break;
        }
        i++;
        if (hypercall_preempt()) {
            break;
        }
    }
    s->u.v.nr_vcpus = i;
    return rc;
}

int64_t domctl_scheduler(struct vcpu *v, struct domain *d, struct xen_domctl *op, bool *copyback)
{
    struct xen_domctl_scheduler_op *s = &op->u.scheduler_op;
    struct sched_params p;

    *copyback = true;
    if (s->sched_id != sched_xen_id()) {
        return -XEN_EINVAL;
    }
    switch (s->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        sched_get_params(d, &p);
        params_out(s, &p);
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return put_info(d, s);
    case XEN_DOMCTL_SCHEDOP_putvcpuinfo:
    case XEN_DOMCTL_SCHEDOP_getvcpuinfo:
        if (s->sched_id != XEN_SCHEDULER_RTDS) {
            return -XEN_EINVAL;
        }
        return each_vcpu(v, d, s, s->cmd == XEN_DOMCTL_SCHEDOP_putvcpuinfo);
    default:
        return -XEN_EINVAL;
    }
}
