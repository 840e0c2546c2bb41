/* hvm_op: parameters and a few operations of HVM and PVH domains
 * (<xen/hvm/hvm_op.h>, <xen/hvm/params.h>). */
#include "base/atomic.h"
#include "base/string.h"
#include "core/arch.h"
#include "core/guest_mem/guest_mem.h"
#include "core/policy/policy.h"
#include "x86/hvm/hvm.h"

#include <xen/hvm/hvm_op.h>
#include <xen/trace.h>

#define TSS32_SIZE 104u
/* The most a TSS can use: itself, the redirection and I/O bitmaps, a last byte. */
#define TSS32_MAX (TSS32_SIZE + 0x100 / 8 + 0x10000 / 8 + 1)
#define UPCALL_VECTOR_MIN 0x10u
#define IOREQ_PAGES_MAX 64u

/* Who may use a parameter. */
#define GUEST_READS 1u
#define GUEST_WRITES 2u
#define EXISTS 4u
#define ONCE 8u /* a value other than 0 stays */

static const uint8_t rules[HVM_NR_PARAMS] = {
    [HVM_PARAM_CALLBACK_IRQ] = EXISTS | GUEST_READS | GUEST_WRITES,
    [HVM_PARAM_STORE_PFN] = EXISTS | GUEST_READS,
    [HVM_PARAM_STORE_EVTCHN] = EXISTS | GUEST_READS | GUEST_WRITES,
    [HVM_PARAM_IOREQ_PFN] = EXISTS,
    [HVM_PARAM_BUFIOREQ_PFN] = EXISTS,
    [HVM_PARAM_VIRIDIAN] = EXISTS | ONCE,
    [HVM_PARAM_TIMER_MODE] = EXISTS,
    [HVM_PARAM_HPET_ENABLED] = EXISTS,
    [HVM_PARAM_IDENT_PT] = EXISTS,
    [HVM_PARAM_ACPI_S_STATE] = EXISTS,
    [HVM_PARAM_VM86_TSS] = EXISTS | GUEST_READS | GUEST_WRITES,
    [HVM_PARAM_VPT_ALIGN] = EXISTS,
    [HVM_PARAM_CONSOLE_PFN] = EXISTS | GUEST_READS,
    [HVM_PARAM_CONSOLE_EVTCHN] = EXISTS | GUEST_READS | GUEST_WRITES,
    [HVM_PARAM_ACPI_IOPORTS_LOCATION] = EXISTS | GUEST_WRITES,
    [HVM_PARAM_PAGING_RING_PFN] = EXISTS,
    [HVM_PARAM_MONITOR_RING_PFN] = EXISTS,
    [HVM_PARAM_SHARING_RING_PFN] = EXISTS,
    [HVM_PARAM_TRIPLE_FAULT_REASON] = EXISTS,
    [HVM_PARAM_IOREQ_SERVER_PFN] = EXISTS | ONCE,
    [HVM_PARAM_NR_IOREQ_SERVER_PAGES] = EXISTS | ONCE,
    [HVM_PARAM_VM_GENERATION_ID_ADDR] = EXISTS | GUEST_READS | GUEST_WRITES,
    [HVM_PARAM_ALTP2M] = EXISTS | ONCE,
    [HVM_PARAM_X87_FIP_WIDTH] = EXISTS | GUEST_READS | GUEST_WRITES,
    [HVM_PARAM_VM86_TSS_SIZED] = EXISTS | GUEST_READS | GUEST_WRITES,
    [HVM_PARAM_MCA_CAP] = EXISTS | ONCE,
};

void hvm_params_init(struct domain *d)
{
    d->arch->params[HVM_PARAM_TRIPLE_FAULT_REASON] = SHUTDOWN_reboot;
}

uint64_t hvm_param(const struct domain *d, uint32_t index)
{
    return index < HVM_NR_PARAMS ? load_u64(&d->arch->params[index]) : 0;
}

static enum callback_type callback_type_of(uint64_t via)
{
    switch (via >> 56) {
    case HVM_PARAM_CALLBACK_TYPE_GSI:
        return via == 0 ? CALLBACK_NONE : CALLBACK_GSI;
    case HVM_PARAM_CALLBACK_TYPE_PCI_INTX:
        return CALLBACK_INTX;
    case HVM_PARAM_CALLBACK_TYPE_VECTOR:
        return CALLBACK_VECTOR;
    default:
        return CALLBACK_NONE;
    }
}

/* d->lock is held. PVH domains have no PCI devices, so an INTx never rises; it
 * is accepted as Linux asks for one only to see that it can. */
