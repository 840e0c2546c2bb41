#include "core/hypercall/hypercall.h"

#include "core/arch.h"
#include "core/console/console.h"
#include "core/control/control.h"
#include "core/domain/domain.h"
#include "core/evtchn/evtchn.h"
#include "core/gnttab/gnttab.h"
#include "core/sched/sched.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"
#include "port/trace.h"

/* Everything without a case here is the architecture's, which answers
 * -XEN_ENOSYS for what does not exist. */
static int64_t dispatch(struct vcpu *v, uint64_t nr, uint64_t args[6])
{
    switch (nr) {
    case __HYPERVISOR_memory_op:
        return do_memory_op(v, args);
    case __HYPERVISOR_multicall:
        return do_multicall(v, args);
    case __HYPERVISOR_set_timer_op:
        return do_set_timer_op(v, args);
    case __HYPERVISOR_xen_version:
        return do_xen_version(v, args);
    case __HYPERVISOR_console_io:
        return do_console_io(v, args);
    case __HYPERVISOR_grant_table_op:
        return do_grant_table_op(v, args);
    case __HYPERVISOR_vm_assist:
        return do_vm_assist(v, args);
    case __HYPERVISOR_vcpu_op:
        return do_vcpu_op(v, args);
    case __HYPERVISOR_sched_op:
        return do_sched_op(v, args);
    case __HYPERVISOR_event_channel_op:
        return do_event_channel_op(v, args);
    case __HYPERVISOR_domctl:
        return do_domctl(v, args);
    case __HYPERVISOR_sysctl:
        return do_sysctl(v, args);
    default:
        return arch_hypercall(v, nr, args);
    }
}

int64_t hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6])
{
    int64_t rc;

    port_trace(TRACE_HYPERCALL, nr, args[0], v->domain->id);
    rc = dispatch(v, nr, args);
    port_trace(TRACE_HYPERCALL_DONE, nr, (uint64_t)rc, v->domain->id);
    return rc;
}

bool hypercall_preempt(void)
{
    struct cpu *cpu = this_cpu();

    if (cpu->preempt_every != 0 && ++cpu->preempt_count >= cpu->preempt_every) {
        cpu->preempt_count = 0;
        return true;
    }
    return sched_pending();
}
