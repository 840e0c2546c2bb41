/* The states in which a vCPU starts: reset, INIT and SIPI (SDM Vol. 3 8.4, 9.1),
 * and VCPUOP_initialise (<xen/hvm/hvm_vcpu.h>). */
#include "base/atomic.h"
#include "base/string.h"
#include "core/arch.h"
#include "core/guest_mem/guest_mem.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#include <xen/hvm/hvm_vcpu.h>

/* vcpu_arch.ipi: what other CPUs asked of this one. */
#define IPI_INIT 1u
#define IPI_SIPI 2u
#define IPI_VECTOR_SHIFT 8u

#define RESET_RIP 0xfff0u
#define RESET_RDX 0xf00u
#define RESET_PAT UINT64_C(0x0007040600070406)

/* Attributes in the VMX access-rights format, SDM table 24-2. */
#define ATTR_REAL_CODE 0x009bu
#define ATTR_REAL_DATA 0x0093u
#define ATTR_LDT 0x0082u
#define ATTR_TSS_BUSY 0x008bu
#define ATTR_CODE64 0xa09bu
#define ATTR_DATA 0xc093u

/* The same in struct vcpu_hvm_x86_32's 12-bit layout. */
#define AR_TYPE 0xfu
#define AR_TYPE_CODE 0x8u
#define AR_TYPE_RW 0x2u /* data: writable; code: readable */
#define AR_TYPE_TSS_BUSY 0xbu
#define AR_S 0x10u
#define AR_DPL(ar) (((ar) >> 5) & 3u)
#define AR_P 0x80u
#define AR_G 0x800u
#define AR_BLANK 0xf000u

void hvm_vcpu_reset_state(struct guest_state *s)
{
    const struct guest_seg data = {.attr = ATTR_REAL_DATA, .limit = 0xffff};
    unsigned i;

    memset(s, 0, sizeof(*s));
    s->regs.rip = RESET_RIP;
    s->regs.rflags = RFLAGS_FIXED;
    s->regs.gpr[GPR_RDX] = RESET_RDX;
    s->cr0 = CR0_ET;
    for (i = 0; i < SEG_COUNT; i++) {
        s->seg[i] = data;
    }
    s->seg[SEG_CS].sel = 0xf000;
    s->seg[SEG_CS].base = 0xffff0000u;
    s->seg[SEG_CS].attr = ATTR_REAL_CODE;
    s->seg[SEG_LDTR].attr = ATTR_LDT;
    s->seg[SEG_TR].attr = ATTR_TSS_BUSY;
    s->gdtr.limit = 0xffff;
    s->idtr.limit = 0xffff;
    s->pat = RESET_PAT;
    s->dr6 = 0xffff0ff0u;
    s->dr7 = 0x400;
    s->xcr0 = 1;
}

void hvm_vcpu_load_state(struct vcpu *v, const struct guest_state *s)
{
    struct vcpu_arch *a = v->arch;

    port_guest_load(v, s);
    /* INIT leaves these registers alone (SDM Vol. 3 table 10-1). */
    if (!a->live) {
        hvm_fpu_reset(v);
    }
    a->regs = s->regs;
    a->pat = s->pat;
    a->xcr0 = s->xcr0;
    a->tsc_aux = s->tsc_aux;
    a->exit.cr0 = s->cr0;
    a->exit.cr3 = s->cr3;
    a->exit.cr4 = s->cr4;
    a->exit.efer = s->efer;
    a->exit.intr_shadow = false;
    a->pending.type = EVENT_NONE;
    a->deferred.type = EVENT_NONE;
    a->stepped = false;
    store_u8(&a->nmi_pending, 0);
    a->nmi_blocked = false;
    a->live = true;
}

/* The others are looked at after v itself is marked, so of two that go down at
 * once at least one sees the other. */
void hvm_vcpu_down(struct vcpu *v)
{
    struct domain *d = v->domain;
    uint32_t i;

    vcpu_sleep_flags(v, VPF_DOWN);
    for (i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *o = domain_vcpu(d, i);

        if (o != NULL && (load_u32(&o->pause_flags) & VPF_DOWN) == 0) {
            return;
        }
    }
    domain_shutdown(d, SHUTDOWN_poweroff);
}

static bool has_state(const struct vcpu *v)
{
    return load_u8((const uint8_t *)&v->initialised) != 0;
}

/* The target may be running elsewhere: it is told, and acts itself. A vCPU
 * without a state has nothing to reset. */
void hvm_vcpu_init(struct vcpu *v)
{
    if (v->arch == NULL || !has_state(v)) {
        return;
    }
    fetch_or_u32(&v->arch->ipi, IPI_INIT);
    vcpu_kick(v);
}

/* Starts a vCPU that waits after reset or INIT; others ignore a SIPI. The word
 * says whether an INIT is still ahead of it, and must not change meanwhile. */
