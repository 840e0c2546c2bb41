/* Credit: every 30 ms of which somebody used any, the CPU time of the machine is
 * shared out by weight among those who are active. Credit is CPU time in
 * microseconds: what a vCPU uses it pays for, to the microsecond.
 *
 * Each gets total * weight / weights, but nobody more than it can use (its peak: one
 * CPU, its part of its domain's cap, of the one CPU where it is pinned together with
 * others). What those at their peak leave goes to the others, by weight again. */
#include "core/sched/runqueue.h"

#define PERIOD_NS UINT64_C(30000000)
#define PERIOD_US 30000u
#define SLICE_MIN_NS UINT64_C(1000000)
/* Credit stays within this of zero: what was saved or overdrawn long ago is
 * forgotten. */
#define CREDIT_MAX_US 60000
/* One that sleeps pays debts off with at least this much per period. */
#define RECOVER_US 300
/* In how many rounds those at their peak are found. */
#define PEAK_ROUNDS 4u
/* In how many queues a thief looks. */
#define STEAL_QUEUES 8u
/* What nobody used is shared out again, at most so many times the whole. */
#define SPILL_MAX 3u

/* What is to be shared out, among whom. */
struct census {
    uint64_t weight; /* sum, of those not at their peak */
    uint64_t total;  /* credit for them, us */
    uint64_t spill;  /* credit that was given to those who did not need it */
    uint64_t online; /* CPUs */
    uint32_t epoch;  /* number of this pass: marks who was counted in it */
    bool changed;
};

/*@ predicate credit_bounded{L}(struct vcpu *v) =
        -CREDIT_MAX_US <= v->sched.credit <= CREDIT_MAX_US;
    predicate may_read{L}(struct vcpu *v) = \valid_read(v) && \valid_read(v->domain);
    logic integer weight{L}(struct vcpu *v) =
        \max(1, \min(v->domain->weight, SCHED_WEIGHT_MAX));
    predicate pinned_to(integer hard, integer online, integer cpu) =
        online != (1 << cpu) && (hard & online) == (1 << cpu);
    // More than all CPUs can give and all vCPUs weigh.
    predicate census_bounded{L}(struct census *c) =
        c->total <= 0x10000000000 && c->weight <= 0x10000000000; */

/*@ requires may_read(v);
    assigns \nothing;
    ensures \result == weight(v) && 1 <= \result <= SCHED_WEIGHT_MAX; */
static uint64_t weight_of(const struct vcpu *v)
{
    uint32_t w = load_u32(&v->domain->weight);

    return w == 0 ? 1 : w > SCHED_WEIGHT_MAX ? SCHED_WEIGHT_MAX : w;
}

/* What one of weight w gets of total, which all share. */
/*@ requires total <= 0x10000000000 && w <= SCHED_WEIGHT_MAX && all != 0;
    assigns \nothing;
    ensures \result == total * w / all && \result <= 0x100000000000000; */
static uint64_t part_of(uint64_t total, uint64_t w, uint64_t all)
{
    //@ assert 0 <= total * w <= total * SCHED_WEIGHT_MAX;
    //@ assert 0 <= total * w / all <= total * w;
    return total * w / all;
}

/*@ requires \valid_read(v);
    assigns \nothing;
    ensures \result == (v->sched.credit >= 0 ? SCHED_UNDER : SCHED_OVER); */
static int8_t prio_of_credit(const struct vcpu *v)
{
    return v->sched.credit >= 0 ? SCHED_UNDER : SCHED_OVER;
}

/*@ requires may_read(v);
    assigns \nothing;
    ensures \result <==> v->domain->cap != 0; */
static bool capped(const struct vcpu *v)
{
    return load_u32(&v->domain->cap) != 0;
}

/* Makes the running vCPU v pay for its time up to now. */
/*@ requires \valid(v) && credit_bounded(v);
    assigns v->sched.burn_start, v->sched.ran, v->sched.credit;
    ensures credit_bounded(v);
    ensures now <= \old(v->sched.burn_start) ==> v->sched.credit == \old(v->sched.credit) &&
        v->sched.burn_start == \old(v->sched.burn_start);
    ensures paid: now > \old(v->sched.burn_start) ==> v->sched.credit == \max(-CREDIT_MAX_US,
        \old(v->sched.credit) - (now - \old(v->sched.burn_start)) / 1000);
    ensures up_to: now > \old(v->sched.burn_start) ==>
        v->sched.burn_start <= now < v->sched.burn_start + 1000; */
