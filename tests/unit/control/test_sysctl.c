/* sysctl, CPU policies, platform_op and physdev_op. */
#include "tests/unit/control/control_calls.h"

#include <xen/physdev.h>
#include <xen/platform.h>

#include "x86/hvm/hvm.h"

struct domain *dom0;
struct vcpu *dom0_vcpu;

START_TEST(machine)
{
    struct xen_sysctl op = {0};
    struct xen_sysctl_cputopo topo[3] = {{9, 9, 9}, {9, 9, 9}, {9, 9, 9}};

    control_setup(2);
    world_on_cpu(1);
    cpu_online(1);
    world_on_cpu(0);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_physinfo, &op), 0);
    ck_assert_uint_eq(op.u.physinfo.nr_cpus, 2);
    ck_assert_uint_eq(op.u.physinfo.max_cpu_id, 1);
    ck_assert_uint_eq(op.u.physinfo.nr_nodes, 1);
    ck_assert_uint_eq(op.u.physinfo.total_pages, total_page_count());
    ck_assert_uint_eq(op.u.physinfo.free_pages, free_page_count());
    ck_assert_uint_eq(op.u.physinfo.capabilities, XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap |
                                                      XEN_SYSCTL_PHYSCAP_gnttab_v1 |
                                                      XEN_SYSCTL_PHYSCAP_gnttab_v2);
    ck_assert_uint_ne(op.u.physinfo.hw_cap[0], 0);

    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cputopoinfo, &op), 0);
    ck_assert_uint_eq(op.u.cputopoinfo.num_cpus, 2);
    buf_write(topo, sizeof(topo));
    op.u.cputopoinfo.num_cpus = 3;
    SET_GVA(op.u.cputopoinfo.cputopo, BUF_GPA);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cputopoinfo, &op), 0);
    ck_assert_uint_eq(op.u.cputopoinfo.num_cpus, 2);
    buf_read(topo, sizeof(topo));
    ck_assert_uint_eq(topo[1].core, 1);
    ck_assert_uint_eq(topo[1].socket, 0);
    ck_assert_uint_eq(topo[2].core, 9);
    SET_GVA(op.u.cputopoinfo.cputopo, NOWHERE);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cputopoinfo, &op), -XEN_EFAULT);

    fixture_stop();
}
END_TEST

START_TEST(nodes_and_time)
{
    struct xen_sysctl op = {0};
    struct xen_sysctl_meminfo mem;
    struct xen_sysctl_cpuinfo idle[2];
    uint32_t words[2];

    control_setup(2);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_numainfo, &op), 0);
    ck_assert_uint_eq(op.u.numainfo.num_nodes, 1);
    SET_GVA(op.u.numainfo.meminfo, BUF_GPA);
    SET_GVA(op.u.numainfo.distance, BUF_GPA + 64);
    op.u.numainfo.num_nodes = 5;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_numainfo, &op), 0);
    ck_assert_uint_eq(op.u.numainfo.num_nodes, 1);
    buf_read(&mem, sizeof(mem));
    ck_assert_uint_eq(mem.memsize, total_page_count() << PAGE_SHIFT);
    ck_assert_uint_eq(*(uint32_t *)fixture_guest(dom0, BUF_GPA + 64), 10);

    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(sysctl(XEN_SYSCTL_pcitopoinfo, &op), -XEN_EINVAL);
    SET_GVA(op.u.pcitopoinfo.devs, BUF_GPA);
    SET_GVA(op.u.pcitopoinfo.nodes, BUF_GPA + 4096);
    op.u.pcitopoinfo.num_devs = 2;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_pcitopoinfo, &op), 0);
    memcpy(words, fixture_guest(dom0, BUF_GPA + 4096), 8);
    ck_assert_uint_eq(words[1], XEN_INVALID_DEV);

    memset(&op, 0, sizeof(op));
    op.u.getcpuinfo.max_cpus = 100;
    SET_GVA(op.u.getcpuinfo.info, BUF_GPA);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_getcpuinfo, &op), 0);
    ck_assert_uint_eq(op.u.getcpuinfo.nr_cpus, 2);
    buf_read(idle, sizeof(idle));
    memset(&op, 0, sizeof(op));
    op.u.availheap.node = -1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_availheap, &op), 0);
    ck_assert_uint_eq(op.u.availheap.avail_bytes, free_page_count() << PAGE_SHIFT);
    op.u.availheap.node = 1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_availheap, &op), 0);
    ck_assert_uint_eq(op.u.availheap.avail_bytes, 0);
    fixture_stop();
}
END_TEST

