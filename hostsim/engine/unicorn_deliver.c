/* What the CPU does by itself between instructions: exceptions and interrupts
 * through the 64-bit IDT (SDM 6.14), SYSCALL (SDM 5.8.8), page faults. */
#include "hostsim/engine/unicorn_guest.h"

#define RFLAGS_TF 0x100u
#define RFLAGS_IF 0x200u
#define RFLAGS_NT 0x4000u
#define RFLAGS_RF 0x10000u
#define RFLAGS_VM 0x20000u
#define EFER_LMA (1u << 10)
#define VECTOR_DF 8u
#define VECTOR_TS 10u
#define VECTOR_NP 11u
#define VECTOR_SS 12u
#define VECTOR_GP 13u
#define VECTOR_PF 14u

struct idt_gate {
    uint64_t handler;
    uint16_t selector;
    uint8_t ist, type, dpl;
    bool present;
};

static bool read_gate(struct port_guest *g, uint8_t vector, struct idt_gate *out)
{
    uc_x86_mmr idt = {0};
    uint64_t w[2];

    uc_reg_read(g->uc, UC_X86_REG_IDTR, &idt);
    if (idt.limit < vector * 16u + 15u || !engine_peek(g, idt.base + vector * 16u, w, sizeof(w)))
        return false;
    out->handler = (w[0] & 0xffff) | (w[0] >> 32 & 0xffff0000u) | w[1] << 32;
    out->selector = (uint16_t)(w[0] >> 16);
    out->ist = w[0] >> 32 & 7;
    out->type = w[0] >> 40 & 15;
    out->dpl = w[0] >> 45 & 3;
    out->present = (w[0] >> 47 & 1) != 0;
    return true;
}

/* The stack that the gate and the privilege change ask for. */
static bool choose_stack(struct port_guest *g, const struct idt_gate *gate, unsigned cpl,
                         uint64_t *rsp)
{
    uc_x86_mmr tr = {0};

    *rsp = engine_reg(g, UC_X86_REG_RSP);
    if (!gate->ist && cpl == 0)
        return true;
    uc_reg_read(g->uc, UC_X86_REG_TR, &tr);
    return engine_peek(g, tr.base + (gate->ist ? 0x24u + 8u * (gate->ist - 1u) : 4u), rsp,
                       sizeof(*rsp));
}

static bool push_frame(struct port_guest *g, const struct guest_event *e, uint64_t rsp,
                       uint64_t *new_rsp)
{
    uint64_t frame[6] = {e->error,
                         g->rip,
                         engine_reg(g, UC_X86_REG_CS),
                         engine_reg(g, UC_X86_REG_RFLAGS),
                         engine_reg(g, UC_X86_REG_RSP),
                         engine_reg(g, UC_X86_REG_SS)};
    const uint64_t *from = e->has_error ? frame : frame + 1;
    size_t bytes = (e->has_error ? 6u : 5u) * sizeof(uint64_t);

    *new_rsp = (rsp & ~UINT64_C(15)) - bytes;
    return engine_poke(g, *new_rsp, from, bytes);
}

/* 0 delivered, or the vector of the fault that delivery met. */
static unsigned try_deliver(struct port_guest *g, const struct guest_event *e, uint32_t *error)
{
    unsigned cpl = engine_cpl(g);
    bool software = e->type == EVENT_SW_INT || e->type == EVENT_SW_EXCEPTION;
    uint64_t rsp, new_rsp, flags;
    struct idt_gate gate;

    *error = e->vector * 8u + 2u + (software ? 0u : 1u);
    if (!read_gate(g, e->vector, &gate) || (gate.type != 14 && gate.type != 15) ||
        (software && gate.dpl < cpl))
        return VECTOR_GP;
    if (!gate.present)
        return VECTOR_NP;
    *error = 0;
    if (!choose_stack(g, &gate, cpl, &rsp))
        return VECTOR_TS;
    if (!push_frame(g, e, rsp, &new_rsp))
        return VECTOR_SS;
    flags = engine_reg(g, UC_X86_REG_RFLAGS);
    engine_enter_kernel(g, gate.selector, cpl ? 0 : (uint16_t)engine_reg(g, UC_X86_REG_SS));
    flags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
    if (gate.type == 14)
        flags &= ~(uint64_t)RFLAGS_IF;
    engine_set_reg(g, UC_X86_REG_RSP, new_rsp);
    engine_set_reg(g, UC_X86_REG_RFLAGS, flags);
    g->rip = gate.handler;
    g->stats.deliveries++;
    return 0;
}

