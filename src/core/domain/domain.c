#include "core/domain/domain.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/string.h"
#include "core/arch.h"
#include "core/domain/domain_list.h"
#include "core/mem/hyp_limit.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "core/time/pvclock.h"
#include "core/vcpu/vcpu.h"
#include "port/trace.h"

#define GRANT_FRAMES_DEFAULT 64u /* as Xen */
#define MAPTRACK_FRAMES_DEFAULT 1024u

#define FLAGS_KNOWN ((XEN_DOMCTL_CDF_MAX << 1) - 1)
/* A domain without its own second stage (hvm and hap), with an IOMMU, nested
 * virtualisation or a virtual PMU is more than this hypervisor offers. */
#define FLAGS_NEEDED (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap)
#define FLAGS_REFUSED (XEN_DOMCTL_CDF_iommu | XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu)

static int config_check(const struct xen_domctl_createdomain *cfg)
{
    if ((cfg->flags & ~FLAGS_KNOWN) != 0 || (cfg->flags & FLAGS_NEEDED) != FLAGS_NEEDED ||
        (cfg->flags & FLAGS_REFUSED) != 0) {
        return -XEN_EINVAL;
    }
    /* Options of an IOMMU that the domain does not have. */
    if (cfg->iommu_opts != 0) {
        return -XEN_EINVAL;
    }
    if (cfg->max_vcpus < 1 || cfg->max_vcpus > MAX_VCPUS) {
        return -XEN_EINVAL;
    }
    if ((cfg->grant_opts & ~XEN_DOMCTL_GRANT_version_mask) != 0) {
        return -XEN_EINVAL;
    }
    if (cfg->max_grant_frames > (int32_t)GNTTAB_MAX_FRAMES || cfg->max_grant_frames == 0) {
        return -XEN_EINVAL;
    }
    if (cfg->vmtrace_size != 0 || cfg->cpupool_id != 0) {
        return -XEN_EINVAL;
    }
    return 0;
}

static void watchdog_fired(void *arg)
{
    domain_shutdown(arg, SHUTDOWN_watchdog);
}

static void domain_init(struct domain *d, domid_t id, const struct xen_domctl_createdomain *cfg,
                        bool privileged)
{
    d->id = id;
    d->state = DOMAIN_BUILDING;
    d->privileged = privileged;
    d->xenstore = (cfg->flags & XEN_DOMCTL_CDF_xs_domain) != 0;
    d->refs = 2; /* the caller's, and one until it is dead */
    d->pause_count = 1;
    d->max_vcpus = cfg->max_vcpus;
    memcpy(d->handle, cfg->handle, sizeof(d->handle));
    lock_init(&d->lock, LOCK_DOMAIN);
    d->p2m.root = mfn_invalid();
    d->shared_info_gfn = gfn_invalid();
    d->weight = SCHED_WEIGHT_DEFAULT;
    for (unsigned i = 0; i < DOMAIN_WATCHDOGS; i++) {
        timer_init(&d->watchdog[i], watchdog_fired, d, port_cpu_id());
    }
}

static int domain_build(struct domain *d, const struct xen_domctl_createdomain *cfg)
{
    uint32_t grant_frames =
        cfg->max_grant_frames < 0 ? GRANT_FRAMES_DEFAULT : (uint32_t)cfg->max_grant_frames;
    uint32_t maptrack_frames =
        cfg->max_maptrack_frames < 0 ? MAPTRACK_FRAMES_DEFAULT : (uint32_t)cfg->max_maptrack_frames;
    int rc;

    d->shared_info = hyp_pages_alloc(d, 0, FRAME_SHARED);
    if (d->shared_info == NULL) {
        return -XEN_ENOMEM;
    }
    rc = evtchn_init(d, cfg->max_evtchn_port);
    if (rc == 0) {
        rc = gnttab_init(d, XEN_DOMCTL_GRANT_version(cfg->grant_opts), grant_frames,
                         maptrack_frames);
    }
    if (rc == 0) {
        rc = arch_domain_create(d, cfg);
    }
    if (rc == 0) {
        wallclock_update(d);
        hyp_limit_set(d);
    }
    return rc;
}

int domain_create(domid_t id, const struct xen_domctl_createdomain *cfg, bool privileged,
                  struct domain **out)
{
    struct domain *d;
    int rc = config_check(cfg);

