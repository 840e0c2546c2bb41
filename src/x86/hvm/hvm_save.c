/* Writing save records. Of the record types in <xen/arch-x86/hvm/save.h> a domain has
 * those of the devices that it has, and each vCPU those of its parts. */
#include "x86/hvm/hvm_save.h"

#include "base/check.h"
#include "base/string.h"
#include "port/time.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define MSR_MTRR_CAP 0xfeu
#define MSR_MCG_CAP 0x179u
#define CPU_MSRS_MAX 1u
#define CPU_MSR_SIZE(n) (offsetof(struct hvm_msr, msr) + (n) * sizeof(struct hvm_one_msr))
#define RECORD(type) (sizeof(struct hvm_save_descriptor) + (type))

/* Record types of vCPUs and of the domain. */
static bool of_vcpu(uint32_t type)
{
    return type == HVM_SAVE_CODE(CPU) || type == HVM_SAVE_CODE(LAPIC) ||
           type == HVM_SAVE_CODE(LAPIC_REGS) || type == HVM_SAVE_CODE(MTRR) ||
           type == CPU_XSAVE_CODE || type == HVM_SAVE_CODE(VMCE_VCPU) ||
           type == HVM_SAVE_CODE(TSC_ADJUST) || type == CPU_MSR_CODE;
}

static bool of_domain(uint32_t type)
{
    return type == HVM_SAVE_CODE(IOAPIC) || type == HVM_SAVE_CODE(PIT) ||
           type == HVM_SAVE_CODE(RTC) || type == HVM_SAVE_CODE(PMTIMER);
}

uint32_t hvm_save_size(const struct domain *d)
{
    const uint32_t domain = RECORD(HVM_SAVE_LENGTH(HEADER)) + RECORD(HVM_SAVE_LENGTH(IOAPIC)) +
                            RECORD(HVM_SAVE_LENGTH(PIT)) + RECORD(HVM_SAVE_LENGTH(RTC)) +
                            RECORD(HVM_SAVE_LENGTH(PMTIMER)) + RECORD(0);
    const uint32_t vcpu = RECORD(HVM_SAVE_LENGTH(CPU)) + RECORD(HVM_SAVE_LENGTH(LAPIC)) +
                          RECORD(HVM_SAVE_LENGTH(LAPIC_REGS)) + RECORD(HVM_SAVE_LENGTH(MTRR)) +
                          RECORD(HVM_XSAVE_SIZE) + RECORD(HVM_SAVE_LENGTH(VMCE_VCPU)) +
                          RECORD(HVM_SAVE_LENGTH(TSC_ADJUST)) + RECORD(CPU_MSR_SIZE(CPU_MSRS_MAX));

    return domain + d->max_vcpus * vcpu;
}

/* A descriptor and room for length bytes, zeroed. */
static void *put(struct hvm_record_out *out, uint32_t type, uint32_t instance, uint32_t length)
{
    struct hvm_save_descriptor desc = {(uint16_t)type, (uint16_t)instance, length};
    uint8_t *at = out->buf + out->used;

    check(out->size - out->used >= sizeof(desc) + length);
    memcpy(at, &desc, sizeof(desc));
    memset(at + sizeof(desc), 0, length);
    out->used += (uint32_t)sizeof(desc) + length;
    return at + sizeof(desc);
}

static void put_header(struct domain *d, struct hvm_record_out *out)
{
    struct hvm_save_header h = {
        .magic = HVM_FILE_MAGIC,
        .version = HVM_FILE_VERSION,
        .changeset = ~UINT64_C(0),
        .cpuid = cpuid_model(d->arch->vendor, 1, 0).eax,
        .gtsc_khz = domain_tsc_khz(d),
    };

    memcpy(put(out, HVM_SAVE_CODE(HEADER), 0, sizeof(h)), &h, sizeof(h));
}

static void put_mtrr(struct vcpu *v, struct hvm_record_out *out)
{
    const struct vcpu_arch *a = v->arch;
    struct hvm_hw_mtrr r = {.msr_pat_cr = a->pat, .msr_mtrr_def_type = a->mtrr_def_type};

    _Static_assert(sizeof(r.msr_mtrr_var) == sizeof(a->mtrr_var) &&
                       sizeof(r.msr_mtrr_fixed) == sizeof(a->mtrr_fixed),
                   "MTRRs of the record");
    memcpy(r.msr_mtrr_var, a->mtrr_var, sizeof(r.msr_mtrr_var));
    memcpy(r.msr_mtrr_fixed, a->mtrr_fixed, sizeof(r.msr_mtrr_fixed));
    (void)msr_read(v, MSR_MTRR_CAP, &r.msr_mtrr_cap);
    memcpy(put(out, HVM_SAVE_CODE(MTRR), v->id, sizeof(r)), &r, sizeof(r));
}

static void put_xsave(struct vcpu *v, struct hvm_record_out *out)
{
    struct hvm_hw_cpu_xsave *r = put(out, CPU_XSAVE_CODE, v->id, HVM_XSAVE_SIZE);

    r->xfeature_mask = cpuid_xcr0_valid(v->domain);
    r->xcr0 = v->arch->xcr0;
    r->xcr0_accum = r->xcr0 | XSTATE_X87 | XSTATE_SSE;
    hvm_fpu_save(v, (uint8_t *)r->save_area.fpu_sse.x);
    r->save_area.xsave_hdr.xstate_bv = XSTATE_X87 | XSTATE_SSE;
}

