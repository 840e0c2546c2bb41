/* SCHEDOP_*, see <xen/sched.h>. */
#include "base/xen.h"

#include <xen/sched.h>

#include "base/atomic.h"
#include "core/arch.h"
#include "core/domain/domain.h"
#include "core/evtchn/evtchn.h"
#include "core/guest_mem/guest_mem.h"
#include "core/policy/policy.h"
#include "core/sched/sched.h"
#include "core/vcpu/vcpu.h"

#define POLL_PORTS_MAX 128u /* as Xen */

static int op_shutdown(struct vcpu *v, uint64_t gva)
{
    sched_shutdown_t s;

    if (guest_copy_in(v, &s, gva, sizeof(s)) != 0) {
        return -XEN_EFAULT;
    }
    domain_shutdown(v->domain, (uint8_t)s.reason);
    return 0;
}

static int op_shutdown_code(struct vcpu *v, uint64_t gva)
{
    struct domain *d = v->domain;
    sched_shutdown_t s;

    if (guest_copy_in(v, &s, gva, sizeof(s)) != 0) {
        return -XEN_EFAULT;
    }
    lock_acquire(&d->lock);
    if (!d->shutdown_code_set) {
        d->shutdown_code = (uint8_t)s.reason;
        d->shutdown_code_set = true;
    }
    lock_release(&d->lock);
    return 0;
}

static int op_remote_shutdown(struct vcpu *v, uint64_t gva)
{
    sched_remote_shutdown_t s;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &s, gva, sizeof(s)) != 0) {
        return -XEN_EFAULT;
    }
    d = domain_get(s.domain_id);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_SHUTDOWN_OTHER, v->domain, d);
    if (rc == 0) {
        domain_shutdown(d, (uint8_t)s.reason);
    }
    domain_put(d);
    return rc;
}

/* Is any of the ports pending? Ports that the domain does not have: -XEN_EINVAL. */
static int any_pending(struct domain *d, const evtchn_port_t *ports, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!evtchn_port_valid(d, ports[i])) {
            return -XEN_EINVAL;
        }
        if (evtchn_port_pending(d, ports[i])) {
            return 1;
        }
    }
    return 0;
}

/* Blocks v until one of the ports is pending, any event is deliverable, or the
 * timeout passes. v counts as waiting before the ports are looked at, so that an
 * event in between wakes it. */
static int poll(struct vcpu *v, const evtchn_port_t *ports, unsigned n, uint64_t timeout)
{
    int rc;

    timer_stop(&v->poll);
    store_u32(&v->poll_port, 0);
    fetch_or_u32(&v->pause_flags, VPF_BLOCKED | VPF_POLL);
    rc = arch_vcpu_event_pending(v) ? 1 : any_pending(v->domain, ports, n);
    if (rc != 0) {
        vcpu_wake_flags(v, VPF_BLOCKED | VPF_POLL);
        return rc < 0 ? rc : 0;
    }
    if (n == 1) {
        store_u32(&v->poll_port, ports[0]);
    }
    if (timeout != 0) {
        /* Xen's times are signed: what has the top bit set is long past. */
        timer_set(&v->poll, timeout <= INT64_MAX ? timeout : 0);
    }
    sched_sleep(v);
    return 0;
}

static int op_poll(struct vcpu *v, uint64_t gva)
{
    evtchn_port_t ports[POLL_PORTS_MAX];
    sched_poll_t p;

    if (guest_copy_in(v, &p, gva, sizeof(p)) != 0) {
        return -XEN_EFAULT;
    }
    if (p.nr_ports > POLL_PORTS_MAX) {
        return -XEN_EINVAL;
    }
    if (guest_copy_in(v, ports, (uint64_t)(uintptr_t)p.ports.p, p.nr_ports * sizeof(ports[0])) !=
        0) {
        return -XEN_EFAULT;
    }
    return poll(v, ports, p.nr_ports, p.timeout);
}

static int op_watchdog(struct vcpu *v, uint64_t gva)
{
    sched_watchdog_t w;

    if (guest_copy_in(v, &w, gva, sizeof(w)) != 0) {
        return -XEN_EFAULT;
    }
    return domain_watchdog(v->domain, w.id, w.timeout);
}

static int op_pin_override(struct vcpu *v, uint64_t gva)
{
    sched_pin_override_t p;

    if (!v->domain->privileged) {
        return -XEN_EPERM;
    }
    if (guest_copy_in(v, &p, gva, sizeof(p)) != 0) {
        return -XEN_EFAULT;
    }
    return sched_pin_override(v, p.pcpu);
}

int64_t do_sched_op(struct vcpu *v, uint64_t args[6])
{
    switch ((uint32_t)args[0]) {
    case SCHEDOP_yield:
        sched_yield_current();
        return 0;
    case SCHEDOP_block:
        if (v->info != NULL) {
            store_u8(&v->info->evtchn_upcall_mask, 0);
        }
        vcpu_block(v);
        return 0;
    case SCHEDOP_shutdown:
        return op_shutdown(v, args[1]);
    case SCHEDOP_shutdown_code:
        return op_shutdown_code(v, args[1]);
    case SCHEDOP_poll:
        return op_poll(v, args[1]);
    case SCHEDOP_remote_shutdown:
        return op_remote_shutdown(v, args[1]);
    case SCHEDOP_watchdog:
        return op_watchdog(v, args[1]);
    case SCHEDOP_pin_override:
        return op_pin_override(v, args[1]);
    default:
        return -XEN_ENOSYS;
    }
}
