#include <stddef.h>

#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/vcpu/vcpu.h"

/* Runs one entry. HYPERCALL_RESTART: the entry in guest memory now holds the
 * advanced arguments. */
static int64_t multicall_entry(struct vcpu *v, uint64_t gva)
{
    struct multicall_entry e;
    int64_t rc;

    if (guest_copy_in(v, &e, gva, sizeof(e)) != 0) {
        return -XEN_EFAULT;
    }
    if (e.op == __HYPERVISOR_multicall) {
        rc = -XEN_EINVAL; /* no nesting: its depth would have no bound */
    } else {
        uint64_t args[6];

        for (unsigned i = 0; i < 6; i++) {
            args[i] = e.args[i];
        }
        rc = hypercall(v, e.op, args);
        for (unsigned i = 0; i < 6; i++) {
            e.args[i] = args[i];
        }
    }
    if (rc == HYPERCALL_RESTART) {
        if (guest_copy_out(v, gva + offsetof(struct multicall_entry, args), e.args,
                           sizeof(e.args)) != 0) {
            return -XEN_EFAULT;
        }
        return HYPERCALL_RESTART;
    }
    e.result = (uint64_t)rc;
    return guest_copy_out(v, gva + offsetof(struct multicall_entry, result), &e.result,
                          sizeof(e.result));
}

/* args: list, number of entries. A continuation is the rest of the list. */
int64_t do_multicall(struct vcpu *v, uint64_t args[6])
{
    uint32_t left = (uint32_t)args[1];

    while (left != 0) {
        int64_t rc = multicall_entry(v, args[0]);

        if (rc != 0) {
            return rc;
        }
        left--;
        args[0] += sizeof(struct multicall_entry);
        args[1] = left;
        if (left != 0 && hypercall_preempt()) {
            return HYPERCALL_RESTART;
        }
    }
    return 0;
}
