#include "core/hypercall/hypercall.h"
#include "core/time/timer.h"
#include "core/vcpu/vcpu.h"

/* Deadlines further away than this many ns (13 days) come from a guest whose
 * tick counter wrapped: it gets a tick soon instead of hanging (as Xen does). */
#define TIMEOUT_FAR (UINT64_C(1) << 50)
#define TIMEOUT_SOON UINT64_C(100000000)

/* args: absolute system time in ns; 0 stops the timer. */
int64_t do_set_timer_op(struct vcpu *v, uint64_t args[6])
{
    uint64_t deadline = args[0];
    uint64_t now = port_time_now();

    if (deadline == 0) {
        timer_stop(&v->singleshot);
        return 0;
    }
    if ((int64_t)deadline < 0 || (deadline > now && deadline - now >= TIMEOUT_FAR)) {
        deadline = now + TIMEOUT_SOON;
    }
    timer_set(&v->singleshot, deadline);
    return 0;
}
