/* What CPUID tells a domain: a fixed model per vendor, in numbers that every
 * supported engine can keep (no AVX, no SMAP, no RDRAND: a run is repeatable),
 * the topology of its vCPUs, and Xen's leaves (<xen/arch-x86/cpuid.h>).
 * Sources: SDM Vol. 2 CPUID, APM Vol. 3 appendix E. */
#include "base/string.h"
#include "core/time/pvclock.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#include <xen/arch-x86/cpuid.h>

#define BIT(n) (UINT32_C(1) << (n))

#define XEN_MAX XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES)
#define XEN_VERSION_EAX ((4u << 16) | 17u)

/* Leaf 1. */
#define F1C_X2APIC BIT(21)
#define F1C_XSAVE BIT(26)
#define F1C_OSXSAVE BIT(27)
#define F1C_HYPERVISOR BIT(31)
/* SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 x2APIC MOVBE POPCNT TSC-deadline AES XSAVE */
#define F1C                                                                                        \
    (BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | F1C_X2APIC | BIT(22) | BIT(23) |     \
     BIT(24) | BIT(25) | F1C_XSAVE | F1C_HYPERVISOR)
#define F1D_APIC BIT(9)
/* FPU DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE
 * SSE2 HTT */
#define F1D 0x178bfbfdu
/* What AMD shows again in 0x80000001: all but SEP and what is Intel's. */
#define F1D_AMD_COPY 0x0183f3ffu

/* Leaf 7: FSGSBASE BMI1 SMEP BMI2 ERMS ADX CLFLUSHOPT. */
#define F7B (BIT(0) | BIT(3) | BIT(7) | BIT(8) | BIT(9) | BIT(19) | BIT(23))

/* Leaf 0x80000001. */
#define E1C_LAHF BIT(0)
#define E1C_ABM BIT(5)
#define E1C_PREFETCHW BIT(8)
#define E1D_SYSCALL BIT(11)
#define E1D_NX BIT(20)
#define E1D_PAGE_1G BIT(26)
#define E1D_RDTSCP BIT(27)
#define E1D_LM BIT(29)
#define E1D (E1D_SYSCALL | E1D_NX | E1D_PAGE_1G | E1D_RDTSCP | E1D_LM)

#define LEAF6_ARAT BIT(2)         /* the APIC timer never stops */
#define LEAF_80000007_ITSC BIT(8) /* the TSC runs at one rate */
#define XCR0_X87_SSE 3u
#define XSAVE_AREA 576u /* legacy area and header: SDM Vol. 1 13.4 */
#define ADDRESS_BITS (((uint32_t)48 << 8) | (P2M_GFN_BITS + PAGE_SHIFT))

/* CR4 bits by the features above: TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT
 * FSGSBASE OSXSAVE SMEP. */
#define CR4_VALID                                                                                  \
    (BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) | BIT(10) | BIT(16) |   \
     BIT(18) | BIT(20))

/* The model does not speculate past a branch that it cannot take back, and says so
 * in the ways that software asks for (APM Vol. 3 appendix E.4.6 and E.4.17). */
#define E8B_SSB_NO BIT(26)
#define E8B_BTC_NO BIT(29)
#define E21A_LFENCE_SERIALIZING BIT(2)
#define E21A_NULL_CLEARS_BASE BIT(6)
#define E21A_AUTO_IBRS BIT(8)
#define E21A_SRSO_NO BIT(29)

struct cpu_model {
    char vendor[12]; /* as in ebx, edx, ecx */
    char brand[48];
    uint32_t signature;
    uint32_t ext_max;
    uint32_t e1c, e1d, e8b, e21a;
    struct cpuid_leaf leaf2, cache_l1, cache_l2; /* 2, 0x80000005, 0x80000006 */
    bool leaf4;
};

