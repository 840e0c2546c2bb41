/* HVM operations: <xen/hvm/hvm_op.h>. */
#include "fuzz/grammar_table.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/hvm/dm_op.h>

#define HVM(name, size, ...)                                                                       \
    {                                                                                              \
        "hvm_" #name, OP_CALL, SUB_REG, 1, __HYPERVISOR_hvm_op, HVMOP_##name, size, false, G_HVM,  \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

typedef struct xen_hvm_param param_t;
typedef struct xen_hvm_get_mem_type type_t;
typedef struct xen_hvm_evtchn_upcall_vector vector_t;
typedef struct xen_hvm_xentrace trace_t;
typedef struct xen_hvm_pagetable_dying dying_t;

static const uint64_t params[] = {HVM_PARAM_CALLBACK_IRQ,
                                  HVM_PARAM_STORE_PFN,
                                  HVM_PARAM_STORE_EVTCHN,
                                  HVM_PARAM_CONSOLE_PFN,
                                  HVM_PARAM_CONSOLE_EVTCHN,
                                  HVM_PARAM_ACPI_S_STATE,
                                  HVM_PARAM_TRIPLE_FAULT_REASON,
                                  HVM_PARAM_TIMER_MODE,
                                  HVM_PARAM_VM86_TSS_SIZED,
                                  HVM_PARAM_VM86_TSS,
                                  HVM_PARAM_ALTP2M,
                                  HVM_PARAM_NR_IOREQ_SERVER_PAGES,
                                  HVM_PARAM_IDENT_PT,
                                  HVM_PARAM_X87_FIP_WIDTH,
                                  HVM_PARAM_MCA_CAP,
                                  HVM_PARAM_ACPI_IOPORTS_LOCATION,
                                  HVM_PARAM_PAGING_RING_PFN,
                                  HVM_NR_PARAMS,
                                  ~UINT64_C(0)};
/* Vector 0xf3; GSI 9; PCI INTx 0:3.1; nothing; garbage. */
static const uint64_t callbacks[] = {UINT64_C(2) << 56 | 0xf3,        9,
                                     UINT64_C(1) << 56 | 3 << 11 | 1, 0,
                                     UINT64_C(2) << 56 | 0x3,         UINT64_C(7) << 56};

static const struct op_desc ops[] = {
    HVM(set_param, sizeof(param_t), S(param_t, domid, K_DOMID, 0), E(param_t, index, params),
        S(param_t, value, K_WORD, 0)),
    {"hvm_set_callback",
     OP_CALL,
     SUB_REG,
     1,
     __HYPERVISOR_hvm_op,
     HVMOP_set_param,
     sizeof(param_t),
     false,
     G_HVM | G_EVTCHN,
     {S(param_t, domid, K_DOMID, 0), S(param_t, index, K_INT, 1), E(param_t, value, callbacks)}},
    HVM(get_param, sizeof(param_t), S(param_t, domid, K_DOMID, 0), E(param_t, index, params)),
    {"hvm_flush_tlbs",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_hvm_op,
     HVMOP_flush_tlbs,
     0,
     false,
     G_HVM,
     {R(1, "arg", K_INT, 1)}},
    HVM(pagetable_dying, sizeof(dying_t), S(dying_t, domid, K_DOMID, 0), S(dying_t, gpa, K_GPA, 0)),
    HVM(get_time, 8, R(2, "unused", K_INT, 1)),
    HVM(xentrace, sizeof(trace_t), S(trace_t, event, K_INT, 8), S(trace_t, extra_bytes, K_INT, 32)),
    HVM(get_mem_type, sizeof(type_t), S(type_t, domid, K_DOMID, 0), S(type_t, pfn, K_GFN, 0)),
    HVM(set_evtchn_upcall_vector, sizeof(vector_t), S(vector_t, vcpu, K_VCPU, 0),
        S(vector_t, vector, K_INT, 256)),
    {"hvm_guest_request_vm_event",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_hvm_op,
     HVMOP_guest_request_vm_event,
     0,
     false,
     G_HVM,
     {R(1, "arg", K_INT, 1)}},
    {"hvm_unknown",
     OP_CALL,
     SUB_NONE,
     1,
     __HYPERVISOR_hvm_op,
     0,
     64,
     false,
     G_HVM,
     {R(0, "cmd", K_INT, 32), S(param_t, domid, K_DOMID, 0)}},
    {"dm_op",
     OP_CALL,
     SUB_NONE,
     2,
     __HYPERVISOR_dm_op,
     0,
     64,
     false,
     G_HVM,
     {R(0, "domid", K_DOMID, 0), R(1, "nr_bufs", K_INT, 4), S(struct xen_dm_op_buf, h, K_GVA, 0),
      S(struct xen_dm_op_buf, size, K_INT, 256)}},
};

const struct op_table grammar_hvm = TABLE(ops);
