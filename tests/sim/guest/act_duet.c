/* Two domains: events, grants, copies, and noise that must not be heard next door. */
#include "act_pair.h"

#define ROUNDS 3000u
#define MANY 64u
#define NOISE 20000u
#define TICKS 50u
#define RACES 60u
#define NOBODY 0x7000u

static volatile uint32_t pongs;

static volatile uint32_t *word_of(uint64_t gfn)
{
    return AT(gfn);
}

static void meeting(void)
{
    struct evtchn_status s;

    meet(&first);
    s = event_status(first.port);
    EQ(s.status, EVTCHNSTAT_interdomain);
    EQ(s.u.interdomain.dom, first.peer);
    tell(&first, 0, first.port);
    meet(&first);
    EQ(s.u.interdomain.port, told(&first, 0));
    meet(&first);
}

static void pong(uint32_t port)
{
    if (++pongs <= ROUNDS)
        event_send(port);
}

/* Each event is answered by another one, from within the upcall. */
static void ping_pong(void)
{
    meet(&first);
    rest(MS); /* for the last meeting's events */
    pongs = 0;
    event_hook[first.port] = pong;
    tell(&first, 1, 1);
    OK(WAIT(told(&first, 1) == 1));
    if (!first.guest)
        event_send(first.port);
    OK(WAIT_FOR(pongs >= ROUNDS, 4 * PATIENCE));
    event_hook[first.port] = NULL;
    say("     %u events", pongs);
    meet(&first);
    tell(&first, 1, 0);
    meet(&first);
}

/* What becomes of one end when the other one closes, and who may bind at all. */
static void ports_server(void)
{
    int64_t port = event_unbound(first.peer), other = event_unbound(NOBODY);

    tell(&first, 0, (uint64_t)port);
    tell(&first, 1, (uint64_t)other);
    meet(&first); /* the client binds */
    meet(&first);
    EQ(event_status((uint32_t)port).status, EVTCHNSTAT_interdomain);
    OK(WAIT(fired[port] == 1));
    meet(&first); /* the client closes */
    meet(&first);
    EQ(event_status((uint32_t)port).status, EVTCHNSTAT_unbound);
    EQ(event_status((uint32_t)port).u.unbound.dom, first.peer);
    EQ(event_send((uint32_t)port), 0);
    meet(&first); /* the client binds again, the server closes */
    meet(&first);
    EQ(event_status((uint32_t)port).status, EVTCHNSTAT_interdomain);
    EQ(event_close((uint32_t)port), 0);
    EQ(event_close((uint32_t)other), 0);
    meet(&first);
}

static void ports_client(void)
{
    uint32_t theirs, other;
    int64_t port;

    meet(&first);
    theirs = (uint32_t)told(&first, 0);
    other = (uint32_t)told(&first, 1);
    EQ(event_interdomain(first.peer, other), -XEN_EINVAL); /* not for us */
    EQ(event_interdomain(first.peer, 0), -XEN_EINVAL);
    EQ(event_interdomain(first.peer, 1u << 30), -XEN_EINVAL);
    port = event_interdomain(first.peer, theirs);
    OK(port > 0);
    EQ(event_interdomain(first.peer, theirs), -XEN_EINVAL); /* taken */
    EQ(event_send((uint32_t)port), 0);
    meet(&first);
    meet(&first);
    EQ(event_close((uint32_t)port), 0);
    meet(&first);
    meet(&first);
    port = event_interdomain(first.peer, theirs);
    OK(port > 0);
    meet(&first);
    meet(&first); /* closed over there */
    EQ(event_status((uint32_t)port).status, EVTCHNSTAT_unbound);
    EQ(event_status((uint32_t)port).u.unbound.dom, first.peer);
    EQ(event_send((uint32_t)port), 0);
    EQ(event_close((uint32_t)port), 0);
}

static void ports(void)
{
    if (first.guest)
        ports_client();
    else
        ports_server();
    meet(&first);
}

