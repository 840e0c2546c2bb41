/* src/core/sched/sched_credit.c. */
#include "../../src/core/sched/sched_credit.c"
