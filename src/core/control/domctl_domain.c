/* A domain's life as the toolstack directs it. */
#include "base/atomic.h"
#include "base/string.h"
#include "core/arch.h"
#include "core/control/control.h"
#include "core/domain/domain.h"
#include "core/hypercall/hypercall.h"
#include "core/policy/policy.h"
#include "core/state.h"
#include "core/time/pvclock.h"

#define PAUSES_MAX 255u   /* as Xen: a toolstack cannot overflow the count */
#define CODE_NONE 0xffffu /* shutdown code of a domain that has not shut down */
#define NOT_AN_ID(id) ((id) == 0 || (id) >= DOMID_FIRST_RESERVED)

/* The next number nobody has, after those that were given out lately. */
static int create_next(const struct xen_domctl_createdomain *cfg, struct domain **out)
{
    int rc = -XEN_EEXIST;

    /* Another CPU may take the same number in between. */
    while (rc == -XEN_EEXIST) {
        uint32_t rover = load_u32(&hv->domid_rover);
        domid_t id = domain_unused_id((domid_t)(rover + 1));

        if (id == DOMID_INVALID) {
            id = domain_unused_id(1);
        }
        if (id == DOMID_INVALID) {
            return -XEN_ENOMEM;
        }
        rc = domain_create(id, cfg, false, out);
        if (rc == 0) {
            store_u32(&hv->domid_rover, id);
        }
    }
    return rc;
}

int64_t domctl_create(struct xen_domctl *op, bool *copyback)
{
    struct domain *d = NULL;
    int rc;

    if (NOT_AN_ID(op->domain)) {
        rc = create_next(&op->u.createdomain, &d);
    } else {
        rc = domain_create(op->domain, &op->u.createdomain, false, &d);
    }
    if (rc != 0) {
        return rc;
    }
    op->domain = d->id;
    *copyback = true;
    domain_put(d);
    return 0;
}

/* Which CPU time d has used and what its vCPUs do. */
static uint32_t vcpu_flags(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint32_t flags = XEN_DOMINF_blocked;

    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);
        struct vcpu_runstate_info r;
        uint32_t why;

        if (v == NULL) {
            continue;
        }
        vcpu_runstate_get(v, &r);
        info->cpu_time += r.time[RUNSTATE_running];
        info->max_vcpu_id = i;
        why = load_u32(&v->pause_flags);
        if ((why & VPF_DOWN) != 0) {
            continue;
        }
        info->nr_online_vcpus++;
        if ((why & VPF_BLOCKED) == 0) {
            flags &= ~(uint32_t)XEN_DOMINF_blocked;
        }
        if (load_u8((const uint8_t *)&v->sched.running) != 0) {
            flags |= XEN_DOMINF_running;
        }
    }
    return info->nr_online_vcpus != 0 ? flags : 0;
}

void control_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint32_t code = CODE_NONE;

    memset(info, 0, sizeof(*info));
    info->domain = d->id;
    info->flags = vcpu_flags(d, info);
    lock_acquire(&d->lock);
    if (d->shutting_down || d->shutdown_code_set) {
        code = d->shutdown_code;
    }
    if (d->shut_down) {
        info->flags |= XEN_DOMINF_shutdown;
    }
    memcpy(info->handle, d->handle, sizeof(info->handle));
    info->shared_info_frame = d->shared_info_gfn.v;
    lock_release(&d->lock);
    if (load_u8(&d->state) == DOMAIN_DEAD) {
        info->flags |= XEN_DOMINF_dying;
    }
    if (load_u32(&d->pause_count) != 0) {
        info->flags |= XEN_DOMINF_paused;
    }
    if (d->xenstore) {
        info->flags |= XEN_DOMINF_xs_domain;
    }
    info->flags |= code << XEN_DOMINF_shutdownshift;
    info->tot_pages = load_u64(&d->tot_pages);
    info->max_pages = load_u64(&d->max_pages);
    info->outstanding_pages = load_u64(&d->outstanding_pages);
    arch_domain_info(d, info);
}

/* The domain with that number, or the first one after it: how a toolstack without
 * XEN_SYSCTL_getdomaininfolist goes through all of them. */
int64_t domctl_domain_info(struct vcpu *v, struct domain *d, struct xen_domctl *op, bool *copyback)
{
    struct domain *found = d;
    int rc = 0;

    if (found == NULL) {
        if (op->domain >= DOMID_FIRST_RESERVED) {
            return -XEN_EINVAL;
        }
        found = domain_next(op->domain);
        if (found == NULL) {
            return -XEN_ESRCH;
        }
        rc = policy_check(POLICY_DOMAIN_INFO, v->domain, found);
    }
    if (rc == 0) {
        control_domain_info(found, &op->u.getdomaininfo);
        op->domain = found->id;
        *copyback = true;
    }
    if (found != d) {
        domain_put(found);
    }
    return rc;
}

int64_t domctl_pause(struct vcpu *v, struct domain *d)
{
    if (d == v->domain) {
        return -XEN_EINVAL;
    }
    if (load_u32(&d->pause_count) >= PAUSES_MAX) {
        return -XEN_EOVERFLOW;
    }
    domain_pause(d);
    return 0;
}

int64_t domctl_unpause(struct domain *d)
{
    if (load_u32(&d->pause_count) == 0) {
        return -XEN_EINVAL;
    }
    domain_unpause(d);
    return 0;
}

/* Of a domain that has not shut down there is nothing to undo, which Xen does not
 * call an error. */
int64_t domctl_resume(struct vcpu *v, struct domain *d)
{
    if (d == v->domain) {
        return -XEN_EINVAL;
    }
    /* A shutdown that waits for vCPUs to stop is complete when they have. */
    domain_hold(d);
    domain_shutdown_progress(d);
    (void)domain_resume(d);
    domain_release(d);
    return 0;
}

int64_t domctl_max_vcpus(struct vcpu *v, struct domain *d, uint32_t max)
{
    if (d == v->domain || max != d->max_vcpus) {
        return -XEN_EINVAL;
    }
    for (uint32_t i = 0; i < max; i++) {
        int rc;

        if (domain_vcpu(d, i) != NULL) {
            continue;
        }
        rc = vcpu_create(d, i);
        if (rc != 0) {
            return rc == -XEN_EEXIST ? -XEN_EINVAL : -XEN_ENOMEM;
        }
        if (i + 1 < max && hypercall_preempt()) {
            return HYPERCALL_RESTART;
        }
    }
    return 0;
}

int64_t domctl_time_offset(struct domain *d, int64_t seconds)
{
    d->time_offset = seconds;
    wallclock_update(d);
    return 0;
}
