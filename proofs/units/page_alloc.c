/* src/core/mem/page_alloc.c, and by contract what it calls of others. */
#include "frame_axioms.h"
#include "locks.h"
#include "core/domain/domain.h"
#include "core/mem/page_alloc.h"

/*@ axiomatic Spans {
    axiom spans: \forall uint8_t o; o <= 18 ==> 1 <= (1 << o) <= 0x40000;
    axiom limits: \forall uint8_t o; o <= 28 ==> 1 <= (1 << o) <= 0x10000000;
    axiom larger: \forall uint8_t o, uint8_t p; o <= p <= 51 ==> (0x1000 << o) <= (0x1000 << p);
    axiom bytes: \forall uint8_t o; o <= 51 ==> 0x1000 <= (0x1000 << o) <= 0x8000000000000000;
} */

/*@ requires \valid_read(d);
    terminates \true;
    assigns \nothing;
    ensures \result == limit_of(d); */
uint64_t hyp_pages_limit(const struct domain *d);

/*@ requires \valid(d);
    terminates \true;
    assigns accounted;
    ensures accounted == \old(accounted) + (\result ? n : 0); */
bool domain_pages_reserve(struct domain *d, uint64_t n);

/*@ requires \valid(d);
    terminates \true;
    assigns accounted;
    ensures accounted == \old(accounted) - n; */
void domain_pages_return(struct domain *d, uint64_t n);

#include "../../src/core/mem/page_alloc.c"
