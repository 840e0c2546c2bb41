/* memory_op: giving memory away and getting it back, moving it, and asking wrongly. */
#include "guest.h"

#define BAD_POINTER UINT64_C(0x7fff00000000)
#define NOBODY 0x7000u /* a domain that does not exist */
#define BALLOON 64u
#define ORDER_2M 9u
#define PAGES_2M 512u
#define PATTERN 0xa5a5a5a5a5a5a5a5u

static xen_pfn_t extents[PAGES_2M];

static int64_t reservation(unsigned op, domid_t domid, uint64_t n, unsigned order)
{
    struct xen_memory_reservation r = {.nr_extents = n, .extent_order = order, .domid = domid};

    set_xen_guest_handle(r.extent_start, extents);
    return memory_op(op, &r);
}

static int64_t query(unsigned op)
{
    domid_t self = DOMID_SELF;

    return memory_op(op, &self);
}

static int64_t place(unsigned space, uint64_t idx, uint64_t gfn)
{
    struct xen_add_to_physmap a = {.domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn};

    return memory_op(XENMEM_add_to_physmap, &a);
}

static int64_t take_away(uint64_t gfn)
{
    struct xen_remove_from_physmap r = {.domid = DOMID_SELF, .gpfn = gfn};

    return memory_op(XENMEM_remove_from_physmap, &r);
}

static uint64_t first_word(uint64_t gfn)
{
    return *(volatile uint64_t *)AT(gfn);
}

static bool filled(uint64_t gfn, uint64_t want)
{
    volatile uint64_t *p = AT(gfn);

    for (unsigned i = 0; i < PAGE / 8; i++)
        if (p[i] != want)
            return false;
    return true;
}

static void fill(uint64_t gfn, uint64_t value)
{
    volatile uint64_t *p = AT(gfn);

    for (unsigned i = 0; i < PAGE / 8; i++)
        p[i] = value;
}

static void maps(void)
{
    static struct e820 {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) entries[32];
    struct xen_memory_map map = {.nr_entries = 32};
    uint64_t ram = 0;

    set_xen_guest_handle(map.buffer, (void *)entries);
    EQ(memory_op(XENMEM_memory_map, &map), 0);
    OK(map.nr_entries != 0 && map.nr_entries < 32);
    for (unsigned i = 0; i < map.nr_entries; i++)
        ram += entries[i].type == 1 ? entries[i].size : 0;
    OK(ram >> 12 <= (uint64_t)query(XENMEM_maximum_reservation));
    OK(query(XENMEM_current_reservation) <= query(XENMEM_maximum_reservation));
    OK(query(XENMEM_maximum_gpfn) >= (int64_t)GFN(shared));
    OK(memory_op(XENMEM_machine_memory_map, &map) < 0);
    EQ(memory_op(XENMEM_current_reservation, BAD_POINTER), -XEN_EFAULT);
}

static void foreign(void)
{
    domid_t nobody = NOBODY;
    struct xen_add_to_physmap a = {.domid = NOBODY, .space = XENMAPSPACE_gmfn};
    struct xen_remove_from_physmap r = {.domid = NOBODY};

    EQ(memory_op(XENMEM_maximum_reservation, &nobody), -XEN_ESRCH);
    EQ(memory_op(XENMEM_add_to_physmap, &a), -XEN_ESRCH);
    EQ(memory_op(XENMEM_remove_from_physmap, &r), -XEN_ESRCH);
    EQ(reservation(XENMEM_populate_physmap, NOBODY, 1, 0), 0);
    EQ(reservation(XENMEM_decrease_reservation, NOBODY, 1, 0), 0);
    EQ(memory_op(XENMEM_add_to_physmap, BAD_POINTER), -XEN_EFAULT);
    EQ(memory_op(XENMEM_remove_from_physmap, BAD_POINTER), -XEN_EFAULT);
    EQ(memory_op(XENMEM_populate_physmap, BAD_POINTER), 0);
    a = (struct xen_add_to_physmap){.domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign};
    EQ(memory_op(XENMEM_add_to_physmap, &a), -XEN_ENOSYS);
}

static void balloon(void)
{
    int64_t before = query(XENMEM_current_reservation);
    uint64_t at = GFN(pages_alloc(BALLOON));

    for (unsigned i = 0; i < BALLOON; i++) {
        extents[i] = at + i;
        fill(at + i, PATTERN);
    }
    EQ(reservation(XENMEM_decrease_reservation, DOMID_SELF, BALLOON, 0), BALLOON);
    EQ(query(XENMEM_current_reservation), before - BALLOON);
    EQ(first_word(at), UINT64_MAX);
    EQ(first_word(at + BALLOON - 1), UINT64_MAX);
    EQ(reservation(XENMEM_decrease_reservation, DOMID_SELF, BALLOON, 0), 0); /* gone already */
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, BALLOON, 0), BALLOON);
    EQ(query(XENMEM_current_reservation), before);
    for (unsigned i = 0; i < BALLOON; i++)
        if (!OK(filled(at + i, 0)))
            break;
    fill(at, PATTERN);
    OK(filled(at, PATTERN));
    OK(filled(at + 1, 0));
}

