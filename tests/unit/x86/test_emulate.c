/* The instruction emulator: arithmetic against the machine that runs the test,
 * memory operands on LAPIC registers and RAM, string I/O, exceptions. */
#include "tests/unit/fixture.h"

#include "x86/hvm/emulate.h"

#define CODE 0x5000ull
#define BUF 0x6000ull
#define TIMER_COUNT 0xfee00380ull /* a LAPIC register that keeps all 32 bits */
#define PML4 0x1000ull
#define PDPT 0x2000ull

static struct domain *d;
static struct vcpu *v;
static struct guest_regs *r;

static void flat_segments(struct guest_state *s)
{
    unsigned i;

    for (i = 0; i < SEG_COUNT; i++)
        s->seg[i] = (struct guest_seg){
            .sel = 8, .attr = i == SEG_CS ? 0xc09b : 0xc093, .limit = 0xffffffff};
}

/* 64-bit mode: everything below 4 GiB is mapped one to one by 1 GiB pages. */
static void setup(void)
{
    uint64_t *pml4, *pdpt;
    unsigned i;

    fixture_start(32, 1);
    d = fixture_domain(8, 1);
    v = domain_vcpu(d, 0);
    r = &v->arch->regs;
    fixture_populate(d, 1, 16);
    pml4 = fixture_guest(d, PML4);
    pdpt = fixture_guest(d, PDPT);
    pml4[0] = PDPT | 7;
    for (i = 0; i < 4; i++)
        pdpt[i] = (uint64_t)i << 30 | 0x87;
    memset(r, 0, sizeof(*r));
    r->rflags = 2;
    flat_segments(script_state(v));
    v->arch->exit = (struct guest_exit){
        .cs_l = true, .cr0 = 0x80010001, .cr3 = PML4, .cr4 = 0x20, .efer = 0xd00};
    v->arch->pending.type = EVENT_NONE;
}

static void teardown(void)
{
    fixture_kill(d);
    fixture_stop();
}

static void protected_mode(void)
{
    v->arch->exit.cs_l = false;
    v->arch->exit.cs_d = true;
    v->arch->exit.cr0 = 1;
    v->arch->exit.efer = 0;
}

static uint32_t peek(void)
{
    uint64_t value;

    ck_assert(vdev_mmio(v, gaddr(TIMER_COUNT), 4, false, &value));
    return (uint32_t)value;
}

static void poke(uint32_t value)
{
    uint64_t wide = value;

    ck_assert(vdev_mmio(v, gaddr(TIMER_COUNT), 4, true, &wide));
}

static unsigned put_code(uint64_t at, const char *hex)
{
    uint8_t *b = fixture_guest(d, at);
    unsigned n = 0, x;

    while (sscanf(hex + 2 * n, "%2x", &x) == 1)
        b[n++] = (uint8_t)x;
    r->rip = at;
    return n;
}

static int run(const char *hex)
{
    put_code(CODE, hex);
    return emulate_instruction(v, gaddr(0), false);
}

/* Runs one instruction and expects rip after it. */
static void done(const char *hex)
{
    unsigned n = put_code(CODE, hex);

    ck_assert_int_eq(emulate_instruction(v, gaddr(0), false), 0);
    ck_assert_uint_eq(r->rip, CODE + n);
    ck_assert_uint_eq(v->arch->pending.type, EVENT_NONE);
}

static void excepts(const char *hex, unsigned vector)
{
    ck_assert_int_eq(run(hex), 1);
    ck_assert_uint_eq(r->rip, CODE);
    ck_assert_uint_eq(v->arch->pending.type, EVENT_HW_EXCEPTION);
    ck_assert_uint_eq(v->arch->pending.vector, vector);
    v->arch->pending.type = EVENT_NONE;
}

/* What this machine computes. */
#define HOST2(insn, type)                                                                          \
    do {                                                                                           \
        type dd = (type)a;                                                                         \
        __asm__ volatile("bt $0, %3\n\t" insn " %2, %0\n\tpushfq\n\tpopq %1"                       \
                         : "+r"(dd), "=&r"(f)                                                      \
                         : "r"((type)b), "r"((uint32_t)carry)                                      \
                         : "cc", "memory");                                                        \
        res = dd;                                                                                  \
    } while (0)
