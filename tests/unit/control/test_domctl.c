/* domctl: life cycle, settings, and who may ask. */
#include "tests/unit/control/control_calls.h"

struct domain *dom0;
struct vcpu *dom0_vcpu;

static struct domain *found(domid_t id)
{
    struct domain *d = domain_get(id);

    ck_assert_ptr_nonnull(d);
    domain_put(d);
    return d;
}

static void populate_by_hypercall(domid_t id, uint64_t first, unsigned count)
{
    xen_pfn_t list[64];
    struct xen_memory_reservation r = {.nr_extents = count, .domid = id};

    ck_assert_uint_le(count, 64);
    for (unsigned i = 0; i < count; i++) {
        list[i] = first + i;
    }
    buf_write(list, sizeof(list));
    SET_GVA(r.extent_start, BUF_GPA);
    ck_assert_int_eq(
        fixture_op(dom0_vcpu, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &r, sizeof(r)),
        count);
}

START_TEST(life_cycle)
{
    struct xen_domctl op = {0};
    struct xen_domctl_getdomaininfo *info = &op.u.getdomaininfo;
    uint64_t before;
    domid_t id;

    control_setup(2);
    fixture_populate(dom0, FIXTURE_SCRATCH_GPA >> PAGE_SHIFT, FIXTURE_SCRATCH_PAGES);
    before = free_page_count() + hv->hyp_pages;
    id = create(3);
    ck_assert_uint_eq(id, 1);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, id, &op), 0);
    ck_assert_uint_eq(info->domain, id);
    ck_assert_uint_eq(info->flags,
                      0xffff0000u | XEN_DOMINF_paused | XEN_DOMINF_hvm_guest | XEN_DOMINF_hap);
    ck_assert_uint_eq(info->nr_online_vcpus, 0);
    ck_assert_uint_eq(info->max_vcpu_id, 2);
    ck_assert_uint_eq(info->max_pages, 2048);
    ck_assert_uint_eq(info->tot_pages, 0);
    ck_assert_uint_eq(info->handle[0], 0xc0);
    ck_assert_uint_eq(info->arch_config.emulation_flags, XEN_X86_EMU_LAPIC);
    ck_assert_uint_eq(info->gpaddr_bits, 48);
    populate_by_hypercall(id, 0, 64);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, id, &op), 0);
    ck_assert_uint_eq(info->tot_pages, 64);
    /* A second max_vcpus has nothing left to do. */
    op.u.max_vcpus.max = 3;
    ck_assert_int_eq(domctl(XEN_DOMCTL_max_vcpus, id, &op), 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_unpausedomain, id, &op), 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, id, &op), 0);
    ck_assert_uint_eq(info->flags & XEN_DOMINF_paused, 0);
    this_cpu()->preempt_every = 1; /* destruction in the smallest steps */
    destroy(id);
    this_cpu()->preempt_every = 0;
    ck_assert_uint_eq(free_page_count() + hv->hyp_pages, before);
    fixture_stop();
}
END_TEST

START_TEST(numbers)
{
    struct xen_domctl op = {.u.createdomain = pvh_config(1)};
    domid_t a, b;

    control_setup(1);
    /* Reserved numbers ask for any; a number that is taken is refused. */
    ck_assert_int_eq(domctl(XEN_DOMCTL_createdomain, DOMID_FIRST_RESERVED, &op), 0);
    a = op.domain;
    ck_assert_int_eq(domctl(XEN_DOMCTL_createdomain, a, &op), -XEN_EEXIST);
    ck_assert_int_eq(domctl(XEN_DOMCTL_createdomain, 77, &op), 0);
    ck_assert_uint_eq(op.domain, 77);
    destroy(a);
    ck_assert_int_eq(domctl(XEN_DOMCTL_createdomain, 0, &op), 0);
    b = op.domain;
    ck_assert_uint_ne(b, a); /* numbers are not reused at once */
    /* getdomaininfo finds the next one. */
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, b + 1, &op), 0);
    ck_assert_uint_eq(op.domain, 77);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, 78, &op), -XEN_ESRCH);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, DOMID_FIRST_RESERVED, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_pausedomain, 78, &op), -XEN_ESRCH);
    destroy(b);
    destroy(77);
    fixture_stop();
}
END_TEST

