/* VCPUOP_*, see <xen/vcpu.h>. */
#include "base/atomic.h"
#include "core/arch.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/time/pvclock.h"
#include "core/vcpu/vcpu.h"

#define PERIOD_MIN_NS UINT64_C(1000000)
#define PERIOD_MAX_NS (UINT64_MAX >> 2) /* as Xen */

static int op_initialise(struct vcpu *caller, struct vcpu *v, uint64_t gva)
{
    int rc;

    if (v->initialised || !cmpxchg_u32(&v->initialise_claim, 0, 1)) {
        return -XEN_EEXIST;
    }
    rc = arch_vcpu_initialise(caller, v, gva);
    if (rc == 0) {
        store_u8((uint8_t *)&v->initialised, true);
    }
    store_u32(&v->initialise_claim, 0);
    return rc;
}

static int op_up(struct vcpu *v)
{
    if (load_u8((const uint8_t *)&v->initialised) == 0) {
        return -XEN_EINVAL;
    }
    vcpu_wake_flags(v, VPF_DOWN);
    return 0;
}

/* The last vCPU that goes down takes the domain with it. */
static int op_down(struct vcpu *v)
{
    struct domain *d = v->domain;
    bool last = true;

    lock_acquire(&d->lock);
    for (uint32_t i = 0; i < d->max_vcpus && last; i++) {
        const struct vcpu *o = d->vcpu[i];

        last = o == NULL || o == v || (load_u32(&o->pause_flags) & VPF_DOWN) != 0;
    }
    if (!last) {
        vcpu_sleep_flags(v, VPF_DOWN);
    }
    lock_release(&d->lock);
    if (last) {
        domain_shutdown(d, SHUTDOWN_poweroff);
    }
    return 0;
}

static int op_get_runstate(struct vcpu *caller, struct vcpu *v, uint64_t gva)
{
    struct vcpu_runstate_info r;

    vcpu_runstate_get(v, &r);
    return guest_copy_out(caller, gva, &r, sizeof(r));
}

/* Replaces one of v's areas; address 0 only takes the old one away. As in Xen, any
 * address will do: where there is no memory now, v looks again when it next comes onto
 * a CPU. */
static void replace_area(struct vcpu *caller, struct vcpu *v, uint64_t gva, uint32_t n,
                         struct vcpu_area *where, uint64_t *where_gva)
{
    struct vcpu_area area = {.page = NULL}, old;
    struct runqueue *rq;

    if (gva != 0) {
        (void)vcpu_area_pin(caller, gva, n, &area);
    }
    rq = sched_lock(v);
    old = *where;
    *where = area;
    *where_gva = gva;
    lock_release(&rq->lock);
    vcpu_area_unpin(&old);
}

static int op_register_runstate(struct vcpu *caller, struct vcpu *v, uint64_t gva)
{
    struct vcpu_register_runstate_memory_area r;
    struct runqueue *rq;

    if (guest_copy_in(caller, &r, gva, sizeof(r)) != 0) {
        return -XEN_EFAULT;
    }
    replace_area(caller, v, r.addr.p, sizeof(struct vcpu_runstate_info), &v->runstate_area,
                 &v->runstate_gva);
    rq = sched_lock(v);
    vcpu_runstate_publish(v);
    lock_release(&rq->lock);
    return 0;
}

static int op_register_time(struct vcpu *caller, struct vcpu *v, uint64_t gva)
{
    struct vcpu_register_time_memory_area r;

    if (guest_copy_in(caller, &r, gva, sizeof(r)) != 0) {
        return -XEN_EFAULT;
    }
    replace_area(caller, v, r.addr.p, sizeof(vcpu_time_info_t), &v->time_area, &v->time_gva);
    /* A vCPU that runs elsewhere gets its time with its next time slice. */
    if (v == caller || load_u8((const uint8_t *)&v->sched.running) == 0) {
        pvclock_update(v);
    }
    return 0;
}

static int op_register_info(struct vcpu *caller, struct vcpu *v, uint64_t gva)
{
    struct vcpu_register_vcpu_info r;
    int rc;

    if (guest_copy_in(caller, &r, gva, sizeof(r)) != 0) {
        return -XEN_EFAULT;
    }
    rc = vcpu_register_info(v, gfn(r.mfn), r.offset);
    if (rc == 0) {
        pvclock_update(v);
    }
    return rc;
}

static int op_set_periodic(struct vcpu *caller, struct vcpu *v, uint64_t gva)
{
    struct vcpu_set_periodic_timer t;

    if (guest_copy_in(caller, &t, gva, sizeof(t)) != 0) {
        return -XEN_EFAULT;
    }
    if (t.period_ns < PERIOD_MIN_NS || t.period_ns > PERIOD_MAX_NS) {
        return -XEN_EINVAL;
    }
    vcpu_set_periodic(v, t.period_ns);
    return 0;
}

static int op_set_singleshot(struct vcpu *caller, struct vcpu *v, uint64_t gva)
{
    struct vcpu_set_singleshot_timer t;

    if (v != caller) {
        return -XEN_EINVAL;
    }
    if (guest_copy_in(caller, &t, gva, sizeof(t)) != 0) {
        return -XEN_EFAULT;
    }
    if ((t.flags & VCPU_SSHOTTMR_future) != 0 && t.timeout_abs_ns < port_time_now()) {
        return -XEN_ETIME;
    }
    /* Xen's times are signed: what has the top bit set is long past. */
    timer_set(&v->singleshot, t.timeout_abs_ns <= INT64_MAX ? t.timeout_abs_ns : 0);
    return 0;
}

static int op_stop_singleshot(struct vcpu *caller, struct vcpu *v)
{
    if (v != caller) {
        return -XEN_EINVAL;
    }
    timer_stop(&v->singleshot);
    return 0;
}

static int op_send_nmi(struct vcpu *v, uint64_t gva)
{
    if (gva != 0) {
        return -XEN_EINVAL;
    }
    arch_vcpu_nmi(v);
    return 0;
}

int64_t do_vcpu_op(struct vcpu *v, uint64_t args[6])
{
    struct vcpu *t = domain_vcpu(v->domain, (uint32_t)args[1]);
    uint64_t gva = args[2];

    if (t == NULL) {
        return -XEN_ENOENT;
    }
    switch ((uint32_t)args[0]) {
    case VCPUOP_initialise:
        return op_initialise(v, t, gva);
    case VCPUOP_up:
        return op_up(t);
    case VCPUOP_down:
        return op_down(t);
    case VCPUOP_is_up:
        return (load_u32(&t->pause_flags) & VPF_DOWN) == 0;
    case VCPUOP_get_runstate_info:
        return op_get_runstate(v, t, gva);
    case VCPUOP_register_runstate_memory_area:
        return op_register_runstate(v, t, gva);
    case VCPUOP_set_periodic_timer:
        return op_set_periodic(v, t, gva);
    case VCPUOP_stop_periodic_timer:
        vcpu_set_periodic(t, 0);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return op_set_singleshot(v, t, gva);
    case VCPUOP_stop_singleshot_timer:
        return op_stop_singleshot(v, t);
    case VCPUOP_register_vcpu_info:
        return op_register_info(v, t, gva);
    case VCPUOP_send_nmi:
        return op_send_nmi(t, gva);
    case VCPUOP_get_physid:
        return -XEN_EINVAL; /* only for a hardware domain whose vCPUs are pinned */
    case VCPUOP_register_vcpu_time_memory_area:
        return op_register_time(v, t, gva);
    default:
        return -XEN_ENOSYS;
    }
}
