/* Length and operand decoder for all of x86: 16-, 32- and 64-bit code, VEX,
 * EVEX and XOP included. Source: SDM Vol. 2 ch. 2 and app. A, APM Vol. 3
 * app. A. It says where an instruction ends and what its memory operand is;
 * whether a CPU would accept it is for whoever emulates it. */
#include "x86/hvm/hvm.h"

#include "base/string.h"

#define INSN_MAX 15u

/* What follows each opcode, a letter each:
 *   x  no such opcode (or a prefix)    -  nothing
 *   m  ModRM                           r  ModRM whose operand is a register
 *   b  imm8       w  imm16             z  imm16 or imm32 by operand size
 *   v  imm16, imm32 or imm64           j  as z, but 32 bits in 64-bit code
 *   B  ModRM, imm8                     Z  ModRM, immz
 *   e  imm16, imm8                     p  far pointer: immz, 16-bit selector
 *   o  offset of the address size      g  ModRM, imm8 if reg is 0 or 1
 *                                      h  ModRM, immz if reg is 0 or 1 */
static const char one_byte[256 + 1] = "mmmmbz--mmmmbz-x"
                                      "mmmmbz--mmmmbz--"
                                      "mmmmbzx-mmmmbzx-"
                                      "mmmmbzx-mmmmbzx-"
                                      "----------------"
                                      "----------------"
                                      "--mmxxxxzZbB----"
                                      "bbbbbbbbbbbbbbbb"
                                      "BZBBmmmmmmmmmmmm"
                                      "----------p-----"
                                      "oooo----bz------"
                                      "bbbbbbbbvvvvvvvv"
                                      "BBw-mmBZe-w--b--"
                                      "mmmmbb--mmmmmmmm"
                                      "bbbbbbbbjjpb----"
                                      "x-xx--gh------mm";

static const char two_byte[256 + 1] = "mmmmx-----x-xm-B"
                                      "mmmmmmmmmmmmmmmm"
                                      "rrrrxxxxmmmmmmmm"
                                      "------x-xxxxxxxx"
                                      "mmmmmmmmmmmmmmmm"
                                      "mmmmmmmmmmmmmmmm"
                                      "mmmmmmmmmmmmmmmm"
                                      "BBBBmmm-mmxxmmmm"
                                      "jjjjjjjjjjjjjjjj"
                                      "mmmmmmmmmmmmmmmm"
                                      "---mBmxx---mBmmm"
                                      "mmmmmmmmmmBmmmmm"
                                      "mmBmBBBm--------"
                                      "mmmmmmmmmmmmmmmm"
                                      "mmmmmmmmmmmmmmmm"
                                      "mmmmmmmmmmmmmmmm";

/* One-byte opcodes that 64-bit code does not have (VEX and EVEX come first). */
static const uint8_t not_in_64[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27,
                                    0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62, 0x82, 0x9a,
                                    0xc4, 0xc5, 0xce, 0xd4, 0xd5, 0xd6, 0xea};

struct cursor {
    const uint8_t *p;
    unsigned at, n; /* n <= INSN_MAX */
    bool short_of;  /* bytes ran out */
    bool osize, asize;
};

static uint64_t take(struct cursor *c, unsigned count)
{
    uint64_t v = 0;
    unsigned i;

    if (count > c->n - c->at) {
        c->short_of = true;
        c->at = c->n;
        return 0;
    }
    for (i = 0; i < count; i++)
        v |= (uint64_t)c->p[c->at + i] << (8 * i);
    c->at += count;
    return v;
}

static uint8_t take8(struct cursor *c)
{
    return (uint8_t)take(c, 1);
}

static int64_t take_signed(struct cursor *c, unsigned count)
{
    uint64_t v = take(c, count);

    switch (count) {
    case 1:
        return (int8_t)v;
    case 2:
        return (int16_t)v;
    case 4:
        return (int32_t)v;
    default:
        return (int64_t)v;
    }
}

/* Legacy prefixes and REX; returns the first byte that is neither. */
static uint8_t take_prefixes(struct cursor *c, struct insn *o)
{
    for (;;) {
        uint8_t b = take8(c);

        if (c->short_of)
            return 0;
        switch (b) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            if (o->mode != 8)
                o->seg = (uint8_t)((b >> 3) & 3);
            break;
        case 0x64:
        case 0x65:
            o->seg = b == 0x64 ? SEG_FS : SEG_GS;
            break;
        case 0x66:
            c->osize = true;
            break;
        case 0x67:
            c->asize = true;
            break;
        case 0xf0:
            o->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            o->prefix_rep = b;
            break;
        default:
            if (o->mode != 8 || (b & 0xf0) != 0x40)
                return b;
            o->rex = b;
            continue;
        }
        o->rex = 0; /* REX counts only right before the opcode */
    }
}

