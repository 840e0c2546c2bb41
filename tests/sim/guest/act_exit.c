/* What leaves guest mode: CPUID, MSRs, ports, device memory, faults of either stage. */
#include "guest.h"

#define FAR_VA (UINT64_C(1) << 40) /* nothing is mapped there */
#define NX (UINT64_C(1) << 63)
#define PRESENT_RW 3u
#define MSR_TSC_AUX 0xc0000103u
#define MSR_PAT 0x277u
#define MSR_EFER 0xc0000080u
#define MSR_NONE 0x1234567u
#define MSR_LSTAR 0xc0000082u
#define NON_CANONICAL (UINT64_C(1) << 62)

static void cpuid_leaves(void)
{
    struct cpuid base = cpuid(xen_leaf, 0), version = cpuid(xen_leaf + 1, 0);
    struct cpuid ids = cpuid(xen_leaf + 4, 0), one = cpuid(1, 0);

    OK(base.a >= xen_leaf + 4);
    EQ(version.a >> 16, 4);
    EQ(version.a, HC2(__HYPERVISOR_xen_version, 0, 0));
    EQ(cpuid(xen_leaf + 2, 0).a, 1); /* one hypercall page */
    OK(one.c >> 31);                 /* a hypervisor is there */
    EQ(one.b >> 24, apic_id_of(0));
    OK(one.d & 1u << 4); /* TSC */
    OK(one.d & 1u << 9); /* APIC */
    OK(ids.a & 1u << 3); /* the vCPU's number follows */
    EQ(ids.b, 0);
    OK(ids.a & 1u << 4); /* and the domain's */
    OK(ids.c != 0);
    OK(cpuid(0, 0).a >= 0xd);
    OK(cpuid(0x80000000, 0).a >= 0x80000008);
    OK(cpuid(0x80000001, 0).d >> 29 & 1); /* long mode */
}

static void msr_good(void)
{
    uint64_t v, pat = rdmsr(MSR_PAT);

    EQ(try_rdmsr(MSR_EFER, &v), 0);
    EQ(v & 0xd00, 0xd00);
    EQ(try_wrmsr(MSR_PAT, UINT64_C(0x0007040600070406)), 0);
    EQ(rdmsr(MSR_PAT), UINT64_C(0x0007040600070406));
    wrmsr(MSR_PAT, pat);
    EQ(try_wrmsr(MSR_LSTAR, UINT64_C(0xffffffff81000000)), 0);
    EQ(rdmsr(MSR_LSTAR), UINT64_C(0xffffffff81000000));
    EQ(try_wrmsr(MSR_LSTAR, 0), 0);
}

/* Each must raise #GP with error code 0, and change nothing. */
static void msr_bad(void)
{
    uint64_t v, efer = rdmsr(MSR_EFER), pat = rdmsr(MSR_PAT);

    me()->fault_error = 1;
    EQ(try_rdmsr(MSR_NONE, &v), VEC_GP);
    EQ(me()->fault_error, 0);
    EQ(try_wrmsr(MSR_NONE, 0), VEC_GP);
    EQ(try_wrmsr(MSR_PAT, 2), VEC_GP); /* a reserved memory type */
    EQ(try_wrmsr(MSR_EFER, efer | UINT64_C(1) << 40), VEC_GP);
    EQ(try_wrmsr(MSR_EFER, efer & ~UINT64_C(0x100)), VEC_GP); /* long mode while paging */
    EQ(try_wrmsr(MSR_LSTAR, NON_CANONICAL), VEC_GP);
    EQ(try_wrmsr(cpuid(xen_leaf + 2, 0).b, 0xfffff), VEC_GP); /* page number 0xfff */
    EQ(rdmsr(MSR_EFER), efer);
    EQ(rdmsr(MSR_PAT), pat);
    EQ(rdmsr(MSR_LSTAR), 0);
}

static inline uint32_t in(uint16_t port, unsigned size)
{
    uint32_t v = 0x11223344;

    if (size == 1)
        __asm__ volatile("inb %1, %b0" : "+a"(v) : "Nd"(port));
    else if (size == 2)
        __asm__ volatile("inw %1, %w0" : "+a"(v) : "Nd"(port));
    else
        __asm__ volatile("inl %1, %0" : "+a"(v) : "Nd"(port));
    return v;
}

static void ports(void)
{
    static const uint8_t out[4] = {1, 2, 3, 4};
    static uint8_t got[4];
    void *to = got;
    const void *from = out;
    uint64_t n = sizeof(got);

    EQ(in(0x5678, 1), 0x112233ff); /* nobody there: ones, the rest of rax stays */
    EQ(in(0x5678, 2), 0x1122ffff);
    EQ(in(0x5678, 4), 0xffffffff);
    __asm__ volatile("outl %0, %w1" ::"a"(0xdeadbeef), "Nd"((uint16_t)0x5678));
    __asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"((uint16_t)0x5678) : "memory");
    EQ(n, 0);
    EQ(got[0] & got[1] & got[2] & got[3], 0xff);
    n = sizeof(out);
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(n) : "d"((uint16_t)0x5678) : "memory");
    EQ(n, 0);
    EQ((uintptr_t)from, (uintptr_t)out + sizeof(out));
}

