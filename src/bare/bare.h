/* What the files of the bare port share. */
#ifndef CORBEL_BARE_BARE_H
#define CORBEL_BARE_BARE_H

#include "core/init.h"
#include "port/cpu.h"
#include "x86/firmware/acpi_tables.h"

#define DIRECTMAP_BASE UINT64_C(0xffff800000000000)
#define IMAGE_BASE UINT64_C(0xffffffff80000000)
#define BARE_RANGES_MAX 64u
#define TRAP_VECTORS 64u
#define VECTOR_TIMER 0x30u
#define VECTOR_KICK 0x31u   /* port_cpu_kick(): nothing but an end to hlt or guest mode */
#define VECTOR_SERIAL 0x32u /* the UART received something */
#define VECTOR_SPURIOUS 0x3fu
#define VECTOR_PANIC 0x100u /* no interrupt: port_panic() in entry.S */

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t v;

    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
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

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
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

static inline void write_cr0(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

static inline void write_cr4(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
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
extern uint8_t image_start[], image_text_end[], image_unpack_rodata[], image_unpack_end[],
    image_rodata_end[], image_data_end[], image_end[];

/* Physical address of something in the image. */
static inline uint64_t image_phys(const void *p)
{
    return (uint64_t)(uintptr_t)p - IMAGE_BASE;
}

/* entry.S: the boot CPU's stacks, between an unmapped page at guard and top. */
enum { STACK_BOOT, STACK_DF, STACK_NMI, STACK_MC, BARE_STACKS };
struct bare_stack {
    uint64_t guard, top;
};
extern const struct bare_stack bare_stacks[BARE_STACKS];

/* cpu.c: what each CPU has of its own. GS base points to it. */
struct bare_tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint8_t reserved2[10];
    uint16_t iomap;
} __attribute__((packed));
#define CODE_SELECTOR 8u
#define DATA_SELECTOR 16u
#define TSS_SELECTOR 24u
enum cpu_stage { CPU_ABSENT, CPU_RUNNING, CPU_HELD };
struct cpu_area {
    uint32_t id; /* first: port_cpu_id() */
    uint32_t apic_id;
    uint32_t stage; /* atomic: enum cpu_stage */
    uint32_t nmi_count;
    uint64_t tsc_ask, tsc_answer;                   /* atomic: tsc_sync.c compares clocks */
    uint64_t tsc_move;                              /* by how much its TSC goes on, wrapping */
    uint64_t timer_count, kick_count, serial_count; /* interrupts taken */
    struct bare_stack stack[BARE_STACKS];
    uint64_t gdt[5] __attribute__((aligned(16)));
    struct bare_tss tss __attribute__((aligned(16)));
};
extern struct cpu_area *cpu_areas[MAX_CPUS]; /* NULL: no such CPU */
static inline struct cpu_area *this_area(void)
{
    return cpu_areas[port_cpu_id()];
}
/* Makes area the calling CPU's: segments, TSS, IDT, GS base. */
void cpu_area_load(struct cpu_area *area);
/* Turns on what the calling CPU has against the hypervisor's own mistakes, and what
 * the command line allows. */
void cpu_load_control_registers(void);
/* The boot CPU's; before anything takes a lock. */
void cpu_boot_init(void);
/* An area with stacks for CPU id; NULL: no memory. */
struct cpu_area *cpu_area_create(unsigned id, uint32_t apic_id);
/* The stack of any CPU that va lies in, its guard included; NULL when in none. */
const struct bare_stack *cpu_stack_of(uint64_t va);

/* multiboot.c: what GRUB told. */
#define BARE_MODULES_MAX 32u
struct bare_module {
    const void *data; /* in the direct map, outside of ram */
    size_t len;
    const char *cmdline;
};
struct bare_boot {
    struct memory_range ram[BARE_RANGES_MAX];
    size_t ram_count;
    uint64_t rsdp;       /* physical address of a copy of the RSDP, 0: none */
    uint64_t rsdp_bytes; /* its size: 20 for ACPI 1.0, 36 from 2.0 */
    const char *cmdline; /* never NULL */
    struct bare_module modules[BARE_MODULES_MAX];
    unsigned module_count, modules_lost;
    uint64_t low_page; /* a page of RAM below 640 KiB that nothing uses; 0: none */
    bool efi;          /* started by UEFI */
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
    SELFTEST_DIRECTMAP,
    SELFTEST_TSC,       /* the other CPUs' TSCs start far from the first one's */
    SELFTEST_TSC_STUCK, /* the same, and they stay there */
    SELFTEST_ENTRY,     /* a guest that the CPU refuses to enter, in every way */
    SELFTEST_LATE       /* the other CPUs come after they were given up */
};
struct bare_options {
    uint64_t mem;             /* mem=: RAM from this address on is left alone; 0: no limit */
    unsigned log_lines;       /* loglvl=: levels of the log shown */
    unsigned guest_log_lines; /* guest_loglvl= */
    unsigned maxcpus;         /* maxcpus=: use at most so many */
    uint32_t com1_baud;       /* com1= */
    uint16_t com1_base;
    uint8_t com1_irq;
    uint8_t sched_kind; /* sched=: enum sched_kind */
    bool console_com1;  /* console=: com1 is used */
    bool timestamps;    /* console_timestamps= */
    bool noreboot;      /* noreboot: a panic halts */
    bool silo;          /* xsm=silo, or silo */
    bool x2apic;        /* x2apic=: use it where there is one */
    bool smep, smap;    /* smep=, smap= */
    bool apicv;         /* apicv=: virtual interrupts where the CPU has them */
    bool vmx_timer;     /* vmx-timer=: the preemption timer */
    bool first_light;   /* selftest: first_light.c even if there are guests */
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
/* Makes whole pages of the image ordinary memory: no longer where the image runs, and
 * writable in the direct map. Other CPUs stand still, and go on with paging_refresh(). */
void paging_discard(const uint8_t *start, const uint8_t *end);
/* Forgets what this CPU remembers of translations. */
void paging_refresh(void);
/* An uncached mapping of the page of registers at pa. */
volatile void *paging_map_device(uint64_t pa);

/* uart.c: a 16550, as com1= says. */
void uart_init(void);
void uart_write(const char *s, size_t n);
/* Waits until the last character has left. */
void uart_drain(void);
/* Takes input by interrupt from now on, where there is an I/O APIC. */
void uart_listen(void);
/* Its interrupt came. */
void uart_receive(void);
/* CPU 0: the next character received; false: none. */
bool uart_read(char *c);

/* console.c, on CPU 0: takes input from now on; gives what came to whom it is for. */
void console_start_input(void);
void console_poll(void);
/* Writes out what guests have not ended with a line end. */
void console_flush(void);

/* debug_keys.c: one of the hypervisor's own keys was pressed. CPU 0. */
void debug_key(char c);

/* Maps pages of fresh memory under the top of CPU cpu's stack number index, which
 * has an unmapped page below: false when there is no memory. */
bool paging_map_stack(unsigned cpu, unsigned index, unsigned pages, struct bare_stack *out);
/* A second place for the frame table, page by page: true iff there is room for so many.
 * Mapping fails when there is no memory. */
bool paging_frames_fit(uint64_t pages);
uint64_t *paging_frames(void);
bool paging_map_frames(uint64_t i, const void *p, bool write);
/* frame_table.c: frees what the table says about addresses without RAM. Once, before
 * other CPUs run. */
void frame_table_thin(void);
/* The physical address of tables by which a starting CPU finds both the image and
 * the page at physical address low, executable, where it is; 0 takes that away. */
uint64_t paging_trampoline(uint64_t low);

/* trap.c: IDT. Exceptions in the hypervisor are its own fault: panic.c. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
/* Fills the IDT; trap_load() makes it the calling CPU's. */
void trap_init(void);
void trap_load(void);

/* panic.c: prints why, registers, stack and callers, then restarts the machine
 * or, with "noreboot", halts. msg NULL: an exception. */
_Noreturn void panic_report(const struct trap_frame *f, const char *msg);
bool panic_under_way(void);
_Noreturn void machine_halt(void);

/* symbol.c: the function that the address va in the image's text lies in, and how far
 * into it; NULL: none. */
const char *symbol_name(uint64_t va, uint64_t *offset);

/* selftest.c: commits the fault that "selftest=" asks for. */
void selftest_run(enum selftest what);

/* lapic.c: local APICs and their timers (SDM Vol. 3 ch. 10), by memory or, where
 * the CPU has it, by MSRs (x2APIC); all destinations physical. */
/* Finds out how and measures the timer: once, on the boot CPU, with the TSC known. */
void lapic_init(void);
/* Turns the calling CPU's on. lapic_init() does that for the boot CPU. */
void lapic_cpu_init(void);
uint32_t lapic_id(void);
void lapic_timer_arm(uint64_t deadline_ns);
void lapic_eoi(void);
const char *lapic_mode(void); /* for the log */
/* Sends an interrupt or, to all others, an NMI; INIT and start-up IPIs. */
void lapic_send(uint32_t apic_id, uint8_t vector);
void lapic_nmi_others(void);
void lapic_init_cpu(uint32_t apic_id);
void lapic_start_cpu(uint32_t apic_id, uint8_t page);

/* ioapic.c: all lines of all I/O APICs masked, but those that are asked for. */
void ioapic_init(void);
/* Sends ISA interrupt irq to CPU 0 as vector; false: there is no I/O APIC for it. */
bool ioapic_route(uint8_t irq, uint8_t vector);

/* smp.c: the other CPUs. */
/* Starts those that hv->cpu_count counts, one after the other. */
void smp_start(const struct bare_boot *boot);
unsigned smp_running(void);
/* Makes all others stand still outside the core, or lets them go. False: they did
 * not come there within a second; CPU 0 must let them go again. */
bool smp_hold(bool hold);
/* A fault was found: makes all others halt wherever they are. */
void smp_stop(void);
/* entry.S leads a starting CPU here. */
_Noreturn void smp_main(struct cpu_area *area);

/* tsc_sync.c: all CPUs' TSCs show the same, but for what no message between them can
 * tell. The boot CPU compares a's, which has come to tsc_obey(), to its own and sets it.
 * False, with a line in the log: that is not possible, and a must not be used. */
bool tsc_sync(struct cpu_area *a);
/* The other CPU's side; the same answer. */
bool tsc_obey(struct cpu_area *a);

/* clock.c: TSC against the HPET or the PIT. */
/* System time begins here; it can be told from clock_init() on, before it is 0. */
void clock_begin(void);
void clock_init(void);
/* Waits by the TSC. */
void clock_wait_us(uint64_t us);
/* The value of the TSC at system time deadline_ns, at most a second from now. */
uint64_t clock_tsc_at(uint64_t deadline_ns);
/* Waits 50 ms by the PIT; false when the PIT does not count. */
bool clock_wait_50ms(void);
const char *clock_source(void);

/* acpi.c: what firmware's tables say; all zero without them. */
struct bare_acpi {
    bool has_madt, has_mcfg, has_fadt;
    struct acpi_madt madt;
    struct acpi_mcfg mcfg;
    struct acpi_fadt fadt;
    uint64_t hpet;             /* physical address, 0: none */
    const uint8_t *madt_table; /* itself, for acpi_madt_nmi(); NULL: none */
    uint32_t madt_len;
    unsigned tables, broken;
};
extern struct bare_acpi bare_acpi;
void acpi_init(uint64_t rsdp, uint64_t rsdp_bytes);
void acpi_power_off(void);
void acpi_reset(void);

/* host_features.c: tells x86 what of the model's features this CPU has. Before the
 * first domain. */
void host_features_tell(void);

/* first_light.c: exercises the core on this machine, with a guest if it runs any; true when
 * all is well. */
bool first_light(bool guests);
/* Goes through the CPU's loop until system time deadline. False: the timer that was to
 * end it came too early, or not within a second. */
bool first_light_turn(uint64_t deadline);

struct domain;
/* first_guest.c: runs guest code in d, new and paused; true when it and the log of what it
 * wrote are as they should be. */
bool first_guest(struct domain *d);

/* boot_guests.c: the guests that the boot modules describe (x86/build/boot_module.h). */
#define BARE_GUESTS_MAX 16u
/* Builds them all; true iff every module that names a guest was understood and
 * its guest stands ready. */
bool boot_guests_build(const struct bare_boot *boot);
/* Lets them go, goes through CPU 0's loop until all have ended, takes them away
 * and audits. True iff none crashed and nothing was left behind. */
bool boot_guests_run(void);

/* guest_list.c, CPU 0 writes: guest number i is domain d (NULL: no more) of that name. */
void guest_list_set(unsigned i, const char *name, struct domain *d);
unsigned guest_list_count(void);
/* Guest number i's domain while it has one, else NULL. */
struct domain *guest_list_domain(unsigned i);
/* The name of domain id, NULL: none of these guests. */
const char *guest_list_name(uint16_t domid);

/* unpack.c: the decompressors' memory: all given back. False: some was lost. */
bool unpack_all_returned(void);
/* Gives the decompressors' own pages to the heap: nothing is unpacked any more. Once, on
 * CPU 0, outside the core; other CPUs stop for a moment. */
void unpack_discard(void);

void bare_start(uint32_t magic, uint32_t info);

#endif
