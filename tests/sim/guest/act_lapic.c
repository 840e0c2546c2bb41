/* The local APIC: registers, its timer in each mode, interrupts to oneself and others. */
#include "guest.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#define MODE_PERIODIC (1u << 17)
#define MODE_DEADLINE (2u << 17)
#define MASKED (1u << 16)
#define MSR_TSC_DEADLINE 0x6e0u

static volatile uint32_t order[8], order_n;

static volatile uint32_t *irqs(void)
{
    return me()->irqs;
}

static void registers(void)
{
    OK((lapic_read(LAPIC_VERSION) & 0xff) >= 0x10);
    OK((lapic_read(LAPIC_VERSION) >> 16 & 0xff) >= 4);
    EQ(lapic_read(LAPIC_ID) >> (me()->x2apic ? 0 : 24), apic_id_of(0));
    EQ(lapic_read(LAPIC_SVR), 0x1ff);
    lapic_write(LAPIC_TPR, 0x30);
    EQ(lapic_read(LAPIC_TPR), 0x30);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LVT0, MASKED | 0x700);
    EQ(lapic_read(LAPIC_LVT0) & (MASKED | 0x7ff), MASKED | 0x700);
}

/* Masked while interrupts are off, delivered once when they go on. */
static void self_ipi(void)
{
    uint32_t before = irqs()[VEC_TEST];

    irq_off();
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST);
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST); /* merges with the first */
    EQ(irqs()[VEC_TEST], before);
    OK(lapic_read(LAPIC_IRR + 0x10 * (VEC_TEST / 32)) >> VEC_TEST % 32 & 1);
    irq_on();
    EQ(irqs()[VEC_TEST], before + 1);
    EQ(lapic_read(LAPIC_ISR + 0x10 * (VEC_TEST / 32)), 0);
    lapic_icr(apic_id_of(0), ICR_ASSERT | VEC_TEST); /* by its number */
    irq_on();
    OK(WAIT(irqs()[VEC_TEST] == before + 2));
}

static void note(struct frame *f)
{
    order[order_n++ % 8] = (uint32_t)f->vector;
}

/* The higher class first, and not at all below the task's priority. */
static void priorities(void)
{
    irq_hook[VEC_TEST] = note;
    irq_hook[VEC_TEST2] = note;
    order_n = 0;
    irq_off();
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST);
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST2);
    irq_on();
    OK(WAIT(order_n == 2));
    EQ(order[0], VEC_TEST2);
    EQ(order[1], VEC_TEST);
    lapic_write(LAPIC_TPR, 0x50); /* holds back classes up to 5 */
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST);
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST2);
    OK(WAIT(order_n == 3));
    EQ(order[2], VEC_TEST2);
    lapic_write(LAPIC_TPR, 0);
    OK(WAIT(order_n == 4));
    EQ(order[3], VEC_TEST);
    irq_hook[VEC_TEST] = NULL;
    irq_hook[VEC_TEST2] = NULL;
}

static void timer_off(void)
{
    lapic_write(LAPIC_LVTT, MASKED);
    lapic_write(LAPIC_TMICT, 0);
}

/* HLT is left by the timer's interrupt. */
static void timer_one_shot(void)
{
    uint32_t before = irqs()[VEC_TIMER];

    lapic_write(LAPIC_TDCR, 0xb); /* divides by 1 */
    lapic_write(LAPIC_LVTT, VEC_TIMER);
    lapic_write(LAPIC_TMICT, 1000000);
    OK(lapic_read(LAPIC_TMCCT) <= 1000000);
    OK(HALT_UNTIL(irqs()[VEC_TIMER] != before));
    EQ(irqs()[VEC_TIMER], before + 1);
    EQ(lapic_read(LAPIC_TMCCT), 0);
    rest(2 * MS);
    EQ(irqs()[VEC_TIMER], before + 1);
    lapic_write(LAPIC_TMICT, 100000);
    lapic_write(LAPIC_TMICT, 0); /* stopped in time, or just fired */
    lapic_write(LAPIC_LVTT, MASKED | VEC_TIMER);
    before = irqs()[VEC_TIMER];
    lapic_write(LAPIC_TMICT, 10000);
    rest(2 * MS);
    EQ(irqs()[VEC_TIMER], before);
    timer_off();
}

static void timer_periodic(void)
{
    uint32_t before = irqs()[VEC_TIMER];

    lapic_write(LAPIC_TDCR, 3); /* divides by 16 */
    lapic_write(LAPIC_LVTT, MODE_PERIODIC | VEC_TIMER);
    lapic_write(LAPIC_TMICT, 20000);
    OK(HALT_UNTIL(irqs()[VEC_TIMER] >= before + 5));
    timer_off();
    before = irqs()[VEC_TIMER];
    rest(5 * MS);
    EQ(irqs()[VEC_TIMER], before);
}

