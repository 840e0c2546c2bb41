/* What a debugger needs of the engine: breakpoints as code hooks, single steps
 * by Unicorn's instruction count, and linear memory. */
#include <stdlib.h>

#include "hostsim/engine/unicorn_guest.h"

#define BREAKPOINTS_MAX 64u

struct engine_debug {
    struct planted bp[BREAKPOINTS_MAX];
    unsigned count;
    uint64_t skip; /* resume through this breakpoint once */
    bool skipping, stepping;
};

void (*engine_debug_hook)(struct vcpu *v, bool stepped);

static struct engine_debug *debug_of(struct vcpu *v)
{
    if (!v->guest || !v->guest->uc)
        return NULL;
    if (!v->guest->debug)
        v->guest->debug = calloc(1, sizeof(*v->guest->debug));
    return v->guest->debug;
}

static void on_breakpoint(uc_engine *uc, uint64_t la, uint32_t size, void *arg)
{
    struct port_guest *g = arg;
    uint64_t to = ENGINE_TRAP_VA;

    if (g->debug->skipping && g->debug->skip == la) {
        g->debug->skipping = false;
        return;
    }
    g->cause = STOP_DEBUG;
    g->stop_address = la;
    uc_reg_write(uc, UC_X86_REG_RIP, &to);
}

bool engine_breakpoint_add(struct vcpu *v, uint64_t la)
{
    struct engine_debug *d = debug_of(v);

    if (!d || d->count == BREAKPOINTS_MAX)
        return false;
    d->bp[d->count].va = la;
    if (uc_hook_add(v->guest->uc, &d->bp[d->count].hook, UC_HOOK_CODE, (void *)on_breakpoint,
                    v->guest, la, la) != UC_ERR_OK)
        return false;
    d->count++;
    uc_ctl_flush_tb(v->guest->uc);
    return true;
}

bool engine_breakpoint_remove(struct vcpu *v, uint64_t la)
{
    struct engine_debug *d = debug_of(v);

    for (unsigned i = 0; d && i < d->count; i++) {
        if (d->bp[i].va != la)
            continue;
        uc_hook_del(v->guest->uc, d->bp[i].hook);
        d->bp[i] = d->bp[--d->count];
        return true;
    }
    return false;
}

void engine_step(struct vcpu *v, bool on)
{
    struct engine_debug *d = debug_of(v);

    if (d)
        d->stepping = on;
}

bool engine_debug_stepping(const struct port_guest *g)
{
    return g->debug && g->debug->stepping;
}

void engine_debug_stopped(struct port_guest *g, bool stepped)
{
    engine_read_regs(g, &g->v->arch->regs);
    engine_read_modes(g, &g->v->arch->exit);
    if (engine_debug_hook)
        engine_debug_hook(g->v, stepped);
    engine_write_regs(g, &g->v->arch->regs);
    g->debug->skip = g->rip;
    g->debug->skipping = true;
}

bool engine_debug_read(struct vcpu *v, uint64_t la, void *dst, uint64_t n)
{
    return v->guest && v->guest->uc && engine_peek(v->guest, la, dst, n);
}

bool engine_debug_write(struct vcpu *v, uint64_t la, const void *src, uint64_t n)
{
    return v->guest && v->guest->uc && engine_poke(v->guest, la, src, n);
}
