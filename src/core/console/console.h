/* The hypervisor's log, guests' console_io, and the built-in backend of PV
 * consoles for domains that no other domain serves. Lock level LOCK_CONSOLE. */
#ifndef CORBEL_CORE_CONSOLE_CONSOLE_H
#define CORBEL_CORE_CONSOLE_CONSOLE_H

#include "base/xen.h"

#include "base/types.h"
#include "core/lock.h"

struct domain;
struct vcpu;

/* Built-in backend of one domain's PV console ring (<xen/io/console.h>). */
struct domain_console {
    void *ring;          /* pinned page, NULL: no built-in backend */
    uint32_t port;       /* the guest's event channel */
    struct lock lock;    /* LOCK_CONSOLE: the ring and its private indices */
    uint64_t log_window; /* hv_log_guest(): second that log_lines counts */
    uint32_t log_lines, log_lost;
};

/* Log output: printf subset of base/fmt.h. Level 0 error, 1 warning, 2 info, 3
 * debug. One line per call, cut at CONSOLE_LINE bytes. */
#define CONSOLE_LINE 240u
void hv_log(unsigned level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Shows lines of levels below levels, from hv_init() on all but debug lines. */
#define CONSOLE_LEVELS_DEFAULT 3u
void console_show(unsigned levels);

/* The same for what a guest can provoke: names d, and shows at most
 * CONSOLE_GUEST_LINES lines per second of system time for it. */
#define CONSOLE_GUEST_LINES 10u
void hv_log_guest(struct domain *d, unsigned level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Starts serving d's console ring at gfn g; allocates its event channel, the
 * number of which is in d->console.port. -XEN_EEXIST when there is one already,
 * -XEN_EINVAL when g is not d's own memory, or what evtchn_alloc_consumer() says. */
int console_ring_start(struct domain *d, gfn_t g);
/* Stops serving it; the port stays until the domain's ports are closed. */
void console_ring_stop(struct domain *d);
/* The guest kicked its console port, or input may have come. No lock from
 * LOCK_EVTCHN up is held. */
void console_ring_service(struct domain *d);

/* CONSOLEIO_write and CONSOLEIO_read, see <xen/xen.h>. */
int64_t do_console_io(struct vcpu *v, uint64_t args[6]);

#endif
