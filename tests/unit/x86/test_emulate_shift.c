/* Shifts, rotations and products of the instruction emulator, against the machine that
 * runs the test. */
#include "tests/unit/fixture.h"

#include "x86/hvm/emulate.h"

static const uint64_t edge[] = {0,          1,         0x7f,       0x80,       0xff,
                                0x7fff,     0x8000,    0xffff,     0x7fffffff, 0x80000000,
                                0xffffffff, INT64_MAX, 1ull << 63, UINT64_MAX, 0x0123456789abcdef};

#define HOST(insn, type)                                                                           \
    do {                                                                                           \
        type dd = (type)v;                                                                         \
        __asm__ volatile("bt $0, %3\n\t" insn " %%cl, %0\n\tpushfq\n\tpopq %1"                     \
                         : "+r"(dd), "=&r"(f)                                                      \
                         : "c"((uint8_t)count), "r"((uint32_t)carry)                               \
                         : "cc", "memory");                                                        \
        res = dd;                                                                                  \
    } while (0)
#define SIZES(insn)                                                                                \
    do {                                                                                           \
        if (size == 1)                                                                             \
            HOST(insn "b", uint8_t);                                                               \
        else if (size == 2)                                                                        \
            HOST(insn "w", uint16_t);                                                              \
        else if (size == 4)                                                                        \
            HOST(insn "l", uint32_t);                                                              \
        else                                                                                       \
            HOST(insn "q", uint64_t);                                                              \
    } while (0)

static uint64_t host_shift(unsigned kind, unsigned size, uint64_t v, unsigned count, unsigned carry,
                           uint64_t *flags)
{
    uint64_t f = 0, res = 0;

    switch (kind) {
    case 0:
        SIZES("rol");
        break;
    case 1:
        SIZES("ror");
        break;
    case 2:
        SIZES("rcl");
        break;
    case 3:
        SIZES("rcr");
        break;
    case 5:
        SIZES("shr");
        break;
    case 7:
        SIZES("sar");
        break;
    default:
        SIZES("shl");
        break;
    }
    *flags = f;
    return res;
}

static void compare(unsigned kind, unsigned size, uint64_t v, unsigned count, unsigned carry)
{
    unsigned masked = count & (size == 8 ? 63 : 31);
    uint64_t mine = carry, want, care = 0;

    ck_assert_uint_eq(alu_shift(kind, size, v, count, &mine),
                      host_shift(kind, size, v, count, carry, &want));
    if (masked == 0) {
        ck_assert_uint_eq(mine, carry);
        return;
    }
    if (masked == 1)
        care |= EFLAGS_OF; /* else undefined */
    if (kind < 4 || masked <= 8 * size)
        care |= EFLAGS_CF;
    if (kind >= 4)
        care |= EFLAGS_PF | EFLAGS_ZF | EFLAGS_SF;
    ck_assert_uint_eq(mine & care, want & care);
}

START_TEST(test_shifts)
{
    for (unsigned kind = 0; kind < 8; kind++)
        for (unsigned size = 1; size <= 8; size *= 2)
            for (unsigned i = 0; i < ARRAY_SIZE(edge); i++)
                for (unsigned count = 0; count < 66; count++) {
                    compare(kind, size, edge[i], count, 0);
                    compare(kind, size, edge[i], count, 1);
                }
}
END_TEST

START_TEST(test_products)
{
    for (unsigned i = 0; i < ARRAY_SIZE(edge); i++)
        for (unsigned j = 0; j < ARRAY_SIZE(edge); j++) {
            uint64_t flags = 0, r;
            int64_t want8;
            int32_t want4;
            int16_t want2;
            bool over;

            r = alu_imul(8, edge[i], edge[j], &flags);
            over = __builtin_mul_overflow((int64_t)edge[i], (int64_t)edge[j], &want8);
            ck_assert_uint_eq(r, (uint64_t)want8);
            ck_assert_uint_eq(flags, over ? EFLAGS_CF | EFLAGS_OF : 0);
            r = alu_imul(4, edge[i], edge[j], &flags);
            over = __builtin_mul_overflow((int32_t)edge[i], (int32_t)edge[j], &want4);
            ck_assert_uint_eq(r, (uint32_t)want4);
            ck_assert_uint_eq(flags, over ? EFLAGS_CF | EFLAGS_OF : 0);
            r = alu_imul(2, edge[i], edge[j], &flags);
            over = __builtin_mul_overflow((int16_t)edge[i], (int16_t)edge[j], &want2);
            ck_assert_uint_eq(r, (uint16_t)want2);
            ck_assert_uint_eq(flags, over ? EFLAGS_CF | EFLAGS_OF : 0);
        }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("emulate_shift");
    TCase *t = tcase_create("emulate_shift");

    tcase_add_test(t, test_shifts);
    tcase_add_test(t, test_products);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
