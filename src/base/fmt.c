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

/*@ predicate sink{L}(struct sink *s) = \valid(s) && s->len < s->cap &&
        \valid(s->buf + (0 .. s->cap - 1)) && \separated(s, s->buf + (0 .. s->cap - 1));
    predicate same_sink{A, B}(struct sink *s) = \at(s->buf, A) == \at(s->buf, B) &&
        \at(s->cap, A) == \at(s->cap, B) && \at(s->len, A) <= \at(s->len, B);
    predicate spec{L}(struct spec *c, struct sink *s) = \valid_read(c) &&
        0 <= c->width <= WIDTH_MAX && 0 <= c->precision <= WIDTH_MAX &&
        \separated(c, s) && \separated(c, s->buf + (0 .. s->cap - 1));
    // v is what is left of 64 bits after n digits.
    predicate left_of(integer v, integer n) =
        (n >= 1 ==> v <= 1844674407370955161) && (n >= 2 ==> v <= 184467440737095516) &&
        (n >= 3 ==> v <= 18446744073709551) && (n >= 4 ==> v <= 1844674407370955) &&
        (n >= 5 ==> v <= 184467440737095) && (n >= 6 ==> v <= 18446744073709) &&
        (n >= 7 ==> v <= 1844674407370) && (n >= 8 ==> v <= 184467440737) &&
        (n >= 9 ==> v <= 18446744073) && (n >= 10 ==> v <= 1844674407) &&
        (n >= 11 ==> v <= 184467440) && (n >= 12 ==> v <= 18446744) &&
        (n >= 13 ==> v <= 1844674) && (n >= 14 ==> v <= 184467) &&
        (n >= 15 ==> v <= 18446) && (n >= 16 ==> v <= 1844) &&
        (n >= 17 ==> v <= 184) && (n >= 18 ==> v <= 18) &&
        (n >= 19 ==> v <= 1) && (n >= 20 ==> v <= 0); */

/*@ requires sink(s);
    assigns s->len, s->buf[s->len .. s->cap - 1];
    ensures sink(s) && same_sink{Pre, Here}(s);
    ensures s->len == \min(s->cap - 1, \old(s->len) + 1);
    ensures s->len > \old(s->len) ==> s->buf[\old(s->len)] == c; */
static void put(struct sink *s, char c)
{
    if (s->len + 1 < s->cap)
        s->buf[s->len++] = c;
}

/*@ requires sink(s);
    assigns s->len, s->buf[s->len .. s->cap - 1];
    ensures sink(s) && same_sink{Pre, Here}(s);
    ensures s->len == \min(s->cap - 1, \old(s->len) + \max(count, 0));
    ensures padding: \forall integer k; \old(s->len) <= k < s->len ==> s->buf[k] == c; */
static void put_many(struct sink *s, char c, int count)
{
    /*@ loop invariant sink(s) && same_sink{Pre, Here}(s) && 0 <= i <= \max(count, 0);
        loop invariant s->len == \min(s->cap - 1, \at(s->len, Pre) + i);
        loop invariant \forall integer k; \at(s->len, Pre) <= k < s->len ==> s->buf[k] == c;
        loop assigns i, s->len, s->buf[\at(s->len, Pre) .. s->cap - 1];
        loop variant count - i; */
    for (int i = 0; i < count; i++)
        put(s, c);
}

/*@ requires sink(s) && \valid_read(text + (0 .. n - 1));
    assigns s->len, s->buf[s->len .. s->cap - 1];
    ensures sink(s) && same_sink{Pre, Here}(s);
    ensures s->len == \min(s->cap - 1, \old(s->len) + n); */
static void put_text(struct sink *s, const char *text, size_t n)
{
    /*@ loop invariant sink(s) && same_sink{Pre, Here}(s) && i <= n;
        loop invariant s->len == \min(s->cap - 1, \at(s->len, Pre) + i);
        loop assigns i, s->len, s->buf[\at(s->len, Pre) .. s->cap - 1];
        loop variant n - i; */
    for (size_t i = 0; i < n; i++)
        put(s, text[i]);
}

