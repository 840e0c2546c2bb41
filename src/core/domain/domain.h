/* A domain and its life cycle: created, run, shut down, killed, freed when the
 * last reference goes.
 *
 * INV-DOM-1: a domain is listed under its id, and has a reference, until freed.
 * INV-DOM-2: a domain that has guest pages has a reference.
 * INV-DOM-3: alive_count is the number of domains neither shut down nor dying. */
#ifndef CORBEL_CORE_DOMAIN_DOMAIN_H
#define CORBEL_CORE_DOMAIN_DOMAIN_H

#include "base/xen.h"

#include <xen/domctl.h>
#include <xen/sched.h>

#include "core/console/console.h"
#include "core/evtchn/evtchn.h"
#include "core/gnttab/gnttab.h"
#include "core/lock.h"
#include "core/p2m/p2m.h"
#include "core/time/timer.h"
#include "core/time/tsc.h"

struct vcpu;
struct domain_arch;

#define MAX_VCPUS 128u
#define DOMAIN_WATCHDOGS 2u

enum domain_state {
    DOMAIN_ALIVE,
    DOMAIN_DYING,    /* being torn down */
    DOMAIN_DEAD,     /* torn down; freed with the last reference */
    DOMAIN_BUILDING, /* inside domain_create(): listed, but not found */
};

struct domain {
    domid_t id;
    uint8_t state;   /* enum domain_state */
    bool privileged; /* the control domain */
    bool shutting_down, shut_down;
    uint8_t shutdown_code; /* SHUTDOWN_* once shutting_down */
    bool crashed;
    uint32_t refs;        /* atomic */
    uint32_t pause_count; /* the toolstack's pauses; one from creation */
    uint32_t max_vcpus;
    xen_domain_handle_t handle;
    struct lock lock; /* LOCK_DOMAIN */

    uint64_t tot_pages, max_pages; /* guest memory */
    uint64_t hyp_pages;            /* hypervisor memory that serves this domain */
    uint64_t teardown_cursor;      /* progress of domain_kill() */

    struct p2m p2m;
    struct evtchn_table evtchn;
    struct gnttab gnttab;
    struct domain_console console;

    shared_info_t *shared_info; /* a FRAME_SHARED page */
    gfn_t shared_info_gfn;      /* where the guest maps it, or invalid */
    uint32_t weight, cap;       /* scheduler parameters */
    uint64_t vm_assist;
    struct domain_tsc tsc;
    int64_t time_offset; /* seconds added to the wall clock */

    struct vcpu *vcpu[MAX_VCPUS];
    struct domain_arch *arch;

    /* Atomic claims: 0, or 1 once somebody does it. */
    uint32_t shutdown_claim, crash_claim, kill_claim;
    bool shutdown_code_set; /* SCHEDOP_shutdown_code came first */
    bool alive_counted;     /* in hv->alive_count */
    bool xenstore;          /* XEN_DOMCTL_CDF_xs_domain */
    uint32_t deferred;      /* atomic: on a CPU's deferred list, which has a reference */
    struct domain *deferred_next;
    struct timer watchdog[DOMAIN_WATCHDOGS]; /* SCHEDOP_watchdog; under lock */
    uint32_t watchdog_used;                  /* bit per watchdog */
    uint32_t sched_active, sched_epoch;      /* sched_credit.c: active vCPUs in this pass */
    uint32_t hold_count;        /* domain_hold(): control operations that need it to stand still */
    uint32_t control_claim;     /* atomic: a control operation on it is under way */
    bool started;               /* was unpaused at least once */
    uint64_t node_affinity;     /* bit per NUMA node, 0: follows from its vCPUs */
    uint64_t outstanding_pages; /* claimed, not yet allocated; under the heap's lock */
    uint64_t hyp_limit; /* most hyp_pages besides second-stage tables, 0: any; hyp_limit.c */
    void *arch_shared;  /* a page that arch shows the guest, FRAME_SHARED, or NULL */
};

/* Creates a domain from the toolstack's structure. Error as Xen's
 * XEN_DOMCTL_createdomain (-XEN_EINVAL: a configuration that this hypervisor
 * cannot give, -XEN_EEXIST: the id is taken, -XEN_ENOMEM), or 0 with *out
 * referenced for the caller. The domain starts with pause_count 1 and without
 * vCPUs. No lock is held. */
int domain_create(domid_t id, const struct xen_domctl_createdomain *cfg, bool privileged,
                  struct domain **out);

/* First unused domain id >= from, or DOMID_INVALID. */
domid_t domain_unused_id(domid_t from);

/* For the proofs: references that domain_get() and its like gave and that nobody gave
 * back, and whether the policy has allowed what is being done. */
/*@ ghost int references; */
/*@ ghost int permitted; */

/* Looks a domain up and takes a reference; NULL when there is none (dying
 * domains are found until they are dead). */
struct domain *domain_get(domid_t id);
void domain_ref(struct domain *d);
/* Drops a reference. The last one frees the domain, at once if this CPU holds no
 * lock, else when it next holds none. Any context. */
void domain_put(struct domain *d);
/* Finishes what domain_put() and domain_shutdown() left undone under a lock. */
void domain_settle(void);

/* Resolves a domid operand of a hypercall: DOMID_SELF or an id. Referenced, or
 * NULL. */
struct domain *domain_get_for(struct vcpu *caller, domid_t id);

/* Next domain with id >= from, referenced; NULL at the end. */
struct domain *domain_next(domid_t from);

/* The domain that gets VIRQ_DOM_EXC, referenced; NULL when there is none. */
struct domain *domain_control(void);

/* Pausing waits until no vCPU of d runs, but for the caller itself. Unpausing
 * more often than pausing has no effect. No lock is held. */
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
/* The same for the time of one control operation; the toolstack does not see it. */
void domain_hold(struct domain *d);
void domain_release(struct domain *d);

/* The guest stops (SCHEDOP_shutdown, ACPI power-off, triple fault): all its
 * vCPUs stop; when none runs any more shut_down is set and VIRQ_DOM_EXC tells the
 * control domain. Any lock below LOCK_RUNQUEUE may be held. */
void domain_shutdown(struct domain *d, uint8_t reason);
/* A vCPU of d stopped running: completes a shutdown that waited for it. No lock. */
void domain_shutdown_progress(struct domain *d);
/* Undoes a completed shutdown: -XEN_EINVAL when there was none. */
int domain_resume(struct domain *d);
/* SCHEDOP_watchdog: errors and result as Xen's. */
int domain_watchdog(struct domain *d, uint32_t id, uint32_t timeout_s);

/* The guest did what no guest may survive. Logged once, then shutdown with
 * SHUTDOWN_crash. */
void domain_crash(struct domain *d, const char *why);

/* Tears the domain down: -XEN_ERESTART while there is more to do (or another CPU
 * does it), then 0; -XEN_EINVAL for the caller's own domain. Its vCPUs and its
 * hypervisor memory live until the last reference goes. No lock is held. */
int domain_kill(struct domain *d);

struct vcpu *domain_vcpu(struct domain *d, uint32_t id); /* NULL when absent */

/* Accounting of guest pages: false when above max_pages or dying. Guest pages
 * hold one reference between them. Any context. */
bool domain_pages_reserve(struct domain *d, uint64_t n);
void domain_pages_return(struct domain *d, uint64_t n);

#endif
