/* A guest for VT-x and AMD-V themselves: control and debug registers, interrupt shadows,
 * NMIs and their end, odd instructions, FPU state. Most of it the CPU does by itself, or
 * not at all in the simulator. Built from the runtime of tests/sim/guest.
 *
 *   role=invalid    starts its second vCPU in a state that no CPU enters
 *   machine=qemu, machine=bochs-svm
 *                   leaves out what QEMU 7.2, or Bochs 2.7 with AMD-V, does not do */
#include "guest.h"

#include <xen/hvm/hvm_vcpu.h>

#define CR0_WP (UINT64_C(1) << 16)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_PG (UINT64_C(1) << 31)
#define CR4_TSD (UINT64_C(1) << 2)
#define CR4_PGE (UINT64_C(1) << 7)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define CR4_SMAP (UINT64_C(1) << 21)
#define VEC_DB 1u
#define VEC_BP 3u
#define VEC_NM 7u
#define DR7_WRITE_0 UINT64_C(0xd0402) /* G1 clear, G0 set: writes of four bytes at DR0 */
#define DR6_B0 1u

static unsigned failures;

void play(void);

bool eq_(const char *file, int line, const char *what, int64_t got, int64_t want)
{
    if (got == want)
        return true;
    failures++;
    say("FAIL %s:%d: %s is %lx, not %lx", file, line, what, got, want);
    return false;
}

/* One instruction that may fault: the vector, or 0. What follows is its operands. */
#define TRY(insn, ...)                                                                             \
    ({                                                                                             \
        struct cpu *c_ = me();                                                                     \
        c_->fault_vector = 0;                                                                      \
        __asm__ volatile("lea 2f(%%rip), %%r11; mov %%r11, %0;" insn "; 2:"                        \
                         : "=m"(c_->resume)                                                        \
                         : __VA_ARGS__                                                             \
                         : "rax", "rcx", "rdx", "r11", "memory");                                  \
        c_->resume = 0;                                                                            \
        (unsigned)c_->fault_vector;                                                                \
    })
#define NOTHING "i"(0)
#define XSETBV "mov %1, %%eax; xor %%ecx, %%ecx; xor %%edx, %%edx; xsetbv"
#define MONITOR "xor %%eax, %%eax; xor %%ecx, %%ecx; xor %%edx, %%edx; .byte 0x0f, 0x01, 0xc8"

#define READ_CR(n)                                                                                 \
    ({                                                                                             \
        uint64_t v_;                                                                               \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_));                                         \
        v_;                                                                                        \
    })
#define WRITE_CR(n, v) __asm__ volatile("mov %0, %%cr" #n : : "r"((uint64_t)(v)) : "memory")

static void control_registers(void)
{
    uint64_t cr0 = READ_CR(0), cr4 = READ_CR(4), cr3 = READ_CR(3);
    uint16_t word_ = (uint16_t)(cr0 | CR0_TS | CR0_MP), got;

    __asm__ volatile("lmsw %0" : : "r"(word_));
    EQ(READ_CR(0), cr0 | CR0_TS | CR0_MP);
    __asm__ volatile("smsw %0" : "=r"(got));
    EQ(got & 0xf, (cr0 & 0xf) | CR0_TS | CR0_MP);
    EQ(TRY("movaps %%xmm0, %%xmm1", NOTHING), VEC_NM);
    __asm__ volatile("clts");
    EQ(READ_CR(0), cr0 | CR0_MP);
    word_ = CR0_EM; /* PE stays, MP goes */
    __asm__ volatile("lmsw %0" : : "m"(word_));
    EQ(READ_CR(0), (cr0 & ~CR0_MP) | CR0_EM);
    WRITE_CR(0, cr0 & ~CR0_WP);
    EQ(READ_CR(0), cr0 & ~CR0_WP);
    EQ(TRY("mov %1, %%cr0", "r"(cr0 & ~CR0_PG)), VEC_GP); /* from 64-bit code */
    EQ(TRY("mov %1, %%cr0", "r"(cr0 | CR0_NW)), VEC_GP);
    EQ(TRY("mov %1, %%cr0", "r"(cr0 | UINT64_C(1) << 40)), VEC_GP);
    WRITE_CR(0, cr0);
    EQ(READ_CR(0), cr0);
    WRITE_CR(4, cr4 | CR4_PGE);
    EQ(READ_CR(4), cr4 | CR4_PGE);
    WRITE_CR(4, cr4 | CR4_TSD);
    EQ(READ_CR(4), cr4 | CR4_TSD);
    EQ(TRY("mov %1, %%cr4", "r"(cr4 | CR4_SMAP)), VEC_GP); /* not in CPUID */
    EQ(TRY("mov %1, %%cr4", "r"(cr4 | UINT64_C(1) << 40)), VEC_GP);
    __asm__ volatile("mov %0, %%r9; mov %%r9, %%cr4" : : "r"(cr4) : "r9", "memory");
    EQ(READ_CR(4), cr4);
    WRITE_CR(3, cr3);
    EQ(READ_CR(3), cr3);
}

