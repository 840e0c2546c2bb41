/* Length and operand decoder for all of x86: 16-, 32- and 64-bit code, VEX,
 * EVEX and XOP included. Source: SDM Vol. 2 ch. 2 and app. A, APM Vol. 3
 * app. A. It says where an instruction ends and what its memory operand is;
 * whether a CPU would accept it is for whoever emulates it. */
#include "x86/hvm/hvm.h"

#include "base/bytes.h"

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

/*@ predicate cursor_ok{L}(struct cursor *c) = \valid(c) && c->at <= c->n <= INSN_MAX &&
        readable_bytes(c->p, c->n) && \separated(c, c->p + (0 .. c->n - 1));
    predicate insn_apart{L}(struct cursor *c, struct insn *o) = \valid(o) && \separated(c, o) &&
        \separated(o, c->p + (0 .. c->n - 1));
    predicate size_ok(integer n) = n == 2 || n == 4 || n == 8; */

/*@ requires cursor_ok(c) && count <= 8;
    assigns c->at, c->short_of;
    ensures cursor_ok(c) && \old(c->at) <= c->at;
    ensures !c->short_of ==> !\old(c->short_of) && c->at == \old(c->at) + count;
    ensures short: \old(c->at) + count > c->n ==> c->short_of && \result == 0;
    ensures none: count == 0 ==> \result == 0;
    ensures enough: \old(c->at) + count <= c->n ==> c->short_of == \old(c->short_of);
    ensures count == 1 && \old(c->at) < c->n ==> \result == c->p[\old(c->at)]; */
static uint64_t take(struct cursor *c, unsigned count)
{
    uint64_t v = 0;
    unsigned i;

    if (count > c->n - c->at) {
        c->short_of = true;
        c->at = c->n;
        return 0;
    }
    /*@ loop invariant i <= count && (i == count ==> v == 0);
        loop invariant i + 1 == count ==> v <= 0xff && v == c->p[c->at + count - 1];
        loop invariant i + 2 == count ==> v <= 0xffff;
        loop invariant i + 3 == count ==> v <= 0xffffff;
        loop invariant i + 4 == count ==> v <= 0xffffffff;
        loop invariant i + 5 == count ==> v <= 0xffffffffff;
        loop invariant i + 6 == count ==> v <= 0xffffffffffff;
        loop invariant i + 7 == count ==> v <= 0xffffffffffffff;
        loop assigns i, v;
        loop variant i; */
    for (i = count; i > 0; i--)
        v = v * 256 + c->p[c->at + i - 1];
    c->at += count;
    return v;
}

/*@ requires cursor_ok(c);
    assigns c->at, c->short_of;
    ensures cursor_ok(c) && \old(c->at) <= c->at;
    ensures !c->short_of ==> !\old(c->short_of) && c->at == \old(c->at) + 1;
    ensures short: \old(c->at) == c->n ==> c->short_of && \result == 0;
    ensures \old(c->at) < c->n ==> \result == c->p[\old(c->at)]; */
static uint8_t take8(struct cursor *c)
{
    return (uint8_t)take(c, 1);
}

/*@ requires cursor_ok(c) && count <= 8;
    assigns c->at, c->short_of;
    ensures cursor_ok(c) && \old(c->at) <= c->at;
    ensures !c->short_of ==> !\old(c->short_of) && c->at == \old(c->at) + count;
    ensures count == 1 ==> INT8_MIN <= \result <= INT8_MAX;
    ensures count == 2 ==> INT16_MIN <= \result <= INT16_MAX;
    ensures count == 4 ==> INT32_MIN <= \result <= INT32_MAX; */
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
/*@ requires cursor_ok(c) && insn_apart(c, o) && o->rex == 0 && o->prefix_rep == 0;
    assigns c->at, c->short_of, c->osize, c->asize, o->seg, o->lock, o->prefix_rep, o->rex;
    ensures cursor_ok(c);
    ensures !c->short_of ==> \old(c->at) < c->at;
    ensures o->prefix_rep == 0 || o->prefix_rep == 0xf2 || o->prefix_rep == 0xf3;
    ensures o->seg == \old(o->seg) || o->seg <= SEG_GS;
    ensures o->mode != 8 ==> o->rex == 0; */
