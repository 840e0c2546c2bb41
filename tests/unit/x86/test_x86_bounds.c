/* Corners of the virtual hardware and of what only x86 answers: values that change
 * while something is under way, registers written in part, calls of the toolstack's
 * that nobody else may make. */
#include "tests/unit/fixture.h"

#include <xen/hvm/hvm_op.h>

#include "core/arch.h"
#include "core/mem/frame.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define MS UINT64_C(1000000)

static struct domain *d, *ctl;
static struct vcpu *v;

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(2, 2);
    ctl = fixture_domain(2, 1);
    ctl->privileged = true;
    v = d->vcpu[0];
}

static void teardown(void)
{
    fixture_stop();
}

/* What a paging operation of the toolstack goes on by. */
START_TEST(test_paging_continuation)
{
    struct {
        uint32_t cmd, interface_version;
        domid_t domain;
        uint8_t rest[6];
    } op = {XEN_DOMCTL_shadow_op, XEN_DOMCTL_INTERFACE_VERSION, d->id, {0}};
    struct vcpu *c = ctl->vcpu[0];

    fixture_populate(ctl, 0x10, 1);
    fixture_populate(d, 0x10, 1);
    memcpy(fixture_guest(ctl, 0x10000), &op, sizeof(op));
    memcpy(fixture_guest(d, 0x10000), &op, sizeof(op));
    ck_assert_int_eq(fixture_hypercall(c, __HYPERVISOR_arch_1, 0x10000, 0, 0, 0, 0), -XEN_ENOSYS);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_arch_1, 0x10000, 0, 0, 0, 0), -XEN_EPERM);
    ck_assert_int_eq(fixture_hypercall(c, __HYPERVISOR_arch_1, 0x20000, 0, 0, 0, 0), -XEN_EFAULT);
    op.domain = 999;
    memcpy(fixture_guest(ctl, 0x10000), &op, sizeof(op));
    ck_assert_int_eq(fixture_hypercall(c, __HYPERVISOR_arch_1, 0x10000, 0, 0, 0, 0), -XEN_ESRCH);
    op.interface_version--;
    memcpy(fixture_guest(ctl, 0x10000), &op, sizeof(op));
    ck_assert_int_eq(fixture_hypercall(c, __HYPERVISOR_arch_1, 0x10000, 0, 0, 0, 0),
                     -XEN_EOPNOTSUPP);
}
END_TEST

static int64_t set_param(uint32_t index, uint64_t value)
{
    struct xen_hvm_param p = {.domid = DOMID_SELF, .index = index, .value = value};

    return fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_set_param, &p, sizeof(p));
}

/* The line that was up goes down when the guest asks to be told in another way. */
START_TEST(test_callback_moves)
{
    ck_assert_int_eq(set_param(HVM_PARAM_CALLBACK_IRQ, 1), 0);
    v->info->evtchn_upcall_pending = 1;
    arch_vcpu_upcall(v);
    ck_assert_uint_eq(d->arch->dev.ioapic.level >> 1 & 1, 1);
    ck_assert_int_eq(set_param(HVM_PARAM_CALLBACK_IRQ, 2), 0);
    ck_assert_uint_eq(d->arch->dev.ioapic.level >> 1 & 1, 0);
    ck_assert_uint_eq(d->arch->dev.ioapic.level >> 2 & 1, 1);
    /* A kind of callback that there is not: none. */
    ck_assert_int_eq(set_param(HVM_PARAM_CALLBACK_IRQ, UINT64_C(0x7f) << 56 | 5), 0);
    ck_assert_uint_eq(d->arch->callback_type, CALLBACK_NONE);
    ck_assert_uint_eq(d->arch->dev.ioapic.level, 0);
}
END_TEST

/* A task-state segment that is too small is none; one that is too large is cut. */
START_TEST(test_task_segment)
{
    struct xen_hvm_param p = {.domid = d->id, .index = HVM_PARAM_VM86_TSS_SIZED};

    p.value = UINT64_C(103) << 32 | 0x1000;
    ck_assert_int_eq(fixture_op(ctl->vcpu[0], __HYPERVISOR_hvm_op, HVMOP_set_param, &p, sizeof(p)),
                     -XEN_EINVAL);
    p.value = UINT64_C(0xfffffff) << 32 | 0x1000;
    ck_assert_int_eq(fixture_op(ctl->vcpu[0], __HYPERVISOR_hvm_op, HVMOP_set_param, &p, sizeof(p)),
                     0);
    ck_assert_int_eq(fixture_op(ctl->vcpu[0], __HYPERVISOR_hvm_op, HVMOP_get_param, &p, sizeof(p)),
                     0);
    ck_assert_uint_eq((uint32_t)p.value, 0x1000);
    ck_assert_uint_eq(p.value >> 32, 104 + 32 + 8192 + 1);
}
END_TEST