static void grants_server(void)
{
    uint64_t a = GFN(page_alloc()), b = GFN(page_alloc());

    *word_of(a) = 0x1111;
    *word_of(b) = 0x2222;
    grant_access(FREE_REF, first.peer, a, 0);
    grant_access(FREE_REF + 1, first.peer, b, GTF_readonly);
    grant_access(FREE_REF + 2, NOBODY, b, 0);
    meet(&first); /* the client maps and writes */
    meet(&first);
    EQ(word_of(a)[1], 0x3333);
    EQ(word_of(b)[1], 0);
    OK(!grant_end(FREE_REF));
    EQ(grant_status_of(FREE_REF), GTF_reading | GTF_writing);
    EQ(grant_status_of(FREE_REF + 1), GTF_reading);
    word_of(a)[2] = 0x4444;
    meet(&first); /* the client unmaps */
    meet(&first);
    OK(grant_end(FREE_REF));
    OK(grant_end(FREE_REF + 1));
    OK(grant_end(FREE_REF + 2));
    meet(&first); /* nothing can be mapped any more */
    page_free(AT(a));
    page_free(AT(b));
}

static void grants_client(void)
{
    uint64_t at = hole_gfn(3);
    uint32_t a, b, c;

    meet(&first);
    EQ(grant_map(first.peer, FREE_REF, at, GNTMAP_host_map, &a), GNTST_okay);
    EQ(grant_map(first.peer, FREE_REF + 1, at + 1, GNTMAP_host_map, &b), GNTST_general_error);
    EQ(grant_map(first.peer, FREE_REF + 1, at + 1, GNTMAP_host_map | GNTMAP_readonly, &b),
       GNTST_okay);
    EQ(grant_map(first.peer, FREE_REF + 2, at + 2, GNTMAP_host_map, &c), GNTST_general_error);
    EQ(grant_map(first.peer, FREE_REF + 3, at + 2, GNTMAP_host_map, &c), GNTST_general_error);
    EQ(*word_of(at), 0x1111);
    EQ(*word_of(at + 1), 0x2222);
    word_of(at)[1] = 0x3333;
    EQ(try_store((uint64_t)(uintptr_t)AT(at + 1) + 4, 0x3333), VEC_GP);
    meet(&first);
    meet(&first);
    EQ(word_of(at)[2], 0x4444);
    EQ(grant_unmap(at, a), GNTST_okay);
    EQ(grant_unmap(at + 1, b), GNTST_okay);
    EQ(*word_of(at), UINT32_MAX);
    meet(&first);
    meet(&first);
    OK(grant_map(first.peer, FREE_REF, at, GNTMAP_host_map, &a) < 0);
}

static void grants(void)
{
    if (first.guest)
        grants_client();
    else
        grants_server();
    meet(&first);
}

static void copies_server(void)
{
    uint64_t a = GFN(page_alloc()), b = GFN(page_alloc()), c = GFN(page_alloc());

    for (unsigned i = 0; i < PAGE / 4; i++)
        word_of(a)[i] = word_of(c)[i] = i;
    grant_access(FREE_REF, first.peer, a, GTF_readonly);
    grant_access(FREE_REF + 1, first.peer, b, 0);
    grant_sub_page(FREE_REF + 2, first.peer, c, 1024, 512, 0);
    meet(&first); /* the client copies */
    meet(&first);
    EQ(word_of(a)[0], 0);
    EQ(word_of(b)[0], 100);      /* from one of these pages to the other */
    EQ(word_of(b)[10], 0x12345); /* from there */
    EQ(word_of(c)[256], 0x12345);
    EQ(word_of(c)[255], 255);
    EQ(word_of(c)[384], 384);
    for (unsigned i = 0; i < 3; i++)
        OK(grant_end(FREE_REF + i));
    page_free(AT(a));
    page_free(AT(b));
    page_free(AT(c));
}

static struct gnttab_copy_ptr theirs(unsigned ref, unsigned offset)
{
    return grant_ref_at(first.peer, FREE_REF + ref, offset);
}

