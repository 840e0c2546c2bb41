/* src/core/guest_mem/guest_mem.c, and by contract the guest's own translation, which maps pages:
 * addresses keep their offset. */
#include "core/arch.h"

/*@ requires \valid(out);
    terminates \true;
    assigns *out;
    ensures \result ==> out->v % PAGE_SIZE == gva % PAGE_SIZE; */
bool arch_translate(struct vcpu *v, uint64_t gva, bool write, gaddr_t *out);

#include "../../src/core/guest_mem/guest_mem.c"