#define HOST1(insn, type)                                                                          \
    do {                                                                                           \
        type dd = (type)a;                                                                         \
        __asm__ volatile("bt $0, %2\n\t" insn " %0\n\tpushfq\n\tpopq %1"                           \
                         : "+r"(dd), "=&r"(f)                                                      \
                         : "r"((uint32_t)carry)                                                    \
                         : "cc", "memory");                                                        \
        res = dd;                                                                                  \
    } while (0)
#define SIZES(host, insn)                                                                          \
    do {                                                                                           \
        if (size == 1)                                                                             \
            host(insn "b", uint8_t);                                                               \
        else if (size == 2)                                                                        \
            host(insn "w", uint16_t);                                                              \
        else if (size == 4)                                                                        \
            host(insn "l", uint32_t);                                                              \
        else                                                                                       \
            host(insn "q", uint64_t);                                                              \
    } while (0)

static uint64_t host_alu(enum alu_op op, unsigned size, uint64_t a, uint64_t b, bool carry,
                         uint64_t *flags)
{
    uint64_t f = 0, res = 0;

    switch (op) {
    case ALU_ADD:
        SIZES(HOST2, "add");
        break;
    case ALU_OR:
        SIZES(HOST2, "or");
        break;
    case ALU_ADC:
        SIZES(HOST2, "adc");
        break;
    case ALU_SBB:
        SIZES(HOST2, "sbb");
        break;
    case ALU_AND:
        SIZES(HOST2, "and");
        break;
    case ALU_SUB:
        SIZES(HOST2, "sub");
        break;
    case ALU_XOR:
        SIZES(HOST2, "xor");
        break;
    case ALU_CMP:
        SIZES(HOST2, "cmp");
        break;
    case ALU_TEST:
        SIZES(HOST2, "test");
        break;
    case ALU_INC:
        SIZES(HOST1, "inc");
        break;
    case ALU_DEC:
        SIZES(HOST1, "dec");
        break;
    case ALU_NOT:
        SIZES(HOST1, "not");
        break;
    default:
        SIZES(HOST1, "neg");
        break;
    }
    *flags = f;
    return res;
}

START_TEST(test_alu)
{
    static const uint64_t edge[] = {
        0,          1,         0x7f,       0x80,       0xff,
        0x7fff,     0x8000,    0xffff,     0x7fffffff, 0x80000000,
        0xffffffff, INT64_MAX, 1ull << 63, UINT64_MAX, 0x0123456789abcdef,
        0xf,        0x10};
    unsigned op, size, i, j, carry;

    for (op = ALU_ADD; op <= ALU_NEG; op++)
        for (size = 1; size <= 8; size *= 2)
            for (i = 0; i < ARRAY_SIZE(edge); i++)
                for (j = 0; j < 2 * ARRAY_SIZE(edge); j++) {
                    uint64_t a = edge[i], b = edge[j / 2], mine, want, care = EFLAGS_ARITH;
                    uint64_t host;

                    carry = j & 1;
                    mine = carry;
                    host = host_alu((enum alu_op)op, size, a, b, carry != 0, &want);
                    if (op == ALU_OR || op == ALU_AND || op == ALU_XOR || op == ALU_TEST)
                        care &= ~EFLAGS_AF; /* undefined */
                    if (op == ALU_NOT)
                        care = EFLAGS_CF; /* changes none */
                    ck_assert_uint_eq(alu((enum alu_op)op, size, a, b, &mine), host);
                    ck_assert_uint_eq(mine & care, want & care);
                }
}
END_TEST

START_TEST(test_conditions)
{
    /* For each flag alone: the condition codes that hold, bit n for code n. */
    ck_assert(alu_condition(0, EFLAGS_OF) && !alu_condition(1, EFLAGS_OF));
    ck_assert(alu_condition(2, EFLAGS_CF) && alu_condition(6, EFLAGS_CF));
    ck_assert(alu_condition(4, EFLAGS_ZF) && alu_condition(6, EFLAGS_ZF));
    ck_assert(alu_condition(14, EFLAGS_ZF) && !alu_condition(12, EFLAGS_ZF));
    ck_assert(alu_condition(8, EFLAGS_SF) && alu_condition(12, EFLAGS_SF));
    ck_assert(!alu_condition(12, EFLAGS_SF | EFLAGS_OF) && alu_condition(10, EFLAGS_PF));
    ck_assert(alu_condition(15, 0) && alu_condition(13, 0) && alu_condition(7, 0));
}
END_TEST