START_TEST(refused_configurations)
{
    struct xen_domctl op;
    struct xen_domctl_createdomain *c = &op.u.createdomain;

    control_setup(1);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        op.u.createdomain = pvh_config(1);                                                         \
        change;                                                                                    \
        ck_assert_int_eq(domctl(XEN_DOMCTL_createdomain, 0, &op), -XEN_EINVAL);                    \
    } while (0)
    REFUSED(c->flags = 0);
    REFUSED(c->flags |= 1u << 31);
    REFUSED(c->flags |= XEN_DOMCTL_CDF_iommu);
    REFUSED(c->max_vcpus = 0);
    REFUSED(c->max_vcpus = UINT32_MAX);
    REFUSED(c->grant_opts = 0x10);
    REFUSED(c->grant_opts = 0);
    REFUSED(c->grant_opts = XEN_DOMCTL_GRANT_version(3));
    REFUSED(c->cpupool_id = 5);
    REFUSED(c->vmtrace_size = 4096);
    REFUSED(c->arch.emulation_flags = 0);
    REFUSED(c->arch.emulation_flags = XEN_X86_EMU_LAPIC | XEN_X86_EMU_VPCI);
    REFUSED(c->arch.misc_flags = 2);
    fixture_stop();
}
END_TEST

START_TEST(pausing)
{
    struct xen_domctl op = {0};
    domid_t id;

    control_setup(1);
    id = create(1);
    for (unsigned i = 1; i < 255; i++) {
        ck_assert_int_eq(domctl(XEN_DOMCTL_pausedomain, id, &op), 0);
    }
    ck_assert_int_eq(domctl(XEN_DOMCTL_pausedomain, id, &op), -XEN_EOVERFLOW);
    for (unsigned i = 0; i < 255; i++) {
        ck_assert_int_eq(domctl(XEN_DOMCTL_unpausedomain, id, &op), 0);
    }
    ck_assert_int_eq(domctl(XEN_DOMCTL_unpausedomain, id, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_pausedomain, 0, &op), -XEN_EINVAL); /* itself */
    /* Shut down and taken back. */
    domain_shutdown(found(id), SHUTDOWN_suspend);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, id, &op), 0);
    ck_assert_uint_eq(op.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift, SHUTDOWN_suspend);
    ck_assert_uint_ne(op.u.getdomaininfo.flags & XEN_DOMINF_shutdown, 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_resumedomain, id, &op), 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, id, &op), 0);
    ck_assert_uint_eq(op.u.getdomaininfo.flags & XEN_DOMINF_shutdown, 0);
    ck_assert_uint_eq(op.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift, 0xffff);
    ck_assert_int_eq(domctl(XEN_DOMCTL_resumedomain, id, &op), 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_resumedomain, 0, &op), -XEN_EINVAL);
    destroy(id);
    fixture_stop();
}
END_TEST

START_TEST(vcpus)
{
    struct xen_domctl op = {.u.createdomain = pvh_config(2)};
    domid_t id;

    control_setup(1);
    ck_assert_int_eq(domctl(XEN_DOMCTL_createdomain, 0, &op), 0);
    id = op.domain;
    op.u.getvcpuinfo.vcpu = 0;
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpuinfo, id, &op), -XEN_ESRCH);
    op.u.max_vcpus.max = 3;
    ck_assert_int_eq(domctl(XEN_DOMCTL_max_vcpus, id, &op), -XEN_EINVAL);
    op.u.max_vcpus.max = 2;
    this_cpu()->preempt_every = 1;
    ck_assert_int_eq(domctl(XEN_DOMCTL_max_vcpus, id, &op), 0);
    this_cpu()->preempt_every = 0;
    op.u.max_vcpus.max = 1;
    ck_assert_int_eq(domctl(XEN_DOMCTL_max_vcpus, 0, &op), -XEN_EINVAL);
    op.u.getvcpuinfo.vcpu = 1;
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpuinfo, id, &op), 0);
    ck_assert_uint_eq(op.u.getvcpuinfo.online, 0);
    ck_assert_uint_eq(op.u.getvcpuinfo.running, 0);
    ck_assert_uint_eq(op.u.getvcpuinfo.cpu_time, 0);
    op.u.getvcpuinfo.vcpu = 2;
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpuinfo, id, &op), -XEN_EINVAL);
    op.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_NMI;
    op.u.sendtrigger.vcpu = 1;
    ck_assert_int_eq(domctl(XEN_DOMCTL_sendtrigger, id, &op), 0);
    op.u.sendtrigger.vcpu = 2;
    ck_assert_int_eq(domctl(XEN_DOMCTL_sendtrigger, id, &op), -XEN_ESRCH);
    destroy(id);
    fixture_stop();
}
END_TEST

