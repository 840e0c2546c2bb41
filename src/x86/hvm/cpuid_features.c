/* Feature bits of CPUID as one row of words, in the order of
 * <xen/arch-x86/cpufeatureset.h>. */
#include "base/string.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define OSXSAVE (UINT32_C(1) << 27) /* of word 1: follows CR4 */
/* Bits of leaf 1's edx that AMD shows again in 0x80000001. */
#define AMD_COPY 0x0183f3ffu

_Static_assert(CPUID_WORDS == X86_FEATURE_WORDS, "host and guests count alike");

/* Where a word stands: offset in struct cpuid_leaf. */
struct word_place {
    uint32_t leaf, subleaf;
    uint8_t reg; /* 0 eax .. 3 edx */
};

#define ANY UINT32_MAX
static const struct word_place places[CPUID_WORDS] = {
    {0x1, ANY, 3},        {0x1, ANY, 2}, {0x80000001, ANY, 3}, {0x80000001, ANY, 2},
    {0xd, 1, 0},          {0x7, 0, 1},   {0x7, 0, 2},          {0x80000007, ANY, 3},
    {0x80000008, ANY, 1}, {0x7, 0, 3},   {0x7, 1, 0},          {0x80000021, ANY, 0},
    {0x7, 1, 1},          {0x7, 2, 3},   {0x7, 1, 2},          {0x7, 1, 3},
};

/* What software provides: x2APIC, TSC deadline, OSXSAVE as CR4 says, that there is a
 * hypervisor, and the local APIC. */
#define BY_SOFTWARE_1C ((UINT32_C(1) << 21) | (UINT32_C(1) << 24) | OSXSAVE | (UINT32_C(1) << 31))
#define BY_SOFTWARE_1D (UINT32_C(1) << 9)

static uint32_t host_off[CPUID_WORDS]; /* set before the first domain */

void x86_set_host_features(const uint32_t words[X86_FEATURE_WORDS])
{
    for (unsigned i = 0; i < X86_FEATURE_WORDS; i++) {
        host_off[i] = ~words[i];
    }
    host_off[0] &= ~BY_SOFTWARE_1D;
    host_off[1] &= ~BY_SOFTWARE_1C;
    host_off[2] &= ~BY_SOFTWARE_1D; /* AMD's copy of the same */
    host_off[7] = 0;                /* ITSC: Corbel itself counts on it */
}

void cpuid_start_features(struct domain *d)
{
    memcpy(d->arch->features_off, host_off, sizeof(host_off));
}

static bool is_at(const struct word_place *p, uint32_t leaf, uint32_t subleaf)
{
    return p->leaf == leaf && (p->subleaf == ANY || p->subleaf == subleaf);
}

void cpuid_leaf_words(uint32_t leaf, uint32_t subleaf, const struct cpuid_leaf *l,
                      uint32_t words[CPUID_WORDS])
{
    const uint32_t regs[4] = {l->eax, l->ebx, l->ecx, l->edx};

    for (unsigned i = 0; i < CPUID_WORDS; i++) {
        if (is_at(&places[i], leaf, subleaf)) {
            words[i] = regs[places[i].reg];
        }
    }
}

void cpuid_mask_features(uint32_t leaf, uint32_t subleaf, const uint32_t off[CPUID_WORDS],
                         struct cpuid_leaf *l)
{
    uint32_t *const regs[4] = {&l->eax, &l->ebx, &l->ecx, &l->edx};

    for (unsigned i = 0; i < CPUID_WORDS; i++) {
        if (is_at(&places[i], leaf, subleaf)) {
            *regs[places[i].reg] &= ~off[i];
        }
    }
}

void cpuid_model_features(uint8_t vendor, uint32_t words[CPUID_WORDS])
{
    memset(words, 0, CPUID_WORDS * sizeof(words[0]));
    for (unsigned i = 0; i < CPUID_WORDS; i++) {
        uint32_t subleaf = places[i].subleaf == ANY ? 0 : places[i].subleaf;
        struct cpuid_leaf l = cpuid_model(vendor, places[i].leaf, subleaf);

        cpuid_mask_features(places[i].leaf, subleaf, host_off, &l);
        cpuid_leaf_words(places[i].leaf, subleaf, &l, words);
    }
}

void cpuid_set_features(struct domain *d, const uint32_t words[CPUID_WORDS])
{
    uint32_t *off = d->arch->features_off;
    uint32_t model[CPUID_WORDS];

    cpuid_model_features(d->arch->vendor, model);
    for (unsigned i = 0; i < CPUID_WORDS; i++) {
        off[i] = (model[i] & ~words[i]) | host_off[i];
    }
    off[1] &= ~OSXSAVE;
    if ((off[1] >> 26 & 1) != 0) { /* XSAVE */
        off[1] |= OSXSAVE;
        off[4] = model[4];
    }
    if (d->arch->vendor == VENDOR_AMD) {
        off[2] |= off[0] & AMD_COPY;
    }
}
