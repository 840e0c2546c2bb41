/* src/core/gnttab/gnttab_entry.c, and that a grant's words are where its table has pages. */
#include "core/gnttab/gnttab_private.h"
#include "shared_words.h"

#include "../../src/core/gnttab/gnttab_entry.c"

/*@ requires pages(t) && t->nr_frames <= GNTTAB_MAX_FRAMES && t->version == 1;
    requires in_table(1, t->nr_frames, ref);
    assigns \nothing;
    ensures inside: words(t, 1, ref); */
void proof_inside_v1(const struct gnttab *t, grant_ref_t ref)
{
    /*@ assert page: ref / V1_PER_FRAME < t->nr_frames; */
    /*@ assert there: \valid(words_in(t->shared[ref / V1_PER_FRAME]) + (0 .. PAGE_SIZE / 4 - 1)) &&
            \separated(words_in(t->shared[ref / V1_PER_FRAME]) + (0 .. PAGE_SIZE / 4 - 1), t); */
    /*@ assert place: ref % V1_PER_FRAME * V1_WORDS <= PAGE_SIZE / 4 - V1_WORDS; */
}

/*@ requires pages(t) && t->nr_frames <= GNTTAB_MAX_FRAMES && t->version == 2;
    requires in_table(2, t->nr_frames, ref);
    assigns \nothing;
    ensures inside: words(t, 2, ref); */
void proof_inside_v2(const struct gnttab *t, grant_ref_t ref)
{
    /*@ assert page: ref / V2_PER_FRAME < t->nr_frames; */
    /*@ assert there: \valid(words_in(t->shared[ref / V2_PER_FRAME]) + (0 .. PAGE_SIZE / 4 - 1)) &&
            \valid_read(longs_in(t->shared[ref / V2_PER_FRAME]) + (0 .. PAGE_SIZE / 8 - 1)); */
    /*@ assert place: ref % V2_PER_FRAME * V2_WORDS <= PAGE_SIZE / 4 - V2_WORDS &&
            ref % V2_PER_FRAME * 2 + 1 < PAGE_SIZE / 8; */
    /*@ assert status_page: ref / STATUS_PER_FRAME < t->nr_status_frames; */
    /*@ assert status: \valid(words_in(t->status[ref / STATUS_PER_FRAME]) +
                (0 .. PAGE_SIZE / 4 - 1)) &&
            \separated(words_in(t->status[ref / STATUS_PER_FRAME]) + (0 .. PAGE_SIZE / 4 - 1), t);
    */
    /*@ assert status_place: ref % STATUS_PER_FRAME / 2 < PAGE_SIZE / 4; */
}
