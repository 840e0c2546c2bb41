/* What the files of the instruction emulator share. */
#ifndef CORBEL_X86_HVM_EMULATE_H
#define CORBEL_X86_HVM_EMULATE_H

#include "x86/hvm/hvm.h"
#include "x86/x86.h"

/* How a step of the emulation ended. */
enum emu_result {
    EMU_OK = 0,      /* done: rip may move on */
    EMU_FAULT = 1,   /* an exception was queued */
    EMU_AGAIN = 2,   /* the guest executes the instruction again, from here */
    EMU_CANNOT = -1, /* not an instruction this emulator performs */
};

struct emu {
    struct vcpu *v;
    struct guest_regs *r;
    struct insn i;
    struct walk_mode walk;
    uint8_t mode; /* 2, 4 or 8: code size in bytes */
    bool have_state;
    struct guest_state state; /* segments; see emu_state() */
};

/* A translated piece of the guest's linear address space of at most 16 bytes. */
struct emu_span {
    gaddr_t gpa[2]; /* the second for the part on a next page */
    uint8_t len[2];
};

/* emulate_mem.c */
const struct guest_state *emu_state(struct emu *e);
/* Segmentation: checks [offset, offset+size) of seg for access and gives its
 * linear address. EMU_OK or EMU_FAULT. */
int emu_linear(struct emu *e, unsigned seg, uint64_t offset, unsigned size, enum walk_access access,
               uint64_t *la);
/* Paging: EMU_OK, EMU_FAULT or EMU_CANNOT. */
int emu_translate(struct emu *e, uint64_t la, unsigned size, enum walk_access access,
                  struct emu_span *s);
/* Accesses: RAM directly, everything else by vdev_mmio(). Cannot fail: what is
 * not there reads as ones and swallows writes. */
uint64_t emu_load(struct emu *e, const struct emu_span *s);
void emu_store(struct emu *e, const struct emu_span *s, uint64_t value);
/* True iff the engine itself can do access to all of s. */
bool emu_is_ram(struct emu *e, const struct emu_span *s, enum walk_access access);
/* Fetches and decodes the instruction at cs:rip. */
int emu_fetch(struct emu *e);

/* Registers by their number in ModRM and REX; size in bytes. */
uint64_t emu_reg(const struct emu *e, unsigned reg, unsigned size);
void emu_set_reg(struct emu *e, unsigned reg, unsigned size, uint64_t value);

/* emulate_alu.c */
enum alu_op {
    ALU_ADD, /* the first eight in the order of their encoding */
    ALU_OR,
    ALU_ADC,
    ALU_SBB,
    ALU_AND,
    ALU_SUB,
    ALU_XOR,
    ALU_CMP,
    ALU_TEST,
    ALU_INC,
    ALU_DEC,
    ALU_NOT,
    ALU_NEG,
};
/* dst op src on size bytes; *flags (RFLAGS) get the arithmetic flags. CMP and
 * TEST return dst. */
/*@ predicate alu_size(integer n) = n == 1 || n == 2 || n == 4 || n == 8; */
/*@ requires alu_size(size) && \valid(flags);
    assigns *flags;
    ensures op == ALU_NOT ==> *flags == \old(*flags); */
uint64_t alu(enum alu_op op, unsigned size, uint64_t dst, uint64_t src, uint64_t *flags);
/* Rotations and shifts by count, by their number in ModRM (ROL first, SAR last). Flags that
 * the SDM leaves undefined get what the last single step gives; AF is kept. */
/*@ requires alu_size(size) && kind < 8 && \valid(flags);
    assigns *flags;
    ensures (count & 31) == 0 && size != 8 ==> *flags == \old(*flags); */
uint64_t alu_shift(unsigned kind, unsigned size, uint64_t dst, unsigned count, uint64_t *flags);
/* Signed product as wide as its factors, of 2, 4 or 8 bytes; only CF and OF change. */
/*@ requires alu_size(size) && \valid(flags);
    assigns *flags; */
uint64_t alu_imul(unsigned size, uint64_t a, uint64_t b, uint64_t *flags);
/* The condition of Jcc, SETcc and CMOVcc with that low nibble. */
bool alu_condition(unsigned cc, uint64_t flags);
/*@ requires size >= 1;
    assigns \nothing;
    ensures size >= 8 ==> \result == UINT64_MAX; */
static inline uint64_t alu_mask(unsigned size)
{
    return size >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << (8 * size)) - 1;
}

/* emulate_string.c: MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS with REP. */
int emu_string(struct emu *e);

/* emulate_ops.c: everything else with a memory operand. */
int emu_operate(struct emu *e);

#define EFLAGS_CF UINT64_C(0x001)
#define EFLAGS_PF UINT64_C(0x004)
#define EFLAGS_AF UINT64_C(0x010)
#define EFLAGS_ZF UINT64_C(0x040)
#define EFLAGS_SF UINT64_C(0x080)
#define EFLAGS_DF UINT64_C(0x400)
#define EFLAGS_OF UINT64_C(0x800)
#define EFLAGS_ARITH (EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_OF)

#define VECTOR_SS 12u

#endif
