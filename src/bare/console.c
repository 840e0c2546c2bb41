/* The serial line, shared. Output: the hypervisor's lines behind the time since its
 * start, guests' lines behind their names. Input: the hypervisor's debug keys or one
 * guest's console, and three times Ctrl-A for the next of them. */
#include "bare/bare.h"

#include "base/fmt.h"
#include "core/console/console.h"
#include "core/domain/domain.h"
#include "port/console.h"
#include "port/time.h"

#define LINE_BYTES 256u
#define INPUT_BYTES 256u
#define SWITCH_KEY 1 /* Ctrl-A */
#define SWITCH_TIMES 3u
#define NOBODY BARE_GUESTS_MAX

/* A guest's line being assembled, and what was typed for it; domid 0: unused. */
struct terminal {
    uint16_t domid;
    size_t len, typed;
    char text[LINE_BYTES], input[INPUT_BYTES];
};

static struct terminal terminals[BARE_GUESTS_MAX];
static struct port_spin lock;
static unsigned focus = NOBODY, switch_keys; /* CPU 0's: where input goes */

static struct terminal *terminal_of(uint16_t domid)
{
    for (unsigned i = 0; i < BARE_GUESTS_MAX; i++) {
        if (terminals[i].domid == domid || terminals[i].domid == 0) {
            terminals[i].domid = domid;
            return &terminals[i];
        }
    }
    return NULL;
}

static void line_done(struct terminal *t)
{
    const char *name = guest_list_name(t->domid);
    char head[48];
    size_t n;

    if (name)
        n = fmt_print(head, sizeof(head), "%s | ", name);
    else
        n = fmt_print(head, sizeof(head), "d%u | ", (unsigned)t->domid);
    uart_write(head, n);
    uart_write(t->text, t->len);
    uart_write("\n", 1);
    t->len = 0;
}

/* The log comes in whole lines. */
static void log_write(const char *s, size_t n)
{
    uint64_t us = port_time_now() / 1000;
    char stamp[32];

    if (options.timestamps)
        uart_write(stamp,
                   fmt_print(stamp, sizeof(stamp), "[%5lu.%06lu] ", us / 1000000, us % 1000000));
    uart_write(s, n);
}

void port_console_write(uint16_t domid, const char *s, size_t n)
{
    struct terminal *t;

    port_spin_acquire(&lock);
    t = domid == PORT_CONSOLE_HV || domid == 0 ? NULL : terminal_of(domid);
    if (!t)
        log_write(s, n);
    for (size_t i = 0; t && i < n; i++) {
        if (s[i] == '\n' || t->len == LINE_BYTES)
            line_done(t);
        if (s[i] != '\n' && s[i] != '\r')
            t->text[t->len++] = s[i];
    }
    port_spin_release(&lock);
}

void console_flush(void)
{
    port_spin_acquire(&lock);
    for (unsigned i = 0; i < BARE_GUESTS_MAX; i++) {
        if (terminals[i].len != 0)
            line_done(&terminals[i]);
    }
    port_spin_release(&lock);
}

size_t port_console_read(uint16_t domid, char *s, size_t n)
{
    struct terminal *t;

    port_spin_acquire(&lock);
    t = domid == PORT_CONSOLE_HV || domid == 0 ? NULL : terminal_of(domid);
    if (!t || n > t->typed)
        n = t ? t->typed : 0;
    for (size_t i = 0; i < n; i++)
        s[i] = t->input[i];
    for (size_t i = n; i < (t ? t->typed : 0); i++)
        t->input[i - n] = t->input[i];
    if (t)
        t->typed -= n;
    port_spin_release(&lock);
    return n;
}

/* One character for whoever has the input. */
static void deliver(char c)
{
    struct domain *d = focus == NOBODY ? NULL : guest_list_domain(focus);
    struct terminal *t;

    if (!d) {
        debug_key(c);
        return;
    }
    port_spin_acquire(&lock);
    t = terminal_of(d->id);
    if (t && t->typed < INPUT_BYTES)
        t->input[t->typed++] = c;
    port_spin_release(&lock);
    console_ring_service(d);
}

static void say_focus(void)
{
    struct domain *d = focus == NOBODY ? NULL : guest_list_domain(focus);

    hv_log(0, "input goes to %s (three times Ctrl-A: the next)",
           d ? guest_list_name(d->id) : "the hypervisor: h lists its keys");
}

static void next_focus(void)
{
    focus = focus == NOBODY ? 0 : focus + 1;
    while (focus < guest_list_count() && !guest_list_domain(focus))
        focus++;
    if (focus >= guest_list_count())
        focus = NOBODY;
    say_focus();
}

void console_start_input(void)
{
    uart_listen();
    if (guest_list_count() != 0)
        focus = 0;
}

void console_poll(void)
{
    char c;

    while (uart_read(&c)) {
        if (c == SWITCH_KEY) {
            if (++switch_keys == SWITCH_TIMES) {
                switch_keys = 0;
                next_focus();
            }
            continue;
        }
        for (; switch_keys != 0; switch_keys--)
            deliver(SWITCH_KEY);
        deliver(c);
    }
}
