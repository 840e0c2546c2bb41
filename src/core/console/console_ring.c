#include "base/xen.h"

#include <xen/io/console.h>

#include "base/arith.h"
#include "base/atomic.h"
#include "core/console/console.h"
#include "core/domain/domain.h"
#include "core/evtchn/evtchn.h"
#include "core/guest_mem/guest_mem.h"
#include "port/console.h"

#define RING_CHUNK 128u

int console_ring_start(struct domain *d, gfn_t g)
{
    struct domain_console *c = &d->console;
    void *page;
    int rc;

    if (c->ring != NULL) {
        return -XEN_EEXIST;
    }
    page = guest_page_pin(d, g);
    if (page == NULL) {
        return -XEN_EINVAL;
    }
    rc = evtchn_alloc_consumer(d, CONSUMER_CONSOLE, &c->port);
    if (rc != 0) {
        guest_page_unpin(page);
        return rc;
    }
    /* A domain is built by one CPU, and its port cannot have been kicked yet. */
    lock_init(&c->lock, LOCK_CONSOLE);
    c->ring = page;
    return 0;
}

void console_ring_stop(struct domain *d)
{
    struct domain_console *c = &d->console;
    void *page;

    if (c->lock.level != LOCK_CONSOLE) {
        return; /* never started */
    }
    lock_acquire(&c->lock);
    page = c->ring;
    c->ring = NULL;
    lock_release(&c->lock);
    if (page != NULL) {
        guest_page_unpin(page);
    }
}

/* Takes what the guest has written; true iff it may write more now. All four
 * indices are the guest's to spoil: each is read once, and a distance that no
 * ring can hold drops what is there. */
static bool ring_output(struct xencons_interface *ring, domid_t domid)
{
    uint32_t cons = load_u32(&ring->out_cons);
    uint32_t prod = load_u32(&ring->out_prod);

    if (prod == cons) {
        return false;
    }
    if (prod - cons > sizeof(ring->out)) {
        cons = prod;
    }
    while (cons != prod) {
        char buf[RING_CHUNK];
        size_t n = 0;

        for (; n < sizeof(buf) && cons != prod; n++, cons++) {
            buf[n] = ring->out[MASK_XENCONS_IDX(cons, ring->out)];
        }
        port_console_write(domid, buf, n);
    }
    store_u32(&ring->out_cons, cons);
    return true;
}

/* Feeds what was typed for the guest; true iff there was something and room. */
static bool ring_input(struct xencons_interface *ring, domid_t domid)
{
    uint32_t prod = load_u32(&ring->in_prod);
    uint32_t used = prod - load_u32(&ring->in_cons);
    uint32_t room = used > sizeof(ring->in) ? 0 : (uint32_t)sizeof(ring->in) - used;
    bool any = false;

    while (room != 0) {
        char buf[RING_CHUNK];
        size_t n = port_console_read(domid, buf, (size_t)min_u64(room, sizeof(buf)));

        if (n == 0) {
            break;
        }
        for (size_t i = 0; i < n; i++) {
            ring->in[MASK_XENCONS_IDX(prod + i, ring->in)] = buf[i];
        }
        prod += (uint32_t)n;
        room -= (uint32_t)n;
        any = true;
    }
    if (any) {
        store_u32(&ring->in_prod, prod);
    }
    return any;
}

void console_ring_service(struct domain *d)
{
    struct domain_console *c = &d->console;
    bool notify = false;

    if (c->lock.level != LOCK_CONSOLE) {
        return;
    }
    lock_acquire(&c->lock);
    if (c->ring != NULL) {
        bool out = ring_output(c->ring, d->id);
        bool in = ring_input(c->ring, d->id);

        notify = out || in;
    }
    lock_release(&c->lock);
    if (notify) {
        evtchn_notify(d, c->port);
    }
}
