/* XEN_DOMCTL_shadow_op's operations on the log of written pages. They stop and are
 * continued: where, stands in struct p2m. */
#include "base/arith.h"
#include "base/bitmap.h"
#include "core/control/control.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/p2m/p2m_log.h"
#include "port/guest.h"

/* 0, or -XEN_EBUSY: another operation on the log is under way. */
static int begin(struct p2m *p, uint32_t op)
{
    if (p->log_op == 0) {
        p->log_op = (uint8_t)op;
        p->log_cursor = 0;
        p->log_count = 0;
    }
    return p->log_op == op ? 0 : -XEN_EBUSY;
}

static int64_t end(struct domain *d, int64_t rc)
{
    d->p2m.log_op = 0;
    port_guest_flush(d);
    return rc;
}

/* Before each step but the first. What was forgotten so far holds from here on. */
static bool must_stop(struct domain *d)
{
    if (!hypercall_preempt()) {
        return false;
    }
    port_guest_flush(d);
    return true;
}

/* Nothing counts as written but what is written from now on. */
static int64_t enable(struct domain *d, uint32_t op)
{
    struct p2m *p = &d->p2m;
    uint64_t bits[P2M_LOG_CHUNK / 64];
    bool first = p->log_op == 0;
    int rc = first ? p2m_log_start(d, P2M_LOG_TOOLSTACK) : 0;

    if (rc == 0) {
        rc = begin(p, op);
    }
    if (rc != 0) {
        return rc;
    }
    for (first = true; p->log_cursor <= p->max_gfn; first = false) {
        if (!first && must_stop(d)) {
            return HYPERCALL_RESTART;
        }
        p->log_cursor = p2m_log_read(d, p->log_cursor, P2M_LOG_CHUNK, P2M_LOG_FORGET, bits);
    }
    return end(d, 0);
}

static unsigned count(const uint64_t *bits)
{
    unsigned n = 0;

    for (unsigned i = 0; i < P2M_LOG_CHUNK / 64; i++) {
        n += bits_count(bits[i]);
    }
    return n;
}

/* The next n pages. What the caller cannot be told is not forgotten. */
static int tell(struct vcpu *v, struct domain *d, const struct xen_domctl_shadow_op *s, unsigned n)
{
    enum p2m_log_mode mode = s->op == XEN_DOMCTL_SHADOW_OP_CLEAN ? P2M_LOG_CLEAN : P2M_LOG_PEEK;
    uint64_t bits[P2M_LOG_CHUNK / 64], at = d->p2m.log_cursor, next;
    uint64_t gva = CONTROL_GVA(s->dirty_bitmap);

    next = p2m_log_read(d, at, n, mode, bits);
    d->p2m.log_count += count(bits);
    if (gva == 0) {
        d->p2m.log_cursor = next;
        return 0;
    }
    if (guest_copy_out(v, gva + at / 8, bits, (n + 7) / 8) == 0) {
        d->p2m.log_cursor = at + n;
        return 0;
    }
    for (unsigned i = 0; mode == P2M_LOG_CLEAN && i < n; i++) {
        if ((bits[i / 64] >> (i % 64) & 1) != 0) {
            p2m_log_note(d, gfn(at + i));
        }
    }
    return -XEN_EFAULT;
}

/* XEN_DOMCTL_SHADOW_OP_CLEAN and _PEEK. Without a bitmap all pages are counted. */
static int64_t read_log(struct vcpu *v, struct domain *d, struct xen_domctl_shadow_op *s)
{
    struct p2m *p = &d->p2m;
    uint64_t pages = CONTROL_GVA(s->dirty_bitmap) != 0 ? s->pages : p->max_gfn + 1;
    int rc;

    if ((s->mode & ~(uint32_t)XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL) != 0 ||
        load_u8(&p->log) != P2M_LOG_TOOLSTACK || pages > UINT64_C(1) << P2M_GFN_BITS) {
        return -XEN_EINVAL;
    }
    rc = begin(p, s->op);
    if (rc != 0) {
        return rc;
    }
    for (bool first = true; rc == 0 && p->log_cursor < pages; first = false) {
        if (!first && must_stop(d)) {
            return HYPERCALL_RESTART;
        }
        rc = tell(v, d, s, (unsigned)min_u64(pages - p->log_cursor, P2M_LOG_CHUNK));
    }
    s->stats.fault_count = 0;
    s->stats.dirty_count = (uint32_t)min_u64(p->log_count, UINT32_MAX);
    return end(d, rc);
}

int64_t domctl_log_dirty(struct vcpu *v, struct domain *d, struct xen_domctl_shadow_op *s)
{
    switch (s->op) {
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
        if ((s->mode & XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY) == 0) {
            return -XEN_EINVAL; /* there is no shadow mode but this */
        }
        return enable(d, s->op);
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
        return enable(d, s->op);
    case XEN_DOMCTL_SHADOW_OP_OFF:
        p2m_log_stop(d, P2M_LOG_TOOLSTACK);
        d->p2m.log_op = 0;
        return 0;
    case XEN_DOMCTL_SHADOW_OP_CLEAN:
    case XEN_DOMCTL_SHADOW_OP_PEEK:
        return read_log(v, d, s);
    default:
        return -XEN_EINVAL;
    }
}
