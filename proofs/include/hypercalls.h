/* What hypercalls call whatever they are about, by contract. */
#ifndef CORBEL_PROOFS_HYPERCALLS_H
#define CORBEL_PROOFS_HYPERCALLS_H

#include "core/domain/domain.h"
#include "core/hypercall/hypercall.h"

/*@ requires d != \null && references > 0;
    terminates \true;
    assigns references;
    ensures references == \old(references) - 1; */
void domain_put(struct domain *d);

/*@ terminates \true;
    assigns \nothing; */
bool hypercall_preempt(void);

#endif
