/* The edges of what control operations accept: ranges, numbers and lists that a
 * toolstack should not have given, and arguments whose answer cannot be written. */
#include "tests/unit/control/control_calls.h"

#include <xen/physdev.h>
#include <xen/platform.h>

#include "core/evtchn/evtchn.h"

#define RO_GFN UINT64_C(0x400) /* a page of the control domain that it may only read */
#define RO_GPA (RO_GFN << PAGE_SHIFT)

struct domain *dom0;
struct vcpu *dom0_vcpu;

static void setup(unsigned cpus)
{
    mfn_t m;

    control_setup(cpus);
    m = guest_pages_alloc(dom0, 0);
    ck_assert_int_eq(p2m_map(dom0, gfn(RO_GFN), m, P2M_4K, P2M_RAM_RO), 0);
}

/* A hypercall whose structure lies where its answer cannot go. */
static int64_t read_only(uint64_t nr, const void *arg, size_t n)
{
    memcpy(fixture_guest(dom0, RO_GPA), arg, n);
    return fixture_hypercall(dom0_vcpu, nr, RO_GPA, 0, 0, 0, 0);
}

START_TEST(read_only_arguments)
{
    struct xen_domctl d = {.cmd = XEN_DOMCTL_getdomaininfo,
                           .interface_version = XEN_DOMCTL_INTERFACE_VERSION};
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_physinfo,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    struct xen_platform_op p = {.cmd = XENPF_core_parking,
                                .interface_version = XENPF_INTERFACE_VERSION,
                                .u.core_parking.type = XEN_CORE_PARKING_GET};

    setup(1);
    ck_assert_int_eq(read_only(__HYPERVISOR_sysctl, &s, sizeof(s)), -XEN_EFAULT);
    ck_assert_int_eq(read_only(__HYPERVISOR_platform_op, &p, sizeof(p)), -XEN_EFAULT);
    ck_assert_int_eq(read_only(__HYPERVISOR_domctl, &d, sizeof(d)), -XEN_EFAULT);
    fixture_stop();
}
END_TEST

START_TEST(shadow_and_mappings)
{
    struct xen_domctl op = {0};
    struct xen_domctl_memory_mapping *m = &op.u.memory_mapping;
    domid_t id;

    setup(1);
    id = create(1);
    op.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_OFF;
    ck_assert_int_eq(domctl(XEN_DOMCTL_shadow_op, id, &op), 0);
    op.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_ENABLE;
    ck_assert_int_eq(domctl(XEN_DOMCTL_shadow_op, id, &op), -XEN_EINVAL);
    op.u.shadow_op.mode = XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY;
    ck_assert_int_eq(domctl(XEN_DOMCTL_shadow_op, id, &op), 0);

    /* Nobody gets memory of devices; ranges that wrap are no ranges. */
    memset(&op, 0, sizeof(op));
    m->add_mapping = 1;
    m->first_gfn = m->first_mfn = 0xfe000;
    m->nr_mfns = 16;
    ck_assert_int_eq(domctl(XEN_DOMCTL_memory_mapping, id, &op), -XEN_EPERM);
    m->nr_mfns = 0;
    ck_assert_int_eq(domctl(XEN_DOMCTL_memory_mapping, id, &op), -XEN_EINVAL);
    m->nr_mfns = UINT64_MAX;
    ck_assert_int_eq(domctl(XEN_DOMCTL_memory_mapping, id, &op), -XEN_EINVAL);
    m->nr_mfns = 16;
    m->first_gfn = UINT64_MAX - 14;
    ck_assert_int_eq(domctl(XEN_DOMCTL_memory_mapping, id, &op), -XEN_EINVAL);
    m->first_gfn = 0;
    m->first_mfn = UINT64_MAX - 3;
    ck_assert_int_eq(domctl(XEN_DOMCTL_memory_mapping, id, &op), -XEN_EINVAL);

    memset(&op, 0, sizeof(op));
    SET_GVA(op.u.nodeaffinity.nodemap.bitmap, NOWHERE);
    op.u.nodeaffinity.nodemap.nr_bits = 64;
    ck_assert_int_eq(domctl(XEN_DOMCTL_setnodeaffinity, id, &op), -XEN_EFAULT);
    destroy(id);
    fixture_stop();
}
END_TEST

