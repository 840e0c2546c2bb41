/* Who runs on this CPU now. */
#include "base/check.h"
#include "core/arch.h"
#include "core/sched/sched_kind.h"
#include "core/time/pvclock.h"
#include "port/trace.h"

static void slice_over(void *arg)
{
    sched_raise(port_cpu_id());
}

void runqueue_init(struct runqueue *rq, unsigned cpu)
{
    *rq = (struct runqueue){.length = 0, .current_key = UINT64_MAX};
    lock_init(&rq->lock, LOCK_RUNQUEUE);
    timer_init(&rq->slice, slice_over, rq, cpu);
    timer_init(&rq->account, sched_account, &rq->account, cpu);
}

void sched_vcpu_init(struct vcpu *v)
{
    unsigned cpu = (v->domain->id + v->id) % hv->cpu_count;

    v->sched = (struct sched_vcpu){
        .cpu = (uint16_t)(cpu_online_now(cpu) ? cpu : 0),
        .prio = SCHED_UNDER,
        .hard_affinity = ~UINT64_C(0),
        .soft_affinity = ~UINT64_C(0),
    };
    kind_vcpu_init(v);
}

void sched_vcpu_destroy(struct vcpu *v)
{
    struct runqueue *rq = sched_lock(v);

    check(!v->sched.queued && !v->sched.running);
    v->dead = true;
    kind_leaves(rq, v);
    kind_rests(rq, v);
    lock_release(&rq->lock);
    kind_vcpu_destroy(v);
}

/* The state of a vCPU that neither runs nor waits for a CPU. */
/*@ requires \valid_read(v);
    assigns \nothing;
    ensures \result == RUNSTATE_blocked || \result == RUNSTATE_offline; */
static int state_at_rest(const struct vcpu *v)
{
    return (load_u32(&v->pause_flags) & VPF_BLOCKED) != 0 ? RUNSTATE_blocked : RUNSTATE_offline;
}

/*@ requires on_cpu(rq, v) && !v->sched.queued && !v->sched.running;
    assigns v->runstate, rq->owner, v->sched.owner, v->sched.key, sched_others;
    ensures INV_SCHED_3: at_rest(v);
    ensures still: !v->sched.queued && !v->sched.running && (can_run(v) <==> \old(can_run(v))); */
static void rest(struct runqueue *rq, struct vcpu *v, uint64_t now)
{
    int state = state_at_rest(v);

    if (v->runstate.state != state) {
        vcpu_runstate_change(v, state, now);
    }
    kind_rests(rq, v);
}

/* Queues v, which is neither queued nor running, as one that woke up. Returns the
 * CPU that should look at it now, or MAX_CPUS. */
/*@ requires on_cpu(rq, v) && !v->sched.queued && !v->sched.running && can_run(v);
    requires queue(rq) && is_vcpu(v) && prio_of(v);
    assigns v->runstate, v->sched.prev, v->sched.next, v->sched.queued, rq->head, rq->tail,
        rq->length, rq->last[0 .. SCHED_PRIOS - 1], rq->active, v->sched.active,
        v->sched.active_prev, v->sched.active_next, {p->sched.next | struct vcpu *p; is_vcpu(p)},
        {p->sched.prev | struct vcpu *p; is_vcpu(p)}, sched_others;
    ensures INV_SCHED_1: v->sched.queued && !v->sched.running && can_run(v);
    ensures INV_SCHED_1_linked: linked(rq, v);
    ensures INV_SCHED_3: v->runstate.state == RUNSTATE_runnable;
    ensures locks: v->domain == \old(v->domain) && (held(&rq->lock) <==> \old(held(&rq->lock)));
    ensures looked_at: (rq->current == \null ==> \result == v->sched.cpu) && \result <= MAX_CPUS; */
static unsigned queue_woken(struct runqueue *rq, struct vcpu *v)
{
    const struct vcpu *cur = rq->current;

    rq_insert(rq, v);
    /*@ assert domain: v->domain == \at(v->domain, Pre); */
    /*@ assert can: can_run(v); */
    vcpu_runstate_change(v, RUNSTATE_runnable, port_time_now());
    /*@ assert can: can_run(v); */
    kind_joined(rq, v);
    /*@ assert can: v->domain == \at(v->domain, Pre) && can_run(v); */
    port_trace(TRACE_WAKE, v->domain->id, v->id, v->sched.cpu);
    if (cur == NULL || sched_before(v, cur)) {
        return v->sched.cpu;
    }
    return kind_tell(v);
}

