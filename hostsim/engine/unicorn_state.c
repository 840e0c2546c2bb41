/* Moving architectural state between the engine and the core. */
#include <string.h>

#include "hostsim/engine/unicorn_guest.h"

/* Hidden flags of the emulated CPU, stable since QEMU 0.x (target/i386/cpu.h
 * documents them as part of its migration format). */
#define HF_CPL 0x3u
#define HF_CS32 (1u << 4)
#define HF_SS32 (1u << 5)
#define HF_ADDSEG (1u << 6)
#define HF_PE (1u << 7)
#define HF_LMA (1u << 14)
#define HF_CS64 (1u << 15)
#define HF_MODE (HF_CPL | HF_CS32 | HF_SS32 | HF_ADDSEG | HF_PE | HF_LMA | HF_CS64)

#define ATTR_DB (1u << 14)
#define ATTR_L (1u << 13)
#define MSR_EFER 0xc0000080u
#define EFER_LMA (1u << 10)
#define CR4_TSD (1u << 2)

/* One segment register in the saved context. */
struct saved_seg {
    uint32_t selector;
    uint64_t base;
    uint32_t limit;
    uint32_t flags; /* descriptor bits 32-63 */
} __attribute__((packed, aligned(4)));

/* The saved order of segments, as the instruction encoding numbers them. */
static const enum seg_reg seg_order[6] = {SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS};

static const int gpr_ids[GPR_COUNT] = {
    UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP,
    UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8,  UC_X86_REG_R9,  UC_X86_REG_R10, UC_X86_REG_R11,
    UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
};

uint64_t engine_reg(struct port_guest *g, int reg)
{
    uint64_t v = 0;

    uc_reg_read(g->uc, reg, &v);
    return v;
}

void engine_set_reg(struct port_guest *g, int reg, uint64_t value)
{
    uc_reg_write(g->uc, reg, &value);
}

static uint64_t read_msr(struct port_guest *g, uint32_t index)
{
    uc_x86_msr m = {index, 0};

    uc_reg_read(g->uc, UC_X86_REG_MSR, &m);
    return m.value;
}

static void write_msr(struct port_guest *g, uint32_t index, uint64_t value)
{
    uc_x86_msr m = {index, value};

    uc_reg_write(g->uc, UC_X86_REG_MSR, &m);
}

void engine_read_regs(struct port_guest *g, struct guest_regs *regs)
{
    void *values[GPR_COUNT];

    for (unsigned i = 0; i < GPR_COUNT; i++)
        values[i] = &regs->gpr[i];
    uc_reg_read_batch(g->uc, (int *)(uintptr_t)gpr_ids, values, GPR_COUNT);
    regs->rip = g->rip;
    regs->rflags = engine_reg(g, UC_X86_REG_RFLAGS);
}

void engine_write_regs(struct port_guest *g, const struct guest_regs *regs)
{
    const void *values[GPR_COUNT];

    for (unsigned i = 0; i < GPR_COUNT; i++)
        values[i] = &regs->gpr[i];
    uc_reg_write_batch(g->uc, (int *)(uintptr_t)gpr_ids, (void *const *)(uintptr_t)values,
                       GPR_COUNT);
    g->rip = regs->rip;
    engine_set_reg(g, UC_X86_REG_RFLAGS, regs->rflags);
}

static void *field(struct port_guest *g, size_t offset)
{
    return (uint8_t *)g->ctx + offset;
}

static uint32_t saved_hflags(struct port_guest *g)
{
    uint32_t v;

    memcpy(&v, field(g, engine_layout()->hflags), sizeof(v));
    return v;
}

static struct saved_seg saved_segment(struct port_guest *g, unsigned i)
{
    struct saved_seg s;

    memcpy(&s, field(g, engine_layout()->segs + i * 24), 4);
    memcpy(&s.base, field(g, engine_layout()->segs + i * 24 + 8), 8);
    memcpy(&s.limit, field(g, engine_layout()->segs + i * 24 + 16), 4);
    memcpy(&s.flags, field(g, engine_layout()->segs + i * 24 + 20), 4);
    return s;
}

static void set_saved_segment(struct port_guest *g, unsigned i, const struct guest_seg *s)
{
    uint32_t sel = s->sel, flags, limit = s->limit;

    flags =
        s->unusable ? 0 : ((uint32_t)(s->attr & 0xff) << 8) | ((uint32_t)(s->attr & 0xf000) << 8);
    memcpy(field(g, engine_layout()->segs + i * 24), &sel, 4);
    memcpy(field(g, engine_layout()->segs + i * 24 + 8), &s->base, 8);
    memcpy(field(g, engine_layout()->segs + i * 24 + 16), &limit, 4);
    memcpy(field(g, engine_layout()->segs + i * 24 + 20), &flags, 4);
}

unsigned engine_cpl(struct port_guest *g)
{
    return (unsigned)engine_reg(g, UC_X86_REG_CS) & 3;
}

