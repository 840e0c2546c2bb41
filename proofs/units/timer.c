/* The queues of timers, one per CPU. */
#include "core/time/timer.h"
#include "locks.h"
#include "port/cpu.h"
#include "port/time.h"

/* While a function of the hypervisor runs, its CPU stays the same. */
#define port_cpu_id proof_cpu_id
/*@ terminates \true;
    assigns \nothing;
    ensures \result == own_cpu && \result < MAX_CPUS; */
unsigned port_cpu_id(void);
/*@ terminates \true;
    assigns told_cpus;
    ensures told_cpus == \old(told_cpus) + 1; */
void port_timer_arm(uint64_t deadline_ns);
/*@ terminates \true;
    assigns told_cpus;
    ensures told_cpus == \old(told_cpus) + 1; */
void port_cpu_kick(unsigned cpu);
#include "../../src/core/time/timer.c"
