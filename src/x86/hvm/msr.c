/* What RDMSR and WRMSR of a guest mean. Everything not named here gets #GP.
 * Sources: SDM Vol. 4, APM Vol. 2 appendix A. */
#include "core/time/tsc.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define MSR_TSC 0x10u
#define MSR_PLATFORM_ID 0x17u
#define MSR_APIC_BASE 0x1bu
#define MSR_EBC_FREQUENCY 0x2cu
#define MSR_FEATURE_CONTROL 0x3au
#define MSR_UCODE_WRITE 0x79u
#define MSR_UCODE_REV 0x8bu
#define MSR_PLATFORM_INFO 0xceu
#define MSR_MTRR_CAP 0xfeu
#define MSR_MISC_FEATURES 0x140u
#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_MCG_CAP 0x179u
#define MSR_MCG_STATUS 0x17au
#define MSR_MISC_ENABLE 0x1a0u
#define MSR_DEBUGCTL 0x1d9u
#define MSR_LBR_FIRST 0x1dbu
#define MSR_LBR_LAST 0x1deu
#define MSR_MTRR_VAR 0x200u
#define MSR_MTRR_VAR_END 0x210u
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MSR_MC_FIRST 0x400u
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC_FIRST 0x800u
#define MSR_X2APIC_LAST 0x8ffu
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
/* AMD's own. */
#define MSR_K7_PERF_FIRST 0xc0010000u /* event selects and counters 0-3 */
#define MSR_K7_PERF_LAST 0xc0010007u
#define MSR_SYSCFG 0xc0010010u
#define MSR_HWCR 0xc0010015u
#define MSR_TOP_MEM 0xc001001au
#define MSR_TOP_MEM2 0xc001001du
#define MSR_NB_CFG 0xc001001fu
#define MSR_PATCH_LOADER 0xc0010020u
#define MSR_MMIO_CFG_BASE 0xc0010058u
#define MSR_LS_CFG 0xc0011020u
#define MSR_FP_CFG 0xc0011028u
#define MSR_DE_CFG 0xc0011029u

#define MTRR_VARIABLE 8u
#define MTRR_CAP ((UINT64_C(1) << 10) | (UINT64_C(1) << 8) | MTRR_VARIABLE) /* WC, fixed */
#define MTRR_DEF_BITS UINT64_C(0xcff)
#define MTRR_MASK_VALID (UINT64_C(1) << 11)
#define PHYS_MASK ((UINT64_C(1) << (P2M_GFN_BITS + PAGE_SHIFT)) - 1)
#define MC_BANKS 2u
#define MC_REGISTERS 4u /* CTL, STATUS, ADDR, MISC of each bank */
#define MCG_CAP_INTEL ((UINT64_C(1) << 24) | (UINT64_C(1) << 11)) /* SER_P, TES_P */
/* Fast strings; neither BTS nor PEBS. */
#define MISC_ENABLE_VALUE ((UINT64_C(1) << 0) | (UINT64_C(3) << 11))
#define HWCR_TSC_FREQ_SEL (UINT64_C(1) << 24)
#define DE_CFG_LFENCE_SERIALISE (UINT64_C(1) << 1)
#define FEATURE_CONTROL_LOCK 1u

static bool is_intel(const struct vcpu *v)
{
    return v->domain->arch->vendor == VENDOR_INTEL;
}

static bool canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

bool msr_passthrough(uint32_t msr)
{
    switch (msr) {
    case MSR_SYSENTER_CS:
    case MSR_SYSENTER_ESP:
    case MSR_SYSENTER_EIP:
    case MSR_STAR:
    case MSR_LSTAR:
    case MSR_CSTAR:
    case MSR_SFMASK:
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
        return true;
    default:
        return false;
    }
}

static bool is_lapic(uint32_t msr)
{
    return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE ||
           (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST);
}

static bool is_bank(uint32_t msr)
{
    return msr >= MSR_MC_FIRST && msr < MSR_MC_FIRST + MC_BANKS * MC_REGISTERS;
}

/* Uncached, write-combining, write-through, write-protected, write-back. */
static bool mtrr_type_valid(uint64_t t)
{
    return t <= 6 && t != 2 && t != 3;
}

/* Index in mtrr_fixed[], or -1. */
static int mtrr_fixed_index(uint32_t msr)
{
    if (msr == 0x250) {
        return 0;
    }
    if (msr == 0x258 || msr == 0x259) {
        return (int)(msr - 0x258) + 1;
    }
    if (msr >= 0x268 && msr <= 0x26f) {
        return (int)(msr - 0x268) + 3;
    }
    return -1;
}