static void copies_client(void)
{
    uint64_t own = GFN(page_alloc());
    uint32_t handle;

    meet(&first);
    EQ(grant_copy(theirs(0, 400), true, grant_own(own, 0), false, 8), GNTST_okay);
    EQ(word_of(own)[0], 100);
    EQ(word_of(own)[1], 101);
    EQ(word_of(own)[2], 0);
    EQ(grant_copy(theirs(0, 400), true, theirs(1, 0), true, 4), GNTST_okay);
    word_of(own)[5] = 0x12345;
    EQ(grant_copy(grant_own(own, 20), false, theirs(1, 40), true, 4), GNTST_okay);
    EQ(grant_copy(grant_own(own, 20), false, theirs(0, 0), true, 4), GNTST_general_error);
    EQ(grant_copy(theirs(0, 0), true, theirs(0, 0), true, 4), GNTST_general_error);
    EQ(grant_copy(grant_own(own, 20), false, theirs(2, 1024), true, 4), GNTST_okay);
    EQ(grant_copy(grant_own(own, 20), false, theirs(2, 1020), true, 4), GNTST_general_error);
    EQ(grant_copy(grant_own(own, 20), false, theirs(2, 1536), true, 4), GNTST_general_error);
    EQ(grant_copy(theirs(2, 1020), true, grant_own(own, 0), false, 8), GNTST_general_error);
    EQ(grant_copy(theirs(2, 1028), true, grant_own(own, 0), false, 508), GNTST_okay);
    EQ(word_of(own)[0], 257);
    OK(grant_map(first.peer, FREE_REF + 2, hole_gfn(1), GNTMAP_host_map, &handle) < 0);
    EQ(grant_copy((struct gnttab_copy_ptr){.u.gmfn = 1, .domid = first.peer}, false,
                  grant_own(own, 0), false, 4),
       GNTST_permission_denied); /* not by its frame number */
    meet(&first);
    page_free(AT(own));
}

static void copies(void)
{
    if (first.guest)
        copies_client();
    else
        copies_server();
    meet(&first);
}

static void many_client(void)
{
    static struct gnttab_map_grant_ref map[MANY];
    static struct gnttab_unmap_grant_ref unmap[MANY];
    uint64_t at = hole_gfn(MANY);
    unsigned good = 0;

    meet(&first);
    for (unsigned i = 0; i < MANY; i++)
        map[i] = (struct gnttab_map_grant_ref){.host_addr = (at + i) << 12,
                                               .flags = GNTMAP_host_map,
                                               .ref = FREE_REF + i,
                                               .dom = first.peer};
    map[7].ref = 1u << 30; /* one that fails does not stop the others */
    EQ(gnttab_op(GNTTABOP_map_grant_ref, map, MANY), 0);
    EQ(map[7].status, GNTST_bad_gntref);
    for (unsigned i = 0; i < MANY; i++) {
        good += i != 7 && map[i].status == GNTST_okay && *word_of(at + i) == i;
        unmap[i] =
            (struct gnttab_unmap_grant_ref){.host_addr = map[i].host_addr, .handle = map[i].handle};
    }
    unmap[7].handle = UINT32_MAX;
    EQ(good, MANY - 1);
    EQ(gnttab_op(GNTTABOP_unmap_grant_ref, unmap, MANY), 0);
    EQ(unmap[7].status, GNTST_bad_handle);
    for (unsigned i = 0; i < MANY; i++)
        good -= i != 7 && unmap[i].status == GNTST_okay;
    EQ(good, 0);
    meet(&first);
}

static void many(void)
{
    static void *pages[MANY];

    if (first.guest) {
        many_client();
        meet(&first);
        return;
    }
    for (unsigned i = 0; i < MANY; i++) {
        pages[i] = page_alloc();
        *(uint32_t *)pages[i] = i;
        grant_access(FREE_REF + i, first.peer, GFN(pages[i]), 0);
    }
    meet(&first);
    meet(&first);
    for (unsigned i = 0; i < MANY; i++) {
        OK(grant_end(FREE_REF + i));
        page_free(pages[i]);
    }
    meet(&first);
}

/* The granter gives its page away; it lives on as long as it is mapped. */
static void given_away(void)
{
    uint64_t at = first.guest ? hole_gfn(1) : GFN(page_alloc());
    xen_pfn_t extent = at;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    uint32_t handle;

    if (first.guest) {
        meet(&first);
        EQ(grant_map(first.peer, FREE_REF, at, GNTMAP_host_map, &handle), GNTST_okay);
        meet(&first);
        meet(&first);
        EQ(*word_of(at), 0x7777);
        EQ(grant_unmap(at, handle), GNTST_okay);
        meet(&first);
        return;
    }
    *word_of(at) = 0x7777;
    grant_access(FREE_REF, first.peer, at, 0);
    meet(&first);
    meet(&first);
    set_xen_guest_handle(r.extent_start, &extent);
    EQ(memory_op(XENMEM_decrease_reservation, &r), 1);
    EQ(*word_of(at), UINT32_MAX);
    meet(&first);
    meet(&first);
    OK(grant_end(FREE_REF));
    EQ(memory_op(XENMEM_populate_physmap, &r), 1); /* until now it counted as the domain's */
    EQ(*word_of(at), 0);
    page_free(AT(at));
}

