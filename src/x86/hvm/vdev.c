/* Dispatch of port and MMIO accesses. Everything but the PCI window is a bus of
 * bytes: wider accesses are those of consecutive ports at one point in time. */
#include "x86/hvm/hvm.h"

#include "base/string.h"
#include "core/time/pvclock.h"
#include "port/console.h"
#include "port/cpu.h"
#include "port/time.h"

#define NS_PER_S UINT64_C(1000000000)
#define RESET_NOW 0x04u      /* bit 2 of port cf9h: reset the CPU */
#define KEYBOARD_PULSE 0xfeu /* 8042: pulse output line 0, the reset line */
#define DEBUG_PORT 0xe9u
#define DEBUG_BYTES_PER_S 65536u

/* What a port write asks for once the device lock is dropped. */
enum port_effect { EFFECT_NONE, EFFECT_POWER_OFF, EFFECT_RESET, EFFECT_DEBUG };

/* Both pins of the PC's timer: 0, and 2 by the usual override. */
static void pit_fired(void *arg)
{
    struct domain *d = arg;
    struct vdev *dev = &d->arch->dev;
    bool rose;

    lock_acquire(&dev->lock);
    rose = vpit_irq0(&dev->pit, port_time_now());
    lock_release(&dev->lock);
    if (!rose)
        return;
    vioapic_set_irq(d, 2, true);
    vioapic_set_irq(d, 2, false);
    vioapic_set_irq(d, 0, true);
    vioapic_set_irq(d, 0, false);
}

void vdev_create(struct domain *d)
{
    struct vdev *dev = &d->arch->dev;

    memset(dev, 0, sizeof(*dev));
    lock_init(&dev->lock, LOCK_DEVICE);
    vioapic_reset(&dev->ioapic);
    vpm_reset(dev);
    timer_init(&dev->pit.irq0, pit_fired, d, port_cpu_id());
    vpit_reset(&dev->pit);
    dev->debug_budget = DEBUG_BYTES_PER_S;
}

void vdev_destroy(struct domain *d)
{
    timer_stop(&d->arch->dev.pit.irq0);
}

static bool is_pit(uint16_t port)
{
    return (port >= 0x40 && port <= 0x43) || port == 0x61;
}

static bool is_pm(uint16_t port)
{
    return port >= PM1A_EVT_PORT && port <= SLEEP_STATUS_PORT;
}

static uint64_t wallclock_seconds(const struct domain *d)
{
    return wallclock_ns() / NS_PER_S + (uint64_t)d->time_offset;
}

static uint8_t byte_in(struct domain *d, uint16_t port, uint64_t now)
{
    struct vdev *dev = &d->arch->dev;

    if (is_pit(port))
        return vpit_read(&dev->pit, port, now);
    if (is_pm(port))
        return vpm_read(dev, port, now);
    if (port == 0x71)
        return vrtc_read(dev->rtc_index, wallclock_seconds(d));
    return port == DEBUG_PORT ? DEBUG_PORT : 0xff;
}

/* Printable text only, and so much of it per second. */
static bool debug_allowed(struct vdev *dev, uint8_t c, uint64_t now)
{
    if (c != '\n' && c != '\t' && (c < ' ' || c > '~'))
        return false;
    if (now - dev->debug_since >= NS_PER_S) {
        dev->debug_since = now;
        dev->debug_budget = DEBUG_BYTES_PER_S;
    }
    if (dev->debug_budget == 0)
        return false;
    dev->debug_budget--;
    return true;
}

static enum port_effect byte_out(struct vdev *dev, uint16_t port, uint8_t value, uint64_t now)
{
    if (is_pit(port))
        vpit_write(&dev->pit, port, value, now);
    else if (is_pm(port))
        return vpm_write(dev, port, value) ? EFFECT_POWER_OFF : EFFECT_NONE;
    else if (port == 0x70)
        dev->rtc_index = value & 0x7f;
    else if (port == DEBUG_PORT)
        return debug_allowed(dev, value, now) ? EFFECT_DEBUG : EFFECT_NONE;
    else if (port == 0x64 && value == KEYBOARD_PULSE)
        return EFFECT_RESET;
    return EFFECT_NONE;
}

static void perform(struct domain *d, enum port_effect effect, uint8_t value)
{
    char c = (char)value;

    switch (effect) {
    case EFFECT_POWER_OFF:
        domain_shutdown(d, SHUTDOWN_poweroff);
        break;
    case EFFECT_RESET:
        domain_shutdown(d, SHUTDOWN_reboot);
        break;
    case EFFECT_DEBUG:
        port_console_write(d->id, &c, 1);
        break;
    default:
        break;
    }
}

/* 0xcf8-0xcff: no PCI. A byte at 0xcf9 is the reset register, which a wider
 * access to the address register is not. */
static bool pci_window(struct domain *d, uint16_t port, unsigned size, bool in, uint32_t *value)
{
    if (port < 0xcf8 || port > 0xcff)
        return false;
    if (in)
        *value = 0xffffffff >> (32 - 8 * size);
    else if (port == RESET_PORT && size == 1 && (*value & RESET_NOW) != 0)
        perform(d, EFFECT_RESET, 0);
    return true;
}

void vdev_io(struct vcpu *v, uint16_t port, unsigned size, bool in, uint32_t *value)
{
    struct domain *d = v->domain;
    uint64_t now = port_time_now();
    uint32_t got = 0;
    unsigned i;

    if (pci_window(d, port, size, in, value))
        return;
    for (i = 0; i < size; i++) {
        uint16_t at = (uint16_t)(port + i);
        uint8_t byte = (uint8_t)(*value >> (8 * i));
        enum port_effect effect = EFFECT_NONE;

        lock_acquire(&d->arch->dev.lock);
        if (in)
            got |= (uint32_t)byte_in(d, at, now) << (8 * i);
        else
            effect = byte_out(&d->arch->dev, at, byte, now);
        lock_release(&d->arch->dev.lock);
        perform(d, effect, byte);
    }
    if (in)
        *value = got;
}

/* A LAPIC register is 32 bits; an 8-byte access is two of them. */
static bool lapic_access(struct vcpu *v, uint32_t offset, unsigned size, bool write,
                         uint64_t *value)
{
    unsigned first = size > 4 ? 4 : size;
    uint32_t low = (uint32_t)*value, high = (uint32_t)(*value >> 32);
    bool claimed = vlapic_mmio(v, offset, first, write, &low);

    if (size > 4)
        claimed = vlapic_mmio(v, offset + 4, size - 4, write, &high) || claimed;
    if (!write)
        *value = low | (size > 4 ? (uint64_t)high << 32 : 0);
    return claimed;
}

bool vdev_mmio(struct vcpu *v, gaddr_t a, unsigned size, bool write, uint64_t *value)
{
    uint64_t page = a.v & PAGE_MASK, base = v->arch->lapic.base_msr;
    uint32_t offset = (uint32_t)(a.v & ~PAGE_MASK);

    if (offset + size <= PAGE_SIZE) {
        if ((base & APIC_BASE_ENABLE) != 0 && page == (base & UINT64_C(0x0000fffffffff000)) &&
            lapic_access(v, offset, size, write, value))
            return true;
        if (page == IOAPIC_BASE) {
            vioapic_mmio(v->domain, offset, size, write, value);
            return true;
        }
    }
    if (!write)
        *value = size >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << (8 * size)) - 1;
    return false;
}
