/* A CPU's VMX operation: what it must have for it, VMXON and VMXOFF (SDM Vol. 3
 * 23.6-23.8, appendix A). */
#include "bare/vmx/vmx.h"

#include "base/check.h"
#include "base/string.h"
#include "core/console/console.h"
#include "core/mem/page_alloc.h"
#include "x86/x86.h"

#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_7_EDX_MD_CLEAR (1u << 10)
#define CPUID_7_EDX_L1D_FLUSH (1u << 28)
#define CPUID_7_EDX_ARCH_CAPABILITIES (1u << 29)
#define CR0_NE (UINT64_C(1) << 5)

struct vmx_cpu vmx_cpus[MAX_CPUS];
struct vmx_controls vmx_controls;

/* A control that must be possible, and its name for the refusal. */
struct need {
    uint32_t bit;
    const char *lack;
};

static const struct need pin_needs[] = {
    {PIN_EXT_INT, "no exits by interrupts"},
    {PIN_NMI, "no exits by NMIs"},
    {PIN_VIRTUAL_NMI, "no virtual NMIs"},
};
/* The one that the others hang from comes first. */
static const struct need proc_needs[] = {
    {PROC_SECONDARY, "no EPT and no unrestricted guest"},
    {PROC_INT_WINDOW, "no exits by interrupt windows"},
    {PROC_HLT, "no exits by HLT"},
    {PROC_MWAIT, "no exits by MWAIT"},
    {PROC_RDPMC, "no exits by RDPMC"},
    {PROC_RDTSC, "no exits by RDTSC"},
    {PROC_TPR_SHADOW, "no TPR shadow"},
    {PROC_NMI_WINDOW, "no exits by NMI windows"},
    {PROC_MOV_DR, "no exits by MOV DR"},
    {PROC_IO_BITMAPS, "no I/O bitmaps"},
    {PROC_MSR_BITMAPS, "no MSR bitmaps"},
    {PROC_MONITOR, "no exits by MONITOR"},
};
static const struct need proc2_needs[] = {
    {PROC2_UNRESTRICTED | PROC2_EPT, "no EPT and no unrestricted guest"},
    {PROC2_UNRESTRICTED, "no unrestricted guest"},
    {PROC2_EPT, "no EPT"},
};
static const struct need exit_needs[] = {
    {EXIT_CTL_HOST_64, "no 64-bit host"},
    {EXIT_CTL_LOAD_PAT, "no switch of PAT"},
    {EXIT_CTL_LOAD_EFER, "no switch of EFER"},
};
static const struct need entry_needs[] = {
    {ENTRY_CTL_IA32E, "no 64-bit guests"},
    {ENTRY_CTL_LOAD_PAT, "no switch of PAT"},
    {ENTRY_CTL_LOAD_EFER, "no switch of EFER"},
};

#define EPT_NEEDS (EPT_CAP_WALK_4 | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_INVEPT | EPT_CAP_INVEPT_ONE)
#define VPID_NEEDS (VPID_CAP_INVVPID | VPID_CAP_INVVPID_ONE)

/* The first control of which no bit may be 1: bits 63:32 of a capability MSR say
 * which may (A.3). */
static const char *lacking(uint32_t msr, const struct need *needs, unsigned n)
{
    uint32_t may = (uint32_t)(rdmsr(msr) >> 32);

    for (unsigned i = 0; i < n; i++) {
        if ((may & needs[i].bit) == 0)
            return needs[i].lack;
    }
    return NULL;
}

static const char *ept_lacking(void)
{
    uint64_t cap = rdmsr(MSR_VMX_EPT_VPID);

    if (!(cap & EPT_CAP_2M))
        return "no EPT pages of 2 MiB";
    return (cap & EPT_NEEDS) == EPT_NEEDS ? NULL : "EPT without write-back, 4 levels or INVEPT";
}

