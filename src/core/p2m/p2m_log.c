#include "core/p2m/p2m_log.h"

#include "base/bitmap.h"
#include "base/check.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m_table.h"
#include "port/guest.h"

int p2m_log_start(struct domain *d, enum p2m_log_user user)
{
    int rc = -XEN_EINVAL;

    if (arch_p2m_dirty(d->p2m.format) == 0) {
        return -XEN_EOPNOTSUPP;
    }
    lock_acquire(&d->p2m.lock);
    if (!p2m_log_on(d)) {
        store_u8(&d->p2m.log, (uint8_t)user);
        rc = 0;
    }
    lock_release(&d->p2m.lock);
    if (rc == 0) {
        port_guest_flush(d); /* engines set the bits from here on */
    }
    return rc;
}

void p2m_log_stop(struct domain *d, enum p2m_log_user user)
{
    bool was_on;

    lock_acquire(&d->p2m.lock);
    was_on = d->p2m.log == user;
    if (was_on) {
        store_u8(&d->p2m.log, P2M_LOG_OFF);
    }
    lock_release(&d->p2m.lock);
    if (was_on) {
        port_guest_flush(d);
    }
}

/* Does somebody hold one of [m, m + n) for writing? */
static bool held_for_writing(mfn_t m, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        struct frame f = frame_read(mfn(m.v + i));

        if (f.type == FRAME_WRITABLE && f.type_count != 0) {
            return true;
        }
    }
    return false;
}

/* The leaf in *slot, of n pages at m, is written to no more. Who takes hold of a page comes
 * to p2m_log_note() after that, and so waits for the lock. */
static void forget(uint64_t *slot, uint64_t dirty, mfn_t m, uint64_t n)
{
    (void)fetch_and_u64(slot, ~dirty);
    if (held_for_writing(m, n)) {
        (void)fetch_or_u64(slot, dirty);
    }
}

static void set_bit_in(uint64_t *bits, unsigned i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Is entry a leaf of memory that was written? *m is what it maps. */
static bool is_written(const struct p2m *p, uint64_t entry, unsigned level, mfn_t *m)
{
    struct p2m_slot s = arch_p2m_decode(p->format, entry, level);

    *m = s.mfn;
    return s.leaf && s.type == P2M_RAM_RW && (entry & arch_p2m_dirty(p->format)) != 0;
}

/* A table of 4 KiB leaves, of which slot is the first. */
static void read_table(const struct p2m *p, uint64_t *slot, unsigned n, enum p2m_log_mode mode,
                       uint64_t *bits)
{
    mfn_t m;

    for (unsigned i = 0; i < n; i++) {
        if (is_written(p, load_u64(&slot[i]), 0, &m)) {
            set_bit_in(bits, i);
            if (mode != P2M_LOG_PEEK) {
                forget(&slot[i], arch_p2m_dirty(p->format), m, 1);
            }
        }
    }
}

/* A leaf at level, written to. Where there is no memory for smaller ones it stays as it is,
 * and stays written. */
static void read_large(struct domain *d, uint64_t g, unsigned level, unsigned n,
                       enum p2m_log_mode mode, uint64_t *bits)
{
    const struct p2m *p = &d->p2m;
    uint64_t *slot;
    mfn_t m;

    check(level > 0);
    for (unsigned i = 0; i < n; i++) {
        set_bit_in(bits, i);
    }
    if (mode == P2M_LOG_CLEAN && p2m_reach(d, g, 0, &slot) == 0) {
        read_table(p, slot, n, mode, bits);
    } else if (mode == P2M_LOG_FORGET && p2m_reach(d, g, 1, &slot) == 0 &&
               is_written(p, load_u64(slot), 1, &m)) {
        forget(slot, arch_p2m_dirty(p->format), m, p2m_span(1));
    }
}

static uint64_t read_chunk(struct domain *d, uint64_t g, unsigned n, enum p2m_log_mode mode,
                           uint64_t *bits)
{
    struct p2m_place w = p2m_walk(&d->p2m, g);
    mfn_t m;

    if (w.level == 0) {
        read_table(&d->p2m, w.slot[0], n, mode, bits);
        return g + n;
    }
    if (is_written(&d->p2m, load_u64(w.slot[w.level]), w.level, &m)) {
        read_large(d, g, w.level, n, mode, bits);
        return g + n;
    }
    return (g | (p2m_span(w.level) - 1)) + 1;
}

uint64_t p2m_log_read(struct domain *d, uint64_t g, unsigned n, enum p2m_log_mode mode,
                      uint64_t bits[P2M_LOG_CHUNK / 64])
{
    uint64_t next = P2M_GFN_LIMIT;

    check(g % P2M_LOG_CHUNK == 0 && n <= P2M_LOG_CHUNK);
    for (unsigned i = 0; i < P2M_LOG_CHUNK / 64; i++) {
        bits[i] = 0;
    }
    lock_acquire(&d->p2m.lock);
    if (g < P2M_GFN_LIMIT && p2m_exists(&d->p2m) && !d->p2m.dying) {
        next = read_chunk(d, g, n, mode, bits);
    }
    lock_release(&d->p2m.lock);
    return next;
}

uint64_t p2m_log_count(struct domain *d, enum p2m_log_mode mode)
{
    uint64_t bits[P2M_LOG_CHUNK / 64], n = 0;

    for (uint64_t g = 0; g <= d->p2m.max_gfn;) {
        g = p2m_log_read(d, g, P2M_LOG_CHUNK, mode, bits);
        for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
            n += bits_count(bits[i]);
        }
    }
    port_guest_flush(d);
    return n;
}

void p2m_log_note(struct domain *d, gfn_t g)
{
    lock_acquire(&d->p2m.lock);
    if (g.v < P2M_GFN_LIMIT && p2m_exists(&d->p2m)) {
        struct p2m_place w = p2m_walk(&d->p2m, g.v);

        if (w.s.leaf && w.s.type == P2M_RAM_RW) {
            (void)fetch_or_u64(w.slot[w.level], arch_p2m_dirty(d->p2m.format));
        }
    }
    lock_release(&d->p2m.lock);
}
