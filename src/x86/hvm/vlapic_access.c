/* The frame by which a CPU that virtualises xAPIC mode knows that an access is to the local
 * APIC (SDM Vol. 3 29.4): one a domain, mapped where all its vCPUs have their registers.
 * What it holds means nothing, since the CPU turns to the vCPU's own page instead. */
#include "x86/hvm/hvm.h"

#include "core/mem/frame.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m.h"
#include "port/mem.h"

static gfn_t access_gfn(void)
{
    return gaddr_gfn(gaddr(LAPIC_BASE));
}

mfn_t vlapic_access_start(struct domain *d)
{
    if (d->arch_shared == NULL) {
        d->arch_shared = hyp_pages_alloc(d, 0, FRAME_SHARED);
        if (d->arch_shared == NULL)
            return mfn_invalid();
        /* Without it accesses are second-stage faults, as elsewhere. */
        (void)p2m_map_new(d, access_gfn(), ptr_to_mfn(d->arch_shared), P2M_4K, P2M_SHARED);
    }
    return ptr_to_mfn(d->arch_shared);
}

void vlapic_access_follow(struct vcpu *v)
{
    struct domain *d = v->domain;

    if (d->arch_shared != NULL && !vlapic_is_plain(&v->arch->lapic))
        (void)p2m_unmap_if(d, access_gfn(), ptr_to_mfn(d->arch_shared));
}

bool vlapic_access_at(const struct domain *d, const struct p2m_entry *e)
{
    return e->type == P2M_SHARED && d->arch_shared != NULL &&
           e->mfn.v == ptr_to_mfn(d->arch_shared).v;
}

void vlapic_access_destroy(struct domain *d)
{
    if (d->arch_shared != NULL)
        frame_put(ptr_to_mfn(d->arch_shared)); /* the guest may have had it pinned */
    d->arch_shared = NULL;
}
