/* Local APICs and their timers (SDM Vol. 3 ch. 10): registers in memory (xAPIC) or
 * in MSRs (x2APIC). The timer counts to a value of the TSC where the CPU can, else
 * down from a number of its own ticks. */
#include "bare/bare.h"

#include "base/arith.h"
#include "base/atomic.h"
#include "port/time.h"
#include "x86/firmware/acpi_nmi.h"

#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC 0x800u
#define MSR_TSC_DEADLINE 0x6e0u
#define APIC_BASE_X2 (1u << 10)
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_ADDRESS UINT64_C(0x000ffffffffff000)
#define PIC_VECTORS 0x20u
#define APIC_ID 0x20u
#define APIC_TPR 0x80u
#define APIC_EOI 0xb0u
#define APIC_SVR 0xf0u
#define APIC_ICR 0x300u
#define APIC_ICR_HIGH 0x310u
#define APIC_LVT_TIMER 0x320u
#define APIC_LVT_LINT 0x350u /* LINT0, LINT1 16 bytes further */
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_CURRENT 0x390u
#define APIC_TIMER_DIVIDE 0x3e0u
#define ICR_NMI 0x400u
#define ICR_INIT 0x500u
#define ICR_STARTUP 0x600u
#define ICR_PENDING (1u << 12)
#define ICR_ASSERT (1u << 14)
#define ICR_OTHERS (3u << 18)
#define SVR_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define LVT_DELIVERY 0x700u
#define LVT_NMI 0x400u
#define LVT_EXTINT 0x700u
#define LVT_LOW 0x2000u
#define LVT_TSC_DEADLINE (2u << 17)
#define DIVIDE_BY_16 3u
#define CALIBRATE_NS 10000000u
#define UNSURE_NS 20000u
#define MEASURES_MAX 10u
#define PENDING_POLLS_MAX 1000000u

static volatile uint32_t *apic;
static bool x2, tsc_deadline, ready;
static uint64_t ticks_per_ms;

static void apic_write(unsigned reg, uint32_t v)
{
    if (x2)
        wrmsr(MSR_X2APIC + reg / 16, v);
    else
        apic[reg / 4] = v;
}

static uint32_t apic_read(unsigned reg)
{
    return x2 ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : apic[reg / 4];
}

void lapic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

uint32_t lapic_id(void)
{
    return x2 ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

const char *lapic_mode(void)
{
    if (tsc_deadline)
        return x2 ? "x2APIC, TSC-deadline timer" : "xAPIC, TSC-deadline timer";
    return x2 ? "x2APIC, one-shot timer" : "xAPIC, one-shot timer";
}

/* Writes the interrupt command register. In xAPIC mode it is two registers, and
 * the one before must have gone out. */
static void send(uint32_t apic_id, uint32_t command)
{
    uint64_t flags;

    if (!ready)
        return;
    if (x2) {
        /* WRMSR does not wait for the stores before it here, SDM Vol. 3 10.12.3. */
        __asm__ volatile("mfence; lfence" : : : "memory");
        wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    for (unsigned i = 0; i < PENDING_POLLS_MAX && (apic_read(APIC_ICR) & ICR_PENDING); i++)
        port_cpu_relax();
    apic_write(APIC_ICR_HIGH, apic_id << 24);
    apic_write(APIC_ICR, command);
    __asm__ volatile("pushq %0; popfq" : : "r"(flags) : "memory", "cc");
}

void lapic_send(uint32_t apic_id, uint8_t vector)
{
    send(apic_id, ICR_ASSERT | vector);
}

void lapic_nmi_others(void)
{
    send(0, ICR_OTHERS | ICR_ASSERT | ICR_NMI);
}

void lapic_init_cpu(uint32_t apic_id)
{
    send(apic_id, ICR_ASSERT | ICR_INIT);
}

void lapic_start_cpu(uint32_t apic_id, uint8_t page)
{
    send(apic_id, ICR_ASSERT | ICR_STARTUP | page);
}

/* The legacy interrupt controllers: all lines masked, and what they may still
 * raise by mistake moved off the vectors of exceptions. */
static void pic_silence(void)
{
    static const uint16_t command[2] = {0x20, 0xa0};

    for (unsigned i = 0; i < 2; i++) {
        outb(command[i], 0x11); /* ICW1: edge, cascade, ICW4 follows */
        outb(command[i] + 1, (uint8_t)(PIC_VECTORS + 8 * i));
        outb(command[i] + 1, i == 0 ? 4 : 2);
        outb(command[i] + 1, 1);
        outb(command[i] + 1, 0xff);
    }
}

/* Counts the timer through 10 ms of system time, again while something else
 * stopped the CPU at the start or the end; the least disturbed time counts. */
static void measure(void)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < MEASURES_MAX && least > UNSURE_NS; i++) {
        uint64_t before = port_time_now(), start, end, unsure;
        uint32_t left;

        apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
        start = end = port_time_now();
        while (end - start < CALIBRATE_NS)
            end = port_time_now();
        left = apic_read(APIC_TIMER_CURRENT);
        unsure = (start - before) + (port_time_now() - end);
        if (unsure < least) {
            least = unsure;
            ticks_per_ms = (UINT32_MAX - left) * UINT64_C(1000000) / (end - start);
        }
    }
    apic_write(APIC_TIMER_INITIAL, 0);
}

