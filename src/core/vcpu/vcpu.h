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

struct vcpu {
    struct domain *domain;
    uint32_t id;
    uint32_t pause_flags; /* VPF_*, atomic */
    uint32_t pause_count; /* explicit pauses, atomic */
    bool initialised;     /* has a context: may be brought up */
    bool dead;

    struct sched_vcpu sched;

    /* Shared with the guest. */
    vcpu_info_t *info;      /* in shared_info, in a registered page, or dummy */
    void *info_page;        /* pinned page when registered, else NULL */

    /* Runstate, exact to the nanosecond. */
    struct vcpu_runstate_info runstate;
    uint64_t runstate_gva; /* registered area (linear address) or 0 */
    void *runstate_page;   /* pinned first page when resolved */
    void *runstate_page2;  /* second page when the area straddles */
    uint32_t runstate_offset;

    struct timer singleshot, periodic, poll;
    uint64_t periodic_period; /* ns, 0: off */
    uint32_t poll_port;       /* single polled port, 0: a set */

    uint32_t virq_port[24]; /* port bound to each per-vCPU VIRQ, 0: none */
    void *fifo_control;     /* evtchn_fifo_control_block, see evtchn_fifo.c */
    void *fifo_page;
    uint32_t fifo_queue_tail[16];

    struct vcpu_arch *arch;   /* x86's part */
    struct port_guest *guest; /* the engine's part */
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
void vcpu_pause_sync(struct vcpu *v);  /* waits until it is off its CPU */
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

/* True iff an event is deliverable: upcall pending and unmasked for the arch. */
bool vcpu_event_pending(struct vcpu *v);

/* Hypercall vcpu_op: see <xen/vcpu.h>. */
int64_t do_vcpu_op(struct vcpu *v, uint64_t args[6]);

#endif
