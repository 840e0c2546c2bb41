/* State of vCPUs and devices, in and out: HVM save records and vcpu_guest_context. */
#include "base/atomic.h"
#include "base/string.h"
#include "core/control/control.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "x86/control/control.h"
#include "x86/hvm/hvm.h"
#include "x86/hvm/hvm_save.h"
#include "x86/x86.h"

/* A record at most, with its descriptor. */
#define ONE_RECORD_MAX 2048u

int64_t domctl_get_hvm_context(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                               bool *copyback)
{
    struct xen_domctl_hvmcontext *c = &op->u.hvmcontext;
    uint64_t gva = CONTROL_GVA(c->buffer);
    struct hvm_record_out out = {.size = hvm_save_size(d)};
    unsigned order = order_of_bytes(out.size);
    int64_t rc = 0;

    if (d == v->domain) {
        return -XEN_EINVAL;
    }
    *copyback = true;
    if (gva == 0) {
        c->size = out.size;
        return 0;
    }
    if (c->size < out.size) {
        return -XEN_ENOSPC;
    }
    out.buf = hyp_pages_alloc(NULL, order, FRAME_HYP);
    if (out.buf == NULL) {
        return -XEN_ENOMEM;
    }
    domain_hold(d);
    hvm_save(d, &out);
    domain_release(d);
    c->size = out.used;
    if (guest_copy_out(v, gva, out.buf, out.used) != 0) {
        rc = -XEN_EFAULT;
    }
    hyp_pages_free(out.buf, order);
    return rc;
}

int64_t domctl_get_hvm_record(struct vcpu *v, struct domain *d, struct xen_domctl *op,
                              bool *copyback)
{
    struct xen_domctl_hvmcontext_partial *c = &op->u.hvmcontext_partial;
    const uint32_t skip = (uint32_t)sizeof(struct hvm_save_descriptor);
    uint64_t gva = CONTROL_GVA(c->buffer);
    struct hvm_record_out out = {.size = ONE_RECORD_MAX};
    int64_t rc;

    if (d == v->domain) {
        return -XEN_EINVAL;
    }
    *copyback = true;
    out.buf = hyp_pages_alloc(NULL, order_of_bytes(ONE_RECORD_MAX), FRAME_HYP);
    if (out.buf == NULL) {
        return -XEN_ENOMEM;
    }
    domain_hold(d);
    rc = hvm_save_one(d, c->type, c->instance, &out);
    domain_release(d);
    if (rc == 0 && gva != 0) {
        if (c->bufsz < out.used - skip) {
            rc = -XEN_ENOBUFS;
        } else if (guest_copy_out(v, gva, out.buf + skip, out.used - skip) != 0) {
            rc = -XEN_EFAULT;
        }
    }
    if (rc == 0) {
        c->bufsz = out.used - skip;
    }
    hyp_pages_free(out.buf, order_of_bytes(ONE_RECORD_MAX));
    return rc;
}

int64_t domctl_set_hvm_context(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_hvmcontext *c = &op->u.hvmcontext;
    unsigned order = order_of_bytes(c->size == 0 ? 1 : c->size);
    uint8_t *buf;
    int64_t rc;

    if (d == v->domain) {
        return -XEN_EINVAL;
    }
    /* No true file is longer: records that Corbel does not know are not many. */
    if (c->size > 2 * (hvm_save_size(d) + PAGE_SIZE)) {
        return -XEN_ENOMEM;
    }
    buf = hyp_pages_alloc(NULL, order, FRAME_HYP);
    if (buf == NULL) {
        return -XEN_ENOMEM;
    }
    rc = guest_copy_in(v, buf, CONTROL_GVA(c->buffer), c->size);
    if (rc == 0) {
        domain_hold(d);
        rc = load_u8(&d->state) == DOMAIN_ALIVE ? hvm_load(d, buf, c->size) : -XEN_EINVAL;
        domain_release(d);
    }
    hyp_pages_free(buf, order);
    return rc;
}

static struct vcpu *context_target(struct vcpu *v, struct domain *d, const struct xen_domctl *op)
{
    return d == v->domain ? NULL : domain_vcpu(d, op->u.vcpucontext.vcpu);
}

static void context_out(struct vcpu *t, vcpu_guest_context_t *c)
{
    struct cpu_user_regs *u = &c->user_regs;
    const struct vcpu_arch *a = t->arch;
    struct guest_state s;
    bool kernel;

    hvm_cpu_state(t, &s);
    c->flags = (load_u32(&t->pause_flags) & VPF_DOWN) == 0 ? VGCF_online : 0;
    u->rax = s.regs.gpr[GPR_RAX];
    u->rbx = s.regs.gpr[GPR_RBX];
    u->rcx = s.regs.gpr[GPR_RCX];
    u->rdx = s.regs.gpr[GPR_RDX];
    u->rsi = s.regs.gpr[GPR_RSI];
    u->rdi = s.regs.gpr[GPR_RDI];
    u->rbp = s.regs.gpr[GPR_RBP];
    u->rsp = s.regs.gpr[GPR_RSP];
    u->r15 = s.regs.gpr[GPR_R15];
    u->r14 = s.regs.gpr[GPR_R14];
    u->r13 = s.regs.gpr[GPR_R13];
    u->r12 = s.regs.gpr[GPR_R12];
    u->r11 = s.regs.gpr[GPR_R11];
    u->r10 = s.regs.gpr[GPR_R10];
    u->r9 = s.regs.gpr[GPR_R9];
    u->r8 = s.regs.gpr[GPR_R8];
    u->rip = s.regs.rip;
    u->rflags = s.regs.rflags;
    u->cs = s.seg[SEG_CS].sel;
    u->ss = s.seg[SEG_SS].sel;
    u->ds = s.seg[SEG_DS].sel;
    u->es = s.seg[SEG_ES].sel;
    u->fs = s.seg[SEG_FS].sel;
    u->gs = s.seg[SEG_GS].sel;
    c->ctrlreg[0] = s.cr0;
    c->ctrlreg[2] = s.cr2;
    c->ctrlreg[3] = s.cr3;
    c->ctrlreg[4] = s.cr4;
    memcpy(c->debugreg, a->dr, sizeof(a->dr));
    c->debugreg[6] = s.dr6;
    c->debugreg[7] = s.dr7;
    kernel = (s.seg[SEG_SS].attr >> 5 & 3) == 0;
    c->fs_base = s.seg[SEG_FS].base;
    c->gs_base_kernel = kernel ? s.seg[SEG_GS].base : s.kernel_gs_base;
    c->gs_base_user = kernel ? s.kernel_gs_base : s.seg[SEG_GS].base;
    hvm_fpu_save(t, (uint8_t *)c->fpu_ctxt.x);
    c->flags |= VGCF_I387_VALID;
}