/* CR8 masks classes of interrupts, and lets them go when it falls. */
static void task_priority(void)
{
    uint32_t before = me()->irqs[VEC_TEST];

    EQ(READ_CR(8), 0);
    WRITE_CR(8, VEC_TEST >> 4);
    EQ(READ_CR(8), VEC_TEST >> 4);
    EQ(lapic_read(LAPIC_TPR), VEC_TEST & 0xf0);
    irq_on();
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST);
    (void)cpuid(0, 0);
    EQ(me()->irqs[VEC_TEST], before);
    WRITE_CR(8, 0);
    __asm__ volatile("nop; nop");
    EQ(me()->irqs[VEC_TEST], before + 1);
    EQ(TRY("mov %1, %%cr8", "r"(UINT64_C(16))), VEC_GP);
}

/* One instruction after STI nothing is delivered, whether it exits or not. */
static void shadows(void)
{
    uint32_t before = me()->irqs[VEC_TEST];

    irq_off();
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST);
    __asm__ volatile("sti; cli" ::: "memory");
    EQ(me()->irqs[VEC_TEST], before);
    __asm__ volatile("sti; cpuid; nop; cli" : : "a"(0), "c"(0) : "rbx", "rdx", "memory");
    EQ(me()->irqs[VEC_TEST], before + 1);
    lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST);
    __asm__ volatile("sti; hlt; cli" ::: "memory"); /* HLT ends at once */
    EQ(me()->irqs[VEC_TEST], before + 2);
    irq_on();
}

static volatile unsigned nmi_depth, nmi_deepest, nmis;

static void on_nmi(struct frame *f)
{
    OK(f->vector == VEC_NMI);
    nmi_depth++;
    if (nmi_depth > nmi_deepest)
        nmi_deepest = nmi_depth;
    if (++nmis < 4) /* the next one waits for the end of this one */
        lapic_icr(apic_id_of(0), ICR_NMI | ICR_ASSERT);
    for (unsigned i = 0; i < 10; i++)
        (void)cpuid(0, 0);
    nmi_depth--;
}

static void nmi(void)
{
    irq_hook[VEC_NMI] = on_nmi;
    lapic_icr(apic_id_of(0), ICR_NMI | ICR_ASSERT);
    OK(WAIT(nmis == 4));
    EQ(nmi_deepest, 1);
    for (unsigned i = 0; i < 3; i++) { /* and after the mask has gone unnoticed */
        __asm__ volatile("int %0" : : "i"(VEC_TEST2));
        lapic_icr(apic_id_of(0), ICR_NMI | ICR_ASSERT);
        OK(WAIT(nmis == 5 + i));
    }
    irq_hook[VEC_NMI] = NULL;
}

/* Which has no watchpoints in SVM guests, and lets them execute XSETBV. */
static bool machine_is(const char *name)
{
    static char machine[WORD_MAX];

    return word("machine", machine) && same(machine, name);
}

static void debug_registers(void)
{
    static volatile uint32_t watched;
    uint64_t dr6, dr7;

    __asm__ volatile("mov %0, %%db0" : : "r"(&watched));
    __asm__ volatile("mov %0, %%db7" : : "r"(DR7_WRITE_0));
    __asm__ volatile("mov %%db7, %0" : "=r"(dr7));
    EQ(dr7, DR7_WRITE_0);
    if (!machine_is("qemu") && !machine_is("bochs-svm")) {
        EQ(TRY("movl $7, %1", "m"(watched)), VEC_DB);
        EQ(watched, 7);
        __asm__ volatile("mov %%db6, %0" : "=r"(dr6));
        EQ(dr6 & 0xf, DR6_B0);
    }
    __asm__ volatile("mov %0, %%db6" : : "r"(UINT64_C(0)));
    __asm__ volatile("mov %0, %%db7" : : "r"(UINT64_C(0x400)));
    EQ(TRY("movl $8, %1", "m"(watched)), 0);
    EQ(TRY("mov %1, %%db7", "r"(UINT64_C(1) << 40)), VEC_GP);
}

/* Lengths are what was executed, not what is usual. */
static void lengths(void)
{
    uint32_t a = 0, c = 0, lo;

    __asm__ volatile(".byte 0x66, 0x0f, 0xa2" : "+a"(a), "+c"(c) : : "rbx", "rdx");
    EQ(a, cpuid(0, 0).a);
    __asm__ volatile(".byte 0x48, 0x0f, 0x32" : "=a"(lo) : "c"(0xc0000080) : "rdx");
    OK(lo & 0x100);
    EQ(TRY(".byte 0xf2, 0x0f, 0x08", NOTHING), 0); /* INVD */
    EQ(TRY("wbinvd", NOTHING), 0);
}

