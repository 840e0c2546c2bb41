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

/* One register, 16 bytes from the next: table 10-1. */
struct lapic_slot {
    uint32_t v, unused[3];
};
#define LAPIC_SLOTS 64u

/* The page is that of 10.4.1, and of the CPU's virtual-APIC page (29.1.1): where the CPU
 * virtualises it (vlapic.by_cpu), it works on this very page while the vCPU runs. Only the
 * owner touches it. What others request waits in irr, of which the owner moves it into
 * the page's IRR for such a CPU, and nowhere for others: what is requested is in either. */
struct vlapic {
    struct lapic_slot page[PAGE_SIZE / sizeof(struct lapic_slot)] __attribute__((aligned(4096)));
    uint32_t irr[8], tmr[8]; /* atomic */
    bool by_cpu;             /* the CPU delivers what the page's IRR holds; set by the engine */
    bool changed;            /* software changed mode, ISR or IRR: vlapic_hand_over() */
    uint64_t base_msr;       /* IA32_APIC_BASE */
    uint32_t id;             /* x2APIC id */
    uint32_t lvt_timer, initial, divide; /* what the timer counts by; the page shows them */
    uint64_t tsc_deadline;
    uint64_t timer_start; /* system time when the count was set */
    struct timer timer;
    uint32_t esr_pending; /* errors since the last write of ESR; atomic */
};

/* Indices in page[]. */
enum lapic_reg {
    LAPIC_ID = 0x02,
    LAPIC_VERSION = 0x03,
    LAPIC_TPR = 0x08,
    LAPIC_PPR = 0x0a,
    LAPIC_EOI = 0x0b,
    LAPIC_LDR = 0x0d,
    LAPIC_DFR = 0x0e,
    LAPIC_SVR = 0x0f,
    LAPIC_ISR = 0x10,
    LAPIC_TMR = 0x18,
    LAPIC_IRR = 0x20,
    LAPIC_ESR = 0x28,
    LAPIC_ICR = 0x30,
    LAPIC_ICR2 = 0x31,
    LAPIC_LVT_TIMER = 0x32,
    LAPIC_LVT_THERMAL = 0x33,
    LAPIC_LVT_PERF = 0x34,
    LAPIC_LVT_LINT0 = 0x35,
    LAPIC_LVT_LINT1 = 0x36,
    LAPIC_LVT_ERROR = 0x37,
    LAPIC_TIMER_INITIAL = 0x38,
    LAPIC_TIMER_CURRENT = 0x39,
    LAPIC_TIMER_DIVIDE = 0x3e,
    LAPIC_SELF_IPI = 0x3f,
};

#define LAPIC_VERSION_VALUE 0x50014u
#define LAPIC_BUS_HZ 1000000000u /* the timer's clock before its divider */
#define APIC_BASE_BSP (UINT64_C(1) << 8)
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)
#define LVT_MASKED 0x10000u

/* Delivery modes of ICR, LVT, MSI and IOAPIC entries (SDM 10.6.1). */
enum delivery_mode {
    DELIVER_FIXED = 0,
    DELIVER_LOWEST = 1,
    DELIVER_SMI = 2,
    DELIVER_NMI = 4,
    DELIVER_INIT = 5,
    DELIVER_SIPI = 6,
    DELIVER_EXTINT = 7,
};

#define ESR_SEND_ILLEGAL 0x20u
#define ESR_RECEIVE_ILLEGAL 0x40u

void vlapic_create(struct vcpu *v);
void vlapic_destroy(struct vcpu *v);
void vlapic_reset(struct vcpu *v); /* INIT: keeps the id and base */

/* MMIO at offset from the base; false: not a LAPIC access now (x2APIC mode). */
bool vlapic_mmio(struct vcpu *v, uint32_t offset, unsigned size, bool write, uint32_t *value);
/* The same, when the CPU has put the value into the page already: 29.4.3.2 and 29.5. */
void vlapic_written(struct vcpu *v, uint32_t offset);
/* MSRs 0x1b, 0x6e0, 0x800-0x8ff: 0, or -1 for #GP. */
int vlapic_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
int vlapic_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