/* Sets the maps of vCPU 0 from the first byte of each half of the buffer. */
static int64_t affinity(uint32_t cmd, domid_t id, uint32_t flags, uint32_t bits, uint8_t hard,
                        uint8_t soft)
{
    struct xen_domctl op = {0};
    uint8_t maps[128];

    memset(maps, 0xaa, sizeof(maps));
    memset(maps, 0, 16);
    memset(maps + 64, 0, 16);
    maps[0] = hard;
    maps[64] = soft;
    buf_write(maps, sizeof(maps));
    op.u.vcpuaffinity.flags = flags;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = bits;
    op.u.vcpuaffinity.cpumap_soft.nr_bits = bits;
    SET_GVA(op.u.vcpuaffinity.cpumap_hard.bitmap, BUF_GPA);
    SET_GVA(op.u.vcpuaffinity.cpumap_soft.bitmap, BUF_GPA + 64);
    return domctl(cmd, id, &op);
}

START_TEST(affinities)
{
    const uint32_t both = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
    struct xen_domctl op = {0};
    uint8_t *map;
    domid_t id;

    control_setup(4);
    for (unsigned i = 1; i < 4; i++) {
        world_on_cpu(i);
        cpu_online(i);
    }
    world_on_cpu(0);
    id = create(1);
    map = buf();
    ck_assert_int_eq(affinity(XEN_DOMCTL_setvcpuaffinity, id, both, 64, 0x0e, 0x05), 0);
    ck_assert_uint_eq(map[0], 0x0e);
    ck_assert_uint_eq(map[64], 0x04); /* effective: within hard */
    ck_assert_uint_eq(map[7], 0);
    ck_assert_uint_eq(map[8], 0);
    ck_assert_int_eq(affinity(XEN_DOMCTL_getvcpuaffinity, id, both, 400, 0, 0), 0);
    ck_assert_uint_eq(map[0], 0x0e);
    ck_assert_uint_eq(map[64], 0x05); /* as set */
    ck_assert_uint_eq(map[49], 0);    /* zero up to its size, untouched beyond */
    ck_assert_uint_eq(map[50], 0xaa);
    /* Maps of a few bits: the rest of the byte does not count. */
    ck_assert_int_eq(affinity(XEN_DOMCTL_setvcpuaffinity, id, XEN_VCPUAFFINITY_HARD, 2, 0xff, 0),
                     0);
    ck_assert_uint_eq(map[0], 0x03);
    ck_assert_int_eq(affinity(XEN_DOMCTL_getvcpuaffinity, id, both, 0, 9, 9), 0);
    ck_assert_uint_eq(map[0], 9);
    /* No online CPU, no flags, no map, no such vCPU, too long: nothing changes. */
    ck_assert_int_eq(affinity(XEN_DOMCTL_setvcpuaffinity, id, both, 64, 0xf0, 0xff), -XEN_EINVAL);
    ck_assert_int_eq(affinity(XEN_DOMCTL_setvcpuaffinity, id, 0, 64, 1, 1), -XEN_EINVAL);
    ck_assert_int_eq(affinity(XEN_DOMCTL_setvcpuaffinity, id, both, UINT32_MAX, 1, 1), -XEN_E2BIG);
    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    ck_assert_int_eq(domctl(XEN_DOMCTL_setvcpuaffinity, id, &op), -XEN_EINVAL);
    SET_GVA(op.u.vcpuaffinity.cpumap_hard.bitmap, NOWHERE);
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    ck_assert_int_eq(domctl(XEN_DOMCTL_setvcpuaffinity, id, &op), -XEN_EFAULT);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpuaffinity, id, &op), -XEN_EFAULT);
    op.u.vcpuaffinity.vcpu = 1;
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpuaffinity, id, &op), -XEN_EINVAL);
    ck_assert_int_eq(affinity(XEN_DOMCTL_getvcpuaffinity, id, both, 8, 0, 0), 0);
    ck_assert_uint_eq(map[0], 0x03);
    /* A vCPU that pinned itself is left alone, unless forced. */
    ck_assert_int_eq(sched_pin_override(found(id)->vcpu[0], 1), 0);
    ck_assert_int_eq(affinity(XEN_DOMCTL_setvcpuaffinity, id, both, 8, 4, 4), -XEN_EBUSY);
    ck_assert_int_eq(
        affinity(XEN_DOMCTL_setvcpuaffinity, id, both | XEN_VCPUAFFINITY_FORCE, 8, 4, 4), 0);
    destroy(id);
    fixture_stop();
}
END_TEST

