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

/*@ // What the hypervisor wrote last, whatever the guest made of it since.
    logic integer mark_bits(integer version, integer ref, integer marks) =
        version == 1 ? marks : status_marks(ref, marks);
    predicate marked{L}(struct gnttab *t, integer ref, integer marks) =
        *marks_at(t, t->version, ref) == (was | (uint32_t)mark_bits(t->version, ref, marks));
    predicate cleared{L}(struct gnttab *t, integer ref, integer marks) =
        *marks_at(t, t->version, ref) == (was & (uint32_t)(~mark_bits(t->version, ref, marks))); */

/* Clears GTF_reading and GTF_writing bits that the guest sees. */
/*@ requires words(t, t->version, ref);
    requires marks == GTF_reading || marks == GTF_writing || marks == (GTF_reading | GTF_writing);
    assigns *marks_at(t, t->version, ref), changes, was, reading_shown, writing_shown;
    ensures cleared(t, ref, marks) && changes == \old(changes) + 1;
    ensures reading_shown == (marks == GTF_writing ? \old(reading_shown) : 0);
    ensures writing_shown == (marks == GTF_reading ? \old(writing_shown) : 0); */
static void clear_marks(struct gnttab *t, grant_ref_t ref, uint32_t marks)
{
    /*@ ghost if (marks != GTF_writing) reading_shown = 0; */
    /*@ ghost if (marks != GTF_reading) writing_shown = 0; */
    fetch_and_u32(gnttab_entry_marks(t, ref), ~gnttab_entry_mark_bits(t, ref, marks));
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
                              uint32_t *header) = words(t, t->version, ref) &&
        \valid(header) && \separated(header, t, marks_at(t, t->version, ref)) &&
        marks == marks_of(w) && writing_shown == 0 &&
        (w.pinned ? reading_shown == 1 && !w.readonly : reading_shown == 0);
    // What marking leaves the guest to see.
    predicate shown(struct wanted w) =
        reading_shown == 1 && writing_shown == (w.readonly ? 0 : 1);
    predicate hidden(struct wanted w) =
        reading_shown == (w.pinned ? 1 : 0) && writing_shown == 0; */

/* Version 1: marks and permission are in one word, changed as one. */
/*@ requires mark_request(t, ref, w, marks, header) && t->version == 1;
    assigns *marks_at(t, t->version, ref), *header, looks, changes, was, reading_shown,
        writing_shown;
    ensures as_one: \result ==> was == *header && granted(w, 1, *header) &&
        marked(t, ref, marks) && changes == \old(changes) + 1 && shown(w);
    ensures nothing: !\result ==> changes == \old(changes) && hidden(w);
    ensures bounded: looks <= \old(looks) + MARK_RETRIES; */
