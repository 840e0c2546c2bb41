#include "base/atomic.h"
#include "core/domain/domain.h"
#include "core/hypercall/hypercall.h"
#include "core/vcpu/vcpu.h"

/* What means something to a translated guest; the others help PV guests. */
#define ASSISTS (UINT64_C(1) << VMASST_TYPE_runstate_update_flag)

/* args: command, type. */
int64_t do_vm_assist(struct vcpu *v, uint64_t args[6])
{
    uint32_t command = (uint32_t)args[0];
    uint32_t type = (uint32_t)args[1];

    if (type >= 64 || ((ASSISTS >> type) & 1) == 0) {
        return -XEN_EINVAL;
    }
    switch (command) {
    case VMASST_CMD_enable:
        fetch_or_u64(&v->domain->vm_assist, UINT64_C(1) << type);
        return 0;
    case VMASST_CMD_disable:
        fetch_and_u64(&v->domain->vm_assist, ~(UINT64_C(1) << type));
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}
