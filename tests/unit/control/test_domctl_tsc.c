/* settscinfo and gettscinfo: what a domain's time-stamp counter is made, and that the
 * guest's clock stays right. */
#include "tests/unit/control/control_calls.h"

struct domain *dom0;
struct vcpu *dom0_vcpu;

/* What the guest makes of RDTSC and what its vcpu_time_info says. */
static uint64_t guest_clock(const struct domain *d)
{
    const vcpu_time_info_t *t = &d->vcpu[0]->info->time;
    struct pvclock_scale s = {t->tsc_to_system_mul, t->tsc_shift};

    return t->system_time + pvclock_ns(s, domain_tsc_read(d) - t->tsc_timestamp);
}

START_TEST(time_stamp_counter)
{
    const struct xen_domctl_tsc_info info[] = {
        {.tsc_mode = 0, .gtsc_khz = 2500000, .incarnation = 3, .elapsed_nsec = 1000000},
        {.tsc_mode = 1, .gtsc_khz = 0, .elapsed_nsec = UINT64_MAX >> 2},
        {.tsc_mode = 1, .gtsc_khz = 1, .elapsed_nsec = 0},
        {.tsc_mode = 1, .gtsc_khz = UINT32_MAX, .elapsed_nsec = 5},
        {.tsc_mode = 2, .gtsc_khz = 12345, .elapsed_nsec = 99},
        {.tsc_mode = 0, .gtsc_khz = 0, .incarnation = UINT32_MAX},
    };
    struct xen_domctl op = {0};
    struct domain *d;

    control_setup(1);
    d = fixture_domain(4, 2);
    world_set_time(3000000000);
    for (unsigned i = 0; i < sizeof(info) / sizeof(info[0]); i++) {
        bool emulated = i < 4;

        op.u.tsc_info = info[i];
        ck_assert_int_eq(domctl(XEN_DOMCTL_settscinfo, d->id, &op), 0);
        ck_assert_uint_eq(d->tsc.emulated, emulated);
        for (unsigned n = 0; n < 3; n++) {
            /* A tick of the slowest counter takes a millisecond. */
            ck_assert_uint_le(guest_clock(d), port_time_now());
            ck_assert_uint_ge(guest_clock(d) + 1000001, port_time_now());
            world_advance(12345678);
        }
        memset(&op, 0xff, sizeof(op));
        ck_assert_int_eq(domctl(XEN_DOMCTL_gettscinfo, d->id, &op), 0);
        ck_assert_uint_eq(op.u.tsc_info.tsc_mode, info[i].tsc_mode);
        ck_assert_uint_eq(op.u.tsc_info.incarnation, info[i].incarnation + 1);
        ck_assert_uint_eq(op.u.tsc_info.pad, 0);
        ck_assert_uint_eq(op.u.tsc_info.gtsc_khz, i == 4                  ? 0
                                                  : info[i].gtsc_khz != 0 ? info[i].gtsc_khz
                                                                          : port_tsc_khz());
    }
    ck_assert_int_eq(domctl(XEN_DOMCTL_gettscinfo, 0, &op), -XEN_EINVAL);
    ck_assert_uint_eq(d->hold_count, 0);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("domctl_tsc");
    TCase *t = tcase_create("domctl_tsc");

    tcase_add_test(t, time_stamp_counter);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