static const struct cpu_model models[VENDORS] = {
    [VENDOR_AMD] =
        {
            .vendor = {'A', 'u', 't', 'h', 'e', 'n', 't', 'i', 'c', 'A', 'M', 'D'},
            .brand = "AMD EPYC Processor",
            .signature = 0x00800f12, /* family 17h, model 1 */
            .ext_max = 0x80000021,
            .e8b = E8B_SSB_NO | E8B_BTC_NO,
            .e21a = E21A_LFENCE_SERIALIZING | E21A_NULL_CLEARS_BASE | E21A_AUTO_IBRS | E21A_SRSO_NO,
            .e1c = E1C_LAHF | E1C_ABM | E1C_PREFETCHW,
            .e1d = E1D | (F1D & F1D_AMD_COPY),
            .cache_l1 = {0, 0, 0x20080140, 0x40040140}, /* 32 KiB data, 64 KiB code */
            .cache_l2 = {0, 0, 0x02006140, 0x00408140}, /* 512 KiB, L3 8 MiB */
        },
    [VENDOR_INTEL] =
        {
            .vendor = {'G', 'e', 'n', 'u', 'i', 'n', 'e', 'I', 'n', 't', 'e', 'l'},
            .brand = "Intel Xeon Processor",
            .signature = 0x00050654, /* family 6, model 55h */
            .ext_max = 0x80000008,
            .e1c = E1C_LAHF | E1C_ABM | E1C_PREFETCHW,
            .e1d = E1D,
            .leaf2 = {0x76036301, 0x00f0b5ff, 0, 0x00c30000},
            .cache_l2 = {0, 0, 0x04008040, 0}, /* 1 MiB */
            .leaf4 = true,
        },
};

static const struct cpu_model *model_of(const struct domain *d)
{
    return &models[d->arch->vendor];
}

/* Bits that belong to a feature: it is bit of features_off[word]. */
struct feature_bits {
    uint8_t word, bit;
    uint64_t control;
};

static uint64_t without(const struct domain *d, uint64_t valid, const struct feature_bits *f,
                        unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if ((d->arch->features_off[f[i].word] >> f[i].bit & 1) != 0) {
            valid &= ~f[i].control;
        }
    }
    return valid;
}

uint64_t cpuid_cr4_valid(const struct domain *d)
{
    static const struct feature_bits bits[] = {
        {0, 2, BIT(3)},  {0, 3, BIT(4)},   {0, 6, BIT(5)},  {0, 7, BIT(6)},
        {0, 13, BIT(7)}, {1, 26, BIT(18)}, {5, 0, BIT(16)}, {5, 7, BIT(20)},
    };

    return without(d, CR4_VALID, bits, ARRAY_SIZE(bits));
}

uint64_t cpuid_efer_valid(const struct domain *d)
{
    static const struct feature_bits bits[] = {
        {2, 11, EFER_SCE},
        {2, 20, EFER_NXE},
        {2, 29, EFER_LME | EFER_LMA},
    };

    uint64_t valid = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

    if ((model_of(d)->e21a & E21A_AUTO_IBRS) != 0) {
        valid |= EFER_AIBRSE;
    }
    return without(d, valid, bits, ARRAY_SIZE(bits));
}

uint64_t cpuid_xcr0_valid(const struct domain *d)
{
    return XCR0_X87_SSE;
}

/* APIC ids are even, so each vCPU is the only thread of its core. */
static uint32_t apic_id(const struct vcpu *v)
{
    return v->id * 2;
}

static uint32_t cores_of(const struct domain *d)
{
    uint32_t n = d->arch->vcpu_total;

    return n == 0 ? 1 : n;
}

/* Bits that hold every APIC id of the package. */
static uint32_t id_bits(const struct domain *d)
{
    uint32_t n = 1;

    while ((UINT32_C(1) << n) < cores_of(d) * 2) {
        n++;
    }
    return n;
}

static uint32_t at_most(uint32_t v, uint32_t max)
{
    return v < max ? v : max;
}

static struct cpuid_leaf leaf_vendor(const struct cpu_model *m, uint32_t max)
{
    struct cpuid_leaf r = {.eax = max};

    memcpy(&r.ebx, m->vendor, 4);
    memcpy(&r.edx, m->vendor + 4, 4);
    memcpy(&r.ecx, m->vendor + 8, 4);
    return r;
}

static bool apic_on(const struct vcpu *v)
{
    return (v->arch->lapic.base_msr & APIC_BASE_ENABLE) != 0;
}

static struct cpuid_leaf leaf_1(struct vcpu *v, const struct cpu_model *m)
{
    struct cpuid_leaf r = {.eax = m->signature, .ecx = F1C, .edx = F1D};

    r.ebx = (8u << 8) | (at_most(cores_of(v->domain) * 2, 255) << 16) | (apic_id(v) << 24);
    if ((v->arch->exit.cr4 & CR4_OSXSAVE) != 0) {
        r.ecx |= F1C_OSXSAVE;
    }
    if (!apic_on(v)) {
        r.edx &= ~F1D_APIC;
    }
    return r;
}

