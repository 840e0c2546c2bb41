/* Hooks: what Unicorn calls while guest code runs. Only the block hook and the
 * planted hooks stop the engine; CPUID and port I/O are handled in place. */
#include <stdlib.h>
#include <string.h>

#include "core/state.h"
#include "hostsim/engine/unicorn_guest.h"
#include "hostsim/world/world.h"

#define RFLAGS_IF 0x200u

void engine_account(struct port_guest *g)
{
    int64_t used = g->budget_given - (g->budget + g->held_back);

    if (used <= 0)
        return;
    g->stats.guest_bytes += (uint64_t)used;
    world_advance((uint64_t)used / BYTES_PER_NS);
    g->budget_given = g->budget + g->held_back + used % BYTES_PER_NS;
}

void engine_poll(struct port_guest *g)
{
    if (!g->held_back) {
        g->held_back = g->budget;
        g->budget = 0;
    }
}

/* True iff the instruction before la was STI or MOV SS / POP SS, whose shadow
 * covers the one at la (SDM 6.8.3). */
static bool in_shadow(struct port_guest *g, uint64_t la)
{
    uint8_t b[2];

    if (!engine_peek(g, la - 2, b, sizeof(b)))
        return false;
    return b[1] == 0xfb || (b[0] == 0x8e && (b[1] & 0x38) == 0x10);
}

bool engine_in_shadow(struct port_guest *g)
{
    return g->exit.reason == EXIT_PREEMPTED && in_shadow(g, g->rip);
}

static void stop_at(struct port_guest *g, uint64_t la)
{
    g->cause = STOP_BLOCK;
    g->stop_address = la;
    uc_emu_stop(g->uc);
}

static void on_block(uc_engine *uc, uint64_t la, uint32_t size, void *arg)
{
    struct port_guest *g = arg;

    g->budget -= size;
    if (g->budget > 0)
        return;
    g->budget += g->held_back;
    g->held_back = 0;
    if (g->cause != STOP_NONE || (la & PAGE_MASK) == ENGINE_TRAP_VA)
        return;
    if (g->want_window && (engine_reg(g, UC_X86_REG_RFLAGS) & RFLAGS_IF) && !in_shadow(g, la)) {
        g->exit.reason = EXIT_WINDOW;
        stop_at(g, la);
    } else if (g->budget <= 0 || world_should_stop()) {
        g->exit.reason = EXIT_PREEMPTED;
        stop_at(g, la);
    }
    if (g->cause == STOP_BLOCK)
        g->budget += size; /* the block has not run */
    else if (g->want_window)
        engine_poll(g);
}

/* An exit that is answered inside its hook: CPUID and port I/O. */
static void handle_inline(struct port_guest *g, enum exit_reason reason)
{
    struct vcpu *v = g->v;

    engine_account(g);
    world_advance(INLINE_EXIT_NS);
    engine_read_regs(g, &v->arch->regs);
    memset(&v->arch->exit, 0, sizeof(v->arch->exit));
    v->arch->exit.reason = (uint8_t)reason;
    v->arch->exit.vectoring.type = EVENT_NONE;
    v->arch->exit.u = g->exit.u;
    engine_read_modes(g, &v->arch->exit);
    v->arch->exit.insn_len = 2;
    hvm_handle_exit(v);
    engine_poll(g);
}

static int on_cpuid(uc_engine *uc, void *arg)
{
    struct port_guest *g = arg;
    struct guest_regs *r = &g->v->arch->regs;

    handle_inline(g, EXIT_CPUID);
    engine_set_reg(g, UC_X86_REG_RAX, r->gpr[GPR_RAX]);
    engine_set_reg(g, UC_X86_REG_RBX, r->gpr[GPR_RBX]);
    engine_set_reg(g, UC_X86_REG_RCX, r->gpr[GPR_RCX]);
    engine_set_reg(g, UC_X86_REG_RDX, r->gpr[GPR_RDX]);
    return 1;
}

static uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *arg)
{
    struct port_guest *g = arg;

    memset(&g->exit.u, 0, sizeof(g->exit.u));
    g->exit.u.io.port = (uint16_t)port;
    g->exit.u.io.size = (uint8_t)size;
    g->exit.u.io.in = true;
    handle_inline(g, EXIT_IO);
    return (uint32_t)g->v->arch->regs.gpr[GPR_RAX];
}

static void on_out(uc_engine *uc, uint32_t port, int size, uint32_t value, void *arg)
{
    struct port_guest *g = arg;

    memset(&g->exit.u, 0, sizeof(g->exit.u));
    g->exit.u.io.port = (uint16_t)port;
    g->exit.u.io.size = (uint8_t)size;
    handle_inline(g, EXIT_IO);
}

static void on_exception(uc_engine *uc, uint32_t vector, void *arg)
{
    struct port_guest *g = arg;

    if (g->cause == STOP_NONE) {
        g->cause = STOP_EXCEPTION;
        g->stop_vector = vector;
    }
    uc_emu_stop(uc);
}

static bool on_invalid(uc_engine *uc, void *arg)
{
    struct port_guest *g = arg;

    g->cause = STOP_INVALID;
    uc_emu_stop(uc);
    return true;
}

static void on_syscall(uc_engine *uc, void *arg)
{
    struct port_guest *g = arg;

    g->cause = STOP_SYSCALL;
    uc_emu_stop(uc);
}

static bool add(struct port_guest *g, int type, void *fn)
{
    uc_hook hook;

    return uc_hook_add(g->uc, &hook, type, fn, g, 1, 0) == UC_ERR_OK;
}

static bool add_insn(struct port_guest *g, int insn, void *fn)
{
    uc_hook hook;

    return uc_hook_add(g->uc, &hook, UC_HOOK_INSN, fn, g, 1, 0, insn) == UC_ERR_OK;
}

int engine_add_hooks(struct port_guest *g)
{
    g->uc = engine_open();
    if (!g->uc)
        return -1;
    g->code_pages = calloc(engine_frames + 1, 1);
    g->writable_epoch = calloc(engine_frames + 1, sizeof(*g->writable_epoch));
    g->scanned = calloc(engine_frames + 1, sizeof(*g->scanned));
    g->epoch = 1;
    if (!g->code_pages || !g->writable_epoch || !g->scanned ||
        uc_context_alloc(g->uc, &g->ctx) != UC_ERR_OK)
        return -1;
    if (!add(g, UC_HOOK_TLB_FILL, (void *)engine_tlb_fill) ||
        uc_ctl_tlb_mode(g->uc, UC_TLB_VIRTUAL) != UC_ERR_OK ||
        !add(g, UC_HOOK_INTR, (void *)on_exception) ||
        !add(g, UC_HOOK_INSN_INVALID, (void *)on_invalid) ||
        !add(g, UC_HOOK_BLOCK, (void *)on_block) ||
        !add_insn(g, UC_X86_INS_CPUID, (void *)on_cpuid) ||
        !add_insn(g, UC_X86_INS_IN, (void *)on_in) ||
        !add_insn(g, UC_X86_INS_OUT, (void *)on_out) ||
        !add_insn(g, UC_X86_INS_SYSCALL, (void *)on_syscall))
        return -1;
    return 0;
}
