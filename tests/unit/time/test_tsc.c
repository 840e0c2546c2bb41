/* The counter of a domain: native, emulated, and the pvclock that goes with it. */
#include "tests/unit/fixture.h"

#include "core/time/pvclock.h"
#include "core/time/tsc.h"
#include "port/time.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define DAY (86400 * SECOND)

static struct domain *d;
static struct vcpu *v;

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(4, 2);
    v = d->vcpu[0];
    world_set_time(5 * SECOND);
}

/* What a guest computes, as <xen/xen.h> says. */
static uint64_t guest_time(const vcpu_time_info_t *t, uint64_t tsc)
{
    unsigned __int128 delta = tsc - t->tsc_timestamp;

    delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
    return t->system_time + (uint64_t)((delta * t->tsc_to_system_mul) >> 32);
}

START_TEST(test_native)
{
    uint32_t mode, khz, incarnation;
    uint64_t elapsed;

    ck_assert(!d->tsc.emulated);
    ck_assert_uint_eq(domain_tsc_read(d), port_tsc_read());
    ck_assert_uint_eq(domain_tsc_khz(d), port_tsc_khz());
    ck_assert_int_eq(domain_tsc_set(d, TSC_MODE_DEFAULT, 0, 0, 0), 0);
    ck_assert(!d->tsc.emulated);
    ck_assert_int_eq(domain_tsc_set(d, TSC_MODE_DEFAULT, 77, port_tsc_khz(), 4), 0);
    ck_assert(!d->tsc.emulated);
    ck_assert_uint_eq(domain_tsc_read(d), port_tsc_read());
    domain_tsc_get(d, &mode, &elapsed, &khz, &incarnation);
    ck_assert_uint_eq(mode, TSC_MODE_DEFAULT);
    ck_assert_uint_eq(incarnation, 5);
    ck_assert_uint_eq(khz, port_tsc_khz());
    ck_assert_uint_eq(elapsed, 5 * SECOND);
    ck_assert_int_eq(domain_tsc_set(d, TSC_MODE_NATIVE, 77, 1234567, 0), 0);
    ck_assert(!d->tsc.emulated);
    ck_assert_uint_eq(domain_tsc_read(d), port_tsc_read());
    domain_tsc_get(d, &mode, &elapsed, &khz, &incarnation);
    ck_assert_uint_eq(mode, TSC_MODE_NATIVE);
    ck_assert_uint_eq(khz, 0);
    ck_assert_uint_eq(elapsed, 0);
    ck_assert_int_eq(domain_tsc_set(d, 3, 0, 0, 0), -XEN_EINVAL);
    ck_assert_int_eq(domain_tsc_set(d, UINT32_MAX, 0, 0, 0), -XEN_EINVAL);
    ck_assert_uint_eq(d->tsc.mode, TSC_MODE_NATIVE);
}
END_TEST

/* Counts at its own frequency from the time that the guest has been running. */
START_TEST(test_emulated)
{
    const uint32_t khz[] = {1000000, 2400000, 3333333, 999999, 25000, 4294967295, 1, 7};
    uint32_t mode, k, incarnation;
    uint64_t elapsed, ticks;

    for (unsigned i = 0; i < sizeof(khz) / sizeof(khz[0]); i++) {
        world_set_time(5 * SECOND);
        ck_assert_int_eq(domain_tsc_set(d, TSC_MODE_EMULATE, 0, khz[i], 0), 0);
        ck_assert(d->tsc.emulated);
        ck_assert_uint_eq(domain_tsc_khz(d), khz[i]);
        ck_assert_uint_eq(domain_tsc_read(d), 0);
        world_set_time(6 * SECOND);
        ticks = domain_tsc_read(d);
        /* 2^-31, and a tick of rounding. */
        ck_assert_uint_ge(ticks + 4 + (ticks >> 31), khz[i] * UINT64_C(1000));
        ck_assert_uint_le(ticks, khz[i] * UINT64_C(1000) + 4 + (ticks >> 31));
        domain_tsc_get(d, &mode, &elapsed, &k, &incarnation);
        ck_assert_uint_eq(mode, TSC_MODE_EMULATE);
        ck_assert_uint_eq(elapsed, SECOND);
        ck_assert_uint_eq(k, khz[i]);
        /* Elsewhere, later: goes on where it was. */
        world_set_time(77 * SECOND);
        ck_assert_int_eq(domain_tsc_set(d, TSC_MODE_EMULATE, elapsed, k, incarnation), 0);
        ck_assert_uint_eq(domain_tsc_read(d), ticks);
        ck_assert_uint_eq(d->tsc.incarnation, 2);
    }
    /* Default mode emulates what the machine does not have. */
    ck_assert_int_eq(domain_tsc_set(d, TSC_MODE_DEFAULT, 0, 2000000, 0), 0);
    ck_assert(d->tsc.emulated);
    ck_assert_int_eq(domain_tsc_set(d, TSC_MODE_EMULATE, 0, 0, 0), 0);
    ck_assert_uint_eq(domain_tsc_khz(d), port_tsc_khz());
}
END_TEST

