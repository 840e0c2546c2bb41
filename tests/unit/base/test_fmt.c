/* fmt_print() agrees with printf on everything it knows, and never leaves its buffer. */
#include "tests/unit/fixture.h"

#include "base/fmt.h"

#define agree(...)                                                                                 \
    do {                                                                                           \
        char want[256], got[256];                                                                  \
        int n = snprintf(want, sizeof(want), __VA_ARGS__);                                         \
        size_t m = fmt_print(got, sizeof(got), __VA_ARGS__);                                       \
        ck_assert_str_eq(got, want);                                                               \
        ck_assert_uint_eq(m, (size_t)n);                                                           \
    } while (0)

START_TEST(numbers)
{
    agree("%d %d %i %d", 0, -1, INT32_MAX, INT32_MIN);
    agree("%ld %ld %lld", INT64_MIN, INT64_MAX, -5ll);
    agree("%u %lu %llu %zu", UINT32_MAX, UINT64_MAX, 12345678901234567890ull, (size_t)7);
    agree("%x %X %lx %#lx %#x", 0xbeefu, 0xbeefu, UINT64_MAX, 0x1234ul, 0u);
    agree("%p", (void *)0x1000);
}
END_TEST

START_TEST(padding)
{
    agree("[%5u][%-5u][%05u][%05d][%5d]", 42u, 42u, 42u, -42, -42);
    agree("[%#10lx][%#010lx][%-#10lx]", 0xabcul, 0xabcul, 0xabcul);
    agree("[%*u][%2u][%0*x]", 6, 1u, 12345u, 8, 0xffu);
    agree("[%8s][%-8s][%.3s][%.*s][%8.2s]", "corbel", "corbel", "corbel", 2, "corbel", "corbel");
}
END_TEST

START_TEST(text)
{
    agree("%c%c %s %% 100%%", 'o', 'k', "");
    agree("no conversion at all");
    char got[32];
    const char *volatile nothing = NULL; /* or the compiler sees it */

    fmt_print(got, sizeof(got), "%s", nothing);
    ck_assert_str_eq(got, "(null)");
    /* Bytes after the precision are not read: they need not be a string. */
    char bytes[3] = {'a', 'b', 'c'};
    fmt_print(got, sizeof(got), "%.*s", 3, bytes);
    ck_assert_str_eq(got, "abc");
}
END_TEST

static size_t print(char *buf, size_t cap, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    size_t n = fmt_vprint(buf, cap, fmt, args);
    va_end(args);
    return n;
}

START_TEST(bounds)
{
    char buf[8];

    memset(buf, '#', sizeof(buf));
    ck_assert_uint_eq(print(buf, 4, "%s", "corbel"), 3);
    ck_assert_str_eq(buf, "cor");
    ck_assert_int_eq(buf[4], '#');
    ck_assert_uint_eq(print(buf, 1, "%d", 12), 0);
    ck_assert_str_eq(buf, "");
    buf[0] = '#';
    ck_assert_uint_eq(print(buf, 0, "%d", 12), 0);
    ck_assert_int_eq(buf[0], '#');
    ck_assert_uint_eq(print(buf, sizeof(buf), "%100000000000d", 1), 7);
    ck_assert_uint_eq(print(buf, sizeof(buf), "%*d", INT32_MIN, 1), 1);
    ck_assert_uint_eq(print(buf, sizeof(buf), "%*d", INT32_MAX, 1), 7);
}
END_TEST

START_TEST(unknown)
{
    char buf[32];

    print(buf, sizeof(buf), "a%qb");
    ck_assert_str_eq(buf, "a%qb");
    print(buf, sizeof(buf), "end %");
    ck_assert_str_eq(buf, "end %");
    print(buf, sizeof(buf), "end %08l");
    ck_assert_str_eq(buf, "end %08l");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fmt");
    TCase *t = tcase_create("fmt");

    tcase_add_test(t, numbers);
    tcase_add_test(t, padding);
    tcase_add_test(t, text);
    tcase_add_test(t, bounds);
    tcase_add_test(t, unknown);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
