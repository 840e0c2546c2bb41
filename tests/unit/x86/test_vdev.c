/* Platform devices: PIT, IOAPIC, ACPI registers, RTC, reset, the dispatch. */
#include "tests/unit/fixture.h"

#include "x86/hvm/hvm.h"

#define MS 1000000ull

static struct domain *d;
static struct vcpu *v;
static char console[200000];
static size_t console_len;

static void sink(uint16_t domid, const char *s, size_t n)
{
    if (domid == d->id && console_len + n < sizeof(console)) {
        memcpy(console + console_len, s, n);
        console_len += n;
    }
}

static void setup(void)
{
    uint32_t svr = 0x1ff;

    fixture_start(32, 1);
    d = fixture_domain(4, 2);
    v = domain_vcpu(d, 0);
    console_len = 0;
    ck_assert(vlapic_mmio(v, 0xf0, 4, true, &svr));
}

static void teardown(void)
{
    fixture_kill(d);
    fixture_stop();
}

static uint32_t in(uint16_t port, unsigned size)
{
    uint32_t value = 0x5a5a5a5a;

    vdev_io(v, port, size, true, &value);
    return value;
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    vdev_io(v, port, size, false, &value);
}

static uint32_t io_read(uint8_t reg)
{
    uint64_t value = reg;

    ck_assert(vdev_mmio(v, gaddr(IOAPIC_BASE), 4, true, &value));
    ck_assert(vdev_mmio(v, gaddr(IOAPIC_BASE + 0x10), 4, false, &value));
    return (uint32_t)value;
}

static void io_write(uint8_t reg, uint32_t data)
{
    uint64_t value = reg;

    ck_assert(vdev_mmio(v, gaddr(IOAPIC_BASE), 4, true, &value));
    value = data;
    ck_assert(vdev_mmio(v, gaddr(IOAPIC_BASE + 0x10), 4, true, &value));
}

static void redirect(unsigned pin, uint32_t low)
{
    io_write((uint8_t)(0x11 + 2 * pin), 0);
    io_write((uint8_t)(0x10 + 2 * pin), low);
}

static bool got(uint8_t vector)
{
    bool yes = (v->arch->lapic.irr[vector >> 5] >> (vector & 31) & 1) != 0;

    v->arch->lapic.irr[vector >> 5] = 0;
    return yes;
}

static void eoi(void)
{
    uint32_t zero = 0;

    ck_assert(vlapic_mmio(v, 0xb0, 4, true, &zero));
}

static void at(uint64_t ns)
{
    world_set_time(ns);
    timers_run();
}

START_TEST(test_absent)
{
    static const uint16_t port[] = {0x20,  0x21,  0xa0,  0xa1,  0x60,   0x64,   0x80, 0x3f8,
                                    0x3fd, 0xcf8, 0xcfc, 0xcff, 0xb00e, 0xffff, 0};
    uint64_t value = 0;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(port); i++) {
        ck_assert_uint_eq(in(port[i], 1), 0xff);
        out(port[i], 1, 0);
    }
    ck_assert_uint_eq(in(0xcf8, 4), 0xffffffff);
    ck_assert_uint_eq(in(0xffff, 4) >> 8, (in(0, 4) & 0xffffff) | 0);
    ck_assert_uint_eq(in(0x2f8, 2), 0xffff);
    ck_assert(!vdev_mmio(v, gaddr(0xd0000000), 8, false, &value));
    ck_assert_uint_eq(value, UINT64_MAX);
    ck_assert(!vdev_mmio(v, gaddr(0xd0000000), 3, false, &value));
    ck_assert_uint_eq(value, 0xffffff);
    ck_assert(!vdev_mmio(v, gaddr(UINT64_MAX - 2), 8, true, &value));
    ck_assert(!d->shutting_down);
}
END_TEST

START_TEST(test_lapic_page)
{
    uint64_t value = 0;

    ck_assert(vdev_mmio(v, gaddr(LAPIC_BASE + 0x30), 4, false, &value));
    ck_assert_uint_eq(value, 0x50014);
    ck_assert(vdev_mmio(v, gaddr(LAPIC_BASE + 0x30), 8, false, &value));
    ck_assert_uint_eq(value, 0x50014);
    ck_assert(vdev_mmio(v, gaddr(LAPIC_BASE + 0x2d), 5, false, &value));
    value = 0x44;
    ck_assert(vdev_mmio(v, gaddr(LAPIC_BASE + 0x80), 8, true, &value));
    ck_assert_uint_eq(vlapic_tpr(v), 4);
    ck_assert(!vdev_mmio(v, gaddr(LAPIC_BASE + 0xffd), 8, false, &value));
    ck_assert_int_eq(vlapic_wrmsr(v, 0x1b, 0xfee00d00), 0); /* x2APIC: no page */
    ck_assert(!vdev_mmio(v, gaddr(LAPIC_BASE + 0x30), 4, false, &value));
    ck_assert_uint_eq(value, 0xffffffff);
}
END_TEST

