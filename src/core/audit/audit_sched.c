/* INV-SCHED-1 .. 4 over run queues and vCPUs. */
#include "core/audit/audit_impl.h"

#define QUEUE_MAX (UINT64_C(1) << 22)

/* How often v is on c's queue. */
static unsigned times_queued(const struct cpu *c, const struct vcpu *v)
{
    const struct vcpu *q = c->rq.head;
    unsigned times = 0;

    for (uint64_t n = 0; q != NULL && n < QUEUE_MAX; n++, q = q->sched.next)
        times += q == v;
    return times;
}

/* rq->last[] finds the end of each priority's part of the queue. */
static void audit_last(struct audit_report *r, const struct cpu *c)
{
    const struct vcpu *last[SCHED_PRIOS] = {NULL};

    for (const struct vcpu *v = c->rq.head; v != NULL; v = v->sched.next) {
        if (v->sched.prio >= 0 && v->sched.prio < SCHED_PRIOS)
            last[v->sched.prio] = v;
    }
    for (unsigned prio = 0; prio < SCHED_PRIOS; prio++)
        audit_claim(r, c->rq.last[prio] == last[prio], "INV-SCHED-2",
                    "cpu %u: the last of priority %u is another vCPU", c->id, prio);
}

static void audit_queue(struct audit_report *r, const struct cpu *c)
{
    const struct vcpu *prev = NULL;
    uint32_t n = 0;

    for (const struct vcpu *v = c->rq.head; v != NULL; prev = v, v = v->sched.next) {
        if (n++ >= QUEUE_MAX || v->sched.prev != prev) {
            audit_violation(r, "INV-SCHED-1", "cpu %u's run queue is linked wrongly", c->id);
            return;
        }
        audit_claim(r, v->sched.queued && v->sched.cpu == c->id, "INV-SCHED-1",
                    "d%uv%u (queued %u, cpu %u) is on cpu %u's queue", v->domain->id, v->id,
                    v->sched.queued, v->sched.cpu, c->id);
        audit_claim(r, prev == NULL || prev->sched.prio >= v->sched.prio, "INV-SCHED-2",
                    "cpu %u: priority %d waits before %d", c->id,
                    prev == NULL ? 0 : prev->sched.prio, v->sched.prio);
        audit_claim(
            r, prev == NULL || prev->sched.prio != v->sched.prio || prev->sched.key <= v->sched.key,
            "INV-SCHED-2", "cpu %u: key %lu waits before %lu", c->id,
            prev == NULL ? 0 : prev->sched.key, v->sched.key);
    }
    audit_claim(r, n == c->rq.length && c->rq.tail == prev, "INV-SCHED-1",
                "cpu %u's run queue holds %u vCPUs, %u counted", c->id, n, c->rq.length);
    audit_last(r, c);
}

/* One that lost its CPU goes off it at the next schedule(). */
static void audit_owner(struct audit_report *r, const struct cpu *c)
{
    const struct vcpu *v = c->rq.owner, *cur = c->rq.current;

    if (v != NULL)
        audit_claim(r, v->sched.owner && v->sched.cpu == c->id, "INV-SCHED-4",
                    "cpu %u belongs to d%uv%u (owner %u, cpu %u)", c->id, v->domain->id, v->id,
                    v->sched.owner, v->sched.cpu);
    if (cur != NULL && hv->sched_kind == SCHED_NULL)
        audit_claim(r, cur == v || c->resched != 0, "INV-SCHED-4",
                    "cpu %u runs d%uv%u, which does not own it", c->id, cur->domain->id, cur->id);
}

void audit_sched(struct audit_report *r, const struct cpu *c)
{
    const struct vcpu *v = c->rq.current;

    audit_owner(r, c);

    audit_queue(r, c);
    audit_claim(r, c->current == v, "INV-SCHED-3", "cpu %u does not run what its queue says",
                c->id);
    if (v != NULL)
        audit_claim(r, v->sched.running && v->sched.cpu == c->id, "INV-SCHED-3",
                    "d%uv%u (running %u, cpu %u) is current on cpu %u", v->domain->id, v->id,
                    v->sched.running, v->sched.cpu, c->id);
}

static void audit_vcpu(struct audit_report *r, const struct domain *d, const struct vcpu *v)
{
    const struct sched_vcpu *s = &v->sched;
    unsigned queues = 0;
    int state = v->runstate.state;

    for (uint32_t i = 0; i < hv->cpu_count; i++)
        queues += times_queued(&hv->cpu[i], v);
    audit_claim(r, queues == (vcpu_runnable(v) && !s->running ? 1 : 0), "INV-SCHED-1",
                "d%uv%u (runnable %u, running %u) is on %u queues", d->id, v->id, vcpu_runnable(v),
                s->running, queues);
    audit_claim(r, !s->owner || (s->cpu < hv->cpu_count && hv->cpu[s->cpu].rq.owner == v),
                "INV-SCHED-4", "d%uv%u says that cpu %u is its own", d->id, v->id, s->cpu);
    audit_claim(r, s->queued == (queues != 0), "INV-SCHED-1", "d%uv%u: queued %u, on %u queues",
                d->id, v->id, s->queued, queues);
    if (s->running)
        audit_claim(r, s->cpu < hv->cpu_count && hv->cpu[s->cpu].rq.current == v, "INV-SCHED-3",
                    "d%uv%u says it runs on cpu %u, which does not", d->id, v->id, s->cpu);
    audit_claim(r, (state == RUNSTATE_running) == s->running, "INV-SCHED-3",
                "d%uv%u: runstate %d, running %u", d->id, v->id, state, s->running);
    audit_claim(r, (state == RUNSTATE_runnable) == s->queued, "INV-SCHED-3",
                "d%uv%u: runstate %d, queued %u", d->id, v->id, state, s->queued);
}

void audit_sched_domain(struct audit_report *r, const struct domain *d)
{
    for (unsigned i = 0; (i = audit_next_vcpu(r->zero, d, i)) < MAX_VCPUS; i++)
        audit_vcpu(r, d, d->vcpu[i]);
}
