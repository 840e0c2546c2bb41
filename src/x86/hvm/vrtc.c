/* The MC146818 clock as far as an operating system reads the date from it: a
 * running clock in BCD and 24-hour format, no alarms, no memory. */
#include "x86/hvm/vdev.h"

struct civil {
    uint32_t year, month, day, weekday; /* weekday: 1 is Sunday */
};

/* Days since 1970-01-01 to a date of the Gregorian calendar, counted from March
 * so that leap days end their year; eras are of 400 years. */
static struct civil civil_of_days(uint64_t days)
{
    uint64_t z = days + 719468, era = z / 146097;
    uint32_t doe = (uint32_t)(z % 146097);
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint32_t mp = (5 * doy + 2) / 153;
    struct civil c;

    c.day = doy - (153 * mp + 2) / 5 + 1;
    c.month = mp < 10 ? mp + 3 : mp - 9;
    c.year = yoe + (uint32_t)era * 400 + (c.month <= 2 ? 1 : 0);
    c.weekday = (uint32_t)((days + 4) % 7) + 1;
    return c;
}

static uint8_t bcd(uint64_t v)
{
    return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

uint8_t vrtc_read(uint8_t index, uint64_t seconds)
{
    struct civil c = civil_of_days(seconds / 86400);

    switch (index) {
    case 0x00:
        return bcd(seconds % 60);
    case 0x02:
        return bcd(seconds / 60 % 60);
    case 0x04:
        return bcd(seconds / 3600 % 24);
    case 0x06:
        return (uint8_t)c.weekday;
    case 0x07:
        return bcd(c.day);
    case 0x08:
        return bcd(c.month);
    case 0x09:
        return bcd(c.year % 100);
    case 0x32:
        return bcd(c.year / 100);
    case 0x0a:
        return 0x26; /* 32768 Hz time base, no update in progress */
    case 0x0b:
        return 0x02; /* 24 hours, BCD */
    case 0x0d:
        return 0x80; /* contents valid */
    default:
        return 0;
    }
}
