/* Arithmetic, bitmaps, atomics and strings of base/. */
#include "tests/unit/fixture.h"

#include "base/arith.h"
#include "base/atomic.h"
#include "base/bitmap.h"
#include "base/string.h"

START_TEST(arithmetic)
{
    ck_assert(!add_overflows(UINT64_MAX, 0));
    ck_assert(add_overflows(UINT64_MAX, 1));
    ck_assert(range_within(0, 1, 1));
    ck_assert(!range_within(0, 0, 1));
    ck_assert(!range_within(1, 1, 1));
    ck_assert(!range_within(1, UINT64_MAX, UINT64_MAX));
    ck_assert(range_within(1, UINT64_MAX - 1, UINT64_MAX));
    ck_assert_uint_eq(align_up(4097, 4096), 8192);
    ck_assert_uint_eq(align_down(4097, 4096), 4096);
}
END_TEST

START_TEST(bitmaps)
{
    uint64_t map[3] = {1, 0, UINT64_C(1) << 63};

    ck_assert_uint_eq(bits_count(0), 0);
    ck_assert_uint_eq(bits_count(UINT64_MAX), 64);
    ck_assert_uint_eq(bits_lowest(0), 64);
    ck_assert_uint_eq(bits_lowest(0x50), 4);
    ck_assert_uint_eq(bits_highest(0), 64);
    ck_assert_uint_eq(bits_highest(0x50), 6);
    ck_assert_uint_eq(bitmap_next_set(map, 192, 0), 0);
    ck_assert_uint_eq(bitmap_next_set(map, 192, 1), 191);
    ck_assert_uint_eq(bitmap_next_set(map, 191, 1), 191);
    ck_assert_uint_eq(bitmap_next_set(map, 150, 1), 150);
    ck_assert_uint_eq(bitmap_next_set(map, 192, 192), 192);
}
END_TEST

START_TEST(atomics)
{
    uint64_t map[2] = {0, 0}, v = 5;

    ck_assert(!test_and_set_bit(65, map));
    ck_assert(test_and_set_bit(65, map));
    ck_assert(test_bit(65, map));
    ck_assert_uint_eq(map[1], 2);
    ck_assert(test_and_clear_bit(65, map));
    ck_assert(!test_and_clear_bit(65, map));
    ck_assert(!cmpxchg_u64(&v, 4, 9));
    ck_assert(cmpxchg_u64(&v, 5, 9));
    ck_assert_uint_eq(fetch_add_u64(&v, 0 - UINT64_C(1)), 9);
    ck_assert_uint_eq(v, 8);
}
END_TEST

START_TEST(strings)
{
    char buf[4] = "###";

    ck_assert_uint_eq(str_len("corbel"), 6);
    ck_assert_uint_eq(str_len_max("corbel", 3), 3);
    ck_assert_uint_eq(str_len_max("co", 3), 2);
    ck_assert_uint_eq(str_copy(buf, "corbel", 0), 0);
    ck_assert_int_eq(buf[0], '#');
    ck_assert_uint_eq(str_copy(buf, "corbel", sizeof(buf)), 3);
    ck_assert_str_eq(buf, "cor");
    ck_assert_uint_eq(str_copy(buf, "a", sizeof(buf)), 1);
    ck_assert_str_eq(buf, "a");
    ck_assert(str_equal("", "") && str_equal("ab", "ab"));
    ck_assert(!str_equal("ab", "a") && !str_equal("a", "ab") && !str_equal("a", "b"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("base");

    tcase_add_test(t, arithmetic);
    tcase_add_test(t, bitmaps);
    tcase_add_test(t, atomics);
    tcase_add_test(t, strings);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
