/* Walking, splitting and checking in src/core/p2m, over the entries of src/x86. */
#include "p2m_format.c"

#include "core/domain/domain.h"
#include "core/p2m/p2m_table.h"
#include "locks.h"

/*@ axiomatic P2mBits {
    axiom slot_mod: \forall uint64_t g; (g & 0x1ff) == g % 512 && (g & 0x3ffff) == g % 262144 &&
        (g & 0x7ffffff) == g % 134217728 && (g & 0) == 0;
    axiom slot_div: \forall uint64_t g; (g >> 9) == g / 512 && (g >> 18) == g / 262144 &&
        (g >> 27) == g / 134217728 && (g >> 0) == g;
    axiom or_none: \forall uint64_t a, uint64_t b; (a | b) == 0 <==> a == 0 && b == 0;
    axiom xor_none: \forall uint64_t a, uint64_t b; ((a ^ b) == 0 <==> a == b) &&
        0 <= (a ^ b) <= 0xffffffffffffffff;
} */

/*@ axiomatic P2mPiece {
    // The frame of piece i of a leaf at level that begins at frame m.
    logic integer piece(integer m, integer i, integer level);
    axiom piece_def: \forall integer m, integer i, integer level; piece(m, i, level) ==
        m + (level == 1 ? i : level == 2 ? i * 512 : i * 262144);
} */

#include "../../src/core/p2m/p2m.c"
#include "../../src/core/p2m/p2m_table.c"

/*@ axiomatic P2mPieces {
    // What is under slot i of a table whose slots are span wide, rest from its beginning on.
    logic integer joined(integer i, integer span, integer rest);
    axiom joined_def: \forall integer i, integer span, integer rest;
        joined(i, span, rest) == i * span + rest;
    axiom pieces: \forall uint64_t g; joined(g / 512 % 512, 512, g % 512) == g % 262144 &&
        joined(g / 262144 % 512, 262144, g % 262144) == g % 134217728;
} */

/* The piece of a split leaf that maps g maps it to where the leaf did: the offset of g in the
 * leaf is that of its piece (table_fill), and of g in the piece (p2m_entry_at). */
/*@ requires 1 <= level <= P2M_ROOT_LEVEL;
    assigns \nothing;
    ensures \result == g % span_of(level); */
uint64_t proof_split(uint64_t g, unsigned level)
{
    uint64_t slot = p2m_slot_of(g, level - 1), span = p2m_span(level - 1);
    uint64_t piece, rest = g & (span - 1);

    //@ assert level == 1 ==> span == 1 && slot == g % 512;
    //@ assert level == 2 ==> span == 512 && slot == g / 512 % 512;
    //@ assert level == 3 ==> span == 262144 && slot == g / 262144 % 512;
    //@ assert span == 1 ==> slot * span == slot && rest == 0;
    //@ assert span == 512 ==> slot * span == slot * 512 && rest == g % 512;
    //@ assert span == 262144 ==> slot * span == slot * 262144 && rest == g % 262144;
    //@ assert 0 <= slot * span <= 133955584 && rest < span;
    //@ assert level == 2 ==> joined(g / 512 % 512, 512, g % 512) == g % 262144;
    //@ assert level == 3 ==> joined(g / 262144 % 512, 262144, g % 262144) == g % 134217728;
    piece = slot * span;
    return piece + rest;
}
