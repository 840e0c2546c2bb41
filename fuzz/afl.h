/* How a persistent target and AFL++ take turns. */
#ifndef CORBEL_FUZZ_AFL_H
#define CORBEL_FUZZ_AFL_H

#include <stdbool.h>

/* Before __AFL_INIT(), which starts the fork server. */
void afl_before_init(void);

/* The last input is done with; returns when the next one is there. False: it has to come by
 * __AFL_LOOP(), for no fuzzer is there to speak to. */
bool afl_next(void);

#endif