static uint64_t *mtrr_slot(struct vcpu *v, uint32_t msr)
{
    int fixed = mtrr_fixed_index(msr);

    if (fixed >= 0) {
        return &v->arch->mtrr_fixed[fixed];
    }
    if (msr >= MSR_MTRR_VAR && msr < MSR_MTRR_VAR_END) {
        return &v->arch->mtrr_var[msr - MSR_MTRR_VAR];
    }
    return msr == MSR_MTRR_DEF_TYPE ? &v->arch->mtrr_def_type : NULL;
}

/* SDM Vol. 3 11.11.2: reserved bits and types get #GP. */
static bool mtrr_value_valid(uint32_t msr, uint64_t value)
{
    unsigned i;

    if (msr == MSR_MTRR_DEF_TYPE) {
        return (value & ~MTRR_DEF_BITS) == 0 && mtrr_type_valid(value & 0xff);
    }
    if (mtrr_fixed_index(msr) < 0) {
        if ((value & ~PHYS_MASK) != 0) {
            return false;
        }
        return (msr & 1) != 0 ? (value & (PAGE_SIZE - 1) & ~MTRR_MASK_VALID) == 0
                              : (value & 0xf00) == 0 && mtrr_type_valid(value & 0xff);
    }
    for (i = 0; i < 8; i++) {
        if (!mtrr_type_valid((value >> (8 * i)) & 0xff)) {
            return false;
        }
    }
    return true;
}

static bool pat_valid(uint64_t value)
{
    unsigned i;

    for (i = 0; i < 8; i++) {
        uint64_t t = (value >> (8 * i)) & 0xff;

        if (t > 7 || t == 2 || t == 3) {
            return false;
        }
    }
    return true;
}

/* Registers of one vendor. The other's guests get #GP. */
static int read_intel(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_FEATURE_CONTROL:
        *value = FEATURE_CONTROL_LOCK;
        return 0;
    case MSR_PLATFORM_ID:
    case MSR_PLATFORM_INFO:
    case MSR_MISC_FEATURES:
        *value = 0;
        return 0;
    case MSR_MISC_ENABLE:
        *value = v->arch->misc_enable | MISC_ENABLE_VALUE;
        return 0;
    default:
        return -1;
    }
}

static int read_amd(uint32_t msr, uint64_t *value)
{
    if (msr >= MSR_K7_PERF_FIRST && msr <= MSR_K7_PERF_LAST) {
        *value = 0;
        return 0;
    }
    switch (msr) {
    case MSR_HWCR:
        *value = HWCR_TSC_FREQ_SEL;
        return 0;
    case MSR_DE_CFG:
        *value = DE_CFG_LFENCE_SERIALISE;
        return 0;
    case MSR_SYSCFG:
    case MSR_TOP_MEM:
    case MSR_TOP_MEM2:
    case MSR_NB_CFG:
    case MSR_MMIO_CFG_BASE:
    case MSR_LS_CFG:
    case MSR_FP_CFG:
        *value = 0;
        return 0;
    default:
        return -1;
    }
}

static int read_common(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    if (msr >= MSR_LBR_FIRST && msr <= MSR_LBR_LAST) {
        *value = 0;
        return 0;
    }
    switch (msr) {
    case MSR_TSC:
        *value = domain_tsc_read(v->domain);
        return 0;
    case MSR_MTRR_CAP:
        *value = MTRR_CAP;
        return 0;
    case MSR_MCG_CAP:
        *value = MC_BANKS | (is_intel(v) ? MCG_CAP_INTEL : 0);
        return 0;
    case MSR_MCG_STATUS:
        *value = v->arch->mcg_status;
        return 0;
    case MSR_PAT:
        *value = v->arch->pat;
        return 0;
    case MSR_TSC_AUX:
        *value = v->arch->tsc_aux;
        return 0;
    case MSR_EFER:
        *value = port_guest_rdmsr(v, msr);
        return 0;
    case MSR_EBC_FREQUENCY:
    case MSR_UCODE_REV:
    case MSR_DEBUGCTL:
    case MSR_HYPERCALL_PAGE:
        *value = 0;
        return 0;
    default:
        return is_intel(v) ? read_intel(v, msr, value) : read_amd(msr, value);
    }
}

int msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const uint64_t *slot;

    if (is_lapic(msr)) {
        return vlapic_rdmsr(v, msr, value);
    }
    if (msr_passthrough(msr)) {
        *value = port_guest_rdmsr(v, msr);
        return 0;
    }
    slot = mtrr_slot(v, msr);
    if (slot != NULL) {
        *value = *slot;
        return 0;
    }
    if (is_bank(msr)) {
        *value = msr % MC_REGISTERS == 0 ? UINT64_MAX : 0; /* all on, nothing logged */
        return 0;
    }
    return read_common(v, msr, value);
}

/* LMA follows LME and CR0.PG and is not written: APM Vol. 2 3.1.7. */
static int write_efer(struct vcpu *v, uint64_t value)
{
    uint64_t old = port_guest_rdmsr(v, MSR_EFER);

    if ((value & ~cpuid_efer_valid(v->domain)) != 0) {
        return -1;
    }
    if (((value ^ old) & EFER_LME) != 0 && (v->arch->exit.cr0 & CR0_PG) != 0) {
        return -1;
    }
    port_guest_wrmsr(v, MSR_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
    return 0;
}

static int write_passthrough(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_SYSENTER_CS:
    case MSR_STAR:
        break;
    case MSR_SFMASK:
        value = (uint32_t)value;
        break;
    default:
        if (!canonical(value)) {
            return -1;
        }
        break;
    }
    port_guest_wrmsr(v, msr, value);
    return 0;
}

/* What has no meaning in a virtual machine but is written by good guests is
 * dropped; 0 or -1 for #GP. */
static int write_dropped(const struct vcpu *v, uint32_t msr)
{
    if (is_intel(v)) {
        return msr == MSR_UCODE_WRITE || msr == MSR_UCODE_REV ? 0 : -1;
    }
    if (msr >= MSR_K7_PERF_FIRST && msr <= MSR_K7_PERF_LAST) {
        return 0;
    }
    switch (msr) {
    case MSR_HWCR:
    case MSR_NB_CFG:
    case MSR_PATCH_LOADER:
    case MSR_LS_CFG:
    case MSR_FP_CFG:
    case MSR_DE_CFG:
        return 0;
    default:
        return -1;
    }
}

static int write_hypercall_page(struct vcpu *v, uint64_t value)
{
    if ((value & (PAGE_SIZE - 1)) != 0) {
        return -1; /* the low bits number the page: there is one */
    }
    return hypercall_page_install(v->domain, gfn(value >> PAGE_SHIFT)) == 0 ? 0 : -1;
}

static int write_common(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_TSC:
        return 0; /* all vCPUs share one unshifted TSC, on which the pvclock rests */
    case MSR_MCG_STATUS:
        v->arch->mcg_status = value;
        return 0;
    case MSR_PAT:
        if (!pat_valid(value)) {
            return -1;
        }
        v->arch->pat = value;
        port_guest_wrmsr(v, msr, value);
        return 0;
    case MSR_TSC_AUX:
        if (value >> 32 != 0) {
            return -1;
        }
        v->arch->tsc_aux = value;
        port_guest_wrmsr(v, msr, value);
        return 0;
    case MSR_EFER:
        return write_efer(v, value);
    case MSR_DEBUGCTL:
    case MSR_MISC_FEATURES:
        return value == 0 && (msr == MSR_DEBUGCTL || is_intel(v)) ? 0 : -1;
    case MSR_MISC_ENABLE:
        if (!is_intel(v)) {
            return -1;
        }
        v->arch->misc_enable = value & MISC_ENABLE_VALUE;
        return 0;
    case MSR_HYPERCALL_PAGE:
        return write_hypercall_page(v, value);
    default:
        return write_dropped(v, msr);
    }
}

int msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t *slot;

    if (is_lapic(msr)) {
        return vlapic_wrmsr(v, msr, value);
    }
    if (msr_passthrough(msr)) {
        return write_passthrough(v, msr, value);
    }
    slot = mtrr_slot(v, msr);
    if (slot != NULL) {
        if (!mtrr_value_valid(msr, value)) {
            return -1;
        }
        *slot = value;
        return 0;
    }
    if (is_bank(msr)) {
        /* CTL is all on whatever is written; the log may only be cleared. */
        return msr % MC_REGISTERS == 0 || value == 0 ? 0 : -1;
    }
    return write_common(v, msr, value);
}