static uint64_t noise(void)
{
    static uint64_t x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

static void make_noise(void)
{
    static uint64_t args[32];

    for (unsigned i = 0; i < NOISE; i++) {
        for (unsigned j = 0; j < 8; j++)
            args[j] = noise();
        switch (noise() % 5) {
        case 0:
            HC2(__HYPERVISOR_xen_version, noise() % 12, args);
            break;
        case 1:
            gnttab_op(GNTTABOP_map_grant_ref, args, noise() % 3);
            break;
        case 2:
            evtchn_op(EVTCHNOP_status, args);
            break;
        case 3:
            memory_op(XENMEM_current_reservation, args);
            break;
        default:
            event_send(first.port); /* wakes the other one again and again */
            break;
        }
    }
}

/* One floods, the other one has its ticks. */
static void flood(void)
{
    struct vcpu_set_periodic_timer t = {.period_ns = 2 * MS};
    uint32_t port;

    meet(&first);
    if (first.guest) {
        make_noise();
        meet(&first);
        return;
    }
    port = (uint32_t)event_virq(VIRQ_TIMER, 0);
    EQ(vcpu_op(VCPUOP_set_periodic_timer, 0, &t), 0);
    OK(WAIT(fired[port] >= TICKS));
    EQ(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    event_close(port);
    meet(&first);
}

/* Grants and ports come and go while the other one uses them. */
static void come_and_go(void)
{
    uint64_t page = GFN(page_alloc());
    unsigned ended = 0;

    meet(&first);
    for (unsigned i = 0; i < RACES; i++) {
        int64_t port = event_unbound(first.peer);

        grant_access(FREE_REF, first.peer, page, i % 2 ? GTF_readonly : 0);
        tell(&first, 2, (uint64_t)port);
        rest(noise() % 60000);
        ended += WAIT(grant_end(FREE_REF));
        EQ(event_close((uint32_t)port), 0);
    }
    EQ(ended, RACES);
    tell(&first, 3, 1);
    meet(&first);
    EQ(grant_status_of(FREE_REF), 0);
    page_free(AT(page));
}

static void use_what_is_there(void)
{
    uint64_t own = GFN(page_alloc()), at = hole_gfn(1);
    unsigned maps = 0, binds = 0;

    meet(&first);
    while (told(&first, 3) != 1) {
        uint32_t handle, flags = GNTMAP_host_map | (noise() % 2 ? GNTMAP_readonly : 0);
        int64_t port = event_interdomain(first.peer, (uint32_t)told(&first, 2));

        if (grant_map(first.peer, FREE_REF, at, flags, &handle) == GNTST_okay) {
            maps++;
            EQ(grant_unmap(at, handle), GNTST_okay);
        }
        (void)grant_copy(theirs(0, 0), true, grant_own(own, 0), false, 64);
        if (port > 0) {
            binds++;
            EQ(event_send((uint32_t)port), 0);
            EQ(event_close((uint32_t)port), 0);
        }
    }
    say("     %u times mapped, %u times bound", maps, binds);
    meet(&first);
    page_free(AT(own));
}

static void races(void)
{
    if (first.guest)
        use_what_is_there();
    else
        come_and_go();
    meet(&first);
}

static void parting(void)
{
    part(&first);
}

const struct act acts_duet[] = {
    {"duet-meet", 1, meeting},
    {"duet-ping-pong", 1, ping_pong},
    {"duet-ports", 1, ports},
    {"duet-grants", 1, grants},
    {"duet-copies", 1, copies},
    {"duet-many", 1, many},
    {"duet-given-away", 1, given_away},
    {"duet-flood", 1, flood},
    {"duet-races", 1, races},
    {"duet-part", 1, parting},
    {0},
};
