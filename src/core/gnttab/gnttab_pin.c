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
_Static_assert(offsetof(grant_entry_header_t, flags) == 0 &&
                   offsetof(grant_entry_header_t, domid) == 2,
               "flags and domid are one word");

/*@ // The words of a grant that the guest writes too: flags and grantee; in version 2 the status.
    axiomatic SharedWords {
        logic uint32_t *header_of(struct gnttab *t, integer ref) reads \nothing;
        logic uint32_t *status_of(struct gnttab *t, integer ref) reads \nothing;
    }
    logic integer status_marks(integer ref, integer marks) = ref % 2 == 0 ? marks : marks * 0x10000;
    predicate words{L}(struct gnttab *t, integer ref) = \valid(t) &&
        (t->version == 1 || t->version == 2) && \valid(header_of(t, ref)) &&
        \valid(status_of(t, ref)) && \separated(header_of(t, ref), status_of(t, ref), t);
    // What the hypervisor wrote last, whatever the guest made of it since.
    predicate marked{L}(struct gnttab *t, integer ref, integer marks) = t->version == 1 ?
        *header_of(t, ref) == (was | marks) :
        *status_of(t, ref) == (was | (uint32_t)status_marks(ref, marks));
    predicate cleared{L}(struct gnttab *t, integer ref, integer marks) = t->version == 1 ?
        *header_of(t, ref) == (was & (uint32_t)(~marks)) :
        *status_of(t, ref) == (was & (uint32_t)(~status_marks(ref, marks))); */

/* The word of flags and grantee, first in the entries of both versions. */
/*@ requires words(t, ref);
    terminates \true;
    assigns \nothing;
    ensures \result == header_of(t, ref); */
static uint32_t *header_word(const struct gnttab *t, grant_ref_t ref)
{
    return t->version == 1 ? (uint32_t *)(void *)gnttab_entry_v1(t, ref)
                           : (uint32_t *)(void *)gnttab_entry_v2(t, ref);
}

/* The 32-bit word that holds ref's status, and what status is there. */
/*@ requires words(t, ref);
    terminates \true;
    assigns \nothing;
    ensures \result == status_of(t, ref); */
static uint32_t *status_word(const struct gnttab *t, grant_ref_t ref)
{
    uint32_t *page = t->status[ref / STATUS_PER_FRAME];

    return &page[ref % STATUS_PER_FRAME / 2];
}

/*@ requires status <= 0xffff;
    assigns \nothing;
    ensures \result == status_marks(ref, status); */
static uint32_t status_bits(grant_ref_t ref, uint32_t status)
{
    return status * (ref % 2 == 0 ? 1u : 0x10000u);
}

/*@ requires words(t, ref);
    assigns looks;
    ensures \result <= 0xffff; */
uint32_t gnttab_status_read(const struct gnttab *t, grant_ref_t ref)
{
    uint32_t word = load_u32(status_word(t, ref));

    return ref % 2 == 0 ? word & 0xffff : word >> 16;
}

/*@ requires words(t, ref);
    assigns *status_of(t, ref), changes, was; */
void gnttab_status_write(struct gnttab *t, grant_ref_t ref, uint32_t status)
{
    uint32_t *word = status_word(t, ref);

    fetch_and_u32(word, ~status_bits(ref, 0xffff));
    fetch_or_u32(word, status_bits(ref, status & 0xffff));
}

/*@ requires words(t, ref);
    requires marks == GTF_reading || marks == GTF_writing || marks == (GTF_reading | GTF_writing);
    assigns *header_of(t, ref), *status_of(t, ref), changes, was, reading_shown, writing_shown;
    ensures cleared(t, ref, marks) && changes == \old(changes) + 1;
    ensures reading_shown == (marks == GTF_writing ? \old(reading_shown) : 0);
    ensures writing_shown == (marks == GTF_reading ? \old(writing_shown) : 0); */
void gnttab_clear_marks(struct gnttab *t, grant_ref_t ref, uint32_t marks)
{
    /*@ ghost if (marks != GTF_writing) reading_shown = 0; */
    /*@ ghost if (marks != GTF_reading) writing_shown = 0; */
    if (t->version == 1) {
        fetch_and_u32(header_word(t, ref), ~marks);
    } else {
        fetch_and_u32(status_word(t, ref), ~status_bits(ref, marks));
    }
}

