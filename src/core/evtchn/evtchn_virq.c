/* Which domain gets the VIRQs that are not a vCPU's own. Only its number is kept:
 * who is gone gets nothing, and the control domain does instead. */
#include "core/evtchn/evtchn.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/domain/domain.h"
#include "core/evtchn/evtchn_private.h"
#include "core/state.h"

struct domain *evtchn_virq_handler(uint32_t virq)
{
    struct domain *d = NULL;
    uint32_t slot;

    check(virq < NR_VIRQS);
    slot = load_u32(&hv->virq_handler[virq]);
    if (slot != 0) {
        d = domain_get((domid_t)(slot - 1));
    }
    return d != NULL ? d : domain_control();
}

int evtchn_set_virq_handler(struct domain *d, uint32_t virq)
{
    if (virq >= NR_VIRQS || !evtchn_virq_is_global(virq)) {
        return -XEN_EINVAL;
    }
    store_u32(&hv->virq_handler[virq], d->id + 1u);
    /* A domain that began to die meanwhile has taken back nothing. */
    memory_fence();
    if (load_u8(&d->state) != DOMAIN_ALIVE) {
        evtchn_forget_virq_handler(d);
        return -XEN_EINVAL;
    }
    return 0;
}

void evtchn_forget_virq_handler(const struct domain *d)
{
    for (unsigned i = 0; i < NR_VIRQS; i++) {
        (void)cmpxchg_u32(&hv->virq_handler[i], d->id + 1u, 0);
    }
}
