/* Why the CPU would not enter a guest. It says no more than which third of the
 * VMCS it did not like: the checks are made again here, in the CPU's order, and the
 * first that fails is named (SDM Vol. 3 26.2, 26.3, 30.4). */
#include "bare/vmx/vmx.h"

#include "core/console/console.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define QUALIFICATION_PDPTE 2u
#define QUALIFICATION_NMI 3u
#define QUALIFICATION_LINK 4u
#define RFLAGS_RESERVED UINT64_C(0xffffffffffc08028)
#define EFER_KNOWN (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define SEG_RESERVED 0xfffe0f00u
#define SEG_TYPE_CODE 8u
#define SEG_TYPE_RW 2u
#define PENDING_DEBUG_RESERVED (~UINT64_C(0x1500f))

struct entry_state {
    uint64_t cr0, cr4, efer, rflags;
    uint32_t event, blocking;
    bool long_mode; /* the control */
};

#define ERROR_CONTROLS 7u /* control_fault() says which */
static const char *const vm_errors[] = {
    [2] = "VMCLEAR of an invalid address",
    [3] = "VMCLEAR of the VMXON region",
    [4] = "VMLAUNCH of a VMCS that is launched",
    [5] = "VMRESUME of a VMCS that is not launched",
    [8] = "invalid host state",
    [9] = "VMPTRLD of an invalid address",
    [10] = "VMPTRLD of the VMXON region",
    [11] = "VMPTRLD of another revision",
    [12] = "no such VMCS field",
    [13] = "VMWRITE of a read-only field",
    [26] = "events blocked by MOV SS",
    [28] = "INVEPT or INVVPID with an invalid operand",
};

static bool is_canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* 26.3.1.1 */
static const char *control_registers(const struct entry_state *s)
{
    const struct vmx_controls *c = &vmx_controls;

    if ((s->cr0 & c->cr0_fixed0) != c->cr0_fixed0 || (s->cr0 & ~c->cr0_fixed1))
        return "CR0 has bits that VMX fixes otherwise";
    if ((s->cr0 & CR0_PG) && !(s->cr0 & CR0_PE))
        return "CR0.PG without CR0.PE";
    if ((s->cr4 & c->cr4_fixed0) != c->cr4_fixed0 || (s->cr4 & ~c->cr4_fixed1))
        return "CR4 has bits that VMX fixes otherwise";
    if (s->long_mode && !(s->cr0 & CR0_PG))
        return "long mode without CR0.PG";
    if (s->long_mode && !(s->cr4 & CR4_PAE))
        return "long mode without CR4.PAE";
    if (!s->long_mode && (s->cr4 & CR4_PCIDE))
        return "CR4.PCIDE outside long mode";
    if (vmread(VMCS_GUEST_CR3) >> 52)
        return "CR3 beyond the physical addresses";
    return vmread(VMCS_GUEST_DR7) >> 32 ? "DR7 beyond 32 bits" : NULL;
}

static const char *msrs(const struct entry_state *s)
{
    uint64_t pat = vmread(VMCS_GUEST_PAT);

    if (!is_canonical(vmread(VMCS_GUEST_SYSENTER_ESP)) ||
        !is_canonical(vmread(VMCS_GUEST_SYSENTER_EIP)))
        return "SYSENTER_ESP or _EIP not canonical";
    for (unsigned i = 0; i < 8; i++) {
        uint64_t type = pat >> 8 * i & 0xff;

        if (type > 7 || type == 2 || type == 3)
            return "a memory type in PAT that does not exist";
    }
    if (s->efer & ~EFER_KNOWN)
        return "reserved bits of EFER";
    if (((s->efer & EFER_LMA) != 0) != s->long_mode)
        return "EFER.LMA is not what the entry control says";
    if ((s->cr0 & CR0_PG) && !(s->efer & EFER_LMA) != !(s->efer & EFER_LME))
        return "EFER.LMA is not EFER.LME";
    return NULL;
}

/* G goes with the limit's low and high bits: 26.3.1.2. */
static bool limit_matches(uint32_t limit, uint32_t ar)
{
    if ((limit & 0xfff) != 0xfff && (ar & SEG_G))
        return false;
    return !(limit >> 20 && !(ar & SEG_G));
}

