/* Instructions with one memory operand. Operands that turn out to be RAM the
 * engine can reach itself (the mapping changed since the exit) are executed by
 * the engine, which keeps locked operations atomic. */
#include "x86/hvm/emulate.h"

static unsigned modrm_reg(const struct insn *i)
{
    return (i->modrm >> 3 & 7u) | (unsigned)(i->rex & 4) << 1;
}

static unsigned default_seg(const struct insn *i)
{
    unsigned rm = i->modrm & 7, mod = i->modrm >> 6;

    if (i->seg != 0xff)
        return i->seg;
    if (!i->has_modrm)
        return SEG_DS;
    if (i->addrsize == 2)
        return rm == 2 || rm == 3 || (rm == 6 && mod != 0) ? SEG_SS : SEG_DS;
    if (rm == 4)
        rm = i->sib & 7;
    if ((i->rex & 1) != 0) /* R12 and R13 are not RSP and RBP */
        return SEG_DS;
    return rm == GPR_RSP || (rm == GPR_RBP && mod != 0) ? SEG_SS : SEG_DS;
}

static int undefined(struct emu *e)
{
    hvm_inject_exception(e->v, VECTOR_UD, false, 0);
    return EMU_FAULT;
}

/* The memory operand displaced by extra bytes. EMU_AGAIN when the engine can do
 * the access itself. */
static int operand_at(struct emu *e, uint64_t extra, unsigned size, enum walk_access access,
                      struct emu_span *s)
{
    unsigned seg = default_seg(&e->i);
    uint64_t la, offset;
    int rc;

    if (e->i.has_modrm && (e->i.modrm >> 6) == 3)
        return EMU_CANNOT;
    offset = insn_effective(&e->i, e->r, 0) + extra;
    offset &= alu_mask(e->i.addrsize);
    rc = emu_linear(e, seg, offset, size, access, &la);
    if (rc == EMU_OK)
        rc = emu_translate(e, la, size, access, s);
    if (rc == EMU_OK && emu_is_ram(e, s, access))
        rc = EMU_AGAIN;
    return rc;
}

static int operand(struct emu *e, unsigned size, enum walk_access access, struct emu_span *s)
{
    return operand_at(e, 0, size, access, s);
}

static int load_to_reg(struct emu *e, unsigned from, bool sign, unsigned to)
{
    struct emu_span s;
    uint64_t v;
    int rc = operand(e, from, WALK_READ, &s);

    if (rc != EMU_OK)
        return rc;
    v = emu_load(e, &s);
    if (sign && (v >> (8 * from - 1)) != 0)
        v |= ~alu_mask(from);
    emu_set_reg(e, modrm_reg(&e->i), to, v);
    return EMU_OK;
}

static int store_value(struct emu *e, unsigned size, uint64_t v)
{
    struct emu_span s;
    int rc = operand(e, size, WALK_WRITE, &s);

    if (rc == EMU_OK)
        emu_store(e, &s, v);
    return rc;
}

/* memory = memory op src */
static int alu_memory(struct emu *e, enum alu_op op, unsigned size, uint64_t src)
{
    bool writes = op != ALU_CMP && op != ALU_TEST;
    uint64_t v, flags = e->r->rflags;
    struct emu_span s;
    int rc;

    if (e->i.lock && !writes)
        return undefined(e);
    rc = operand(e, size, writes ? WALK_WRITE : WALK_READ, &s);
    if (rc != EMU_OK)
        return rc;
    v = alu(op, size, emu_load(e, &s), src, &flags);
    if (writes)
        emu_store(e, &s, v);
    e->r->rflags = flags;
    return EMU_OK;
}

/* register = register op memory */
static int alu_register(struct emu *e, enum alu_op op, unsigned size)
{
    unsigned reg = modrm_reg(&e->i);
    struct emu_span s;
    uint64_t v;
    int rc = operand(e, size, WALK_READ, &s);

    if (rc != EMU_OK)
        return rc;
    v = alu(op, size, emu_reg(e, reg, size), emu_load(e, &s), &e->r->rflags);
    if (op != ALU_CMP)
        emu_set_reg(e, reg, size, v);
    return EMU_OK;
}

