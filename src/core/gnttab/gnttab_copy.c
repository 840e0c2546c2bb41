/* GNTTABOP_copy: both sides are pinned, or referenced, for the time of the copy,
 * and no lock is held meanwhile. */
#include "core/gnttab/gnttab_private.h"

#include "base/check.h"
#include "base/string.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m_log.h"
#include "core/policy/policy.h"

/* One side of a copy, and what it holds. */
struct side {
    struct domain *d;  /* referenced */
    struct domain *td; /* transitive: whose frame; referenced and pinned; else NULL */
    grant_ref_t ref, trans_ref;
    bool readonly;
    bool pinned; /* grant ref of d */
    bool framed; /* a reference on mfn, and one of its type unless readonly */
    mfn_t mfn;
    uint32_t start, end; /* bytes that may be touched */
};

/*@ // What a side holds, and that it is all that was taken since (in order: domains, pins, frames,
    // types of frames).
    logic integer domains_of{L}(struct side *s) =
        (s->d != \null ? 1 : 0) + (s->td != \null ? 1 : 0);
    logic integer pins_of{L}(struct side *s) = (s->pinned ? 1 : 0) + (s->td != \null ? 1 : 0);
    logic integer frames_of{L}(struct side *s) = s->framed ? 1 : 0;
    logic integer types_of{L}(struct side *s) = s->framed && !s->readonly ? 1 : 0;
    predicate taken{K, L}(struct side *s) =
        \at(references, L) - \at(references, K) == domains_of{L}(s) - domains_of{K}(s) &&
        \at(pins, L) - \at(pins, K) == pins_of{L}(s) - pins_of{K}(s) &&
        \at(frame_refs, L) - \at(frame_refs, K) == frames_of{L}(s) - frames_of{K}(s) &&
        \at(type_refs, L) - \at(type_refs, K) == types_of{L}(s) - types_of{K}(s);
    predicate side{L}(struct side *s) = \valid(s) && (s->d != \null ==> \valid(s->d)) &&
        (s->td != \null ==> \valid(s->td)) && (s->pinned || s->td != \null ==> s->d != \null);
    predicate fresh{L}(struct side *s) =
        side(s) && s->d != \null && s->td == \null && !s->pinned && !s->framed;
    // A frame that may be read, or written, from start to end.
    predicate opened{L}(struct side *s) = side(s) && (s->framed || s->pinned); */

/*@ requires side(s);
    assigns references, pins, frame_refs, type_refs;
    ensures released: references == \old(references) - domains_of(s) &&
        pins == \old(pins) - pins_of(s) && frame_refs == \old(frame_refs) - frames_of(s) &&
        type_refs == \old(type_refs) - types_of(s); */
static void side_put(struct side *s)
{
    if (s->framed) {
        if (!s->readonly) {
            frame_put_type(s->mfn);
        }
        frame_put(s->mfn);
    }
    if (s->td != NULL) {
        gnttab_unpin(s->td, s->trans_ref, s->readonly);
        domain_put(s->td);
    }
    if (s->pinned) {
        gnttab_unpin(s->d, s->ref, s->readonly);
    }
    if (s->d != NULL) {
        domain_put(s->d);
    }
}

/* A frame of the caller's own. GNTST_*. */
/*@ requires fresh(s);
    assigns s->framed, s->mfn, s->start, s->end, frame_refs, type_refs;
    ensures taken{Pre, Post}(s);
    ensures \result == GNTST_okay ? s->framed && s->start == 0 && s->end == PAGE_SIZE : !s->framed;
    ensures GNTST_eagain <= \result <= 0; */
static int side_frame(struct side *s, uint64_t frame)
{
    struct p2m_entry e;

    if (!p2m_get_page(s->d, gfn(frame), &e)) {
        return GNTST_bad_page;
    }
    if ((P2M_SET(e.type) & P2M_SET_OWN_RAM) == 0 || (e.type == P2M_RAM_RO && !s->readonly)) {
        frame_put(e.mfn);
        return GNTST_bad_page;
    }
    if (!s->readonly && !frame_get_type(e.mfn, FRAME_WRITABLE)) {
        frame_put(e.mfn);
        return GNTST_general_error;
    }
    if (!s->readonly) {
        p2m_written(s->d, gfn(frame));
    }
    s->framed = true;
    s->mfn = e.mfn;
    s->start = 0;
    s->end = PAGE_SIZE;
    return GNTST_okay;
}

/* Follows a transitive grant, one step and no further. GNTST_*. */
/*@ requires side(s) && s->d != \null && s->td == \null && \valid(pin) && \separated(s, pin);
    assigns s->trans_ref, s->td, *pin, references, pins;
    ensures taken{Pre, Post}(s) && side(s);
    ensures \result == GNTST_okay ==> pin->start <= 0xffff && pin->length <= 0xffff;
    ensures one_step: \result == GNTST_okay ==> s->td != \null && !pin->transitive;
    ensures GNTST_eagain <= \result <= 0; */
static int side_follow(struct side *s, struct gnttab_pin *pin)
{
    struct domain *td = domain_get(pin->trans_domid);
    int rc;

    if (td == NULL) {
        return GNTST_general_error;
    }
    s->trans_ref = pin->trans_ref;
    rc = gnttab_pin(td, s->trans_ref, s->d->id, s->readonly, PIN_COPY, pin);
    if (rc != GNTST_okay) {
        domain_put(td);
        return rc;
    }
    s->td = td;
    return pin->transitive ? GNTST_general_error : GNTST_okay;
}

/*@ requires fresh(s) && \valid_read(caller);
    assigns s->pinned, s->ref, s->td, s->trans_ref, s->mfn, s->start, s->end, references, pins;
    ensures taken{Pre, Post}(s) && side(s);
    ensures \result == GNTST_okay ==> s->pinned;
    ensures GNTST_eagain <= \result <= 0; */
