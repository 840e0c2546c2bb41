/* xen_version, multicall, and what a PVH domain does not have. */
#include "guest.h"

#include <xen/features.h>
#include <xen/version.h>
#include <xen/physdev.h>

#define BAD_POINTER UINT64_C(0x7fff00000000) /* canonical, not mapped */
#define version_op(cmd, arg) HC2(__HYPERVISOR_xen_version, cmd, arg)

static void versions(void)
{
    static xen_capabilities_info_t caps;
    static xen_extraversion_t extra;
    static struct xen_feature_info f;
    static xen_domain_handle_t handle;
    static struct xen_platform_parameters platform;

    EQ(version_op(XENVER_version, 0) >> 16, 4);
    EQ(version_op(XENVER_pagesize, 0), PAGE);
    EQ(version_op(XENVER_pagesize, 1), -XEN_EINVAL);
    EQ(version_op(XENVER_extraversion, extra), 0);
    EQ(extra[0], '.');
    EQ(version_op(XENVER_capabilities, caps), 0);
    EQ(version_op(XENVER_guest_handle, handle), 0);
    EQ(version_op(XENVER_platform_parameters, &platform), 0);
    EQ(version_op(XENVER_get_features, &f), 0);
    OK(f.submap & 1u << XENFEAT_auto_translated_physmap);
    OK(f.submap & 1u << XENFEAT_hvm_callback_vector);
    OK(f.submap & 1u << XENFEAT_hvm_safe_pvclock);
    OK(!(f.submap & 1u << XENFEAT_dom0));
    f.submap_idx = 1;
    EQ(version_op(XENVER_get_features, &f), -XEN_EINVAL);
    EQ(version_op(XENVER_capabilities, BAD_POINTER), -XEN_EFAULT);
    EQ(version_op(XENVER_get_features, BAD_POINTER), -XEN_EFAULT);
    EQ(version_op(99, 0), -XEN_ENOSYS);
    EQ(version_op(XENVER_build_id, 0), -XEN_EPERM);
}

static void multicalls(void)
{
    static struct multicall_entry c[4];

    c[0] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    c[1] = (struct multicall_entry){.op = 63};
    c[2] = (struct multicall_entry){.op = __HYPERVISOR_multicall, .args = {(uint64_t)c, 4}};
    c[3] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_pagesize}};
    EQ(HC2(__HYPERVISOR_multicall, c, 4), 0);
    EQ(c[0].result, version_op(XENVER_version, 0));
    EQ(c[1].result, -XEN_ENOSYS);
    EQ((int64_t)c[2].result < 0, 1);
    EQ(c[3].result, PAGE);
    EQ(HC2(__HYPERVISOR_multicall, BAD_POINTER, 1), -XEN_EFAULT);
    EQ(HC2(__HYPERVISOR_multicall, c, 0), 0);
}

/* Numbers of PV, of the control domain, and of nobody. */
static void absent(void)
{
    static const uint8_t pv[] = {
        __HYPERVISOR_set_trap_table,
        __HYPERVISOR_mmu_update,
        __HYPERVISOR_set_gdt,
        __HYPERVISOR_stack_switch,
        __HYPERVISOR_set_callbacks,
        __HYPERVISOR_fpu_taskswitch,
        __HYPERVISOR_set_debugreg,
        __HYPERVISOR_get_debugreg,
        __HYPERVISOR_update_descriptor,
        __HYPERVISOR_callback_op,
        __HYPERVISOR_nmi_op,
        __HYPERVISOR_update_va_mapping,
        __HYPERVISOR_set_segment_base,
        43,
        __HYPERVISOR_update_va_mapping_otherdomain,
        47,
        62,
        63,
    };
    static uint8_t zeros[256];

    for (unsigned i = 0; i < sizeof(pv); i++)
        if (!EQ(HC2(pv[i], zeros, 0), -XEN_ENOSYS))
            say("     hypercall %u", pv[i]);
    EQ(try_call((uint64_t)(uintptr_t)hypercall_page + 32 * __HYPERVISOR_iret), VEC_UD);
    OK(HC1(__HYPERVISOR_domctl, zeros) < 0);
    OK(HC1(__HYPERVISOR_sysctl, zeros) < 0);
    OK(HC1(__HYPERVISOR_platform_op, zeros) < 0);
    EQ(HC2(__HYPERVISOR_event_channel_op, 99, zeros), -XEN_ENOSYS);
    EQ(HC2(__HYPERVISOR_sched_op, 99, zeros), -XEN_ENOSYS);
    EQ(HC2(__HYPERVISOR_memory_op, 63, zeros), -XEN_ENOSYS);
    EQ(HC2(__HYPERVISOR_hvm_op, 99, zeros), -XEN_ENOSYS);
    EQ(HC3(__HYPERVISOR_vcpu_op, 99, 0, zeros), -XEN_ENOSYS);
}

const struct act acts_version[] = {
    {"version", 1, versions},
    {"multicall", 1, multicalls},
    {"absent", 1, absent},
    {0},
};
