/* The processor as the guest sees it: control registers, exceptions, single steps, and user
 * mode, from where nothing reaches the hypervisor's calls. What only real processors check
 * (the word hw=1 says that there is one) the simulator's does not: hostsim/engine/README.md. */
#include "guest.h"

#define VEC_DE 0u
#define VEC_DB 1u
#define VEC_BP 3u
#define FAR_VA (UINT64_C(1) << 40)
#define CR4_RESERVED (UINT64_C(1) << 63)
#define CR0_PG (UINT64_C(1) << 31)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_PE UINT64_C(1)
#define CR0_TS UINT64_C(8)
#define CR4_PAE UINT64_C(0x20)
#define STAR 0xc0000081u
#define LSTAR 0xc0000082u
#define SFMASK 0xc0000084u
#define EFER 0xc0000080u
#define USER_CS 0x2bu
#define USER_SS 0x23u
#define TSS_SELECTOR 0x30u

static bool hardware(void)
{
    return number("hw", 0) != 0;
}

static unsigned try_cr0(uint64_t v)
{
    struct cpu *c = me();

    try_begin(c);
    __asm__ volatile(TRY_ARM "mov %[v], %%cr0; 2:" : TRY_OUT : [v] "r"(v) : "r11", "memory");
    return try_end(c);
}

static unsigned try_cr4(uint64_t v)
{
    struct cpu *c = me();

    try_begin(c);
    __asm__ volatile(TRY_ARM "mov %[v], %%cr4; 2:" : TRY_OUT : [v] "r"(v) : "r11", "memory");
    return try_end(c);
}

static uint64_t cr0(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}

static uint64_t cr4(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}

static void control_registers(void)
{
    uint64_t old0 = cr0(), old4 = cr4();

    if (hardware()) {
        EQ(try_cr4(old4 | CR4_RESERVED), VEC_GP);
        EQ(try_cr4(old4 & ~CR4_PAE), VEC_GP); /* not in long mode */
        EQ(try_cr0(old0 & ~CR0_PE), VEC_GP);  /* paging without protection */
        EQ(try_cr0(old0 | CR0_NW), VEC_GP);   /* NW without CD */
        EQ(try_cr0(old0 | UINT64_C(1) << 32), VEC_GP);
    }
    EQ(cr0(), old0);
    EQ(cr4(), old4);
    EQ(try_cr0(old0 | CR0_TS), 0);
    EQ(cr0(), old0 | CR0_TS);
    __asm__ volatile("clts");
    EQ(cr0(), old0);
    EQ(try_cr4(old4 | 0x80), 0); /* global pages */
    EQ(cr4(), old4 | 0x80);
    EQ(try_cr4(old4), 0);
}

/* CR8 is the upper half of the local APIC's task priority. */
static void task_priority(void)
{
    uint64_t v = 5;

    if (!hardware())
        return;
    __asm__ volatile("mov %0, %%cr8" ::"r"(v));
    EQ(lapic_read(LAPIC_TPR), 0x50);
    lapic_write(LAPIC_TPR, 0x72);
    __asm__ volatile("mov %%cr8, %0" : "=r"(v));
    EQ(v, 7);
    v = 0;
    __asm__ volatile("mov %0, %%cr8" ::"r"(v));
    EQ(lapic_read(LAPIC_TPR), 0);
}

static void debug_registers(void)
{
    uint64_t v = 0x123450, got;

    __asm__ volatile("mov %0, %%db0; mov %0, %%db3" ::"r"(v));
    __asm__ volatile("mov %%db0, %0" : "=r"(got));
    EQ(got, v);
    __asm__ volatile("mov %%db3, %0" : "=r"(got));
    EQ(got, v);
    __asm__ volatile("mov %%db7, %0" : "=r"(got));
    EQ(got, 0x400);
    v = 0;
    __asm__ volatile("mov %0, %%db0; mov %0, %%db3" ::"r"(v));
}

