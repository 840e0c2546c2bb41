/* Pinning as its callers see it: which of the tables of the granter changes is left out, and what a
 * grant in use holds itself is not counted. What happens to the grant is proved of both functions
 * in src/core/gnttab/gnttab_pin.c. */
#ifndef CORBEL_PROOFS_PINS_H
#define CORBEL_PROOFS_PINS_H

#include "core/gnttab/gnttab_private.h"

/*@ requires \valid(rd) && \valid(out);
    terminates \true;
    assigns *out, pins;
    ensures pins == \old(pins) + (\result == GNTST_okay ? 1 : 0);
    ensures GNTST_eagain <= \result <= 0;
    ensures \result == GNTST_okay && use == PIN_MAP ==> out->mfn.v <= 0xfffffff; */
int gnttab_pin(struct domain *rd, grant_ref_t ref, domid_t grantee, bool readonly, enum pin_use use,
               struct gnttab_pin *out);

/*@ requires \valid(rd);
    terminates \true;
    assigns pins;
    ensures pins == \old(pins) - 1; */
void gnttab_unpin(struct domain *rd, grant_ref_t ref, bool readonly);

#endif
