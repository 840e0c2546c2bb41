/* What the files of core/domain share. */
#ifndef CORBEL_CORE_DOMAIN_DOMAIN_LIST_H
#define CORBEL_CORE_DOMAIN_DOMAIN_LIST_H

#include "core/domain/domain.h"

/* domain_list.c */

/* Lists d under its id: -XEN_EEXIST, -XEN_ENOMEM or 0. */
int domain_list_add(struct domain *d);
void domain_list_remove(struct domain *d);
/* Nobody finds d from now on, though it stays listed. */
void domain_list_hide(struct domain *d);

/* domain_kill.c */

/* Undoes what domain_create() built; d was never found by anybody. */
void domain_unbuild(struct domain *d);
/* d's last reference went: frees it, or leaves it to domain_settle(). */
void domain_last_put(struct domain *d);
/* Puts d, with a reference, on this CPU's list for domain_settle(). */
void domain_defer(struct domain *d);
/* Tells the control domain that some domain's state changed. No lock is held. */
void domain_notify_control(void);
/* Takes d out of hv->alive_count, once. */
void domain_uncount_alive(struct domain *d);

#endif
