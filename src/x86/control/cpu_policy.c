/* CPUID and MSR policies, as lists of struct xen_cpuid_leaf and struct xen_msr_entry
 * (<xen/arch-x86/xen.h>). The model behind them is x86/hvm/cpuid.c. */
#include "base/string.h"
#include "core/control/control.h"
#include "core/guest_mem/guest_mem.h"
#include "x86/control/control.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#include <xen/arch-x86/cpuid.h>

/* The most leaves and MSRs that a policy of Xen's may hold: room for toolstacks that
 * add to what they were given. */
#define LEAVES_MAX 128u
#define MSRS_MAX 2u

#define MSR_PLATFORM_INFO 0xceu
#define MSR_ARCH_CAPABILITIES 0x10au
#define FEATURESET_WORDS 19u /* of <xen/arch-x86/cpufeatureset.h> */

/* Leaves that have so many subleaves in a policy. */
#define CACHE_SUBLEAVES 6u
#define FEATURE_SUBLEAVES 3u
#define TOPOLOGY_SUBLEAVES 2u
#define XSAVE_SUBLEAVES 63u
#define EXT_LEAVES 0x22u
#define HV2_LEAF 0x40000100u

struct leaf_sink {
    struct vcpu *v;
    uint64_t gva;
    uint32_t room, n;
    int rc;
    uint8_t vendor;
    const struct domain_arch *da; /* NULL: the model as it is */
};

static void put(struct leaf_sink *s, uint32_t leaf, uint32_t subleaf)
{
    uint32_t sub = subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : subleaf;
    struct cpuid_leaf l = cpuid_model(s->vendor, leaf, sub);
    xen_cpuid_leaf_t e;

    if (s->da != NULL) {
        cpuid_mask_features(leaf, sub, s->da->features_off, &l);
        if (leaf == 0 && s->da->cpuid_basic_max != 0) {
            l.eax = s->da->cpuid_basic_max;
        } else if (leaf == 0x80000000 && s->da->cpuid_ext_max != 0) {
            l.eax = s->da->cpuid_ext_max;
        }
    }
    if (s->rc != 0) {
        return;
    }
    if (s->n == s->room) {
        s->rc = -XEN_ENOBUFS;
        return;
    }
    e = (xen_cpuid_leaf_t){leaf, subleaf, l.eax, l.ebx, l.ecx, l.edx};
    s->rc = guest_copy_out(s->v, s->gva + s->n * sizeof(e), &e, sizeof(e));
    s->n++;
}

static int put_leaves(struct leaf_sink *s)
{
    uint32_t ext_max = cpuid_model_ext_max(s->vendor);

    for (uint32_t leaf = 0; leaf <= CPUID_BASIC_MAX; leaf++) {
        switch (leaf) {
        case 0x4: /* caches depend on the topology, which is not the policy's */
        case 0x7:
        case 0xb:
            put(s, leaf, 0);
            break;
        case 0xd:
            put(s, leaf, 0);
            put(s, leaf, 1);
            break;
        default:
            put(s, leaf, XEN_CPUID_NO_SUBLEAF);
            break;
        }
    }
    put(s, XEN_CPUID_FIRST_LEAF, XEN_CPUID_NO_SUBLEAF);
    put(s, HV2_LEAF, XEN_CPUID_NO_SUBLEAF);
    for (uint32_t leaf = 0x80000000; leaf <= ext_max; leaf++) {
        put(s, leaf, XEN_CPUID_NO_SUBLEAF);
    }
    return s->rc;
}

/* MSRs that tell of features: none is present. */
static int put_msrs(struct vcpu *v, uint64_t gva, uint32_t room)
{
    static const xen_msr_entry_t entries[MSRS_MAX] = {{.idx = MSR_PLATFORM_INFO},
                                                      {.idx = MSR_ARCH_CAPABILITIES}};

    if (room < MSRS_MAX) {
        return -XEN_ENOBUFS;
    }
    return guest_copy_out(v, gva, entries, sizeof(entries));
}

