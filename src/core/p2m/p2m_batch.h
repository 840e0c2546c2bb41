/* Many changes of one domain's map with one flush of the engines: what is taken
 * out keeps its reference, or its allocation, until the flush at the end. A batch
 * lives on the stack of one operation; no lock is held between its steps. */
#ifndef CORBEL_CORE_P2M_P2M_BATCH_H
#define CORBEL_CORE_P2M_P2M_BATCH_H

#include "core/p2m/p2m.h"

#define P2M_BATCH_ENTRIES 32u
#define P2M_BATCH_TABLES 32u

struct p2m_batch {
    struct domain *d;
    bool flush;
    bool pod;  /* own RAM taken out may go to what is populated on demand */
    uint8_t n; /* entries waiting */
    uint8_t tables;
    struct p2m_entry old[P2M_BATCH_ENTRIES];
    mfn_t table[P2M_BATCH_TABLES];
};

void p2m_batch_begin(struct p2m_batch *b, struct domain *d);

/* As p2m_exchange() and p2m_move(), but of *old only the type and frame are the
 * caller's to look at: its memory or reference goes at the end of the batch. */
int p2m_batch_exchange(struct p2m_batch *b, gfn_t g, mfn_t m, enum p2m_type type, uint32_t replace,
                       struct p2m_entry *old);
int p2m_batch_move(struct p2m_batch *b, gfn_t from, gfn_t to, uint32_t replace,
                   struct p2m_entry *old);

/* Unmaps 4 KiB at g, or with order P2M_2M the whole 2 MiB when g is aligned and one
 * leaf covers them; old->order says which. Only if the type there is in the set
 * types (-XEN_EEXIST) and the frame, unless want is invalid, is want
 * (-XEN_ENOENT). Else as p2m_unmap(). */
int p2m_batch_unmap(struct p2m_batch *b, gfn_t g, unsigned order, mfn_t want, uint32_t types,
                    struct p2m_entry *old);

/* Flushes if anything needs it, then lets go of all that was taken out. The batch
 * may go on. */
void p2m_batch_end(struct p2m_batch *b);

#endif
