/* hvm_op: who may read and write which parameter, and the other operations. */
#include "tests/unit/fixture.h"

#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>

#include "core/arch.h"
#include "x86/hvm/hvm.h"

#define NOWHERE UINT64_C(0x7fff0000)

static struct domain *d, *ctl;
static struct vcpu *v, *c;

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(2, 2);
    ctl = fixture_domain(2, 1);
    ctl->privileged = true;
    v = d->vcpu[0];
    c = ctl->vcpu[0];
}

static void teardown(void)
{
    ctl->privileged = false;
    fixture_stop();
}

static int64_t set(struct vcpu *by, domid_t of, uint32_t index, uint64_t value)
{
    struct xen_hvm_param p = {.domid = of, .index = index, .value = value};

    return fixture_op(by, __HYPERVISOR_hvm_op, HVMOP_set_param, &p, sizeof(p));
}

static int64_t get(struct vcpu *by, domid_t of, uint32_t index, uint64_t *value)
{
    struct xen_hvm_param p = {.domid = of, .index = index};
    int64_t rc = fixture_op(by, __HYPERVISOR_hvm_op, HVMOP_get_param, &p, sizeof(p));

    *value = p.value;
    return rc;
}

START_TEST(test_who)
{
    static const uint8_t guest_set[] = {HVM_PARAM_CALLBACK_IRQ, HVM_PARAM_STORE_EVTCHN,
                                        HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_VM_GENERATION_ID_ADDR,
                                        HVM_PARAM_X87_FIP_WIDTH};
    static const uint8_t guest_get[] = {HVM_PARAM_CALLBACK_IRQ,   HVM_PARAM_STORE_PFN,
                                        HVM_PARAM_STORE_EVTCHN,   HVM_PARAM_CONSOLE_PFN,
                                        HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_VM86_TSS,
                                        HVM_PARAM_VM86_TSS_SIZED, HVM_PARAM_X87_FIP_WIDTH};
    static const uint8_t toolstack[] = {HVM_PARAM_STORE_PFN,        HVM_PARAM_IOREQ_PFN,
                                        HVM_PARAM_BUFIOREQ_PFN,     HVM_PARAM_TIMER_MODE,
                                        HVM_PARAM_IDENT_PT,         HVM_PARAM_CONSOLE_PFN,
                                        HVM_PARAM_PAGING_RING_PFN,  HVM_PARAM_MONITOR_RING_PFN,
                                        HVM_PARAM_SHARING_RING_PFN, HVM_PARAM_ALTP2M};
    static const uint8_t gone[] = {3, 4, 7, 8, 13, 20, 21, 22, 23, 24, 25, 26, 30};
    uint64_t x;

    for (unsigned i = 0; i < ARRAY_SIZE(guest_set); i++) {
        ck_assert_int_eq(set(v, DOMID_SELF, guest_set[i], 0), 0);
        ck_assert_int_eq(set(v, d->id, guest_set[i], 0), 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(guest_get); i++) {
        ck_assert_int_eq(get(v, DOMID_SELF, guest_get[i], &x), 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(toolstack); i++) {
        ck_assert_int_eq(set(v, DOMID_SELF, toolstack[i], 0), -XEN_EPERM);
        ck_assert_int_eq(set(c, DOMID_SELF, toolstack[i], 0), -XEN_EPERM);
        ck_assert_int_eq(set(c, d->id, toolstack[i], 1), 0);
        ck_assert_int_eq(get(c, d->id, toolstack[i], &x), 0);
        ck_assert_uint_eq(x, 1);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(gone); i++) {
        ck_assert_int_eq(set(c, d->id, gone[i], 0), -XEN_EINVAL);
        ck_assert_int_eq(get(c, d->id, gone[i], &x), -XEN_EINVAL);
        ck_assert_int_eq(get(v, DOMID_SELF, gone[i], &x), -XEN_EINVAL);
    }
    ck_assert_int_eq(get(v, DOMID_SELF, HVM_PARAM_TIMER_MODE, &x), -XEN_EPERM);
    ck_assert_int_eq(set(v, ctl->id, HVM_PARAM_CALLBACK_IRQ, 0), -XEN_EPERM);
    ck_assert_int_eq(get(v, ctl->id, HVM_PARAM_STORE_PFN, &x), -XEN_EPERM);
    ck_assert_int_eq(get(v, 999, HVM_PARAM_STORE_PFN, &x), -XEN_ESRCH);
    ck_assert_int_eq(get(v, DOMID_SELF, HVM_NR_PARAMS, &x), -XEN_EINVAL);
    ck_assert_int_eq(set(v, DOMID_SELF, UINT32_MAX, 0), -XEN_EINVAL);
}
END_TEST

START_TEST(test_values)
{
    uint64_t x;

    ck_assert_int_eq(get(c, d->id, HVM_PARAM_TRIPLE_FAULT_REASON, &x), 0);
    ck_assert_uint_eq(x, SHUTDOWN_reboot);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_TRIPLE_FAULT_REASON, SHUTDOWN_MAX + 1), -XEN_EINVAL);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_TRIPLE_FAULT_REASON, SHUTDOWN_crash), 0);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_TIMER_MODE, 4), -XEN_EINVAL);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_VIRIDIAN, 0), -XEN_EINVAL);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_VIRIDIAN, 1), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_ACPI_S_STATE, 0), 0);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_ACPI_S_STATE, 1), -XEN_EINVAL);
    ck_assert_int_eq(set(v, d->id, HVM_PARAM_ACPI_IOPORTS_LOCATION, 1), -XEN_ENODEV);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_NR_IOREQ_SERVER_PAGES, 0), -XEN_EINVAL);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_NR_IOREQ_SERVER_PAGES, 65), -XEN_EINVAL);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_NR_IOREQ_SERVER_PAGES, 8), 0);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_NR_IOREQ_SERVER_PAGES, 9), -XEN_EEXIST);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_NR_IOREQ_SERVER_PAGES, 8), 0);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_ALTP2M, 4), -XEN_EINVAL);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_MCA_CAP, 1), -XEN_EINVAL);
    ck_assert_int_eq(set(v, d->id, HVM_PARAM_X87_FIP_WIDTH, 5), -XEN_EINVAL);
    ck_assert_int_eq(set(v, d->id, HVM_PARAM_X87_FIP_WIDTH, 8), 0);
    ck_assert_int_eq(set(v, d->id, HVM_PARAM_VM86_TSS, 0x2000), 0);
    ck_assert_int_eq(get(v, d->id, HVM_PARAM_VM86_TSS, &x), 0);
    ck_assert_uint_eq(x, 0x2000);
    ck_assert_int_eq(get(v, d->id, HVM_PARAM_VM86_TSS_SIZED, &x), 0);
    ck_assert_uint_eq(x, UINT64_C(128) << 32 | 0x2000);
    ck_assert_int_eq(set(c, d->id, HVM_PARAM_VM86_TSS_SIZED, 0x2000), -XEN_EINVAL);
    ck_assert(!d->crashed);
    ck_assert_int_eq(set(v, d->id, HVM_PARAM_VM86_TSS_SIZED, 0x2000), -XEN_EINVAL);
    ck_assert(d->crashed);
}
END_TEST