static void refused(void)
{
    EQ(TRY("ud2", NOTHING), VEC_UD);
    EQ(TRY("xor %%eax, %%eax; .byte 0x0f, 0x01, 0xd8", NOTHING), VEC_UD); /* VMRUN */
    EQ(TRY(".byte 0x0f, 0x01, 0xdd", NOTHING), VEC_UD);                   /* CLGI */
    EQ(TRY(".byte 0x0f, 0x01, 0xc2", NOTHING), VEC_UD);                   /* VMLAUNCH */
    EQ(TRY(MONITOR, NOTHING), VEC_UD);                                    /* MONITOR */
    EQ(TRY("mov $0xff, %%ecx; rdpmc", NOTHING), VEC_GP);
    EQ(TRY("int3", NOTHING), VEC_BP);
    __asm__ volatile("int %0" : : "i"(VEC_TEST2));
}

static void fpu(void)
{
    uint64_t cr4 = READ_CR(4), out = 0, in_ = UINT64_C(0x123456789abcdef);
    uint32_t lo;

    __asm__ volatile("movq %0, %%xmm7" : : "r"(in_));
    for (unsigned i = 0; i < 10; i++) {
        rest(MS);
        (void)cpuid(0, 0);
    }
    __asm__ volatile("movq %%xmm7, %0" : "=r"(out));
    EQ(out, in_);
    EQ(TRY(XSETBV, "r"(1)), VEC_UD); /* not without OSXSAVE */
    WRITE_CR(4, cr4 | CR4_OSXSAVE);
    OK(cpuid(1, 0).c >> 27 & 1);
    EQ(TRY(XSETBV, "r"(3)), 0);
    __asm__ volatile("xgetbv" : "=a"(lo) : "c"(0) : "rdx");
    EQ(lo, 3);
    EQ(TRY(XSETBV, "r"(2)), VEC_GP);
    if (!machine_is("qemu"))
        EQ(TRY(XSETBV, "r"(7)), VEC_GP); /* AVX is not shown */
    WRITE_CR(4, cr4);
}

/* Ticks of the TSC for the least of many; with QEMU's -icount they are instructions. */
#define LEAST(what)                                                                                \
    ({                                                                                             \
        uint64_t least_ = UINT64_MAX;                                                              \
        for (unsigned i_ = 0; i_ < 100; i_++) {                                                    \
            uint64_t start_ = tsc(), took_;                                                        \
            what;                                                                                  \
            took_ = tsc() - start_;                                                                \
            least_ = took_ < least_ ? took_ : least_;                                              \
        }                                                                                          \
        least_;                                                                                    \
    })

static void costs(void)
{
    uint64_t none = LEAST((void)0);

    say("least ticks: CPUID %lu, hypercall %lu, RDMSR %lu, port %lu, CR4 %lu, interrupt %lu",
        LEAST((void)cpuid(0, 0)) - none, LEAST((void)HC2(__HYPERVISOR_xen_version, 0, 0)) - none,
        LEAST((void)rdmsr(0xc0000080)) - none,
        LEAST(__asm__ volatile("inb %w0, %%al"
                               :
                               : "d"(0x5678)
                               : "rax")) -
            none,
        LEAST(WRITE_CR(4, READ_CR(4))) - none,
        LEAST(lapic_icr(0, ICR_SELF | ICR_ASSERT | VEC_TEST)) - none);
}

/* 64-bit code has CS.D clear (APM Vol. 2 4.8.1): the domain must crash, nothing else. */
static void invalid(void)
{
    static struct vcpu_hvm_context c = {.mode = VCPU_HVM_MODE_32B};

    c.cpu_regs.x86_32 = (struct vcpu_hvm_x86_32){
        .cr0 = 0x80000011,
        .cr3 = (uint32_t)READ_CR(3),
        .cr4 = 0x20,
        .efer = 0x500,
        .eflags = 2,
        .eip = 0x100000,
        .cs_limit = UINT32_MAX,
        .ss_limit = UINT32_MAX,
        .ds_limit = UINT32_MAX,
        .es_limit = UINT32_MAX,
        .tr_limit = 0x67,
        .cs_ar = 0xe9b, /* G, D, L */
        .ss_ar = 0xc93,
        .ds_ar = 0xc93,
        .es_ar = 0xc93,
        .tr_ar = 0x8b,
    };
    EQ(vcpu_op(VCPUOP_initialise, 1, &c), 0);
    EQ(vcpu_op(VCPUOP_up, 1, NULL), 0);
    rest(100 * MS);
    say("FAIL: it runs");
}

void play(void)
{
    static char role[WORD_MAX];
    static const struct {
        const char *name;
        void (*run)(void);
    } acts[] = {
        {"control registers", control_registers},
        {"task priority", task_priority},
        {"interrupt shadows", shadows},
        {"NMI", nmi},
        {"debug registers", debug_registers},
        {"lengths", lengths},
        {"refused", refused},
        {"FPU", fpu},
    };
    unsigned before;

    if (word("role", role) && same(role, "invalid"))
        invalid();
    for (unsigned i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (acts[i].run == nmi && machine_is("bochs-svm"))
            continue; /* a step over IRET does not end in the exit that was asked for */
        before = failures;
        acts[i].run();
        if (failures == before)
            say("PASS %s", acts[i].name);
    }
    costs();
    say("RESULT %s", failures ? "FAIL" : "PASS");
    power_off(SHUTDOWN_poweroff);
}
