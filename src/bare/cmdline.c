/* The command line: the few of Xen's words that mean something here. */
#include "bare/bare.h"

#include "base/string.h"
#include "core/console/console.h"
#include "core/sched/sched.h"

#define WORD_SHOWN 80u
#define NAME_BYTES 16u
#define BAUD_MAX 115200u

struct bare_options options = {
    .log_lines = CONSOLE_LEVELS_DEFAULT,
    .guest_log_lines = CONSOLE_LEVELS_DEFAULT,
    .maxcpus = MAX_CPUS,
    .com1_baud = BAUD_MAX,
    .com1_base = 0x3f8,
    .com1_irq = 4,
    .console_com1 = true,
    .timestamps = true,
    .x2apic = true,
    .apicv = true,
    .vmx_timer = true,
    .smep = true,
    .smap = true,
};

struct choice {
    const char *name;
    unsigned value;
};

/* <level> of Xen's loglvl=: how many of the log's levels it shows. */
static const struct choice log_choices[] = {{"none", 0}, {"error", 1}, {"warning", 2},
                                            {"info", 3}, {"debug", 4}, {"all", 4}};
static const struct choice selftest_choices[] = {
    {"panic", SELFTEST_PANIC},         {"stack", SELFTEST_STACK},         {"text", SELFTEST_TEXT},
    {"data", SELFTEST_DATA},           {"directmap", SELFTEST_DIRECTMAP}, {"tsc", SELFTEST_TSC},
    {"tsc-stuck", SELFTEST_TSC_STUCK}, {"entry", SELFTEST_ENTRY},         {"late", SELFTEST_LATE},
};

static bool word_is(const char *w, size_t n, const char *name)
{
    return str_len(name) == n && memcmp(w, name, n) == 0;
}

/* True iff the word w is name, which ends in '=', and a value: *v, *vn. */
static bool word_has(const char *w, size_t n, const char *name, const char **v, size_t *vn)
{
    size_t len = str_len(name);

    if (n < len || memcmp(w, name, len) != 0)
        return false;
    *v = w + len;
    *vn = n - len;
    return true;
}

static bool choose(const char *v, size_t n, const struct choice *c, size_t count, unsigned *out)
{
    for (size_t i = 0; i < count; i++) {
        if (word_is(v, n, c[i].name)) {
            *out = c[i].value;
            return true;
        }
    }
    return false;
}

/* Decimal digits and one of K, M, G, T; bytes are multiples of KiB without one,
 * as in Xen's size parameters. False: not a size, or nothing. */
static bool parse_size(const char *v, size_t n, uint64_t *out)
{
    static const char units[] = "kmgt";
    unsigned shift = 10;
    uint64_t size = 0;
    size_t i = 0;

    for (; i < n && v[i] >= '0' && v[i] <= '9'; i++) {
        size = size * 10 + (uint64_t)(v[i] - '0');
        if (size >> 23 != 0)
            return false;
    }
    if (i == 0)
        return false;
    if (i + 1 == n) {
        for (unsigned u = 0; u < 4; u++) {
            if ((v[i] | 0x20) == units[u]) {
                shift = 10 * (u + 1);
                i++;
                break;
            }
        }
    }
    *out = size << shift;
    return i == n && size != 0;
}

/* Digits, "0x" before hexadecimal ones, off the front of *v. */
static bool take_number(const char **v, size_t *n, uint64_t *out)
{
    unsigned base = 10;
    size_t i = 0, first;

    if (*n > 2 && (*v)[0] == '0' && ((*v)[1] | 0x20) == 'x') {
        base = 16;
        i = 2;
    }
    *out = 0;
    for (first = i; i < *n; i++) {
        char c = (*v)[i], lower = (char)(c | 0x20);
        unsigned digit = c >= '0' && c <= '9'           ? (unsigned)(c - '0')
                         : lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10
                                                        : 99;

        if (digit >= base || *out > UINT32_MAX)
            break;
        *out = *out * base + digit;
    }
    *v += i;
    *n -= i;
    return i != first;
}

static bool take_comma(const char **v, size_t *n)
{
    if (*n == 0 || **v != ',')
        return false;
    ++*v;
    --*n;
    return true;
}

/* com1=<baud>[,8n1[,<I/O port>[,<IRQ>]]]; "auto" leaves the rate as it is. */
static bool parse_com1(const char *v, size_t n)
{
    uint64_t baud = BAUD_MAX, port = 0x3f8, irq = 4;

    if (n >= 4 && memcmp(v, "auto", 4) == 0) {
        v += 4;
        n -= 4;
    } else if (!take_number(&v, &n, &baud) || baud == 0 || baud > BAUD_MAX ||
               BAUD_MAX % baud != 0) {
        return false;
    }
    if (take_comma(&v, &n)) {
        if (n < 3 || memcmp(v, "8n1", 3) != 0)
            return false;
        v += 3;
        n -= 3;
    }
    if (take_comma(&v, &n) && (!take_number(&v, &n, &port) || port == 0 || port > 0xfff8))
        return false;
    if (take_comma(&v, &n) && (!take_number(&v, &n, &irq) || irq > 15))
        return false;
    if (n != 0)
        return false;
    options.com1_baud = (uint32_t)baud;
    options.com1_base = (uint16_t)port;
    options.com1_irq = (uint8_t)irq;
    return true;
}

