/* Hypercall memory_op for tests: three domains, and calls that return its result. */
#ifndef CORBEL_TESTS_UNIT_MEMORY_CALLS_H
#define CORBEL_TESTS_UNIT_MEMORY_CALLS_H

#include "tests/unit/fixture.h"

#include <xen/memory.h>

#define ARG_GPA 0x1100000ull
#define LIST_GPA 0x1101000ull
#define G0 0x10000ull

static struct domain *d, *other, *dom0;
static struct vcpu *v, *v0;

static inline void setup(void)
{
    fixture_start(96, 1);
    d = fixture_domain(16, 1);
    other = fixture_domain(16, 1);
    dom0 = fixture_domain(16, 1);
    dom0->privileged = true;
    v = d->vcpu[0];
    v0 = dom0->vcpu[0];
    fixture_populate(d, ARG_GPA >> PAGE_SHIFT, 4);
    fixture_populate(dom0, ARG_GPA >> PAGE_SHIFT, 4);
}

static inline void teardown(void)
{
    this_cpu()->preempt_every = 0;
    fixture_stop();
}

static inline int64_t memory_op(struct vcpu *who, uint64_t cmd, const void *arg, size_t len)
{
    memcpy(fixture_guest(who->domain, ARG_GPA), arg, len);
    return fixture_hypercall(who, __HYPERVISOR_memory_op, cmd, ARG_GPA, 0, 0, 0);
}

static inline uint64_t *list_of(struct domain *of, uint64_t gpa)
{
    return fixture_guest(of, gpa);
}

static inline int64_t reserve(struct vcpu *who, uint64_t cmd, uint64_t n, unsigned order,
                              domid_t id)
{
    struct xen_memory_reservation r = {
        .extent_start = {(void *)LIST_GPA}, .nr_extents = n, .extent_order = order, .domid = id};

    return memory_op(who, cmd, &r, sizeof(r));
}

#endif