void hvm_vcpu_sipi(struct vcpu *v, uint8_t vector)
{
    uint32_t sipi = IPI_SIPI | ((uint32_t)vector << IPI_VECTOR_SHIFT);
    struct vcpu_arch *a = v->arch;
    uint32_t old;

    if (a == NULL) {
        return;
    }
    do {
        old = load_u32(&a->ipi);
        if ((old & IPI_SIPI) != 0) {
            return;
        }
        if ((old & IPI_INIT) == 0 && (has_state(v) || !cmpxchg_u32(&a->started, 0, 1))) {
            return;
        }
        if (cmpxchg_u32(&a->ipi, old, old | sipi)) {
            break;
        }
        if ((old & IPI_INIT) == 0) {
            store_u32(&a->started, 0);
        }
    } while (true);
    store_u8((uint8_t *)&v->initialised, true);
    vcpu_wake_flags(v, VPF_DOWN | VPF_BLOCKED);
}

void hvm_vcpu_nmi(struct vcpu *v)
{
    if (v->arch == NULL) {
        return;
    }
    store_u8(&v->arch->nmi_pending, 1);
    vcpu_kick(v);
}

static void act_init(struct vcpu *v)
{
    struct guest_state s;

    hvm_vcpu_reset_state(&s);
    hvm_vcpu_load_state(v, &s);
    vlapic_reset(v);
    v->arch->wait_sipi = true;
}

/* Real mode at vector * 4 KiB: SDM Vol. 3 8.4.3. */
static void act_sipi(struct vcpu *v, uint8_t vector)
{
    struct guest_state s;

    hvm_vcpu_reset_state(&s);
    s.regs.rip = 0;
    s.seg[SEG_CS].sel = (uint16_t)((uint16_t)vector << 8);
    s.seg[SEG_CS].base = (uint64_t)vector << 12;
    hvm_vcpu_load_state(v, &s);
    v->arch->wait_sipi = false;
}

void hvm_vcpu_service_ipis(struct vcpu *v)
{
    struct vcpu_arch *a = v->arch;
    uint32_t ipi = load_u32(&a->ipi);

    if (ipi == 0) {
        return;
    }
    ipi = fetch_and_u32(&a->ipi, 0);
    if ((ipi & IPI_INIT) != 0) {
        act_init(v);
        if ((ipi & IPI_SIPI) == 0) {
            hvm_vcpu_down(v);
            store_u8((uint8_t *)&v->initialised, false);
            store_u32(&a->started, 0); /* from here on a SIPI may start it */
            return;
        }
    }
    if ((ipi & IPI_SIPI) != 0) {
        act_sipi(v, (uint8_t)(ipi >> IPI_VECTOR_SHIFT));
    }
}

static struct guest_seg seg_of(uint32_t base, uint32_t limit, uint16_t ar)
{
    return (struct guest_seg){
        .base = base,
        .limit = limit,
        .attr = (uint16_t)((ar & 0xff) | ((ar & 0xf00) << 4)),
        .unusable = ar == 0,
    };
}

/* A hidden segment part, checked as by a load of the register. */
static bool seg_valid(uint16_t ar, enum seg_reg seg)
{
    unsigned type = ar & AR_TYPE;

    if ((ar & AR_BLANK) != 0) {
        return false;
    }
    if (ar == 0) {
        return seg == SEG_DS || seg == SEG_ES;
    }
    if ((ar & AR_P) == 0) {
        return false;
    }
    if (seg == SEG_TR) {
        return (ar & AR_S) == 0 && type == AR_TYPE_TSS_BUSY;
    }
    if ((ar & AR_S) == 0) {
        return false;
    }
    switch (seg) {
    case SEG_CS:
        return (type & AR_TYPE_CODE) != 0;
    case SEG_SS:
        return (type & AR_TYPE_CODE) == 0 && (type & AR_TYPE_RW) != 0;
    default:
        return (type & AR_TYPE_CODE) == 0 || (type & AR_TYPE_RW) != 0;
    }
}

