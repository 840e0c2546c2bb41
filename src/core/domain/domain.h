/* A domain and its life cycle: created, run, shut down, killed, freed when the
 * last reference goes. */
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

struct vcpu;
struct domain_arch;

#define MAX_VCPUS 128u

enum domain_state {
    DOMAIN_ALIVE,
    DOMAIN_DYING, /* being torn down */
    DOMAIN_DEAD,  /* torn down; freed with the last reference */
};

struct domain {
    domid_t id;
    uint8_t state;        /* enum domain_state */
    bool privileged;      /* the control domain */
    bool shutting_down, shut_down;
    uint8_t shutdown_code; /* SHUTDOWN_* once shutting_down */
    bool crashed;
    uint32_t refs;         /* atomic */
    uint32_t pause_count;  /* control-operation pauses */
    uint32_t max_vcpus;
    xen_domain_handle_t handle;
    struct lock lock;      /* LOCK_DOMAIN */

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
    int32_t time_offset;        /* seconds added to the wall clock */

    struct vcpu *vcpu[MAX_VCPUS];
    struct domain_arch *arch;
};

/* Creates a domain from the toolstack's structure. Error as Xen's
 * XEN_DOMCTL_createdomain, or 0 with *out referenced for the caller. The domain
 * starts with pause_count 1. */
int domain_create(domid_t id, const struct xen_domctl_createdomain *cfg, bool privileged,
                  struct domain **out);

/* First unused domain id >= from, or DOMID_INVALID. */
domid_t domain_unused_id(domid_t from);

/* Looks a domain up and takes a reference; NULL when there is none (dying
 * domains are found until they are dead). */
struct domain *domain_get(domid_t id);
void domain_ref(struct domain *d);
void domain_put(struct domain *d);

/* Resolves a domid operand of a hypercall: DOMID_SELF or an id. Referenced, or
 * NULL. */
struct domain *domain_get_for(struct vcpu *caller, domid_t id);

/* Next domain with id >= from, referenced; NULL at the end. */
struct domain *domain_next(domid_t from);

void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);

/* The guest stops (SCHEDOP_shutdown, ACPI power-off, triple fault): all its
 * vCPUs stop, VIRQ_DOM_EXC tells the control domain. */
void domain_shutdown(struct domain *d, uint8_t reason);

/* The guest did what no guest may survive. Logged once, then shutdown with
 * SHUTDOWN_crash. */
void domain_crash(struct domain *d, const char *why);

/* Tears the domain down: -XEN_ERESTART while there is more to do, then 0. */
int domain_kill(struct domain *d);

struct vcpu *domain_vcpu(struct domain *d, uint32_t id); /* NULL when absent */

/* Accounting of guest pages: false when above max_pages. */
bool domain_pages_reserve(struct domain *d, uint64_t n);
void domain_pages_return(struct domain *d, uint64_t n);

#endif