/* Deterministic cache parameters: type and level, ids that share it, geometry. */
static struct cpuid_leaf leaf_4(const struct domain *d, uint32_t subleaf)
{
    static const struct {
        uint32_t type_level, ways, sets;
    } cache[4] = {{0x121, 8, 64}, {0x122, 8, 64}, {0x143, 16, 1024}, {0x163, 16, 8192}};
    uint32_t package = UINT32_C(1) << id_bits(d);
    uint32_t sharing = subleaf == 3 ? package : 2;

    if (subleaf >= ARRAY_SIZE(cache)) {
        return (struct cpuid_leaf){0, 0, 0, 0};
    }
    return (struct cpuid_leaf){
        .eax = cache[subleaf].type_level | (at_most(sharing - 1, 0xfff) << 14) |
               (at_most(package / 2 - 1, 63) << 26),
        .ebx = ((cache[subleaf].ways - 1) << 22) | 63,
        .ecx = cache[subleaf].sets - 1,
    };
}

/* Extended topology: threads of a core, cores of the package. */
static struct cpuid_leaf leaf_b(struct vcpu *v, uint32_t subleaf)
{
    struct cpuid_leaf r = {.ecx = subleaf & 0xff, .edx = apic_id(v)};

    if (subleaf == 0) {
        r.eax = 1;
        r.ebx = 1;
        r.ecx |= 1u << 8;
    } else if (subleaf == 1) {
        r.eax = id_bits(v->domain);
        r.ebx = cores_of(v->domain);
        r.ecx |= 2u << 8;
    }
    return r;
}

static struct cpuid_leaf leaf_d(uint32_t subleaf)
{
    switch (subleaf) {
    case 0:
        return (struct cpuid_leaf){XCR0_X87_SSE, XSAVE_AREA, XSAVE_AREA, 0};
    case 1:
        return (struct cpuid_leaf){1, 0, 0, 0}; /* XSAVEOPT */
    default:
        return (struct cpuid_leaf){0, 0, 0, 0};
    }
}

static struct cpuid_leaf basic(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    const struct cpu_model *m = model_of(v->domain);
    struct cpuid_leaf r = {0, 0, 0, 0};

    switch (leaf) {
    case 0:
        return leaf_vendor(m, CPUID_BASIC_MAX);
    case 1:
        return leaf_1(v, m);
    case 2:
        return m->leaf2;
    case 4:
        return m->leaf4 ? leaf_4(v->domain, subleaf) : r;
    case 6:
        r.eax = LEAF6_ARAT;
        return r;
    case 7:
        r.ebx = subleaf == 0 ? F7B : 0;
        return r;
    case 0xb:
        return leaf_b(v, subleaf);
    case 0xd:
        return leaf_d(subleaf);
    default:
        return r;
    }
}

/* Leaf 4 of Xen's: the guest's clock. An emulated counter has its offset in what RDTSC
 * gives, so that there is never one to add. */
static struct cpuid_leaf xen_time(const struct domain *d, uint32_t subleaf)
{
    struct pvclock_scale s = domain_tsc_scale(d);
    struct cpuid_leaf r = {0, 0, 0, 0};

    switch (subleaf) {
    case 0:
        r.eax = (d->tsc.emulated ? BIT(0) : 0) | BIT(1) | BIT(2); /* ...; reliable; RDTSCP */
        r.ebx = d->tsc.mode;
        r.ecx = domain_tsc_khz(d);
        r.edx = d->tsc.incarnation;
        break;
    case 1:
        r.ecx = s.mul;
        r.edx = (uint32_t)(int32_t)s.shift;
        break;
    case 2:
        r.eax = port_tsc_khz();
        break;
    default:
        break;
    }
    return r;
}

static struct cpuid_leaf xen_hvm(const struct vcpu *v, uint32_t subleaf)
{
    if (subleaf != 0) {
        return (struct cpuid_leaf){0, 0, 0, 0};
    }
    return (struct cpuid_leaf){
        .eax = XEN_HVM_CPUID_IOMMU_MAPPINGS | XEN_HVM_CPUID_VCPU_ID_PRESENT |
               XEN_HVM_CPUID_DOMID_PRESENT | XEN_HVM_CPUID_UPCALL_VECTOR,
        .ebx = v->id,
        .ecx = v->domain->id,
    };
}

