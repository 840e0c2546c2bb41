/* Reading save records. Everything in them is checked or masked to what the device or
 * CPU can hold: a file may have been changed since it was saved. */
#include "base/atomic.h"
#include "base/string.h"
#include "port/time.h"
#include "x86/hvm/hvm.h"
#include "x86/hvm/hvm_save.h"
#include "x86/x86.h"

#define MSR_MTRR_VAR 0x200u
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MSR_MCG_CAP 0x179u
#define MTRR_CAP_COUNT 0xffu
#define CPU_MSR_SIZE(n) (offsetof(struct hvm_msr, msr) + (n) * sizeof(struct hvm_one_msr))
#define CPU_MSRS_MAX 64u

/* One record: a view into the buffer. */
struct record {
    struct hvm_save_descriptor desc;
    const uint8_t *data;
};

/* Copies a record that has exactly size bytes, or if short is allowed at most, the
 * rest zero. */
static int take(const struct record *r, void *out, uint32_t size, bool allow_short)
{
    if (r->desc.length > size || (r->desc.length < size && !allow_short)) {
        return -XEN_EINVAL;
    }
    memset(out, 0, size);
    memcpy(out, r->data, r->desc.length);
    return 0;
}

static int load_cpu(struct vcpu *v, const struct record *r)
{
    struct hvm_hw_cpu c;
    int rc = take(r, &c, sizeof(c), true);

    if (rc == 0 && r->desc.length == sizeof(struct hvm_hw_cpu_compat)) {
        (void)_hvm_hw_fix_cpu(&c, r->desc.length);
    }
    return rc == 0 ? hvm_cpu_load(v, &c) : rc;
}

static int load_mtrr(struct vcpu *v, const struct record *r)
{
    static const uint16_t fixed[NUM_FIXED_MSR] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                                  0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    struct hvm_hw_mtrr m;
    int rc = take(r, &m, sizeof(m), false);

    if (rc != 0 || (m.msr_mtrr_cap & MTRR_CAP_COUNT) > MTRR_VCNT) {
        return -XEN_EINVAL;
    }
    rc = msr_write(v, MSR_PAT, m.msr_pat_cr);
    for (unsigned i = 0; rc == 0 && i < MTRR_VCNT * 2; i++) {
        rc = msr_write(v, MSR_MTRR_VAR + i, m.msr_mtrr_var[i]);
    }
    for (unsigned i = 0; rc == 0 && i < NUM_FIXED_MSR; i++) {
        rc = msr_write(v, fixed[i], m.msr_mtrr_fixed[i]);
    }
    if (rc == 0) {
        rc = msr_write(v, MSR_MTRR_DEF_TYPE, m.msr_mtrr_def_type);
    }
    return rc == 0 ? 0 : -XEN_EINVAL;
}

/* A record may be longer than what XCR0 needs if there is nothing in the rest: old
 * versions of Xen wrote such. */
static int load_xsave(struct vcpu *v, const struct record *r)
{
    uint64_t valid = cpuid_xcr0_valid(v->domain);
    struct hvm_hw_cpu_xsave x;
    struct guest_state s;
    uint64_t more = 0;

    if (r->desc.length < sizeof(x)) {
        return -XEN_EINVAL;
    }
    memcpy(&x, r->data, sizeof(x));
    if ((x.xcr0 & XSTATE_X87) == 0 || (x.xcr0 & ~x.xcr0_accum) != 0 ||
        (x.xcr0_accum & ~valid) != 0 || (x.save_area.xsave_hdr.xstate_bv & ~x.xcr0_accum) != 0) {
        return -XEN_EINVAL;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(x.save_area.xsave_hdr.reserved); i++) {
        more |= x.save_area.xsave_hdr.reserved[i];
    }
    for (uint32_t i = sizeof(x); i < r->desc.length; i++) {
        more |= r->data[i];
    }
    if ((x.save_area.xsave_hdr.xcomp_bv | more) != 0) {
        return -XEN_EOPNOTSUPP;
    }
    v->arch->xcr0 = x.xcr0;
    hvm_cpu_state(v, &s);
    if (v->arch->live) {
        port_guest_load(v, &s); /* what is pending stays so */
    } else {
        hvm_vcpu_load_state(v, &s);
    }
    hvm_fpu_load_parts(v, (const uint8_t *)x.save_area.fpu_sse.x, x.save_area.xsave_hdr.xstate_bv);
    return 0;
}