START_TEST(test_moves)
{
    r->gpr[GPR_RBX] = TIMER_COUNT;
    r->gpr[GPR_RAX] = 0xffffffff12345678;
    done("8903"); /* mov %eax,(%rbx) */
    ck_assert_uint_eq(peek(), 0x12345678);
    done("8b0b"); /* mov (%rbx),%ecx */
    ck_assert_uint_eq(r->gpr[GPR_RCX], 0x12345678);
    r->gpr[GPR_RDX] = UINT64_MAX;
    done("668b13"); /* mov (%rbx),%dx */
    ck_assert_uint_eq(r->gpr[GPR_RDX], 0xffffffffffff5678);
    done("8a33"); /* mov (%rbx),%dh */
    ck_assert_uint_eq(r->gpr[GPR_RDX], 0xffffffffffff7878);
    done("448a3b"); /* mov (%rbx),%r15b */
    ck_assert_uint_eq(r->gpr[GPR_R15], 0x78);
    done("c703efbeadde");
    ck_assert_uint_eq(peek(), 0xdeadbeef);
    done("0fb603"); /* movzbl */
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0xef);
    done("480fbe03"); /* movsbq */
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0xffffffffffffffef);
    done("0fbf03"); /* movswl */
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0xffffbeef);
    done("486303"); /* movslq */
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0xffffffffdeadbeef);
    done("a18003e0fe00000000"); /* movabs to eax */
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0xdeadbeef);
    r->gpr[GPR_RAX] = 0x77;
    done("67a38003e0fe");
    ck_assert_uint_eq(peek(), 0x77);
    done("0fc30b"); /* movnti */
    ck_assert_uint_eq(peek(), 0x12345678);
}
END_TEST

START_TEST(test_arithmetic)
{
    r->gpr[GPR_RBX] = TIMER_COUNT;
    poke(0xfffffff0);
    r->gpr[GPR_RAX] = 0x20;
    done("0103"); /* add %eax,(%rbx) */
    ck_assert_uint_eq(peek(), 0x10);
    ck_assert(r->rflags & EFLAGS_CF);
    done("831305"); /* adcl $5 */
    ck_assert_uint_eq(peek(), 0x16);
    done("832b17"); /* subl $0x17 */
    ck_assert_uint_eq(peek(), UINT32_MAX);
    done("832301"); /* andl $1 */
    done("830b80"); /* orl $-128 */
    ck_assert_uint_eq(peek(), 0xffffff81);
    done("833b81"); /* cmpl $-127 */
    ck_assert(r->rflags & EFLAGS_ZF);
    done("803b80"); /* cmpb $-128 */
    ck_assert(!(r->rflags & EFLAGS_ZF));
}
END_TEST

START_TEST(test_rmw)
{
    r->gpr[GPR_RBX] = TIMER_COUNT;
    poke(7);
    done("f0ff03"); /* lock incl */
    done("ff0b");
    done("f713"); /* notl */
    ck_assert_uint_eq(peek(), ~7u);
    done("f71b"); /* negl */
    ck_assert_uint_eq(peek(), 8);
    done("f70308000000"); /* testl */
    ck_assert(!(r->rflags & EFLAGS_ZF));
    r->gpr[GPR_RAX] = 0x55;
    done("8703"); /* xchg */
    ck_assert_uint_eq(r->gpr[GPR_RAX], 8);
    done("f00fc103"); /* xadd */
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0x55);
    ck_assert_uint_eq(peek(), 0x5d);
    r->gpr[GPR_RCX] = 0x99;
    done("f00fb10b"); /* cmpxchg: not equal */
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0x5d);
    ck_assert(!(r->rflags & EFLAGS_ZF));
    done("f00fb10b");
    ck_assert(r->rflags & EFLAGS_ZF);
    ck_assert_uint_eq(peek(), 0x99);
    done("0fba2b1f"); /* btsl $31 */
    ck_assert(!(r->rflags & EFLAGS_CF));
    ck_assert_uint_eq(peek(), 0x80000099);
}
END_TEST

