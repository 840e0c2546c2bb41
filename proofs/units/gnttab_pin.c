/* src/core/gnttab/gnttab_pin.c, and by contract what it calls. */
#include "grants.h"
#include "shared_words.h"

/* src/core/gnttab/gnttab.c, where it is proved. */
/*@ requires \valid_read(t) && t->nr_frames <= GNTTAB_MAX_FRAMES;
    terminates \true;
    assigns \nothing;
    ensures \result == t->nr_frames * (t->version == 1 ? V1_PER_FRAME : V2_PER_FRAME); */
uint32_t gnttab_entries(const struct gnttab *t);

/*@ requires \valid_read(t) && ref / ACTIVE_PER_BLOCK < t->nr_frames;
    requires \valid_read(t->active + ref / ACTIVE_PER_BLOCK);
    terminates \true;
    assigns \nothing;
    ensures \result == &t->active[ref / ACTIVE_PER_BLOCK][ref % ACTIVE_PER_BLOCK]; */
struct gnttab_active *gnttab_active_of(const struct gnttab *t, grant_ref_t ref);

#include "../../src/core/gnttab/gnttab_pin.c"