/* XCHG, XADD and CMPXCHG: the old memory meets a register. */
static int exchange(struct emu *e, unsigned size)
{
    unsigned reg = modrm_reg(&e->i);
    uint64_t old, src = emu_reg(e, reg, size), flags = e->r->rflags;
    struct emu_span s;
    int rc = operand(e, size, WALK_WRITE, &s);

    if (rc != EMU_OK)
        return rc;
    old = emu_load(e, &s);
    if (e->i.map == 0) {
        emu_store(e, &s, src);
        emu_set_reg(e, reg, size, old);
    } else if (e->i.opcode >= 0xc0) {
        uint64_t sum = alu(ALU_ADD, size, old, src, &flags);

        emu_store(e, &s, sum);
        emu_set_reg(e, reg, size, old);
    } else {
        (void)alu(ALU_CMP, size, emu_reg(e, GPR_RAX, size), old, &flags);
        if ((flags & EFLAGS_ZF) != 0) {
            emu_store(e, &s, src);
        } else {
            emu_store(e, &s, old); /* the CPU writes in either case */
            emu_set_reg(e, GPR_RAX, size, old);
        }
    }
    e->r->rflags = flags;
    return EMU_OK;
}

/* BT, BTS, BTR, BTC; kind 0 to 3. A bit offset in a register reaches beyond the
 * operand. */
static int bit_op(struct emu *e, unsigned kind, bool immediate)
{
    unsigned size = e->i.opsize, width = 8 * size;
    uint64_t v, bit, extra = 0;
    struct emu_span s;
    int rc;

    if (kind == 0 && e->i.lock)
        return undefined(e);
    if (immediate) {
        bit = e->i.imm & (width - 1);
    } else {
        uint64_t offset = emu_reg(e, modrm_reg(&e->i), size);
        uint64_t units;

        if (size < 8 && (offset >> (width - 1)) != 0)
            offset |= ~alu_mask(size);
        bit = offset & (width - 1);
        units = (offset - bit) >> 3; /* arithmetic shift by hand */
        if (offset >> 63 != 0)
            units |= UINT64_C(7) << 61;
        extra = units;
    }
    rc = operand_at(e, extra, size, kind == 0 ? WALK_READ : WALK_WRITE, &s);
    if (rc != EMU_OK)
        return rc;
    v = emu_load(e, &s);
    e->r->rflags &= ~EFLAGS_CF;
    e->r->rflags |= v >> bit & 1;
    bit = UINT64_C(1) << bit;
    if (kind != 0)
        emu_store(e, &s, kind == 1 ? v | bit : kind == 2 ? v & ~bit : v ^ bit);
    return EMU_OK;
}

/* PUSH m: the operand is read before the stack pointer moves. */
static int push_memory(struct emu *e)
{
    unsigned size = e->i.opsize, stack = 8;
    struct emu_span from, to;
    uint64_t sp, la;
    int rc;

    if (e->mode == 8)
        size = size == 2 ? 2 : 8;
    else
        stack = (emu_state(e)->seg[SEG_SS].attr & 0x4000) != 0 ? 4 : 2;
    rc = operand(e, size, WALK_READ, &from);
    if (rc != EMU_OK)
        return rc;
    sp = (e->r->gpr[GPR_RSP] - size) & alu_mask(stack);
    rc = emu_linear(e, SEG_SS, sp, size, WALK_WRITE, &la);
    if (rc == EMU_OK)
        rc = emu_translate(e, la, size, WALK_WRITE, &to);
    if (rc != EMU_OK)
        return rc;
    emu_store(e, &to, emu_load(e, &from));
    emu_set_reg(e, GPR_RSP, stack, sp);
    return EMU_OK;
}

