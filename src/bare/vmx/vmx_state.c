/* Architectural state between the core and the VMCS (SDM Vol. 3 24.4, 25.9.1, 26.3). */
#include "bare/vmx/vmx.h"

#include "base/string.h"
#include "core/guest_mem/guest_mem.h"
#include "x86/x86.h"

#define CR4_MCE (UINT64_C(1) << 6)
#define CR4_VMXE (UINT64_C(1) << 13)
#define DR6_RESET UINT64_C(0xffff0ff0)
#define TYPE_TSS_BUSY 11u
#define PDPTE_PRESENT UINT64_C(1)
#define PDPTES 4u

/* Bits whose change drops translations of linear addresses: 4.10.4.1. */
#define CR0_TLB (CR0_PE | CR0_PG)
#define CR4_TLB (CR4_PAE | CR4_PCIDE | UINT64_C(0x300090)) /* and SMAP SMEP PGE PSE */

/* WRMSR of what is not canonical would fault here. */
static uint64_t canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16);
}

/* What the guest owns is in the CPU's register, the rest in the shadow. */
uint64_t vmx_guest_cr0(const struct vmx_vcpu *x)
{
    return (vmread(VMCS_GUEST_CR0) & CR0_GUEST_OWNED) | (x->cr0_shadow & ~CR0_GUEST_OWNED);
}

uint64_t vmx_guest_cr4(const struct vmx_vcpu *x)
{
    return (vmread(VMCS_GUEST_CR4) & CR4_GUEST_OWNED) | (x->cr4_shadow & ~CR4_GUEST_OWNED);
}

/* The caches stay on whatever the guest says: its memory types are in its PAT. */
static void write_cr0_fields(struct vmx_vcpu *x, uint64_t value)
{
    const struct vmx_controls *c = &vmx_controls;

    x->cr0_shadow = value;
    vmwrite(VMCS_CR0_SHADOW, value);
    value &= ~(CR0_CD | CR0_NW);
    vmwrite(VMCS_GUEST_CR0, (value | c->cr0_fixed0) & c->cr0_fixed1);
}

/* With CR4.MCE off a machine check would shut the machine down. */
static void write_cr4_fields(struct vmx_vcpu *x, uint64_t value)
{
    const struct vmx_controls *c = &vmx_controls;

    x->cr4_shadow = value;
    vmwrite(VMCS_CR4_SHADOW, value);
    value |= CR4_MCE | CR4_VMXE;
    vmwrite(VMCS_GUEST_CR4, (value | c->cr4_fixed0) & c->cr4_fixed1);
}

void vmx_set_entry_controls(struct vmx_vcpu *x, bool long_mode)
{
    uint64_t ar;

    x->in_long_mode = long_mode;
    vmwrite(VMCS_ENTRY_CTL, vmx_controls.entry | (long_mode ? ENTRY_CTL_IA32E : 0));
    /* A 16-bit TSS stays loaded across the change, but no entry takes it: 26.3.1.2. */
    ar = vmread(VMCS_GUEST_TR_AR);
    if (long_mode && SEG_TYPE(ar) != TYPE_TSS_BUSY && !(ar & SEG_UNUSABLE))
        vmwrite(VMCS_GUEST_TR_AR, (ar & ~UINT64_C(15)) | TYPE_TSS_BUSY);
}

/* Not there: as if not present. The CPU checks what is (26.3.1.6). */
void vmx_load_pdptes(struct vmx_vcpu *x)
{
    uint64_t cr0 = x->cr0_shadow, pdpte[PDPTES];
    gaddr_t at;

    if (!(cr0 & CR0_PG) || !(x->cr4_shadow & CR4_PAE) || (x->efer & EFER_LMA))
        return;
    at = gaddr(vmread(VMCS_GUEST_CR3) & UINT64_C(0xffffffe0));
    if (guest_phys_read(x->g->v->domain, at, pdpte, sizeof(pdpte)) != 0)
        memset(pdpte, 0, sizeof(pdpte));
    for (unsigned i = 0; i < PDPTES; i++)
        vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i] & PDPTE_PRESENT ? pdpte[i] : 0);
}

/* Fields of segments come in the order ES, CS, SS, DS, FS, GS, LDTR, TR. */
static void write_segment(unsigned i, const struct guest_seg *s)
{
    uint32_t ar = s->attr & 0xf0ffu;

    if (s->unusable && i != SEG_TR)
        ar |= SEG_UNUSABLE;
    else if (ar & SEG_S)
        ar |= SEG_ACCESSED; /* as by a load of the register */
    vmwrite(VMCS_GUEST_ES_SEL + 2 * i, s->sel);
    vmwrite(VMCS_GUEST_ES_LIMIT + 2 * i, s->limit);
    vmwrite(VMCS_GUEST_ES_AR + 2 * i, ar);
    vmwrite(VMCS_GUEST_ES_BASE + 2 * i, s->base);
}