static int load_msrs(struct vcpu *v, const struct record *r)
{
    uint32_t count;
    int rc = 0;

    if (r->desc.length < CPU_MSR_SIZE(1)) {
        return -XEN_EINVAL;
    }
    memcpy(&count, r->data, sizeof(count));
    if (count > CPU_MSRS_MAX || r->desc.length != CPU_MSR_SIZE(count)) {
        return -XEN_EOPNOTSUPP;
    }
    for (int pass = 0; pass < 2; pass++) { /* checked as a whole, then written */
        for (uint32_t i = 0; i < count; i++) {
            struct hvm_one_msr m;

            memcpy(&m, r->data + CPU_MSR_SIZE(i), sizeof(m));
            if (pass == 0 && m._rsvd != 0) {
                return -XEN_EOPNOTSUPP;
            }
            if (pass == 1 && (m.index != MSR_TSC_AUX || msr_write(v, m.index, m.val) != 0)) {
                rc = -XEN_ENXIO;
            }
        }
    }
    return rc;
}

static int load_vmce(struct vcpu *v, const struct record *r)
{
    struct hvm_vmce_vcpu m;
    uint64_t caps = 0;

    if (take(r, &m, sizeof(m), true) != 0) {
        return -XEN_EINVAL;
    }
    (void)msr_read(v, MSR_MCG_CAP, &caps);
    return (m.caps & ~caps & ~UINT64_C(0xff)) != 0 ? -XEN_EPERM : 0;
}

static int load_vcpu(struct vcpu *v, const struct record *r)
{
    struct hvm_hw_lapic_regs regs;
    struct hvm_tsc_adjust adjust;
    struct hvm_hw_lapic lapic;

    switch (r->desc.typecode) {
    case HVM_SAVE_CODE(CPU):
        return load_cpu(v, r);
    case HVM_SAVE_CODE(LAPIC):
        return take(r, &lapic, sizeof(lapic), true) != 0 ? -XEN_EINVAL : vlapic_load(v, &lapic);
    case HVM_SAVE_CODE(LAPIC_REGS):
        if (take(r, &regs, sizeof(regs), true) != 0) {
            return -XEN_EINVAL;
        }
        vlapic_load_regs(v, &regs);
        return 0;
    case HVM_SAVE_CODE(MTRR):
        return load_mtrr(v, r);
    case CPU_XSAVE_CODE:
        return load_xsave(v, r);
    case HVM_SAVE_CODE(VMCE_VCPU):
        return load_vmce(v, r);
    case HVM_SAVE_CODE(TSC_ADJUST):
        return take(r, &adjust, sizeof(adjust), false) != 0 || adjust.tsc_adjust != 0 ? -XEN_EINVAL
                                                                                      : 0;
    default:
        return load_msrs(v, r);
    }
}

