/* The shared entries, as words that the guest may change at any moment: where they are, and what
 * is read of them, each word once. */
#include "core/gnttab/gnttab_private.h"

#include "base/atomic.h"

/* Where the fields are, in words of an entry. */
#define IN_WORD(type, field, word, offset, size)                                                   \
    (offsetof(type, field) == 4 * (word) + (offset) && sizeof(((type *)NULL)->field) == (size))
#define V1_FRAME_WORD 1u
#define V2_PART_WORD 1u
#define V2_REF_WORD 2u

_Static_assert(sizeof(grant_entry_v1_t) == 4 * V1_WORDS && sizeof(grant_entry_v2_t) == 4 * V2_WORDS,
               "entries are words");
_Static_assert(IN_WORD(grant_entry_v1_t, flags, 0, 0, 2) &&
                   IN_WORD(grant_entry_v1_t, domid, 0, 2, 2) &&
                   IN_WORD(grant_entry_header_t, flags, 0, 0, 2) &&
                   IN_WORD(grant_entry_header_t, domid, 0, 2, 2),
               "flags and domid are one word");
_Static_assert(IN_WORD(grant_entry_v1_t, frame, V1_FRAME_WORD, 0, 4) &&
                   IN_WORD(grant_entry_v2_t, full_page.frame, 2, 0, 8) &&
                   IN_WORD(grant_entry_v2_t, sub_page.frame, 2, 0, 8),
               "the frame");
_Static_assert(IN_WORD(grant_entry_v2_t, sub_page.page_off, V2_PART_WORD, 0, 2) &&
                   IN_WORD(grant_entry_v2_t, sub_page.length, V2_PART_WORD, 2, 2) &&
                   IN_WORD(grant_entry_v2_t, transitive.trans_domid, V2_PART_WORD, 0, 2) &&
                   IN_WORD(grant_entry_v2_t, transitive.gref, V2_REF_WORD, 0, 4),
               "what a part is, and the next grant");

grant_entry_v1_t *gnttab_entry_v1(const struct gnttab *t, grant_ref_t ref)
{
    return (grant_entry_v1_t *)t->shared[ref / V1_PER_FRAME] + ref % V1_PER_FRAME;
}

grant_entry_v2_t *gnttab_entry_v2(const struct gnttab *t, grant_ref_t ref)
{
    return (grant_entry_v2_t *)t->shared[ref / V2_PER_FRAME] + ref % V2_PER_FRAME;
}

/* A shared page as words. */
/*@ terminates \true;
    assigns \nothing;
    ensures \result == words_in(page); */
static uint32_t *page_words(void *page)
{
    return page;
}

/* The same as long words. */
/*@ terminates \true;
    assigns \nothing;
    ensures \result == longs_in(page); */
static const uint64_t *page_longs(const void *page)
{
    return page;
}

uint32_t *gnttab_entry_header(const struct gnttab *t, grant_ref_t ref)
{
    if (t->version == 1) {
        return &page_words(t->shared[ref / V1_PER_FRAME])[ref % V1_PER_FRAME * V1_WORDS];
    }
    return &page_words(t->shared[ref / V2_PER_FRAME])[ref % V2_PER_FRAME * V2_WORDS];
}

uint32_t *gnttab_entry_marks(const struct gnttab *t, grant_ref_t ref)
{
    if (t->version == 1) {
        return gnttab_entry_header(t, ref);
    }
    return &page_words(t->status[ref / STATUS_PER_FRAME])[ref % STATUS_PER_FRAME / 2];
}

/*@ requires status <= 0xffff;
    assigns \nothing;
    ensures \result == status_marks(ref, status); */
static uint32_t status_bits(grant_ref_t ref, uint32_t status)
{
    return status * (ref % 2 == 0 ? 1u : 0x10000u);
}

uint32_t gnttab_entry_mark_bits(const struct gnttab *t, grant_ref_t ref, uint32_t marks)
{
    return t->version == 1 ? marks : status_bits(ref, marks);
}

uint32_t gnttab_status_read(const struct gnttab *t, grant_ref_t ref)
{
    uint32_t word = load_u32(gnttab_entry_marks(t, ref));

    return ref % 2 == 0 ? word & 0xffff : word >> 16;
}

void gnttab_status_write(struct gnttab *t, grant_ref_t ref, uint32_t status)
{
    uint32_t *word = gnttab_entry_marks(t, ref);

    fetch_and_u32(word, ~status_bits(ref, 0xffff));
    fetch_or_u32(word, status_bits(ref, status & 0xffff));
}

uint64_t gnttab_entry_frame(const struct gnttab *t, grant_ref_t ref)
{
    if (t->version == 1) {
        return load_u32(&gnttab_entry_header(t, ref)[V1_FRAME_WORD]);
    }
    return load_u64(&page_longs(t->shared[ref / V2_PER_FRAME])[ref % V2_PER_FRAME * 2 + 1]);
}

uint64_t gnttab_entry_read(const struct gnttab *t, grant_ref_t ref, uint32_t header,
                           struct gnttab_active *a)
{
    const uint32_t *words;
    uint32_t part;

    a->mfn = mfn_invalid();
    a->start = 0;
    a->length = PAGE_SIZE;
    a->part = t->version == 2 &&
              ((header & GTF_type_mask) == GTF_transitive || (header & GTF_sub_page) != 0);
    a->transitive = t->version == 2 && (header & GTF_type_mask) == GTF_transitive;
    if (!a->part) {
        return gnttab_entry_frame(t, ref);
    }
    words = gnttab_entry_header(t, ref);
    part = load_u32(&words[V2_PART_WORD]);
    if (a->transitive) {
        a->trans_domid = (domid_t)(part & 0xffff);
        a->trans_ref = load_u32(&words[V2_REF_WORD]);
        return 0;
    }
    a->start = (uint16_t)(part & 0xffff);
    a->length = (uint16_t)(part >> 16);
    return gnttab_entry_frame(t, ref);
}
