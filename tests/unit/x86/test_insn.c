/* The instruction decoder: a table of encodings, hostile bytes, effective
 * addresses, and whole programs against objdump. */
#define _GNU_SOURCE
#include "tests/unit/fixture.h"

#include <unistd.h>

#include "x86/hvm/hvm.h"

struct sample {
    unsigned mode, len; /* len 0: must be refused */
    const char *bytes;  /* hex */
};

static const struct sample samples[] = {
    {8, 1, "90"},
    {8, 2, "89d8"},
    {8, 3, "4889d8"},
    {8, 7, "488b0511223344"},
    {8, 10, "48b81122334455667788"},
    {8, 5, "b811223344"},
    {8, 4, "66b81122"},
    {8, 9, "a01122334455667788"},
    {8, 6, "67a011223344"},
    {8, 5, "e811223344"},
    {8, 6, "66e811223344"},
    {8, 2, "7410"},
    {8, 6, "0f8411223344"},
    {8, 2, "0f05"},
    {8, 3, "c20800"},
    {8, 4, "c8100001"},
    {8, 7, "c7450011223344"},
    {8, 4, "c6450011"},
    {8, 8, "48c7450011223344"},
    {8, 6, "66c745001122"},
    {8, 0, "f64500"},
    {8, 0, "f645"},
    {8, 4, "f6450011"},
    {8, 3, "f65d00"},
    {8, 7, "f7450011223344"},
    {8, 3, "f75d00"},
    {8, 7, "8b04250000e0fe"},
    {8, 0, "8b04250000e0"},
    {8, 3, "8b0424"},
    {8, 4, "8b442410"},
    {8, 7, "8b842400100000"},
    {8, 3, "0f22c0"},
    {8, 3, "0f2005"},
    {8, 3, "0f2045"},
    {8, 3, "0fc7f0"},
    {8, 5, "0fba6d0011"},
    {8, 4, "660f6ec0"},
    {8, 5, "660f3800c1"},
    {8, 6, "660f3a0fc108"},
    {8, 4, "f30fb8c1"},
    {8, 4, "0f0fc1b4"},
    {8, 3, "c5f877"},
    {8, 4, "c5f058c2"},
    {8, 5, "c4e27918c0"},
    {8, 6, "c4e37904c011"},
    {8, 6, "62f17c4858c0"},
    {8, 7, "62f17c48584001"},
    {8, 7, "62f37d4803c011"},
    {8, 5, "8fe97890c0"},
    {8, 6, "8fe878c0c011"},
    {8, 9, "8fea7810c011223344"},
    {8, 2, "8f00"},
    {8, 0, "8f08"},
    {8, 2, "f3a4"},
    {8, 3, "f348a5"},
    {8, 0, "f0480fb1"},
    {8, 5, "f0480fb117"},
    {8, 4, "64488b00"},
    {8, 9, "64488b042528000000"},
    {8, 0, "06"},
    {8, 0, "60"},
    {8, 0, "d5"},
    {8, 0, "ea1122334455"},
    {8, 0, "0f04"},
    {8, 0, "c4"},
    {8, 0, "48"},
    {8, 0, "66"},
    {8, 0, ""},
    {8, 0, "0f38"},
    {8, 15, "666666666666666666666666666690"},
    {8, 0, "66666666666666666666666666660f05"},
    {8, 0, "48b811223344556677"},
    {8, 0, "66c5f877"},
    {8, 0, "48c5f877"},
    {8, 6, "660f78c00102"},
    {8, 6, "f20f78c10102"},
    {8, 3, "0f78c1"},
    {8, 9, "660f1f840000000000"},
    {8, 2, "f3c3c3"},
    {8, 4, "2e4889d8"},
    {4, 1, "06"},
    {4, 1, "40"},
    {4, 0, "6290"},
    {4, 6, "629011223344"},
    {4, 7, "9a112233445566"},
    {4, 6, "669a11223344"},
    {4, 5, "a011223344"},
    {4, 4, "67a01122"},
    {4, 3, "c5f877"},
    {4, 2, "c500"},
    {4, 6, "8b0511223344"},
    {4, 5, "678b061122"},
    {4, 4, "66e81122"},
    {4, 2, "d40a"},
    {4, 2, "8b00"},
    {4, 1, "f1f1"},
    {4, 1, "f1"},
    {4, 4, "678b4710"},
    {2, 3, "b81122"},
    {2, 6, "66b811223344"},
    {2, 4, "8b061122"},
    {2, 2, "8b07"},
    {2, 7, "678b0511223344"},
    {2, 5, "9a11223344"},
    {2, 3, "e81122"},
    {2, 3, "a01122"},
    {2, 4, "c7071122"},
    {2, 4, "668b4710"},
    {2, 3, "0f20c090"},
};