uint64_t engine_seg_base(struct port_guest *g, enum seg_reg s)
{
    for (unsigned i = 0; i < 6; i++) {
        if (seg_order[i] == s) {
            uc_context_save(g->uc, g->ctx);
            return saved_segment(g, i).base;
        }
    }
    return 0;
}

void engine_read_modes(struct port_guest *g, struct guest_exit *e)
{
    uint32_t hflags;

    uc_context_save(g->uc, g->ctx);
    hflags = saved_hflags(g);
    e->cr0 = engine_reg(g, UC_X86_REG_CR0);
    e->cr3 = engine_reg(g, UC_X86_REG_CR3);
    e->cr4 = engine_reg(g, UC_X86_REG_CR4) & ~(uint64_t)CR4_TSD;
    e->efer = read_msr(g, MSR_EFER);
    e->cpl = hflags & HF_CPL;
    e->cs_l = (hflags & HF_CS64) != 0;
    e->cs_d = !e->cs_l && (hflags & HF_CS32) != 0;
}

struct walk_mode engine_walk_mode(struct port_guest *g, bool user)
{
    struct walk_mode m = {
        .cr0 = engine_reg(g, UC_X86_REG_CR0),
        .cr3 = engine_reg(g, UC_X86_REG_CR3),
        .cr4 = engine_reg(g, UC_X86_REG_CR4),
        .efer = 0,
        .user = user,
        .ac = true, /* Unicorn does not tell data from stack accesses: SMAP is not enforced */
    };

    if (m.cr0 >> 31 & 1)
        m.efer = read_msr(g, MSR_EFER);
    return m;
}

uint32_t engine_take_exception(struct port_guest *g)
{
    uint32_t error, none = UINT32_MAX;

    uc_context_save(g->uc, g->ctx);
    memcpy(&error, field(g, engine_layout()->error_code), sizeof(error));
    memcpy(field(g, engine_layout()->exception), &none, sizeof(none));
    uc_context_restore(g->uc, g->ctx);
    return error;
}

/* Mode flags for a code and stack segment, SDM 3.4.5 and 5.5. */
static uint32_t hflags_of(uint32_t old, const struct guest_state *s)
{
    const struct guest_seg *cs = &s->seg[SEG_CS], *ss = &s->seg[SEG_SS];
    bool pe = (s->cr0 & 1) != 0, lma = (s->efer & EFER_LMA) != 0;
    uint32_t h = old & ~HF_MODE;

    if (pe)
        h |= HF_PE | (unsigned)((ss->unusable ? cs->sel : ss->attr >> 5) & 3);
    if (lma)
        h |= HF_LMA;
    if (lma && (cs->attr & ATTR_L))
        return h | HF_CS64 | HF_CS32 | HF_SS32;
    if (cs->attr & ATTR_DB)
        h |= HF_CS32;
    if (ss->attr & ATTR_DB)
        h |= HF_SS32;
    if (!pe || !(h & HF_CS32) || (s->seg[SEG_DS].base | s->seg[SEG_ES].base | ss->base) != 0)
        h |= HF_ADDSEG;
    return h;
}

void engine_enter_kernel(struct port_guest *g, uint16_t cs, uint16_t ss)
{
    struct guest_seg code = {.sel = cs, .attr = 0xa09b, .limit = UINT32_MAX};
    struct guest_seg stack = {.sel = ss, .attr = 0xc093, .limit = UINT32_MAX};
    uint32_t hflags, none = UINT32_MAX;

    uc_context_save(g->uc, g->ctx);
    set_saved_segment(g, 1, &code);
    set_saved_segment(g, 2, &stack);
    hflags = (saved_hflags(g) & ~HF_CPL & ~HF_ADDSEG) | HF_CS64 | HF_CS32 | HF_SS32;
    memcpy(field(g, engine_layout()->hflags), &hflags, sizeof(hflags));
    memcpy(field(g, engine_layout()->exception), &none, sizeof(none));
    uc_context_restore(g->uc, g->ctx);
}

static void load_table(struct port_guest *g, int reg, uint16_t sel, uint64_t base, uint32_t limit,
                       uint32_t flags)
{
    uc_x86_mmr m = {.selector = sel, .base = base, .limit = limit, .flags = flags};

    uc_reg_write(g->uc, reg, &m);
}

