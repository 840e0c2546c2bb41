/* Guests' output and names made safe for terminals and JSON. */
#include "hostsim/world/text.h"
#include "tests/unit/fixture.h"

static void expect_clean(const char *in, size_t n, const char *out)
{
    char buf[256];
    size_t len = text_clean(buf, sizeof(buf) - 1, in, n);

    buf[len] = '\0';
    ck_assert_str_eq(buf, out);
}

#define CLEAN(in, out) expect_clean(in, sizeof(in) - 1, out)

START_TEST(plain_text_stays)
{
    CLEAN("", "");
    CLEAN("hello\tworld ~", "hello\tworld ~");
    CLEAN("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89",
          "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89");
    CLEAN("line\r", "line");
}
END_TEST

START_TEST(escapes_go)
{
    CLEAN("\x1b[1;31mred\x1b[0m", "red");
    CLEAN("\x1b]0;title\x07x", "x");
    CLEAN("\x1b]52;c;ZXZpbA==\x1b\\x", "x");
    CLEAN("\x1bP1$r\x1b\\x", "x");
    CLEAN("\x1b(Bx\x1b"
          "7y\x1b"
          "cz",
          "xyz");
    CLEAN("a\x1b[2J\x1b[Hb", "ab");
    CLEAN("a\x1b", "a");
    CLEAN("a\x1b[", "a");
    CLEAN("a\x1b[12", "a");
    CLEAN("a\x1b]never ends", "a");
    CLEAN("a\x1b[1\x01z", "a\\x01z");
}
END_TEST

START_TEST(other_controls_are_shown)
{
    CLEAN("a\0b", "a\\x00b");
    CLEAN("\x07\x08\x7f", "\\x07\\x08\\x7f");
    CLEAN("\x9b"
          "31m",
          "\\x9b31m");
    CLEAN("\xc2\x9b"
          "31m",
          "\\xc2\\x9b31m");
    CLEAN("\xc0\xaf", "\\xc0\\xaf");
    CLEAN("\xed\xa0\x80", "\\xed\\xa0\\x80");
    CLEAN("\xe2\x82", "\\xe2\\x82");
    CLEAN("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    char buf[8];

    ck_assert_uint_eq(text_clean(buf, 4, "abcdef", 6), 4);
    ck_assert_uint_eq(text_clean(buf, 4, "abc\x01", 4), 3);
    ck_assert_uint_eq(text_clean(buf, 4, "abc\xc3\xbc", 5), 3);
    ck_assert_uint_eq(text_clean(buf, 0, "a", 1), 0);
}
END_TEST

START_TEST(json_is_quoted)
{
    char buf[64];

    text_json(buf, sizeof(buf),
              "a\"b\\c\n\x01"
              "d");
    ck_assert_str_eq(buf, "\"a\\u0022b\\u005cc\\u000a\\u0001d\"");
    text_json(buf, sizeof(buf), "\xc3\xbc\xff");
    ck_assert_str_eq(buf, "\"\xc3\xbc\\u00ff\"");
    ck_assert_uint_eq(text_json(buf, 4, "abcdef"), 8);
    ck_assert_str_eq(buf, "\"ab");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text");
    TCase *t = tcase_create("text");

    tcase_add_test(t, plain_text_stays);
    tcase_add_test(t, escapes_go);
    tcase_add_test(t, other_controls_are_shown);
    tcase_add_test(t, long_lines_are_cut);
    tcase_add_test(t, json_is_quoted);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
