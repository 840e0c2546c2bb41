/* The emulator's view of the guest: registers, segments, pages. */
#include "x86/hvm/emulate.h"

#include "base/arith.h"
#include "base/string.h"
#include "core/guest_mem/guest_mem.h"
#include "core/p2m/p2m.h"

#define INSN_BYTES 15u

/* Access rights, SDM 24.4.1 table 24-2. */
#define SEG_TYPE_WRITE 2u /* data: writable; code: readable */
#define SEG_TYPE_DOWN 4u  /* data: expands down */
#define SEG_TYPE_CODE 8u
#define SEG_ATTR_DB 0x4000u

const struct guest_state *emu_state(struct emu *e)
{
    if (!e->have_state) {
        port_guest_save(e->v, &e->state);
        e->have_state = true;
    }
    return &e->state;
}

static int seg_fault(struct emu *e, unsigned seg)
{
    hvm_inject_exception(e->v, seg == SEG_SS ? VECTOR_SS : VECTOR_GP, true, 0);
    return EMU_FAULT;
}

static bool seg_rights_ok(const struct emu *e, const struct guest_seg *s, enum walk_access access)
{
    if (s->unusable)
        return false;
    if ((e->walk.cr0 & CR0_PE) == 0 || (e->r->rflags & RFLAGS_VM) != 0 || access == WALK_FETCH)
        return true;
    if ((s->attr & SEG_TYPE_CODE) != 0)
        return access == WALK_READ && (s->attr & SEG_TYPE_WRITE) != 0;
    return access == WALK_READ || (s->attr & SEG_TYPE_WRITE) != 0;
}

static bool seg_limit_ok(const struct guest_seg *s, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;

    if ((s->attr & (SEG_TYPE_CODE | SEG_TYPE_DOWN)) == SEG_TYPE_DOWN)
        return offset > s->limit && last <= ((s->attr & SEG_ATTR_DB) != 0 ? 0xffffffff : 0xffff);
    return last <= s->limit;
}

static bool canonical(uint64_t la)
{
    uint64_t top = la >> 47;

    return top == 0 || top == 0x1ffff;
}

int emu_linear(struct emu *e, unsigned seg, uint64_t offset, unsigned size, enum walk_access access,
               uint64_t *la)
{
    if (e->mode == 8) {
        *la = offset;
        if (seg == SEG_FS || seg == SEG_GS)
            *la += emu_state(e)->seg[seg].base;
        if (!canonical(*la) || !canonical(*la + size - 1))
            return seg_fault(e, seg);
    } else {
        const struct guest_seg *s = &emu_state(e)->seg[seg];

        offset &= 0xffffffff;
        if (!seg_rights_ok(e, s, access) || !seg_limit_ok(s, offset, size))
            return seg_fault(e, seg);
        *la = (s->base + offset) & 0xffffffff;
    }
    return EMU_OK;
}

int emu_translate(struct emu *e, uint64_t la, unsigned size, enum walk_access access,
                  struct emu_span *s)
{
    unsigned first = (unsigned)min_u64(size, PAGE_SIZE - (la & ~PAGE_MASK)), i;

    s->len[0] = (uint8_t)first;
    s->len[1] = (uint8_t)(size - first);
    for (i = 0; i < 2 && s->len[i] != 0; i++) {
        uint64_t at = i == 0 ? la : la + first;
        struct walk_result w;
        int rc;

        if (e->mode != 8)
            at &= 0xffffffff;
        rc = guest_walk(e->v->domain, &e->walk, at, access, true, &w);
        if (rc == -1) {
            hvm_inject_pf(e->v, w.error, at);
            return EMU_FAULT;
        }
        if (rc != 0)
            return EMU_CANNOT;
        s->gpa[i] = w.gpa;
    }
    return EMU_OK;
}

static bool ram_type(unsigned type, enum walk_access access)
{
    unsigned set = P2M_SET_WRITABLE | (access != WALK_WRITE ? P2M_SET_READ_ONLY : 0);

    return (P2M_SET(type) & set) != 0;
}

static unsigned type_at(struct emu *e, gaddr_t a)
{
    struct p2m_entry at;

    if (a.v >> (P2M_GFN_BITS + PAGE_SHIFT) != 0)
        return P2M_INVALID;
    at = p2m_lookup(e->v->domain, gaddr_gfn(a));
    return vlapic_access_at(e->v->domain, &at) ? P2M_MMIO_DM : at.type;
}

