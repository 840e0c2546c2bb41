/* The frame table without the memory that holes of the address space would take: a PC
 * with 4 GiB has addresses up to 6. Pages of the table that only say "not RAM" become
 * one read-only page of zeroes, and are given back. */
#include "bare/bare.h"

#include "core/console/console.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

#define WORDS (PAGE_SIZE / sizeof(uint64_t))
#define WORTH_PAGES 64u /* fewer are not worth small pages for all of the table */

/* True iff page i of the table names no RAM; the last page ends with the table. */
static bool is_hole(uint64_t i)
{
    for (uint64_t m = i * WORDS; m < (i + 1) * WORDS && m < hv->max_mfn; m++) {
        if (hv->frames[m] != 0)
            return false;
    }
    return true;
}

void frame_table_thin(void)
{
    uint64_t pages = (hv->max_mfn + WORDS - 1) / WORDS, holes = 0;
    uint8_t *old = (uint8_t *)hv->frames;
    void *zeroes;

    for (uint64_t i = 0; i < pages; i++)
        holes += is_hole(i);
    if (holes < WORTH_PAGES || !paging_frames_fit(pages))
        return;
    zeroes = hyp_pages_alloc(NULL, 0, FRAME_HYP);
    for (uint64_t i = 0; i < pages; i++) {
        bool hole = is_hole(i);

        if (!zeroes || !paging_map_frames(i, hole ? zeroes : old + i * PAGE_SIZE, !hole))
            return; /* the first table stays in use; what was taken is lost with the memory */
    }
    hv->frames = paging_frames();
    for (uint64_t i = 0; i < pages; i++) {
        if (is_hole(i))
            hyp_pages_free(old + i * PAGE_SIZE, 0);
    }
    hv_log(3, "frame table: %lu pages, %lu of them holes", pages, holes);
}