static void timer_deadline(void)
{
    uint32_t before = irqs()[VEC_TIMER];
    uint64_t deadline;

    if (!(cpuid(1, 0).c >> 24 & 1))
        return;
    lapic_write(LAPIC_LVTT, MODE_DEADLINE | VEC_TIMER);
    EQ(rdmsr(MSR_TSC_DEADLINE), 0);
    deadline = tsc() + tsc_hz() / 500;
    wrmsr(MSR_TSC_DEADLINE, deadline);
    OK(HALT_UNTIL(irqs()[VEC_TIMER] != before));
    EQ(irqs()[VEC_TIMER], before + 1);
    OK(tsc() >= deadline);
    EQ(rdmsr(MSR_TSC_DEADLINE), 0);
    wrmsr(MSR_TSC_DEADLINE, 1); /* past: at once */
    OK(WAIT(irqs()[VEC_TIMER] == before + 2));
    wrmsr(MSR_TSC_DEADLINE, tsc() + tsc_hz() * 1000);
    OK(rdmsr(MSR_TSC_DEADLINE) != 0);
    wrmsr(MSR_TSC_DEADLINE, 0); /* disarmed */
    EQ(rdmsr(MSR_TSC_DEADLINE), 0);
    lapic_write(LAPIC_TMICT, 1000); /* means nothing in this mode */
    rest(2 * MS);
    EQ(irqs()[VEC_TIMER], before + 2);
    timer_off();
}

static void self_nmi(void)
{
    uint32_t before = irqs()[VEC_NMI];

    irq_off();
    lapic_icr(apic_id_of(0), ICR_NMI | ICR_ASSERT);
    for (uint64_t end = now() + PATIENCE; irqs()[VEC_NMI] == before && now() < end;)
        relax();
    EQ(irqs()[VEC_NMI], before + 1);
    EQ(vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    for (uint64_t end = now() + PATIENCE; irqs()[VEC_NMI] == before + 1 && now() < end;)
        relax();
    EQ(irqs()[VEC_NMI], before + 2);
    irq_on();
}

/* Switched off it delivers nothing, and keeps what it has. */
static void switched_off(void)
{
    uint32_t before = irqs()[VEC_TEST];

    irq_off();
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST);
    lapic_write(LAPIC_SVR, 0xff);
    irq_on();
    (void)cpuid(0, 0);
    EQ(irqs()[VEC_TEST], before);
    OK(lapic_read(LAPIC_LVT0) & MASKED);
    OK(lapic_read(LAPIC_IRR + 0x10 * (VEC_TEST / 32)) >> VEC_TEST % 32 & 1);
    lapic_write(LAPIC_SVR, 0x1ff);
    OK(WAIT(irqs()[VEC_TEST] == before + 1));
}

static volatile uint32_t isr_inside, ppr_inside, lower_inside;

/* In a handler of the higher class: the lower one waits for the end of this one. */
static void nest(struct frame *f)
{
    uint32_t before = irqs()[VEC_TEST];

    (void)f;
    isr_inside = lapic_read(LAPIC_ISR + 0x10 * (VEC_TEST2 / 32));
    ppr_inside = lapic_read(LAPIC_PPR);
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST);
    irq_on();
    (void)cpuid(0, 0);
    irq_off();
    lower_inside = irqs()[VEC_TEST] - before;
}

static void in_service(void)
{
    uint32_t before = irqs()[VEC_TEST];

    irq_hook[VEC_TEST2] = nest;
    lower_inside = 1;
    irq_on();
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST2);
    OK(WAIT(irqs()[VEC_TEST] == before + 1));
    EQ(isr_inside, 1u << VEC_TEST2 % 32);
    EQ(ppr_inside, VEC_TEST2 & 0xf0);
    EQ(lower_inside, 0);
    EQ(lapic_read(LAPIC_PPR), 0);
    EQ(lapic_read(LAPIC_ISR + 0x10 * (VEC_TEST2 / 32)), 0);
    irq_hook[VEC_TEST2] = NULL;
}

/* Registers that can only be read stay as they are; those at the edges of the page, and
 * narrow and wide accesses in the middle. */
static void by_memory(void)
{
    volatile uint8_t *base = (volatile uint8_t *)(uintptr_t)0xfee00000;
    uint32_t version = lapic_read(LAPIC_VERSION), id = lapic_read(LAPIC_ID);

    if (me()->x2apic)
        return;
    lapic_write(LAPIC_ID, ~id);
    EQ(lapic_read(LAPIC_ID), id);
    lapic_write(LAPIC_VERSION, 0);
    EQ(lapic_read(LAPIC_VERSION), version);
    lapic_write(LAPIC_ISR, UINT32_MAX);
    EQ(lapic_read(LAPIC_ISR), 0);
    EQ(base[LAPIC_VERSION], version & 0xff);
    EQ(*(volatile uint16_t *)(base + LAPIC_VERSION + 2), version >> 16);
    EQ(*(volatile uint64_t *)(base + LAPIC_VERSION) & UINT32_MAX, version);
    EQ(*(volatile uint32_t *)(base + 0xff0), 0);
    EQ(*(volatile uint32_t *)base, 0);
    lapic_write(LAPIC_ICR + 0x10, 0x12345678);
    EQ(lapic_read(LAPIC_ICR + 0x10), 0x12000000);
    lapic_write(LAPIC_TDCR, UINT32_MAX);
    EQ(lapic_read(LAPIC_TDCR), 0xb);
}

