/* Port: physical CPUs, numbered from 0, and the locks between them. */
#ifndef CORBEL_PORT_CPU_H
#define CORBEL_PORT_CPU_H

#include "base/types.h"

#define MAX_CPUS 64u

/* Index of the executing physical CPU. */
/*@ terminates \true;
    assigns \nothing;
    ensures \result < MAX_CPUS; */
unsigned port_cpu_id(void);

/* Waits on the executing CPU until an interrupt, a kick or its timer. The
 * caller holds no lock. Returns with the reason handled or noted; spurious
 * returns are allowed. */
void port_cpu_idle(void);

/* Makes physical CPU cpu leave guest mode or idle soon. Any context. */
void port_cpu_kick(unsigned cpu);

/* One turn of a busy-wait loop. In the simulator: a schedule point. */
void port_cpu_relax(void);

/* A spin lock's machine part: 0 free, otherwise owner cpu + 1. */
struct port_spin {
    uint32_t word;
};

/* Takes the spin lock, busy-waiting; interrupts are held off on this CPU until
 * the matching release. Not recursive. */
void port_spin_acquire(struct port_spin *s);
void port_spin_release(struct port_spin *s);

#endif