START_TEST(test_ioapic_registers)
{
    uint64_t value;

    ck_assert_uint_eq(io_read(1), 0x20 | (IOAPIC_PINS - 1) << 16);
    io_write(1, 0);
    ck_assert_uint_eq(io_read(1), 0x20 | (IOAPIC_PINS - 1) << 16);
    io_write(0, 0xffffffff);
    ck_assert_uint_eq(io_read(0), 0x0f000000);
    ck_assert_uint_eq(io_read(2), 0x0f000000);
    ck_assert_uint_eq(io_read(0x10), 0x10000);
    io_write(0x10, 0xffffffff);
    ck_assert_uint_eq(io_read(0x10), 0x1afff);
    io_write(0x11, 0xffffffff);
    ck_assert_uint_eq(io_read(0x11), 0xff000000);
    ck_assert_uint_eq(io_read(0x6f), 0);
    io_write(0x70, 0xffffffff); /* beyond the last pin */
    ck_assert_uint_eq(io_read(0x70), 0);
    io_write(0xff, 1);
    ck_assert_uint_eq(io_read(0x0f), 0);
    ck_assert_uint_eq(io_read(1), 0x2f0020);
    ck_assert(vdev_mmio(v, gaddr(IOAPIC_BASE + 0x12), 1, false, &value));
    ck_assert_uint_eq(value, 0x2f);
    ck_assert(vdev_mmio(v, gaddr(IOAPIC_BASE + 0x17), 8, false, &value));
    ck_assert_uint_eq(value, 0);
}
END_TEST

START_TEST(test_ioapic_edge_level)
{
    vioapic_set_irq(d, IOAPIC_PINS, true); /* no such pin */
    vioapic_set_irq(d, 5, true);           /* masked: an edge is lost */
    redirect(5, 0x45);
    ck_assert(!got(0x45));
    vioapic_set_irq(d, 5, true); /* no edge */
    ck_assert(!got(0x45));
    vioapic_set_irq(d, 5, false);
    vioapic_set_irq(d, 5, true);
    ck_assert(got(0x45));
    /* Level: unmasking finds it asserted; again only after EOI. */
    redirect(6, 0x18046);
    vioapic_set_irq(d, 6, true);
    ck_assert(!got(0x46));
    redirect(6, 0x8046);
    ck_assert_int_eq(vlapic_pending(v), 0x46);
    ck_assert_uint_eq(io_read(0x10 + 12), 0xc046);
    vlapic_ack(v, 0x46);
    vioapic_set_irq(d, 6, false);
    vioapic_set_irq(d, 6, true);
    ck_assert(!got(0x46));
    eoi();
    ck_assert_int_eq(vlapic_pending(v), 0x46);
    vlapic_ack(v, 0x46);
    vioapic_set_irq(d, 6, false);
    eoi();
    ck_assert_int_eq(vlapic_pending(v), -1);
    ck_assert_uint_eq(io_read(0x10 + 12), 0x8046);
    /* The EOI register and the switch to edge both clear remote IRR. */
    vioapic_set_irq(d, 6, true);
    ck_assert(got(0x46));
    io_write(0x10 + 12, 0x10046);
    ck_assert_uint_eq(io_read(0x10 + 12), 0x10046);
    redirect(7, 0x8047);
    vioapic_set_irq(d, 7, true);
    vioapic_set_irq(d, 7, false);
    {
        uint64_t vector = 0x47;

        ck_assert(vdev_mmio(v, gaddr(IOAPIC_BASE + 0x40), 4, true, &vector));
    }
    ck_assert_uint_eq(io_read(0x10 + 14), 0x8047);
}
END_TEST

static unsigned pit_count(unsigned channel)
{
    unsigned low;

    out(0x43, 1, channel << 6);
    low = in((uint16_t)(0x40 + channel), 1);
    return low | in((uint16_t)(0x40 + channel), 1) << 8;
}

