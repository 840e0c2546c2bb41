/* The local APIC: registers, priorities, IPIs, modes, timer. */
#include "tests/unit/fixture.h"

#include "x86/hvm/hvm.h"

#define CPUS 4u
#define MS 1000000ull

static struct domain *d;
static struct vcpu *v, *v1, *v2;

static void wr(struct vcpu *t, uint32_t offset, uint32_t value)
{
    ck_assert(vlapic_mmio(t, offset, 4, true, &value));
}

static uint32_t rd(struct vcpu *t, uint32_t offset)
{
    uint32_t value = 0x5a5a5a5a;

    ck_assert(vlapic_mmio(t, offset, 4, false, &value));
    return value;
}

static uint64_t msr(struct vcpu *t, uint32_t index)
{
    uint64_t value = 0;

    ck_assert_int_eq(vlapic_rdmsr(t, index, &value), 0);
    return value;
}

static void enable(struct vcpu *t)
{
    wr(t, 0xf0, 0x1ff);
}

static void x2apic(struct vcpu *t)
{
    ck_assert_int_eq(vlapic_wrmsr(t, 0x1b, msr(t, 0x1b) | 0x400), 0);
}

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(4, CPUS);
    v = domain_vcpu(d, 0);
    v1 = domain_vcpu(d, 1);
    v2 = domain_vcpu(d, 2);
}

static void teardown(void)
{
    fixture_kill(d);
    fixture_stop();
}

/* Lets virtual time reach ns and fires what is due. */
static void at(uint64_t ns)
{
    world_set_time(ns);
    timers_run();
}

START_TEST(test_reset_values)
{
    uint32_t value = 0;
    unsigned i;

    ck_assert_uint_eq(msr(v, 0x1b), 0xfee00900);
    ck_assert_uint_eq(msr(v1, 0x1b), 0xfee00800);
    ck_assert_uint_eq(rd(v, 0x20), 0);
    ck_assert_uint_eq(rd(v2, 0x20), 4u << 24);
    ck_assert_uint_eq(rd(v, 0x30), 0x50014);
    ck_assert_uint_eq(rd(v, 0xe0), 0xffffffff);
    ck_assert_uint_eq(rd(v, 0xf0), 0xff);
    ck_assert(!vlapic_enabled(v));
    for (i = 0x320; i <= 0x370; i += 16)
        ck_assert_uint_eq(rd(v, i), 0x10000);
    /* While disabled by software, masks stay. */
    wr(v, 0x350, 0x700);
    ck_assert_uint_eq(rd(v, 0x350), 0x10700);
    enable(v);
    wr(v, 0x350, 0xffffffff);
    ck_assert_uint_eq(rd(v, 0x350), 0x1a7ff);
    wr(v, 0x350, 0x700);
    wr(v, 0xf0, 0xff);
    ck_assert_uint_eq(rd(v, 0x350), 0x10700);
    /* Read-only and absent ones swallow writes. */
    wr(v, 0x20, 0x12345678);
    wr(v, 0x30, 0);
    wr(v, 0x100, 1);
    wr(v, 0x40, 7);
    ck_assert_uint_eq(rd(v, 0x20), 0);
    ck_assert_uint_eq(rd(v, 0x30), 0x50014);
    ck_assert_uint_eq(rd(v, 0x100), 0);
    ck_assert_uint_eq(rd(v, 0x3f0), 0);
    ck_assert_uint_eq(rd(v, 0xff0), 0);
    ck_assert(!vlapic_mmio(v, 0x1000, 4, false, &value));
    ck_assert(vlapic_mmio(v, 0x31, 1, false, &value));
    ck_assert_uint_eq(value, 0);
    ck_assert(vlapic_mmio(v, 0x32, 2, false, &value));
    ck_assert_uint_eq(value, 5);
    ck_assert(vlapic_mmio(v, 0x33, 4, false, &value));
}
END_TEST

