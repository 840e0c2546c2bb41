/* System time from the TSC, calibrated against channel 2 of the PIT; the wall
 * clock from the CMOS clock. */
#include "bare/bare.h"

#include "core/time/pvclock.h"
#include "port/time.h"

#define PIT_HZ 1193182u
#define CALIBRATE_TICKS 59659u /* 50 ms */

static uint64_t tsc_start;
static uint32_t tsc_khz;
static struct pvclock_scale scale;

void clock_init(void)
{
    uint64_t before, after;

    outb(0x61, (uint8_t)((inb(0x61) & ~2u) | 1u)); /* gate on, speaker off */
    outb(0x43, 0xb0);                              /* channel 2, mode 0 */
    outb(0x42, CALIBRATE_TICKS & 0xff);
    outb(0x42, CALIBRATE_TICKS >> 8);
    before = rdtsc();
    while (!(inb(0x61) & 0x20)) {
    }
    after = rdtsc();
    tsc_khz = (uint32_t)((after - before) * PIT_HZ / CALIBRATE_TICKS / 1000);
    scale = pvclock_scale_of_khz(tsc_khz);
    tsc_start = rdtsc();
}

uint64_t port_tsc_read(void)
{
    return rdtsc();
}

uint32_t port_tsc_khz(void)
{
    return tsc_khz;
}

uint64_t port_time_now(void)
{
    uint64_t ticks = rdtsc() - tsc_start, low, high;

    ticks = scale.shift < 0 ? ticks >> -scale.shift : ticks << scale.shift;
    low = (ticks & UINT32_MAX) * scale.mul >> 32;
    high = (ticks >> 32) * scale.mul;
    return high + low;
}

void port_timer_arm(uint64_t deadline_ns)
{
    lapic_timer_arm(deadline_ns);
}

static unsigned cmos(unsigned index)
{
    uint8_t v;

    outb(0x70, (uint8_t)index);
    v = inb(0x71);
    return (v >> 4) * 10u + (v & 15u);
}

uint64_t port_wallclock_ns(void)
{
    static const uint16_t days_before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned year = 2000 + cmos(9), month = cmos(8), day = cmos(7);
    uint64_t days;

    if (month < 1 || month > 12)
        return 0;
    days = (year - 1970) * 365u + (year - 1969) / 4 + days_before[month - 1] + day - 1;
    if (month > 2 && year % 4 == 0)
        days++;
    return (((days * 24 + cmos(4)) * 60 + cmos(2)) * 60 + cmos(0)) * UINT64_C(1000000000);
}
