/* Registers that a CPU keeps until somebody loads others: x87, SSE and debug registers are
 * this vCPU's own, whoever ran in between, and a new vCPU's are those of a reset. Two domains
 * that play "leak-mine" at the same time on one CPU do so against each other. */
#include "guest.h"

#define DR6_RESET UINT64_C(0xffff0ff0)
#define DR7_RESET UINT64_C(0x400)
#define DR7_ARMED UINT64_C(0xd0402) /* writes of four bytes at DR0 */
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define FCW_INIT 0x37fu /* FNINIT's */
#define MXCSR_RESET 0x1f80u
#define ROUNDS 200u

struct fx { /* FXSAVE64: SDM Vol. 1 10.5.1 */
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint64_t st[8][2], xmm[16][2];
    uint64_t rest[12];
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct fx) == 512, "as the CPU has it");

struct held {
    uint64_t dr[4], dr6, dr7;
    struct fx fx;
};

static uint64_t pattern(uint64_t seed, unsigned i)
{
    return (seed << 32 | (i + 1)) * UINT64_C(0x9e3779b97f4a7c15);
}

static void load(const struct held *h)
{
    __asm__ volatile("mov %0, %%db0; mov %1, %%db1; mov %2, %%db2; mov %3, %%db3"
                     :
                     : "r"(h->dr[0]), "r"(h->dr[1]), "r"(h->dr[2]), "r"(h->dr[3]));
    __asm__ volatile("mov %0, %%db6; mov %1, %%db7" : : "r"(h->dr6), "r"(h->dr7));
    __asm__ volatile("fxrstorq %0" : : "m"(h->fx));
}

static void store(struct held *h)
{
    __asm__ volatile("fxsaveq %0" : "=m"(h->fx));
    __asm__ volatile("mov %%db0, %0; mov %%db1, %1; mov %%db2, %2; mov %%db3, %3"
                     : "=r"(h->dr[0]), "=r"(h->dr[1]), "=r"(h->dr[2]), "=r"(h->dr[3]));
    __asm__ volatile("mov %%db6, %0; mov %%db7, %1" : "=r"(h->dr6), "=r"(h->dr7));
}

static void fill(struct held *h, uint64_t seed)
{
    memset(h, 0, sizeof(*h));
    for (unsigned i = 0; i < 4; i++)
        h->dr[i] = pattern(seed, i) & 0x7ffffffffff8;
    h->dr6 = DR6_RESET | (seed & 1 ? 0x4001 : 0x8002);
    h->dr7 = seed & 1 ? DR7_ARMED : DR7_RESET;
    h->fx.fcw = seed & 1 ? 0x27f : FCW_INIT;
    h->fx.ftw = 0xff;
    h->fx.mxcsr = seed & 1 ? 0x3f80 : 0x5f80; /* rounding */
    for (unsigned i = 0; i < 8; i++) {
        h->fx.st[i][0] = pattern(seed, 10 + i) | UINT64_C(1) << 63;
        h->fx.st[i][1] = 0x4000 + i;
    }
    for (unsigned i = 0; i < 32; i++)
        h->fx.xmm[i / 2][i % 2] = pattern(seed, 20 + i);
}

/* The first word that differs, or -1: what belongs to nobody does not count. */
static int64_t differs(const struct held *want, const struct held *got)
{
    const uint64_t *a = (const void *)want, *b = (const void *)got;
    unsigned fx = offsetof(struct held, fx) / 8;

    for (unsigned i = 0; i < fx + 4 + 48; i++) {
        uint64_t mask = i == fx + 3 ? UINT32_MAX /* MXCSR_MASK is the CPU's */
                        : i == fx   ? 0x0000ffffffffffff
                        : i > fx + 3 && i < fx + 20 && (i - fx) % 2 == 1 ? 0xffff
                                                                         : UINT64_MAX;

        if (((a[i] ^ b[i]) & mask) != 0)
            return i;
    }
    return -1;
}

static void keep(uint64_t seed, struct held *want, struct held *got, int64_t *result)
{
    fill(want, seed);
    for (unsigned i = 0; i < ROUNDS && *result < 0; i++) {
        load(want);
        if (i % 4 == 0)
            rest(MS / 10);
        else
            sched_op(SCHEDOP_yield, NULL);
        store(got);
        *result = differs(want, got);
    }
    fill(want, 2);
    memset(want->dr, 0, sizeof(want->dr));
    want->dr6 = DR6_RESET;
    want->dr7 = DR7_RESET;
    want->fx = (struct fx){.fcw = FCW_INIT, .mxcsr = MXCSR_RESET};
    load(want);
}

/* Alone, or beside another domain that does the same: the numbers are the domains'. */
static void mine(void)
{
    static struct held want, got;
    int64_t result = -1;

    keep(cpuid(xen_leaf + 4, 0).c, &want, &got, &result);
    EQ(result, -1);
}

static struct held second_first, second_want, second_got;
static volatile uint64_t second_xcr0;
static int64_t second_result;

static uint64_t cr4(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}

static uint64_t xcr0(void)
{
    uint32_t lo, hi;

    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4() | CR4_OSXSAVE));
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static void set_xcr0(uint32_t v)
{
    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4() | CR4_OSXSAVE));
    __asm__ volatile("xsetbv" ::"c"(0), "a"(v), "d"(0));
}

static bool has_xsave(void)
{
    return cpuid(1, 0).c >> 26 & 1;
}

static void second(void *unused)
{
    (void)unused;
    store(&second_first);
    if (has_xsave())
        second_xcr0 = xcr0();
    second_result = -1;
    keep(3, &second_want, &second_got, &second_result);
}

/* What a vCPU has that never ran before. */
static void check_new(void)
{
    static struct held reset;

    reset.dr6 = DR6_RESET;
    reset.dr7 = DR7_RESET;
    reset.fx.fcw = second_first.fx.fcw; /* a reset's or an FNINIT's, and so the tags */
    reset.fx.ftw = second_first.fx.ftw;
    reset.fx.mxcsr = MXCSR_RESET;
    EQ(differs(&reset, &second_first), -1);
}

/* The second vCPU starts on what the first has just left, then both go on by turns. */
static void two(void)
{
    static struct held want, got;
    int64_t result = -1;
    bool new = !cpus[1].alive; /* as with only=leak */

    fill(&want, 1);
    load(&want);
    if (has_xsave())
        set_xcr0(3);
    if (new)
        EQ(cpu_start(1), 0);
    cpu_job(1, second, NULL);
    keep(2, &want, &got, &result);
    EQ(result, -1);
    OK(cpu_done(1));
    EQ(second_result, -1);
    if (new)
        check_new();
    if (has_xsave()) {
        if (number("hw", 0)) /* the simulator's CPUs start with 3 */
            EQ(second_xcr0, 1);
        EQ(xcr0(), 3);
        set_xcr0(1);
    }
}

const struct act acts_leak[] = {{"leak-mine", 1, mine}, {"leak-two", 2, two}, {0}};