START_TEST(test_priorities)
{
    /* Disabled by software: messages are lost, the hypervisor's own vectors wait. */
    vlapic_deliver(d, 0, false, DELIVER_FIXED, 0x32, false);
    vlapic_set_irq(v, 0x33, false);
    ck_assert_int_eq(vlapic_pending(v), -1);
    enable(v);
    ck_assert_int_eq(vlapic_pending(v), 0x33);
    vlapic_ack(v, 0x33);
    wr(v, 0xb0, 0);
    vlapic_set_irq(v, 0x31, false);
    vlapic_set_irq(v, 0x35, false);
    vlapic_set_irq(v, 0x80, false);
    ck_assert_uint_eq(rd(v, 0x210), 0x00220000);
    ck_assert_int_eq(vlapic_pending(v), 0x80);
    vlapic_set_tpr(v, 8);
    ck_assert_uint_eq(rd(v, 0x80), 0x80);
    ck_assert_int_eq(vlapic_pending(v), -1);
    wr(v, 0x80, 0x7f);
    ck_assert_uint_eq(vlapic_tpr(v), 7);
    ck_assert_uint_eq(rd(v, 0xa0), 0x7f);
    ck_assert_int_eq(vlapic_pending(v), 0x80);
    wr(v, 0x80, 0);
    vlapic_ack(v, 0x80);
    ck_assert_uint_eq(rd(v, 0x140), 1);
    ck_assert_uint_eq(rd(v, 0x240), 0);
    ck_assert_uint_eq(rd(v, 0xa0), 0x80);
    ck_assert_int_eq(vlapic_pending(v), -1);
    vlapic_set_irq(v, 0x90, false);
    ck_assert_int_eq(vlapic_pending(v), 0x90);
    vlapic_ack(v, 0x90);
    wr(v, 0xb0, 0);
    ck_assert_uint_eq(rd(v, 0xa0), 0x80);
    wr(v, 0xb0, 0);
    ck_assert_uint_eq(rd(v, 0xa0), 0);
    ck_assert_int_eq(vlapic_pending(v), 0x35);
    vlapic_ack(v, 0x35);
    ck_assert_int_eq(vlapic_pending(v), -1); /* same class */
    wr(v, 0xb0, 0);
    wr(v, 0xb0, 0); /* nothing in service */
    ck_assert_int_eq(vlapic_pending(v), 0x31);
}
END_TEST

START_TEST(test_errors)
{
    enable(v);
    wr(v, 0x370, 0xe0);
    wr(v, 0x300, 0x40000 | 5);          /* self, illegal vector */
    ck_assert_uint_eq(rd(v, 0x280), 0); /* latched by a write only */
    ck_assert_int_eq(vlapic_pending(v), 0xe0);
    wr(v, 0x280, 0);
    ck_assert_uint_eq(rd(v, 0x280), 0x20);
    vlapic_set_irq(v, 3, false);
    wr(v, 0x280, 0);
    ck_assert_uint_eq(rd(v, 0x280), 0x40);
    wr(v, 0x280, 0);
    ck_assert_uint_eq(rd(v, 0x280), 0);
    /* An error vector that is illegal itself ends. */
    wr(v, 0x370, 2);
    wr(v, 0x300, 0x40005);
    wr(v, 0x280, 0);
    ck_assert_uint_eq(rd(v, 0x280), 0x60);
}
END_TEST

static bool got(struct vcpu *t, uint8_t vector)
{
    bool yes = (t->arch->lapic.irr[vector >> 5] >> (vector & 31) & 1) != 0;

    t->arch->lapic.irr[vector >> 5] = 0;
    return yes;
}

static void send(uint32_t dest, uint32_t low)
{
    wr(v, 0x310, dest << 24);
    wr(v, 0x300, low);
}

START_TEST(test_ipi)
{
    unsigned i;

    for (i = 0; i < CPUS; i++)
        enable(domain_vcpu(d, i));
    send(2, 0x40);
    ck_assert(got(v1, 0x40) && !got(v, 0x40) && !got(v2, 0x40));
    send(3, 0x40); /* nobody */
    send(0xff, 0x41);
    for (i = 0; i < CPUS; i++)
        ck_assert(got(domain_vcpu(d, i), 0x41));
    send(0, 0xc0042); /* all others */
    ck_assert(!got(v, 0x42) && got(v1, 0x42) && got(v2, 0x42));
    send(0, 0x80043);
    ck_assert(got(v, 0x43) && got(v1, 0x43));
    send(0, 0x40044);
    ck_assert(got(v, 0x44) && !got(v1, 0x44));
    /* Flat model. */
    wr(v, 0xd0, 0x01000000);
    wr(v1, 0xd0, 0x02ffffff);
    ck_assert_uint_eq(rd(v1, 0xd0), 0x02000000);
    wr(v2, 0xd0, 0x04000000);
    send(6, 0x845);
    ck_assert(!got(v, 0x45) && got(v1, 0x45) && got(v2, 0x45));
    /* Cluster model: cluster 1, members 1 and 2. */
    for (i = 0; i < CPUS; i++)
        wr(domain_vcpu(d, i), 0xe0, 0);
    ck_assert_uint_eq(rd(v, 0xe0), 0x0fffffff);
    wr(v, 0xd0, 0x11000000);
    wr(v1, 0xd0, 0x12000000);
    wr(v2, 0xd0, 0x21000000);
    send(0x13, 0x846);
    ck_assert(got(v, 0x46) && got(v1, 0x46) && !got(v2, 0x46));
    send(0xf1, 0x847);
    ck_assert(got(v, 0x47) && !got(v1, 0x47) && got(v2, 0x47));
    /* Lowest priority: the lowest PPR that listens. */
    wr(v, 0x80, 0x50);
    wr(v1, 0x80, 0x20);
    send(0x13, 0x948);
    ck_assert(!got(v, 0x48) && got(v1, 0x48));
    wr(v1, 0xf0, 0xff);
    send(0x13, 0x948);
    ck_assert(got(v, 0x48) && !got(v1, 0x48));
    send(4, 0x0c << 8 | 0x49); /* NMI to v2 by logical address that names nobody */
    send(4, 0x04 << 8);
    ck_assert(v2->arch->nmi_pending);
}
END_TEST

