/* The bodies of src/base/atomic.h, as gcc compiles them, and of the two builtins that
 * proofs/include/bits.h gives contracts: for eacsl.sh. */
#define static
#define inline
#include "../../src/base/atomic.h"
#undef static
#undef inline

int proof_ctzll(unsigned long long x)
{
    return __builtin_ctzll(x);
}

int proof_clzll(unsigned long long x)
{
    return __builtin_clzll(x);
}
