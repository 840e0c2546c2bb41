/* Three in a row: what the one in the middle hands on from the first to the last. The
 * first one invites, the middle one visits it and invites the last one. */
#include "act_pair.h"

#define ROUNDS 500u

static volatile uint32_t rounds;

static volatile uint32_t *word_of(uint64_t gfn)
{
    return AT(gfn);
}

static bool is_middle(void)
{
    return second.board != NULL;
}

/* The middle one waits for both. */
static void meet_all(void)
{
    meet(&first);
    if (is_middle()) {
        meet(&second);
        meet(&first); /* the last one has come too */
    } else if (!first.guest) {
        meet(&first);
    }
}

static void from_first(uint32_t port)
{
    (void)port;
    event_send(second.port);
}

static void from_second(uint32_t port)
{
    (void)port;
    event_send(first.port);
}

static void answer(uint32_t port)
{
    if (!first.guest && ++rounds >= ROUNDS)
        return;
    event_send(port);
}

/* An event runs from the first to the last and back. */
static void relay(void)
{
    meet_all();
    rest(2 * MS);
    rounds = 0;
    if (is_middle()) {
        event_hook[second.port] = from_second;
        event_hook[first.port] = from_first;
    } else {
        event_hook[first.port] = answer;
    }
    tell(&first, 1, 1); /* ready; the middle one says so when both are */
    if (is_middle()) {
        OK(WAIT(told(&second, 1) == 1));
        tell(&first, 2, 1);
        OK(WAIT_FOR(told(&first, 3) == 1, 4 * PATIENCE));
        event_hook[first.port] = NULL;
        event_hook[second.port] = NULL;
        tell(&second, 3, 1);
    } else if (first.guest) {
        OK(WAIT_FOR(told(&first, 3) == 1, 4 * PATIENCE));
        event_hook[first.port] = NULL;
    } else {
        OK(WAIT(told(&first, 2) == 1));
        event_send(first.port);
        OK(WAIT_FOR(rounds >= ROUNDS, 3 * PATIENCE));
        event_hook[first.port] = NULL;
        tell(&first, 3, 1);
        say("     %u rounds", rounds);
    }
    meet_all();
}

static void first_grants(void)
{
    uint64_t page = GFN(page_alloc());

    word_of(page)[3] = 0x1234;
    grant_access(FREE_REF, first.peer, page, 0);
    grant_transitive(FREE_REF + 1, first.peer, first.peer, FREE_REF + 3);
    meet_all(); /* the last one copies */
    meet_all();
    EQ(word_of(page)[9], 0x5678);
    OK(grant_end(FREE_REF));
    grant_access(FREE_REF, first.peer, page, GTF_readonly);
    meet_all(); /* reads only */
    meet_all();
    EQ(word_of(page)[9], 0x5678);
    OK(grant_end(FREE_REF));
    meet_all(); /* nothing */
    meet_all();
    OK(grant_end(FREE_REF + 1));
    page_free(AT(page));
}

static void middle_hands_on(void)
{
    uint64_t at = hole_gfn(1);
    uint32_t handle;

    grant_transitive(FREE_REF, second.peer, first.peer, FREE_REF);
    grant_transitive(FREE_REF + 1, second.peer, first.peer, FREE_REF + 1); /* two steps */
    meet_all();
    EQ(grant_map(first.peer, FREE_REF, at, GNTMAP_host_map, &handle), GNTST_okay);
    EQ(word_of(at)[3], 0x1234);
    EQ(grant_unmap(at, handle), GNTST_okay);
    for (unsigned i = 0; i < 5; i++)
        meet_all();
    OK(grant_end(FREE_REF));
    OK(grant_end(FREE_REF + 1));
}

static void last_copies(void)
{
    uint64_t own = GFN(page_alloc());
    struct gnttab_copy_ptr from = grant_ref_at(first.peer, FREE_REF, 12);
    struct gnttab_copy_ptr to = grant_ref_at(first.peer, FREE_REF, 36);
    uint32_t handle;

    meet_all();
    EQ(grant_copy(from, true, grant_own(own, 0), false, 4), GNTST_okay);
    EQ(word_of(own)[0], 0x1234);
    word_of(own)[0] = 0x5678;
    EQ(grant_copy(grant_own(own, 0), false, to, true, 4), GNTST_okay);
    OK(grant_map(first.peer, FREE_REF, hole_gfn(1), GNTMAP_host_map, &handle) < 0);
    OK(grant_copy(grant_ref_at(first.peer, FREE_REF + 1, 0), true, grant_own(own, 0), false, 4) <
       0);
    meet_all();
    meet_all();
    EQ(grant_copy(from, true, grant_own(own, 0), false, 4), GNTST_okay);
    EQ(word_of(own)[0], 0x1234);
    word_of(own)[0] = 0x9999;
    OK(grant_copy(grant_own(own, 0), false, to, true, 4) < 0);
    meet_all();
    meet_all();
    OK(grant_copy(from, true, grant_own(own, 0), false, 4) < 0);
    EQ(word_of(own)[0], 0x9999);
    meet_all();
    page_free(AT(own));
}

static void transitive(void)
{
    if (is_middle())
        middle_hands_on();
    else if (first.guest)
        last_copies();
    else
        first_grants();
    meet_all();
}

static void parting(void)
{
    meet_all();
    if (is_middle())
        part(&second);
    part(&first);
}

const struct act acts_trio[] = {
    {"trio-meet", 1, meet_all},
    {"trio-relay", 1, relay},
    {"trio-transitive", 1, transitive},
    {"trio-part", 1, parting},
    {0},
};
