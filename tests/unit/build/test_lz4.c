/* lz4.c against the reference compressor, and against damage. Buffers are exactly as long as
 * said: the sanitizer sees what goes beyond. */
#include "tests/unit/fixture.h"

#include <lz4.h>
#include <lz4hc.h>

#include "x86/build/lz4.h"

#define LEN (96u << 10)

static uint8_t plain[LEN], packed[2 * LEN];

static uint32_t next(uint32_t *x)
{
    *x = *x * 1103515245 + 12345;
    return *x >> 16;
}

/* Noise, runs of each length and copies from near and far. */
static void fill(uint32_t seed)
{
    uint32_t x = seed;
    size_t at = 0;

    while (at < LEN) {
        size_t n = 1 + next(&x) % (next(&x) % 8 == 0 ? 5000 : 40);
        unsigned kind = next(&x) % 3;

        for (size_t i = 0; i < n && at < LEN; i++, at++) {
            size_t back = 1 + next(&x) % 3 + (kind == 2 ? seed % 200 * 300 : 0);

            plain[at] = kind == 0 || back > at ? (uint8_t)next(&x) : plain[at - back];
        }
    }
}

static int unpack(const uint8_t *in, size_t len, size_t cap, size_t *n)
{
    uint8_t *copy = malloc(len ? len : 1), *out = malloc(cap ? cap : 1);
    int rc;

    memcpy(copy, in, len);
    rc = lz4_unpack(copy, len, out, cap, n);
    ck_assert_uint_le(*n, cap);
    if (rc == 0 || rc == -XEN_E2BIG)
        ck_assert(len != 0);
    if (rc == 0 && cap == LEN)
        memcpy(plain, out, *n);
    free(copy);
    free(out);
    return rc;
}

START_TEST(as_packed)
{
    static uint8_t before[LEN];
    size_t len, n;

    fill((uint32_t)_i);
    memcpy(before, plain, LEN);
    len = (size_t)(_i % 2 ? LZ4_compress_default((char *)plain, (char *)packed, LEN, sizeof(packed))
                          : LZ4_compress_HC((char *)plain, (char *)packed, LEN, sizeof(packed), 9));
    ck_assert_uint_gt(len, 0);
    memset(plain, 0, LEN);
    ck_assert_int_eq(unpack(packed, len, LEN, &n), 0);
    ck_assert_uint_eq(n, LEN);
    ck_assert_mem_eq(plain, before, LEN);
    /* Too little room is not damage; all that there is gets filled. */
    for (size_t cap = 0; cap < LEN; cap += 1 + cap / 3) {
        ck_assert_int_eq(unpack(packed, len, cap, &n), -XEN_E2BIG);
        ck_assert_uint_eq(n, cap);
    }
}
END_TEST

START_TEST(damaged)
{
    size_t len, n;
    uint32_t x = (uint32_t)_i;

    fill(x);
    len = (size_t)LZ4_compress_default((char *)plain, (char *)packed, LEN, sizeof(packed));
    for (unsigned i = 0; i < 200; i++) {
        size_t at = (next(&x) << 8 ^ next(&x)) % len;
        uint8_t was = packed[at];

        packed[at] = (uint8_t)next(&x);
        (void)unpack(packed, len, 5000 * (i % 8), &n);
        (void)unpack(packed, at, LEN - 1, &n);
        packed[at] = was;
    }
}
END_TEST

START_TEST(cut_short)
{
    static const struct {
        uint8_t len;
        uint8_t in[8];
    } bad[] = {
        {0, {0}},
        {1, {0x10}},                        /* a literal is missing */
        {1, {0xf0}},                        /* the rest of a length is missing */
        {3, {0xf0, 0xff, 0xff}},            /* and again */
        {3, {0x10, 'a', 1}},                /* half a distance */
        {4, {0x10, 'a', 0, 0}},             /* no distance */
        {4, {0x10, 'a', 2, 0}},             /* from before the start */
        {3, {0x00, 1, 0}},                  /* the same, without literals */
        {4, {0x10, 'a', 1, 0}},             /* ends with a match */
        {4, {0x1f, 'a', 1, 0}},             /* the match's length is missing */
        {6, {0x1f, 'a', 1, 0, 0xff, 0xff}}, /* and again */
    };
    size_t n;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(unpack(bad[i].in, bad[i].len, 4096, &n) == -XEN_EINVAL, "case %zu", i);
}
END_TEST

START_TEST(smallest)
{
    static const uint8_t nothing[] = {0}, repeated[] = {0x1f, 'a', 1, 0, 3, 0x20, 'b', 'c'};
    size_t n;

    ck_assert_int_eq(unpack(nothing, 1, LEN, &n), 0);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(unpack(repeated, sizeof(repeated), LEN, &n), 0);
    ck_assert_uint_eq(n, 1 + 22 + 2);
    ck_assert_mem_eq(plain, "aaaaaaaaaaaaaaaaaaaaaaabc", 25);
    ck_assert_int_eq(unpack(repeated, sizeof(repeated), 25, &n), 0);
    ck_assert_int_eq(unpack(repeated, sizeof(repeated), 24, &n), -XEN_E2BIG);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("lz4");
    Suite *s = suite_create("lz4");

    tcase_add_loop_test(tc, as_packed, 0, 24);
    tcase_add_loop_test(tc, damaged, 0, 8);
    tcase_add_test(tc, cut_short);
    tcase_add_test(tc, smallest);
    suite_add_tcase(s, tc);
    return fixture_run(s);
}
