/* Populate on demand: a map larger than the memory. */
#include "tests/unit/fixture.h"

#include <xen/memory.h>

#include "core/guest_mem/guest_mem.h"
#include "core/p2m/p2m_pod.h"
#include "core/p2m/p2m_table.h"

#define ARG_GPA 0x1100000ull
#define LIST_GPA 0x1101000ull
#define G0 0x10000ull

static struct domain *d, *dom0;

static void setup(void)
{
    fixture_start(96, 2);
    d = fixture_domain(32, 1);
    dom0 = fixture_domain(16, 1);
    dom0->privileged = true;
    fixture_populate(dom0, ARG_GPA >> PAGE_SHIFT, 2);
}

static void teardown(void)
{
    fixture_stop();
}

static int64_t memory_op(struct vcpu *who, uint64_t cmd, const void *arg, size_t len)
{
    memcpy(fixture_guest(who->domain, ARG_GPA), arg, len);
    return fixture_hypercall(who, __HYPERVISOR_memory_op, cmd, ARG_GPA, 0, 0, 0);
}

static int64_t reserve(uint64_t cmd, uint64_t g, unsigned order, unsigned flags, domid_t id)
{
    struct xen_memory_reservation r = {.extent_start = {(void *)LIST_GPA},
                                       .nr_extents = 1,
                                       .extent_order = order,
                                       .mem_flags = flags,
                                       .domid = id};

    *(uint64_t *)fixture_guest(dom0, LIST_GPA) = g;
    return memory_op(dom0->vcpu[0], cmd, &r, sizeof(r));
}

static int64_t mark(uint64_t g, unsigned order)
{
    return reserve(XENMEM_populate_physmap, g, order, XENMEMF_populate_on_demand, d->id);
}

static struct xen_pod_target answer;

static int64_t target(uint64_t cmd, uint64_t pages)
{
    struct xen_pod_target t = {.target_pages = pages, .domid = d->id};
    int64_t rc = memory_op(dom0->vcpu[0], cmd, &t, sizeof(t));

    memcpy(&answer, fixture_guest(dom0, ARG_GPA), sizeof(answer));
    return rc;
}

START_TEST(arguments)
{
    struct xen_pod_target t = {.target_pages = 1, .domid = d->id};

    fixture_populate(d, ARG_GPA >> PAGE_SHIFT, 1);
    ck_assert_int_eq(memory_op(d->vcpu[0], XENMEM_get_pod_target, &t, sizeof(t)), -XEN_EPERM);
    ck_assert_int_eq(memory_op(d->vcpu[0], XENMEM_set_pod_target, &t, sizeof(t)), -XEN_EPERM);
    t.domid = 4321;
    ck_assert_int_eq(memory_op(dom0->vcpu[0], XENMEM_get_pod_target, &t, sizeof(t)), -XEN_ESRCH);
    /* Not one's own, not over memory, and not half an extent. */
    ck_assert_int_eq(
        reserve(XENMEM_populate_physmap, G0, 0, XENMEMF_populate_on_demand, DOMID_SELF), 0);
    fixture_populate(d, G0 + 7, 1);
    ck_assert_int_eq(mark(G0 + 7, 0), 0);
    ck_assert_int_eq(mark(G0, 9), 0);
    ck_assert_uint_eq(d->p2m.pages[P2M_POD], 0);
    ck_assert_int_eq(mark(G0 + 512, 9), 1);
    ck_assert_int_eq(mark(G0 + 512, 9), 1);
    ck_assert_int_eq(mark(G0 + 600, 0), 1);
    ck_assert_uint_eq(d->p2m.pages[P2M_POD], 512);
    ck_assert_uint_eq(d->tot_pages, 2);
    /* More than the domain may have. */
    ck_assert_int_eq(target(XENMEM_get_pod_target, 0), 0);
    ck_assert_uint_eq(answer.pod_entries, 512);
    ck_assert_uint_eq(answer.pod_cache_pages, 0);
    ck_assert_uint_eq(answer.tot_pages, 2);
    d->max_pages = 100;
    ck_assert_int_eq(target(XENMEM_set_pod_target, 300), -XEN_ENOMEM);
}
END_TEST