/* POP m: its address is that after RSP has moved, its faults come before that. */
static int pop_memory(struct emu *e)
{
    unsigned size = e->i.opsize, stack = 8;
    uint64_t sp = e->r->gpr[GPR_RSP], la;
    struct emu_span from;
    int rc;

    if (e->mode == 8)
        size = size == 2 ? 2 : 8;
    else
        stack = (emu_state(e)->seg[SEG_SS].attr & 0x4000) != 0 ? 4 : 2;
    rc = emu_linear(e, SEG_SS, sp & alu_mask(stack), size, WALK_READ, &la);
    if (rc == EMU_OK)
        rc = emu_translate(e, la, size, WALK_READ, &from);
    if (rc != EMU_OK)
        return rc;
    emu_set_reg(e, GPR_RSP, stack, (sp + size) & alu_mask(stack));
    rc = store_value(e, size, emu_load(e, &from));
    if (rc != EMU_OK)
        e->r->gpr[GPR_RSP] = sp;
    return rc;
}

static int shift_memory(struct emu *e, unsigned size)
{
    unsigned kind = e->i.modrm >> 3 & 7, op = e->i.opcode;
    uint64_t count = op < 0xd0 ? e->i.imm : op < 0xd2 ? 1 : e->r->gpr[GPR_RCX];
    uint64_t v, flags = e->r->rflags;
    struct emu_span s;
    int rc = operand(e, size, WALK_WRITE, &s);

    if (rc != EMU_OK)
        return rc;
    v = alu_shift(kind, size, emu_load(e, &s), (unsigned)(count & 0xff), &flags);
    emu_store(e, &s, v);
    e->r->rflags = flags;
    return EMU_OK;
}

/* register = memory * by */
static int imul(struct emu *e, uint64_t by)
{
    struct emu_span s;
    int rc = operand(e, e->i.opsize, WALK_READ, &s);

    if (rc == EMU_OK)
        emu_set_reg(e, modrm_reg(&e->i), e->i.opsize,
                    alu_imul(e->i.opsize, emu_load(e, &s), by, &e->r->rflags));
    return rc;
}

static int group3(struct emu *e, unsigned size)
{
    switch (e->i.modrm >> 3 & 7) {
    case 0:
    case 1:
        return alu_memory(e, ALU_TEST, size, e->i.imm);
    case 2:
        return alu_memory(e, ALU_NOT, size, 0);
    case 3:
        return alu_memory(e, ALU_NEG, size, 0);
    default:
        return EMU_CANNOT;
    }
}

static int group5(struct emu *e, unsigned size)
{
    switch (e->i.modrm >> 3 & 7) {
    case 0:
        return alu_memory(e, ALU_INC, size, 0);
    case 1:
        return alu_memory(e, ALU_DEC, size, 0);
    case 6:
        return size == 1 || e->i.lock ? undefined(e) : push_memory(e);
    default:
        return EMU_CANNOT;
    }
}

