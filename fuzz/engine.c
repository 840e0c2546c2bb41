/* Every vCPU does what the program says, then halts; an event is acknowledged as a
 * kernel's handler would. All state is in the pool, which is reset with the memory. */
#include "fuzz/engine.h"

#include <stdlib.h>
#include <string.h>

#include "core/vcpu/vcpu.h"
#include "fuzz/machine.h"
#include "hostsim/world/world.h"
#include "x86/hvm/hvm.h"

#define MSR_SLOTS 32u
#define RUN_NS 200u
#define SPINS_MAX 64u
#define RESTARTS_MAX 200000u

struct port_guest {
    bool used;
    uint32_t spins; /* halts since the last task */
    struct engine_task task;
    struct guest_state state;
    struct guest_fpu fpu;
    unsigned msrs;
    struct {
        uint32_t index;
        uint64_t value;
    } msr[MSR_SLOTS];
};

static struct port_guest *pool;

size_t engine_pool_bytes(void)
{
    return ENGINE_GUESTS * sizeof(struct port_guest);
}

void engine_pool_at(void *p)
{
    pool = p;
}

int port_guest_create(struct vcpu *v)
{
    for (unsigned i = 0; i < ENGINE_GUESTS; i++) {
        if (!pool[i].used) {
            memset(&pool[i], 0, sizeof(pool[i]));
            pool[i].used = true;
            v->guest = &pool[i];
            return 0;
        }
    }
    return -XEN_ENOMEM;
}

void port_guest_destroy(struct vcpu *v)
{
    if (v->guest != NULL) {
        v->guest->used = false;
        v->guest = NULL;
    }
}

struct engine_task *engine_task(struct vcpu *v)
{
    return &v->guest->task;
}

struct guest_state *engine_state(struct vcpu *v)
{
    return &v->guest->state;
}

void port_guest_load(struct vcpu *v, const struct guest_state *s)
{
    v->guest->state = *s;
}

void port_guest_save(struct vcpu *v, struct guest_state *s)
{
    *s = v->guest->state;
}

void port_guest_load_fpu(struct vcpu *v, const struct guest_fpu *f)
{
    v->guest->fpu = *f;
}

void port_guest_save_fpu(struct vcpu *v, struct guest_fpu *f)
{
    *f = v->guest->fpu;
}

void port_guest_leave(struct vcpu *v)
{
}

uint64_t port_guest_rdmsr(struct vcpu *v, uint32_t msr)
{
    struct port_guest *g = v->guest;

    if (msr == 0xc0000080) {
        return g->state.efer;
    }
    for (unsigned i = 0; i < g->msrs; i++) {
        if (g->msr[i].index == msr) {
            return g->msr[i].value;
        }
    }
    return 0;
}

void port_guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    struct port_guest *g = v->guest;
    unsigned i = 0;

    if (msr == 0xc0000080) {
        g->state.efer = value;
        return;
    }
    while (i < g->msrs && g->msr[i].index != msr) {
        i++;
    }
    if (i == MSR_SLOTS) {
        return;
    }
    g->msr[i].index = msr;
    g->msr[i].value = value;
    g->msrs = i < g->msrs ? g->msrs : i + 1;
}

void port_guest_set_cr(struct vcpu *v, unsigned cr, uint64_t value)
{
    struct guest_state *s = &v->guest->state;

    if (cr == 0) {
        s->cr0 = value;
    } else if (cr == 2) {
        s->cr2 = value;
    } else if (cr == 3) {
        s->cr3 = value;
    } else {
        s->cr4 = value;
    }
}

void port_guest_flush(struct domain *d)
{
}

/* The handler of an event: looks for itself, so the flag goes. */
static void take_event(struct vcpu *v, const struct guest_event *e)
{
    if (e->type == EVENT_EXT_INT && v->info != NULL) {
        v->info->evtchn_upcall_pending = 0;
    }
}

static void leave(struct port_guest *g, uint8_t reason, struct guest_exit *out)
{
    memset(out, 0, sizeof(*out));
    out->reason = reason;
    out->vectoring.type = EVENT_NONE;
    out->cr0 = g->state.cr0;
    out->cr3 = g->state.cr3;
    out->cr4 = g->state.cr4;
    out->efer = g->state.efer;
    out->insn_len = 1;
    out->cs_l = true;
}

/* How long a vCPU that does not stay halted runs before it leaves again: longer and longer,
 * for a second may pass. */
static uint64_t restless_ns(uint32_t spins)
{
    uint32_t times = spins > SPINS_MAX ? spins - SPINS_MAX : 0;

    return UINT64_C(10000) << (times < 7 * 16 ? times / 16 : 7);
}

static void rest(struct vcpu *v, struct guest_regs *regs, const struct guest_entry *in,
                 struct guest_exit *out)
{
    struct port_guest *g = v->guest;

    if (in->nmi_window) {
        leave(g, EXIT_WINDOW, out);
        return;
    }
    if (exec_over() || ++g->spins > SPINS_MAX) {
        world_advance(restless_ns(g->spins));
        exec_restless(v);
        leave(g, EXIT_PREEMPTED, out);
        return;
    }
    regs->rflags |= 0x200;
    leave(g, EXIT_HLT, out);
}

/* A hypercall that has to go on does, with the registers as they are now. */
static bool goes_on(struct vcpu *v, const struct guest_regs *regs)
{
    struct engine_task *t = &v->guest->task;

    if (!t->call || regs->rip != t->regs.rip) {
        return false;
    }
    if (++t->restarts > RESTARTS_MAX) {
        exec_endless(v);
        return false;
    }
    return true;
}

void port_guest_run(struct vcpu *v, struct guest_regs *regs, const struct guest_entry *in,
                    struct guest_exit *out)
{
    struct engine_task *t = &v->guest->task;

    world_advance(RUN_NS);
    take_event(v, &in->inject);
    if (t->armed && t->issued) {
        if (goes_on(v, regs)) {
            *out = t->exit;
            world_exit_guest();
            return;
        }
        t->armed = false;
        exec_came_back(v, regs);
    }
    if (t->armed || exec_more(v)) {
        v->guest->spins = 0;
        t->issued = true;
        *regs = t->regs;
        *out = t->exit;
    } else {
        rest(v, regs, in, out);
    }
    world_exit_guest();
}
