/* Run queues: who waits where, and where it may. */
#include "base/check.h"
#include "core/sched/sched_kind.h"

struct runqueue *sched_lock(const struct vcpu *v)
{
    for (;;) {
        uint16_t cpu = load_u16(&v->sched.cpu);
        struct runqueue *rq = &hv->cpu[cpu].rq;

        lock_acquire(&rq->lock);
        if (load_u16(&v->sched.cpu) == cpu) {
            return rq;
        }
        lock_release(&rq->lock);
    }
}

/*@ // Where the one behind p, or with \null the first, is named; so the one before p, or the last.
    logic struct vcpu **next_of(struct runqueue *rq, struct vcpu *p) =
        p != \null ? &p->sched.next : &rq->head;
    logic struct vcpu **prev_of(struct runqueue *rq, struct vcpu *p) =
        p != \null ? &p->sched.prev : &rq->tail;
    // A vCPU, or none, that is no part of rq, and of another vCPU v only if it is v.
    predicate clear(struct runqueue *rq, struct vcpu *v, struct vcpu *p) = p != \null ==>
        \valid(p) && \base_addr(p) != \base_addr(rq) &&
        (v != \null && p != v ==> \base_addr(p) != \base_addr(v));
    // v may be put between prev and next: \null is the end.
    predicate gap(struct runqueue *rq, struct vcpu *v, struct vcpu *prev, struct vcpu *next) =
        clear(rq, v, prev) && clear(rq, v, next) && clear(rq, prev, next) &&
        prev != v && next != v; */

/*@ axiomatic Waiting {
        // Who waits on the queue whose lock is held, and how far from its head: any set of vCPUs
        // and any numbers of which the contracts hold.
        predicate waits(struct vcpu *p) reads \nothing;
        logic integer place(struct vcpu *p) reads \nothing;
    }
    // INV-SCHED-2: who waits goes before none in front of it, which names it.
    predicate follows{L}(struct runqueue *rq, struct vcpu *p) =
        0 <= p->sched.prio < SCHED_PRIOS && rq->last[p->sched.prio] != \null &&
        0 <= place(p) && place(p->sched.prev) < place(p) &&
        (p->sched.prev == \null ? rq->head == p : waits(p->sched.prev) &&
            p->sched.prev->sched.next == p && !goes_before(p, p->sched.prev));
    // last[] names the last of each priority that there is.
    predicate last_of{L}(struct runqueue *rq, integer k) = rq->last[k] != \null ==>
        waits(rq->last[k]) && rq->last[k]->sched.prio == k &&
        (rq->last[k]->sched.next != \null ==> 0 <= rq->last[k]->sched.next->sched.prio < k &&
            rq->last[rq->last[k]->sched.next->sched.prio] != \null);
    predicate first_of{L}(struct runqueue *rq) = rq->head != \null ==> waits(rq->head) &&
        rq->head->sched.prev == \null && rq->last[rq->head->sched.prio] != \null;
    predicate queue{L}(struct runqueue *rq) = \valid(rq) && first_of(rq) &&
        (\forall struct vcpu *p; waits(p) ==> \valid(p) && follows(rq, p)) &&
        \forall integer k; 0 <= k < SCHED_PRIOS ==> last_of(rq, k);
    // There is room for v behind each that waits, and in front.
    predicate room{L}(struct runqueue *rq, struct vcpu *v) = gap(rq, v, \null, rq->head) &&
        \forall struct vcpu *p; waits(p) ==> gap(rq, v, p, p->sched.next) &&
            (p->sched.next == \null || waits(p->sched.next));
    logic struct vcpu *peer_of{L}(integer prio, struct vcpu *p) =
        p != \null && p->sched.prio == prio ? p : (struct vcpu *)\null; */

/* The last one queued that does not go behind v, NULL: v goes first. With equal
 * keys that takes no search. */
/*@ requires queue(rq) && \valid_read(v) && 0 <= v->sched.prio < SCHED_PRIOS;
    assigns \nothing;
    ensures first: \result == \null ==> rq->head == \null || goes_before(v, rq->head);
    ensures after: \result != \null ==> waits(\result) && !goes_before(v, \result) &&
        (\result->sched.next == \null || goes_before(v, \result->sched.next)); */
