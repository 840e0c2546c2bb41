/* Two vCPUs of one domain at the same thing at the same time. */
#include "guest.h"

#define ROUNDS 300u
#define REF 40u
#define PAGES 8u

static volatile uint32_t stop, count[2], won[2], lost[2];
static volatile uint64_t beats;
static xen_pfn_t shared_gfn[PAGES];
static uint32_t handle;
static uint64_t map_gfn;

static unsigned side(void)
{
    return me()->id != 0;
}

static domid_t own_id(void)
{
    return (domid_t)cpuid(xen_leaf + 4, 0).c;
}

/* Runs job here and on vCPU 1. */
static void both(void (*job)(void *))
{
    cpu_job(1, job, NULL);
    job(NULL);
    OK(cpu_done(1));
}

static void open_and_close(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct evtchn_bind_ipi ipi = {.vcpu = me()->id};
        struct evtchn_close close;

        if (!EQ(evtchn_op(EVTCHNOP_bind_ipi, &ipi), 0))
            return;
        close.port = ipi.port;
        event_send(ipi.port);
        EQ(evtchn_op(EVTCHNOP_close, &close), 0);
    }
}

static void ports(void)
{
    both(open_and_close);
    WAIT_FOR(false, MS);
    for (unsigned i = 0; i < PORTS_MAX; i++)
        fired[i] = 0;
}

static uint32_t chain_port[2];

static void pass_on(uint32_t port)
{
    (void)port;
    if (++count[side()] <= ROUNDS)
        event_send(chain_port[!side()]);
}

/* Each vCPU's event makes the other's: none is lost. */
static void chain(void)
{
    count[0] = count[1] = 0;
    chain_port[0] = (uint32_t)event_ipi(0);
    chain_port[1] = (uint32_t)event_ipi(1);
    event_hook[chain_port[0]] = pass_on;
    event_hook[chain_port[1]] = pass_on;
    event_send(chain_port[1]);
    OK(WAIT(count[0] >= ROUNDS && count[1] >= ROUNDS));
    WAIT_FOR(false, MS);
    event_close(chain_port[0]);
    event_close(chain_port[1]);
}

static void balloon(void *unused)
{
    struct xen_memory_reservation r = {.nr_extents = PAGES, .domid = DOMID_SELF};

    (void)unused;
    set_xen_guest_handle(r.extent_start, shared_gfn);
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        OK(memory_op(XENMEM_decrease_reservation, &r) >= 0);
        OK(memory_op(XENMEM_populate_physmap, &r) >= 0);
    }
}

/* Both give the same pages away and take others: at the end there are as many as before. */
static void balloons(void)
{
    domid_t self = DOMID_SELF;
    int64_t before = memory_op(XENMEM_current_reservation, &self);
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

    for (unsigned i = 0; i < PAGES; i++)
        shared_gfn[i] = GFN(page_alloc());
    both(balloon);
    for (unsigned i = 0; i < PAGES; i++) {
        set_xen_guest_handle(r.extent_start, &shared_gfn[i]);
        if (*(volatile uint64_t *)AT(shared_gfn[i]) == UINT64_MAX)
            EQ(memory_op(XENMEM_populate_physmap, &r), 1);
        EQ(*(volatile uint64_t *)AT(shared_gfn[i]), 0);
        page_free(AT(shared_gfn[i]));
    }
    EQ(memory_op(XENMEM_current_reservation, &self), before);
}

static void unmap_too(void *unused)
{
    (void)unused;
    if (grant_unmap(map_gfn, handle) == GNTST_okay)
        won[side()]++;
    else
        lost[side()]++;
}

/* Of two that take one mapping away, one succeeds. */
static void unmap_race(void)
{
    uint64_t page = GFN(page_alloc());

    map_gfn = hole_gfn(1);
    EQ(grant_init(1), 0);
    grant_access(REF, own_id(), page, 0);
    won[0] = won[1] = lost[0] = lost[1] = 0;
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        if (!EQ(grant_map(own_id(), REF, map_gfn, GNTMAP_host_map, &handle), GNTST_okay))
            break;
        both(unmap_too);
    }
    EQ(won[0] + won[1], ROUNDS / 10);
    EQ(lost[0] + lost[1], ROUNDS / 10);
    EQ(grant_status_of(REF), 0);
    OK(grant_end(REF));
    page_free(AT(page));
}