START_TEST(test_bad_pointers)
{
    uint64_t ops[] = {
        HVMOP_set_param, HVMOP_get_param,    HVMOP_pagetable_dying,         HVMOP_xentrace,
        HVMOP_get_time,  HVMOP_get_mem_type, HVMOP_set_evtchn_upcall_vector};

    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_hvm_op, ops[i], NOWHERE, 0, 0, 0),
                         -XEN_EFAULT);
    }
}
END_TEST

START_TEST(test_callback_vector)
{
    uint64_t via = (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | 0xf3;
    struct guest_entry entry;

    v->arch->regs.rflags = 0x202;
    v->info->evtchn_upcall_pending = 1;
    ck_assert(!arch_vcpu_event_pending(v));
    ck_assert_int_eq(set(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, via), 0);
    ck_assert_uint_eq(d->arch->callback_vector, 0xf3);
    ck_assert(arch_vcpu_event_pending(v));
    hvm_prepare_entry(v, &entry);
    ck_assert_uint_eq(entry.inject.vector, 0xf3);
    ck_assert_uint_eq(entry.inject.type, EVENT_EXT_INT);
    /* A PCI line, and then none. */
    ck_assert_int_eq(set(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, UINT64_C(1) << 56), 0);
    ck_assert(!arch_vcpu_event_pending(v));
    ck_assert_int_eq(set(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, 0), 0);
    ck_assert_uint_eq(d->arch->callback_type, CALLBACK_NONE);
}
END_TEST

/* Type GSI: the line follows vCPU 0's pending flag. */
START_TEST(test_callback_gsi)
{
    struct guest_entry entry;

    ck_assert_int_eq(set(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, 1), 0);
    v->info->evtchn_upcall_pending = 1;
    arch_vcpu_upcall(v);
    ck_assert_uint_eq(d->arch->dev.ioapic.level >> 1 & 1, 1);
    hvm_prepare_entry(v, &entry);
    ck_assert_uint_eq(d->arch->dev.ioapic.level >> 1 & 1, 1);
    v->info->evtchn_upcall_pending = 0;
    hvm_prepare_entry(v, &entry);
    ck_assert_uint_eq(d->arch->dev.ioapic.level >> 1 & 1, 0);
    /* Pins that do not exist are no way to be told. */
    ck_assert_int_eq(set(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, IOAPIC_PINS), 0);
    ck_assert_uint_eq(d->arch->callback_type, CALLBACK_NONE);
    ck_assert_int_eq(set(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, 0x00ffffffffffffff), 0);
    ck_assert_uint_eq(d->arch->callback_type, CALLBACK_NONE);
}
END_TEST

START_TEST(test_upcall_vector)
{
    xen_hvm_evtchn_upcall_vector_t u = {.vcpu = 0, .vector = 0xf3};
    uint32_t svr = 0x1ff;

    vlapic_mmio(v, 0xf0, 4, true, &svr);
    v->info->evtchn_upcall_pending = 1;
    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &u, sizeof(u)), 0);
    ck_assert_int_eq(vlapic_pending(v), 0xf3);
    /* A vCPU that is still down finds the vector when it comes up. */
    u = (xen_hvm_evtchn_upcall_vector_t){.vcpu = 1, .vector = 0xf3};
    d->vcpu[1]->info->evtchn_upcall_pending = 1;
    vlapic_mmio(d->vcpu[1], 0xf0, 4, true, &svr);
    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &u, sizeof(u)), 0);
    ck_assert_uint_eq(d->vcpu[1]->pause_flags & VPF_DOWN, VPF_DOWN);
    ck_assert_int_eq(vlapic_pending(d->vcpu[1]), 0xf3);
    u.vector = 0xf;
    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &u, sizeof(u)),
        -XEN_EINVAL);
    u = (xen_hvm_evtchn_upcall_vector_t){.vcpu = 2, .vector = 0x20};
    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &u, sizeof(u)),
        -XEN_ENOENT);
    u.vcpu = UINT32_MAX;
    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &u, sizeof(u)),
        -XEN_ENOENT);
}
END_TEST

