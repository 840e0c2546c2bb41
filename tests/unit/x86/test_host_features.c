/* A machine whose CPU lacks some of the model: domains are not shown it, nor may they
 * switch it on, and memory is mapped without leaves of 1 GiB. */
#include "tests/unit/fixture.h"

#include "core/p2m/p2m.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define BIT(n) (UINT32_C(1) << (n))
#define SMEP BIT(7)
#define BMI1 BIT(3)
#define CR4_SMEP (UINT64_C(1) << 20)
#define PAGE_1G BIT(26)

static void setup(void)
{
    fixture_start(16, 1);
}

static void teardown(void)
{
    uint32_t all[X86_FEATURE_WORDS];

    memset(all, 0xff, sizeof(all));
    x86_set_host_features(all);
    x86_set_p2m_1g(true);
    fixture_stop();
}

START_TEST(test_lacking)
{
    uint32_t words[X86_FEATURE_WORDS], model[CPUID_WORDS];
    struct domain *before = fixture_domain(1, 1), *d;
    struct cpuid_leaf r;

    memset(words, 0xff, sizeof(words));
    words[5] &= ~(SMEP | BMI1);
    words[2] &= ~PAGE_1G;
    x86_set_host_features(words);
    d = fixture_domain(1, 1);
    r = cpuid_query(d->vcpu[0], 7, 0);
    ck_assert_uint_eq(r.ebx & (SMEP | BMI1), 0);
    ck_assert(r.ebx & 1); /* FSGSBASE is there */
    ck_assert_uint_eq(cpuid_query(d->vcpu[0], 0x80000001, 0).edx & PAGE_1G, 0);
    ck_assert_uint_eq(cpuid_cr4_valid(d) & CR4_SMEP, 0);
    cpuid_model_features(VENDOR_AMD, model);
    ck_assert_uint_eq(model[5] & (SMEP | BMI1), 0);
    /* The toolstack cannot give what is not there. */
    memset(model, 0xff, sizeof(model));
    cpuid_set_features(d, model);
    ck_assert_uint_eq(cpuid_query(d->vcpu[0], 7, 0).ebx & (SMEP | BMI1), 0);
    ck_assert(cpuid_query(before->vcpu[0], 7, 0).ebx & SMEP);
}
END_TEST

/* A CPU that has nothing: what software makes stays. */
START_TEST(test_software)
{
    uint32_t none[X86_FEATURE_WORDS] = {0};
    struct domain *d;
    struct cpuid_leaf r;

    x86_set_host_features(none);
    d = fixture_domain(1, 1);
    r = cpuid_query(d->vcpu[0], 1, 0);
    ck_assert_uint_eq(r.ecx, BIT(31) | BIT(24) | BIT(21));
    ck_assert_uint_eq(r.edx, BIT(9));
    /* Nor does it claim not to speculate. */
    ck_assert_uint_eq(cpuid_query(d->vcpu[0], 0x80000008, 0).ebx, 0);
    ck_assert_uint_eq(cpuid_query(d->vcpu[0], 0x80000021, 0).eax, 0);
}
END_TEST

START_TEST(test_no_1g)
{
    struct domain *d = fixture_domain(1, 1);
    gfn_t g = gfn(UINT64_C(1) << P2M_1G);
    mfn_t m = mfn(UINT64_C(1) << P2M_1G);

    x86_set_p2m_1g(false);
    ck_assert_int_eq(p2m_map(d, g, m, P2M_1G, P2M_RAM_RW), -XEN_EINVAL);
    ck_assert_int_eq(p2m_map(d, g, m, P2M_1G, P2M_RAM_RO), -XEN_EINVAL);
    /* What hardware takes for absent may be as large as it likes. */
    ck_assert_int_eq(p2m_map(d, g, mfn(0), P2M_1G, P2M_MMIO_DM), 0);
    ck_assert_uint_eq(p2m_lookup(d, g).type, P2M_MMIO_DM);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("host_features");
    TCase *t = tcase_create("host");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_lacking);
    tcase_add_test(t, test_software);
    tcase_add_test(t, test_no_1g);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
