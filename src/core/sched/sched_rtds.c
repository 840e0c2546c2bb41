/* Reservations: in each period a vCPU may use its budget, and who has the earliest
 * deadline runs first, on whatever CPU. A vCPU that used its budget up waits for its
 * next period (VPF_PARKED); with extratime it goes on, behind all who have budget
 * left and those who used up fewer budgets. The key orders all that: level before
 * deadline. */
#include "core/sched/runqueue.h"

#define LEVEL_SHIFT 56
#define LEVEL_MAX 255u
#define DEADLINE_UNIT_SHIFT 4 /* deadlines count in 16 ns: 36 years fit */

static void rank(struct vcpu *v)
{
    uint64_t level = v->sched.level < LEVEL_MAX ? v->sched.level : LEVEL_MAX;
    uint64_t deadline = v->sched.deadline >> DEADLINE_UNIT_SHIFT;

    v->sched.key = level << LEVEL_SHIFT | (deadline & ((UINT64_C(1) << LEVEL_SHIFT) - 1));
    v->sched.prio = level == 0 ? SCHED_UNDER : SCHED_OVER;
}

/* A new period, if the last one is over. */
static void refresh(struct vcpu *v, uint64_t now)
{
    struct sched_vcpu *s = &v->sched;

    if (now >= s->deadline) {
        s->deadline += ((now - s->deadline) / s->period + 1) * s->period;
        s->left = s->budget;
        s->level = 0;
    }
    rank(v);
}

void rtds_charge(struct vcpu *v, uint64_t now)
{
    struct sched_vcpu *s = &v->sched;
    uint64_t used;

    if (now <= s->burn_start) {
        return;
    }
    used = now - s->burn_start;
    s->burn_start = now;
    s->left -= used < s->left ? used : s->left;
    if (s->left != 0) {
        return;
    }
    if (s->extratime) {
        s->level += s->level < LEVEL_MAX;
        s->left = s->budget;
    } else {
        fetch_or_u32(&v->pause_flags, VPF_PARKED);
    }
    rank(v);
}

/* Timer function: v's period is over. The timer lapses when v is at rest. */
static void replenish(void *arg)
{
    struct vcpu *v = arg;
    struct runqueue *rq = sched_lock(v);
    uint64_t now = port_time_now();
    unsigned cpu = MAX_CPUS;

    if (v->sched.running) {
        rtds_charge(v, now);
        cpu = v->sched.cpu; /* its slice is another one now */
    }
    fetch_and_u32(&v->pause_flags, ~VPF_PARKED);
    if (v->sched.queued) {
        rq_remove(rq, v);
        refresh(v, now);
        rq_insert(rq, v);
    } else if (!v->sched.running && vcpu_runnable(v)) {
        vcpu_runstate_change(v, RUNSTATE_runnable, now);
        refresh(v, now);
        rq_insert(rq, v);
    } else {
        refresh(v, now);
    }
    if (v->sched.queued || v->sched.running) {
        timer_set(&v->sched.replenish, v->sched.deadline);
    }
    if (v->sched.queued) {
        cpu = rtds_tell(v);
    } else if (v->sched.running) {
        store_u64(&rq->current_key, v->sched.key);
    }
    lock_release(&rq->lock);
    if (cpu != MAX_CPUS) {
        sched_raise(cpu);
    }
}

void rtds_vcpu_init(struct vcpu *v)
{
    v->sched.period = SCHED_RTDS_PERIOD_US * UINT64_C(1000);
    v->sched.budget = v->sched.left = SCHED_RTDS_BUDGET_US * UINT64_C(1000);
    v->sched.extratime = true;
    timer_init(&v->sched.replenish, replenish, v, v->sched.cpu);
}

void rtds_vcpu_destroy(struct vcpu *v)
{
    timer_stop(&v->sched.replenish);
}

/* One that slept through the end of its period starts a new one now. */
void rtds_wake(struct vcpu *v, uint64_t now)
{
    struct sched_vcpu *s = &v->sched;

    if (now >= s->deadline) {
        s->deadline = now;
    }
    refresh(v, now);
    timer_set(&s->replenish, s->deadline);
}

/* Where v should run, given what the CPUs run now: an idle CPU, or the one whose
 * vCPU has the latest deadline, if that is later than v's; else MAX_CPUS. */
static unsigned cpu_to_take(const struct vcpu *v)
{
    uint64_t hard = load_u64(&v->sched.hard_affinity);
    uint64_t soft = load_u64(&v->sched.soft_affinity);
    unsigned was = load_u16(&v->sched.cpu), best = MAX_CPUS;
    uint64_t latest = v->sched.key;

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        unsigned cpu = (was + i) % hv->cpu_count;
        uint64_t key = load_u64(&hv->cpu[cpu].rq.current_key);

        if ((hard >> cpu & 1) == 0 || !cpu_online_now(cpu) || key <= v->sched.key) {
            continue;
        }
        if (key > latest || (key == latest && (soft >> cpu & 1) > (soft >> best & 1))) {
            latest = key;
            best = cpu;
        }
    }
    return best;
}

unsigned rtds_place(const struct vcpu *v)
{
    unsigned cpu = cpu_to_take(v);

    return cpu != MAX_CPUS ? cpu : sched_waiting_cpu_for(v);
}

unsigned rtds_tell(const struct vcpu *v)
{
    memory_fence();
    return cpu_to_take(v);
}

/* Moves to c's queue whoever waits in CPU cpu's and goes before all that c has, and
 * before key bound. */
static void pull_from(struct cpu *c, unsigned cpu, uint64_t bound)
{
    struct runqueue *from = &hv->cpu[cpu].rq;
    const struct vcpu *head;
    struct vcpu *v;

    lock_pair(&from->lock, &c->rq.lock);
    head = c->rq.head;
    v = rq_first_for(from, c->id, -1, false);
    if (v != NULL && (head == NULL || sched_before(v, head)) && v->sched.key < bound) {
        rq_move(from, &c->rq, c->id, v);
    }
    unlock_pair(&from->lock, &c->rq.lock);
}

void rtds_pull(struct cpu *c, uint64_t bound)
{
    for (unsigned i = 0; i < hv->cpu_count; i++) {
        const struct runqueue *rq = &hv->cpu[i].rq;
        uint32_t length = load_u32(&rq->length);

        /* One that waits alone for an idle CPU is left to that. */
        if (i != c->id && length != 0 && (length > 1 || rq_current(rq) != NULL)) {
            pull_from(c, i, bound);
        }
    }
}

/* The new budget counts from the next period on, except that less is less at once. */
void rtds_set_params(struct vcpu *v, const struct sched_params *p)
{
    struct runqueue *rq = sched_lock(v);
    struct sched_vcpu *s = &v->sched;

    s->period = p->period_us * UINT64_C(1000);
    s->budget = p->budget_us * UINT64_C(1000);
    s->left = s->left < s->budget ? s->left : s->budget;
    s->extratime = p->extratime;
    lock_release(&rq->lock);
}

void rtds_get_params(struct vcpu *v, struct sched_params *p)
{
    struct runqueue *rq = sched_lock(v);

    p->period_us = (uint32_t)(v->sched.period / 1000);
    p->budget_us = (uint32_t)(v->sched.budget / 1000);
    p->extratime = v->sched.extratime;
    lock_release(&rq->lock);
}
