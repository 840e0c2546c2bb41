/* MSRs: values, reserved bits, the hypercall page, and that no index or value
 * does harm. */
#include "tests/unit/fixture.h"

#include "x86/hvm/hvm.h"
#include "x86/x86.h"

static struct domain *d;
static struct vcpu *v;

static void setup(void)
{
    fixture_start(16, 1);
    d = fixture_domain(1, 1);
    v = d->vcpu[0];
    fixture_populate(d, 0, 16);
}

static void teardown(void)
{
    fixture_stop();
}

static uint64_t rd(uint32_t msr)
{
    uint64_t value = 0x5a5a;

    ck_assert_msg(msr_read(v, msr, &value) == 0, "rdmsr %x", msr);
    return value;
}

static void gp_rd(uint32_t msr)
{
    uint64_t value;

    ck_assert_msg(msr_read(v, msr, &value) != 0, "rdmsr %x", msr);
}

static void ok(uint32_t msr, uint64_t value)
{
    ck_assert_msg(msr_write(v, msr, value) == 0, "wrmsr %x %lx", msr, value);
}

static void gp(uint32_t msr, uint64_t value)
{
    ck_assert_msg(msr_write(v, msr, value) != 0, "wrmsr %x %lx", msr, value);
}

/* What a stock kernel reads and writes on its way up, none of which may fault. */
START_TEST(test_linux_list)
{
    static const uint32_t reads[] = {
        0x1b,       0x8b,       0xfe,       0x179,      0x17a,      0x250,      0x258,
        0x259,      0x2ff,      0x400,      0x401,      0x403,      0x404,      0x405,
        0x407,      0xc0000080, 0xc0010000, 0xc0010001, 0xc0010002, 0xc0010003, 0xc0010007,
        0xc0010010, 0xc001001f, 0xc0011028, 0xc0011029, 0x277};
    static const uint32_t writes[] = {0x174, 0x175, 0x176,      0x400,     0x401,
                                      0x404, 0x405, 0xc0010007, 0xc001001f};

    for (unsigned i = 0; i < ARRAY_SIZE(reads); i++) {
        rd(reads[i]);
    }
    for (uint32_t m = 0x200; m < 0x210; m++) {
        rd(m);
    }
    for (uint32_t m = 0x268; m < 0x270; m++) {
        rd(m);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(writes); i++) {
        ok(writes[i], 0);
    }
    ck_assert_uint_eq(rd(0xfe), 0x508);
    ck_assert_uint_eq(rd(0x179), 2);
    ck_assert_uint_eq(rd(0x400), UINT64_MAX);
    ck_assert_uint_eq(rd(0x401), 0);
    ck_assert_uint_eq(rd(0xc0010015) >> 24 & 1, 1);
    ck_assert_uint_eq(rd(0x277), UINT64_C(0x0007040600070406));
}
END_TEST

START_TEST(test_mtrr)
{
    ok(0x2ff, 0xc06);
    ck_assert_uint_eq(rd(0x2ff), 0xc06);
    gp(0x2ff, 0x1c06);
    gp(0x2ff, 0xc02);
    ok(0x200, 0x80000006);
    gp(0x200, 0x80000106);
    gp(0x200, 2);
    gp(0x200, UINT64_C(1) << 48);
    ok(0x201, UINT64_C(0xffff80000800));
    gp(0x201, 0x400);
    ck_assert_uint_eq(rd(0x200), 0x80000006);
    ok(0x26f, UINT64_C(0x0606050404010000));
    gp(0x26f, UINT64_C(0x0606050404020000));
    gp(0x26f, UINT64_C(0x0706050404010000));
    gp(0xfe, 0);
    gp_rd(0x210);
    gp_rd(0x251);
    ok(0x277, UINT64_C(0x0706050400010407));
    gp(0x277, UINT64_C(0x0706050400020407));
    gp(0x277, UINT64_C(0x0806050400010407));
    ck_assert_uint_eq(rd(0x277), UINT64_C(0x0706050400010407));
    ck_assert_uint_eq(script_state(v)->pat, UINT64_C(0x0706050400010407));
}
END_TEST

START_TEST(test_mce)
{
    ok(0x400, 0x1234);
    ck_assert_uint_eq(rd(0x400), UINT64_MAX);
    ok(0x401, 0);
    gp(0x401, 1);
    gp(0x402, 1);
    gp(0x407, UINT64_MAX);
    gp_rd(0x408); /* two banks */
    gp_rd(0x17b); /* no MCG_CTL */
    gp(0x179, 0);
    ok(0x17a, 4);
    ck_assert_uint_eq(rd(0x17a), 4);
}
END_TEST