static bool contributory(unsigned vector)
{
    return vector == 0 || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/* SDM table 6-5: does a second fault during delivery of first make a #DF? */
static bool makes_double_fault(const struct guest_event *first, unsigned second)
{
    if (first->type != EVENT_HW_EXCEPTION)
        return false;
    if (first->vector == VECTOR_PF)
        return contributory(second) || second == VECTOR_PF;
    return contributory(first->vector) && contributory(second);
}

bool engine_deliver(struct port_guest *g, const struct guest_event *first)
{
    struct guest_event e = *first;
    struct guest_exit modes = {0};

    engine_read_modes(g, &modes);
    if (!(modes.efer & EFER_LMA)) {
        /* Without an IDT of the 64-bit kind an exception here is the end: as on
         * hardware with an empty IDT. CAVEATS.md says that real-mode and 32-bit
         * delivery are not simulated. */
        g->exit.reason = EXIT_TRIPLE;
        return false;
    }
    if (e.vector == VECTOR_PF && e.type == EVENT_HW_EXCEPTION)
        g->cr2 = e.cr2;
    for (;;) {
        uint32_t error;
        unsigned fault = try_deliver(g, &e, &error);

        if (!fault)
            return true;
        if (e.type == EVENT_HW_EXCEPTION && e.vector == VECTOR_DF) {
            g->exit.reason = EXIT_TRIPLE;
            return false;
        }
        if (makes_double_fault(&e, fault))
            e = (struct guest_event){EVENT_HW_EXCEPTION, VECTOR_DF, true, 0, 0};
        else
            e = (struct guest_event){EVENT_HW_EXCEPTION, (uint8_t)fault, true, error, 0};
    }
}

/* The byte that the instruction at rip touched in the page of the miss: the
 * engine tells only the page. */
static uint64_t exact_address(struct port_guest *g)
{
    uint64_t page = g->miss.la & PAGE_MASK, la;
    struct guest_regs regs;
    struct guest_exit modes = {0};
    struct insn insn;
    uint8_t bytes[15];
    unsigned n = sizeof(bytes);

    if (g->miss.access == WALK_FETCH)
        return (g->rip & PAGE_MASK) == page ? g->rip : page;
    engine_read_modes(g, &modes);
    while (n && !engine_peek(g, g->rip, bytes, n))
        n--;
    if (!n || !modes.cs_l || insn_decode(bytes, n, 8, &insn) != 0)
        return g->miss.la;
    engine_read_regs(g, &regs);
    if (insn.has_modrm && insn.modrm >> 6 != 3) {
        uint64_t base = insn.seg == SEG_FS || insn.seg == SEG_GS
                            ? engine_seg_base(g, (enum seg_reg)insn.seg)
                            : 0;

        la = insn_effective(&insn, &regs, base);
        if ((la & PAGE_MASK) == page)
            return la;
        if (((la + 63) & PAGE_MASK) == page)
            return page;
    }
    la = regs.gpr[GPR_RDI];
    if ((la & PAGE_MASK) == page && g->miss.access == WALK_WRITE)
        return la;
    la = regs.gpr[GPR_RSI];
    if ((la & PAGE_MASK) == page)
        return la;
    la = regs.gpr[GPR_RSP] - 8;
    return (la & PAGE_MASK) == page ? la : g->miss.la;
}

bool engine_deliver_miss(struct port_guest *g)
{
    struct guest_event e = {EVENT_HW_EXCEPTION, VECTOR_GP, true, 0, 0};

    if (g->miss.second_stage) {
        g->exit.reason = EXIT_FAULT2;
        g->exit.insn_len = 0;
        g->exit.u.fault2.gpa = gaddr(g->miss.gpa);
        g->exit.u.fault2.gla = g->miss.la;
        g->exit.u.fault2.exact = false;
        g->exit.u.fault2.read = g->miss.access == WALK_READ;
        g->exit.u.fault2.write = g->miss.access == WALK_WRITE;
        g->exit.u.fault2.fetch = g->miss.access == WALK_FETCH;
        return false;
    }
    if (g->miss.canonical) {
        e.vector = VECTOR_PF;
        e.error = g->miss.error;
        e.cr2 = exact_address(g);
    }
    return engine_deliver(g, &e);
}

void engine_syscall(struct port_guest *g)
{
    uint64_t star = port_guest_rdmsr(g->v, 0xc0000081);
    uint64_t flags = engine_reg(g, UC_X86_REG_RFLAGS);
    uint64_t mask = port_guest_rdmsr(g->v, 0xc0000084);
    struct guest_exit modes = {0};
    uint64_t rsp = engine_reg(g, UC_X86_REG_RSP);

    engine_read_modes(g, &modes);
    g->stats.syscalls++;
    engine_set_reg(g, UC_X86_REG_RCX, g->rip);
    engine_set_reg(g, UC_X86_REG_R11, flags);
    engine_enter_kernel(g, (uint16_t)(star >> 32 & 0xfffc), (uint16_t)((star >> 32) + 8));
    engine_set_reg(g, UC_X86_REG_RSP, rsp);
    engine_set_reg(g, UC_X86_REG_RFLAGS, (flags & ~mask & ~(uint64_t)RFLAGS_RF) | 2);
    g->rip = port_guest_rdmsr(g->v, modes.cs_l ? 0xc0000082 : 0xc0000083);
}