/* More than a hypervisor's stack holds: both go through hypervisor pages. */
static vcpu_guest_context_t *context_alloc(void)
{
    return hyp_pages_alloc(NULL, order_of_bytes(sizeof(vcpu_guest_context_t)), FRAME_HYP);
}

static void context_free(vcpu_guest_context_t *c)
{
    hyp_pages_free(c, order_of_bytes(sizeof(*c)));
}

int64_t domctl_get_vcpu_context(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct vcpu *t = domain_vcpu(d, op->u.vcpucontext.vcpu);
    vcpu_guest_context_t *c;
    int64_t rc;

    if (t == NULL || t == v) {
        return -XEN_EINVAL;
    }
    if (load_u8((const uint8_t *)&t->initialised) == 0) {
        return -XEN_ENODATA;
    }
    c = context_alloc();
    if (c == NULL) {
        return -XEN_ENOMEM;
    }
    vcpu_pause_sync(t);
    context_out(t, c);
    vcpu_unpause(t);
    rc = guest_copy_out(v, CONTROL_GVA(op->u.vcpucontext.ctxt), c, sizeof(*c));
    context_free(c);
    return rc;
}

static void context_in(struct vcpu *t, const vcpu_guest_context_t *c)
{
    const struct cpu_user_regs *u = &c->user_regs;
    struct guest_regs *r = &t->arch->regs;

    r->gpr[GPR_RAX] = u->rax;
    r->gpr[GPR_RBX] = u->rbx;
    r->gpr[GPR_RCX] = u->rcx;
    r->gpr[GPR_RDX] = u->rdx;
    r->gpr[GPR_RSI] = u->rsi;
    r->gpr[GPR_RDI] = u->rdi;
    r->gpr[GPR_RBP] = u->rbp;
    r->gpr[GPR_RSP] = u->rsp;
    r->gpr[GPR_R8] = u->r8;
    r->gpr[GPR_R9] = u->r9;
    r->gpr[GPR_R10] = u->r10;
    r->gpr[GPR_R11] = u->r11;
    r->gpr[GPR_R12] = u->r12;
    r->gpr[GPR_R13] = u->r13;
    r->gpr[GPR_R14] = u->r14;
    r->gpr[GPR_R15] = u->r15;
    r->rip = u->rip;
    r->rflags = (u->rflags & UINT64_C(0x3f7fd7)) | RFLAGS_FIXED;
    memcpy(t->arch->dr, c->debugreg, sizeof(t->arch->dr));
    if ((c->flags & VGCF_I387_VALID) != 0) {
        hvm_fpu_load(t, (const uint8_t *)c->fpu_ctxt.x);
    } else {
        hvm_fpu_reset(t);
    }
}

/* Without a context: back to what it was before it ever ran. */
static int64_t vcpu_reset(struct domain *d, struct vcpu *t)
{
    struct guest_state s;

    domain_hold(d);
    vcpu_sleep_flags(t, VPF_DOWN);
    hvm_vcpu_reset_state(&s);
    hvm_vcpu_load_state(t, &s);
    hvm_fpu_reset(t);
    vlapic_reset(t);
    t->arch->wait_sipi = true;
    store_u8((uint8_t *)&t->initialised, false);
    store_u32(&t->arch->ipi, 0);
    store_u32(&t->arch->started, 0);
    domain_release(d);
    return 0;
}

/* Of an HVM vCPU only the general and debug registers are set this way, and whether it
 * is up; the rest is what sethvmcontext made it, or reset state. */
int64_t domctl_set_vcpu_context(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct vcpu *t = context_target(v, d, op);
    uint64_t gva = CONTROL_GVA(op->u.vcpucontext.ctxt);
    vcpu_guest_context_t *c;
    int64_t rc;

    if (t == NULL) {
        return -XEN_EINVAL;
    }
    if (gva == 0) {
        return vcpu_reset(d, t);
    }
    c = context_alloc();
    if (c == NULL) {
        return -XEN_ENOMEM;
    }
    rc = guest_copy_in(v, c, gva, sizeof(*c));
    if (rc == 0) {
        domain_hold(d);
        if (!t->arch->live) {
            struct guest_state s;

            hvm_vcpu_reset_state(&s);
            hvm_vcpu_load_state(t, &s);
        }
        context_in(t, c);
        store_u32(&t->arch->started, 1);
        t->arch->wait_sipi = false;
        store_u8((uint8_t *)&t->initialised, true);
        if ((c->flags & VGCF_online) != 0) {
            vcpu_wake_flags(t, VPF_DOWN);
        } else {
            vcpu_sleep_flags(t, VPF_DOWN);
        }
        domain_release(d);
    }
    context_free(c);
    return rc;
}
