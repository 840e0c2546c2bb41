/* Operations on physical devices (<xen/physdev.h>): translated domains have no PIRQs,
 * and the machine's PCI bus is nobody's. */
#include "base/xen.h"

#include <xen/physdev.h>

#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/vcpu/vcpu.h"
#include "x86/control/control.h"

/* Reads the argument, to say whether it can be read. */
static int64_t probe(struct vcpu *v, uint64_t gva, size_t n, int64_t rc)
{
    uint8_t arg[sizeof(struct physdev_pci_mmcfg_reserved)];

    return guest_copy_in(v, arg, gva, n) != 0 ? -XEN_EFAULT : rc;
}

int64_t do_physdev_op(struct vcpu *v, uint64_t args[6])
{
    if (!v->domain->privileged) {
        return -XEN_ENOSYS;
    }
    switch ((uint32_t)args[0]) {
    case PHYSDEVOP_pci_mmcfg_reserved:
        return probe(v, args[1], sizeof(struct physdev_pci_mmcfg_reserved), -XEN_ENODEV);
    case PHYSDEVOP_pci_device_add:
        return probe(v, args[1], offsetof(struct physdev_pci_device_add, optarr), -XEN_ENODEV);
    case PHYSDEVOP_pci_device_remove:
        return probe(v, args[1], sizeof(struct physdev_pci_device), -XEN_ENODEV);
    case PHYSDEVOP_dbgp_op: /* no USB debug port */
        return probe(v, args[1], sizeof(struct physdev_dbgp_op), -XEN_ENODEV);
    default:
        return -XEN_ENOSYS;
    }
}
