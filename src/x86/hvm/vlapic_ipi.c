/* Interrupt messages between local APICs, and from the IOAPIC: SDM 10.6. */
#include "x86/hvm/hvm.h"

#include "base/atomic.h"

#define ICR_LOGICAL 0x800u
#define ICR_LEVEL_ASSERT 0x4000u
#define ICR_TRIGGER_LEVEL 0x8000u

#define XAPIC_BROADCAST 0xffu
#define X2APIC_BROADCAST 0xffffffffu

enum shorthand { TO_DEST, TO_SELF, TO_ALL, TO_OTHERS };

static struct vcpu *target_at(struct domain *d, uint32_t i)
{
    struct vcpu *t = domain_vcpu(d, i);

    if (t == NULL || t->arch == NULL)
        return NULL;
    return (load_u64(&t->arch->lapic.base_msr) & APIC_BASE_ENABLE) != 0 ? t : NULL;
}

/* 10.6.2.2: flat and cluster model by DFR; x2APIC has clusters of 16. */
static bool match_logical(const struct vlapic *l, uint32_t dest)
{
    uint32_t ldr = load_u32(&l->page[LAPIC_LDR].v);

    if (vlapic_x2apic(l))
        return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff) != 0;
    ldr >>= 24;
    if (load_u32(&l->page[LAPIC_DFR].v) >> 28 == 0xf)
        return dest <= 0xff && (dest & ldr) != 0;
    return dest <= 0xff && (dest >> 4 == ldr >> 4 || dest >> 4 == 0xf) && (dest & ldr & 15) != 0;
}

static bool match(const struct vlapic *l, uint32_t dest, bool logical, uint32_t broadcast)
{
    if (dest == broadcast)
        return true;
    return logical ? match_logical(l, dest) : dest == l->id;
}

static void deliver_one(struct vcpu *t, uint8_t mode, uint8_t vector, bool level)
{
    switch (mode) {
    case DELIVER_FIXED:
    case DELIVER_LOWEST:
        if (vlapic_enabled(t))
            vlapic_set_irq(t, vector, level);
        break;
    case DELIVER_NMI:
        hvm_vcpu_nmi(t);
        break;
    case DELIVER_INIT:
        hvm_vcpu_init(t);
        break;
    case DELIVER_SIPI:
        hvm_vcpu_sipi(t, vector);
        break;
    default: /* no SMM, no 8259 */
        break;
    }
}

/* 10.6.2.4: the enabled APIC of lowest priority, the first of equals. */
static void deliver_lowest(struct domain *d, uint32_t dest, bool logical, uint32_t broadcast,
                           uint8_t vector, bool level)
{
    struct vcpu *best = NULL;
    uint32_t i;

    for (i = 0; i < MAX_VCPUS; i++) {
        struct vcpu *t = target_at(d, i);

        if (t == NULL || !vlapic_enabled(t) || !match(&t->arch->lapic, dest, logical, broadcast))
            continue;
        if (best == NULL || vlapic_ppr(&t->arch->lapic) < vlapic_ppr(&best->arch->lapic))
            best = t;
    }
    if (best != NULL)
        vlapic_set_irq(best, vector, level);
}

/* A vCPU does not reset itself: its own INIT and SIPI are dropped. */
static bool reaches(const struct vcpu *from, const struct vcpu *t, uint8_t mode)
{
    return t != from || (mode != DELIVER_INIT && mode != DELIVER_SIPI);
}

static void deliver(struct domain *d, const struct vcpu *from, uint32_t dest, bool logical,
                    uint32_t broadcast, uint8_t mode, uint8_t vector, bool level)
{
    uint32_t i;

    if (mode == DELIVER_LOWEST) {
        deliver_lowest(d, dest, logical, broadcast, vector, level);
        return;
    }
    for (i = 0; i < MAX_VCPUS; i++) {
        struct vcpu *t = target_at(d, i);

        if (t != NULL && reaches(from, t, mode) && match(&t->arch->lapic, dest, logical, broadcast))
            deliver_one(t, mode, vector, level);
    }
}

void vlapic_deliver(struct domain *d, uint32_t dest, bool logical, uint8_t delivery_mode,
                    uint8_t vector, bool level)
{
    /* Messages of devices have 8-bit destinations, 0xff for all. */
    deliver(d, NULL, dest, logical, XAPIC_BROADCAST, delivery_mode, vector, level);
}

static void send_shorthand(struct vcpu *v, enum shorthand to, uint8_t mode, uint8_t vector)
{
    uint32_t i;

    if (to == TO_SELF) {
        if (mode == DELIVER_FIXED && vlapic_enabled(v))
            vlapic_set_irq(v, vector, false);
        return;
    }
    for (i = 0; i < MAX_VCPUS; i++) {
        struct vcpu *t = target_at(v->domain, i);

        if (t != NULL && (to == TO_ALL || t != v) && reaches(v, t, mode))
            deliver_one(t, mode, vector, false);
    }
}

void vlapic_send(struct vcpu *v, uint32_t low, uint32_t dest)
{
    uint8_t mode = low >> 8 & 7, vector = (uint8_t)low;
    enum shorthand to = (enum shorthand)(low >> 18 & 3);
    bool x2 = vlapic_x2apic(&v->arch->lapic);

    if ((mode == DELIVER_FIXED || mode == DELIVER_LOWEST) && vector < 16) {
        vlapic_error(v, ESR_SEND_ILLEGAL);
        return;
    }
    /* INIT level de-assert only sets arbitration ids of old busses. */
    if (mode == DELIVER_INIT && (low & (ICR_TRIGGER_LEVEL | ICR_LEVEL_ASSERT)) == ICR_TRIGGER_LEVEL)
        return;
    if (mode == DELIVER_EXTINT || mode == DELIVER_SMI)
        return;
    if (to != TO_DEST)
        send_shorthand(v, to, mode, vector);
    else
        deliver(v->domain, v, dest, (low & ICR_LOGICAL) != 0,
                x2 ? X2APIC_BROADCAST : XAPIC_BROADCAST, mode, vector, false);
}
