/* References change by compare-and-swap of the whole word, so that owner, type
 * and counts are always judged together and no lock is needed. */
#include "core/mem/frame.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/mem/frame_word.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

/*@ requires frame_table;
    assigns \nothing;
    ensures \result <==> m.v < hv->max_mfn && word_state(hv->frames[m.v]) != FRAME_ABSENT; */
bool frame_valid(mfn_t m)
{
    return m.v < hv->max_mfn && fw_state(load_u64(&hv->frames[m.v])) != FRAME_ABSENT;
}

/*@ requires frame_table;
    assigns \nothing;
    ensures m.v >= hv->max_mfn ==> \result.state == FRAME_ABSENT;
    ensures m.v < hv->max_mfn ==> \result.state == word_state(hv->frames[m.v]);
    ensures m.v < hv->max_mfn && word_used(hv->frames[m.v]) ==>
        \result.type == word_type(hv->frames[m.v]) && \result.refs == word_refs(hv->frames[m.v]) &&
        \result.type_count == word_type_count(hv->frames[m.v]) &&
        \result.owner == word_owner(hv->frames[m.v]);
    ensures INV_MEM_1: m.v < hv->max_mfn && !word_used(hv->frames[m.v]) ==>
        \result.refs == 0 && \result.type == FRAME_NONE && \result.owner == 0; */
struct frame frame_read(mfn_t m)
{
    if (m.v >= hv->max_mfn)
        return (struct frame){.state = FRAME_ABSENT};
    return fw_unpack(load_u64(&hv->frames[m.v]));
}

/*@ // From w to n by one reference more: the frame was not free, and nothing else changed.
    predicate word_got(integer w, integer n) = word_used(w) && word_refs(w) > 0 &&
        n == with(w, 24, 0x1ffffff, word_refs(w) + 1) && word_refs(n) == word_refs(w) + 1 &&
        word_type(w) != FRAME_HYP && word_type(w) != FRAME_P2M; */

/* One more reference to a frame that has some; *owner is the frame's owner, and
 * with match set must be so already. */
/*@ requires frame_table && \valid(owner);
    requires \separated(owner, hv, hv->frames + (0 .. hv->max_mfn - 1));
    requires m.v < hv->max_mfn ==> INV_MEM_2(hv->frames[m.v]) && INV_MEM_3(hv->frames[m.v]);
    assigns hv->frames[m.v], *owner;
    ensures fails: !\result && m.v < hv->max_mfn ==> hv->frames[m.v] == \old(hv->frames[m.v]);
    ensures !\result ==> *owner == \old(*owner);
    ensures frame_got: \result ==> m.v < hv->max_mfn &&
        word_got(\old(hv->frames[m.v]), hv->frames[m.v]);
    ensures owned: \result ==> *owner == word_owner(hv->frames[m.v]) &&
        (match ==> *owner == \old(*owner));
    ensures no_overflow: \result ==> word_refs(hv->frames[m.v]) <= FRAME_REFS_MAX;
    ensures INV_MEM_2: m.v < hv->max_mfn ==> INV_MEM_2(hv->frames[m.v]);
    ensures INV_MEM_3: m.v < hv->max_mfn ==> INV_MEM_3(hv->frames[m.v]); */
