#include "core/vcpu/vcpu.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/arch.h"
#include "core/domain/domain.h"
#include "core/evtchn/evtchn.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

bool vcpu_runnable(const struct vcpu *v)
{
    const struct domain *d = v->domain;

    return load_u32(&v->pause_flags) == 0 && load_u32(&v->pause_count) == 0 &&
           load_u32(&d->pause_count) == 0 && load_u32(&d->hold_count) == 0 &&
           load_u8((const uint8_t *)&d->shutting_down) == 0 && load_u8(&d->state) == DOMAIN_ALIVE &&
           !v->dead;
}

/* shared_info has room for the first 32 vCPUs; the others get events and time
 * once they have registered a vcpu_info. */
static vcpu_info_t *info_at_rest(struct vcpu *v)
{
    if (v->domain->shared_info != NULL && v->id < XEN_LEGACY_MAX_VCPUS) {
        return &v->domain->shared_info->vcpu_info[v->id];
    }
    return NULL;
}

static void vcpu_free(struct vcpu *v)
{
    vcpu_timers_stop(v);
    arch_vcpu_destroy(v);
    vcpu_release_guest_memory(v);
    sched_vcpu_destroy(v);
    hyp_pages_free(v, order_of_bytes(sizeof(*v)));
}

int vcpu_create(struct domain *d, uint32_t id)
{
    struct vcpu *v;
    int rc;

    if (id >= d->max_vcpus || d->state != DOMAIN_ALIVE) {
        return -XEN_EINVAL;
    }
    if (d->vcpu[id] != NULL) {
        return -XEN_EEXIST;
    }
    v = hyp_pages_alloc(d, order_of_bytes(sizeof(*v)), FRAME_HYP);
    if (v == NULL) {
        return -XEN_ENOMEM;
    }
    v->domain = d;
    v->id = id;
    v->pause_flags = VPF_DOWN;
    v->info = info_at_rest(v);
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = port_time_now();
    sched_vcpu_init(v);
    vcpu_timers_init(v);
    rc = arch_vcpu_create(v);
    if (rc == 0) {
        lock_acquire(&d->lock);
        if (d->vcpu[id] != NULL) {
            rc = -XEN_EEXIST;
        } else if (d->state != DOMAIN_ALIVE) {
            rc = -XEN_EINVAL;
        } else {
            store_u64((uint64_t *)&d->vcpu[id], (uint64_t)(uintptr_t)v);
        }
        lock_release(&d->lock);
    }
    if (rc != 0) {
        vcpu_free(v);
    }
    return rc;
}

void vcpu_destroy(struct vcpu *v)
{
    check(v->domain->state != DOMAIN_ALIVE);
    v->domain->vcpu[v->id] = NULL;
    vcpu_free(v);
}

void vcpu_sleep_flags(struct vcpu *v, uint32_t set)
{
    fetch_or_u32(&v->pause_flags, set);
    sched_sleep(v);
}

void vcpu_wake_flags(struct vcpu *v, uint32_t clear)
{
    if ((fetch_and_u32(&v->pause_flags, ~clear) & clear) != 0) {
        sched_wake(v);
    }
}

void vcpu_pause_async(struct vcpu *v)
{
    uint32_t old = fetch_add_u32(&v->pause_count, 1);

    check(old != UINT32_MAX);
    sched_sleep(v);
}

void vcpu_pause_sync(struct vcpu *v)
{
    vcpu_pause_async(v);
    sched_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
    uint32_t n;

    do {
        n = load_u32(&v->pause_count);
        if (n == 0) {
            return;
        }
    } while (!cmpxchg_u32(&v->pause_count, n, n - 1));
    if (n == 1) {
        sched_wake(v);
    }
}

void vcpu_block(struct vcpu *v)
{
    fetch_or_u32(&v->pause_flags, VPF_BLOCKED);
    /* An event from before this flag woke nobody, so it must be seen here; one
     * from after it clears the flag. */
    memory_fence();
    if (arch_vcpu_event_pending(v)) {
        vcpu_wake_flags(v, VPF_BLOCKED);
    } else {
        sched_sleep(v);
    }
}

void vcpu_kick(struct vcpu *v)
{
    unsigned cpu;

    memory_fence();
    if ((load_u32(&v->pause_flags) & VPF_BLOCKED) != 0) {
        vcpu_wake_flags(v, VPF_BLOCKED | VPF_POLL);
    }
    cpu = load_u16(&v->sched.cpu);
    if (load_u8((const uint8_t *)&v->sched.running) != 0 && cpu != port_cpu_id()) {
        port_cpu_kick(cpu);
    }
}

/* An HVM guest masks its upcall like any interrupt, not in vcpu_info. */
bool vcpu_event_pending(struct vcpu *v)
{
    return v->info != NULL && load_u8(&v->info->evtchn_upcall_pending) != 0;
}

int vcpu_register_info(struct vcpu *v, gfn_t g, uint32_t offset)
{
    struct domain *d = v->domain;
    vcpu_info_t *info;
    void *page;

    if (offset > PAGE_SIZE - sizeof(vcpu_info_t) || offset % sizeof(uint64_t) != 0) {
        return -XEN_EINVAL;
    }
    /* Else v could be using the old one at this moment. */
    if (v != current() && (load_u32(&v->pause_flags) & VPF_DOWN) == 0) {
        return -XEN_EINVAL;
    }
    page = guest_page_pin(d, g);
    if (page == NULL) {
        return -XEN_EINVAL;
    }
    lock_acquire(&d->lock);
    if (v->info_page != NULL || d->state != DOMAIN_ALIVE) {
        lock_release(&d->lock);
        guest_page_unpin(page);
        return -XEN_EINVAL;
    }
    info = (vcpu_info_t *)(void *)((uint8_t *)page + offset);
    *info = v->info != NULL ? *v->info : (vcpu_info_t){.evtchn_upcall_pending = 0};
    v->info_page = page;
    store_u64((uint64_t *)&v->info, (uint64_t)(uintptr_t)info);
    lock_release(&d->lock);
    /* Whatever was raised while both places existed is raised again. */
    memory_fence();
    evtchn_vcpu_info_moved(v);
    return 0;
}

void vcpu_unregister_info(struct vcpu *v)
{
    struct domain *d = v->domain;
    void *page;

    lock_acquire(&d->lock);
    page = v->info_page;
    v->info_page = NULL;
    store_u64((uint64_t *)&v->info, (uint64_t)(uintptr_t)info_at_rest(v));
    lock_release(&d->lock);
    if (page != NULL) {
        guest_page_unpin(page);
    }
}

void vcpu_release_guest_memory(struct vcpu *v)
{
    struct runqueue *rq = sched_lock(v);
    struct vcpu_area runstate = v->runstate_area, time = v->time_area;

    v->runstate_area = (struct vcpu_area){.page = NULL};
    v->time_area = (struct vcpu_area){.page = NULL};
    v->runstate_gva = v->time_gva = 0;
    lock_release(&rq->lock);
    vcpu_area_unpin(&runstate);
    vcpu_area_unpin(&time);
    vcpu_unregister_info(v);
}
