/* The VMCS of a vCPU: its region, its controls, the host's state, and on which CPU
 * it is active (SDM Vol. 3 ch. 24). */
#include "bare/vmx/vmx.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/string.h"
#include "core/mem/page_alloc.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define VPIDS 65536u
#define VPID_WORDS (VPIDS / 64)
#define EXCEPTION_AC 17u
#define EXCEPTION_MC 18u
/* Cycles between two PAUSEs of one loop, and the length of a loop that exits: what
 * Intel's own software uses. */
#define PAUSE_GAP 128u
#define PAUSE_WINDOW 4096u
#define BITMAP_HALF (PAGE_SIZE / 4)

/* Shared by all vCPUs: every port exits, and every MSR but a few. */
static uint8_t io_bitmaps[2 * PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t msr_bitmap[PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t msr_bitmap_x2[PAGE_SIZE] __attribute__((aligned(4096))); /* in x2APIC mode */
static uint64_t vpids[VPID_WORDS];                                      /* bit per VPID in use */
static uint64_t bitmaps_ready;                                          /* atomic */

/* Where and how MSRs are read or written without an exit: 24.6.9. */
static void pass_msr(uint8_t bitmap[PAGE_SIZE], uint32_t msr, bool write)
{
    unsigned at = (write ? 2u : 0u) + (msr >= 0xc0000000u ? 1u : 0u);

    msr &= 0x1fff;
    bitmap[at * BITMAP_HALF + msr / 8] &= (uint8_t) ~(1u << msr % 8);
}

/* Registers that the CPU reads in the virtual-APIC page as x86 would (29.5): not what counts
 * on its own, what is kept outside the page, or what x2APIC mode lays out otherwise. */
static bool x2apic_reads(unsigned reg)
{
    return reg == LAPIC_ID || reg == LAPIC_VERSION || reg == LAPIC_TPR || reg == LAPIC_PPR ||
           reg == LAPIC_LDR || reg == LAPIC_SVR || (reg >= LAPIC_ISR && reg < LAPIC_TMR) ||
           (reg >= LAPIC_IRR && reg <= LAPIC_ESR) ||
           (reg >= LAPIC_LVT_TIMER && reg <= LAPIC_TIMER_INITIAL) || reg == LAPIC_TIMER_DIVIDE;
}

/* Those that it writes with all consequences. */
static const uint8_t x2apic_writes[] = {LAPIC_TPR, LAPIC_EOI, LAPIC_SELF_IPI};

/* Those that the CPU switches, or vmx_give_msrs(). The values of the latter but
 * KERNEL_GS_BASE, which changes without an exit anyway, are to be known at any
 * time: they are only read. */
static void bitmaps_fill(void)
{
    static const uint32_t switched[] = {MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
                                        MSR_FS_BASE,     MSR_GS_BASE,      MSR_KERNEL_GS_BASE};
    static const uint32_t known[] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK};

    if (test_and_set_bit(0, &bitmaps_ready))
        return;
    memset(io_bitmaps, 0xff, sizeof(io_bitmaps));
    memset(msr_bitmap, 0xff, sizeof(msr_bitmap));
    for (unsigned i = 0; i < ARRAY_SIZE(switched); i++) {
        pass_msr(msr_bitmap, switched[i], false);
        pass_msr(msr_bitmap, switched[i], true);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
        pass_msr(msr_bitmap, known[i], false);
    memcpy(msr_bitmap_x2, msr_bitmap, sizeof(msr_bitmap_x2));
    for (unsigned reg = 0; reg < LAPIC_SLOTS; reg++) {
        if (x2apic_reads(reg))
            pass_msr(msr_bitmap_x2, MSR_X2APIC + reg, false);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(x2apic_writes); i++)
        pass_msr(msr_bitmap_x2, MSR_X2APIC + x2apic_writes[i], true);
}

uint64_t vmx_msr_bitmap(bool x2apic)
{
    return image_phys(x2apic ? msr_bitmap_x2 : msr_bitmap);
}

/* 0 when all are taken: such a vCPU goes without. */
static uint16_t vpid_take(void)
{
    if (!(vmx_controls.proc2 & PROC2_VPID))
        return 0;
    for (uint32_t i = 1; i < VPIDS; i++) {
        if (!test_and_set_bit(i, vpids))
            return (uint16_t)i;
    }
    return 0;
}

static uint64_t phys(const void *page)
{
    return ptr_to_mfn(page).v << PAGE_SHIFT;
}

static void vmclear(struct vmx_vcpu *x)
{
    uint64_t pa = phys(x->vmcs);

    __asm__ volatile("vmclear %0\n\tjbe vmx_bad_field" : : "m"(pa) : "cc", "memory");
    x->launched = false;
    x->cpu = GUEST_NO_CPU;
    if (vmx_this_cpu()->current == x)
        vmx_this_cpu()->current = NULL;
}

/* Ours is the same on every CPU, but for these. */
static void write_host_cpu(struct vmx_vcpu *x)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdtr, idtr;
    uint64_t descriptor[2];
    uint16_t tr;

    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    __asm__ volatile("sidt %0" : "=m"(idtr));
    __asm__ volatile("str %0" : "=r"(tr));
    memcpy(descriptor, (const uint8_t *)(uintptr_t)gdtr.base + tr, sizeof(descriptor));
    vmwrite(VMCS_HOST_ES_SEL + 12, tr);
    vmwrite(VMCS_HOST_TR_BASE, (descriptor[0] >> 16 & 0xffffff) |
                                   (descriptor[0] >> 56 & 0xff) << 24 | descriptor[1] << 32);
    vmwrite(VMCS_HOST_GDTR_BASE, gdtr.base);
    vmwrite(VMCS_HOST_IDTR_BASE, idtr.base);
    vmwrite(VMCS_HOST_FS_BASE, rdmsr(MSR_FS_BASE));
    vmwrite(VMCS_HOST_GS_BASE, rdmsr(MSR_GS_BASE));
    vmwrite(VMCS_HOST_CR0, read_cr0());
    vmwrite(VMCS_HOST_CR3, read_cr3());
    vmwrite(VMCS_HOST_CR4, read_cr4());
}

void vmx_grab(struct vmx_vcpu *x)
{
    struct vmx_cpu *c = vmx_this_cpu();
    uint64_t pa = phys(x->vmcs);

    if (c->current == x)
        return;
    check(x->cpu == GUEST_NO_CPU || x->cpu == port_cpu_id());
    __asm__ volatile("vmptrld %0\n\tjbe vmx_bad_field" : : "m"(pa) : "cc", "memory");
    c->current = x;
    if (x->cpu == GUEST_NO_CPU) {
        x->cpu = port_cpu_id();
        write_host_cpu(x);
    }
}

void vmx_release(struct vmx_vcpu *x)
{
    if (hv->cpu_count > 1 && current() != x->g->v)
        vmx_leave(x->g);
}

void vmx_take_msrs(struct vmx_vcpu *x)
{
    struct vmx_cpu *c = vmx_this_cpu();

    if (c->msrs == x) {
        x->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
        c->msrs = NULL;
    }
}

void vmx_give_msrs(struct vmx_vcpu *x)
{
    struct vmx_cpu *c = vmx_this_cpu();

    if (c->msrs)
        vmx_take_msrs(c->msrs);
    wrmsr(MSR_STAR, x->star);
    wrmsr(MSR_LSTAR, x->lstar);
    wrmsr(MSR_CSTAR, x->cstar);
    wrmsr(MSR_SFMASK, x->sfmask);
    wrmsr(MSR_KERNEL_GS_BASE, x->kernel_gs_base);
    c->msrs = x;
}

/* On the only CPU there is it comes back to nothing but this. */
void vmx_leave(struct port_guest *g)
{
    if (hv->cpu_count == 1)
        return;
    vmx_take_msrs(g->vmx);
    if (g->vmx->cpu != GUEST_NO_CPU)
        vmclear(g->vmx);
}

static void write_controls(struct vmx_vcpu *x)
{
    const struct vmx_controls *c = &vmx_controls;

    vmwrite(VMCS_PIN, c->pin);
    vmwrite(VMCS_PROC, c->proc);
    vmwrite(VMCS_EXIT_CTL, c->exit);
    vmwrite(VMCS_ENTRY_CTL, c->entry);
    /* #AC and #DB: their delivery may raise them again, for ever. */
    vmwrite(VMCS_EXCEPTIONS, 1u << VECTOR_DB | 1u << EXCEPTION_AC | 1u << EXCEPTION_MC);
    vmwrite(VMCS_PF_MASK, 0);
    vmwrite(VMCS_PF_MATCH, 0);
    vmwrite(VMCS_CR3_TARGETS, 0);
    vmwrite(VMCS_EXIT_MSR_STORES, 0);
    vmwrite(VMCS_EXIT_MSR_LOADS, 0);
    vmwrite(VMCS_ENTRY_MSR_LOADS, 0);
    vmwrite(VMCS_ENTRY_EVENT, 0);
    vmwrite(VMCS_TSC_OFFSET, 0);
    vmwrite(VMCS_IO_BITMAP_A, image_phys(io_bitmaps));
    vmwrite(VMCS_IO_BITMAP_B, image_phys(io_bitmaps + PAGE_SIZE));
    vmx_write_eptp(x);
    vmwrite(VMCS_LINK, UINT64_MAX);
    vmwrite(VMCS_CR0_MASK, ~CR0_GUEST_OWNED);
    vmwrite(VMCS_CR4_MASK, ~CR4_GUEST_OWNED);
    if (x->vpid)
        vmwrite(VMCS_VPID, x->vpid);
    if (c->proc2 & PROC2_PAUSE_LOOP) {
        vmwrite(VMCS_PAUSE_GAP, PAUSE_GAP);
        vmwrite(VMCS_PAUSE_WINDOW, PAUSE_WINDOW);
    }
}

static void write_host(void)
{
    for (unsigned i = 0; i < 6; i++)
        vmwrite(VMCS_HOST_ES_SEL + 2 * i, i == 1 ? CODE_SELECTOR : i == 2 ? DATA_SELECTOR : 0);
    vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
    vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
    vmwrite(VMCS_HOST_SYSENTER_CS, 0);
    vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
    vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
    vmwrite(VMCS_HOST_RIP, (uintptr_t)vmx_exit_point);
}

int vmx_create(struct port_guest *g)
{
    struct vmx_vcpu *x = hyp_pages_alloc(g->v->domain, 0, FRAME_HYP);
    struct guest_state s;

    _Static_assert(sizeof(*x) <= PAGE_SIZE, "one page");
    if (!x)
        return -XEN_ENOMEM;
    g->vmx = x;
    x->g = g;
    x->cpu = GUEST_NO_CPU;
    x->vmcs = hyp_pages_alloc(g->v->domain, 0, FRAME_HYP);
    if (!x->vmcs) {
        vmx_destroy(g);
        return -XEN_ENOMEM;
    }
    bitmaps_fill();
    memcpy(x->vmcs, &vmx_controls.revision, sizeof(vmx_controls.revision));
    x->vpid = vpid_take();
    x->stale = true;
    x->proc = vmx_controls.proc;
    x->proc2 = x->vpid ? vmx_controls.proc2 : vmx_controls.proc2 & ~PROC2_VPID;
    vmclear(x);
    vmx_grab(x);
    write_controls(x);
    vmx_apic_create(x);
    write_host();
    hvm_vcpu_reset_state(&s);
    vmx_load(g, &s);
    return 0;
}

void vmx_destroy(struct port_guest *g)
{
    struct vmx_vcpu *x = g->vmx;

    if (!x)
        return;
    if (vmx_this_cpu()->msrs == x)
        vmx_this_cpu()->msrs = NULL;
    if (x->cpu != GUEST_NO_CPU)
        vmclear(x);
    if (x->vpid)
        (void)test_and_clear_bit(x->vpid, vpids);
    if (x->vmcs)
        hyp_pages_free(x->vmcs, 0);
    g->vmx = NULL;
    hyp_pages_free(x, 0);
}
