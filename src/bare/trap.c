/* IDT, TSS with stacks of their own for double faults, NMIs and machine checks.
 * Exceptions in the hypervisor are always its own fault. */
#include "bare/bare.h"

#define EXCEPTIONS 32u
#define VECTOR_NMI 2u
#define VECTOR_DF 8u
#define VECTOR_MC 18u
#define GATE_PRESENT_INTERRUPT 0x8e00u
#define TSS_SELECTOR 24u
#define CODE_SELECTOR 8u

struct gate {
    uint16_t offset_low, selector;
    uint16_t ist_type;
    uint16_t offset_mid;
    uint32_t offset_high, reserved;
};

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint8_t reserved2[10];
    uint16_t iomap;
} __attribute__((packed));

extern uint64_t bare_gdt[5];
extern const uint64_t trap_entries[TRAP_VECTORS];
void trap_handle(struct trap_frame *f);

static struct gate idt[TRAP_VECTORS];
static struct tss tss;
volatile uint64_t trap_timer_count;

void trap_handle(struct trap_frame *f)
{
    if (f->vector == VECTOR_PANIC)
        panic_report(f, (const char *)f->rdi);
    if (f->vector < EXCEPTIONS)
        panic_report(f, NULL);
    if (f->vector == VECTOR_TIMER) {
        trap_timer_count++;
        lapic_eoi();
    }
    /* The rest is spurious, and no one waits for an acknowledgement. */
}

/* The exceptions that may come with a stack that cannot be used, SDM Vol. 3 6.14.5. */
static uint16_t ist_of(unsigned vector)
{
    switch (vector) {
    case VECTOR_DF:
        return STACK_DF;
    case VECTOR_NMI:
        return STACK_NMI;
    case VECTOR_MC:
        return STACK_MC;
    default:
        return 0;
    }
}

void trap_init(void)
{
    uint64_t base = (uint64_t)(uintptr_t)&tss;
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    for (unsigned i = 0; i < TRAP_VECTORS; i++) {
        uint64_t entry = trap_entries[i];

        idt[i] = (struct gate){
            .offset_low = (uint16_t)entry,
            .selector = CODE_SELECTOR,
            .ist_type = (uint16_t)(GATE_PRESENT_INTERRUPT | ist_of(i)),
            .offset_mid = (uint16_t)(entry >> 16),
            .offset_high = (uint32_t)(entry >> 32),
        };
    }
    for (unsigned i = STACK_DF; i < BARE_STACKS; i++)
        tss.ist[i - 1] = bare_stacks[i].top; /* IST 1 is the first */
    tss.iomap = sizeof(tss);
    bare_gdt[3] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
                  (base >> 24 & 0xff) << 56;
    bare_gdt[4] = base >> 32;
    __asm__ volatile("lidt %0" : : "m"(idtr));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}
