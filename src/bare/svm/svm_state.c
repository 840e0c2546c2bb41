/* A vCPU's VMCB, and moving architectural state in and out of it. */
#include "bare/svm/svm.h"

#include "base/check.h"
#include "base/string.h"
#include "core/domain/domain.h"
#include "core/mem/page_alloc.h"
#include "core/vcpu/vcpu.h"
#include "port/mem.h"
#include "x86/x86.h"

#define CR_BIT(n) (uint16_t)(1u << (n))
#define PAUSE_COUNT 3000u
#define PAUSE_THRESHOLD 1000u

_Static_assert(sizeof(struct port_guest) + sizeof(struct svm_vcpu) <= PAGE_SIZE,
               "the engine's part of a vCPU does not fit in its page");

#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

/* What ends a guest whatever it does (15.9). CR3 and INVLPG are its own affair
 * with nested paging; RDTSC and the windows come and go, see svm_run.c. */
static void set_intercepts(struct vmcb *b)
{
    b->intercept_cr_write = CR_BIT(0) | CR_BIT(4) | CR_BIT(8);
    b->intercept_dr_read = UINT16_MAX;
    b->intercept_dr_write = UINT16_MAX;
    b->intercept_exceptions = SVM_EXCEPTIONS;
    b->intercept1 = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_SMI | INTERCEPT_INIT |
                    INTERCEPT_RDPMC | INTERCEPT_CPUID | INTERCEPT_INVD | INTERCEPT_HLT |
                    INTERCEPT_INVLPGA | INTERCEPT_IOIO | INTERCEPT_MSR | INTERCEPT_SHUTDOWN;
    b->intercept2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE |
                    INTERCEPT_STGI | INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_WBINVD |
                    INTERCEPT_MONITOR | INTERCEPT_MWAIT | INTERCEPT_XSETBV | INTERCEPT_RDPRU;
    if (svm_features & SVM_PAUSE_FILTER) { /* 15.14.4 */
        b->intercept1 |= INTERCEPT_PAUSE;
        b->pause_count = PAUSE_COUNT;
        if (svm_features & SVM_PAUSE_THRESHOLD)
            b->pause_threshold = PAUSE_THRESHOLD;
    }
}

int svm_create(struct port_guest *g)
{
    struct svm_vcpu *s = (struct svm_vcpu *)(g + 1);

    s->vmcb = hyp_pages_alloc(g->v->domain, 0, FRAME_HYP);
    if (!s->vmcb)
        return -XEN_ENOMEM;
    s->vmcb_pa = ptr_to_mfn(s->vmcb).v << PAGE_SHIFT;
    g->svm = s;
    set_intercepts(s->vmcb);
    s->vmcb->iopm_pa = svm_iopm_pa();
    s->vmcb->msrpm_pa = svm_msrpm_pa();
    s->vmcb->np_enable = NP_ENABLE;
    s->vmcb->v_intr = V_INTR_MASKING;
    s->vmcb->efer = EFER_SVME;
    return 0;
}

void svm_destroy(struct port_guest *g)
{
    hyp_pages_free(g->svm->vmcb, 0);
    g->svm = NULL;
}

void svm_leave(struct port_guest *g)
{
    /* VMSAVE after each exit has left nothing of the vCPU in the CPU. */
}

/* An MSR's place in the VMCB, NULL: it has none. */
static uint64_t *msr_slot(struct vmcb *b, uint32_t msr)
{
    switch (msr) {
    case MSR_SYSENTER_CS:
        return &b->sysenter_cs;
    case MSR_SYSENTER_ESP:
        return &b->sysenter_esp;
    case MSR_SYSENTER_EIP:
        return &b->sysenter_eip;
    case MSR_PAT:
        return &b->g_pat;
    case MSR_STAR:
        return &b->star;
    case MSR_LSTAR:
        return &b->lstar;
    case MSR_CSTAR:
        return &b->cstar;
    case MSR_SFMASK:
        return &b->sfmask;
    case MSR_FS_BASE:
        return &b->fs.base;
    case MSR_GS_BASE:
        return &b->gs.base;
    case MSR_KERNEL_GS_BASE:
        return &b->kernel_gs_base;
    default:
        return NULL;
    }
}

/* The CPU runs guests with what it knows of the guest's EFER, and SVME (15.5.1). */
static void set_efer(struct svm_vcpu *s, uint64_t value)
{
    uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

    if (guest_host.auto_ibrs)
        known |= EFER_AIBRSE;
    s->efer = value;
    s->vmcb->efer = (value & known) | EFER_SVME;
    s->vmcb->clean &= ~CLEAN_CR;
}

/* LMA is the CPU's to set when paging goes on or off, but for intercepted writes. */
static void follow_paging(struct svm_vcpu *s)
{
    bool active = (s->efer & EFER_LME) != 0 && (s->vmcb->cr0 & CR0_PG) != 0;

    set_efer(s, active ? s->efer | EFER_LMA : s->efer & ~EFER_LMA);
}

uint64_t svm_rdmsr(struct port_guest *g, uint32_t msr)
{
    const uint64_t *slot = msr_slot(g->svm->vmcb, msr);

    if (msr == MSR_EFER)
        return g->svm->efer;
    return slot ? *slot : 0;
}

void svm_wrmsr(struct port_guest *g, uint32_t msr, uint64_t value)
{
    struct svm_vcpu *s = g->svm;
    uint64_t *slot = msr_slot(s->vmcb, msr);

    if (msr == MSR_EFER) {
        set_efer(s, value);
        s->generation = 0; /* NXE decides what entries mean */
    } else if (slot) {
        *slot = value;
        s->vmcb->clean &= ~(CLEAN_NP | CLEAN_SEG);
    }
}

