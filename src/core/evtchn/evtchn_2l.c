/* The two-level ABI: bitmaps in shared_info, a selector word per vCPU. All of it
 * is the guest's to write, so only single bits are believed. */
#include "core/evtchn/evtchn_private.h"

#include "base/atomic.h"

_Static_assert(sizeof(xen_ulong_t) == sizeof(uint64_t), "64-bit layout");

/* The bitmaps of shared_info, or NULL when port is not in them. */
static uint64_t *pending_map(const struct domain *d, uint32_t port)
{
    if (d->shared_info == NULL || port >= EVTCHN_2L_NR_CHANNELS) {
        return NULL;
    }
    return (uint64_t *)(void *)d->shared_info->evtchn_pending;
}

static uint64_t *mask_map(const struct domain *d)
{
    return (uint64_t *)(void *)d->shared_info->evtchn_mask;
}

/* Tells v that the word of port has something pending. */
static void select_word(struct vcpu *v, uint32_t port)
{
    vcpu_info_t *info = v != NULL ? v->info : NULL;

    if (info != NULL &&
        !test_and_set_bit(port / 64, (uint64_t *)(void *)&info->evtchn_pending_sel)) {
        evtchn_upcall(v);
    }
}

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

void evtchn_2l_unmask(struct domain *d, struct vcpu *v, uint32_t port)
{
    uint64_t *pending = pending_map(d, port);

    if (pending != NULL && test_and_clear_bit(port, mask_map(d)) && test_bit(port, pending)) {
        select_word(v, port);
    }
}

bool evtchn_2l_pending(const struct domain *d, uint32_t port)
{
    uint64_t *pending = pending_map(d, port);

    return pending != NULL && test_bit(port, pending);
}

bool evtchn_2l_clear_pending(struct domain *d, uint32_t port)
{
    uint64_t *pending = pending_map(d, port);

    return pending != NULL && test_and_clear_bit(port, pending);
}
