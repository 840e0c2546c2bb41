/* Exits for control registers, XCR0 and debug registers: what is refused, and what
 * reaches the engine. */
#include "tests/unit/x86/exit_calls.h"

START_TEST(test_cr)
{
    static const struct {
        uint8_t cr;
        uint64_t cr0, cr4, efer, value;
        bool l, good;
    } t[] = {
        {0, 1, 0x20, 0x100, 0x80000001, false, true}, /* into long mode */
        {0, 1, 0, 0x100, 0x80000001, false, false},   /* without PAE */
        {0, 1, 0, 0, 0x80000001, false, true},        /* 32-bit paging */
        {0, 1, 0, 0, 0x80000000, false, false},       /* PG without PE */
        {0, 1, 0, 0, 0x20000001, false, false},       /* NW without CD */
        {0, 1, 0, 0, 0x60000001, false, true},
        {0, 1, 0, 0, UINT64_C(0x100000001), false, false},
        {0, 0x80000001, 0x20, 0x500, 1, true, false}, /* paging off in 64-bit code */
        {0, 0x80000001, 0x20, 0x500, 1, false, true},
        {3, 0x80000001, 0x20, 0x500, UINT64_C(0x1000000000000), true, false},
        {3, 0x80000001, 0x20, 0x500, 0x1000, true, true},
        {4, 0x80000001, 0x20, 0x500, 0x620, true, true},
        {4, 0x80000001, 0x20, 0x500, 0x600, true, false}, /* PAE off in long mode */
        {4, 1, 0, 0, 0x2000, false, false},               /* VMXE */
        {4, 1, 0, 0, 0x200000, false, false},             /* SMAP is not shown */
        {4, 1, 0, 0, UINT64_C(1) << 40, false, false},
        {8, 1, 0, 0, 15, true, true},
        {8, 1, 0, 0, 16, true, false},
        {2, 1, 0, 0, 0, true, false},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        struct guest_exit *x = prepare(EXIT_CR_WRITE, 3);

        r->rip = CODE;
        x->cr0 = t[i].cr0;
        x->cr4 = t[i].cr4;
        x->efer = t[i].efer;
        x->cs_l = t[i].l;
        x->u.cr.cr = t[i].cr;
        x->u.cr.value = t[i].value;
        run();
        ck_assert_msg(r->rip == CODE + (t[i].good ? 3 : 0), "case %u", i);
        if (t[i].good) {
            expect_none();
        } else {
            expect(13, 0);
        }
    }
    ck_assert_uint_eq(vlapic_tpr(v), 15);
    ck_assert_uint_eq(script_state(v)->cr4, 0x620);
    ck_assert_uint_eq(script_state(v)->cr0 & 0x10, 0x10);
}
END_TEST

START_TEST(test_xsetbv)
{
    static const struct {
        uint64_t rcx, value;
        uint8_t cpl;
        bool good;
    } t[] = {{0, 3, 0, true},
             {0, 1, 0, true},
             {0, 2, 0, false},
             {0, 7, 0, false},
             {1, 1, 0, false},
             {0, 3, 3, false},
             {0, UINT64_C(1) << 62 | 1, 0, false}};

    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        prepare(EXIT_XSETBV, 3)->cpl = t[i].cpl;
        r->rip = CODE;
        r->gpr[GPR_RCX] = t[i].rcx;
        r->gpr[GPR_RAX] = (uint32_t)t[i].value;
        r->gpr[GPR_RDX] = t[i].value >> 32;
        run();
        ck_assert_msg(r->rip == CODE + (t[i].good ? 3 : 0), "case %u", i);
        if (t[i].good) {
            ck_assert_uint_eq(script_state(v)->xcr0, t[i].value);
        } else {
            expect(13, 0);
        }
    }
}
END_TEST

/* The registers come from the instruction: mov %eax, %dr7 and back. */
START_TEST(test_debug_registers)
{
    struct guest_exit *x = prepare(EXIT_DR, 0);

    x->cs_l = false;
    x->cs_d = true;
    x->efer = 0;
    memcpy(fixture_guest(d, CODE), "\x0f\x23\xf8\x0f\x21\xfb\x0f\x23\xc0\x0f\x21\xe3", 12);
    r->gpr[GPR_RAX] = 0xffffffff;
    run();
    ck_assert_uint_eq(script_state(v)->dr7, 0xffff2fff);
    run();
    ck_assert_uint_eq(r->gpr[GPR_RBX], 0xffff2fff);
    run();
    ck_assert_uint_eq(v->arch->dr[0], 0xffffffff);
    run(); /* dr4 is dr6 */
    ck_assert_uint_eq(r->gpr[GPR_RBX], 0xffff0ff0);
    ck_assert_uint_eq(r->rip, CODE + 12);
    expect_none();
    r->rip = CODE + 9;
    x->cr4 = CR4_DE;
    run();
    expect(6, 0);
    x->cr4 = 0;
    x->cpl = 3;
    run();
    expect(13, 0);
    r->rip = 0x100000; /* nothing there */
    run();
    expect(6, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("exit_cr");
    TCase *t = tcase_create("exit_cr");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_cr);
    tcase_add_test(t, test_xsetbv);
    tcase_add_test(t, test_debug_registers);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
