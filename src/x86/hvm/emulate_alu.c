/* Integer arithmetic and its flags: SDM Vol. 1 3.4.3.1 and app. A. */
#include "x86/hvm/emulate.h"

/*@ requires alu_size(size);
    assigns \nothing;
    ensures \result == 0 || \result == 1; */
static uint64_t top_bit(uint64_t v, unsigned size)
{
    return (v >> (8 * size - 1)) & 1;
}

/*@ assigns \nothing;
    ensures \result == 0 || \result == 1; */
static uint64_t even_parity(uint64_t v)
{
    v ^= v >> 4;
    v ^= v >> 2;
    v ^= v >> 1;
    return ~v & 1;
}

/*@ predicate signs(integer f) = f == 0 || f == EFLAGS_PF || f == EFLAGS_SF ||
        f == EFLAGS_SF + EFLAGS_PF; */

/*@ requires alu_size(size);
    assigns \nothing;
    ensures zero: r == 0 ==> signs(\result - EFLAGS_ZF);
    ensures other: r != 0 ==> signs(\result); */
static uint64_t result_flags(uint64_t r, unsigned size)
{
    return (even_parity(r & 0xff) ? EFLAGS_PF : 0) + (r == 0 ? EFLAGS_ZF : 0) +
           (top_bit(r, size) != 0 ? EFLAGS_SF : 0);
}

/*@ requires alu_size(size);
    assigns \nothing; */
static uint64_t add_flags(uint64_t d, uint64_t s, uint64_t r, unsigned size)
{
    uint64_t carry = (d & s) | ((d | s) & ~r), over = (d ^ r) & (s ^ r);

    return result_flags(r, size) | (top_bit(carry, size) != 0 ? EFLAGS_CF : 0) |
           (top_bit(over, size) != 0 ? EFLAGS_OF : 0) | ((d ^ s ^ r) & EFLAGS_AF);
}

/*@ requires alu_size(size);
    assigns \nothing; */
static uint64_t sub_flags(uint64_t d, uint64_t s, uint64_t r, unsigned size)
{
    uint64_t borrow = (~d & s) | ((~d | s) & r), over = (d ^ s) & (d ^ r);

    return result_flags(r, size) | (top_bit(borrow, size) != 0 ? EFLAGS_CF : 0) |
           (top_bit(over, size) != 0 ? EFLAGS_OF : 0) | ((d ^ s ^ r) & EFLAGS_AF);
}

/*@ assigns \nothing;
    ensures op == ALU_OR ==> \result == (d | s);
    ensures op == ALU_XOR ==> \result == (d ^ s);
    ensures op != ALU_OR && op != ALU_XOR ==> \result == (d & s); */
static uint64_t alu_logic(enum alu_op op, uint64_t d, uint64_t s)
{
    if (op == ALU_OR)
        return d | s;
    return op == ALU_XOR ? d ^ s : d & s;
}

uint64_t alu(enum alu_op op, unsigned size, uint64_t dst, uint64_t src, uint64_t *flags)
{
    uint64_t m = alu_mask(size), d = dst & m, s = src & m, r;
    uint64_t carry = *flags & EFLAGS_CF, f;

    switch (op) {
    case ALU_NOT:
        return ~d & m;
    case ALU_NEG:
        r = (0 - d) & m;
        f = sub_flags(0, d, r, size);
        break;
    case ALU_INC:
        r = (d + 1) & m;
        f = (add_flags(d, 1, r, size) & ~EFLAGS_CF) | carry;
        break;
    case ALU_DEC:
        r = (d - 1) & m;
        f = (sub_flags(d, 1, r, size) & ~EFLAGS_CF) | carry;
        break;
    case ALU_ADD:
    case ALU_ADC:
        r = (d + s + (op == ALU_ADC ? carry : 0)) & m;
        f = add_flags(d, s, r, size);
        break;
    case ALU_SUB:
    case ALU_SBB:
    case ALU_CMP:
        r = (d - s - (op == ALU_SBB ? carry : 0)) & m;
        f = sub_flags(d, s, r, size);
        break;
    default:
        r = alu_logic(op, d, s);
        f = result_flags(r, size);
        break;
    }
    *flags = (*flags & ~EFLAGS_ARITH) | f;
    return op == ALU_CMP || op == ALU_TEST ? d : r;
}

/* One bit of a shift or rotation; *carry is shifted in where the instruction does so,
 * and gets what is shifted out. */
/*@ requires alu_size(size) && kind < 8 && \valid(carry) && *carry <= 1;
    assigns *carry;
    ensures *carry <= 1; */