START_TEST(nodes_and_scheduler)
{
    struct xen_domctl op = {0};
    struct xen_domctl_scheduler_op *s = &op.u.scheduler_op;
    uint64_t nodes = 1;
    domid_t id;

    control_setup(1);
    id = create(1);
    buf_write(&nodes, 8);
    op.u.nodeaffinity.nodemap.nr_bits = 64;
    SET_GVA(op.u.nodeaffinity.nodemap.bitmap, BUF_GPA);
    ck_assert_int_eq(domctl(XEN_DOMCTL_setnodeaffinity, id, &op), 0);
    nodes = 6; /* nodes that do not exist */
    buf_write(&nodes, 8);
    ck_assert_int_eq(domctl(XEN_DOMCTL_setnodeaffinity, id, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getnodeaffinity, id, &op), 0);
    buf_read(&nodes, 8);
    ck_assert_uint_eq(nodes, 1);

    memset(&op, 0, sizeof(op));
    s->sched_id = XEN_SCHEDULER_CREDIT;
    s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    ck_assert_int_eq(domctl(XEN_DOMCTL_scheduler_op, id, &op), 0);
    ck_assert_uint_eq(s->u.credit.weight, 256);
    ck_assert_uint_eq(s->u.credit.cap, 0);
    s->cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    s->u.credit.weight = 0; /* unchanged */
    s->u.credit.cap = 50;
    ck_assert_int_eq(domctl(XEN_DOMCTL_scheduler_op, id, &op), 0);
    s->u.credit.weight = 512;
    s->u.credit.cap = UINT16_MAX; /* unchanged */
    ck_assert_int_eq(domctl(XEN_DOMCTL_scheduler_op, id, &op), 0);
    s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    ck_assert_int_eq(domctl(XEN_DOMCTL_scheduler_op, id, &op), 0);
    ck_assert_uint_eq(s->u.credit.weight, 512);
    ck_assert_uint_eq(s->u.credit.cap, 50);
    s->cmd = XEN_DOMCTL_SCHEDOP_getvcpuinfo;
    ck_assert_int_eq(domctl(XEN_DOMCTL_scheduler_op, id, &op), -XEN_EINVAL);
    s->cmd = 9;
    ck_assert_int_eq(domctl(XEN_DOMCTL_scheduler_op, id, &op), -XEN_EINVAL);
    s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    s->sched_id = XEN_SCHEDULER_CREDIT2;
    ck_assert_int_eq(domctl(XEN_DOMCTL_scheduler_op, id, &op), -XEN_EINVAL);
    destroy(id);
    fixture_stop();
}
END_TEST

