/* src/core/mem/page_claim.c. */
#include "locks.h"

#include "../../src/core/mem/page_claim.c"
