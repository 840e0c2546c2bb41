/* Roles of the plays for several domains (words of the command line):
 *
 *   role=server peer=N and role=client peer=N                the duet
 *   role=server peer=B play=trio, role=middle peer=A next=C, role=client peer=B play=trio
 *   role=stays peer=N and role=dies peer=N how=off|crash     one leaves the other alone
 *   role=stranger peer=N                                     under the silo policy
 *
 * N, A, B, C are domain numbers. */
#include "act_pair.h"

#define PORTS_TRIED 64u
#define RENDEZVOUS (30 * SECOND)

struct link first, second;

static void give_up(const char *what)
{
    OK(!"the other domain keeps step");
    say("FAIL play: %s", what);
    say("RESULT FAIL");
    power_off(SHUTDOWN_poweroff);
}

void invite(struct link *l, domid_t peer)
{
    int64_t port;

    l->peer = peer;
    l->guest = false;
    l->board = page_alloc();
    l->board_gfn = GFN(l->board);
    grant_access(BOARD_REF, peer, l->board_gfn, 0);
    port = event_unbound(peer);
    if (port < 0)
        give_up("no port for the peer");
    l->port = (uint32_t)port;
}

void visit(struct link *l, domid_t peer)
{
    uint64_t end = now() + RENDEZVOUS;
    int64_t port = -1;

    l->peer = peer;
    l->guest = true;
    l->board_gfn = hole_gfn(1);
    l->board = AT(l->board_gfn);
    while (port < 0 && now() < end) {
        for (uint32_t p = 1; port < 0 && p < PORTS_TRIED; p++)
            port = event_interdomain(peer, p);
        if (port < 0)
            rest(2 * MS);
    }
    if (port < 0)
        give_up("the peer has no port for us");
    l->port = (uint32_t)port;
    if (grant_map(peer, BOARD_REF, l->board_gfn, GNTMAP_host_map, &l->handle) != GNTST_okay)
        give_up("the board cannot be mapped");
}

void meet(struct link *l)
{
    uint32_t step = ++l->board->step[l->guest];
    uint64_t wait = step == 1 ? RENDEZVOUS : 2 * PATIENCE;

    event_send(l->port);
    if (!WAIT_FOR(l->board->step[!l->guest] >= step, wait))
        give_up("the other domain does not come");
}

void part(struct link *l)
{
    meet(l);
    if (l->guest) {
        EQ(grant_unmap(l->board_gfn, l->handle), GNTST_okay);
        EQ(event_close(l->port), 0);
    } else {
        OK(WAIT(grant_end(BOARD_REF)));
        WAIT(event_status(l->port).status == EVTCHNSTAT_unbound);
        EQ(event_status(l->port).status, EVTCHNSTAT_unbound);
        EQ(event_close(l->port), 0);
    }
}

void tell(struct link *l, unsigned i, uint64_t value)
{
    l->board->said[l->guest][i] = value;
}

uint64_t told(const struct link *l, unsigned i)
{
    return l->board->said[!l->guest][i];
}

void play_pair(const char *role)
{
    char name[WORD_MAX] = "duet";
    domid_t peer = (domid_t)number("peer", 0);
    const struct act *acts;

    if (same(role, "stranger")) {
        run_acts(acts_strangers, "", NULL);
        return;
    }
    word("play", name);
    if (same(role, "stays") || same(role, "dies"))
        acts = acts_dying;
    else
        acts = same(role, "middle") || same(name, "trio") ? acts_trio : acts_duet;
    EQ(grant_init(2), 0);
    if (same(role, "server") || same(role, "stays")) {
        invite(&first, peer);
    } else if (same(role, "client") || same(role, "dies")) {
        visit(&first, peer);
    } else if (same(role, "middle")) {
        visit(&first, peer);
        invite(&second, (domid_t)number("next", 0));
    } else {
        give_up(role);
    }
    run_acts(acts, "", NULL);
}