/* The guest's clock is system time to the tick, however long it runs, also when the
 * counter was started before this machine was. */
START_TEST(test_pvclock_never_drifts)
{
    const uint32_t khz[] = {1000000, 2400000, 3333333, 999999, 10000000};
    const uint64_t elapsed[] = {0, 3 * SECOND, 1000 * DAY};
    const vcpu_time_info_t *t = &v->info->time, *u = &d->vcpu[1]->info->time;
    uint64_t last = 0;

    for (unsigned i = 0; i < 5; i++) {
        for (unsigned k = 0; k < 3; k++) {
            world_set_time(5 * SECOND);
            ck_assert_int_eq(domain_tsc_set(d, TSC_MODE_EMULATE, elapsed[k], khz[i], 0), 0);
            last = domain_tsc_read(d);
            pvclock_update(v);
            for (uint64_t now = 5 * SECOND; now < 2000 * DAY; now += now / 3 + 12345) {
                uint64_t tsc, ns;

                world_set_time(now);
                tsc = domain_tsc_read(d);
                ck_assert_uint_ge(tsc, last);
                last = tsc;
                ns = guest_time(t, tsc);
                ck_assert_uint_le(ns, now);
                ck_assert_uint_ge(ns + 3, now);
                /* Another vCPU's view, taken later, is the same. */
                pvclock_update(d->vcpu[1]);
                ck_assert_uint_ne(u->flags & XEN_PVCLOCK_TSC_STABLE_BIT, 0);
                ck_assert_uint_eq(guest_time(u, tsc), ns);
            }
        }
    }
}
END_TEST

START_TEST(test_deadline)
{
    const uint32_t khz[] = {0, 2400000, 999999, 25000};

    for (unsigned i = 0; i < 4; i++) {
        uint64_t tsc, at;

        ck_assert_int_eq(domain_tsc_set(d, TSC_MODE_EMULATE, 0, khz[i], 0), 0);
        for (uint64_t n = 1; n < UINT64_C(1) << 40; n = n * 3 + 1) {
            tsc = domain_tsc_read(d) + n;
            at = domain_tsc_deadline(d, tsc);
            ck_assert_uint_gt(at, port_time_now());
            world_set_time(at);
            /* A frequency in whole kHz and a scale differ by 2^-31. */
            ck_assert_uint_ge(domain_tsc_read(d) + 2 + (n >> 30), tsc);
            ck_assert_uint_le(domain_tsc_read(d), tsc + 5 + (n >> 30));
        }
        ck_assert_uint_eq(domain_tsc_deadline(d, 0), port_time_now());
        ck_assert_uint_eq(domain_tsc_deadline(d, domain_tsc_read(d)), port_time_now());
        ck_assert_uint_eq(domain_tsc_deadline(d, UINT64_MAX) == TIME_NEVER ||
                              domain_tsc_deadline(d, UINT64_MAX) > 100 * DAY,
                          1);
        world_set_time(5 * SECOND);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tsc");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, fixture_stop);
    tcase_add_test(t, test_native);
    tcase_add_test(t, test_emulated);
    tcase_add_test(t, test_pvclock_never_drifts);
    tcase_add_test(t, test_deadline);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
