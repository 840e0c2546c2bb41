/* The checks of 26.2 and 26.3 that the diagnosis knows, failed on purpose ("selftest=entry"):
 * a vCPU's VMCS gets one thing wrong, the CPU must refuse it, and the diagnosis name just
 * that. Not tried are those that Bochs 2.7 does not make: CS.DPL against SS.DPL, an NMI while
 * NMIs are blocked, a pending single step against RFLAGS.TF. */
#include "bare/vmx/vmx.h"

#include "base/string.h"
#include "core/console/console.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define CHANGES 6u
#define CR0_NE (UINT64_C(1) << 5)
#define HIGH32 (UINT64_C(1) << 32)
#define NOT_CANONICAL (UINT64_C(1) << 47)
#define TYPE 0xfu
#define DPL_3 0x60u
#define AR(seg) (VMCS_GUEST_ES_AR + 2 * (seg))
#define BASE(seg) (VMCS_GUEST_ES_BASE + 2 * (seg))
#define EXTERNAL (EVENT_VALID | 0x30u)
#define NMI (EVENT_VALID | EVENT_NMI << 8 | VECTOR_NMI)

/* The guest is in real mode with interrupts off, as after a reset. */
#define PAGED                                                                                      \
    {                                                                                              \
        VMCS_GUEST_CR0, CR0_PE | CR0_PG, 0                                                         \
    }
#define LONG_MODE                                                                                  \
    PAGED, {VMCS_GUEST_CR4, CR4_PAE, 0}, {VMCS_GUEST_EFER, EFER_LMA | EFER_LME, 0},                \
    {                                                                                              \
        VMCS_ENTRY_CTL, ENTRY_CTL_IA32E, 0                                                         \
    }
#define IF_ON                                                                                      \
    {                                                                                              \
        VMCS_GUEST_RFLAGS, RFLAGS_IF, 0                                                            \
    }

