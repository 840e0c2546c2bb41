/* The named invariants, recomputed from scratch over struct hv. */
#ifndef CORBEL_CORE_AUDIT_AUDIT_H
#define CORBEL_CORE_AUDIT_AUDIT_H

#include "base/types.h"

struct zero_lines;

struct audit_report {
    uint32_t violations;
    const char *first; /* name of the first violated invariant, or NULL */
    char detail[160];  /* where */
    uint64_t frames_free, frames_hyp, frames_guest;
    uint64_t frames_leaked;        /* in use but accounted to nobody that lives */
    const struct zero_lines *zero; /* what audit_run_knowing() was told, or NULL */
};

/* Checks everything. The machine is quiescent (no CPU is inside the core). Writes to
 * nothing but free memory, which is zeroed again. */
void audit_run(struct audit_report *r);

/* The same, and finds the same, in less time where z says truly what memory is zero. */
void audit_run_knowing(struct audit_report *r, const struct zero_lines *z);

#endif