static unsigned mem_type_of(uint64_t g)
{
    struct xen_hvm_get_mem_type m = {.domid = DOMID_SELF, .mem_type = 99, .pfn = g};

    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_get_mem_type, &m, sizeof(m)), 0);
    return m.mem_type;
}

START_TEST(test_memory_types)
{
    mfn_t mine = guest_pages_alloc(d, 0);
    struct p2m_entry e;

    fixture_populate(ctl, 0x10, 2);
    ck_assert_int_eq(p2m_map(d, gfn(0x10), mine, P2M_4K, P2M_RAM_RO), 0);
    ck_assert(p2m_get_page(ctl, gfn(0x10), &e));
    ck_assert_int_eq(p2m_map(d, gfn(0x11), e.mfn, P2M_4K, P2M_FOREIGN), 0);
    ck_assert_int_eq(p2m_map(d, gfn(0x12), ptr_to_mfn(d->shared_info), P2M_4K, P2M_SHARED), 0);
    ck_assert_uint_eq(mem_type_of(0x10), HVMMEM_ram_ro);
    ck_assert_uint_eq(mem_type_of(0x11), HVMMEM_ram_rw);
    ck_assert_uint_eq(mem_type_of(0x12), HVMMEM_ram_rw);
    ck_assert_uint_eq(mem_type_of(0x13), HVMMEM_mmio_dm);
}
END_TEST

static uint32_t in(uint16_t port, unsigned size)
{
    uint32_t value = 0x5a5a5a5a;

    vdev_io(v, port, size, true, &value);
    return value;
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    vdev_io(v, port, size, false, &value);
}

/* Status bits are cleared by writing ones, also byte by byte; enable bits are what
 * was written; the timer and the ports between cannot be written. */
START_TEST(test_pm_events)
{
    uint32_t before;

    d->arch->dev.pm1a_status = 0x4121;
    out(PM1A_EVT_PORT, 1, 0x20);
    ck_assert_uint_eq(in(PM1A_EVT_PORT, 2), 0x4101);
    out(PM1A_EVT_PORT + 1, 1, 0x41);
    ck_assert_uint_eq(in(PM1A_EVT_PORT, 2), 0x0001);
    out(PM1A_EVT_PORT, 4, 0x01200001);
    ck_assert_uint_eq(in(PM1A_EVT_PORT, 4), 0x01200000);
    out(PM1A_EVT_PORT + 3, 1, 0x02);
    ck_assert_uint_eq(in(PM1A_EVT_PORT + 2, 2), 0x0220);
    before = in(PM_TMR_PORT, 4);
    out(PM_TMR_PORT, 4, 0);
    ck_assert_uint_ge(in(PM_TMR_PORT, 4), before);
    ck_assert(!d->shutting_down);
}
END_TEST

static void wr(uint32_t offset, uint32_t value)
{
    ck_assert(vlapic_mmio(v, offset, 4, true, &value));
}

static uint32_t rd(uint32_t offset)
{
    uint32_t value = 0x5a5a5a5a;

    ck_assert(vlapic_mmio(v, offset, 4, false, &value));
    return value;
}

static void at(uint64_t ns)
{
    world_set_time(ns);
    timers_run();
}

static bool got(unsigned vector)
{
    bool pending = vlapic_pending(v) == (int)vector;

    if (pending) {
        vlapic_ack(v, (uint8_t)vector);
        wr(0xb0, 0);
    }
    return pending;
}

