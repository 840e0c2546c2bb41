/* The FIFO ABI: an event word per port in guest pages, sixteen queues per vCPU
 * whose heads are in a control block in a guest page. Source:
 * <xen/event_channel.h>.
 *
 * All of these words are the guest's to spoil. The hypervisor only ever sets
 * links, to ports that it knows; it never follows one. Where each queue ends is
 * kept in vcpu.fifo_queue_tail[], out of the guest's reach. */
#include "core/evtchn/evtchn_private.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"

#define WORD_PENDING (1u << EVTCHN_FIFO_PENDING)
#define WORD_MASKED (1u << EVTCHN_FIFO_MASKED)
#define WORD_LINKED (1u << EVTCHN_FIFO_LINKED)
#define WORD_BUSY (1u << EVTCHN_FIFO_BUSY)
#define WORD_LINK ((uint32_t)EVTCHN_FIFO_LINK_MASK)

/* With BUSY set a well-behaved guest can change a linked word at most four times
 * more: set MASKED, clear MASKED, clear PENDING, clear LINKED. */
#define LINK_RETRIES 4u

_Static_assert(sizeof(struct evtchn_fifo) <= PAGE_SIZE, "one page");
_Static_assert(ARRAY_SIZE(((struct vcpu *)NULL)->fifo_queue_tail) == EVTCHN_FIFO_MAX_QUEUES,
               "a tail per queue");

/*@ // The pages that the guest has given are all there.
    predicate fifo_pages{L}(struct domain *d) = \valid_read(d) && \valid_read(d->evtchn.fifo) &&
        d->evtchn.fifo->pages <= FIFO_PAGES &&
        \forall integer i; 0 <= i < d->evtchn.fifo->pages ==>
            \valid(d->evtchn.fifo->page[i] + (0 .. FIFO_WORDS_PER_PAGE - 1));
    predicate has_word{L}(struct domain *d, integer port) =
        port / FIFO_WORDS_PER_PAGE < d->evtchn.fifo->pages;
    logic event_word_t *event_word{L}(struct domain *d, integer port) =
        &d->evtchn.fifo->page[port / FIFO_WORDS_PER_PAGE][port % FIFO_WORDS_PER_PAGE];
    logic integer word_at{L}(struct domain *d, integer port) =
        port / FIFO_WORDS_PER_PAGE < d->evtchn.fifo->pages ? *event_word(d, port) : 0;
    // The place of a queue's end, which names a port whose word exists, if any.
    predicate queue{L}(struct domain *d, struct vcpu *v, integer priority) = \valid(v) &&
        0 <= priority <= EVTCHN_FIFO_PRIORITY_MIN && (v->fifo_queue_tail[priority] != 0 ==>
            has_word(d, v->fifo_queue_tail[priority]));
    // The word of the port that it names; itself where it names none.
    logic uint32_t *tail_word{L}(struct domain *d, struct vcpu *v, integer priority) =
        v->fifo_queue_tail[priority] == 0 ? &v->fifo_queue_tail[priority] :
        event_word(d, v->fifo_queue_tail[priority]);
    logic integer end_of{L}(struct vcpu *v, integer priority) =
        v == \null ? 0 : v->fifo_queue_tail[priority];
    // The end of the queue that an entry was in last.
    logic integer tail_of{L}(struct domain *d, struct evtchn *e) =
        d->vcpu[e->last_vcpu] == \null ? 0 :
        d->vcpu[e->last_vcpu]->fifo_queue_tail[e->last_priority]; */

/* NULL when the guest has not given the page yet. */
/*@ requires fifo_pages(d);
    assigns \nothing;
    ensures \result == \null <==> !has_word(d, port);
    ensures \result != \null ==> \valid(\result) && \result == event_word(d, port); */
static event_word_t *word_of(const struct domain *d, uint32_t port)
{
    const struct evtchn_fifo *f = d->evtchn.fifo;

    if (port / FIFO_WORDS_PER_PAGE >= f->pages) {
        return NULL;
    }
    return &f->page[port / FIFO_WORDS_PER_PAGE][port % FIFO_WORDS_PER_PAGE];
}