/* What a use asks of an entry. */
struct wanted {
    domid_t grantee;
    bool readonly;
    enum pin_use use;
    bool pinned; /* grantee and type were checked when it was pinned */
};

/*@ // What an entry must say for a use of its grant.
    predicate granted(struct wanted w, integer version, integer header) =
        (w.readonly || (header & GTF_readonly) == 0) && (w.pinned ||
        ((header >> 16) == w.grantee &&
         (w.use == PIN_MAP ?
              (header & GTF_type_mask) == GTF_permit_access && (header & GTF_sub_page) == 0 :
              (header & GTF_type_mask) == GTF_permit_access ||
              ((header & GTF_type_mask) == GTF_transitive && version == 2)))); */

/*@ requires (version == 1 || version == 2);
    assigns \nothing;
    ensures \result <==> granted(w, version, header); */
static bool entry_allows(struct wanted w, uint32_t version, uint32_t header)
{
    uint32_t flags = header & 0xffff;
    uint32_t type = flags & GTF_type_mask;

    if (!w.readonly && (flags & GTF_readonly) != 0) {
        return false;
    }
    if (w.pinned) {
        return true;
    }
    if (header >> 16 != w.grantee) {
        return false;
    }
    if (w.use == PIN_MAP) {
        return type == GTF_permit_access && (flags & GTF_sub_page) == 0;
    }
    return type == GTF_permit_access || (type == GTF_transitive && version == 2);
}

/*@ logic integer marks_of(struct wanted w) =
        w.readonly ? GTF_reading : GTF_reading | GTF_writing;
    predicate mark_request{L}(struct gnttab *t, integer ref, struct wanted w, integer marks,
                              uint32_t *header) = words(t, ref) &&
        \valid(header) && \separated(header, t, header_of(t, ref), status_of(t, ref)) &&
        marks == marks_of(w) && writing_shown == 0 &&
        (w.pinned ? reading_shown == 1 && !w.readonly : reading_shown == 0);
    // What marking leaves the guest to see.
    predicate shown(struct wanted w) =
        reading_shown == 1 && writing_shown == (w.readonly ? 0 : 1);
    predicate hidden(struct wanted w) =
        reading_shown == (w.pinned ? 1 : 0) && writing_shown == 0; */

/* Version 1: marks and permission are in one word, changed as one. */
/*@ requires mark_request(t, ref, w, marks, header) && t->version == 1;
    assigns *header_of(t, ref), *header, looks, changes, was, reading_shown, writing_shown;
    ensures as_one: \result ==> was == *header && granted(w, 1, *header) &&
        marked(t, ref, marks) && changes == \old(changes) + 1 && shown(w);
    ensures nothing: !\result ==> changes == \old(changes) && hidden(w);
    ensures bounded: looks <= \old(looks) + MARK_RETRIES; */
static bool mark_v1(struct gnttab *t, grant_ref_t ref, struct wanted w, uint32_t marks,
                    uint32_t *header)
{
    uint32_t *word = header_word(t, ref);

    /*@ loop invariant 0 <= i <= MARK_RETRIES;
        loop invariant read_once: looks == \at(looks, Pre) + i;
        loop invariant changes == \at(changes, Pre);
        loop assigns i, *word, looks, changes, was;
        loop variant MARK_RETRIES - i; */
    for (unsigned i = 0; i < MARK_RETRIES; i++) {
        uint32_t seen = load_u32(word);

        if (!entry_allows(w, 1, seen)) {
            return false;
        }
        if (cmpxchg_u32(word, seen, seen | marks)) {
            *header = seen;
            /*@ ghost reading_shown = 1; */
            /*@ ghost writing_shown = w.readonly ? 0 : 1; */
            return true;
        }
    }
    return false;
}

/* Version 2: the mark is set, then the permission read once more. Whoever takes
 * the permission away looks at the mark after that. */
/*@ requires mark_request(t, ref, w, marks, header) && t->version == 2;
    assigns *header_of(t, ref), *status_of(t, ref), *header, looks, changes, was, reading_shown,
        writing_shown;
    ensures after: \result ==> granted(w, 2, *header) && marked(t, ref, marks) &&
        looks == \old(looks) + 2 && changes == \old(changes) + 1 && shown(w);
    ensures nothing: !\result ==> hidden(w) && (changes == \old(changes) ||
        cleared(t, ref, w.pinned ? GTF_writing : marks)); */