bool emu_is_ram(struct emu *e, const struct emu_span *s, enum walk_access access)
{
    unsigned i;

    for (i = 0; i < 2 && s->len[i] != 0; i++)
        if (!ram_type(type_at(e, s->gpa[i]), access))
            return false;
    return true;
}

uint64_t emu_load(struct emu *e, const struct emu_span *s)
{
    uint64_t value = 0;
    unsigned i, shift = 0;

    for (i = 0; i < 2 && s->len[i] != 0; i++) {
        uint64_t part = 0;

        if (!ram_type(type_at(e, s->gpa[i]), WALK_READ))
            (void)vdev_mmio(e->v, s->gpa[i], s->len[i], false, &part);
        else if (guest_phys_read(e->v->domain, s->gpa[i], &part, s->len[i]) != 0)
            part = ~UINT64_C(0);
        value |= (part & alu_mask(s->len[i])) << shift;
        shift = 8u * s->len[i];
    }
    return value;
}

void emu_store(struct emu *e, const struct emu_span *s, uint64_t value)
{
    unsigned i;

    for (i = 0; i < 2 && s->len[i] != 0; i++) {
        uint64_t part = (i == 0 ? value : value >> (8u * s->len[0])) & alu_mask(s->len[i]);
        unsigned type = type_at(e, s->gpa[i]);

        if (ram_type(type, WALK_WRITE))
            (void)guest_phys_write(e->v->domain, s->gpa[i], &part, s->len[i]);
        else if (!ram_type(type, WALK_READ)) /* writes to read-only memory vanish */
            (void)vdev_mmio(e->v, s->gpa[i], s->len[i], true, &part);
    }
}

/* One page's worth of the instruction at la. */
static int fetch_part(struct emu *e, uint64_t la, uint8_t *to, unsigned n)
{
    struct emu_span s = {.len = {0}};
    int rc = emu_translate(e, la, n, WALK_FETCH, &s);

    if (rc != EMU_OK)
        return rc;
    if (guest_phys_read(e->v->domain, s.gpa[0], to, n) != 0)
        return EMU_CANNOT;
    return EMU_OK;
}

int emu_fetch(struct emu *e)
{
    uint8_t code[INSN_BYTES];
    unsigned first;
    uint64_t la;
    int rc;

    rc = emu_linear(e, SEG_CS, e->r->rip, 1, WALK_FETCH, &la);
    if (rc != EMU_OK)
        return rc;
    first = (unsigned)min_u64(INSN_BYTES, PAGE_SIZE - (la & ~PAGE_MASK));
    rc = fetch_part(e, la, code, first);
    if (rc != EMU_OK)
        return rc;
    if (insn_decode(code, first, e->mode, &e->i) == 0)
        return EMU_OK;
    if (first == INSN_BYTES)
        return EMU_CANNOT;
    rc = fetch_part(e, la + first, code + first, INSN_BYTES - first);
    if (rc != EMU_OK)
        return rc;
    return insn_decode(code, INSN_BYTES, e->mode, &e->i) == 0 ? EMU_OK : EMU_CANNOT;
}

/* Without REX, byte registers 4-7 are AH, CH, DH and BH. */
static bool high_byte(const struct emu *e, unsigned reg, unsigned size)
{
    return size == 1 && e->i.rex == 0 && reg >= 4 && reg < 8;
}

uint64_t emu_reg(const struct emu *e, unsigned reg, unsigned size)
{
    if (high_byte(e, reg, size))
        return (e->r->gpr[reg - 4] >> 8) & 0xff;
    return e->r->gpr[reg] & alu_mask(size);
}

void emu_set_reg(struct emu *e, unsigned reg, unsigned size, uint64_t value)
{
    uint64_t m = alu_mask(size);

    if (high_byte(e, reg, size)) {
        e->r->gpr[reg - 4] = (e->r->gpr[reg - 4] & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
        return;
    }
    if (size == 4)
        e->r->gpr[reg] = value & m; /* 32-bit results clear the upper half */
    else
        e->r->gpr[reg] = (e->r->gpr[reg] & ~m) | (value & m);
}
