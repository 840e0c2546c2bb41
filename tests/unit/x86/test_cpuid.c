/* CPUID as a domain sees it: consistency, topology, Xen's leaves. */
#include "tests/unit/fixture.h"

#include <xen/arch-x86/cpuid.h>

#include "core/time/pvclock.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define VCPUS 5u

static struct domain *d;
static struct vcpu *v, *last;

static void make(uint8_t vendor)
{
    x86_set_vendor(vendor);
    d = fixture_domain(2, VCPUS);
    x86_set_vendor(VENDOR_AMD);
    v = d->vcpu[0];
    last = d->vcpu[VCPUS - 1];
}

static void setup(void)
{
    fixture_start(16, 1);
    make(VENDOR_AMD);
}

static void teardown(void)
{
    fixture_stop();
}

static bool is_zero(struct cpuid_leaf r)
{
    return (r.eax | r.ebx | r.ecx | r.edx) == 0;
}

START_TEST(test_vendor)
{
    struct cpuid_leaf r = cpuid_query(v, 0, 0), e = cpuid_query(v, 0x80000000, 0);

    ck_assert_uint_eq(r.eax, 0xd);
    ck_assert_int_eq(memcmp(&r.ebx, "Auth", 4), 0);
    ck_assert_int_eq(memcmp(&r.edx, "enti", 4), 0);
    ck_assert_int_eq(memcmp(&r.ecx, "cAMD", 4), 0);
    ck_assert_uint_eq(e.ebx, r.ebx);
    ck_assert_uint_eq(e.eax, 0x80000021);
    make(VENDOR_INTEL);
    r = cpuid_query(v, 0, 0);
    ck_assert_int_eq(memcmp(&r.ebx, "Genu", 4), 0);
    ck_assert_int_eq(memcmp(&r.edx, "ineI", 4), 0);
    ck_assert_int_eq(memcmp(&r.ecx, "ntel", 4), 0);
    ck_assert_uint_eq(cpuid_query(v, 0x80000001, 0).edx & 1, 0); /* no copy of leaf 1 */
    ck_assert_uint_eq(cpuid_query(v, 4, 0).eax & 0x1f, 1);
    ck_assert(is_zero(cpuid_query(v, 4, 4)));
}
END_TEST

START_TEST(test_features)
{
    struct cpuid_leaf r = cpuid_query(v, 1, 0);

    ck_assert_uint_eq(r.eax >> 8 & 0xf, 0xf);
    ck_assert_uint_eq(r.eax >> 20 & 0xff, 8);            /* family 17h */
    ck_assert(r.ecx >> 31 & 1);                          /* hypervisor */
    ck_assert(r.ecx >> 21 & 1);                          /* x2APIC */
    ck_assert(r.ecx >> 24 & 1);                          /* TSC deadline */
    ck_assert(!(r.ecx >> 28 & 1) && !(r.ecx >> 12 & 1)); /* no AVX, FMA */
    ck_assert(!(r.ecx >> 27 & 1));                       /* OSXSAVE follows CR4 */
    ck_assert(r.edx >> 9 & 1);
    v->arch->exit.cr4 = CR4_OSXSAVE;
    ck_assert(cpuid_query(v, 1, 0).ecx >> 27 & 1);
    ck_assert(cpuid_cr4_valid(d) & CR4_OSXSAVE);
    /* The APIC bit goes with IA32_APIC_BASE, in both copies. */
    ck_assert(cpuid_query(v, 0x80000001, 0).edx >> 9 & 1);
    v->arch->lapic.base_msr &= ~APIC_BASE_ENABLE;
    ck_assert(!(cpuid_query(v, 1, 0).edx >> 9 & 1));
    ck_assert(!(cpuid_query(v, 0x80000001, 0).edx >> 9 & 1));
    v->arch->lapic.base_msr |= APIC_BASE_ENABLE;
    /* FSGSBASE BMI1 SMEP BMI2 ERMS, no AVX2, SMAP, RDSEED. */
    ck_assert_uint_eq(cpuid_query(v, 7, 0).ebx & 0x1401a9, 0x189);
    ck_assert(is_zero(cpuid_query(v, 7, 1)));
    ck_assert_uint_eq(cpuid_query(v, 0xd, 0).eax, cpuid_xcr0_valid(d));
    ck_assert(is_zero(cpuid_query(v, 0xd, 2)));
    ck_assert_uint_eq(cpuid_query(v, 0x80000001, 0).edx & 0x2c100800, 0x2c100800);
    ck_assert_uint_eq(cpuid_query(v, 0x80000007, 0).edx, 1 << 8);
    ck_assert_uint_eq(cpuid_query(v, 0x80000008, 0).eax, 0x3030);
    ck_assert(is_zero(cpuid_query(v, 0x8000000a, 0))); /* no SVM */
    ck_assert_int_eq(cpuid_query(v, 0x80000002, 0).eax, 0x20444d41);
}
END_TEST

