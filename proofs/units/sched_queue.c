/* src/core/sched/sched_queue.c, and what its steps leave of the rest of the queue. */
#include "schedulers.h"
#include "../../src/core/sched/sched_queue.c"

/*@ // INV-SCHED-2: p goes before none in front of it.
    predicate ordered{L}(struct runqueue *rq, struct vcpu *p) =
        0 <= p->sched.prio < SCHED_PRIOS && (p->sched.prev == \null ||
            !goes_before(p, p->sched.prev));
    // p, which waits beside v, and its neighbours are objects of their own, apart from v, and
    // from v's neighbours where they are others.
    predicate beside{L}(struct runqueue *rq, struct vcpu *v, struct vcpu *prev, struct vcpu *next,
                        struct vcpu *p) = p != \null && p != v && linked(rq, p) &&
        ordered(rq, p) && clear(rq, v, p) && clear(rq, v, p->sched.prev) &&
        clear(rq, v, p->sched.next) && (prev != \null ==> clear(rq, prev, p) &&
            clear(rq, prev, p->sched.prev) && clear(rq, prev, p->sched.next)) &&
        (next != \null ==> clear(rq, next, p) && clear(rq, next, p->sched.prev) &&
            clear(rq, next, p->sched.next));
    // Link a is none of those that change when v goes between prev and next.
    predicate untouched{L}(struct runqueue *rq, struct vcpu *v, struct vcpu *prev,
                           struct vcpu *next, struct vcpu **a) =
        a != &v->sched.prev && a != &v->sched.next && a != next_of(rq, prev) &&
        a != prev_of(rq, next) && a != &rq->last[v->sched.prio]; */

/* The link that names the one behind q is another than those, if q is another than prev. */
/*@ requires \valid(rq) && \valid(v) && \base_addr(v) != \base_addr(rq);
    requires gap(rq, v, prev, next) && clear(rq, v, q) && q != v && q != prev;
    requires prev != \null ==> clear(rq, prev, q);
    requires next != \null ==> clear(rq, next, q);
    requires 0 <= v->sched.prio < SCHED_PRIOS;
    assigns \nothing;
    ensures new: next_of(rq, q) != &v->sched.prev && next_of(rq, q) != &v->sched.next;
    ensures before: next_of(rq, q) != next_of(rq, prev);
    ensures behind: next == \null ==> next_of(rq, q) != prev_of(rq, next);
    ensures behind: next != \null ==> next_of(rq, q) != prev_of(rq, next);
    ensures last: next_of(rq, q) != &rq->last[v->sched.prio]; */
static void proof_next_untouched(struct runqueue *rq, struct vcpu *v, struct vcpu *prev,
                                 struct vcpu *next, struct vcpu *q)
{
}

/* So it is with the one before q, if q is another than next. */
/*@ requires \valid(rq) && \valid(v) && \base_addr(v) != \base_addr(rq);
    requires gap(rq, v, prev, next) && clear(rq, v, q) && q != v && q != next;
    requires prev != \null ==> clear(rq, prev, q);
    requires next != \null ==> clear(rq, next, q);
    requires 0 <= v->sched.prio < SCHED_PRIOS;
    assigns \nothing;
    ensures new: prev_of(rq, q) != &v->sched.prev && prev_of(rq, q) != &v->sched.next;
    ensures before: prev == \null ==> prev_of(rq, q) != next_of(rq, prev);
    ensures before: prev != \null ==> prev_of(rq, q) != next_of(rq, prev);
    ensures behind: prev_of(rq, q) != prev_of(rq, next);
    ensures last: prev_of(rq, q) != &rq->last[v->sched.prio]; */
static void proof_prev_untouched(struct runqueue *rq, struct vcpu *v, struct vcpu *prev,
                                 struct vcpu *next, struct vcpu *q)
{
}