/* As libxc builds a domain: the target, then the map, then the guest runs. */
START_TEST(life)
{
    uint64_t word = 0x1234;

    ck_assert_int_eq(target(XENMEM_set_pod_target, 1024), 0);
    ck_assert_uint_eq(answer.pod_cache_pages, 1024);
    ck_assert_uint_eq(answer.tot_pages, 1024);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(mark(G0 + 512 * i, 9), 1);
    }
    fixture_audit();
    ck_assert_uint_eq(p2m_peek(d, gfn(G0)).type, P2M_POD);
    ck_assert_uint_eq(p2m_peek(d, gfn(G0)).order, P2M_2M);
    /* A look, a copy: each brings zeroes. */
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 1)).type, P2M_RAM_RW);
    ck_assert_int_eq(guest_phys_read(d, gaddr((G0 + 515) << PAGE_SHIFT), &word, 8), 0);
    ck_assert_uint_eq(word, 0);
    ck_assert_int_eq(guest_phys_write(d, gaddr((G0 + 515) << PAGE_SHIFT), &d, 8), 0);
    ck_assert_uint_eq(d->p2m.pages[P2M_RAM_RW], 1024);
    ck_assert_uint_eq(d->p2m.pages[P2M_POD], 1024);
    ck_assert_uint_eq(d->p2m.pod_count, 0);
    fixture_audit();
    /* The balloon: what was touched pays for what was not. */
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, G0, 9, 0, d->id), 1);
    ck_assert_uint_eq(d->p2m.pod_count, 512);
    ck_assert_uint_eq(d->tot_pages, 1024);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 1024)).type, P2M_RAM_RW);
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, G0 + 1536, 9, 0, d->id), 1);
    ck_assert_uint_eq(d->p2m.pages[P2M_POD], 0);
    ck_assert_uint_eq(d->p2m.pod_count, 0);
    ck_assert_uint_eq(d->tot_pages, 1024);
    ck_assert_int_eq(guest_phys_read(d, gaddr((G0 + 515) << PAGE_SHIFT), &word, 8), 0);
    ck_assert_uint_eq(word, (uint64_t)(uintptr_t)d);
    /* Nothing can be demanded any more: targets are the balloon's affair. */
    ck_assert_int_eq(target(XENMEM_set_pod_target, 2000), 0);
    ck_assert_uint_eq(answer.tot_pages, 1024);
}
END_TEST

/* What somebody else still uses does not go into the store. */
START_TEST(kept_pages_are_nobodys)
{
    struct p2m_entry e;
    mfn_t m;

    ck_assert_int_eq(target(XENMEM_set_pod_target, 2), 0);
    ck_assert_int_eq(mark(G0, 9), 1);
    m = p2m_lookup(d, gfn(G0)).mfn;
    ck_assert(p2m_get_page(d, gfn(G0), &e));
    ck_assert_int_eq(p2m_map(dom0, gfn(G0), e.mfn, P2M_4K, P2M_FOREIGN), 0);
    memset(mfn_to_ptr(m), 0x5a, PAGE_SIZE);
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, G0, 0, 0, d->id), 1);
    ck_assert_uint_eq(d->p2m.pod_count, 1);
    ck_assert_uint_eq(*(uint8_t *)mfn_to_ptr(m), 0x5a);
    fixture_audit();
    /* A page of its own comes back as zeroes. */
    memset(fixture_guest(d, (G0 + 1) << PAGE_SHIFT), 0x5a, PAGE_SIZE);
    ck_assert_uint_eq(d->p2m.pod_count, 0);
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, G0 + 1, 0, 0, d->id), 1);
    ck_assert_uint_eq(d->p2m.pod_count, 1);
    ck_assert_uint_eq(*(uint64_t *)fixture_guest(d, (G0 + 2) << PAGE_SHIFT), 0);
}
END_TEST

/* Memory that holds only zeroes is found when there is no other; when there is
 * none, the domain crashes, and only it. */
