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
    requires rq->current == \null || \valid_read(rq->current);
    assigns v->runstate, v->sched.prev, v->sched.next, v->sched.queued, rq->head, rq->tail,
        rq->length, rq->last[0 .. SCHED_PRIOS - 1], rq->active, v->sched.active,
        v->sched.active_prev, v->sched.active_next, sched_others;
    ensures INV_SCHED_1: v->sched.queued && !v->sched.running && can_run(v);
    ensures INV_SCHED_3: v->runstate.state == RUNSTATE_runnable;
    ensures looked_at: (rq->current == \null ==> \result == v->sched.cpu) && \result <= MAX_CPUS; */
static unsigned queue_woken(struct runqueue *rq, struct vcpu *v)
{
    const struct vcpu *cur = rq->current;

    vcpu_runstate_change(v, RUNSTATE_runnable, port_time_now());
    kind_joined(rq, v);
    rq_insert(rq, v);
    port_trace(TRACE_WAKE, v->domain->id, v->id, v->sched.cpu);
    if (cur == NULL || sched_before(v, cur)) {
        return v->sched.cpu;
    }
    return kind_tell(v);
}

/* Must v be queued? If not, its runstate is put right. */
/*@ requires on_cpu(rq, v);
    assigns v->runstate, rq->owner, v->sched.owner, v->sched.key, sched_others;
    ensures \result <==> \old(!v->sched.queued && !v->sched.running && can_run(v));
    ensures INV_SCHED_1: !\result ==> v->sched.queued || v->sched.running || !can_run(v);
    ensures INV_SCHED_3: !\result && !v->sched.queued && !v->sched.running ==> at_rest(v);
    ensures same: can_run(v) <==> \old(can_run(v)); */
static bool must_queue(struct runqueue *rq, struct vcpu *v)
{
    if (v->sched.queued || v->sched.running) {
        return false;
    }
    if (vcpu_runnable(v)) {
        return true;
    }
    rest(rq, v, port_time_now());
    return false;
}

void sched_wake(struct vcpu *v)
{
    struct runqueue *rq = sched_lock(v);
    unsigned cpu, look = MAX_CPUS;

    while (must_queue(rq, v)) {
        kind_wake(v, port_time_now());
        cpu = kind_place(v);
        if (cpu != v->sched.cpu) {
            /* Not queued anywhere, it may change its CPU under the old one's lock. */
            kind_leaves(rq, v);
            store_u16(&v->sched.cpu, (uint16_t)cpu);
            lock_release(&rq->lock);
            rq = sched_lock(v);
            if (!must_queue(rq, v)) {
                break;
            }
            kind_wake(v, port_time_now());
        }
        look = queue_woken(rq, v);
    }
    lock_release(&rq->lock);
    if (look != MAX_CPUS) {
        sched_raise(look);
    }
}

/*@ requires \valid(hv) && on_cpu(&hv->cpu[v->sched.cpu].rq, v);
    requires !held(&hv->cpu[v->sched.cpu].rq.lock);
    requires INV_SCHED_1: !(v->sched.queued && v->sched.running);
    assigns v->sched.prev, v->sched.next, v->sched.queued, v->sched.owner, v->sched.key,
        v->runstate, hv->cpu[v->sched.cpu].rq.head, hv->cpu[v->sched.cpu].rq.tail,
        hv->cpu[v->sched.cpu].rq.length, hv->cpu[v->sched.cpu].rq.last[0 .. SCHED_PRIOS - 1],
        hv->cpu[v->sched.cpu].rq.owner, hv->cpu[v->sched.cpu].rq.lock.spin.word,
        hv->cpu[v->sched.cpu].resched, sched_others;
    ensures INV_SCHED_1: !can_run(v) ==> !v->sched.queued;
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
    ensures hv->cpu[cpu].resched == 1; */
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
/*@ requires on_cpu(rq, next) && next->sched.queued && !next->sched.running && now <= TIME_MAX;
    assigns next->sched.prev, next->sched.next, next->sched.queued, next->sched.running,
        next->sched.run_start, next->sched.burn_start, next->runstate, rq->head, rq->tail,
        rq->length, rq->last[0 .. SCHED_PRIOS - 1], rq->current, rq->slice_end, sched_others;
    ensures INV_SCHED_1: !next->sched.queued && next->sched.running;
    ensures INV_SCHED_3: next->runstate.state == RUNSTATE_running && rq->current == next;
    ensures pays: next->sched.burn_start == now; */
static void start(struct runqueue *rq, struct vcpu *next, uint64_t now)
{
    rq_remove(rq, next);
    next->sched.running = true;
    next->sched.run_start = next->sched.burn_start = now;
    rq->current = next;
    rq->slice_end = now + kind_slice(next);
    vcpu_runstate_change(next, RUNSTATE_running, now);
    vcpu_runstate_publish(next);
}

/* With the queue's lock held: who is next. */
static struct vcpu *take_next(struct runqueue *rq, struct vcpu *prev, int claim, uint64_t now)
{
    struct vcpu *head = kind_head(rq), *next = prev;
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

/* prev, which ran until now, goes off this CPU. Once the lock is released it may
 * run elsewhere, or be freed, unless this CPU holds a reference. */
static void switch_out(struct cpu *c, struct vcpu *prev, uint64_t now)
{
    struct domain *d = prev->domain;
    unsigned other = MAX_CPUS;
    bool stopping, lost = false;

    vcpu_timers_switch_out(prev);
    arch_vcpu_switch_out(prev);
    lock_acquire(&c->rq.lock);
    store_u8((uint8_t *)&prev->sched.running, false);
    if (vcpu_runnable(prev)) {
        vcpu_runstate_change(prev, RUNSTATE_runnable, now);
        kind_rank(prev);
        rq_insert(&c->rq, prev);
        lost = !cpu_allowed(prev, c->id) || prev->sched.migrate;
        other = kind_tell(prev);
    } else {
        rest(&c->rq, prev, now);
    }
    prev->sched.migrate = false;
    vcpu_runstate_publish(prev);
    stopping = d->shutting_down && !d->shut_down;
    if (stopping || lost) {
        domain_ref(d);
    }
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
