/* Two domains that are there but may not meet: under the silo policy, unprivileged domains
 * reach nobody but the privileged one. */
#include "act_pair.h"

static domid_t peer(void)
{
    return (domid_t)number("peer", 0);
}

/* It is there; a domain that is not is another answer. */
static void events(void)
{
    EQ(event_unbound(peer()), -XEN_EPERM);
    for (uint32_t port = 0; port < 16; port++)
        EQ(event_interdomain(peer(), port), -XEN_EPERM);
    EQ(event_interdomain(0x7000, 1), -XEN_ESRCH);
}

static void grants(void)
{
    uint64_t page = GFN(page_alloc()), at = hole_gfn(1);
    uint32_t handle;

    EQ(grant_init(2), 0);
    grant_access(BOARD_REF, peer(), page, 0); /* which is of no use */
    rest(20 * MS);
    EQ(grant_map(peer(), BOARD_REF, at, GNTMAP_host_map, &handle), GNTST_permission_denied);
    EQ(grant_copy(grant_ref_at(peer(), BOARD_REF, 0), true, grant_own(page, 0), false, 4),
       GNTST_permission_denied);
    EQ(grant_copy(grant_own(page, 0), false, grant_ref_at(peer(), BOARD_REF, 0), true, 4),
       GNTST_permission_denied);
    EQ(grant_status_of(BOARD_REF), 0);
    rest(20 * MS);
    OK(grant_end(BOARD_REF));
    page_free(AT(page));
}

const struct act acts_strangers[] = {
    {"strangers-events", 1, events},
    {"strangers-grants", 1, grants},
    {0},
};
