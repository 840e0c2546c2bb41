/* The smallest guest: fifteen bytes in real mode that write to three pages for ever. The log
 * of written pages has to tell just these: what the CPU notes in the second stage, tried
 * on this machine. */
#include "bare/bare.h"
#include "bare/guest.h"

#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_log.h"
#include "core/vcpu/vcpu.h"
#include "port/guest.h"
#include "port/time.h"
#include "x86/hvm/hvm.h"

#define LARGE_GFN 512u /* where the guest has one leaf of 2 MiB */
#define LARGE_BASE (LARGE_GFN << PAGE_SHIFT)
#define SMALL_PAGES 8u
#define GUEST_PAGES (SMALL_PAGES + (1u << P2M_2M))
#define TURN_NS 1000000u
#define TURNS 1000u

static const uint8_t writer[] = {
    0xfe, 0x06, 0x00, 0x30,       /* again: inc byte [0x3000] */
    0xfe, 0x06, 0x00, 0x50,       /* inc byte [0x5000] */
    0x26, 0xfe, 0x06, 0x00, 0x30, /* inc byte es:[0x3000]; es is at LARGE_BASE */
    0xeb, 0xf1,                   /* jmp again */
};
#define SMALL_WRITTEN (UINT64_C(1) << 3 | UINT64_C(1) << 5)
#define LARGE_WRITTEN (UINT64_C(1) << 3)

static int map_new(struct domain *d, uint64_t g, unsigned order)
{
    mfn_t m = guest_pages_alloc(d, order);

    return mfn_is_invalid(m) ? -XEN_ENOMEM : p2m_map(d, gfn(g), m, order, P2M_RAM_RW);
}

static int build(struct domain *d)
{
    struct guest_state s;
    int rc = 0;

    d->max_pages = GUEST_PAGES;
    for (unsigned g = 0; rc == 0 && g < SMALL_PAGES; g++)
        rc = map_new(d, g, P2M_4K);
    if (rc == 0)
        rc = map_new(d, LARGE_GFN, P2M_2M);
    if (rc == 0)
        rc = guest_phys_write(d, gaddr(0), writer, sizeof(writer));
    if (rc == 0)
        rc = vcpu_create(d, 0);
    if (rc != 0)
        return rc;
    hvm_vcpu_reset_state(&s);
    s.regs.rip = 0;
    s.seg[SEG_CS].base = 0;
    s.seg[SEG_ES].base = LARGE_BASE;
    hvm_vcpu_load_state(d->vcpu[0], &s);
    d->vcpu[0]->initialised = true;
    vcpu_wake_flags(d->vcpu[0], VPF_DOWN);
    return 0;
}

/* What was written since the last time, and no more from here on; among the small pages, and
 * in words the 2 MiB. */
static uint64_t take(struct domain *d, enum p2m_log_mode mode, uint64_t *large)
{
    uint64_t bits[P2M_LOG_CHUNK / 64];
    uint64_t small;

    (void)p2m_log_read(d, 0, P2M_LOG_CHUNK, mode, bits);
    small = bits[0];
    (void)p2m_log_read(d, LARGE_GFN, P2M_LOG_CHUNK, mode, large);
    port_guest_flush(d);
    return small;
}

static bool all_ones(const uint64_t *bits)
{
    bool all = true;

    for (unsigned i = 0; i < P2M_LOG_CHUNK / 64; i++)
        all = all && bits[i] == UINT64_MAX;
    return all;
}

static bool only_first(const uint64_t *bits, uint64_t first)
{
    bool only = bits[0] == first;

    for (unsigned i = 1; i < P2M_LOG_CHUNK / 64; i++)
        only = only && bits[i] == 0;
    return only;
}

/* Until the guest has written to all three pages. */
static void run(struct domain *d)
{
    uint64_t large[P2M_LOG_CHUNK / 64] = {0};

    for (unsigned i = 0; i < TURNS; i++) {
        (void)first_light_turn(port_time_now() + TURN_NS);
        if (take(d, P2M_LOG_PEEK, large) == SMALL_WRITTEN && large[0] != 0)
            break;
    }
}

static bool log_tells(struct domain *d)
{
    uint64_t coarse[P2M_LOG_CHUNK / 64], fine[P2M_LOG_CHUNK / 64], after[P2M_LOG_CHUNK / 64];
    uint64_t small[3];
    bool ok;

    (void)take(d, P2M_LOG_FORGET, fine);
    domain_unpause(d);
    run(d);
    small[0] = take(d, P2M_LOG_CLEAN, coarse);
    run(d);
    small[1] = take(d, P2M_LOG_PEEK, fine);
    domain_pause(d);
    (void)first_light_turn(port_time_now() + TURN_NS); /* this CPU lets go of it */
    (void)take(d, P2M_LOG_CLEAN, after);
    small[2] = take(d, P2M_LOG_CLEAN, after);
    ok = small[0] == SMALL_WRITTEN && small[1] == SMALL_WRITTEN && small[2] == 0 &&
         all_ones(coarse) && only_first(fine, LARGE_WRITTEN) && only_first(after, 0);
    hv_log(ok ? 2 : 0, "log of written pages: %lx, then %lx, %lx in the 2 MiB, then %lx: %s",
           small[0], small[1], fine[0], small[2], ok ? "right" : "WRONG");
    return ok;
}

static bool try_log(struct domain *d)
{
    int rc = p2m_log_start(d, P2M_LOG_KEY);

    if (rc == -XEN_EOPNOTSUPP) {
        hv_log(2, "the CPU does not say what guests write");
        return true;
    }
    return rc == 0 && log_tells(d);
}

bool first_guest(struct domain *d)
{
    bool ok = build(d) == 0 && try_log(d);

    if (ok && options.selftest == SELFTEST_ENTRY)
        ok = guest_refusals(d->vcpu[0]);
    return ok;
}