static void pm_timer(void)
{
    uint32_t first = in(0xb008, 4), second; /* as the FADT says, 3.58 MHz */
    uint64_t end = now() + 10 * MS;

    while (now() < end)
        rest(MS);
    second = in(0xb008, 4);
    OK(second != first);
}

/* Outside all memory the second stage answers ones, and swallows what is written. */
static void second_stage(void)
{
    uint32_t v = 0;
    uint64_t hole = (uint64_t)(uintptr_t)AT(hole_gfn(1));

    EQ(try_load(hole, &v), 0);
    EQ(v, 0xffffffff);
    EQ(try_store(hole, 1), 0);
    EQ(try_load(hole, &v), 0);
    EQ(v, 0xffffffff);
    EQ(*(volatile uint8_t *)(uintptr_t)(hole + 5), 0xff);
    EQ(*(volatile uint16_t *)(uintptr_t)(hole + 6), 0xffff);
    EQ(*(volatile uint64_t *)(uintptr_t)(hole + 8), UINT64_MAX);
}

static void page_faults(void)
{
    uint32_t v;
    uint32_t *page = page_alloc();

    EQ(try_load(FAR_VA, &v), VEC_PF);
    EQ(me()->fault_error, 0);
    EQ(me()->fault_address, FAR_VA);
    EQ(try_store(FAR_VA + 8, 1), VEC_PF);
    EQ(me()->fault_error, 2);
    EQ(me()->fault_address, FAR_VA + 8);
    EQ(try_load(NON_CANONICAL, &v), VEC_GP);

    *page = 0x900000c3; /* ret */
    map_4k(FAR_VA, GFN(page) << 12 | 1);
    EQ(try_load(FAR_VA, &v), 0);
    EQ(v, 0x900000c3);
    EQ(try_store(FAR_VA, 1), VEC_PF); /* read-only; needs CR0.WP */
    EQ(me()->fault_error, 3);
    EQ(try_call(FAR_VA), 0);
    map_4k(FAR_VA, GFN(page) << 12 | PRESENT_RW | NX);
    EQ(try_store(FAR_VA + 4, 1), 0);
    EQ(try_call(FAR_VA), VEC_PF);
    EQ(me()->fault_error, 0x11); /* a fetch, present */
    EQ(me()->fault_address, FAR_VA);
    map_4k(FAR_VA, 0);
    EQ(try_call(FAR_VA), VEC_PF);
    EQ(try_ud(), VEC_UD);
    page_free(page);
}

static void rdtsc_moves(void)
{
    uint64_t a = tsc(), b = tsc(), start = now(), hz = tsc_hz();
    uint64_t ns, ticks, want;

    OK(b > a);
    OK(hz > 10000000 && hz < UINT64_C(10000000000));
    a = tsc();
    start = now();
    while (now() < start + 20 * MS)
        rest(MS);
    ticks = tsc() - a;
    ns = now() - start;
    want = ns * (hz / 1000) / 1000000;
    OK(ticks > want / 2 && ticks < want + want / 2);
    if (cpuid(0x80000001, 0).d >> 27 & 1) { /* RDTSCP, TSC_AUX */
        uint32_t lo, hi, aux;

        EQ(try_wrmsr(MSR_TSC_AUX, 77), 0);
        __asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
        EQ(aux, 77);
        OK(((uint64_t)hi << 32 | lo) > a);
        EQ(try_wrmsr(MSR_TSC_AUX, UINT64_C(1) << 32), VEC_GP);
    }
}

/* The I/O APIC: registers behind an index. */
static void ioapic(void)
{
    volatile uint32_t *index = (volatile uint32_t *)(uintptr_t)0xfec00000;
    volatile uint32_t *data = (volatile uint32_t *)(uintptr_t)0xfec00010;

    *index = 1;
    OK((*data & 0xff) != 0 && (*data & 0xff) < 64);
    OK((*data >> 16 & 0xff) >= 23);
    *index = 0x10; /* pin 0: masked at reset; vector and mask stay what is written */
    OK(*data >> 16 & 1);
    *data = 0x10000 | VEC_TEST;
    EQ(*data & 0x100ff, 0x10000 | VEC_TEST);
    *index = 0xff;
    (void)*data;
    *index = 0x10;
    *data = 0x10000;
}

const struct act acts_exit[] = {
    {"exit-cpuid", 1, cpuid_leaves},     {"exit-msr", 1, msr_good},
    {"exit-msr-bad", 1, msr_bad},        {"exit-port", 1, ports},
    {"exit-pm-timer", 1, pm_timer},      {"exit-second-stage", 1, second_stage},
    {"exit-page-fault", 1, page_faults}, {"exit-tsc", 1, rdtsc_moves},
    {"exit-ioapic", 1, ioapic},          {0},
};
