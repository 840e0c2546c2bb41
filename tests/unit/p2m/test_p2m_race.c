/* Several CPUs change and use one domain's map at once, in every interleaving
 * that the seeds give; nothing may be lost, freed twice or seen after its end. */
#include "tests/unit/fixture.h"

#include <xen/memory.h>

#include "core/guest_mem/guest_mem.h"

#define CPUS 4u
#define G0 0x10000ull
#define SPAN 24u
#define ARG_GPA(cpu) (0x1100000ull + (cpu)*PAGE_SIZE)

static struct domain *d, *dom0;
static uint64_t rng;

static unsigned roll(unsigned n)
{
    rng = rng * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(rng >> 33) % n;
}

static bool acquire_hook(void)
{
    return roll(3) == 0;
}

static bool on_demand;

/* One random memory_op of CPU cpu; its argument page is its own. */
static void random_op(struct vcpu *v, unsigned cpu)
{
    union {
        struct xen_memory_reservation r;
        struct xen_add_to_physmap a;
        struct xen_remove_from_physmap rm;
        struct xen_pod_target pod;
    } u;
    uint64_t args[6] = {0, ARG_GPA(cpu)};
    uint64_t list[2] = {G0 + roll(SPAN), G0 + roll(SPAN)};

    memset(&u, 0, sizeof(u));
    switch (roll(7)) {
    case 0:
    case 1:
        args[0] = roll(2) ? XENMEM_populate_physmap : XENMEM_decrease_reservation;
        u.r.extent_start.p = (void *)(ARG_GPA(cpu) + 512);
        u.r.nr_extents = 2;
        u.r.extent_order = roll(3);
        u.r.domid = d->id;
        /* Where nobody makes too much of it, and with some in store. */
        u.r.mem_flags = on_demand && roll(4) == 0 ? XENMEMF_populate_on_demand : 0;
        break;
    case 2:
    case 3:
        args[0] = XENMEM_add_to_physmap;
        u.a.domid = d->id;
        u.a.space = roll(4) == 0   ? XENMAPSPACE_shared_info
                    : roll(4) == 0 ? XENMAPSPACE_grant_table
                                   : XENMAPSPACE_gmfn;
        u.a.idx = u.a.space == XENMAPSPACE_gmfn ? list[0] : 0;
        u.a.gpfn = list[1];
        break;
    case 4:
        args[0] = XENMEM_remove_from_physmap;
        u.rm.domid = d->id;
        u.rm.gpfn = list[0];
        break;
    case 5:
        args[0] = XENMEM_set_pod_target;
        u.pod.domid = d->id;
        u.pod.target_pages = d->tot_pages + roll(16);
        break;
    default: {
        uint8_t byte = 1;

        if (guest_phys_read(d, gfn_gaddr(gfn(list[0])), &byte, 1) == 0) {
            (void)guest_phys_write(d, gfn_gaddr(gfn(list[1])), &byte, 1);
        }
        return;
    }
    }
    ck_assert_int_eq(guest_phys_write(v->domain, gaddr(ARG_GPA(cpu)), &u, sizeof(u)), 0);
    ck_assert_int_eq(guest_phys_write(v->domain, gaddr(ARG_GPA(cpu) + 512), list, sizeof(list)), 0);
    while (hypercall(v, __HYPERVISOR_memory_op, args) == HYPERCALL_RESTART) {
        this_cpu()->resched = 0;
    }
}

static void body(void *arg)
{
    unsigned cpu = port_cpu_id();
    struct vcpu *v = cpu == 0 ? dom0->vcpu[0] : d->vcpu[cpu - 1];

    for (unsigned i = 0; i < 150; i++) {
        random_op(v, cpu);
    }
}

START_TEST(many_cpus_one_map)
{
    rng = 77 + (uint64_t)_i;
    on_demand = _i % 2 != 0;
    fixture_start(64, CPUS);
    d = fixture_domain(16, CPUS - 1);
    dom0 = fixture_domain(16, 1);
    dom0->privileged = true;
    fixture_populate(d, ARG_GPA(0) >> PAGE_SHIFT, CPUS);
    fixture_populate(dom0, ARG_GPA(0) >> PAGE_SHIFT, CPUS);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        hv->cpu[cpu].preempt_every = 3;
        world_set_body(cpu, body, NULL);
    }
    world_acquire_hook = acquire_hook;
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_acquire_hook = NULL;
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        hv->cpu[cpu].preempt_every = 0;
    }
    /* All of its memory is in its map, or in store: nothing was orphaned. */
    ck_assert_uint_eq(d->tot_pages, d->p2m.pages[P2M_RAM_RW] + d->p2m.pod_count);
    fixture_stop();
}
END_TEST

static bool killed;

static void killer(void *arg)
{
    int rc;

    for (unsigned i = roll(400); i > 0; i--) {
        port_cpu_relax();
    }
    while ((rc = domain_kill(d)) == -XEN_ERESTART) {
        port_cpu_relax();
    }
    ck_assert_int_eq(rc, 0);
    killed = true;
}

static void mapper(void *arg)
{
    struct vcpu *v = dom0->vcpu[port_cpu_id() - 1];

    while (!killed) {
        random_op(v, port_cpu_id());
    }
    for (unsigned i = 0; i < 20; i++) {
        random_op(v, port_cpu_id());
    }
}

/* The toolstack works on a domain while it is torn down. */
START_TEST(teardown_against_mapping)
{
    rng = 1234 + (uint64_t)_i;
    on_demand = _i % 2 != 0;
    killed = false;
    fixture_start(64, 3);
    d = fixture_domain(16, 1);
    dom0 = fixture_domain(16, 2);
    dom0->privileged = true;
    fixture_populate(d, G0, 300);
    fixture_populate(dom0, ARG_GPA(0) >> PAGE_SHIFT, CPUS);
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        hv->cpu[cpu].preempt_every = 2;
        world_set_body(cpu, cpu == 0 ? killer : mapper, NULL);
    }
    world_acquire_hook = acquire_hook;
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_acquire_hook = NULL;
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        hv->cpu[cpu].preempt_every = 0;
    }
    ck_assert_uint_eq(d->tot_pages, 0);
    ck_assert_uint_eq(d->p2m.table_pages, 0);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("p2m_race");
    TCase *c = tcase_create("p2m_race");

    tcase_set_timeout(c, 100);
    tcase_add_loop_test(c, many_cpus_one_map, 0, 24);
    tcase_add_loop_test(c, teardown_against_mapping, 0, 24);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