static int set_callback(struct domain *d, uint64_t via)
{
    struct domain_arch *a = d->arch;
    enum callback_type type = callback_type_of(via);

    if (type == CALLBACK_GSI && (via & ~HVM_PARAM_CALLBACK_IRQ_TYPE_MASK) >= IOAPIC_PINS) {
        type = CALLBACK_NONE;
    }
    if (a->callback_line != 0) {
        store_u32(&a->callback_line, 0);
        vioapic_set_irq(d, a->callback_gsi, false);
    }
    a->callback_gsi = type == CALLBACK_GSI ? (uint32_t)via : 0;
    a->callback_vector = type == CALLBACK_VECTOR ? (uint8_t)via : 0;
    store_u8(&a->callback_type, (uint8_t)type);
    return 0;
}

/* Events that wait already are told by the new way, to a vCPU that is down too: it
 * finds the vector in its local APIC when it comes up. */
static void repeat_upcall(struct vcpu *v)
{
    if (v != NULL && v->info != NULL && load_u8(&v->info->evtchn_upcall_pending) != 0) {
        arch_vcpu_upcall(v);
    }
}

/* Value rules that do not depend on who asks. May rewrite index and value. */
static int check_value(uint32_t *index, uint64_t *value)
{
    uint64_t v = *value;

    switch (*index) {
    case HVM_PARAM_TIMER_MODE:
        return v > HVMPTM_one_missed_tick_pending ? -XEN_EINVAL : 0;
    case HVM_PARAM_VIRIDIAN:
        if ((v & ~(uint64_t)HVMPV_feature_mask) != 0 || (v & HVMPV_base_freq) == 0) {
            return -XEN_EINVAL;
        }
        return -XEN_EOPNOTSUPP; /* not built */
    case HVM_PARAM_ACPI_S_STATE:
        return v == 0 ? 0 : v == 3 ? -XEN_EOPNOTSUPP : -XEN_EINVAL; /* no suspend to RAM */
    case HVM_PARAM_ACPI_IOPORTS_LOCATION:
        return -XEN_ENODEV; /* the ports of a PVH domain do not move */
    case HVM_PARAM_TRIPLE_FAULT_REASON:
        return v > SHUTDOWN_MAX ? -XEN_EINVAL : 0;
    case HVM_PARAM_NR_IOREQ_SERVER_PAGES:
        return v == 0 || v > IOREQ_PAGES_MAX ? -XEN_EINVAL : 0;
    case HVM_PARAM_ALTP2M:
        return v > XEN_ALTP2M_limited ? -XEN_EINVAL : 0;
    case HVM_PARAM_X87_FIP_WIDTH:
        return v != 0 && v != 4 && v != 8 ? -XEN_EINVAL : 0;
    case HVM_PARAM_MCA_CAP:
        return v != 0 ? -XEN_EINVAL : 0; /* no local machine checks */
    case HVM_PARAM_VM86_TSS:
        if (v != (uint32_t)v) {
            return -XEN_EINVAL;
        }
        *index = HVM_PARAM_VM86_TSS_SIZED;
        *value = v == 0 ? 0 : v | (UINT64_C(128) << 32);
        return 0;
    case HVM_PARAM_VM86_TSS_SIZED:
        if (v >> 32 < TSS32_SIZE) {
            return -XEN_EINVAL;
        }
        if (v >> 32 > TSS32_MAX) {
            *value = (uint32_t)v | ((uint64_t)TSS32_MAX << 32);
        }
        return 0;
    default:
        return 0;
    }
}

static bool is_vm86_tss(uint32_t index)
{
    return index == HVM_PARAM_VM86_TSS || index == HVM_PARAM_VM86_TSS_SIZED;
}

static int set_param(struct vcpu *v, struct domain *d, uint32_t index, uint64_t value)
{
    uint64_t *slot;
    uint32_t i;
    int rc = 0;

    if ((rules[index] & EXISTS) == 0) {
        return -XEN_EINVAL;
    }
    if (d == v->domain && (rules[index] & GUEST_WRITES) == 0) {
        return -XEN_EPERM;
    }
    lock_acquire(&d->lock);
    slot = &d->arch->params[index];
    if ((rules[index] & ONCE) != 0 && *slot != 0 && *slot != value) {
        rc = -XEN_EEXIST;
    }
    if (rc == 0) {
        rc = index == HVM_PARAM_CALLBACK_IRQ ? set_callback(d, value) : check_value(&index, &value);
    }
    if (rc == 0) {
        store_u64(&d->arch->params[index], value);
    }
    lock_release(&d->lock);
    if (rc != 0 && is_vm86_tss(index) && d == v->domain) {
        domain_crash(d, "invalid VM86 TSS");
    }
    if (rc == 0 && index == HVM_PARAM_CALLBACK_IRQ) {
        for (i = 0; i < d->max_vcpus; i++) {
            repeat_upcall(domain_vcpu(d, i));
        }
    }
    return rc;
}