START_TEST(test_other_ops)
{
    struct xen_hvm_pagetable_dying dying = {.domid = DOMID_SELF};
    struct xen_hvm_get_time t = {0};
    struct xen_hvm_xentrace tr = {.extra_bytes = 29};
    struct xen_hvm_get_mem_type m = {.domid = DOMID_SELF, .pfn = 0};
    unsigned flushes;

    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_pagetable_dying, &dying, sizeof(dying)),
        -XEN_EINVAL);
    dying.domid = 999;
    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_pagetable_dying, &dying, sizeof(dying)),
        -XEN_ESRCH);
    world_advance(5000);
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_get_time, &t, sizeof(t)), 0);
    ck_assert_uint_ge(t.now, 5000);
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_xentrace, &tr, sizeof(tr)),
                     -XEN_EINVAL);
    tr = (struct xen_hvm_xentrace){.extra_bytes = 28, .event = 0xfff};
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_xentrace, &tr, sizeof(tr)), 0);
    tr.event = 0x1000;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_xentrace, &tr, sizeof(tr)),
                     -XEN_EINVAL);
    fixture_populate(d, 5, 1);
    m.pfn = 5;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_get_mem_type, &m, sizeof(m)), 0);
    ck_assert_uint_eq(m.mem_type, HVMMEM_ram_rw);
    m.pfn = UINT64_MAX;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_get_mem_type, &m, sizeof(m)), 0);
    ck_assert_uint_eq(m.mem_type, HVMMEM_mmio_dm);
    m.domid = ctl->id;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_hvm_op, HVMOP_get_mem_type, &m, sizeof(m)),
                     -XEN_EPERM);
    flushes = script_flush_count();
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_hvm_op, HVMOP_flush_tlbs, 0, 0, 0, 0), 0);
    ck_assert_uint_eq(script_flush_count(), flushes + 1);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_hvm_op, HVMOP_flush_tlbs, 8, 0, 0, 0),
                     -XEN_EINVAL);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_hvm_op, HVMOP_altp2m, 0, 0, 0, 0),
                     -XEN_EOPNOTSUPP);
    ck_assert_int_eq(
        fixture_hypercall(v, __HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event, 0, 0, 0, 0), 0);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_hvm_op, 2, 0, 0, 0, 0), -XEN_ENOSYS);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_hvm_op, UINT64_MAX, 0, 0, 0, 0),
                     -XEN_ENOSYS);
}
END_TEST

