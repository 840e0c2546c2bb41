/* What the policy answers, by contract: whether it has allowed what is being done is remembered. */
#ifndef CORBEL_PROOFS_POLICIES_H
#define CORBEL_PROOFS_POLICIES_H

#include "core/domain/domain.h"
#include "core/policy/policy.h"

/*@ terminates \true;
    assigns permitted;
    ensures \result == 0 || \result == -XEN_EPERM;
    ensures \result == 0 ==> permitted != 0;
    ensures \result != 0 ==> permitted == 0; */
int policy_check(enum policy_op op, const struct domain *subject, const struct domain *object);

/*@ terminates \true;
    assigns permitted;
    ensures \result == 0 || \result == -XEN_EPERM;
    ensures \result == 0 ==> permitted != 0;
    ensures \result != 0 ==> permitted == 0; */
int policy_check_pair(enum policy_op op, const struct domain *subject, const struct domain *a,
                      const struct domain *b);

#endif