static const char *controls_lacking(void)
{
    const char *lack = lacking(MSR_VMX_TRUE_PIN, pin_needs, ARRAY_SIZE(pin_needs));

    if (!lack)
        lack = lacking(MSR_VMX_TRUE_PROC, proc_needs, ARRAY_SIZE(proc_needs));
    if (!lack)
        lack = lacking(MSR_VMX_PROC2, proc2_needs, ARRAY_SIZE(proc2_needs));
    if (!lack)
        lack = lacking(MSR_VMX_TRUE_EXIT, exit_needs, ARRAY_SIZE(exit_needs));
    if (!lack)
        lack = lacking(MSR_VMX_TRUE_ENTRY, entry_needs, ARRAY_SIZE(entry_needs));
    if (!lack)
        lack = ept_lacking();
    /* CR3 stays the guest's own only where these may be 0: bits 31:0. */
    if (!lack && ((uint32_t)rdmsr(MSR_VMX_TRUE_PROC) & (PROC_CR3_LOAD | PROC_CR3_STORE)))
        lack = "no guest control of CR3";
    return lack;
}

const char *vmx_supported(void)
{
    uint64_t control;

    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
        return "no VT-x";
    control = rdmsr(MSR_FEATURE_CONTROL);
    if ((control & FEATURE_CONTROL_LOCKED) && !(control & FEATURE_CONTROL_VMX))
        return "VT-x switched off and locked by the firmware";
    if (!(rdmsr(MSR_VMX_BASIC) & VMX_BASIC_TRUE))
        return "no EPT and no unrestricted guest";
    return controls_lacking();
}

/* want, and what must be 1 (bits 31:0), less what may not (bits 63:32). */
static uint32_t adjust(uint32_t msr, uint32_t want)
{
    uint64_t cap = rdmsr(msr);

    return (want | (uint32_t)cap) & (uint32_t)(cap >> 32);
}

/* CPUs of one machine that differ are not served: the first decides. */
static void find_controls(struct vmx_controls *c)
{
    const uint32_t proc = PROC_HLT | PROC_MWAIT | PROC_RDPMC | PROC_TPR_SHADOW | PROC_MOV_DR |
                          PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_MONITOR | PROC_SECONDARY;

    c->revision = (uint32_t)(rdmsr(MSR_VMX_BASIC) & VMX_BASIC_REVISION);
    c->pin = adjust(MSR_VMX_TRUE_PIN,
                    PIN_EXT_INT | PIN_NMI | PIN_VIRTUAL_NMI | (options.vmx_timer ? PIN_TIMER : 0));
    c->timer_shift = VMX_MISC_TIMER_SHIFT(rdmsr(MSR_VMX_MISC));
    c->proc = adjust(MSR_VMX_TRUE_PROC, proc);
    c->proc2 = adjust(MSR_VMX_PROC2, PROC2_EPT | PROC2_RDTSCP | PROC2_VPID | PROC2_WBINVD |
                                         PROC2_UNRESTRICTED | PROC2_PAUSE_LOOP);
    if ((rdmsr(MSR_VMX_EPT_VPID) & VPID_NEEDS) != VPID_NEEDS)
        c->proc2 &= ~PROC2_VPID;
    c->apic = options.apicv && (adjust(MSR_VMX_PROC2, PROC2_APIC) & PROC2_APIC) == PROC2_APIC;
    c->exit = adjust(MSR_VMX_TRUE_EXIT, EXIT_CTL_SAVE_DEBUG | EXIT_CTL_HOST_64 | EXIT_CTL_LOAD_PAT |
                                            EXIT_CTL_LOAD_EFER);
    c->entry =
        adjust(MSR_VMX_TRUE_ENTRY, ENTRY_CTL_LOAD_DEBUG | ENTRY_CTL_LOAD_PAT | ENTRY_CTL_LOAD_EFER);
    c->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0) & ~(CR0_PE | CR0_PG); /* 23.8: unrestricted */
    c->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
    c->cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
    c->cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
}

