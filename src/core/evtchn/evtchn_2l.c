/* The two-level ABI: bitmaps in shared_info, a selector word per vCPU. All of it
 * is the guest's to write, so only single bits are believed. */
#include "core/evtchn/evtchn_private.h"

#include "base/atomic.h"

_Static_assert(sizeof(xen_ulong_t) == sizeof(uint64_t), "64-bit layout");

/*@ predicate two_level(struct domain *d) = \valid_read(d) && (d->shared_info != \null ==>
        \valid(d->shared_info) && \separated(d, d->shared_info));
    predicate two_level_vcpu(struct vcpu *v) = v != \null ==> \valid(v) &&
        (v->info != \null ==> \valid(v->info) && \separated(v, v->info));
    predicate two_level_port(struct domain *d, integer port) =
        d->shared_info != \null && 0 <= port < EVTCHN_2L_NR_CHANNELS;
    predicate pending_bit(struct domain *d, integer port) =
        word_bit(d->shared_info->evtchn_pending[port / 64], port % 64);
    predicate mask_bit(struct domain *d, integer port) =
        word_bit(d->shared_info->evtchn_mask[port / 64], port % 64);
    // A vcpu_info may be one of those in shared_info, but not in its bitmaps.
    predicate apart(struct domain *d, struct vcpu *v) =
        \separated(d, v) &&
        (d->shared_info != \null && v != \null ==> \separated(v, d->shared_info)) &&
        (v != \null && v->info != \null ==> \separated(d, v->info)) &&
        (v != \null && v->info != \null && d->shared_info != \null ==>
            \separated(v->info, &d->shared_info->evtchn_pending[0 .. 63]) &&
            \separated(v->info, &d->shared_info->evtchn_mask[0 .. 63])); */

/* The bitmaps of shared_info, or NULL when port is not in them. */
/*@ requires two_level(d);
    assigns \nothing;
    ensures \result != \null <==> two_level_port(d, port);
    ensures \result != \null ==> \result == &d->shared_info->evtchn_pending[0] &&
        \valid(\result + (0 .. 63)); */
static uint64_t *pending_map(const struct domain *d, uint32_t port)
{
    if (d->shared_info == NULL || port >= EVTCHN_2L_NR_CHANNELS) {
        return NULL;
    }
    return d->shared_info->evtchn_pending;
}

/*@ requires two_level(d) && d->shared_info != \null;
    assigns \nothing;
    ensures \result == &d->shared_info->evtchn_mask[0] && \valid(\result + (0 .. 63)); */
static uint64_t *mask_map(const struct domain *d)
{
    return d->shared_info->evtchn_mask;
}

/* Tells v that the word of port has something pending. */
/*@ requires two_level_vcpu(v) && port < EVTCHN_2L_NR_CHANNELS;
    assigns v->info->evtchn_pending_sel, v->info->evtchn_upcall_pending;
    ensures v != \null && v->info != \null ==> word_bit(v->info->evtchn_pending_sel, port / 64);
    ensures v != \null && v->info != \null ==> \forall integer i;
        0 <= i < 64 && i != port / 64 ==> (word_bit(v->info->evtchn_pending_sel, i) <==>
            word_bit(\old(v->info->evtchn_pending_sel), i)); */
static void select_word(struct vcpu *v, uint32_t port)
{
    vcpu_info_t *info = v != NULL ? v->info : NULL;

    if (info != NULL && !test_and_set_bit(port / 64, &info->evtchn_pending_sel)) {
        evtchn_upcall(v);
    }
}

/*@ requires two_level(d) && two_level_vcpu(v);
    requires apart(d, v);
    assigns d->shared_info->evtchn_pending[0 .. 63], v->info->evtchn_pending_sel,
        v->info->evtchn_upcall_pending;
    ensures two_level_port(d, port) ==> pending_bit(d, port);
    ensures others: d->shared_info != \null ==> \forall integer i; 0 <= i < 64 &&
        (i != port / 64 || !two_level_port(d, port)) ==>
        d->shared_info->evtchn_pending[i] == \old(d->shared_info->evtchn_pending[i]);
    ensures selected: two_level_port(d, port) && !\old(pending_bit(d, port)) &&
        !mask_bit(d, port) && v != \null && v->info != \null ==>
        word_bit(v->info->evtchn_pending_sel, port / 64); */
void evtchn_2l_raise(struct domain *d, struct vcpu *v, uint32_t port)
{
    uint64_t *pending = pending_map(d, port);

    /* The order is the ABI's: the guest clears selector, then reads pending. */
    if (pending == NULL || test_and_set_bit(port, pending)) {
        return;
    }
    if (!test_bit(port, mask_map(d))) {
        select_word(v, port);
    }
    evtchn_wake_pollers(d, port);
}

/*@ requires two_level(d) && two_level_vcpu(v);
    requires apart(d, v);
    assigns d->shared_info->evtchn_mask[0 .. 63], v->info->evtchn_pending_sel,
        v->info->evtchn_upcall_pending;
    ensures two_level_port(d, port) ==> !mask_bit(d, port);
    ensures others: d->shared_info != \null ==> \forall integer i; 0 <= i < 64 &&
        (i != port / 64 || !two_level_port(d, port)) ==>
        d->shared_info->evtchn_mask[i] == \old(d->shared_info->evtchn_mask[i]);
    ensures selected: two_level_port(d, port) && pending_bit(d, port) &&
        \old(mask_bit(d, port)) && v != \null && v->info != \null ==>
        word_bit(v->info->evtchn_pending_sel, port / 64); */
void evtchn_2l_unmask(struct domain *d, struct vcpu *v, uint32_t port)
{
    uint64_t *pending = pending_map(d, port);

    if (pending != NULL && test_and_clear_bit(port, mask_map(d)) && test_bit(port, pending)) {
        select_word(v, port);
    }
}

/*@ requires two_level(d);
    assigns \nothing;
    ensures \result <==> two_level_port(d, port) && pending_bit(d, port); */
bool evtchn_2l_pending(const struct domain *d, uint32_t port)
{
    uint64_t *pending = pending_map(d, port);

    return pending != NULL && test_bit(port, pending);
}

/*@ requires two_level(d);
    assigns d->shared_info->evtchn_pending[0 .. 63];
    ensures \result <==> two_level_port(d, port) && \old(pending_bit(d, port));
    ensures two_level_port(d, port) ==> !pending_bit(d, port);
    ensures others: d->shared_info != \null ==> \forall integer i; 0 <= i < 64 &&
        (i != port / 64 || !two_level_port(d, port)) ==>
        d->shared_info->evtchn_pending[i] == \old(d->shared_info->evtchn_pending[i]); */
bool evtchn_2l_clear_pending(struct domain *d, uint32_t port)
{
    uint64_t *pending = pending_map(d, port);

    return pending != NULL && test_and_clear_bit(port, pending);
}