static void burn(struct vcpu *v, uint64_t now)
{
    uint64_t us;

    if (now <= v->sched.burn_start) {
        return;
    }
    us = (now - v->sched.burn_start) / 1000;
    v->sched.burn_start += us * 1000;
    if (us == 0) {
        return;
    }
    v->sched.ran = true;
    if (us >= (uint64_t)((int64_t)v->sched.credit + CREDIT_MAX_US)) {
        v->sched.credit = -CREDIT_MAX_US;
    } else {
        v->sched.credit -= (int32_t)us;
    }
}

/*@ requires \valid(v) && may_read(v) && \valid_read(rq) && credit_bounded(v);
    requires \separated(v, v->domain) && \separated(v, rq);
    assigns v->sched.burn_start, v->sched.ran, v->sched.credit, v->sched.prio, v->pause_flags;
    ensures credit_bounded(v);
    ensures parked: v->pause_flags == (v->domain->cap != 0 && v->sched.credit < 0
        ? \old(v->pause_flags) | VPF_PARKED : \old(v->pause_flags));
    ensures v->sched.credit < 0 ==> v->sched.prio == SCHED_OVER;
    ensures v->sched.credit >= 0 && v->sched.prio != SCHED_BOOST ==> v->sched.prio == SCHED_UNDER;
    ensures boost: v->sched.prio == SCHED_BOOST ==>
        \old(v->sched.prio) == SCHED_BOOST && now < rq->slice_end; */
void credit_charge(const struct runqueue *rq, struct vcpu *v, uint64_t now)
{
    burn(v, now);
    if (capped(v) && v->sched.credit < 0) {
        fetch_or_u32(&v->pause_flags, VPF_PARKED);
    }
    if (v->sched.prio != SCHED_BOOST || now >= rq->slice_end || v->sched.credit < 0) {
        v->sched.prio = prio_of_credit(v);
    }
}

/*@ requires \valid_read(v) && \valid_read(hv) && v->sched.run_start <= TIME_MAX;
    assigns \nothing;
    ensures \result == v->sched.run_start + hv->sched_tunables.ratelimit_us * 1000; */
uint64_t credit_hold(const struct vcpu *v)
{
    return v->sched.run_start + load_u32(&hv->sched_tunables.ratelimit_us) * UINT64_C(1000);
}

/* A capped one may not run longer than it can pay for. */
/*@ requires may_read(v) && \valid_read(hv) && credit_bounded(v);
    assigns \nothing;
    ensures v->domain->cap == 0 ==> \result == hv->sched_tunables.slice_us * 1000;
    ensures v->domain->cap != 0 ==> \result >= SLICE_MIN_NS;
    ensures pays: v->domain->cap != 0 && \result > SLICE_MIN_NS ==> v->sched.credit > 0 &&
        \result <= (v->sched.credit + 1) * 1000 && \result <= hv->sched_tunables.slice_us * 1000; */
uint64_t credit_slice(const struct vcpu *v)
{
    uint64_t slice = load_u32(&hv->sched_tunables.slice_us) * UINT64_C(1000), credit;

    if (capped(v)) {
        credit = v->sched.credit > 0 ? (uint64_t)v->sched.credit * 1000 + 1000 : 0;
        slice = credit < slice ? credit : slice;
        slice = slice > SLICE_MIN_NS ? slice : SLICE_MIN_NS;
    }
    return slice;
}

unsigned credit_place(const struct vcpu *v)
{
    unsigned cpu = sched_idle_cpu_for(v);

    return cpu != MAX_CPUS ? cpu : sched_waiting_cpu_for(v);
}

/*@ requires \valid(v);
    assigns v->sched.prio;
    ensures v->sched.prio == (v->sched.credit >= 0 ? SCHED_BOOST : SCHED_OVER); */
void credit_wake(struct vcpu *v)
{
    v->sched.prio = v->sched.credit >= 0 ? SCHED_BOOST : SCHED_OVER;
}