/* SDM Vol. 3, 10.5.4.1: from one-shot to periodic the count in progress goes on. */
START_TEST(test_timer_changes_mode)
{
    uint64_t t0 = world_now();

    wr(0xf0, 0x1ff);
    wr(0x3e0, 0xb);
    wr(0x320, 0x30);
    wr(0x380, 1000000);
    at(t0 + MS / 4);
    wr(0x320, 0x20030);
    ck_assert_uint_eq(rd(0x390), 750000);
    at(t0 + MS - 1);
    ck_assert(!got(0x30));
    at(t0 + MS);
    ck_assert(got(0x30));
    at(t0 + 2 * MS);
    ck_assert(got(0x30));
    /* And back: this count is the last one. */
    at(t0 + 2 * MS + MS / 2);
    wr(0x320, 0x31);
    ck_assert_uint_eq(rd(0x390), 500000);
    at(t0 + 3 * MS);
    ck_assert(got(0x31));
    at(t0 + 4 * MS);
    ck_assert(!got(0x31));
    ck_assert_uint_eq(rd(0x390), 0);
    /* One that has run out does not begin anew by that. */
    wr(0x320, 0x20031);
    at(t0 + 6 * MS);
    ck_assert(!got(0x31));
}
END_TEST

START_TEST(test_cpuid_rest)
{
    static const uint32_t leaves[] = {0, 1, 2, 6, 7, 0xd, 0x80000000, 0x80000001, 0x80000008};

    for (uint8_t vendor = 0; vendor < 2; vendor++) {
        struct vcpu *w;

        x86_set_vendor(vendor);
        w = fixture_domain(1, 1)->vcpu[0];
        ck_assert_uint_eq(cpuid_query(w, 6, 0).eax, 4); /* ARAT, and no more */
        ck_assert_uint_eq(cpuid_query(w, 7, 1).ebx, 0);
        ck_assert_uint_eq(cpuid_query(w, 2, 0).eax, cpuid_model(vendor, 2, 0).eax);
        ck_assert_uint_eq(cpuid_query(w, 0xd, 1).eax & 1, 1);
        ck_assert_uint_eq(cpuid_query(w, 0xd, 2).eax, 0);
        /* The model says nothing that a domain does not see, but for the vCPU's own. */
        for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
            struct cpuid_leaf m = cpuid_model(vendor, leaves[i], 0);
            struct cpuid_leaf q = cpuid_query(w, leaves[i], 0);

            ck_assert_uint_eq(m.edx & ~q.edx, 0);
            ck_assert_uint_eq(leaves[i] != 1 ? m.eax & ~q.eax : 0, 0);
        }
    }
    x86_set_vendor(VENDOR_AMD);
}
END_TEST

START_TEST(test_vendor_msrs)
{
    static const uint32_t intel[] = {0x3a, 0x17, 0xce, 0x140, 0x1a0};
    uint64_t value;

    for (unsigned i = 0; i < ARRAY_SIZE(intel); i++) {
        ck_assert_int_ne(msr_read(v, intel[i], &value), 0);
        ck_assert_int_ne(msr_write(v, intel[i], 0), 0);
    }
    x86_set_vendor(VENDOR_INTEL);
    v = fixture_domain(1, 1)->vcpu[0];
    x86_set_vendor(VENDOR_AMD);
    ck_assert_int_eq(msr_read(v, 0x3a, &value), 0);
    ck_assert_uint_eq(value, 1); /* locked, VMX off */
    ck_assert_int_ne(msr_write(v, 0x3a, 5), 0);
    for (unsigned i = 1; i < 4; i++) {
        ck_assert_int_eq(msr_read(v, intel[i], &value), 0);
        ck_assert_uint_eq(value, 0);
    }
    ck_assert_int_eq(msr_write(v, 0x140, 0), 0);
    ck_assert_int_ne(msr_write(v, 0x140, 1), 0);
    /* What IA32_MISC_ENABLE has beyond its constant bits cannot be set. */
    ck_assert_int_eq(msr_read(v, 0x1a0, &value), 0);
    ck_assert_int_eq(msr_write(v, 0x1a0, UINT64_MAX), 0);
    uint64_t again;
    ck_assert_int_eq(msr_read(v, 0x1a0, &again), 0);
    ck_assert_uint_eq(again, value);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("x86_bounds");
    TCase *t = tcase_create("bounds");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_paging_continuation);
    tcase_add_test(t, test_callback_moves);
    tcase_add_test(t, test_task_segment);
    tcase_add_test(t, test_memory_types);
    tcase_add_test(t, test_pm_events);
    tcase_add_test(t, test_timer_changes_mode);
    tcase_add_test(t, test_cpuid_rest);
    tcase_add_test(t, test_vendor_msrs);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
