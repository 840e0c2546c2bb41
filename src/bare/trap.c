/* The IDT, and what interrupts and exceptions do. Exceptions in the hypervisor are
 * always its own fault. */
#include "bare/bare.h"

#include "base/atomic.h"
#include "bare/guest.h"

#define EXCEPTIONS 32u
#define VECTOR_NMI 2u
#define VECTOR_DF 8u
#define VECTOR_MC 18u
#define GATE_PRESENT_INTERRUPT 0x8e00u

struct gate {
    uint16_t offset_low, selector;
    uint16_t ist_type;
    uint16_t offset_mid;
    uint32_t offset_high, reserved;
};

extern const uint64_t trap_entries[TRAP_VECTORS];
void trap_handle(struct trap_frame *f);

static struct gate idt[TRAP_VECTORS];

static void take_interrupt(unsigned vector)
{
    struct cpu_area *a = this_area();

    switch (vector) {
    case VECTOR_TIMER:
        a->timer_count++;
        lapic_eoi();
        break;
    case VECTOR_KICK:
        a->kick_count++;
        lapic_eoi();
        break;
    case VECTOR_SERIAL:
        a->serial_count++;
        lapic_eoi();
        uart_receive();
        break;
    default:
        break; /* spurious: no one waits for an acknowledgement */
    }
}

static void handle(struct trap_frame *f)
{
    if (f->vector == VECTOR_PANIC)
        panic_report(f, (const char *)f->rdi);
    if (f->vector == VECTOR_NMI) {
        /* Another CPU panics, or the machine has something to say that nobody here
         * understands: counted. */
        if (panic_under_way())
            machine_halt();
        this_area()->nmi_count++;
        return;
    }
    if (f->vector < EXCEPTIONS)
        panic_report(f, NULL);
    take_interrupt((unsigned)f->vector);
}

void trap_handle(struct trap_frame *f)
{
    bool guests = svm_trapped(f);

    handle(f);
    if (guests)
        svm_trap_back(f);
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
}

void trap_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    __asm__ volatile("lidt %0" : : "m"(idtr));
}