START_TEST(test_pit_channel2)
{
    uint64_t t0 = world_now();

    /* As Linux calibrates: gate on, speaker off, mode 0, 50 ms. */
    out(0x61, 1, (in(0x61, 1) & ~2u) | 1);
    out(0x43, 1, 0xb0);
    ck_assert_uint_eq(in(0x61, 1) & 0x21, 1);
    out(0x42, 1, 59659 & 0xff);
    out(0x42, 1, 59659 >> 8);
    ck_assert_uint_eq(in(0x61, 1) & 0x20, 0);
    at(t0 + 10 * MS);
    ck_assert_uint_eq(pit_count(2), 59659 - 11931);
    ck_assert_uint_eq(in(0x61, 1) & 0x20, 0);
    at(t0 + 50 * MS + 2000);
    ck_assert_uint_eq(in(0x61, 1) & 0x20, 0x20);
    /* The gate holds the count. */
    out(0x43, 1, 0xb0);
    out(0x42, 1, 0);
    out(0x42, 1, 0);
    at(t0 + 60 * MS);
    out(0x61, 1, 0);
    at(t0 + 90 * MS);
    ck_assert_uint_eq(pit_count(2), 65536 - 11929);
    out(0x61, 1, 1);
    at(t0 + 91 * MS);
    ck_assert_uint_eq(pit_count(2), 65536 - 11929 - 1193);
    /* Read-back of status: low/high, mode 0, count loaded, output low. */
    out(0x43, 1, 0xe8);
    ck_assert_uint_eq(in(0x42, 1), 0x30);
    out(0x43, 1, 0xb6);
    out(0x43, 1, 0xe8);
    ck_assert_uint_eq(in(0x42, 1), 0xf6); /* null count */
    /* The latch holds until read; single-byte access. */
    out(0x43, 1, 0x94); /* low byte only, mode 2 */
    out(0x42, 1, 200);
    out(0x43, 1, 0x80);
    at(t0 + 92 * MS);
    ck_assert_uint_eq(in(0x42, 1), 200);
    ck_assert_uint_eq(in(0x43, 1), 0xff);
}
END_TEST

START_TEST(test_pit_irq)
{
    uint64_t t0 = world_now(), i;
    unsigned count = 0;

    redirect(2, 0x30);
    redirect(0, 0x31);
    out(0x43, 1, 0x34); /* channel 0, mode 2 */
    at(t0 + 100 * MS);
    ck_assert(!got(0x30));
    out(0x40, 1, 11932 & 0xff);
    out(0x40, 1, 11932 >> 8); /* 100 Hz */
    for (i = 1; i <= 100; i++) {
        at(t0 + 100 * MS + i * 10 * MS + 100000);
        count += got(0x30) ? 1 : 0;
        ck_assert(got(0x31) || true);
    }
    ck_assert_uint_eq(count, 100);
    out(0x43, 1, 0x30); /* one shot */
    out(0x40, 1, 0);
    out(0x40, 1, 0);
    got(0x30);
    at(world_now() + 54 * MS);
    ck_assert(!got(0x30));
    at(world_now() + 2 * MS);
    ck_assert(got(0x30));
    at(world_now() + 1000 * MS);
    ck_assert(!got(0x30));
    out(0x43, 1, 0x14); /* a megahertz is not granted */
    out(0x40, 1, 1);
    at(world_now() + MS);
    ck_assert(got(0x30));
    ck_assert_uint_gt(timers_next(), world_now());
}
END_TEST

START_TEST(test_pm)
{
    uint64_t t0 = 5000 * MS;

    at(t0);
    ck_assert_uint_eq(in(PM_TMR_PORT, 4), 5 * 3579545);
    ck_assert_uint_eq(in(PM_TMR_PORT + 1, 1), 5 * 3579545 >> 8 & 0xff);
    at(t0 + 2000000 * MS); /* wraps at 32 bits */
    ck_assert_uint_eq(in(PM_TMR_PORT, 4), (uint32_t)(2005ull * 3579545));
    ck_assert_uint_eq(in(PM1A_CNT_PORT, 2), 1);
    out(PM1A_EVT_PORT + 2, 2, 0x120);
    ck_assert_uint_eq(in(PM1A_EVT_PORT, 4), 0x1200000);
    out(PM1A_CNT_PORT, 2, 0x1400); /* sleep type alone */
    ck_assert_uint_eq(in(PM1A_CNT_PORT, 2), 0x1401);
    ck_assert(!d->shutting_down);
    out(PM1A_CNT_PORT, 2, 0x3400);
    ck_assert(d->shutting_down);
    ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_poweroff);
}
END_TEST

START_TEST(test_sleep_control)
{
    out(SLEEP_STATUS_PORT, 1, 0x20);
    out(SLEEP_CONTROL_PORT, 1, 0x14);
    ck_assert(!d->shutting_down);
    ck_assert_uint_eq(in(SLEEP_CONTROL_PORT, 2), 0);
    out(SLEEP_CONTROL_PORT, 1, 0x34);
    ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_poweroff);
    ck_assert(d->shutting_down);
}
END_TEST

START_TEST(test_reset)
{
    out(0xcf8, 4, 0x80000400); /* a PCI address is no reset */
    out(RESET_PORT, 1, 2);
    out(0x64, 1, 0xd1);
    ck_assert(!d->shutting_down);
    if (_i == 0)
        out(RESET_PORT, 1, 6);
    else
        out(0x64, 1, 0xfe);
    ck_assert(d->shutting_down);
    ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_reboot);
}
END_TEST

