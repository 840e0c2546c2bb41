/* What the proofs need to know of words and bits. WP's own theory of & | ~ << >> is
 * weak; each axiom here is true of all machine words, and lib/axioms.py has two solvers
 * confirm it over bit vectors. Included before every proved file. */
#ifndef CORBEL_PROOFS_BITS_H
#define CORBEL_PROOFS_BITS_H

#include <stdbool.h>
#include <stdint.h>

/*@ // The field of mask m at shift s of word w, and w with it replaced by v.
    logic integer field(integer w, integer s, integer m) = (w >> s) & m;
    logic integer with(integer w, integer s, integer m, integer v) =
        (w & ~(m << s)) | ((v & m) << s);
    predicate pow2(integer a) = a > 0 && (a & (a - 1)) == 0;
    predicate aligned(integer v, integer a) = (v & (a - 1)) == 0;
    predicate word_bit(integer w, integer b) = ((w >> b) & 1) != 0;
    predicate low_zeroes(integer v, integer n) = (v & ((1 << n) - 1)) == 0;
    // WP sorts the arguments of & and |, but does not tell the solvers that it may.
    logic integer conj(integer a, integer b) = a & b;
    logic integer disj(integer a, integer b) = a | b; */

// A block without symbols of its own is shown to the solvers with every goal; not where words
// are known by name only.
#ifndef PROOF_BY_NAME
/*@ axiomatic Bits {
    axiom field_range: \forall uint64_t w, uint8_t s, uint64_t m;
        s < 64 ==> 0 <= field(w, s, m) <= m;
    axiom field_zero: \forall uint8_t s, uint64_t m; s < 64 ==> field(0, s, m) == 0;
    axiom with_same: \forall uint64_t w, uint8_t s, uint64_t m;
        s < 64 ==> with(w, s, m, field(w, s, m)) == w;
    axiom with_with: \forall uint64_t w, uint8_t s, uint64_t m, uint64_t a, uint64_t b;
        s < 64 ==> with(with(w, s, m, a), s, m, b) == with(w, s, m, b);
    axiom and_commutes: \forall uint64_t a, uint64_t b; conj(a, b) == conj(b, a);
    axiom or_commutes: \forall uint64_t a, uint64_t b; disj(a, b) == disj(b, a);
    axiom and_range: \forall uint64_t a, uint64_t b; 0 <= (a & b) <= a && (a & b) <= b;
    axiom and_not: \forall uint64_t a, uint64_t b; (a & (uint64_t)(~b)) == (a & ~b);
    axiom shl_masked: \forall uint64_t v, uint64_t m, uint8_t s;
        s < 64 && (m << s) <= 0xffffffffffffffff ==> ((v & m) << s) <= 0xffffffffffffffff;
    axiom shl_order: \forall uint64_t v, uint64_t m, uint8_t s;
        v <= m && s < 64 ==> 0 <= (v << s) <= (m << s);

    axiom pow2_shift: \forall uint8_t k;
        k < 64 ==> pow2(1 << k) && 1 <= (1 << k) <= 0x8000000000000000;
    axiom align: \forall uint64_t v, uint64_t a; pow2(a) ==>
        v - a < (v & (uint64_t)(~(a - 1))) <= v && aligned(v & (uint64_t)(~(a - 1)), a);
    axiom aligned_same: \forall uint64_t v, uint64_t a; pow2(a) && aligned(v, a) ==>
        (v & (uint64_t)(~(a - 1))) == v;

    axiom word_bit_shift: \forall uint64_t w, uint8_t s, uint8_t b;
        s < 64 && b < 64 ==> (word_bit(w >> s, b) <==> word_bit(w, s + b));
    axiom word_bit_range: \forall uint64_t w, uint8_t b; b >= 64 ==> !word_bit(w, b);
    axiom word_bit_none: \forall uint64_t w, uint8_t s, uint8_t b;
        s <= b < 64 && (w >> s) == 0 ==> !word_bit(w, b);
    axiom page: \forall uint64_t v; (v >> 12) == v / 4096 && (v << 12) == v * 4096;
    axiom div_64: \forall uint64_t v;
        (v & 63) == v % 64 && (v | 63) == v - v % 64 + 63 && (v >> 6) == v / 64;
    // v & (v - 1) clears the lowest bit that is set.
    axiom low_zeroes_none: \forall uint64_t v; low_zeroes(v, 0);
    axiom low_zeroes_all: \forall uint64_t v; low_zeroes(v, 64) ==> v == 0;
    axiom low_zeroes_step: \forall uint64_t v, uint8_t n; v != 0 && n < 64 && low_zeroes(v, n) ==>
        low_zeroes(v & (v - 1), n + 1) && (v & (v - 1)) < v;

    axiom mask_1: \forall uint64_t v; v <= 0x1 ==> (v & 0x1) == v;
    axiom mask_3: \forall uint64_t v; v <= 0x3 ==> (v & 0x3) == v;
    axiom mask_f: \forall uint64_t v; v <= 0xf ==> (v & 0xf) == v;
    axiom mask_1f: \forall uint64_t v; v <= 0x1f ==> (v & 0x1f) == v;
    axiom mask_7fff: \forall uint64_t v; v <= 0x7fff ==> (v & 0x7fff) == v;
    axiom mask_1ffff: \forall uint64_t v; v <= 0x1ffff ==> (v & 0x1ffff) == v;
    axiom mask_1ffffff: \forall uint64_t v; v <= 0x1ffffff ==> (v & 0x1ffffff) == v;
    axiom mask_fffffff: \forall uint64_t v; v <= 0xfffffff ==> (v & 0xfffffff) == v;
} */
#endif

#define __builtin_ctzll proof_ctzll
#define __builtin_clzll proof_clzll

/*@ requires x != 0;
    terminates \true;
    assigns \nothing;
    ensures 0 <= \result < 64 && word_bit(x, \result);
    ensures \forall integer i; 0 <= i < \result ==> !word_bit(x, i); */
int proof_ctzll(unsigned long long x);

/*@ requires x != 0;
    terminates \true;
    assigns \nothing;
    ensures 0 <= \result < 64 && word_bit(x, 63 - \result);
    ensures \forall integer i; 63 - \result < i < 64 ==> !word_bit(x, i); */
int proof_clzll(unsigned long long x);

#endif