START_TEST(test_bits_and_conditions)
{
    r->gpr[GPR_RBX] = TIMER_COUNT;
    poke(0x99);
    done("0fba3300"); /* btrl $0 */
    ck_assert(r->rflags & EFLAGS_CF);
    ck_assert_uint_eq(peek(), 0x98);
    /* Bit offsets in registers reach other words: from 0x40 bytes below. */
    r->gpr[GPR_RBX] = TIMER_COUNT - 0x40;
    r->gpr[GPR_RAX] = 0x40 * 8 + 3;
    done("0fbb03"); /* btcl */
    ck_assert_uint_eq(peek(), 0x90);
    r->gpr[GPR_RBX] = TIMER_COUNT + 8;
    r->gpr[GPR_RAX] = (uint32_t)(-64 + 4);
    done("0fa303"); /* btl */
    ck_assert(r->rflags & EFLAGS_CF);
    r->gpr[GPR_RAX] = (uint64_t)(-64 + 9);
    done("0fab03"); /* btsl */
    ck_assert_uint_eq(peek(), 0x290);
    r->gpr[GPR_RBX] = TIMER_COUNT;
    r->gpr[GPR_RDX] = UINT64_MAX;
    r->rflags = 2;
    done("0f4413"); /* cmovz: no, but the upper half clears */
    ck_assert_uint_eq(r->gpr[GPR_RDX], UINT32_MAX);
    done("0f4513"); /* cmovnz */
    ck_assert_uint_eq(r->gpr[GPR_RDX], 0x290);
    done("0f9503"); /* setnz */
    ck_assert_uint_eq(peek(), 0x201);
    done("2b13"); /* sub (%rbx),%edx */
    ck_assert_uint_eq(r->gpr[GPR_RDX], 0x8f);
    done("3b13");
    ck_assert_uint_eq(r->gpr[GPR_RDX], 0x8f);
    ck_assert(r->rflags & EFLAGS_CF);
}
END_TEST

START_TEST(test_push)
{
    r->gpr[GPR_RBX] = TIMER_COUNT;
    r->gpr[GPR_RSP] = BUF + 0x108;
    poke(0xcafe);
    done("ff33"); /* pushq: the upper half is the reserved next dword */
    ck_assert_uint_eq(r->gpr[GPR_RSP], BUF + 0x100);
    ck_assert_uint_eq(*(uint64_t *)fixture_guest(d, BUF + 0x100), 0xcafe);
    done("66ff33");
    ck_assert_uint_eq(r->gpr[GPR_RSP], BUF + 0xfe);
    r->gpr[GPR_RSP] = 0x8000000000000004ull;
    excepts("ff33", 12);
    ck_assert_uint_eq(r->gpr[GPR_RSP], 0x8000000000000004ull);
}
END_TEST

START_TEST(test_strings)
{
    uint32_t *buf = fixture_guest(d, BUF);
    unsigned i;

    for (i = 0; i < 1024; i++)
        buf[i] = i;
    r->gpr[GPR_RSI] = BUF + 40;
    r->gpr[GPR_RDI] = TIMER_COUNT;
    done("a5");
    ck_assert_uint_eq(peek(), 10);
    ck_assert_uint_eq(r->gpr[GPR_RSI], BUF + 44);
    ck_assert_uint_eq(r->gpr[GPR_RDI], TIMER_COUNT + 4);
    r->gpr[GPR_RSI] = TIMER_COUNT;
    r->gpr[GPR_RDI] = BUF + 4;
    r->gpr[GPR_RCX] = 1;
    r->rflags |= EFLAGS_DF;
    done("f3a5");
    ck_assert_uint_eq(buf[1], 10);
    ck_assert_uint_eq(r->gpr[GPR_RDI], BUF);
    ck_assert_uint_eq(r->gpr[GPR_RCX], 0);
    done("f3a5"); /* nothing left */
    ck_assert_uint_eq(r->gpr[GPR_RDI], BUF);
    r->rflags &= ~EFLAGS_DF;
    r->gpr[GPR_RAX] = 0x31;
    r->gpr[GPR_RDI] = TIMER_COUNT;
    done("ab");
    r->gpr[GPR_RSI] = TIMER_COUNT;
    done("ad");
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0x31);
    r->gpr[GPR_RDI] = TIMER_COUNT;
    done("af");
    ck_assert(r->rflags & EFLAGS_ZF);
    /* repe cmps over RAM stops at the first difference. */
    r->gpr[GPR_RSI] = BUF;
    r->gpr[GPR_RDI] = BUF + 0x800;
    memcpy(buf + 512, buf, 64);
    buf[512 + 5] ^= 1;
    r->gpr[GPR_RCX] = 16;
    done("f3a7");
    ck_assert_uint_eq(r->gpr[GPR_RCX], 10);
    ck_assert(!(r->rflags & EFLAGS_ZF));
}
END_TEST

