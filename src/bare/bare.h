/* What the files of the bare port share. */
#ifndef CORBEL_BARE_BARE_H
#define CORBEL_BARE_BARE_H

#include "core/init.h"

#define DIRECTMAP_BASE UINT64_C(0xffff800000000000)
#define IMAGE_BASE UINT64_C(0xffffffff80000000)
#define BARE_RANGES_MAX 64u
#define TRAP_VECTORS 64u
#define VECTOR_TIMER 0x30u
#define VECTOR_SPURIOUS 0x3fu
#define VECTOR_PANIC 0x100u /* no interrupt: port_panic() in entry.S */

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;

    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (uint64_t)hi << 32;
}

static inline uint64_t read_cr0(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}

static inline uint64_t read_cr2(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

static inline uint64_t read_cr3(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}

static inline uint64_t read_cr4(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}

static inline void *phys_to_ptr(uint64_t pa)
{
    return (void *)(DIRECTMAP_BASE + pa);
}

/* corbel.lds: the image's sections, each on pages of its own. */
extern uint8_t image_start[], image_text_end[], image_rodata_end[], image_data_end[];
extern uint8_t image_end[];

/* Physical address of something in the image. */
static inline uint64_t image_phys(const void *p)
{
    return (uint64_t)(uintptr_t)p - IMAGE_BASE;
}

/* entry.S: stacks between an unmapped page at guard and top. */
enum { STACK_BOOT, STACK_DF, STACK_NMI, STACK_MC, BARE_STACKS };
struct bare_stack {
    uint64_t guard, top;
};
extern const struct bare_stack bare_stacks[BARE_STACKS];

/* multiboot.c: what GRUB told. */
struct bare_boot {
    struct memory_range ram[BARE_RANGES_MAX];
    size_t ram_count;
    uint64_t rsdp;       /* physical address of a copy of the RSDP, 0: none */
    uint64_t rsdp_bytes; /* its size: 20 for ACPI 1.0, 36 from 2.0 */
    const char *cmdline; /* never NULL */
};
/* Reads the information structure at physical address info; false when magic
 * is not multiboot2's or there is no memory map. RAM is what the loader says
 * less the first MiB, the image, the structure itself and the modules, without
 * overlaps. */
bool multiboot_parse(uint32_t magic, uint32_t info, struct bare_boot *out);
/* Drops RAM from physical address end on. */
void multiboot_limit(struct bare_boot *b, uint64_t end);

/* cmdline.c: the words of the command line. */
enum selftest {
    SELFTEST_NONE,
    SELFTEST_PANIC,
    SELFTEST_STACK,
    SELFTEST_TEXT,
    SELFTEST_DATA,
    SELFTEST_DIRECTMAP
};
struct bare_options {
    uint64_t mem;       /* mem=: RAM from this address on is left alone; 0: no limit */
    unsigned log_lines; /* loglvl=: levels of the log shown */
    bool noreboot;      /* noreboot: a panic halts */
    enum selftest selftest;
};
/* Fills options from s and logs each word that is not understood. */
void cmdline_parse(const char *s);
extern struct bare_options options;

/* paging.c: the final page tables (SDM Vol. 3 4.5). Takes table pages from the
 * start of boot's RAM, and drops RAM that the direct map cannot hold. */
void paging_init(struct bare_boot *boot);
/* Walks the tables: leaves that are mapped, and those of them that are both
 * writable and executable. */
struct paging_figures {
    uint64_t leaves, writable_executable;
};
struct paging_figures paging_audit(void);
/* True iff the page at va is mapped. */
bool paging_mapped(uint64_t va);
/* An uncached mapping of the page of registers at pa. */
volatile void *paging_map_device(uint64_t pa);

/* uart.c: 16550 at COM1, 115200 8n1. */
void uart_init(void);
void uart_write(const char *s, size_t n);

/* trap.c: IDT, TSS. Exceptions in the hypervisor are its own fault: panic.c. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
void trap_init(void);
/* Interrupts of the timer so far. */
extern volatile uint64_t trap_timer_count;

/* panic.c: prints why, registers, stack and callers, then restarts the machine
 * or, with "noreboot", halts. msg NULL: an exception. */
_Noreturn void panic_report(const struct trap_frame *f, const char *msg);
_Noreturn void machine_halt(void);

/* selftest.c: commits the fault that "selftest=" asks for. */
void selftest_run(enum selftest what);

/* lapic.c: this CPU's local APIC and its timer; needs the TSC calibrated. */
void lapic_init(void);
void lapic_timer_arm(uint64_t deadline_ns);
void lapic_eoi(void);

/* clock.c: TSC against the PIT. */
void clock_init(void);
/* Waits 50 ms by the PIT; false when the PIT does not count. */
bool clock_wait_50ms(void);

/* acpi.c: finds the power-off registers in the FADT and \_S5 in the DSDT. */
void acpi_init(uint64_t rsdp, uint64_t rsdp_bytes);
void acpi_power_off(void);

/* first_light.c: exercises the core on this machine; true when all is well. */
bool first_light(void);

void bare_start(uint32_t magic, uint32_t info);

#endif