void svm_set_cr(struct port_guest *g, unsigned cr, uint64_t value)
{
    struct svm_vcpu *s = g->svm;

    switch (cr) {
    case 0:
        s->vmcb->cr0 = value;
        follow_paging(s);
        break;
    case 3:
        s->vmcb->cr3 = value;
        break;
    case 4:
        s->vmcb->cr4 = value;
        break;
    default:
        check(false);
    }
    s->vmcb->clean &= ~CLEAN_CR;
    s->generation = 0; /* as the instruction would, drop what the TLB holds */
}

static void set_seg(struct vmcb_seg *to, const struct guest_seg *from)
{
    to->sel = from->sel;
    to->limit = from->limit;
    to->base = from->base;
    to->attr = from->unusable ? 0 : (uint16_t)((from->attr & 0xff) | (from->attr >> 4 & 0xf00));
}

static void get_seg(struct guest_seg *to, const struct vmcb_seg *from)
{
    to->sel = from->sel;
    to->limit = from->limit;
    to->base = from->base;
    to->attr = (uint16_t)((from->attr & 0xff) | (from->attr & 0xf00) << 4);
    to->unusable = (from->attr & VMCB_ATTR_P) == 0;
}

static void load_segments(struct vmcb *b, const struct guest_state *s)
{
    set_seg(&b->es, &s->seg[SEG_ES]);
    set_seg(&b->cs, &s->seg[SEG_CS]);
    set_seg(&b->ss, &s->seg[SEG_SS]);
    set_seg(&b->ds, &s->seg[SEG_DS]);
    set_seg(&b->fs, &s->seg[SEG_FS]);
    set_seg(&b->gs, &s->seg[SEG_GS]);
    set_seg(&b->ldtr, &s->seg[SEG_LDTR]);
    set_seg(&b->tr, &s->seg[SEG_TR]);
    b->gdtr.base = s->gdtr.base;
    b->gdtr.limit = s->gdtr.limit;
    b->idtr.base = s->idtr.base;
    b->idtr.limit = s->idtr.limit;
    b->cpl = 0;
    if (s->regs.rflags & RFLAGS_VM)
        b->cpl = 3;
    else if (s->cr0 & CR0_PE)
        b->cpl = s->seg[SEG_SS].attr >> VMCB_ATTR_DPL_SHIFT & 3;
}

void svm_load(struct port_guest *g, const struct guest_state *s)
{
    struct svm_vcpu *x = g->svm;
    struct vmcb *b = x->vmcb;

    b->cr0 = s->cr0;
    b->cr2 = s->cr2;
    b->cr3 = s->cr3;
    b->cr4 = s->cr4;
    set_efer(x, s->efer);
    load_segments(b, s);
    b->star = s->star;
    b->lstar = s->lstar;
    b->cstar = s->cstar;
    b->sfmask = s->sfmask;
    b->kernel_gs_base = s->kernel_gs_base;
    b->sysenter_cs = s->sysenter_cs;
    b->sysenter_esp = s->sysenter_esp;
    b->sysenter_eip = s->sysenter_eip;
    b->g_pat = s->pat;
    b->dr6 = s->dr6;
    b->dr7 = s->dr7;
    b->clean = 0;
    x->generation = 0;
    memset(x->lengths, 0, sizeof(x->lengths));
}

/* What CPUs keep in other ways than others do: SS.DPL is CPL's twin everywhere but
 * after SYSRET (table B-2, CPL), TR is always busy. */
void svm_save(struct port_guest *g, struct guest_state *s)
{
    const struct vmcb *b = g->svm->vmcb;

    s->cr0 = b->cr0;
    s->cr2 = b->cr2;
    s->cr3 = b->cr3;
    s->cr4 = b->cr4;
    s->efer = g->svm->efer;
    get_seg(&s->seg[SEG_ES], &b->es);
    get_seg(&s->seg[SEG_CS], &b->cs);
    get_seg(&s->seg[SEG_SS], &b->ss);
    get_seg(&s->seg[SEG_DS], &b->ds);
    get_seg(&s->seg[SEG_FS], &b->fs);
    get_seg(&s->seg[SEG_GS], &b->gs);
    get_seg(&s->seg[SEG_LDTR], &b->ldtr);
    get_seg(&s->seg[SEG_TR], &b->tr);
    if (b->cr0 & CR0_PE) {
        s->seg[SEG_SS].attr &= (uint16_t)~VMCB_ATTR_DPL;
        s->seg[SEG_SS].attr |= (uint16_t)(b->cpl << VMCB_ATTR_DPL_SHIFT);
    }
    s->seg[SEG_TR].attr |= VMCB_ATTR_TSS_BUSY;
    s->gdtr = (struct guest_dtr){b->gdtr.base, b->gdtr.limit};
    s->idtr = (struct guest_dtr){b->idtr.base, b->idtr.limit};
    s->star = b->star;
    s->lstar = b->lstar;
    s->cstar = b->cstar;
    s->sfmask = b->sfmask;
    s->kernel_gs_base = b->kernel_gs_base;
    s->sysenter_cs = b->sysenter_cs;
    s->sysenter_esp = b->sysenter_esp;
    s->sysenter_eip = b->sysenter_eip;
    s->pat = b->g_pat;
    s->dr6 = b->dr6;
    s->dr7 = b->dr7;
}
