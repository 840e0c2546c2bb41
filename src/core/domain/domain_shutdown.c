/* The ways in which a guest stops by itself. */
#include "base/atomic.h"
#include "core/domain/domain_list.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"
#include "port/trace.h"

#define NS_PER_SECOND UINT64_C(1000000000)

void domain_uncount_alive(struct domain *d)
{
    if (d->alive_counted) {
        d->alive_counted = false;
        fetch_add_u32(&hv->alive_count, ~0u);
    }
}

static bool any_running(struct domain *d)
{
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = domain_vcpu(d, i);

        if (v != NULL && load_u8((const uint8_t *)&v->sched.running) != 0) {
            return true;
        }
    }
    return false;
}

void domain_shutdown_progress(struct domain *d)
{
    bool done = false;

    if (load_u8((const uint8_t *)&d->shutting_down) == 0 || any_running(d)) {
        return;
    }
    lock_acquire(&d->lock);
    if (d->shutting_down && !d->shut_down && d->state == DOMAIN_ALIVE) {
        d->shut_down = true;
        domain_uncount_alive(d);
        done = true;
    }
    lock_release(&d->lock);
    if (done) {
        port_trace(TRACE_DOMAIN, d->id, DOMAIN_ALIVE, 0x100u | d->shutdown_code);
        domain_notify_control();
    }
}

void domain_shutdown(struct domain *d, uint8_t reason)
{
    if (load_u8(&d->state) != DOMAIN_ALIVE || !cmpxchg_u32(&d->shutdown_claim, 0, 1)) {
        return;
    }
    if (!d->shutdown_code_set) {
        d->shutdown_code = reason;
        d->shutdown_code_set = true;
    }
    store_u8((uint8_t *)&d->shutting_down, true);
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (v != NULL) {
            sched_sleep(v);
        }
    }
    /* A vCPU that runs still completes it when it goes off its CPU. */
    if (this_cpu()->lock_depth == 0) {
        domain_shutdown_progress(d);
    } else {
        domain_ref(d);
        domain_defer(d);
    }
}

void domain_crash(struct domain *d, const char *why)
{
    if (load_u8(&d->state) != DOMAIN_ALIVE || !cmpxchg_u32(&d->crash_claim, 0, 1)) {
        return;
    }
    d->crashed = true;
    hv_log_guest(d, 0, "crashed: %s", why);
    domain_shutdown(d, SHUTDOWN_crash);
}

int domain_watchdog(struct domain *d, uint32_t id, uint32_t timeout_s)
{
    uint64_t expires = port_time_now() + timeout_s * NS_PER_SECOND;
    uint32_t i = id - 1;
    int rc = 0;

    if (id > DOMAIN_WATCHDOGS || (id == 0 && timeout_s == 0)) {
        return -XEN_EINVAL;
    }
    lock_acquire(&d->lock);
    if (id == 0) {
        for (i = 0; i < DOMAIN_WATCHDOGS && (d->watchdog_used >> i & 1) != 0; i++) {
        }
        rc = i < DOMAIN_WATCHDOGS ? (int)i + 1 : -XEN_ENOSPC;
    } else if ((d->watchdog_used >> i & 1) == 0) {
        rc = -XEN_EINVAL;
    }
    /* A domain that is dying has had its timers stopped. */
    if (rc >= 0 && d->state != DOMAIN_ALIVE) {
        rc = -XEN_EINVAL;
    }
    if (rc >= 0 && timeout_s != 0) {
        d->watchdog_used |= 1u << i;
        timer_set(&d->watchdog[i], expires);
    } else if (rc >= 0) {
        d->watchdog_used &= ~(1u << i);
        timer_disarm(&d->watchdog[i]);
    }
    lock_release(&d->lock);
    return rc;
}
