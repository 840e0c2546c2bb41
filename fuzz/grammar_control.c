/* Control operations: <xen/domctl.h>, <xen/sysctl.h>, <xen/platform.h>. */
#include "fuzz/grammar_table.h"

#include <xen/domctl.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#define DOM S(dc_t, domain, K_DOMID, 0)
#define D(m, kind, arg) S(dc_t, u.m, kind, arg)
#define DOMCTL(name, ...)                                                                          \
    {                                                                                              \
        "domctl_" #name, OP_CALL, SUB_DOMCTL, 0, __HYPERVISOR_domctl, XEN_DOMCTL_##name,           \
            sizeof(dc_t), false, G_CONTROL,                                                        \
        {                                                                                          \
            DOM, __VA_ARGS__                                                                       \
        }                                                                                          \
    }
#define DOMCTL0(name)                                                                              \
    {                                                                                              \
        "domctl_" #name, OP_CALL, SUB_DOMCTL, 0, __HYPERVISOR_domctl, XEN_DOMCTL_##name,           \
            sizeof(dc_t), false, G_CONTROL,                                                        \
        {                                                                                          \
            DOM                                                                                    \
        }                                                                                          \
    }
#define Y(m, kind, arg) S(sc_t, u.m, kind, arg)
#define SYSCTL(name, ...)                                                                          \
    {                                                                                              \
        "sysctl_" #name, OP_CALL, SUB_SYSCTL, 0, __HYPERVISOR_sysctl, XEN_SYSCTL_##name,           \
            sizeof(sc_t), false, G_CONTROL,                                                        \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define P(m, kind, arg) S(po_t, u.m, kind, arg)
#define PLATFORM(name, ...)                                                                        \
    {                                                                                              \
        "platform_" #name, OP_CALL, SUB_PLATFORM, 0, __HYPERVISOR_platform_op, XENPF_##name,       \
            sizeof(po_t), false, G_CONTROL,                                                        \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

typedef struct xen_domctl dc_t;
typedef struct xen_sysctl sc_t;
typedef struct xen_platform_op po_t;

static const uint64_t shadow_ops[] = {XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION,
                                      XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION,
                                      XEN_DOMCTL_SHADOW_OP_OFF,
                                      XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY,
                                      XEN_DOMCTL_SHADOW_OP_ENABLE,
                                      XEN_DOMCTL_SHADOW_OP_PEEK,
                                      XEN_DOMCTL_SHADOW_OP_CLEAN};
static const uint64_t cdf[] = {XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
                               XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_xs_domain,
                               XEN_DOMCTL_CDF_hvm, 0, 0xffff};
static const uint64_t emus[] = {XEN_X86_EMU_LAPIC, XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC, 0,
                                0xfff};
static const uint64_t triggers[] = {XEN_DOMCTL_SENDTRIGGER_NMI,   XEN_DOMCTL_SENDTRIGGER_RESET,
                                    XEN_DOMCTL_SENDTRIGGER_INIT,  XEN_DOMCTL_SENDTRIGGER_POWER,
                                    XEN_DOMCTL_SENDTRIGGER_SLEEP, 9};

static const struct op_desc domctls[] = {
    DOMCTL(createdomain, S(dc_t, u.createdomain.max_vcpus, K_INT, 4),
           S(dc_t, u.createdomain.max_evtchn_port, K_WORD, 0),
           S(dc_t, u.createdomain.max_grant_frames, K_INT, 8),
           S(dc_t, u.createdomain.max_maptrack_frames, K_INT, 8),
           S(dc_t, u.createdomain.grant_opts, K_INT, 3), E(dc_t, u.createdomain.flags, cdf),
           E(dc_t, u.createdomain.arch.emulation_flags, emus)),
    DOMCTL0(destroydomain),
    DOMCTL0(pausedomain),
    DOMCTL0(unpausedomain),
    DOMCTL0(getdomaininfo),
    DOMCTL0(resumedomain),
    DOMCTL(setdomainhandle, D(setdomainhandle.handle, K_NONE, 0)),
    DOMCTL(max_vcpus, D(max_vcpus.max, K_INT, 5)),
    DOMCTL(getvcpuinfo, D(getvcpuinfo.vcpu, K_VCPU, 0)),
    DOMCTL(setvcpuaffinity, D(vcpuaffinity.vcpu, K_VCPU, 0), D(vcpuaffinity.flags, K_FLAGS, 7),
           D(vcpuaffinity.cpumap_hard.bitmap, K_GVA, 0),
           D(vcpuaffinity.cpumap_hard.nr_bits, K_INT, 80),
           D(vcpuaffinity.cpumap_soft.bitmap, K_GVA, 0),
           D(vcpuaffinity.cpumap_soft.nr_bits, K_INT, 80)),
    DOMCTL(getvcpuaffinity, D(vcpuaffinity.vcpu, K_VCPU, 0), D(vcpuaffinity.flags, K_FLAGS, 7),
           D(vcpuaffinity.cpumap_hard.bitmap, K_GVA, 0),
           D(vcpuaffinity.cpumap_hard.nr_bits, K_INT, 80),
           D(vcpuaffinity.cpumap_soft.bitmap, K_GVA, 0),
           D(vcpuaffinity.cpumap_soft.nr_bits, K_INT, 80)),
    DOMCTL(setnodeaffinity, D(nodeaffinity.nodemap.bitmap, K_GVA, 0),
           D(nodeaffinity.nodemap.nr_bits, K_INT, 80)),
    DOMCTL(getnodeaffinity, D(nodeaffinity.nodemap.bitmap, K_GVA, 0),
           D(nodeaffinity.nodemap.nr_bits, K_INT, 80)),
    DOMCTL(scheduler_op, D(scheduler_op.sched_id, K_INT, 8), D(scheduler_op.cmd, K_INT, 5),
           D(scheduler_op.u.credit.weight, K_INT, 1024), D(scheduler_op.u.credit.cap, K_INT, 300)),
    DOMCTL(max_mem, D(max_mem.max_memkb, K_INT, 1024)),
    DOMCTL(get_paging_mempool_size, D(paging_mempool.size, K_INT, 1)),
    DOMCTL(set_paging_mempool_size, D(paging_mempool.size, K_INT, 0x40000)),
    DOMCTL(shadow_op, E(dc_t, u.shadow_op.op, shadow_ops), D(shadow_op.mb, K_INT, 4),
           D(shadow_op.mode, K_INT, 8), D(shadow_op.pages, K_INT, 2048),
           D(shadow_op.dirty_bitmap, K_GVA, 0)),
    DOMCTL(getpageframeinfo3, D(getpageframeinfo3.num, K_COUNT, 0),
           L(dc_t, u.getpageframeinfo3.array, K_GFN, 8, 0)),
    DOMCTL(irq_permission, D(irq_permission.pirq, K_INT, 32),
           D(irq_permission.allow_access, K_INT, 2)),
    DOMCTL(iomem_permission, D(iomem_permission.first_mfn, K_MFN, 0),
           D(iomem_permission.nr_mfns, K_COUNT, 0)),
    DOMCTL(ioport_permission, D(ioport_permission.first_port, K_WORD, 0),
           D(ioport_permission.nr_ports, K_COUNT, 0)),
    DOMCTL(memory_mapping, D(memory_mapping.first_gfn, K_HOLE, 0),
           D(memory_mapping.first_mfn, K_MFN, 0), D(memory_mapping.nr_mfns, K_COUNT, 0),
           D(memory_mapping.add_mapping, K_INT, 2)),
    DOMCTL(settimeoffset, D(settimeoffset.time_offset_seconds, K_WORD, 0)),
    DOMCTL(set_virq_handler, D(set_virq_handler.virq, K_VIRQ, 0)),
    DOMCTL(setvcpucontext, D(vcpucontext.vcpu, K_VCPU, 0), D(vcpucontext.ctxt, K_GVA, 0)),
    DOMCTL(getvcpucontext, D(vcpucontext.vcpu, K_VCPU, 0), D(vcpucontext.ctxt, K_GVA, 0)),
    DOMCTL(hypercall_init, D(hypercall_init.gmfn, K_GFN, 0)),
    DOMCTL(sendtrigger, E(dc_t, u.sendtrigger.trigger, triggers), D(sendtrigger.vcpu, K_VCPU, 0)),
    DOMCTL(gethvmcontext, D(hvmcontext.size, K_WORD, 0), D(hvmcontext.buffer, K_GVA, 0)),
    DOMCTL(sethvmcontext, D(hvmcontext.size, K_WORD, 0), D(hvmcontext.buffer, K_GVA, 0)),
    DOMCTL(gethvmcontext_partial, D(hvmcontext_partial.type, K_INT, 21),
           D(hvmcontext_partial.instance, K_INT, 3), D(hvmcontext_partial.bufsz, K_WORD, 0),
           D(hvmcontext_partial.buffer, K_GVA, 0)),
    DOMCTL(set_address_size, D(address_size.size, K_INT, 65)),
    DOMCTL0(get_address_size),
    DOMCTL(settscinfo, D(tsc_info.tsc_mode, K_INT, 5), D(tsc_info.gtsc_khz, K_WORD, 0),
           D(tsc_info.incarnation, K_INT, 4), D(tsc_info.elapsed_nsec, K_TIME, 0)),
    DOMCTL0(gettscinfo),
    DOMCTL(get_cpu_policy, D(cpu_policy.nr_leaves, K_INT, 64), D(cpu_policy.nr_msrs, K_INT, 8),
           D(cpu_policy.leaves, K_GVA, 0), D(cpu_policy.msrs, K_GVA, 0)),
    DOMCTL(set_cpu_policy, D(cpu_policy.nr_leaves, K_INT, 64), D(cpu_policy.nr_msrs, K_INT, 8),
           D(cpu_policy.leaves, K_GVA, 0), D(cpu_policy.msrs, K_GVA, 0)),
    {"domctl_unknown",
     OP_CALL,
     SUB_NONE,
     0,
     __HYPERVISOR_domctl,
     0,
     sizeof(dc_t),
     false,
     G_CONTROL,
     {DOM, S(dc_t, cmd, K_INT, 90), S(dc_t, interface_version, K_INT, 32)}},
    {"domctl_other",
     OP_CALL,
     SUB_DOMCTL,
     0,
     __HYPERVISOR_domctl,
     0,
     sizeof(dc_t),
     false,
     G_CONTROL,
     {DOM, S(dc_t, cmd, K_INT, 90), D(pad[0], K_WORD, 0), D(pad[4], K_INT, 4)}},
    {"paging_domctl_cont",
     OP_CALL,
     SUB_NONE,
     0,
     __HYPERVISOR_arch_1,
     0,
     sizeof(dc_t),
     false,
     G_CONTROL,
     {DOM, S(dc_t, cmd, K_INT, 90), S(dc_t, interface_version, K_INT, 32)}},
};

static const struct op_desc sysctls[] = {
    SYSCTL(readconsole, Y(readconsole.clear, K_INT, 2), Y(readconsole.incremental, K_INT, 2),
           Y(readconsole.index, K_WORD, 0), Y(readconsole.buffer, K_GVA, 0),
           Y(readconsole.count, K_COUNT, 0)),
    SYSCTL(physinfo, Y(physinfo.pad, K_INT, 1)),
    SYSCTL(sched_id, Y(sched_id.sched_id, K_INT, 8)),
    SYSCTL(getdomaininfolist, Y(getdomaininfolist.first_domain, K_DOMID, 0),
           Y(getdomaininfolist.max_domains, K_COUNT, 0), Y(getdomaininfolist.buffer, K_GVA, 0)),
    SYSCTL(debug_keys, Y(debug_keys.keys, K_GVA, 0), Y(debug_keys.nr_keys, K_COUNT, 0)),
    SYSCTL(getcpuinfo, Y(getcpuinfo.max_cpus, K_COUNT, 0), Y(getcpuinfo.info, K_GVA, 0)),
    SYSCTL(availheap, Y(availheap.min_bitwidth, K_INT, 64), Y(availheap.max_bitwidth, K_INT, 64),
           Y(availheap.node, K_WORD, 0)),
    SYSCTL(cputopoinfo, Y(cputopoinfo.num_cpus, K_COUNT, 0), Y(cputopoinfo.cputopo, K_GVA, 0)),
    SYSCTL(numainfo, Y(numainfo.num_nodes, K_COUNT, 0), Y(numainfo.meminfo, K_GVA, 0),
           Y(numainfo.distance, K_GVA, 0)),
    SYSCTL(pcitopoinfo, Y(pad[0], K_WORD, 0)),
    SYSCTL(page_offline_op, Y(page_offline.cmd, K_INT, 4), Y(page_offline.start, K_MFN, 0),
           Y(page_offline.end, K_MFN, 0), Y(page_offline.status, K_GVA, 0)),
    SYSCTL(cpu_hotplug, Y(cpu_hotplug.cpu, K_VCPU, 0), Y(cpu_hotplug.op, K_INT, 5)),
    SYSCTL(cpupool_op, Y(cpupool_op.op, K_INT, 9), Y(cpupool_op.cpupool_id, K_INT, 3),
           Y(cpupool_op.sched_id, K_INT, 8), Y(cpupool_op.domid, K_DOMID, 0),
           Y(cpupool_op.cpu, K_VCPU, 0), Y(cpupool_op.cpumap.bitmap, K_GVA, 0),
           Y(cpupool_op.cpumap.nr_bits, K_INT, 80)),
    SYSCTL(scheduler_op, Y(scheduler_op.cpupool_id, K_INT, 2), Y(scheduler_op.sched_id, K_INT, 8),
           Y(scheduler_op.cmd, K_INT, 3), Y(scheduler_op.u.sched_credit.tslice_ms, K_INT, 64),
           Y(scheduler_op.u.sched_credit.ratelimit_us, K_WORD, 0)),
    SYSCTL(get_cpu_featureset, Y(cpu_featureset.index, K_INT, 7),
           Y(cpu_featureset.nr_features, K_COUNT, 0), Y(cpu_featureset.features, K_GVA, 0)),
    SYSCTL(get_cpu_policy, Y(cpu_policy.index, K_INT, 7), Y(cpu_policy.nr_leaves, K_INT, 64),
           Y(cpu_policy.nr_msrs, K_INT, 4), Y(cpu_policy.leaves, K_GVA, 0),
           Y(cpu_policy.msrs, K_GVA, 0)),
    {"sysctl_other",
     OP_CALL,
     SUB_SYSCTL,
     0,
     __HYPERVISOR_sysctl,
     0,
     sizeof(sc_t),
     false,
     G_CONTROL,
     {S(sc_t, cmd, K_INT, 32), Y(pad[0], K_WORD, 0), Y(pad[4], K_INT, 4), Y(pad[8], K_GVA, 0)}},
    PLATFORM(settime64, P(settime64.secs, K_WORD, 0), P(settime64.nsecs, K_WORD, 0),
             P(settime64.mbz, K_INT, 1), P(settime64.system_time, K_TIME, 0)),
    PLATFORM(firmware_info, P(firmware_info.type, K_INT, 8), P(firmware_info.index, K_INT, 8)),
    PLATFORM(get_cpuinfo, P(pcpu_info.xen_cpuid, K_VCPU, 0)),
    PLATFORM(get_cpu_version, P(pcpu_version.xen_cpuid, K_VCPU, 0)),
    PLATFORM(core_parking, P(core_parking.type, K_INT, 4), P(core_parking.idle_nums, K_INT, 4)),
    PLATFORM(cpu_online, P(cpu_ol.cpuid, K_VCPU, 0)),
    PLATFORM(cpu_offline, P(cpu_ol.cpuid, K_VCPU, 0)),
    {"platform_other",
     OP_CALL,
     SUB_PLATFORM,
     0,
     __HYPERVISOR_platform_op,
     0,
     sizeof(po_t),
     false,
     G_CONTROL,
     {S(po_t, cmd, K_INT, 70), P(pad[0], K_WORD, 0), P(pad[4], K_INT, 8)}},
};

static const struct op_desc hypfs[] = {
    {"hypfs_op",
     OP_CALL,
     SUB_NONE,
     NO_REG,
     __HYPERVISOR_hypfs_op,
     0,
     0,
     false,
     G_CONTROL,
     {R(0, "cmd", K_INT, 4)}},
};

const struct op_table grammar_control[3] = {TABLE(domctls), TABLE(sysctls), TABLE(hypfs)};