/* Must v be queued? Then it gets its priority; if not, its runstate is put right. */
/*@ requires on_cpu(rq, v) && is_vcpu(v) && prio_of(v);
    assigns v->runstate, rq->owner, v->sched.owner, v->sched.key, v->sched.prio,
        v->sched.deadline, v->sched.left, v->sched.level, sched_others;
    ensures \result <==> \old(!v->sched.queued && !v->sched.running && can_run(v));
    ensures INV_SCHED_1: !\result ==> v->sched.queued || v->sched.running || !can_run(v);
    ensures INV_SCHED_3: !\result && !v->sched.queued && !v->sched.running ==> at_rest(v);
    ensures same: can_run(v) <==> \old(can_run(v));
    ensures priority: prio_of(v);
    ensures locks: v->domain == \old(v->domain) && (held(&rq->lock) <==> \old(held(&rq->lock)));
    ensures queues: \result ==> \forall struct runqueue *q; \old(queue(q)) ==> queue(q); */
static bool must_queue(struct runqueue *rq, struct vcpu *v)
{
    if (v->sched.queued || v->sched.running) {
        return false;
    }
    if (vcpu_runnable(v)) {
        kind_wake(v, port_time_now());
        /*@ assert known: \forall struct runqueue *q, struct vcpu *p; \at(queue(q), Pre) &&
                waits(q, p) ==> \at(follows(q, p), Pre) && p != v && is_vcpu(p); */
        /*@ assert same: \forall struct runqueue *q, struct vcpu *p; \at(queue(q), Pre) &&
                waits(q, p) ==> p->sched.prio == \at(p->sched.prio, Pre) &&
                p->sched.key == \at(p->sched.key, Pre); */
        /*@ assert last: \forall struct runqueue *q, integer k; \at(queue(q), Pre) &&
                0 <= k < SCHED_PRIOS ==> last_of(q, k); */
        return true;
    }
    rest(rq, v, port_time_now());
    return false;
}

/* v, which is queued nowhere, goes to another CPU. Returns its queue, locked, in the place of
 * rq. */
/*@ requires own(v) && rq == &hv->cpu[v->sched.cpu].rq && held(&rq->lock);
    requires cpu < MAX_CPUS && cpu != v->sched.cpu && queue(&hv->cpu[cpu].rq);
    requires only_locked(v->sched.cpu) && !v->sched.queued && !v->sched.running;
    assigns v->sched.cpu, rq->active, v->sched.active, v->sched.active_prev,
        v->sched.active_next, rq->lock.spin.word, hv->cpu[cpu].rq.lock.spin.word, sched_others;
    ensures place: v->sched.cpu == cpu && \result == &hv->cpu[cpu].rq;
    ensures own: own(v);
    ensures locked: held(&\result->lock) && !held(&rq->lock);
    ensures queue: queue(&hv->cpu[cpu].rq);
    ensures same: can_run(v) <==> \old(can_run(v)); */
