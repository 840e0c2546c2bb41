/* System time from the TSC, calibrated against channel 2 of the PIT; the wall
 * clock from the CMOS clock. */
#include "bare/bare.h"

#include "base/string.h"
#include "core/time/pvclock.h"
#include "port/power.h"
#include "port/time.h"

#define PIT_HZ 1193182u
#define WAIT_TICKS 59659u /* 50 ms */
#define WAIT_POLLS_MAX 10000000u
#define MEASURES_MAX 10u

static uint64_t tsc_start;
static uint32_t tsc_khz;
static struct pvclock_scale scale;

/* Counts the PIT through 50 ms: *ticks of the TSC, give or take *unsure of them,
 * by when the start and the end were seen. False when it does not count. */
static bool measure(uint64_t *ticks, uint64_t *unsure)
{
    unsigned polls = 0;
    uint64_t before, started, last, now;

    outb(0x61, (uint8_t)((inb(0x61) & ~2u) | 1u)); /* gate on, speaker off */
    outb(0x43, 0xb0);                              /* channel 2, mode 0 */
    outb(0x42, WAIT_TICKS & 0xff);
    before = rdtsc();
    outb(0x42, WAIT_TICKS >> 8);
    started = now = rdtsc();
    do {
        if (++polls == WAIT_POLLS_MAX)
            return false;
        last = now;
        now = rdtsc();
    } while (!(inb(0x61) & 0x20));
    *ticks = now - started;
    *unsure = (started - before) + (rdtsc() - last);
    return true;
}

bool clock_wait_50ms(void)
{
    uint64_t ticks, unsure;

    return measure(&ticks, &unsure);
}

void clock_init(void)
{
    uint64_t best = 0, least = UINT64_MAX, ticks, unsure;

    /* A hypervisor below this one, or firmware, may stop the CPU in between. */
    for (unsigned i = 0; i < MEASURES_MAX && least > best / 1000; i++) {
        if (!measure(&ticks, &unsure))
            port_panic("no PIT to measure the TSC by");
        if (unsure < least) {
            least = unsure;
            best = ticks;
        }
    }
    tsc_khz = (uint32_t)(best * PIT_HZ / WAIT_TICKS / 1000);
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

/* The CMOS clock's registers in BCD: seconds, minutes, hours, day, month, year. */
enum { CMOS_SECOND, CMOS_MINUTE, CMOS_HOUR, CMOS_DAY, CMOS_MONTH, CMOS_YEAR, CMOS_FIELDS };

static void cmos_read(uint8_t out[CMOS_FIELDS])
{
    static const uint8_t index[CMOS_FIELDS] = {0, 2, 4, 7, 8, 9};

    for (unsigned i = 0; i < CMOS_FIELDS; i++) {
        outb(0x70, index[i]);
        out[i] = inb(0x71);
    }
}

uint64_t port_wallclock_ns(void)
{
    static const uint16_t days_before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    uint8_t raw[CMOS_FIELDS], again[CMOS_FIELDS];
    uint64_t v[CMOS_FIELDS], days, year;

    /* Equal twice means not read across an update. */
    cmos_read(raw);
    for (unsigned tries = 0; tries < 100; tries++) {
        cmos_read(again);
        if (memcmp(raw, again, sizeof(raw)) == 0)
            break;
        memcpy(raw, again, sizeof(raw));
    }
    for (unsigned i = 0; i < CMOS_FIELDS; i++)
        v[i] = (raw[i] >> 4) * 10u + (raw[i] & 15u);
    if (v[CMOS_MONTH] < 1 || v[CMOS_MONTH] > 12 || v[CMOS_DAY] < 1)
        return 0;
    year = 2000 + v[CMOS_YEAR];
    days = (year - 1970) * 365 + (year - 1969) / 4 + days_before[v[CMOS_MONTH] - 1];
    days += v[CMOS_DAY] - 1 + (v[CMOS_MONTH] > 2 && year % 4 == 0);
    return (((days * 24 + v[CMOS_HOUR]) * 60 + v[CMOS_MINUTE]) * 60 + v[CMOS_SECOND]) *
           UINT64_C(1000000000);
}
