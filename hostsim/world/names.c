#include "hostsim/world/names.h"

#include "base/xen.h"

#include <xen/sched.h>

#include "port/guest.h"

static const char *const exits[EXIT_REASONS] = {
    [EXIT_PREEMPTED] = "preempted",
    [EXIT_HLT] = "hlt",
    [EXIT_CPUID] = "cpuid",
    [EXIT_RDMSR] = "rdmsr",
    [EXIT_WRMSR] = "wrmsr",
    [EXIT_IO] = "io",
    [EXIT_HYPERCALL] = "hypercall",
    [EXIT_FAULT2] = "second-stage fault",
    [EXIT_EXCEPTION] = "exception",
    [EXIT_CR_WRITE] = "cr write",
    [EXIT_TRIPLE] = "triple fault",
    [EXIT_WINDOW] = "window",
    [EXIT_PAUSE] = "pause",
    [EXIT_RDTSC] = "rdtsc",
    [EXIT_RDTSCP] = "rdtscp",
    [EXIT_XSETBV] = "xsetbv",
    [EXIT_CACHE] = "cache",
    [EXIT_DR] = "debug register",
    [EXIT_UNDEFINED] = "undefined",
    [EXIT_FAILED] = "failed",
    [EXIT_EOI] = "eoi",
    [EXIT_APIC] = "apic write",
};

static const char *const hypercalls[] = {
    [__HYPERVISOR_set_trap_table] = "set_trap_table",
    [__HYPERVISOR_mmu_update] = "mmu_update",
    [__HYPERVISOR_set_gdt] = "set_gdt",
    [__HYPERVISOR_stack_switch] = "stack_switch",
    [__HYPERVISOR_set_callbacks] = "set_callbacks",
    [__HYPERVISOR_fpu_taskswitch] = "fpu_taskswitch",
    [__HYPERVISOR_platform_op] = "platform_op",
    [__HYPERVISOR_set_debugreg] = "set_debugreg",
    [__HYPERVISOR_get_debugreg] = "get_debugreg",
    [__HYPERVISOR_update_descriptor] = "update_descriptor",
    [__HYPERVISOR_memory_op] = "memory_op",
    [__HYPERVISOR_multicall] = "multicall",
    [__HYPERVISOR_update_va_mapping] = "update_va_mapping",
    [__HYPERVISOR_set_timer_op] = "set_timer_op",
    [__HYPERVISOR_xen_version] = "xen_version",
    [__HYPERVISOR_console_io] = "console_io",
    [__HYPERVISOR_grant_table_op] = "grant_table_op",
    [__HYPERVISOR_vm_assist] = "vm_assist",
    [__HYPERVISOR_iret] = "iret",
    [__HYPERVISOR_vcpu_op] = "vcpu_op",
    [__HYPERVISOR_set_segment_base] = "set_segment_base",
    [__HYPERVISOR_mmuext_op] = "mmuext_op",
    [__HYPERVISOR_xsm_op] = "xsm_op",
    [__HYPERVISOR_nmi_op] = "nmi_op",
    [__HYPERVISOR_sched_op] = "sched_op",
    [__HYPERVISOR_callback_op] = "callback_op",
    [__HYPERVISOR_xenoprof_op] = "xenoprof_op",
    [__HYPERVISOR_event_channel_op] = "event_channel_op",
    [__HYPERVISOR_physdev_op] = "physdev_op",
    [__HYPERVISOR_hvm_op] = "hvm_op",
    [__HYPERVISOR_sysctl] = "sysctl",
    [__HYPERVISOR_domctl] = "domctl",
    [__HYPERVISOR_kexec_op] = "kexec_op",
    [__HYPERVISOR_argo_op] = "argo_op",
    [__HYPERVISOR_xenpmu_op] = "xenpmu_op",
    [__HYPERVISOR_dm_op] = "dm_op",
    [__HYPERVISOR_hypfs_op] = "hypfs_op",
};

static const char *const shutdowns[] = {
    [SHUTDOWN_poweroff] = "powered off", [SHUTDOWN_reboot] = "rebooted",
    [SHUTDOWN_suspend] = "suspended",    [SHUTDOWN_crash] = "crashed",
    [SHUTDOWN_watchdog] = "watchdog",    [SHUTDOWN_soft_reset] = "soft reset",
};

const char *name_of_exit(unsigned reason)
{
    return reason < EXIT_REASONS ? exits[reason] : "unknown";
}

const char *name_of_hypercall(unsigned number)
{
    return number < ARRAY_SIZE(hypercalls) ? hypercalls[number] : NULL;
}

const char *name_of_shutdown(unsigned code)
{
    return code < ARRAY_SIZE(shutdowns) ? shutdowns[code] : "ended for an unknown reason";
}
