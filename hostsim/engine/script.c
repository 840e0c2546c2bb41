#include "hostsim/engine/script.h"

#include <stdlib.h>
#include <string.h>

#include "core/vcpu/vcpu.h"
#include "hostsim/world/world.h"

#define RUN_NS 10000u
#define MSR_SLOTS 32u

struct scripted {
    struct guest_exit exit;
    struct guest_regs regs;
    bool has_regs;
    struct scripted *next;
};

struct port_guest {
    struct guest_state state;
    struct guest_fpu fpu;
    struct scripted *head, **tail;
    struct guest_entry last;
    unsigned runs;
    struct {
        uint32_t index;
        uint64_t value;
    } msr[MSR_SLOTS]; /* those that guest_state has no field for */
    unsigned msrs;
};

static unsigned flushes;
static uint64_t run_ns = RUN_NS;

void script_run_ns(uint64_t ns)
{
    run_ns = ns ? ns : RUN_NS;
}

int port_guest_create(struct vcpu *v)
{
    v->guest = calloc(1, sizeof(*v->guest));
    if (!v->guest) {
        return -XEN_ENOMEM;
    }
    v->guest->tail = &v->guest->head;
    v->guest->last.inject.type = EVENT_NONE;
    return 0;
}

void port_guest_destroy(struct vcpu *v)
{
    struct scripted *s = v->guest ? v->guest->head : NULL;

    while (s) {
        struct scripted *next = s->next;

        free(s);
        s = next;
    }
    free(v->guest);
    v->guest = NULL;
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

/* Where guest_state keeps an MSR, or NULL. Numbers: SDM Vol. 4 table 2-2. */
static uint64_t *state_msr(struct guest_state *s, uint32_t msr)
{
    switch (msr) {
    case 0x174:
        return &s->sysenter_cs;
    case 0x175:
        return &s->sysenter_esp;
    case 0x176:
        return &s->sysenter_eip;
    case 0x277:
        return &s->pat;
    case 0xc0000080:
        return &s->efer;
    case 0xc0000081:
        return &s->star;
    case 0xc0000082:
        return &s->lstar;
    case 0xc0000083:
        return &s->cstar;
    case 0xc0000084:
        return &s->sfmask;
    case 0xc0000100:
        return &s->seg[SEG_FS].base;
    case 0xc0000101:
        return &s->seg[SEG_GS].base;
    case 0xc0000102:
        return &s->kernel_gs_base;
    case 0xc0000103:
        return &s->tsc_aux;
    default:
        return NULL;
    }
}

uint64_t port_guest_rdmsr(struct vcpu *v, uint32_t msr)
{
    struct port_guest *g = v->guest;
    const uint64_t *field;

    for (unsigned i = 0; i < g->msrs; i++) {
        if (g->msr[i].index == msr) {
            return g->msr[i].value;
        }
    }
    field = state_msr(&g->state, msr);
    return field ? *field : 0;
}

void port_guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    struct port_guest *g = v->guest;
    uint64_t *field;
    unsigned i = 0;

    while (i < g->msrs && g->msr[i].index != msr) {
        i++;
    }
    field = state_msr(&g->state, msr);
    if (field) {
        *field = value;
        return;
    }
    if (i == MSR_SLOTS) {
        abort();
    }
    g->msr[i].index = msr;
    g->msr[i].value = value;
    g->msrs = i < g->msrs ? g->msrs : i + 1;
}

void port_guest_set_cr(struct vcpu *v, unsigned cr, uint64_t value)
{
    struct guest_state *s = &v->guest->state;

    switch (cr) {
    case 0:
        s->cr0 = value;
        break;
    case 2:
        s->cr2 = value;
        break;
    case 3:
        s->cr3 = value;
        break;
    case 4:
        s->cr4 = value;
        break;
    default:
        abort();
    }
}

static void preempted(const struct guest_state *s, struct guest_exit *out)
{
    uint64_t now = world_now();
    uint64_t limit = world_deadline();

    world_advance(limit <= now ? 0 : limit - now < run_ns ? limit - now : run_ns);
    *out = (struct guest_exit){.reason = EXIT_PREEMPTED, .vectoring = {.type = EVENT_NONE}};
    out->cr0 = s->cr0;
    out->cr3 = s->cr3;
    out->cr4 = s->cr4;
    out->efer = s->efer;
}

void port_guest_run(struct vcpu *v, struct guest_regs *regs, const struct guest_entry *in,
                    struct guest_exit *out)
{
    struct port_guest *g = v->guest;
    struct scripted *s = g->head;

    g->last = *in;
    g->runs++;
    if (s) {
        *out = s->exit;
        if (s->has_regs) {
            *regs = s->regs;
        }
        g->head = s->next;
        if (!g->head) {
            g->tail = &g->head;
        }
        free(s);
    } else {
        preempted(&g->state, out);
    }
    g->state.regs = *regs;
    world_exit_guest();
}

void port_guest_leave(struct vcpu *v)
{
}

void port_guest_flush(struct domain *d)
{
    flushes++;
}

void script_push(struct vcpu *v, const struct guest_exit *e, const struct guest_regs *regs)
{
    struct scripted *s = calloc(1, sizeof(*s));

    if (!s) {
        abort();
    }
    s->exit = *e;
    if (regs) {
        s->regs = *regs;
        s->has_regs = true;
    }
    *v->guest->tail = s;
    v->guest->tail = &s->next;
}

struct guest_entry script_last_entry(struct vcpu *v)
{
    return v->guest->last;
}

unsigned script_run_count(struct vcpu *v)
{
    return v->guest->runs;
}

struct guest_state *script_state(struct vcpu *v)
{
    return &v->guest->state;
}

unsigned script_flush_count(void)
{
    return flushes;
}
