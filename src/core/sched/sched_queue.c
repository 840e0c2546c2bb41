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

/* The last one queued that does not go behind v, NULL: v goes first. With equal
 * keys that takes no search. */
/*@ requires queue(rq) && \valid_read(v) && 0 <= v->sched.prio < SCHED_PRIOS;
    assigns \nothing;
    ensures first: \result == \null ==> rq->head == \null || goes_before(v, rq->head);
    ensures after: \result != \null ==> waits(rq, \result) && !goes_before(v, \result) &&
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
    /*@ loop invariant p != \null ==> waits(rq, p) && p->sched.prio >= v->sched.prio &&
            (p->sched.next == \null || goes_before(v, p->sched.next));
        loop invariant p == \null ==> rq->head == \null || goes_before(v, rq->head);
        loop assigns p;
        loop variant place(p); */
    while (p != NULL && p->sched.prio == v->sched.prio && p->sched.key > v->sched.key) {
        //@ assert follows(rq, p);
        /*@ assert p->sched.prev != \null ==> waits(rq, p->sched.prev) &&
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

void rq_insert(struct runqueue *rq, struct vcpu *v)
{
    struct vcpu *prev = place_after(rq, v);
    /*@ assert before: prev != \null ==> follows(rq, prev); */
    struct vcpu *next = prev != NULL ? prev->sched.next : rq->head;

    /*@ assert behind: next != \null ==> waits(rq, next) && follows(rq, next); */
    /*@ assert gap: gap(rq, v, prev, next); */
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