static struct runqueue *go_to_cpu(struct runqueue *rq, struct vcpu *v, unsigned cpu)
{
    /*@ assert others: \forall struct vcpu *p; waits(&hv->cpu[cpu].rq, p) ==>
            is_vcpu(p) && p != v; */
    /* Not queued anywhere, it may change its CPU under the old one's lock. */
    kind_leaves(rq, v);
    store_u16(&v->sched.cpu, (uint16_t)cpu);
    lock_release(&rq->lock);
    rq = sched_lock(v);
    /*@ assert same: same_queue{Pre, Here}(&hv->cpu[cpu].rq); */
    /*@ assert known: \forall struct vcpu *p; waits(&hv->cpu[cpu].rq, p) ==>
            \at(follows(&hv->cpu[cpu].rq, p), Pre); */
    /*@ assert beside: \forall struct vcpu *p; waits(&hv->cpu[cpu].rq, p) ==>
            (p->sched.prev != \null ==> waits(&hv->cpu[cpu].rq, p->sched.prev)) &&
            (p->sched.next != \null ==> waits(&hv->cpu[cpu].rq, p->sched.next)); */
    /*@ assert linked: \forall struct vcpu *p; waits(&hv->cpu[cpu].rq, p) ==>
            linked(&hv->cpu[cpu].rq, p); */
    /*@ assert queue: \forall struct vcpu *p; waits(&hv->cpu[cpu].rq, p) ==>
            follows(&hv->cpu[cpu].rq, p); */
    /*@ assert first: first_of(&hv->cpu[cpu].rq); */
    /*@ assert named: \forall integer k; 0 <= k < SCHED_PRIOS ==>
            \at(last_of(&hv->cpu[cpu].rq, k), Pre) &&
            hv->cpu[cpu].rq.last[k] == \at(hv->cpu[cpu].rq.last[k], Pre) &&
            (hv->cpu[cpu].rq.last[k] != \null ==>
                waits(&hv->cpu[cpu].rq, hv->cpu[cpu].rq.last[k])); */
    /*@ assert last: \forall integer k; 0 <= k < SCHED_PRIOS ==>
            last_of(&hv->cpu[cpu].rq, k); */
    return rq;
}

/*@ requires own(v) && queues;
    requires INV_SCHED_1: v->sched.queued ==> can_run(v) && !v->sched.running;
    ensures INV_SCHED_1: v->sched.queued <==> can_run(v) && !v->sched.running;
    ensures INV_SCHED_1_linked: !\old(v->sched.queued) && v->sched.queued ==>
        linked(&hv->cpu[v->sched.cpu].rq, v);
    ensures INV_SCHED_1_others: \forall struct vcpu *p; is_vcpu(p) && p != v ==>
        p->sched.queued == \old(p->sched.queued) && p->sched.running == \old(p->sched.running);
    ensures same: can_run(v) <==> \old(can_run(v));
    ensures unlocked: !held(&hv->cpu[v->sched.cpu].rq.lock); */
void sched_wake(struct vcpu *v)
{
    struct runqueue *rq = sched_lock(v);
    unsigned cpu, look = MAX_CPUS;
    bool wake;

    /*@ assert objects: vcpus(rq); */
    /*@ assert lengths: \forall integer c; 0 <= c < MAX_CPUS ==>
            hv->cpu[c].rq.length == \at(hv->cpu[c].rq.length, Pre); */
    /*@ assert kept: \forall struct runqueue *q; \at(queue(q), Pre) &&
            q->length == \at(q->length, Pre) ==> queue(q); */
    /*@ assert same: can_run(v) <==> \at(can_run(v), Pre); */
    /*@ assert locks: only_locked(v->sched.cpu); */
    wake = must_queue(rq, v);
    /*@ assert locks: only_locked(v->sched.cpu); */
    if (wake) {
        /*@ assert queues: \forall integer c; 0 <= c < MAX_CPUS ==> queue(&hv->cpu[c].rq); */
        cpu = kind_place(v);
        if (cpu != v->sched.cpu) {
            rq = go_to_cpu(rq, v, cpu);
            wake = must_queue(rq, v);
            /*@ assert own: own(v); */
        }
    }
    /*@ assert own: own(v); */
    /*@ assert place: rq == &hv->cpu[v->sched.cpu].rq; */
    /*@ assert held: held(&rq->lock); */
    /*@ assert same: can_run(v) <==> \at(can_run(v), Pre); */
    /*@ assert others: \forall struct vcpu *p; is_vcpu(p) && p != v ==>
            p->sched.queued == \at(p->sched.queued, Pre) &&
            p->sched.running == \at(p->sched.running, Pre); */
    /*@ assert right: wake <==> can_run(v) && !v->sched.running && !v->sched.queued; */
    if (wake) {
        /*@ assert queue: queue(rq); */
        look = queue_woken(rq, v);
    }
    /*@ assert others: \forall struct vcpu *p; is_vcpu(p) && p != v ==>
            p->sched.queued == \at(p->sched.queued, Pre) &&
            p->sched.running == \at(p->sched.running, Pre); */
    /*@ assert same: can_run(v) <==> \at(can_run(v), Pre); */
    /*@ assert right: v->sched.queued <==> can_run(v) && !v->sched.running; */
    lock_release(&rq->lock);
    /*@ assert same: can_run(v) <==> \at(can_run(v), Pre); */
    /*@ assert apart: \base_addr(v->domain) != \base_addr(hv) && \valid_read(v->domain); */
    if (look != MAX_CPUS) {
        sched_raise(look);
        /*@ assert same: can_run(v) <==> \at(can_run(v), Pre); */
    }
}

