/* ACPI power management: PM1a event and control blocks, the PM timer, and the
 * sleep registers of hardware-reduced ACPI (ACPI 6.4 ch. 4.8). The domain is
 * always in ACPI mode and has no fixed events. */
#include "x86/hvm/vdev.h"

#define PM_TIMER_HZ UINT64_C(3579545)
#define NS_PER_S UINT64_C(1000000000)
#define PM1_SCI_EN 0x0001u
#define PM1_SLP_TYP 0x1c00u
#define PM1_SLP_EN_HIGH 0x20u /* SLP_EN, in the control block's second byte */
#define SLEEP_CONTROL_SLP_EN 0x20u

uint32_t vpm_timer(uint64_t now)
{
    return (uint32_t)(now / NS_PER_S * PM_TIMER_HZ + now % NS_PER_S * PM_TIMER_HZ / NS_PER_S);
}

void vpm_reset(struct vdev *dev)
{
    dev->pm1a_status = 0;
    dev->pm1a_enable = 0;
    dev->pm1a_control = PM1_SCI_EN;
}

uint8_t vpm_read(const struct vdev *dev, uint16_t port, uint64_t now)
{
    uint32_t value;

    if (port < PM1A_CNT_PORT)
        value = dev->pm1a_status | (uint32_t)dev->pm1a_enable << 16;
    else if (port < PM_TMR_PORT)
        value = dev->pm1a_control;
    else if (port < SLEEP_CONTROL_PORT)
        value = vpm_timer(now) + dev->pm_timer_shift;
    else
        value = 0;
    return (uint8_t)(value >> (8 * (port & 3)));
}

bool vpm_write(struct vdev *dev, uint16_t port, uint8_t value)
{
    unsigned shift = 8u * (port & 1);
    uint16_t bits = (uint16_t)(value << shift), keep = (uint16_t)(0xff00 >> shift);

    switch (port & ~1) {
    case PM1A_EVT_PORT: /* write one to clear */
        dev->pm1a_status &= (uint16_t)~bits;
        return false;
    case PM1A_EVT_PORT + 2:
        dev->pm1a_enable = (uint16_t)((dev->pm1a_enable & keep) | bits);
        return false;
    case PM1A_CNT_PORT:
        dev->pm1a_control =
            (uint16_t)((((dev->pm1a_control & keep) | bits) & PM1_SLP_TYP) | PM1_SCI_EN);
        return shift != 0 && (value & PM1_SLP_EN_HIGH) != 0;
    case SLEEP_CONTROL_PORT:
        return shift == 0 && (value & SLEEP_CONTROL_SLP_EN) != 0;
    default:
        return false;
    }
}