/*@ requires fifo_pages(d);
    assigns \nothing;
    ensures port / FIFO_WORDS_PER_PAGE >= d->evtchn.fifo->pages ==> !\result; */
static bool word_has(const struct domain *d, uint32_t port, uint32_t bit)
{
    const event_word_t *word = word_of(d, port);

    return word != NULL && (load_u32(word) & bit) != 0;
}

/*@ requires fifo_pages(d);
    assigns \nothing;
    ensures port / FIFO_WORDS_PER_PAGE >= d->evtchn.fifo->pages ==> !\result; */
bool evtchn_fifo_linked(const struct domain *d, uint32_t port)
{
    return word_has(d, port, WORD_LINKED);
}

/*@ requires fifo_pages(d) && \valid_read(chn);
    assigns \nothing;
    ensures chn->pending != 0 ==> \result; */
bool evtchn_fifo_pending(const struct domain *d, uint32_t port, const struct evtchn *chn)
{
    return chn->pending != 0 || word_has(d, port, WORD_PENDING);
}

/* The guest unlinks the word itself and ignores it then. */
/*@ requires fifo_pages(d) && \valid(chn);
    assigns chn->pending, *event_word(d, port);
    ensures chn->pending == 0;
    ensures cleared: has_word(d, port) ==>
        word_at(d, port) == (\old(word_at(d, port)) & 0x7fffffff); */
void evtchn_fifo_clear_pending(struct domain *d, uint32_t port, struct evtchn *chn)
{
    event_word_t *word = word_of(d, port);

    chn->pending = 0;
    if (word != NULL) {
        fetch_and_u32(word, ~WORD_PENDING);
    }
}

enum link_result { LINK_MADE, LINK_NOT_LINKED, LINK_CHANGED };

/* Points a queue's last word at port iff the word is still linked. */
/*@ requires \valid(word) && port <= WORD_LINK;
    assigns *word;
    ensures \result == LINK_MADE || \result == LINK_NOT_LINKED;
    ensures \result == LINK_NOT_LINKED ==> *word == \old(*word) && (*word & WORD_LINKED) == 0;
    ensures made: \result == LINK_MADE ==> (\old(*word) & WORD_LINKED) != 0 &&
        (*word & WORD_LINK) == port && (*word & WORD_BUSY) == 0;
    ensures flags_kept: \result == LINK_MADE ==>
        (*word & 0xe0000000) == (\old(*word) & 0xe0000000); */
static enum link_result try_link(event_word_t *word, uint32_t port)
{
    uint32_t old = load_u32(word);

    if ((old & WORD_LINKED) == 0) {
        return LINK_NOT_LINKED;
    }
    if (!cmpxchg_u32(word, old, (old & ~(WORD_BUSY | WORD_LINK)) | port)) {
        return LINK_CHANGED;
    }
    return LINK_MADE;
}

/* True iff word, a queue's last, now links to port; false: it left the queue,
 * which therefore is empty. */
/*@ requires \valid(word) && port <= WORD_LINK;
    assigns *word;
    ensures \result <==> (\old(*word) & WORD_LINKED) != 0;
    ensures \result ==> (*word & WORD_LINK) == port && (*word & WORD_BUSY) == 0;
    ensures !\result ==> *word == \old(*word); */
static bool link_tail(event_word_t *word, uint32_t port)
{
    enum link_result r = try_link(word, port);

    if (r != LINK_CHANGED) {
        return r == LINK_MADE;
    }
    fetch_or_u32(word, WORD_BUSY);
    /*@ loop invariant i <= LINK_RETRIES;
        loop assigns i, r, *word;
        loop variant LINK_RETRIES - i; */
    for (unsigned i = 0; i < LINK_RETRIES; i++) {
        r = try_link(word, port);
        if (r == LINK_CHANGED) {
            continue;
        }
        if (r == LINK_NOT_LINKED) {
            fetch_and_u32(word, ~WORD_BUSY);
        }
        return r == LINK_MADE;
    }
    /* Against the ABI. A new head shows the guest the event all the same. */
    fetch_and_u32(word, ~WORD_BUSY);
    return false;
}

