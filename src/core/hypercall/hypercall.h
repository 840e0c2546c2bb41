/* Dispatch of hypercalls. Numbers and arguments: <xen/xen.h>. */
#ifndef CORBEL_CORE_HYPERCALL_HYPERCALL_H
#define CORBEL_CORE_HYPERCALL_HYPERCALL_H

#include "base/xen.h"

#include "base/types.h"

struct vcpu;

/* Runs hypercall nr of v, the current vCPU, with its five (six) arguments.
 * HYPERCALL_RESTART: args were advanced; re-execute the instruction with them. */
int64_t hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6]);

/* True iff a long operation should stop here and ask to be restarted. */
bool hypercall_preempt(void);

int64_t do_memory_op(struct vcpu *v, uint64_t args[6]);
int64_t do_multicall(struct vcpu *v, uint64_t args[6]);
int64_t do_xen_version(struct vcpu *v, uint64_t args[6]);
int64_t do_vm_assist(struct vcpu *v, uint64_t args[6]);
int64_t do_set_timer_op(struct vcpu *v, uint64_t args[6]);

#endif
