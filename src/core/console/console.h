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

/* The same for hv_log_guest(). */
void console_show_guests(unsigned levels);

/* As hv_log(), for what a guest can provoke: names d, and shows at most
 * CONSOLE_GUEST_LINES lines per second of system time for it. */
#define CONSOLE_GUEST_LINES 10u
void hv_log_guest(struct domain *d, unsigned level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The last CONSOLE_HISTORY bytes that the hypervisor and the control domain have
 * written. Indices count bytes and wrap at 2^32. */
#define CONSOLE_HISTORY 32768u
struct console_history {
    char *ring;          /* hypervisor frames */
    uint32_t prod, cons; /* end; where readers begin */
};
/* Once, by hv_init(): -XEN_ENOMEM or 0. */
int console_history_init(void);
/* hv->log_lock is held. */
void console_history_add(const char *s, size_t n);
/* The same; takes the lock. */
void console_history_write(const char *s, size_t n);
/* XEN_SYSCTL_readconsole, <xen/sysctl.h>: count bytes at most, to buffer. The index
 * after the last one goes to *index, where it begins when incremental is set. clear:
 * later readers begin after them. 0 and *count, or -XEN_EFAULT. */
int console_history_read(struct vcpu *v, uint64_t buffer, uint32_t *count, uint32_t *index,
                         bool incremental, bool clear);

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
