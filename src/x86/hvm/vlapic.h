/* Virtual local APIC, xAPIC and x2APIC mode. Sources: SDM Vol. 3 ch. 10 (11 in
 * newer editions), APM Vol. 2 ch. 16. Guarded by running on the owner or by
 * atomic updates of irr from other CPUs. */
#ifndef CORBEL_X86_HVM_VLAPIC_H
#define CORBEL_X86_HVM_VLAPIC_H

#include "base/types.h"
#include "core/time/timer.h"

struct vcpu;
struct domain;

#define LAPIC_BASE 0xfee00000ull
#define LAPIC_MAX_OFFSET 0x400u

struct vlapic {
    uint64_t base_msr;       /* IA32_APIC_BASE */
    uint32_t id;             /* x2APIC id */
    uint32_t regs[64];       /* register file by offset / 16: everything not below */
    uint32_t irr[8], isr[8], tmr[8];
    uint64_t tsc_deadline;
    uint64_t timer_start;    /* system time when the count was set */
    struct timer timer;
};

void vlapic_create(struct vcpu *v);
void vlapic_destroy(struct vcpu *v);
void vlapic_reset(struct vcpu *v); /* INIT: keeps the id and base */

/* MMIO at offset from the base; false: not a LAPIC access now (x2APIC mode). */
bool vlapic_mmio(struct vcpu *v, uint32_t offset, unsigned size, bool write, uint32_t *value);
/* MSRs 0x1b, 0x6e0, 0x800-0x8ff: 0, or -1 for #GP. */
int vlapic_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
int vlapic_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

/* Highest vector that may be delivered now (PPR allows it), or -1. */
int vlapic_pending(struct vcpu *v);
/* The vector is being delivered: IRR to ISR. */
void vlapic_ack(struct vcpu *v, uint8_t vector);
/* Sets a vector in IRR and kicks the vCPU. Any context. */
void vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level);

/* Delivers a message as an MSI or an IOAPIC entry describes it. */
void vlapic_deliver(struct domain *d, uint32_t dest, bool logical, uint8_t delivery_mode,
                    uint8_t vector, bool level);

uint8_t vlapic_tpr(struct vcpu *v); /* as CR8: 0-15 */
void vlapic_set_tpr(struct vcpu *v, uint8_t cr8);
bool vlapic_enabled(struct vcpu *v);

#endif
