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

struct evtchn_fifo; /* evtchn_fifo.c */

struct evtchn_table {
    struct lock lock;
    struct evtchn **group[EVTCHN_GROUPS]; /* group -> bucket -> port */
    uint32_t valid_ports;                 /* ports with storage */
    uint32_t max_port;                    /* limit, inclusive */
    uint32_t active;
    uint32_t free_hint;
    struct evtchn_fifo *fifo; /* NULL: two-level ABI */
};

int evtchn_init(struct domain *d, uint32_t max_port);
/* Closes every port (domain is dying), then frees the table. Preemptible:
 * -XEN_ERESTART while there is more. */
int evtchn_teardown(struct domain *d);
void evtchn_free(struct domain *d);

/* Allocates an unbound port of d for remote to bind. */
int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *port);
/* A port whose sends go to the hypervisor's own consumer. */
int evtchn_alloc_consumer(struct domain *d, enum evtchn_consumer c, uint32_t *port);

/* Raises an event on d's own port (the hypervisor's consumers use it). */
void evtchn_notify(struct domain *d, uint32_t port);

/* Raises a VIRQ. */
void evtchn_virq_vcpu(struct vcpu *v, uint32_t virq);
void evtchn_virq_global(struct domain *d, uint32_t virq);

/* Is a pending bit set for port (SCHEDOP_poll)? */
bool evtchn_port_pending(struct domain *d, uint32_t port);
bool evtchn_port_valid(struct domain *d, uint32_t port);

/* shared_info or a vcpu_info moved: nothing may be lost. */
void evtchn_vcpu_info_moved(struct vcpu *v);

int64_t do_event_channel_op(struct vcpu *v, uint64_t args[6]);

#endif