START_TEST(domains)
{
    struct xen_sysctl op = {0};
    xen_domctl_getdomaininfo_t info[3];
    domid_t id;

    control_setup(1);
    id = create(1);
    op.u.getdomaininfolist.max_domains = 3;
    SET_GVA(op.u.getdomaininfolist.buffer, BUF_GPA);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_getdomaininfolist, &op), 0);
    ck_assert_uint_eq(op.u.getdomaininfolist.num_domains, 2);
    buf_read(info, sizeof(info));
    ck_assert_uint_eq(info[0].domain, 0);
    ck_assert_uint_eq(info[1].domain, id);
    op.u.getdomaininfolist.first_domain = id + 1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_getdomaininfolist, &op), 0);
    ck_assert_uint_eq(op.u.getdomaininfolist.num_domains, 0);
    op.u.getdomaininfolist.first_domain = 0;
    op.u.getdomaininfolist.max_domains = UINT32_MAX;
    SET_GVA(op.u.getdomaininfolist.buffer, NOWHERE);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_getdomaininfolist, &op), -XEN_EFAULT);
    destroy(id);
    fixture_stop();
}
END_TEST

START_TEST(pools_and_scheduler)
{
    struct xen_sysctl op = {0};
    struct xen_sysctl_cpupool_op *p = &op.u.cpupool_op;
    struct xen_sysctl_scheduler_op *s = &op.u.scheduler_op;

    control_setup(1);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_sched_id, &op), 0);
    ck_assert_uint_eq(op.u.sched_id.sched_id, XEN_SCHEDULER_CREDIT);
    memset(&op, 0, sizeof(op));
    p->op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    p->cpumap.nr_bits = 64;
    SET_GVA(p->cpumap.bitmap, BUF_GPA);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), 0);
    ck_assert_uint_eq(p->cpupool_id, 0);
    ck_assert_uint_eq(p->n_dom, 1);
    ck_assert_uint_eq(*(uint64_t *)buf(), 1);
    p->cpupool_id = 1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_ENOENT);
    p->op = XEN_SYSCTL_CPUPOOL_OP_FREEINFO;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), 0);
    ck_assert_uint_eq(*(uint64_t *)buf(), 0);
    p->op = XEN_SYSCTL_CPUPOOL_OP_CREATE;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_EOPNOTSUPP);
    p->op = XEN_SYSCTL_CPUPOOL_OP_DESTROY;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_ENOENT);
    p->cpupool_id = 0;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_EBUSY);
    p->op = XEN_SYSCTL_CPUPOOL_OP_RMCPU;
    p->cpu = 99;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_EINVAL);
    p->op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN;
    p->domid = 70000;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_ESRCH);
    p->op = 99;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -XEN_ENOSYS);

    memset(&op, 0, sizeof(op));
    s->sched_id = XEN_SCHEDULER_CREDIT;
    s->cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &op), 0);
    ck_assert_uint_eq(s->u.sched_credit.tslice_ms, 10);
    s->cmd = XEN_SYSCTL_SCHEDOP_putinfo;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &op), 0);
    s->u.sched_credit.tslice_ms = 0;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &op), -XEN_EINVAL);
    s->u.sched_credit.tslice_ms = UINT32_MAX;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &op), -XEN_EINVAL);
    s->cpupool_id = 3;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &op), -XEN_ESRCH);
    s->cmd = 2;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &op), -XEN_EINVAL);
    fixture_stop();
}
END_TEST

