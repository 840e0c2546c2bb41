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

/* Counter of an 8254. Ticks are of 1193182 Hz. */
struct vpit_channel {
    uint16_t reload; /* as written: 0 means 65536 */
    uint16_t latch;  /* latched count */
    uint8_t mode;    /* 0-5 */
    uint8_t access;  /* 1 low byte, 2 high byte, 3 low then high */
    bool high_next;  /* reads: the high byte of a two-byte access is next */
    bool write_high; /* writes: likewise */
    uint8_t low;     /* low byte written so far */
    uint8_t latched; /* bytes left of the latched count */
    bool has_status; /* status is latched */
    uint8_t status;
    bool null_count; /* no count loaded since the mode was set */
    bool bcd;        /* as told; counting is binary */
    bool gate;
    uint64_t start;   /* system time of the last load or trigger, ns */
    uint64_t stopped; /* gate low in mode 0 or 4: ns counted before */
};

struct vpit {
    struct vpit_channel ch[3];
    uint8_t port61;    /* bits 0 and 1 as written */
    uint64_t next_irq; /* system time of channel 0's next edge, or TIME_NEVER */
    struct timer irq0;
};

struct vdev {
    struct lock lock;
    struct vioapic ioapic;
    struct vpit pit;
    uint16_t pm1a_status, pm1a_enable, pm1a_control;
    uint8_t rtc_index;
    uint64_t debug_since; /* port 0xe9: time and output left of this interval */
    uint32_t debug_budget;
    uint32_t pm_timer_shift; /* of a restored domain: added to the PM timer */
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

/* The rest is shared by the vdev files. */
void vioapic_reset(struct vioapic *io);
/* A register access at offset in the IOAPIC's page. */
void vioapic_mmio(struct domain *d, uint32_t offset, unsigned size, bool write, uint64_t *value);

/* vpit.c: ports 0x40-0x43 and 0x61. now is the time of the access. The device
 * lock is held. */
void vpit_reset(struct vpit *p);
uint8_t vpit_read(struct vpit *p, uint16_t port, uint64_t now);
void vpit_write(struct vpit *p, uint16_t port, uint8_t value, uint64_t now);
/* Channel 0's timer is due: true iff its output rose. Re-arms it. */
bool vpit_irq0(struct vpit *p, uint64_t now);

/* vpm.c: ports PM1A_EVT_PORT .. SLEEP_STATUS_PORT, byte by byte. The device
 * lock is held. A write returns true iff it powers the machine off. */
void vpm_reset(struct vdev *dev);
uint8_t vpm_read(const struct vdev *dev, uint16_t port, uint64_t now);
bool vpm_write(struct vdev *dev, uint16_t port, uint8_t value);
/* The power management timer at system time now. */
uint32_t vpm_timer(uint64_t now);

/* Save records of <xen/arch-x86/hvm/save.h>. Loading takes what the device can hold;
 * counting goes on from now. The device lock is held. */
struct hvm_hw_pit;
struct hvm_hw_vioapic;
void vpit_save(const struct vpit *p, struct hvm_hw_pit *r);
void vpit_load(struct vpit *p, const struct hvm_hw_pit *r, uint64_t now);
void vioapic_save(const struct vioapic *io, struct hvm_hw_vioapic *r);
void vioapic_load(struct vioapic *io, const struct hvm_hw_vioapic *r);

/* vrtc.c: CMOS byte index, at unix seconds. */
uint8_t vrtc_read(uint8_t index, uint64_t seconds);

#endif