static bool mark_v1(struct gnttab *t, grant_ref_t ref, struct wanted w, uint32_t marks,
                    uint32_t *header)
{
    uint32_t *word = gnttab_entry_header(t, ref);

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
    assigns *marks_at(t, t->version, ref), *header, looks, changes, was, reading_shown,
        writing_shown;
    ensures after: \result ==> granted(w, 2, *header) && marked(t, ref, marks) &&
        looks == \old(looks) + 2 && changes == \old(changes) + 1 && shown(w);
    ensures nothing: !\result ==> hidden(w) && (changes == \old(changes) ||
        cleared(t, ref, w.pinned ? GTF_writing : marks)); */
static bool mark_v2(struct gnttab *t, grant_ref_t ref, struct wanted w, uint32_t marks,
                    uint32_t *header)
{
    const uint32_t *word = gnttab_entry_header(t, ref);

    if (!entry_allows(w, 2, load_u32(word))) {
        return false;
    }
    fetch_or_u32(gnttab_entry_marks(t, ref), gnttab_entry_mark_bits(t, ref, marks));
    /*@ ghost reading_shown = 1; */
    /*@ ghost writing_shown = w.readonly ? 0 : 1; */
    *header = load_u32(word);
    if (!entry_allows(w, 2, *header)) {
        clear_marks(t, ref, w.pinned ? GTF_writing : marks);
        return false;
    }
    return true;
}

/* Marks the entry if it allows what is wanted; *header is what it said. */
/*@ requires mark_request(t, ref, w, marks, header);
    assigns *marks_at(t, t->version, ref), *header, looks, changes, was, reading_shown,
        writing_shown;
    ensures \result ==> granted(w, t->version, *header) && shown(w);
    ensures !\result ==> hidden(w); */
static bool mark(struct gnttab *t, grant_ref_t ref, struct wanted w, uint32_t marks,
                 uint32_t *header)
{
    return t->version == 1 ? mark_v1(t, ref, w, marks, header) : mark_v2(t, ref, w, marks, header);
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
        \valid(rd) && words(&rd->gnttab, rd->gnttab.version, ref) && \valid(a) && entry_holds(a) &&
        rd->gnttab.pinned <= GNTTAB_MAX_FRAMES * ACTIVE_PER_BLOCK && \separated(a, rd) &&
        \separated(a, marks_at(&rd->gnttab, rd->gnttab.version, ref)) &&
        \separated(rd, marks_at(&rd->gnttab, rd->gnttab.version, ref)); */

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
    uint64_t frame = gnttab_entry_read(&rd->gnttab, ref, header, a);

    a->domid = w.grantee;
    a->frame_readonly = false;
    if (!a->transitive) {
        return take_frame(rd, a, frame, w.readonly);
    }
    return a->trans_domid == rd->id ? GNTST_general_error : GNTST_okay; /* a chain of one's own */
}

/* Notes the frame, now held for writing, in the log of written pages. False: the entry does
 * not name it any more, though it is in use. */
/*@ requires \valid_read(rd) && words(&rd->gnttab, rd->gnttab.version, ref);
    assigns looks; */
static bool note_written(struct domain *rd, grant_ref_t ref, mfn_t m)
{
    gfn_t g;

    if (!p2m_log_on(rd)) {
        return true;
    }
    g = gfn(gnttab_entry_frame(&rd->gnttab, ref));
    if (p2m_peek(rd, g).mfn.v != m.v) {
        return false;
    }
    p2m_written(rd, g);
    return true;
}

/* Takes the type that writers hold. GNTST_*. */
/*@ requires \valid_read(rd) && words(&rd->gnttab, rd->gnttab.version, ref) && \valid_read(a);
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
        a->domid, a->frame_readonly, *marks_at(&rd->gnttab, rd->gnttab.version, ref),
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
        clear_marks(t, ref, w.pinned ? GTF_writing : marks);
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
    assigns a->readers, a->writers, a->mfn, a->start, a->length, a->part, a->transitive,
        a->trans_domid, a->trans_ref, a->domid, a->frame_readonly, rd->gnttab.pinned,
        *marks_at(&rd->gnttab, rd->gnttab.version, ref), frame_refs, type_refs, looks,
        changes, was, reading_shown, writing_shown;
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

/*@ // A grant's account, found by its number, and what else the whole takes for granted.
    logic struct gnttab_active *account{L}(struct domain *rd, integer ref) =
        &rd->gnttab.active[ref / ACTIVE_PER_BLOCK][ref % ACTIVE_PER_BLOCK];
    predicate accounted{L}(struct domain *rd, integer ref) = \valid(rd) &&
        rd->gnttab.nr_frames <= GNTTAB_MAX_FRAMES &&
        (rd->gnttab.version == 1 || rd->gnttab.version == 2) &&
        (in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref) ==>
            \valid_read(rd->gnttab.active + (0 .. rd->gnttab.nr_frames - 1)) &&
            pinnable(rd, ref, account(rd, ref)) && use_shown(account(rd, ref)));
    predicate granter{L}(struct domain *rd, integer ref) =
        accounted(rd, ref) && !held(&rd->gnttab.lock);
    // How often the one grant is pinned, and that no other grant has its account.
    logic integer one_count{L} = one_readonly == 1 ? account(one_granter, one_ref)->readers :
        account(one_granter, one_ref)->writers;
    predicate one_account{L}(struct domain *rd, integer ref) =
        (one_readonly == 0 || one_readonly == 1) &&
        \separated(account(one_granter, one_ref), rd) &&
        (in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref) ==>
            \separated(account(one_granter, one_ref),
                marks_at(&rd->gnttab, rd->gnttab.version, ref)) &&
            (rd == one_granter && ref == one_ref ||
                \separated(account(one_granter, one_ref), account(rd, ref)))); */

/*@ requires \valid(out) && \valid_read(a) && \separated(out, a);
    assigns out->mfn, out->start, out->length, out->transitive, out->trans_domid, out->trans_ref;
    ensures out->mfn.v == a->mfn.v && out->start == a->start && out->length == a->length;
    ensures out->transitive == a->transitive && out->trans_domid == a->trans_domid &&
        out->trans_ref == a->trans_ref; */
static void tell(struct gnttab_pin *out, const struct gnttab_active *a)
{
    out->mfn = a->mfn;
    out->start = a->start;
    out->length = a->length;
    out->transitive = a->transitive;
    out->trans_domid = a->trans_domid;
    out->trans_ref = a->trans_ref;
}

/* Lock held: the grant and its account, if there is one; what is pinned. */
/*@ requires accounted(rd, ref) && held(&rd->gnttab.lock) && one_account(rd, ref);
    requires \valid(out) && \separated(out, rd, account(one_granter, one_ref));
    requires in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref) ==>
        \separated(out, account(rd, ref), marks_at(&rd->gnttab, rd->gnttab.version, ref));
    assigns account(rd, ref)->readers, account(rd, ref)->writers, account(rd, ref)->mfn,
        account(rd, ref)->start, account(rd, ref)->length, account(rd, ref)->part,
        account(rd, ref)->transitive, account(rd, ref)->trans_domid, account(rd, ref)->trans_ref,
        account(rd, ref)->domid, account(rd, ref)->frame_readonly, out->mfn, out->start,
        out->length, out->transitive, out->trans_domid, out->trans_ref, rd->gnttab.pinned,
        *marks_at(&rd->gnttab, rd->gnttab.version, ref), frame_refs, type_refs, looks, changes,
        was, reading_shown, writing_shown;
    ensures locked: held(&rd->gnttab.lock);
    ensures GNTST_eagain <= \result <= 0;
    ensures there: \result == GNTST_okay ==>
        \old(in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref));
    ensures INV_GNT_2: \result == GNTST_okay ==> \let a = \old(account(rd, ref));
        a->readers == \old(account(rd, ref)->readers) + (w.readonly ? 1 : 0) &&
        a->writers == \old(account(rd, ref)->writers) + (w.readonly ? 0 : 1);
    ensures told: \result == GNTST_okay ==> \let a = \old(account(rd, ref));
        out->mfn.v == a->mfn.v && a->domid == w.grantee && (w.use == PIN_MAP ==> !a->part);
    ensures INV_GNT_2_one: one_count == \old(one_count) +
        (\result == GNTST_okay ? naming(rd, ref, w.readonly ? 1 : 0) : 0);
    ensures none: !\old(in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref)) ==>
        frame_refs == \old(frame_refs) && type_refs == \old(type_refs);
    ensures INV_GNT_3: \old(in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref)) ==>
        \let a = \old(account(rd, ref));
        frame_refs - \old(frame_refs) == frame_due(a) - \old(frame_due(account(rd, ref)));
    ensures INV_GNT_3_type: \old(in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref)) ==>
        \let a = \old(account(rd, ref));
        type_refs - \old(type_refs) == type_due(a) - \old(type_due(account(rd, ref))); */
static int pin_ref(struct domain *rd, grant_ref_t ref, struct wanted w, struct gnttab_pin *out)
{
    struct gnttab_active *a;
    int rc;

    if (ref >= gnttab_entries(&rd->gnttab)) {
        /*@ assert none: !in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref); */
        return GNTST_bad_gntref;
    }
    /*@ assert found: in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref); */
    a = gnttab_active_of(&rd->gnttab, ref);
    rc = pin_entry(rd, ref, a, w);
    /*@ assert locked: held(&rd->gnttab.lock); */
    /*@ assert kept: one_count == \at(one_count, Pre) +
            (rc == GNTST_okay ? naming(rd, ref, w.readonly ? 1 : 0) : 0); */
    if (rc == GNTST_okay) {
        tell(out, a);
    }
    return rc;
}

/*@ requires granter(rd, ref) && one_account(rd, ref);
    requires \valid(out) && \separated(out, rd, account(one_granter, one_ref));
    requires in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref) ==>
        \separated(out, account(rd, ref), marks_at(&rd->gnttab, rd->gnttab.version, ref));
    ensures unlocked: !held(&rd->gnttab.lock);
    ensures GNTST_eagain <= \result <= 0;
    ensures there: \result == GNTST_okay ==>
        \old(in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref));
    ensures INV_GNT_2: \result == GNTST_okay ==> \let a = \old(account(rd, ref));
        a->readers == \old(account(rd, ref)->readers) + (readonly ? 1 : 0) &&
        a->writers == \old(account(rd, ref)->writers) + (readonly ? 0 : 1);
    ensures told: \result == GNTST_okay ==> \let a = \old(account(rd, ref));
        out->mfn.v == a->mfn.v && a->domid == grantee && (use == PIN_MAP ==> !a->part);
    ensures INV_GNT_2_one: one_count == \old(one_count) +
        (\result == GNTST_okay ? naming(rd, ref, readonly ? 1 : 0) : 0);
    ensures none: !\old(in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref)) ==>
        frame_refs == \old(frame_refs) && type_refs == \old(type_refs);
    ensures INV_GNT_3: \old(in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref)) ==>
        \let a = \old(account(rd, ref));
        frame_refs - \old(frame_refs) == frame_due(a) - \old(frame_due(account(rd, ref)));
    ensures INV_GNT_3_type: \old(in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref)) ==>
        \let a = \old(account(rd, ref));
        type_refs - \old(type_refs) == type_due(a) - \old(type_due(account(rd, ref))); */
int gnttab_pin(struct domain *rd, grant_ref_t ref, domid_t grantee, bool readonly, enum pin_use use,
               struct gnttab_pin *out)
{
    struct wanted w = {.grantee = grantee, .readonly = readonly, .use = use};
    int rc;

    lock_acquire(&rd->gnttab.lock);
    rc = pin_ref(rd, ref, w, out);
    lock_release(&rd->gnttab.lock);
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
    assigns a->readers, a->writers, a->mfn, rd->gnttab.pinned,
        *marks_at(&rd->gnttab, rd->gnttab.version, ref), type_refs, changes, was, reading_shown,
        writing_shown;
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
        clear_marks(t, ref, readonly ? GTF_reading : GTF_reading | GTF_writing);
        return forget_grant(t, ref, a);
    }
    if (!readonly && a->writers == 0) {
        clear_marks(t, ref, GTF_writing);
    }
    return mfn_invalid();
}

