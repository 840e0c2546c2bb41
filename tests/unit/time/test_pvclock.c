/* pvclock and wall clock as guests read them. */
#include "tests/unit/fixture.h"

#include "core/time/pvclock.h"
#include "port/time.h"

static struct domain *d;
static struct vcpu *v;

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(4, 1);
    v = d->vcpu[0];
}

/* What a guest computes, as <xen/xen.h> says. */
static uint64_t guest_time(const vcpu_time_info_t *t, uint64_t tsc)
{
    unsigned __int128 delta = tsc - t->tsc_timestamp;

    delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
    return t->system_time + (uint64_t)((delta * t->tsc_to_system_mul) >> 32);
}

START_TEST(test_scale)
{
    const uint32_t khz[] = {1,       1000,    999999,  1000000,    1000001,   2000000,
                            2399998, 3333333, 4000000, 4294967295, 500000000, 7};

    for (unsigned i = 0; i < sizeof(khz) / sizeof(khz[0]); i++) {
        struct pvclock_scale s = pvclock_scale_of_khz(khz[i]);
        uint64_t second = (uint64_t)khz[i] * 1000, ns = pvclock_ns(s, second);

        ck_assert_uint_ge(s.mul, 0x80000000u);
        ck_assert_uint_le(ns, 1000000000);
        /* 2^-31 of a second, and a nanosecond of rounding. */
        ck_assert_uint_ge(ns, 1000000000 - 2 - (khz[i] < 1000 ? 1000000 / khz[i] : 0));
        ck_assert_uint_eq(pvclock_ns(s, 0), 0);
    }
    /* A year at 1 GHz: no overflow, error below 2^-31. */
    ck_assert_uint_eq(pvclock_ns(pvclock_scale_of_khz(1000000), 31536000ull * 1000000000),
                      31536000ull * 1000000000);
}
END_TEST

START_TEST(test_update)
{
    vcpu_time_info_t *t = &v->info->time, first;
    uint32_t version = t->version;

    world_set_time(7000000);
    pvclock_update(v);
    ck_assert_uint_eq(t->version & 1, 0);
    ck_assert_uint_ne(t->version, version);
    ck_assert_uint_eq(t->flags & XEN_PVCLOCK_TSC_STABLE_BIT, XEN_PVCLOCK_TSC_STABLE_BIT);
    ck_assert_uint_eq(guest_time(t, port_tsc_read()), port_time_now());
    first = *t;
    world_set_time(UINT64_C(86400000000000));
    pvclock_update(v);
    /* Stable: one pair for all, so that CPUs agree. */
    ck_assert_uint_eq(t->tsc_timestamp, first.tsc_timestamp);
    ck_assert_uint_eq(t->system_time, first.system_time);
    ck_assert_uint_gt(t->version, first.version);
    ck_assert_uint_eq(guest_time(t, port_tsc_read()), port_time_now());
}
END_TEST

START_TEST(test_hostile_version)
{
    vcpu_time_info_t *t = &v->info->time;
    const uint32_t evil[] = {1, 0xffffffff, 0xfffffffe, 0x7fffffff, 0};

    for (unsigned i = 0; i < 5; i++) {
        t->version = evil[i];
        pvclock_update(v);
        ck_assert_uint_eq(t->version & 1, 0);
        ck_assert_uint_ne(t->version, evil[i]);
    }
    d->shared_info->wc_version = 3;
    wallclock_update(d);
    ck_assert_uint_eq(d->shared_info->wc_version & 1, 0);
}
END_TEST

START_TEST(test_drift_ends_stability)
{
    vcpu_time_info_t *t = &v->info->time;

    world_set_time(5000000);
    pvclock_update(v);
    ck_assert_uint_ne(t->flags & XEN_PVCLOCK_TSC_STABLE_BIT, 0);
    hv->clock.system_time -= 200000; /* as if the TSC were slower than it says */
    pvclock_update(v);
    ck_assert_uint_eq(t->flags & XEN_PVCLOCK_TSC_STABLE_BIT, 0);
    ck_assert_uint_eq(guest_time(t, port_tsc_read()), port_time_now());
    hv->clock.system_time += 200000;
    pvclock_update(v);
    ck_assert_uint_eq(t->flags & XEN_PVCLOCK_TSC_STABLE_BIT, 0);
}
END_TEST

START_TEST(test_time_area)
{
    struct vcpu_register_time_memory_area r;
    vcpu_time_info_t copy;
    uint64_t at = 0x1000 * 0x201 - 13; /* straddles two pages, unaligned */

    fixture_populate(d, 0x200, 2);
    memset(&r, 0, sizeof(r));
    r.addr.p = at;
    world_set_time(3000000);
    memcpy(fixture_guest(d, 0x200000), &r, sizeof(r));
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_vcpu_op,
                                       VCPUOP_register_vcpu_time_memory_area, 0, 0x200000, 0, 0),
                     0);
    memcpy(&copy, fixture_guest(d, at), 13);
    memcpy((char *)&copy + 13, fixture_guest(d, 0x201000), sizeof(copy) - 13);
    ck_assert_mem_eq(&copy, &v->info->time, sizeof(copy));
    ck_assert_uint_eq(copy.version & 1, 0);
    ck_assert_uint_eq(guest_time(&copy, port_tsc_read()), port_time_now());
    /* Where there is no memory, or a half of it, nothing is written; once there is, the vCPU
     * finds it when it next runs. */
    const uint64_t nowhere[] = {0x900000, ~UINT64_C(0) - 3, 0x201ff0};

    for (unsigned i = 0; i < 3; i++) {
        r.addr.p = nowhere[i];
        memcpy(fixture_guest(d, 0x200000), &r, sizeof(r));
        ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_vcpu_op,
                                           VCPUOP_register_vcpu_time_memory_area, 0, 0x200000, 0,
                                           0),
                         0);
        ck_assert_uint_eq(v->time_gva, nowhere[i]);
        ck_assert_ptr_null(v->time_area.page);
    }
    fixture_populate(d, 0x202, 1);
    vcpu_areas_settle(v);
    pvclock_update(v);
    memcpy(&copy, fixture_guest(d, 0x201ff0), 16);
    memcpy((char *)&copy + 16, fixture_guest(d, 0x202000), sizeof(copy) - 16);
    ck_assert_mem_eq(&copy, &v->info->time, sizeof(copy));
}
END_TEST

START_TEST(test_wallclock)
{
    const shared_info_t *s = d->shared_info;
    uint64_t wall, version;

    world_set_time(UINT64_C(12345678901));
    wallclock_update(d);
    wall = ((uint64_t)s->wc_sec_hi << 32 | s->wc_sec) * UINT64_C(1000000000) + s->wc_nsec;
    ck_assert_uint_eq(wall + port_time_now(), port_wallclock_ns());
    ck_assert_uint_lt(s->wc_nsec, 1000000000);
    version = s->wc_version;
    ck_assert_uint_eq(version & 1, 0);
    d->time_offset = -3600;
    wallclock_update(d);
    ck_assert_uint_eq(((uint64_t)s->wc_sec_hi << 32 | s->wc_sec) + 3600,
                      wall / UINT64_C(1000000000));
    ck_assert_uint_eq(s->wc_version, version + 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pvclock");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, fixture_stop);
    tcase_add_test(t, test_scale);
    tcase_add_test(t, test_update);
    tcase_add_test(t, test_hostile_version);
    tcase_add_test(t, test_drift_ends_stability);
    tcase_add_test(t, test_time_area);
    tcase_add_test(t, test_wallclock);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
