/* The hypervisor's own keys on the serial line. They look without locks, from CPU 0:
 * what they show may be on its way to something else, but each pointer followed is
 * held by a reference or never goes away. */
#include "bare/bare.h"

#include "base/atomic.h"
#include "core/console/console.h"
#include "core/evtchn/evtchn_private.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_log.h"
#include "core/state.h"
#include "port/power.h"
#include "port/time.h"

#define PORTS_SHOWN 64u

static void show_help(void)
{
    hv_log(0, "h help, d domains, v vCPUs, r run queues, m memory, i interrupts");
    hv_log(0, "e event channels, g grants, w pages written since the last w, W no more of these");
    hv_log(0, "A audit, R restart the machine");
}

static void show_domain(struct domain *d)
{
    const char *name = guest_list_name(d->id);

    hv_log(0, "d%u %s: %s%s, %lu pages of %lu, %lu of the hypervisor, %u vCPUs, refs %u", d->id,
           name ? name : "-", d->state == DOMAIN_ALIVE ? "alive" : "dying",
           d->shut_down ? ", shut down" : "", d->tot_pages, d->max_pages, d->hyp_pages,
           d->max_vcpus, load_u32(&d->refs));
}

static void show_vcpus(struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (v)
            hv_log(0, "d%uv%u: CPU %u%s, paused for %x, credit %d, affinity %lx", d->id, i,
                   v->sched.cpu,
                   v->sched.running  ? " running"
                   : v->sched.queued ? " queued"
                                     : "",
                   load_u32(&v->pause_flags), v->sched.credit, v->sched.hard_affinity);
    }
}

static void show_run_queues(void)
{
    for (unsigned i = 0; i < hv->cpu_count; i++) {
        struct cpu *c = &hv->cpu[i];
        struct vcpu *v = c->current;

        hv_log(0, "CPU %u: %s, %u queued, runs d%u v%d, idle %lu ms", i,
               c->online ? "online" : "offline", c->rq.length, v ? v->domain->id : DOMID_IDLE,
               v ? (int)v->id : -1, c->idle_ns / 1000000);
    }
}

static void show_memory(void)
{
    hv_log(0, "memory: %lu KiB, %lu free (%lu to be scrubbed), %lu of the hypervisor",
           total_page_count() * 4, free_page_count() * 4, hv->heap.dirty_pages * 4,
           hv->hyp_pages * 4);
}

static void show_interrupts(void)
{
    for (unsigned i = 0; i < hv->cpu_count; i++) {
        const struct cpu_area *a = cpu_areas[i];

        if (a)
            hv_log(0, "CPU %u (APIC %u): timer %lu, kicks %lu, serial %lu, NMIs %u", i, a->apic_id,
                   a->timer_count, a->kick_count, a->serial_count, a->nmi_count);
    }
}

/* Indexed by enum evtchn_state. */
static const char *const port_states[] = {"free", "reserved", "unbound", "interdomain",
                                          "PIRQ", "VIRQ",     "IPI"};

static void show_ports(struct domain *d)
{
    unsigned shown = 0;

    for (uint32_t p = 1; p < d->evtchn.valid_ports && shown < PORTS_SHOWN; p++) {
        struct evtchn chn = {.state = EVTCHN_FREE};
        const struct evtchn *slot;

        lock_acquire(&d->evtchn.lock);
        slot = evtchn_slot(d, p);
        if (slot)
            chn = *slot;
        lock_release(&d->evtchn.lock);
        if (chn.state <= EVTCHN_RESERVED)
            continue;
        shown++;
        hv_log(0, "d%u port %u: %s, vCPU %u, peer d%u %u%s", d->id, p,
               chn.state < ARRAY_SIZE(port_states) ? port_states[chn.state] : "?", chn.vcpu,
               chn.remote_domid, chn.remote_port, evtchn_port_pending(d, p) ? ", pending" : "");
    }
}

static void show_grants(struct domain *d)
{
    const struct gnttab *g = &d->gnttab;

    hv_log(0, "d%u: version %u, %u frames of %u, %u status frames, %u pinned, %u maptrack blocks",
           d->id, g->version, g->nr_frames, g->max_frames, g->nr_status_frames, g->pinned,
           g->maptrack_blocks);
}

/* The first time there is nothing to tell yet. */
static void show_written(struct domain *d)
{
    uint64_t n;
    bool begins = p2m_log_start(d, P2M_LOG_KEY) == 0;

    if (load_u8(&d->p2m.log) != P2M_LOG_KEY) {
        hv_log(0, "d%u: %s", d->id,
               p2m_log_on(d) ? "a toolstack logs what it writes" : "the CPU does not say");
        return;
    }
    n = p2m_log_count(d, begins ? P2M_LOG_FORGET : P2M_LOG_CLEAN);
    if (begins)
        hv_log(0, "d%u: written pages are counted from now on", d->id);
    else
        hv_log(0, "d%u: %lu pages written", d->id, n);
}

static void stop_log(struct domain *d)
{
    p2m_log_stop(d, P2M_LOG_KEY);
}

static void for_each_domain(void (*show)(struct domain *d))
{
    struct domain *d = domain_next(0);

    while (d) {
        domid_t next = (domid_t)(d->id + 1);

        show(d);
        domain_put(d);
        d = domain_next(next);
    }
}

static void audit(void)
{
    struct audit_report r;

    if (!smp_hold(true)) {
        smp_hold(false);
        hv_log(0, "audit: the other CPUs are busy with each other: try again");
        return;
    }
    audit_run(&r);
    smp_hold(false);
    hv_log(0, "audit: %u violations%s%s, %lu frames leaked", r.violations,
           r.first ? ", first " : "", r.first ? r.first : "", r.frames_leaked);
}

void debug_key(char c)
{
    switch (c) {
    case 'd':
        for_each_domain(show_domain);
        break;
    case 'v':
        for_each_domain(show_vcpus);
        break;
    case 'r':
        show_run_queues();
        break;
    case 'm':
        show_memory();
        break;
    case 'i':
        show_interrupts();
        break;
    case 'e':
        for_each_domain(show_ports);
        break;
    case 'g':
        for_each_domain(show_grants);
        break;
    case 'w':
        for_each_domain(show_written);
        break;
    case 'W':
        for_each_domain(stop_log);
        break;
    case 'A':
        audit();
        break;
    case 'R':
        hv_log(0, "restart");
        port_reboot();
        break;
    case 'h':
        show_help();
        break;
    default:
        break;
    }
}
