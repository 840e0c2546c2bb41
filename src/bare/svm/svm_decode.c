/* What the CPU does not say of an intercepted instruction: read from the guest. */
#include "bare/svm/svm.h"

#include "core/guest_mem/guest_mem.h"
#include "core/vcpu/vcpu.h"
#include "x86/hvm/hvm_exit.h"
#include "x86/x86.h"

#define OPCODE_CLTS 0x06u
#define OPCODE_0F01 0x01u
#define OPCODE_MOV_TO_CR 0x22u
#define MODRM_REG(m) ((m) >> 3 & 7u)
#define MODRM_RM(m) ((m)&7u)
#define MODRM_IS_REGISTER(m) ((m) >= 0xc0u)
#define REG_LMSW 6u
#define REX_B 1u
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_LMSW UINT64_C(0xf)
#define NO_SEGMENT 0xffu

bool svm_insn_is_0f01(struct port_guest *g, uint8_t modrm)
{
    struct insn i;

    return hvm_fetch(g->v, &i) != 0 && i.map == 1 && i.opcode == OPCODE_0F01 && i.modrm == modrm;
}

/* Reading and decoding takes a walk of the guest's tables, ten times as long as the rest
 * of an exit. The same exit at the same address of the same address space is taken to
 * be of the same instruction: a guest that changes the number of its prefixes in
 * place may find itself behind it by as many bytes. */
uint8_t svm_insn_len(struct port_guest *g, const struct guest_exit *out)
{
    const struct vmcb *b = g->svm->vmcb;
    struct svm_length *l = &g->svm->lengths[(b->rip ^ b->rip >> 5) % SVM_LENGTHS];
    struct insn i;

    if (l->rip != b->rip || l->cr3 != out->cr3 || l->code != b->exit_code || l->len == 0) {
        l->len = (uint8_t)hvm_fetch(g->v, &i);
        l->rip = b->rip;
        l->cr3 = out->cr3;
        l->code = (uint16_t)b->exit_code;
    }
    return l->len;
}

static bool is_64bit(const struct guest_exit *out)
{
    return (out->efer & EFER_LMA) != 0 && out->cs_l;
}

/* The memory operand's segment: an override, SS for addresses based on the stack's
 * registers, else DS. In 64-bit code only FS and GS have bases. */
static uint64_t operand_base(struct port_guest *g, const struct insn *i, bool wide)
{
    unsigned base = i->sib != 0 && MODRM_RM(i->modrm) == 4 ? MODRM_RM(i->sib) : MODRM_RM(i->modrm);
    bool displaced = i->modrm >= 0x40;
    struct guest_state s;
    uint8_t seg = i->seg;

    if (seg == NO_SEGMENT) {
        if (i->addrsize == 2)
            seg = base == 2 || base == 3 || (base == 6 && displaced) ? SEG_SS : SEG_DS;
        else
            seg = base == GPR_RSP || (base == GPR_RBP && displaced) ? SEG_SS : SEG_DS;
    }
    if (wide && seg != SEG_FS && seg != SEG_GS)
        return 0;
    port_guest_save(g->v, &s);
    return s.seg[seg].base;
}

/* LMSW sets PE, MP, EM and TS; it cannot clear PE (APM Vol. 3 LMSW). */
static bool decode_lmsw(struct port_guest *g, const struct insn *i, struct guest_exit *out)
{
    const struct guest_regs *regs = &g->v->arch->regs;
    bool wide = is_64bit(out);
    uint16_t word;

    if (MODRM_IS_REGISTER(i->modrm)) {
        word = (uint16_t)regs->gpr[MODRM_RM(i->modrm) | ((i->rex & REX_B) != 0 ? 8 : 0)];
    } else {
        uint64_t la = insn_effective(i, regs, operand_base(g, i, wide));

        if (guest_copy_in(g->v, &word, wide ? la : (uint32_t)la, sizeof(word)) != 0)
            return false;
    }
    out->u.cr.value = (out->cr0 & ~CR0_LMSW) | (word & CR0_LMSW) | (out->cr0 & CR0_PE);
    return true;
}

static void moved(struct port_guest *g, unsigned cr, unsigned gpr, struct guest_exit *out)
{
    uint64_t value = g->v->arch->regs.gpr[gpr];

    out->u.cr.gpr = (uint8_t)gpr;
    out->u.cr.value = is_64bit(out) ? value : (uint32_t)value;
}

bool svm_decode_cr_write(struct port_guest *g, unsigned cr, struct guest_exit *out)
{
    const struct vmcb *b = g->svm->vmcb;
    struct insn i;

    out->reason = EXIT_CR_WRITE;
    out->u.cr.cr = (uint8_t)cr;
    if ((svm_features & SVM_DECODE_ASSISTS) && (b->exit_info1 & CR_MOVE)) {
        moved(g, cr, b->exit_info1 & CR_GPR, out);
        return true;
    }
    out->insn_len = (uint8_t)hvm_fetch(g->v, &i);
    if (out->insn_len == 0 || i.map != 1)
        return false;
    switch (i.opcode) {
    case OPCODE_MOV_TO_CR:
        moved(g, cr, MODRM_RM(i.modrm) | ((i.rex & REX_B) != 0 ? 8 : 0), out);
        return true;
    case OPCODE_CLTS:
        out->u.cr.value = out->cr0 & ~CR0_TS;
        return true;
    case OPCODE_0F01:
        return MODRM_REG(i.modrm) == REG_LMSW && decode_lmsw(g, &i, out);
    default:
        return false;
    }
}
