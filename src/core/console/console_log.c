#include <stdarg.h>

#include "base/fmt.h"
#include "base/string.h"
#include "core/console/console.h"
#include "core/domain/domain.h"
#include "core/state.h"
#include "port/console.h"
#include "port/time.h"

#define LOG_PREFIX "(Corbel) "

/* The log's lock exists from hv_init() on; before that one CPU runs. */
static bool log_lock(void)
{
    if (hv == NULL || hv->log_lock.level != LOCK_CONSOLE) {
        return false;
    }
    lock_acquire(&hv->log_lock);
    return true;
}

static bool log_shows(unsigned level)
{
    return level < (hv != NULL ? hv->log_levels : CONSOLE_LEVELS_DEFAULT);
}

void console_show_guests(unsigned levels)
{
    hv->guest_log_levels = levels;
}

void console_show(unsigned levels)
{
    hv->log_levels = levels;
}

/* Writes prefix, text and a line end as one piece. */
static void log_line(const char *prefix, size_t prefix_len, const char *fmt, va_list ap)
{
    char buf[CONSOLE_LINE + 2];
    size_t n = prefix_len;
    bool locked;

    memcpy(buf, prefix, n);
    n += fmt_vprint(buf + n, CONSOLE_LINE - n, fmt, ap);
    if (n > CONSOLE_LINE) {
        n = CONSOLE_LINE;
    }
    while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\0')) {
        n--;
    }
    buf[n++] = '\n';
    locked = log_lock();
    port_console_write(PORT_CONSOLE_HV, buf, n);
    if (locked) {
        console_history_add(buf, n);
        lock_release(&hv->log_lock);
    }
}

void hv_log(unsigned level, const char *fmt, ...)
{
    va_list ap;

    if (!log_shows(level)) {
        return;
    }
    va_start(ap, fmt);
    log_line(LOG_PREFIX, sizeof(LOG_PREFIX) - 1, fmt, ap);
    va_end(ap);
}

/* True iff one more line about d may be shown now; *lost is how many were not
 * since the last one shown. The log's lock guards the counts. */
static bool log_allowed(struct domain *d, uint32_t *lost)
{
    struct domain_console *c = &d->console;
    uint64_t second = port_time_now() / 1000000000u;
    bool locked = log_lock();
    bool allowed;

    if (second != c->log_window) {
        c->log_window = second;
        c->log_lines = 0;
    }
    allowed = c->log_lines < CONSOLE_GUEST_LINES;
    *lost = 0;
    if (allowed) {
        c->log_lines++;
        *lost = c->log_lost;
        c->log_lost = 0;
    } else {
        c->log_lost++;
    }
    if (locked) {
        lock_release(&hv->log_lock);
    }
    return allowed;
}

void hv_log_guest(struct domain *d, unsigned level, const char *fmt, ...)
{
    char prefix[48];
    uint32_t lost;
    size_t n;
    va_list ap;

    if (level >= hv->guest_log_levels || !log_allowed(d, &lost)) {
        return;
    }
    if (lost != 0) {
        hv_log(level, "d%u: %u more lines were not shown", (unsigned)d->id, (unsigned)lost);
    }
    n = fmt_print(prefix, sizeof(prefix), LOG_PREFIX "d%u: ", (unsigned)d->id);
    va_start(ap, fmt);
    log_line(prefix, n, fmt, ap);
    va_end(ap);
}
