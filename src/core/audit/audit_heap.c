/* INV-MEM-1 over free memory: the frame table's free words form aligned blocks,
 * each on the one list where it belongs, and the heap's counters agree. */
#include "core/audit/audit_impl.h"
#include "core/mem/frame_word.h"
#include "core/mem/page_alloc.h"

#define NAME "INV-MEM-1"

struct heap_tally {
    uint64_t present, free, dirty;
    uint64_t blocks;
};

/* Two buddies that the allocator would have merged. */
static bool should_merge(uint64_t m, struct free_block b)
{
    uint64_t buddy = m ^ (UINT64_C(1) << b.order);
    struct free_block other;

    if (b.order >= FRAME_ORDER_MAX || buddy >= hv->max_mfn || !fw_is_free(hv->frames[buddy]))
        return false;
    other = fw_unpack_free(hv->frames[buddy]);
    return other.order == b.order && (other.dirty == b.dirty || b.order < PAGE_ALLOC_MIXED_ORDER);
}

/* Checks the block that begins at m; returns its frames, at least 1. */
static uint64_t audit_block(struct audit_report *r, uint64_t m, struct heap_tally *t)
{
    struct free_block b = fw_unpack_free(hv->frames[m]);
    uint64_t size;

    if (b.order > FRAME_ORDER_MAX) {
        audit_violation(r, NAME, "free frame %#lx belongs to no block", m);
        return 1;
    }
    size = UINT64_C(1) << b.order;
    if ((m & (size - 1)) != 0 || size > hv->max_mfn - m) {
        audit_violation(r, NAME, "free block %#lx of order %u is out of place", m, b.order);
        return 1;
    }
    for (uint64_t i = 1; i < size; i++) {
        if (i % 8 == 0 && audit_eight_are(&hv->frames[m + i], fw_pack_inner())) {
            i += 7;
            continue;
        }
        if (hv->frames[m + i] != fw_pack_inner()) {
            audit_violation(r, NAME, "frame %#lx inside free block %#lx has word %#lx", m + i, m,
                            hv->frames[m + i]);
            return i;
        }
    }
    audit_claim(r, !should_merge(m, b), NAME, "free block %#lx of order %u has a free buddy", m,
                b.order);
    t->blocks++;
    t->free += size;
    if (b.dirty)
        t->dirty += size;
    return size;
}

static void audit_table(struct audit_report *r, struct heap_tally *t)
{
    for (uint64_t m = 0; m < hv->max_mfn;) {
        uint64_t word = hv->frames[m], size = 1;

        if (fw_is_free(word))
            size = audit_block(r, m, t);
        else if (!fw_is_used(word))
            audit_claim(r, word == 0, NAME, "absent frame %#lx has word %#lx", m, word);
        if (fw_state(word) != FRAME_ABSENT)
            t->present += size;
        m += size;
    }
}

/* Follows one list; returns its length. */
static uint64_t audit_list(struct audit_report *r, mfn_t head, bool high, bool dirty,
                           unsigned order)
{
    uint64_t prev = 0, n = 0;

    for (uint64_t m = head.v; m != 0; n++) {
        struct free_block b;

        if (m >= hv->max_mfn || !fw_is_free(hv->frames[m]) || n > hv->max_mfn) {
            audit_violation(r, NAME, "list of order %u leads to frame %#lx", order, m);
            break;
        }
        b = fw_unpack_free(hv->frames[m]);
        audit_claim(r, b.order == order && b.dirty == dirty && (m >= HEAP_LOW_FRAMES) == high, NAME,
                    "block %#lx of order %u is on the list of order %u", m, b.order, order);
        audit_claim(r, b.prev == prev, NAME, "block %#lx follows %#lx, not %#lx", m, prev, b.prev);
        prev = m;
        m = b.next;
    }
    return n;
}

void audit_heap(struct audit_report *r)
{
    const struct heap *h = &hv->heap;
    struct heap_tally t = {0, 0, 0, 0};
    uint64_t listed = 0;

    audit_table(r, &t);
    for (unsigned zone = 0; zone < HEAP_ZONES; zone++) {
        const struct heap_list *z = &h->zone[zone];

        for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
            listed += audit_list(r, z->clean[order], zone == HEAP_HIGH, false, order);
            listed += audit_list(r, z->dirty[order], zone == HEAP_HIGH, true, order);
        }
    }
    audit_claim(r, listed == t.blocks, NAME, "%lu free blocks, %lu on lists", t.blocks, listed);
    audit_claim(r, h->free_pages == t.free, NAME, "%lu frames free, %lu counted", t.free,
                h->free_pages);
    audit_claim(r, h->dirty_pages == t.dirty, NAME, "%lu frames dirty, %lu counted", t.dirty,
                h->dirty_pages);
    audit_claim(r, h->total_pages == t.present, NAME, "%lu frames of RAM, %lu counted", t.present,
                h->total_pages);
    r->frames_free = t.free;
}