/* More than the domain may have, it gets as far as it goes; nothing is lost by asking. */
static void limit(void)
{
    int64_t before = query(XENMEM_current_reservation);
    int64_t room = query(XENMEM_maximum_reservation) - before;
    uint64_t at = hole_gfn(PAGES_2M);

    if (room >= (int64_t)PAGES_2M)
        return;
    for (unsigned i = 0; i < PAGES_2M; i++)
        extents[i] = at + i;
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, PAGES_2M, 0), room);
    EQ(query(XENMEM_current_reservation), before + room);
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, 1, ORDER_2M), 0);
    EQ(first_word(at + (uint64_t)room), UINT64_MAX);
    EQ(reservation(XENMEM_decrease_reservation, DOMID_SELF, PAGES_2M, 0), room);
    EQ(query(XENMEM_current_reservation), before);
}

static void orders(void)
{
    int64_t before = query(XENMEM_current_reservation);
    uint64_t ram = (GFN(pages_alloc(2 * PAGES_2M)) + PAGES_2M - 1) & ~(uint64_t)(PAGES_2M - 1);
    uint64_t at = (hole_gfn(2 * PAGES_2M) + PAGES_2M - 1) & ~(uint64_t)(PAGES_2M - 1);

    fill(ram + 77, PATTERN);
    extents[0] = ram;
    EQ(reservation(XENMEM_decrease_reservation, DOMID_SELF, 1, ORDER_2M), 1);
    EQ(query(XENMEM_current_reservation), before - PAGES_2M);
    EQ(first_word(ram + 77), UINT64_MAX);
    extents[0] = at;
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, 1, ORDER_2M + 1), 0);
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, 1, 60), 0);
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, 1, ORDER_2M), 1);
    EQ(query(XENMEM_current_reservation), before);
    OK(filled(at, 0));
    OK(filled(at + 77, 0));
    fill(at + 77, PATTERN);
    extents[0] = at + 76; /* out of the middle */
    extents[1] = at + 78;
    EQ(reservation(XENMEM_decrease_reservation, DOMID_SELF, 2, 0), 2);
    OK(filled(at + 77, PATTERN));
    OK(filled(at + 79, 0));
    EQ(first_word(at + 76), UINT64_MAX);
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, 2, 0), 2);
    extents[0] = at;
    EQ(reservation(XENMEM_decrease_reservation, DOMID_SELF, 1, ORDER_2M), 1);
    extents[0] = ram;
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, 1, ORDER_2M), 1);
    EQ(query(XENMEM_current_reservation), before);
}

static void bad_extents(void)
{
    int64_t before = query(XENMEM_current_reservation);
    struct xen_memory_reservation r = {.nr_extents = 4, .domid = DOMID_SELF};

    extents[0] = hole_gfn(1);
    extents[1] = UINT64_C(1) << 50;
    EQ(reservation(XENMEM_decrease_reservation, DOMID_SELF, 2, 0), 0);
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, 0, 0), 0);
    extents[0] = GFN(page_alloc());
    EQ(reservation(XENMEM_decrease_reservation, DOMID_SELF, 2, 0), 1); /* the good one */
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, 2, 0), 1);
    r.extent_start.p = (xen_pfn_t *)(uintptr_t)BAD_POINTER;
    EQ(memory_op(XENMEM_populate_physmap, &r), 0);
    EQ(memory_op(XENMEM_decrease_reservation, &r), 0);
    r.nr_extents = UINT64_MAX;
    EQ(memory_op(XENMEM_decrease_reservation, &r), 0);
    EQ(query(XENMEM_current_reservation), before);
}

static void exchange(void)
{
    uint64_t page = GFN(page_alloc());
    int64_t before = query(XENMEM_current_reservation);
    xen_pfn_t in = page, out = page;
    struct xen_memory_exchange x = {
        .in = {.nr_extents = 1, .domid = DOMID_SELF},
        .out = {.nr_extents = 1, .domid = DOMID_SELF},
    };

    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    fill(page, PATTERN);
    OK(memory_op(XENMEM_exchange, &x) < 0); /* not for translated domains */
    x.out.nr_extents = 2;
    EQ(memory_op(XENMEM_exchange, &x), -XEN_EINVAL);
    x.out.nr_extents = 1;
    x.in.extent_order = x.out.extent_order = 20;
    EQ(memory_op(XENMEM_exchange, &x), -XEN_EPERM);
    EQ(memory_op(XENMEM_exchange, BAD_POINTER), -XEN_EFAULT);
    OK(filled(page, PATTERN));
    EQ(query(XENMEM_current_reservation), before);
}