/* Level-triggered: asserted still when it ends, it comes again. Only where the events come
 * by an IOAPIC's pin (the word upcall=gsi). */
#define LEVEL_PIN 9u
static volatile uint32_t levels;
static volatile uint32_t level_port;

static void on_level(struct frame *f)
{
    (void)f;
    if (++levels < 3)
        return; /* nothing is taken away: the line stays up */
    vcpu_info()->evtchn_upcall_pending = 0;
    vcpu_info()->evtchn_pending_sel = 0;
    event_clear(level_port);
    (void)sched_op(SCHEDOP_yield, NULL); /* the line falls on the way back here */
}

static void level(void)
{
    static char how[WORD_MAX];
    volatile uint32_t *index = (volatile uint32_t *)(uintptr_t)0xfec00000;
    volatile uint32_t *data = (volatile uint32_t *)(uintptr_t)0xfec00010;
    uint64_t by = (uint64_t)HVM_PARAM_CALLBACK_TYPE_GSI << 56 | LEVEL_PIN;
    struct xen_hvm_param p = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ, .value = by};

    if (!word("upcall", how) || !same(how, "gsi"))
        return;
    level_port = (uint32_t)event_ipi(0);
    EQ(hvm_op(HVMOP_set_param, &p), 0);
    irq_hook[VEC_TEST2] = on_level;
    *index = 0x11 + 2 * LEVEL_PIN;
    *data = apic_id_of(0) << 24;
    *index = 0x10 + 2 * LEVEL_PIN;
    *data = 0x8000 | VEC_TEST2;
    irq_on();
    event_send(level_port);
    OK(WAIT_FOR(levels >= 3, SECOND));
    for (unsigned i = 0; i < 10; i++)
        (void)cpuid(0, 0);
    EQ(levels, 3);
    EQ(*data & 0x4000, 0); /* and its end came to the IOAPIC */
    event_send(level_port);
    OK(WAIT_FOR(levels == 4, SECOND));
    *data = 0x10000;
    irq_hook[VEC_TEST2] = NULL;
    event_close(level_port);
    p.value = 0;
    EQ(hvm_op(HVMOP_set_param, &p), 0);
}

/* Everything again by MSRs, and what only they have. */
static void x2apic(void)
{
    uint32_t before = irqs()[VEC_TEST];
    uint64_t v;

    if (!(cpuid(1, 0).c >> 21 & 1))
        return;
    lapic_x2apic();
    registers();
    self_ipi();
    priorities();
    switched_off();
    in_service();
    timer_one_shot();
    timer_periodic();
    timer_deadline();
    self_nmi();
    before = irqs()[VEC_TEST];
    lapic_write(LAPIC_SELF_IPI, VEC_TEST);
    OK(WAIT(irqs()[VEC_TEST] == before + 1));
    EQ(try_rdmsr(0x800 + (LAPIC_EOI >> 4), &v), VEC_GP); /* write-only */
    EQ(try_wrmsr(0x800 + (LAPIC_VERSION >> 4), 0), VEC_GP);
    EQ(try_wrmsr(0x800 + (LAPIC_EOI >> 4), 1), VEC_GP); /* 0 or nothing */
    EQ(try_rdmsr(0x8ff, &v), VEC_GP);
    EQ(try_wrmsr(0x800 + (LAPIC_TPR >> 4), 0x100), VEC_GP);
    EQ(try_wrmsr(0x800 + (LAPIC_SELF_IPI >> 4), 0x100 | VEC_TEST), VEC_GP);
    EQ(try_rdmsr(0x800 + (LAPIC_SELF_IPI >> 4), &v), VEC_GP);
    lapic_write(LAPIC_ESR, 0);
    lapic_write(LAPIC_SELF_IPI, 3); /* no such vector */
    lapic_write(LAPIC_ESR, 0);
    EQ(lapic_read(LAPIC_ESR), 0x20);
    EQ(irqs()[VEC_TEST], before + 1);
}

const struct act acts_lapic[] = {
    {"lapic-registers", 1, registers},
    {"lapic-self-ipi", 1, self_ipi},
    {"lapic-priority", 1, priorities},
    {"lapic-one-shot", 1, timer_one_shot},
    {"lapic-periodic", 1, timer_periodic},
    {"lapic-deadline", 1, timer_deadline},
    {"lapic-nmi", 1, self_nmi},
    {"lapic-off", 1, switched_off},
    {"lapic-in-service", 1, in_service},
    {"lapic-memory", 1, by_memory},
    {"lapic-level", 1, level},
    {"lapic-x2apic", 1, x2apic},
    {0},
};
