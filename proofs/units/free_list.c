/* src/core/mem/free_list.h and free_list.c. */
/*@ axiomatic FreeSpans {
    axiom spans: \forall uint8_t o; o <= 18 ==> 1 <= (1 << o) <= 0x40000;
} */

#include "../../src/core/mem/free_list.c"