/* Where port was the last of a queue, that queue is empty: the word must not be taken
 * for its tail once it is in another queue. */
/*@ requires \valid_read(d) && \valid_read(chn);
    requires chn->last_vcpu < MAX_VCPUS && chn->last_priority <= EVTCHN_FIFO_PRIORITY_MIN;
    requires d->vcpu[chn->last_vcpu] == \null ||
        (\valid(d->vcpu[chn->last_vcpu]) && \separated(d->vcpu[chn->last_vcpu], chn));
    assigns d->vcpu[chn->last_vcpu]->fifo_queue_tail[chn->last_priority];
    ensures kept: d->vcpu[chn->last_vcpu] == \null ||
        d->vcpu[chn->last_vcpu]->fifo_queue_tail[chn->last_priority] ==
        (\old(tail_of(d, chn)) == port ? 0 : \old(tail_of(d, chn))); */
static void leave_queue(struct domain *d, uint32_t port, const struct evtchn *chn)
{
    struct vcpu *old = d->vcpu[chn->last_vcpu];

    if (old != NULL && old->fifo_queue_tail[chn->last_priority] == port) {
        old->fifo_queue_tail[chn->last_priority] = 0;
    }
}

/* Puts port at the end of v's queue of this priority; true iff the queue was empty, so
 * that port is its head. Whatever the guest left in the words, and where it put them, nothing
 * else changes. */
/*@ requires fifo_pages(d) && queue(d, v, priority) && \valid(cb) && port <= WORD_LINK;
    requires places: \separated(cb, v) && (v->fifo_queue_tail[priority] != 0 ==>
        \separated(event_word(d, v->fifo_queue_tail[priority]), v));
    assigns v->fifo_queue_tail[priority], cb->head[priority],
        *tail_word(d, v, priority);
    ensures last: v->fifo_queue_tail[priority] == port;
    ensures \result <==> !\old(v->fifo_queue_tail[priority] != 0 &&
        (*event_word(d, v->fifo_queue_tail[priority]) & WORD_LINKED) != 0);
    ensures first: \result ==> cb->head[priority] == port;
    ensures head: !\result ==>
        \separated(\old(event_word(d, v->fifo_queue_tail[priority])), cb) ==>
        cb->head[priority] == \old(cb->head[priority]);
    ensures linked: !\result ==>
        (*\old(event_word(d, v->fifo_queue_tail[priority])) & WORD_LINK) == port; */
static bool append(struct domain *d, struct vcpu *v, struct evtchn_fifo_control_block *cb,
                   uint8_t priority, uint32_t port)
{
    uint32_t tail = v->fifo_queue_tail[priority];
    bool linked = tail != 0 && link_tail(word_of(d, tail), port);

    if (!linked) {
        store_u32(&cb->head[priority], port);
    }
    v->fifo_queue_tail[priority] = port;
    return !linked;
}

