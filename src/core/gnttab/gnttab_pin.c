/* Pinning: turning a shared entry, which the guest may change at any moment, into
 * something that the hypervisor relies on. The entry is marked as in use first,
 * then read, each field once. */
#include "core/gnttab/gnttab_private.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m_log.h"

/* A guest that changes its entry faster than this is misbehaving. */
#define MARK_RETRIES 5u

_Static_assert(offsetof(grant_entry_v1_t, flags) == 0 && offsetof(grant_entry_v1_t, domid) == 2,
               "flags and domid are one word");

/* The 32-bit word that holds ref's status, and where in it. */
static uint32_t *status_word(const struct gnttab *t, grant_ref_t ref)
{
    uint32_t *page = t->status[ref / STATUS_PER_FRAME];

    return &page[ref % STATUS_PER_FRAME / 2];
}

/*@ assigns \nothing;
    ensures \result == (ref % 2 == 0 ? 0 : 16); */
static unsigned status_shift(grant_ref_t ref)
{
    return ref % 2 * 16;
}

uint32_t gnttab_status_read(const struct gnttab *t, grant_ref_t ref)
{
    return (load_u32(status_word(t, ref)) >> status_shift(ref)) & 0xffff;
}

void gnttab_status_write(struct gnttab *t, grant_ref_t ref, uint32_t status)
{
    unsigned shift = status_shift(ref);
    uint32_t *word = status_word(t, ref);

    fetch_and_u32(word, ~(UINT32_C(0xffff) << shift));
    fetch_or_u32(word, (status & 0xffff) << shift);
}

void gnttab_clear_marks(struct gnttab *t, grant_ref_t ref, uint32_t marks)
{
    if (t->version == 1) {
        fetch_and_u32((uint32_t *)(void *)gnttab_entry_v1(t, ref), ~marks);
    } else {
        fetch_and_u32(status_word(t, ref), ~(marks << status_shift(ref)));
    }
}

/* What a use asks of an entry. */
struct wanted {
    domid_t grantee;
    bool readonly;
    enum pin_use use;
    bool pinned; /* grantee and type were checked when it was pinned */
};

/*@ requires \valid_read(w) && (version == 1 || version == 2);
    assigns \nothing;
    ensures writable: \result && !w->readonly ==> (header & GTF_readonly) == 0;
    ensures grantee: \result && !w->pinned ==> (header >> 16) == w->grantee;
    ensures map: \result && !w->pinned && w->use == PIN_MAP ==>
        (header & GTF_type_mask) == GTF_permit_access && (header & GTF_sub_page) == 0;
    ensures type: \result && !w->pinned ==> (header & GTF_type_mask) == GTF_permit_access ||
        ((header & GTF_type_mask) == GTF_transitive && version == 2);
    ensures granted: (w->readonly || (header & GTF_readonly) == 0) && (w->pinned ||
        ((header >> 16) == w->grantee && (header & GTF_type_mask) == GTF_permit_access &&
         (header & GTF_sub_page) == 0)) ==> \result; */
static bool entry_allows(const struct wanted *w, uint32_t version, uint32_t header)
{
    uint32_t flags = header & 0xffff;
    uint32_t type = flags & GTF_type_mask;

    if (!w->readonly && (flags & GTF_readonly) != 0) {
        return false;
    }
    if (w->pinned) {
        return true;
    }
    if (header >> 16 != w->grantee) {
        return false;
    }
    if (w->use == PIN_MAP) {
        return type == GTF_permit_access && (flags & GTF_sub_page) == 0;
    }
    return type == GTF_permit_access || (type == GTF_transitive && version == 2);
}

/* Version 1: marks and permission are in one word, changed as one. */
static bool mark_v1(struct gnttab *t, grant_ref_t ref, const struct wanted *w, uint32_t marks,
                    uint32_t *header)
{
    uint32_t *word = (uint32_t *)(void *)gnttab_entry_v1(t, ref);

    for (unsigned i = 0; i < MARK_RETRIES; i++) {
        uint32_t seen = load_u32(word);

        if (!entry_allows(w, 1, seen)) {
            return false;
        }
        if (cmpxchg_u32(word, seen, seen | marks)) {
            *header = seen;
            return true;
        }
    }
    return false;
}

