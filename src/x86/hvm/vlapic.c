/* The local APIC's registers. Section numbers: SDM Vol. 3 ch. 10 as of 2020. */
#include "base/xen.h"

#include <xen/hvm/save.h>

#include "x86/hvm/hvm.h"

#include "base/atomic.h"
#include "base/string.h"

#define MSR_APIC_BASE 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC 0x800u
#define SVR_ENABLE 0x100u
#define BASE_ADDRESS UINT64_C(0x0000fffffffff000)
#define ICR_BUSY 0x1000u
#define ICR_TO_SELF 0x40000u

static struct vlapic *lapic_of(struct vcpu *v)
{
    return &v->arch->lapic;
}

bool vlapic_x2apic(const struct vlapic *l)
{
    return (l->base_msr & APIC_BASE_X2APIC) != 0;
}

bool vlapic_is_plain(const struct vlapic *l)
{
    return (load_u64(&l->base_msr) & ~APIC_BASE_BSP) == (LAPIC_BASE | APIC_BASE_ENABLE);
}

/* 10.12.10.2: the logical id in x2APIC mode follows from the id. */
static uint32_t x2apic_ldr(uint32_t id)
{
    return (id >> 4) << 16 | UINT32_C(1) << (id & 15);
}

static void set_mode_ids(struct vlapic *l)
{
    bool x2 = vlapic_x2apic(l);

    store_u32(&l->page[LAPIC_ID].v, x2 ? l->id : l->id << 24);
    store_u32(&l->page[LAPIC_LDR].v, x2 ? x2apic_ldr(l->id) : 0);
}

void vlapic_reset(struct vcpu *v)
{
    struct vlapic *l = lapic_of(v);
    unsigned i;

    for (i = 0; i < LAPIC_SLOTS; i++)
        store_u32(&l->page[i].v, 0);
    for (i = 0; i < 8; i++) {
        store_u32(&l->irr[i], 0);
        store_u32(&l->tmr[i], 0);
    }
    l->changed = true;
    store_u32(&l->esr_pending, 0);
    vlapic_timer_reset(v);
    for (i = LAPIC_LVT_TIMER + 1; i <= LAPIC_LVT_ERROR; i++)
        store_u32(&l->page[i].v, LVT_MASKED);
    store_u32(&l->page[LAPIC_DFR].v, 0xffffffff);
    store_u32(&l->page[LAPIC_SVR].v, 0xff);
    store_u32(&l->page[LAPIC_VERSION].v, LAPIC_VERSION_VALUE);
    set_mode_ids(l);
}

void vlapic_create(struct vcpu *v)
{
    struct vlapic *l = lapic_of(v);

    memset(l, 0, sizeof(*l));
    l->id = v->id * 2;
    l->base_msr = LAPIC_BASE | APIC_BASE_ENABLE | (v->id == 0 ? APIC_BASE_BSP : 0);
    vlapic_timer_create(v);
    vlapic_reset(v);
}

void vlapic_destroy(struct vcpu *v)
{
    vlapic_timer_stop(v);
}

void vlapic_error(struct vcpu *v, uint32_t esr_bit)
{
    struct vlapic *l = lapic_of(v);
    uint32_t lvt;

    /* One interrupt until software looks; also ends the recursion when the
     * error vector is itself illegal. */
    if ((fetch_or_u32(&l->esr_pending, esr_bit) & esr_bit) != 0)
        return;
    lvt = load_u32(&l->page[LAPIC_LVT_ERROR].v);
    if ((lvt & LVT_MASKED) == 0)
        vlapic_set_irq(v, (uint8_t)lvt, false);
}

/* Bits of each LVT entry that software writes (10.5.1); bits 12 and 14 are the
 * CPU's. */
static uint32_t lvt_mask(unsigned reg)
{
    switch (reg) {
    case LAPIC_LVT_TIMER:
        return 0x700ff;
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
        return 0x1a7ff;
    case LAPIC_LVT_ERROR:
        return 0x100ff;
    default:
        return 0x107ff;
    }
}

static void write_svr(struct vcpu *v, uint32_t value)
{
    struct vlapic *l = lapic_of(v);
    unsigned i;

    store_u32(&l->page[LAPIC_SVR].v, value & 0x1ff);
    l->changed = true;
    if ((value & SVR_ENABLE) != 0)
        return;
    vlapic_timer_set_lvt(v, l->lvt_timer | LVT_MASKED);
    for (i = LAPIC_LVT_TIMER + 1; i <= LAPIC_LVT_ERROR; i++)
        store_u32(&l->page[i].v, l->page[i].v | LVT_MASKED);
}

