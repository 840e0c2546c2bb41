/* Port: system time, the TSC and one one-shot timer per physical CPU. */
#ifndef CORBEL_PORT_TIME_H
#define CORBEL_PORT_TIME_H

#include "base/types.h"

#define TIME_NEVER UINT64_MAX

/* System time: nanoseconds since boot, monotonic, the same on every CPU. */
uint64_t port_time_now(void);

/* The time-stamp counter as a guest reads it. */
uint64_t port_tsc_read(void);

/* TSC ticks per millisecond; constant. */
uint32_t port_tsc_khz(void);

/* Wall-clock time as nanoseconds since 1970-01-01 UTC. */
uint64_t port_wallclock_ns(void);

/* Arms this CPU's one-shot timer for system time deadline_ns (TIME_NEVER:
 * disarm). When due the CPU leaves guest mode or idle, and the core runs
 * timers_run(). */
void port_timer_arm(uint64_t deadline_ns);

#endif
