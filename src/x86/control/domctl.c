/* Dispatch of the control operations that only x86 knows. */
#include "base/atomic.h"
#include "base/string.h"
#include "core/arch.h"
#include "core/control/control.h"
#include "core/guest_mem/guest_mem.h"
#include "port/time.h"
#include "x86/control/control.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

void arch_domain_info(const struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    info->flags |= XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;
    info->arch_config.emulation_flags = d->arch->emulation_flags;
    info->gpaddr_bits = P2M_GFN_BITS + PAGE_SHIFT;
}

/* All vCPUs are told of the counter that they read from now on, and what they wait for
 * on it is due at another time. */
static void tsc_changed(struct domain *d)
{
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        struct vcpu *t = domain_vcpu(d, i);

        if (t != NULL) {
            pvclock_update(t);
            vlapic_timer_set_deadline(t, vlapic_timer_deadline(&t->arch->lapic));
        }
    }
}

/* At any time, as in Xen: the domain is held meanwhile. */
static int64_t set_tsc_info(struct vcpu *v, struct domain *d, const struct xen_domctl_tsc_info *t)
{
    int rc;

    if (d == v->domain) {
        return -XEN_EINVAL;
    }
    if (d->privileged) {
        return 0; /* always native */
    }
    domain_hold(d);
    rc = domain_tsc_set(d, t->tsc_mode, t->elapsed_nsec, t->gtsc_khz, t->incarnation);
    if (rc == 0) {
        tsc_changed(d);
    }
    domain_release(d);
    return rc;
}

static int64_t get_tsc_info(struct vcpu *v, struct domain *d, struct xen_domctl_tsc_info *t)
{
    uint32_t mode, khz, incarnation;
    uint64_t elapsed;

    if (d == v->domain) {
        return -XEN_EINVAL;
    }
    memset(t, 0, sizeof(*t));
    domain_tsc_get(d, &mode, &elapsed, &khz, &incarnation);
    t->tsc_mode = mode;
    t->elapsed_nsec = elapsed;
    t->gtsc_khz = khz;
    t->incarnation = incarnation;
    return 0;
}

static int64_t hypercall_init(struct domain *d, uint64_t g)
{
    void *page;

    if (p2m_lookup(d, gfn(g)).type == P2M_INVALID) {
        return -XEN_EINVAL;
    }
    page = guest_page_pin(d, gfn(g));
    if (page == NULL) {
        return -XEN_EPERM;
    }
    guest_page_unpin(page);
    return hypercall_page_install(d, gfn(g)) == 0 ? 0 : -XEN_EPERM;
}

static int64_t send_trigger(struct domain *d, const struct xen_domctl_sendtrigger *t)
{
    struct vcpu *target;

    switch (t->trigger) {
    case XEN_DOMCTL_SENDTRIGGER_NMI:
        target = domain_vcpu(d, t->vcpu);
        if (target == NULL) {
            return -XEN_ESRCH;
        }
        hvm_vcpu_nmi(target);
        return 0;
    case XEN_DOMCTL_SENDTRIGGER_POWER: /* no fixed ACPI events: no buttons */
    case XEN_DOMCTL_SENDTRIGGER_SLEEP:
        return -XEN_EOPNOTSUPP;
    default:
        return -XEN_ENOSYS;
    }
}

int64_t arch_domctl(struct vcpu *v, struct domain *d, struct xen_domctl *op, bool *copyback)
{
    switch (op->cmd) {
    case XEN_DOMCTL_set_address_size:
        return -XEN_EOPNOTSUPP; /* PV only */
    case XEN_DOMCTL_get_address_size:
        op->u.address_size.size = 64;
        *copyback = true;
        return 0;
    case XEN_DOMCTL_settscinfo:
        return set_tsc_info(v, d, &op->u.tsc_info);
    case XEN_DOMCTL_gettscinfo:
        *copyback = d != v->domain;
        return get_tsc_info(v, d, &op->u.tsc_info);
    case XEN_DOMCTL_hypercall_init:
        return hypercall_init(d, op->u.hypercall_init.gmfn);
    case XEN_DOMCTL_sendtrigger:
        return send_trigger(d, &op->u.sendtrigger);
    case XEN_DOMCTL_get_cpu_policy:
        return domctl_get_cpu_policy(v, d, op, copyback);
    case XEN_DOMCTL_set_cpu_policy:
        return domctl_set_cpu_policy(v, d, op, copyback);
    case XEN_DOMCTL_gethvmcontext:
        return domctl_get_hvm_context(v, d, op, copyback);
    case XEN_DOMCTL_gethvmcontext_partial:
        return domctl_get_hvm_record(v, d, op, copyback);
    case XEN_DOMCTL_sethvmcontext:
        return domctl_set_hvm_context(v, d, op);
    case XEN_DOMCTL_getvcpucontext:
        return domctl_get_vcpu_context(v, d, op);
    case XEN_DOMCTL_setvcpucontext:
        return domctl_set_vcpu_context(v, d, op);
    default:
        return -XEN_ENOSYS;
    }
}

static int64_t physinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_physinfo *p = &op->u.physinfo;
    uint32_t words[CPUID_WORDS];

    cpuid_model_features(x86_vendor(), words);
    memcpy(p->hw_cap, words, sizeof(p->hw_cap));
    p->capabilities |= XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap;
    return 0;
}

int64_t arch_sysctl(struct vcpu *v, struct xen_sysctl *op)
{
    switch (op->cmd) {
    case XEN_SYSCTL_physinfo:
        return physinfo(op);
    case XEN_SYSCTL_get_cpu_levelling_caps:
        op->u.cpu_levelling_caps.caps = 0; /* CPUID of PV guests is not filtered */
        return 0;
    case XEN_SYSCTL_get_cpu_featureset:
        return sysctl_get_featureset(v, op);
    case XEN_SYSCTL_get_cpu_policy:
        return sysctl_get_cpu_policy(v, op);
    default:
        return -XEN_ENOSYS;
    }
}
