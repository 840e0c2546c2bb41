/* Run queues: who waits where. */
#include "core/sched/runqueue.h"

#include "base/check.h"

/* How many waiting vCPUs a thief looks at in one queue, and in how many queues. */
#define STEAL_SCAN 16u
#define STEAL_QUEUES 8u

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

/* The last one queued of priority prio or higher, NULL: v goes first. */
static struct vcpu *place_after(const struct runqueue *rq, int prio)
{
    for (; prio < SCHED_PRIOS; prio++) {
        if (rq->last[prio] != NULL) {
            return rq->last[prio];
        }
    }
    return NULL;
}

void rq_insert(struct runqueue *rq, struct vcpu *v)
{
    struct vcpu *prev = place_after(rq, v->sched.prio);
    struct vcpu *next = prev != NULL ? prev->sched.next : rq->head;

    check(!v->sched.queued && !v->sched.running);
    v->sched.prev = prev;
    v->sched.next = next;
    if (prev != NULL) {
        prev->sched.next = v;
    } else {
        rq->head = v;
    }
    if (next != NULL) {
        next->sched.prev = v;
    } else {
        rq->tail = v;
    }
    rq->last[v->sched.prio] = v;
    v->sched.queued = true;
    store_u32(&rq->length, rq->length + 1);
}

void rq_remove(struct runqueue *rq, struct vcpu *v)
{
    struct vcpu *prev = v->sched.prev, *next = v->sched.next;

    check(v->sched.queued);
    if (rq->last[v->sched.prio] == v) {
        bool peer = prev != NULL && prev->sched.prio == v->sched.prio;

        rq->last[v->sched.prio] = peer ? prev : NULL;
    }
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
    v->sched.prev = v->sched.next = NULL;
    v->sched.queued = false;
    store_u32(&rq->length, rq->length - 1);
}

void rq_activate(struct runqueue *rq, struct vcpu *v)
{
    struct timer *account = &hv->cpu[0].rq.account;

    if (v->sched.active) {
        return;
    }
    v->sched.active = true;
    v->sched.active_prev = NULL;
    v->sched.active_next = rq->active;
    if (rq->active != NULL) {
        rq->active->sched.active_prev = v;
    }
    rq->active = v;
    /* An accounting that is about to start finds v on the list; one that has
     * begun is not armed any more. */
    memory_fence();
    if (load_u8((const uint8_t *)&account->active) == 0) {
        timer_set(account, port_time_now() + SCHED_PERIOD_NS);
    }
}

void rq_deactivate(struct runqueue *rq, struct vcpu *v)
{
    if (!v->sched.active) {
        return;
    }
    v->sched.active = false;
    if (v->sched.active_prev != NULL) {
        v->sched.active_prev->sched.active_next = v->sched.active_next;
    } else {
        rq->active = v->sched.active_next;
    }
    if (v->sched.active_next != NULL) {
        v->sched.active_next->sched.active_prev = v->sched.active_prev;
    }
    v->sched.active_next = v->sched.active_prev = NULL;
}

void rq_move(struct runqueue *from, struct runqueue *to, unsigned to_cpu, struct vcpu *v)
{
    bool queued = v->sched.queued, active = v->sched.active;

    if (queued) {
        rq_remove(from, v);
    }
    rq_deactivate(from, v);
    store_u16(&v->sched.cpu, (uint16_t)to_cpu);
    if (active) {
        rq_activate(to, v);
    }
    if (queued) {
        rq_insert(to, v);
    }
}