static int get_param(struct vcpu *v, const struct domain *d, uint32_t index, uint64_t *value)
{
    if ((rules[index] & EXISTS) == 0) {
        return -XEN_EINVAL;
    }
    if (d == v->domain && (rules[index] & GUEST_READS) == 0) {
        return -XEN_EPERM;
    }
    *value = index == HVM_PARAM_VM86_TSS ? (uint32_t)hvm_param(d, HVM_PARAM_VM86_TSS_SIZED)
                                         : hvm_param(d, index);
    return 0;
}

static int64_t param_op(struct vcpu *v, bool set, uint64_t gva)
{
    struct xen_hvm_param p;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &p, gva, sizeof(p)) != 0) {
        return -XEN_EFAULT;
    }
    if (p.index >= HVM_NR_PARAMS) {
        return -XEN_EINVAL;
    }
    d = domain_get_for(v, p.domid);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(set ? POLICY_HVM_PARAM_SET : POLICY_HVM_PARAM_GET, v->domain, d);
    if (rc == 0) {
        rc = set ? set_param(v, d, p.index, p.value) : get_param(v, d, p.index, &p.value);
    }
    domain_put(d);
    if (rc == 0 && !set) {
        rc = guest_copy_out(v, gva, &p, sizeof(p));
    }
    return rc;
}

static int64_t set_upcall_vector(struct vcpu *v, uint64_t gva)
{
    xen_hvm_evtchn_upcall_vector_t op;
    struct vcpu *t;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.vector < UPCALL_VECTOR_MIN) {
        return -XEN_EINVAL;
    }
    t = domain_vcpu(v->domain, op.vcpu);
    if (t == NULL || t->arch == NULL) {
        return -XEN_ENOENT;
    }
    store_u8(&t->arch->upcall_vector, op.vector);
    repeat_upcall(t);
    return 0;
}

static int64_t pagetable_dying(struct vcpu *v, uint64_t gva)
{
    struct xen_hvm_pagetable_dying p;
    struct domain *d;

    if (guest_copy_in(v, &p, gva, sizeof(p)) != 0) {
        return -XEN_EFAULT;
    }
    d = domain_get_for(v, p.domid);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    domain_put(d);
    return -XEN_EINVAL; /* nothing is shadowed */
}

static uint16_t mem_type(unsigned p2m_type)
{
    switch (p2m_type) {
    case P2M_RAM_RW:
    case P2M_SHARED:
    case P2M_GRANT_RW:
    case P2M_FOREIGN:
        return HVMMEM_ram_rw;
    case P2M_RAM_RO:
    case P2M_GRANT_RO:
        return HVMMEM_ram_ro;
    default:
        return HVMMEM_mmio_dm;
    }
}

static int64_t get_mem_type(struct vcpu *v, uint64_t gva)
{
    struct xen_hvm_get_mem_type m;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &m, gva, sizeof(m)) != 0) {
        return -XEN_EFAULT;
    }
    d = domain_get_for(v, m.domid);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_HVM_PARAM_GET, v->domain, d);
    if (rc == 0) {
        m.mem_type = mem_type(p2m_lookup(d, gfn(m.pfn)).type);
    }
    domain_put(d);
    return rc != 0 ? rc : guest_copy_out(v, gva, &m, sizeof(m));
}

static int64_t get_time(struct vcpu *v, uint64_t gva)
{
    struct xen_hvm_get_time t = {.now = port_time_now()};

    return guest_copy_out(v, gva, &t, sizeof(t));
}

/* The guest's own trace records go nowhere, but are checked. */
static int64_t xentrace(struct vcpu *v, uint64_t gva)
{
    struct xen_hvm_xentrace t;

    if (guest_copy_in(v, &t, gva, sizeof(t)) != 0) {
        return -XEN_EFAULT;
    }
    if (t.extra_bytes > sizeof(t.extra) || t.event >> TRC_SUBCLS_SHIFT != 0) {
        return -XEN_EINVAL;
    }
    return 0;
}

/* args: operation, argument structure. */
int64_t do_hvm_op(struct vcpu *v, uint64_t args[6])
{
    uint64_t gva = args[1];

    switch (args[0]) {
    case HVMOP_set_param:
    case HVMOP_get_param:
        return param_op(v, args[0] == HVMOP_set_param, gva);
    case HVMOP_flush_tlbs:
        if (gva != 0) {
            return -XEN_EINVAL;
        }
        port_guest_flush(v->domain);
        return 0;
    case HVMOP_pagetable_dying:
        return pagetable_dying(v, gva);
    case HVMOP_get_time:
        return get_time(v, gva);
    case HVMOP_xentrace:
        return xentrace(v, gva);
    case HVMOP_get_mem_type:
        return get_mem_type(v, gva);
    case HVMOP_set_evtchn_upcall_vector:
        return set_upcall_vector(v, gva);
    case HVMOP_guest_request_vm_event:
        return gva != 0 ? -XEN_EINVAL : 0; /* nobody monitors */
    case HVMOP_altp2m:
        return -XEN_EOPNOTSUPP;
    default:
        return -XEN_ENOSYS;
    }
}
