/* Who runs on this CPU now. */
#include "core/sched/runqueue.h"

#include "base/check.h"
#include "core/arch.h"
#include "core/time/pvclock.h"
#include "port/trace.h"

static void slice_over(void *arg)
{
    sched_raise(port_cpu_id());
}

void runqueue_init(struct runqueue *rq, unsigned cpu)
{
    *rq = (struct runqueue){.length = 0};
    lock_init(&rq->lock, LOCK_RUNQUEUE);
    timer_init(&rq->slice, slice_over, rq, cpu);
    timer_init(&rq->account, sched_account, &rq->account, cpu);
}

void sched_vcpu_init(struct vcpu *v)
{
    unsigned cpu = (v->domain->id + v->id) % hv->cpu_count;

    v->sched = (struct sched_vcpu){
        .cpu = (uint16_t)(hv->cpu[cpu].online ? cpu : 0),
        .prio = SCHED_UNDER,
        .hard_affinity = ~UINT64_C(0),
        .soft_affinity = ~UINT64_C(0),
    };
}

void sched_vcpu_destroy(struct vcpu *v)
{
    struct runqueue *rq = sched_lock(v);

    check(!v->sched.queued && !v->sched.running);
    rq_deactivate(rq, v);
    lock_release(&rq->lock);
}

/* The state of a vCPU that neither runs nor waits for a CPU. */
static int state_at_rest(const struct vcpu *v)
{
    return (load_u32(&v->pause_flags) & VPF_BLOCKED) != 0 ? RUNSTATE_blocked : RUNSTATE_offline;
}

static void rest(struct vcpu *v, uint64_t now)
{
    int state = state_at_rest(v);

    if (v->runstate.state != state) {
        vcpu_runstate_change(v, state, now);
    }
}

/* Queues v, which is neither queued nor running, as one that woke up: true iff
 * its CPU should look at it now. */
static bool queue_woken(struct runqueue *rq, struct vcpu *v)
{
    const struct vcpu *cur = rq->current;

    v->sched.prio = v->sched.credit >= 0 ? SCHED_BOOST : SCHED_OVER;
    vcpu_runstate_change(v, RUNSTATE_runnable, port_time_now());
    rq_activate(rq, v);
    rq_insert(rq, v);
    port_trace(TRACE_WAKE, v->domain->id, v->id, v->sched.cpu);
    return cur == NULL || v->sched.prio > cur->sched.prio;
}

/* Must v be queued? If not, its runstate is put right. */
static bool must_queue(struct vcpu *v)
{
    if (v->sched.queued || v->sched.running) {
        return false;
    }
    if (vcpu_runnable(v)) {
        return true;
    }
    rest(v, port_time_now());
    return false;
}

void sched_wake(struct vcpu *v)
{
    struct runqueue *rq = sched_lock(v);
    bool look = false;
    unsigned cpu;

    while (must_queue(v)) {
        cpu = sched_choose_cpu(v);
        if (cpu == v->sched.cpu) {
            look = queue_woken(rq, v);
            break;
        }
        /* Not queued anywhere, it may change its CPU under the old one's lock. It
         * joins the list of active vCPUs again where it is queued. */
        rq_deactivate(rq, v);
        store_u16(&v->sched.cpu, (uint16_t)cpu);
        lock_release(&rq->lock);
        rq = sched_lock(v);
        if (must_queue(v)) {
            look = queue_woken(rq, v);
            break;
        }
    }
    cpu = v->sched.cpu;
    lock_release(&rq->lock);
    if (look) {
        sched_raise(cpu);
    }
}

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
            rest(v, port_time_now());
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
        v->sched.yield = true;
        sched_raise(port_cpu_id());
    }
}

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

/* How long v may run: a capped one not longer than it can pay for. */
static uint64_t slice_of(const struct vcpu *v)
{
    uint64_t slice = SCHED_SLICE_NS, credit;

    if (load_u32(&v->domain->cap) != 0) {
        credit = v->sched.credit > 0 ? (uint64_t)v->sched.credit * 1000 + 1000 : 0;
        slice = credit < slice ? credit : slice;
        slice = slice > SCHED_SLICE_MIN_NS ? slice : SCHED_SLICE_MIN_NS;
    }
    return slice;
}

/* What prev, which was running until now, has to say against those who wait: its
 * priority, -1 when it cannot go on here. */
