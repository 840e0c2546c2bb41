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
