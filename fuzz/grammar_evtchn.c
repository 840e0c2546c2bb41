/* Event channels: <xen/event_channel.h>. */
#include "fuzz/grammar_table.h"

#include <xen/event_channel.h>

#define EVT(name, st, ...)                                                                         \
    {                                                                                              \
        "evtchn_" #name, OP_CALL, SUB_REG, 1, __HYPERVISOR_event_channel_op, EVTCHNOP_##name,      \
            sizeof(st), false, G_EVTCHN,                                                           \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const struct op_desc ops[] = {
    EVT(alloc_unbound, evtchn_alloc_unbound_t, S(evtchn_alloc_unbound_t, dom, K_DOMID, 0),
        S(evtchn_alloc_unbound_t, remote_dom, K_DOMID, 0)),
    EVT(bind_interdomain, evtchn_bind_interdomain_t,
        S(evtchn_bind_interdomain_t, remote_dom, K_DOMID, 0),
        S(evtchn_bind_interdomain_t, remote_port, K_PORT, 0)),
    EVT(bind_virq, evtchn_bind_virq_t, S(evtchn_bind_virq_t, virq, K_VIRQ, 0),
        S(evtchn_bind_virq_t, vcpu, K_VCPU, 0)),
    EVT(bind_pirq, evtchn_bind_pirq_t, S(evtchn_bind_pirq_t, pirq, K_INT, 32),
        S(evtchn_bind_pirq_t, flags, K_FLAGS, 1)),
    EVT(bind_ipi, evtchn_bind_ipi_t, S(evtchn_bind_ipi_t, vcpu, K_VCPU, 0)),
    EVT(close, evtchn_close_t, S(evtchn_close_t, port, K_PORT, 0)),
    EVT(send, evtchn_send_t, S(evtchn_send_t, port, K_PORT, 0)),
    EVT(status, evtchn_status_t, S(evtchn_status_t, dom, K_DOMID, 0),
        S(evtchn_status_t, port, K_PORT, 0)),
    EVT(bind_vcpu, evtchn_bind_vcpu_t, S(evtchn_bind_vcpu_t, port, K_PORT, 0),
        S(evtchn_bind_vcpu_t, vcpu, K_VCPU, 0)),
    EVT(unmask, evtchn_unmask_t, S(evtchn_unmask_t, port, K_PORT, 0)),
    EVT(reset, evtchn_reset_t, S(evtchn_reset_t, dom, K_DOMID, 0)),
    EVT(init_control, evtchn_init_control_t, S(evtchn_init_control_t, control_gfn, K_GFN, 0),
        S(evtchn_init_control_t, offset, K_OFFSET, 0), S(evtchn_init_control_t, vcpu, K_VCPU, 0)),
    EVT(expand_array, evtchn_expand_array_t, S(evtchn_expand_array_t, array_gfn, K_GFN, 0)),
    EVT(set_priority, evtchn_set_priority_t, S(evtchn_set_priority_t, port, K_PORT, 0),
        S(evtchn_set_priority_t, priority, K_INT, 17)),
    {"evtchn_unknown",
     OP_CALL,
     SUB_NONE,
     1,
     __HYPERVISOR_event_channel_op,
     0,
     16,
     false,
     G_EVTCHN,
     {R(0, "cmd", K_INT, 32)}},
};

const struct op_table grammar_evtchn = TABLE(ops);