/*@ // What the guest gave has no part of what is Xen's, but words and control blocks may lie over
    // each other. What Xen keeps of v's queues names ports that have a word.
    predicate not_own{L}(struct domain *d, struct vcpu *v, struct evtchn *chn, uint32_t *g) =
        \base_addr(g) != \base_addr(d) && \base_addr(g) != \base_addr(d->evtchn.fifo) &&
        \base_addr(g) != \base_addr(chn) && \base_addr(g) != \base_addr(v);
    predicate objects{L}(struct domain *d, struct vcpu *v, struct evtchn *chn) =
        \base_addr(v) != \base_addr(d) && \base_addr(v) != \base_addr(chn) &&
        \base_addr(v) != \base_addr(d->evtchn.fifo) && \base_addr(chn) != \base_addr(d) &&
        \base_addr(chn) != \base_addr(d->evtchn.fifo) &&
        \base_addr(d) != \base_addr(d->evtchn.fifo);
    predicate its_queues{L}(struct domain *d, struct vcpu *v, struct evtchn *chn) = v != \null ==>
        \valid(v) && v->id < MAX_VCPUS && objects(d, v, chn) &&
        (v->fifo_control != \null ==> \valid(v->fifo_control) &&
            not_own(d, v, chn, &v->fifo_control->ready)) &&
        (\forall integer i; 0 <= i < d->evtchn.fifo->pages ==>
            not_own(d, v, chn, d->evtchn.fifo->page[i])) &&
        \forall integer q; 0 <= q <= EVTCHN_FIFO_PRIORITY_MIN ==> queue(d, v, q);
    predicate same_tails{K, L}(struct domain *d, struct vcpu *v) = \forall integer q;
        0 <= q <= EVTCHN_FIFO_PRIORITY_MIN ==> queue{K}(d, v, q) &&
        \at(v->fifo_queue_tail[q], L) == \at(v->fifo_queue_tail[q], K);
    predicate in_queues{L}(struct domain *d, struct vcpu *v, struct evtchn *chn) = \valid(d) &&
        fifo_pages(d) && \valid(chn) && chn->priority <= EVTCHN_FIFO_PRIORITY_MIN &&
        chn->last_priority <= EVTCHN_FIFO_PRIORITY_MIN && chn->last_vcpu < MAX_VCPUS &&
        \base_addr(d) != \base_addr(d->evtchn.fifo) && \base_addr(chn) != \base_addr(d) &&
        \base_addr(chn) != \base_addr(d->evtchn.fifo) &&
        (\forall integer i; 0 <= i < d->evtchn.fifo->pages ==>
            \base_addr(d->evtchn.fifo->page[i]) != \base_addr(d) &&
            \base_addr(d->evtchn.fifo->page[i]) != \base_addr(d->evtchn.fifo) &&
            \base_addr(d->evtchn.fifo->page[i]) != \base_addr(chn)) &&
        its_queues(d, v, chn) && its_queues(d, d->vcpu[chn->last_vcpu], chn) &&
        (v != \null && d->vcpu[chn->last_vcpu] != \null && d->vcpu[chn->last_vcpu] != v ==>
            \base_addr(d->vcpu[chn->last_vcpu]) != \base_addr(v) && (v->fifo_control != \null ==>
            \base_addr(v->fifo_control) != \base_addr(d->vcpu[chn->last_vcpu]))); */

/* Appends a pending, unmasked port to the queue it belongs to, unless it is in
 * one already. Without a control block nothing can be said to v: the port is
 * linked when the block comes (relink()). */
/*@ requires in_queues(d, v, chn) && has_word(d, port) && port <= WORD_LINK;
    assigns *event_word(d, port), chn->last_vcpu, chn->last_priority,
        d->vcpu[chn->last_vcpu]->fifo_queue_tail[chn->last_priority],
        v->fifo_queue_tail[chn->priority], v->fifo_control->head[chn->priority],
        v->fifo_control->ready, *tail_word(d, v, chn->priority), events;
    ensures nobody: v == \null || v->fifo_control == \null ==>
        *event_word(d, port) == \old(*event_word(d, port));
    ensures linked: \old(*event_word(d, port) & WORD_LINKED) != 0 ==>
        end_of(v, chn->priority) == \old(end_of(v, chn->priority));
    ensures last: v != \null && v->fifo_control != \null &&
        \old(*event_word(d, port) & WORD_LINKED) == 0 ==>
        v->fifo_queue_tail[chn->priority] == port && chn->last_vcpu == v->id &&
        chn->last_priority == chn->priority; */
