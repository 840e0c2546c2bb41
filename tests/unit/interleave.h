/* Explores what two CPUs inside two hypercalls do to one another: every schedule
 * that switches between them at most a given number of times, at any acquire of
 * a lock or, on request, at any release. (Waiting for a lock and ending are no such switches.) Of a
 * row of acquires of one lock by one CPU only some count: what goes over a table takes its lock for
 * every entry. Each schedule begins in the same state; after it the machine is
 * audited, everything in it is ended, and every page has to come back. */
#ifndef CORBEL_TESTS_INTERLEAVE_H
#define CORBEL_TESTS_INTERLEAVE_H

#include "tests/unit/fixture.h"

struct interleave {
    const char *name;
    void (*build)(void);       /* fixture_start() with two CPUs, and all that comes before */
    void (*body[2])(void);     /* what CPU 0 and CPU 1 do, by interleave_call() and _point() */
    unsigned (*outcome)(void); /* checks what both have led to; which it is, below 32 */
    uint32_t outcomes;         /* those that there are, a bit each: all are met, and no others */
    unsigned switches;         /* at most this many */
    bool shared_only;          /* only locks that both CPUs take make points */
    bool releases;             /* releases make points as well */
    unsigned at_least;         /* a schedule count below this means that points went missing */
};

/* Explores x and stops the machine. Returns the number of schedules, and prints
 * it; with INTERLEAVE_TRACE in the environment prints every schedule. */
unsigned interleave_explore(const struct interleave *x);

/* From a body: hypercall nr(a0, pointer to a copy of arg, a2), from start to end,
 * continuations included. The copy lies in a page of v's domain that belongs to
 * this CPU; afterwards *arg is what is there. */
int64_t interleave_call(struct vcpu *v, uint64_t nr, uint64_t a0, void *arg, size_t len,
                        uint64_t a2);

/* Its parts: where this CPU's page is in every domain, and the bare hypercall. */
uint64_t interleave_gva(void);
int64_t interleave_call_plain(struct vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2);

/* From a body: a point where the other CPU may go on, before something that is
 * no hypercall. The core's own locks count as points between _begin and _end. */
void interleave_point(void);
void interleave_begin(struct vcpu *v); /* v: on this CPU from now on, or NULL */
void interleave_end(void);

/* Makes the pages that interleave_call() uses; for build. */
void interleave_scratch(struct domain *d);

#endif
