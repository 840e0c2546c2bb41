/* What an administrator can set: XEN_DOMCTL_scheduler_op, XEN_SYSCTL_scheduler_op. */
#include "base/xen.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

#include "base/string.h"
#include "core/sched/runqueue.h"

/* Defaults of <xen/sysctl.h> and of Xen's scheduler parameters. */
#define SLICE_US 10000u
#define RATELIMIT_US 1000u

static const char *const names[SCHED_KINDS] = {"credit", "null", "rtds"};

static bool equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool sched_kind_of_name(const char *name, uint8_t *kind)
{
    for (unsigned i = 0; i < SCHED_KINDS; i++) {
        if (equal(name, names[i])) {
            *kind = (uint8_t)i;
            return true;
        }
    }
    return false;
}

const char *sched_kind_name(uint8_t kind)
{
    return kind < SCHED_KINDS ? names[kind] : "?";
}

uint32_t sched_xen_id(void)
{
    switch (hv->sched_kind) {
    case SCHED_NULL:
        return XEN_SCHEDULER_NULL;
    case SCHED_RTDS:
        return XEN_SCHEDULER_RTDS;
    default:
        return XEN_SCHEDULER_CREDIT;
    }
}

int sched_init(uint8_t kind)
{
    if (kind >= SCHED_KINDS) {
        return -XEN_EINVAL;
    }
    hv->sched_kind = kind;
    hv->sched_tunables = (struct sched_tunables){SLICE_US, RATELIMIT_US};
    return 0;
}

int sched_set_params(struct domain *d, const struct sched_params *p)
{
    int rc = 0;

    if (hv->sched_kind == SCHED_CREDIT) {
        if (p->weight != 0) {
            store_u32(&d->weight, p->weight);
        }
        if (p->cap != SCHED_CAP_KEEP) {
            store_u32(&d->cap, p->cap);
        }
        return 0;
    }
    for (uint32_t i = 0; hv->sched_kind == SCHED_RTDS && i < d->max_vcpus && rc == 0; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (v != NULL) {
            struct sched_params one = *p;

            one.extratime = v->sched.extratime;
            rc = sched_set_vcpu_params(v, &one);
        }
    }
    return rc;
}

void sched_get_params(const struct domain *d, struct sched_params *p)
{
    memset(p, 0, sizeof(*p));
    if (hv->sched_kind == SCHED_CREDIT) {
        p->weight = (uint16_t)d->weight;
        p->cap = (uint16_t)d->cap;
    } else if (hv->sched_kind == SCHED_RTDS) {
        p->period_us = SCHED_RTDS_PERIOD_US;
        p->budget_us = SCHED_RTDS_BUDGET_US;
        p->extratime = true;
    }
}

int sched_set_vcpu_params(struct vcpu *v, const struct sched_params *p)
{
    if (hv->sched_kind != SCHED_RTDS || p->budget_us < SCHED_RTDS_MIN_US ||
        p->period_us < p->budget_us) {
        return -XEN_EINVAL;
    }
    rtds_set_params(v, p);
    return 0;
}

int sched_get_vcpu_params(struct vcpu *v, struct sched_params *p)
{
    if (hv->sched_kind != SCHED_RTDS) {
        return -XEN_EINVAL;
    }
    memset(p, 0, sizeof(*p));
    rtds_get_params(v, p);
    return 0;
}

int sched_set_tunables(const struct sched_tunables *t)
{
    const uint32_t slice_max = XEN_SYSCTL_CSCHED_TSLICE_MAX * 1000u;
    const uint32_t slice_min = XEN_SYSCTL_CSCHED_TSLICE_MIN * 1000u;

    if (t->slice_us > slice_max || t->slice_us < slice_min || t->ratelimit_us > t->slice_us) {
        return -XEN_EINVAL;
    }
    if (t->ratelimit_us != 0 && (t->ratelimit_us > XEN_SYSCTL_SCHED_RATELIMIT_MAX ||
                                 t->ratelimit_us < XEN_SYSCTL_SCHED_RATELIMIT_MIN)) {
        return -XEN_EINVAL;
    }
    store_u32(&hv->sched_tunables.slice_us, t->slice_us);
    store_u32(&hv->sched_tunables.ratelimit_us, t->ratelimit_us);
    return 0;
}

struct sched_tunables sched_get_tunables(void)
{
    return (struct sched_tunables){load_u32(&hv->sched_tunables.slice_us),
                                   load_u32(&hv->sched_tunables.ratelimit_us)};
}
