/* The decoders of src/core/hypercall/memory_op*.c. */
#include "core/hypercall/memory_op.h"

/*@ axiomatic Extents {
    axiom extents_fit: \forall uint64_t n, uint8_t s;
        s < 32 && n <= (0xffffffff >> s) ==> (n << s) <= 0xffffffff;
} */

#include "../../src/core/hypercall/memory_op_control.c"
#include "../../src/core/hypercall/memory_op_reservation.c"