static int policy_out(struct vcpu *v, uint8_t vendor, const struct domain_arch *da, uint64_t leaves,
                      uint32_t *nr_leaves, uint64_t msrs, uint32_t *nr_msrs)
{
    struct leaf_sink s = {.v = v, .gva = leaves, .room = *nr_leaves, .vendor = vendor, .da = da};
    int rc;

    *nr_leaves = LEAVES_MAX;
    if (leaves != 0) {
        rc = put_leaves(&s);
        if (rc != 0) {
            return rc;
        }
        *nr_leaves = s.n;
    }
    if (msrs != 0) {
        rc = put_msrs(v, msrs, *nr_msrs);
        if (rc != 0) {
            return rc;
        }
    }
    *nr_msrs = MSRS_MAX;
    return 0;
}

int64_t domctl_get_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                              bool *copyback)
{
    struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;

    *copyback = true;
    return policy_out(v, d->arch->vendor, d->arch, CONTROL_GVA(p->leaves), &p->nr_leaves,
                      CONTROL_GVA(p->msrs), &p->nr_msrs);
}

int64_t sysctl_get_cpu_policy(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_policy *p = &op->u.cpu_policy;

    if (p->_rsvd != 0 || p->index > XEN_SYSCTL_cpu_policy_hvm_default) {
        return -XEN_EINVAL;
    }
    if (p->index == XEN_SYSCTL_cpu_policy_pv_max || p->index == XEN_SYSCTL_cpu_policy_pv_default) {
        return -XEN_EOPNOTSUPP;
    }
    return policy_out(v, x86_vendor(), NULL, CONTROL_GVA(p->leaves), &p->nr_leaves,
                      CONTROL_GVA(p->msrs), &p->nr_msrs);
}

int64_t sysctl_get_featureset(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_featureset *f = &op->u.cpu_featureset;
    uint32_t words[FEATURESET_WORDS] = {0};
    uint32_t n = f->nr_features < FEATURESET_WORDS ? f->nr_features : FEATURESET_WORDS;

    if (CONTROL_GVA(f->features) == 0) {
        f->nr_features = FEATURESET_WORDS;
        return 0;
    }
    switch (f->index) {
    case XEN_SYSCTL_cpu_featureset_raw:
    case XEN_SYSCTL_cpu_featureset_host:
    case XEN_SYSCTL_cpu_featureset_hvm:
    case XEN_SYSCTL_cpu_featureset_hvm_max:
        break;
    case XEN_SYSCTL_cpu_featureset_pv:
    case XEN_SYSCTL_cpu_featureset_pv_max:
        return -XEN_EOPNOTSUPP;
    default:
        return -XEN_EINVAL;
    }
    cpuid_model_features(x86_vendor(), words);
    if (guest_copy_out(v, CONTROL_GVA(f->features), words, n * sizeof(words[0])) != 0) {
        return -XEN_EFAULT;
    }
    f->nr_features = n;
    return n < FEATURESET_WORDS ? -XEN_ENOBUFS : 0;
}

/* What a toolstack wants a domain to see. */
struct wanted {
    uint32_t words[CPUID_WORDS];
    uint32_t basic_max, ext_max;
};

/* Can a policy hold this leaf at all? */
static bool leaf_in_range(const xen_cpuid_leaf_t *e)
{
    if (e->leaf <= CPUID_BASIC_MAX) {
        switch (e->leaf) {
        case 0x4:
            return e->subleaf < CACHE_SUBLEAVES;
        case 0x7:
            return e->subleaf < FEATURE_SUBLEAVES;
        case 0xb:
            return e->subleaf < TOPOLOGY_SUBLEAVES;
        case 0xd:
            return e->subleaf < XSAVE_SUBLEAVES;
        default:
            return e->subleaf == XEN_CPUID_NO_SUBLEAF;
        }
    }
    return e->subleaf == XEN_CPUID_NO_SUBLEAF &&
           (e->leaf == XEN_CPUID_FIRST_LEAF || e->leaf == HV2_LEAF ||
            (e->leaf >= 0x80000000 && e->leaf < 0x80000000 + EXT_LEAVES));
}

/* Leaves that a domain cannot have as they are: another vendor's, or higher ones than
 * the model's. Topology, caches, names and addresses are not the toolstack's. */
