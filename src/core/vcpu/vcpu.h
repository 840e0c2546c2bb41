/* A virtual CPU: pause reasons, runstate, timers, where it runs. */
#ifndef CORBEL_CORE_VCPU_VCPU_H
#define CORBEL_CORE_VCPU_VCPU_H

#include "base/xen.h"

#include <xen/vcpu.h>

#include "core/sched/sched.h"
#include "core/time/timer.h"

struct domain;
struct vcpu_arch;
struct port_guest;

/* Reasons not to run, bits of vcpu.pause_flags. */
#define VPF_DOWN 1u    /* not brought up yet, or VCPUOP_down */
#define VPF_BLOCKED 2u /* waits for an event */
#define VPF_POLL 4u    /* SCHEDOP_poll: with VPF_BLOCKED */
#define VPF_PARKED 8u  /* used up its domain's cap: until the next accounting */

/* A guest structure that the hypervisor writes to: pinned pages. */
struct vcpu_area {
    void *page;  /* NULL: none */
    void *page2; /* second page when the structure straddles, else NULL */
    uint32_t offset;
};

struct vcpu {
    struct domain *domain;
    uint32_t id;
    uint32_t pause_flags; /* VPF_*, atomic */
    uint32_t pause_count; /* explicit pauses, atomic */
    bool initialised;     /* has a context: may be brought up */
    bool dead;

    struct sched_vcpu sched;

    /* Shared with the guest. */
    vcpu_info_t *info; /* in shared_info, in a registered page, or NULL */
    void *info_page;   /* pinned page when registered, else NULL */

    /* Runstate, exact to the nanosecond. */
    struct vcpu_runstate_info runstate;
    uint64_t runstate_gva;          /* registered area (linear address) or 0 */
    struct vcpu_area runstate_area; /* under the run queue lock; none: not mapped yet */

    struct timer singleshot, periodic, poll;
    uint64_t periodic_period; /* ns, 0: off */
    uint32_t poll_port;       /* single polled port, 0: a set */

    uint32_t virq_port[24];                         /* port bound to each per-vCPU VIRQ, 0: none */
    struct evtchn_fifo_control_block *fifo_control; /* the guest's, or NULL: evtchn_fifo.c */
    void *fifo_page;
    uint32_t fifo_queue_tail[16];

    struct vcpu_arch *arch;   /* x86's part */
    struct port_guest *guest; /* the engine's part */

    uint64_t time_gva;          /* VCPUOP_register_vcpu_time_memory_area, or 0 */
    struct vcpu_area time_area; /* under the run queue lock */
    uint64_t periodic_next;     /* when the periodic timer is due, ns */
    uint32_t initialise_claim;  /* atomic: VCPUOP_initialise is at work */
    uint32_t time_version;      /* of time_area's contents while info is NULL */
};

/* True iff nothing keeps v from running. */
bool vcpu_runnable(const struct vcpu *v);

/* Creates vCPU id of d, down. -XEN_ENOMEM, -XEN_EINVAL, -XEN_EEXIST or 0. */
int vcpu_create(struct domain *d, uint32_t id);
/* Frees it; d is dying and v does not run. */
void vcpu_destroy(struct vcpu *v);

/* Sets or clears pause reasons and tells the scheduler. */
void vcpu_sleep_flags(struct vcpu *v, uint32_t set);
void vcpu_wake_flags(struct vcpu *v, uint32_t clear);
void vcpu_pause_sync(struct vcpu *v); /* waits until it is off its CPU */
void vcpu_pause_async(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);

/* Blocks v (the current vCPU) until an event is pending; returns at once, having
 * blocked or not. */
void vcpu_block(struct vcpu *v);

/* An event may be pending: wakes v from blocking, or makes its CPU leave guest
 * mode so that it notices. Any lock below LOCK_RUNQUEUE may be held. */
void vcpu_kick(struct vcpu *v);

/* Accounts the time since the last change and enters state (RUNSTATE_*). The
 * run queue lock is held or v is not scheduled. */
void vcpu_runstate_change(struct vcpu *v, int state, uint64_t now);
/* Copies the runstate to the guest's registered area. */
void vcpu_runstate_publish(struct vcpu *v);

/* Registers vcpu_info at (gfn, offset): VCPUOP_register_vcpu_info. */
int vcpu_register_info(struct vcpu *v, gfn_t g, uint32_t offset);
void vcpu_unregister_info(struct vcpu *v);

/* Pins the guest structure of n bytes (at most a page) at linear address gva of
 * caller: 0 or -XEN_EFAULT. */
int vcpu_area_pin(struct vcpu *caller, uint64_t gva, uint32_t n, struct vcpu_area *out);
void vcpu_area_unpin(struct vcpu_area *a);
/* Looks again for v's registered areas that had no memory at their address. v comes
 * onto this CPU; no lock is held. */
void vcpu_areas_settle(struct vcpu *v);
/* Writes n bytes at position pos of the structure. */
void vcpu_area_write(const struct vcpu_area *a, uint32_t pos, const void *src, uint32_t n);

/* Lets go of all guest memory that v holds; d is dying and v does not run. */
void vcpu_release_guest_memory(struct vcpu *v);

/* vcpu_timer.c: the timers of <xen/vcpu.h>; they raise VIRQ_TIMER on v. */
void vcpu_timers_init(struct vcpu *v);
void vcpu_timers_stop(struct vcpu *v);
/* period 0: off. The periodic timer ticks while v runs; what was missed becomes
 * one tick when v runs again. */
void vcpu_set_periodic(struct vcpu *v, uint64_t period);
/* v, no lock held, comes onto or went off this CPU. */
void vcpu_timers_switch_in(struct vcpu *v);
void vcpu_timers_switch_out(struct vcpu *v);

/* The runstate up to now, time in the current state included. */
void vcpu_runstate_get(struct vcpu *v, struct vcpu_runstate_info *out);

/* True iff an event is deliverable: upcall pending and unmasked for the arch. */
bool vcpu_event_pending(struct vcpu *v);

/* Hypercall vcpu_op: see <xen/vcpu.h>. */
int64_t do_vcpu_op(struct vcpu *v, uint64_t args[6]);

#endif
