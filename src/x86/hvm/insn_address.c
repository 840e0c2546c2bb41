/* The linear address of an instruction's memory operand: SDM Vol. 1 3.7.5, Vol. 2 tables
 * 2-1 to 2-3. Addresses wrap at their size. */
#include "x86/hvm/hvm.h"

/*@ requires \valid_read(i) && \valid_read(r);
    assigns \nothing; */
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

/*@ requires \valid_read(i) && \valid_read(r);
    assigns \nothing; */
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
