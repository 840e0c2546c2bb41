/* A domain's emulated platform devices: IOAPIC, PIT and port 61h, PM timer and
 * ACPI power ports, RTC index, and the dispatch of port and MMIO accesses to
 * them. Lock level LOCK_DEVICE. */
#ifndef CORBEL_X86_HVM_VDEV_H
#define CORBEL_X86_HVM_VDEV_H

#include "base/types.h"
#include "core/lock.h"
#include "core/time/timer.h"

struct vcpu;
struct domain;

#define IOAPIC_BASE 0xfec00000ull
#define IOAPIC_PINS 48u
#define PM1A_EVT_PORT 0xb000u /* as Xen's and hvmloader's FADT */
#define PM1A_CNT_PORT 0xb004u
#define PM_TMR_PORT 0xb008u
#define SLEEP_CONTROL_PORT 0xb00cu /* hardware-reduced sleep registers, 1 byte each */
#define SLEEP_STATUS_PORT 0xb00du
#define RESET_PORT 0xcf9u

struct vioapic {
    uint8_t select, id;
    uint64_t redir[IOAPIC_PINS];
    uint64_t level; /* bit per pin: line asserted */
};

struct vpit_channel {
    uint16_t reload, latch;
    uint8_t mode, access, state; /* state: next byte of a two-byte access */
    uint8_t latched;             /* bytes left of a latched count or status */
    uint8_t status;
    bool null_count;
    uint64_t start; /* system time of the last load, ns */
};

struct vpit {
    struct vpit_channel ch[3];
    uint8_t port61;
    struct timer irq0;
};

struct vdev {
    struct lock lock;
    struct vioapic ioapic;
    struct vpit pit;
    uint16_t pm1a_status, pm1a_enable, pm1a_control;
    uint8_t rtc_index;
};

void vdev_create(struct domain *d);
void vdev_destroy(struct domain *d);

/* One port access of 1, 2 or 4 bytes. Unclaimed reads give all ones, unclaimed
 * writes vanish. */
void vdev_io(struct vcpu *v, uint16_t port, unsigned size, bool in, uint32_t *value);

/* One MMIO access of 1 to 8 bytes. False: nothing lives there (reads of it
 * give all ones). */
bool vdev_mmio(struct vcpu *v, gaddr_t a, unsigned size, bool write, uint64_t *value);

/* Raises or lowers an IOAPIC input. */
void vioapic_set_irq(struct domain *d, unsigned pin, bool level);
/* A vCPU ended a level-triggered interrupt. */
void vioapic_eoi(struct domain *d, uint8_t vector);

#endif