/* What a PVH domain is answered to hypercalls that are not for it. */
START_TEST(test_foreign_hypercalls)
{
    static const uint8_t absent[] = {0, 1, 2, 3, 5, 8, 10, 14, 23, 25, 27, 30, 31, 33, 37, 38, 48};

    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        ck_assert_int_eq(fixture_hypercall(v, absent[i], 0, 0, 0, 0, 0), -XEN_ENOSYS);
    }
    ck_assert_int_eq(fixture_hypercall(v, UINT64_MAX, 0, 0, 0, 0, 0), -XEN_ENOSYS);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_xenpmu_op, 4, 0, 0, 0, 0), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_mmuext_op, 0, 0, 0, DOMID_SELF, 0),
                     -XEN_EINVAL);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_mmuext_op, 0, 0, 0, 999, 0), -XEN_ESRCH);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_dm_op, ctl->id, 3, 0, 0, 0), -XEN_E2BIG);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_dm_op, ctl->id, 2, NOWHERE, 0, 0),
                     -XEN_EFAULT);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_dm_op, ctl->id, 0, 0, 0, 0), -XEN_EPERM);
    ck_assert_int_eq(fixture_hypercall(c, __HYPERVISOR_dm_op, ctl->id, 0, 0, 0, 0), -XEN_EPERM);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_dm_op, 999, 0, 0, 0, 0), -XEN_ESRCH);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_hypfs_op, 0, 0, 0, 0, 0), -XEN_EPERM);
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_arch_1, NOWHERE, 0, 0, 0, 0), -XEN_EFAULT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hvm_op");
    TCase *t = tcase_create("hvm_op");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_who);
    tcase_add_test(t, test_values);
    tcase_add_test(t, test_bad_pointers);
    tcase_add_test(t, test_callback_vector);
    tcase_add_test(t, test_callback_gsi);
    tcase_add_test(t, test_upcall_vector);
    tcase_add_test(t, test_other_ops);
    tcase_add_test(t, test_foreign_hypercalls);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