static const char *text_or_null(const char *str)
{
    return str == NULL ? "(null)" : str;
}

/*@ requires sink(s) && spec(spec, s);
    requires readable(str, spec->has_precision ? spec->precision : SIZE_MAX);
    assigns s->len, s->buf[s->len .. s->cap - 1];
    ensures sink(s) && same_sink{Pre, Here}(s);
    ensures width: s->len >= \min(s->cap - 1, \old(s->len) + spec->width); */
static void put_string(struct sink *s, const struct spec *spec, const char *str)
{
    size_t max = spec->has_precision ? (size_t)spec->precision : SIZE_MAX;
    size_t n = str_len_max(str, max);
    int pad = n < (size_t)spec->width ? spec->width - (int)n : 0;

    if (!spec->left)
        put_many(s, ' ', pad);
    put_text(s, str, n);
    if (spec->left)
        put_many(s, ' ', pad);
}

/*@ requires d < 16;
    assigns \nothing;
    ensures \result == (d < 10 ? '0' + d : upper ? 'A' + d - 10 : 'a' + d - 10); */
static char digit(unsigned d, bool upper)
{
    return (char)(d < 10 ? '0' + d : (upper ? 'A' : 'a') + (d - 10));
}

/* Writes the digits of v, which end where text ends, and answers how many. */
/*@ requires \valid(text + (0 .. DIGITS_MAX - 1));
    assigns text[0 .. DIGITS_MAX - 1];
    ensures 1 <= \result <= DIGITS_MAX; */
static int write_digits(char *text, uint64_t v, bool hex, bool upper)
{
    int n = 0;

    /*@ loop invariant 0 <= n < DIGITS_MAX && (n == 0 || v != 0);
        loop invariant left_of(v, n);
        loop assigns n, v, text[0 .. DIGITS_MAX - 1];
        loop variant DIGITS_MAX - n; */
    do {
        text[DIGITS_MAX - ++n] = digit((unsigned)(hex ? v % 16 : v % 10), upper);
        v = hex ? v / 16 : v / 10;
    } while (v != 0);
    return n;
}

/*@ requires sink(s) && spec(spec, s);
    requires prefix: \exists integer n; n <= 2 && text(prefix, n);
    assigns s->len, s->buf[s->len .. s->cap - 1];
    ensures sink(s) && same_sink{Pre, Here}(s);
    ensures width: s->len >= \min(s->cap - 1, \old(s->len) + spec->width); */
static void put_number(struct sink *s, const struct spec *spec, uint64_t v, bool hex,
                       const char *prefix, bool upper)
{
    size_t prefix_len = str_len(prefix);
    char text[DIGITS_MAX];
    int n = write_digits(text, v, hex, upper);
    int len, pad;

    //@ assert prefix_len <= 2;
    len = n + (int)prefix_len;
    pad = len < spec->width ? spec->width - len : 0;
    if (!spec->left && !spec->zero)
        put_many(s, ' ', pad);
    put_text(s, prefix, prefix_len);
    if (!spec->left && spec->zero)
        put_many(s, '0', pad);
    //@ assert sink(s) && same_sink{Pre, Here}(s);
    put_text(s, text + (DIGITS_MAX - n), (size_t)n);
    if (spec->left)
        put_many(s, ' ', pad);
}

/*@ assigns \nothing;
    ensures \result == \max(0, \min(v, WIDTH_MAX)); */
static int clamp_width(int64_t v)
{
    return v < 0 ? 0 : v > WIDTH_MAX ? WIDTH_MAX : (int)v;
}

/* What follows reads format f from position at on, and answers where it has stopped. */
/*@ predicate within{L}(char *f, integer at) = \exists integer n; at <= n && text(f, n); */

/*@ requires within(f, at) && \valid(spec);
    assigns spec->alternate, spec->zero, spec->left;
    ensures at <= \result && within(f, \result);
    ensures f[\result] != '#' && f[\result] != '0' && f[\result] != '-'; */