static bool mark_v2(struct gnttab *t, grant_ref_t ref, struct wanted w, uint32_t marks,
                    uint32_t *header)
{
    const uint32_t *word = header_word(t, ref);

    if (!entry_allows(w, 2, load_u32(word))) {
        return false;
    }
    fetch_or_u32(status_word(t, ref), status_bits(ref, marks));
    /*@ ghost reading_shown = 1; */
    /*@ ghost writing_shown = w.readonly ? 0 : 1; */
    *header = load_u32(word);
    if (!entry_allows(w, 2, *header)) {
        gnttab_clear_marks(t, ref, w.pinned ? GTF_writing : marks);
        return false;
    }
    return true;
}

/* Marks the entry if it allows what is wanted; *header is what it said. */
/*@ requires mark_request(t, ref, w, marks, header);
    assigns *header_of(t, ref), *status_of(t, ref), *header, looks, changes, was, reading_shown,
        writing_shown;
    ensures \result ==> granted(w, t->version, *header) && shown(w);
    ensures !\result ==> hidden(w); */
static bool mark(struct gnttab *t, grant_ref_t ref, struct wanted w, uint32_t marks,
                 uint32_t *header)
{
    return t->version == 1 ? mark_v1(t, ref, w, marks, header) : mark_v2(t, ref, w, marks, header);
}

/*@ requires words(t, ref);
    terminates \true;
    assigns looks; */
static uint64_t entry_frame(const struct gnttab *t, grant_ref_t ref)
{
    return t->version == 1 ? load_u32(&gnttab_entry_v1(t, ref)->frame)
                           : load_u64(&gnttab_entry_v2(t, ref)->full_page.frame);
}

/* Fills what is granted from the entry whose header was marked. */
/*@ requires words(t, ref) && \valid(a);
    terminates \true;
    assigns a->mfn, a->start, a->length, a->part, a->transitive, a->trans_domid, a->trans_ref,
        looks;
    ensures a->mfn.v == MFN_INVALID_V;
    ensures a->part ==> t->version == 2 && ((header & GTF_sub_page) != 0 ||
        (header & GTF_type_mask) == GTF_transitive);
    ensures a->transitive ==> a->part; */
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
/*@ requires \valid(a);
    assigns a->mfn, a->frame_readonly, frame_refs;
    ensures \result == GNTST_okay || \result == GNTST_bad_page;
    ensures frame_refs == \old(frame_refs) + (\result == GNTST_okay ? 1 : 0);
    ensures \result == GNTST_okay ==> a->mfn.v <= 0xfffffff; */
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

/*@ // What a grant holds while it is in use: a reference on its frame, and its type while it has
    // writers (INV-GNT-3).
    logic integer users{L}(struct gnttab_active *a) = a->readers + a->writers;
    logic integer frame_due{L}(struct gnttab_active *a) =
        users(a) != 0 && !a->transitive ? 1 : 0;
    logic integer type_due{L}(struct gnttab_active *a) = a->writers != 0 && !a->transitive ? 1 : 0;
    predicate framed{L}(struct gnttab_active *a) = a->transitive ?
        a->part && a->mfn.v == MFN_INVALID_V : a->mfn.v <= 0xfffffff;
    predicate entry_holds{L}(struct gnttab_active *a) = a->readers <= ACTIVE_PINS_MAX &&
        a->writers <= ACTIVE_PINS_MAX && (users(a) != 0 ==> framed(a));
    // The guest sees that it is in use, and that it is in use for writing.
    predicate use_shown{L}(struct gnttab_active *a) =
        reading_shown == (users(a) != 0 ? 1 : 0) && writing_shown == (a->writers != 0 ? 1 : 0);
    predicate fits{L}(struct gnttab_active *a, struct wanted w) = framed(a) &&
        a->domid == w.grantee && (w.use == PIN_MAP ==> !a->part);
    predicate pinnable{L}(struct domain *rd, integer ref, struct gnttab_active *a) =
        \valid(rd) && words(&rd->gnttab, ref) && \valid(a) && entry_holds(a) &&
        rd->gnttab.pinned <= GNTTAB_MAX_FRAMES * ACTIVE_PER_BLOCK && \separated(a, rd) &&
        \separated(a, header_of(&rd->gnttab, ref), status_of(&rd->gnttab, ref)) &&
        \separated(rd, header_of(&rd->gnttab, ref), status_of(&rd->gnttab, ref)); */