static uint64_t online_cpus(void)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        if (load_u8((const uint8_t *)&hv->cpu[i].online) != 0) {
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

unsigned sched_choose_cpu(const struct vcpu *v)
{
    uint64_t mask = load_u64(&v->sched.hard_affinity) & online_cpus();
    unsigned was = load_u16(&v->sched.cpu);
    unsigned best = sched_idle_cpu_for(v);
    uint32_t shortest = UINT32_MAX;

    if (best != MAX_CPUS) {
        return best;
    }
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

/* The CPU with the longest queue that was not tried yet, or MAX_CPUS. A vCPU that
 * waits alone for an idle CPU is left to that. */
static unsigned longest_queue(uint64_t tried)
{
    unsigned best = MAX_CPUS;
    uint32_t most = 0;

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        const struct runqueue *rq = &hv->cpu[i].rq;
        uint32_t length = load_u32(&rq->length);

        if ((tried >> i & 1) == 0 && length > most && (length > 1 || rq_current(rq) != NULL)) {
            most = length;
            best = i;
        }
    }
    return best;
}

static struct vcpu *loot(const struct runqueue *rq, unsigned cpu, int above)
{
    struct vcpu *v = rq->head;

    for (unsigned i = 0; v != NULL && i < STEAL_SCAN && v->sched.prio > above; i++) {
        if (cpu_allowed(v, cpu)) {
            return v;
        }
        v = v->sched.next;
    }
    return NULL;
}

bool sched_steal(struct cpu *c, int above)
{
    uint64_t tried = UINT64_C(1) << c->id;

    for (unsigned i = 0; i < STEAL_QUEUES; i++) {
        unsigned cpu = longest_queue(tried);
        struct runqueue *from;
        struct vcpu *v;

        if (cpu == MAX_CPUS) {
            return false;
        }
        from = &hv->cpu[cpu].rq;
        lock_pair(&from->lock, &c->rq.lock);
        v = loot(from, c->id, above);
        if (v != NULL) {
            rq_move(from, &c->rq, c->id, v);
        }
        unlock_pair(&from->lock, &c->rq.lock);
        if (v != NULL) {
            return true;
        }
        tried |= UINT64_C(1) << cpu;
    }
    return false;
}

int sched_set_affinity(struct vcpu *v, uint64_t hard, uint64_t soft)
{
    struct runqueue *rq;
    unsigned cpu;
    bool running;

    if ((hard & online_cpus()) == 0) {
        return -XEN_EINVAL;
    }
    rq = sched_lock(v);
    store_u64(&v->sched.hard_affinity, hard);
    store_u64(&v->sched.soft_affinity, soft);
    cpu = v->sched.cpu;
    running = v->sched.running;
    lock_release(&rq->lock);
    if (!cpu_allowed(v, cpu)) {
        if (running) {
            sched_raise(cpu);
        } else {
            sched_replace(v);
        }
    }
    return 0;
}

void sched_replace(struct vcpu *v)
{
    unsigned cpu = sched_choose_cpu(v), old = load_u16(&v->sched.cpu);
    struct runqueue *from = &hv->cpu[old].rq, *to = &hv->cpu[cpu].rq;

    lock_pair(&from->lock, &to->lock);
    /* Whoever moved it meanwhile, or lets it run, has seen the new affinity. */
    if (v->sched.cpu == old && cpu != old && !v->sched.running) {
        rq_move(from, to, cpu, v);
    }
    unlock_pair(&from->lock, &to->lock);
    sched_raise(cpu);
}

int sched_pin_override(struct vcpu *v, int32_t pcpu)
{
    uint64_t soft = v->sched.soft_affinity;
    int rc;

    if (pcpu < 0) {
        if (!v->sched.pinned) {
            return -XEN_EINVAL;
        }
        v->sched.pinned = false;
        return sched_set_affinity(v, v->sched.unpinned, soft);
    }
    if ((uint32_t)pcpu >= hv->cpu_count) {
        return -XEN_EINVAL;
    }
    if (!v->sched.pinned) {
        v->sched.unpinned = v->sched.hard_affinity;
    }
    rc = sched_set_affinity(v, UINT64_C(1) << pcpu, soft);
    v->sched.pinned = v->sched.pinned || rc == 0;
    return rc;
}