/*@ requires \valid(hv) && on_cpu(&hv->cpu[v->sched.cpu].rq, v);
    requires !held(&hv->cpu[v->sched.cpu].rq.lock);
    requires INV_SCHED_1: !(v->sched.queued && v->sched.running) &&
        (can_run(v) && !v->sched.running ==> v->sched.queued);
    requires queue(&hv->cpu[v->sched.cpu].rq) && is_vcpu(v);
    requires v->sched.queued ==> waits(&hv->cpu[v->sched.cpu].rq, v);
    assigns v->sched.prev, v->sched.next, v->sched.queued, v->sched.owner, v->sched.key,
        v->runstate, hv->cpu[v->sched.cpu].rq.head, hv->cpu[v->sched.cpu].rq.tail,
        hv->cpu[v->sched.cpu].rq.length, hv->cpu[v->sched.cpu].rq.last[0 .. SCHED_PRIOS - 1],
        hv->cpu[v->sched.cpu].rq.owner, hv->cpu[v->sched.cpu].rq.lock.spin.word,
        hv->cpu[v->sched.cpu].resched, {p->sched.next | struct vcpu *p; is_vcpu(p)},
        {p->sched.prev | struct vcpu *p; is_vcpu(p)}, sched_others;
    ensures INV_SCHED_1: v->sched.queued <==> can_run(v) && !v->sched.running;
    ensures INV_SCHED_3: !can_run(v) && !v->sched.running ==> at_rest(v);
    ensures stops: !can_run(v) && v->sched.running ==> hv->cpu[v->sched.cpu].resched == 1;
    ensures kept: \old(can_run(v)) ==> v->sched.queued == \old(v->sched.queued);
    ensures unlocked: !held(&hv->cpu[v->sched.cpu].rq.lock); */
void sched_sleep(struct vcpu *v)
{
    struct runqueue *rq = sched_lock(v);
    bool stop = false;
    unsigned cpu = v->sched.cpu;

    if (!vcpu_runnable(v)) {
        if (v->sched.running) {
            stop = true;
        } else {
            if (v->sched.queued) {
                /*@ assert place: follows(rq, v); */
                /*@ assert gap: gap(rq, v, v->sched.prev, v->sched.next); */
                rq_remove(rq, v);
            }
            rest(rq, v, port_time_now());
        }
    }
    lock_release(&rq->lock);
    if (stop) {
        sched_raise(cpu);
    }
}

void sched_sync(struct vcpu *v)
{
    while (load_u8((const uint8_t *)&v->sched.running) != 0 && v != current()) {
        port_cpu_relax();
    }
}

void sched_yield_current(void)
{
    struct vcpu *v = current();

    if (v != NULL) {
        v->sched.yield = kind_yields();
        sched_raise(port_cpu_id());
    }
}

/*@ requires \valid(hv) && cpu < MAX_CPUS;
    assigns hv->cpu[cpu].resched, sched_others;
    ensures hv->cpu[cpu].resched == 1;
    ensures locks: \forall integer c; 0 <= c < MAX_CPUS ==>
        (held(&hv->cpu[c].rq.lock) <==> \old(held(&hv->cpu[c].rq.lock)));
    ensures same: \forall struct vcpu *p; \valid_read(p) && \base_addr(p) != \base_addr(hv) &&
        \valid_read(p->domain) && \base_addr(p->domain) != \base_addr(hv) ==>
        (can_run(p) <==> \old(can_run(p))); */
void sched_raise(unsigned cpu)
{
    store_u32(&hv->cpu[cpu].resched, 1);
    if (cpu != port_cpu_id()) {
        memory_fence();
        port_cpu_kick(cpu);
    }
}

bool sched_pending(void)
{
    return load_u32(&this_cpu()->resched) != 0 || timers_pending();
}