static void write_lvt(struct vcpu *v, unsigned reg, uint32_t value)
{
    struct vlapic *l = lapic_of(v);

    value &= lvt_mask(reg);
    if ((l->page[LAPIC_SVR].v & SVR_ENABLE) == 0)
        value |= LVT_MASKED;
    if (reg == LAPIC_LVT_TIMER)
        vlapic_timer_set_lvt(v, value);
    else
        store_u32(&l->page[reg].v, value);
}

/* A register as either mode reads it. False: not a readable register. */
static bool read_reg(struct vcpu *v, unsigned reg, uint32_t *value)
{
    const struct vlapic *l = lapic_of(v);

    *value = 0;
    if (reg >= LAPIC_ISR && reg < LAPIC_ISR + 8) {
        *value = load_u32(&l->page[reg].v);
        return true;
    }
    if (reg >= LAPIC_TMR && reg < LAPIC_TMR + 8) {
        *value = load_u32(&l->tmr[reg - LAPIC_TMR]);
        return true;
    }
    if (reg >= LAPIC_IRR && reg < LAPIC_IRR + 8) {
        *value = load_u32(&l->irr[reg - LAPIC_IRR]) | load_u32(&l->page[reg].v);
        return true;
    }
    switch (reg) {
    case LAPIC_PPR:
        *value = vlapic_ppr(l);
        return true;
    case LAPIC_TIMER_CURRENT:
        *value = vlapic_timer_current(l);
        return true;
    case LAPIC_ID:
    case LAPIC_VERSION:
    case LAPIC_TPR:
    case LAPIC_LDR:
    case LAPIC_DFR:
    case LAPIC_SVR:
    case LAPIC_ESR:
    case LAPIC_TIMER_DIVIDE:
        break;
    default:
        if (reg < LAPIC_ICR || reg > LAPIC_TIMER_INITIAL)
            return false;
        break;
    }
    *value = l->page[reg].v;
    return true;
}

/* Registers that both modes write alike. False: not one of them. */
static bool write_reg(struct vcpu *v, unsigned reg, uint32_t value)
{
    struct vlapic *l = lapic_of(v);

    switch (reg) {
    case LAPIC_TPR:
        store_u32(&l->page[reg].v, value & 0xff);
        return true;
    case LAPIC_EOI:
        vlapic_end_of_interrupt(v);
        return true;
    case LAPIC_SVR:
        write_svr(v, value);
        return true;
    case LAPIC_ESR:
        l->page[reg].v = fetch_and_u32(&l->esr_pending, 0);
        return true;
    case LAPIC_TIMER_INITIAL:
        vlapic_timer_set_initial(v, value);
        return true;
    case LAPIC_TIMER_DIVIDE:
        vlapic_timer_set_divide(v, value & 0xb);
        return true;
    default:
        if (reg < LAPIC_LVT_TIMER || reg > LAPIC_LVT_ERROR)
            return false;
        write_lvt(v, reg, value);
        return true;
    }
}

static void xapic_write(struct vcpu *v, unsigned reg, uint32_t value)
{
    struct vlapic *l = lapic_of(v);

    switch (reg) {
    case LAPIC_LDR:
        store_u32(&l->page[reg].v, value & 0xff000000);
        break;
    case LAPIC_DFR:
        store_u32(&l->page[reg].v, value | 0x0fffffff);
        break;
    case LAPIC_ICR2:
        l->page[reg].v = value & 0xff000000;
        break;
    case LAPIC_ICR:
        l->page[reg].v = value & ~ICR_BUSY;
        vlapic_send(v, value, l->page[LAPIC_ICR2].v >> 24);
        break;
    default:
        (void)write_reg(v, reg, value);
        break;
    }
}

/* What is written to a register that may not be is not to stay there. */
void vlapic_written(struct vcpu *v, uint32_t offset)
{
    struct vlapic *l = lapic_of(v);
    unsigned reg = offset >> 4;
    uint32_t value;

    if (reg >= LAPIC_SLOTS)
        return;
    value = l->page[reg].v;
    if (vlapic_x2apic(l)) {
        if (reg == LAPIC_SELF_IPI)
            vlapic_send(v, ICR_TO_SELF | (value & 0xff), 0);
    } else if (reg == LAPIC_ID) {
        l->page[reg].v = l->id << 24;
    } else {
        xapic_write(v, reg, value);
    }
}

/* Registers are 32 bits wide at multiples of 16. Narrower accesses, which the
 * SDM leaves undefined, see and change their part of the register. */
