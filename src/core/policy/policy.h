/* Who may do what to whom: one table, one check per operation. Two policies, both
 * Xen's: the default ("dummy") one, and SILO, in which unprivileged domains can
 * neither share memory nor signal one another. Which one is chosen at boot. */
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
    POLICY_MEMORY_CLAIM, /* claim free memory for a domain */
    POLICY_POD_TARGET,   /* read or set how much memory backs what is populated on demand */
    POLICY_MEM_ACCESS,   /* watch a domain's memory accesses */
    POLICY_RESOURCE_MAP, /* map a domain's grant table, ioreq pages, traces */
    POLICY_EVTCHN_PEER,  /* name another domain as the peer of an unbound port */
    POLICY_DOMAIN_INFO,  /* XEN_DOMCTL_getdomaininfo */
    POLICY_OPS
};

/* 0 or -XEN_EPERM: may subject do op to object (NULL: the system)? */
int policy_check(enum policy_op op, const struct domain *subject, const struct domain *object);

/* 0 or -XEN_EPERM: may subject let a do op to b? For what a privileged domain sets
 * up between two others. */
int policy_check_pair(enum policy_op op, const struct domain *subject, const struct domain *a,
                      const struct domain *b);

#endif