/* Puts v first on the list of those that get credit. */
/*@ requires \valid(rq) && \valid(v) && \separated(rq, v);
    requires rq->active != \null ==> \valid(rq->active) && \separated(rq->active, rq, v);
    assigns rq->active, v->sched.active, v->sched.active_prev, v->sched.active_next,
        rq->active->sched.active_prev;
    ensures rq->active == v && v->sched.active;
    ensures v->sched.active_prev == \null && v->sched.active_next == \old(rq->active);
    ensures v->sched.active_next != \null ==> v->sched.active_next->sched.active_prev == v; */
static void active_insert(struct runqueue *rq, struct vcpu *v)
{
    v->sched.active = true;
    v->sched.active_prev = NULL;
    v->sched.active_next = rq->active;
    if (rq->active != NULL) {
        rq->active->sched.active_prev = v;
    }
    rq->active = v;
}

void credit_joined(struct runqueue *rq, struct vcpu *v)
{
    struct timer *account = &hv->cpu[0].rq.account;

    if (v->sched.active) {
        return;
    }
    active_insert(rq, v);
    /* An accounting that is about to start finds v on the list; one that has
     * begun is not armed any more. */
    memory_fence();
    if (load_u8((const uint8_t *)&account->active) == 0) {
        timer_set(account, port_time_now() + PERIOD_NS);
    }
}

/*@ requires \valid(rq) && \valid(v) && \separated(rq, v);
    requires v->sched.active && v->sched.active_prev != \null ==>
        \valid(v->sched.active_prev) && \separated(v->sched.active_prev, rq, v);
    requires v->sched.active && v->sched.active_next != \null ==>
        \valid(v->sched.active_next) && \separated(v->sched.active_next, rq, v);
    requires v->sched.active && v->sched.active_prev != \null && v->sched.active_next != \null ==>
        \separated(v->sched.active_prev, v->sched.active_next);
    assigns rq->active, v->sched.active, v->sched.active_prev, v->sched.active_next,
        v->sched.active_prev->sched.active_next, v->sched.active_next->sched.active_prev;
    ensures !v->sched.active;
    ensures \old(v->sched.active) ==>
        v->sched.active_prev == \null && v->sched.active_next == \null;
    ensures first: \old(v->sched.active) && \old(v->sched.active_prev) == \null ==>
        rq->active == \old(v->sched.active_next);
    ensures other: \old(v->sched.active_prev) != \null ==> rq->active == \old(rq->active);
    ensures forth: \let p = \old(v->sched.active_prev); \old(v->sched.active) && p != \null ==>
        p->sched.active_next == \old(v->sched.active_next);
    ensures back: \let n = \old(v->sched.active_next); \old(v->sched.active) && n != \null ==>
        n->sched.active_prev == \old(v->sched.active_prev); */
void credit_left(struct runqueue *rq, struct vcpu *v)
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

/* The CPU with the longest queue that was not tried yet, or MAX_CPUS. A vCPU that
 * waits alone for an idle CPU is left to that. */
/*@ requires \valid_read(hv) && hv->cpu_count <= MAX_CPUS;
    assigns \nothing;
    ensures \result == MAX_CPUS || \result < hv->cpu_count;
    ensures untried: \result < MAX_CPUS ==> !word_bit(tried, \result);
    ensures waits: \result < MAX_CPUS ==> hv->cpu[\result].rq.length != 0;
    ensures longest: \forall integer i; 0 <= i < hv->cpu_count && !word_bit(tried, i) &&
        hv->cpu[i].rq.length > 1 ==> \result < MAX_CPUS &&
        hv->cpu[i].rq.length <= hv->cpu[\result].rq.length; */
