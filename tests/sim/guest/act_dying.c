/* One domain goes, by power-off or crash, while each has pages of the other mapped. What
 * the other one has mapped stays as it was; what is left over is nobody's loss. */
#include "act_pair.h"

#define PAGES 16u
#define LEFT 2u /* mapped to the very end */

static uint64_t at;
static uint32_t handle[PAGES];
static void *own[PAGES];

static uint64_t pattern(bool guest, unsigned page, unsigned i)
{
    return (uint64_t)(guest + 1) << 32 | page << 16 | i;
}

static bool intact(const volatile uint64_t *p, bool guest, unsigned page)
{
    for (unsigned i = 0; i < PAGE / 8; i++)
        if (p[i] != pattern(guest, page, i))
            return false;
    return true;
}

/* Both grant PAGES pages, and map the other's. */
static void entangle(void)
{
    unsigned good = 0;

    at = hole_gfn(PAGES);
    for (unsigned n = 0; n < PAGES; n++) {
        uint64_t *p = own[n] = page_alloc();

        for (unsigned i = 0; i < PAGE / 8; i++)
            p[i] = pattern(first.guest, n, i);
        grant_access(FREE_REF + n, first.peer, GFN(p), 0);
    }
    meet(&first);
    for (unsigned n = 0; n < PAGES; n++)
        good +=
            grant_map(first.peer, FREE_REF + n, at + n,
                      GNTMAP_host_map | (n & 1 ? GNTMAP_readonly : 0), &handle[n]) == GNTST_okay;
    EQ(good, PAGES);
    for (unsigned n = 0; n < PAGES; n++)
        good -= intact(AT(at + n), !first.guest, n);
    EQ(good, 0);
    meet(&first);
}

static void go(void)
{
    char how[WORD_MAX] = "off";

    word("how", how);
    meet(&first);
    if (same(how, "crash")) {
        say("RESULT PASS");
        tell(&first, 0, 1);
        event_send(first.port);
        power_off(SHUTDOWN_crash);
    }
    tell(&first, 0, 1);
    event_send(first.port);
}

static void outlive(void)
{
    unsigned good = 0, status;
    int64_t rc;

    meet(&first);
    OK(WAIT(told(&first, 0) == 1));
    rest(20 * MS);
    rest(20 * MS);
    for (unsigned n = 0; n < PAGES; n++)
        good += intact(AT(at + n), true, n);
    EQ(good, PAGES);
    for (unsigned n = 0; n < PAGES; n += 2)
        *(volatile uint64_t *)AT(at + n) = 0x4321;
    for (unsigned n = 0; n < PAGES; n += 2)
        good -= *(volatile uint64_t *)AT(at + n) == 0x4321;
    EQ(good, PAGES / 2);
    EQ(try_store((uint64_t)(uintptr_t)AT(at + 1), 1), VEC_GP);
    status = event_status(first.port).status;
    OK(status == EVTCHNSTAT_interdomain || status == EVTCHNSTAT_unbound);
    rc = event_send(first.port);
    OK(rc == 0);
    for (unsigned n = 0; n < PAGES - LEFT; n++)
        EQ(grant_unmap(at + n, handle[n]), GNTST_okay);
    EQ(*(volatile uint64_t *)AT(at), UINT64_MAX);
    good = 0;
    for (unsigned n = 0; n < PAGES; n++)
        good += intact(own[n], false, n);
    EQ(good, PAGES);
    EQ(event_close(first.port), 0);
    for (unsigned n = 0; n < PAGES; n++)
        (void)grant_end(FREE_REF + n); /* possible once the other one is destroyed */
}

static void one_goes(void)
{
    if (first.guest)
        go();
    else
        outlive();
}

const struct act acts_dying[] = {
    {"dying-entangle", 1, entangle},
    {"dying-one-goes", 1, one_goes},
    {0},
};