/* console=<name>[,<name>...]: com1 and none mean something here, vga nothing. */
static bool parse_console(const char *v, size_t n)
{
    bool com1 = false;

    while (n != 0) {
        size_t len = 0;

        while (len < n && v[len] != ',')
            len++;
        if (word_is(v, len, "com1"))
            com1 = true;
        else if (!word_is(v, len, "vga") && !word_is(v, len, "none"))
            return false;
        v += len;
        n -= len;
        (void)take_comma(&v, &n);
    }
    options.console_com1 = com1;
    return true;
}

/* A switch as Xen has them: name, no-name, name=yes, on, true, enable or 1, or the
 * opposites. */
static bool parse_switch(const char *w, size_t n, const char *name, bool *out)
{
    static const struct choice values[] = {{"yes", 1}, {"on", 1},     {"true", 1}, {"enable", 1},
                                           {"1", 1},   {"no", 0},     {"off", 0},  {"false", 0},
                                           {"0", 0},   {"disable", 0}};
    size_t len = str_len(name);
    unsigned value = 1;

    if (n > 3 && memcmp(w, "no-", 3) == 0 && word_is(w + 3, n - 3, name)) {
        *out = false;
        return true;
    }
    if (n < len || memcmp(w, name, len) != 0)
        return false;
    if (n > len &&
        (w[len] != '=' || !choose(w + len + 1, n - len - 1, values, ARRAY_SIZE(values), &value)))
        return false;
    *out = value != 0;
    return true;
}

/* <level>[/<level>]: the second is the level up to which Xen limits the rate. */
static bool parse_level(const char *v, size_t n, unsigned *out)
{
    size_t len = 0;
    unsigned rate;

    while (len < n && v[len] != '/')
        len++;
    if (len < n && !choose(v + len + 1, n - len - 1, log_choices, ARRAY_SIZE(log_choices), &rate))
        return false;
    return choose(v, len, log_choices, ARRAY_SIZE(log_choices), out);
}

static bool parse_sched(const char *v, size_t n)
{
    char name[NAME_BYTES] = {0};

    if (n >= sizeof(name))
        return false;
    memcpy(name, v, n);
    return sched_kind_of_name(name, &options.sched_kind);
}

static bool understand_value(const char *w, size_t n)
{
    static const struct choice modules[] = {{"dummy", 0}, {"silo", 1}};
    static const struct choice stamps[] = {{"none", 0}, {"boot", 1}, {"raw", 1}};
    const char *v;
    size_t vn;
    uint64_t number;
    unsigned value = 0;
    bool ok = false;

    if (word_has(w, n, "loglvl=", &v, &vn)) {
        ok = parse_level(v, vn, &options.log_lines);
    } else if (word_has(w, n, "guest_loglvl=", &v, &vn)) {
        ok = parse_level(v, vn, &options.guest_log_lines);
    } else if (word_has(w, n, "mem=", &v, &vn)) {
        ok = parse_size(v, vn, &options.mem);
    } else if (word_has(w, n, "com1=", &v, &vn)) {
        ok = parse_com1(v, vn);
    } else if (word_has(w, n, "console=", &v, &vn)) {
        ok = parse_console(v, vn);
    } else if (word_has(w, n, "sched=", &v, &vn)) {
        ok = parse_sched(v, vn);
    } else if (word_has(w, n, "maxcpus=", &v, &vn)) {
        ok = take_number(&v, &vn, &number) && vn == 0 && number != 0;
        options.maxcpus = ok && number < MAX_CPUS ? (unsigned)number : options.maxcpus;
    } else if (word_has(w, n, "xsm=", &v, &vn)) {
        ok = choose(v, vn, modules, ARRAY_SIZE(modules), &value);
        options.silo = ok ? value != 0 : options.silo;
    } else if (word_has(w, n, "console_timestamps=", &v, &vn)) {
        ok = choose(v, vn, stamps, ARRAY_SIZE(stamps), &value);
        options.timestamps = ok ? value != 0 : options.timestamps;
    } else if (word_has(w, n, "selftest=", &v, &vn)) {
        ok = choose(v, vn, selftest_choices, ARRAY_SIZE(selftest_choices), &value);
        options.selftest = ok ? (enum selftest)value : options.selftest;
    }
    return ok;
}

/* What GRUB's script for Xen passes whatever it boots. */
static bool is_ignored(const char *w, size_t n)
{
    return word_is(w, n, "placeholder") || word_is(w, n, "no-real-mode") ||
           word_is(w, n, "edd=off");
}

static bool understand(const char *w, size_t n)
{
    return is_ignored(w, n) || parse_switch(w, n, "noreboot", &options.noreboot) ||
           parse_switch(w, n, "silo", &options.silo) ||
           parse_switch(w, n, "x2apic", &options.x2apic) ||
           parse_switch(w, n, "apicv", &options.apicv) ||
           parse_switch(w, n, "vmx-timer", &options.vmx_timer) ||
           parse_switch(w, n, "smep", &options.smep) || parse_switch(w, n, "smap", &options.smap) ||
           parse_switch(w, n, "console_timestamps", &options.timestamps) ||
           parse_switch(w, n, "selftest", &options.first_light) || understand_value(w, n);
}

void cmdline_parse(const char *s)
{
    for (bool first = true;; first = false) {
        size_t n = 0;

        while (*s == ' ')
            s++;
        if (*s == '\0')
            return;
        while (s[n] != '\0' && s[n] != ' ')
            n++;
        /* Some loaders put the image's path first. */
        if (!(first && *s == '/') && !understand(s, n))
            hv_log(1, "command line: %.*s is not understood",
                   (int)(n < WORD_SHOWN ? n : WORD_SHOWN), s);
        s += n;
    }
}