static const char *code_segment(const struct entry_state *s, uint32_t ar)
{
    unsigned type = SEG_TYPE(ar);

    if (type != 3 && (type & (SEG_TYPE_CODE | SEG_ACCESSED)) != (SEG_TYPE_CODE | SEG_ACCESSED))
        return "CS of a type that is not code";
    if (!(ar & SEG_S) || !(ar & SEG_P))
        return "CS not present or a system segment";
    if (s->long_mode && (ar & SEG_L) && (ar & SEG_DB))
        return "CS has both L and D";
    if (vmread(VMCS_GUEST_ES_BASE + 2 * SEG_CS) >> 32)
        return "CS base beyond 32 bits";
    return NULL;
}

static const char *stack_segment(const struct entry_state *s, uint32_t ar, uint32_t cs)
{
    if (ar & SEG_UNUSABLE)
        return NULL;
    if (SEG_TYPE(ar) != 3 && SEG_TYPE(ar) != 7)
        return "SS of a type that is not writable data";
    if (!(ar & SEG_S) || !(ar & SEG_P))
        return "SS not present or a system segment";
    if (vmread(VMCS_GUEST_ES_BASE + 2 * SEG_SS) >> 32)
        return "SS base beyond 32 bits";
    if ((SEG_TYPE(cs) == 3 || !(s->cr0 & CR0_PE)) && SEG_DPL(ar) != 0)
        return "SS.DPL not 0";
    return SEG_TYPE(cs) != 3 && !(SEG_TYPE(cs) & 4) && SEG_DPL(cs) != SEG_DPL(ar)
               ? "CS.DPL is not SS.DPL"
               : NULL;
}

static const char *data_segment(unsigned i, uint32_t ar)
{
    unsigned type = SEG_TYPE(ar);

    if (ar & SEG_UNUSABLE)
        return NULL;
    if (!(type & SEG_ACCESSED) || ((type & SEG_TYPE_CODE) && !(type & SEG_TYPE_RW)))
        return "a data segment that cannot be read";
    if (!(ar & SEG_S) || !(ar & SEG_P))
        return "a data segment not present or a system segment";
    if (i != SEG_FS && i != SEG_GS && vmread(VMCS_GUEST_ES_BASE + 2 * i) >> 32)
        return "base of DS or ES beyond 32 bits";
    return NULL;
}

static const char *system_segments(const struct entry_state *s)
{
    uint32_t tr = (uint32_t)vmread(VMCS_GUEST_TR_AR);
    uint32_t ldtr = (uint32_t)vmread(VMCS_GUEST_ES_AR + 2 * SEG_LDTR);

    if (vmread(VMCS_GUEST_TR_SEL) & 4)
        return "TR in an LDT";
    if ((tr & SEG_UNUSABLE) || (tr & SEG_S) || !(tr & SEG_P))
        return "TR unusable, not present or not a system segment";
    if (SEG_TYPE(tr) != 11 && (SEG_TYPE(tr) != 3 || s->long_mode))
        return "TR not a busy TSS";
    if (!(ldtr & SEG_UNUSABLE) && (SEG_TYPE(ldtr) != 2 || (ldtr & SEG_S) || !(ldtr & SEG_P)))
        return "LDTR not an LDT";
    if (!is_canonical(vmread(VMCS_GUEST_ES_BASE + 2 * SEG_TR)) ||
        !is_canonical(vmread(VMCS_GUEST_ES_BASE + 2 * SEG_LDTR)))
        return "base of TR or LDTR not canonical";
    return NULL;
}

/* 26.3.1.2, without what only virtual-8086 mode asks. */
static const char *segments(const struct entry_state *s)
{
    uint32_t cs = (uint32_t)vmread(VMCS_GUEST_CS_AR), ar;
    const char *bad = code_segment(s, cs);

    for (unsigned i = 0; !bad && i < SEG_COUNT; i++) {
        ar = (uint32_t)vmread(VMCS_GUEST_ES_AR + 2 * i);
        if (i == SEG_SS)
            bad = stack_segment(s, ar, cs);
        else if (i != SEG_CS && i < SEG_LDTR)
            bad = data_segment(i, ar);
        if (!bad && (ar & SEG_RESERVED) && !(ar & SEG_UNUSABLE))
            bad = "reserved bits of a segment's attributes";
        if (!bad && !(ar & SEG_UNUSABLE) &&
            !limit_matches((uint32_t)vmread(VMCS_GUEST_ES_LIMIT + 2 * i), ar))
            bad = "a segment's limit that does not go with its G";
    }
    if (!bad &&
        (!is_canonical(vmread(VMCS_GUEST_FS_BASE)) || !is_canonical(vmread(VMCS_GUEST_GS_BASE))))
        bad = "FS or GS base not canonical";
    return bad ? bad : system_segments(s);
}

