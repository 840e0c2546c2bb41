/* Guest frame -> machine frame: one second-stage table per translated domain,
 * four levels, leaves of 4 KiB, 2 MiB and 1 GiB. The entry format (EPT, NPT) is
 * arch_p2m_encode()'s and arch_p2m_decode()'s. Lock level LOCK_P2M, taken
 * inside.
 *
 * INV-P2M-1: every table frame has type FRAME_P2M and the domain as owner.
 * INV-P2M-2: every present RAM leaf names frames in use owned by the domain.
 * INV-P2M-3: foreign and grant leaves hold one reference each on their frame;
 *            they, and shared leaves, are 4 KiB.
 * INV-P2M-4: pages[] and table_pages are what a walk of the tables counts.
 * INV-P2M-5: own RAM is mapped by at most one leaf.
 * INV-P2M-6: the frames kept for populating on demand are own RAM that nothing maps
 *            or refers to, pod_count of them.
 * INV-P2M-7: while writes are logged, own RAM that somebody holds for writing counts as
 *            written. */
#ifndef CORBEL_CORE_P2M_P2M_H
#define CORBEL_CORE_P2M_P2M_H

#include "base/xen.h"

#include "core/lock.h"

struct domain;

enum p2m_type {
    P2M_INVALID, /* nothing there */
    P2M_RAM_RW,  /* the domain's own memory */
    P2M_RAM_RO,
    P2M_SHARED,   /* a hypervisor page shown to the guest: shared_info, grant frames */
    P2M_GRANT_RW, /* another domain's frame, mapped by grant: holds a reference */
    P2M_GRANT_RO,
    P2M_FOREIGN, /* another domain's frame, mapped by privilege: holds a reference */
    P2M_MMIO_DM, /* emulated by a device model */
    P2M_POD,     /* becomes own memory, from p2m_pod.c's store, when first looked up */
    P2M_TYPES
};

enum { P2M_4K = 0, P2M_2M = 9, P2M_1G = 18 }; /* leaf orders */
#define P2M_GFN_BITS 36u                      /* 48-bit guest-physical addresses */

#define P2M_POD_SWEEP 16u

struct p2m {
    struct lock lock;
    mfn_t root;
    uint8_t format;            /* arch's choice of entry format */
    uint32_t table_pages;      /* FRAME_P2M frames held */
    uint64_t pages[P2M_TYPES]; /* 4 KiB units mapped, by type */
    uint64_t max_gfn;          /* highest gfn ever mapped */

    uint64_t table_limit; /* most table_pages allowed; 0: see p2m_table_limit() */
    bool dying;           /* teardown has begun: nothing is mapped any more */
    uint8_t teardown;     /* enum in p2m_teardown.c */
    uint64_t cursor;      /* teardown: next gfn, then next mfn */
    mfn_t drop_mfn;       /* teardown: rest of a cleared superpage, */
    uint64_t drop_left;   /* in frames */

    /* p2m_pod.c: frames for what is populated on demand. */
    uint64_t pod_count;  /* in store, in 4 KiB */
    mfn_t pod_single;    /* first of a list of 4 KiB, through their first words; 0: none */
    mfn_t pod_super;     /* the same of 2 MiB */
    uint64_t pod_cursor; /* next gfn to sweep */
    uint8_t pod_wraps;   /* full sweeps since a frame was found */
    bool pod_setting;    /* somebody is changing what is in store: p2m_pod_set_target() */
    bool pod_sweeping;   /* pod_swept[] is in use */
    gfn_t pod_swept[P2M_POD_SWEEP]; /* taken out, but may come back: not to be populated */

    uint8_t log;         /* p2m_log.c: enum p2m_log_user */
    uint8_t log_op;      /* the control operation on the log that is to be continued, or 0, */
    uint64_t log_cursor; /* the gfn where, */
    uint64_t log_count;  /* and how many written pages it has told of */
};

struct p2m_entry {
    mfn_t mfn;     /* of the very gfn asked for */
    uint8_t type;  /* enum p2m_type */
    uint8_t order; /* of the leaf that holds it */
};

/* -XEN_ENOMEM or 0. */
int p2m_init(struct domain *d, uint8_t format);

/* Looks gfn up, populating it when that is due; P2M_POD when that was not possible:
 * the domain has crashed, or it is worth trying again. A snapshot: take a
 * reference with p2m_get_page() to use it. */
