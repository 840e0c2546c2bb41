/* The named invariants, recomputed from scratch over struct hv. */
#ifndef CORBEL_CORE_AUDIT_AUDIT_H
#define CORBEL_CORE_AUDIT_AUDIT_H

#include "base/types.h"

struct audit_report {
    uint32_t violations;
    const char *first; /* name of the first violated invariant, or NULL */
    char detail[160];  /* where */
    uint64_t frames_free, frames_hyp, frames_guest;
    uint64_t frames_leaked; /* in use but accounted to nobody that lives */
};

/* Checks everything. The machine is quiescent (no CPU is inside the core). Writes to
 * nothing but free memory, which is zeroed again. */
void audit_run(struct audit_report *r);

#endif
