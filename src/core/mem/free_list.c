/* Each step says what it does to the frame table's words f, and to the first block
 * of one list: both sides of a link, and nothing else. INV-MEM-1 is kept from one
 * step to the next: blocks that were neighbours still are, but for the one that comes
 * or goes. */
#include "core/mem/free_list.h"

#include "base/atomic.h"

/*@ requires \valid(&f[m]) && block(f[m]) && prev <= FW_PREV_MASK;
    assigns f[m];
    ensures alike(f[m], \old(f[m])) && prev_of(f[m]) == prev && next_of(f[m]) ==
        \old(next_of(f[m])); */
static void set_prev(uint64_t *f, uint64_t m, uint64_t prev)
{
    struct free_block b = fw_unpack_free(load_u64(&f[m]));

    b.prev = prev;
    store_u64(&f[m], fw_pack_free(b));
}

/*@ requires \valid(&f[m]) && block(f[m]) && next <= FW_NEXT_MASK;
    assigns f[m];
    ensures alike(f[m], \old(f[m])) && next_of(f[m]) == next && prev_of(f[m]) ==
        \old(prev_of(f[m])); */
static void set_next(uint64_t *f, uint64_t m, uint64_t next)
{
    struct free_block b = fw_unpack_free(load_u64(&f[m]));

    b.next = next;
    store_u64(&f[m], fw_pack_free(b));
}

/* Links what was on both sides of a block to each other. */
/*@ requires \valid(&f[next]) && \valid(&f[prev]) && next <= FW_NEXT_MASK && prev <=
        FW_PREV_MASK;
    requires (next != 0 ==> block(f[next])) && (prev != 0 ==> block(f[prev]));
    assigns f[next], f[prev];
    ensures kept: \forall integer x; 0 < x && block(\old(f[x])) ==> alike(f[x], \old(f[x]));
    ensures forth: \forall integer x; 0 < x ==> next_of(f[x]) == (x == prev ? next :
        \old(next_of(f[x])));
    ensures back: \forall integer x; 0 < x ==> prev_of(f[x]) == (x == next ? prev :
        \old(prev_of(f[x]))); */
static void list_join(uint64_t *f, uint64_t next, uint64_t prev)
{
    if (next != 0)
        set_prev(f, next, prev);
    if (prev != 0)
        set_next(f, prev, next);
}

/* Takes a block out from between its neighbours; its word says inner. */
/*@ requires \valid(&f[m]) && \valid(&f[b.next]) && \valid(&f[b.prev]) && 0 < m;
    requires word_block(f[m], b.order, b.dirty, b.next, b.prev);
    requires b.next != 0 ==> block(f[b.next]) && b.next != m;
    requires b.prev != 0 ==> block(f[b.prev]) && b.prev != m;
    assigns f[m], f[b.next], f[b.prev];
    ensures off: inner(f[m]);
    ensures kept: \forall integer x; 0 < x && x != m && block(\old(f[x])) ==> alike(f[x],
        \old(f[x]));
    ensures forth: \forall integer x; 0 < x && x != m ==> next_of(f[x]) == (x == b.prev ? b.next
        : \old(next_of(f[x])));
    ensures back: \forall integer x; 0 < x && x != m ==> prev_of(f[x]) == (x == b.next ? b.prev
        : \old(prev_of(f[x]))); */
static void list_leave(uint64_t *f, uint64_t m, struct free_block b)
{
    list_join(f, b.next, b.prev);
    store_u64(&f[m], fw_pack_inner());
}

/* Takes a block off the list that begins with *first. */
/*@ requires \valid(&f[m]) && \valid(&f[b.next]) && \valid(&f[b.prev]) && \valid(first);
    requires \base_addr(f) != \base_addr(first) && 0 < m;
    requires word_block(f[m], b.order, b.dirty, b.next, b.prev);
    requires b.next != 0 ==> neighbours(f, m, b.next) && block(f[b.next]) && b.next != m;
    requires b.prev != 0 ==> neighbours(f, b.prev, m) && block(f[b.prev]) && b.prev != m;
    assigns f[m], f[b.next], f[b.prev], first->v;
    ensures off: inner(f[m]);
    ensures kept: \forall integer x; 0 < x && x != m && block(\old(f[x])) ==> alike(f[x],
        \old(f[x]));
    ensures first: first->v == (b.prev == 0 ? b.next : \old(first->v));
    ensures INV_MEM_1: b.next != 0 ==> prev_of(f[b.next]) == b.prev;
    ensures INV_MEM_1: b.prev != 0 ==> next_of(f[b.prev]) == b.next;
    ensures INV_MEM_1: \forall integer x, y; 0 < x && 0 < y && x != m && y != m &&
        neighbours{Pre}(f, x, y) ==> next_of(f[x]) == y;
    ensures INV_MEM_1: \forall integer x, y; 0 < x && 0 < y && x != m && y != m &&
        neighbours{Pre}(f, x, y) ==> prev_of(f[y]) == x;
    ensures other_first: \forall integer x; 0 < x && x != m && prev_of(f[x]) == 0 ==>
        \old(prev_of(f[x])) == 0 || x == first->v; */