static int context_32(struct guest_state *s, const struct vcpu_hvm_x86_32 *r)
{
    uint32_t limit = (r->cs_ar & AR_G) != 0 ? (r->cs_limit << 12) | 0xfff : r->cs_limit;
    const uint32_t gpr[8] = {r->eax, r->ecx, r->edx, r->ebx, r->esp, r->ebp, r->esi, r->edi};
    unsigned i, cpl = AR_DPL(r->cs_ar);

    if (r->pad1 != 0 || (r->pad2[0] | r->pad2[1] | r->pad2[2]) != 0) {
        return -XEN_EINVAL;
    }
    if (!seg_valid(r->cs_ar, SEG_CS) || !seg_valid(r->ds_ar, SEG_DS) ||
        !seg_valid(r->ss_ar, SEG_SS) || !seg_valid(r->es_ar, SEG_ES) ||
        !seg_valid(r->tr_ar, SEG_TR)) {
        return -XEN_EINVAL;
    }
    if (r->eip > limit || AR_DPL(r->ss_ar) != cpl || AR_DPL(r->ds_ar) > cpl ||
        AR_DPL(r->es_ar) > cpl) {
        return -XEN_EINVAL;
    }
    if ((r->efer & EFER_LMA) != 0 && (r->efer & EFER_LME) == 0) {
        return -XEN_EINVAL;
    }
    for (i = 0; i < ARRAY_SIZE(gpr); i++) {
        s->regs.gpr[i] = gpr[i];
    }
    s->regs.rip = r->eip;
    s->regs.rflags = r->eflags;
    s->cr0 = r->cr0;
    s->cr3 = r->cr3;
    s->cr4 = r->cr4;
    s->efer = r->efer;
    s->seg[SEG_CS] = seg_of(r->cs_base, r->cs_limit, r->cs_ar);
    s->seg[SEG_DS] = seg_of(r->ds_base, r->ds_limit, r->ds_ar);
    s->seg[SEG_SS] = seg_of(r->ss_base, r->ss_limit, r->ss_ar);
    s->seg[SEG_ES] = seg_of(r->es_base, r->es_limit, r->es_ar);
    s->seg[SEG_TR] = seg_of(r->tr_base, r->tr_limit, r->tr_ar);
    return 0;
}

static int context_64(struct guest_state *s, const struct vcpu_hvm_x86_64 *r)
{
    const uint64_t gpr[8] = {r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi};
    const struct guest_seg data = {.attr = ATTR_DATA, .limit = UINT32_MAX};

    if ((uint64_t)((int64_t)(r->rip << 16) >> 16) != r->rip || (r->cr0 & CR0_PG) == 0 ||
        (r->cr4 & CR4_PAE) == 0 || (r->efer & EFER_LME) == 0) {
        return -XEN_EINVAL;
    }
    memcpy(s->regs.gpr, gpr, sizeof(gpr));
    s->regs.rip = r->rip;
    s->regs.rflags = r->rflags;
    s->cr0 = r->cr0;
    s->cr3 = r->cr3;
    s->cr4 = r->cr4;
    s->efer = r->efer;
    s->seg[SEG_CS] = (struct guest_seg){.attr = ATTR_CODE64, .limit = UINT32_MAX};
    s->seg[SEG_DS] = data;
    s->seg[SEG_SS] = data;
    s->seg[SEG_ES] = data;
    s->seg[SEG_TR] = (struct guest_seg){.attr = ATTR_TSS_BUSY, .limit = 0x67};
    return 0;
}

int hvm_state_check(const struct domain *d, struct guest_state *s)
{
    if ((s->efer & EFER_LME) != 0) {
        s->efer |= EFER_LMA;
    }
    if ((s->cr4 & ~cpuid_cr4_valid(d)) != 0 || (s->efer & ~cpuid_efer_valid(d)) != 0) {
        return -XEN_EINVAL;
    }
    if ((s->cr0 >> 32) != 0 || ((s->cr0 & CR0_PG) != 0 && (s->cr0 & CR0_PE) == 0) ||
        ((s->cr0 & CR0_NW) != 0 && (s->cr0 & CR0_CD) == 0)) {
        return -XEN_EINVAL;
    }
    if ((s->cr0 & CR0_PG) == 0) {
        s->efer &= ~EFER_LMA; /* active only with paging: APM Vol. 2 14.6.1 */
    } else if ((s->efer & EFER_LMA) != 0 && (s->cr4 & CR4_PAE) == 0) {
        return -XEN_EINVAL;
    }
    s->cr0 |= CR0_ET;
    s->regs.rflags = (s->regs.rflags & UINT64_C(0x3f7fd7)) | RFLAGS_FIXED;
    return 0;
}

int arch_vcpu_initialise(struct vcpu *caller, struct vcpu *v, uint64_t gva)
{
    struct vcpu_hvm_context c;
    struct guest_state s;
    int rc;

    if (guest_copy_in(caller, &c, gva, sizeof(c)) != 0) {
        return -XEN_EFAULT;
    }
    /* A SIPI may be starting it at the same time: one of the two wins. */
    if (has_state(v) || !cmpxchg_u32(&v->arch->started, 0, 1)) {
        return -XEN_EEXIST;
    }
    hvm_vcpu_reset_state(&s);
    s.seg[SEG_LDTR] = (struct guest_seg){.unusable = true};
    if (c.pad != 0) {
        rc = -XEN_EINVAL;
    } else if (c.mode == VCPU_HVM_MODE_32B) {
        rc = context_32(&s, &c.cpu_regs.x86_32);
    } else if (c.mode == VCPU_HVM_MODE_64B) {
        rc = context_64(&s, &c.cpu_regs.x86_64);
    } else {
        rc = -XEN_EINVAL;
    }
    if (rc == 0) {
        rc = hvm_state_check(v->domain, &s);
    }
    if (rc != 0) {
        store_u32(&v->arch->started, 0);
        return rc;
    }
    hvm_vcpu_load_state(v, &s);
    v->arch->wait_sipi = false;
    store_u8((uint8_t *)&v->initialised, true);
    return 0;
}