/* What prev, which was running until now, has to say against those who wait: its
 * priority, -1 when it cannot go on here. */
static int claim_of(struct runqueue *rq, struct vcpu *prev, uint64_t now)
{
    if (prev == NULL) {
        return -1;
    }
    kind_charge(rq, prev, now);
    if (!vcpu_runnable(prev) || !cpu_allowed(prev, port_cpu_id()) || !kind_stays(prev)) {
        return -1;
    }
    return prev->sched.prio;
}

/* Does head go before prev, whose claim this is? */
/*@ requires \valid_read(rq) && (head == \null || \valid_read(head));
    requires claim < 0 || \valid_read(prev);
    assigns \nothing;
    ensures off: claim < 0 ==> \result;
    ensures alone: claim >= 0 && head == \null ==> !\result;
    ensures yields: claim >= 0 && head != \null && prev->sched.yield ==> \result; */
static bool head_first(const struct runqueue *rq, const struct vcpu *head, const struct vcpu *prev,
                       int claim, uint64_t now)
{
    if (claim < 0) {
        return true;
    }
    if (head == NULL) {
        return false;
    }
    if (prev->sched.yield) {
        return true;
    }
    if (now < kind_hold(prev)) {
        return false;
    }
    return sched_before(head, prev) || (head->sched.prio == claim &&
                                        head->sched.key == prev->sched.key && now >= rq->slice_end);
}

/* next, which waited here, counts as running from now on. */
/*@ requires on_cpu(rq, next) && queue(rq) && waits(rq, next) && now <= TIME_MAX;
    assigns next->sched.prev, next->sched.next, next->sched.queued, next->sched.running,
        next->sched.run_start, next->sched.burn_start, next->runstate, rq->head, rq->tail,
        rq->length, rq->last[0 .. SCHED_PRIOS - 1], rq->current, rq->slice_end,
        {p->sched.next | struct vcpu *p; is_vcpu(p)},
        {p->sched.prev | struct vcpu *p; is_vcpu(p)}, sched_others;
    ensures INV_SCHED_1: !next->sched.queued && next->sched.running;
    ensures INV_SCHED_3: next->runstate.state == RUNSTATE_running && rq->current == next;
    ensures pays: next->sched.burn_start == now;
    ensures INV_SCHED_1_others: \forall struct vcpu *p; is_vcpu(p) && p != next ==>
        p->sched.queued == \old(p->sched.queued) && p->sched.running == \old(p->sched.running); */
static void start(struct runqueue *rq, struct vcpu *next, uint64_t now)
{
    /*@ assert place: follows(rq, next); */
    /*@ assert beside: (next->sched.prev != \null ==> follows(rq, next->sched.prev)) &&
            (next->sched.next != \null ==> follows(rq, next->sched.next)); */
    /*@ assert gap: gap(rq, next, next->sched.prev, next->sched.next); */
    rq_remove(rq, next);
    next->sched.running = true;
    next->sched.run_start = next->sched.burn_start = now;
    rq->current = next;
    rq->slice_end = now + kind_slice(next);
    vcpu_runstate_change(next, RUNSTATE_running, now);
    vcpu_runstate_publish(next);
}

/* With the queue's lock held: who is next. */
/*@ requires queue(rq) && now <= TIME_MAX && claim < SCHED_PRIOS;
    requires \forall struct vcpu *p; waits(rq, p) ==> on_cpu(rq, p);
    requires prev != \null ==> on_cpu(rq, prev) && is_vcpu(prev) && prev->sched.running &&
        !prev->sched.queued;
    requires prev == \null ==> claim < 0;
    ensures idle: \result == \null ==> rq->current == \null;
    ensures INV_SCHED_1: \result != \null ==> \result->sched.running && !\result->sched.queued;
    ensures INV_SCHED_3: \result != \null && \result != prev ==>
        rq->current == \result && \result->runstate.state == RUNSTATE_running;
    ensures waited: \result != \null && \result != prev ==> \old(waits(rq, \result));
    ensures INV_SCHED_1_others: \forall struct vcpu *p; is_vcpu(p) && p != \result ==>
        p->sched.queued == \old(p->sched.queued) && p->sched.running == \old(p->sched.running);
    ensures goes_on: \result == prev ==> claim >= 0 || prev == \null; */