/* Only what differs from a new vCPU's. */
static void put_msrs(struct vcpu *v, struct hvm_record_out *out)
{
    struct hvm_msr *r;

    if (v->arch->tsc_aux == 0) {
        return;
    }
    r = put(out, CPU_MSR_CODE, v->id, (uint32_t)CPU_MSR_SIZE(1));
    r->count = 1;
    r->msr[0].index = MSR_TSC_AUX;
    r->msr[0].val = v->arch->tsc_aux;
}

static void put_vcpu(struct vcpu *v, uint32_t type, struct hvm_record_out *out)
{
    struct hvm_vmce_vcpu *vmce;

    switch (type) {
    case HVM_SAVE_CODE(CPU):
        hvm_cpu_save(v, put(out, type, v->id, HVM_SAVE_LENGTH(CPU)));
        break;
    case HVM_SAVE_CODE(LAPIC):
        vlapic_save(v, put(out, type, v->id, HVM_SAVE_LENGTH(LAPIC)));
        break;
    case HVM_SAVE_CODE(LAPIC_REGS):
        vlapic_save_regs(v, put(out, type, v->id, HVM_SAVE_LENGTH(LAPIC_REGS)));
        break;
    case HVM_SAVE_CODE(MTRR):
        put_mtrr(v, out);
        break;
    case CPU_XSAVE_CODE:
        put_xsave(v, out);
        break;
    case HVM_SAVE_CODE(VMCE_VCPU):
        vmce = put(out, type, v->id, HVM_SAVE_LENGTH(VMCE_VCPU));
        (void)msr_read(v, MSR_MCG_CAP, &vmce->caps);
        break;
    case HVM_SAVE_CODE(TSC_ADJUST):
        (void)put(out, type, v->id, HVM_SAVE_LENGTH(TSC_ADJUST)); /* never adjusted */
        break;
    default:
        put_msrs(v, out);
        break;
    }
}

static void put_rtc(struct domain *d, struct hvm_record_out *out)
{
    struct hvm_hw_rtc *r = put(out, HVM_SAVE_CODE(RTC), 0, HVM_SAVE_LENGTH(RTC));
    uint64_t seconds = port_wallclock_ns() / UINT64_C(1000000000) + (uint64_t)d->time_offset;

    for (unsigned i = 0; i < RTC_CMOS_SIZE; i++) {
        r->cmos_data[i] = vrtc_read((uint8_t)i, seconds);
    }
    r->cmos_index = d->arch->dev.rtc_index;
    r->rtc_offset = d->time_offset;
}

static void put_domain(struct domain *d, uint32_t type, struct hvm_record_out *out)
{
    struct vdev *dev = &d->arch->dev;
    struct hvm_hw_pmtimer *pm;

    lock_acquire(&dev->lock);
    switch (type) {
    case HVM_SAVE_CODE(IOAPIC):
        vioapic_save(&dev->ioapic, put(out, type, 0, HVM_SAVE_LENGTH(IOAPIC)));
        break;
    case HVM_SAVE_CODE(PIT):
        vpit_save(&dev->pit, put(out, type, 0, HVM_SAVE_LENGTH(PIT)));
        break;
    case HVM_SAVE_CODE(RTC):
        put_rtc(d, out);
        break;
    default:
        pm = put(out, type, 0, HVM_SAVE_LENGTH(PMTIMER));
        pm->tmr_val = vpm_timer(port_time_now()) + dev->pm_timer_shift;
        pm->pm1a_sts = dev->pm1a_status;
        pm->pm1a_en = dev->pm1a_enable;
        break;
    }
    lock_release(&dev->lock);
}

void hvm_save(struct domain *d, struct hvm_record_out *out)
{
    put_header(d, out);
    for (uint32_t type = 1; type <= HVM_SAVE_CODE_MAX; type++) {
        if (of_domain(type)) {
            put_domain(d, type, out);
        }
        for (uint32_t i = 0; of_vcpu(type) && i < d->max_vcpus; i++) {
            struct vcpu *v = domain_vcpu(d, i);

            if (v != NULL) {
                put_vcpu(v, type, out);
            }
        }
    }
    (void)put(out, HVM_SAVE_CODE(END), 0, 0);
}

int hvm_save_one(struct domain *d, uint32_t type, uint32_t instance, struct hvm_record_out *out)
{
    struct vcpu *v = domain_vcpu(d, instance);

    if (of_domain(type)) {
        if (instance != 0) {
            return -XEN_ENOENT;
        }
        put_domain(d, type, out);
        return 0;
    }
    /* Type 1, the header, is not a record that can be asked for. */
    if (!of_vcpu(type)) {
        return -XEN_EINVAL;
    }
    if (v == NULL) {
        return -XEN_ENOENT;
    }
    put_vcpu(v, type, out);
    return out->used == 0 ? -XEN_ENOENT : 0;
}
