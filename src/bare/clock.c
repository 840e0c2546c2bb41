/* System time from the TSC, calibrated against the HPET or channel 2 of the PIT;
 * the wall clock from the CMOS clock. */
#include "bare/bare.h"
#include "bare/guest.h"

#include "base/arith.h"
#include "base/string.h"
#include "core/time/pvclock.h"
#include "port/power.h"
#include "port/time.h"

#define PIT_HZ 1193182u
#define WAIT_TICKS 59659u /* 50 ms */
#define WAIT_POLLS_MAX 10000000u
#define MEASURES_MAX 10u
#define HPET_PERIOD_MAX 100000000u /* femtoseconds: IA-PC HPET 1.0a 2.3.4 */
#define HPET_CONFIG (0x10u / 4)
#define HPET_COUNTER (0xf0u / 4)
#define HPET_ENABLE 1u
#define FS_PER_US UINT64_C(1000000000)
#define FS_PER_50MS (50000 * FS_PER_US)
#define TSC_AHEAD_NS UINT64_C(1000000000)

static uint64_t tsc_start;
static uint32_t tsc_khz;
static struct pvclock_scale scale;
static volatile uint32_t *hpet; /* NULL: none that counts */
static uint32_t hpet_wait;      /* its ticks in 50 ms */

/* The HPET's registers, and its counter turned on; false when it does not count. */
static bool hpet_start(void)
{
    uint32_t first;

    if (bare_acpi.hpet == 0)
        return false;
    hpet = (volatile uint32_t *)((volatile uint8_t *)paging_map_device(bare_acpi.hpet) +
                                 bare_acpi.hpet % PAGE_SIZE);
    if (hpet[1] == 0 || hpet[1] > HPET_PERIOD_MAX) {
        hpet = NULL;
        return false;
    }
    hpet_wait = (uint32_t)(FS_PER_50MS / hpet[1]);
    hpet[HPET_CONFIG] |= HPET_ENABLE;
    first = hpet[HPET_COUNTER];
    for (unsigned i = 0; i < WAIT_POLLS_MAX / 100; i++) {
        if (hpet[HPET_COUNTER] != first)
            return true;
    }
    hpet = NULL;
    return false;
}

/* As measure(), by the HPET, whose ticks in between *waited gets. */
static bool measure_hpet(uint64_t *ticks, uint64_t *unsure, uint32_t *waited)
{
    unsigned polls = 0;
    uint64_t before = rdtsc(), started, last, now;
    uint32_t first = hpet[HPET_COUNTER], count;

    started = now = rdtsc();
    do {
        if (++polls == WAIT_POLLS_MAX)
            return false;
        last = now;
        count = hpet[HPET_COUNTER];
        now = rdtsc();
    } while (count - first < hpet_wait);
    *ticks = now - started;
    *waited = count - first;
    *unsure = (started - before) + (now - last);
    return true;
}

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

/* The TSC's ticks in a millisecond; 0: the timer does not count. */
static uint32_t measure_khz(void)
{
    uint64_t best = 0, least = UINT64_MAX, ticks, unsure;
    uint32_t khz = 0, waited = 0;

    /* A hypervisor below this one, or firmware, may stop the CPU in between. */
    for (unsigned i = 0; i < MEASURES_MAX && least > best / 1000; i++) {
        if (hpet ? !measure_hpet(&ticks, &unsure, &waited) : !measure(&ticks, &unsure))
            return 0;
        if (unsure >= least)
            continue;
        least = unsure;
        best = ticks;
        if (hpet) {
            uint64_t us = waited * (uint64_t)hpet[1] / FS_PER_US;

            khz = us == 0 ? 0 : (uint32_t)(ticks * 1000 / us);
        } else {
            khz = (uint32_t)(ticks * PIT_HZ / WAIT_TICKS / 1000);
        }
    }
    return khz;
}

void clock_begin(void)
{
    tsc_start = rdtsc();
}

void clock_init(void)
{
    if (hpet_start())
        tsc_khz = measure_khz();
    if (tsc_khz == 0) {
        hpet = NULL;
        tsc_khz = measure_khz();
    }
    if (tsc_khz == 0)
        port_panic("neither HPET nor PIT to measure the TSC by");
    scale = pvclock_scale_of_khz(tsc_khz);
}

const char *clock_source(void)
{
    return hpet ? "HPET" : "PIT";
}

void clock_wait_us(uint64_t us)
{
    uint64_t since = rdtsc();

    while (rdtsc() - since < us * tsc_khz / 1000)
        port_cpu_relax();
}

uint64_t clock_tsc_at(uint64_t deadline_ns)
{
    uint64_t now = port_time_now();
    uint64_t ahead = deadline_ns > now ? min_u64(deadline_ns - now, TSC_AHEAD_NS) : 0;

    return rdtsc() + ahead * tsc_khz / 1000000 + 1;
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

/* Interrupts are off but in a guest and in port_cpu_idle(): there is no other place where
 * the timer would be noticed. */
void port_timer_arm(uint64_t deadline_ns)
{
    if (!guest_timer_arm(deadline_ns))
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
