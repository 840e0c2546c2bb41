/* What core/mem/buddy.h says of words, by name only: for modules that are given
 * -DPROOF_BY_NAME. What is proved of names is true of what they stand for there. */
#ifndef CORBEL_PROOFS_WORDS_BY_NAME_H
#define CORBEL_PROOFS_WORDS_BY_NAME_H

#include "core/state.h"

/*@ axiomatic ByName {
    logic integer word{L}(integer x) reads hv->frames[x];
    logic integer top{L} reads hv->max_mfn;
    logic integer free_frames{L} reads hv->heap.free_pages;
    logic integer dirty_frames{L} reads hv->heap.dirty_pages;
    logic integer span(integer order);
    logic integer extent(integer w);
    logic integer rank(integer w);
    logic integer dirt(integer w);
    predicate taken(integer w);
    predicate boundary(integer m, integer n);
    predicate table{L} reads hv->frames, hv->max_mfn;
} */

#endif