static const struct refusal {
    const char *why;
    struct change {
        uint32_t field; /* 0: no more */
        uint64_t set, clear;
    } change[CHANGES];
} refusals[] = {
    {"CR0 has bits that VMX fixes otherwise", {{VMCS_GUEST_CR0, 0, CR0_NE}}},
    {"CR0.PG without CR0.PE", {{VMCS_GUEST_CR0, CR0_PG, 0}}},
    {"CR4 has bits that VMX fixes otherwise", {{VMCS_GUEST_CR4, 0, CR4_VMXE}}},
    {"long mode without CR0.PG", {{VMCS_ENTRY_CTL, ENTRY_CTL_IA32E, 0}}},
    {"long mode without CR4.PAE", {PAGED, {VMCS_ENTRY_CTL, ENTRY_CTL_IA32E, 0}}},
    {"CR4.PCIDE outside long mode", {{VMCS_GUEST_CR4, CR4_PCIDE, 0}}},
    {"CR3 beyond the physical addresses", {{VMCS_GUEST_CR3, UINT64_C(1) << 52, 0}}},
    {"DR7 beyond 32 bits", {{VMCS_GUEST_DR7, HIGH32, 0}}},
    {"SYSENTER_ESP or _EIP not canonical", {{VMCS_GUEST_SYSENTER_ESP, NOT_CANONICAL, 0}}},
    {"SYSENTER_ESP or _EIP not canonical", {{VMCS_GUEST_SYSENTER_EIP, NOT_CANONICAL, 0}}},
    {"a memory type in PAT that does not exist", {{VMCS_GUEST_PAT, 2, 0xff}}},
    {"reserved bits of EFER", {{VMCS_GUEST_EFER, 0x10, 0}}},
    {"EFER.LMA is not what the entry control says", {{VMCS_GUEST_EFER, EFER_LMA, 0}}},
    {"EFER.LMA is not EFER.LME", {PAGED, {VMCS_GUEST_EFER, EFER_LME, 0}}},
    {"CS of a type that is not code", {{AR(SEG_CS), 2, TYPE}}},
    {"CS not present or a system segment", {{AR(SEG_CS), 0, SEG_P}}},
    {"CS not present or a system segment", {{AR(SEG_CS), 0, SEG_S}}},
    {"CS has both L and D", {LONG_MODE, {AR(SEG_CS), SEG_L | SEG_DB, 0}}},
    {"CS base beyond 32 bits", {{BASE(SEG_CS), HIGH32, 0}}},
    {"SS of a type that is not writable data", {{AR(SEG_SS), 1, TYPE}}},
    {"SS not present or a system segment", {{AR(SEG_SS), 0, SEG_P}}},
    {"SS base beyond 32 bits", {{BASE(SEG_SS), HIGH32, 0}}},
    {"SS.DPL not 0", {{AR(SEG_SS), DPL_3, 0}}},
    {"a data segment that cannot be read", {{AR(SEG_DS), 0, SEG_ACCESSED}}},
    {"a data segment not present or a system segment", {{AR(SEG_GS), 0, SEG_P}}},
    {"base of DS or ES beyond 32 bits", {{BASE(SEG_DS), HIGH32, 0}}},
    {"reserved bits of a segment's attributes", {{AR(SEG_ES), 0x100, 0}}},
    {"a segment's limit that does not go with its G", {{VMCS_GUEST_ES_LIMIT, 1u << 20, 0}}},
    {"FS or GS base not canonical", {{VMCS_GUEST_FS_BASE, NOT_CANONICAL, 0}}},
    {"TR in an LDT", {{VMCS_GUEST_TR_SEL, 4, 0}}},
    {"TR unusable, not present or not a system segment", {{AR(SEG_TR), 0, SEG_P}}},
    {"TR not a busy TSS", {{AR(SEG_TR), 0, 2}}},
    {"LDTR not an LDT", {{AR(SEG_LDTR), 3, TYPE | SEG_UNUSABLE}}},
    {"base of TR or LDTR not canonical", {{BASE(SEG_TR), NOT_CANONICAL, 0}}},
    {"GDTR or IDTR base not canonical", {{VMCS_GUEST_IDTR_BASE, NOT_CANONICAL, 0}}},
    {"GDTR or IDTR limit beyond 16 bits", {{VMCS_GUEST_GDTR_LIMIT, 1u << 16, 0}}},
    {"RIP outside the code segment's addresses", {{VMCS_GUEST_RIP, HIGH32, 0}}},
    {"reserved bits of RFLAGS", {{VMCS_GUEST_RFLAGS, 0, RFLAGS_FIXED}}},
    {"RFLAGS.VM outside protected mode", {{VMCS_GUEST_RFLAGS, RFLAGS_VM, 0}}},
    {"an interrupt while RFLAGS.IF is 0", {{VMCS_ENTRY_EVENT, EXTERNAL, 0}}},
    {"no such activity state", {{VMCS_GUEST_ACTIVITY, 7, 0}}},
    {"blocking by both STI and MOV SS",
     {IF_ON, {VMCS_GUEST_BLOCKING, BLOCKING_STI | BLOCKING_MOV_SS, 0}}},
    {"blocking by STI while RFLAGS.IF is 0", {{VMCS_GUEST_BLOCKING, BLOCKING_STI, 0}}},
    {"an interrupt that is blocked",
     {IF_ON, {VMCS_GUEST_BLOCKING, BLOCKING_MOV_SS, 0}, {VMCS_ENTRY_EVENT, EXTERNAL, 0}}},
    {"an NMI that is blocked",
     {{VMCS_GUEST_BLOCKING, BLOCKING_MOV_SS, 0}, {VMCS_ENTRY_EVENT, NMI, 0}}},
    {"reserved pending debug exceptions", {{VMCS_GUEST_PENDING_DEBUG, 1u << 4, 0}}},
    {"a linked VMCS", {{VMCS_LINK, 0, UINT64_MAX}}},
    {"reserved bits of a PDPTE", {PAGED, {VMCS_GUEST_CR4, CR4_PAE, 0}, {VMCS_GUEST_PDPTE0, 7, 0}}},
    {"invalid host state", {{VMCS_HOST_CR3, UINT64_C(1) << 52, 0}}},
    {"a virtual-APIC page that is not aligned", {{VMCS_VIRTUAL_APIC, 8, 0}}},
    {"a timer that is saved but does not run",
     {{VMCS_EXIT_CTL, EXIT_CTL_SAVE_TIMER, 0}, {VMCS_PIN, 0, PIN_TIMER}}},
    {"virtual interrupts without exits by interrupts",
     {{VMCS_PROC2, PROC2_VIRTUAL_INTERRUPTS, 0}, {VMCS_PIN, 0, PIN_EXT_INT}}},
    {"a virtual APIC without TPR shadow",
     {{VMCS_PROC2, PROC2_APIC_REGISTERS, 0}, {VMCS_PROC, 0, PROC_TPR_SHADOW}}},
    {"both modes of the virtual APIC",
     {{VMCS_PROC2, PROC2_X2APIC | PROC2_APIC_ACCESS, 0}, {VMCS_APIC_ACCESS, 0, UINT64_MAX}}},
    {"an APIC-access page that is not aligned",
     {{VMCS_PROC2, PROC2_APIC_ACCESS, PROC2_X2APIC}, {VMCS_APIC_ACCESS, 8, UINT64_MAX}}},
    {"a TPR threshold beyond 15", {{VMCS_PROC2, 0, PROC2_APIC}, {VMCS_TPR_THRESHOLD, 16, 0}}},
    {"a TPR threshold above the TPR", {{VMCS_PROC2, 0, PROC2_APIC}, {VMCS_TPR_THRESHOLD, 5, 0}}},
};

static bool is_refused(struct port_guest *g, const struct refusal *r)
{
    struct guest_regs regs = g->v->arch->regs;
    struct guest_entry in = {.inject = {.type = EVENT_NONE}};
    struct guest_exit out;
    uint64_t old[CHANGES];
    bool right;
    unsigned n;

    vmx_grab(g->vmx);
    for (n = 0; n < CHANGES && r->change[n].field != 0; n++) {
        const struct change *c = &r->change[n];

        old[n] = vmread(c->field);
        vmwrite(c->field, (old[n] & ~c->clear) | c->set);
    }
    g->vmx->refused = "";
    vmx_run(g, &regs, &in, &out);
    right = out.reason == EXIT_FAILED && str_equal(g->vmx->refused, r->why);
    if (!right)
        hv_log(0, "VT-x: wanted: %s; found: %s", r->why, g->vmx->refused);
    while (n-- > 0)
        vmwrite(r->change[n].field, old[n]);
    return right;
}

bool vmx_refusals(struct port_guest *g)
{
    unsigned right = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++)
        right += is_refused(g, &refusals[i]);
    hv_log(0, "VT-x: %u of %u refusals named", right, (unsigned)ARRAY_SIZE(refusals));
    return right == ARRAY_SIZE(refusals);
}
