/* The loop: both CPUs run the hypervisor's own turns; in between CPU 0 hands the
 * program's operations to the vCPUs they are for. Nothing goes on from one program to
 * the next: after each the CPUs park at the same place and everything is put back. */
#include "fuzz/exec_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "fuzz/reset.h"
#include "hostsim/world/world_impl.h"
#include "x86/hvm/hvm.h"

#define STALLS_MAX 2000u

struct exec exec;
struct exec_stats exec_stats;

static struct {
    struct wcpu cpu[MACHINE_CPUS];
    uint64_t now, random;
} start;

struct domain *exec_domain(uint16_t domid)
{
    struct domain **page;

    if (domid >= DOMID_FIRST_RESERVED) {
        return NULL;
    }
    page = hv->domain_page[domid / DOMAINS_PER_PAGE];
    return page == NULL ? NULL : page[domid % DOMAINS_PER_PAGE];
}

void exec_violation(const char *text)
{
    if (exec.text[0] == '\0') {
        snprintf(exec.text, sizeof(exec.text), "%s", text);
    }
}

/* In no hurry: what was passed over as zero is so, and makes no difference. */
static void audit_again(const struct audit_report *quick)
{
    struct audit_report r;

    if (!reset_zero_holds()) {
        exec_violation("reset: a write was missed");
    }
    audit_run(&r);
    if (r.violations != quick->violations || r.first != quick->first ||
        r.frames_free != quick->frames_free || r.frames_hyp != quick->frames_hyp ||
        r.frames_guest != quick->frames_guest || r.frames_leaked != quick->frames_leaked) {
        exec_violation("the audit that knows what is zero finds something else");
    }
}

static void audit(const char *when)
{
    struct audit_report r;
    char text[256];

    if (exec.text[0] != '\0') {
        return;
    }
    audit_run_knowing(&r, reset_zero());
    if (r.violations != 0) {
        snprintf(text, sizeof(text), "%s %s: %s", r.first, when, r.detail);
        exec_violation(text);
    } else if (r.frames_leaked != 0) {
        snprintf(text, sizeof(text), "leak %s: %llu frames are accounted to nobody", when,
                 (unsigned long long)r.frames_leaked);
        exec_violation(text);
    }
    if (exec.o->audit_each) {
        audit_again(&r);
    }
}

void exec_report(struct op_done *d)
{
    exec_stats.ops++;
    if (d->desc->class == OP_CALL || d->desc->nr == ACT_MULTICALL) {
        exec_stats.hypercalls += d->status == OP_DONE || d->status == OP_WAITS;
    }
    exec_stats.skipped += d->status == OP_NOBODY;
    if (exec.o->hooks.done != NULL) {
        exec.o->hooks.done(exec.o->hooks.arg, d);
    }
    if (exec.o->audit_each && exec.in_flight == 0 && world_quiescent()) {
        char when[64];

        snprintf(when, sizeof(when), "after operation %u", d->index);
        audit(when);
    }
}

static void report_plain(unsigned index, enum op_status status, uint16_t domid, uint16_t vcpu)
{
    const struct op *op = &exec.p->op[index];
    struct op_done d = {.index = index,
                        .op = op,
                        .desc = grammar_ops[op->code],
                        .status = (uint8_t)status,
                        .domid = domid,
                        .vcpu = vcpu,
                        .elements = 1};

    for (unsigned f = 0; grammar_has(d.desc, f); f++) {
        struct resolve_at at = {domid, vcpu, world_now(), 0};

        d.value[f] = resolve_field(op, f, 0, &at);
    }
    exec_report(&d);
}

static struct flight *flight_of(const struct vcpu *v)
{
    for (unsigned i = 0; i < ARRAY_SIZE(exec.flight); i++) {
        if (exec.flight[i].used && exec.flight[i].v == v) {
            return &exec.flight[i];
        }
    }
    return NULL;
}

static void land(struct flight *f, enum op_status status, int64_t rc)
{
    if (--exec.in_flight == 0) {
        exec.meanwhile = false;
        faults_disarm();
    }
    flight_report(f, status, rc);
}

void exec_came_back(struct vcpu *v, const struct guest_regs *regs)
{
    struct flight *f = flight_of(v);

    if (f != NULL) {
        land(f, OP_DONE, (int64_t)regs->gpr[GPR_RAX]);
    }
}

void exec_endless(struct vcpu *v)
{
    exec_violation("a hypercall never ends");
}

void exec_restless(struct vcpu *v)
{
    exec.stuck = true;
    sched_raise(port_cpu_id());
    port_cpu_kick(0);
}

bool exec_over(void)
{
    return exec.over;
}

/* The vCPU that op is for, if it is there and can run. */
static struct vcpu *target(const struct op *op)
{
    struct domain *d = exec_domain(op->dom);
    struct vcpu *v;