START_TEST(triggers_and_handlers)
{
    struct xen_domctl op = {0};
    struct domain *d;
    domid_t id;

    setup(1);
    id = create(1);
    d = domain_get(id);
    ck_assert_ptr_nonnull(d);
    for (uint32_t trigger = XEN_DOMCTL_SENDTRIGGER_NMI; trigger < 8; trigger++) {
        op.u.sendtrigger.trigger = trigger;
        op.u.sendtrigger.vcpu = 5;
        int64_t rc = domctl(XEN_DOMCTL_sendtrigger, id, &op);
        ck_assert_int_lt(rc, 0);
        ck_assert_int_eq(rc == -XEN_ESRCH, trigger == XEN_DOMCTL_SENDTRIGGER_NMI);
    }
    /* A global VIRQ goes to the domain that was named for it, until that ends. */
    memset(&op, 0, sizeof(op));
    op.u.set_virq_handler.virq = VIRQ_TIMER;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_virq_handler, id, &op), -XEN_EINVAL);
    op.u.set_virq_handler.virq = NR_VIRQS;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_virq_handler, id, &op), -XEN_EINVAL);
    op.u.set_virq_handler.virq = VIRQ_CON_RING;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_virq_handler, id, &op), 0);
    ck_assert_uint_eq(hv->virq_handler[VIRQ_CON_RING], id + 1u);
    destroy(id);
    ck_assert_uint_eq(hv->virq_handler[VIRQ_CON_RING], 0);
    /* Who has ended cannot become it any more. */
    ck_assert_int_eq(evtchn_set_virq_handler(d, VIRQ_CON_RING), -XEN_EINVAL);
    ck_assert_uint_eq(hv->virq_handler[VIRQ_CON_RING], 0);
    domain_put(d);
    fixture_stop();
}
END_TEST

START_TEST(pools)
{
    struct xen_sysctl op = {0};
    struct xen_sysctl_cpupool_op *p = &op.u.cpupool_op;
    domid_t id;

    setup(1);
    id = create(1);
    p->op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN;
    p->domid = id;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), 0);
    p->cpupool_id = 1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_ENOENT);
    p->domid = 0; /* oneself */
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_EPERM);
    p->op = XEN_SYSCTL_CPUPOOL_OP_RMCPU;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_ENOENT);
    p->cpupool_id = 0;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_EBUSY);
    p->cpu = XEN_SYSCTL_CPUPOOL_PAR_ANY;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_EBUSY);
    p->op = XEN_SYSCTL_CPUPOOL_OP_ADDCPU;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_EINVAL);
    p->cpu = 1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_EINVAL);
    p->cpu = 0;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_ENODEV);
    p->op = XEN_SYSCTL_CPUPOOL_OP_CREATE;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_EEXIST);
    destroy(id);
    fixture_stop();
}
END_TEST

static uint64_t heap(int32_t node, uint32_t min, uint32_t max)
{
    struct xen_sysctl op = {
        .u.availheap = {.node = node, .min_bitwidth = min, .max_bitwidth = max}};

    ck_assert_int_eq(sysctl(XEN_SYSCTL_availheap, &op), 0);
    return op.u.availheap.avail_bytes;
}

