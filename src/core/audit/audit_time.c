/* INV-TIME-1 and INV-TIME-2 over the pairing heaps of all timer queues. */
#include "core/audit/audit_impl.h"

/* More timers than any machine has: a walk that gets there goes in circles. */
#define TIMERS_MAX (UINT64_C(1) << 22)

static bool before(const struct timer *a, const struct timer *b)
{
    return a->expires < b->expires || (a->expires == b->expires && a->seq < b->seq);
}

/* t's parent in the heap, NULL for the root; prev leads there through the left
 * siblings. */
static const struct timer *parent_of(const struct timer *t)
{
    uint64_t steps = 0;

    while (t->prev != NULL && t->prev->child != t && steps++ < TIMERS_MAX)
        t = t->prev;
    return t->prev;
}

/* The next timer in a walk parent, children, siblings. */
static const struct timer *walk_next(const struct timer *t)
{
    if (t->child != NULL)
        return t->child;
    while (t != NULL && t->sibling == NULL)
        t = parent_of(t);
    return t == NULL ? NULL : t->sibling;
}

void audit_time(struct audit_report *r, const struct cpu *c)
{
    const struct timer *t = c->timers.root;

    if (t == NULL)
        return;
    audit_claim(r, t->prev == NULL && t->sibling == NULL, "INV-TIME-2",
                "the root of cpu %u's timers has neighbours", c->id);
    for (uint64_t n = 0; t != NULL; n++, t = walk_next(t)) {
        if (n > TIMERS_MAX) {
            audit_violation(r, "INV-TIME-2", "the timers of cpu %u go in circles", c->id);
            return;
        }
        audit_claim(r, t->active && t->cpu == c->id, "INV-TIME-2",
                    "a timer of cpu %u (active %u) is on cpu %u's queue", t->cpu, t->active, c->id);
        for (const struct timer *k = t->child, *prev = t; k != NULL; prev = k, k = k->sibling) {
            if (k->prev != prev) {
                audit_violation(r, "INV-TIME-2", "cpu %u's timers are linked wrongly", c->id);
                return;
            }
            audit_claim(r, !before(k, t), "INV-TIME-1", "cpu %u: %lu ns lies below %lu ns", c->id,
                        k->expires, t->expires);
        }
    }
}

/* A known timer that says active must hang in its CPU's heap. */
static void audit_timer(struct audit_report *r, const struct timer *t, const char *what,
                        unsigned domid, unsigned id)
{
    const struct timer *top = t;
    uint64_t steps = 0;

    if (!t->active) {
        audit_claim(r, t->child == NULL && t->sibling == NULL && t->prev == NULL, "INV-TIME-2",
                    "%s of d%u/%u is idle, but linked", what, domid, id);
        return;
    }
    while (top->prev != NULL && steps++ < TIMERS_MAX)
        top = top->prev;
    audit_claim(r, t->cpu < hv->cpu_count && hv->cpu[t->cpu].timers.root == top, "INV-TIME-2",
                "%s of d%u/%u is active, but not on cpu %u's queue", what, domid, id, t->cpu);
}

void audit_time_domain(struct audit_report *r, const struct domain *d)
{
    for (unsigned i = 0; i < DOMAIN_WATCHDOGS; i++)
        audit_timer(r, &d->watchdog[i], "watchdog", d->id, i);
    for (unsigned i = 0; (i = audit_next_vcpu(r->zero, d, i)) < MAX_VCPUS; i++) {
        const struct vcpu *v = d->vcpu[i];

        audit_timer(r, &v->singleshot, "singleshot timer", d->id, v->id);
        audit_timer(r, &v->periodic, "periodic timer", d->id, v->id);
        audit_timer(r, &v->poll, "poll timer", d->id, v->id);
    }
}
