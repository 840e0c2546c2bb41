/* The engine's virtual TLB: each miss is answered by the guest's page tables,
 * then the domain's second stage. No frame is ever writable and executable in
 * one engine at the same time, which keeps translated code coherent across
 * aliases and across engines. */
#include <string.h>

#include "base/arith.h"
#include "core/p2m/p2m_log.h"
#include "core/state.h"
#include "hostsim/engine/unicorn_guest.h"
#include "hostsim/world/world.h"

#define PERM_READ 1
#define PERM_WRITE 2
#define PERM_EXEC 4
#define CR4_TSD (1u << 2)

void engine_flush_tlb(struct port_guest *g)
{
    if (!g->uc)
        return;
    uc_ctl_flush_tlb(g->uc);
    g->stats.flushes++;
    if (++g->epoch == 0) {
        memset(g->writable_epoch, 0, engine_frames * sizeof(*g->writable_epoch));
        g->epoch = 1;
    }
}

static void drop_code_in(struct port_guest *g, uint64_t frame)
{
    uint64_t la = ENGINE_WINDOW + (frame << PAGE_SHIFT);

    g->window_open = true;
    uc_ctl_remove_cache(g->uc, la, la + PAGE_SIZE);
    g->window_open = false;
    engine_flush_tlb(g);
    g->code_pages[frame] = 0;
    g->scanned[frame] = 0;
    g->stats.code_drops++;
}

void engine_drop_code(uint64_t frame)
{
    if (frame >= engine_frames)
        return;
    for (struct port_guest *g = engine_list; g; g = g->next) {
        if (g->uc && g->code_pages[frame])
            drop_code_in(g, frame);
    }
}

static bool has_code(uint64_t frame)
{
    for (const struct port_guest *g = engine_list; g; g = g->next) {
        if (g->uc && g->code_pages[frame])
            return true;
    }
    return false;
}

/* Before code of frame is translated: no engine may keep writing it unseen. */
static void forbid_writes(uint64_t frame)
{
    for (struct port_guest *g = engine_list; g; g = g->next) {
        if (g->uc && g->writable_epoch[frame] == g->epoch)
            engine_flush_tlb(g);
    }
}

static bool window_fill(uint64_t la, uc_tlb_entry *entry)
{
    entry->paddr = la - ENGINE_WINDOW;
    entry->perms = PERM_READ | PERM_WRITE | PERM_EXEC;
    return true;
}

static bool refuse(struct port_guest *g, uint64_t la, enum walk_access access, uint32_t error,
                   bool canonical)
{
    g->cause = STOP_TLB;
    g->miss.la = la;
    g->miss.access = access;
    g->miss.error = error;
    g->miss.canonical = canonical;
    g->miss.second_stage = false;
    return false;
}

static bool refuse_second_stage(struct port_guest *g, uint64_t la, uint64_t gpa,
                                enum walk_access access)
{
    refuse(g, la, access, 0, true);
    g->miss.second_stage = true;
    g->miss.gpa = gpa;
    return false;
}

static bool type_readable(uint8_t type)
{
    return type == P2M_RAM_RW || type == P2M_RAM_RO || type == P2M_SHARED || type == P2M_GRANT_RW ||
           type == P2M_GRANT_RO || type == P2M_FOREIGN;
}

static bool type_writable(uint8_t type)
{
    return type == P2M_RAM_RW || type == P2M_SHARED || type == P2M_GRANT_RW || type == P2M_FOREIGN;
}

/* Guest code fetched from frame: note it, forbid writes, find planted places. */
static void fill_for_fetch(struct port_guest *g, uint64_t la, uint64_t frame, bool user)
{
    forbid_writes(frame);
    g->code_pages[frame] = 1;
    engine_scan_page(g, la & PAGE_MASK, world_ram() + (frame << PAGE_SHIFT), user);
}

static bool second_stage(struct port_guest *g, uint64_t la, const struct walk_result *w,
                         enum walk_access access, bool user, uc_tlb_entry *entry)
{
    struct p2m_entry e = p2m_lookup(g->v->domain, gaddr_gfn(w->gpa));
    uint64_t frame = e.mfn.v;

