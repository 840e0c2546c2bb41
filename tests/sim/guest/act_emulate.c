/* Instructions on memory that is not there: each is executed once on plain memory full of
 * ones, and once on a hole, which reads as ones, so that the hypervisor must carry it out.
 * Registers and defined flags must come out equal. */
#include "guest.h"

#define FLAGS_ALL 0x8c5u /* OF, SF, ZF, PF, CF; AF is often undefined */
#define FLAGS_CF_OF 0x801u
#define FLAGS_CF 0x1u
#define FLAGS_NONE 0u
#define REGS 5u

struct run {
    uint64_t reg[REGS]; /* rax, rcx, rdx, rsi, rdi */
    uint64_t flags;
};

struct insn {
    const char *text;
    void (*go)(void *at, struct run *r);
    uint32_t flags; /* defined ones */
};

static uint8_t plain[PAGE] __attribute__((aligned(PAGE)));
static uint8_t other[PAGE] __attribute__((aligned(PAGE)));

/* rbx holds the address, r8 that of other memory. */
#define BODY(name, asm_text)                                                                       \
    static void name(void *at, struct run *r)                                                      \
    {                                                                                              \
        register void *r8 __asm__("r8") = other;                                                   \
        struct cpu *c = me();                                                                      \
                                                                                                   \
        __asm__ volatile("lea 2f(%%rip), %%r11; mov %%r11, %[resume]; mov %%rsp, %%r9;"            \
                         "cmp %%r8, %%r8;" asm_text "; 2: mov %%r9, %%rsp; pushfq; popq %[flags]"  \
                         : "+a"(r->reg[0]), "+c"(r->reg[1]), "+d"(r->reg[2]), "+S"(r->reg[3]),     \
                           "+D"(r->reg[4]), [flags] "=r"(r->flags), [resume] "=m"(c->resume)       \
                         : "b"(at), "r"(r8)                                                        \
                         : "r9", "r11", "memory");                                                 \
        c->resume = 0;                                                                             \
    }

BODY(load8, "movb (%%rbx), %%cl")
BODY(load16, "movw 2(%%rbx), %%cx")
BODY(load32, "movl 4(%%rbx), %%ecx")
BODY(load64, "movq 8(%%rbx), %%rcx")
BODY(load_high, "movb (%%rbx), %%ch")
BODY(load_index, "movl 16(%%rbx,%%rax,4), %%edx")
BODY(store8, "movb %%cl, (%%rbx)")
BODY(store16, "movw %%cx, (%%rbx)")
BODY(store32, "movl %%ecx, (%%rbx)")
BODY(store64, "movq %%rcx, (%%rbx)")
BODY(store_imm, "movl $0x12345678, (%%rbx); movq $-2, 8(%%rbx); movb $1, (%%rbx)")
BODY(zero_extend, "movzbl (%%rbx), %%ecx; movzwl 2(%%rbx), %%edx; movzbq 1(%%rbx), %%rsi")
BODY(sign_extend, "movsbl (%%rbx), %%ecx; movswq 2(%%rbx), %%rdx; movslq 4(%%rbx), %%rsi")
BODY(add_to, "addl (%%rbx), %%ecx")
BODY(add_mem, "addl %%ecx, (%%rbx)")
BODY(adc_mem, "stc; adcl $5, (%%rbx)")
BODY(sbb_mem, "stc; sbbq (%%rbx), %%rcx")
BODY(sub_mem, "subw %%cx, (%%rbx)")
BODY(and_mem, "andb $0x5a, (%%rbx)")
BODY(or_mem, "lock orl $1, (%%rbx)")
BODY(xor_mem, "xorl (%%rbx), %%ecx")
BODY(cmp_mem, "cmpl $-1, (%%rbx)")
BODY(cmp_reg, "cmpb %%cl, (%%rbx)")
BODY(test_mem, "testl $0x80, (%%rbx)")
BODY(test_reg, "testq %%rcx, (%%rbx)")
BODY(inc_mem, "incl (%%rbx)")
BODY(dec_mem, "lock decw (%%rbx)")
BODY(not_mem, "notl (%%rbx)")
BODY(neg_mem, "negl (%%rbx)")
BODY(xchg_mem, "xchgl %%ecx, (%%rbx)")
BODY(xadd_mem, "lock xaddl %%ecx, (%%rbx)")
BODY(cmpxchg_same, "movl $-1, %%eax; lock cmpxchgl %%ecx, (%%rbx)")
BODY(cmpxchg_other, "lock cmpxchgl %%ecx, (%%rbx)")
BODY(bit_test, "btl $5, (%%rbx)")
BODY(bit_set, "lock btsl $5, (%%rbx)")
BODY(bit_reset, "lock btrl $31, (%%rbx)")
BODY(shift, "shll $1, (%%rbx)")
BODY(shift_count, "shrw $3, (%%rbx); movb $7, %%cl; sarl %%cl, (%%rbx)")
BODY(rotate, "stc; rclb $2, (%%rbx)")
BODY(set_cc, "stc; setc (%%rbx); setc %%cl")
BODY(cmov, "cmpl $0, %%ecx; cmovnel (%%rbx), %%edx")
BODY(push_mem, "pushq (%%rbx); popq %%rcx")
BODY(pop_mem, "pushq %%rcx; popq (%%rbx); subq %%r9, %%rsp; movq %%rsp, %%rdx")
BODY(imul_mem, "imull (%%rbx), %%ecx; imulq $77, (%%rbx), %%rdx")
BODY(stos, "movq %%rbx, %%rdi; movl $20, %%ecx; rep stosl; subq %%rbx, %%rdi")
BODY(movs_out, "movq %%rbx, %%rsi; movq %%r8, %%rdi; movl $100, %%ecx; rep movsb;"
               "subq %%rbx, %%rsi; subq %%r8, %%rdi; movq 92(%%r8), %%rdx")
