/* x87 and SSE registers, between Unicorn's and the layout of FXSAVE64 (SDM Vol. 1
 * 10.5.1). */
#include <string.h>

#include "hostsim/engine/unicorn_guest.h"

#define MXCSR_MASK 0xffffu

/* Where the registers of an FXSAVE area lie. */
static const struct {
    int reg;
    uint16_t at, size;
} plain[] = {
    {UC_X86_REG_FPCW, 0, 2}, {UC_X86_REG_FPSW, 2, 2}, {UC_X86_REG_FOP, 6, 2},
    {UC_X86_REG_FIP, 8, 8},  {UC_X86_REG_FDP, 16, 8}, {UC_X86_REG_MXCSR, 24, 4},
};

/* Two bits a register, all ones: empty. */
static uint8_t abridged(uint16_t tags)
{
    uint8_t valid = 0;

    for (unsigned i = 0; i < 8; i++)
        valid |= (uint8_t)(((tags >> 2 * i & 3) != 3) << i);
    return valid;
}

/* Which kind of value a valid register holds Unicorn finds out itself. */
static uint16_t full(uint8_t valid)
{
    uint16_t tags = 0;

    for (unsigned i = 0; i < 8; i++)
        tags |= (uint16_t)((valid >> i & 1 ? 0 : 3) << 2 * i);
    return tags;
}

void port_guest_save_fpu(struct vcpu *v, struct guest_fpu *f)
{
    struct port_guest *g = v->guest;
    uint32_t mask = MXCSR_MASK;
    uint64_t value;

    memset(f, 0, sizeof(*f));
    if (!g->uc)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
        value = engine_reg(g, plain[i].reg);
        memcpy(f->fxsave + plain[i].at, &value, plain[i].size);
    }
    f->fxsave[4] = abridged((uint16_t)engine_reg(g, UC_X86_REG_FPTAG));
    memcpy(f->fxsave + 28, &mask, sizeof(mask));
    for (int i = 0; i < 8; i++)
        uc_reg_read(g->uc, UC_X86_REG_ST0 + i, f->fxsave + 32 + 16 * i);
    for (int i = 0; i < 16; i++)
        uc_reg_read(g->uc, UC_X86_REG_XMM0 + i, f->fxsave + 160 + 16 * i);
}

/* The status word first: it says which register is ST0. */
void port_guest_load_fpu(struct vcpu *v, const struct guest_fpu *f)
{
    struct port_guest *g = v->guest;

    if (!g->uc)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
        uint64_t value = 0;

        memcpy(&value, f->fxsave + plain[i].at, plain[i].size);
        engine_set_reg(g, plain[i].reg, value);
    }
    engine_set_reg(g, UC_X86_REG_FPTAG, full(f->fxsave[4]));
    for (int i = 0; i < 8; i++)
        uc_reg_write(g->uc, UC_X86_REG_ST0 + i, f->fxsave + 32 + 16 * i);
    for (int i = 0; i < 16; i++)
        uc_reg_write(g->uc, UC_X86_REG_XMM0 + i, f->fxsave + 160 + 16 * i);
}