/* 26.3.1.3 */
static const char *tables(const struct entry_state *s)
{
    if (!is_canonical(vmread(VMCS_GUEST_GDTR_BASE)) || !is_canonical(vmread(VMCS_GUEST_IDTR_BASE)))
        return "GDTR or IDTR base not canonical";
    if (vmread(VMCS_GUEST_GDTR_LIMIT) >> 16 || vmread(VMCS_GUEST_IDTR_LIMIT) >> 16)
        return "GDTR or IDTR limit beyond 16 bits";
    return NULL;
}

/* 26.3.1.4 */
static const char *rip_and_rflags(const struct entry_state *s)
{
    uint64_t rip = vmread(VMCS_GUEST_RIP);
    bool wide = s->long_mode && (vmread(VMCS_GUEST_CS_AR) & SEG_L);

    if (wide ? !is_canonical(rip) : rip >> 32 != 0)
        return "RIP outside the code segment's addresses";
    if ((s->rflags & RFLAGS_RESERVED) || !(s->rflags & RFLAGS_FIXED))
        return "reserved bits of RFLAGS";
    if ((s->rflags & RFLAGS_VM) && (s->long_mode || !(s->cr0 & CR0_PE)))
        return "RFLAGS.VM outside protected mode";
    if (!(s->rflags & RFLAGS_IF) && (s->event & EVENT_VALID) &&
        EVENT_TYPE(s->event) == EVENT_EXT_INT)
        return "an interrupt while RFLAGS.IF is 0";
    return NULL;
}

/* 26.3.1.5 */
static const char *non_register_state(const struct entry_state *s)
{
    uint64_t pending = vmread(VMCS_GUEST_PENDING_DEBUG);
    uint32_t shadow = s->blocking & (BLOCKING_STI | BLOCKING_MOV_SS);
    bool interrupt = (s->event & EVENT_VALID) && EVENT_TYPE(s->event) == EVENT_EXT_INT;
    bool nmi = (s->event & EVENT_VALID) && EVENT_TYPE(s->event) == EVENT_NMI;

    if (vmread(VMCS_GUEST_ACTIVITY) > 3)
        return "no such activity state";
    if (shadow == (BLOCKING_STI | BLOCKING_MOV_SS))
        return "blocking by both STI and MOV SS";
    if ((s->blocking & BLOCKING_STI) && !(s->rflags & RFLAGS_IF))
        return "blocking by STI while RFLAGS.IF is 0";
    if (interrupt && shadow)
        return "an interrupt that is blocked";
    if (nmi && (s->blocking & (BLOCKING_MOV_SS | BLOCKING_NMI)))
        return "an NMI that is blocked";
    if (pending & PENDING_DEBUG_RESERVED)
        return "reserved pending debug exceptions";
    if (shadow && ((pending & PENDING_DEBUG_BS) != 0) != ((s->rflags & RFLAGS_TF) != 0))
        return "a pending single step that does not go with RFLAGS.TF";
    return vmread(VMCS_LINK) != UINT64_MAX ? "a linked VMCS" : NULL;
}

