/* The end of a domain. Killing takes everything from it that others could wait
 * for: ports, grants, memory. Its structures stay until nobody refers to it. */
#include "base/atomic.h"
#include "base/check.h"
#include "core/arch.h"
#include "core/domain/domain_list.h"
#include "core/hypercall/hypercall.h"
#include "core/mem/page_alloc.h"
#include "core/mem/page_claim.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"
#include "port/trace.h"

/* domain.teardown_cursor */
enum kill_stage {
    KILL_STOP,
    KILL_EVTCHN,
    KILL_GNTTAB,
    KILL_GUEST_MEMORY,
    KILL_P2M,
    KILL_HIDE,
    KILL_DONE,
    KILL_RELEASED, /* the last reference went */
};

static struct vcpu *nth_vcpu(struct domain *d, uint32_t i)
{
    return i < d->max_vcpus ? d->vcpu[i] : NULL;
}

static void stop_all(struct domain *d)
{
    lock_acquire(&d->lock);
    store_u8(&d->state, DOMAIN_DYING);
    domain_uncount_alive(d);
    lock_release(&d->lock);
    (void)page_claim_set(d, 0);
    port_trace(TRACE_DOMAIN, d->id, DOMAIN_DYING, 0);
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        if (nth_vcpu(d, i) != NULL) {
            sched_sleep(d->vcpu[i]);
        }
    }
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        if (nth_vcpu(d, i) != NULL) {
            sched_sync(d->vcpu[i]);
            d->vcpu[i]->dead = true;
            vcpu_timers_stop(d->vcpu[i]);
        }
    }
    evtchn_forget_virq_handler(d);
    for (unsigned i = 0; i < DOMAIN_WATCHDOGS; i++) {
        timer_stop(&d->watchdog[i]);
    }
}

static void release_guest_memory(struct domain *d)
{
    console_ring_stop(d);
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        if (nth_vcpu(d, i) != NULL) {
            vcpu_release_guest_memory(d->vcpu[i]);
        }
    }
}

/* One stage: 0, or -XEN_ERESTART when it has to be gone through again. */
static int kill_stage(struct domain *d)
{
    switch (d->teardown_cursor) {
    case KILL_STOP:
        stop_all(d);
        return 0;
    case KILL_EVTCHN:
        return evtchn_teardown(d);
    case KILL_GNTTAB:
        return gnttab_teardown(d);
    case KILL_GUEST_MEMORY:
        release_guest_memory(d);
        return 0;
    case KILL_P2M:
        return p2m_teardown(d);
    case KILL_HIDE:
        domain_list_hide(d);
        port_trace(TRACE_DOMAIN, d->id, DOMAIN_DEAD, 0);
        return 0;
    default:
        unreachable_state();
    }
}

int domain_kill(struct domain *d)
{
    int rc = 0;

    if (current() != NULL && current()->domain == d) {
        return -XEN_EINVAL;
    }
    if (load_u8(&d->state) == DOMAIN_DEAD) {
        return 0;
    }
    if (!cmpxchg_u32(&d->kill_claim, 0, 1)) {
        return -XEN_ERESTART;
    }
    while (d->teardown_cursor != KILL_DONE && rc == 0) {
        rc = kill_stage(d);
        if (rc == 0) {
            d->teardown_cursor++;
        }
        if (rc == 0 && d->teardown_cursor != KILL_DONE && hypercall_preempt()) {
            rc = -XEN_ERESTART;
        }
    }
    check(rc == 0 || rc == -XEN_ERESTART);
    if (rc != 0) {
        store_u32(&d->kill_claim, 0);
        return rc;
    }
    /* The claim stays: nobody kills it twice. */
    domain_notify_control();
    domain_put(d);
    return 0;
}

static int drive(int (*step)(struct domain *), struct domain *d)
{
    int rc;

    do {
        rc = step(d);
    } while (rc == -XEN_ERESTART);
    return rc;
}

void domain_unbuild(struct domain *d)
{
    arch_domain_destroy(d);
    gnttab_free(d);
    if (d->evtchn.valid_ports != 0) {
        (void)drive(evtchn_teardown, d);
    }
    evtchn_free(d);
    (void)drive(p2m_teardown, d);
    if (d->shared_info != NULL) {
        frame_put(ptr_to_mfn(d->shared_info));
        d->shared_info = NULL;
    }
}

/* Gives back what d has left. False: others still map pages of the hypervisor's
 * that are accounted to it. */
static bool release(struct domain *d)
{
    check(d->state == DOMAIN_DEAD && load_u64(&d->tot_pages) == 0);
    if (d->teardown_cursor == KILL_RELEASED) {
        return load_u64(&d->hyp_pages) == 0;
    }
    d->teardown_cursor = KILL_RELEASED;
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        if (nth_vcpu(d, i) != NULL) {
            vcpu_destroy(d->vcpu[i]);
        }
    }
    arch_domain_destroy(d);
    evtchn_free(d);
    gnttab_free(d);
    frame_put(ptr_to_mfn(d->shared_info));
    d->shared_info = NULL;
    return load_u64(&d->hyp_pages) == 0;
}

void domain_defer(struct domain *d)
{
    struct cpu *c = this_cpu();

    if (cmpxchg_u32(&d->deferred, 0, 1)) {
        d->deferred_next = c->deferred;
        c->deferred = d;
        sched_raise(c->id);
    } else {
        /* It is on somebody's list already, which has a reference. */
        domain_put(d);
    }
}

void domain_last_put(struct domain *d)
{
    if (this_cpu()->lock_depth == 0 && release(d)) {
        domain_list_remove(d);
        hyp_pages_free(d, order_of_bytes(sizeof(*d)));
        domain_notify_control();
        return;
    }
    /* The list's reference. Nobody can have found d meanwhile: it is dead. */
    store_u32(&d->refs, 1);
    domain_defer(d);
}

void domain_settle(void)
{
    struct cpu *c = this_cpu();
    struct domain *list = c->deferred;

    check(c->lock_depth == 0);
    c->deferred = NULL;
    while (list != NULL) {
        struct domain *d = list;

        list = d->deferred_next;
        d->deferred_next = NULL;
        store_u32(&d->deferred, 0);
        domain_shutdown_progress(d);
        domain_put(d);
    }
}
