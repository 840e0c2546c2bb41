/* A local APIC of which the CPU does a part: the page between x86 and such an engine. What
 * the CPU does (SDM Vol. 3 ch. 29) this test does in its place. */
#include "tests/unit/fixture.h"

#include "base/xen.h"

#include <xen/hvm/save.h>

#include "core/p2m/p2m.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

static struct domain *d;
static struct vcpu *v;
static struct vlapic *l;

static void wr(uint32_t offset, uint32_t value)
{
    ck_assert(vlapic_mmio(v, offset, 4, true, &value));
}

static uint32_t rd(uint32_t offset)
{
    uint32_t value = 0x5a5a5a5a;

    ck_assert(vlapic_mmio(v, offset, 4, false, &value));
    return value;
}

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(4, 2);
    v = domain_vcpu(d, 0);
    l = &v->arch->lapic;
    l->by_cpu = true;
    wr(0xf0, 0x1ff);
    (void)vlapic_hand_over(v);
}

static void teardown(void)
{
    fixture_kill(d);
    fixture_stop();
}

static uint32_t *word(enum lapic_reg first, uint8_t vector)
{
    return &l->page[first + vector / 32].v;
}

static bool has(enum lapic_reg first, uint8_t vector)
{
    return (*word(first, vector) >> vector % 32 & 1) != 0;
}

/* 29.2.2 */
static void cpu_delivers(uint8_t vector)
{
    ck_assert(has(LAPIC_IRR, vector));
    *word(LAPIC_IRR, vector) &= ~(UINT32_C(1) << vector % 32);
    *word(LAPIC_ISR, vector) |= UINT32_C(1) << vector % 32;
}

/* 29.1.4 */
static void cpu_ends(uint8_t vector)
{
    ck_assert(has(LAPIC_ISR, vector));
    *word(LAPIC_ISR, vector) &= ~(UINT32_C(1) << vector % 32);
}

static void written(uint32_t offset, uint32_t value)
{
    l->page[offset / 16].v = value;
    v->arch->exit = (struct guest_exit){
        .reason = EXIT_APIC, .u.apic.offset = (uint16_t)offset, .vectoring.type = EVENT_NONE};
    hvm_handle_exit(v);
}

START_TEST(test_layout)
{
    ck_assert_uint_eq((uintptr_t)l->page % PAGE_SIZE, 0);
    ck_assert_uint_eq(sizeof(l->page), PAGE_SIZE);
    wr(0x80, 0x55);
    ck_assert_uint_eq(*(uint32_t *)(void *)((uint8_t *)l->page + 0x80), 0x55);
    ck_assert_uint_eq(vlapic_tpr(v), 5);
    *(uint32_t *)(void *)((uint8_t *)l->page + 0x80) = 0x70; /* MOV CR8 in the guest */
    ck_assert_uint_eq(vlapic_tpr(v), 7);
    ck_assert_uint_eq(rd(0x80), 0x70);
    ck_assert_uint_eq(rd(0xa0), 0x70);
}
END_TEST

/* What is requested waits outside the page until the vCPU's CPU hands it over. */
START_TEST(test_hand_over)
{
    ck_assert(!vlapic_hand_over(v));
    vlapic_set_irq(v, 0x51, false);
    vlapic_set_irq(v, 0x93, false);
    ck_assert(!has(LAPIC_IRR, 0x51));
    ck_assert_int_eq(vlapic_pending(v), 0x93);
    ck_assert_uint_eq(rd(0x200 + 0x10 * (0x51 / 32)), UINT32_C(1) << 0x51 % 32);
    ck_assert(vlapic_hand_over(v));
    ck_assert(!vlapic_hand_over(v));
    ck_assert(has(LAPIC_IRR, 0x51) && has(LAPIC_IRR, 0x93));
    ck_assert_uint_eq(l->irr[0x51 / 32] | l->irr[0x93 / 32], 0);
    ck_assert_int_eq(vlapic_pending(v), 0x93);
    ck_assert_uint_eq(vlapic_status(l), 0x93);
    cpu_delivers(0x93);
    ck_assert_uint_eq(vlapic_status(l), 0x9351);
    ck_assert_uint_eq(vlapic_ppr(l), 0x90);
    ck_assert_int_eq(vlapic_pending(v), -1); /* lower than what is in service */
    cpu_ends(0x93);
    ck_assert_int_eq(vlapic_pending(v), 0x51);
    cpu_delivers(0x51);
    wr(0xb0, 0); /* an EOI that software does must be told */
    ck_assert(vlapic_hand_over(v));
    ck_assert_uint_eq(vlapic_status(l), 0);
}
END_TEST