static bool get(mfn_t m, bool match, domid_t *owner)
{
    uint64_t *p, word;

    if (m.v >= hv->max_mfn)
        return false;
    p = &hv->frames[m.v];
    /*@ loop invariant hv->frames[m.v] == \at(hv->frames[m.v], Pre);
        loop assigns word, hv->frames[m.v];
        loop variant 1; */
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

/*@ requires frame_table;
    requires m.v < hv->max_mfn ==> INV_MEM_2(hv->frames[m.v]) && INV_MEM_3(hv->frames[m.v]);
    assigns hv->frames[m.v];
    ensures !\result && m.v < hv->max_mfn ==> hv->frames[m.v] == \old(hv->frames[m.v]);
    ensures \result ==> m.v < hv->max_mfn && word_got(\old(hv->frames[m.v]), hv->frames[m.v]) &&
        word_owner(hv->frames[m.v]) == owner;
    ensures m.v < hv->max_mfn ==> INV_MEM_2(hv->frames[m.v]) && INV_MEM_3(hv->frames[m.v]); */
bool frame_get(mfn_t m, domid_t owner)
{
    return get(m, true, &owner);
}

/*@ requires frame_table && \valid(owner);
    requires \separated(owner, hv, hv->frames + (0 .. hv->max_mfn - 1));
    requires m.v < hv->max_mfn ==> INV_MEM_2(hv->frames[m.v]) && INV_MEM_3(hv->frames[m.v]);
    assigns hv->frames[m.v], *owner;
    ensures !\result && m.v < hv->max_mfn ==> hv->frames[m.v] == \old(hv->frames[m.v]);
    ensures \result ==> m.v < hv->max_mfn && word_got(\old(hv->frames[m.v]), hv->frames[m.v]) &&
        *owner == word_owner(hv->frames[m.v]);
    ensures m.v < hv->max_mfn ==> INV_MEM_2(hv->frames[m.v]) && INV_MEM_3(hv->frames[m.v]); */
bool frame_get_any(mfn_t m, domid_t *owner)
{
    domid_t found = DOMID_INVALID;

    if (!get(m, false, &found))
        return false;
    *owner = found;
    return true;
}

/*@ requires frame_table && m.v < hv->max_mfn;
    requires held: word_used(hv->frames[m.v]) && word_refs(hv->frames[m.v]) > 0;
    requires INV_MEM_2(hv->frames[m.v]) && INV_MEM_3(hv->frames[m.v]);
    requires not_the_typed_one: word_refs(hv->frames[m.v]) > word_type_count(hv->frames[m.v]);
    requires not_the_allocations:
        word_allocated(hv->frames[m.v]) != 0 ==> word_refs(hv->frames[m.v]) > 1;
    behavior kept:
        assumes word_refs(hv->frames[m.v]) > 1;
        ensures balance: hv->frames[m.v] ==
            with(\old(hv->frames[m.v]), 24, 0x1ffffff, word_refs(\old(hv->frames[m.v])) - 1);
        ensures word_refs(hv->frames[m.v]) == word_refs(\old(hv->frames[m.v])) - 1;
        ensures INV_MEM_2: INV_MEM_2(hv->frames[m.v]);
        ensures INV_MEM_3: INV_MEM_3(hv->frames[m.v]); */
void frame_put(mfn_t m)
{
    uint64_t *p, word;

    check(m.v < hv->max_mfn);
    p = &hv->frames[m.v];
    /*@ loop invariant hv->frames[m.v] == \at(hv->frames[m.v], Pre);
        loop assigns word, hv->frames[m.v];
        loop variant 1; */
    do {
        word = load_u64(p);
        check(fw_is_used(word) && fw_refs(word) > 0);
        /* INV-MEM-2 and INV-MEM-3: neither allocation nor type outlives the last. */
        check(fw_refs(word) > 1 || (!fw_allocated(word) && fw_type_count(word) == 0));
    } while (!cmpxchg_u64(p, word, fw_with_refs(word, fw_refs(word) - 1)));
    if (fw_refs(word) == 1)
        page_free_one(m);
}

/*@ requires frame_table && m.v < hv->max_mfn && FRAME_NONE < type < FRAME_HYP;
    requires held: word_used(hv->frames[m.v]) &&
        word_refs(hv->frames[m.v]) > word_type_count(hv->frames[m.v]);
    requires INV_MEM_2(hv->frames[m.v]) && INV_MEM_3(hv->frames[m.v]);
    assigns hv->frames[m.v];
    ensures !\result ==> hv->frames[m.v] == \old(hv->frames[m.v]);
    ensures \result ==> word_type(hv->frames[m.v]) == type && word_type_count(hv->frames[m.v]) ==
        word_type_count(\old(hv->frames[m.v])) + 1 <= FRAME_TYPE_COUNT_MAX;
    ensures exclusive: \result && word_type_count(\old(hv->frames[m.v])) > 0 ==>
        word_type(\old(hv->frames[m.v])) == type;
    ensures never_of_own_frames: \result ==> word_type(\old(hv->frames[m.v])) < FRAME_HYP;
    ensures word_refs(hv->frames[m.v]) == word_refs(\old(hv->frames[m.v]));
    ensures word_owner(hv->frames[m.v]) == word_owner(\old(hv->frames[m.v]));
    ensures INV_MEM_2: INV_MEM_2(hv->frames[m.v]);
    ensures INV_MEM_3: INV_MEM_3(hv->frames[m.v]); */
bool frame_get_type(mfn_t m, enum frame_type type)
{
    uint64_t *p, word, count;

    check(type > FRAME_NONE && type < FRAME_HYP);
    check(m.v < hv->max_mfn);
    p = &hv->frames[m.v];
    /*@ loop invariant hv->frames[m.v] == \at(hv->frames[m.v], Pre);
        loop assigns word, count, hv->frames[m.v];
        loop variant 1; */
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

/*@ requires frame_table && m.v < hv->max_mfn;
    requires held: word_used(hv->frames[m.v]) && word_type_count(hv->frames[m.v]) > 0;
    requires INV_MEM_2(hv->frames[m.v]) && INV_MEM_3(hv->frames[m.v]);
    assigns hv->frames[m.v];
    ensures word_type_count(hv->frames[m.v]) == word_type_count(\old(hv->frames[m.v])) - 1;
    ensures word_type(hv->frames[m.v]) == (word_type_count(\old(hv->frames[m.v])) > 1 ?
        word_type(\old(hv->frames[m.v])) : FRAME_NONE);
    ensures word_refs(hv->frames[m.v]) == word_refs(\old(hv->frames[m.v]));
    ensures word_owner(hv->frames[m.v]) == word_owner(\old(hv->frames[m.v]));
    ensures INV_MEM_2: INV_MEM_2(hv->frames[m.v]);
    ensures INV_MEM_3: INV_MEM_3(hv->frames[m.v]); */
void frame_put_type(mfn_t m)
{
    uint64_t *p, word, count;

    check(m.v < hv->max_mfn);
    p = &hv->frames[m.v];
    /*@ loop invariant hv->frames[m.v] == \at(hv->frames[m.v], Pre);
        loop assigns word, count, hv->frames[m.v];
        loop variant 1; */
    do {
        word = load_u64(p);
        count = fw_type_count(word);
        check(fw_is_used(word) && count > 0);
    } while (!cmpxchg_u64(p, word,
                          fw_with_type(word, count > 1 ? fw_type(word) : FRAME_NONE, count - 1)));
}

/*@ requires frame_table && m.v < hv->max_mfn;
    requires held: word_used(hv->frames[m.v]) && word_refs(hv->frames[m.v]) > 0;
    requires callers_own: word_allocated(hv->frames[m.v]) != 0 ==>
        word_refs(hv->frames[m.v]) > 1 &&
        word_refs(hv->frames[m.v]) > word_type_count(hv->frames[m.v]);
    requires INV_MEM_2(hv->frames[m.v]) && INV_MEM_3(hv->frames[m.v]);
    assigns hv->frames[m.v];
    ensures \result <==> word_allocated(\old(hv->frames[m.v])) != 0;
    ensures !\result ==> hv->frames[m.v] == \old(hv->frames[m.v]);
    ensures once: word_allocated(hv->frames[m.v]) == 0;
    ensures \result ==> word_refs(hv->frames[m.v]) == word_refs(\old(hv->frames[m.v])) - 1;
    ensures word_owner(hv->frames[m.v]) == word_owner(\old(hv->frames[m.v]));
    ensures INV_MEM_2: INV_MEM_2(hv->frames[m.v]);
    ensures INV_MEM_3: INV_MEM_3(hv->frames[m.v]); */
bool frame_release_allocation(mfn_t m)
{
    uint64_t *p, word;

    check(m.v < hv->max_mfn);
    p = &hv->frames[m.v];
    /*@ loop invariant hv->frames[m.v] == \at(hv->frames[m.v], Pre);
        loop assigns word, hv->frames[m.v];
        loop variant 1; */
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