/* Reads the console from index on into text. */
static uint32_t dmesg(char *text, uint32_t max, uint32_t *index, bool incremental, bool clear)
{
    struct xen_sysctl op = {0};

    op.u.readconsole.incremental = incremental;
    op.u.readconsole.clear = clear;
    op.u.readconsole.index = *index;
    op.u.readconsole.count = max;
    SET_GVA(op.u.readconsole.buffer, BUF_GPA);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_readconsole, &op), 0);
    buf_read(text, op.u.readconsole.count);
    text[op.u.readconsole.count] = '\0';
    *index = op.u.readconsole.index;
    return op.u.readconsole.count;
}

START_TEST(console)
{
    static char text[CONSOLE_HISTORY + 1];
    struct xen_sysctl op = {0};
    uint32_t index = 0, n;

    control_setup(1);
    (void)dmesg(text, CONSOLE_HISTORY, &index, false, true);
    hv_log(0, "first");
    n = dmesg(text, CONSOLE_HISTORY, &index, false, false);
    ck_assert_ptr_nonnull(strstr(text, "first\n"));
    ck_assert_uint_eq(dmesg(text, CONSOLE_HISTORY, &index, true, false), 0);
    hv_log(0, "second");
    ck_assert_uint_gt(dmesg(text, CONSOLE_HISTORY, &index, true, false), 0);
    ck_assert_ptr_null(strstr(text, "first"));
    ck_assert_ptr_nonnull(strstr(text, "second\n"));
    /* Nothing was cleared; a small buffer gets the beginning. */
    ck_assert_uint_gt(dmesg(text, CONSOLE_HISTORY, &index, false, false), n);
    ck_assert_uint_eq(dmesg(text, 5, &index, false, true), 5);
    n = dmesg(text, CONSOLE_HISTORY, &index, false, true);
    ck_assert_ptr_nonnull(strstr(text, "second\n"));
    ck_assert_uint_eq(dmesg(text, CONSOLE_HISTORY, &index, false, false), 0);
    /* It forgets its oldest text, and any index is survived. */
    for (unsigned i = 0; i < 2000; i++) {
        hv_log(0, "line %u of a long text, long enough to fill the ring", i);
    }
    ck_assert_uint_eq(dmesg(text, CONSOLE_HISTORY, &index, false, false), CONSOLE_HISTORY);
    ck_assert_ptr_nonnull(strstr(text, "line 1999 "));
    ck_assert_ptr_null(strstr(text, "line 1 "));
    for (uint32_t bad = 1; bad != 0; bad <<= 1) {
        index = bad;
        (void)dmesg(text, CONSOLE_HISTORY, &index, true, false);
        index = 0 - bad;
        (void)dmesg(text, CONSOLE_HISTORY, &index, true, false);
    }
    op.u.readconsole.count = UINT32_MAX;
    SET_GVA(op.u.readconsole.buffer, NOWHERE);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_readconsole, &op), -XEN_EFAULT);

    /* Keys write to it. */
    memset(&op, 0, sizeof(op));
    index = 0;
    (void)dmesg(text, CONSOLE_HISTORY, &index, false, true);
    buf_write("qrmhX", 5);
    op.u.debug_keys.nr_keys = 5;
    SET_GVA(op.u.debug_keys.keys, BUF_GPA);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_debug_keys, &op), 0);
    ck_assert_uint_gt(dmesg(text, CONSOLE_HISTORY, &index, false, false), 0);
    ck_assert_ptr_nonnull(strstr(text, "d0: "));
    op.u.debug_keys.nr_keys = UINT32_MAX;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_debug_keys, &op), -XEN_E2BIG);
    fixture_stop();
}
END_TEST

START_TEST(absent)
{
    struct xen_sysctl op = {0};

    control_setup(1);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_perfc_op, &op), -XEN_ENOSYS);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_lockprof_op, &op), -XEN_ENOSYS);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_tbuf_op, &op), -XEN_ENOSYS);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_livepatch_op, &op), -XEN_ENOSYS);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_coverage_op, &op), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_psr_cmt_op, &op), -XEN_ENODEV);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_pmstat, &op), -XEN_ENODEV);
    op.u.get_pmstat.cpuid = 64;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_pmstat, &op), -XEN_EINVAL);
    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_levelling_caps, &op), 0);
    ck_assert_uint_eq(op.u.cpu_levelling_caps.caps, 0);
    op.u.page_offline.cmd = sysctl_page_offline;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_page_offline_op, &op), -XEN_EOPNOTSUPP);
    op.u.page_offline.cmd = sysctl_query_page_offline;
    op.u.page_offline.end = UINT32_MAX;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_page_offline_op, &op), -XEN_E2BIG);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_cpu_hotplug, &op), -XEN_EINVAL);
    ck_assert_int_eq(sysctl(0, &op), -XEN_ENOSYS);
    ck_assert_int_eq(sysctl(UINT32_MAX, &op), -XEN_ENOSYS);
    fixture_stop();
}
END_TEST

