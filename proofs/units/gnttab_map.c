/* src/core/gnttab/gnttab_map.c, and by contract what it calls. */
#include "grants.h"
#include "pins.h"
#include "core/hypercall/hypercall.h"

/*@ axiomatic GrantFlags {
    axiom map_places: \forall uint32_t f; (f & 3) == 0 <==> (f & 1) == 0 && (f & 2) == 0;
    axiom map_refused: \forall uint32_t f;
        (f & 0x19) == 0 <==> (f & 1) == 0 && (f & 8) == 0 && (f & 16) == 0;
} */

#include "../../src/core/gnttab/gnttab_map.c"
