/* The scripted engine: a struct port_guest whose exits a test supplies. */
#ifndef CORBEL_HOSTSIM_SCRIPT_H
#define CORBEL_HOSTSIM_SCRIPT_H

#include "port/guest.h"

/* Queues the exit that v's next port_guest_run() returns; regs (may be NULL)
 * replace the guest's registers then. Without a queued exit a run takes 10 us
 * of virtual time and returns EXIT_PREEMPTED. */
void script_push(struct vcpu *v, const struct guest_exit *e, const struct guest_regs *regs);

/* How long such a run takes from now on; 0: 10 us again. */
void script_run_ns(uint64_t ns);

/* The entries that port_guest_run() was given, latest first kept. */
struct guest_entry script_last_entry(struct vcpu *v);
unsigned script_run_count(struct vcpu *v);

/* The state last loaded, and the MSRs written. */
struct guest_state *script_state(struct vcpu *v);

/* How often port_guest_flush() was called since the program started. */
unsigned script_flush_count(void);

#endif