static void switch_version(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS / 3; i++) {
        struct gnttab_set_version set = {.version = 1 + (i + side()) % 2};
        int64_t rc = gnttab_op(GNTTABOP_set_version, &set, 1);

        OK(rc == 0 || rc == -XEN_EBUSY);
        (void)grant_map(own_id(), REF, map_gfn + side(), GNTMAP_host_map, &handle);
    }
}

static void versions(void)
{
    map_gfn = hole_gfn(2);
    EQ(grant_init(1), 0);
    both(switch_version);
    EQ(grant_init(2), 0);
    EQ(grant_init(1), 0);
}

/* PAUSE, because QEMU 7.2 with -icount runs one CPU until the next timer is due, or a PAUSE:
 * the other one would get a few instructions for each of its timer's interrupts. */
static void keep_writing(void *page)
{
    while (!stop) {
        for (unsigned i = 0; i < PAGE / 8; i += 64)
            ((volatile uint64_t *)page)[i] = UINT64_C(0xbadbadbadbad);
        beats++;
        relax();
    }
}

/* A page leaves the map while another vCPU writes to it without end: once the hypercall
 * has returned, nothing arrives in the frame any more, wherever that is now. */
static void no_stale_writes(void)
{
    uint64_t page = GFN(page_alloc()), elsewhere = hole_gfn(1), end;
    struct xen_memory_reservation give = {.nr_extents = 1, .domid = DOMID_SELF}, take = give;
    xen_pfn_t from = page, to = elsewhere;

    set_xen_guest_handle(give.extent_start, &from);
    set_xen_guest_handle(take.extent_start, &to);
    stop = 0;
    cpu_job(1, keep_writing, AT(page));
    for (unsigned i = 0; i < 20; i++) {
        volatile uint64_t *now_there = AT(elsewhere);
        uint64_t seen = beats;

        OK(WAIT(beats > seen + 2));
        EQ(memory_op(XENMEM_decrease_reservation, &give), 1);
        EQ(memory_op(XENMEM_populate_physmap, &take), 1); /* likely the same frame */
        seen = beats;
        end = now() + PATIENCE;
        while (beats < seen + 2 && now() < end)
            rest(20000);
        for (unsigned n = 0; n < PAGE / 8; n += 64)
            if (!EQ(now_there[n], 0))
                break;
        EQ(memory_op(XENMEM_decrease_reservation, &take), 1);
        EQ(memory_op(XENMEM_populate_physmap, &give), 1);
    }
    stop = 1;
    OK(cpu_done(1));
    page_free(AT(page));
}

static volatile uint8_t *code;

static void call_code(void *result)
{
    uint64_t (*f)(void) = (uint64_t(*)(void))(uintptr_t)code;

    *(volatile uint64_t *)result = f();
}

/* Code that one vCPU writes, another one executes. */
static void fresh_code(void)
{
    volatile uint64_t result = 0;

    code = page_alloc();
    code[0] = 0xb8; /* mov imm32, %eax; ret */
    code[5] = 0xc3;
    for (uint32_t i = 1; i <= 20; i++) {
        *(volatile uint32_t *)(uintptr_t)(code + 1) = i;
        cpu_job(1, call_code, (void *)&result);
        if (!OK(cpu_done(1)))
            return;
        EQ(result, i);
    }
    page_free((void *)(uintptr_t)code);
}

static void go_down(void *unused)
{
    (void)unused;
    vcpu_op(VCPUOP_down, me()->id, NULL);
}

/* A vCPU takes itself down; whoever wakes it finds it where it was. */
static void down_and_up(void)
{
    for (unsigned i = 0; i < 20; i++) {
        cpu_job(1, go_down, NULL);
        if (!OK(WAIT(vcpu_op(VCPUOP_is_up, 1, NULL) == 0)))
            return;
        EQ(vcpu_op(VCPUOP_up, 1, NULL), 0);
        OK(cpu_done(1));
    }
}

const struct act acts_smp[] = {
    {"smp-ports", 2, ports},
    {"smp-chain", 2, chain},
    {"smp-balloons", 2, balloons},
    {"smp-unmap", 2, unmap_race},
    {"smp-versions", 2, versions},
    {"smp-stale-writes", 2, no_stale_writes},
    {"smp-fresh-code", 2, fresh_code},
    {"smp-down-up", 2, down_and_up},
    {0},
};