static struct vcpu *take_next(struct runqueue *rq, struct vcpu *prev, int claim, uint64_t now)
{
    struct vcpu *head = kind_head(rq), *next = prev;
    /*@ assert objects: vcpus(rq); */
    bool held = claim >= 0 && now < kind_hold(prev);

    if (head_first(rq, head, prev, claim, now)) {
        next = head;
    }
    if (prev != NULL) {
        prev->sched.yield = false;
    }
    if (next == NULL) {
        rq->current = NULL;
        store_u64(&rq->current_key, UINT64_MAX);
        return NULL;
    }
    if (next != prev) {
        start(rq, next, now);
    } else if (now >= rq->slice_end || rq->slice_end - now > kind_slice(next)) {
        rq->slice_end = now + kind_slice(next);
    }
    store_u64(&rq->current_key, next->sched.key);
    rq->look_at = rq->slice_end;
    if (next == prev && held && head != NULL && kind_hold(prev) < rq->look_at) {
        rq->look_at = kind_hold(prev);
    }
    return next;
}

static struct vcpu *choose_next(struct cpu *c, struct vcpu *prev, uint64_t *now)
{
    struct runqueue *rq = &c->rq;
    const struct vcpu *head;
    struct vcpu *next;
    unsigned other = MAX_CPUS;
    int claim, best;

    lock_acquire(&rq->lock);
    *now = port_time_now();
    claim = claim_of(rq, prev, *now);
    head = kind_head(rq);
    best = head != NULL && head->sched.prio > claim ? head->sched.prio : claim;
    if (kind_pulls(rq, best)) {
        /* Perhaps somebody more deserving waits elsewhere. */
        uint64_t bound = claim >= 0 ? prev->sched.key : UINT64_MAX;

        lock_release(&rq->lock);
        kind_pull(c, best, bound);
        lock_acquire(&rq->lock);
        *now = port_time_now();
        claim = claim_of(rq, prev, *now);
    }
    next = take_next(rq, prev, claim, *now);
    if (rq->head != NULL) {
        other = kind_tell(rq->head);
    }
    lock_release(&rq->lock);
    /* Whoever is left waiting may be for another CPU. */
    if (other != MAX_CPUS && other != c->id) {
        sched_raise(other);
    }
    return next;
}

/* prev, which ran until now, waits again, or rests. */
/*@ requires on_cpu(rq, prev) && queue(rq) && is_vcpu(prev) && prio_of(prev);
    requires prev->sched.running && !prev->sched.queued;
    assigns prev->sched.running, prev->runstate, prev->sched.prev, prev->sched.next,
        prev->sched.queued, rq->head, rq->tail, rq->length, rq->last[0 .. SCHED_PRIOS - 1],
        rq->owner, prev->sched.owner, prev->sched.prio, prev->sched.key,
        {p->sched.next | struct vcpu *p; is_vcpu(p)},
        {p->sched.prev | struct vcpu *p; is_vcpu(p)}, sched_others;
    ensures INV_SCHED_1: !prev->sched.running && (prev->sched.queued <==> can_run(prev));
    ensures INV_SCHED_1_linked: prev->sched.queued ==> linked(rq, prev);
    ensures INV_SCHED_1_others: \forall struct vcpu *p; is_vcpu(p) && p != prev ==>
        p->sched.queued == \old(p->sched.queued) && p->sched.running == \old(p->sched.running);
    ensures INV_SCHED_3: prev->sched.queued ? prev->runstate.state == RUNSTATE_runnable :
        at_rest(prev);
    ensures same: can_run(prev) <==> \old(can_run(prev));
    ensures locks: prev->domain == \old(prev->domain) &&
        (held(&rq->lock) <==> \old(held(&rq->lock)));
    ensures priority: prio_of(prev); */