START_TEST(unprivileged)
{
    struct xen_sysctl op;
    struct xen_platform_op p = {.interface_version = XENPF_INTERFACE_VERSION};
    struct domain *u;

    control_setup(1);
    u = fixture_domain(4, 1);
    for (uint32_t cmd = 0; cmd < 40; cmd++) {
        memset(&op, 0, sizeof(op));
        ck_assert_int_eq(sysctl_as(u->vcpu[0], cmd, &op), -XEN_EPERM);
    }
    u->xenstore = true; /* may look */
    for (uint32_t cmd = 0; cmd < 40; cmd++) {
        memset(&op, 0, sizeof(op));
        op.u.getdomaininfolist.max_domains = 2;
        SET_GVA(op.u.getdomaininfolist.buffer, FIXTURE_SCRATCH_GPA + PAGE_SIZE);
        ck_assert_int_eq(sysctl_as(u->vcpu[0], cmd, &op),
                         cmd == XEN_SYSCTL_getdomaininfolist ? 0 : -XEN_EPERM);
        if (cmd == XEN_SYSCTL_getdomaininfolist) {
            ck_assert_uint_eq(op.u.getdomaininfolist.num_domains, 2);
        }
    }
    u->xenstore = false;
    for (p.cmd = 0; p.cmd < 80; p.cmd++) {
        ck_assert_int_eq(guest_phys_write(u, gaddr(FIXTURE_SCRATCH_GPA), &p, sizeof(p)), 0);
        ck_assert_int_eq(fixture_hypercall(u->vcpu[0], __HYPERVISOR_platform_op,
                                           FIXTURE_SCRATCH_GPA, 0, 0, 0, 0),
                         -XEN_EPERM);
    }
    ck_assert_int_eq(fixture_hypercall(u->vcpu[0], __HYPERVISOR_physdev_op,
                                       PHYSDEVOP_pci_device_add, NOWHERE, 0, 0, 0),
                     -XEN_ENOSYS);
    ck_assert_int_eq(fixture_hypercall(dom0_vcpu, __HYPERVISOR_sysctl, NOWHERE, 0, 0, 0, 0),
                     -XEN_EFAULT);
    memset(&op, 0, sizeof(op));
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION + 1;
    buf_write(&op, sizeof(op));
    ck_assert_int_eq(fixture_hypercall(dom0_vcpu, __HYPERVISOR_sysctl, BUF_GPA, 0, 0, 0, 0),
                     -XEN_EACCES);
    ck_assert_int_eq(fixture_hypercall(dom0_vcpu, __HYPERVISOR_xsm_op, BUF_GPA, 0, 0, 0, 0),
                     -XEN_ENOSYS);
    fixture_stop();
}
END_TEST

static xen_cpuid_leaf_t *leaf_at(xen_cpuid_leaf_t *l, uint32_t n, uint32_t leaf, uint32_t subleaf)
{
    for (uint32_t i = 0; i < n; i++) {
        if (l[i].leaf == leaf && l[i].subleaf == subleaf) {
            return &l[i];
        }
    }
    ck_abort_msg("no leaf %#x.%#x", leaf, subleaf);
    return NULL;
}

/* The default policy of HVM domains, at BUF_GPA and in l. */
static uint32_t default_policy(xen_cpuid_leaf_t *l)
{
    struct xen_sysctl op = {.u.cpu_policy.index = XEN_SYSCTL_cpu_policy_hvm_default};
    struct xen_sysctl_cpu_policy *p = &op.u.cpu_policy;

    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), 0);
    ck_assert_uint_le(p->nr_leaves, 128);
    ck_assert_uint_eq(p->nr_msrs, 2);
    SET_GVA(p->leaves, BUF_GPA);
    SET_GVA(p->msrs, BUF_GPA + 65536);
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), 0);
    buf_read(l, p->nr_leaves * sizeof(l[0]));
    return p->nr_leaves;
}

