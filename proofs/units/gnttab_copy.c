/* src/core/gnttab/gnttab_copy.c, and by contract what it calls. A page of the machine's memory is
 * as many bytes as it has; that bytes were copied is counted. */
#include "grants.h"
#include "pins.h"
#include "base/string.h"

/*@ terminates \true;
    assigns \nothing;
    ensures \valid(\result + (0 .. PAGE_SIZE - 1)); */
uint8_t *proof_page(mfn_t m);

/*@ requires \valid(to + (0 .. n - 1)) && \valid_read(from + (0 .. n - 1));
    terminates \true;
    assigns copies;
    ensures copies == \old(copies) + 1; */
void proof_moved(uint8_t *to, const uint8_t *from, size_t n);

#define mfn_to_ptr(m) proof_page(m)
#define memmove(to, from, n) proof_moved(to, from, n)

/*@ terminates \true;
    assigns \nothing; */
void port_code_changed(mfn_t m, uint64_t count);

#include "../../src/core/gnttab/gnttab_copy.c"