START_TEST(sweep_and_crash)
{
    ck_assert_int_eq(target(XENMEM_set_pod_target, 64), 0);
    ck_assert_int_eq(mark(G0, 9), 1);
    for (unsigned i = 0; i < 64; i++) {
        uint64_t *page = fixture_guest(d, (G0 + i) << PAGE_SHIFT);

        ck_assert_ptr_nonnull(page);
        page[i] = i % 8; /* every eighth holds nothing */
    }
    ck_assert_uint_eq(d->p2m.pod_count, 0);
    for (unsigned i = 64; i < 72; i++) {
        uint64_t *page = fixture_guest(d, (G0 + i) << PAGE_SHIFT);

        ck_assert_ptr_nonnull(page);
        for (unsigned j = 0; j < 512; j++) {
            ck_assert_uint_eq(page[j], 0);
        }
        page[511] = i;
        fixture_audit();
    }
    ck_assert(!d->crashed);
    ck_assert_uint_eq(d->tot_pages, 64);
    ck_assert_uint_eq(p2m_peek(d, gfn(G0 + 8)).type, P2M_POD);
    ck_assert_uint_eq(*(uint64_t *)fixture_guest(d, ((G0 + 9) << PAGE_SHIFT) + 72), 1);
    for (unsigned tries = 0; tries < 8 && !d->crashed; tries++) {
        ck_assert_uint_eq(p2m_lookup(d, gfn(G0 + 100)).type, P2M_POD);
    }
    ck_assert(d->crashed);
    ck_assert_int_eq(guest_phys_zero(d, gaddr((G0 + 100) << PAGE_SHIFT), 8), -XEN_EFAULT);
}
END_TEST

/* The same page from two CPUs, and a sweep under the feet of one that writes. */
#define RACE_PAGES 40u
static bool race_failed;
static unsigned race_done;

static void toucher(void *arg)
{
    unsigned salt = (unsigned)(uintptr_t)arg;

    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < RACE_PAGES; i++) {
            gaddr_t a = gaddr(((G0 + i) << PAGE_SHIFT) + 8 * salt);
            uint64_t word = 0;

            if (guest_phys_read(d, a, &word, 8) != 0 || (word != 0 && word != i)) {
                race_failed = true;
            }
            if (i % 4 == 0) {
                word = i;
                race_failed = race_failed || guest_phys_write(d, a, &word, 8) != 0;
            }
        }
    }
    if (++race_done == 2) {
        world_request_stop();
    }
}

static bool race_switch(void)
{
    return world_random() % 3 == 0;
}

START_TEST(race)
{
    ck_assert_int_eq(target(XENMEM_set_pod_target, RACE_PAGES * 3 / 4), 0);
    ck_assert_int_eq(mark(G0, 9), 1);
    world_set_body(0, toucher, (void *)1);
    world_set_body(1, toucher, (void *)2);
    world_acquire_hook = race_switch;
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_acquire_hook = NULL;
    ck_assert(!race_failed);
    fixture_audit();
    for (unsigned i = 4; i < RACE_PAGES; i += 4) {
        ck_assert_uint_eq(((uint64_t *)fixture_guest(d, (G0 + i) << PAGE_SHIFT))[1], i);
    }
}
END_TEST

#define SETTER_TARGET 16u
static unsigned acquires, switches;

static bool scheduled_switch(void)
{
    ck_assert_msg(acquires < 10000, "the two do not come to an end");
    return (switches >> (acquires++ & 7) & 1) != 0;
}

static void setter(void *arg)
{
    int rc = -XEN_ERESTART;

    while (rc == -XEN_ERESTART) {
        rc = p2m_pod_set_target(d, SETTER_TARGET);
        port_cpu_relax();
    }
    race_failed = race_failed || rc != 0;
    if (++race_done == 2) {
        world_request_stop();
    }
}

/* Two CPUs set the same target: neither undoes what the other does. */
START_TEST(set_twice)
{
    switches = (unsigned)_i;
    race_done = 0;
    fixture_populate(d, G0 + 512, 4);
    ck_assert_int_eq(mark(G0, 0), 1);
    world_set_body(0, setter, NULL);
    world_set_body(1, setter, NULL);
    world_acquire_hook = scheduled_switch;
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_acquire_hook = NULL;
    ck_assert(!race_failed);
    ck_assert_uint_eq(d->p2m.pod_count, 1);
}
END_TEST

START_TEST(dies_with_a_store)
{
    ck_assert_int_eq(target(XENMEM_set_pod_target, 700), 0);
    ck_assert_int_eq(mark(G0, 9), 1);
    ck_assert_int_eq(mark(G0 + 512, 9), 1);
    ck_assert_uint_eq(p2m_lookup(d, gfn(G0)).type, P2M_RAM_RW);
    this_cpu()->preempt_every = 1;
    fixture_kill(d);
    this_cpu()->preempt_every = 0;
    d = fixture_domain(4, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pod");
    TCase *c = tcase_create("pod");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, arguments);
    tcase_add_test(c, life);
    tcase_add_test(c, kept_pages_are_nobodys);
    tcase_add_test(c, sweep_and_crash);
    tcase_add_test(c, race);
    tcase_add_loop_test(c, set_twice, 112, 128);
    tcase_add_test(c, dies_with_a_store);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
