/* Runs of memory that is known to be zero. */
#include "tests/unit/fixture.h"

#include "base/zero_lines.h"

#define LINE ((size_t)1 << ZERO_LINE_SHIFT)
#define LINES ((size_t)16)

/* With a line on either side that nothing is said about. */
static uint8_t room[(LINES + 2) * LINE] __attribute__((aligned(128)));
static uint8_t *const memory = room + LINE;
static uint8_t line[LINES];

static struct zero_lines all(void)
{
    return (struct zero_lines){line, (uintptr_t)memory, LINES * LINE};
}

static void know(unsigned first, unsigned n)
{
    memset(line, 0, sizeof(line));
    memset(line + first, ZERO_LINE_KNOWN, n);
}

START_TEST(nothing_is_known)
{
    struct zero_lines z = all();

    know(0, LINES);
    ck_assert_uint_eq(zero_known(NULL, memory, LINE), 0);
    ck_assert_uint_eq(zero_known(&z, memory, 0), 0);
    ck_assert_uint_eq(zero_known(&z, memory - 1, 1), 0);
    ck_assert_uint_eq(zero_known(&z, memory + LINES * LINE, 1), 0);
    ck_assert_uint_eq(zero_known(&z, memory + 1, LINES * LINE), 0);
    ck_assert_uint_eq(zero_known(&z, memory + 1, SIZE_MAX), 0);
    memset(line, 0xff, sizeof(line));
    ck_assert_uint_eq(zero_known(&z, memory, LINE), 0);
}
END_TEST

/* As looking at each byte's line would say, for every place and length. */
START_TEST(runs)
{
    struct zero_lines z = all();

    know(3, 5);
    for (size_t at = 0; at < LINES * LINE; at += 37) {
        for (size_t n = 1; n <= LINES * LINE - at; n += 41) {
            size_t run = 0;

            while (run < n && line[(at + run) / LINE] == ZERO_LINE_KNOWN)
                run++;
            ck_assert_uint_eq(zero_known(&z, memory + at, n), run);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("zero_lines");
    TCase *t = tcase_create("zero_lines");

    tcase_add_test(t, nothing_is_known);
    tcase_add_test(t, runs);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
