/* Guest frame -> machine frame: one second-stage table per translated domain,
 * four levels, leaves of 4 KiB, 2 MiB and 1 GiB. The entry format (EPT, NPT) is
 * arch_p2m_encode()'s and arch_p2m_decode()'s. Lock level LOCK_P2M, taken
 * inside.
 *
 * INV-P2M-1: every table frame has type FRAME_P2M and the domain as owner.
 * INV-P2M-2: every present RAM leaf names frames in use owned by the domain.
 * INV-P2M-3: foreign and grant leaves hold one reference each on their frame. */
#ifndef CORBEL_CORE_P2M_P2M_H
#define CORBEL_CORE_P2M_P2M_H

#include "base/xen.h"

#include "core/lock.h"

struct domain;

enum p2m_type {
    P2M_INVALID,  /* nothing there */
    P2M_RAM_RW,   /* the domain's own memory */
    P2M_RAM_RO,
    P2M_SHARED,   /* a hypervisor page shown to the guest: shared_info, grant frames */
    P2M_GRANT_RW, /* another domain's frame, mapped by grant: holds a reference */
    P2M_GRANT_RO,
    P2M_FOREIGN,  /* another domain's frame, mapped by privilege: holds a reference */
    P2M_MMIO_DM,  /* emulated by a device model */
    P2M_TYPES
};

enum { P2M_4K = 0, P2M_2M = 9, P2M_1G = 18 }; /* leaf orders */
#define P2M_GFN_BITS 36u /* 48-bit guest-physical addresses */

struct p2m {
    struct lock lock;
    mfn_t root;
    uint8_t format;         /* arch's choice of entry format */
    uint32_t table_pages;   /* FRAME_P2M frames held */
    uint64_t pages[P2M_TYPES]; /* 4 KiB units mapped, by type */
    uint64_t max_gfn;       /* highest gfn ever mapped */
};

struct p2m_entry {
    mfn_t mfn;      /* of the very gfn asked for */
    uint8_t type;   /* enum p2m_type */
    uint8_t order;  /* of the leaf that holds it */
};

/* -XEN_ENOMEM or 0. */
int p2m_init(struct domain *d, uint8_t format);

/* Looks gfn up. A snapshot: take a reference with p2m_get_page() to use it. */
struct p2m_entry p2m_lookup(struct domain *d, gfn_t g);

/* Looks gfn up and takes a general reference on the frame under the p2m lock.
 * False (no reference) if nothing or not RAM/grant/foreign/shared there. */
bool p2m_get_page(struct domain *d, gfn_t g, struct p2m_entry *e);

/* Maps [g, g + 2^order) to [m, ...); order is P2M_4K, P2M_2M or P2M_1G, both
 * ends aligned. What was mapped there is replaced: foreign and grant leaves drop
 * their reference; own RAM is only unmapped (the caller owns that decision).
 * For P2M_GRANT_* and P2M_FOREIGN the caller's reference passes to the entry.
 * -XEN_EINVAL, -XEN_ENOMEM or 0. */
int p2m_map(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type type);

/* Unmaps one 4 KiB gfn, splitting a superpage when needed. *old is what was
 * there; the reference of a foreign or grant leaf passes to the caller iff
 * keep_ref. Flushes engines. -XEN_ENOENT when nothing was mapped. */
int p2m_unmap(struct domain *d, gfn_t g, struct p2m_entry *old, bool keep_ref);

/* Unmaps 4 KiB gfn g only if it still maps m. */
int p2m_unmap_if(struct domain *d, gfn_t g, mfn_t m);

/* Walks and frees: drops every leaf's frame (own RAM: its allocation; foreign
 * and grant: its reference) and every table. Preemptible: -XEN_ERESTART while
 * there is more. */
int p2m_teardown(struct domain *d);

/* Calls f for each present leaf, in gfn order; stops when f returns non-zero. */
int p2m_for_each(struct domain *d, int (*f)(void *arg, gfn_t g, struct p2m_entry e), void *arg);

#endif
