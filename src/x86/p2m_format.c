/* Second-stage entries of both vendors. The domain's page type rides in bits
 * that hardware ignores: 55:52, free in EPT entries (SDM Vol. 3 tables 28-1 to
 * 28-6: 56:52 ignored) and available in IA-32e entries (APM Vol. 2 5.4). */
#include "base/check.h"
#include "core/arch.h"
#include "x86/x86.h"

#define ENTRY_ADDR UINT64_C(0x000ffffffffff000)
#define TYPE_SHIFT 52u
#define TYPE_MASK UINT64_C(0xf)
#define LEAF_BIT (UINT64_C(1) << 7) /* both formats; above level 0 only */

#define EPT_R (UINT64_C(1) << 0)
#define EPT_W (UINT64_C(1) << 1)
#define EPT_X (UINT64_C(1) << 2)
#define EPT_RWX (EPT_R | EPT_W | EPT_X)
#define EPT_WRITE_BACK (UINT64_C(6) << 3)

#define NPT_P (UINT64_C(1) << 0)
#define NPT_W (UINT64_C(1) << 1)
#define NPT_U (UINT64_C(1) << 2) /* nested walks are user accesses: APM 15.25.5 */
#define NPT_A (UINT64_C(1) << 5)
#define NPT_D (UINT64_C(1) << 6)
#define NPT_NX (UINT64_C(1) << 63)

_Static_assert(P2M_TYPES <= TYPE_MASK + 1, "the page type does not fit in the entry");

/* What a guest may do with a page of a type. Only its own memory is executable:
 * code in another's page, or in one the hypervisor writes, has no honest use. */
struct rights {
    bool r, w, x;
};

static struct rights rights_of(enum p2m_type type)
{
    switch (type) {
    case P2M_RAM_RW:
        return (struct rights){true, true, true};
    case P2M_RAM_RO:
        return (struct rights){true, false, true};
    case P2M_SHARED:
    case P2M_GRANT_RW:
    case P2M_FOREIGN:
        return (struct rights){true, true, false};
    case P2M_GRANT_RO:
        return (struct rights){true, false, false};
    default:
        return (struct rights){false, false, false};
    }
}

uint64_t arch_p2m_empty(uint8_t format)
{
    return 0; /* not present in either format, type P2M_INVALID */
}

uint64_t arch_p2m_encode_table(uint8_t format, mfn_t table)
{
    uint64_t addr = (table.v << PAGE_SHIFT) & ENTRY_ADDR;

    /* The accessed bit is set beforehand: the CPU never writes to the entry. */
    return addr | (format == P2M_FORMAT_EPT ? EPT_RWX : NPT_P | NPT_W | NPT_U | NPT_A);
}

uint64_t arch_p2m_encode_leaf(uint8_t format, mfn_t m, enum p2m_type type, unsigned level)
{
    struct rights may = rights_of(type);
    uint64_t e = (uint64_t)type << TYPE_SHIFT;

    check(level <= 2);
    if (type == P2M_INVALID) {
        return arch_p2m_empty(format);
    }
    e |= (m.v << PAGE_SHIFT) & ENTRY_ADDR;
    if (level > 0) {
        e |= LEAF_BIT;
    }
    if (!may.r) {
        return e;
    }
    if (format == P2M_FORMAT_EPT) {
        return e | EPT_WRITE_BACK | EPT_R | (may.w ? EPT_W : 0) | (may.x ? EPT_X : 0);
    }
    return e | NPT_P | NPT_U | NPT_A | NPT_D | (may.w ? NPT_W : 0) | (may.x ? 0 : NPT_NX);
}

/* An entry that hardware takes for absent may still say something: its type. */
struct p2m_slot arch_p2m_decode(uint8_t format, uint64_t entry, unsigned level)
{
    uint64_t hw = format == P2M_FORMAT_EPT ? EPT_RWX : NPT_P;
    uint64_t type = (entry >> TYPE_SHIFT) & TYPE_MASK;
    struct p2m_slot s = {.type = P2M_INVALID, .mfn = mfn_invalid()};

    if ((entry & hw) == 0 && type == P2M_INVALID) {
        return s;
    }
    s.present = true;
    s.leaf = level == 0 || (entry & LEAF_BIT) != 0;
    s.mfn = mfn((entry & ENTRY_ADDR) >> PAGE_SHIFT);
    if (s.leaf) {
        s.type = (uint8_t)type;
    }
    return s;
}