static void read_segment(unsigned i, struct guest_seg *s)
{
    uint64_t ar = vmread(VMCS_GUEST_ES_AR + 2 * i);

    s->sel = (uint16_t)vmread(VMCS_GUEST_ES_SEL + 2 * i);
    s->limit = (uint32_t)vmread(VMCS_GUEST_ES_LIMIT + 2 * i);
    s->base = vmread(VMCS_GUEST_ES_BASE + 2 * i);
    s->attr = (uint16_t)ar;
    s->unusable = (ar & SEG_UNUSABLE) != 0;
}

static void write_tables(const struct guest_state *s)
{
    for (unsigned i = 0; i < SEG_COUNT; i++)
        write_segment(i, &s->seg[i]);
    vmwrite(VMCS_GUEST_GDTR_BASE, s->gdtr.base);
    vmwrite(VMCS_GUEST_GDTR_LIMIT, s->gdtr.limit & 0xffff);
    vmwrite(VMCS_GUEST_IDTR_BASE, s->idtr.base);
    vmwrite(VMCS_GUEST_IDTR_LIMIT, s->idtr.limit & 0xffff);
}

static void load_msrs(struct vmx_vcpu *x, const struct guest_state *s)
{
    vmx_take_msrs(x);
    x->star = s->star;
    x->lstar = canonical(s->lstar);
    x->cstar = canonical(s->cstar);
    x->sfmask = (uint32_t)s->sfmask;
    x->kernel_gs_base = canonical(s->kernel_gs_base);
    x->efer = s->efer;
    vmwrite(VMCS_GUEST_EFER, s->efer);
    vmwrite(VMCS_GUEST_PAT, s->pat);
    vmwrite(VMCS_GUEST_SYSENTER_CS, (uint32_t)s->sysenter_cs);
    vmwrite(VMCS_GUEST_SYSENTER_ESP, canonical(s->sysenter_esp));
    vmwrite(VMCS_GUEST_SYSENTER_EIP, canonical(s->sysenter_eip));
}

void vmx_load(struct port_guest *g, const struct guest_state *s)
{
    struct vmx_vcpu *x = g->vmx;

    vmx_grab(x);
    x->rip = s->regs.rip;
    x->rsp = s->regs.gpr[GPR_RSP];
    x->rflags = s->regs.rflags;
    vmwrite(VMCS_GUEST_RIP, x->rip);
    vmwrite(VMCS_GUEST_RSP, x->rsp);
    vmwrite(VMCS_GUEST_RFLAGS, x->rflags);
    write_cr0_fields(x, s->cr0);
    write_cr4_fields(x, s->cr4);
    vmwrite(VMCS_GUEST_CR3, s->cr3);
    write_tables(s);
    load_msrs(x, s);
    vmx_set_entry_controls(x, (s->efer & EFER_LMA) != 0);
    vmx_load_pdptes(x);
    x->cr2 = s->cr2;
    x->dr6 = s->dr6 ? s->dr6 : DR6_RESET;
    x->dr7 = (uint32_t)s->dr7;
    vmwrite(VMCS_GUEST_DR7, x->dr7);
    vmwrite(VMCS_GUEST_DEBUGCTL, 0);
    vmwrite(VMCS_GUEST_ACTIVITY, 0);
    x->blocking &= BLOCKING_NMI; /* who reads and loads again means some other register */
    vmwrite(VMCS_GUEST_BLOCKING, x->blocking);
    vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
    x->stale = true;
    vmx_release(x);
}

void vmx_save(struct port_guest *g, struct guest_state *s)
{
    struct vmx_vcpu *x = g->vmx;

    vmx_grab(x);
    s->cr0 = vmx_guest_cr0(x);
    s->cr2 = x->cr2;
    s->cr3 = vmread(VMCS_GUEST_CR3);
    s->cr4 = vmx_guest_cr4(x);
    s->efer = x->efer;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        read_segment(i, &s->seg[i]);
    s->gdtr.base = vmread(VMCS_GUEST_GDTR_BASE);
    s->gdtr.limit = (uint32_t)vmread(VMCS_GUEST_GDTR_LIMIT);
    s->idtr.base = vmread(VMCS_GUEST_IDTR_BASE);
    s->idtr.limit = (uint32_t)vmread(VMCS_GUEST_IDTR_LIMIT);
    s->star = x->star;
    s->lstar = x->lstar;
    s->cstar = x->cstar;
    s->sfmask = x->sfmask;
    s->kernel_gs_base = vmx_rdmsr(g, MSR_KERNEL_GS_BASE);
    s->sysenter_cs = vmread(VMCS_GUEST_SYSENTER_CS);
    s->sysenter_esp = vmread(VMCS_GUEST_SYSENTER_ESP);
    s->sysenter_eip = vmread(VMCS_GUEST_SYSENTER_EIP);
    s->pat = vmread(VMCS_GUEST_PAT);
    s->dr6 = x->dr6;
    s->dr7 = x->dr7;
    vmx_release(x);
}

