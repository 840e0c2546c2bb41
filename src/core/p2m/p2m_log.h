/* Which of a domain's pages were written ("log dirty"): what live migration sends again.
 * The engine that runs the guest sets the dirty bit of a leaf when the guest writes
 * through it (EPT: SDM Vol. 3 28.2.4; NPT: APM Vol. 2 15.25.5). Every leaf is born with the
 * bit set and only the log clears it, so that an engine writes to no entry while nothing
 * is logged. What the hypervisor writes for the guest is told by p2m_written(); whoever
 * may write a frame for as long as he holds it has its type FRAME_WRITABLE: such a page
 * counts as written all the time. What other domains write through foreign mappings is
 * not logged: as with Xen, they say so themselves.
 *
 * Lock: LOCK_P2M, taken inside. */
#ifndef CORBEL_CORE_P2M_P2M_LOG_H
#define CORBEL_CORE_P2M_P2M_LOG_H

#include "base/atomic.h"
#include "core/domain/domain.h"

#define P2M_LOG_CHUNK 512u /* pages that p2m_log_read() looks at: one table's */

enum p2m_log_user { P2M_LOG_OFF, P2M_LOG_TOOLSTACK, P2M_LOG_KEY };

enum p2m_log_mode {
    P2M_LOG_PEEK,   /* changes nothing */
    P2M_LOG_CLEAN,  /* what is told is forgotten; a large leaf becomes small ones, so
                     * that the next time tells its pages apart */
    P2M_LOG_FORGET, /* the same, for who does not want to know: large leaves stay */
};

/* From now on writes are logged for user; all pages count as written. -XEN_EINVAL when a
 * log is on, -XEN_EOPNOTSUPP where the engine does not say what was written, or 0. */
int p2m_log_start(struct domain *d, enum p2m_log_user user);

/* Ends user's log, if one is on. */
void p2m_log_stop(struct domain *d, enum p2m_log_user user);

/* Says in bits which of [g, g + n) were written; g is a multiple of P2M_LOG_CHUNK and n at
 * most that. Returns from where to look on, which is further off where nothing is
 * mapped. After the last call that forgets the caller flushes the engines
 * (port_guest_flush()): only then every later write is noted. */
uint64_t p2m_log_read(struct domain *d, uint64_t g, unsigned n, enum p2m_log_mode mode,
                      uint64_t bits[P2M_LOG_CHUNK / 64]);

/* How many of all pages were written; flushes. Takes as long as the map is large. */
uint64_t p2m_log_count(struct domain *d, enum p2m_log_mode mode);

/* Notes g as written, if it is the domain's own memory. */
/*@ terminates \true;
    assigns \nothing; */
void p2m_log_note(struct domain *d, gfn_t g);

/*@ requires \valid_read(d);
    terminates \true;
    assigns \nothing; */
static inline bool p2m_log_on(const struct domain *d)
{
    return load_u8(&d->p2m.log) != P2M_LOG_OFF;
}

/* The hypervisor has written to g, or somebody now may: after the write, and after the
 * FRAME_WRITABLE was taken. */
/*@ requires \valid_read(d);
    terminates \true;
    assigns \nothing; */
static inline void p2m_written(struct domain *d, gfn_t g)
{
    if (p2m_log_on(d)) {
        p2m_log_note(d, g);
    }
}

#endif