START_TEST(test_rtc)
{
    /* 2000-02-29 23:59:59 was a Tuesday; 2026-11-21 00:00:00 will be a Saturday. */
    static const struct {
        uint64_t when;
        uint8_t s, m, h, w, day, mon, y, c;
    } known[] = {{951868799, 0x59, 0x59, 0x23, 3, 0x29, 0x02, 0x00, 0x20},
                 {951868800, 0x00, 0x00, 0x00, 4, 0x01, 0x03, 0x00, 0x20},
                 {0, 0, 0, 0, 5, 0x01, 0x01, 0x70, 0x19},
                 {1795219200, 0, 0, 0, 7, 0x21, 0x11, 0x26, 0x20},
                 {4102444799, 0x59, 0x59, 0x23, 5, 0x31, 0x12, 0x99, 0x20}};
    uint64_t now;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(known); i++) {
        ck_assert_uint_eq(vrtc_read(0, known[i].when), known[i].s);
        ck_assert_uint_eq(vrtc_read(2, known[i].when), known[i].m);
        ck_assert_uint_eq(vrtc_read(4, known[i].when), known[i].h);
        ck_assert_uint_eq(vrtc_read(6, known[i].when), known[i].w);
        ck_assert_uint_eq(vrtc_read(7, known[i].when), known[i].day);
        ck_assert_uint_eq(vrtc_read(8, known[i].when), known[i].mon);
        ck_assert_uint_eq(vrtc_read(9, known[i].when), known[i].y);
        ck_assert_uint_eq(vrtc_read(0x32, known[i].when), known[i].c);
    }
    out(0x70, 1, 0x8a); /* bit 7 is the NMI mask */
    ck_assert_uint_eq(in(0x71, 1), 0x26);
    out(0x70, 1, 0x0b);
    ck_assert_uint_eq(in(0x71, 1), 0x02);
    out(0x70, 1, 0x0d);
    ck_assert_uint_eq(in(0x71, 1), 0x80);
    out(0x70, 1, 0x09);
    now = port_wallclock_ns() / 1000000000;
    ck_assert_uint_eq(in(0x71, 1), vrtc_read(9, now));
    d->time_offset = 3600;
    out(0x70, 1, 0x04);
    ck_assert_uint_eq(in(0x71, 1), vrtc_read(4, now + 3600));
}
END_TEST

START_TEST(test_debug_port)
{
    static const char text[] = "hello\n";
    unsigned i;

    world_console_sink = sink;
    ck_assert_uint_eq(in(0xe9, 1), 0xe9);
    for (i = 0; i < 6; i++)
        out(0xe9, 1, (uint8_t)text[i]);
    out(0xe9, 1, 0x1b);
    out(0xe9, 1, 0x80);
    ck_assert_uint_eq(console_len, 6);
    ck_assert_int_eq(memcmp(console, text, 6), 0);
    for (i = 0; i < 70000; i++)
        out(0xe9, 1, 'x');
    ck_assert_uint_eq(console_len, 65536);
    at(world_now() + 2000 * MS);
    out(0xe9, 1, 'x');
    ck_assert_uint_eq(console_len, 65537);
}
END_TEST

START_TEST(test_random_access)
{
    uint64_t x = 88172645463325252u, value;
    unsigned n;

    for (n = 0; n < 100000; n++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        value = x;
        if ((x & 1) != 0)
            (void)vdev_mmio(v, gaddr(IOAPIC_BASE + (x >> 8 & 0x1fff)), (unsigned)(x >> 1 & 7) + 1,
                            (x & 16) != 0, &value);
        else if ((x & 32) != 0)
            out((uint16_t)(0x40 + (x >> 8 & 3)), 1u << (x >> 1 & 1), (uint32_t)(x >> 32));
        else
            in((uint16_t)(x >> 8), 1u << ((x >> 1) % 3));
        if (n % 100 == 0)
            at(world_now() + (x >> 44));
        vioapic_set_irq(d, (unsigned)(x >> 40 & 63), (x & 64) != 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vdev");
    TCase *t = tcase_create("vdev");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_absent);
    tcase_add_test(t, test_lapic_page);
    tcase_add_test(t, test_ioapic_registers);
    tcase_add_test(t, test_ioapic_edge_level);
    tcase_add_test(t, test_pit_channel2);
    tcase_add_test(t, test_pit_irq);
    tcase_add_test(t, test_pm);
    tcase_add_test(t, test_sleep_control);
    tcase_add_loop_test(t, test_reset, 0, 2);
    tcase_add_test(t, test_rtc);
    tcase_add_test(t, test_debug_port);
    tcase_add_test(t, test_random_access);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