/* 26.2.1.1, of it what a VMCS changes after it was made, and what goes with that. */
static const char *control_fault(struct vmx_vcpu *x)
{
    uint32_t pin = (uint32_t)vmread(VMCS_PIN), proc = (uint32_t)vmread(VMCS_PROC);
    uint32_t proc2 = (uint32_t)vmread(VMCS_PROC2);
    uint64_t threshold = vmread(VMCS_TPR_THRESHOLD);

    if (!(proc & PROC_TPR_SHADOW) && (proc2 & PROC2_APIC & ~PROC2_APIC_ACCESS))
        return "a virtual APIC without TPR shadow";
    if ((proc2 & PROC2_X2APIC) && (proc2 & PROC2_APIC_ACCESS))
        return "both modes of the virtual APIC";
    if ((proc2 & PROC2_VIRTUAL_INTERRUPTS) && !(pin & PIN_EXT_INT))
        return "virtual interrupts without exits by interrupts";
    if (vmread(VMCS_VIRTUAL_APIC) % PAGE_SIZE)
        return "a virtual-APIC page that is not aligned";
    if ((proc2 & PROC2_APIC_ACCESS) && vmread(VMCS_APIC_ACCESS) % PAGE_SIZE)
        return "an APIC-access page that is not aligned";
    if (!(proc2 & PROC2_VIRTUAL_INTERRUPTS) && threshold > 15)
        return "a TPR threshold beyond 15";
    if (!(proc2 & (PROC2_VIRTUAL_INTERRUPTS | PROC2_APIC_ACCESS)) &&
        threshold > vlapic_tpr(x->g->v))
        return "a TPR threshold above the TPR";
    if ((vmread(VMCS_EXIT_CTL) & EXIT_CTL_SAVE_TIMER) && !(pin & PIN_TIMER))
        return "a timer that is saved but does not run";
    return "a check that is not known here";
}

static const char *guest_state_fault(void)
{
    static const char *(*const checks[])(const struct entry_state *) = {
        control_registers, msrs, segments, tables, rip_and_rflags, non_register_state};
    struct entry_state s = {
        .cr0 = vmread(VMCS_GUEST_CR0),
        .cr4 = vmread(VMCS_GUEST_CR4),
        .efer = vmread(VMCS_GUEST_EFER),
        .rflags = vmread(VMCS_GUEST_RFLAGS),
        .event = (uint32_t)vmread(VMCS_ENTRY_EVENT),
        .blocking = (uint32_t)vmread(VMCS_GUEST_BLOCKING),
        .long_mode = (vmread(VMCS_ENTRY_CTL) & ENTRY_CTL_IA32E) != 0,
    };
    const char *bad = NULL;

    for (unsigned i = 0; !bad && i < ARRAY_SIZE(checks); i++)
        bad = checks[i](&s);
    return bad ? bad : "a check that is not known here";
}

const char *vmx_diagnose_vmfail(struct vmx_vcpu *x)
{
    struct domain *d = x->g->v->domain;
    uint64_t error = vmread(VMCS_INSTRUCTION_ERROR);
    const char *what = error < ARRAY_SIZE(vm_errors) ? vm_errors[error] : NULL;

    what = error == ERROR_CONTROLS ? control_fault(x) : what ? what : "unknown";
    hv_log(0, "VT-x: VM entry of domain %u vCPU %u: error %lu, %s", d->id, x->g->v->id, error,
           what);
    if (error == ERROR_CONTROLS)
        hv_log(0, "VT-x: pin %lx proc %lx %lx exit %lx entry %lx event %lx EPTP %lx",
               vmread(VMCS_PIN), vmread(VMCS_PROC), vmread(VMCS_PROC2), vmread(VMCS_EXIT_CTL),
               vmread(VMCS_ENTRY_CTL), vmread(VMCS_ENTRY_EVENT), vmread(VMCS_EPTP));
    return what;
}

const char *vmx_diagnose_entry(struct vmx_vcpu *x, uint32_t reason, uint64_t qualification)
{
    struct domain *d = x->g->v->domain;
    const char *why = "a machine check";

    if (reason == REASON_ENTRY_MSR)
        why = "loading of MSRs";
    else if (reason == REASON_ENTRY_GUEST && qualification == QUALIFICATION_PDPTE)
        why = "reserved bits of a PDPTE";
    else if (reason == REASON_ENTRY_GUEST && qualification == QUALIFICATION_NMI)
        why = "an NMI that is blocked";
    else if (reason == REASON_ENTRY_GUEST && qualification == QUALIFICATION_LINK)
        why = "a linked VMCS";
    else if (reason == REASON_ENTRY_GUEST)
        why = guest_state_fault();
    hv_log_guest(d, 0, "VT-x: vCPU %u not entered at rip %lx: %s", x->g->v->id,
                 vmread(VMCS_GUEST_RIP), why);
    return why;
}
