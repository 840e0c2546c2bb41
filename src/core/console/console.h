/* The hypervisor's log, guests' console_io, and the built-in backend of PV
 * consoles for domains that no other domain serves. Lock level LOCK_CONSOLE. */
#ifndef CORBEL_CORE_CONSOLE_CONSOLE_H
#define CORBEL_CORE_CONSOLE_CONSOLE_H

#include "base/xen.h"

#include "base/types.h"

struct domain;
struct vcpu;

/* Built-in backend of one domain's PV console ring (<xen/io/console.h>). */
struct domain_console {
    void *ring;    /* pinned page, NULL: no built-in backend */
    uint32_t port; /* the guest's event channel */
};

/* Log output: printf subset of base/fmt.h. Level 0 error .. 3 debug. */
void hv_log(unsigned level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Starts serving d's console ring at gfn g; allocates its event channel. */
int console_ring_start(struct domain *d, gfn_t g);
void console_ring_stop(struct domain *d);
/* The guest kicked its console port, or input may have come. */
void console_ring_service(struct domain *d);

int64_t do_console_io(struct vcpu *v, uint64_t args[6]);

#endif