/* What a marked entry grants, with the reference on its frame. GNTST_*. */
/*@ requires pinnable(rd, ref, a) && !w.pinned && users(a) == 0;
    requires granted(w, rd->gnttab.version, header);
    assigns a->mfn, a->start, a->length, a->part, a->transitive, a->trans_domid, a->trans_ref,
        a->domid, a->frame_readonly, frame_refs, looks;
    ensures frame_refs == \old(frame_refs) + (\result == GNTST_okay && !a->transitive ? 1 : 0);
    ensures \result == GNTST_okay ==> fits(a, w);
    ensures GNTST_eagain <= \result <= 0; */
static int take_grant(struct domain *rd, grant_ref_t ref, uint32_t header, struct gnttab_active *a,
                      struct wanted w)
{
    uint64_t frame = read_entry(&rd->gnttab, ref, header, a);

    a->domid = w.grantee;
    a->frame_readonly = false;
    if (!a->transitive) {
        return take_frame(rd, a, frame, w.readonly);
    }
    return a->trans_domid == rd->id ? GNTST_general_error : GNTST_okay; /* a chain of one's own */
}

/* Notes the frame, now held for writing, in the log of written pages. False: the entry does
 * not name it any more, though it is in use. */
/*@ requires \valid_read(rd) && words(&rd->gnttab, ref);
    assigns looks; */
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
/*@ requires \valid_read(rd) && words(&rd->gnttab, ref) && \valid_read(a);
    assigns type_refs, looks;
    ensures type_refs == \old(type_refs) + (\result == GNTST_okay ? 1 : 0);
    ensures \result == GNTST_okay || \result == GNTST_general_error; */
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
/*@ requires pinnable(rd, ref, a) && use_shown(a) && (w.pinned <==> users(a) != 0);
    requires first: w.pinned ==> !w.readonly && a->writers == 0;
    assigns a->mfn, a->start, a->length, a->part, a->transitive, a->trans_domid, a->trans_ref,
        a->domid, a->frame_readonly, *header_of(&rd->gnttab, ref), *status_of(&rd->gnttab, ref),
        frame_refs, type_refs, looks, changes, was, reading_shown, writing_shown;
    ensures same: w.pinned ==> a->mfn.v == \old(a->mfn.v) && a->domid == \old(a->domid) &&
        a->transitive == \old(a->transitive) && a->part == \old(a->part);
    ensures taken: \result == GNTST_okay ==> shown(w) &&
        frame_refs == \old(frame_refs) + (w.pinned || a->transitive ? 0 : 1) &&
        type_refs == \old(type_refs) + (w.readonly || a->transitive ? 0 : 1);
    ensures refused: \result != GNTST_okay ==> hidden(w) &&
        frame_refs == \old(frame_refs) && type_refs == \old(type_refs);
    ensures GNTST_eagain <= \result <= 0 &&
        (\result == GNTST_okay && !w.pinned ==> fits(a, w)); */
static int pin_fresh(struct domain *rd, grant_ref_t ref, struct gnttab_active *a, struct wanted w)
{
    struct gnttab *t = &rd->gnttab;
    uint32_t marks = w.readonly ? GTF_reading : GTF_reading | GTF_writing;
    uint32_t header = 0;
    int rc = GNTST_okay;

    if (!mark(t, ref, w, marks, &header)) {
        return GNTST_general_error;
    }
    if (!w.pinned) {
        rc = take_grant(rd, ref, header, a, w);
    }
    if (rc == GNTST_okay && !w.readonly && !a->transitive) {
        rc = take_write(rd, ref, a);
        if (rc != GNTST_okay && !w.pinned) {
            frame_put(a->mfn);
        }
    }
    if (rc != GNTST_okay) {
        gnttab_clear_marks(t, ref, w.pinned ? GTF_writing : marks);
    }
    return rc;
}