/*@ requires granter(rd, ref) && in_table(rd->gnttab.version, rd->gnttab.nr_frames, ref);
    requires pinned: readonly ? account(rd, ref)->readers > 0 : account(rd, ref)->writers > 0;
    requires counted: ref >= GNTTAB_NR_RESERVED_ENTRIES ==> rd->gnttab.pinned > 0;
    requires one_account(rd, ref);
    ensures unlocked: !held(&rd->gnttab.lock);
    ensures INV_GNT_2_one: one_count == \old(one_count) - naming(rd, ref, readonly ? 1 : 0);
    ensures INV_GNT_2: \let a = \old(account(rd, ref));
        a->readers == \old(account(rd, ref)->readers) - (readonly ? 1 : 0) &&
        a->writers == \old(account(rd, ref)->writers) - (readonly ? 0 : 1) && use_shown(a);
    ensures INV_GNT_3: \let a = \old(account(rd, ref));
        frame_refs - \old(frame_refs) == frame_due(a) - \old(frame_due(account(rd, ref))) &&
        type_refs - \old(type_refs) == type_due(a) - \old(type_due(account(rd, ref))); */
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
    /*@ assert kept: one_count == \at(one_count, Pre) - naming(rd, ref, readonly ? 1 : 0); */
    /*@ assert due: (drop.v == MFN_INVALID_V ? 0 : 1) ==
            \at(frame_due(account(rd, ref)), Pre) - frame_due(a); */
    lock_release(&t->lock);
    if (!mfn_is_invalid(drop)) {
        frame_put(drop);
    }
}