static uint64_t read_field(struct vmx_vcpu *x, enum vmcs_field field)
{
    uint64_t v;

    vmx_grab(x);
    v = vmread(field);
    vmx_release(x);
    return v;
}

uint64_t vmx_rdmsr(struct port_guest *g, uint32_t msr)
{
    struct vmx_vcpu *x = g->vmx;

    switch (msr) {
    case MSR_EFER:
        return x->efer;
    case MSR_STAR:
        return x->star;
    case MSR_LSTAR:
        return x->lstar;
    case MSR_CSTAR:
        return x->cstar;
    case MSR_SFMASK:
        return x->sfmask;
    case MSR_KERNEL_GS_BASE:
        return vmx_this_cpu()->msrs == x ? rdmsr(msr) : x->kernel_gs_base;
    case MSR_FS_BASE:
        return read_field(x, VMCS_GUEST_FS_BASE);
    case MSR_GS_BASE:
        return read_field(x, VMCS_GUEST_GS_BASE);
    case MSR_SYSENTER_CS:
        return read_field(x, VMCS_GUEST_SYSENTER_CS);
    case MSR_SYSENTER_ESP:
        return read_field(x, VMCS_GUEST_SYSENTER_ESP);
    case MSR_SYSENTER_EIP:
        return read_field(x, VMCS_GUEST_SYSENTER_EIP);
    case MSR_PAT:
        return read_field(x, VMCS_GUEST_PAT);
    default:
        return 0;
    }
}

/* Where the VMCS keeps an MSR, 0: nowhere. */
static enum vmcs_field field_of(uint32_t msr)
{
    switch (msr) {
    case MSR_EFER:
        return VMCS_GUEST_EFER;
    case MSR_FS_BASE:
        return VMCS_GUEST_FS_BASE;
    case MSR_GS_BASE:
        return VMCS_GUEST_GS_BASE;
    case MSR_SYSENTER_CS:
        return VMCS_GUEST_SYSENTER_CS;
    case MSR_SYSENTER_ESP:
        return VMCS_GUEST_SYSENTER_ESP;
    case MSR_SYSENTER_EIP:
        return VMCS_GUEST_SYSENTER_EIP;
    case MSR_PAT:
        return VMCS_GUEST_PAT;
    default:
        return VMCS_VPID;
    }
}

/* Those outside the VMCS are loaded anew at the next entry. */
static void write_own(struct vmx_vcpu *x, uint32_t msr, uint64_t value)
{
    vmx_take_msrs(x);
    switch (msr) {
    case MSR_STAR:
        x->star = value;
        break;
    case MSR_LSTAR:
        x->lstar = canonical(value);
        break;
    case MSR_CSTAR:
        x->cstar = canonical(value);
        break;
    case MSR_SFMASK:
        x->sfmask = (uint32_t)value;
        break;
    case MSR_KERNEL_GS_BASE:
        x->kernel_gs_base = canonical(value);
        break;
    default:
        break;
    }
}

void vmx_wrmsr(struct port_guest *g, uint32_t msr, uint64_t value)
{
    struct vmx_vcpu *x = g->vmx;
    enum vmcs_field field = field_of(msr);

    if (field == VMCS_VPID) {
        write_own(x, msr, value);
        return;
    }
    if (msr == MSR_EFER) {
        x->stale = x->stale || ((x->efer ^ value) & EFER_NXE) != 0;
        x->efer = value;
    }
    vmx_grab(x);
    vmwrite(field, value);
    vmx_release(x);
}

/* Into and out of long mode: EFER.LMA is LME and PG (4.1.1). */
static void set_cr0(struct vmx_vcpu *x, uint64_t value)
{
    uint64_t changed = vmx_guest_cr0(x) ^ value;

    write_cr0_fields(x, value);
    if (changed & CR0_PG) {
        bool long_mode = (value & CR0_PG) && (x->efer & EFER_LME);

        x->efer = long_mode ? x->efer | EFER_LMA : x->efer & ~EFER_LMA;
        vmwrite(VMCS_GUEST_EFER, x->efer);
        vmx_set_entry_controls(x, long_mode);
        vmx_load_pdptes(x);
    }
    x->stale = x->stale || (changed & CR0_TLB) != 0;
}

void vmx_set_cr(struct port_guest *g, unsigned cr, uint64_t value)
{
    struct vmx_vcpu *x = g->vmx;
    uint64_t changed;

    vmx_grab(x);
    if (cr == 0) {
        set_cr0(x, value);
    } else if (cr == 3) {
        vmwrite(VMCS_GUEST_CR3, value);
        vmx_load_pdptes(x);
        x->stale = true;
    } else if (cr == 4) {
        changed = vmx_guest_cr4(x) ^ value;
        write_cr4_fields(x, value);
        if (changed & CR4_TLB)
            vmx_load_pdptes(x);
        x->stale = x->stale || (changed & CR4_TLB) != 0;
    }
    vmx_release(x);
}
