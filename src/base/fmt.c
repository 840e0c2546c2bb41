#include "base/fmt.h"

#include "base/string.h"

struct sink {
    char *buf;
    size_t cap, len;
};

/* One conversion as written between '%' and its letter. */
struct spec {
    bool alternate, zero, left, has_precision;
    uint8_t longs; /* number of l; z counts as one */
    int width, precision;
};

#define WIDTH_MAX 4096 /* keeps width arithmetic far from overflow */
#define DIGITS_MAX 20  /* of UINT64_MAX in decimal */

static void put(struct sink *s, char c)
{
    if (s->len + 1 < s->cap)
        s->buf[s->len++] = c;
}

static void put_many(struct sink *s, char c, int count)
{
    for (int i = 0; i < count; i++)
        put(s, c);
}

static void put_string(struct sink *s, const struct spec *spec, const char *str)
{
    size_t max = spec->has_precision ? (size_t)spec->precision : SIZE_MAX;
    size_t n;
    int pad;

    if (str == NULL)
        str = "(null)";
    n = str_len_max(str, max);
    pad = n < (size_t)spec->width ? spec->width - (int)n : 0;
    if (!spec->left)
        put_many(s, ' ', pad);
    for (size_t i = 0; i < n; i++)
        put(s, str[i]);
    if (spec->left)
        put_many(s, ' ', pad);
}

static void put_number(struct sink *s, const struct spec *spec, uint64_t v, unsigned base,
                       const char *prefix, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[DIGITS_MAX];
    int n = 0, len, pad;

    do {
        text[n++] = digits[v % base];
        v /= base;
    } while (v != 0);

    len = n + (int)str_len(prefix);
    pad = len < spec->width ? spec->width - len : 0;
    if (!spec->left && !spec->zero)
        put_many(s, ' ', pad);
    while (*prefix != '\0')
        put(s, *prefix++);
    if (!spec->left && spec->zero)
        put_many(s, '0', pad);
    while (n > 0)
        put(s, text[--n]);
    if (spec->left)
        put_many(s, ' ', pad);
}

static int clamp_width(int64_t v)
{
    return v < 0 ? 0 : v > WIDTH_MAX ? WIDTH_MAX : (int)v;
}

static const char *parse_flags(const char *f, struct spec *spec)
{
    for (;; f++) {
        if (*f == '#')
            spec->alternate = true;
        else if (*f == '0')
            spec->zero = true;
        else if (*f == '-')
            spec->left = true;
        else
            return f;
    }
}

static const char *parse_digits(const char *f, int *out)
{
    int64_t v = 0;

    for (; *f >= '0' && *f <= '9'; f++)
        v = clamp_width(v * 10 + (*f - '0'));
    *out = (int)v;
    return f;
}

static const char *parse_length(const char *f, struct spec *spec)
{
    while (*f == 'l' || *f == 'z') {
        spec->longs++;
        f++;
    }
    return f;
}

size_t fmt_vprint(char *buf, size_t cap, const char *fmt, va_list args)
{
    struct sink s = {buf, cap, 0};

    if (cap == 0)
        return 0;
    for (const char *f = fmt; *f != '\0'; f++) {
        struct spec spec = {.width = 0};
        const char *start = f;
        uint64_t v;

        if (*f != '%') {
            put(&s, *f);
            continue;
        }
        f = parse_flags(f + 1, &spec);
        if (*f == '*') {
            spec.width = clamp_width(va_arg(args, int));
            f++;
        } else {
            f = parse_digits(f, &spec.width);
        }
        if (*f == '.') {
            spec.has_precision = true;
            if (f[1] == '*') {
                spec.precision = clamp_width(va_arg(args, int));
                f += 2;
            } else {
                f = parse_digits(f + 1, &spec.precision);
            }
        }
        f = parse_length(f, &spec);

        if (*f == 's') {
            put_string(&s, &spec, va_arg(args, const char *));
        } else if (*f == 'c') {
            put(&s, (char)va_arg(args, int));
        } else if (*f == 'd' || *f == 'i') {
            int64_t d = spec.longs ? va_arg(args, long) : va_arg(args, int);

            v = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
            put_number(&s, &spec, v, 10, d < 0 ? "-" : "", false);
        } else if (*f == 'u' || *f == 'x' || *f == 'X') {
            v = spec.longs ? va_arg(args, unsigned long) : va_arg(args, unsigned int);
            put_number(&s, &spec, v, *f == 'u' ? 10 : 16,
                       spec.alternate && *f != 'u' && v != 0 ? "0x" : "", *f == 'X');
        } else if (*f == 'p') {
            put_number(&s, &spec, (uint64_t)(uintptr_t)va_arg(args, void *), 16, "0x", false);
        } else if (*f == '%') {
            put(&s, '%');
        } else {
            for (; start < f; start++)
                put(&s, *start);
            if (*f == '\0')
                break;
            put(&s, *f);
        }
    }
    buf[s.len] = '\0';
    return s.len;
}

size_t fmt_print(char *buf, size_t cap, const char *fmt, ...)
{
    va_list args;
    size_t n;

    va_start(args, fmt);
    n = fmt_vprint(buf, cap, fmt, args);
    va_end(args);
    return n;
}