/* Highest vector that may be delivered now (PPR allows it), or -1. */
int vlapic_pending(struct vcpu *v);
/* The vector is being delivered: IRR to ISR. */
void vlapic_ack(struct vcpu *v, uint8_t vector);
/* Sets a vector in IRR and kicks the vCPU; it waits there while the APIC is
 * disabled, as an event-channel upcall must. Any context. */
void vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level);

/* For an engine that has set by_cpu. Before an entry: moves what was requested into the
 * page. True iff mode, IRR or ISR are not what the CPU left or was last told:
 * vlapic_status() is RVI and, in the upper byte, SVI (SDM Vol. 3 24.4.2). After an exit
 * for an EOI: the CPU ended vector, in whose EOI-exit bitmap tmr was. */
bool vlapic_hand_over(struct vcpu *v);
uint16_t vlapic_status(const struct vlapic *l);
void vlapic_ended(struct vcpu *v, uint8_t vector);

/* vlapic_access.c. For an engine as above, as its first vCPU of d is made: maps the frame
 * that stands for the registers of xAPIC mode, and says which. Invalid: short of memory. */
mfn_t vlapic_access_start(struct domain *d);
/* v's mode or base changed: the frame stays mapped while all APICs of the domain are there,
 * since it would be plain memory for the others. */
void vlapic_access_follow(struct vcpu *v);
/* That is what e maps: device registers, not memory. */
struct p2m_entry;
bool vlapic_access_at(const struct domain *d, const struct p2m_entry *e);
void vlapic_access_destroy(struct domain *d);
/* In xAPIC mode at its usual address. */
bool vlapic_is_plain(const struct vlapic *l);

/* Delivers a message as an MSI or an IOAPIC entry describes it. */
void vlapic_deliver(struct domain *d, uint32_t dest, bool logical, uint8_t delivery_mode,
                    uint8_t vector, bool level);

/* v now runs on this CPU: so does its timer. */
void vlapic_switch_in(struct vcpu *v);

/* Save records of <xen/arch-x86/hvm/save.h>; v does not run. -XEN_EINVAL for a base
 * register that cannot be, else 0: registers take the bits that they have. */
struct hvm_hw_lapic;
struct hvm_hw_lapic_regs;
void vlapic_save(struct vcpu *v, struct hvm_hw_lapic *r);
int vlapic_load(struct vcpu *v, const struct hvm_hw_lapic *r);
void vlapic_save_regs(struct vcpu *v, struct hvm_hw_lapic_regs *r);
void vlapic_load_regs(struct vcpu *v, const struct hvm_hw_lapic_regs *r);

/* The rest is shared by the vlapic files. */
bool vlapic_x2apic(const struct vlapic *l);
uint8_t vlapic_ppr(const struct vlapic *l);
void vlapic_end_of_interrupt(struct vcpu *v);
/* Notes an error in ESR and raises the error interrupt. Any context. */
void vlapic_error(struct vcpu *v, uint32_t esr_bit);

/* vlapic_ipi.c: the interrupt command register was written. */
void vlapic_send(struct vcpu *v, uint32_t low, uint32_t dest);

/* vlapic_timer.c */
void vlapic_timer_create(struct vcpu *v);
void vlapic_timer_stop(struct vcpu *v);
void vlapic_timer_reset(struct vcpu *v);
void vlapic_timer_set_initial(struct vcpu *v, uint32_t count);
void vlapic_timer_set_divide(struct vcpu *v, uint32_t value);
void vlapic_timer_set_lvt(struct vcpu *v, uint32_t value);
uint32_t vlapic_timer_current(const struct vlapic *l);
void vlapic_timer_set_deadline(struct vcpu *v, uint64_t tsc);
/* The timer's registers in the page were loaded, with so much left to count. */
void vlapic_timer_restore(struct vcpu *v, uint32_t left);
uint32_t vlapic_timer_divisor(const struct vlapic *l);
uint64_t vlapic_timer_deadline(const struct vlapic *l);

uint8_t vlapic_tpr(struct vcpu *v); /* as CR8: 0-15 */
void vlapic_set_tpr(struct vcpu *v, uint8_t cr8);
bool vlapic_enabled(struct vcpu *v);

#endif
