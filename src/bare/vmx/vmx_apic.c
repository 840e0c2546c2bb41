/* A vCPU's local APIC between x86 and the CPU (SDM Vol. 3 ch. 29). Its page is x86's own
 * (x86/hvm/vlapic.h): here are only the controls, what was requested from outside, and
 * which vectors' ends exit. */
#include "bare/vmx/vmx.h"

#include "base/atomic.h"
#include "core/mem/page_alloc.h"
#include "x86/hvm/hvm.h"

static struct vlapic *lapic_of(const struct vmx_vcpu *x)
{
    return &x->g->v->arch->lapic;
}

static void write_mode(struct vmx_vcpu *x, uint32_t apic)
{
    vmwrite(VMCS_PROC2, x->proc2 | apic);
    vmwrite(VMCS_MSR_BITMAP, vmx_msr_bitmap((apic & PROC2_X2APIC) != 0));
    /* Translations from before do not know of the APIC-access page: 28.3.3.4. */
    if (apic & ~x->apic & PROC2_APIC_ACCESS)
        store_u32(&x->g->flush, 1);
    x->apic = apic;
}

void vmx_apic_create(struct vmx_vcpu *x)
{
    mfn_t access;

    lapic_of(x)->by_cpu = vmx_controls.apic;
    vmwrite(VMCS_VIRTUAL_APIC, ptr_to_mfn(lapic_of(x)->page).v << PAGE_SHIFT);
    vmwrite(VMCS_TPR_THRESHOLD, 0);
    write_mode(x, 0);
    if (!vmx_controls.apic)
        return;
    vmwrite(VMCS_GUEST_INTERRUPTS, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(x->eoi_exits); i++)
        vmwrite(VMCS_EOI_EXITS + 2 * i, 0);
    access = vlapic_access_start(x->g->v->domain);
    x->access = !mfn_is_invalid(access);
    if (x->access)
        vmwrite(VMCS_APIC_ACCESS, access.v << PAGE_SHIFT);
}

/* While it is disabled, what is in the page's IRR must stay there (10.4.7.2); and what the
 * page does not show without virtual interrupts, PPR, must come from software. */
static uint32_t mode_of(const struct vmx_vcpu *x)
{
    const struct vlapic *l = lapic_of(x);
    uint32_t apic = vlapic_enabled(x->g->v) ? PROC2_VIRTUAL_INTERRUPTS : 0;

    if (vlapic_x2apic(l))
        return apic ? apic | PROC2_X2APIC | PROC2_APIC_REGISTERS : 0;
    if (x->access && vlapic_is_plain(l))
        apic |= apic ? PROC2_APIC_ACCESS | PROC2_APIC_REGISTERS : PROC2_APIC_ACCESS;
    return apic;
}

/* MOV CR8 goes to the page; a lower value than before exits, as it may let an interrupt
 * through (29.1.2). */
static void write_threshold(struct vmx_vcpu *x)
{
    uint8_t cr8 = vlapic_tpr(x->g->v);

    if (cr8 == x->threshold)
        return;
    x->threshold = cr8;
    vmwrite(VMCS_TPR_THRESHOLD, cr8);
}

/* A vector's trigger mode is known before it is requested: vlapic_set_irq(). */
static void write_eoi_exits(struct vmx_vcpu *x)
{
    const struct vlapic *l = lapic_of(x);

    for (unsigned i = 0; i < ARRAY_SIZE(x->eoi_exits); i++) {
        uint64_t level = load_u32(&l->tmr[2 * i]) | (uint64_t)load_u32(&l->tmr[2 * i + 1]) << 32;

        if (level == x->eoi_exits[i])
            continue;
        x->eoi_exits[i] = level;
        vmwrite(VMCS_EOI_EXITS + 2 * i, level);
    }
}

void vmx_apic_enter(struct vmx_vcpu *x)
{
    uint32_t apic;

    if (vmx_controls.apic && vlapic_hand_over(x->g->v)) {
        apic = mode_of(x);
        if (apic != x->apic)
            write_mode(x, apic);
        write_eoi_exits(x);
        vmwrite(VMCS_GUEST_INTERRUPTS, vlapic_status(lapic_of(x)));
    }
    if (!(x->apic & PROC2_VIRTUAL_INTERRUPTS))
        write_threshold(x);
}