static struct cpuid_leaf xen(const struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf r = {0, 0, 0, 0};

    switch (leaf) {
    case XEN_CPUID_LEAF(0):
        return (struct cpuid_leaf){XEN_MAX, XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX,
                                   XEN_CPUID_SIGNATURE_EDX};
    case XEN_CPUID_LEAF(1):
        r.eax = XEN_VERSION_EAX;
        return r;
    case XEN_CPUID_LEAF(2):
        r.eax = 1; /* pages */
        r.ebx = MSR_HYPERCALL_PAGE;
        return r;
    case XEN_CPUID_LEAF(3):
        return xen_time(v->domain, subleaf);
    case XEN_CPUID_LEAF(4):
        return xen_hvm(v, subleaf);
    default: /* leaf 5 is for PV */
        return r;
    }
}

static struct cpuid_leaf brand(const struct cpu_model *m, uint32_t part)
{
    struct cpuid_leaf r;

    memcpy(&r, m->brand + part * sizeof(r), sizeof(r));
    return r;
}

/* The model's leaf, with what depends on the vCPU. */
static struct cpuid_leaf extended(struct vcpu *v, uint32_t leaf)
{
    uint8_t vendor = v->domain->arch->vendor;
    struct cpuid_leaf r = cpuid_model(vendor, leaf, 0);

    if (leaf == 0x80000001 && !apic_on(v)) {
        r.edx &= ~F1D_APIC;
    } else if (leaf == 0x80000008 && vendor == VENDOR_AMD) {
        r.ecx = at_most(cores_of(v->domain) * 2 - 1, 255) | (id_bits(v->domain) << 12);
    } else if (leaf == 0x8000001e) {
        r.eax = apic_id(v);
        r.ebx = v->id & 0xff; /* core; one thread in each */
    }
    return r;
}

static struct cpuid_leaf query(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    const struct domain_arch *da = v->domain->arch;
    uint32_t basic_max = da->cpuid_basic_max != 0 ? da->cpuid_basic_max : CPUID_BASIC_MAX;
    uint32_t ext_max = da->cpuid_ext_max != 0 ? da->cpuid_ext_max : cpuid_model_ext_max(da->vendor);

    if (leaf <= basic_max) {
        return basic(v, leaf, subleaf);
    }
    if (leaf >= XEN_CPUID_FIRST_LEAF && leaf <= XEN_MAX) {
        return xen(v, leaf, subleaf);
    }
    if (leaf >= 0x80000000 && leaf <= ext_max) {
        return extended(v, leaf);
    }
    return (struct cpuid_leaf){0, 0, 0, 0};
}

struct cpuid_leaf cpuid_query(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    const struct domain_arch *da = v->domain->arch;
    struct cpuid_leaf r = query(v, leaf, subleaf);

    cpuid_mask_features(leaf, subleaf, da->features_off, &r);
    if (leaf == 0 && da->cpuid_basic_max != 0) {
        r.eax = da->cpuid_basic_max;
    } else if (leaf == 0x80000000 && da->cpuid_ext_max != 0) {
        r.eax = da->cpuid_ext_max;
    }
    return r;
}

uint32_t cpuid_model_ext_max(uint8_t vendor)
{
    return models[vendor].ext_max;
}

struct cpuid_leaf cpuid_model(uint8_t vendor, uint32_t leaf, uint32_t subleaf)
{
    const struct cpu_model *m = &models[vendor];
    struct cpuid_leaf r = {0, 0, 0, 0};

    switch (leaf) {
    case 0:
        return leaf_vendor(m, CPUID_BASIC_MAX);
    case 1:
        return (struct cpuid_leaf){m->signature, (8u << 8) | (1u << 16), F1C, F1D};
    case 2:
        return m->leaf2;
    case 6:
        r.eax = LEAF6_ARAT;
        return r;
    case 7:
        r.ebx = subleaf == 0 ? F7B : 0;
        return r;
    case 0xd:
        return leaf_d(subleaf);
    case 0x80000000:
        return vendor == VENDOR_AMD ? leaf_vendor(m, m->ext_max)
                                    : (struct cpuid_leaf){m->ext_max, 0, 0, 0};
    case 0x80000001:
        return (struct cpuid_leaf){vendor == VENDOR_AMD ? m->signature : 0, 0, m->e1c, m->e1d};
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        return brand(m, leaf - 0x80000002);
    case 0x80000005:
        return m->cache_l1;
    case 0x80000006:
        return m->cache_l2;
    case 0x80000007:
        r.edx = LEAF_80000007_ITSC;
        return r;
    case 0x80000008:
        r.eax = ADDRESS_BITS;
        r.ebx = m->e8b;
        return r;
    case 0x80000021:
        r.eax = m->e21a;
        return r;
    default:
        return r;
    }
}