static int side_grant(struct domain *caller, struct side *s, grant_ref_t ref)
{
    struct gnttab_pin pin;
    int rc = gnttab_pin(s->d, ref, caller->id, s->readonly, PIN_COPY, &pin);

    if (rc != GNTST_okay) {
        return rc;
    }
    s->pinned = true;
    s->ref = ref;
    if (pin.transitive) {
        rc = side_follow(s, &pin);
        if (rc != GNTST_okay) {
            return rc;
        }
    }
    s->mfn = pin.mfn;
    s->start = pin.start;
    s->end = pin.start + pin.length;
    return GNTST_okay;
}

/* Finds and references the domain that a side names. GNTST_*. */
/*@ requires \valid(s) && s->d == \null && s->td == \null && !s->pinned && !s->framed;
    requires \valid_read(caller);
    assigns s->d, references, permitted;
    ensures taken{Pre, Post}(s) && side(s);
    ensures asked: \result == GNTST_okay ==> fresh(s) && permitted != 0;
    ensures own: id != DOMID_SELF && !gref ==> \result == GNTST_permission_denied;
    ensures GNTST_eagain <= \result <= 0; */
static int side_domain(struct domain *caller, struct side *s, domid_t id, bool gref)
{
    /* Only one's own frames go by number. */
    if (id != DOMID_SELF && !gref) {
        return GNTST_permission_denied;
    }
    s->d = domain_get(id == DOMID_SELF ? caller->id : id);
    if (s->d == NULL) {
        return GNTST_bad_domain;
    }
    return policy_check(POLICY_GRANT_COPY, caller, s->d) != 0 ? GNTST_permission_denied
                                                              : GNTST_okay;
}

/*@ requires fresh(s) && \valid_read(caller) && \valid_read(p);
    assigns s->pinned, s->ref, s->td, s->trans_ref, s->framed, s->mfn, s->start, s->end, references,
        pins, frame_refs, type_refs;
    ensures taken{Pre, Post}(s) && side(s);
    ensures \result == GNTST_okay ==> opened(s);
    ensures GNTST_eagain <= \result <= 0; */
static int side_open(struct domain *caller, struct side *s, const struct gnttab_copy_ptr *p,
                     bool gref)
{
    return gref ? side_grant(caller, s, p->u.ref) : side_frame(s, p->u.gmfn);
}

/* True iff n bytes from offset at are within a page. */
/*@ assigns \nothing;
    ensures \result <==> at + n <= PAGE_SIZE; */
static bool in_page(uint32_t at, uint32_t n)
{
    return at <= PAGE_SIZE && n <= PAGE_SIZE - at;
}

/* True iff they are among those that may be touched. */
/*@ requires \valid_read(s) && at + n <= PAGE_SIZE;
    assigns \nothing;
    ensures \result <==> s->start <= at && at + n <= s->end; */
static bool in_side(const struct side *s, uint32_t at, uint32_t n)
{
    return at >= s->start && at + n <= s->end;
}

/*@ requires \valid_read(op) && opened(src) && opened(dst) && !dst->readonly && permitted != 0;
    assigns copies;
    ensures copies == \old(copies) + (\result == GNTST_okay ? 1 : 0);
    ensures \result == GNTST_okay ==>
        src->start <= op->source.offset && op->source.offset + op->len <= src->end &&
        dst->start <= op->dest.offset && op->dest.offset + op->len <= dst->end &&
        op->source.offset + op->len <= PAGE_SIZE && op->dest.offset + op->len <= PAGE_SIZE;
    ensures GNTST_eagain <= \result <= 0; */
static int copy_bytes(const struct gnttab_copy *op, const struct side *src, const struct side *dst)
{
    uint32_t from = op->source.offset, to = op->dest.offset, n = op->len;

    if (!in_page(from, n) || !in_page(to, n)) {
        return GNTST_bad_copy_arg;
    }
    if (!in_side(src, from, n) || !in_side(dst, to, n)) {
        return GNTST_general_error;
    }
    memmove((uint8_t *)mfn_to_ptr(dst->mfn) + to, (const uint8_t *)mfn_to_ptr(src->mfn) + from, n);
    port_code_changed(dst->mfn, 1);
    return GNTST_okay;
}

/*@ requires \valid_read(d) && \valid_read(op);
    assigns references, permitted, pins, frame_refs, type_refs, copies;
    ensures released: references == \old(references) && pins == \old(pins) &&
        frame_refs == \old(frame_refs) && type_refs == \old(type_refs);
    ensures copies == \old(copies) + (\result == GNTST_okay ? 1 : 0);
    ensures GNTST_eagain <= \result <= 0; */
int gnttab_copy(struct domain *d, const struct gnttab_copy *op)
{
    bool src_gref = (op->flags & GNTCOPY_source_gref) != 0;
    bool dst_gref = (op->flags & GNTCOPY_dest_gref) != 0;
    struct side src = {.readonly = true}, dst = {.readonly = false};
    int rc;

    rc = side_domain(d, &src, op->source.domid, src_gref);
    if (rc == GNTST_okay) {
        rc = side_domain(d, &dst, op->dest.domid, dst_gref);
    }
    if (rc == GNTST_okay) {
        rc = side_open(d, &src, &op->source, src_gref);
    }
    if (rc == GNTST_okay) {
        rc = side_open(d, &dst, &op->dest, dst_gref);
    }
    if (rc == GNTST_okay) {
        rc = copy_bytes(op, &src, &dst);
    }
    side_put(&dst);
    side_put(&src);
    return rc;
}
