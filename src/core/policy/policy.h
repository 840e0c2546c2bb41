/* Who may do what to whom: one table, one check per operation. The dummy
 * policy is Xen's default. */
#ifndef CORBEL_CORE_POLICY_POLICY_H
#define CORBEL_CORE_POLICY_POLICY_H

#include "base/types.h"

struct domain;

enum policy_op {
    POLICY_MEMORY_ADJUST,  /* increase, decrease, populate another's reservation */
    POLICY_MEMORY_STAT,    /* read a reservation */
    POLICY_MEMORY_MAP,     /* change a guest-physical map */
    POLICY_FOREIGN_MAP,    /* map another domain's frames */
    POLICY_MACHINE_MAP,    /* read the machine's memory map */
    POLICY_EVTCHN_UNBOUND, /* allocate unbound for a third domain */
    POLICY_EVTCHN_BIND,    /* bind to another's unbound port */
    POLICY_EVTCHN_SEND,
    POLICY_EVTCHN_STATUS,
    POLICY_EVTCHN_RESET,
    POLICY_GRANT_SETUP,
    POLICY_GRANT_QUERY,
    POLICY_GRANT_MAP,
    POLICY_GRANT_COPY,
    POLICY_HVM_PARAM_GET,
    POLICY_HVM_PARAM_SET,
    POLICY_SHUTDOWN_OTHER, /* SCHEDOP_remote_shutdown */
    POLICY_CONSOLE_READ,
    POLICY_CONSOLE_WRITE,
    POLICY_DOMCTL,
    POLICY_SYSCTL,
    POLICY_PLATFORM,
    POLICY_OPS
};

/* 0 or -XEN_EPERM: may subject do op to object (NULL: the system)? */
int policy_check(enum policy_op op, const struct domain *subject, const struct domain *object);

#endif