START_TEST(test_init_sipi)
{
    enable(v);
    send(2, 0x8500); /* de-assert: nothing */
    ck_assert_uint_eq(v1->arch->ipi, 0);
    send(2, 0xc500); /* INIT, then SIPI */
    send(2, 0x608);
    hvm_vcpu_service_ipis(v1);
    ck_assert(!v1->arch->wait_sipi);
    ck_assert_uint_eq(script_state(v1)->seg[SEG_CS].base, 0x8000);
    ck_assert_uint_eq(v1->pause_flags & VPF_DOWN, 0);
    send(2, 0x609); /* a second SIPI is ignored */
    hvm_vcpu_service_ipis(v1);
    ck_assert_uint_eq(script_state(v1)->seg[SEG_CS].base, 0x8000);
    enable(v1);
    send(2, 0xc500);
    hvm_vcpu_service_ipis(v1);
    ck_assert(v1->arch->wait_sipi);
    ck_assert_uint_ne(v1->pause_flags & VPF_DOWN, 0);
    ck_assert(!vlapic_enabled(v1));
    send(0, 0xc500); /* to itself: dropped */
    send(0, 0x80500 | 0x4000);
    ck_assert_uint_eq(v->arch->ipi, 0);
}
END_TEST

START_TEST(test_modes)
{
    uint64_t value;
    uint32_t dword = 0;

    /* Illegal: x2APIC without enable, reserved bits. */
    ck_assert_int_eq(vlapic_wrmsr(v, 0x1b, 0xfee00400), -1);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x1b, 0xfee00901), -1);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x1b, 0xfee00b00), -1);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x1b, 1ull << 52), -1);
    ck_assert_int_eq(vlapic_rdmsr(v, 0x802, &value), -1); /* not in x2APIC mode */
    ck_assert_int_eq(vlapic_wrmsr(v, 0x80b, 0), -1);
    enable(v2);
    x2apic(v2);
    ck_assert_uint_eq(msr(v2, 0x802), 4);
    ck_assert_uint_eq(msr(v2, 0x803), 0x50014);
    ck_assert_uint_eq(msr(v2, 0x80d), 1u << 4);
    ck_assert_uint_eq(msr(v2, 0x80f), 0x1ff); /* state is kept */
    ck_assert(!vlapic_mmio(v2, 0x20, 4, false, &dword));
    ck_assert_int_eq(vlapic_wrmsr(v2, 0x1b, 0xfee00800), -1); /* back to xAPIC */
    ck_assert_int_eq(vlapic_wrmsr(v2, 0x1b, 0xfee00000), 0);
    ck_assert(!vlapic_enabled(v2));
    ck_assert(!vlapic_mmio(v2, 0x20, 4, false, &dword));
    ck_assert_uint_eq(dword, 0xffffffff);
    ck_assert_int_eq(vlapic_wrmsr(v2, 0x1b, 0xfee00c00), -1); /* from disabled */
    ck_assert_int_eq(vlapic_wrmsr(v2, 0x1b, 0xfee00800), 0);
    ck_assert_uint_eq(rd(v2, 0xf0), 0xff);
    /* vlapic_reset() keeps mode and id. */
    x2apic(v2);
    vlapic_reset(v2);
    ck_assert_uint_eq(msr(v2, 0x802), 4);
    ck_assert_uint_eq(msr(v2, 0x80d), 1u << 4);
}
END_TEST