static unsigned unhex(const char *s, uint8_t *out)
{
    unsigned n = 0, v;

    while (sscanf(s + 2 * n, "%2x", &v) == 1)
        out[n++] = (uint8_t)v;
    return n;
}

START_TEST(test_table)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(samples); i++) {
        const struct sample *s = &samples[i];
        uint8_t b[32];
        unsigned n = unhex(s->bytes, b), k;
        struct insn insn;
        int rc = insn_decode(b, n, s->mode, &insn);

        ck_assert_msg(rc == (s->len == 0 ? -1 : 0) && insn.len == s->len,
                      "%u: %s: %d, length %u, not %u", s->mode, s->bytes, rc, insn.len, s->len);
        for (k = 0; k < s->len; k++)
            ck_assert_msg(insn_decode(b, k, s->mode, &insn) == -1, "%s cut", s->bytes);
    }
}
END_TEST

START_TEST(test_operands)
{
    struct guest_regs r = {.rip = 0x1000};
    struct insn i;
    uint8_t b[16];

    r.gpr[GPR_RAX] = 0x10;
    r.gpr[GPR_RBX] = 0xfffffffffffffff0;
    r.gpr[GPR_RSI] = 0x2222;
    r.gpr[GPR_RBP] = 0x8000;
    r.gpr[GPR_R13] = 0x777;
    r.gpr[GPR_R12] = 0x1;
    ck_assert_int_eq(insn_decode(b, unhex("488b44d808", b), 8, &i), 0); /* 8(rax+rbx*8) */
    ck_assert_uint_eq(insn_effective(&i, &r, 0), 0x10 + 0xffffffffffffff80 + 8);
    ck_assert_uint_eq(i.opsize, 8);
    ck_assert_int_eq(insn_decode(b, unhex("678b44d808", b), 8, &i), 0);
    ck_assert_uint_eq(insn_effective(&i, &r, 0x100000000), 0x1ffffff98);
    ck_assert_int_eq(insn_decode(b, unhex("8b0510000000", b), 8, &i), 0);
    ck_assert_uint_eq(insn_effective(&i, &r, 0), 0x1016);
    ck_assert_int_eq(insn_decode(b, unhex("8b0510000000", b), 4, &i), 0);
    ck_assert_uint_eq(insn_effective(&i, &r, 0), 0x10);
    ck_assert_int_eq(insn_decode(b, unhex("418b4500", b), 8, &i), 0);
    ck_assert_uint_eq(insn_effective(&i, &r, 0), 0x777);
    ck_assert_int_eq(insn_decode(b, unhex("438b042c", b), 8, &i), 0); /* (r12+r13) */
    ck_assert_int_eq(insn_decode(b, unhex("438b442c00", b), 8, &i), 0);
    ck_assert_uint_eq(insn_effective(&i, &r, 0), 0x778);
    ck_assert_int_eq(insn_decode(b, unhex("8b42fe", b), 2, &i), 0); /* -2(bp+si) */
    ck_assert_uint_eq(insn_effective(&i, &r, 0x10000), 0x1a220);
    ck_assert_int_eq(insn_decode(b, unhex("a3080000fe", b), 4, &i), 0);
    ck_assert_uint_eq(insn_effective(&i, &r, 0), 0xfe000008);
    ck_assert_int_eq(insn_decode(b, unhex("65c7042510000000ffffffff", b), 8, &i), 0);
    ck_assert_uint_eq(i.seg, SEG_GS);
    ck_assert_uint_eq(i.imm, UINT64_MAX);
    ck_assert_uint_eq(i.imm_size, 4);
    ck_assert_int_eq(insn_decode(b, unhex("f3440fb6c8", b), 8, &i), 0);
    ck_assert_uint_eq(i.prefix_rep, 0xf3);
    ck_assert_uint_eq(i.rex, 0x44);
    ck_assert_uint_eq(i.map, 1);
    ck_assert_uint_eq(i.opcode_len, 2);
    /* A REX that a prefix follows does not count. */
    ck_assert_int_eq(insn_decode(b, unhex("48668b00", b), 8, &i), 0);
    ck_assert_uint_eq(i.rex, 0);
    ck_assert_uint_eq(i.opsize, 2);
    ck_assert_int_eq(insn_decode(b, unhex("c4c17910401f", b), 8, &i), 0);
    ck_assert_uint_eq(i.vex, 0xc4);
    ck_assert_uint_eq(i.rex, 0x41);
}
END_TEST