static int operate_one_byte(struct emu *e)
{
    unsigned op = e->i.opcode, size = (op & 1) != 0 ? e->i.opsize : 1;
    enum alu_op arith = (enum alu_op)(op >> 3 & 7);

    if (op < 0x40 && (op & 7) < 2)
        return alu_memory(e, arith, size, emu_reg(e, modrm_reg(&e->i), size));
    if (op < 0x40 && (op & 7) < 4)
        return alu_register(e, arith, size);
    switch (op) {
    case 0x63: /* MOVSXD */
        return e->mode == 8 ? load_to_reg(e, 4, true, e->i.opsize) : EMU_CANNOT;
    case 0x69:
    case 0x6b:
        return imul(e, e->i.imm);
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83:
        return alu_memory(e, (enum alu_op)(e->i.modrm >> 3 & 7), size, e->i.imm);
    case 0x84:
    case 0x85:
        return alu_memory(e, ALU_TEST, size, emu_reg(e, modrm_reg(&e->i), size));
    case 0x86:
    case 0x87:
        return exchange(e, size);
    case 0x88:
    case 0x89:
        return store_value(e, size, emu_reg(e, modrm_reg(&e->i), size));
    case 0x8a:
    case 0x8b:
        return load_to_reg(e, size, false, size);
    case 0x8f:
        return pop_memory(e); /* all but /0 is XOP's */
    case 0xa0:
    case 0xa1: /* no ModRM: register 0 */
        return load_to_reg(e, size, false, size);
    case 0xa2:
    case 0xa3:
        return store_value(e, size, emu_reg(e, GPR_RAX, size));
    case 0xc0:
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return shift_memory(e, size);
    case 0xc6:
    case 0xc7:
        return (e->i.modrm & 0x38) == 0 ? store_value(e, size, e->i.imm) : EMU_CANNOT;
    case 0xf6:
    case 0xf7:
        return group3(e, size);
    case 0xfe:
    case 0xff:
        return group5(e, size);
    default:
        return EMU_CANNOT;
    }
}

/* CMOVcc reads its operand, and clears the upper half of a 32-bit target,
 * whatever the condition. */
static int cmov(struct emu *e)
{
    unsigned reg = modrm_reg(&e->i);
    struct emu_span s;
    uint64_t v;
    int rc = operand(e, e->i.opsize, WALK_READ, &s);

    if (rc != EMU_OK)
        return rc;
    v = emu_load(e, &s);
    if (!alu_condition(e->i.opcode, e->r->rflags))
        v = emu_reg(e, reg, e->i.opsize);
    emu_set_reg(e, reg, e->i.opsize, v);
    return EMU_OK;
}

static int operate_two_byte(struct emu *e)
{
    unsigned op = e->i.opcode, size = (op & 1) != 0 ? e->i.opsize : 1;

    if (op >= 0x40 && op < 0x50)
        return cmov(e);
    if (op >= 0x90 && op < 0xa0)
        return store_value(e, 1, alu_condition(op, e->r->rflags) ? 1 : 0);
    switch (op) {
    case 0xaf:
        return imul(e, emu_reg(e, modrm_reg(&e->i), e->i.opsize));
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xbb:
        return bit_op(e, op >> 3 & 3, false);
    case 0xba:
        return (e->i.modrm & 0x20) != 0 ? bit_op(e, e->i.modrm >> 3 & 3, true) : EMU_CANNOT;
    case 0xb0:
    case 0xb1:
    case 0xc0:
    case 0xc1:
        return exchange(e, size);
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
        return load_to_reg(e, (op & 1) != 0 ? 2 : 1, op >= 0xbe, e->i.opsize);
    case 0xc3: /* MOVNTI */
        return e->i.opsize == 2 ? EMU_CANNOT
                                : store_value(e, size, emu_reg(e, modrm_reg(&e->i), size));
    default:
        return EMU_CANNOT;
    }
}

/* LOCK is for read-modify-write on memory only (SDM Vol. 2, LOCK). */
static bool may_lock(const struct insn *i)
{
    unsigned op = i->opcode;

    if (i->map == 1)
        return op == 0xab || op == 0xb3 || op == 0xbb || op == 0xba || (op & 0xfe) == 0xb0 ||
               (op & 0xfe) == 0xc0;
    if (op < 0x40)
        return (op & 7) < 2;
    return (op >= 0x80 && op <= 0x83) || (op & 0xfe) == 0x86 || (op & 0xfe) == 0xf6 ||
           (op & 0xfe) == 0xfe;
}

int emu_operate(struct emu *e)
{
    if (e->i.lock && (e->i.map > 1 || !may_lock(&e->i)))
        return undefined(e);
    if (e->i.map == 0)
        return operate_one_byte(e);
    return e->i.map == 1 ? operate_two_byte(e) : EMU_CANNOT;
}
