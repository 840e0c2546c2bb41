/* One pairing heap per CPU. Equal expiries run in the order in which they were
 * armed, so that a run depends on nothing but its inputs. */
#include "core/time/timer.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/state.h"

/*@ predicate goes_first{L}(struct timer *a, struct timer *b) = a->expires < b->expires ||
        (a->expires == b->expires && a->seq < b->seq);
    // What may be joined: the root of a heap, and its first child.
    predicate heap{L}(struct timer *t) = t != \null ==> \valid(t) &&
        (t->child != \null ==> \valid(t->child) && \separated(t, t->child));
    predicate apart{L}(struct timer *a, struct timer *b) = a != \null && b != \null ==>
        \separated(a, b) && (a->child != \null ==> \separated(a->child, b)) &&
        (b->child != \null ==> \separated(a, b->child)); */

/*@ requires \valid_read(a) && \valid_read(b);
    assigns \nothing;
    ensures \result <==> goes_first(a, b); */
static bool before(const struct timer *a, const struct timer *b)
{
    return a->expires < b->expires || (a->expires == b->expires && a->seq < b->seq);
}

/* Joins two heaps, either of which may be empty. */
/*@ requires heap(a) && heap(b) && apart(a, b);
    assigns a->child, a->prev, a->sibling, a->child->prev, b->child, b->prev, b->sibling,
        b->child->prev;
    ensures none: b == \null ==> \result == a;
    ensures one: a == \null ==> \result == b;
    ensures INV_TIME_1: a != \null && b != \null ==> (\result == a || \result == b) &&
        !goes_first(a, \result) && !goes_first(b, \result);
    ensures below: a != \null && b != \null ==> \let sub = \result == a ? b : a;
        \result->child == sub && sub->prev == \result;
    ensures next: a != \null && b != \null && \result == a ==> b->sibling == \old(a->child) &&
        b->child == \old(b->child) && (b->sibling != \null ==> b->sibling->prev == b);
    ensures next: a != \null && b != \null && \result == b ==> a->sibling == \old(b->child) &&
        a->child == \old(a->child) && (a->sibling != \null ==> a->sibling->prev == a); */
static struct timer *meld(struct timer *a, struct timer *b)
{
    struct timer *top, *sub;

    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    top = before(a, b) ? a : b;
    sub = top == a ? b : a;
    sub->prev = top;
    sub->sibling = top->child;
    if (top->child != NULL) {
        top->child->prev = sub;
    }
    top->child = sub;
    return top;
}

/* Makes one heap of a list of siblings: in pairs from left to right, then all of
 * the pairs from right to left. */
static struct timer *merge_pairs(struct timer *list)
{
    struct timer *pairs = NULL, *heap = NULL;

