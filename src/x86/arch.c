/* x86's part of domains and vCPUs, and the run loop. */
#include "core/arch.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/string.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#include <xen/features.h>

/* Set by the port before the first domain exists, constant afterwards. */
static struct {
    uint8_t p2m_format, vendor;
} settings = {P2M_FORMAT_NPT, VENDOR_AMD};

void x86_set_p2m_format(uint8_t format)
{
    check(format == P2M_FORMAT_EPT || format == P2M_FORMAT_NPT);
    settings.p2m_format = format;
}

uint8_t x86_p2m_format(void)
{
    return settings.p2m_format;
}

void x86_set_vendor(uint8_t vendor)
{
    check(vendor < VENDORS);
    settings.vendor = vendor;
}

uint8_t x86_vendor(void)
{
    return settings.vendor;
}

/* A local APIC for everybody; the control domain may have been promised more. Device
 * models, whose domains need the rest, have nobody to serve. */
static bool emulation_known(const struct domain *d, const struct xen_arch_domainconfig *c)
{
    const uint32_t control = XEN_X86_EMU_IOAPIC | XEN_X86_EMU_VPCI;
    uint32_t flags = d->privileged ? c->emulation_flags & ~control : c->emulation_flags;

    return flags == XEN_X86_EMU_LAPIC && (c->misc_flags & ~(uint32_t)XEN_X86_MSR_RELAXED) == 0;
}

int arch_domain_create(struct domain *d, const struct xen_domctl_createdomain *cfg)
{
    struct domain_arch *a =
        hyp_pages_alloc(d, order_of_bytes(sizeof(struct domain_arch)), FRAME_HYP);
    int rc;

    if (a == NULL) {
        return -XEN_ENOMEM;
    }
    if (!emulation_known(d, &cfg->arch)) {
        hyp_pages_free(a, order_of_bytes(sizeof(*a)));
        return -XEN_EINVAL;
    }
    a->vcpu_total = cfg->max_vcpus;
    a->emulation_flags = cfg->arch.emulation_flags;
    a->vendor = x86_vendor();
    a->special_gfn = gfn_invalid();
    d->arch = a;
    cpuid_start_features(d);
    hvm_params_init(d);
    rc = p2m_init(d, x86_p2m_format());
    if (rc != 0) {
        d->arch = NULL;
        hyp_pages_free(a, order_of_bytes(sizeof(*a)));
        return rc;
    }
    vdev_create(d);
    return 0;
}

void arch_domain_destroy(struct domain *d)
{
    struct domain_arch *a = d->arch;

    if (a == NULL) {
        return;
    }
    vdev_destroy(d);
    vlapic_access_destroy(d);
    hvm_free_memory_map(d);
    d->arch = NULL;
    hyp_pages_free(a, order_of_bytes(sizeof(*a)));
}

int arch_vcpu_create(struct vcpu *v)
{
    struct vcpu_arch *a =
        hyp_pages_alloc(v->domain, order_of_bytes(sizeof(struct vcpu_arch)), FRAME_HYP);
    struct guest_state s;
    int rc;

    if (a == NULL) {
        return -XEN_ENOMEM;
    }
    hvm_vcpu_reset_state(&s);
    a->regs = s.regs;
    a->pat = s.pat;
    a->xcr0 = s.xcr0;
    a->exit.reason = EXIT_PREEMPTED;
    a->exit.cr0 = s.cr0;
    a->exit.vectoring.type = EVENT_NONE;
    a->pending.type = EVENT_NONE;
    a->deferred.type = EVENT_NONE;
    a->wait_sipi = true;
    v->arch = a;
    vlapic_create(v);
    rc = port_guest_create(v);
    if (rc != 0) {
        vlapic_destroy(v);
        v->arch = NULL;
        hyp_pages_free(a, order_of_bytes(sizeof(*a)));
        return rc;
    }
    return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    struct vcpu_arch *a = v->arch;

    if (a == NULL) {
        return;
    }
    vlapic_destroy(v);
    port_guest_destroy(v);
    v->arch = NULL;
    hyp_pages_free(a, order_of_bytes(sizeof(*a)));
}

