/* Instructions for which Unicorn has no hook get a code hook at their own
 * address, found by scanning each page when it is first filled for fetch. */
#include <string.h>

#include "core/time/tsc.h"
#include "hostsim/engine/unicorn_guest.h"
#include "hostsim/world/world.h"

static const uint8_t gpr_of_modrm[8] = {GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX,
                                        GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI};
static const int uc_gpr[GPR_COUNT] = {
    UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP,
    UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8,  UC_X86_REG_R9,  UC_X86_REG_R10, UC_X86_REG_R11,
    UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
};

/* Leaves the engine exactly before the instruction at la, with an exit. */
static void trap(struct port_guest *g, enum exit_reason reason, uint64_t la, unsigned len)
{
    uint64_t to = ENGINE_TRAP_VA;

    g->exit.reason = reason;
    g->exit.insn_len = (uint8_t)len;
    g->cause = STOP_TRAP;
    g->stop_address = la;
    uc_reg_write(g->uc, UC_X86_REG_RIP, &to);
}

static void answer_tsc(struct port_guest *g, uint64_t next_rip, bool with_aux)
{
    uint64_t tsc;

    engine_account(g);
    world_advance(TSC_READ_NS);
    tsc = domain_tsc_read(g->v->domain);
    engine_set_reg(g, UC_X86_REG_RAX, (uint32_t)tsc);
    engine_set_reg(g, UC_X86_REG_RDX, tsc >> 32);
    if (with_aux)
        engine_set_reg(g, UC_X86_REG_RCX, (uint32_t)port_guest_rdmsr(g->v, 0xc0000103));
    engine_set_reg(g, UC_X86_REG_RIP, next_rip);
}

/* Unicorn itself takes whatever is written, where a CPU refuses addresses that are not
 * canonical: those are answered as if the register were intercepted. */
static bool msr_direct(struct port_guest *g, bool write)
{
    uint64_t value = (uint32_t)engine_reg(g, UC_X86_REG_RAX) | engine_reg(g, UC_X86_REG_RDX) << 32;

    return msr_passthrough((uint32_t)engine_reg(g, UC_X86_REG_RCX)) &&
           (!write || (uint64_t)((int64_t)(value << 16) >> 16) == value);
}

static void on_planted(uc_engine *uc, uint64_t la, uint32_t size, void *arg)
{
    struct port_guest *g = arg;
    uint8_t b[4];
    unsigned rex = 0, i = 0;

    g->stats.planted_calls++;
    if (engine_cpl(g) != 0 || !engine_peek(g, la, b, sizeof(b)))
        return;
    if ((b[0] & 0xf0) == 0x40) {
        rex = b[0];
        i = 1;
    }
    if (b[i] != 0x0f)
        return;
    if (b[i + 1] == 0x31) {
        answer_tsc(g, la + i + 2, false);
    } else if (i == 0 && b[1] == 0x01 && b[2] == 0xf9) {
        answer_tsc(g, la + 3, true);
    } else if (b[i + 1] == 0x32 || b[i + 1] == 0x30) {
        if (!msr_direct(g, b[i + 1] == 0x30))
            trap(g, b[i + 1] == 0x32 ? EXIT_RDMSR : EXIT_WRMSR, la, i + 2);
    } else if (b[i + 1] == 0x20 && (b[i + 2] & 0xf8) == 0xd0) {
        unsigned r = gpr_of_modrm[b[i + 2] & 7] | (rex & 1 ? 8u : 0u);

        engine_set_reg(g, uc_gpr[r], g->cr2);
        engine_set_reg(g, UC_X86_REG_RIP, la + i + 3);
    }
}

static void plant(struct port_guest *g, uint64_t la)
{
    for (unsigned i = 0; i < g->planted_count; i++) {
        if (g->planted[i].va == la)
            return;
    }
    if (g->planted_count == PLANTED_MAX)
        return;
    g->planted[g->planted_count].va = la;
    if (uc_hook_add(g->uc, &g->planted[g->planted_count].hook, UC_HOOK_CODE, (void *)on_planted, g,
                    la, la) == UC_ERR_OK) {
        g->planted_count++;
        g->stats.plants++;
    }
}

void engine_unplant_all(struct port_guest *g)
{
    for (unsigned i = 0; i < g->planted_count; i++)
        uc_hook_del(g->uc, g->planted[i].hook);
    g->planted_count = 0;
    memset(g->scanned, 0, engine_frames * sizeof(*g->scanned));
}

static bool wanted(const uint8_t *p, size_t left)
{
    if (p[0] != 0x0f)
        return false;
    switch (p[1]) {
    case 0x30: /* wrmsr */
    case 0x31: /* rdtsc */
    case 0x32: /* rdmsr */
        return true;
    case 0x01: /* rdtscp */
        return left > 2 && p[2] == 0xf9;
    case 0x20: /* mov r64, cr2 */
        return left > 2 && (p[2] & 0xf8) == 0xd0;
    default:
        return false;
    }
}

void engine_scan_page(struct port_guest *g, uint64_t la_page, const uint8_t *page, bool user)
{
    uint64_t frame = (uint64_t)(page - world_ram()) >> PAGE_SHIFT;

    if (user || g->scanned[frame] == la_page + 1)
        return;
    if (g->planted_count > PLANTED_MAX * 3 / 4 && !g->running) {
        engine_unplant_all(g);
        uc_ctl_flush_tb(g->uc);
    }
    g->scanned[frame] = la_page + 1;
    for (size_t i = 0; i + 1 < PAGE_SIZE; i++) {
        if (page[i] != 0x0f || !wanted(page + i, PAGE_SIZE - i))
            continue;
        plant(g, la_page + i);
        if (i > 0 && page[i + 1] == 0x20 && (page[i - 1] & 0xf0) == 0x40)
            plant(g, la_page + i - 1); /* with a REX prefix */
    }
}

bool engine_user_tsc(struct port_guest *g)
{
    uint8_t b[3];

    if (engine_cpl(g) != 3 || !engine_peek(g, g->rip, b, sizeof(b)) || b[0] != 0x0f)
        return false;
    if (b[1] == 0x31) {
        answer_tsc(g, g->rip + 2, false);
        g->rip += 2;
        return true;
    }
    if (b[1] == 0x01 && b[2] == 0xf9) {
        answer_tsc(g, g->rip + 3, true);
        g->rip += 3;
        return true;
    }
    return false;
}
