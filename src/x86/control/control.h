/* x86's part of the control operations, behind arch_domctl() and arch_sysctl(). */
#ifndef CORBEL_X86_CONTROL_CONTROL_H
#define CORBEL_X86_CONTROL_CONTROL_H

#include "base/xen.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

#include "base/types.h"

struct domain;
struct vcpu;

/* cpu_policy.c: what CPUID and MSRs tell, as lists. Where the caller's array is
 * NULL, the most entries that there can be is told; where it is too small
 * -XEN_ENOBUFS. */
int64_t domctl_get_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                              bool *copyback);
/* Features are taken out, never added: what the model lacks is dropped as in Xen.
 * -XEN_E2BIG, -XEN_EFAULT, -XEN_ERANGE (no such leaf or MSR), -XEN_EINVAL (another
 * vendor, more leaves than there are); err_* say where. -XEN_EEXIST: the domain has
 * run already. */
int64_t domctl_set_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                              bool *copyback);
int64_t sysctl_get_cpu_policy(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_get_featureset(struct vcpu *v, struct xen_sysctl *op);

/* domctl_context.c */
int64_t domctl_get_hvm_context(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                               bool *copyback);
int64_t domctl_get_hvm_record(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                              bool *copyback);
int64_t domctl_set_hvm_context(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_get_vcpu_context(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_set_vcpu_context(struct vcpu *v, struct domain *d, struct xen_domctl *op);

/* platform_op.c, physdev_op.c: args: the operation's structure; command and structure. */
int64_t do_platform_op(struct vcpu *v, uint64_t args[6]);
int64_t do_physdev_op(struct vcpu *v, uint64_t args[6]);

#endif