    if (d == NULL || load_u8(&d->state) != DOMAIN_ALIVE) {
        return NULL;
    }
    v = op->vcpu < d->max_vcpus ? d->vcpu[op->vcpu] : NULL;
    if (v == NULL || (load_u32(&v->pause_flags) & VPF_DOWN) != 0) {
        v = d->max_vcpus != 0 ? d->vcpu[0] : NULL;
    }
    return v != NULL && v->guest != NULL && v->arch != NULL ? v : NULL;
}

static bool is_task(const struct op *op)
{
    const struct op_desc *d = grammar_ops[op->code];

    return d->class == OP_CALL || d->class == OP_EXIT ||
           (d->class == OP_WORLD && d->nr == ACT_MULTICALL);
}

static bool could_run(const struct vcpu *v)
{
    return (load_u32(&v->pause_flags) & ~(VPF_BLOCKED | VPF_POLL)) == 0 &&
           load_u32(&v->pause_count) == 0 && v->domain->pause_count == 0 &&
           v->domain->hold_count == 0 && !v->domain->shutting_down;
}

/* Gives v operation index; wakes it up unless it asks itself. */
static void launch(struct vcpu *v, unsigned index, bool wake)
{
    struct flight *f = &exec.flight[exec.flight[0].used ? 1 : 0];

    exec.in_flight++;
    exec.next = index + 1;
    flight_arm(f, v, index);
    if (wake) {
        vcpu_wake_flags(v, VPF_BLOCKED | VPF_POLL);
    }
}

static void launch_race(const struct op *op, struct vcpu *v)
{
    const struct op *other = exec.next < exec.p->count ? &exec.p->op[exec.next] : NULL;
    struct vcpu *o;

    if (op->mod != MOD_RACE || other == NULL || other->mod == MOD_RACE) {
        return;
    }
    if (!is_task(other)) {
        exec.meanwhile = grammar_ops[other->code]->class == OP_GUEST;
        return;
    }
    o = target(other);
    if (o == NULL || o == v || !could_run(o)) {
        return;
    }
    launch(o, exec.next, true);
    exec.flight[0].raced = exec.flight[1].raced = true;
}

bool exec_meanwhile(void)
{
    const struct op *op = &exec.p->op[exec.next];
    struct vcpu *v = exec.meanwhile ? target(op) : NULL;
    bool ok;

    exec.meanwhile = false;
    if (v == NULL || grammar_ops[op->code]->nr == ACT_CODE) {
        return false;
    }
    machine_ram_unlocked(true);
    ok = act(op, v->domain, v);
    machine_ram_unlocked(false);
    exec.flight[0].raced = true;
    report_plain(exec.next++, ok ? OP_DONE : OP_NOBODY, v->domain->id, (uint16_t)v->id);
    return true;
}

static void skip(const struct op *op)
{
    report_plain(exec.next++, OP_NOBODY, op->dom, op->vcpu);
}

/* From CPU 0, between two of its turns. */
static void feed(void)
{
    while (exec.in_flight == 0 && exec.next < exec.p->count && exec.text[0] == '\0') {
        const struct op *op = &exec.p->op[exec.next];
        struct vcpu *v = target(op);
        unsigned index = exec.next;

        if (v == NULL) {
            skip(op);
        } else if (!is_task(op)) {
            domid_t domid = v->domain->id;
            uint16_t vcpu = (uint16_t)v->id;
            bool ok;

            faults_arm(op);
            ok = act(op, v->domain, v);
            faults_disarm();
            exec.next++;
            report_plain(index, ok ? OP_DONE : OP_NOBODY, domid, vcpu);
        } else if (!could_run(v)) {
            skip(op);
        } else {
            launch(v, index, true);
            launch_race(op, v);
            faults_arm(op);
        }
    }
}

/* In guest mode: what v itself does next needs no detour. */
bool exec_more(struct vcpu *v)
{
    const struct op *op;

    if (exec.in_flight != 0 || exec.next >= exec.p->count || exec.text[0] != '\0') {
        return false;
    }
    op = &exec.p->op[exec.next];
    if (op->mod == MOD_RACE || !is_task(op) || target(op) != v || !could_run(v)) {
        return false;
    }
    launch(v, exec.next, false);
    faults_arm(op);
    return true;
}

/* Nothing moves, but something is under way: its vCPU sleeps, or is gone. */
static void settle_flights(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(exec.flight); i++) {
        struct flight *f = &exec.flight[i];
        struct domain *d = f->used ? exec_domain(f->domid) : NULL;
        struct engine_task *t;

        if (!f->used) {
            continue;
        }
        if (d == NULL || f->vcpu >= d->max_vcpus || d->vcpu[f->vcpu] != f->v ||
            f->v->guest == NULL) {
            land(f, OP_DIED, 0);
            continue;
        }
        t = engine_task(f->v);
        t->armed = false;
        if (t->issued && f->v->arch->regs.rip != t->regs.rip) {
            land(f, OP_WAITS, (int64_t)f->v->arch->regs.gpr[GPR_RAX]);
        } else {
            land(f, t->issued ? OP_DIED : OP_NOBODY, 0);
        }
    }
}