/* Ends when timers may be due, the scheduler should look, or v has stopped. */
void arch_vcpu_run(struct vcpu *v)
{
    struct vcpu_arch *a = v->arch;
    struct guest_entry entry;

    for (;;) {
        hvm_vcpu_service_ipis(v);
        if (sched_pending() || !vcpu_runnable(v)) {
            return;
        }
        hvm_prepare_entry(v, &entry);
        a->in_engine = true;
        port_guest_run(v, &a->regs, &entry, &a->exit);
        a->in_engine = false;
        hvm_handle_exit(v);
        if (a->exit.reason == EXIT_PREEMPTED) {
            return;
        }
    }
}

void arch_vcpu_switch_out(struct vcpu *v)
{
    port_guest_leave(v);
}

void arch_vcpu_switch_in(struct vcpu *v)
{
    vlapic_switch_in(v);
}

bool arch_vcpu_event_pending(struct vcpu *v)
{
    return v->arch != NULL && hvm_event_deliverable(v);
}

/* Any lock below LOCK_DEVICE may be held. */
void arch_vcpu_upcall(struct vcpu *v)
{
    struct domain_arch *da = v->domain->arch;
    uint8_t own;

    if (v->arch == NULL || da == NULL) {
        return;
    }
    own = load_u8(&v->arch->upcall_vector);
    if (own != 0) {
        vlapic_set_irq(v, own, false);
    } else if (da->callback_type == CALLBACK_VECTOR) {
        vcpu_kick(v);
    } else if (da->callback_type == CALLBACK_GSI && v->id == 0) {
        store_u32(&da->callback_line, 1);
        vioapic_set_irq(v->domain, da->callback_gsi, true);
    }
}

static bool translate_by_tables(struct vcpu *v, uint64_t gva, bool write, gaddr_t *out)
{
    const struct guest_exit *x = &v->arch->exit;
    struct walk_mode m = {
        .cr0 = x->cr0,
        .cr3 = x->cr3,
        .cr4 = x->cr4,
        .efer = x->efer,
        .user = false,
        .ac = (v->arch->regs.rflags & RFLAGS_AC) != 0,
    };
    struct walk_result r;

    if (guest_walk(v->domain, &m, gva, write ? WALK_WRITE : WALK_READ, true, &r) != 0) {
        return false;
    }
    *out = r.gpa;
    return true;
}

bool arch_translate(struct vcpu *v, uint64_t gva, bool write, gaddr_t *out)
{
    if ((v->arch->exit.cr0 & CR0_PG) != 0) {
        return translate_by_tables(v, gva, write, out);
    }
    *out = gaddr(gva);
    return gva <= UINT32_MAX;
}

/* Every domain is translated and has no PIRQs (no XEN_X86_EMU_USE_PIRQ). */
uint32_t arch_features(const struct domain *d)
{
    uint32_t f = (1u << XENFEAT_memory_op_vnode_supported) | (1u << XENFEAT_writable_page_tables) |
                 (1u << XENFEAT_auto_translated_physmap) | (1u << XENFEAT_hvm_callback_vector) |
                 (1u << XENFEAT_hvm_safe_pvclock) | (1u << XENFEAT_not_direct_mapped);

    if ((d->vm_assist & (UINT64_C(1) << VMASST_TYPE_pae_extended_cr3)) != 0) {
        f |= 1u << XENFEAT_pae_pgdir_above_4gb;
    }
    if (d->privileged) {
        f |= 1u << XENFEAT_dom0;
    }
    return f;
}

void arch_vcpu_nmi(struct vcpu *v)
{
    hvm_vcpu_nmi(v);
}
