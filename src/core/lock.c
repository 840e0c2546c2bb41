/* Each CPU remembers the levels of the locks it holds, innermost last, so that a
 * wrong order is found at the first acquire that could ever deadlock, not on
 * the day it does. */
#include "core/lock.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/state.h"

/* None is taken below the one before, and taking one out keeps the order. */
static uint8_t level_highest(const struct cpu *c)
{
    return c->lock_depth == 0 ? 0 : c->lock_level[c->lock_depth - 1];
}

static void level_push(struct cpu *c, uint8_t level)
{
    check(c->lock_depth < ARRAY_SIZE(c->lock_level));
    c->lock_level[c->lock_depth++] = level;
}

/* The innermost entry of this level goes, which is not the last: locks may be released
 * in any order. */
static __attribute__((noinline)) void level_take_out(struct cpu *c, uint8_t level)
{
    unsigned i = c->lock_depth;

    while (i > 0 && c->lock_level[i - 1] != level)
        i--;
    check(i > 0);
    for (; i < c->lock_depth; i++)
        c->lock_level[i - 1] = c->lock_level[i];
    c->lock_level[--c->lock_depth] = 0;
}

static void level_pop(struct cpu *c, uint8_t level)
{
    if (c->lock_depth != 0 && c->lock_level[c->lock_depth - 1] == level)
        c->lock_level[--c->lock_depth] = 0;
    else
        level_take_out(c, level);
}

__attribute__((flatten)) void lock_acquire(struct lock *l)
{
    struct cpu *c = this_cpu();

    check(l->level > level_highest(c));
    port_spin_acquire(&l->spin);
    level_push(c, l->level);
}

void lock_release(struct lock *l)
{
    check(lock_held(l));
    level_pop(this_cpu(), l->level);
    port_spin_release(&l->spin);
}

void lock_pair(struct lock *a, struct lock *b)
{
    struct lock *first = (uintptr_t)a < (uintptr_t)b ? a : b;
    struct lock *second = first == a ? b : a;

    check(a->level == b->level);
    lock_acquire(first);
    if (second != first) {
        port_spin_acquire(&second->spin);
        level_push(this_cpu(), second->level);
    }
}

void unlock_pair(struct lock *a, struct lock *b)
{
    if (a != b)
        lock_release(b);
    lock_release(a);
}

bool lock_held(const struct lock *l)
{
    return load_u32(&l->spin.word) == port_cpu_id() + 1;
}