static void list_remove(uint64_t *f, mfn_t *first, uint64_t m, struct free_block b)
{
    list_leave(f, m, b);
    if (b.prev == 0)
        first->v = b.next;
}

/* Puts a block before the one that it names as its next. */
/*@ requires \valid(&f[m]) && \valid(&f[b.next]) && 0 < m <= FW_NEXT_MASK && m != b.next;
    requires b.order <= FRAME_ORDER_MAX && b.next <= FW_NEXT_MASK && b.prev == 0;
    requires b.next != 0 ==> block(f[b.next]);
    assigns f[m], f[b.next];
    ensures on: word_block(f[m], b.order, b.dirty, b.next, 0);
    ensures kept: \forall integer x; 0 < x && x != m && block(\old(f[x])) ==> alike(f[x],
        \old(f[x]));
    ensures forth: \forall integer x; 0 < x && x != m ==> next_of(f[x]) == \old(next_of(f[x]));
    ensures back: \forall integer x; 0 < x && x != m ==> prev_of(f[x]) == (x == b.next ? m :
        \old(prev_of(f[x]))); */
static void list_enter(uint64_t *f, uint64_t m, struct free_block b)
{
    if (b.next != 0)
        set_prev(f, b.next, m);
    store_u64(&f[m], fw_pack_free(b));
}

/* Makes a block the first of the list that begins with *first. */
/*@ requires \valid(&f[m]) && \valid(&f[first->v]) && \valid(first) && first->v <= FW_NEXT_MASK;
    requires \base_addr(f) != \base_addr(first);
    requires 0 < m <= FW_NEXT_MASK && !block(f[m]) && order <= FRAME_ORDER_MAX;
    requires first->v != 0 ==> block(f[first->v]) && prev_of(f[first->v]) == 0;
    assigns f[m], f[first->v], first->v;
    ensures on: word_block(f[m], order, dirty, \old(first->v), 0) && first->v == m;
    ensures kept: \forall integer x; 0 < x && x != m && block(\old(f[x])) ==> alike(f[x],
        \old(f[x]));
    ensures INV_MEM_1: \old(first->v) != 0 ==> prev_of(f[\old(first->v)]) == m;
    ensures INV_MEM_1: \forall integer x, y; 0 < x && 0 < y && x != m && y != m &&
        neighbours{Pre}(f, x, y) ==> next_of(f[x]) == y;
    ensures INV_MEM_1: \forall integer x, y; 0 < x && 0 < y && x != m && y != m &&
        neighbours{Pre}(f, x, y) ==> prev_of(f[y]) == x;
    ensures other_first: \forall integer x; 0 < x && x != m && prev_of(f[x]) == 0 ==>
        \old(prev_of(f[x])) == 0 && x != \old(first->v); */
static void list_insert(uint64_t *f, mfn_t *first, uint64_t m, unsigned order, bool dirty)
{
    struct free_block b = {.order = (uint8_t)order, .dirty = dirty, .next = first->v};

    list_enter(f, m, b);
    first->v = m;
}

/*@ requires \valid(hv) && order <= FRAME_ORDER_MAX;
    assigns \nothing;
    ensures \valid(\result) && \result == list_at(m.v, order, dirty);
    ensures \base_addr(\result) == \base_addr(hv);
    ensures apart: &\result->v != &hv->heap.free_pages && &\result->v != &hv->heap.dirty_pages &&
        &\result->v != &hv->heap.scrub.v; */
static mfn_t *list_of(mfn_t m, unsigned order, bool dirty)
{
    struct heap_list *z = &hv->heap.zone[m.v < HEAP_LOW_FRAMES ? HEAP_LOW : HEAP_HIGH];

    return dirty ? &z->dirty[order] : &z->clean[order];
}

/*@ requires \valid(hv) && order <= FRAME_ORDER_MAX;
    requires hv->heap.free_pages <= UINT64_MAX - 0x40000;
    requires hv->heap.dirty_pages <= UINT64_MAX - 0x40000;
    assigns hv->heap.free_pages, hv->heap.dirty_pages;
    ensures hv->heap.free_pages == \old(hv->heap.free_pages) + span(order);
    ensures hv->heap.dirty_pages == \old(hv->heap.dirty_pages) + (dirty ? span(order) : 0); */
static void count_in(unsigned order, bool dirty)
{
    hv->heap.free_pages += frames_of(order);
    if (dirty)
        hv->heap.dirty_pages += frames_of(order);
}