static void link_port(struct domain *d, struct vcpu *v, uint32_t port, struct evtchn *chn)
{
    struct evtchn_fifo_control_block *cb;
    event_word_t *word = word_of(d, port);
    uint32_t bit = 1u << chn->priority;

    if (v == NULL || v->fifo_control == NULL) {
        return;
    }
    /*@ assert guests: not_own(d, v, chn, word); */
    /*@ assert other: d->vcpu[chn->last_vcpu] != \null ==>
            not_own(d, d->vcpu[chn->last_vcpu], chn, word); */
    if ((fetch_or_u32(word, WORD_LINKED) & WORD_LINKED) != 0) {
        return;
    }
    /*@ assert pages: fifo_pages(d); */
    /*@ assert kept: d->evtchn.fifo->pages == \at(d->evtchn.fifo->pages, Pre) &&
            chn->last_vcpu == \at(chn->last_vcpu, Pre) &&
            chn->last_priority == \at(chn->last_priority, Pre) &&
            chn->priority == \at(chn->priority, Pre); */
    /*@ assert tails: same_tails{Pre, Here}(d, v); */
    /*@ assert queues: \forall integer q; 0 <= q <= EVTCHN_FIFO_PRIORITY_MIN ==> queue(d, v, q); */
    cb = v->fifo_control;
    leave_queue(d, port, chn);
    chn->last_vcpu = v->id;
    chn->last_priority = chn->priority;
    /*@ assert pages: fifo_pages(d); */
    /*@ assert left: v->fifo_queue_tail[chn->priority] == 0 || v->fifo_queue_tail[chn->priority] ==
            \at(v->fifo_queue_tail[chn->priority], Pre); */
    /*@ assert queue: queue(d, v, chn->priority); */
    /*@ assert apart: v->fifo_queue_tail[chn->priority] != 0 ==>
            not_own(d, v, chn, event_word(d, v->fifo_queue_tail[chn->priority])); */
    if (append(d, v, cb, chn->priority, port) && (fetch_or_u32(&cb->ready, bit) & bit) == 0) {
        evtchn_upcall(v);
    }
}

/*@ requires in_queues(d, v, chn) && port <= WORD_LINK;
    assigns chn->pending, *event_word(d, port), chn->last_vcpu, chn->last_priority,
        d->vcpu[chn->last_vcpu]->fifo_queue_tail[chn->last_priority],
        v->fifo_queue_tail[chn->priority], v->fifo_control->head[chn->priority],
        v->fifo_control->ready, *tail_word(d, v, chn->priority), events;
    ensures waits: !\old(has_word(d, port)) ==> chn->pending == 1;
    ensures nobody: has_word(d, port) && (v == \null || v->fifo_control == \null) ==>
        word_at(d, port) == (\old(word_at(d, port)) | 0x80000000); */
void evtchn_fifo_raise(struct domain *d, struct vcpu *v, uint32_t port, struct evtchn *chn)
{
    event_word_t *word = word_of(d, port);
    bool was_pending;

    if (word == NULL) {
        was_pending = chn->pending != 0;
        chn->pending = 1;
    } else {
        /*@ assert guests: v != \null ==> not_own(d, v, chn, word); */
        /*@ assert other: d->vcpu[chn->last_vcpu] != \null ==>
                not_own(d, d->vcpu[chn->last_vcpu], chn, word); */
        was_pending = (fetch_or_u32(word, WORD_PENDING) & WORD_PENDING) != 0;
        /*@ assert pages: fifo_pages(d); */
        /*@ assert kept: d->evtchn.fifo->pages == \at(d->evtchn.fifo->pages, Pre) &&
                chn->last_vcpu == \at(chn->last_vcpu, Pre) &&
                chn->last_priority == \at(chn->last_priority, Pre) &&
                chn->priority == \at(chn->priority, Pre); */
        /*@ assert tails: v != \null ==> same_tails{Pre, Here}(d, v); */
        /*@ assert tails: d->vcpu[chn->last_vcpu] != \null ==>
                same_tails{Pre, Here}(d, d->vcpu[chn->last_vcpu]); */
        /*@ assert queues: v != \null ==> \forall integer q;
                0 <= q <= EVTCHN_FIFO_PRIORITY_MIN ==> queue(d, v, q); */
        /*@ assert queues: its_queues(d, v, chn); */
        /*@ assert queues: d->vcpu[chn->last_vcpu] != \null ==> \forall integer q;
                0 <= q <= EVTCHN_FIFO_PRIORITY_MIN ==> queue(d, d->vcpu[chn->last_vcpu], q); */
        /*@ assert queues: its_queues(d, d->vcpu[chn->last_vcpu], chn); */
        if ((load_u32(word) & (WORD_MASKED | WORD_LINKED)) == 0) {
            link_port(d, v, port, chn);
        }
    }
    if (!was_pending) {
        evtchn_wake_pollers(d, port);
    }
}