/* Version 2: the mark is set, then the permission read once more. Whoever takes
 * the permission away looks at the mark after that. */
static bool mark_v2(struct gnttab *t, grant_ref_t ref, const struct wanted *w, uint32_t marks,
                    uint32_t *header)
{
    const uint32_t *word = (const uint32_t *)(const void *)gnttab_entry_v2(t, ref);
    unsigned shift = status_shift(ref);
    uint32_t *status = status_word(t, ref);

    if (!entry_allows(w, 2, load_u32(word))) {
        return false;
    }
    fetch_or_u32(status, marks << shift);
    *header = load_u32(word);
    if (!entry_allows(w, 2, *header)) {
        fetch_and_u32(status, ~((w->pinned ? GTF_writing : marks) << shift));
        return false;
    }
    return true;
}

static uint64_t entry_frame(const struct gnttab *t, grant_ref_t ref)
{
    return t->version == 1 ? load_u32(&gnttab_entry_v1(t, ref)->frame)
                           : load_u64(&gnttab_entry_v2(t, ref)->full_page.frame);
}

/* Fills what is granted from the entry whose header was marked. */
static uint64_t read_entry(const struct gnttab *t, grant_ref_t ref, uint32_t header,
                           struct gnttab_active *a)
{
    const grant_entry_v2_t *e;

    a->mfn = mfn_invalid();
    a->start = 0;
    a->length = PAGE_SIZE;
    a->part = false;
    a->transitive = false;
    if (t->version == 1) {
        return entry_frame(t, ref);
    }
    e = gnttab_entry_v2(t, ref);
    if ((header & GTF_type_mask) == GTF_transitive) {
        a->part = true;
        a->transitive = true;
        a->trans_domid = load_u16(&e->transitive.trans_domid);
        a->trans_ref = load_u32(&e->transitive.gref);
        return 0;
    }
    if ((header & GTF_sub_page) != 0) {
        a->part = true;
        a->start = load_u16(&e->sub_page.page_off);
        a->length = load_u16(&e->sub_page.length);
    }
    return entry_frame(t, ref);
}

/* Takes the reference on the granted frame. GNTST_*. */
static int take_frame(struct domain *rd, struct gnttab_active *a, uint64_t frame, bool readonly)
{
    struct p2m_entry e;

    if (!p2m_get_page(rd, gfn(frame), &e)) {
        return GNTST_bad_page;
    }
    /* Only own RAM can be granted: what is mapped from others is theirs. */
    if ((P2M_SET(e.type) & P2M_SET_OWN_RAM) == 0 || (e.type == P2M_RAM_RO && !readonly)) {
        frame_put(e.mfn);
        return GNTST_bad_page;
    }
    a->mfn = e.mfn;
    a->frame_readonly = e.type == P2M_RAM_RO;
    return GNTST_okay;
}

/* Notes the frame, now held for writing, in the log of written pages. False: the entry does
 * not name it any more, though it is in use. */
static bool note_written(struct domain *rd, grant_ref_t ref, mfn_t m)
{
    gfn_t g;

    if (!p2m_log_on(rd)) {
        return true;
    }
    g = gfn(entry_frame(&rd->gnttab, ref));
    if (p2m_peek(rd, g).mfn.v != m.v) {
        return false;
    }
    p2m_written(rd, g);
    return true;
}

/* Takes the type that writers hold. GNTST_*. */
static int take_write(struct domain *rd, grant_ref_t ref, const struct gnttab_active *a)
{
    if (a->frame_readonly || !frame_get_type(a->mfn, FRAME_WRITABLE)) {
        return GNTST_general_error;
    }
    if (!note_written(rd, ref, a->mfn)) {
        frame_put_type(a->mfn);
        return GNTST_general_error;
    }
    return GNTST_okay;
}