static int claim_of(struct runqueue *rq, struct vcpu *prev, uint64_t now)
{
    if (prev == NULL) {
        return -1;
    }
    sched_burn(prev, now);
    if (sched_over_cap(prev)) {
        fetch_or_u32(&prev->pause_flags, VPF_PARKED);
    }
    if (prev->sched.prio != SCHED_BOOST || now >= rq->slice_end || prev->sched.credit < 0) {
        prev->sched.prio = sched_prio_of_credit(prev);
    }
    return vcpu_runnable(prev) && cpu_allowed(prev, port_cpu_id()) ? prev->sched.prio : -1;
}

/* Does the head of the queue go before prev, whose claim this is? */
static bool head_first(const struct runqueue *rq, const struct vcpu *prev, int claim, uint64_t now)
{
    const struct vcpu *head = rq->head;

    if (head == NULL || claim < 0) {
        return true;
    }
    return prev->sched.yield || head->sched.prio > claim ||
           (head->sched.prio == claim && now >= rq->slice_end);
}

/* With the queue's lock held: who is next. It counts as running from now on. */
static struct vcpu *take_next(struct runqueue *rq, struct vcpu *prev, int claim, uint64_t now)
{
    struct vcpu *next = prev;

    if (head_first(rq, prev, claim, now) && (rq->head != NULL || claim < 0)) {
        next = rq->head;
    }
    if (prev != NULL) {
        prev->sched.yield = false;
    }
    if (next == NULL) {
        rq->current = NULL;
        return NULL;
    }
    if (next != prev) {
        rq_remove(rq, next);
        next->sched.running = true;
        next->sched.run_start = next->sched.burn_start = now;
        rq->current = next;
        rq->slice_end = now + slice_of(next);
        vcpu_runstate_change(next, RUNSTATE_running, now);
        vcpu_runstate_publish(next);
    } else if (now >= rq->slice_end) {
        rq->slice_end = now + slice_of(next);
    }
    return next;
}

static struct vcpu *choose_next(struct cpu *c, struct vcpu *prev, uint64_t *now)
{
    struct runqueue *rq = &c->rq;
    struct vcpu *next;
    int claim, best;

    lock_acquire(&rq->lock);
    *now = port_time_now();
    claim = claim_of(rq, prev, *now);
    best = rq->head != NULL && rq->head->sched.prio > claim ? rq->head->sched.prio : claim;
    if (best <= SCHED_OVER) {
        /* Perhaps somebody more deserving waits elsewhere. */
        lock_release(&rq->lock);
        (void)sched_steal(c, best);
        lock_acquire(&rq->lock);
        *now = port_time_now();
        claim = claim_of(rq, prev, *now);
    }
    next = take_next(rq, prev, claim, *now);
    lock_release(&rq->lock);
    return next;
}

/* prev, which ran until now, goes off this CPU. Once the lock is released it may
 * run elsewhere, or be freed, unless this CPU holds a reference. */
static void switch_out(struct cpu *c, struct vcpu *prev, uint64_t now)
{
    struct domain *d = prev->domain;
    unsigned idle = MAX_CPUS;
    bool stopping, lost = false;

    vcpu_timers_switch_out(prev);
    arch_vcpu_switch_out(prev);
    lock_acquire(&c->rq.lock);
    store_u8((uint8_t *)&prev->sched.running, false);
    if (vcpu_runnable(prev)) {
        vcpu_runstate_change(prev, RUNSTATE_runnable, now);
        rq_insert(&c->rq, prev);
        lost = !cpu_allowed(prev, c->id);
        idle = sched_idle_cpu_for(prev);
    } else {
        rest(prev, now);
    }
    vcpu_runstate_publish(prev);
    stopping = d->shutting_down && !d->shut_down;
    if (stopping || lost) {
        domain_ref(d);
    }
    lock_release(&c->rq.lock);
    if (lost) {
        sched_replace(prev);
    } else if (idle != MAX_CPUS) {
        sched_raise(idle);
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
    timer_set(&c->rq.slice, c->rq.slice_end);
    pvclock_update(next);
    arch_vcpu_switch_in(next);
    vcpu_timers_switch_in(next);
    port_trace(TRACE_SWITCH, next->domain->id, next->id, c->id);
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
        if (next != NULL && c->rq.slice.expires != c->rq.slice_end) {
            timer_set(&c->rq.slice, c->rq.slice_end);
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
        c->current = NULL;
        timer_disarm(&c->rq.slice);
        port_trace(TRACE_SWITCH, DOMID_IDLE, 0, c->id);
    }
}