static void move(void)
{
    uint64_t from = GFN(page_alloc()), to = hole_gfn(1), none = hole_gfn(1);
    int64_t before = query(XENMEM_current_reservation);

    fill(from, PATTERN);
    EQ(place(XENMAPSPACE_gmfn, from, to), 0);
    OK(filled(to, PATTERN));
    EQ(first_word(from), UINT64_MAX);
    EQ(place(XENMAPSPACE_gmfn, none, from), -XEN_EINVAL); /* nothing there to move */
    EQ(place(99, 0, from), -XEN_EINVAL);
    EQ(place(XENMAPSPACE_shared_info, 1, from), -XEN_EINVAL);
    EQ(place(XENMAPSPACE_gmfn, to, UINT64_C(1) << 52) < 0, 1);
    OK(filled(to, PATTERN));
    EQ(take_away(none), -XEN_ENOENT);
    EQ(query(XENMEM_current_reservation), before);
    EQ(place(XENMAPSPACE_gmfn, to, from), 0);
    OK(filled(from, PATTERN));
    EQ(query(XENMEM_current_reservation), before);
}

static void batch(void)
{
    xen_ulong_t idxs[4];
    xen_pfn_t gpfns[4];
    int errs[4] = {1, 1, 1, 1};
    uint64_t at = hole_gfn(4);
    struct xen_add_to_physmap_batch b = {.domid = DOMID_SELF, .space = XENMAPSPACE_gmfn, .size = 4};

    set_xen_guest_handle(b.idxs, idxs);
    set_xen_guest_handle(b.gpfns, gpfns);
    set_xen_guest_handle(b.errs, errs);
    for (unsigned i = 0; i < 4; i++) {
        idxs[i] = i == 2 ? hole_gfn(1) : GFN(page_alloc());
        gpfns[i] = at + i;
        if (i != 2)
            fill(idxs[i], i + 1);
    }
    EQ(memory_op(XENMEM_add_to_physmap_batch, &b), 0);
    EQ(errs[0], 0);
    EQ(errs[1], 0);
    EQ(errs[2], -XEN_EINVAL);
    EQ(errs[3], 0);
    OK(filled(at, 1));
    OK(filled(at + 1, 2));
    OK(filled(at + 3, 4));
    b.space = XENMAPSPACE_gmfn_range;
    EQ(memory_op(XENMEM_add_to_physmap_batch, &b), -XEN_EOPNOTSUPP);
    b.space = XENMAPSPACE_gmfn_foreign;
    b.u.foreign_domid = NOBODY;
    EQ(memory_op(XENMEM_add_to_physmap_batch, &b) < 0 || errs[0] < 0, 1);
    b.space = XENMAPSPACE_gmfn;
    b.domid = NOBODY;
    EQ(memory_op(XENMEM_add_to_physmap_batch, &b), -XEN_ESRCH);
    for (unsigned i = 0; i < 4; i++)
        if (i != 2)
            EQ(place(XENMAPSPACE_gmfn, at + i, idxs[i]), 0);
}

/* The page of shared_info is there once; the memory it covered is given back. */
static void shared_info(void)
{
    uint64_t home = GFN(shared), page = GFN(page_alloc()), port;
    int64_t before = query(XENMEM_current_reservation);

    irq_off();
    EQ(place(XENMAPSPACE_shared_info, 0, page), 0);
    EQ(query(XENMEM_current_reservation), before - 1);
    shared = AT(page);
    OK(now() != 0);
    EQ(first_word(home), UINT64_MAX);
    EQ(place(XENMAPSPACE_shared_info, 0, home), 0);
    shared = AT(home);
    EQ(first_word(page), UINT64_MAX);
    irq_on();
    extents[0] = page;
    EQ(reservation(XENMEM_populate_physmap, DOMID_SELF, 1, 0), 1);
    EQ(query(XENMEM_current_reservation), before);
    port = (uint64_t)event_ipi(0);
    event_send((uint32_t)port);
    OK(WAIT(fired[port] == 1));
    event_close((uint32_t)port);
}

static void remove(void)
{
    uint64_t page = GFN(page_alloc());
    int64_t before = query(XENMEM_current_reservation);

    EQ(take_away(page), 0);
    EQ(first_word(page), UINT64_MAX);
    EQ(take_away(page), -XEN_ENOENT);
    extents[0] = page;
    if (query(XENMEM_current_reservation) == before)
        say("     note: what is removed from the map stays the domain's");
    OK(reservation(XENMEM_populate_physmap, DOMID_SELF, 1, 0) == 1);
    OK(filled(page, 0));
}

const struct act acts_memory[] = {
    {"memory-map", 1, maps},          {"memory-foreign", 1, foreign},
    {"memory-balloon", 1, balloon},   {"memory-limit", 1, limit},
    {"memory-orders", 1, orders},     {"memory-bad-extents", 1, bad_extents},
    {"memory-exchange", 1, exchange}, {"memory-move", 1, move},
    {"memory-batch", 1, batch},       {"memory-shared-info", 1, shared_info},
    {"memory-remove", 1, remove},     {0},
};
