/* The index arithmetic and the checks of src/core/gnttab. */
#include "core/gnttab/gnttab_private.h"

/*@ axiomatic GrantFlags {
    axiom map_places: \forall uint32_t f; (f & 3) == 0 <==> (f & 1) == 0 && (f & 2) == 0;
    axiom map_refused: \forall uint32_t f;
        (f & 0x19) == 0 <==> (f & 1) == 0 && (f & 8) == 0 && (f & 16) == 0;
} */

#include "../../src/core/gnttab/gnttab.c"
#include "../../src/core/gnttab/gnttab_copy.c"
#include "../../src/core/gnttab/gnttab_map.c"
#include "../../src/core/gnttab/gnttab_pin.c"
#include "../../src/core/gnttab/gnttab_version.c"