/* Software injects nothing of the local APIC, and asks for no window; what goes past it
 * comes as ever. */
START_TEST(test_entry)
{
    struct guest_entry e;
    struct vcpu_arch *a = v->arch;

    a->regs.rflags |= RFLAGS_IF;
    vlapic_set_irq(v, 0x51, false);
    ck_assert(hvm_event_deliverable(v)); /* ends HLT */
    hvm_prepare_entry(v, &e);
    ck_assert_uint_eq(e.inject.type, EVENT_NONE);
    ck_assert(!e.intr_window);
    a->regs.rflags &= ~RFLAGS_IF;
    hvm_prepare_entry(v, &e);
    ck_assert(!e.intr_window);
    /* Acknowledged, and its delivery broken off: the CPU has it in service already. */
    (void)vlapic_hand_over(v);
    cpu_delivers(0x51);
    hvm_requeue(v, &(struct guest_event){.type = EVENT_EXT_INT, .vector = 0x51});
    hvm_prepare_entry(v, &e);
    ck_assert(e.intr_window);
    a->regs.rflags |= RFLAGS_IF;
    hvm_prepare_entry(v, &e);
    ck_assert_uint_eq(e.inject.type, EVENT_EXT_INT);
    ck_assert_uint_eq(e.inject.vector, 0x51);
    ck_assert(!e.intr_window);
    /* The callback past the APIC, and an NMI before it. */
    d->arch->callback_type = CALLBACK_VECTOR;
    d->arch->callback_vector = 0x70;
    v->info->evtchn_upcall_pending = 1;
    hvm_vcpu_nmi(v);
    hvm_prepare_entry(v, &e);
    ck_assert_uint_eq(e.inject.type, EVENT_NMI);
    ck_assert(e.intr_window);
    hvm_prepare_entry(v, &e);
    ck_assert_uint_eq(e.inject.vector, 0x70);
    v->info->evtchn_upcall_pending = 0;
}
END_TEST

/* While disabled the APIC delivers nothing, but keeps it. */
START_TEST(test_disabled)
{
    vlapic_set_irq(v, 0x51, false);
    (void)vlapic_hand_over(v);
    written(0xf0, 0xff);
    ck_assert(!vlapic_enabled(v));
    ck_assert_int_eq(vlapic_pending(v), -1);
    ck_assert(has(LAPIC_IRR, 0x51));
    ck_assert_uint_eq(rd(0x320), LVT_MASKED);
    written(0xf0, 0x1ff);
    ck_assert_int_eq(vlapic_pending(v), 0x51);
    vlapic_reset(v);
    ck_assert(!has(LAPIC_IRR, 0x51));
    ck_assert(vlapic_hand_over(v)); /* the CPU must hear of it */
    ck_assert_uint_eq(vlapic_status(l), 0);
}
END_TEST

