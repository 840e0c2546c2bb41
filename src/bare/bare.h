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

static inline void *phys_to_ptr(uint64_t pa)
{
    return (void *)(DIRECTMAP_BASE + pa);
}

/* multiboot.c: what GRUB told. */
struct bare_boot {
    struct memory_range ram[BARE_RANGES_MAX];
    size_t ram_count;
    uint64_t highest;    /* end of RAM */
    uint64_t rsdp;       /* physical address of a copy of the RSDP, 0: none */
    const char *cmdline;
};
/* Reads the information structure at physical address info; false when magic
 * is not multiboot2's or there is no memory map. Excludes the image, the
 * structure itself and the first MiB from RAM. */
bool multiboot_parse(uint32_t magic, uint32_t info, struct bare_boot *out);

/* paging.c: maps all RAM up to end in the direct map, drops the low identity
 * map. Takes table pages from the start of *r. */
void paging_init(struct bare_boot *boot);

/* uart.c: 16550 at COM1, 115200 8n1. */
void uart_init(void);
void uart_write(const char *s, size_t n);

/* trap.c: IDT, TSS, exception reports. */
void trap_init(void);

/* lapic.c: this CPU's local APIC and its timer; needs the TSC calibrated. */
void lapic_init(void);
void lapic_timer_arm(uint64_t deadline_ns);
void lapic_eoi(void);

/* clock.c: TSC against the PIT. */
void clock_init(void);

/* acpi.c: finds the power-off register in the FADT and \_S5 in the DSDT. */
void acpi_init(uint64_t rsdp);
void acpi_power_off(void);

/* first_light.c: exercises the core on this machine; true when all is well. */
bool first_light(void);

void bare_start(uint32_t magic, uint32_t info);

#endif
