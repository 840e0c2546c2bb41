/* IDT, TSS with a stack of its own for double faults, and the report of
 * exceptions in the hypervisor, which are always its own fault. */
#include "bare/bare.h"

#include "base/fmt.h"
#include "port/power.h"

#define VECTOR_DF 8u
#define GATE_PRESENT_INTERRUPT 0x8e00u
#define TSS_SELECTOR 24u
#define CODE_SELECTOR 8u

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

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
static uint8_t df_stack[8192] __attribute__((aligned(16)));

void trap_handle(struct trap_frame *f)
{
    static char text[160];

    if (f->vector == VECTOR_TIMER) {
        lapic_eoi();
        return;
    }
    if (f->vector >= 32)
        return; /* spurious: nothing to acknowledge */
    fmt_print(text, sizeof(text), "exception %lu error %lx rip %lx rsp %lx rax %lx rdi %lx",
              f->vector, f->error, f->rip, f->rsp, f->rax, f->rdi);
    port_panic(text);
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
            .ist_type = (uint16_t)(GATE_PRESENT_INTERRUPT | (i == VECTOR_DF ? 1u : 0u)),
            .offset_mid = (uint16_t)(entry >> 16),
            .offset_high = (uint32_t)(entry >> 32),
        };
    }
    tss.ist[0] = (uint64_t)(uintptr_t)(df_stack + sizeof(df_stack));
    tss.iomap = sizeof(tss);
    bare_gdt[3] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
                  (base >> 24 & 0xff) << 56;
    bare_gdt[4] = base >> 32;
    __asm__ volatile("lidt %0" : : "m"(idtr));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}