START_TEST(test_engine_held)
{
    ck_assert(msr_passthrough(0xc0000100) && msr_passthrough(0xc0000082));
    ck_assert(!msr_passthrough(0xc0000080) && !msr_passthrough(0x10) && !msr_passthrough(0x808));
    ok(0xc0000082, UINT64_C(0xffffffff81000000));
    ck_assert_uint_eq(script_state(v)->lstar, UINT64_C(0xffffffff81000000));
    gp(0xc0000082, UINT64_C(0x8000000000000000));
    gp(0xc0000100, UINT64_C(0x0000800000000000));
    gp(0x176, UINT64_C(0x1000000000000000));
    ok(0xc0000084, UINT64_C(0xffffffff00000100));
    ck_assert_uint_eq(rd(0xc0000084), 0x100);
    ok(0xc0000103, 7);
    ck_assert_uint_eq(rd(0xc0000103), 7);
    ck_assert_uint_eq(script_state(v)->tsc_aux, 7);
    gp(0xc0000103, UINT64_C(1) << 32);
}
END_TEST

START_TEST(test_efer)
{
    ok(0xc0000080, 0x901);
    ck_assert_uint_eq(rd(0xc0000080), 0x901);
    gp(0xc0000080, 0x1901); /* SVME */
    gp(0xc0000080, 0x903);
    /* LMA is not written. */
    ok(0xc0000080, 0xd01);
    ck_assert_uint_eq(rd(0xc0000080), 0x901);
    v->arch->exit.cr0 = CR0_PG | CR0_PE;
    gp(0xc0000080, 0x801); /* LME while paging */
    ok(0xc0000080, 0x100);
    v->arch->exit.cr0 = CR0_ET;
}
END_TEST

START_TEST(test_hypercall_page)
{
    uint8_t *page = fixture_guest(d, 0x3000), want[4096];

    ck_assert_uint_eq(rd(0x40000000), 0);
    gp_rd(0x40000001);
    gp(0x40000000, 0x3001);
    gp(0x40000000, 0x100000); /* nothing there */
    gp(0x40000000, UINT64_C(0xfffffffffffff000));
    ok(0x40000000, 0x3000);
    hypercall_page_fill(want, false);
    ck_assert_int_eq(memcmp(page, want, sizeof(want)), 0);
    ck_assert_int_eq(
        memcmp(page + 32 * __HYPERVISOR_sched_op, "\xb8\x1d\x00\x00\x00\x0f\x01\xd9\xc3\xcc", 10),
        0);
    ck_assert_int_eq(memcmp(page + 32 * __HYPERVISOR_iret, "\x0f\x0b\xcc", 3), 0);
    hypercall_page_fill(want, true);
    ck_assert_uint_eq(want[7], 0xc1);
    /* A page that the guest may not write is not written for it either. */
    mfn_t m = guest_pages_alloc(d, 0);
    ck_assert_int_eq(p2m_map(d, gfn(0x20), m, P2M_4K, P2M_RAM_RO), 0);
    gp(0x40000000, 0x20000);
}
END_TEST

START_TEST(test_vendor)
{
    gp_rd(0x1a0);
    gp_rd(0x3a);
    gp(0x79, 0);
    ck_assert_uint_eq(rd(0x8b), 0);
    gp(0x8b, 0);
    x86_set_vendor(VENDOR_INTEL);
    d = fixture_domain(1, 1);
    x86_set_vendor(VENDOR_AMD);
    v = d->vcpu[0];
    ck_assert_uint_eq(rd(0x1a0) >> 11 & 3, 3);
    ck_assert_uint_eq(rd(0x3a), 1);
    ok(0x8b, 0);
    ok(0x79, 0x1000);
    gp_rd(0xc0010015);
    gp_rd(0xc0010000);
    ck_assert_uint_eq(rd(0x179), 0x1000802);
}
END_TEST

/* Neither panics nor loses track of itself. */
START_TEST(test_any_index)
{
    static const uint32_t base[] = {0, 0x40000000, 0xc0000000, 0xc0010000, 0xc0011000};
    static const uint64_t values[] = {0, 1, UINT64_C(0x8000000000000000), UINT64_MAX};
    uint64_t value;

    for (unsigned b = 0; b < ARRAY_SIZE(base); b++) {
        for (uint32_t i = 0; i < 0x1000; i++) {
            (void)msr_read(v, base[b] + i, &value);
            for (unsigned k = 0; k < ARRAY_SIZE(values); k++) {
                (void)msr_write(v, base[b] + i, values[k]);
            }
        }
    }
    gp_rd(UINT32_MAX);
    gp_rd(0x48);
    gp_rd(0xda0);
    gp_rd(0xc0000104);
    ck_assert(!d->shutting_down);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("msr");
    TCase *t = tcase_create("msr");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_linux_list);
    tcase_add_test(t, test_mtrr);
    tcase_add_test(t, test_mce);
    tcase_add_test(t, test_engine_held);
    tcase_add_test(t, test_efer);
    tcase_add_test(t, test_hypercall_page);
    tcase_add_test(t, test_vendor);
    tcase_add_test(t, test_any_index);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
