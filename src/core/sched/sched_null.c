/* No sharing: each vCPU gets a CPU of its own and keeps it, idle or not, until it
 * goes down. Those for whom there is none wait, in the order in which they came.
 *
 * Whoever waits is in the queue of some CPU, with a ticket for a key. A CPU without
 * owner takes the one with the lowest ticket that may run there. */
#include "core/sched/runqueue.h"

static struct vcpu *owner_of(unsigned cpu)
{
    return (struct vcpu *)(uintptr_t)load_u64((const uint64_t *)&hv->cpu[cpu].rq.owner);
}

static void set_owner(struct runqueue *rq, struct vcpu *v)
{
    store_u64((uint64_t *)&rq->owner, (uint64_t)(uintptr_t)v);
}

void null_rank(struct vcpu *v)
{
    if (v->sched.owner) {
        v->sched.prio = SCHED_UNDER;
        v->sched.key = 0;
    } else {
        v->sched.prio = SCHED_OVER;
        /* It keeps its place while it is moved about. */
        if (v->sched.key == 0) {
            v->sched.key = fetch_add_u64(&hv->sched_ticket, 1) + 1;
        }
    }
}

/* A CPU without owner that v may run on, preferred ones first, or MAX_CPUS. */
static unsigned free_cpu_for(const struct vcpu *v)
{
    uint64_t hard = load_u64(&v->sched.hard_affinity);
    uint64_t soft = load_u64(&v->sched.soft_affinity);
    unsigned best = MAX_CPUS, was = load_u16(&v->sched.cpu);

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        unsigned cpu = (was + i) % hv->cpu_count;

        if ((hard >> cpu & 1) == 0 || !cpu_online_now(cpu) || owner_of(cpu) != NULL) {
            continue;
        }
        if ((soft >> cpu & 1) != 0) {
            return cpu;
        }
        best = best == MAX_CPUS ? cpu : best;
    }
    return best;
}

unsigned null_place(const struct vcpu *v)
{
    unsigned cpu = MAX_CPUS;

    if (v->sched.owner) {
        return load_u16(&v->sched.cpu);
    }
    cpu = free_cpu_for(v);
    return cpu != MAX_CPUS ? cpu : sched_waiting_cpu_for(v);
}

/* Blocked or paused it keeps its CPU. */
static bool keeps_cpu(const struct vcpu *v)
{
    return (load_u32(&v->pause_flags) & VPF_DOWN) == 0 && !v->dead &&
           load_u8(&v->domain->state) == DOMAIN_ALIVE && cpu_allowed(v, v->sched.cpu);
}

void null_left(struct runqueue *rq, struct vcpu *v)
{
    if (v->sched.owner && !keeps_cpu(v)) {
        v->sched.owner = false;
        set_owner(rq, NULL);
        if (v->sched.queued) {
            rq_remove(rq, v);
            null_rank(v);
            rq_insert(rq, v);
        }
        sched_raise(v->sched.cpu);
    }
    if (!v->sched.queued && !v->sched.running && !v->sched.owner) {
        v->sched.key = 0; /* the next time it waits it comes last */
    }
}

/* One that lost its CPU and may have it again before it went off goes on, if nobody
 * else came. */
void null_charge(struct runqueue *rq, struct vcpu *v)
{
    if (!v->sched.owner && rq->owner == NULL && keeps_cpu(v)) {
        v->sched.owner = true;
        set_owner(rq, v);
    }
}

/* The first one waiting in rq that may run on CPU cpu. */
static struct vcpu *first_waiting(const struct runqueue *rq, unsigned cpu)
{
    struct vcpu *v = rq->head;

    while (v != NULL && (v->sched.owner || !cpu_allowed(v, cpu))) {
        v = v->sched.next;
    }
    return v;
}

/* The CPU in whose queue the lowest ticket waits that may run on CPU cpu, or
 * MAX_CPUS. */
static unsigned longest_waiting(unsigned cpu)
{
    uint64_t lowest = UINT64_MAX;
    unsigned best = MAX_CPUS;

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        struct runqueue *rq = &hv->cpu[i].rq;
        const struct vcpu *v;

        if (load_u32(&rq->length) == 0) {
            continue;
        }
        lock_acquire(&rq->lock);
        v = first_waiting(rq, cpu);
        if (v != NULL && v->sched.key < lowest) {
            lowest = v->sched.key;
            best = i;
        }
        lock_release(&rq->lock);
    }
    return best;
}

/* v, waiting in from, gets CPU c. */
static void adopt(struct runqueue *from, struct cpu *c, struct vcpu *v)
{
    if (from != &c->rq) {
        rq_move(from, &c->rq, c->id, v);
    }
    v->sched.owner = true;
    set_owner(&c->rq, v);
    rq_remove(&c->rq, v);
    null_rank(v);
    rq_insert(&c->rq, v);
}

void null_pull(struct cpu *c)
{
    memory_fence();
    while (owner_of(c->id) == NULL) {
        unsigned cpu = longest_waiting(c->id);
        struct runqueue *from;
        struct vcpu *v;

        if (cpu == MAX_CPUS) {
            return;
        }
        from = &hv->cpu[cpu].rq;
        lock_pair(&from->lock, &c->rq.lock);
        v = first_waiting(from, c->id);
        if (v != NULL) {
            adopt(from, c, v);
        }
        unlock_pair(&from->lock, &c->rq.lock);
    }
}

unsigned null_tell(const struct vcpu *v)
{
    if (v->sched.owner) {
        return v->sched.cpu;
    }
    /* Either this finds the CPU free, or the CPU finds v. */
    memory_fence();
    return free_cpu_for(v);
}