#define TRY_PLAIN(text)                                                                            \
    ({                                                                                             \
        struct cpu *c = me();                                                                      \
        try_begin(c);                                                                              \
        __asm__ volatile(TRY_ARM text "; 2:"                                                       \
                         : TRY_OUT                                                                 \
                         :                                                                         \
                         : "rax", "rbx", "rcx", "rdx", "r11", "cc", "memory");                     \
        try_end(c);                                                                                \
    })

static void exceptions(void)
{
    EQ(TRY_PLAIN("xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx"), VEC_DE);
    EQ(TRY_PLAIN("int3"), VEC_BP);
    EQ(TRY_PLAIN("mov $0x1234, %%eax; mov %%eax, %%ds"), VEC_GP);
    EQ(me()->fault_error, 0x1234);
    EQ(TRY_PLAIN("movabs $0x4000000000000000, %%rax; mov (%%rax), %%ebx"), VEC_GP);
    EQ(TRY_PLAIN("ud2"), VEC_UD);
    if (!hardware())
        return;
    EQ(TRY_PLAIN("mov $0x12345678, %%ecx; rdpmc"), VEC_GP);
    EQ(TRY_PLAIN("movabs $0x4000000000000000, %%rcx; xor %%edx, %%edx; mov $0x99, %%eax;"
                 "mov %%rcx, %%cr3"),
       VEC_GP);
}

/* The trap comes behind the stepped instruction, also behind one that left guest mode. */
#define STEP(insn)                                                                                 \
    ({                                                                                             \
        struct cpu *c = me();                                                                      \
        uint64_t next;                                                                             \
        try_begin(c);                                                                              \
        __asm__ volatile(TRY_ARM                                                                   \
                         "lea 3f(%%rip), %[next]; pushfq; orq $0x100, (%%rsp); popfq;" insn        \
                         "; 3: nop; nop; 2:"                                                       \
                         : TRY_OUT, [next] "=&r"(next)                                             \
                         :                                                                         \
                         : "rax", "rbx", "rcx", "rdx", "r11", "cc", "memory");                     \
        try_end(c) == VEC_DB && c->fault_rip == next;                                              \
    })

static void single_step(void)
{
    OK(STEP("nop"));
    OK(STEP("mov $0, %%eax; cpuid") == false); /* two instructions: after the first */
    OK(STEP("cpuid"));
    OK(STEP("inb $0x80, %%al"));
    OK(STEP("movabsl 0xfee00030, %%eax"));
    OK(STEP("mov %%cr0, %%rax"));
}

/* ---- User mode */
static struct {
    uint32_t reserved;
    uint64_t rsp[3], none, ist[7], none2;
    uint16_t none3, io_map;
} __attribute__((packed)) tss = {.io_map = 104};
static uint64_t gdt[8] = {0,
                          0x00af9b000000ffff,
                          0x00cf93000000ffff,
                          0,
                          0x00cff3000000ffff, /* user data */
                          0x00affb000000ffff, /* user code */
                          0,
                          0};
static uint8_t user_stack[PAGE], kernel_stack[PAGE] __attribute__((aligned(16)));
static volatile int64_t user_result;
static volatile uint32_t user_wants;

static void prepare_user(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdtr = {sizeof(gdt) - 1, (uint64_t)(uintptr_t)gdt};
    uint64_t base = (uint64_t)(uintptr_t)&tss;

    tss.rsp[0] = (uint64_t)(uintptr_t)(kernel_stack + sizeof(kernel_stack));
    gdt[6] = 0x0000890000000067 | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    gdt[7] = base >> 32;
    __asm__ volatile("lgdt %0; ltr %w1" ::"m"(gdtr), "r"(TSS_SELECTOR));
}