static uint64_t shift_once(unsigned kind, unsigned size, uint64_t v, uint64_t *carry)
{
    bool left = (kind & 1) == 0;
    uint64_t out = left ? top_bit(v, size) : v & 1, in = 0;

    switch (kind) {
    case 0: /* ROL, ROR */
    case 1:
        in = out;
        break;
    case 2: /* RCL, RCR */
    case 3:
        in = *carry;
        break;
    case 7: /* SAR */
        in = top_bit(v, size);
        break;
    default: /* SHL, SHR, and SHL once more */
        break;
    }
    *carry = out;
    return left ? (v << 1 | in) & alu_mask(size) : v >> 1 | in << (8 * size - 1);
}

uint64_t alu_shift(unsigned kind, unsigned size, uint64_t dst, unsigned count, uint64_t *flags)
{
    uint64_t v = dst & alu_mask(size), carry = *flags & EFLAGS_CF, before = v, changed;

    count &= size == 8 ? 63 : 31;
    if (count == 0)
        return v;
    /*@ loop invariant i <= count && carry <= 1;
        loop assigns i, before, v, carry;
        loop variant count - i; */
    for (unsigned i = 0; i < count; i++) {
        before = v;
        v = shift_once(kind, size, v, &carry);
    }
    changed = EFLAGS_CF | EFLAGS_OF;
    if (kind >= 4)
        changed |= EFLAGS_PF | EFLAGS_ZF | EFLAGS_SF;
    *flags &= ~changed;
    *flags |= carry | (kind >= 4 ? result_flags(v, size) : 0);
    if (top_bit(before, size) != top_bit(v, size)) /* the sign changed in the last step */
        *flags |= EFLAGS_OF;
    return v;
}

/*@ requires alu_size(size);
    assigns \nothing; */
static int64_t sign_extended(uint64_t v, unsigned size)
{
    v &= alu_mask(size);
    return (int64_t)(top_bit(v, size) != 0 ? v | ~alu_mask(size) : v);
}

/* Does the product of a and b, r as far as it fits, need more than 64 bits? */
/*@ assigns \nothing;
    ensures a == 0 || b == 0 ==> !\result;
    ensures !\result && a != 0 && b != 0 && a != -1 && b != -1 ==> a * b == r; */
static bool product_overflows(int64_t a, int64_t b, int64_t r)
{
    if (a == 0 || b == 0)
        return false;
    if (a == -1 || b == -1)
        return (a == -1 ? b : a) == INT64_MIN;
    return r / b != a || r % b != 0;
}

uint64_t alu_imul(unsigned size, uint64_t x, uint64_t y, uint64_t *flags)
{
    int64_t a = sign_extended(x, size), b = sign_extended(y, size);
    int64_t r = (int64_t)((uint64_t)a * (uint64_t)b);
    bool over = size == 8 ? product_overflows(a, b, r) : sign_extended((uint64_t)r, size) != r;

    *flags &= ~(EFLAGS_CF | EFLAGS_OF);
    *flags |= over ? EFLAGS_CF | EFLAGS_OF : 0;
    return (uint64_t)r & alu_mask(size);
}

/*@ predicate less(integer f) = ((f & EFLAGS_SF) != 0) ^^ ((f & EFLAGS_OF) != 0);
    predicate condition(integer n, integer f) =
        n == 0 ? (f & EFLAGS_OF) != 0 : n == 1 ? (f & EFLAGS_CF) != 0 :
        n == 2 ? (f & EFLAGS_ZF) != 0 : n == 3 ? (f & (EFLAGS_CF | EFLAGS_ZF)) != 0 :
        n == 4 ? (f & EFLAGS_SF) != 0 : n == 5 ? (f & EFLAGS_PF) != 0 :
        n == 6 ? less(f) : less(f) || (f & EFLAGS_ZF) != 0; */
/*@ assigns \nothing;
    ensures \result <==> (condition((cc >> 1) & 7, flags) <==> (cc & 1) == 0); */
bool alu_condition(unsigned cc, uint64_t flags)
{
    bool less = ((flags & EFLAGS_SF) != 0) != ((flags & EFLAGS_OF) != 0);
    bool yes;

    switch (cc >> 1 & 7) {
    case 0:
        yes = (flags & EFLAGS_OF) != 0;
        break;
    case 1:
        yes = (flags & EFLAGS_CF) != 0;
        break;
    case 2:
        yes = (flags & EFLAGS_ZF) != 0;
        break;
    case 3:
        yes = (flags & (EFLAGS_CF | EFLAGS_ZF)) != 0;
        break;
    case 4:
        yes = (flags & EFLAGS_SF) != 0;
        break;
    case 5:
        yes = (flags & EFLAGS_PF) != 0;
        break;
    case 6:
        yes = less;
        break;
    default:
        yes = less || (flags & EFLAGS_ZF) != 0;
        break;
    }
    return yes != ((cc & 1) != 0);
}
