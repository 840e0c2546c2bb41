/* Emulation of the one instruction that touched emulated memory, or that is
 * string I/O: fetch, decode, perform, then move on. */
#include "x86/hvm/emulate.h"

static void emu_start(struct emu *e, struct vcpu *v)
{
    const struct guest_exit *x = &v->arch->exit;

    e->v = v;
    e->r = &v->arch->regs;
    e->have_state = false;
    e->mode = (x->efer & EFER_LMA) != 0 && x->cs_l ? 8 : x->cs_d ? 4 : 2;
    e->walk = (struct walk_mode){
        .cr0 = x->cr0,
        .cr3 = x->cr3,
        .cr4 = x->cr4,
        .efer = x->efer,
        .user = x->cpl == 3,
        .ac = (v->arch->regs.rflags & RFLAGS_AC) != 0,
    };
}

static bool is_string(const struct insn *i)
{
    if (i->map != 0)
        return false;
    return (i->opcode >= 0x6c && i->opcode <= 0x6f) || (i->opcode >= 0xa4 && i->opcode <= 0xa7) ||
           (i->opcode >= 0xaa && i->opcode <= 0xaf);
}

/* The faulting address is found again from the instruction, so that operands
 * of any kind and faults half way need no special case; the engine's gpa is
 * only its hint that there is one. */
int emulate_instruction(struct vcpu *v, gaddr_t mmio_gpa, bool have_gpa)
{
    struct emu e;
    int rc;

    (void)mmio_gpa;
    (void)have_gpa;
    emu_start(&e, v);
    rc = emu_fetch(&e);
    if (rc == EMU_OK && e.i.vex != 0)
        rc = EMU_CANNOT;
    if (rc == EMU_OK && is_string(&e.i)) {
        if (e.i.lock) {
            hvm_inject_exception(v, VECTOR_UD, false, 0);
            rc = EMU_FAULT;
        } else {
            rc = emu_string(&e);
        }
    } else if (rc == EMU_OK) {
        rc = emu_operate(&e);
    }
    if (rc == EMU_OK)
        hvm_skip(v, e.i.len);
    return rc == EMU_AGAIN ? 0 : rc;
}