static uint8_t take_prefixes(struct cursor *c, struct insn *o)
{
    /*@ loop invariant cursor_ok(c) && \at(c->at, Pre) <= c->at;
        loop invariant o->prefix_rep == 0 || o->prefix_rep == 0xf2 || o->prefix_rep == 0xf3;
        loop invariant o->seg == \at(o->seg, Pre) || o->seg <= SEG_GS;
        loop invariant o->mode != 8 ==> o->rex == 0;
        loop assigns c->at, c->short_of, c->osize, c->asize, o->seg, o->lock, o->prefix_rep,
                     o->rex;
        loop variant c->n - c->at; */
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

/*@ requires \valid_read(c) && \valid(o) && \separated(c, o) && size_ok(o->mode);
    assigns o->opsize, o->addrsize;
    ensures size_ok(o->opsize) && size_ok(o->addrsize);
    ensures o->mode == 8 <==> o->addrsize == 8 || (o->mode == 8 && c->asize);
    ensures o->mode == 8 ==> o->addrsize != 2; */
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

/* What follows the opcode behind VEX, EVEX or XOP. */
/*@ requires \valid_read(o);
    assigns \nothing; */
static char vex_letter(const struct insn *o, uint8_t lead)
{
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

/* 2- and 3-byte VEX, EVEX and XOP: rex gets their R, X, B and W. Returns the
 * letter of what follows the opcode. */
/*@ requires cursor_ok(c) && insn_apart(c, o);
    assigns c->at, c->short_of, o->vex, o->rex, o->map, o->opcode, o->opcode_len;
    ensures cursor_ok(c) && \old(c->at) <= c->at;
    ensures \result != 'x' ==> o->opcode_len == 1 && o->vex == lead && \old(c->at) <= c->at;
    ensures \old(c->short_of) ==> c->short_of; */
static char take_vex(struct cursor *c, struct insn *o, uint8_t lead)
{
    uint8_t p0 = take8(c), p1 = 0;

    if (o->lock || o->prefix_rep != 0 || c->osize || o->rex != 0)
        return 'x';
    o->vex = lead;
    o->rex = (uint8_t)(0x40 | ((p0 ^ 0xff) >> 5 & 4));
    o->map = 1;
    if (lead != 0xc5) {
        p1 = take8(c);
        o->map = p0 & (lead == 0x62 ? 7 : 0x1f);
        o->rex |= (uint8_t)(((p0 ^ 0xff) >> 5 & 3) | (p1 >> 4 & 8));
    }
    if (lead == 0x62) {
        /* P0 bit 3 and P1 bit 2 are fixed. */
        if ((p0 & 8) != 0 || (p1 & 4) == 0)
            return 'x';
        take8(c);
    }
    o->opcode = take8(c);
    o->opcode_len = 1;
    return vex_letter(o, lead);
}

/*@ requires cursor_ok(c) && \valid_read(o);
    assigns \nothing;
    ensures \result ==> b == 0x62 || b == 0x8f || b == 0xc4 || b == 0xc5;
    ensures o->mode == 8 && (b == 0x62 || b == 0xc4 || b == 0xc5) ==> \result; */
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

/*@ assigns \nothing; */
static bool missing_in_64(uint8_t opcode)
{
    unsigned i;

    /*@ loop invariant i <= sizeof(not_in_64);
        loop assigns i;
        loop variant sizeof(not_in_64) - i; */
    for (i = 0; i < sizeof(not_in_64); i++)
        if (not_in_64[i] == opcode)
            return true;
    return false;
}

/* The opcode behind 0F. */
/*@ requires cursor_ok(c) && insn_apart(c, o) && c->at >= 1;
    assigns c->at, c->short_of, o->map, o->opcode, o->opcode_len;
    ensures cursor_ok(c) && \old(c->at) <= c->at;
    ensures 2 <= o->opcode_len <= 3;
    ensures !c->short_of ==> !\old(c->short_of) && o->opcode_len <= c->at; */
static char take_escape(struct cursor *c, struct insn *o)
{
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

/*@ requires cursor_ok(c) && insn_apart(c, o) && o->rex == 0 && o->prefix_rep == 0;
    assigns c->at, c->short_of, c->osize, c->asize, o->seg, o->lock, o->prefix_rep, o->rex, o->vex,
            o->map, o->opcode, o->opcode_len;
    ensures cursor_ok(c);
    ensures \result != 'x' && !c->short_of ==> 1 <= o->opcode_len <= 3 &&
        o->opcode_len <= c->at;
    ensures o->seg == \old(o->seg) || o->seg <= SEG_GS; */
static char take_opcode(struct cursor *c, struct insn *o)
{
    uint8_t b = take_prefixes(c, o);

    if (c->short_of)
        return 'x';
    if (starts_vex(c, o, b))
        return take_vex(c, o, b);
    o->opcode = b;
    o->opcode_len = 1;
    if (b == 0x0f)
        return take_escape(c, o);
    return o->mode == 8 && missing_in_64(b) ? 'x' : one_byte[b];
}

/*@ requires cursor_ok(c) && insn_apart(c, o);
    assigns c->at, c->short_of, o->modrm, o->has_modrm, o->sib, o->disp;
    ensures cursor_ok(c) && \old(c->at) <= c->at && (\old(c->short_of) ==> c->short_of);
    ensures o->has_modrm;
    ensures registers ==> o->disp == \old(o->disp);
    ensures o->disp == \old(o->disp) || INT32_MIN <= o->disp <= INT32_MAX; */
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

/*@ requires cursor_ok(c) && insn_apart(c, o) && size_ok(o->opsize) && size_ok(o->addrsize);
    assigns c->at, c->short_of, o->imm, o->imm_size, o->disp;
    ensures cursor_ok(c) && \old(c->at) <= c->at && (\old(c->short_of) ==> c->short_of);
    ensures o->imm_size <= 8 || o->imm_size == \old(o->imm_size); */
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

/*@ requires \valid(o) && (mode == 2 || mode == 4 || mode == 8);
    assigns *o;
    ensures o->mode == mode && o->seg == 0xff && o->rex == 0 && o->prefix_rep == 0;
    ensures o->imm_size == 0 && o->disp == 0 && o->imm == 0 && !o->has_modrm && !o->lock;
    ensures o->map == 0 && o->vex == 0 && o->modrm == 0; */
static void insn_start(struct insn *o, unsigned mode)
{
    o->len = o->opcode_len = o->prefix_rep = 0;
    o->rex = o->opsize = o->addrsize = 0;
    o->seg = 0xff;
    o->map = o->vex = 0;
    o->opcode = o->modrm = o->sib = 0;
    o->has_modrm = o->lock = false;
    o->disp = 0;
    o->imm = 0;
    o->imm_size = 0;
    o->mode = (uint8_t)mode;
}

/*@ assigns \nothing; */
static bool wants_modrm(char what)
{
    return what == 'm' || what == 'r' || what == 'B' || what == 'Z' || what == 'g' || what == 'h';
}

/* 8F is POP, of which there is only one. */
/*@ requires \valid_read(o);
    assigns \nothing; */
static bool is_no_pop(const struct insn *o, char what)
{
    return what == 'm' && o->map == 0 && o->vex == 0 && o->opcode == 0x8f && (o->modrm & 0x38) != 0;
}

int insn_decode(const uint8_t *bytes, unsigned n, unsigned mode, struct insn *out)
{
    unsigned limit = n < INSN_MAX ? n : INSN_MAX;
    struct cursor c;
    char what;

    c.p = bytes;
    c.at = 0;
    c.n = limit;
    c.short_of = c.osize = c.asize = false;
    //@ assert start: cursor_ok(&c) && insn_apart(&c, out);
    insn_start(out, mode);
    //@ assert ready: cursor_ok(&c) && insn_apart(&c, out) && c.n == limit;
    what = take_opcode(&c, out);
    if (what == 'x' || c.short_of)
        return -1;
    set_sizes(&c, out);
    //@ assert opcode: c.n == limit && 1 <= out->opcode_len <= c.at && out->opcode_len <= 3;
    if (wants_modrm(what))
        take_modrm(&c, out, what == 'r');
    //@ assert modrm: c.n == limit && out->opcode_len <= c.at;
    if (is_no_pop(out, what))
        return -1;
    take_imm(&c, out, what);
    if (c.short_of)
        return -1;
    //@ assert end: out->opcode_len <= c.at <= limit;
    out->len = (uint8_t)c.at;
    return 0;
}
