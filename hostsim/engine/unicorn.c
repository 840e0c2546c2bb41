/* The Unicorn engine behind port/guest.h: creation, the run loop, flushes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/arith.h"
#include "core/console/console.h"
#include "hostsim/engine/unicorn_guest.h"
#include "hostsim/world/world.h"

#define TCG_BUFFER_BYTES (48u << 20) /* touched as a whole when opened */
#define BUDGET_MAX (INT64_C(1) << 40)
#define OLDEST_VERSION 0x020101ffu
#define VECTOR_BP 3u
#define VECTOR_UD 6u
#define VECTOR_GP 13u

struct port_guest *engine_list;
uint64_t engine_frames;
static uint8_t *trap_page;

static void on_code_changed(uint64_t frame, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        engine_drop_code(frame + i);
}

const char *engine_version(void)
{
    static char text[32];
    unsigned major, minor;
    unsigned v = uc_version(&major, &minor);

    snprintf(text, sizeof(text), "%u.%u.%u", v >> 24, v >> 16 & 0xff, v >> 8 & 0xff);
    return text;
}

int engine_start(void)
{
    if (uc_version(NULL, NULL) < (OLDEST_VERSION & ~0xffu)) {
        fprintf(stderr, "corbel-sim: libunicorn %s is too old: 2.1.1 or later is needed\n",
                engine_version());
        return -1;
    }
    if (engine_calibrate() != 0)
        return -1;
    engine_frames = world_ram_bytes() >> PAGE_SHIFT;
    trap_page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (trap_page == MAP_FAILED)
        return -1;
    memset(trap_page, 0xf4, PAGE_SIZE); /* hlt */
    world_code_changed_sink = on_code_changed;
    return 0;
}

void engine_stop(void)
{
    world_code_changed_sink = NULL;
    if (trap_page)
        munmap(trap_page, PAGE_SIZE);
    trap_page = NULL;
}

uc_engine *engine_open(void)
{
    uc_engine *uc;

    if (uc_open(UC_ARCH_X86, UC_MODE_64, &uc) != UC_ERR_OK)
        return NULL;
    if (uc_ctl_set_cpu_model(uc, UC_CPU_X86_EPYC) != UC_ERR_OK ||
        uc_ctl_set_tcg_buffer_size(uc, TCG_BUFFER_BYTES) != UC_ERR_OK ||
        uc_ctl_exits_enable(uc) != UC_ERR_OK ||
        uc_mem_map_ptr(uc, 0, engine_frames << PAGE_SHIFT, UC_PROT_ALL, world_ram()) != UC_ERR_OK ||
        uc_mem_map_ptr(uc, engine_frames << PAGE_SHIFT, PAGE_SIZE, UC_PROT_READ | UC_PROT_EXEC,
                       trap_page) != UC_ERR_OK) {
        uc_close(uc);
        return NULL;
    }
    return uc;
}

/* The engine itself is opened when the vCPU first gets a state, so that vCPUs
 * that never start cost nothing. */
int port_guest_create(struct vcpu *v)
{
    struct port_guest *g = calloc(1, sizeof(*g));

    if (!g)
        return -XEN_ENOMEM;
    g->v = v;
    g->next = engine_list;
    g->link = &engine_list;
    if (g->next)
        g->next->link = &g->next;
    engine_list = g;
    v->guest = g;
    return 0;
}

void port_guest_destroy(struct vcpu *v)
{
    struct port_guest *g = v->guest;

    if (!g)
        return;
    *g->link = g->next;
    if (g->next)
        g->next->link = g->link;
    if (g->ctx)
        uc_context_free(g->ctx);
    if (g->uc)
        uc_close(g->uc);
    free(g->code_pages);
    free(g->writable_epoch);
    free(g->scanned);
    free(g->debug);
    free(g);
    v->guest = NULL;
}

/* Each vCPU has an engine of its own. */
void port_guest_leave(struct vcpu *v)
{
}

void port_guest_flush(struct domain *d)
{
    for (struct port_guest *g = engine_list; g; g = g->next) {
        if (g->v->domain == d)
            engine_flush_tlb(g);
    }
}

struct engine_stats engine_stats_of(const struct vcpu *v)
{
    return v->guest ? v->guest->stats : (struct engine_stats){0};
}

static bool is_hypercall(struct port_guest *g)
{
    uint8_t b[3];

    return engine_peek(g, g->rip, b, sizeof(b)) && b[0] == 0x0f && b[1] == 0x01 &&
           (b[2] == 0xc1 || b[2] == 0xd9);
}

/* INT n and INT3 come with rip behind them, faults with rip at them. */
static uint8_t event_type(struct port_guest *g, uint32_t vector)
{
    uint8_t b[2];

    if (vector == VECTOR_BP)
        return EVENT_SW_EXCEPTION;
    if (vector >= 32)
        return EVENT_SW_INT;
    if (engine_peek(g, g->rip - 2, b, sizeof(b)) && b[0] == 0xcd && b[1] == vector)
        return EVENT_SW_INT;
    return EVENT_HW_EXCEPTION;
}