BODY(movs_in, "movq %%rbx, %%rdi; movq %%r8, %%rsi; movl $9, %%ecx; rep movsq;"
              "subq %%rbx, %%rdi; subq %%r8, %%rsi")
BODY(movs_back, "std; lea 64(%%rbx), %%rsi; lea 64(%%r8), %%rdi; movl $8, %%ecx; rep movsl; cld;"
                "subq %%rbx, %%rsi; subq %%r8, %%rdi")
BODY(lods, "movq %%rbx, %%rsi; lodsl; subq %%rbx, %%rsi")
BODY(scas, "movq %%rbx, %%rdi; movl $50, %%ecx; movb $0, %%al; repne scasb; subq %%rbx, %%rdi;"
           "cmpq $50, %%rdi")
BODY(cmps, "movq %%rbx, %%rsi; movq %%rbx, %%rdi; movl $10, %%ecx; repe cmpsl;"
           "subq %%rbx, %%rsi; subq %%rbx, %%rdi")

#define I(name, flags)                                                                             \
    {                                                                                              \
#name, name, flags                                                                         \
    }

static const struct insn insns[] = {
    I(load8, FLAGS_ALL),       I(load16, FLAGS_ALL),       I(load32, FLAGS_ALL),
    I(load64, FLAGS_ALL),      I(load_high, FLAGS_ALL),    I(load_index, FLAGS_ALL),
    I(store8, FLAGS_ALL),      I(store16, FLAGS_ALL),      I(store32, FLAGS_ALL),
    I(store64, FLAGS_ALL),     I(store_imm, FLAGS_ALL),    I(zero_extend, FLAGS_ALL),
    I(sign_extend, FLAGS_ALL), I(add_to, FLAGS_ALL),       I(add_mem, FLAGS_ALL),
    I(adc_mem, FLAGS_ALL),     I(sbb_mem, FLAGS_ALL),      I(sub_mem, FLAGS_ALL),
    I(and_mem, FLAGS_ALL),     I(or_mem, FLAGS_ALL),       I(xor_mem, FLAGS_ALL),
    I(cmp_mem, FLAGS_ALL),     I(cmp_reg, FLAGS_ALL),      I(test_mem, FLAGS_ALL),
    I(test_reg, FLAGS_ALL),    I(inc_mem, FLAGS_ALL),      I(dec_mem, FLAGS_ALL),
    I(not_mem, FLAGS_ALL),     I(neg_mem, FLAGS_ALL),      I(xchg_mem, FLAGS_ALL),
    I(xadd_mem, FLAGS_ALL),    I(cmpxchg_same, FLAGS_ALL), I(cmpxchg_other, FLAGS_ALL),
    I(bit_test, FLAGS_CF),     I(bit_set, FLAGS_CF),       I(bit_reset, FLAGS_CF),
    I(shift, FLAGS_ALL),       I(shift_count, 0xc4),       I(rotate, FLAGS_CF),
    I(pop_mem, FLAGS_ALL),     I(imul_mem, FLAGS_CF_OF),   I(set_cc, FLAGS_ALL),
    I(cmov, FLAGS_ALL),        I(push_mem, FLAGS_ALL),     I(stos, FLAGS_NONE),
    I(movs_out, FLAGS_NONE),   I(movs_in, FLAGS_NONE),     I(movs_back, FLAGS_NONE),
    I(lods, FLAGS_NONE),       I(scas, FLAGS_ALL),         I(cmps, FLAGS_NONE),
};

static struct run run(const struct insn *i, void *at)
{
    struct run r = {.reg = {3, 0x1122334455667788, 0x99, 0xaaaa, 0xbbbb}};

    memset(plain, 0xff, PAGE);
    memset(other, 0x33, PAGE);
    me()->fault_vector = 0;
    i->go(at, &r);
    EQ(me()->fault_vector, 0);
    r.flags &= i->flags;
    return r;
}

static bool alike(const struct insn *i, void *at)
{
    struct run want = run(i, plain), got = run(i, at);
    bool good = true;

    for (unsigned n = 0; n < REGS; n++)
        good = EQ(got.reg[n], want.reg[n]) && good;
    return EQ(got.flags, want.flags) && good;
}

static void on_a_hole(void)
{
    void *hole = AT(hole_gfn(1));

    for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++)
        if (!alike(&insns[i], hole))
            say("     instruction %s", insns[i].text);
}

/* Half of it in memory, half of it not. */
static void across(void)
{
    uint64_t hole = hole_gfn(2);
    struct xen_add_to_physmap move = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn, .idx = GFN(page_alloc()), .gpfn = hole};
    volatile uint8_t *edge = (uint8_t *)AT(hole + 1);
    uint64_t v;

    EQ(memory_op(XENMEM_add_to_physmap, &move), 0);
    for (unsigned i = 1; i <= 16; i++)
        edge[-(int)i] = (uint8_t)i;
    __asm__ volatile("movq -4(%1), %0" : "=r"(v) : "r"(edge) : "memory");
    EQ(v, 0xffffffff01020304);
    __asm__ volatile("movq %0, -2(%1)" : : "r"(UINT64_C(0x8877665544332211)), "r"(edge) : "memory");
    EQ(edge[-2], 0x11);
    EQ(edge[-1], 0x22);
    EQ(edge[-3], 3);
    EQ(edge[0], 0xff);
}

const struct act acts_emulate[] = {
    {"emulate-hole", 1, on_a_hole},
    {"emulate-across", 1, across},
    {0},
};