/* The IOAPIC hears of the end of a level-triggered interrupt, if it was one. */
START_TEST(test_level)
{
    v->arch->exit = (struct guest_exit){
        .reason = EXIT_EOI, .u.apic.vector = 0x46, .vectoring.type = EVENT_NONE};
    d->arch->dev.ioapic.redir[6] = 0x8046;
    vioapic_set_irq(d, 6, true);
    ck_assert_uint_eq(l->tmr[2], UINT32_C(1) << 6); /* before it is requested */
    ck_assert(vlapic_hand_over(v));
    cpu_delivers(0x46);
    cpu_ends(0x46);
    hvm_handle_exit(v);
    ck_assert(l->irr[2] >> 6 & 1); /* still asserted: again */
    ck_assert(vlapic_hand_over(v));
    cpu_delivers(0x46);
    vioapic_set_irq(d, 6, false);
    cpu_ends(0x46);
    hvm_handle_exit(v);
    ck_assert_uint_eq(l->irr[2], 0);
    ck_assert_uint_eq(d->arch->dev.ioapic.redir[6], 0x8046);
    vlapic_set_irq(v, 0x46, false); /* an edge on the same vector */
    d->arch->dev.ioapic.redir[6] |= 1u << 14;
    hvm_handle_exit(v);
    ck_assert_uint_eq(d->arch->dev.ioapic.redir[6], 0xc046);
}
END_TEST

/* Registers that the CPU wrote to the page: what cannot stay there does not. */
START_TEST(test_written)
{
    written(0x20, 0x55000000); /* the ID is fixed */
    ck_assert_uint_eq(rd(0x20), 0);
    written(0xd0, 0x12345678);
    ck_assert_uint_eq(rd(0xd0), 0x12000000);
    written(0xe0, 0);
    ck_assert_uint_eq(rd(0xe0), 0x0fffffff);
    written(0x350, 0xffffffff);
    ck_assert_uint_eq(rd(0x350), 0x1a7ff);
    written(0x310, 0x02ffffff);
    ck_assert_uint_eq(rd(0x310), 0x02000000);
    written(0x300, 0x1052); /* to APIC 2: vCPU 1, whose APIC is off */
    ck_assert_uint_eq(rd(0x300), 0x52);
    written(0x300, 0x40003); /* an illegal vector to itself */
    written(0x280, 0x77);
    ck_assert_uint_eq(rd(0x280), ESR_SEND_ILLEGAL);
    written(0xff0, 1); /* nothing there */
    written(0x400, 1);
    ck_assert_uint_eq(l->page[0x40].v, 1);
    /* In x2APIC mode the self-IPI register alone comes this way. */
    ck_assert_int_eq(vlapic_wrmsr(v, 0x1b, LAPIC_BASE | 0xd00), 0);
    written(0x3f0, 0x61);
    ck_assert_int_eq(vlapic_pending(v), 0x61);
    written(0x3f0, 3);
    ck_assert_uint_ne(l->esr_pending, 0);
    written(0x320, 0x20000); /* not so any other */
    ck_assert_uint_eq(l->lvt_timer, 0x10000);
}
END_TEST

/* The old mode, divider and count decide what a write of the timer's registers does, though
 * the page has new ones. */
START_TEST(test_timer)
{
    uint64_t value;

    written(0x3e0, 0xb);
    written(0x320, 0x40);
    written(0x380, 1000000);
    ck_assert(l->timer.active);
    ck_assert_uint_le(rd(0x390), 1000000);
    ck_assert_uint_gt(rd(0x390), 0);
    written(0x320, 0x40040); /* to deadline mode: disarmed, the count gone */
    ck_assert(!l->timer.active);
    ck_assert_uint_eq(rd(0x380), 0);
    written(0x380, 5000); /* ignored in this mode */
    ck_assert_uint_eq(rd(0x380), 0);
    ck_assert_int_eq(vlapic_wrmsr(v, 0x6e0, UINT64_C(1) << 40), 0);
    ck_assert_int_eq(vlapic_rdmsr(v, 0x6e0, &value), 0);
    ck_assert_uint_eq(value, UINT64_C(1) << 40);
    written(0x320, 0x40); /* and back */
    ck_assert_int_eq(vlapic_rdmsr(v, 0x6e0, &value), 0);
    ck_assert_uint_eq(value, 0);
    written(0x380, 1000000);
    written(0x3e0, 0xffffffff);
    ck_assert_uint_eq(rd(0x3e0), 0xb);
    ck_assert(l->timer.active);
}
END_TEST