static void set_sizes(const struct cursor *c, struct insn *o)
{
    if (o->mode == 2)
        o->opsize = c->osize ? 4 : 2;
    else
        o->opsize = c->osize ? 2 : 4;
    if ((o->rex & 8) != 0)
        o->opsize = 8;
    if (o->mode == 8)
        o->addrsize = c->asize ? 4 : 8;
    else
        o->addrsize = (o->mode == 4) != c->asize ? 4 : 2;
}

/* 2- and 3-byte VEX, EVEX and XOP: rex gets their R, X, B and W. Returns the
 * letter of what follows the opcode. */
static char take_vex(struct cursor *c, struct insn *o, uint8_t lead)
{
    uint8_t p0 = take8(c), p1 = 0;

    if (o->lock || o->prefix_rep != 0 || c->osize || o->rex != 0)
        return 'x';
    o->vex = lead;
    o->rex = 0x40;
    o->map = 1;
    if ((p0 & 0x80) == 0)
        o->rex |= 4;
    if (lead != 0xc5) {
        p1 = take8(c);
        o->map = p0 & (lead == 0x62 ? 7 : 0x1f);
        o->rex |= (uint8_t)(((p0 & 0x40) == 0 ? 2 : 0) | ((p0 & 0x20) == 0 ? 1 : 0) |
                            ((p1 & 0x80) != 0 ? 8 : 0));
    }
    if (lead == 0x62) {
        /* P0 bit 3 and P1 bit 2 are fixed. */
        if ((p0 & 8) != 0 || (p1 & 4) == 0)
            return 'x';
        take8(c);
    }
    o->opcode = take8(c);
    o->opcode_len = 1;
    if (lead == 0x8f)
        return o->map == 8 ? 'B' : o->map == 9 ? 'm' : o->map == 10 ? 'Z' : 'x';
    switch (o->map) {
    case 1:
        if (o->opcode == 0x77 && lead != 0x62)
            return '-';
        return two_byte[o->opcode] == 'B' && o->opcode >= 0x70 ? 'B' : 'm';
    case 2:
        return 'm';
    case 3:
        return 'B';
    case 5:
    case 6:
        return lead == 0x62 ? 'm' : 'x';
    default:
        return 'x';
    }
}

static bool starts_vex(const struct cursor *c, const struct insn *o, uint8_t b)
{
    uint8_t next = c->at < c->n ? c->p[c->at] : 0;

    if (b == 0x8f)
        return (next & 0x1f) >= 8;
    if (b != 0xc4 && b != 0xc5 && b != 0x62)
        return false;
    /* Elsewhere these are LES, LDS and BOUND, which have no register form. */
    return o->mode == 8 || (next & 0xc0) == 0xc0;
}

static char take_opcode(struct cursor *c, struct insn *o)
{
    uint8_t b = take_prefixes(c, o);
    unsigned i;

    if (c->short_of)
        return 'x';
    if (starts_vex(c, o, b))
        return take_vex(c, o, b);
    o->opcode = b;
    o->opcode_len = 1;
    if (b != 0x0f) {
        for (i = 0; o->mode == 8 && i < sizeof(not_in_64); i++)
            if (not_in_64[i] == b)
                return 'x';
        return one_byte[b];
    }
    o->map = 1;
    o->opcode = take8(c);
    o->opcode_len = 2;
    if (o->opcode != 0x38 && o->opcode != 0x3a)
        return two_byte[o->opcode];
    o->map = o->opcode == 0x38 ? 2 : 3;
    o->opcode = take8(c);
    o->opcode_len = 3;
    return o->map == 2 ? 'm' : 'B';
}

static void take_modrm(struct cursor *c, struct insn *o, bool registers)
{
    unsigned mod, rm;

    o->modrm = take8(c);
    o->has_modrm = true;
    mod = o->modrm >> 6;
    rm = o->modrm & 7;
    if (mod == 3 || registers)
        return;
    if (o->addrsize == 2) {
        if (mod == 1)
            o->disp = take_signed(c, 1);
        else if (mod == 2 || rm == 6)
            o->disp = take_signed(c, 2);
        return;
    }
    if (rm == 4)
        o->sib = take8(c);
    if (mod == 1)
        o->disp = take_signed(c, 1);
    else if (mod == 2 || rm == 5 || (rm == 4 && (o->sib & 7) == 5))
        o->disp = take_signed(c, 4);
}