/*@ requires frames_apart && order <= FRAME_ORDER_MAX;
    requires \let first = list_at(m.v, order, dirty)->v; first <= FW_NEXT_MASK &&
        \valid(&hv->frames[m.v]) && \valid(&hv->frames[first]) && (first != 0 ==>
        block(hv->frames[first]) && prev_of(hv->frames[first]) == 0);
    requires not_yet: 0 < m.v <= FW_NEXT_MASK && !block(hv->frames[m.v]);
    requires hv->heap.free_pages <= UINT64_MAX - 0x40000;
    requires hv->heap.dirty_pages <= UINT64_MAX - 0x40000;
    assigns hv->frames[m.v], hv->frames[list_at(m.v, order, dirty)->v], list_at(m.v, order,
        dirty)->v, hv->heap.free_pages, hv->heap.dirty_pages;
    ensures on: word_block(hv->frames[m.v], order, dirty, \old(list_at(m.v, order, dirty)->v),
        0);
    ensures first: list_at(m.v, order, dirty)->v == m.v;
    ensures INV_MEM_1: \let second = \old(list_at(m.v, order, dirty)->v); second != 0 ==>
        prev_of(hv->frames[second]) == m.v;
    ensures counted: hv->heap.free_pages == \old(hv->heap.free_pages) + span(order);
    ensures counted: hv->heap.dirty_pages == \old(hv->heap.dirty_pages) + (dirty ? span(order) :
        0); */
void free_list_add(mfn_t m, unsigned order, bool dirty)
{
    count_in(order, dirty);
    list_insert(hv->frames, list_of(m, order, dirty), m.v, order, dirty);
}

/* The frames of a block are not free any more, nor is it being zeroed. */
/*@ requires \valid(hv) && b.order <= FRAME_ORDER_MAX && 0 < m.v;
    requires span(b.order) <= hv->heap.free_pages;
    requires b.dirty ==> span(b.order) <= hv->heap.dirty_pages;
    assigns hv->heap.free_pages, hv->heap.dirty_pages, hv->heap.scrub.v;
    ensures hv->heap.free_pages == \old(hv->heap.free_pages) - span(b.order);
    ensures hv->heap.dirty_pages ==
        \old(hv->heap.dirty_pages) - (b.dirty ? span(b.order) : 0);
    ensures hv->heap.scrub.v == (\old(hv->heap.scrub.v) == m.v ? 0 : \old(hv->heap.scrub.v)); */
static void count_out(mfn_t m, struct free_block b)
{
    hv->heap.free_pages -= frames_of(b.order);
    if (b.dirty)
        hv->heap.dirty_pages -= frames_of(b.order);
    if (hv->heap.scrub.v == m.v)
        hv->heap.scrub.v = 0;
}

/*@ requires frames_apart && 0 < m.v && b.order <= FRAME_ORDER_MAX;
    requires word_block(hv->frames[m.v], b.order, b.dirty, b.next, b.prev);
    requires \valid(&hv->frames[m.v]) && \valid(&hv->frames[b.next]) &&
        \valid(&hv->frames[b.prev]);
    requires b.next != 0 ==> neighbours(hv->frames, m.v, b.next) && block(hv->frames[b.next]) &&
        b.next != m.v;
    requires b.prev != 0 ==> neighbours(hv->frames, b.prev, m.v) && block(hv->frames[b.prev]) &&
        b.prev != m.v;
    requires span(b.order) <= hv->heap.free_pages;
    requires b.dirty ==> span(b.order) <= hv->heap.dirty_pages;
    assigns hv->frames[m.v], hv->frames[b.next], hv->frames[b.prev], list_at(m.v, b.order,
        b.dirty)->v, hv->heap.free_pages, hv->heap.dirty_pages, hv->heap.scrub.v;
    ensures off: inner(hv->frames[m.v]);
    ensures first: list_at(m.v, b.order, b.dirty)->v == (b.prev == 0 ? b.next :
        \old(list_at(m.v, b.order, b.dirty)->v));
    ensures INV_MEM_1: b.next != 0 ==> prev_of(hv->frames[b.next]) == b.prev;
    ensures INV_MEM_1: b.prev != 0 ==> next_of(hv->frames[b.prev]) == b.next;
    ensures counted: hv->heap.free_pages == \old(hv->heap.free_pages) - span(b.order);
    ensures counted: hv->heap.dirty_pages == \old(hv->heap.dirty_pages) - (b.dirty ?
        span(b.order) : 0);
    ensures hv->heap.scrub.v != m.v; */
void free_list_remove(mfn_t m, struct free_block b)
{
    list_remove(hv->frames, list_of(m, b.order, b.dirty), m.v, b);
    /*@ assert hv->heap.free_pages == \at(hv->heap.free_pages, Pre); */
    /*@ assert hv->heap.dirty_pages == \at(hv->heap.dirty_pages, Pre); */
    count_out(m, b);
}
