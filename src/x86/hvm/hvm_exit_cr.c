/* Exits for control registers, XCR0 and debug registers: SDM Vol. 3 2.5, 2.6,
 * 17.2, APM Vol. 2 3.1. Privilege was checked by the CPU before the exit. */
#include "x86/hvm/hvm_exit.h"
#include "x86/x86.h"

#define CR3_RESERVED (~((UINT64_C(1) << (P2M_GFN_BITS + PAGE_SHIFT)) - 1))
#define DR6_FIXED UINT64_C(0xffff0ff0)
#define DR6_WRITABLE UINT64_C(0xe00f)
#define DR7_FIXED UINT64_C(0x400)
#define DR7_WRITABLE UINT64_C(0xffff2bff)
#define XCR0_X87 UINT64_C(1)

static void inject_gp(struct vcpu *v)
{
    hvm_inject_exception(v, VECTOR_GP, true, 0);
}

static bool cr0_valid(const struct guest_exit *x, uint64_t value)
{
    uint64_t efer = x->efer;

    if (value >> 32 != 0 || ((value & CR0_PG) != 0 && (value & CR0_PE) == 0) ||
        ((value & CR0_NW) != 0 && (value & CR0_CD) == 0)) {
        return false;
    }
    /* Into long mode only with PAE and from 32-bit code, out of it never from
     * 64-bit code. */
    if ((value & ~x->cr0 & CR0_PG) != 0 && (efer & EFER_LME) != 0) {
        return (x->cr4 & CR4_PAE) != 0 && !x->cs_l;
    }
    if ((x->cr0 & ~value & CR0_PG) != 0) {
        return (x->cr4 & CR4_PCIDE) == 0 && !((efer & EFER_LMA) != 0 && x->cs_l);
    }
    return true;
}

static bool cr4_valid(const struct vcpu *v, uint64_t value)
{
    const struct guest_exit *x = &v->arch->exit;

    if ((value & ~cpuid_cr4_valid(v->domain)) != 0) {
        return false;
    }
    return (value & CR4_PAE) != 0 || (x->efer & EFER_LMA) == 0;
}

static bool cr_valid(const struct vcpu *v, unsigned cr, uint64_t value)
{
    const struct guest_exit *x = &v->arch->exit;

    switch (cr) {
    case 0:
        return cr0_valid(x, value);
    case 3:
        return (x->efer & EFER_LMA) == 0 || (value & CR3_RESERVED) == 0;
    case 4:
        return cr4_valid(v, value);
    case 8:
        return value <= 15;
    default:
        return false;
    }
}

void hvm_exit_cr(struct vcpu *v)
{
    struct guest_exit *x = &v->arch->exit;
    uint64_t value = x->u.cr.value;
    unsigned cr = x->u.cr.cr;

    if (!cr_valid(v, cr, value)) {
        inject_gp(v);
        return;
    }
    hvm_skip(v, x->insn_len);
    if (cr == 8) {
        vlapic_set_tpr(v, (uint8_t)value);
        return;
    }
    port_guest_set_cr(v, cr, cr == 0 ? value | CR0_ET : value);
}

/* XSETBV knows XCR0 only; x87 state cannot be switched off. */
void hvm_exit_xsetbv(struct vcpu *v)
{
    const uint64_t *gpr = v->arch->regs.gpr;
    uint64_t value = (uint32_t)gpr[GPR_RAX] | gpr[GPR_RDX] << 32;
    struct guest_state s;

    if (v->arch->exit.cpl != 0 || (uint32_t)gpr[GPR_RCX] != 0 || (value & XCR0_X87) == 0 ||
        (value & ~cpuid_xcr0_valid(v->domain)) != 0) {
        inject_gp(v);
        return;
    }
    hvm_skip(v, v->arch->exit.insn_len);
    if (value != v->arch->xcr0) {
        v->arch->xcr0 = value;
        port_guest_save(v, &s);
        s.xcr0 = value;
        s.regs = v->arch->regs;
        port_guest_load(v, &s);
    }
}

static uint64_t dr_read(const struct vcpu *v, const struct guest_state *s, unsigned nr)
{
    return nr < 4 ? v->arch->dr[nr] : nr == 6 ? s->dr6 : s->dr7;
}

static void dr_write(struct vcpu *v, struct guest_state *s, unsigned nr, uint64_t value)
{
    if (nr < 4) {
        v->arch->dr[nr] = value;
    } else if (nr == 6) {
        s->dr6 = DR6_FIXED | (value & DR6_WRITABLE);
    } else {
        s->dr7 = DR7_FIXED | (value & DR7_WRITABLE);
    }
}

/* The record does not say which registers: 0f 21 and 0f 23 do. */
void hvm_exit_dr(struct vcpu *v)
{
    const struct guest_exit *x = &v->arch->exit;
    struct guest_state s;
    struct insn i;
    uint64_t *gpr;
    unsigned nr, len = hvm_fetch(v, &i);
    bool wide = (x->efer & EFER_LMA) != 0 && x->cs_l;

    if (len == 0 || i.map != 1 || (i.opcode != 0x21 && i.opcode != 0x23)) {
        hvm_inject_exception(v, VECTOR_UD, false, 0);
        return;
    }
    nr = ((i.modrm >> 3) & 7) | ((i.rex & 4) != 0 ? 8 : 0);
    gpr = &v->arch->regs.gpr[(i.modrm & 7) | ((i.rex & 1) != 0 ? 8 : 0)];
    if (nr > 7 || ((nr == 4 || nr == 5) && (x->cr4 & CR4_DE) != 0)) {
        hvm_inject_exception(v, VECTOR_UD, false, 0);
        return;
    }
    if (x->cpl != 0 || (i.opcode == 0x23 && wide && nr >= 4 && *gpr >> 32 != 0)) {
        inject_gp(v);
        return;
    }
    nr = nr == 4 || nr == 5 ? nr + 2 : nr;
    port_guest_save(v, &s);
    if (i.opcode == 0x21) {
        *gpr = wide ? dr_read(v, &s, nr) : (uint32_t)dr_read(v, &s, nr);
    } else {
        dr_write(v, &s, nr, wide ? *gpr : (uint32_t)*gpr);
    }
    hvm_skip(v, len);
    s.regs = v->arch->regs;
    port_guest_load(v, &s);
}
