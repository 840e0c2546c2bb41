/* src/core/evtchn/evtchn_bind.c with the table, and by contract what both call. */
#include "evtchn.c"

/*@ requires \valid_read(d) && vcpus;
    terminates \true;
    assigns \nothing;
    ensures \result != \null ==> id < MAX_VCPUS && \result == d->vcpu[id] && is_vcpu(\result); */
struct vcpu *domain_vcpu(struct domain *d, uint32_t id);

#include "../../src/core/evtchn/evtchn_bind.c"

/*@ // e, port m of x, and f, port n of y, are each other's peer; whatever is written to chn and
    // rchn, entries that are others have no part of it.
    predicate pair{L}(struct domain *x, integer m, struct evtchn *e, struct domain *y, integer n,
                      struct evtchn *f) =
        e == port_entry(x, m) && f == port_entry(y, n) && names(e, y, n) && names(f, x, m);
    predicate clear_of(struct evtchn *e, struct evtchn *f) = e == f || \separated(e, f);
    predicate no_part(struct evtchn *chn, struct evtchn *e, struct evtchn *f, struct domain *x,
                      struct domain *y) = clear_of(chn, e) && clear_of(chn, f) &&
        \separated(chn, x) && \separated(chn, y); */

/* Binding leaves every other pair as it is: e and f are any. */
/*@ requires \valid(d) && held(&d->evtchn.lock) && \valid_read(r);
    requires apart(chn, rchn, d, r) && apart(rchn, chn, d, r) && chn->state == EVTCHN_FREE;
    requires rchn->state == EVTCHN_UNBOUND && rchn->remote_domid == d->id;
    requires pair(x, m, e, y, n, f) && no_part(chn, e, f, x, y) && no_part(rchn, e, f, x, y);
    ensures INV_EVT_1: names(e, y, n);
    ensures INV_EVT_1_back: names(f, x, m);
    ensures new: names(chn, r, q) && names(rchn, d, p); */
static void proof_bind_others(struct domain *d, uint32_t p, struct evtchn *chn, struct domain *r,
                              uint32_t q, struct evtchn *rchn, struct domain *x, uint32_t m,
                              struct evtchn *e, struct domain *y, uint32_t n, struct evtchn *f)
{
    /*@ assert \separated(e, chn) && \separated(e, rchn); */
    /*@ assert \separated(f, chn) && \separated(f, rchn); */
    join(d, p, chn, r, q, rchn);
}

/* So does closing: an entry that is bound to chn or rchn is the other one of these, since
 * domains have ids of their own (INV-DOM-1). */
/*@ requires \valid(d) && held(&d->evtchn.lock) && d->evtchn.active > 0;
    requires apart(chn, rchn, d, d) && apart(rchn, chn, d, d) && pair(d, p, chn, r, q, rchn);
    requires pair(x, m, e, y, n, f) && e != chn && e != rchn;
    requires no_part(chn, e, f, x, y) && no_part(rchn, e, f, x, y);
    requires \separated(e, d) && \separated(f, d);
    requires INV_DOM_1: (x->id == d->id ==> x == d) && (x->id == r->id ==> x == r);
    ensures INV_EVT_1: names(e, y, n);
    ensures INV_EVT_1_back: names(f, x, m); */
static void proof_close_others(struct domain *d, uint32_t p, struct evtchn *chn, struct domain *r,
                               uint32_t q, struct evtchn *rchn, struct domain *x, uint32_t m,
                               struct evtchn *e, struct domain *y, uint32_t n, struct evtchn *f)
{
    /*@ assert f != chn; */
    /*@ assert f != rchn; */
    /*@ assert \separated(e, chn) && \separated(e, rchn); */
    /*@ assert \separated(f, chn) && \separated(f, rchn); */
    part(d, p, chn, rchn);
}