START_TEST(memory)
{
    struct xen_domctl op = {0};
    xen_pfn_t frames[3] = {0, 5, 0xfffffffffffull};
    domid_t id;

    control_setup(1);
    id = create(1);
    ck_assert_int_eq(domctl(XEN_DOMCTL_get_paging_mempool_size, id, &op), 0);
    ck_assert_uint_ne(op.u.paging_mempool.size, 0);
    op.u.paging_mempool.size = 5 << 20;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_paging_mempool_size, id, &op), 0);
    op.u.paging_mempool.size = 0;
    ck_assert_int_eq(domctl(XEN_DOMCTL_get_paging_mempool_size, id, &op), 0);
    ck_assert_uint_eq(op.u.paging_mempool.size, 5 << 20);
    op.u.paging_mempool.size = 4097;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_paging_mempool_size, id, &op), -XEN_EINVAL);
    op.u.paging_mempool.size = UINT64_C(1) << 50;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_paging_mempool_size, id, &op), -XEN_EINVAL);
    op.u.paging_mempool.size = 0; /* less than is in use */
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_paging_mempool_size, id, &op), -XEN_ENOMEM);

    memset(&op, 0, sizeof(op));
    op.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION;
    ck_assert_int_eq(domctl(XEN_DOMCTL_shadow_op, id, &op), 0);
    ck_assert_uint_eq(op.u.shadow_op.mb, 5);
    op.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION;
    op.u.shadow_op.mb = 7;
    ck_assert_int_eq(domctl(XEN_DOMCTL_shadow_op, id, &op), 0);
    op.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_PEEK;
    ck_assert_int_eq(domctl(XEN_DOMCTL_shadow_op, id, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_shadow_op, 0, &op), -XEN_EINVAL);

    populate_by_hypercall(id, 0, 2);
    memset(&op, 0, sizeof(op));
    buf_write(frames, sizeof(frames));
    op.u.getpageframeinfo3.num = 3;
    SET_GVA(op.u.getpageframeinfo3.array, BUF_GPA);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getpageframeinfo3, id, &op), 0);
    buf_read(frames, sizeof(frames));
    ck_assert_uint_eq(frames[0], XEN_DOMCTL_PFINFO_NOTAB);
    ck_assert_uint_eq(frames[1], XEN_DOMCTL_PFINFO_XTAB);
    ck_assert_uint_eq(frames[2], XEN_DOMCTL_PFINFO_XTAB);
    op.u.getpageframeinfo3.num = 1025;
    ck_assert_int_eq(domctl(XEN_DOMCTL_getpageframeinfo3, id, &op), -XEN_E2BIG);
    op.u.getpageframeinfo3.num = 1;
    SET_GVA(op.u.getpageframeinfo3.array, NOWHERE);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getpageframeinfo3, id, &op), -XEN_EFAULT);

    memset(&op, 0, sizeof(op));
    op.u.max_mem.max_memkb = UINT64_MAX;
    ck_assert_int_eq(domctl(XEN_DOMCTL_max_mem, id, &op), 0);
    ck_assert_uint_eq(found(id)->max_pages, UINT32_MAX);
    op.u.max_mem.max_memkb = 4; /* less than it has: no more from now on */
    ck_assert_int_eq(domctl(XEN_DOMCTL_max_mem, id, &op), 0);
    ck_assert_uint_eq(found(id)->tot_pages, 2);
    destroy(id);
    fixture_stop();
}
END_TEST

