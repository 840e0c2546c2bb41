/* src/core/mem/frame.c, and by contract what it calls of the page allocator. */
#include "frame_axioms.h"
#include "core/mem/frame_word.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

/* A frame with references is never freed, nor one with a type or an allocation. */
/*@ requires m.v < hv->max_mfn && word_used(hv->frames[m.v]);
    requires INV_MEM_1: word_refs(hv->frames[m.v]) == 0 && word_allocated(hv->frames[m.v]) == 0 &&
        word_type_count(hv->frames[m.v]) == 0;
    terminates \true;
    assigns hv->frames[0 .. hv->max_mfn - 1], *hv; */
void page_free_one(mfn_t m);

#include "../../src/core/mem/frame.c"
