/* Save records of a vCPU's MSRs and of the event that waits for it, there and back,
 * and such as nobody should believe. */
#include "tests/unit/control/control_calls.h"

#include <xen/hvm/save.h>

#include "x86/hvm/hvm.h"
#include "x86/hvm/hvm_save.h"

#define TSC_AUX 0xc0000103u

struct domain *dom0;
struct vcpu *dom0_vcpu;

static domid_t id;
static struct vcpu *v;

static void setup(void)
{
    struct domain *d;

    control_setup(1);
    id = create(1);
    d = domain_get(id);
    ck_assert_ptr_nonnull(d);
    v = d->vcpu[0];
    domain_put(d);
}

static void teardown(void)
{
    destroy(id);
    fixture_stop();
}

static int64_t set_context(const void *p, uint32_t size)
{
    struct xen_domctl op = {.u.hvmcontext.size = size};

    buf_write(p, size);
    SET_GVA(op.u.hvmcontext.buffer, BUF_GPA);
    return domctl(XEN_DOMCTL_sethvmcontext, id, &op);
}

/* One record of vCPU 0. */
static int64_t get_record(uint32_t type, void *p, uint32_t size)
{
    struct xen_domctl op = {.u.hvmcontext_partial = {.type = type, .bufsz = size}};
    int64_t rc;

    SET_GVA(op.u.hvmcontext_partial.buffer, BUF_GPA);
    rc = domctl(XEN_DOMCTL_gethvmcontext_partial, id, &op);
    buf_read(p, size);
    return rc;
}

/* A file with room for two MSRs. */
struct msr_file {
    struct hvm_save_descriptor header_d;
    HVM_SAVE_TYPE(HEADER) header;
    struct hvm_save_descriptor msr_d;
    uint32_t count, pad;
    struct hvm_one_msr msr[2];
    struct hvm_save_descriptor end_d;
} __attribute__((packed));

static struct msr_file msr_file(void)
{
    return (struct msr_file){
        .header_d = {HVM_SAVE_CODE(HEADER), 0, HVM_SAVE_LENGTH(HEADER)},
        .header = {.magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION},
        .msr_d = {CPU_MSR_CODE, 0, 8 + 2 * sizeof(struct hvm_one_msr)},
        .count = 2,
        .msr = {{.index = TSC_AUX, .val = 4}, {.index = TSC_AUX, .val = 5}},
    };
}

START_TEST(msrs)
{
    struct msr_file good = msr_file(), f;
    struct {
        uint32_t count, pad;
        struct hvm_one_msr msr[1];
    } got;
    uint64_t value = 0;

    setup();
    ck_assert_int_eq(get_record(CPU_MSR_CODE, &got, sizeof(got)), -XEN_ENOENT);
#define SPOILT(change, error)                                                                      \
    do {                                                                                           \
        f = good;                                                                                  \
        change;                                                                                    \
        ck_assert_int_eq(set_context(&f, sizeof(f)), error);                                       \
        ck_assert_int_eq(msr_read(v, TSC_AUX, &value), 0);                                         \
        ck_assert_uint_eq(value, 0);                                                               \
    } while (0)
    SPOILT(f.count = 1, -XEN_EOPNOTSUPP);
    SPOILT(f.count = 3, -XEN_EOPNOTSUPP);
    SPOILT(f.count = UINT32_MAX, -XEN_EOPNOTSUPP);
    SPOILT(f.msr[1]._rsvd = 1, -XEN_EOPNOTSUPP);
    SPOILT(f.msr_d.instance = 1, -XEN_EINVAL);
    /* Not one of those that a record may have; not a value that it may have. */
    SPOILT(f.msr[0].index = f.msr[1].index = 0xc0000080, -XEN_ENXIO);
    SPOILT(f.msr[0].val = f.msr[1].val = UINT64_C(1) << 32, -XEN_ENXIO);
    ck_assert_int_eq(set_context(&good, sizeof(good)), 0);
    ck_assert_int_eq(get_record(CPU_MSR_CODE, &got, sizeof(got)), 0);
    ck_assert_uint_eq(got.count, 1);
    ck_assert_uint_eq(got.msr[0].index, TSC_AUX);
    ck_assert_uint_eq(got.msr[0].val, 5);
    teardown();
}
END_TEST