/*@ requires in_queues(d, v, chn) && port <= WORD_LINK;
    assigns *event_word(d, port), chn->last_vcpu, chn->last_priority,
        d->vcpu[chn->last_vcpu]->fifo_queue_tail[chn->last_priority],
        v->fifo_queue_tail[chn->priority], v->fifo_control->head[chn->priority],
        v->fifo_control->ready, *tail_word(d, v, chn->priority), events;
    ensures nobody: has_word(d, port) && (v == \null || v->fifo_control == \null) ==>
        word_at(d, port) == (\old(word_at(d, port)) & 0xbfffffff); */
void evtchn_fifo_unmask(struct domain *d, struct vcpu *v, uint32_t port, struct evtchn *chn)
{
    event_word_t *word = word_of(d, port);

    /*@ assert guests: word != \null && v != \null ==> not_own(d, v, chn, word); */
    /*@ assert other: word != \null && d->vcpu[chn->last_vcpu] != \null ==>
            not_own(d, d->vcpu[chn->last_vcpu], chn, word); */
    if (word != NULL && (fetch_and_u32(word, ~WORD_MASKED) & WORD_PENDING) != 0) {
        /*@ assert pages: fifo_pages(d); */
        /*@ assert kept: d->evtchn.fifo->pages == \at(d->evtchn.fifo->pages, Pre) &&
                chn->last_vcpu == \at(chn->last_vcpu, Pre) &&
                chn->last_priority == \at(chn->last_priority, Pre) &&
                chn->priority == \at(chn->priority, Pre); */
        /*@ assert tails: v != \null ==> same_tails{Pre, Here}(d, v); */
        /*@ assert tails: d->vcpu[chn->last_vcpu] != \null ==>
                same_tails{Pre, Here}(d, d->vcpu[chn->last_vcpu]); */
        /*@ assert queues: v != \null ==> \forall integer q;
                0 <= q <= EVTCHN_FIFO_PRIORITY_MIN ==> queue(d, v, q); */
        /*@ assert queues: its_queues(d, v, chn); */
        /*@ assert queues: d->vcpu[chn->last_vcpu] != \null ==> \forall integer q;
                0 <= q <= EVTCHN_FIFO_PRIORITY_MIN ==> queue(d, d->vcpu[chn->last_vcpu], q); */
        /*@ assert queues: its_queues(d, d->vcpu[chn->last_vcpu], chn); */
        link_port(d, v, port, chn);
    }
}

/* Raises again what could not be told for want of a page: in ports [first, end). */
static void relink(struct domain *d, uint32_t first, uint32_t end)
{
    for (uint32_t p = first; p < end && p < d->evtchn.valid_ports; p++) {
        struct evtchn *chn = evtchn_slot(d, p);

        if (chn->state > EVTCHN_RESERVED && evtchn_fifo_pending(d, p, chn) &&
            word_of(d, p) != NULL) {
            chn->pending = 0;
            evtchn_fifo_raise(d, evtchn_vcpu(d, chn), p, chn);
        }
    }
}

/* From now on events go through words; what is pending comes along, and leaves
 * no bit behind that would swallow an event after a reset. */
static void switch_to_fifo(struct domain *d, struct evtchn_fifo *f)
{
    for (uint32_t p = 1; p < d->evtchn.valid_ports; p++) {
        struct evtchn *chn = evtchn_slot(d, p);

        chn->pending = evtchn_2l_clear_pending(d, p) && chn->state > EVTCHN_RESERVED;
        chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        chn->last_priority = 0;
        chn->last_vcpu = 0;
    }
    d->evtchn.fifo = f;
}