/* First pin, or first pin for writing: marks the entry and takes references. */
static int pin_fresh(struct domain *rd, grant_ref_t ref, struct gnttab_active *a,
                     const struct wanted *w)
{
    struct gnttab *t = &rd->gnttab;
    uint32_t marks = GTF_reading | (w->readonly ? 0 : GTF_writing);
    uint32_t header = 0;
    int rc = GNTST_okay;

    if (!(t->version == 1 ? mark_v1(t, ref, w, marks, &header)
                          : mark_v2(t, ref, w, marks, &header))) {
        return GNTST_general_error;
    }
    if (!w->pinned) {
        uint64_t frame = read_entry(t, ref, header, a);

        a->domid = w->grantee;
        a->frame_readonly = false;
        if (!a->transitive) {
            rc = take_frame(rd, a, frame, w->readonly);
        } else if (a->trans_domid == rd->id) {
            rc = GNTST_general_error; /* a chain of one's own */
        }
    }
    if (rc == GNTST_okay && !w->readonly && !a->transitive) {
        rc = take_write(rd, ref, a);
        if (rc != GNTST_okay && !w->pinned) {
            frame_put(a->mfn);
        }
    }
    if (rc != GNTST_okay) {
        gnttab_clear_marks(t, ref, w->pinned ? GTF_writing : marks);
    }
    return rc;
}

static int pin_locked(struct domain *rd, grant_ref_t ref, struct wanted *w, struct gnttab_pin *out)
{
    struct gnttab *t = &rd->gnttab;
    struct gnttab_active *a;

    if (ref >= gnttab_entries(t)) {
        return GNTST_bad_gntref;
    }
    a = gnttab_active_of(t, ref);
    w->pinned = a->readers + a->writers != 0;
    if (w->pinned && (a->domid != w->grantee || (w->use == PIN_MAP && a->part) ||
                      a->readers >= ACTIVE_PINS_MAX || a->writers >= ACTIVE_PINS_MAX)) {
        return GNTST_general_error;
    }
    if (!w->pinned || (!w->readonly && a->writers == 0)) {
        int rc = pin_fresh(rd, ref, a, w);

        if (rc != GNTST_okay) {
            return rc;
        }
    }
    if (!w->pinned && ref >= GNTTAB_NR_RESERVED_ENTRIES) {
        t->pinned++;
    }
    if (w->readonly) {
        a->readers++;
    } else {
        a->writers++;
    }
    *out = (struct gnttab_pin){.mfn = a->mfn,
                               .start = a->start,
                               .length = a->length,
                               .transitive = a->transitive,
                               .trans_domid = a->trans_domid,
                               .trans_ref = a->trans_ref};
    return GNTST_okay;
}

int gnttab_pin(struct domain *rd, grant_ref_t ref, domid_t grantee, bool readonly, enum pin_use use,
               struct gnttab_pin *out)
{
    struct wanted w = {.grantee = grantee, .readonly = readonly, .use = use};
    int rc;

    lock_acquire(&rd->gnttab.lock);
    rc = pin_locked(rd, ref, &w, out);
    lock_release(&rd->gnttab.lock);
    return rc;
}

void gnttab_unpin(struct domain *rd, grant_ref_t ref, bool readonly)
{
    struct gnttab *t = &rd->gnttab;
    struct gnttab_active *a;
    mfn_t drop = mfn_invalid();

    lock_acquire(&t->lock);
    check(ref < t->nr_frames * V1_PER_FRAME);
    a = gnttab_active_of(t, ref);
    if (readonly) {
        check(a->readers > 0);
        a->readers--;
    } else {
        check(a->writers > 0);
        a->writers--;
        if (a->writers == 0) {
            gnttab_clear_marks(t, ref, GTF_writing);
            if (!a->transitive) {
                frame_put_type(a->mfn);
            }
        }
    }
    if (a->readers + a->writers == 0) {
        gnttab_clear_marks(t, ref, GTF_reading);
        drop = a->mfn;
        a->mfn = mfn_invalid();
        if (ref >= GNTTAB_NR_RESERVED_ENTRIES) {
            t->pinned--;
        }
    }
    lock_release(&t->lock);
    if (!mfn_is_invalid(drop)) {
        frame_put(drop);
    }
}