START_TEST(machine)
{
    struct xen_sysctl op = {0};
    struct xen_sysctl_page_offline_op *p = &op.u.page_offline;
    uint32_t status[2] = {9, 9};

    setup(2);
    (void)heap(-1, 0, 0); /* its argument's page is there from now on */
    ck_assert_uint_eq(heap(-1, 0, 0), free_page_count() << PAGE_SHIFT);
    ck_assert_uint_eq(heap(0, 0, 64), free_page_count() << PAGE_SHIFT);
    ck_assert_uint_eq(heap(1, 0, 0), 0);
    ck_assert_uint_eq(heap(-1, 64, 0), 0);
    ck_assert_uint_eq(heap(-1, UINT32_MAX, UINT32_MAX), 0);
    ck_assert_uint_eq(heap(-1, 40, 0), 0);
    ck_assert_uint_eq(heap(-1, 0, 12), 0);
    ck_assert_uint_eq(heap(-1, 0, 20), 1u << 20); /* no more than is below 1 MiB */

    p->cmd = sysctl_query_page_offline;
    p->start = 1;
    p->end = 2;
    buf_write(status, sizeof(status));
    SET_GVA(p->status, BUF_GPA);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_page_offline_op, &op), 0);
    buf_read(status, sizeof(status));
    ck_assert_uint_eq(status[0] | status[1], 0);
    p->start = 3;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_page_offline_op, &op), -XEN_EINVAL);
    p->start = p->end = UINT32_MAX;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_page_offline_op, &op), -XEN_EINVAL);
    p->start = p->end = 1;
    SET_GVA(p->status, NOWHERE);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_page_offline_op, &op), -XEN_EFAULT);
    p->cmd = sysctl_page_online;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_page_offline_op, &op), -XEN_EOPNOTSUPP);
    p->cmd = 9;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_page_offline_op, &op), -XEN_EINVAL);

    memset(&op, 0, sizeof(op));
    op.u.cpu_hotplug.op = XEN_SYSCTL_CPU_HOTPLUG_OFFLINE;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpu_hotplug, &op), -XEN_EINVAL);
    op.u.cpu_hotplug.cpu = 1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpu_hotplug, &op), -XEN_EOPNOTSUPP);
    op.u.cpu_hotplug.cpu = 2;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpu_hotplug, &op), -XEN_EINVAL);
    op.u.cpu_hotplug.op = XEN_SYSCTL_CPU_HOTPLUG_SMT_DISABLE;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpu_hotplug, &op), -XEN_EOPNOTSUPP);

    memset(&op, 0, sizeof(op));
    op.u.getcpuinfo.max_cpus = 2;
    SET_GVA(op.u.getcpuinfo.info, NOWHERE);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_getcpuinfo, &op), -XEN_EFAULT);
    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(sysctl(XEN_SYSCTL_pcitopoinfo, &op), -XEN_EINVAL);
    op.u.pcitopoinfo.num_devs = 1;
    SET_GVA(op.u.pcitopoinfo.devs, NOWHERE);
    SET_GVA(op.u.pcitopoinfo.nodes, BUF_GPA);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_pcitopoinfo, &op), -XEN_EFAULT);
    SET_GVA(op.u.pcitopoinfo.devs, BUF_GPA);
    SET_GVA(op.u.pcitopoinfo.nodes, NOWHERE);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_pcitopoinfo, &op), -XEN_EFAULT);
    fixture_stop();
}
END_TEST

static int64_t platform(uint32_t cmd, struct xen_platform_op *op)
{
    op->cmd = cmd;
    op->interface_version = XENPF_INTERFACE_VERSION;
    buf_write(op, sizeof(*op));
    int64_t rc = fixture_hypercall(dom0_vcpu, __HYPERVISOR_platform_op, BUF_GPA, 0, 0, 0, 0);
    buf_read(op, sizeof(*op));
    return rc;
}