    if (rc != 0 || id >= DOMID_FIRST_RESERVED) {
        return -XEN_EINVAL;
    }
    /* The structure itself is the hypervisor's: it outlives what it accounts. */
    d = hyp_pages_alloc(NULL, order_of_bytes(sizeof(*d)), FRAME_HYP);
    if (d == NULL) {
        return -XEN_ENOMEM;
    }
    domain_init(d, id, cfg, privileged);
    rc = domain_list_add(d);
    if (rc == 0) {
        rc = domain_build(d, cfg);
        if (rc != 0) {
            domain_unbuild(d);
            domain_list_remove(d);
        }
    }
    if (rc != 0) {
        hyp_pages_free(d, order_of_bytes(sizeof(*d)));
        return rc;
    }
    d->alive_counted = true;
    fetch_add_u32(&hv->alive_count, 1);
    store_u8(&d->state, DOMAIN_ALIVE);
    port_trace(TRACE_DOMAIN, id, DOMAIN_ALIVE, 0);
    *out = d;
    return 0;
}

void domain_ref(struct domain *d)
{
    uint32_t old = fetch_add_u32(&d->refs, 1);

    check(old != 0 && old != UINT32_MAX);
}

void domain_put(struct domain *d)
{
    uint32_t old = fetch_add_u32(&d->refs, ~0u);

    check(old != 0);
    if (old == 1) {
        domain_last_put(d);
    }
}

struct vcpu *domain_vcpu(struct domain *d, uint32_t id)
{
    if (id >= d->max_vcpus || id >= MAX_VCPUS) {
        return NULL;
    }
    return (struct vcpu *)(uintptr_t)load_u64((const uint64_t *)&d->vcpu[id]);
}

static void stop_and_wait(struct domain *d)
{
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (v != NULL) {
            sched_sleep(v);
        }
    }
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (v != NULL) {
            sched_sync(v);
        }
    }
}

void domain_pause(struct domain *d)
{
    uint32_t old = fetch_add_u32(&d->pause_count, 1);

    check(old != UINT32_MAX);
    stop_and_wait(d);
}

void domain_hold(struct domain *d)
{
    uint32_t old = fetch_add_u32(&d->hold_count, 1);

    check(old != UINT32_MAX);
    stop_and_wait(d);
}

static void wake_all(struct domain *d)
{
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (v != NULL) {
            sched_wake(v);
        }
    }
}

void domain_unpause(struct domain *d)
{
    uint32_t n;

    do {
        n = load_u32(&d->pause_count);
        if (n == 0) {
            return;
        }
    } while (!cmpxchg_u32(&d->pause_count, n, n - 1));
    if (n == 1) {
        store_u8((uint8_t *)&d->started, true);
        wake_all(d);
    }
}

void domain_release(struct domain *d)
{
    uint32_t old = fetch_add_u32(&d->hold_count, ~0u);

    check(old != 0);
    if (old == 1) {
        wake_all(d);
    }
}

int domain_resume(struct domain *d)
{
    lock_acquire(&d->lock);
    if (!d->shut_down || d->state != DOMAIN_ALIVE) {
        lock_release(&d->lock);
        return -XEN_EINVAL;
    }
    d->shut_down = false;
    d->shutdown_code = 0;
    d->shutdown_code_set = false;
    d->alive_counted = true;
    fetch_add_u32(&hv->alive_count, 1);
    store_u8((uint8_t *)&d->shutting_down, false);
    store_u32(&d->shutdown_claim, 0);
    lock_release(&d->lock);
    wake_all(d);
    return 0;
}

/* All of a domain's guest pages hold one reference between them. */
bool domain_pages_reserve(struct domain *d, uint64_t n)
{
    uint64_t old;

    if (n == 0) {
        return true;
    }
    for (;;) {
        uint8_t state = load_u8(&d->state);
        uint64_t max = load_u64(&d->max_pages);

        old = load_u64(&d->tot_pages);
        if (state == DOMAIN_DYING || state == DOMAIN_DEAD || old > max || n > max - old) {
            return false;
        }
        if (old == 0) {
            domain_ref(d);
        }
        if (cmpxchg_u64(&d->tot_pages, old, old + n)) {
            return true;
        }
        if (old == 0) {
            domain_put(d);
        }
    }
}

void domain_pages_return(struct domain *d, uint64_t n)
{
    uint64_t old;

    if (n == 0) {
        return;
    }
    old = fetch_add_u64(&d->tot_pages, 0 - n);
    check(old >= n);
    if (old == n) {
        domain_put(d);
    }
}
