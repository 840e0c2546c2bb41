/* src/x86/hvm/guest_walk.c. */
#include "core/mem/frame.h"

/* A reference to a table: nothing that the walk's contracts name changes. */
/*@ terminates \true;
    assigns \nothing; */
void frame_put(mfn_t m);

/*@ axiomatic WalkBits {
    axiom leaf_parts: \forall uint64_t b, uint64_t l, uint64_t a; pow2(a) ==>
        (((b & (uint64_t)(~(a - 1))) | (l & (a - 1))) & (a - 1)) == (l & (a - 1)) &&
        (((b & (uint64_t)(~(a - 1))) | (l & (a - 1))) & (uint64_t)(~(a - 1))) ==
            (b & (uint64_t)(~(a - 1)));
} */
#include "../../src/x86/hvm/guest_walk.c"