static bool leaf_compatible(uint8_t vendor, const xen_cpuid_leaf_t *e)
{
    struct cpuid_leaf own = cpuid_model(vendor, e->leaf, 0);

    switch (e->leaf) {
    case 0:
        return e->b == own.ebx && e->c == own.ecx && e->d == own.edx && e->a <= CPUID_BASIC_MAX;
    case 0x7:
        return e->subleaf != 0 || e->a == 0;
    case 0x80000000:
        return e->a <= cpuid_model_ext_max(vendor);
    default:
        return true;
    }
}

static void want_leaf(struct wanted *w, const xen_cpuid_leaf_t *e)
{
    uint32_t sub = e->subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : e->subleaf;
    struct cpuid_leaf l = {e->a, e->b, e->c, e->d};

    cpuid_leaf_words(e->leaf, sub, &l, w->words);
    if (e->leaf == 0) {
        w->basic_max = e->a;
    } else if (e->leaf == 0x80000000) {
        w->ext_max = e->a;
    }
}

static int leaves_in(struct vcpu *v, const struct domain *d, struct xen_domctl_cpu_policy *p,
                     struct wanted *w)
{
    bool compatible = true;

    if (p->nr_leaves > LEAVES_MAX) {
        return -XEN_E2BIG;
    }
    for (uint32_t i = 0; i < p->nr_leaves; i++) {
        xen_cpuid_leaf_t e;
        bool in_range;

        if (guest_copy_in(v, &e, CONTROL_GVA(p->leaves) + i * sizeof(e), sizeof(e)) != 0) {
            return -XEN_EFAULT;
        }
        in_range = leaf_in_range(&e);
        if (!in_range || (compatible && !leaf_compatible(d->arch->vendor, &e))) {
            p->err_leaf = e.leaf;
            p->err_subleaf = e.subleaf;
            compatible = false;
        }
        if (!in_range) {
            return -XEN_ERANGE;
        }
        want_leaf(w, &e);
    }
    return compatible ? 0 : -XEN_EINVAL;
}

/* MSRs may be listed, with nothing in them. */
static int msrs_in(struct vcpu *v, struct xen_domctl_cpu_policy *p)
{
    if (p->nr_msrs > MSRS_MAX) {
        return -XEN_E2BIG;
    }
    for (uint32_t i = 0; i < p->nr_msrs; i++) {
        xen_msr_entry_t e;

        if (guest_copy_in(v, &e, CONTROL_GVA(p->msrs) + i * sizeof(e), sizeof(e)) != 0) {
            return -XEN_EFAULT;
        }
        if (e.flags == 0 && e.val == 0 &&
            (e.idx == MSR_PLATFORM_INFO || e.idx == MSR_ARCH_CAPABILITIES)) {
            continue;
        }
        p->err_msr = e.idx;
        if (e.flags != 0 || e.idx == MSR_PLATFORM_INFO || e.idx == MSR_ARCH_CAPABILITIES) {
            return e.flags == 0 && e.val >> 32 != 0 ? -XEN_EOVERFLOW : -XEN_EINVAL;
        }
        return -XEN_ERANGE;
    }
    return 0;
}

int64_t domctl_set_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                              bool *copyback)
{
    struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
    struct wanted w = {.basic_max = d->arch->cpuid_basic_max, .ext_max = d->arch->cpuid_ext_max};
    int rc;

    if (d == v->domain) {
        return -XEN_EINVAL;
    }
    if (d->started) {
        return -XEN_EEXIST;
    }
    p->err_leaf = p->err_subleaf = p->err_msr = UINT32_MAX;
    /* What is not in the list stays as it is. */
    cpuid_model_features(d->arch->vendor, w.words);
    for (unsigned i = 0; i < CPUID_WORDS; i++) {
        w.words[i] &= ~d->arch->features_off[i];
    }
    rc = leaves_in(v, d, p, &w);
    if (rc == 0) {
        rc = msrs_in(v, p);
    }
    if (rc != 0) {
        *copyback = true;
        return rc;
    }
    cpuid_set_features(d, w.words);
    d->arch->cpuid_basic_max = w.basic_max;
    d->arch->cpuid_ext_max = w.ext_max;
    return 0;
}