START_TEST(test_x2apic_registers)
{
    static const uint32_t absent[] = {0x800, 0x804, 0x809, 0x80e, 0x82f, 0x831,
                                      0x83f, 0x80b, 0x83a, 0x840, 0x8ff};
    static const struct {
        uint32_t index;
        uint64_t bad;
    } refused[] = {{0x802, 0},          {0x803, 0},         {0x808, 0x100},   {0x80a, 0},
                   {0x80b, 1},          {0x80d, 0},         {0x80f, 0x200},   {0x828, 1},
                   {0x830, 0x1000},     {0x832, 0x80000},   {0x835, 0x20000}, {0x837, 0x100},
                   {0x838, 1ull << 32}, {0x839, 0},         {0x83e, 4},       {0x83f, 0x100},
                   {0x810, 0},          {0x808, 1ull << 32}};
    uint64_t value;
    unsigned i;

    x2apic(v);
    x2apic(v1);
    x2apic(v2);
    for (i = 0; i < ARRAY_SIZE(absent); i++)
        ck_assert_msg(vlapic_rdmsr(v, absent[i], &value) == -1, "%x", absent[i]);
    for (i = 0; i < ARRAY_SIZE(refused); i++)
        ck_assert_msg(vlapic_wrmsr(v, refused[i].index, refused[i].bad) == -1, "%x",
                      refused[i].index);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(vlapic_wrmsr(domain_vcpu(d, i), 0x80f, 0x1ff), 0);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x83f, 0x55), 0);
    ck_assert(got(v, 0x55));
    ck_assert_int_eq(vlapic_wrmsr(v, 0x830, 2ull << 32 | 0x56), 0);
    ck_assert(got(v1, 0x56));
    ck_assert_uint_eq(msr(v, 0x830), 2ull << 32 | 0x56);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x830, 0xffull << 32 | 0x56), 0); /* no broadcast */
    ck_assert(!got(v1, 0x56));
    ck_assert_int_eq(vlapic_wrmsr(v, 0x830, 0xffffffffull << 32 | 0x57), 0);
    ck_assert(got(v, 0x57) && got(v1, 0x57) && got(v2, 0x57));
    ck_assert_int_eq(vlapic_wrmsr(v, 0x830, 0x14ull << 32 | 0x858), 0); /* cluster 0: 2, 4 */
    ck_assert(!got(v, 0x58) && got(v1, 0x58) == 1 && got(v2, 0x58));
    ck_assert_int_eq(vlapic_wrmsr(v, 0x808, 0x20), 0);
    ck_assert_uint_eq(vlapic_tpr(v), 2);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x80b, 0), 0);
    /* Messages of devices still reach everyone with 0xff. */
    vlapic_deliver(d, 0xff, false, DELIVER_FIXED, 0x59, false);
    ck_assert(got(v, 0x59) && got(v2, 0x59));
    vlapic_deliver(d, 4, false, DELIVER_LOWEST, 0x5a, false);
    ck_assert(!got(v, 0x5a) && got(v2, 0x5a));
}
END_TEST

START_TEST(test_one_shot)
{
    uint64_t t0 = world_now();

    enable(v);
    wr(v, 0x3e0, 0xb); /* divide by 1 */
    wr(v, 0x320, 0x30);
    wr(v, 0x380, 1000000);
    ck_assert_uint_eq(rd(v, 0x390), 1000000);
    at(t0 + MS / 4);
    ck_assert_uint_eq(rd(v, 0x390), 750000);
    wr(v, 0x3e0, 0); /* the rest at half the rate */
    ck_assert_uint_eq(rd(v, 0x390), 750000);
    at(t0 + MS);
    ck_assert_int_eq(vlapic_pending(v), -1);
    at(t0 + MS / 4 + 2 * 750000 + 1);
    ck_assert_uint_eq(rd(v, 0x390), 0);
    ck_assert(got(v, 0x30));
    at(t0 + 100 * MS);
    ck_assert(!got(v, 0x30));
    wr(v, 0x320, 0x10030); /* masked: counts, tells nobody */
    wr(v, 0x380, 1000);
    at(t0 + 101 * MS);
    ck_assert(!got(v, 0x30));
    ck_assert_uint_eq(rd(v, 0x390), 0);
    wr(v, 0x320, 0x30);
    wr(v, 0x380, 1000);
    wr(v, 0x380, 0); /* stops it */
    at(t0 + 102 * MS);
    ck_assert(!got(v, 0x30));
}
END_TEST