START_TEST(system_policies)
{
    static xen_cpuid_leaf_t l[129];
    struct xen_sysctl op = {0};
    struct xen_sysctl_cpu_policy *p = &op.u.cpu_policy;
    uint32_t n, words[19];

    control_setup(1);
    n = default_policy(l);
    ck_assert_uint_eq(leaf_at(l, n, 0, XEN_CPUID_NO_SUBLEAF)->b, 0x68747541);
    SET_GVA(p->leaves, BUF_GPA);
    p->nr_leaves = n - 1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), -XEN_ENOBUFS);
    p->index = XEN_SYSCTL_cpu_policy_pv_max;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), -XEN_EOPNOTSUPP);
    p->index = 6;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), -XEN_EINVAL);
    p->index = 1;
    p->_rsvd = 1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), -XEN_EINVAL);

    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_featureset, &op), 0);
    ck_assert_uint_eq(op.u.cpu_featureset.nr_features, 19);
    SET_GVA(op.u.cpu_featureset.features, BUF_GPA);
    op.u.cpu_featureset.index = XEN_SYSCTL_cpu_featureset_host;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_featureset, &op), 0);
    buf_read(words, sizeof(words));
    ck_assert_uint_eq(words[1] >> 20 & 1, 1);
    op.u.cpu_featureset.nr_features = 3;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_featureset, &op), -XEN_ENOBUFS);
    ck_assert_uint_eq(op.u.cpu_featureset.nr_features, 3);
    op.u.cpu_featureset.index = 9;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_get_cpu_featureset, &op), -XEN_EINVAL);
    fixture_stop();
}
END_TEST

/* As libxc changes it: SSE4.2, the invariant TSC and FSGSBASE go; what is not there is
 * asked for and dropped. */
START_TEST(domain_policy)
{
    static xen_cpuid_leaf_t l[129];
    struct xen_domctl set = {0};
    struct xen_domctl_cpu_policy *s = &set.u.cpu_policy;
    struct vcpu *v;
    uint32_t n;
    domid_t id;

    control_setup(1);
    id = create(1);
    n = default_policy(l);
    leaf_at(l, n, 1, XEN_CPUID_NO_SUBLEAF)->c &= ~(1u << 20);
    leaf_at(l, n, 1, XEN_CPUID_NO_SUBLEAF)->c |= 1u << 28; /* AVX */
    leaf_at(l, n, 0x80000007, XEN_CPUID_NO_SUBLEAF)->d = 0;
    leaf_at(l, n, 7, 0)->b &= ~1u;
    buf_write(l, n * sizeof(l[0]));
    s->nr_leaves = n;
    SET_GVA(s->leaves, BUF_GPA);
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, id, &set), 0);
    v = domain_get(id)->vcpu[0];
    domain_put(v->domain);
    ck_assert_uint_eq(cpuid_query(v, 1, 0).ecx >> 20 & 1, 0);
    ck_assert_uint_eq(cpuid_query(v, 1, 0).ecx >> 28 & 1, 0);
    ck_assert_uint_eq(cpuid_query(v, 1, 0).ecx >> 19 & 1, 1);
    ck_assert_uint_eq(cpuid_query(v, 0x80000007, 0).edx, 0);
    ck_assert_uint_eq(cpuid_query(v, 7, 0).ebx & 1, 0);
    ck_assert_uint_eq(cpuid_cr4_valid(v->domain) >> 16 & 1, 0);
    ck_assert_uint_eq(cpuid_cr4_valid(dom0) >> 16 & 1, 1);
    s->nr_leaves = 128;
    ck_assert_int_eq(domctl(XEN_DOMCTL_get_cpu_policy, id, &set), 0);
    ck_assert_uint_eq(s->nr_leaves, n);
    buf_read(l, n * sizeof(l[0]));
    ck_assert_uint_eq(leaf_at(l, n, 7, 0)->b & 1, 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_unpausedomain, id, &set), 0);
    memset(&set, 0, sizeof(set));
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, id, &set), -XEN_EEXIST);
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, 0, &set), -XEN_EINVAL);
    destroy(id);
    fixture_stop();
}
END_TEST

