/* Where a vCPU's time went, to the nanosecond. */
#include "base/atomic.h"
#include "core/domain/domain.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"

#define ENTRY_TIME offsetof(struct vcpu_runstate_info, state_entry_time)

void vcpu_runstate_change(struct vcpu *v, int state, uint64_t now)
{
    struct vcpu_runstate_info *r = &v->runstate;

    /* Whoever changed it last may have looked at the clock after the caller did;
     * the sum of all times stays exact. */
    if (now > r->state_entry_time) {
        r->time[r->state] += now - r->state_entry_time;
        r->state_entry_time = now;
    }
    r->state = state;
}

void vcpu_runstate_get(struct vcpu *v, struct vcpu_runstate_info *out)
{
    struct runqueue *rq = sched_lock(v);
    uint64_t now = port_time_now();

    *out = v->runstate;
    lock_release(&rq->lock);
    if (now > out->state_entry_time) {
        out->time[out->state] += now - out->state_entry_time;
    }
}

/* With VMASST_TYPE_runstate_update_flag the guest sees XEN_RUNSTATE_UPDATE in
 * state_entry_time from before the first byte changes until after the last did. */
void vcpu_runstate_publish(struct vcpu *v)
{
    const struct vcpu_area *a = &v->runstate_area;
    struct vcpu_runstate_info r = v->runstate;
    uint64_t assists = load_u64(&v->domain->vm_assist);

    if (a->page == NULL) {
        return;
    }
    if ((assists >> VMASST_TYPE_runstate_update_flag & 1) == 0) {
        vcpu_area_write(a, 0, &r, sizeof(r));
        return;
    }
    r.state_entry_time |= XEN_RUNSTATE_UPDATE;
    vcpu_area_write(a, ENTRY_TIME, &r.state_entry_time, sizeof(r.state_entry_time));
    memory_fence();
    vcpu_area_write(a, 0, &r, sizeof(r));
    memory_fence();
    r.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
    vcpu_area_write(a, ENTRY_TIME, &r.state_entry_time, sizeof(r.state_entry_time));
}
