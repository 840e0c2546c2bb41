/* Words that the hypervisor shares with guests: an ear at each access. */
#ifndef CORBEL_FUZZ_SHARED_H
#define CORBEL_FUZZ_SHARED_H

#include "base/types.h"

/* Called before each access to a word of size bytes that may be a shared one, in builds
 * where shared/base/atomic.h stands in for the hypervisor's; NULL: nobody listens. reads:
 * what is there decides what happens. */
extern void (*shared_access_hook)(const void *p, unsigned size, bool reads);

/* For shared/base/atomic.h only. */
void shared_access(const void *p, unsigned size, bool reads);

#endif