/* One leaf as a policy: the error, and where it says it is. */
static void refused_leaf(domid_t id, xen_cpuid_leaf_t e, int64_t error)
{
    struct xen_domctl set = {.u.cpu_policy.nr_leaves = 1};

    buf_write(&e, sizeof(e));
    SET_GVA(set.u.cpu_policy.leaves, BUF_GPA);
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, id, &set), error);
    ck_assert_uint_eq(set.u.cpu_policy.err_leaf, e.leaf);
    ck_assert_uint_eq(set.u.cpu_policy.err_subleaf, e.subleaf);
    ck_assert_uint_eq(set.u.cpu_policy.err_msr, UINT32_MAX);
}

START_TEST(bad_policies)
{
    const uint32_t none = XEN_CPUID_NO_SUBLEAF;
    xen_msr_entry_t m = {.idx = 0xce, .val = 1u << 31};
    struct xen_domctl set = {0};
    struct xen_domctl_cpu_policy *s = &set.u.cpu_policy;
    domid_t id;

    control_setup(1);
    id = create(1);
    refused_leaf(id, (xen_cpuid_leaf_t){0x20, none, 0, 0, 0, 0}, -XEN_ERANGE);
    refused_leaf(id, (xen_cpuid_leaf_t){0x80000100, none, 0, 0, 0, 0}, -XEN_ERANGE);
    refused_leaf(id, (xen_cpuid_leaf_t){7, 9, 0, 0, 0, 0}, -XEN_ERANGE);
    refused_leaf(id, (xen_cpuid_leaf_t){1, 0, 0, 0, 0, 0}, -XEN_ERANGE);
    refused_leaf(id, (xen_cpuid_leaf_t){0, none, 0, 0, 0, 0}, -XEN_EINVAL); /* nobody's vendor */
    refused_leaf(id, (xen_cpuid_leaf_t){7, 0, 1, 0, 0, 0}, -XEN_EINVAL);
    refused_leaf(id, (xen_cpuid_leaf_t){0x80000000, none, 0x80000100, 0, 0, 0}, -XEN_EINVAL);
    s->nr_leaves = UINT32_MAX;
    SET_GVA(s->leaves, BUF_GPA);
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, id, &set), -XEN_E2BIG);
    s->nr_leaves = 0;
    s->nr_msrs = 1;
    SET_GVA(s->msrs, BUF_GPA);
    buf_write(&m, sizeof(m));
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, id, &set), -XEN_EINVAL);
    ck_assert_uint_eq(s->err_msr, 0xce);
    m = (xen_msr_entry_t){.idx = 0x10};
    buf_write(&m, sizeof(m));
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, id, &set), -XEN_ERANGE);
    m = (xen_msr_entry_t){.idx = 0xce};
    buf_write(&m, sizeof(m));
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, id, &set), 0);
    SET_GVA(s->msrs, NOWHERE);
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, id, &set), -XEN_EFAULT);
    s->nr_msrs = 3;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_cpu_policy, id, &set), -XEN_E2BIG);
    destroy(id);
    fixture_stop();
}
END_TEST

static int64_t platform(uint32_t cmd, struct xen_platform_op *op)
{
    int64_t rc;

    op->cmd = cmd;
    op->interface_version = XENPF_INTERFACE_VERSION;
    buf_write(op, sizeof(*op));
    rc = fixture_hypercall(dom0_vcpu, __HYPERVISOR_platform_op, BUF_GPA, 0, 0, 0, 0);
    buf_read(op, sizeof(*op));
    return rc;
}

