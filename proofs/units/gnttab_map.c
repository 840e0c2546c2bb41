/* src/core/gnttab/gnttab_map.c, and by contract what it calls. */
#include "grants.h"
#include "core/hypercall/hypercall.h"

/*@ axiomatic GrantFlags {
    axiom map_places: \forall uint32_t f; (f & 3) == 0 <==> (f & 1) == 0 && (f & 2) == 0;
    axiom map_refused: \forall uint32_t f;
        (f & 0x19) == 0 <==> (f & 1) == 0 && (f & 8) == 0 && (f & 16) == 0;
} */

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

#include "../../src/core/gnttab/gnttab_map.c"