static unsigned longest_queue(uint64_t tried)
{
    unsigned best = MAX_CPUS;
    uint32_t most = 0;

    /*@ loop invariant i <= hv->cpu_count && (best == MAX_CPUS ? most == 0 : best < i);
        loop invariant best != MAX_CPUS ==> !word_bit(tried, best) && most > 0 &&
            most == hv->cpu[best].rq.length;
        loop invariant \forall integer k; 0 <= k < i && !word_bit(tried, k) &&
            hv->cpu[k].rq.length > 1 ==> hv->cpu[k].rq.length <= most;
        loop assigns i, best, most;
        loop variant hv->cpu_count - i; */
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

static bool steal(struct cpu *c, int above, bool soft)
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
        v = rq_first_for(from, c->id, above, soft);
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

/* Those who prefer this CPU first. */
void credit_pull(struct cpu *c, int above)
{
    if (!steal(c, above, true)) {
        (void)steal(c, above, false);
    }
}

/* Can v run on CPU cpu only, and others elsewhere? */
/*@ requires \valid_read(v) && \valid_read(c) && cpu < MAX_CPUS;
    assigns \nothing;
    ensures \result <==> pinned_to(v->sched.hard_affinity, c->online, cpu); */
static bool only_here(const struct vcpu *v, unsigned cpu, const struct census *c)
{
    uint64_t here = UINT64_C(1) << cpu;

    return c->online != here && (load_u64(&v->sched.hard_affinity) & c->online) == here;
}

/* v's part of the one CPU that it shares with others; what they left in the last
 * period is shared out again. */
/*@ requires \valid_read(rq) && may_read(v) && rq->pinned_weight != 0;
    assigns \nothing;
    ensures \result <= 0x100000000000000;
    ensures \let all = PERIOD_US + (rq->pinned_spill < SPILL_MAX * PERIOD_US
            ? rq->pinned_spill : SPILL_MAX * PERIOD_US);
        \result == all * weight(v) / rq->pinned_weight; */
static uint64_t pinned_part(const struct runqueue *rq, const struct vcpu *v)
{
    uint64_t spill =
        rq->pinned_spill < SPILL_MAX * PERIOD_US ? rq->pinned_spill : SPILL_MAX * PERIOD_US;

    return part_of(PERIOD_US + spill, weight_of(v), rq->pinned_weight);
}

static void count_cpu(struct cpu *cpu, struct census *c)
{
    struct runqueue *rq = &cpu->rq;

    lock_acquire(&rq->lock);
    rq->pinned_weight = 0;
    for (struct vcpu *v = rq->active; v != NULL; v = v->sched.active_next) {
        struct domain *d = v->domain;

        v->sched.epoch = c->epoch;
        v->sched.at_peak = false;
        c->weight += weight_of(v);
        if (only_here(v, cpu->id, c)) {
            rq->pinned_weight += weight_of(v);
        }
        if (d->sched_epoch != c->epoch) {
            d->sched_epoch = c->epoch;
            d->sched_active = 0;
        }
        d->sched_active++;
    }
    lock_release(&rq->lock);
}

/* The most credit that v can use in one period. */
/*@ requires \valid_read(cpu) && cpu->id < MAX_CPUS && may_read(v) && \valid_read(c);
    assigns \nothing;
    ensures \result <= PERIOD_US;
    ensures cap: v->domain->cap != 0 ==> \result <= v->domain->cap * (PERIOD_US / 100);
    ensures shared: v->domain->cap != 0 && v->domain->sched_active != 0 ==>
        \result <= v->domain->cap * (PERIOD_US / 100) / v->domain->sched_active; */
static uint64_t peak_of(const struct cpu *cpu, const struct vcpu *v, const struct census *c)
{
    uint64_t cap = load_u32(&v->domain->cap), peak = PERIOD_US;

    if (cpu->rq.pinned_weight != 0 && only_here(v, cpu->id, c)) {
        uint64_t part = pinned_part(&cpu->rq, v);

        peak = part < peak ? part : peak;
    }
    if (cap != 0) {
        uint32_t sharers = v->domain->sched_active != 0 ? v->domain->sched_active : 1;
        uint64_t most = cap * (PERIOD_US / 100) / sharers;

        peak = peak < most ? peak : most;
    }
    return peak;
}

/* Takes v out of the census when its share by weight is at least its peak. */
/*@ requires \valid_read(cpu) && cpu->id < MAX_CPUS && \valid(v) && may_read(v) && \valid(c);
    requires census_bounded(c) && \separated(v, c, cpu) && \separated(v->domain, v, c);
    assigns v->sched.at_peak, c->weight, c->total, c->changed;
    ensures census_bounded(c) && c->weight <= \old(c->weight) && c->total <= \old(c->total);
    ensures once: \old(v->sched.at_peak) ==>
        c->weight == \old(c->weight) && c->total == \old(c->total);
    ensures out: v->sched.at_peak && !\old(v->sched.at_peak) ==>
        c->weight == \old(c->weight) - weight(v) && c->total >= \old(c->total) - PERIOD_US;
    ensures stays: !v->sched.at_peak ==>
        c->weight == \old(c->weight) && c->total == \old(c->total); */
static void take_peak(const struct cpu *cpu, struct vcpu *v, struct census *c)
{
    uint64_t w = weight_of(v), peak = peak_of(cpu, v, c);

    /* Weights may change, and vCPUs move, while this goes on. */
    if (v->sched.epoch != c->epoch || v->sched.at_peak || w > c->weight || peak > c->total ||
        part_of(c->total, w, c->weight) < peak) {
        return;
    }
    v->sched.at_peak = true;
    c->weight -= w;
    c->total -= peak;
    c->changed = true;
}

static void peaks_of_cpu(struct cpu *cpu, struct census *c)
{
    struct runqueue *rq = &cpu->rq;

    lock_acquire(&rq->lock);
    for (struct vcpu *v = rq->active; v != NULL; v = v->sched.active_next) {
        take_peak(cpu, v, c);
    }
    lock_release(&rq->lock);
}

/* Returns how much of it v had no use for. */
/*@ requires \valid_read(cpu) && cpu->id < MAX_CPUS && \valid(v) && may_read(v) && \valid_read(c);
    requires credit_bounded(v) && census_bounded(c) && \separated(v, c, cpu, v->domain);
    assigns v->sched.credit;
    ensures credit_bounded(v);
    ensures given: 0 <= \result + v->sched.credit - \old(v->sched.credit) <= PERIOD_US;
    ensures saved: v->domain->cap != 0 ==> v->sched.credit <= PERIOD_US;
    ensures over: \result != 0 && v->domain->cap == 0 ==> v->sched.credit == CREDIT_MAX_US; */
static uint64_t give_credit(const struct cpu *cpu, struct vcpu *v, const struct census *c)
{
    uint64_t share = peak_of(cpu, v, c), over = 0;
    int32_t most;

    if (!v->sched.at_peak && c->weight != 0) {
        uint64_t part = part_of(c->total, weight_of(v), c->weight);

        share = part < share ? part : share;
    }
    /* A capped domain saves nothing up, or it would exceed its cap later. */
    most = capped(v) ? (int32_t)share : CREDIT_MAX_US;
    if (!v->sched.ran && v->sched.credit < 0 && share < RECOVER_US) {
        share = RECOVER_US;
    }
    v->sched.credit += (int32_t)share;
    if (v->sched.credit > most) {
        over = (uint64_t)(v->sched.credit - most);
        v->sched.credit = most;
    }
    return over;
}

/*@ requires \valid_read(cpu) && cpu->id < MAX_CPUS && \valid(v) && may_read(v) && \valid(c) &&
        \valid(pinned_spill);
    requires credit_bounded(v) && census_bounded(c);
    requires \separated(v, c, cpu, v->domain, pinned_spill);
    requires c->spill <= 0x10000000000 && *pinned_spill <= 0x10000000000;
    assigns v->sched.credit, c->spill, *pinned_spill;
    ensures credit_bounded(v) && c->total == \old(c->total) && c->weight == \old(c->weight);
    ensures c->spill == \old(c->spill) || *pinned_spill == \old(*pinned_spill); */
static void pay(const struct cpu *cpu, struct vcpu *v, struct census *c, uint64_t *pinned_spill)
{
    bool pinned = cpu->rq.pinned_weight != 0 && only_here(v, cpu->id, c);
    uint64_t part = pinned ? pinned_part(&cpu->rq, v) : 0;
    uint64_t over = give_credit(cpu, v, c);

    if (pinned) {
        *pinned_spill += over + (part > PERIOD_US ? part - PERIOD_US : 0);
    } else {
        c->spill += over;
    }
}

/* A vCPU that slept for a whole period, and owes nothing, leaves the list; some of
 * what it saved is forgotten. */
/*@ requires \valid_read(v);
    assigns \nothing;
    ensures \result ==>
        !v->sched.ran && !v->sched.queued && !v->sched.running && v->sched.credit >= 0; */
static bool asleep(const struct vcpu *v)
{
    return !v->sched.ran && !v->sched.queued && !v->sched.running && v->sched.credit >= 0 &&
           (load_u32(&v->pause_flags) & VPF_PARKED) == 0;
}

/* v's credit has changed. */
static void reprioritise(struct runqueue *rq, struct vcpu *v)
{
    int8_t prio = prio_of_credit(v);

    if ((load_u32(&v->pause_flags) & VPF_PARKED) != 0 && !(capped(v) && v->sched.credit < 0)) {
        fetch_and_u32(&v->pause_flags, ~VPF_PARKED);
        if (!v->sched.queued && !v->sched.running && vcpu_runnable(v)) {
            vcpu_runstate_change(v, RUNSTATE_runnable, port_time_now());
            v->sched.prio = prio;
            rq_insert(rq, v);
        }
    } else if (v->sched.queued && v->sched.prio != SCHED_BOOST && v->sched.prio != prio) {
        rq_remove(rq, v);
        v->sched.prio = prio;
        rq_insert(rq, v);
    } else if (v->sched.running && v->sched.prio != SCHED_BOOST) {
        v->sched.prio = prio;
    }
}

/* Does v run where it had better not, although a CPU that it prefers is idle? */
/*@ requires \valid_read(cpu) && cpu->id < MAX_CPUS && \valid_read(v) && hv_cpus &&
        v->sched.cpu < MAX_CPUS;
    assigns \nothing;
    ensures \result ==> v->sched.running && !word_bit(v->sched.soft_affinity, cpu->id);
    ensures \result ==> \exists integer i; 0 <= i < MAX_CPUS && i != cpu->id &&
        word_bit(v->sched.soft_affinity, i); */
static bool better_elsewhere(const struct cpu *cpu, const struct vcpu *v)
{
    uint64_t soft = load_u64(&v->sched.soft_affinity);
    unsigned idle;

    if (!v->sched.running || (soft >> cpu->id & 1) != 0) {
        return false;
    }
    idle = sched_idle_cpu_for(v);
    return idle != MAX_CPUS && (soft >> idle & 1) != 0;
}

static void pay_cpu(struct cpu *cpu, struct census *c)
{
    struct runqueue *rq = &cpu->rq;
    struct vcpu *next;
    unsigned idle = MAX_CPUS;
    uint64_t pinned_spill = 0;
    bool look = false;

    lock_acquire(&rq->lock);
    for (struct vcpu *v = rq->active; v != NULL; v = next) {
        next = v->sched.active_next;
        if (v->sched.running) {
            burn(v, port_time_now());
        }
        if (asleep(v)) {
            v->sched.credit /= 2;
            credit_left(rq, v);
            continue;
        }
        pay(cpu, v, c, &pinned_spill);
        v->sched.ran = false;
        reprioritise(rq, v);
        if (better_elsewhere(cpu, v)) {
            v->sched.migrate = look = true;
        }
    }
    rq->pinned_spill = pinned_spill;
    if (rq->head != NULL) {
        look = look || rq->current == NULL || sched_before(rq->head, rq->current);
        idle = sched_idle_cpu_for(rq->head);
    }
    lock_release(&rq->lock);
    if (look) {
        sched_raise(cpu->id);
    }
    if (idle != MAX_CPUS) {
        sched_raise(idle);
    }
}

void sched_account(void *arg)
{
    struct timer *t = arg;
    struct census c = {.epoch = (uint32_t)t->seq, .online = sched_online_cpus()};
    uint64_t now = port_time_now(), whole = 0;

    for (unsigned i = 0; i < hv->cpu_count; i++) {
        whole += (c.online >> i & 1) != 0 ? PERIOD_US : 0;
        count_cpu(&hv->cpu[i], &c);
    }
    if (c.weight == 0) {
        hv->sched_spill = 0;
        return;
    }
    timer_set(t, now + PERIOD_NS);
    c.total = whole + (hv->sched_spill < SPILL_MAX * whole ? hv->sched_spill : SPILL_MAX * whole);
    c.changed = true;
    for (unsigned round = 0; round < PEAK_ROUNDS && c.changed && c.weight != 0; round++) {
        c.changed = false;
        for (unsigned i = 0; i < hv->cpu_count && c.weight != 0; i++) {
            peaks_of_cpu(&hv->cpu[i], &c);
        }
    }
    for (unsigned i = 0; i < hv->cpu_count; i++) {
        pay_cpu(&hv->cpu[i], &c);
    }
    hv->sched_spill = c.spill;
}