START_TEST(platform_ops)
{
    struct xen_platform_op op = {0};
    struct physdev_pci_mmcfg_reserved mmcfg = {0};

    control_setup(1);
    op.u.settime64.secs = 2000000000;
    op.u.settime64.system_time = 0;
    ck_assert_int_eq(platform(XENPF_settime64, &op), 0);
    ck_assert_uint_eq(dom0->shared_info->wc_sec, 2000000000);
    ck_assert_uint_eq(dom0->shared_info->wc_nsec, 0);
    op.u.settime64.mbz = 1;
    ck_assert_int_eq(platform(XENPF_settime64, &op), -XEN_EINVAL);
    op.u.settime64.mbz = 0;
    op.u.settime64.nsecs = UINT32_MAX;
    ck_assert_int_eq(platform(XENPF_settime64, &op), -XEN_EINVAL);
    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(platform(XENPF_get_cpuinfo, &op), 0);
    ck_assert_uint_eq(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_ONLINE);
    ck_assert_uint_eq(op.u.pcpu_info.max_present, 0);
    op.u.pcpu_info.xen_cpuid = 1;
    ck_assert_int_eq(platform(XENPF_get_cpuinfo, &op), 0);
    ck_assert_uint_eq(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_INVALID);
    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(platform(XENPF_get_cpu_version, &op), 0);
    ck_assert_mem_eq(op.u.pcpu_version.vendor_id, "AuthenticAMD", 12);
    ck_assert_uint_eq(op.u.pcpu_version.family, 0x17);
    memset(&op, 0, sizeof(op));
    for (uint32_t type = XEN_FW_DISK_INFO; type <= XEN_FW_VBEDDC_INFO; type++) {
        op.u.firmware_info.type = type;
        ck_assert_int_eq(platform(XENPF_firmware_info, &op), -XEN_ESRCH);
    }
    op.u.firmware_info.type = XEN_FW_EFI_INFO;
    ck_assert_int_eq(platform(XENPF_firmware_info, &op), -XEN_ENOSYS);
    op.u.firmware_info.type = XEN_FW_KBD_SHIFT_FLAGS;
    ck_assert_int_eq(platform(XENPF_firmware_info, &op), 0);
    op.u.firmware_info.type = 99;
    ck_assert_int_eq(platform(XENPF_firmware_info, &op), -XEN_EINVAL);
    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(platform(XENPF_cpu_online, &op), 0);
    ck_assert_int_eq(platform(XENPF_cpu_offline, &op), -XEN_EOPNOTSUPP);
    op.u.cpu_ol.cpuid = 7;
    ck_assert_int_eq(platform(XENPF_cpu_online, &op), -XEN_EINVAL);
    ck_assert_int_eq(platform(XENPF_microcode_update, &op), -XEN_ENODEV);
    ck_assert_int_eq(platform(64, &op), -XEN_ENOSYS); /* newer than 4.17 */
    op.interface_version = 1;
    buf_write(&op, sizeof(op));
    ck_assert_int_eq(fixture_hypercall(dom0_vcpu, __HYPERVISOR_platform_op, BUF_GPA, 0, 0, 0, 0),
                     -XEN_EACCES);
    ck_assert_int_eq(fixture_hypercall(dom0_vcpu, __HYPERVISOR_platform_op, NOWHERE, 0, 0, 0, 0),
                     -XEN_EFAULT);
    ck_assert_int_eq(fixture_op(dom0_vcpu, __HYPERVISOR_physdev_op, PHYSDEVOP_pci_mmcfg_reserved,
                                &mmcfg, sizeof(mmcfg)),
                     -XEN_ENODEV);
    ck_assert_int_eq(fixture_hypercall(dom0_vcpu, __HYPERVISOR_physdev_op, PHYSDEVOP_pci_device_add,
                                       NOWHERE, 0, 0, 0),
                     -XEN_EFAULT);
    ck_assert_int_eq(
        fixture_hypercall(dom0_vcpu, __HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, BUF_GPA, 0, 0, 0),
        -XEN_ENOSYS);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sysctl");
    TCase *t = tcase_create("sysctl");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, machine);
    tcase_add_test(t, nodes_and_time);
    tcase_add_test(t, domains);
    tcase_add_test(t, pools_and_scheduler);
    tcase_add_test(t, console);
    tcase_add_test(t, absent);
    tcase_add_test(t, unprivileged);
    tcase_add_test(t, system_policies);
    tcase_add_test(t, domain_policy);
    tcase_add_test(t, bad_policies);
    tcase_add_test(t, platform_ops);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