static size_t parse_flags(const char *f, size_t at, struct spec *spec)
{
    /*@ loop invariant \at(at, Pre) <= at && within(f, at);
        loop assigns at, spec->alternate, spec->zero, spec->left;
        loop variant SIZE_MAX - at; */
    for (;; at++) {
        if (f[at] == '#')
            spec->alternate = true;
        else if (f[at] == '0')
            spec->zero = true;
        else if (f[at] == '-')
            spec->left = true;
        else
            return at;
    }
}

/*@ requires within(f, at) && \valid(out);
    assigns *out;
    ensures 0 <= *out <= WIDTH_MAX;
    ensures at <= \result && within(f, \result);
    ensures f[\result] < '0' || f[\result] > '9'; */
static size_t parse_digits(const char *f, size_t at, int *out)
{
    int64_t v = 0;

    /*@ loop invariant \at(at, Pre) <= at && within(f, at) && 0 <= v <= WIDTH_MAX;
        loop assigns at, v;
        loop variant SIZE_MAX - at; */
    for (; f[at] >= '0' && f[at] <= '9'; at++)
        v = clamp_width(v * 10 + (f[at] - '0'));
    *out = (int)v;
    return at;
}

/*@ requires within(f, at) && \valid(spec);
    assigns spec->longs;
    ensures at <= \result && within(f, \result);
    ensures f[\result] != 'l' && f[\result] != 'z'; */
static size_t parse_length(const char *f, size_t at, struct spec *spec)
{
    /*@ loop invariant \at(at, Pre) <= at && within(f, at);
        loop assigns at, spec->longs;
        loop variant SIZE_MAX - at; */
    for (; f[at] == 'l' || f[at] == 'z'; at++)
        spec->longs++;
    return at;
}

size_t fmt_vprint(char *buf, size_t cap, const char *fmt, va_list args)
{
    struct sink s = {buf, cap, 0};

    if (cap == 0)
        return 0;
    for (size_t at = 0; fmt[at] != '\0'; at++) {
        struct spec spec = {.width = 0};
        size_t start = at;
        uint64_t v;
        char c;

        if (fmt[at] != '%') {
            put(&s, fmt[at]);
            continue;
        }
        at = parse_flags(fmt, at + 1, &spec);
        if (fmt[at] == '*') {
            spec.width = clamp_width(va_arg(args, int));
            at++;
        } else {
            at = parse_digits(fmt, at, &spec.width);
        }
        if (fmt[at] == '.') {
            spec.has_precision = true;
            if (fmt[at + 1] == '*') {
                spec.precision = clamp_width(va_arg(args, int));
                at += 2;
            } else {
                at = parse_digits(fmt, at + 1, &spec.precision);
            }
        }
        at = parse_length(fmt, at, &spec);
        c = fmt[at];

        if (c == 's') {
            put_string(&s, &spec, text_or_null(va_arg(args, const char *)));
        } else if (c == 'c') {
            put(&s, (char)va_arg(args, int));
        } else if (c == 'd' || c == 'i') {
            int64_t d = spec.longs ? va_arg(args, long) : va_arg(args, int);

            v = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
            put_number(&s, &spec, v, false, d < 0 ? "-" : "", false);
        } else if (c == 'u' || c == 'x' || c == 'X') {
            v = spec.longs ? va_arg(args, unsigned long) : va_arg(args, unsigned int);
            put_number(&s, &spec, v, c != 'u', spec.alternate && c != 'u' && v != 0 ? "0x" : "",
                       c == 'X');
        } else if (c == 'p') {
            put_number(&s, &spec, (uint64_t)(uintptr_t)va_arg(args, void *), true, "0x", false);
        } else if (c == '%') {
            put(&s, '%');
        } else {
            for (; start < at; start++)
                put(&s, fmt[start]);
            if (c == '\0')
                break;
            put(&s, c);
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
