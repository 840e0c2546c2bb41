/* The command line: the few of Xen's words that mean something here. */
#include "bare/bare.h"

#include "base/string.h"
#include "core/console/console.h"

#define WORD_SHOWN 80u

struct bare_options options = {.log_lines = CONSOLE_LEVELS_DEFAULT};

struct choice {
    const char *name;
    unsigned value;
};

/* <level> of Xen's loglvl=: how many of the log's levels it shows. */
static const struct choice log_choices[] = {{"none", 0}, {"error", 1}, {"warning", 2},
                                            {"info", 3}, {"debug", 4}, {"all", 4}};
static const struct choice selftest_choices[] = {
    {"panic", SELFTEST_PANIC}, {"stack", SELFTEST_STACK},         {"text", SELFTEST_TEXT},
    {"data", SELFTEST_DATA},   {"directmap", SELFTEST_DIRECTMAP},
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

static bool understand(const char *w, size_t n)
{
    const char *v;
    size_t vn;
    unsigned test;

    if (word_is(w, n, "noreboot")) {
        options.noreboot = true;
        return true;
    }
    if (word_has(w, n, "loglvl=", &v, &vn))
        return choose(v, vn, log_choices, ARRAY_SIZE(log_choices), &options.log_lines);
    if (word_has(w, n, "mem=", &v, &vn))
        return parse_size(v, vn, &options.mem);
    if (word_has(w, n, "selftest=", &v, &vn) &&
        choose(v, vn, selftest_choices, ARRAY_SIZE(selftest_choices), &test)) {
        options.selftest = (enum selftest)test;
        return true;
    }
    return false;
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
