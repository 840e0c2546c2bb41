/* References change by compare-and-swap of the whole word, so that owner, type
 * and counts are always judged together and no lock is needed. */
#include "core/mem/frame.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/mem/frame_word.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

bool frame_valid(mfn_t m)
{
    return m.v < hv->max_mfn && fw_state(load_u64(&hv->frames[m.v])) != FRAME_ABSENT;
}

struct frame frame_read(mfn_t m)
{
    if (m.v >= hv->max_mfn)
        return (struct frame){.state = FRAME_ABSENT};
    return fw_unpack(load_u64(&hv->frames[m.v]));
}

/* One more reference to a frame that has some; *owner is the frame's owner, and
 * with match set must be so already. */
static bool get(mfn_t m, bool match, domid_t *owner)
{
    uint64_t *p, word;

    if (m.v >= hv->max_mfn)
        return false;
    p = &hv->frames[m.v];
    do {
        word = load_u64(p);
        if (!fw_is_used(word) || fw_refs(word) == 0 || fw_refs(word) >= FRAME_REFS_MAX)
            return false;
        if (fw_type(word) == FRAME_HYP || fw_type(word) == FRAME_P2M)
            return false;
        if (match && fw_owner(word) != *owner)
            return false;
    } while (!cmpxchg_u64(p, word, fw_with_refs(word, fw_refs(word) + 1)));
    *owner = (domid_t)fw_owner(word);
    return true;
}

bool frame_get(mfn_t m, domid_t owner)
{
    return get(m, true, &owner);
}

bool frame_get_any(mfn_t m, domid_t *owner)
{
    domid_t found;

    if (!get(m, false, &found))
        return false;
    *owner = found;
    return true;
}

void frame_put(mfn_t m)
{
    uint64_t *p, word;

    check(m.v < hv->max_mfn);
    p = &hv->frames[m.v];
    do {
        word = load_u64(p);
        check(fw_is_used(word) && fw_refs(word) > 0);
        /* INV-MEM-2 and INV-MEM-3: neither allocation nor type outlives the last. */
        check(fw_refs(word) > 1 || (!fw_allocated(word) && fw_type_count(word) == 0));
    } while (!cmpxchg_u64(p, word, fw_with_refs(word, fw_refs(word) - 1)));
    if (fw_refs(word) == 1)
        page_free_one(m);
}

bool frame_get_type(mfn_t m, enum frame_type type)
{
    uint64_t *p, word, count;

    check(type > FRAME_NONE && type < FRAME_HYP);
    check(m.v < hv->max_mfn);
    p = &hv->frames[m.v];
    do {
        word = load_u64(p);
        count = fw_type_count(word);
        check(fw_is_used(word) && fw_refs(word) > 0);
        /* The hypervisor's own frames keep their type for life. */
        if (fw_type(word) >= FRAME_HYP || count >= FRAME_TYPE_COUNT_MAX)
            return false;
        if (count > 0 && fw_type(word) != (uint64_t)type)
            return false;
    } while (!cmpxchg_u64(p, word, fw_with_type(word, type, count + 1)));
    return true;
}

void frame_put_type(mfn_t m)
{
    uint64_t *p, word, count;

    check(m.v < hv->max_mfn);
    p = &hv->frames[m.v];
    do {
        word = load_u64(p);
        count = fw_type_count(word);
        check(fw_is_used(word) && count > 0);
    } while (!cmpxchg_u64(p, word,
                          fw_with_type(word, count > 1 ? fw_type(word) : FRAME_NONE, count - 1)));
}

bool frame_release_allocation(mfn_t m)
{
    uint64_t *p, word;

    check(m.v < hv->max_mfn);
    p = &hv->frames[m.v];
    do {
        word = load_u64(p);
        check(fw_is_used(word) && fw_refs(word) > 0);
        if (!fw_allocated(word))
            return false;
        /* One reference is the allocation's, another the caller's. */
        check(fw_refs(word) > 1);
    } while (!cmpxchg_u64(p, word, fw_with_refs(fw_without_allocated(word), fw_refs(word) - 1)));
    return true;
}
