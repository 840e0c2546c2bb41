/* Which interrupt of the local APIC comes next, and when: IRR, ISR, TMR, priorities (SDM
 * Vol. 3 10.8). Where the CPU delivers by itself, this file hands it what was requested. */
#include "x86/hvm/hvm.h"

#include "base/atomic.h"

#define SVR_ENABLE 0x100u
#define WORDS 8u /* of 32 vectors */

static struct vlapic *lapic_of(struct vcpu *v)
{
    return &v->arch->lapic;
}

bool vlapic_enabled(struct vcpu *v)
{
    const struct vlapic *l = lapic_of(v);

    return (load_u64(&l->base_msr) & APIC_BASE_ENABLE) != 0 &&
           (load_u32(&l->page[LAPIC_SVR].v) & SVR_ENABLE) != 0;
}

static int highest(const uint32_t word[WORDS])
{
    for (unsigned i = WORDS; i-- > 0;) {
        uint32_t w = load_u32(&word[i]);

        if (w != 0)
            return (int)(i * 32 + 31) - __builtin_clz(w);
    }
    return -1;
}

/* The same in the page, where the words lie apart. */
static int highest_of(const struct vlapic *l, enum lapic_reg first)
{
    for (unsigned i = WORDS; i-- > 0;) {
        uint32_t w = load_u32(&l->page[first + i].v);

        if (w != 0)
            return (int)(i * 32 + 31) - __builtin_clz(w);
    }
    return -1;
}

uint8_t vlapic_ppr(const struct vlapic *l)
{
    uint32_t tpr = load_u32(&l->page[LAPIC_TPR].v) & 0xff;
    int isr = highest_of(l, LAPIC_ISR);
    uint32_t in_service = isr < 0 ? 0 : (uint32_t)isr & 0xf0;

    return (uint8_t)((tpr & 0xf0) >= in_service ? tpr : in_service);
}

void vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level)
{
    struct vlapic *l = lapic_of(v);
    uint32_t bit = UINT32_C(1) << (vector & 31);

    if (vector < 16) {
        vlapic_error(v, ESR_RECEIVE_ILLEGAL);
        return;
    }
    if (level)
        fetch_or_u32(&l->tmr[vector >> 5], bit);
    else
        fetch_and_u32(&l->tmr[vector >> 5], ~bit);
    if ((fetch_or_u32(&l->irr[vector >> 5], bit) & bit) == 0)
        vcpu_kick(v);
}

/* The page's IRR holds something only if the CPU delivers it. */
static int highest_requested(const struct vlapic *l)
{
    int irr = highest(l->irr), given = l->by_cpu ? highest_of(l, LAPIC_IRR) : -1;

    return irr > given ? irr : given;
}

int vlapic_pending(struct vcpu *v)
{
    struct vlapic *l = lapic_of(v);
    int irr = highest_requested(l);

    if (irr < 0 || !vlapic_enabled(v) || (irr >> 4) <= vlapic_ppr(l) >> 4)
        return -1;
    return irr;
}

void vlapic_ack(struct vcpu *v, uint8_t vector)
{
    struct vlapic *l = lapic_of(v);
    uint32_t bit = UINT32_C(1) << (vector & 31);

    fetch_and_u32(&l->irr[vector >> 5], ~bit);
    fetch_and_u32(&l->page[LAPIC_IRR + (vector >> 5)].v, ~bit);
    fetch_or_u32(&l->page[LAPIC_ISR + (vector >> 5)].v, bit);
    l->changed = true;
}

void vlapic_end_of_interrupt(struct vcpu *v)
{
    struct vlapic *l = lapic_of(v);
    int vector = highest_of(l, LAPIC_ISR);

    if (vector < 0)
        return;
    fetch_and_u32(&l->page[LAPIC_ISR + (vector >> 5)].v, ~(UINT32_C(1) << (vector & 31)));
    l->changed = true;
    vlapic_ended(v, (uint8_t)vector);
}

void vlapic_ended(struct vcpu *v, uint8_t vector)
{
    if ((load_u32(&lapic_of(v)->tmr[vector >> 5]) >> (vector & 31) & 1) != 0)
        vioapic_eoi(v->domain, vector);
}

uint8_t vlapic_tpr(struct vcpu *v)
{
    return (uint8_t)(load_u32(&lapic_of(v)->page[LAPIC_TPR].v) >> 4 & 15);
}

void vlapic_set_tpr(struct vcpu *v, uint8_t cr8)
{
    store_u32(&lapic_of(v)->page[LAPIC_TPR].v, (uint32_t)(cr8 & 15) << 4);
}

bool vlapic_hand_over(struct vcpu *v)
{
    struct vlapic *l = lapic_of(v);
    bool changed = l->changed;

    for (unsigned i = 0; i < WORDS; i++) {
        if (load_u32(&l->irr[i]) == 0)
            continue;
        l->page[LAPIC_IRR + i].v |= fetch_and_u32(&l->irr[i], 0);
        changed = true;
    }
    for (unsigned i = 0; changed && i < WORDS; i++)
        l->page[LAPIC_TMR + i].v = load_u32(&l->tmr[i]);
    l->changed = false;
    return changed;
}

uint16_t vlapic_status(const struct vlapic *l)
{
    int requested = highest_of(l, LAPIC_IRR), in_service = highest_of(l, LAPIC_ISR);

    return (uint16_t)((requested < 0 ? 0 : requested) | (in_service < 0 ? 0 : in_service) << 8);
}