/* Every string of bytes gives an answer, within its bounds. */
START_TEST(test_random)
{
    uint64_t x = 88172645463325252u;
    unsigned n, k;

    for (n = 0; n < 300000; n++) {
        uint8_t *b = malloc(16); /* exact size: the sanitizer sees overreads */
        unsigned len = (unsigned)(n % 17), mode = 2u << n % 3;
        struct insn i;

        for (k = 0; k < 16; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            b[k] = (uint8_t)x;
        }
        if (insn_decode(b + 16 - len, len, mode, &i) == 0) {
            ck_assert_uint_le(i.len, len);
            ck_assert_uint_le(i.len, 15);
            ck_assert_uint_ge(i.len, 1);
        }
        free(b);
    }
}
END_TEST

/* Lines whose tabulated bytes are not one instruction to the CPU. */
static bool odd_line(const char *text, const uint8_t *b, unsigned n)
{
    return n == 0 || strstr(text, "(bad)") != NULL || strstr(text, ".byte") != NULL ||
           (b[0] == 0x9b && n > 1) || strncmp(text, "rex", 3) == 0;
}

static void corpus(const char *file)
{
    char command[200], line[512];
    unsigned long seen = 0, wrong = 0;
    FILE *f;

    if (access(file, R_OK) != 0 || system("command -v objdump >/dev/null 2>&1") != 0)
        return;
    snprintf(command, sizeof(command), "objdump -dw -M intel64 %s | head -n 80000", file);
    f = popen(command, "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        char *hex = strchr(line, '\t'), *text = hex == NULL ? NULL : strchr(hex + 1, '\t');
        uint8_t b[32];
        unsigned n = 0, v;
        struct insn i;

        if (text == NULL)
            continue;
        *text++ = '\0';
        for (hex++; n < 16 && sscanf(hex, "%2x ", &v) == 1; hex += 3)
            b[n++] = (uint8_t)v;
        if (odd_line(text, b, n))
            continue;
        seen++;
        if ((insn_decode(b, n, 8, &i) != 0 || i.len != n) && wrong++ < 5)
            fprintf(stderr, "%s: %u of %s", file, n, text);
    }
    pclose(f);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(seen, 1000);
}

START_TEST(test_corpus)
{
    corpus("/bin/bash");
    corpus("/lib/x86_64-linux-gnu/libc.so.6");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("insn");
    TCase *t = tcase_create("decode");

    tcase_set_timeout(t, 100);
    tcase_add_test(t, test_table);
    tcase_add_test(t, test_operands);
    tcase_add_test(t, test_random);
    tcase_add_test(t, test_corpus);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
