/* Operations of the machine for the kernel of the control domain
 * (<xen/platform.h>): a machine without firmware services, power states or
 * hot-plugged parts. */
#include "base/xen.h"

#include <xen/platform.h>

#include "base/string.h"
#include "core/control/control.h"
#include "core/guest_mem/guest_mem.h"
#include "core/policy/policy.h"
#include "core/state.h"
#include "x86/control/control.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define NS_PER_SECOND 1000000000u

static bool cpu_present(uint32_t cpu)
{
    return cpu < hv->cpu_count;
}

/* Every domain's wall clock is written anew. */
static int64_t set_time(uint64_t seconds, uint32_t ns, uint64_t system_time)
{
    struct domain *d;

    if (ns >= NS_PER_SECOND) {
        return -XEN_EINVAL;
    }
    wallclock_set(seconds, ns, system_time);
    for (uint32_t id = 0; id < DOMID_FIRST_RESERVED && (d = domain_next((domid_t)id)) != NULL;) {
        id = d->id + 1u;
        wallclock_update(d);
        domain_put(d);
    }
    return 0;
}

static int64_t firmware_info(struct xen_platform_op *op)
{
    struct xenpf_firmware_info *f = &op->u.firmware_info;

    switch (f->type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -XEN_ESRCH;
    case XEN_FW_EFI_INFO:
        return -XEN_ENOSYS;
    case XEN_FW_KBD_SHIFT_FLAGS:
        if (f->index != 0) {
            return -XEN_ESRCH;
        }
        f->u.kbd_shift_flags = 0;
        return 0;
    default:
        return -XEN_EINVAL;
    }
}

static int64_t cpu_info(struct xen_platform_op *op)
{
    xenpf_pcpuinfo_t *p = &op->u.pcpu_info;

    p->max_present = hv->cpu_count - 1;
    p->flags = XEN_PCPU_FLAGS_INVALID;
    if (cpu_present(p->xen_cpuid)) {
        p->apic_id = p->acpi_id = p->xen_cpuid;
        p->flags = (control_online_cpus() >> p->xen_cpuid & 1) != 0 ? XEN_PCPU_FLAGS_ONLINE : 0;
    }
    return 0;
}

static int64_t cpu_version(struct xen_platform_op *op)
{
    xenpf_pcpu_version_t *p = &op->u.pcpu_version;
    struct cpuid_leaf l = cpuid_model(x86_vendor(), 0, 0);
    uint32_t signature = cpuid_model(x86_vendor(), 1, 0).eax;

    p->max_present = hv->cpu_count - 1;
    memset(p->vendor_id, 0, sizeof(p->vendor_id));
    p->family = p->model = p->stepping = 0;
    if (cpu_present(p->xen_cpuid)) {
        memcpy(p->vendor_id, &l.ebx, 4);
        memcpy(p->vendor_id + 4, &l.edx, 4);
        memcpy(p->vendor_id + 8, &l.ecx, 4);
        /* SDM Vol. 2, CPUID leaf 1; the model of families 6 and 15 is extended */
        p->family = signature >> 8 & 15;
        p->model = (signature >> 4 & 15) | (signature >> 12 & 0xf0);
        p->family += p->family == 15 ? signature >> 20 & 0xff : 0;
        p->stepping = signature & 15;
    }
    return 0;
}

static int64_t cpu_switch(const struct xen_platform_op *op)
{
    uint32_t cpu = op->u.cpu_ol.cpuid;

    if (op->cmd == XENPF_cpu_offline && cpu == 0) {
        return -XEN_EOPNOTSUPP;
    }
    if (!cpu_present(cpu)) {
        return -XEN_EINVAL;
    }
    if (((control_online_cpus() >> cpu & 1) != 0) == (op->cmd == XENPF_cpu_online)) {
        return 0;
    }
    return -XEN_EOPNOTSUPP;
}

static int64_t core_parking(struct xen_platform_op *op)
{
    switch (op->u.core_parking.type) {
    case XEN_CORE_PARKING_GET:
        op->u.core_parking.idle_nums = 0;
        return 0;
    case XEN_CORE_PARKING_SET:
        return -XEN_EOPNOTSUPP;
    default:
        return -XEN_EINVAL;
    }
}

/* What is not there: MTRRs that software may set, microcode, sleep states. */
static int64_t absent(uint32_t cmd)
{
    switch (cmd) {
    case XENPF_add_memtype:
    case XENPF_del_memtype:
        return -XEN_ENXIO;
    case XENPF_read_memtype:
    case XENPF_platform_quirk:
        return -XEN_EINVAL;
    case XENPF_microcode_update:
        return -XEN_ENODEV;
    case XENPF_enter_acpi_sleep:
    case XENPF_cpu_hotadd:
    case XENPF_mem_hotadd:
    case XENPF_resource_op:
    case XENPF_get_symbol:
        return -XEN_EOPNOTSUPP;
    default: /* frequencies and power data, EFI calls, what does not exist */
        return -XEN_ENOSYS;
    }
}

static int64_t perform(struct xen_platform_op *op)
{
    switch (op->cmd) {
    case XENPF_settime32:
        return set_time(op->u.settime32.secs, op->u.settime32.nsecs, op->u.settime32.system_time);
    case XENPF_settime64:
        if (op->u.settime64.mbz != 0) {
            return -XEN_EINVAL;
        }
        return set_time(op->u.settime64.secs, op->u.settime64.nsecs, op->u.settime64.system_time);
    case XENPF_firmware_info:
        return firmware_info(op);
    case XENPF_get_cpuinfo:
        return cpu_info(op);
    case XENPF_get_cpu_version:
        return cpu_version(op);
    case XENPF_cpu_online:
    case XENPF_cpu_offline:
        return cpu_switch(op);
    case XENPF_core_parking:
        return core_parking(op);
    default:
        return absent(op->cmd);
    }
}

int64_t do_platform_op(struct vcpu *v, uint64_t args[6])
{
    struct xen_platform_op op;
    int64_t rc;

    if (guest_copy_in(v, &op, args[0], sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.interface_version != XENPF_INTERFACE_VERSION) {
        return -XEN_EACCES;
    }
    rc = policy_check(POLICY_PLATFORM, v->domain, NULL);
    if (rc == 0) {
        rc = perform(&op);
    }
    if (rc == 0 && guest_copy_out(v, args[0], &op, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    return rc;
}
