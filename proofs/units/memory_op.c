/* src/core/hypercall/memory_op*.c, and by contract what they call. */
#include "memory_ops.h"
#include "core/arch.h"
#include "core/state.h"

/*@ terminates \true;
    assigns \nothing;
    ensures \result != HYPERCALL_RESTART; */
int64_t arch_memory_op(struct vcpu *v, uint32_t op, uint64_t gva);

#include "../../src/core/hypercall/memory_op.c"
#include "../../src/core/hypercall/memory_op_control.c"
#include "../../src/core/hypercall/memory_op_physmap.c"
#include "../../src/core/hypercall/memory_op_reservation.c"
#include "../../src/core/hypercall/memory_op_resource.c"