static void stop(struct runqueue *rq, struct vcpu *prev, uint64_t now)
{
    stops_running(prev);
    if (!vcpu_runnable(prev)) {
        rest(rq, prev, now);
        return;
    }
    vcpu_runstate_change(prev, RUNSTATE_runnable, now);
    kind_rank(prev);
    /*@ assert known: \forall struct vcpu *p; waits(rq, p) ==>
            \at(follows(rq, p), Pre) && is_vcpu(p) && p != prev; */
    /*@ assert same: same_queue{Pre, Here}(rq); */
    /*@ assert follow: \forall struct vcpu *p; waits(rq, p) ==> follows(rq, p); */
    /*@ assert last: \forall integer k; 0 <= k < SCHED_PRIOS ==> last_of(rq, k); */
    rq_insert(rq, prev);
}

/* prev, which ran until now, goes off this CPU. Once the lock is released it may
 * run elsewhere, or be freed, unless this CPU holds a reference. */
/*@ requires own(prev) && c == &hv->cpu[prev->sched.cpu] && queue(&c->rq) && c->id < MAX_CPUS;
    requires \forall integer k; 0 <= k < MAX_CPUS ==> !held(&hv->cpu[k].rq.lock);
    requires prev->sched.running && !prev->sched.queued;
    ensures INV_SCHED_1: prev->sched.queued <==> \old(can_run(prev));
    ensures INV_SCHED_1_off: !prev->sched.running;
    ensures INV_SCHED_1_others: \forall struct vcpu *p; is_vcpu(p) && p != prev ==>
        p->sched.queued == \old(p->sched.queued) && p->sched.running == \old(p->sched.running); */
static void switch_out(struct cpu *c, struct vcpu *prev, uint64_t now)
{
    struct domain *d = prev->domain;
    unsigned other = MAX_CPUS;
    bool stopping, lost = false;

    /*@ assert objects: vcpus(&c->rq); */
    vcpu_timers_switch_out(prev);
    arch_vcpu_switch_out(prev);
    lock_acquire(&c->rq.lock);
    /*@ assert queue: queue(&c->rq); */
    stop(&c->rq, prev, now);
    if (prev->sched.queued) {
        lost = !cpu_allowed(prev, c->id) || prev->sched.migrate;
        other = kind_tell(prev);
    }
    prev->sched.migrate = false;
    vcpu_runstate_publish(prev);
    stopping = d->shutting_down && !d->shut_down;
    if (stopping || lost) {
        domain_ref(d);
    }
    /*@ assert held: held(&c->rq.lock); */
    lock_release(&c->rq.lock);
    if (lost) {
        sched_replace(prev);
    } else if (other != MAX_CPUS) {
        sched_raise(other);
    }
    if (stopping) {
        domain_shutdown_progress(d);
    }
    if (stopping || lost) {
        domain_put(d);
    }
}

static void switch_in(struct cpu *c, struct vcpu *next)
{
    c->current = next;
    timer_set(&c->rq.slice, c->rq.look_at);
    vcpu_areas_settle(next);
    pvclock_update(next);
    arch_vcpu_switch_in(next);
    vcpu_timers_switch_in(next);
    port_trace(TRACE_SWITCH, next->domain->id, next->id, c->id);
}

/* Nobody runs here now, which whoever is queued elsewhere from now on can see; one
 * queued before that is found here. */
static void go_idle(struct cpu *c)
{
    struct runqueue *rq = &c->rq;
    bool found;

    c->current = NULL;
    timer_disarm(&rq->slice);
    port_trace(TRACE_SWITCH, DOMID_IDLE, 0, c->id);
    memory_fence();
    kind_pull(c, -1, UINT64_MAX);
    lock_acquire(&rq->lock);
    found = kind_head(rq) != NULL;
    lock_release(&rq->lock);
    if (found) {
        sched_raise(c->id);
    }
}

void schedule(void)
{
    struct cpu *c = this_cpu();
    struct vcpu *prev = c->current, *next;
    uint64_t now;

    store_u32(&c->resched, 0);
    memory_fence();
    next = choose_next(c, prev, &now);
    if (next == prev) {
        if (next != NULL && c->rq.slice.expires != c->rq.look_at) {
            timer_set(&c->rq.slice, c->rq.look_at);
            vcpu_areas_settle(next);
            pvclock_update(next);
        }
        return;
    }
    if (prev != NULL) {
        switch_out(c, prev, now);
    }
    if (next != NULL) {
        switch_in(c, next);
    } else {
        go_idle(c);
    }
}