START_TEST(test_string_io)
{
    uint8_t *buf = fixture_guest(d, BUF);
    unsigned rounds = 0;

    /* insb from an empty port: ones; more than one exit's worth restarts. */
    memset(buf, 0, 4096);
    r->gpr[GPR_RDX] = 0x3f8;
    r->gpr[GPR_RDI] = BUF;
    r->gpr[GPR_RCX] = 4000;
    put_code(CODE, "f36c");
    do {
        ck_assert_int_eq(emulate_instruction(v, gaddr(0), false), 0);
        rounds++;
    } while (r->rip == CODE);
    ck_assert_uint_eq(r->rip, CODE + 2);
    ck_assert_uint_gt(rounds, 1);
    ck_assert_uint_eq(r->gpr[GPR_RCX], 0);
    ck_assert_uint_eq(r->gpr[GPR_RDI], BUF + 4000);
    ck_assert_uint_eq(buf[3999], 0xff);
    ck_assert_uint_eq(buf[4000], 0);
    /* outsb to the RTC index. */
    buf[0] = 0x0d;
    r->gpr[GPR_RDX] = 0x70;
    r->gpr[GPR_RSI] = BUF;
    done("6e");
    ck_assert_uint_eq(d->arch->dev.rtc_index, 0x0d);
    /* A fault half way leaves a restartable state. */
    r->gpr[GPR_RDX] = 0x3f8;
    r->gpr[GPR_RDI] = 0xfffffffe;
    r->gpr[GPR_RCX] = 4;
    put_code(CODE, "f36c");
    ck_assert_int_eq(emulate_instruction(v, gaddr(0), false), 1);
    ck_assert_uint_eq(r->rip, CODE);
    ck_assert_uint_eq(r->gpr[GPR_RCX], 2);
    ck_assert_uint_eq(r->gpr[GPR_RDI], 0x100000000);
    ck_assert_uint_eq(v->arch->pending.vector, 14);
    ck_assert_uint_eq(v->arch->pending.error, 2);
    ck_assert_uint_eq(v->arch->pending.cr2, 0x100000000);
}
END_TEST

START_TEST(test_exceptions)
{
    r->gpr[GPR_RBX] = 0x123456789000;
    excepts("8903", 14);
    ck_assert_uint_eq(v->arch->pending.cr2, 0x123456789000);
    r->gpr[GPR_RBX] = 0x1234567890000000;
    excepts("8903", 13);
    excepts("f08903", 6); /* lock mov */
    excepts("f03b03", 6); /* lock cmp */
    excepts("f0a5", 6);
    r->gpr[GPR_RBX] = TIMER_COUNT;
    ck_assert_int_eq(run("d8c0"), -1); /* not ours */
    ck_assert_int_eq(run("c5f877"), -1);
    ck_assert_int_eq(run("0f1003"), -1);
    ck_assert_int_eq(run("06"), -1);
    ck_assert_int_eq(run("89c3"), -1); /* no memory operand */
    /* Operand is RAM by now: the engine does it. */
    r->gpr[GPR_RBX] = BUF;
    ck_assert_int_eq(run("f0ff03"), 0);
    ck_assert_uint_eq(r->rip, CODE);
    /* User mode has no business there. */
    v->arch->exit.cpl = 3;
    ((uint64_t *)fixture_guest(d, PDPT))[3] &= ~4ull;
    r->gpr[GPR_RBX] = TIMER_COUNT;
    excepts("8903", 14);
    ck_assert_uint_eq(v->arch->pending.error, 7);
    /* Instructions over a page's end, on a page that is not there. */
    put_code(CODE + 0xffe, "8983");
    r->rip = CODE + 0xffe;
    ck_assert_int_eq(emulate_instruction(v, gaddr(0), false), 1);
}
END_TEST

