/* What the files of core/audit share. Each part reads struct hv as it is, takes
 * no lock and changes nothing but the report. */
#ifndef CORBEL_CORE_AUDIT_AUDIT_IMPL_H
#define CORBEL_CORE_AUDIT_AUDIT_IMPL_H

#include "base/zero_lines.h"
#include "core/audit/audit.h"
#include "core/mem/frame_word.h"
#include "core/state.h"

/* Counts a violation of invariant name; the first one keeps its text. */
void audit_violation(struct audit_report *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Claims ok of invariant name; evaluates the text's arguments only if it fails. */
#define audit_claim(r, ok, name, ...) ((ok) ? (void)0 : audit_violation((r), (name), __VA_ARGS__))

/* The eight words at e are all value. */
static inline bool audit_eight_are(const uint64_t *e, uint64_t value)
{
    return ((e[0] ^ value) | (e[1] ^ value) | (e[2] ^ value) | (e[3] ^ value) | (e[4] ^ value) |
            (e[5] ^ value) | (e[6] ^ value) | (e[7] ^ value)) == 0;
}

/* The listed domain with this id, or NULL. */
struct domain *audit_domain(uint64_t id);

/* The first listed domain with id >= from, or NULL. */
struct domain *audit_next_domain(const struct audit_report *r, uint64_t from);

/* The number of d's first vCPU from number i on, or MAX_VCPUS. z: what is known to be zero. */
static inline unsigned audit_next_vcpu(const struct zero_lines *z, const struct domain *d,
                                       unsigned i)
{
    while (i < MAX_VCPUS && d->vcpu[i] == NULL) {
        size_t known = zero_known(z, &d->vcpu[i], (MAX_VCPUS - i) * sizeof(d->vcpu[i]));

        if (known >= sizeof(d->vcpu[i]))
            i += (unsigned)(known / sizeof(d->vcpu[i]));
        else
            i += i % 8 == 0 && audit_eight_are((const uint64_t *)(uintptr_t)&d->vcpu[i], 0) ? 8 : 1;
    }
    return i;
}

/* What is found for one frame. types has AUDIT_COUNT_MAPPED besides when a leaf maps
 * the frame as its owner's own RAM. */
struct audit_count {
    uint32_t refs;  /* holders of references but the allocation */
    uint32_t types; /* of them typed ones */
};
#define AUDIT_COUNT_MAPPED (UINT32_C(1) << 31)

/* References of a frame that are not a holder's elsewhere. */
static inline uint32_t audit_own_refs(struct frame f)
{
    return f.allocated || (f.type >= FRAME_HYP && f.type != FRAME_SHARED) ? 1 : 0;
}

/* The frame to look at after m: the rest of a free block is passed over. Only where
 * audit_heap() found the heap sound. */
static inline uint64_t audit_next_frame(uint64_t m)
{
    uint64_t word = hv->frames[m];

    return m + (fw_is_free(word) ? UINT64_C(1) << fw_unpack_free(word).order : 1);
}

/* How many frames from m on have its word: neighbours are often alike. */
static inline uint64_t audit_alike(uint64_t m)
{
    uint64_t n = 1, word = hv->frames[m];

    while (m + n < hv->max_mfn && hv->frames[m + n] == word)
        n++;
    return n;
}

/* audit_count.c: INV-MEM-7. Counts for all frames, in memory that is free, until they
 * are ended; NULL when no free block is large enough. */
struct audit_count *audit_counts_begin(const struct audit_report *r);
void audit_counts_end(struct audit_count *c);
/* Adds what d's grants hold, and what is pinned for it. */
void audit_count_domain(const struct audit_report *r, struct audit_count *c,
                        const struct domain *d);
void audit_counts_compare(struct audit_report *r, const struct audit_count *c);

/* audit_mem.c: INV-MEM-1 .. 6; fills in the report's frame counts. */
void audit_mem(struct audit_report *r);
/* audit_heap.c: the part of INV-MEM-1 that concerns free blocks and their lists. */
void audit_heap(struct audit_report *r);
/* The others check one domain or one CPU each. counts may be NULL: then fewer
 * things are found out, in more time. *borrowed grows by the leaves that hold
 * references. */
void audit_p2m(struct audit_report *r, const struct domain *d, struct audit_count *counts,
               uint64_t *borrowed);
void audit_evtchn(struct audit_report *r, const struct domain *d);
void audit_gnttab(struct audit_report *r, struct domain *d);
void audit_sched(struct audit_report *r, const struct cpu *c);
void audit_sched_domain(struct audit_report *r, const struct domain *d);
void audit_time(struct audit_report *r, const struct cpu *c);
void audit_time_domain(struct audit_report *r, const struct domain *d);

#endif