bool vlapic_mmio(struct vcpu *v, uint32_t offset, unsigned size, bool write, uint32_t *value)
{
    const struct vlapic *l = lapic_of(v);
    unsigned reg = offset >> 4, shift = (offset & 3) * 8;
    uint32_t whole = 0, mask = size >= 4 ? 0xffffffff : (UINT32_C(1) << (8 * size)) - 1;
    bool in_reg = (offset & 15) + size <= 4;

    if (offset >= PAGE_SIZE || (l->base_msr & APIC_BASE_ENABLE) == 0 || vlapic_x2apic(l)) {
        if (!write)
            *value = 0xffffffff & mask;
        return false;
    }
    if (reg < LAPIC_SLOTS)
        (void)read_reg(v, reg, &whole);
    if (!write) {
        *value = in_reg ? (whole >> shift) & mask : 0;
        return true;
    }
    if (in_reg && reg < LAPIC_SLOTS)
        xapic_write(v, reg, (whole & ~(mask << shift)) | (*value & mask) << shift);
    return true;
}

/* IA32_APIC_BASE: 10.4.4 and the state diagram 10-27. */
static int write_base(struct vcpu *v, uint64_t value)
{
    struct vlapic *l = lapic_of(v);
    uint64_t old = l->base_msr, mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;

    if ((value & ~(BASE_ADDRESS | mode | APIC_BASE_BSP)) != 0)
        return -1;
    if ((value & mode) == APIC_BASE_X2APIC)
        return -1;
    if ((old & mode) == mode && (value & mode) == APIC_BASE_ENABLE)
        return -1;
    if ((old & mode) == 0 && (value & mode) == mode)
        return -1;
    store_u64(&l->base_msr, value);
    if (((old ^ value) & APIC_BASE_ENABLE) != 0)
        vlapic_reset(v);
    else if (((old ^ value) & APIC_BASE_X2APIC) != 0)
        set_mode_ids(l);
    l->changed = true;
    vlapic_access_follow(v);
    return 0;
}

int vlapic_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct vlapic *l = lapic_of(v);
    unsigned reg = msr - MSR_X2APIC;
    uint32_t low;

    if (msr == MSR_APIC_BASE) {
        *value = l->base_msr;
        return 0;
    }
    if (msr == MSR_TSC_DEADLINE) {
        *value = vlapic_timer_deadline(l);
        return 0;
    }
    if (msr < MSR_X2APIC || reg >= LAPIC_SLOTS || !vlapic_x2apic(l) || reg == LAPIC_DFR ||
        reg == LAPIC_ICR2 || !read_reg(v, reg, &low))
        return -1;
    *value = low;
    if (reg == LAPIC_ICR)
        *value |= (uint64_t)l->page[LAPIC_ICR2].v << 32;
    return 0;
}

/* Bits that a write of an x2APIC register may have set; everything else, and
 * every bit of a register that cannot be written, is #GP (10.12.1.2). */
static uint64_t x2apic_writable(unsigned reg)
{
    switch (reg) {
    case LAPIC_TPR:
    case LAPIC_SELF_IPI:
        return 0xff;
    case LAPIC_SVR:
        return 0x1ff;
    case LAPIC_ICR:
        return UINT64_C(0xffffffff000ccfff);
    case LAPIC_TIMER_INITIAL:
        return 0xffffffff;
    case LAPIC_TIMER_DIVIDE:
        return 0xb;
    case LAPIC_LVT_TIMER:
    case LAPIC_LVT_THERMAL:
    case LAPIC_LVT_PERF:
    case LAPIC_LVT_ERROR:
        return lvt_mask(reg) | 0x1000;
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
        return lvt_mask(reg) | 0x5000;
    default: /* EOI and ESR: zero only */
        return 0;
    }
}

static bool x2apic_has_write(unsigned reg)
{
    return reg == LAPIC_TPR || reg == LAPIC_EOI || reg == LAPIC_SVR || reg == LAPIC_ESR ||
           reg == LAPIC_ICR || (reg >= LAPIC_LVT_TIMER && reg <= LAPIC_TIMER_INITIAL) ||
           reg == LAPIC_TIMER_DIVIDE || reg == LAPIC_SELF_IPI;
}

int vlapic_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    struct vlapic *l = lapic_of(v);
    unsigned reg = msr - MSR_X2APIC;

    if (msr == MSR_APIC_BASE)
        return write_base(v, value);
    if (msr == MSR_TSC_DEADLINE) {
        vlapic_timer_set_deadline(v, value);
        return 0;
    }
    if (msr < MSR_X2APIC || reg >= LAPIC_SLOTS || !vlapic_x2apic(l) || !x2apic_has_write(reg) ||
        (value & ~x2apic_writable(reg)) != 0)
        return -1;
    if (reg == LAPIC_ICR) {
        l->page[LAPIC_ICR].v = (uint32_t)value & ~ICR_BUSY;
        l->page[LAPIC_ICR2].v = (uint32_t)(value >> 32);
        vlapic_send(v, (uint32_t)value, (uint32_t)(value >> 32));
    } else if (reg == LAPIC_SELF_IPI) {
        vlapic_send(v, ICR_TO_SELF | (uint32_t)value, 0);
    } else {
        (void)write_reg(v, reg, (uint32_t)value);
    }
    return 0;
}