void port_guest_load(struct vcpu *v, const struct guest_state *s)
{
    struct port_guest *g = v->guest;
    uint32_t hflags;

    if (!g->uc && engine_add_hooks(g) != 0)
        return;
    write_msr(g, MSR_EFER, s->efer & ~(uint64_t)EFER_LMA);
    engine_set_reg(g, UC_X86_REG_CR4, s->cr4 | CR4_TSD);
    engine_set_reg(g, UC_X86_REG_CR3, s->cr3);
    engine_set_reg(g, UC_X86_REG_CR0, s->cr0);
    load_table(g, UC_X86_REG_GDTR, 0, s->gdtr.base, s->gdtr.limit, 0);
    load_table(g, UC_X86_REG_IDTR, 0, s->idtr.base, s->idtr.limit, 0);
    load_table(g, UC_X86_REG_LDTR, s->seg[SEG_LDTR].sel, s->seg[SEG_LDTR].base,
               s->seg[SEG_LDTR].limit, 0x8200);
    load_table(g, UC_X86_REG_TR, s->seg[SEG_TR].sel, s->seg[SEG_TR].base, s->seg[SEG_TR].limit,
               0x8b00);
    write_msr(g, 0xc0000081, s->star);
    write_msr(g, 0xc0000082, s->lstar);
    write_msr(g, 0xc0000083, s->cstar);
    write_msr(g, 0xc0000084, s->sfmask);
    write_msr(g, 0xc0000102, s->kernel_gs_base);
    write_msr(g, 0xc0000103, s->tsc_aux);
    write_msr(g, 0x174, s->sysenter_cs);
    write_msr(g, 0x175, s->sysenter_esp);
    write_msr(g, 0x176, s->sysenter_eip);
    g->cr2 = s->cr2;

    uc_context_save(g->uc, g->ctx);
    for (unsigned i = 0; i < 6; i++)
        set_saved_segment(g, i, &s->seg[seg_order[i]]);
    hflags = hflags_of(saved_hflags(g), s);
    memcpy(field(g, engine_layout()->hflags), &hflags, sizeof(hflags));
    uc_context_restore(g->uc, g->ctx);
    engine_write_regs(g, &s->regs);
    uc_ctl_flush_tb(g->uc);
    engine_flush_tlb(g);
}

void port_guest_save(struct vcpu *v, struct guest_state *s)
{
    struct port_guest *g = v->guest;
    uc_x86_mmr m = {0};

    memset(s, 0, sizeof(*s));
    if (!g->uc)
        return;
    engine_read_regs(g, &s->regs);
    s->cr0 = engine_reg(g, UC_X86_REG_CR0);
    s->cr2 = g->cr2;
    s->cr3 = engine_reg(g, UC_X86_REG_CR3);
    s->cr4 = engine_reg(g, UC_X86_REG_CR4) & ~(uint64_t)CR4_TSD;
    s->efer = read_msr(g, MSR_EFER);
    uc_context_save(g->uc, g->ctx);
    for (unsigned i = 0; i < 6; i++) {
        struct saved_seg c = saved_segment(g, i);
        struct guest_seg *out = &s->seg[seg_order[i]];

        out->sel = (uint16_t)c.selector;
        out->base = c.base;
        out->limit = c.limit;
        out->attr = (uint16_t)((c.flags >> 8 & 0xff) | (c.flags >> 8 & 0xf000));
        out->unusable = (c.flags & 0x8000) == 0;
    }
    uc_reg_read(g->uc, UC_X86_REG_GDTR, &m);
    s->gdtr = (struct guest_dtr){m.base, m.limit};
    uc_reg_read(g->uc, UC_X86_REG_IDTR, &m);
    s->idtr = (struct guest_dtr){m.base, m.limit};
    uc_reg_read(g->uc, UC_X86_REG_LDTR, &m);
    s->seg[SEG_LDTR] =
        (struct guest_seg){.sel = m.selector, .attr = 0x82, .limit = m.limit, .base = m.base};
    uc_reg_read(g->uc, UC_X86_REG_TR, &m);
    s->seg[SEG_TR] =
        (struct guest_seg){.sel = m.selector, .attr = 0x8b, .limit = m.limit, .base = m.base};
    s->star = read_msr(g, 0xc0000081);
    s->lstar = read_msr(g, 0xc0000082);
    s->cstar = read_msr(g, 0xc0000083);
    s->sfmask = read_msr(g, 0xc0000084);
    s->kernel_gs_base = read_msr(g, 0xc0000102);
    s->tsc_aux = read_msr(g, 0xc0000103);
    s->sysenter_cs = read_msr(g, 0x174);
    s->sysenter_esp = read_msr(g, 0x175);
    s->sysenter_eip = read_msr(g, 0x176);
}

uint64_t port_guest_rdmsr(struct vcpu *v, uint32_t msr)
{
    return v->guest->uc ? read_msr(v->guest, msr) : 0;
}

void port_guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (v->guest->uc)
        write_msr(v->guest, msr, value);
}

void port_guest_set_cr(struct vcpu *v, unsigned cr, uint64_t value)
{
    struct port_guest *g = v->guest;

    if (!g->uc)
        return;
    if (cr == 0)
        engine_set_reg(g, UC_X86_REG_CR0, value);
    else if (cr == 3)
        engine_set_reg(g, UC_X86_REG_CR3, value);
    else if (cr == 4)
        engine_set_reg(g, UC_X86_REG_CR4, value | CR4_TSD);
}
