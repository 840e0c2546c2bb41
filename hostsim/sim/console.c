/* Guests' output as lines in the order of virtual time, and the user's input. */
#define _GNU_SOURCE /* ppoll */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "core/state.h"
#include "hostsim/sim/sim.h"
#include "hostsim/world/text.h"
#include "port/console.h"

#define LINE_MAX_BYTES 2000u
#define CLEAN_MAX (4u * LINE_MAX_BYTES)
#define ESCAPE_KEY 0x1d /* Ctrl-] */
#define WAIT_MAX_NS UINT64_C(200000000)
#define INPUT_BYTES 4096u

/* A line being assembled; the last one is the hypervisor's own. */
struct assembly {
    char text[LINE_MAX_BYTES];
    size_t len;
};

/* A finished line whose time other CPUs may still be behind. */
struct waiting {
    uint64_t time;
    uint16_t domid;
    size_t len;
    struct waiting *next;
    char text[];
};

static struct assembly assembly[SIM_GUESTS_MAX + 1];
static struct waiting *waiting;

static struct {
    int guest; /* index of who gets the input, -1: nobody */
    bool interactive, eof;
    struct termios saved;
    char buf[INPUT_BYTES];
    size_t len;
} input = {.guest = -1};

static const char *end_of_line(void)
{
    return input.interactive ? "\r\n" : "\n";
}

static const char *name_of_domain(uint16_t domid)
{
    const struct sim_guest *g = sim_guest_of(domid);

    return domid == PORT_CONSOLE_HV ? "corbel" : g ? sim.opt.guest[g - sim.guest].name : "?";
}

static void print_line(const struct waiting *w)
{
    char clean[CLEAN_MAX];
    size_t n = text_clean(clean, sizeof(clean), w->text, w->len);

    printf("%s | %.*s%s", name_of_domain(w->domid), (int)n, clean, end_of_line());
}

/* Queues a line behind those of its time and earlier. */
static void line_done(uint16_t domid, struct assembly *a)
{
    struct waiting *w = malloc(sizeof(*w) + a->len), **at = &waiting;

    if (!w) {
        abort();
    }
    w->time = world_now();
    w->domid = domid;
    w->len = a->len;
    memcpy(w->text, a->text, a->len);
    while (*at && (*at)->time <= w->time) {
        at = &(*at)->next;
    }
    w->next = *at;
    *at = w;
    a->len = 0;
}

static void print_until(uint64_t time)
{
    bool any = false;

    while (waiting && waiting->time <= time) {
        struct waiting *w = waiting;

        print_line(w);
        waiting = w->next;
        free(w);
        any = true;
    }
    if (any) {
        fflush(stdout);
    }
}

void console_flush(void)
{
    /* Until the guests run lines are kept: a refused guest leaves only its error. */
    if (waiting && sim.running) {
        print_until(world_floor());
    }
}

static bool is_raw(uint16_t domid)
{
    return input.interactive && sim.guest[input.guest].domid == domid;
}

static void sink(uint16_t domid, const char *s, size_t n)
{
    const struct sim_guest *g = sim_guest_of(domid);
    struct assembly *a = &assembly[g ? g - sim.guest : SIM_GUESTS_MAX];

    if (domid == PORT_CONSOLE_HV && sim.opt.quiet) {
        return;
    }
    if (is_raw(domid)) {
        fwrite(s, 1, n, stdout);
        fflush(stdout);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n' || a->len == sizeof(a->text)) {
            line_done(domid, a);
        }
        if (s[i] != '\n') {
            a->text[a->len++] = s[i];
        }
    }
    console_flush();
}

static size_t source(uint16_t domid, char *s, size_t n)
{
    if (input.guest < 0 || sim.guest[input.guest].domid != domid) {
        return 0;
    }
    n = n < input.len ? n : input.len;
    memcpy(s, input.buf, n);
    input.len -= n;
    memmove(input.buf, input.buf + n, input.len);
    return n;
}

static void give_terminal_back(void)
{
    if (input.interactive) {
        tcsetattr(STDIN_FILENO, TCSANOW, &input.saved);
        input.interactive = false;
    }
}

static int take_terminal(void)
{
    struct termios t;

    if (tcgetattr(STDIN_FILENO, &input.saved) != 0) {
        return sim_error("the terminal: %s", strerror(errno));
    }
    t = input.saved;
    cfmakeraw(&t);
    if (tcsetattr(STDIN_FILENO, TCSANOW, &t) != 0) {
        return sim_error("the terminal: %s", strerror(errno));
    }
    input.interactive = true;
    atexit(give_terminal_back);
    return 0;
}

int console_start(void)
{
    bool tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

    world_console_sink = sink;
    world_console_source = source;
    for (unsigned i = 0; i < sim.opt.guests; i++) {
        if (sim.opt.console && strcmp(sim.opt.guest[i].name, sim.opt.console) == 0) {
            input.guest = (int)i;
        }
    }
    return input.guest >= 0 && tty ? take_terminal() : 0;
}

bool console_interactive(void)
{
    return input.interactive;
}

/* Takes what was typed. */
static void take_input(void)
{
    char *start = input.buf + input.len;
    ssize_t n = read(STDIN_FILENO, start, sizeof(input.buf) - input.len);
    const char *escape;

    if (n <= 0) {
        input.eof = n == 0 || errno != EINTR;
        return;
    }
    escape = input.interactive ? memchr(start, ESCAPE_KEY, (size_t)n) : NULL;
    if (escape) {
        n = escape - start;
        sim.interrupted = true;
        world_request_stop();
    }
    input.len += (size_t)n;
}

/* Waits for something to read, at most ns (UINT64_MAX: for ever), in pieces that
 * a timespec's nanoseconds can hold. A signal ends it. */
static bool wait_for_input(uint64_t ns)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

    for (;;) {
        uint64_t piece = ns < WAIT_MAX_NS ? ns : WAIT_MAX_NS;
        struct timespec t = {0, (long)piece};
        int n = ppoll(&p, 1, &t, NULL);

        ns -= ns == UINT64_MAX ? 0 : piece;
        if (n != 0 || ns == 0) {
            return n > 0;
        }
    }
}

bool console_poll(uint64_t ns)
{
    struct domain *d;
    size_t had;

    if (input.guest < 0 || sim.interrupted) {
        return false;
    }
    if (!input.eof && input.len < sizeof(input.buf) && wait_for_input(input.interactive ? ns : 0)) {
        take_input();
    }
    d = sim.guest[input.guest].d;
    had = input.len;
    if (!d || d->shutting_down || had == 0) {
        return false;
    }
    console_ring_service(d);
    return input.len < had;
}

void console_stop(void)
{
    for (unsigned i = 0; i <= SIM_GUESTS_MAX; i++) {
        if (assembly[i].len) {
            line_done(i < SIM_GUESTS_MAX ? sim.guest[i].domid : PORT_CONSOLE_HV, &assembly[i]);
        }
    }
    if (sim.running) {
        print_until(UINT64_MAX);
    }
    if (input.interactive) {
        printf("\r\n");
        fflush(stdout);
    }
    give_terminal_back();
    world_console_sink = NULL;
    world_console_source = NULL;
}