/* The inputs that firmware says NMIs come by, which are edges whatever it says
 * (10.5.1). Others stay as it left them, but for the legacy controllers', which are
 * silent. */
static void connect_nmi(void)
{
    struct acpi_nmi nmi;

    if (!bare_acpi.madt_table)
        return;
    nmi = acpi_madt_nmi(bare_acpi.madt_table, bare_acpi.madt_len, lapic_id());
    for (unsigned i = 0; i < ACPI_LINTS; i++) {
        unsigned reg = APIC_LVT_LINT + 16 * i;

        if (nmi.connected[i])
            apic_write(reg, LVT_NMI | (nmi.low[i] ? LVT_LOW : 0));
        else if ((apic_read(reg) & LVT_DELIVERY) == LVT_EXTINT)
            apic_write(reg, LVT_MASKED | LVT_EXTINT);
    }
}

void lapic_cpu_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    /* x2APIC mode is reached from xAPIC mode only, and never left: 10.12.5. */
    wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    if (x2)
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    connect_nmi();
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
    apic_write(APIC_LVT_TIMER, (tsc_deadline ? LVT_TSC_DEADLINE : 0) | VECTOR_TIMER);
    /* The mode must have changed before the first deadline: 10.5.4.1. */
    __asm__ volatile("mfence" : : : "memory");
}

void lapic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);
    uint32_t features = cpuid(1, 0).ecx;

    pic_silence();
    x2 = (features >> 21 & 1) && (options.x2apic || (base & APIC_BASE_X2));
    if (!x2)
        apic = paging_map_device(base & APIC_BASE_ADDRESS);
    tsc_deadline = features >> 24 & 1;
    lapic_cpu_init();
    if (!tsc_deadline) {
        apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
        measure();
        apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    }
    ready = true;
}

void lapic_timer_arm(uint64_t deadline_ns)
{
    uint64_t now = port_time_now(), ticks;

    if (!ready)
        return;
    if (tsc_deadline) {
        wrmsr(MSR_TSC_DEADLINE, deadline_ns == TIME_NEVER ? 0 : clock_tsc_at(deadline_ns));
        return;
    }
    if (deadline_ns == TIME_NEVER) {
        apic_write(APIC_TIMER_INITIAL, 0);
        return;
    }
    ticks = deadline_ns > now ? min_u64(deadline_ns - now, UINT64_C(1000000000)) : 0;
    ticks = ticks * ticks_per_ms / 1000000 + 1;
    apic_write(APIC_TIMER_INITIAL, (uint32_t)min_u64(ticks, UINT32_MAX));
}
