/* String instructions, with and without REP. Each iteration commits its
 * registers, so a fault or the end of the budget leaves a restartable state. */
#include "x86/hvm/emulate.h"

#define ITERATIONS_PER_EXIT 1024u

static uint64_t index_of(const struct emu *e, unsigned reg)
{
    return e->r->gpr[reg] & alu_mask(e->i.addrsize);
}

static void index_add(struct emu *e, unsigned reg, uint64_t by)
{
    emu_set_reg(e, reg, e->i.addrsize, e->r->gpr[reg] + by);
}

static unsigned item_size(const struct insn *i)
{
    if ((i->opcode & 1) == 0)
        return 1;
    if (i->opcode <= 0x6f && i->opsize == 8)
        return 4;
    return i->opsize;
}

static int source(struct emu *e, unsigned size, struct emu_span *s)
{
    unsigned seg = e->i.seg == 0xff ? SEG_DS : e->i.seg;
    uint64_t la;
    int rc = emu_linear(e, seg, index_of(e, GPR_RSI), size, WALK_READ, &la);

    return rc == EMU_OK ? emu_translate(e, la, size, WALK_READ, s) : rc;
}

static int target(struct emu *e, unsigned size, enum walk_access access, struct emu_span *s)
{
    uint64_t la;
    int rc = emu_linear(e, SEG_ES, index_of(e, GPR_RDI), size, access, &la);

    return rc == EMU_OK ? emu_translate(e, la, size, access, s) : rc;
}

static uint64_t port_in(struct emu *e, unsigned size)
{
    uint32_t v = 0;

    vdev_io(e->v, (uint16_t)e->r->gpr[GPR_RDX], size, true, &v);
    return v;
}

static void port_out(struct emu *e, unsigned size, uint64_t value)
{
    uint32_t v = (uint32_t)(value & alu_mask(size));

    vdev_io(e->v, (uint16_t)e->r->gpr[GPR_RDX], size, false, &v);
}

/* Both operands are translated before anything with a side effect happens. */
static int step(struct emu *e, unsigned size)
{
    bool uses_si, uses_di, writes;
    struct emu_span from, to;
    uint64_t by, value = 0;
    unsigned op = e->i.opcode & 0xfeu;
    int rc = EMU_OK;

    uses_si = op == 0x6e || op == 0xa4 || op == 0xa6 || op == 0xac;
    uses_di = op == 0x6c || op == 0xa4 || op == 0xa6 || op == 0xaa || op == 0xae;
    writes = op == 0x6c || op == 0xa4 || op == 0xaa;
    if (uses_si)
        rc = source(e, size, &from);
    if (rc == EMU_OK && uses_di)
        rc = target(e, size, writes ? WALK_WRITE : WALK_READ, &to);
    if (rc != EMU_OK)
        return rc;
    if (uses_si)
        value = emu_load(e, &from);
    else if (op == 0x6c)
        value = port_in(e, size);
    else
        value = emu_reg(e, GPR_RAX, size);
    if (writes)
        emu_store(e, &to, value);
    else if (op == 0x6e)
        port_out(e, size, value);
    else if (op == 0xac)
        emu_set_reg(e, GPR_RAX, size, value);
    else
        (void)alu(ALU_CMP, size, value, emu_load(e, &to), &e->r->rflags);
    by = (e->r->rflags & EFLAGS_DF) != 0 ? 0 - (uint64_t)size : size;
    if (uses_si)
        index_add(e, GPR_RSI, by);
    if (uses_di)
        index_add(e, GPR_RDI, by);
    return EMU_OK;
}

int emu_string(struct emu *e)
{
    unsigned size = item_size(&e->i), op = e->i.opcode & 0xfeu, n;
    bool compares = op == 0xa6 || op == 0xae;

    if (e->i.prefix_rep == 0)
        return step(e, size);
    for (n = 0; n < ITERATIONS_PER_EXIT; n++) {
        int rc;

        if (index_of(e, GPR_RCX) == 0)
            return EMU_OK;
        rc = step(e, size);
        if (rc != EMU_OK)
            return rc;
        index_add(e, GPR_RCX, ~UINT64_C(0));
        if (compares && ((e->r->rflags & EFLAGS_ZF) != 0) != (e->i.prefix_rep == 0xf3))
            return EMU_OK;
    }
    return index_of(e, GPR_RCX) == 0 ? EMU_OK : EMU_AGAIN;
}