static struct vcpu *place_after(const struct runqueue *rq, const struct vcpu *v)
{
    struct vcpu *p = NULL;

    /*@ loop invariant v->sched.prio <= prio <= SCHED_PRIOS;
        loop invariant none: p == \null ==>
            \forall integer k; v->sched.prio <= k < prio ==> rq->last[k] == \null;
        loop invariant all: p != \null ==> v->sched.prio < prio && p == rq->last[prio - 1] &&
            \forall integer k; v->sched.prio <= k < prio - 1 ==> rq->last[k] == \null;
        loop assigns prio, p;
        loop variant SCHED_PRIOS - prio; */
    for (int8_t prio = v->sched.prio; prio < SCHED_PRIOS && p == NULL; prio++) {
        p = rq->last[prio];
    }
    /*@ loop invariant p != \null ==> waits(p) && p->sched.prio >= v->sched.prio &&
            (p->sched.next == \null || goes_before(v, p->sched.next));
        loop invariant p == \null ==> rq->head == \null || goes_before(v, rq->head);
        loop assigns p;
        loop variant place(p); */
    while (p != NULL && p->sched.prio == v->sched.prio && p->sched.key > v->sched.key) {
        //@ assert follows(rq, p);
        /*@ assert p->sched.prev != \null ==> waits(p->sched.prev) &&
                p->sched.prev->sched.next == p && p->sched.prev->sched.prio >= p->sched.prio; */
        p = p->sched.prev;
    }
    return p;
}

/* Makes prev and next neighbours on rq, where NULL is the end. */
/*@ requires \valid(rq) && clear(rq, next, prev) && clear(rq, prev, next);
    assigns *next_of(rq, prev), *prev_of(rq, next);
    ensures named: *next_of(rq, prev) == next && *prev_of(rq, next) == prev; */
static void join(struct runqueue *rq, struct vcpu *prev, struct vcpu *next)
{
    if (prev != NULL) {
        prev->sched.next = next;
    } else {
        rq->head = next;
    }
    if (next != NULL) {
        next->sched.prev = prev;
    } else {
        rq->tail = prev;
    }
}

/* Puts v on rq between prev and next, which are neighbours. */
/*@ requires \valid(rq) && \valid(v) && \base_addr(v) != \base_addr(rq);
    requires gap(rq, v, prev, next);
    requires rq->length < UINT32_MAX && 0 <= v->sched.prio < SCHED_PRIOS;
    assigns v->sched.prev, v->sched.next, v->sched.queued, *next_of(rq, prev),
        *prev_of(rq, next), rq->last[v->sched.prio], rq->length;
    ensures INV_SCHED_1: v->sched.queued && rq->length == \old(rq->length) + 1;
    ensures between: v->sched.prev == prev && v->sched.next == next;
    ensures named: *next_of(rq, prev) == v && *prev_of(rq, next) == v;
    ensures last: rq->last[v->sched.prio] == (next == \null ||
        next->sched.prio != v->sched.prio ? v : \old(rq->last[v->sched.prio])); */
static void put_between(struct runqueue *rq, struct vcpu *v, struct vcpu *prev, struct vcpu *next)
{
    join(rq, prev, v);
    join(rq, v, next);
    if (next == NULL || next->sched.prio != v->sched.prio) {
        rq->last[v->sched.prio] = v;
    }
    v->sched.queued = true;
    store_u32(&rq->length, rq->length + 1);
}

/*@ requires queue(rq) && room(rq, v) && \valid(v) && \base_addr(v) != \base_addr(rq);
    requires !v->sched.queued && !v->sched.running;
    requires rq->length < UINT32_MAX && 0 <= v->sched.prio < SCHED_PRIOS;
    assigns v->sched.prev, v->sched.next, v->sched.queued, rq->head, rq->tail, rq->length,
        rq->last[v->sched.prio], {p->sched.next | struct vcpu *p; waits(p)},
        {p->sched.prev | struct vcpu *p; waits(p)};
    ensures INV_SCHED_1: v->sched.queued && rq->length == \old(rq->length) + 1;
    ensures named: *next_of(rq, v->sched.prev) == v && *prev_of(rq, v->sched.next) == v;
    ensures INV_SCHED_2: v->sched.prev != \null ==> !goes_before(v, v->sched.prev);
    ensures INV_SCHED_2_next: v->sched.next != \null ==> goes_before(v, v->sched.next); */
