/* Second-stage entries of both vendors. The domain's page type rides in bits
 * that hardware ignores: 55:52, free in EPT entries (SDM Vol. 3 tables 28-1 to
 * 28-6: 56:52 ignored) and available in IA-32e entries (APM Vol. 2 5.4). */
#include "base/check.h"
#include "core/arch.h"
#include "x86/x86.h"

#define ENTRY_MFN UINT64_C(0xffffffffff)
#define TYPE_SHIFT 52u
#define TYPE_MASK UINT64_C(0xf)
#define LEAF_BIT (UINT64_C(1) << 7) /* both formats; above level 0 only */

#define EPT_R (UINT64_C(1) << 0)
#define EPT_W (UINT64_C(1) << 1)
#define EPT_X (UINT64_C(1) << 2)
#define EPT_RWX (EPT_R | EPT_W | EPT_X)
#define EPT_WRITE_BACK (UINT64_C(6) << 3)
#define EPT_A (UINT64_C(1) << 8) /* ignored unless EPTP bit 6 is set */
#define EPT_D (UINT64_C(1) << 9)

#define NPT_P (UINT64_C(1) << 0)
#define NPT_W (UINT64_C(1) << 1)
#define NPT_U (UINT64_C(1) << 2) /* nested walks are user accesses: APM 15.25.5 */
#define NPT_A (UINT64_C(1) << 5)
#define NPT_D (UINT64_C(1) << 6)
#define NPT_NX (UINT64_C(1) << 63)

_Static_assert(P2M_TYPES <= TYPE_MASK + 1, "the page type does not fit in the entry");

/*@ predicate p2m_readable(integer t) = t == P2M_RAM_RW || t == P2M_RAM_RO || t == P2M_SHARED ||
        t == P2M_GRANT_RW || t == P2M_GRANT_RO || t == P2M_FOREIGN;
    predicate p2m_writable(integer t) = t == P2M_RAM_RW || t == P2M_SHARED ||
        t == P2M_GRANT_RW || t == P2M_FOREIGN;
    predicate p2m_executable(integer t) = t == P2M_RAM_RW || t == P2M_RAM_RO; */

/*@ requires t <= TYPE_MASK && m <= ENTRY_MFN && (leaf == 0 || leaf == LEAF_BIT);
    requires (hw & 0x7ffffffffffffc88) == 0;
    assigns \nothing;
    ensures field(\result, PAGE_SHIFT, ENTRY_MFN) == m;
    ensures field(\result, TYPE_SHIFT, TYPE_MASK) == t;
    ensures (\result & LEAF_BIT) == leaf;
    ensures (\result & EPT_RWX) == (hw & EPT_RWX) && (\result & 1) == (hw & 1) &&
        (\result & 2) == (hw & 2) && (\result & 4) == (hw & 4);
    ensures (\result & NPT_NX) == (hw & NPT_NX); */
static uint64_t entry_of(uint64_t t, uint64_t m, uint64_t leaf, uint64_t hw)
{
    /* No two parts overlap, so that the sum is the union. */
    uint64_t e = (t << TYPE_SHIFT) + (m << PAGE_SHIFT) + leaf + hw;

    //@ assert e == entry(hw, leaf, m, t);
    return e;
}

/* What a guest may do with a page of a type, as hardware bits. Only its own memory is
 * executable: code in another's page, or in one the hypervisor writes, has no honest use. */
/*@ assigns \nothing;
    ensures (\result & 0x7ffffffffffffc88) == 0;
    ensures readable: (\result & EPT_RWX) != 0 <==> p2m_readable(type);
    ensures (\result & EPT_R) != 0 <==> p2m_readable(type);
    ensures (\result & EPT_W) != 0 <==> p2m_writable(type);
    ensures (\result & EPT_X) != 0 <==> p2m_executable(type); */
static uint64_t ept_rights(enum p2m_type type)
{
    const uint64_t read = EPT_WRITE_BACK | EPT_R | EPT_A | EPT_D;

    switch (type) {
    case P2M_RAM_RW:
        return read | EPT_W | EPT_X;
    case P2M_RAM_RO:
        return read | EPT_X;
    case P2M_SHARED:
    case P2M_GRANT_RW:
    case P2M_FOREIGN:
        return read | EPT_W;
    case P2M_GRANT_RO:
        return read;
    default:
        return 0;
    }
}

/*@ assigns \nothing;
    ensures (\result & 0x7ffffffffffffc88) == 0;
    ensures (\result & NPT_P) != 0 <==> p2m_readable(type);
    ensures (\result & NPT_W) != 0 <==> p2m_writable(type);
    ensures p2m_readable(type) ==> ((\result & NPT_NX) == 0 <==> p2m_executable(type)); */