/* Gives v its control block in the pinned page. */
static int set_control(struct domain *d, struct vcpu *v, void *page, uint32_t offset)
{
    if (v->fifo_control != NULL) {
        return -XEN_EINVAL;
    }
    if (d->evtchn.fifo == NULL) {
        struct evtchn_fifo *f = hyp_pages_alloc(d, 0, FRAME_HYP);

        if (f == NULL) {
            return -XEN_ENOMEM;
        }
        switch_to_fifo(d, f);
    }
    v->fifo_page = page;
    v->fifo_control = (void *)((uint8_t *)page + offset);
    for (unsigned i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++) {
        v->fifo_queue_tail[i] = 0;
    }
    relink(d, 1, EVTCHN_FIFO_NR_CHANNELS);
    return 0;
}

int evtchn_fifo_init_control(struct domain *d, uint32_t vcpu, uint64_t control_gfn, uint32_t offset)
{
    struct vcpu *v = domain_vcpu(d, vcpu);
    void *page;
    int rc;

    if (v == NULL) {
        return -XEN_ENOENT;
    }
    if (offset > PAGE_SIZE - sizeof(evtchn_fifo_control_block_t) || offset % 8 != 0) {
        return -XEN_EINVAL;
    }
    page = guest_page_pin(d, gfn(control_gfn));
    if (page == NULL) {
        return -XEN_EINVAL;
    }
    lock_acquire(&d->evtchn.lock);
    rc = d->state != DOMAIN_ALIVE ? -XEN_EINVAL : set_control(d, v, page, offset);
    lock_release(&d->evtchn.lock);
    if (rc != 0) {
        guest_page_unpin(page);
    }
    return rc;
}

static int add_page(struct domain *d, void *page)
{
    struct evtchn_fifo *f = d->evtchn.fifo;
    uint32_t first;

    if (f == NULL) {
        return -XEN_EOPNOTSUPP;
    }
    if (f->pages >= FIFO_PAGES) {
        return -XEN_ENOSPC;
    }
    if (page == NULL || d->state != DOMAIN_ALIVE) {
        return -XEN_EINVAL;
    }
    first = f->pages * FIFO_WORDS_PER_PAGE;
    f->page[f->pages++] = page;
    relink(d, first, first + FIFO_WORDS_PER_PAGE);
    return 0;
}

int evtchn_fifo_expand_array(struct domain *d, uint64_t array_gfn)
{
    void *page = guest_page_pin(d, gfn(array_gfn));
    int rc;

    lock_acquire(&d->evtchn.lock);
    rc = add_page(d, page);
    lock_release(&d->evtchn.lock);
    if (rc != 0 && page != NULL) {
        guest_page_unpin(page);
    }
    return rc;
}

void evtchn_fifo_destroy(struct domain *d)
{
    struct evtchn_fifo *f = d->evtchn.fifo;

    for (uint32_t p = 1; p < d->evtchn.valid_ports; p++) {
        struct evtchn *chn = evtchn_slot(d, p);

        chn->pending = chn->state > EVTCHN_RESERVED && evtchn_fifo_pending(d, p, chn);
    }
    for (unsigned i = 0; i < MAX_VCPUS; i++) {
        struct vcpu *v = d->vcpu[i];

        if (v != NULL && v->fifo_page != NULL) {
            guest_page_unpin(v->fifo_page);
            v->fifo_page = NULL;
            v->fifo_control = NULL;
        }
    }
    for (unsigned i = 0; i < f->pages; i++) {
        guest_page_unpin(f->page[i]);
    }
    hyp_pages_free(f, 0);
    d->evtchn.fifo = NULL;
    for (uint32_t p = 1; p < d->evtchn.valid_ports; p++) {
        struct evtchn *chn = evtchn_slot(d, p);

        if (chn->pending != 0) {
            chn->pending = 0;
            evtchn_2l_raise(d, evtchn_vcpu(d, chn), p);
        }
    }
}