void rq_insert(struct runqueue *rq, struct vcpu *v)
{
    struct vcpu *prev = place_after(rq, v);
    struct vcpu *next = prev != NULL ? prev->sched.next : rq->head;

    check(!v->sched.queued && !v->sched.running);
    put_between(rq, v, prev, next);
}

/* v goes: if it was the last of its priority, the one before it is that now, or none. */
/*@ requires \valid(rq) && \valid_read(v) && \base_addr(v) != \base_addr(rq);
    requires 0 <= v->sched.prio < SCHED_PRIOS;
    requires v->sched.prev == \null || \valid_read(v->sched.prev);
    assigns rq->last[v->sched.prio];
    ensures \let was = \old(rq->last[v->sched.prio]); \let now = rq->last[v->sched.prio];
        now == (was != v ? was : peer_of(v->sched.prio, v->sched.prev)); */
static void unname_last(struct runqueue *rq, struct vcpu *v)
{
    struct vcpu *prev = v->sched.prev;

    if (rq->last[v->sched.prio] == v) {
        bool peer = prev != NULL && prev->sched.prio == v->sched.prio;

        rq->last[v->sched.prio] = peer ? prev : NULL;
    }
}

/*@ requires \valid(rq) && \valid(v) && \base_addr(v) != \base_addr(rq);
    requires v->sched.queued && 0 <= v->sched.prio < SCHED_PRIOS && rq->length > 0;
    requires gap(rq, v, v->sched.prev, v->sched.next);
    assigns v->sched.prev, v->sched.next, v->sched.queued, *next_of(rq, v->sched.prev),
        *prev_of(rq, v->sched.next), rq->last[v->sched.prio], rq->length;
    ensures INV_SCHED_1: !v->sched.queued && v->sched.prev == \null && v->sched.next == \null &&
        rq->length == \old(rq->length) - 1;
    ensures joined: *next_of(rq, \old(v->sched.prev)) == \old(v->sched.next);
    ensures joined: *prev_of(rq, \old(v->sched.next)) == \old(v->sched.prev);
    ensures last: \let prev = \old(v->sched.prev); \let was = \old(rq->last[v->sched.prio]);
        \let now = rq->last[v->sched.prio];
        now == (was != v ? was : peer_of(v->sched.prio, prev)); */
void rq_remove(struct runqueue *rq, struct vcpu *v)
{
    struct vcpu *prev = v->sched.prev, *next = v->sched.next;

    check(v->sched.queued);
    unname_last(rq, v);
    join(rq, prev, next);
    v->sched.prev = v->sched.next = NULL;
    v->sched.queued = false;
    store_u32(&rq->length, rq->length - 1);
}

void rq_move(struct runqueue *from, struct runqueue *to, unsigned to_cpu, struct vcpu *v)
{
    bool queued = v->sched.queued, active = v->sched.active;

    if (queued) {
        rq_remove(from, v);
    }
    kind_leaves(from, v);
    check(from->owner != v);
    store_u16(&v->sched.cpu, (uint16_t)to_cpu);
    if (active) {
        kind_joined(to, v);
    }
    if (queued) {
        kind_rank(v);
        rq_insert(to, v);
    }
}

struct vcpu *rq_first_for(const struct runqueue *rq, unsigned cpu, int above, bool soft)
{
    struct vcpu *v = rq->head;

    for (unsigned i = 0; v != NULL && i < SCHED_SCAN && v->sched.prio > above; i++) {
        if (cpu_allowed(v, cpu) && (!soft || (v->sched.soft_affinity >> cpu & 1) != 0)) {
            return v;
        }
        v = v->sched.next;
    }
    return NULL;
}

uint64_t sched_online_cpus(void)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        if (cpu_online_now(i)) {
            mask |= UINT64_C(1) << i;
        }
    }
    return mask;
}

/* The first idle CPU of mask at or after CPU from, or MAX_CPUS. */
static unsigned idle_in(uint64_t mask, unsigned from)
{
    for (unsigned i = 0; i < hv->cpu_count; i++) {
        unsigned cpu = (from + i) % hv->cpu_count;

        if ((mask >> cpu & 1) != 0 && cpu_seems_idle(cpu)) {
            return cpu;
        }
    }
    return MAX_CPUS;
}