START_TEST(platform_parts)
{
    static const struct {
        uint32_t cmd;
        int rc;
    } absent[] = {
        {XENPF_add_memtype, -XEN_ENXIO},           {XENPF_del_memtype, -XEN_ENXIO},
        {XENPF_read_memtype, -XEN_EINVAL},         {XENPF_platform_quirk, -XEN_EINVAL},
        {XENPF_enter_acpi_sleep, -XEN_EOPNOTSUPP}, {XENPF_cpu_hotadd, -XEN_EOPNOTSUPP},
        {XENPF_mem_hotadd, -XEN_EOPNOTSUPP},       {XENPF_resource_op, -XEN_EOPNOTSUPP},
        {XENPF_get_symbol, -XEN_EOPNOTSUPP},       {XENPF_efi_runtime_call, -XEN_ENOSYS},
        {XENPF_getidletime, -XEN_ENOSYS},
    };
    struct xen_platform_op op = {0};

    setup(2);
    op.u.settime32.secs = 1000;
    op.u.settime32.nsecs = 5;
    ck_assert_int_eq(platform(XENPF_settime32, &op), 0);
    ck_assert_uint_eq(dom0->shared_info->wc_sec, 1000);
    ck_assert_uint_eq(dom0->shared_info->wc_nsec, 5);
    op.u.settime32.nsecs = 1000000000;
    ck_assert_int_eq(platform(XENPF_settime32, &op), -XEN_EINVAL);
    ck_assert_uint_eq(dom0->shared_info->wc_sec, 1000);
    memset(&op, 0, sizeof(op));
    op.u.core_parking.type = XEN_CORE_PARKING_GET;
    op.u.core_parking.idle_nums = 7;
    ck_assert_int_eq(platform(XENPF_core_parking, &op), 0);
    ck_assert_uint_eq(op.u.core_parking.idle_nums, 0);
    op.u.core_parking.type = XEN_CORE_PARKING_SET;
    ck_assert_int_eq(platform(XENPF_core_parking, &op), -XEN_EOPNOTSUPP);
    op.u.core_parking.type = 0;
    ck_assert_int_eq(platform(XENPF_core_parking, &op), -XEN_EINVAL);
    /* The second CPU is there, but not online. */
    memset(&op, 0, sizeof(op));
    op.u.cpu_ol.cpuid = 1;
    ck_assert_int_eq(platform(XENPF_cpu_online, &op), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(platform(XENPF_cpu_offline, &op), 0);
    op.u.cpu_ol.cpuid = 2;
    ck_assert_int_eq(platform(XENPF_cpu_offline, &op), -XEN_EINVAL);
    memset(&op, 0, sizeof(op));
    op.u.firmware_info.type = XEN_FW_KBD_SHIFT_FLAGS;
    op.u.firmware_info.index = 1;
    ck_assert_int_eq(platform(XENPF_firmware_info, &op), -XEN_ESRCH);
    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        memset(&op, 0xff, sizeof(op));
        ck_assert_int_eq(platform(absent[i].cmd, &op), absent[i].rc);
    }
    fixture_stop();
}
END_TEST

START_TEST(physical_devices)
{
    static const uint32_t ops[] = {PHYSDEVOP_pci_mmcfg_reserved, PHYSDEVOP_pci_device_add,
                                   PHYSDEVOP_pci_device_remove, PHYSDEVOP_dbgp_op};
    struct domain *u;

    setup(1);
    u = fixture_domain(4, 1);
    for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        ck_assert_int_eq(
            fixture_hypercall(dom0_vcpu, __HYPERVISOR_physdev_op, ops[i], BUF_GPA, 0, 0, 0),
            -XEN_ENODEV);
        ck_assert_int_eq(
            fixture_hypercall(dom0_vcpu, __HYPERVISOR_physdev_op, ops[i], NOWHERE, 0, 0, 0),
            -XEN_EFAULT);
        ck_assert_int_eq(fixture_hypercall(u->vcpu[0], __HYPERVISOR_physdev_op, ops[i], 0, 0, 0, 0),
                         -XEN_ENOSYS);
    }
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("control_bounds");
    TCase *t = tcase_create("bounds");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, read_only_arguments);
    tcase_add_test(t, shadow_and_mappings);
    tcase_add_test(t, triggers_and_handlers);
    tcase_add_test(t, pools);
    tcase_add_test(t, machine);
    tcase_add_test(t, platform_parts);
    tcase_add_test(t, physical_devices);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
