/* src/core/evtchn/evtchn_2l.c, and by contract what tells and wakes vCPUs. */
#include "core/evtchn/evtchn_private.h"

/*@ requires \valid(v) && \valid(v->info);
    terminates \true;
    assigns v->info->evtchn_upcall_pending; */
void evtchn_upcall(struct vcpu *v);

/*@ requires \valid_read(d);
    terminates \true;
    assigns \nothing; */
void evtchn_wake_pollers(struct domain *d, uint32_t port);

#include "../../src/core/evtchn/evtchn_2l.c"