static uint64_t npt_rights(enum p2m_type type)
{
    const uint64_t read = NPT_P | NPT_U | NPT_A | NPT_D;

    switch (type) {
    case P2M_RAM_RW:
        return read | NPT_W;
    case P2M_RAM_RO:
        return read;
    case P2M_SHARED:
    case P2M_GRANT_RW:
    case P2M_FOREIGN:
        return read | NPT_W | NPT_NX;
    case P2M_GRANT_RO:
        return read | NPT_NX;
    default:
        return 0;
    }
}

static bool possible_1g = true; /* set before the first domain */

/*@ assigns possible_1g;
    ensures possible_1g == possible; */
void x86_set_p2m_1g(bool possible)
{
    possible_1g = possible;
}

/*@ assigns \nothing;
    ensures \result == possible_1g; */
bool arch_p2m_leaf_1g(void)
{
    return possible_1g;
}

/*@ assigns \nothing;
    ensures \result == 0; */
uint64_t arch_p2m_empty(uint8_t format)
{
    return 0; /* not present in either format, type P2M_INVALID */
}

static bool possible_dirty = true; /* set before the first domain */

/*@ assigns possible_dirty;
    ensures possible_dirty == possible; */
void x86_set_p2m_dirty(bool possible)
{
    possible_dirty = possible;
}

/*@ assigns \nothing;
    ensures !possible_dirty ==> \result == 0;
    ensures possible_dirty ==> \result == (format == P2M_FORMAT_EPT ? EPT_D : NPT_D); */
uint64_t arch_p2m_dirty(uint8_t format)
{
    if (!possible_dirty) {
        return 0;
    }
    return format == P2M_FORMAT_EPT ? EPT_D : NPT_D;
}

/*@ requires table.v <= ENTRY_MFN;
    assigns \nothing;
    ensures field(\result, PAGE_SHIFT, ENTRY_MFN) == table.v;
    ensures field(\result, TYPE_SHIFT, TYPE_MASK) == P2M_INVALID;
    ensures (\result & LEAF_BIT) == 0;
    ensures walked: (\result & (format == P2M_FORMAT_EPT ? EPT_RWX : NPT_P)) != 0; */
uint64_t arch_p2m_encode_table(uint8_t format, mfn_t table)
{
    /* The accessed bit is set beforehand, in leaves the dirty bit too: the CPU never writes
     * to an entry but when writes are logged. */
    return entry_of(0, table.v, 0,
                    format == P2M_FORMAT_EPT ? EPT_RWX | EPT_A : NPT_P | NPT_W | NPT_U | NPT_A);
}

/*@ requires m.v <= ENTRY_MFN && level <= 2 && type < P2M_TYPES;
    assigns \nothing;
    ensures type == P2M_INVALID ==> \result == 0;
    ensures type != P2M_INVALID ==> field(\result, PAGE_SHIFT, ENTRY_MFN) == m.v;
    ensures field(\result, TYPE_SHIFT, TYPE_MASK) == type;
    ensures type != P2M_INVALID ==> ((\result & LEAF_BIT) != 0 <==> level > 0);
    ensures format == P2M_FORMAT_EPT ==> ((\result & EPT_W) != 0 <==> p2m_writable(type));
    ensures format == P2M_FORMAT_EPT ==> ((\result & EPT_X) != 0 <==> p2m_executable(type));
    ensures format != P2M_FORMAT_EPT ==> ((\result & NPT_P) != 0 <==> p2m_readable(type));
    ensures format != P2M_FORMAT_EPT ==> ((\result & NPT_W) != 0 <==> p2m_writable(type));
    ensures format != P2M_FORMAT_EPT && p2m_readable(type) ==>
        ((\result & NPT_NX) == 0 <==> p2m_executable(type)); */
uint64_t arch_p2m_encode_leaf(uint8_t format, mfn_t m, enum p2m_type type, unsigned level)
{
    check(level <= 2);
    if (type == P2M_INVALID) {
        return arch_p2m_empty(format);
    }
    return entry_of(type, m.v, level > 0 ? LEAF_BIT : 0,
                    format == P2M_FORMAT_EPT ? ept_rights(type) : npt_rights(type));
}

/* An entry that hardware takes for absent may still say something: its type. */
/*@ assigns \nothing;
    ensures \result.present <==> field(entry, TYPE_SHIFT, TYPE_MASK) != P2M_INVALID ||
        (entry & (format == P2M_FORMAT_EPT ? EPT_RWX : NPT_P)) != 0;
    ensures \result.leaf <==> \result.present && (level == 0 || (entry & LEAF_BIT) != 0);
    ensures \result.present ==> \result.mfn.v == field(entry, PAGE_SHIFT, ENTRY_MFN);
    ensures !\result.present ==> \result.mfn.v == MFN_INVALID_V;
    ensures \result.type == (\result.leaf ? field(entry, TYPE_SHIFT, TYPE_MASK) : P2M_INVALID); */
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
    s.mfn = mfn((entry >> PAGE_SHIFT) & ENTRY_MFN);
    if (s.leaf) {
        s.type = (uint8_t)type;
    }
    return s;
}