/* Who waits, p, stays linked and in order when v is put between two others. */
/*@ requires \valid(rq) && \valid(v) && \base_addr(v) != \base_addr(rq);
    requires gap(rq, v, prev, next) && rq->length < UINT32_MAX;
    requires 0 <= v->sched.prio < SCHED_PRIOS;
    requires neighbours: *next_of(rq, prev) == next && *prev_of(rq, next) == prev;
    requires prev != \null ==> !goes_before(v, prev);
    requires next != \null ==> goes_before(v, next);
    requires beside(rq, v, prev, next, p) && p->sched.prev != v && p->sched.next != v;
    ensures INV_SCHED_1: *next_of(rq, p->sched.prev) == p;
    ensures INV_SCHED_1_back: *prev_of(rq, p->sched.next) == p;
    ensures INV_SCHED_2: ordered(rq, p);
    ensures INV_SCHED_1_new: linked(rq, v);
    ensures INV_SCHED_2_new: ordered(rq, v); */
static void proof_insert_keeps(struct runqueue *rq, struct vcpu *v, struct vcpu *prev,
                               struct vcpu *next, struct vcpu *p)
{
    //@ assert p->sched.prev == prev <==> p == next;
    //@ assert p->sched.next == next <==> p == prev;
    //@ assert p != next ==> untouched(rq, v, prev, next, &p->sched.prev);
    //@ assert p != prev ==> untouched(rq, v, prev, next, &p->sched.next);
    if (p != next) {
        proof_next_untouched(rq, v, prev, next, p->sched.prev);
    }
    if (p != prev) {
        proof_prev_untouched(rq, v, prev, next, p->sched.next);
    }
    put_between(rq, v, prev, next);
    //@ assert p == next ==> p->sched.prev == v;
    //@ assert p != next ==> p->sched.prev == \at(p->sched.prev, Pre);
    //@ assert p == prev ==> p->sched.next == v;
    //@ assert p != prev ==> p->sched.next == \at(p->sched.next, Pre);
    /*@ assert p != next ==> *next_of(rq, \at(p->sched.prev, Pre)) ==
            \at(*next_of(rq, p->sched.prev), Pre); */
    /*@ assert p != prev ==> *prev_of(rq, \at(p->sched.next, Pre)) ==
            \at(*prev_of(rq, p->sched.next), Pre); */
}

/* So it does when v is taken out. Each that waits does so in front of v, and then not behind
 * prev, or behind v, and then not in front of next: the order says so. */
/*@ requires \valid(rq) && \valid(v) && \base_addr(v) != \base_addr(rq);
    requires v->sched.queued && rq->length > 0 && ordered(rq, v) && linked(rq, v);
    requires prev == v->sched.prev && next == v->sched.next && gap(rq, v, prev, next);
    requires next != \null ==> ordered(rq, next);
    requires beside(rq, v, prev, next, p);
    requires places: (prev != \null && !goes_before(prev, p)) ||
        (next != \null && !goes_before(p, next));
    requires INV_SCHED_2_last: rq->last[p->sched.prio] != \null &&
        (rq->last[v->sched.prio] == v && next != \null ==> next->sched.prio < v->sched.prio);
    ensures INV_SCHED_1: *next_of(rq, p->sched.prev) == p;
    ensures INV_SCHED_1_back: *prev_of(rq, p->sched.next) == p;
    ensures INV_SCHED_2: ordered(rq, p);
    ensures INV_SCHED_2_last: rq->last[p->sched.prio] != \null; */
static void proof_remove_keeps(struct runqueue *rq, struct vcpu *v, struct vcpu *prev,
                               struct vcpu *next, struct vcpu *p)
{
    //@ assert p->sched.prev == v <==> p == next;
    //@ assert p->sched.next == v <==> p == prev;
    rq_remove(rq, v);
    //@ assert p == next ==> p->sched.prev == prev;
    //@ assert p != next ==> p->sched.prev == \at(p->sched.prev, Pre);
    //@ assert p == prev ==> p->sched.next == next;
    //@ assert p != prev ==> p->sched.next == \at(p->sched.next, Pre);
    /*@ assert p != next ==> *next_of(rq, \at(p->sched.prev, Pre)) ==
            \at(*next_of(rq, p->sched.prev), Pre); */
    /*@ assert p != prev ==> *prev_of(rq, \at(p->sched.next, Pre)) ==
            \at(*prev_of(rq, p->sched.next), Pre); */
}