/* Can what a grant in use grants be used this way, too? */
/*@ requires \valid_read(a);
    assigns \nothing;
    ensures \result <==> a->domid == w.grantee && (w.use == PIN_MAP ==> !a->part) &&
        a->readers < ACTIVE_PINS_MAX && a->writers < ACTIVE_PINS_MAX; */
static bool can_share(const struct gnttab_active *a, struct wanted w)
{
    return a->domid == w.grantee && (w.use != PIN_MAP || !a->part) &&
           a->readers < ACTIVE_PINS_MAX && a->writers < ACTIVE_PINS_MAX;
}

/*@ requires \valid(t) && \valid(a) && \separated(a, t);
    requires a->readers < ACTIVE_PINS_MAX && a->writers < ACTIVE_PINS_MAX;
    requires t->pinned <= GNTTAB_MAX_FRAMES * ACTIVE_PER_BLOCK;
    assigns a->readers, a->writers, t->pinned;
    ensures INV_GNT_2: a->readers == \old(a->readers) + (w.readonly ? 1 : 0) &&
        a->writers == \old(a->writers) + (w.readonly ? 0 : 1);
    ensures t->pinned == \old(t->pinned) +
        (!w.pinned && ref >= GNTTAB_NR_RESERVED_ENTRIES ? 1 : 0); */
static void count_pin(struct gnttab *t, grant_ref_t ref, struct gnttab_active *a, struct wanted w)
{
    if (!w.pinned && ref >= GNTTAB_NR_RESERVED_ENTRIES) {
        t->pinned++;
    }
    if (w.readonly) {
        a->readers++;
    } else {
        a->writers++;
    }
}

/* Lock held: pins the grant whose account is a. */
/*@ requires pinnable(rd, ref, a) && use_shown(a);
    assigns *a, rd->gnttab.pinned, *header_of(&rd->gnttab, ref), *status_of(&rd->gnttab, ref),
        frame_refs, type_refs, looks, changes, was, reading_shown, writing_shown;
    ensures entry_holds(a);
    ensures marks: use_shown(a);
    ensures INV_GNT_2: GNTST_eagain <= \result <= 0 && (\result == GNTST_okay ? fits(a, w) &&
        a->readers == \old(a->readers) + (w.readonly ? 1 : 0) &&
        a->writers == \old(a->writers) + (w.readonly ? 0 : 1) :
        a->readers == \old(a->readers) && a->writers == \old(a->writers));
    ensures INV_GNT_3: frame_refs - \old(frame_refs) == frame_due(a) - \old(frame_due(a)) &&
        type_refs - \old(type_refs) == type_due(a) - \old(type_due(a));
    ensures counted: rd->gnttab.pinned == \old(rd->gnttab.pinned) +
        (\result == GNTST_okay && ref >= GNTTAB_NR_RESERVED_ENTRIES && \old(users(a)) == 0 ? 1 : 0);
    ensures others: \old(users(a)) != 0 ==> a->mfn.v == \old(a->mfn.v) &&
        a->domid == \old(a->domid) && a->transitive == \old(a->transitive); */
static int pin_entry(struct domain *rd, grant_ref_t ref, struct gnttab_active *a, struct wanted w)
{
    w.pinned = a->readers + a->writers != 0;
    if (w.pinned && !can_share(a, w)) {
        return GNTST_general_error;
    }
    if (!w.pinned || (!w.readonly && a->writers == 0)) {
        int rc = pin_fresh(rd, ref, a, w);

        if (rc != GNTST_okay) {
            return rc;
        }
    }
    count_pin(&rd->gnttab, ref, a, w);
    return GNTST_okay;
}

int gnttab_pin(struct domain *rd, grant_ref_t ref, domid_t grantee, bool readonly, enum pin_use use,
               struct gnttab_pin *out)
{
    struct wanted w = {.grantee = grantee, .readonly = readonly, .use = use};
    struct gnttab *t = &rd->gnttab;
    int rc = GNTST_bad_gntref;

    lock_acquire(&t->lock);
    if (ref < gnttab_entries(t)) {
        struct gnttab_active *a = gnttab_active_of(t, ref);

        rc = pin_entry(rd, ref, a, w);
        if (rc == GNTST_okay) {
            *out = (struct gnttab_pin){.mfn = a->mfn,
                                       .start = a->start,
                                       .length = a->length,
                                       .transitive = a->transitive,
                                       .trans_domid = a->trans_domid,
                                       .trans_ref = a->trans_ref};
        }
    }
    lock_release(&t->lock);
    return rc;
}

