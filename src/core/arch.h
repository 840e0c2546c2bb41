/* What x86 gives to the core: the only functions core expects from it. */
#ifndef CORBEL_CORE_ARCH_H
#define CORBEL_CORE_ARCH_H

#include "base/xen.h"

#include <xen/domctl.h>

#include "base/types.h"
#include "core/p2m/p2m.h"

struct domain;
struct vcpu;

/* Domain and vCPU parts; 0 or -XEN_E*. Freed by the matching call, which
 * accepts a half-built or absent part. */
int arch_domain_create(struct domain *d, const struct xen_domctl_createdomain *cfg);
void arch_domain_destroy(struct domain *d);
int arch_vcpu_create(struct vcpu *v);
void arch_vcpu_destroy(struct vcpu *v);

/* Runs v, current on this CPU, until the scheduler should look. */
void arch_vcpu_run(struct vcpu *v);

/* v is going off or coming onto this CPU. */
void arch_vcpu_switch_out(struct vcpu *v);
void arch_vcpu_switch_in(struct vcpu *v);

/* True iff an interrupt or event waits that v could take now if it ran. */
bool arch_vcpu_event_pending(struct vcpu *v);
/* vcpu_info.evtchn_upcall_pending went from 0 to 1. */
void arch_vcpu_upcall(struct vcpu *v);

/* Makes an NMI pending for v. Any context. */
void arch_vcpu_nmi(struct vcpu *v);

/* VCPUOP_initialise: loads the context at linear address gva of caller. */
int arch_vcpu_initialise(struct vcpu *caller, struct vcpu *v, uint64_t gva);

/* Translates a linear address of v, stopped in an exit, for its kernel (cpl 0
 * view). False when not mapped that way. */
bool arch_translate(struct vcpu *v, uint64_t gva, bool write, gaddr_t *out);

/* Hypercalls that only the architecture knows (hvm_op, ...): -XEN_ENOSYS for
 * the rest. memory_op sub-operations likewise. */
int64_t arch_hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6]);
int64_t arch_memory_op(struct vcpu *v, uint32_t op, uint64_t gva);

/* Feature bits of XENVER_get_features submap 0 for d. */
uint32_t arch_features(const struct domain *d);

/* Control operations that only the architecture knows, -XEN_ENOSYS for the rest.
 * d is what the operation is for; *copyback: op goes back to the caller whatever
 * the result. No lock is held. For XEN_SYSCTL_physinfo the core has filled in its
 * part. */
int64_t arch_domctl(struct vcpu *v, struct domain *d, struct xen_domctl *op, bool *copyback);
struct xen_sysctl;
int64_t arch_sysctl(struct vcpu *v, struct xen_sysctl *op);
/* Adds to what XEN_DOMCTL_getdomaininfo tells. */
void arch_domain_info(const struct domain *d, struct xen_domctl_getdomaininfo *info);

/* Second-stage entries. level: 0 for 4 KiB tables .. 3 for the root. */
uint64_t arch_p2m_encode_table(uint8_t format, mfn_t table);
uint64_t arch_p2m_encode_leaf(uint8_t format, mfn_t m, enum p2m_type type, unsigned level);
struct p2m_slot {
    bool present, leaf;
    uint8_t type; /* enum p2m_type, for a leaf */
    mfn_t mfn;
};
struct p2m_slot arch_p2m_decode(uint8_t format, uint64_t entry, unsigned level);
uint64_t arch_p2m_empty(uint8_t format);
/* The bit of a leaf that the engine sets when the guest writes through it, set from the
 * start; 0 where the machine's engine has none. */
uint64_t arch_p2m_dirty(uint8_t format);
/* True iff the machine takes a leaf of 1 GiB that maps memory. */
bool arch_p2m_leaf_1g(void);

#endif
