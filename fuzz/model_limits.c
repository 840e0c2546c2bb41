/* What the headers forbid outright, whatever the state: sizes, offsets and numbers that
 * must not be accepted. */
#include "fuzz/model.h"

#include "base/xen.h"

#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include "core/domain/domain.h"

#define POLL_PORTS 128u           /* as Xen's own limit; <xen/sched.h> leaves it open */
#define PERIOD_MIN_NS 1000000u    /* the same of <xen/vcpu.h>'s timer */
#define FIRST_UPCALL_VECTOR 0x10u /* below are the CPU's own */

static void accepted(const struct model_call *c, bool allowed, const char *what)
{
    model_expect(allowed || c->done->rc < 0, c, "LIMIT", what);
}

static void evtchn(const struct model_call *c)
{
    const evtchn_init_control_t *control = c->in;
    const evtchn_set_priority_t *priority = c->in;
    const evtchn_bind_ipi_t *ipi = c->in;
    const struct domain *d = exec_domain(c->self);

    switch (c->done->desc->sub) {
    case EVTCHNOP_init_control:
        accepted(c,
                 control->offset <= PAGE_SIZE - sizeof(evtchn_fifo_control_block_t) &&
                     control->offset % 8 == 0,
                 "a control block does not lie in its page");
        accepted(c, !d || control->vcpu < d->max_vcpus, "a vCPU that does not exist was named");
        break;
    case EVTCHNOP_set_priority:
        accepted(c, priority->priority <= EVTCHN_FIFO_PRIORITY_MIN, "a priority does not exist");
        break;
    case EVTCHNOP_bind_ipi:
        accepted(c, !d || ipi->vcpu < d->max_vcpus, "a vCPU that does not exist was named");
        break;
    default:
        break;
    }
}

static void vcpu(const struct model_call *c)
{
    const struct vcpu_register_vcpu_info *info = c->in;
    const struct vcpu_set_periodic_timer *periodic = c->in;
    const struct domain *d = exec_domain(c->self);

    accepted(c, !d || c->done->value[0] < d->max_vcpus, "a vCPU that does not exist was named");
    switch (c->done->desc->sub) {
    case VCPUOP_register_vcpu_info:
        accepted(c, info->offset <= PAGE_SIZE - sizeof(vcpu_info_t),
                 "a vCPU's information does not lie in its page");
        break;
    case VCPUOP_set_periodic_timer:
        accepted(c, periodic->period_ns >= PERIOD_MIN_NS, "a timer ticks too fast");
        break;
    default:
        break;
    }
}

static void sched(const struct model_call *c)
{
    const sched_poll_t *poll = c->in;

    if (c->done->desc->sub == SCHEDOP_poll)
        accepted(c, poll->nr_ports <= POLL_PORTS, "too many ports were polled");
}

static void hvm(const struct model_call *c)
{
    const struct xen_hvm_evtchn_upcall_vector *vector = c->in;

    if (c->done->desc->sub == HVMOP_set_evtchn_upcall_vector)
        accepted(c, vector->vector >= FIRST_UPCALL_VECTOR, "events came by a CPU's own vector");
}

void model_limits(const struct model_call *c)
{
    switch (c->done->desc->nr) {
    case __HYPERVISOR_event_channel_op:
        evtchn(c);
        break;
    case __HYPERVISOR_vcpu_op:
        vcpu(c);
        break;
    case __HYPERVISOR_sched_op:
        sched(c);
        break;
    case __HYPERVISOR_hvm_op:
        hvm(c);
        break;
    default:
        break;
    }
}
