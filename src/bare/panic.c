/* The last words of a hypervisor that found itself wrong. Nothing here takes a
 * lock or uses the core: any of it may be what broke. */
#include "bare/bare.h"

#include <stdarg.h>

#include "base/arith.h"
#include "base/atomic.h"
#include "base/fmt.h"
#include "base/string.h"
#include "port/power.h"

#define MSR_EFER 0xc0000080u
#define MSR_MCG_CAP 0x179u
#define MSR_MCG_STATUS 0x17au
#define MSR_MC0_STATUS 0x401u
#define VECTOR_MC 18u
#define STACK_WORDS 16u
#define CALLERS_MAX 24u
#define RESTART_50MS 100u

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
    char text[160];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = fmt_vprint(text, sizeof(text), fmt, ap);
    va_end(ap);
    uart_write(text, n);
}

static uint32_t owner; /* atomic: the CPU that panics, plus one */

bool panic_under_way(void)
{
    return load_u32(&owner) != 0;
}

_Noreturn void machine_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* SDM Vol. 3 15.3: the banks of a machine check that hold an error. */
static void say_machine_check(void)
{
    unsigned banks = (unsigned)(rdmsr(MSR_MCG_CAP) & 0xff);

    say("machine check status %016lx\n", rdmsr(MSR_MCG_STATUS));
    for (unsigned i = 0; i < banks; i++) {
        uint64_t status = rdmsr(MSR_MC0_STATUS + 4 * i);

        if (status >> 63)
            say("bank %u: status %016lx address %016lx\n", i, status,
                status >> 58 & 1 ? rdmsr(MSR_MC0_STATUS + 4 * i + 1) : 0);
    }
}

static void say_registers(const struct trap_frame *f)
{
    say("rip %016lx rflags %08lx cs %04lx ss %04lx\n", f->rip, f->rflags, f->cs, f->ss);
    say("rax %016lx rbx %016lx rcx %016lx\n", f->rax, f->rbx, f->rcx);
    say("rdx %016lx rsi %016lx rdi %016lx\n", f->rdx, f->rsi, f->rdi);
    say("rbp %016lx rsp %016lx r8  %016lx\n", f->rbp, f->rsp, f->r8);
    say("r9  %016lx r10 %016lx r11 %016lx\n", f->r9, f->r10, f->r11);
    say("r12 %016lx r13 %016lx r14 %016lx\n", f->r12, f->r13, f->r14);
    say("r15 %016lx cr0 %016lx cr2 %016lx\n", f->r15, read_cr0(), read_cr2());
    say("cr3 %016lx cr4 %016lx efer %08lx\n", read_cr3(), read_cr4(), rdmsr(MSR_EFER));
}

/* True iff n aligned bytes at va can be read from s. */
static bool stack_has(const struct bare_stack *s, uint64_t va, unsigned n)
{
    return s && va % sizeof(uint64_t) == 0 && va >= s->guard + PAGE_SIZE && va <= s->top - n;
}

static bool in_text(uint64_t va)
{
    return va >= (uint64_t)(uintptr_t)image_start && va < (uint64_t)(uintptr_t)image_unpack_rodata;
}

/* The address of code, and its function. minus is 1 for a return address, which may
 * be the first byte behind a function that does not return. */
static void say_address(uint64_t va, unsigned minus)
{
    uint64_t offset;
    const char *name = in_text(va) ? symbol_name(va - minus, &offset) : NULL;

    if (name)
        say("  [<%016lx>] %s+0x%lx\n", va, name, offset + minus);
    else
        say("  [<%016lx>]\n", va);
}

/* The words from rsp up. In the guard there are none to read: then from its end. */
static void say_stack(uint64_t rsp)
{
    const struct bare_stack *s = cpu_stack_of(rsp);
    uint64_t at;

    if (!s) {
        say("stack: rsp is in none\n");
        return;
    }
    if (rsp < s->guard + PAGE_SIZE)
        say("stack overflow: rsp is in the guard page\n");
    at = max_u64(align_up(rsp, sizeof(uint64_t)), s->guard + PAGE_SIZE);
    say("stack at %016lx:", at);
    for (unsigned i = 0; i < STACK_WORDS && at < s->top; i++, at += sizeof(uint64_t))
        say("%s%016lx", i % 4 == 0 ? "\n  " : " ", *(const uint64_t *)at);
    say("\n");
}

/* Return addresses along the chain of frame pointers, as far as it stays in one
 * stack and goes up. */
static void say_callers(const struct trap_frame *f)
{
    const struct bare_stack *s = cpu_stack_of(f->rbp);
    uint64_t rbp = f->rbp;
    unsigned n;

    say("callers:\n");
    say_address(f->rip, 0);
    /* A jump astray made no frame yet: its return address is the word at rsp. */
    if (!in_text(f->rip) && stack_has(cpu_stack_of(f->rsp), f->rsp, sizeof(uint64_t)) &&
        in_text(*(const uint64_t *)f->rsp))
        say_address(*(const uint64_t *)f->rsp, 1);
    for (n = 0; s && n < CALLERS_MAX; n++) {
        const uint64_t *frame = (const uint64_t *)rbp;

        if (!stack_has(s, rbp, 2 * sizeof(uint64_t)) || !in_text(frame[1]))
            return;
        say_address(frame[1], 1);
        if (frame[0] <= rbp)
            return;
        rbp = frame[0];
    }
    if (s && n == CALLERS_MAX)
        say("  and more\n");
}

_Noreturn void panic_report(const struct trap_frame *f, const char *msg)
{
    __asm__ volatile("cli");
    if (!cmpxchg_u32(&owner, 0, port_cpu_id() + 1)) {
        if (load_u32(&owner) != port_cpu_id() + 1)
            machine_halt(); /* one report is enough */
        say("\nand another fault while reporting: vector %lu rip %016lx cr2 %016lx\n", f->vector,
            f->rip, read_cr2());
        machine_halt();
    }
    smp_stop();
    if (msg)
        say("PANIC: %.140s\n", msg);
    else
        say("PANIC: exception %lu, error code %04lx\n", f->vector, f->error);
    if (!msg && f->vector == VECTOR_MC)
        say_machine_check();
    say("on CPU %u\n", port_cpu_id());
    say_registers(f);
    say_stack(f->rsp);
    say_callers(f);
    say("RESULT FAIL\n");
    if (options.noreboot) {
        say("halted\n");
        machine_halt();
    }
    say("restart in five seconds\n");
    for (unsigned i = 0; i < RESTART_50MS && clock_wait_50ms(); i++) {
    }
    port_reboot();
    machine_halt();
}