struct p2m_entry p2m_lookup(struct domain *d, gfn_t g);
/* The same, changing nothing. */
struct p2m_entry p2m_peek(struct domain *d, gfn_t g);

/* Looks gfn up, populating it when due, and takes a general reference on the frame.
 * False (no reference) if nothing or not RAM/grant/foreign/shared there. */
bool p2m_get_page(struct domain *d, gfn_t g, struct p2m_entry *e);

/* Maps [g, g + 2^order) to [m, ...); order is P2M_4K, P2M_2M or P2M_1G, both
 * ends aligned (types that hold references, and P2M_SHARED: only P2M_4K). What
 * was mapped there is replaced: foreign and grant leaves drop their reference;
 * own RAM is only unmapped (the caller owns that decision; what is left
 * unmapped stays the domain's until p2m_teardown()). For P2M_GRANT_* and
 * P2M_FOREIGN the caller's reference passes to the entry iff the result is 0.
 * -XEN_EINVAL, -XEN_ENOMEM or 0. Flushes engines when something was replaced. */
int p2m_map(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type type);

/* Sets of types, for what an operation may find. */
#define P2M_SET(type) (1u << (type))
#define P2M_SET_ANY ((1u << P2M_TYPES) - 1)
#define P2M_SET_OWN_RAM (P2M_SET(P2M_RAM_RW) | P2M_SET(P2M_RAM_RO))
#define P2M_SET_GRANT (P2M_SET(P2M_GRANT_RW) | P2M_SET(P2M_GRANT_RO))
/* Memory that the guest may write, whosever it is; and what it may only read. */
#define P2M_SET_WRITABLE                                                                           \
    (P2M_SET(P2M_RAM_RW) | P2M_SET(P2M_SHARED) | P2M_SET(P2M_GRANT_RW) | P2M_SET(P2M_FOREIGN))
#define P2M_SET_READ_ONLY (P2M_SET(P2M_RAM_RO) | P2M_SET(P2M_GRANT_RO))

/* As p2m_map(), but only where nothing is mapped: else -XEN_EEXIST. */
int p2m_map_new(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type type);

/* As p2m_map() of 4 KiB, but *old says what was replaced and its reference
 * passes to the caller. -XEN_EEXIST, and no change, unless the type of what is
 * there (P2M_INVALID: nothing) is in the set replace. */
int p2m_exchange(struct domain *d, gfn_t g, mfn_t m, enum p2m_type type, uint32_t replace,
                 struct p2m_entry *old);

/* Moves the domain's own RAM at 4 KiB from to to, in one step; replace and *old
 * as for p2m_exchange(). -XEN_EINVAL when no own RAM is at from. */
int p2m_move(struct domain *d, gfn_t from, gfn_t to, uint32_t replace, struct p2m_entry *old);

/* Unmaps one 4 KiB gfn, splitting a superpage when needed. *old is what was
 * there; the reference of a foreign or grant leaf passes to the caller iff
 * keep_ref. Flushes engines. -XEN_ENOENT when nothing was mapped, -XEN_ENOMEM
 * when a superpage cannot be split. */
int p2m_unmap(struct domain *d, gfn_t g, struct p2m_entry *old, bool keep_ref);

/* As p2m_unmap() with keep_ref, but -XEN_EEXIST, and no change, when the type
 * there is not in the set types. */
int p2m_unmap_types(struct domain *d, gfn_t g, uint32_t types, struct p2m_entry *old);

/* Unmaps 4 KiB gfn g only if it still maps m (else -XEN_ENOENT); drops the
 * reference of a foreign or grant leaf. */
int p2m_unmap_if(struct domain *d, gfn_t g, mfn_t m);

/* Frees own RAM that is no longer mapped: drops its allocation, once. */
void p2m_release_ram(struct domain *d, mfn_t m);

/* How many table pages d may use: a guest that maps one page in every 2 MiB
 * would else turn all of the machine into tables. */
uint64_t p2m_table_limit(const struct domain *d);

/* Walks and frees: drops every leaf's frame (own RAM: its allocation; foreign
 * and grant: its reference) and every table. Preemptible: -XEN_ERESTART while
 * there is more. */
int p2m_teardown(struct domain *d);

/* Calls f for each present leaf, in gfn order; stops when f returns non-zero. */
int p2m_for_each(struct domain *d, int (*f)(void *arg, gfn_t g, struct p2m_entry e), void *arg);

#endif