unsigned sched_idle_cpu_for(const struct vcpu *v)
{
    uint64_t hard = load_u64(&v->sched.hard_affinity);
    unsigned from = load_u16(&v->sched.cpu);
    unsigned cpu = idle_in(hard & load_u64(&v->sched.soft_affinity), from);

    return cpu != MAX_CPUS ? cpu : idle_in(hard, from);
}

unsigned sched_waiting_cpu_for(const struct vcpu *v)
{
    uint64_t mask = load_u64(&v->sched.hard_affinity) & sched_online_cpus();
    unsigned was = load_u16(&v->sched.cpu), best = was;
    uint32_t shortest = UINT32_MAX;

    if (mask == 0 || (mask >> was & 1) != 0) {
        return was;
    }
    for (unsigned i = 0; i < hv->cpu_count; i++) {
        uint32_t length = load_u32(&hv->cpu[i].rq.length);

        if ((mask >> i & 1) != 0 && length < shortest) {
            shortest = length;
            best = i;
        }
    }
    return best;
}

/* v's affinity was changed: it moves if it must, and whoever may run it is told. */
static void affinity_changed(struct vcpu *v, unsigned cpu, bool running)
{
    struct runqueue *rq;
    unsigned other = MAX_CPUS;

    if (running) {
        if (!cpu_allowed(v, cpu)) {
            sched_raise(cpu);
        }
        return;
    }
    if (!cpu_allowed(v, cpu)) {
        sched_replace(v);
    }
    rq = sched_lock(v);
    if (v->sched.queued) {
        other = kind_tell(v);
    }
    lock_release(&rq->lock);
    if (other != MAX_CPUS) {
        sched_raise(other);
    }
}

static int affinity_set(struct vcpu *v, uint64_t hard, uint64_t soft, bool override)
{
    struct runqueue *rq;
    unsigned cpu;
    bool running;

    if ((hard & sched_online_cpus()) == 0) {
        return -XEN_EINVAL;
    }
    rq = sched_lock(v);
    if (v->sched.pinned && !override) {
        lock_release(&rq->lock);
        return -XEN_EBUSY;
    }
    store_u64(&v->sched.hard_affinity, hard);
    store_u64(&v->sched.soft_affinity, soft);
    cpu = v->sched.cpu;
    running = v->sched.running;
    if (!cpu_allowed(v, cpu)) {
        kind_rests(rq, v);
    }
    lock_release(&rq->lock);
    affinity_changed(v, cpu, running);
    return 0;
}

int sched_set_affinity(struct vcpu *v, uint64_t hard, uint64_t soft)
{
    return affinity_set(v, hard, soft, false);
}

void sched_replace(struct vcpu *v)
{
    unsigned cpu = kind_place(v), old = load_u16(&v->sched.cpu);
    struct runqueue *from = &hv->cpu[old].rq, *to = &hv->cpu[cpu].rq;

    lock_pair(&from->lock, &to->lock);
    /* Whoever moved it meanwhile, or lets it run, has seen the new affinity. */
    if (v->sched.cpu == old && cpu != old && !v->sched.running) {
        kind_rests(from, v);
        if (!v->sched.owner) {
            rq_move(from, to, cpu, v);
        }
    }
    unlock_pair(&from->lock, &to->lock);
    sched_raise(cpu);
}

/* Only v itself pins or unpins it, or a control operation that paused it. */
int sched_pin_override(struct vcpu *v, int32_t pcpu)
{
    uint64_t soft = load_u64(&v->sched.soft_affinity);
    uint64_t hard = load_u64(&v->sched.hard_affinity);
    int rc;

    if (pcpu < 0) {
        if (!v->sched.pinned) {
            return -XEN_EINVAL;
        }
        v->sched.pinned = false;
        return affinity_set(v, v->sched.unpinned, soft, true);
    }
    if ((uint32_t)pcpu >= hv->cpu_count) {
        return -XEN_EINVAL;
    }
    if (v->sched.pinned) {
        return -XEN_EBUSY;
    }
    rc = affinity_set(v, UINT64_C(1) << pcpu, soft, true);
    if (rc == 0) {
        v->sched.unpinned = hard;
        v->sched.pinned = true;
    }
    return rc;
}
