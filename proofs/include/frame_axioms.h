/* The layouts of core/mem/frame.h: writing one field leaves the others of its layout.
 * Included before the files that use core/mem/frame_word.h. */
#ifndef CORBEL_PROOFS_FRAME_AXIOMS_H
#define CORBEL_PROOFS_FRAME_AXIOMS_H

/*@ axiomatic FrameWord {
    axiom used_state: \forall uint64_t w, uint64_t v;
        field(with(w, 0, 0x3, v), 0, 0x3) == (v & 0x3) &&
        field(with(w, 0, 0x3, v), 2, 0xf) == field(w, 2, 0xf) &&
        field(with(w, 0, 0x3, v), 6, 0x1ffff) == field(w, 6, 0x1ffff) &&
        field(with(w, 0, 0x3, v), 23, 0x1) == field(w, 23, 0x1) &&
        field(with(w, 0, 0x3, v), 24, 0x1ffffff) == field(w, 24, 0x1ffffff) &&
        field(with(w, 0, 0x3, v), 49, 0x7fff) == field(w, 49, 0x7fff);
    axiom used_type: \forall uint64_t w, uint64_t v;
        field(with(w, 2, 0xf, v), 2, 0xf) == (v & 0xf) &&
        field(with(w, 2, 0xf, v), 0, 0x3) == field(w, 0, 0x3) &&
        field(with(w, 2, 0xf, v), 6, 0x1ffff) == field(w, 6, 0x1ffff) &&
        field(with(w, 2, 0xf, v), 23, 0x1) == field(w, 23, 0x1) &&
        field(with(w, 2, 0xf, v), 24, 0x1ffffff) == field(w, 24, 0x1ffffff) &&
        field(with(w, 2, 0xf, v), 49, 0x7fff) == field(w, 49, 0x7fff);
    axiom used_type_count: \forall uint64_t w, uint64_t v;
        field(with(w, 6, 0x1ffff, v), 6, 0x1ffff) == (v & 0x1ffff) &&
        field(with(w, 6, 0x1ffff, v), 0, 0x3) == field(w, 0, 0x3) &&
        field(with(w, 6, 0x1ffff, v), 2, 0xf) == field(w, 2, 0xf) &&
        field(with(w, 6, 0x1ffff, v), 23, 0x1) == field(w, 23, 0x1) &&
        field(with(w, 6, 0x1ffff, v), 24, 0x1ffffff) == field(w, 24, 0x1ffffff) &&
        field(with(w, 6, 0x1ffff, v), 49, 0x7fff) == field(w, 49, 0x7fff);
    axiom used_allocated: \forall uint64_t w, uint64_t v;
        field(with(w, 23, 0x1, v), 23, 0x1) == (v & 0x1) &&
        field(with(w, 23, 0x1, v), 0, 0x3) == field(w, 0, 0x3) &&
        field(with(w, 23, 0x1, v), 2, 0xf) == field(w, 2, 0xf) &&
        field(with(w, 23, 0x1, v), 6, 0x1ffff) == field(w, 6, 0x1ffff) &&
        field(with(w, 23, 0x1, v), 24, 0x1ffffff) == field(w, 24, 0x1ffffff) &&
        field(with(w, 23, 0x1, v), 49, 0x7fff) == field(w, 49, 0x7fff);
    axiom used_refs: \forall uint64_t w, uint64_t v;
        field(with(w, 24, 0x1ffffff, v), 24, 0x1ffffff) == (v & 0x1ffffff) &&
        field(with(w, 24, 0x1ffffff, v), 0, 0x3) == field(w, 0, 0x3) &&
        field(with(w, 24, 0x1ffffff, v), 2, 0xf) == field(w, 2, 0xf) &&
        field(with(w, 24, 0x1ffffff, v), 6, 0x1ffff) == field(w, 6, 0x1ffff) &&
        field(with(w, 24, 0x1ffffff, v), 23, 0x1) == field(w, 23, 0x1) &&
        field(with(w, 24, 0x1ffffff, v), 49, 0x7fff) == field(w, 49, 0x7fff);
    axiom used_owner: \forall uint64_t w, uint64_t v;
        field(with(w, 49, 0x7fff, v), 49, 0x7fff) == (v & 0x7fff) &&
        field(with(w, 49, 0x7fff, v), 0, 0x3) == field(w, 0, 0x3) &&
        field(with(w, 49, 0x7fff, v), 2, 0xf) == field(w, 2, 0xf) &&
        field(with(w, 49, 0x7fff, v), 6, 0x1ffff) == field(w, 6, 0x1ffff) &&
        field(with(w, 49, 0x7fff, v), 23, 0x1) == field(w, 23, 0x1) &&
        field(with(w, 49, 0x7fff, v), 24, 0x1ffffff) == field(w, 24, 0x1ffffff);
    axiom free_state: \forall uint64_t w, uint64_t v;
        field(with(w, 0, 0x3, v), 0, 0x3) == (v & 0x3) &&
        field(with(w, 0, 0x3, v), 2, 0x1f) == field(w, 2, 0x1f) &&
        field(with(w, 0, 0x3, v), 7, 0x1) == field(w, 7, 0x1) &&
        field(with(w, 0, 0x3, v), 8, 0xfffffff) == field(w, 8, 0xfffffff) &&
        field(with(w, 0, 0x3, v), 36, 0xfffffff) == field(w, 36, 0xfffffff);
    axiom free_order: \forall uint64_t w, uint64_t v;
        field(with(w, 2, 0x1f, v), 2, 0x1f) == (v & 0x1f) &&
        field(with(w, 2, 0x1f, v), 0, 0x3) == field(w, 0, 0x3) &&
        field(with(w, 2, 0x1f, v), 7, 0x1) == field(w, 7, 0x1) &&
        field(with(w, 2, 0x1f, v), 8, 0xfffffff) == field(w, 8, 0xfffffff) &&
        field(with(w, 2, 0x1f, v), 36, 0xfffffff) == field(w, 36, 0xfffffff);
    axiom free_dirty: \forall uint64_t w, uint64_t v;
        field(with(w, 7, 0x1, v), 7, 0x1) == (v & 0x1) &&
        field(with(w, 7, 0x1, v), 0, 0x3) == field(w, 0, 0x3) &&
        field(with(w, 7, 0x1, v), 2, 0x1f) == field(w, 2, 0x1f) &&
        field(with(w, 7, 0x1, v), 8, 0xfffffff) == field(w, 8, 0xfffffff) &&
        field(with(w, 7, 0x1, v), 36, 0xfffffff) == field(w, 36, 0xfffffff);
    axiom free_next: \forall uint64_t w, uint64_t v;
        field(with(w, 8, 0xfffffff, v), 8, 0xfffffff) == (v & 0xfffffff) &&
        field(with(w, 8, 0xfffffff, v), 0, 0x3) == field(w, 0, 0x3) &&
        field(with(w, 8, 0xfffffff, v), 2, 0x1f) == field(w, 2, 0x1f) &&
        field(with(w, 8, 0xfffffff, v), 7, 0x1) == field(w, 7, 0x1) &&
        field(with(w, 8, 0xfffffff, v), 36, 0xfffffff) == field(w, 36, 0xfffffff);
    axiom free_prev: \forall uint64_t w, uint64_t v;
        field(with(w, 36, 0xfffffff, v), 36, 0xfffffff) == (v & 0xfffffff) &&
        field(with(w, 36, 0xfffffff, v), 0, 0x3) == field(w, 0, 0x3) &&
        field(with(w, 36, 0xfffffff, v), 2, 0x1f) == field(w, 2, 0x1f) &&
        field(with(w, 36, 0xfffffff, v), 7, 0x1) == field(w, 7, 0x1) &&
        field(with(w, 36, 0xfffffff, v), 8, 0xfffffff) == field(w, 8, 0xfffffff);
} */

#endif