/* A save has what is requested, wherever it waits; a load tells the CPU. */
START_TEST(test_save)
{
    static struct hvm_hw_lapic_regs r;
    uint32_t got;

    vlapic_set_irq(v, 0x51, false);
    vlapic_set_irq(v, 0x61, false);
    (void)vlapic_hand_over(v);
    cpu_delivers(0x61);
    vlapic_set_irq(v, 0x52, false);
    vlapic_save_regs(v, &r);
    memcpy(&got, &r.data[0x200 + 0x10 * 2], sizeof(got));
    ck_assert_uint_eq(got, 0x60000);
    vlapic_reset(v);
    (void)vlapic_hand_over(v);
    vlapic_load_regs(v, &r);
    ck_assert_int_eq(vlapic_pending(v), -1);
    ck_assert(vlapic_hand_over(v));
    ck_assert_uint_eq(vlapic_status(l), 0x6152);
}
END_TEST

/* The frame is there while all APICs of the domain are, and is device registers, not memory. */
START_TEST(test_access)
{
    static const gfn_t at = {LAPIC_BASE >> PAGE_SHIFT};
    mfn_t m = vlapic_access_start(d);
    struct vcpu *second = domain_vcpu(d, 1);
    struct p2m_entry e;
    uint64_t value = 0;

    ck_assert(!mfn_is_invalid(m));
    ck_assert_uint_eq(vlapic_access_start(d).v, m.v); /* one a domain */
    e = p2m_lookup(d, at);
    ck_assert_uint_eq(e.type, P2M_SHARED);
    ck_assert_uint_eq(e.mfn.v, m.v);
    ck_assert(vlapic_access_at(d, &e));
    e.mfn.v++;
    ck_assert(!vlapic_access_at(d, &e));
    fixture_audit();
    /* Code there crashes the domain, as in any page that is not its own: not tried. */
    v->arch->exit = (struct guest_exit){
        .reason = EXIT_FAULT2,
        .vectoring.type = EVENT_NONE,
        .u.fault2 = {.gpa = gaddr(LAPIC_BASE + 0x30), .exact = true, .read = true}};
    v->arch->regs.rip = UINT64_C(1) << 40; /* nothing to decode */
    hvm_handle_exit(v);
    ck_assert_uint_eq(v->arch->pending.type, EVENT_HW_EXCEPTION); /* emulated, not retried */
    v->arch->pending.type = EVENT_NONE;
    ck_assert(vdev_mmio(v, gaddr(LAPIC_BASE + 0x30), 4, false, &value));
    ck_assert_uint_eq(value, LAPIC_VERSION_VALUE);
    ck_assert_int_eq(vlapic_wrmsr(second, 0x1b, 0xfee00800), 0); /* no change */
    ck_assert_uint_eq(p2m_lookup(d, at).type, P2M_SHARED);
    ck_assert_int_eq(vlapic_wrmsr(second, 0x1b, 0xfed00800), 0); /* moved away */
    ck_assert_uint_eq(p2m_lookup(d, at).type, P2M_INVALID);
    ck_assert_int_eq(vlapic_wrmsr(second, 0x1b, 0xfee00800), 0); /* and back: too late */
    ck_assert_uint_eq(p2m_lookup(d, at).type, P2M_INVALID);
    fixture_audit();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vlapic_page");
    TCase *t = tcase_create("vlapic_page");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_layout);
    tcase_add_test(t, test_hand_over);
    tcase_add_test(t, test_entry);
    tcase_add_test(t, test_disabled);
    tcase_add_test(t, test_level);
    tcase_add_test(t, test_written);
    tcase_add_test(t, test_timer);
    tcase_add_test(t, test_save);
    tcase_add_test(t, test_access);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