START_TEST(test_topology)
{
    struct cpuid_leaf r = cpuid_query(last, 1, 0);

    ck_assert_uint_eq(r.ebx >> 24, 2 * (VCPUS - 1));
    ck_assert_uint_eq(r.ebx >> 16 & 0xff, 2 * VCPUS);
    r = cpuid_query(last, 0x80000008, 0);
    ck_assert_uint_eq(r.ecx & 0xff, 2 * VCPUS - 1);
    ck_assert_uint_eq(r.ecx >> 12 & 0xf, 4);
    r = cpuid_query(last, 0xb, 0);
    ck_assert_uint_eq(r.eax, 1);
    ck_assert_uint_eq(r.ebx, 1);
    ck_assert_uint_eq(r.ecx, 0x100);
    ck_assert_uint_eq(r.edx, 2 * (VCPUS - 1));
    r = cpuid_query(last, 0xb, 1);
    ck_assert_uint_eq(r.eax, 4); /* (VCPUS - 1) * 2 < 1 << 4 */
    ck_assert_uint_eq(r.ebx, VCPUS);
    ck_assert_uint_eq(r.ecx, 0x201);
    r = cpuid_query(last, 0xb, 2);
    ck_assert_uint_eq(r.eax | r.ebx, 0);
    ck_assert_uint_eq(r.ecx, 2);
    ck_assert_uint_eq(cpuid_query(last, 0x8000001e, 0).eax, 2 * (VCPUS - 1));
}
END_TEST

START_TEST(test_xen_leaves)
{
    struct pvclock_scale s = pvclock_scale_of_khz(port_tsc_khz());
    struct cpuid_leaf r = cpuid_query(v, 0x40000000, 0);

    ck_assert_uint_eq(r.eax, 0x40000005);
    ck_assert_int_eq(memcmp(&r.ebx, "XenVMMXenVMM", 12), 0);
    ck_assert_uint_eq(cpuid_query(v, 0x40000001, 0).eax, 0x40011);
    r = cpuid_query(v, 0x40000002, 0);
    ck_assert_uint_eq(r.eax, 1);
    ck_assert_uint_eq(r.ebx, 0x40000000);
    r = cpuid_query(v, 0x40000003, 0);
    ck_assert_uint_eq(r.ecx, port_tsc_khz());
    ck_assert_uint_eq(r.eax & 1, 0);
    r = cpuid_query(v, 0x40000003, 1);
    ck_assert_uint_eq(r.ecx, s.mul);
    ck_assert_int_eq((int32_t)r.edx, s.shift);
    ck_assert_uint_eq(cpuid_query(v, 0x40000003, 2).eax, port_tsc_khz());
    ck_assert_int_eq(domain_tsc_set(v->domain, TSC_MODE_EMULATE, 0, 2500000, 4), 0);
    s = pvclock_scale_of_khz(2500000);
    r = cpuid_query(v, 0x40000003, 0);
    ck_assert_uint_eq(r.eax & 1, 1);
    ck_assert_uint_eq(r.ebx, TSC_MODE_EMULATE);
    ck_assert_uint_eq(r.ecx, 2500000);
    ck_assert_uint_eq(r.edx, 5);
    r = cpuid_query(v, 0x40000003, 1);
    ck_assert_uint_eq(r.eax | r.ebx, 0);
    ck_assert_uint_eq(r.ecx, s.mul);
    ck_assert_int_eq((int32_t)r.edx, s.shift);
    ck_assert_uint_eq(cpuid_query(v, 0x40000003, 2).eax, port_tsc_khz());
    ck_assert(is_zero(cpuid_query(v, 0x40000003, 3)));
    r = cpuid_query(last, 0x40000004, 0);
    ck_assert(r.eax & XEN_HVM_CPUID_VCPU_ID_PRESENT);
    ck_assert(r.eax & XEN_HVM_CPUID_DOMID_PRESENT);
    ck_assert(r.eax & XEN_HVM_CPUID_UPCALL_VECTOR);
    ck_assert_uint_eq(r.ebx, VCPUS - 1);
    ck_assert_uint_eq(r.ecx, d->id);
    ck_assert(is_zero(cpuid_query(v, 0x40000004, 1)));
    ck_assert(is_zero(cpuid_query(v, 0x40000005, 0)));
    for (uint32_t base = 0x40000100; base < 0x40010000; base += 0x100) {
        ck_assert(is_zero(cpuid_query(v, base, 0)));
    }
    ck_assert(is_zero(cpuid_query(v, 0xe, 0)));
    ck_assert(is_zero(cpuid_query(v, 0x8000001f, 0)));
    ck_assert(is_zero(cpuid_query(v, UINT32_MAX, UINT32_MAX)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cpuid");
    TCase *t = tcase_create("cpuid");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_vendor);
    tcase_add_test(t, test_features);
    tcase_add_test(t, test_topology);
    tcase_add_test(t, test_xen_leaves);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