/*@ requires \valid(a) && (readonly ? a->readers > 0 : a->writers > 0);
    assigns a->readers, a->writers, type_refs;
    ensures INV_GNT_2: a->readers == \old(a->readers) - (readonly ? 1 : 0) &&
        a->writers == \old(a->writers) - (readonly ? 0 : 1);
    ensures INV_GNT_3: type_refs - \old(type_refs) == type_due(a) - \old(type_due(a)); */
static void uncount_pin(struct gnttab_active *a, bool readonly)
{
    if (readonly) {
        a->readers--;
    } else {
        a->writers--;
        if (a->writers == 0 && !a->transitive) {
            frame_put_type(a->mfn);
        }
    }
}

/* What nobody uses any more grants nothing: the frame that it granted. */
/*@ requires \valid(t) && \valid(a) && \separated(a, t);
    requires ref >= GNTTAB_NR_RESERVED_ENTRIES ==> t->pinned > 0;
    assigns a->mfn, t->pinned;
    ensures \result.v == \old(a->mfn.v) && a->mfn.v == MFN_INVALID_V;
    ensures t->pinned == \old(t->pinned) - (ref >= GNTTAB_NR_RESERVED_ENTRIES ? 1 : 0); */
static mfn_t forget_grant(struct gnttab *t, grant_ref_t ref, struct gnttab_active *a)
{
    mfn_t m = a->mfn;

    a->mfn = mfn_invalid();
    if (ref >= GNTTAB_NR_RESERVED_ENTRIES) {
        t->pinned--;
    }
    return m;
}

/* Lock held: undoes pin_entry(). The frame whose reference is to be given back, or none. */
/*@ requires pinnable(rd, ref, a) && use_shown(a) && (readonly ? a->readers > 0 : a->writers > 0);
    requires counted: ref >= GNTTAB_NR_RESERVED_ENTRIES ==> rd->gnttab.pinned > 0;
    assigns a->readers, a->writers, a->mfn, rd->gnttab.pinned, *header_of(&rd->gnttab, ref),
        *status_of(&rd->gnttab, ref), type_refs, changes, was, reading_shown, writing_shown;
    ensures entry_holds(a);
    ensures marks: use_shown(a);
    ensures INV_GNT_2: a->readers == \old(a->readers) - (readonly ? 1 : 0) &&
        a->writers == \old(a->writers) - (readonly ? 0 : 1);
    ensures INV_GNT_3: type_refs - \old(type_refs) == type_due(a) - \old(type_due(a)) &&
        (users(a) == 0 ? \result.v == \old(a->mfn.v) :
            \result.v == MFN_INVALID_V && a->mfn.v == \old(a->mfn.v));
    ensures gone: rd->gnttab.pinned == \old(rd->gnttab.pinned) -
        (ref >= GNTTAB_NR_RESERVED_ENTRIES && users(a) == 0 ? 1 : 0); */
static mfn_t unpin_entry(struct domain *rd, grant_ref_t ref, struct gnttab_active *a, bool readonly)
{
    struct gnttab *t = &rd->gnttab;

    uncount_pin(a, readonly);
    if (a->readers + a->writers == 0) {
        gnttab_clear_marks(t, ref, readonly ? GTF_reading : GTF_reading | GTF_writing);
        return forget_grant(t, ref, a);
    }
    if (!readonly && a->writers == 0) {
        gnttab_clear_marks(t, ref, GTF_writing);
    }
    return mfn_invalid();
}

void gnttab_unpin(struct domain *rd, grant_ref_t ref, bool readonly)
{
    struct gnttab *t = &rd->gnttab;
    struct gnttab_active *a;
    mfn_t drop;

    lock_acquire(&t->lock);
    check(ref < t->nr_frames * V1_PER_FRAME);
    a = gnttab_active_of(t, ref);
    check((readonly ? a->readers : a->writers) > 0);
    drop = unpin_entry(rd, ref, a, readonly);
    lock_release(&t->lock);
    if (!mfn_is_invalid(drop)) {
        frame_put(drop);
    }
}