/* Vol. 2 CPUID leaf 7: what a guest could infer of data that this CPU held before. */
static void find_leaks(struct vmx_controls *c)
{
    uint32_t edx = cpuid(0, 0).eax >= 7 ? cpuid(7, 0).edx : 0;
    uint64_t caps = edx & CPUID_7_EDX_ARCH_CAPABILITIES ? rdmsr(MSR_ARCH_CAPABILITIES) : 0;

    c->flush_l1d =
        (edx & CPUID_7_EDX_L1D_FLUSH) && !(caps & (ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1D_FLUSH));
    c->clear_buffers = (edx & CPUID_7_EDX_MD_CLEAR) && !(caps & ARCH_CAP_MDS_NO);
}

static void say_controls(const struct vmx_controls *c)
{
    uint64_t cap = rdmsr(MSR_VMX_EPT_VPID);

    hv_log(2, "VT-x: EPT%s%s, unrestricted guest%s%s%s%s%s%s",
           cap & EPT_CAP_1G ? " with 1 GiB pages" : "",
           cap & EPT_CAP_ACCESSED_DIRTY ? ", dirty bits" : "",
           c->proc2 & PROC2_VPID ? ", VPID" : "", c->proc2 & PROC2_RDTSCP ? ", RDTSCP" : "",
           c->proc2 & PROC2_PAUSE_LOOP ? ", PAUSE loops" : "",
           c->proc2 & PROC2_WBINVD ? ", WBINVD" : "", c->pin & PIN_TIMER ? ", timer" : "",
           c->apic ? ", virtual interrupts" : "");
    if (c->flush_l1d || c->clear_buffers)
        hv_log(2, "VT-x: each entry clears%s%s", c->flush_l1d ? " the L1 data cache" : "",
               c->clear_buffers ? " the CPU's buffers" : "");
}

int vmx_cpu_start(void)
{
    struct vmx_cpu *c = vmx_this_cpu();
    uint64_t control = rdmsr(MSR_FEATURE_CONTROL), cr0 = read_cr0(), cr4 = read_cr4(), pa;
    bool failed;

    if (!(control & FEATURE_CONTROL_LOCKED))
        wrmsr(MSR_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX);
    if (vmx_controls.revision == 0) {
        find_controls(&vmx_controls);
        find_leaks(&vmx_controls);
        say_controls(&vmx_controls);
        x86_set_p2m_1g((rdmsr(MSR_VMX_EPT_VPID) & EPT_CAP_1G) != 0);
        x86_set_p2m_dirty((rdmsr(MSR_VMX_EPT_VPID) & EPT_CAP_ACCESSED_DIRTY) != 0);
        host_features_tell();
    }
    cr0 = (cr0 | rdmsr(MSR_VMX_CR0_FIXED0)) & rdmsr(MSR_VMX_CR0_FIXED1);
    cr4 = (cr4 | CR4_VMXE | vmx_controls.cr4_fixed0) & vmx_controls.cr4_fixed1;
    write_cr0(cr0);
    write_cr4(cr4);
    if (!c->vmxon)
        c->vmxon = hyp_pages_alloc(NULL, 0, FRAME_HYP);
    if (!c->vmxon)
        return -XEN_ENOMEM;
    memcpy(c->vmxon, &vmx_controls.revision, sizeof(vmx_controls.revision));
    pa = ptr_to_mfn(c->vmxon).v << PAGE_SHIFT;
    __asm__ volatile("vmxon %1\n\tsetbe %0" : "=q"(failed) : "m"(pa) : "cc", "memory");
    return failed ? -XEN_EIO : 0;
}

void vmx_cpu_stop(void)
{
    struct vmx_cpu *c = vmx_this_cpu();

    if (!c->vmxon)
        return;
    __asm__ volatile("vmxoff" : : : "cc", "memory");
    write_cr4(read_cr4() & ~CR4_VMXE);
    c->current = NULL;
    c->msrs = NULL;
    c->vmxon = NULL;
}
