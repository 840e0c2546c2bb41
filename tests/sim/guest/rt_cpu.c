/* Traps, and single accesses that may trap. */
#include "guest.h"

#define MSR_GS_BASE 0xc0000101u
#define STUB_SIZE 16u

struct gate {
    uint16_t low, selector, type, middle;
    uint32_t high, zero;
};

struct cpu cpus[CPUS_MAX];
void (*volatile irq_hook[256])(struct frame *f);
uint32_t xen_leaf;
extern const uint64_t vector_table;
static struct gate idt[256];

struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;

    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
    return r;
}

void cpu_init(unsigned id)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    for (unsigned i = 0; id == 0 && i < 256; i++) {
        uint64_t at = vector_table + (uint64_t)i * STUB_SIZE;

        idt[i] =
            (struct gate){(uint16_t)at, 8, 0x8e00, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0};
    }
    cpus[id].self = &cpus[id];
    cpus[id].id = id;
    cpus[id].resume = 0;
    cpus[id].x2apic = false;
    wrmsr(MSR_GS_BASE, (uint64_t)(uintptr_t)&cpus[id]);
    __asm__ volatile("lidt %0" : : "m"(idtr));
}

static void exception(struct frame *f)
{
    struct cpu *c = me();
    uint64_t cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    c->faults++;
    c->fault_vector = f->vector;
    c->fault_error = f->error;
    c->fault_address = cr2;
    c->fault_rip = f->rip;
    if (!c->resume) {
        say("FAIL runtime: exception %lu, error %lx, at %lx, cr2 %lx, cpu %u", f->vector, f->error,
            f->rip, cr2, c->id);
        say("RESULT FAIL");
        power_off(SHUTDOWN_crash);
    }
    f->rip = c->resume;
    f->rflags &= ~RFLAGS_TF;
    c->resume = 0;
    if (f->cs & 3) { /* out of user mode */
        f->cs = 8;
        f->ss = 16;
        f->rsp = c->user_rsp;
    }
}

void trap(struct frame *f)
{
    struct cpu *c = me();
    unsigned v = (unsigned)f->vector;

    if (v < 32 && v != VEC_NMI) {
        exception(f);
        return;
    }
    c->irqs[v]++;
    if (v == VEC_UPCALL || v == VEC_CALLBACK)
        upcall();
    if (irq_hook[v])
        irq_hook[v](f);
    if (v != VEC_NMI && v != VEC_CALLBACK)
        lapic_write(LAPIC_EOI, 0);
}

unsigned try_rdmsr(uint32_t msr, uint64_t *value)
{
    struct cpu *c = me();
    uint32_t lo = 0, hi = 0;

    try_begin(c);
    __asm__ volatile(TRY_ARM "rdmsr; 2:"
                     : TRY_OUT, "+a"(lo), "+d"(hi)
                     : "c"(msr)
                     : "r11", "memory");
    *value = (uint64_t)hi << 32 | lo;
    return try_end(c);
}

unsigned try_wrmsr(uint32_t msr, uint64_t value)
{
    struct cpu *c = me();

    try_begin(c);
    __asm__ volatile(TRY_ARM "wrmsr; 2:"
                     : TRY_OUT
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "r11", "memory");
    return try_end(c);
}

unsigned try_load(uint64_t va, uint32_t *value)
{
    struct cpu *c = me();
    uint32_t got = 0;

    try_begin(c);
    __asm__ volatile(TRY_ARM "mov (%[va]), %[got]; 2:"
                     : TRY_OUT, [got] "+r"(got)
                     : [va] "r"(va)
                     : "r11", "memory");
    *value = got;
    return try_end(c);
}

unsigned try_store(uint64_t va, uint32_t value)
{
    struct cpu *c = me();

    try_begin(c);
    __asm__ volatile(TRY_ARM "mov %[value], (%[va]); 2:"
                     : TRY_OUT
                     : [value] "r"(value), [va] "r"(va)
                     : "r11", "memory");
    return try_end(c);
}

unsigned try_call(uint64_t va)
{
    struct cpu *c = me();

    try_begin(c);
    __asm__ volatile("mov %%rsp, %%rbx; " TRY_ARM "call *%[va]; 2: mov %%rbx, %%rsp"
                     : TRY_OUT
                     : [va] "r"(va)
                     : "rax", "rbx", "r11", "memory");
    return try_end(c);
}

unsigned try_ud(void)
{
    struct cpu *c = me();

    try_begin(c);
    __asm__ volatile(TRY_ARM "ud2; 2:" : TRY_OUT : : "r11", "memory");
    return try_end(c);
}