static int load_device(struct domain *d, const struct record *r)
{
    struct vdev *dev = &d->arch->dev;
    struct hvm_hw_vioapic ioapic;
    struct hvm_hw_pmtimer pm;
    struct hvm_hw_pit pit;
    struct hvm_hw_rtc rtc;
    int rc = -XEN_EINVAL;

    if (r->desc.instance != 0) {
        return -XEN_EINVAL;
    }
    lock_acquire(&dev->lock);
    switch (r->desc.typecode) {
    case HVM_SAVE_CODE(IOAPIC):
        rc = take(r, &ioapic, sizeof(ioapic), false);
        if (rc == 0) {
            vioapic_load(&dev->ioapic, &ioapic);
        }
        break;
    case HVM_SAVE_CODE(PIT):
        rc = take(r, &pit, sizeof(pit), false);
        if (rc == 0) {
            vpit_load(&dev->pit, &pit, port_time_now());
        }
        break;
    case HVM_SAVE_CODE(RTC):
        rc = take(r, &rtc, sizeof(rtc), true);
        if (rc == 0) {
            dev->rtc_index = rtc.cmos_index & 0x7f;
        }
        break;
    default:
        rc = take(r, &pm, sizeof(pm), true);
        if (rc == 0) {
            dev->pm_timer_shift = pm.tmr_val - vpm_timer(port_time_now());
            dev->pm1a_status = pm.pm1a_sts;
            dev->pm1a_enable = pm.pm1a_en;
        }
        break;
    }
    lock_release(&dev->lock);
    return rc;
}

static int load_record(struct domain *d, const struct record *r)
{
    struct vcpu *v;

    switch (r->desc.typecode) {
    case HVM_SAVE_CODE(IOAPIC):
    case HVM_SAVE_CODE(PIT):
    case HVM_SAVE_CODE(RTC):
    case HVM_SAVE_CODE(PMTIMER):
        return load_device(d, r);
    case HVM_SAVE_CODE(CPU):
    case HVM_SAVE_CODE(LAPIC):
    case HVM_SAVE_CODE(LAPIC_REGS):
    case HVM_SAVE_CODE(MTRR):
    case CPU_XSAVE_CODE:
    case HVM_SAVE_CODE(VMCE_VCPU):
    case HVM_SAVE_CODE(TSC_ADJUST):
    case CPU_MSR_CODE:
        v = domain_vcpu(d, r->desc.instance);
        return v == NULL ? -XEN_EINVAL : load_vcpu(v, r);
    default: /* of devices that the domain does not have, or no type at all */
        return r->desc.typecode > HVM_SAVE_CODE_MAX ? -XEN_EINVAL : -XEN_ENODEV;
    }
}

/* The record at *at, which moves past it. */
static int next_record(const uint8_t *buf, uint32_t size, uint32_t *at, struct record *r)
{
    if (size - *at < sizeof(r->desc)) {
        return -XEN_ENODATA;
    }
    memcpy(&r->desc, buf + *at, sizeof(r->desc));
    *at += (uint32_t)sizeof(r->desc);
    if (r->desc.typecode == HVM_SAVE_CODE(END)) {
        return 0;
    }
    if (r->desc.length > size - *at) {
        return -XEN_EINVAL;
    }
    r->data = buf + *at;
    *at += r->desc.length;
    return 0;
}

static int load_header(const uint8_t *buf, uint32_t size, uint32_t *at)
{
    struct hvm_save_header h;
    struct record r;

    if (next_record(buf, size, at, &r) != 0 || r.desc.typecode != HVM_SAVE_CODE(HEADER) ||
        take(&r, &h, sizeof(h), false) != 0) {
        return -XEN_ENODATA;
    }
    return h.magic == HVM_FILE_MAGIC && h.version == HVM_FILE_VERSION ? 0 : -XEN_EINVAL;
}

int hvm_load(struct domain *d, const uint8_t *buf, uint32_t size)
{
    uint32_t at = 0;
    int rc = load_header(buf, size, &at);

    if (rc != 0) {
        return rc;
    }
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (v != NULL) {
            vcpu_sleep_flags(v, VPF_DOWN);
        }
    }
    for (;;) {
        struct record r;

        rc = next_record(buf, size, &at, &r);
        if (rc != 0 || r.desc.typecode == HVM_SAVE_CODE(END)) {
            return rc;
        }
        rc = load_record(d, &r);
        if (rc != 0) {
            return rc;
        }
    }
}