void vlapic_save(struct vcpu *v, struct hvm_hw_lapic *r)
{
    const struct vlapic *l = lapic_of(v);

    memset(r, 0, sizeof(*r));
    r->apic_base_msr = l->base_msr;
    r->disabled = ((l->base_msr & APIC_BASE_ENABLE) == 0 ? 1u : 0) |
                  ((l->page[LAPIC_SVR].v & SVR_ENABLE) == 0 ? 2u : 0);
    r->timer_divisor = vlapic_timer_divisor(l);
    r->tdt_msr = vlapic_timer_deadline(l);
}

int vlapic_load(struct vcpu *v, const struct hvm_hw_lapic *r)
{
    const uint64_t mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
    struct vlapic *l = lapic_of(v);

    if ((r->apic_base_msr & ~(BASE_ADDRESS | mode | APIC_BASE_BSP)) != 0 ||
        (r->apic_base_msr & mode) == APIC_BASE_X2APIC)
        return -XEN_EINVAL;
    store_u64(&l->base_msr, r->apic_base_msr);
    set_mode_ids(l);
    l->changed = true;
    vlapic_access_follow(v);
    l->tsc_deadline = r->tdt_msr;
    return 0;
}

static uint32_t record_reg(const struct hvm_hw_lapic_regs *r, unsigned reg)
{
    uint32_t value;

    memcpy(&value, &r->data[reg * 16], sizeof(value));
    return value;
}

void vlapic_save_regs(struct vcpu *v, struct hvm_hw_lapic_regs *r)
{
    memset(r, 0, sizeof(*r));
    for (unsigned reg = 0; reg < LAPIC_SLOTS; reg++) {
        uint32_t value;

        if (read_reg(v, reg, &value))
            memcpy(&r->data[reg * 16], &value, sizeof(value));
    }
}

/* Vectors below 16 cannot be requested; reserved bits do not exist. */
static uint32_t record_vectors(const struct hvm_hw_lapic_regs *r, unsigned reg, unsigned i)
{
    return record_reg(r, reg + i) & (i == 0 ? 0xffff0000 : 0xffffffff);
}

void vlapic_load_regs(struct vcpu *v, const struct hvm_hw_lapic_regs *r)
{
    struct vlapic *l = lapic_of(v);

    vlapic_timer_stop(v);
    for (unsigned i = 0; i < 8; i++) {
        store_u32(&l->page[LAPIC_ISR + i].v, record_vectors(r, LAPIC_ISR, i));
        store_u32(&l->page[LAPIC_IRR + i].v, 0);
        store_u32(&l->tmr[i], record_vectors(r, LAPIC_TMR, i));
        store_u32(&l->irr[i], record_vectors(r, LAPIC_IRR, i));
    }
    l->changed = true;
    store_u32(&l->page[LAPIC_TPR].v, record_reg(r, LAPIC_TPR) & 0xff);
    store_u32(&l->page[LAPIC_SVR].v, record_reg(r, LAPIC_SVR) & 0x1ff);
    l->page[LAPIC_ESR].v = record_reg(r, LAPIC_ESR) & 0xff;
    l->page[LAPIC_ICR].v = record_reg(r, LAPIC_ICR) & ~ICR_BUSY;
    l->page[LAPIC_ICR2].v = record_reg(r, LAPIC_ICR2);
    if (!vlapic_x2apic(l)) {
        store_u32(&l->page[LAPIC_LDR].v, record_reg(r, LAPIC_LDR) & 0xff000000);
        store_u32(&l->page[LAPIC_DFR].v, record_reg(r, LAPIC_DFR) | 0x0fffffff);
    }
    for (unsigned reg = LAPIC_LVT_TIMER; reg <= LAPIC_LVT_ERROR; reg++)
        store_u32(&l->page[reg].v, record_reg(r, reg) & lvt_mask(reg));
    l->page[LAPIC_TIMER_INITIAL].v = record_reg(r, LAPIC_TIMER_INITIAL);
    l->page[LAPIC_TIMER_DIVIDE].v = record_reg(r, LAPIC_TIMER_DIVIDE) & 0xb;
    vlapic_timer_restore(v, record_reg(r, LAPIC_TIMER_CURRENT));
}