START_TEST(settings)
{
    struct xen_domctl op = {0};
    domid_t id;

    control_setup(1);
    id = create(1);
    ck_assert_int_eq(domctl(XEN_DOMCTL_get_address_size, id, &op), 0);
    ck_assert_uint_eq(op.u.address_size.size, 64);
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_address_size, id, &op), -XEN_EOPNOTSUPP);
    memset(op.u.setdomainhandle.handle, 0x5a, sizeof(op.u.setdomainhandle.handle));
    ck_assert_int_eq(domctl(XEN_DOMCTL_setdomainhandle, id, &op), 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, id, &op), 0);
    ck_assert_uint_eq(op.u.getdomaininfo.handle[15], 0x5a);

    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(domctl(XEN_DOMCTL_settscinfo, id, &op), 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_gettscinfo, id, &op), 0);
    ck_assert_uint_eq(op.u.tsc_info.incarnation, 1);
    ck_assert_uint_eq(op.u.tsc_info.gtsc_khz, port_tsc_khz());
    op.u.tsc_info.tsc_mode = 3; /* gone since Xen 4.13 */
    ck_assert_int_eq(domctl(XEN_DOMCTL_settscinfo, id, &op), -XEN_EINVAL);
    op.u.tsc_info.tsc_mode = UINT32_MAX;
    ck_assert_int_eq(domctl(XEN_DOMCTL_settscinfo, id, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_settscinfo, 0, &op), -XEN_EINVAL);

    uint32_t sec = found(id)->shared_info->wc_sec;
    op.u.settimeoffset.time_offset_seconds = -100;
    ck_assert_int_eq(domctl(XEN_DOMCTL_settimeoffset, id, &op), 0);
    ck_assert_uint_eq(found(id)->shared_info->wc_sec, sec - 100);

    populate_by_hypercall(id, 7, 1);
    op.u.hypercall_init.gmfn = 7;
    ck_assert_int_eq(domctl(XEN_DOMCTL_hypercall_init, id, &op), 0);
    ck_assert_uint_eq(*(uint8_t *)fixture_guest(found(id), 0x7000 + 32), 0xb8);
    op.u.hypercall_init.gmfn = 8;
    ck_assert_int_eq(domctl(XEN_DOMCTL_hypercall_init, id, &op), -XEN_EINVAL);

    /* VIRQs: global ones go to who was named, while it lives. */
    op.u.set_virq_handler.virq = VIRQ_DOM_EXC;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_virq_handler, id, &op), 0);
    struct domain *h = evtchn_virq_handler(VIRQ_DOM_EXC);
    ck_assert_uint_eq(h->id, id);
    domain_put(h);
    op.u.set_virq_handler.virq = VIRQ_TIMER;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_virq_handler, id, &op), -XEN_EINVAL);
    op.u.set_virq_handler.virq = NR_VIRQS;
    ck_assert_int_eq(domctl(XEN_DOMCTL_set_virq_handler, id, &op), -XEN_EINVAL);
    destroy(id);
    h = evtchn_virq_handler(VIRQ_DOM_EXC);
    ck_assert_uint_eq(h->id, 0);
    domain_put(h);
    fixture_stop();
}
END_TEST