static bool vector_has_error(uint32_t vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

/* True: go on running; false: g->exit is the answer. */
static bool after_exception(struct port_guest *g, uint32_t vector)
{
    struct guest_event e = {0};

    g->rip = engine_reg(g, UC_X86_REG_RIP);
    e.error = engine_take_exception(g);
    if (vector == VECTOR_UD && is_hypercall(g)) {
        g->exit.reason = EXIT_HYPERCALL;
        g->exit.insn_len = 3;
        return false;
    }
    if (vector == VECTOR_GP && engine_user_tsc(g))
        return true;
    e.vector = (uint8_t)vector;
    e.type = event_type(g, vector);
    e.has_error = e.type == EVENT_HW_EXCEPTION && vector_has_error(vector);
    return engine_deliver(g, &e);
}

static bool after_halt(struct port_guest *g)
{
    uint8_t b;

    g->rip = engine_reg(g, UC_X86_REG_RIP);
    if (engine_cpl(g) == 0 && engine_peek(g, g->rip - 1, &b, 1) && b == 0xf4) {
        g->rip--;
        g->exit.reason = EXIT_HLT;
        g->exit.insn_len = 1;
        return false;
    }
    return true; /* PAUSE ends a run as well */
}

static void set_rip_of_block(struct port_guest *g)
{
    struct guest_exit modes = {0};

    engine_read_modes(g, &modes);
    g->rip = g->stop_address;
    if (!modes.cs_l)
        g->rip = (uint32_t)(g->rip - engine_seg_base(g, SEG_CS));
}

/* Decides what the end of one uc_emu_start() means. */
static bool after_run(struct port_guest *g, uc_err err)
{
    switch (g->cause) {
    case STOP_BLOCK:
        set_rip_of_block(g);
        return false;
    case STOP_TRAP:
        g->rip = g->stop_address;
        return false;
    case STOP_DEBUG:
        g->rip = g->stop_address;
        engine_debug_stopped(g, false);
        return true;
    case STOP_EXCEPTION:
        return after_exception(g, g->stop_vector);
    case STOP_INVALID:
        return after_exception(g, VECTOR_UD);
    case STOP_SYSCALL:
        g->rip = engine_reg(g, UC_X86_REG_RIP);
        engine_syscall(g);
        return true;
    case STOP_TLB:
        g->rip = engine_reg(g, UC_X86_REG_RIP);
        return engine_deliver_miss(g);
    case STOP_NONE:
        break;
    }
    if (err == UC_ERR_OK)
        return after_halt(g);
    g->rip = engine_reg(g, UC_X86_REG_RIP);
    hv_log(0, "engine: %s at rip %lx\n", uc_strerror(err), g->rip);
    g->exit.reason = EXIT_FAILED;
    return false;
}

/* One stretch of guest code, at most to the world's deadline. */
static bool run_once(struct port_guest *g)
{
    uint64_t now = world_now(), deadline = world_deadline();
    bool stepping;
    uc_err err;

    if (deadline <= now) {
        g->exit.reason = EXIT_PREEMPTED;
        return false;
    }
    g->budget = (int64_t)min_u64(deadline - now, BUDGET_MAX) * BYTES_PER_NS;
    g->budget_given = g->budget;
    g->held_back = 0;
    if (g->want_window)
        engine_poll(g);
    g->cause = STOP_NONE;
    g->stats.runs++;
    g->running = true;
    stepping = engine_debug_stepping(g);
    err = uc_emu_start(g->uc, g->rip, 0, 0, stepping ? 1 : 0);
    g->running = false;
    engine_account(g);
    if (stepping && g->cause == STOP_NONE && err == UC_ERR_OK) {
        g->rip = engine_reg(g, UC_X86_REG_RIP);
        engine_debug_stopped(g, true);
        return true;
    }
    return after_run(g, err);
}

void port_guest_run(struct vcpu *v, struct guest_regs *regs, const struct guest_entry *in,
                    struct guest_exit *out)
{
    struct port_guest *g = v->guest;

    memset(&g->exit, 0, sizeof(g->exit));
    g->exit.vectoring.type = EVENT_NONE;
    g->exit.reason = EXIT_FAILED;
    if (g->uc) {
        engine_write_regs(g, regs);
        g->want_window = in->intr_window;
        if (in->inject.type == EVENT_NONE || engine_deliver(g, &in->inject)) {
            /* IRET is not seen: the window of an NMI that waits is open at once. */
            g->exit.reason = in->nmi_window ? EXIT_WINDOW : EXIT_PREEMPTED;
            if (!in->nmi_window && !world_should_stop()) {
                while (run_once(g)) {
                }
            }
        }
        engine_read_regs(g, regs);
        engine_read_modes(g, &g->exit);
        g->exit.intr_shadow = engine_in_shadow(g);
    }
    *out = g->exit;
    world_exit_guest();
}