    if (!type_readable(e.type) || frame >= engine_frames ||
        (access == WALK_WRITE && !type_writable(e.type)))
        return refuse_second_stage(g, la, w->gpa.v, access);
    entry->paddr = frame << PAGE_SHIFT;
    switch (access) {
    case WALK_FETCH:
        fill_for_fetch(g, la, frame, user);
        entry->perms = PERM_READ | PERM_EXEC;
        break;
    case WALK_WRITE:
        engine_drop_code(frame);
        p2m_written(g->v->domain, gaddr_gfn(w->gpa));
        g->writable_epoch[frame] = g->epoch;
        entry->perms = PERM_READ | PERM_WRITE;
        break;
    case WALK_READ:
        entry->perms = PERM_READ;
        if (w->dirty && w->writable && type_writable(e.type) && !has_code(frame) &&
            !p2m_log_on(g->v->domain)) {
            g->writable_epoch[frame] = g->epoch; /* saves the miss of the first write */
            entry->perms |= PERM_WRITE;
        }
        break;
    }
    return true;
}

static bool fill(struct port_guest *g, uint64_t la, uc_mem_type type, uc_tlb_entry *entry)
{
    enum walk_access access = type == UC_MEM_WRITE  ? WALK_WRITE
                              : type == UC_MEM_READ ? WALK_READ
                                                    : WALK_FETCH;
    bool user = engine_cpl(g) == 3;
    struct walk_mode mode;
    struct walk_result w;
    int rc;

    g->stats.fills++;
    if (g->window_open)
        return window_fill(la, entry);
    if ((la & PAGE_MASK) == ENGINE_TRAP_VA && access == WALK_FETCH) {
        entry->paddr = engine_frames << PAGE_SHIFT;
        entry->perms = PERM_EXEC;
        return true;
    }
    if ((int64_t)(la << 16) >> 16 != (int64_t)la)
        return refuse(g, la, access, 0, false);
    mode = engine_walk_mode(g, user);
    if (!(mode.cr4 & CR4_TSD))
        engine_set_reg(g, UC_X86_REG_CR4, mode.cr4 | CR4_TSD);
    rc = guest_walk(g->v->domain, &mode, la, access, true, &w);
    if (rc == -1)
        return refuse(g, la, access, w.error, true);
    if (rc != 0)
        return refuse_second_stage(g, la, w.gpa.v, access);
    return second_stage(g, la, &w, access, user, entry);
}

/* Unicorn resizes its TLB by the host's clock, so that how often it misses differs
 * from run to run: the guest's time must not depend on it. */
bool engine_tlb_fill(uc_engine *uc, uint64_t la, uc_mem_type type, uc_tlb_entry *entry, void *arg)
{
    bool timed = world_untimed(true);
    bool filled = fill(arg, la, type, entry);

    world_untimed(timed);
    return filled;
}

/* Host pointer to one byte's page as CPL 0 sees it, or NULL. */
static uint8_t *host_byte(struct port_guest *g, uint64_t la, bool write, uint64_t *frame, gfn_t *at)
{
    struct walk_mode mode = engine_walk_mode(g, false);
    struct walk_result w;
    struct p2m_entry e;

    if ((int64_t)(la << 16) >> 16 != (int64_t)la ||
        guest_walk(g->v->domain, &mode, la, write ? WALK_WRITE : WALK_READ, true, &w) != 0)
        return NULL;
    e = p2m_lookup(g->v->domain, gaddr_gfn(w.gpa));
    if ((write ? !type_writable(e.type) : !type_readable(e.type)) || e.mfn.v >= engine_frames)
        return NULL;
    *frame = e.mfn.v;
    *at = gaddr_gfn(w.gpa);
    return world_ram() + (e.mfn.v << PAGE_SHIFT) + (w.gpa.v & ~PAGE_MASK);
}

bool engine_peek(struct port_guest *g, uint64_t la, void *dst, size_t n)
{
    uint8_t *to = dst;
    uint64_t frame;
    gfn_t at;

    while (n) {
        size_t chunk = min_u64(n, PAGE_SIZE - (la & ~PAGE_MASK));
        const uint8_t *from = host_byte(g, la, false, &frame, &at);

        if (!from)
            return false;
        memcpy(to, from, chunk);
        to += chunk;
        la += chunk;
        n -= chunk;
    }
    return true;
}

bool engine_poke(struct port_guest *g, uint64_t la, const void *src, size_t n)
{
    const uint8_t *from = src;
    uint64_t frame;
    gfn_t at;

    while (n) {
        size_t chunk = min_u64(n, PAGE_SIZE - (la & ~PAGE_MASK));
        uint8_t *to = host_byte(g, la, true, &frame, &at);

        if (!to)
            return false;
        memcpy(to, from, chunk);
        engine_drop_code(frame);
        p2m_written(g->v->domain, at);
        from += chunk;
        la += chunk;
        n -= chunk;
    }
    return true;
}
