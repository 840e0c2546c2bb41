/* The boot CPU's local APIC and its timer (SDM Vol. 3 ch. 10). xAPIC mode. */
#include "bare/bare.h"

#include "base/arith.h"
#include "port/time.h"

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_ADDRESS UINT64_C(0x000ffffffffff000)
#define PIC_VECTORS 0x20u
#define APIC_TPR 0x80u
#define APIC_EOI 0xb0u
#define APIC_SVR 0xf0u
#define APIC_LVT_TIMER 0x320u
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_CURRENT 0x390u
#define APIC_TIMER_DIVIDE 0x3e0u
#define SVR_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define DIVIDE_BY_16 3u
#define CALIBRATE_NS 10000000u
#define UNSURE_NS 20000u
#define MEASURES_MAX 10u

static volatile uint32_t *apic;
static uint64_t ticks_per_ms;

static void apic_write(unsigned reg, uint32_t v)
{
    apic[reg / 4] = v;
}

static uint32_t apic_read(unsigned reg)
{
    return apic[reg / 4];
}

void lapic_eoi(void)
{
    apic_write(APIC_EOI, 0);
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
}

void lapic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    pic_silence();
    apic = paging_map_device(base & APIC_BASE_ADDRESS);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    measure();
    apic_write(APIC_TIMER_INITIAL, 0);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
}

void lapic_timer_arm(uint64_t deadline_ns)
{
    uint64_t now = port_time_now(), ticks;

    if (!apic)
        return;
    if (deadline_ns == TIME_NEVER) {
        apic_write(APIC_TIMER_INITIAL, 0);
        return;
    }
    ticks = deadline_ns > now ? min_u64(deadline_ns - now, UINT64_C(1000000000)) : 0;
    ticks = ticks * ticks_per_ms / 1000000 + 1;
    apic_write(APIC_TIMER_INITIAL, (uint32_t)min_u64(ticks, UINT32_MAX));
}