START_TEST(test_periodic)
{
    uint64_t t0 = world_now(), i;

    enable(v);
    wr(v, 0x3e0, 0xb);
    wr(v, 0x320, 0x20030);
    wr(v, 0x380, 1000000);
    for (i = 1; i < 5; i++) {
        at(t0 + i * MS);
        ck_assert(got(v, 0x30));
        at(t0 + i * MS + MS / 2);
        ck_assert(!got(v, 0x30));
        ck_assert_uint_eq(rd(v, 0x390), 500000);
    }
    at(t0 + 50 * MS); /* missed ones are merged, the phase stays */
    ck_assert(got(v, 0x30));
    at(t0 + 50 * MS + MS / 2);
    ck_assert(!got(v, 0x30));
    at(t0 + 51 * MS);
    ck_assert(got(v, 0x30));
    /* A period of one tick does not hold the CPU up. */
    wr(v, 0x380, 1);
    at(t0 + 52 * MS);
    ck_assert(got(v, 0x30));
    ck_assert_uint_gt(timers_next(), world_now());
}
END_TEST

START_TEST(test_deadline)
{
    uint64_t t0 = world_now(), khz = port_tsc_khz();

    enable(v);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, port_tsc_read() + khz), 0); /* wrong mode: ignored */
    ck_assert_uint_eq(msr(v, 0x6e0), 0);
    wr(v, 0x320, 0x40031);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, port_tsc_read() + khz), 0);
    ck_assert_uint_ne(msr(v, 0x6e0), 0);
    wr(v, 0x380, 5); /* ignored */
    ck_assert_uint_eq(rd(v, 0x390), 0);
    at(t0 + MS / 2);
    ck_assert(!got(v, 0x31));
    at(t0 + MS + 1000);
    ck_assert(got(v, 0x31));
    ck_assert_uint_eq(msr(v, 0x6e0), 0);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, 1), 0); /* past */
    ck_assert(got(v, 0x31));
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, UINT64_MAX), 0);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, port_tsc_read() + khz), 0);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, 0), 0);
    at(t0 + 10 * MS);
    ck_assert(!got(v, 0x31));
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, port_tsc_read() + khz), 0);
    wr(v, 0x320, 0x31); /* leaving the mode disarms */
    at(t0 + 20 * MS);
    ck_assert(!got(v, 0x31));
    wr(v, 0x320, 0x60031); /* reserved mode: no timer */
    wr(v, 0x380, 5);
    at(t0 + 30 * MS);
    ck_assert(!got(v, 0x31));
}
END_TEST

/* The deadline is in ticks of the counter that the guest reads. */
START_TEST(test_deadline_emulated)
{
    uint64_t t0 = world_now();

    enable(v);
    wr(v, 0x320, 0x40031);
    ck_assert_int_eq(domain_tsc_set(v->domain, TSC_MODE_EMULATE, 0, 4000000, 0), 0);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, 4000000), 0);
    at(t0 + MS - 1000);
    ck_assert(!got(v, 0x31));
    at(t0 + MS + 1000);
    ck_assert(got(v, 0x31));
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, 4000000), 0); /* past */
    ck_assert(got(v, 0x31));
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, UINT64_MAX), 0);
    at(t0 + 2 * MS);
    ck_assert(!got(v, 0x31));
}
END_TEST

START_TEST(test_random_access)
{
    uint64_t x = 88172645463325252u, value;
    unsigned n;
    uint32_t low;

    for (n = 0; n < 100000; n++) {
        struct vcpu *t;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        t = domain_vcpu(d, (uint32_t)(x & 1) * 2);
        low = (uint32_t)(x >> 32);
        value = x >> (x & 63);
        if ((x & 2) != 0)
            (void)vlapic_mmio(t, (uint32_t)(x >> 4) & 0xfff, 1u << (x >> 2 & 3), (x & 8) != 0,
                              &low);
        else if ((x & 4) != 0)
            (void)vlapic_wrmsr(t, 0x800 + ((uint32_t)(x >> 8) & 0x7f), value);
        else
            (void)vlapic_rdmsr(t, 0x800 + ((uint32_t)(x >> 8) & 0x7f), &value);
        if (n % 1000 == 0)
            (void)vlapic_wrmsr(t, 0x1b, 0xfee00000 | (x & 0xc00));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vlapic");
    TCase *t = tcase_create("vlapic");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_reset_values);
    tcase_add_test(t, test_priorities);
    tcase_add_test(t, test_errors);
    tcase_add_test(t, test_ipi);
    tcase_add_test(t, test_init_sipi);
    tcase_add_test(t, test_modes);
    tcase_add_test(t, test_x2apic_registers);
    tcase_add_test(t, test_one_shot);
    tcase_add_test(t, test_periodic);
    tcase_add_test(t, test_deadline);
    tcase_add_test(t, test_deadline_emulated);
    tcase_add_test(t, test_random_access);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
