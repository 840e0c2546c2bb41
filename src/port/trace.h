/* Port: trace points. Cheap when nobody listens. */
#ifndef CORBEL_PORT_TRACE_H
#define CORBEL_PORT_TRACE_H

#include "base/types.h"

enum trace_event {
    TRACE_SWITCH,         /* a: domid (or DOMID_IDLE), b: vcpu id, now current on this CPU */
    TRACE_EXIT,           /* a: enum exit_reason, b: rip */
    TRACE_EXIT_DONE,      /* a: enum exit_reason */
    TRACE_HYPERCALL,      /* a: hypercall number, b: first argument, c: domid */
    TRACE_HYPERCALL_DONE, /* a: hypercall number, b: result, c: domid */
    TRACE_INJECT,         /* a: vector, b: event type */
    TRACE_WAKE,           /* a: domid, b: vcpu id */
    TRACE_DOMAIN,         /* a: domid, b: enum domain_state */
};

void port_trace(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c);

#endif
