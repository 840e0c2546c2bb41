/* src/core/mem/buddy.c: what its steps read and write in words, whose bits are known here. */
#include "frame_axioms.h"
#include "core/mem/buddy.h"

/*@ // WP sorts the arguments of ^.
    logic integer flip(integer a, integer b) = a ^ b; */

/*@ axiomatic Buddies {
    axiom xor_commutes: \forall uint64_t a, uint64_t b; flip(a, b) == flip(b, a);
    axiom spans: \forall uint8_t o; o <= 18 ==> 1 <= (1 << o) <= 0x40000;
    axiom twice: \forall uint8_t o, uint8_t p; o < 18 && p == o + 1 ==>
        (1 << p) == 2 * (1 << o);
    axiom halves: \forall uint64_t m, uint8_t o, uint8_t p; o < 18 && p == o + 1 &&
        m <= 0xfffffff && aligned(m, 1 << p) ==>
        aligned(m, 1 << o) && aligned(m + (1 << o), 1 << o);
    axiom single: \forall uint64_t m; aligned(m, 1 << 0);
    axiom wider: \forall uint64_t m, uint8_t o, uint8_t p; o < 18 && p == o + 1 &&
        m <= 0xfffffff && aligned(m, 1 << o) && conj(m, 1 << o) == 0 ==> aligned(m, 1 << p);
    axiom buddies: \forall uint64_t m, uint8_t o, uint8_t p; o < 18 && p == o + 1 &&
        m <= 0xfffffff && aligned(m, 1 << o) ==>
        ((m ^ (1 << o)) == m + (1 << o) && aligned(m, 1 << p) ||
        (m ^ (1 << o)) == m - (1 << o) && aligned(m - (1 << o), 1 << p));
} */

#include "../../src/core/mem/buddy.c"