struct cpu_file {
    struct hvm_save_descriptor header_d;
    HVM_SAVE_TYPE(HEADER) header;
    struct hvm_save_descriptor cpu_d;
    HVM_SAVE_TYPE(CPU) cpu;
    struct hvm_save_descriptor end_d;
} __attribute__((packed));

static struct cpu_file cpu_file(void)
{
    struct cpu_file f = {
        .header_d = {HVM_SAVE_CODE(HEADER), 0, HVM_SAVE_LENGTH(HEADER)},
        .header = {.magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION},
        .cpu_d = {HVM_SAVE_CODE(CPU), 0, HVM_SAVE_LENGTH(CPU)},
    };

    /* Flat 32-bit protected mode. */
    f.cpu.cs_arbytes = 0xc9b;
    f.cpu.ds_arbytes = f.cpu.es_arbytes = f.cpu.ss_arbytes = 0xc93;
    f.cpu.tr_arbytes = 0x8b;
    f.cpu.cs_limit = f.cpu.ds_limit = f.cpu.es_limit = f.cpu.ss_limit = UINT32_MAX;
    f.cpu.tr_limit = 0x67;
    f.cpu.cr0 = 0x11;
    return f;
}

START_TEST(pending_events)
{
    static const struct {
        uint32_t type, vector;
        bool valid;
    } cases[] = {
        {EVENT_EXT_INT, 0x20, true},
        {EVENT_EXT_INT, 15, false},
        {EVENT_NMI, 2, true},
        {EVENT_HW_EXCEPTION, 14, true},
        {EVENT_HW_EXCEPTION, 32, false},
        {EVENT_SW_INT, 0x80, true},
        {EVENT_SW_EXCEPTION, 3, true},
        {1, 0x20, false},
        {7, 0x20, false},
    };
    struct hvm_hw_cpu got;

    setup();
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cpu_file f = cpu_file();
        bool error = cases[i].type == EVENT_HW_EXCEPTION;

        f.cpu.pending_valid = 1;
        f.cpu.pending_type = cases[i].type & 7;
        f.cpu.pending_vector = cases[i].vector & 0xff;
        f.cpu.pending_error_valid = error;
        f.cpu.error_code = error ? 6 : 0;
        ck_assert_int_eq(set_context(&f, sizeof(f)), cases[i].valid ? 0 : -XEN_EINVAL);
        if (!cases[i].valid) {
            continue;
        }
        ck_assert_uint_eq(v->arch->pending.type, cases[i].type);
        ck_assert_uint_eq(v->arch->pending.vector, cases[i].vector);
        ck_assert_int_eq(get_record(HVM_SAVE_CODE(CPU), &got, sizeof(got)), 0);
        ck_assert_uint_eq(got.pending_event, f.cpu.pending_event);
        ck_assert_uint_eq(got.error_code, f.cpu.error_code);
    }
    teardown();
}
END_TEST

/* What Xen wrote before the record had an error code of its own. */
START_TEST(old_record)
{
    static struct {
        struct hvm_save_descriptor header_d;
        HVM_SAVE_TYPE(HEADER) header;
        struct hvm_save_descriptor cpu_d;
        struct hvm_hw_cpu_compat cpu;
        struct hvm_save_descriptor end_d;
    } __attribute__((packed)) f;
    struct cpu_file new = cpu_file();
    struct hvm_hw_cpu got;

    setup();
    f.header_d = new.header_d;
    f.header = new.header;
    f.cpu_d = (struct hvm_save_descriptor){HVM_SAVE_CODE(CPU), 0, sizeof(f.cpu)};
    memcpy(&f.cpu, &new.cpu, offsetof(struct hvm_hw_cpu_compat, tsc));
    f.cpu.rip = 0x1000;
    ck_assert_int_eq(set_context(&f, sizeof(f)), 0);
    ck_assert_int_eq(get_record(HVM_SAVE_CODE(CPU), &got, sizeof(got)), 0);
    ck_assert_uint_eq(got.rip, 0x1000);
    ck_assert_uint_eq(got.pending_event, 0);
    /* Any other length that is too long or short is none. */
    f.cpu_d.length = sizeof(f.cpu) + sizeof(new.cpu);
    ck_assert_int_lt(set_context(&f, sizeof(f)), 0);
    teardown();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hvm_records");
    TCase *t = tcase_create("records");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, msrs);
    tcase_add_test(t, pending_events);
    tcase_add_test(t, old_record);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