    while (list != NULL) {
        struct timer *a = list, *b = list->sibling, *pair;

        list = b != NULL ? b->sibling : NULL;
        a->prev = a->sibling = NULL;
        if (b != NULL) {
            b->prev = b->sibling = NULL;
        }
        pair = meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    while (pairs != NULL) {
        struct timer *pair = pairs;

        pairs = pair->sibling;
        pair->sibling = NULL;
        heap = meld(heap, pair);
    }
    return heap;
}

/*@ requires \valid(q) && \valid(t) && \separated(q, t) && q->next_seq < UINT64_MAX;
    requires heap(q->root) && (q->root != \null ==> \separated(t, q->root) &&
        \separated(q, q->root) && (q->root->child != \null ==>
            \separated(t, q->root->child) && \separated(q, q->root->child)));
    assigns *t, q->next_seq, q->root, q->root->child, q->root->prev, q->root->sibling,
        q->root->child->prev;
    ensures t->active && t->seq == \old(q->next_seq) && q->next_seq == \old(q->next_seq) + 1;
    ensures t->expires == \old(t->expires) && t->cpu == \old(t->cpu);
    ensures q->root == t || q->root == \old(q->root);
    ensures INV_TIME_1: !goes_first(t, q->root) &&
        (\old(q->root) != \null ==> !goes_first(\old(q->root), q->root)); */
static void heap_insert(struct timer_queue *q, struct timer *t)
{
    t->child = t->sibling = t->prev = NULL;
    t->seq = q->next_seq++;
    t->active = true;
    q->root = meld(q->root, t);
}

static void heap_remove(struct timer_queue *q, struct timer *t)
{
    struct timer *below = merge_pairs(t->child);

    if (q->root == t) {
        q->root = below;
    } else {
        if (t->prev->child == t) {
            t->prev->child = t->sibling;
        } else {
            t->prev->sibling = t->sibling;
        }
        if (t->sibling != NULL) {
            t->sibling->prev = t->prev;
        }
        q->root = meld(q->root, below);
    }
    t->child = t->sibling = t->prev = NULL;
    t->active = false;
}

/* Locks the queue of t's CPU, which may change until the lock is held. */
static struct timer_queue *queue_lock(const struct timer *t)
{
    for (;;) {
        uint16_t cpu = load_u16(&t->cpu);
        struct timer_queue *q = &hv->cpu[cpu].timers;

        lock_acquire(&q->lock);
        if (load_u16(&t->cpu) == cpu) {
            return q;
        }
        lock_release(&q->lock);
    }
}

/* The queue of CPU cpu changed: its port timer must follow. Only the CPU itself
 * can arm that; it is told when it has to be earlier. */
/*@ requires \valid(q) && (q->root != \null ==> \valid_read(q->root) && \separated(q, q->root));
    assigns q->next, q->rearm, told_cpus;
    ensures q->next == (q->root != \null ? q->root->expires : TIME_NEVER);
    ensures told: q->next < \old(q->next) ==> told_cpus == \old(told_cpus) + 1 &&
        (q->rearm == 1 || cpu == own_cpu);
    ensures q->next >= \old(q->next) ==> q->rearm == \old(q->rearm); */
static void queue_changed(struct timer_queue *q, unsigned cpu)
{
    uint64_t next = q->root != NULL ? q->root->expires : TIME_NEVER;
    uint64_t old = q->next;

    store_u64(&q->next, next);
    if (next == old) {
        return;
    }
    if (cpu == port_cpu_id()) {
        port_timer_arm(next);
    } else if (next < old) {
        store_u32(&q->rearm, 1);
        port_cpu_kick(cpu);
    }
}

static struct timer *running_on(const struct timer_queue *q)
{
    return (struct timer *)(uintptr_t)load_u64((const uint64_t *)&q->running);
}

static void set_running(struct timer_queue *q, struct timer *t)
{
    store_u64((uint64_t *)&q->running, (uint64_t)(uintptr_t)t);
}

/* Waits while another CPU, cpu, runs t's fn. */
static void wait_for_fn(const struct timer *t, unsigned cpu)
{
    while (cpu != port_cpu_id() && running_on(&hv->cpu[cpu].timers) == t) {
        port_cpu_relax();
    }
}

/*@ requires \valid(q);
    assigns *q;
    ensures q->root == \null && q->running == \null && q->next == TIME_NEVER && q->rearm == 0 &&
        q->next_seq == 0; */
void timer_queue_init(struct timer_queue *q)
{
    *q = (struct timer_queue){.next = TIME_NEVER};
    lock_init(&q->lock, LOCK_TIMER);
}

/*@ requires \valid(t) && cpu < MAX_CPUS;
    assigns *t;
    ensures !t->active && t->cpu == cpu && t->run_cpu == cpu && t->fn == fn && t->arg == arg;
    ensures t->child == \null && t->sibling == \null && t->prev == \null; */
void timer_init(struct timer *t, void (*fn)(void *), void *arg, unsigned cpu)
{
    *t = (struct timer){.fn = fn, .arg = arg, .cpu = (uint16_t)cpu, .run_cpu = (uint16_t)cpu};
}

void timer_set(struct timer *t, uint64_t expires)
{
    struct timer_queue *q = queue_lock(t);

    check(t->fn != NULL);
    if (t->active) {
        heap_remove(q, t);
    }
    /* Else a timer that arms itself for the past would keep timers_run() busy. */
    if (q->running != NULL && expires <= q->run_now) {
        expires = q->run_now + 1;
    }
    t->expires = expires;
    heap_insert(q, t);
    queue_changed(q, t->cpu);
    lock_release(&q->lock);
}

/* Disarms t; returns the CPU where its fn may be running still. */
static unsigned disarm(struct timer *t)
{
    struct timer_queue *q = queue_lock(t);
    unsigned run_cpu = t->run_cpu;

    if (t->active) {
        heap_remove(q, t);
        queue_changed(q, t->cpu);
    }
    lock_release(&q->lock);
    return run_cpu;
}

void timer_stop(struct timer *t)
{
    if (t->fn != NULL) {
        wait_for_fn(t, disarm(t));
    }
}

void timer_disarm(struct timer *t)
{
    if (t->fn != NULL) {
        (void)disarm(t);
    }
}

void timer_migrate(struct timer *t, unsigned cpu)
{
    struct timer_queue *from, *to = &hv->cpu[cpu].timers;

    for (;;) {
        uint16_t old = load_u16(&t->cpu);

        if (old == cpu) {
            return;
        }
        from = &hv->cpu[old].timers;
        lock_pair(&from->lock, &to->lock);
        if (load_u16(&t->cpu) == old) {
            break;
        }
        unlock_pair(&from->lock, &to->lock);
    }
    if (t->active) {
        heap_remove(from, t);
        queue_changed(from, t->cpu);
        store_u16(&t->cpu, (uint16_t)cpu);
        heap_insert(to, t);
        queue_changed(to, cpu);
    } else {
        store_u16(&t->cpu, (uint16_t)cpu);
    }
    unlock_pair(&from->lock, &to->lock);
}

/* Runs the root's fn without the lock. t may be gone when fn returns. */
static void run_root(struct timer_queue *q)
{
    struct timer *t = q->root;
    void (*fn)(void *) = t->fn;
    void *arg = t->arg;
    unsigned last_cpu = t->run_cpu;

    heap_remove(q, t);
    t->run_cpu = (uint16_t)port_cpu_id();
    set_running(q, t);
    lock_release(&q->lock);
    /* A timer that moved here while its fn ran there, and was armed again. */
    wait_for_fn(t, last_cpu);
    fn(arg);
    lock_acquire(&q->lock);
    set_running(q, NULL);
}

void timers_run(void)
{
    struct timer_queue *q = &this_cpu()->timers;

    lock_acquire(&q->lock);
    store_u32(&q->rearm, 0);
    q->run_now = port_time_now();
    while (q->root != NULL && q->root->expires <= q->run_now) {
        run_root(q);
    }
    store_u64(&q->next, q->root != NULL ? q->root->expires : TIME_NEVER);
    port_timer_arm(q->next);
    lock_release(&q->lock);
}

uint64_t timers_next(void)
{
    return load_u64(&this_cpu()->timers.next);
}

bool timers_pending(void)
{
    const struct timer_queue *q = &this_cpu()->timers;

    return load_u32(&q->rearm) != 0 || load_u64(&q->next) <= port_time_now();
}
