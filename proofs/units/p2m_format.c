/* src/x86/p2m_format.c, and what its contracts say together. */
/* Entries put together from their parts. */
/*@ axiomatic P2mEntry {
    logic integer entry(integer hw, integer leaf, integer m, integer t);
    axiom entry_def: \forall integer hw, integer leaf, integer m, integer t;
        entry(hw, leaf, m, t) == ((t << 52) + (m << 12) + leaf + hw);
    axiom entry_parts: \forall uint64_t hw, uint64_t leaf, uint64_t m, uint64_t t;
        t <= 0xf && m <= 0xffffffffff && (leaf == 0 || leaf == 0x80) &&
        (hw & 0x7ffffffffffffc88) == 0 ==>
            entry(hw, leaf, m, t) <= 0xffffffffffffffff &&
            field(entry(hw, leaf, m, t), 12, 0xffffffffff) == m &&
            field(entry(hw, leaf, m, t), 52, 0xf) == t &&
            (entry(hw, leaf, m, t) & 0x80) == leaf &&
            (entry(hw, leaf, m, t) & 7) == (hw & 7) &&
            (entry(hw, leaf, m, t) & 1) == (hw & 1) &&
            (entry(hw, leaf, m, t) & 2) == (hw & 2) &&
            (entry(hw, leaf, m, t) & 4) == (hw & 4) &&
            (entry(hw, leaf, m, t) & 0x8000000000000000) == (hw & 0x8000000000000000);
} */
/*@ axiomatic P2mParts {
    axiom entry_type: \forall uint64_t t; t <= 0xf ==>
        (t << 52) <= 0xf0000000000000 && (t & 0x800) == 0;
    axiom entry_mfn: \forall uint64_t m; m <= 0xffffffffff ==>
        (m << 12) <= 0xffffffffff000 && (m & 0x8000000000000) == 0;
    axiom entry_hw: \forall uint64_t hw;
        (hw & 0x7ffffffffffffc88) == 0 ==> hw <= 0x8000000000000377;
    axiom entry_leaf: \forall uint64_t leaf; leaf == 0 || leaf == 0x80 ==>
        (leaf & 1) == 0 && (leaf & 2) == 0 && (leaf & 4) == 0 && (leaf & 7) == 0 &&
        (leaf & 0x8000000000000000) == 0;
} */

#include "../../src/x86/p2m_format.c"

/* A leaf decodes to what was encoded, in both formats and at every level. */
/*@ requires m.v <= ENTRY_MFN && level <= 2 && P2M_INVALID < type < P2M_TYPES;
    assigns \nothing;
    ensures \result.present && \result.leaf && \result.mfn.v == m.v && \result.type == type; */
struct p2m_slot proof_leaf(uint8_t format, mfn_t m, enum p2m_type type, unsigned level)
{
    return arch_p2m_decode(format, arch_p2m_encode_leaf(format, m, type, level), level);
}

/* A table entry is never taken for a leaf above level 0. */
/*@ requires table.v <= ENTRY_MFN && 0 < level;
    assigns \nothing;
    ensures \result.present && !\result.leaf && \result.mfn.v == table.v; */
struct p2m_slot proof_table(uint8_t format, mfn_t table, unsigned level)
{
    return arch_p2m_decode(format, arch_p2m_encode_table(format, table), level);
}