/* Runs f in user mode until it faults: the vector. */
static unsigned in_user(void (*f)(void))
{
    struct cpu *c = me();
    void *stack = user_stack + sizeof(user_stack) - 8;

    try_begin(c);
    __asm__ volatile("push %%rbx; push %%rbp; push %%r12; push %%r13; push %%r14; push %%r15;"
                     "mov %%rsp, %[rsp];" TRY_ARM "push %[ss]; push %%rsi; push $0x202;"
                     "push %[cs]; push %%rdi; iretq;"
                     "2: pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbp; pop %%rbx"
                     : TRY_OUT, [rsp] "=m"(c->user_rsp), "+D"(f), "+S"(stack)
                     : [ss] "i"(USER_SS), [cs] "i"(USER_CS)
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory");
    return try_end(me());
}

static void leave(void)
{
    __asm__ volatile("ud2");
}

static void user_hypercall(void)
{
    user_result = HC2(__HYPERVISOR_xen_version, 0, 0);
    leave();
}

static void user_cpuid(void)
{
    user_result = cpuid(xen_leaf, 0).b;
    leave();
}

static void user_tsc(void)
{
    user_result = (int64_t)tsc();
    leave();
}

static void user_lapic(void)
{
    user_result = *(volatile uint32_t *)(uintptr_t)0xfee00030;
    leave();
}

static void user_hole(void)
{
    user_result = *(volatile uint32_t *)AT(user_wants);
    leave();
}

static void user_msr(void)
{
    rdmsr(0x10);
    leave();
}

static void user_port(void)
{
    __asm__ volatile("inb $0x80, %%al" ::: "al");
    leave();
}

static void user_hlt(void)
{
    __asm__ volatile("hlt");
    leave();
}

static void user_far(void)
{
    *(volatile uint32_t *)(uintptr_t)FAR_VA = 1;
    leave();
}

static void user_spin(void)
{
    while (me()->irqs[VEC_TIMER] != user_wants)
        relax();
    leave();
}

static void user_mode(void)
{
    prepare_user();
    EQ(in_user(leave), VEC_UD);
    EQ(in_user(user_hypercall), VEC_UD);
    EQ(user_result, -XEN_EPERM);
    EQ(in_user(user_cpuid), VEC_UD);
    EQ(user_result, 0x566e6558);
    EQ(in_user(user_tsc), VEC_UD);
    OK(user_result != 0);
    if (!me()->x2apic) {
        EQ(in_user(user_lapic), VEC_UD);
        EQ(user_result, lapic_read(LAPIC_VERSION));
    }
    user_wants = (uint32_t)hole_gfn(1);
    EQ(in_user(user_hole), VEC_UD);
    EQ(user_result, UINT32_MAX);
    EQ(in_user(user_msr), VEC_GP);
    if (hardware())
        EQ(in_user(user_port), VEC_GP);
    EQ(in_user(user_hlt), VEC_GP);
    EQ(in_user(user_far), VEC_PF);
    EQ(me()->fault_error, 6); /* a write from user mode */
    EQ(me()->fault_address, FAR_VA);
    user_wants = me()->irqs[VEC_TIMER] + 1; /* an interrupt on the way */
    lapic_write(LAPIC_TDCR, 0xb);
    lapic_write(LAPIC_LVTT, VEC_TIMER);
    lapic_write(LAPIC_TMICT, 100000);
    EQ(in_user(user_spin), VEC_UD);
    EQ(me()->irqs[VEC_TIMER], user_wants);
}

/* SYSCALL enters the kernel where LSTAR says: here, on an instruction that faults. */
static void syscall_entry(void)
{
    uint64_t efer = rdmsr(EFER);

    if (hardware())
        EQ(TRY_PLAIN("syscall"), VEC_UD); /* not enabled */
    wrmsr(EFER, efer | 1);
    wrmsr(STAR, UINT64_C(8) << 32 | UINT64_C(0x18) << 48);
    wrmsr(LSTAR, (uint64_t)(uintptr_t)leave);
    wrmsr(SFMASK, 0x200);
    EQ(TRY_PLAIN("syscall"), VEC_UD);
    EQ(me()->fault_rip, (uint64_t)(uintptr_t)leave);
    irq_on();
    wrmsr(EFER, efer);
    wrmsr(LSTAR, 0);
    EQ(rdmsr(EFER), efer);
}

const struct act acts_cpu[] = {
    {"cpu-control", 1, control_registers}, {"cpu-priority", 1, task_priority},
    {"cpu-debug", 1, debug_registers},     {"cpu-exception", 1, exceptions},
    {"cpu-step", 1, single_step},          {"cpu-user", 1, user_mode},
    {"cpu-syscall", 1, syscall_entry},     {0},
};