START_TEST(test_code_across_pages)
{
    r->gpr[GPR_RBX] = TIMER_COUNT - 0x10;
    r->gpr[GPR_RAX] = 0x4321;
    put_code(CODE + 0xffd, "898310000000");
    ck_assert_int_eq(emulate_instruction(v, gaddr(0), false), 0);
    ck_assert_uint_eq(peek(), 0x4321);
    ck_assert_uint_eq(r->rip, CODE + 0x1003);
    r->rip = 0x00007ffffffffffe;
    ck_assert_int_eq(emulate_instruction(v, gaddr(0), false), 1);
}
END_TEST

START_TEST(test_segments)
{
    struct guest_state *s = script_state(v);

    /* 64-bit: FS and GS have bases, the others have not. */
    s->seg[SEG_GS].base = TIMER_COUNT - 8;
    s->seg[SEG_DS].base = 0x9999;
    r->gpr[GPR_RBX] = 8;
    r->gpr[GPR_RAX] = 0x6502;
    done("658903");
    ck_assert_uint_eq(peek(), 0x6502);
    protected_mode();
    s->seg[SEG_DS].base = TIMER_COUNT - 0x100;
    r->gpr[GPR_RBX] = 0x100;
    r->gpr[GPR_RAX] = 0x8086;
    done("8903");
    ck_assert_uint_eq(peek(), 0x8086);
    s->seg[SEG_DS].limit = 0x102;
    excepts("8903", 13);
    done("c60311");
    s->seg[SEG_DS].limit = 0xffffffff;
    s->seg[SEG_DS].attr = 0xc091; /* read-only */
    excepts("8903", 13);
    done("8b03");
    s->seg[SEG_DS].attr = 0xc097; /* expand down: below the limit is outside */
    s->seg[SEG_DS].limit = 0x103;
    excepts("8903", 13);
    s->seg[SEG_DS].limit = 0xff;
    done("8903");
    s->seg[SEG_DS].unusable = true;
    excepts("8903", 13);
    s->seg[SEG_SS].unusable = true;
    r->gpr[GPR_RBP] = 0;
    excepts("894500", 12);
    s->seg[SEG_CS].limit = CODE - 1;
    excepts("8903", 13);
}
END_TEST

START_TEST(test_random_code)
{
    uint64_t x = 88172645463325252u;
    unsigned n, k;

    for (n = 0; n < 20000; n++) {
        uint8_t *b = fixture_guest(d, CODE);

        for (k = 0; k < 16; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            b[k] = (uint8_t)x;
            r->gpr[k] = TIMER_COUNT + (x >> 60);
        }
        b[0] = n % 3 == 0 ? 0x0f : b[0];
        r->rip = CODE;
        r->rflags = 2;
        v->arch->exit.cpl = n & 1 ? 3 : 0;
        v->arch->exit.cs_l = n % 5 != 0;
        v->arch->exit.cs_d = !v->arch->exit.cs_l;
        v->arch->pending.type = EVENT_NONE;
        k = (unsigned)emulate_instruction(v, gaddr(0), false);
        ck_assert(k + 1 <= 2);
        ck_assert(r->rip == CODE || (k == 0 && r->rip - CODE <= 15));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("emulate");
    TCase *t = tcase_create("emulate");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_alu);
    tcase_add_test(t, test_conditions);
    tcase_add_test(t, test_moves);
    tcase_add_test(t, test_arithmetic);
    tcase_add_test(t, test_rmw);
    tcase_add_test(t, test_bits_and_conditions);
    tcase_add_test(t, test_push);
    tcase_add_test(t, test_strings);
    tcase_add_test(t, test_string_io);
    tcase_add_test(t, test_exceptions);
    tcase_add_test(t, test_code_across_pages);
    tcase_add_test(t, test_segments);
    tcase_add_test(t, test_random_code);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