START_TEST(devices)
{
    struct xen_domctl op = {0};
    domid_t id;

    control_setup(1);
    id = create(1);
    ck_assert_int_eq(domctl(XEN_DOMCTL_irq_permission, id, &op), -XEN_EPERM);
    op.u.irq_permission.pirq = UINT32_MAX;
    ck_assert_int_eq(domctl(XEN_DOMCTL_irq_permission, id, &op), -XEN_EINVAL);
    memset(&op, 0, sizeof(op));
    op.u.iomem_permission.first_mfn = 0xa0;
    ck_assert_int_eq(domctl(XEN_DOMCTL_iomem_permission, id, &op), -XEN_EINVAL);
    op.u.iomem_permission.nr_mfns = 32;
    ck_assert_int_eq(domctl(XEN_DOMCTL_iomem_permission, id, &op), -XEN_EPERM);
    op.u.iomem_permission.nr_mfns = UINT64_MAX;
    ck_assert_int_eq(domctl(XEN_DOMCTL_iomem_permission, id, &op), -XEN_EINVAL);
    memset(&op, 0, sizeof(op));
    op.u.ioport_permission.first_port = 0x60;
    op.u.ioport_permission.nr_ports = 1;
    ck_assert_int_eq(domctl(XEN_DOMCTL_ioport_permission, id, &op), -XEN_EPERM);
    op.u.ioport_permission.nr_ports = UINT32_MAX;
    ck_assert_int_eq(domctl(XEN_DOMCTL_ioport_permission, id, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_assign_device, id, &op), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(domctl(XEN_DOMCTL_test_assign_device, DOMID_INVALID, &op), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(domctl(XEN_DOMCTL_vm_event_op, DOMID_INVALID, &op), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(domctl(XEN_DOMCTL_cacheflush, id, &op), -XEN_ENOSYS);
    ck_assert_int_eq(domctl(XEN_DOMCTL_soft_reset, id, &op), -XEN_EOPNOTSUPP);
    ck_assert_int_eq(domctl(0, id, &op), -XEN_ENOSYS);
    ck_assert_int_eq(domctl(UINT32_MAX, id, &op), -XEN_ENOSYS);
    destroy(id);
    fixture_stop();
}
END_TEST

/* Whatever the operation: a domain without privilege is told so, and nothing moves. */
START_TEST(unprivileged)
{
    struct domain *u;
    struct xen_domctl op;

    control_setup(1);
    u = fixture_domain(4, 1);
    for (uint32_t cmd = 0; cmd <= 1004; cmd = cmd == 100 ? 1000 : cmd + 1) {
        for (domid_t id = 0; id <= u->id; id += u->id) {
            memset(&op, 0, sizeof(op));
            ck_assert_int_eq(domctl_as(u->vcpu[0], cmd, id, &op), -XEN_EPERM);
        }
    }
    ck_assert_uint_eq(hv->domain_count, 2);
    ck_assert_uint_eq(u->pause_count, 0);
    /* The domain that serves xenstore may look, no more. */
    u->xenstore = true;
    for (uint32_t cmd = 1; cmd <= 100; cmd++) {
        int64_t want = cmd == XEN_DOMCTL_getdomaininfo ? 0 : -XEN_EPERM;

        memset(&op, 0, sizeof(op));
        ck_assert_int_eq(domctl_as(u->vcpu[0], cmd, 0, &op), want);
    }
    memset(&op, 0, sizeof(op));
    ck_assert_int_eq(domctl_as(u->vcpu[0], XEN_DOMCTL_getdomaininfo, u->id + 1, &op), -XEN_ESRCH);
    u->xenstore = false;
    ck_assert_int_eq(domctl_as(u->vcpu[0], XEN_DOMCTL_getdomaininfo, u->id + 1, &op), -XEN_EPERM);
    fixture_stop();
}
END_TEST

START_TEST(wrong_headers)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_pausedomain};
    uint64_t at = FIXTURE_SCRATCH_GPA;

    control_setup(1);
    ck_assert_int_eq(fixture_hypercall(dom0_vcpu, __HYPERVISOR_domctl, NOWHERE, 0, 0, 0, 0),
                     -XEN_EFAULT);
    fixture_populate(dom0, at >> PAGE_SHIFT, FIXTURE_SCRATCH_PAGES);
    for (uint32_t version = XEN_DOMCTL_INTERFACE_VERSION - 1;
         version <= XEN_DOMCTL_INTERFACE_VERSION + 1; version += 2) {
        op.interface_version = version;
        ck_assert_int_eq(guest_phys_write(dom0, gaddr(at), &op, sizeof(op)), 0);
        ck_assert_int_eq(fixture_hypercall(dom0_vcpu, __HYPERVISOR_domctl, at, 0, 0, 0, 0),
                         -XEN_EACCES);
    }
    /* The structure's end does not exist. */
    at += FIXTURE_SCRATCH_PAGES * PAGE_SIZE - sizeof(op) + 1;
    ck_assert_int_eq(fixture_hypercall(dom0_vcpu, __HYPERVISOR_domctl, at, 0, 0, 0, 0),
                     -XEN_EFAULT);
    fixture_stop();
}
END_TEST

/* Two control operations on one domain take turns. */
START_TEST(claimed)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_pausedomain,
                            .interface_version = XEN_DOMCTL_INTERFACE_VERSION};
    uint64_t args[6] = {FIXTURE_SCRATCH_GPA};
    domid_t id;

    control_setup(1);
    id = create(1);
    op.domain = id;
    ck_assert_int_eq(guest_phys_write(dom0, gaddr(args[0]), &op, sizeof(op)), 0);
    found(id)->control_claim = 1;
    ck_assert_int_eq(hypercall(dom0_vcpu, __HYPERVISOR_domctl, args), HYPERCALL_RESTART);
    ck_assert_uint_eq(args[0], FIXTURE_SCRATCH_GPA);
    ck_assert_uint_eq(found(id)->pause_count, 1);
    found(id)->control_claim = 0;
    ck_assert_int_eq(hypercall(dom0_vcpu, __HYPERVISOR_domctl, args), 0);
    ck_assert_uint_eq(found(id)->pause_count, 2);
    destroy(id);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("domctl");
    TCase *t = tcase_create("domctl");

    tcase_add_test(t, life_cycle);
    tcase_add_test(t, numbers);
    tcase_add_test(t, refused_configurations);
    tcase_add_test(t, pausing);
    tcase_add_test(t, vcpus);
    tcase_add_test(t, affinities);
    tcase_add_test(t, nodes_and_scheduler);
    tcase_add_test(t, memory);
    tcase_add_test(t, settings);
    tcase_add_test(t, devices);
    tcase_add_test(t, unprivileged);
    tcase_add_test(t, wrong_headers);
    tcase_add_test(t, claimed);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
