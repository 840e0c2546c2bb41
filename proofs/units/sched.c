/* src/core/sched/sched.c: who becomes runnable, and who stops being so. By contract what it calls;
 * of the run queue what sched-queue proves of it, where the queue is in order. What changes of
 * other vCPUs, and who is told, is one variable here, sched_others. */
#include "core/sched/runqueue.h"
#include "core/arch.h"
#include "core/time/pvclock.h"
#include "locks.h"
#include "schedulers.h"
#include "port/cpu.h"
#include "port/time.h"
#include "port/trace.h"

/*@ // Nothing keeps v from running: what vcpu_runnable() answers.
    predicate can_run{L}(struct vcpu *v) = v->pause_flags == 0 && v->pause_count == 0 &&
        v->domain->pause_count == 0 && v->domain->hold_count == 0 &&
        v->domain->shutting_down == 0 && v->domain->state == DOMAIN_ALIVE && !v->dead;
    // v, its domain and the queue are objects of their own.
    predicate on_cpu{L}(struct runqueue *rq, struct vcpu *v) = \valid(rq) && \valid(v) &&
        \valid_read(v->domain) && \base_addr(v) != \base_addr(rq) &&
        \base_addr(v) != \base_addr(v->domain) && \base_addr(rq) != \base_addr(v->domain) &&
        v->sched.cpu < MAX_CPUS;
    // Every CPU's queue is in order, and its lock free; v is an object of its own.
    predicate queues{L} = \valid(hv) && \forall integer c; 0 <= c < MAX_CPUS ==>
        queue(&hv->cpu[c].rq) && !held(&hv->cpu[c].rq.lock);
    predicate own{L}(struct vcpu *v) = \valid(hv) && is_vcpu(v) && \valid(v) &&
        \valid_read(v->domain) && \base_addr(v) != \base_addr(hv) &&
        \base_addr(v) != \base_addr(v->domain) && \base_addr(hv) != \base_addr(v->domain) &&
        v->sched.cpu < MAX_CPUS && prio_of(v);
    predicate only_locked{L}(integer cpu) = \forall integer c; 0 <= c < MAX_CPUS ==>
        (held(&hv->cpu[c].rq.lock) <==> c == cpu);
    predicate at_rest{L}(struct vcpu *v) =
        v->runstate.state == RUNSTATE_blocked || v->runstate.state == RUNSTATE_offline; */

/*@ requires \valid_read(v) && \valid_read(v->domain);
    terminates \true;
    assigns \nothing;
    ensures \result <==> can_run(v); */
bool vcpu_runnable(const struct vcpu *v);

/*@ requires \valid(v);
    terminates \true;
    assigns v->runstate;
    ensures v->runstate.state == state; */
void vcpu_runstate_change(struct vcpu *v, int state, uint64_t now);

/*@ requires \valid(v);
    terminates \true;
    assigns sched_others; */
void vcpu_runstate_publish(struct vcpu *v);

/*@ requires \valid_read(v) && \valid(hv) && v->sched.cpu < MAX_CPUS;
    requires !held(&hv->cpu[v->sched.cpu].rq.lock);
    terminates \true;
    assigns hv->cpu[v->sched.cpu].rq.lock.spin.word;
    ensures \result == &hv->cpu[v->sched.cpu].rq && held(&\result->lock); */
struct runqueue *sched_lock(const struct vcpu *v);

/*@ terminates \true;
    assigns sched_others; */
void port_trace(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c);

/*@ terminates \true;
    assigns \nothing; */
uint64_t port_time_now(void);

/*@ terminates \true;
    assigns sched_others; */
void port_cpu_kick(unsigned cpu);

/*@ requires \valid(v);
    terminates \true;
    assigns sched_others; */
void vcpu_timers_switch_out(struct vcpu *v);

/*@ requires \valid(v);
    terminates \true;
    assigns sched_others; */
void arch_vcpu_switch_out(struct vcpu *v);

/*@ terminates \true;
    assigns sched_others; */
void domain_ref(struct domain *d);

/*@ terminates \true;
    assigns sched_others; */
void domain_put(struct domain *d);

/*@ terminates \true;
    assigns sched_others; */
void domain_shutdown_progress(struct domain *d);

/*@ requires own(v) && !v->sched.running;
    requires \forall integer c; 0 <= c < MAX_CPUS ==> !held(&hv->cpu[c].rq.lock);
    terminates \true;
    assigns v->sched.prev, v->sched.next, v->sched.queued, v->sched.cpu, v->sched.prio,
        v->sched.key, v->sched.owner, sched_others;
    ensures v->sched.queued == \old(v->sched.queued); */
void sched_replace(struct vcpu *v);

#include "../../src/core/sched/sched.c"