/* All CPUs idle. Called from within the world: may only tell CPU 0. */
static bool on_idle(uint64_t next_ns)
{
    if (exec.over) {
        if (exec.parked == (1u << MACHINE_CPUS) - 1) {
            world_request_stop();
            return false;
        }
        for (unsigned i = 0; i < MACHINE_CPUS; i++) {
            port_cpu_kick(i);
        }
        return true;
    }
    exec.idle = true;
    port_cpu_kick(0);
    return true;
}

/* All domains die; what is left must be what was there before them. */
static void end_all(void)
{
    struct domain *d;

    for (domid_t id = 0; exec.text[0] == '\0' && (d = domain_next(id)) != NULL;) {
        id = d->id + 1;
        (void)domain_dies(d);
        domain_put(d);
    }
    d = exec.text[0] == '\0' ? domain_next(0) : NULL;
    if (d != NULL) {
        domain_put(d);
        exec_violation("leak: a domain is left after all were killed");
    }
}

static void finish(void)
{
    if (exec.ended || exec.text[0] != '\0') {
        return;
    }
    exec.ended = true;
    if (exec.o->hooks.end != NULL) {
        exec.o->hooks.end(exec.o->hooks.arg);
    }
    if (exec.p->teardown) {
        audit("at the end");
        end_all();
    }
}

static void lead(void)
{
    if (exec.idle || exec.stuck) {
        if (exec.in_flight != 0 && (exec.idle || ++exec.stalls > STALLS_MAX)) {
            settle_flights();
        }
        feed();
        if (exec.in_flight == 0 && (exec.next >= exec.p->count || exec.text[0] != '\0')) {
            finish(); /* while the other CPUs do what they are asked to */
            exec.over = true;
            for (unsigned i = 0; i < MACHINE_CPUS; i++) {
                sched_raise(i);
                port_cpu_kick(i);
            }
        }
        exec.idle = exec.stuck = false;
    }
}

static void body(void *arg)
{
    unsigned cpu = port_cpu_id();

    if (cpu != 0) {
        cpu_online(cpu);
    }
    for (;;) {
        while (!exec.over) {
            if (cpu == 0) {
                lead();
            }
            cpu_turn();
            port_cpu_relax();
        }
        exec.parked |= 1u << cpu;
        /* No timer wakes it here; it will look for itself when it goes on. */
        port_timer_arm(TIME_NEVER);
        do {
            port_cpu_idle();
        } while (exec.over);
        port_timer_arm(port_time_now());
        exec.parked &= ~(1u << cpu);
    }
}

static void save_start(void)
{
    for (unsigned i = 0; i < MACHINE_CPUS; i++) {
        start.cpu[i] = world.cpu[i];
    }
    start.random = world.random;
    start.now = world_latest();
}

static void back_to_start(void)
{
    reset_back();
    world_set_time(start.now);
    for (unsigned i = 0; i < MACHINE_CPUS; i++) {
        struct fiber f = world.cpu[i].fiber;

        world.cpu[i] = start.cpu[i];
        world.cpu[i].fiber = f;
    }
    world.random = start.random;
}

static const struct exec_options no_options;
static const struct program nothing;

static void run_world(const struct program *p, const struct exec_options *o)
{
    memset(&exec, 0, offsetof(struct exec, flight));
    exec.flight[0].used = exec.flight[1].used = false;
    exec.idle = exec.over = exec.stuck = exec.ended = false;
    exec.stalls = 0;
    exec.text[0] = '\0';
    exec.p = p;
    exec.o = o;
    resolve_forget();
    faults_disarm();
    for (unsigned i = 0; i < MACHINE_CPUS; i++) {
        port_cpu_kick(i);
    }
    if (world_run() == WORLD_PANIC && exec.text[0] == '\0') {
        exec_violation(world_panic_text());
    }
}

void exec_init(void)
{
    grammar_init();
    machine_build();
    world_idle_hook = on_idle;
    for (unsigned i = 0; i < MACHINE_CPUS; i++) {
        world_set_body(i, body, NULL);
    }
    /* The vCPUs come up, then rest; twice, so that the second time is like all others. */
    for (unsigned i = 0; i < 2; i++) {
        run_world(&nothing, &no_options);
        if (exec.text[0] != '\0') {
            fprintf(stderr, "fuzz: the machine does not come up: %s\n", exec.text);
            abort();
        }
    }
    save_start();
    reset_take();
}

const char *exec_run(const struct program *p, const struct exec_options *o)
{
    back_to_start();
    if (o->hooks.begin != NULL) {
        o->hooks.begin(o->hooks.arg);
    }
    run_world(p, o);
    audit(p->teardown ? "after all domains died" : "at the end");
    if (p->teardown && free_page_count() + hv->hyp_pages != machine_pages()) {
        exec_violation("leak: pages are missing after all domains died");
    }
    exec_stats.programs++;
    return exec.text[0] != '\0' ? exec.text : NULL;
}
