/* Event channels: two-level and FIFO ABI. Lock level LOCK_EVTCHN per domain.
 * Source: <xen/event_channel.h>.
 *
 * INV-EVT-1: an interdomain port's peer is interdomain and names it back.
 * INV-EVT-2: a port beyond the table or above the limit is never valid.
 * INV-EVT-3: virq_port[] names ports that are bound to that VIRQ and vCPU.
 * INV-EVT-4: the count of active ports is right. */
#ifndef CORBEL_CORE_EVTCHN_EVTCHN_H
#define CORBEL_CORE_EVTCHN_EVTCHN_H

#include "base/xen.h"

#include <xen/event_channel.h>

#include "core/lock.h"

struct domain;
struct vcpu;

enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_RESERVED, /* allocated, not yet bound */
    EVTCHN_UNBOUND,
    EVTCHN_INTERDOMAIN,
    EVTCHN_PIRQ,
    EVTCHN_VIRQ,
    EVTCHN_IPI,
};

/* Who takes the events that a guest sends on a port without a peer domain. */
enum evtchn_consumer { CONSUMER_NONE, CONSUMER_CONSOLE };

struct evtchn {
    uint8_t state;    /* enum evtchn_state */
    uint8_t priority; /* EVTCHN_FIFO_PRIORITY_* */
    uint8_t consumer; /* enum evtchn_consumer */
    uint8_t last_priority;
    uint32_t vcpu;        /* notified vCPU */
    uint32_t last_vcpu;   /* FIFO: queue it was last on */
    uint32_t remote_port; /* interdomain peer, VIRQ number or PIRQ number */
    domid_t remote_domid; /* unbound or interdomain */
    uint8_t pending;      /* FIFO: pending before the array existed */
};

#define EVTCHN_PER_BUCKET 128u
#define EVTCHN_BUCKETS_PER_GROUP 512u
#define EVTCHN_GROUPS 2u

struct evtchn_fifo; /* evtchn_private.h */

struct evtchn_table {
    struct lock lock;
    struct evtchn **group[EVTCHN_GROUPS]; /* group -> bucket -> port */
    uint32_t valid_ports;                 /* ports with storage */
    uint32_t max_port;                    /* limit, inclusive */
    uint32_t active;                      /* ports neither free nor reserved */
    uint32_t free_hint;                   /* no port below it can be allocated */
    struct evtchn_fifo *fifo;             /* NULL: two-level ABI */

    uint32_t reset_cursor;    /* EVTCHNOP_reset: next port to close, 0: none runs */
    uint32_t teardown_cursor; /* evtchn_teardown(): next port to close */
};

/* All functions below take the locks they need: the caller holds none of level
 * LOCK_EVTCHN or above, and none at all where a domain reference may be dropped
 * (evtchn_teardown(), do_event_channel_op()). */

/* Makes the table with port 0 reserved; ports up to max_port may exist.
 * -XEN_ENOMEM or 0. */
int evtchn_init(struct domain *d, uint32_t max_port);
/* Closes every port (domain is dying), unpins the FIFO ABI's guest pages, then
 * frees the table. Preemptible: -XEN_ERESTART while there is more. */
int evtchn_teardown(struct domain *d);
/* Frees what a domain that was never torn down has left; accepts a table that
 * was never made. */
void evtchn_free(struct domain *d);

/* Allocates an unbound port of d for remote to bind. -XEN_EINVAL (d is dying),
 * -XEN_ENOSPC, -XEN_ENOMEM or 0. */
int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *port);
/* A port whose sends go to the hypervisor's own consumer: unbound with remote
 * DOMID_XEN, so nobody can bind to it. Errors as evtchn_alloc_unbound(). */
int evtchn_alloc_consumer(struct domain *d, enum evtchn_consumer c, uint32_t *port);

/* Raises an event on d's own port (the hypervisor's consumers use it). Nothing
 * happens when the port is not in use. */
void evtchn_notify(struct domain *d, uint32_t port);

/* Raises a VIRQ; nothing happens when it is not bound. */
void evtchn_virq_vcpu(struct vcpu *v, uint32_t virq);
void evtchn_virq_global(struct domain *d, uint32_t virq);
/* Who gets global VIRQ virq, referenced: the domain it was given to, or else the
 * control domain; NULL when there is none. */
struct domain *evtchn_virq_handler(uint32_t virq);
/* Gives it to d. -XEN_EINVAL when there is no such VIRQ or it is a vCPU's. */
int evtchn_set_virq_handler(struct domain *d, uint32_t virq);
/* d is dying: takes back what it was given. */
void evtchn_forget_virq_handler(const struct domain *d);

/* Is a pending bit set for port (SCHEDOP_poll)? */
bool evtchn_port_pending(struct domain *d, uint32_t port);
/* Has the guest a table entry for port? Port 0 is never the guest's. */
bool evtchn_port_valid(struct domain *d, uint32_t port);

/* shared_info or a vcpu_info moved, or a vCPU got one: nothing may be lost.
 * Takes no lock; v->info is the new place already. */
void evtchn_vcpu_info_moved(struct vcpu *v);

int64_t do_event_channel_op(struct vcpu *v, uint64_t args[6]);

#endif