static void take_imm(struct cursor *c, struct insn *o, char what)
{
    unsigned z = o->opsize == 2 ? 2 : 4, size = 0;
    bool test = (o->modrm & 0x30) == 0;

    switch (what) {
    case 'b':
    case 'B':
        size = 1;
        break;
    case 'w':
        size = 2;
        break;
    case 'z':
        size = z;
        break;
    case 'Z':
        size = o->vex != 0 ? 4 : z;
        break;
    case 'v':
        size = o->opsize;
        break;
    case 'j':
        size = o->mode == 8 ? 4 : z;
        break;
    case 'e':
        size = 3;
        break;
    case 'p':
        size = z + 2;
        break;
    case 'g':
        size = test ? 1 : 0;
        break;
    case 'h':
        size = test ? z : 0;
        break;
    case 'o':
        o->disp = (int64_t)take(c, o->addrsize);
        return;
    default:
        /* EXTRQ and INSERTQ take two immediate bytes (APM Vol. 4). */
        if (o->map == 1 && o->opcode == 0x78 && o->vex == 0 && (c->osize || o->prefix_rep == 0xf2))
            size = 2;
        break;
    }
    o->imm_size = (uint8_t)size;
    if (size == 1 || size == 2 || size == 4 || size == 8)
        o->imm = (uint64_t)take_signed(c, size);
    else
        o->imm = take(c, size);
}

int insn_decode(const uint8_t *bytes, unsigned n, unsigned mode, struct insn *out)
{
    struct cursor c = {.p = bytes, .n = n < INSN_MAX ? n : INSN_MAX};
    char what;

    memset(out, 0, sizeof(*out));
    out->seg = 0xff;
    out->mode = (uint8_t)mode;
    what = take_opcode(&c, out);
    if (what == 'x' || c.short_of)
        return -1;
    set_sizes(&c, out);
    if (what == 'm' || what == 'r' || what == 'B' || what == 'Z' || what == 'g' || what == 'h')
        take_modrm(&c, out, what == 'r');
    if (what == 'm' && out->map == 0 && out->vex == 0 && out->opcode == 0x8f &&
        (out->modrm & 0x38) != 0)
        return -1;
    take_imm(&c, out, what);
    if (c.short_of)
        return -1;
    out->len = (uint8_t)c.at;
    return 0;
}

static uint64_t effective16(const struct insn *i, const struct guest_regs *r)
{
    static const uint8_t base[8] = {GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP,
                                    GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX};
    unsigned rm = i->modrm & 7;
    uint64_t v = (uint64_t)i->disp;

    if (rm == 6 && (i->modrm & 0xc0) == 0)
        return v;
    v += r->gpr[base[rm]];
    if (rm < 4)
        v += r->gpr[(rm & 1) == 0 ? GPR_RSI : GPR_RDI];
    return v;
}

static uint64_t effective32(const struct insn *i, const struct guest_regs *r)
{
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    uint64_t v = (uint64_t)i->disp;
    unsigned index;

    if (rm == 5 && mod == 0)
        return i->mode == 8 ? v + r->rip + i->len : v;
    if (rm != 4)
        return v + r->gpr[rm | (i->rex & 1) << 3];
    index = ((unsigned)i->sib >> 3 & 7) | (unsigned)(i->rex & 2) << 2;
    if (index != GPR_RSP)
        v += r->gpr[index] << (i->sib >> 6);
    if ((i->sib & 7) != 5 || mod != 0)
        v += r->gpr[(i->sib & 7) | (i->rex & 1) << 3];
    return v;
}

uint64_t insn_effective(const struct insn *i, const struct guest_regs *r, uint64_t seg_base)
{
    uint64_t v;

    if (!i->has_modrm)
        v = (uint64_t)i->disp;
    else
        v = i->addrsize == 2 ? effective16(i, r) : effective32(i, r);
    if (i->addrsize == 2)
        v &= 0xffff;
    else if (i->addrsize == 4)
        v &= 0xffffffff;
    v += seg_base;
    return i->mode == 8 ? v : v & 0xffffffff;
}
