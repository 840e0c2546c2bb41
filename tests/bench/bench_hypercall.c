/* What hypercalls cost inside the hypervisor: called in this process, on the hosted
 * library, with the scripted engine; no guest runs. Prints one line per operation.
 *
 * A busy neighbour on the same core makes everything slower by the same factor, or
 * nearly, for a while. So each batch is timed between two of a reference, which is
 * the cheapest hypercall, and what is printed is the median of the quotients, unit
 * "ref"; and the lowest time of the reference. What happens once is printed in ns of
 * this thread's CPU time.
 *
 * usage: bench_hypercall [--domains N] [--ports N] [--mib N] | --audit MIB */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/init.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "hostsim/world/world.h"

#include <xen/event_channel.h>
#include <xen/memory.h>
#include <xen/version.h>

#define BATCHES 41u
#define BATCH_NS 100000u
#define REFERENCE_CALLS 3000u
#define AUDITS 7u
#define CALLS_MULTI 10u

/* Frame numbers of the two domains that are measured. Paging is off: a linear
 * address is a guest-physical one. */
#define ARG_GFN 0x10u
#define DATA_GFN 0x20u
#define HOLE_GFN 0x40u
#define CONTROL_GFN 0x80u
#define ARRAY_GFN 0x100u
#define ARRAY_PAGES 128u
#define PORTS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define GRANT_REF 8u

struct side {
    struct domain *d;
    struct vcpu *v;
    event_word_t *words[ARRAY_PAGES];
    evtchn_fifo_control_block_t *control;
    uint32_t port; /* the last one bound */
};

static struct side a, b;
static uint8_t *arg; /* of a, at ARG_GFN */
static uint32_t port_count = 4, port_next;
static double reference_ns; /* the lowest */

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_hypercall: %s failed\n", what);
        exit(1);
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *host(struct domain *d, uint64_t g)
{
    struct p2m_entry e = p2m_lookup(d, gfn(g));

    must(e.type == P2M_RAM_RW, "looking a frame up");
    return mfn_to_ptr(e.mfn);
}

static void populate(struct domain *d, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        mfn_t m = guest_pages_alloc(d, 0);

        must(!mfn_is_invalid(m) && p2m_map(d, gfn(first + i), m, P2M_4K, P2M_RAM_RW) == 0,
             "populating a domain");
    }
}

static struct domain *make_domain(uint64_t max_mib)
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = 1,
        .max_evtchn_port = UINT32_MAX,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch = {.emulation_flags = XEN_X86_EMU_LAPIC},
    };
    struct domain *d = NULL;

    must(domain_create(domain_unused_id(1), &cfg, false, &d) == 0, "creating a domain");
    d->max_pages = max_mib << (20 - PAGE_SHIFT);
    must(vcpu_create(d, 0) == 0, "creating a vCPU");
    d->vcpu[0]->initialised = true;
    vcpu_wake_flags(d->vcpu[0], VPF_DOWN);
    domain_unpause(d);
    populate(d, 0, 4);
    return d;
}

static inline int64_t call(struct vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    uint64_t args[6] = {a0, a1, a2};
    int64_t rc;

    do {
        this_cpu()->resched = 0;
        this_cpu()->current = v;
        rc = hypercall(v, nr, args);
    } while (rc == HYPERCALL_RESTART);
    this_cpu()->current = NULL;
    return rc;
}

#define ARG_GVA ((uint64_t)ARG_GFN << PAGE_SHIFT)
#define DATA_GVA ((uint64_t)DATA_GFN << PAGE_SHIFT)
#define HOLE_GVA ((uint64_t)HOLE_GFN << PAGE_SHIFT)

/* One call of s with its argument at a fixed place. */
static void op(struct side *s, uint64_t nr, uint64_t cmd, void *p, size_t n, const char *what)
{
    uint8_t *at = host(s->d, ARG_GFN);

    memcpy(at, p, n);
    must(call(s->v, nr, cmd, ARG_GVA, 1) == 0, what);
    memcpy(p, at, n);
}

static void start_side(struct side *s)
{
    s->d = make_domain(64);
    s->v = s->d->vcpu[0];
    populate(s->d, ARG_GFN, 4);
    populate(s->d, DATA_GFN, 4);
    populate(s->d, CONTROL_GFN, 1);
    populate(s->d, ARRAY_GFN, ARRAY_PAGES);
    s->control = host(s->d, CONTROL_GFN);
    for (unsigned i = 0; i < ARRAY_PAGES; i++)
        s->words[i] = host(s->d, ARRAY_GFN + i);
}

/* The FIFO ABI, with room for all ports. */
static void go_fifo(struct side *s)
{
    evtchn_init_control_t init = {.control_gfn = CONTROL_GFN};

    op(s, __HYPERVISOR_event_channel_op, EVTCHNOP_init_control, &init, sizeof(init),
       "EVTCHNOP_init_control");
    for (unsigned i = 0; i * PORTS_PER_PAGE < port_count + 64; i++) {
        evtchn_expand_array_t more = {.array_gfn = ARRAY_GFN + i};

        op(s, __HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, &more, sizeof(more),
           "EVTCHNOP_expand_array");
    }
}

static void bind_ports(void)
{
    uint64_t start = cpu_ns();

    for (uint32_t i = 0; i < port_count; i++) {
        evtchn_alloc_unbound_t alloc = {.dom = DOMID_SELF, .remote_dom = b.d->id};
        evtchn_bind_interdomain_t bind = {.remote_dom = a.d->id};

        op(&a, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc),
           "EVTCHNOP_alloc_unbound");
        a.port = bind.remote_port = alloc.port;
        op(&b, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind, sizeof(bind),
           "EVTCHNOP_bind_interdomain");
        b.port = bind.local_port;
        must(b.port == a.port, "pairing ports");
    }
    printf("evtchn_bind_pair ns %.1f\n", (double)(cpu_ns() - start) / port_count);
}

static void grant_page(void)
{
    grant_entry_v1_t *table = b.d->gnttab.shared[0];

    table[GRANT_REF].domid = a.d->id;
    table[GRANT_REF].frame = DATA_GFN;
    table[GRANT_REF].flags = GTF_permit_access;
}

static void start(unsigned domains, unsigned mib)
{
    struct world_config cfg = {.mem_bytes = (uint64_t)mib << 20, .cpus = 1};
    uint64_t before;

    must(world_start(&cfg) == 0, "starting the machine");
    /* As the bare image's direct map has them. */
    (void)madvise(world_ram(), world_ram_bytes(), MADV_HUGEPAGE);
    (void)world_untimed(true);
    before = cpu_ns();
    must(hv_init(world_boot_info()) == 0, "hv_init");
    printf("hv_init ns %.0f\n", (double)(cpu_ns() - before));
    for (unsigned i = 0; i < domains; i++)
        (void)make_domain(1);
}

/* What the other side's kernel does in an upcall, for the one port. */
static void take_event(uint32_t port)
{
    b.words[port / PORTS_PER_PAGE][port % PORTS_PER_PAGE] = 0;
    memset(b.control->head, 0, sizeof(b.control->head));
    b.control->ready = 0;
    b.v->info->evtchn_upcall_pending = 0;
}

static bool bench_version(void)
{
    return call(a.v, __HYPERVISOR_xen_version, XENVER_version, 0, 0) > 0;
}

static bool send_port(uint32_t port)
{
    ((evtchn_send_t *)(void *)arg)->port = port;
    return call(a.v, __HYPERVISOR_event_channel_op, EVTCHNOP_send, ARG_GVA, 0) == 0;
}

static bool bench_send(void)
{
    bool ok = send_port(a.port) && b.v->info->evtchn_upcall_pending != 0;

    take_event(b.port);
    return ok;
}

/* Each time another port, so that with many of them nothing is in a cache. */
static bool bench_send_any(void)
{
    uint32_t first = a.port + 1 - port_count, port;

    port_next = (port_next + 7919) % port_count;
    port = first + port_next;
    if (!send_port(port))
        return false;
    take_event(port);
    return true;
}

static bool bench_send_pending(void)
{
    return send_port(a.port);
}

static bool bench_alloc_close(void)
{
    evtchn_alloc_unbound_t *alloc = (void *)arg;
    evtchn_close_t *close = (void *)(arg + 256);

    *alloc = (evtchn_alloc_unbound_t){.dom = DOMID_SELF, .remote_dom = b.d->id};
    if (call(a.v, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, ARG_GVA, 0) != 0)
        return false;
    close->port = alloc->port;
    return call(a.v, __HYPERVISOR_event_channel_op, EVTCHNOP_close, ARG_GVA + 256, 0) == 0;
}

static bool bench_map(void)
{
    gnttab_map_grant_ref_t *m = (void *)arg;
    gnttab_unmap_grant_ref_t *u = (void *)(arg + 256);

    *m = (gnttab_map_grant_ref_t){
        .host_addr = HOLE_GVA, .flags = GNTMAP_host_map, .ref = GRANT_REF, .dom = b.d->id};
    if (call(a.v, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ARG_GVA, 1) != 0 ||
        m->status != GNTST_okay)
        return false;
    *u = (gnttab_unmap_grant_ref_t){.host_addr = HOLE_GVA, .handle = m->handle};
    return call(a.v, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, ARG_GVA + 256, 1) ==
               0 &&
           u->status == GNTST_okay;
}

static bool bench_copy(void)
{
    gnttab_copy_t *c = (void *)arg;

    *c = (gnttab_copy_t){.source = {.u.ref = GRANT_REF, .domid = b.d->id},
                         .dest = {.u.gmfn = DATA_GFN, .domid = DOMID_SELF},
                         .len = PAGE_SIZE,
                         .flags = GNTCOPY_source_gref};
    return call(a.v, __HYPERVISOR_grant_table_op, GNTTABOP_copy, ARG_GVA, 1) == 0 &&
           c->status == GNTST_okay;
}

static bool bench_populate(void)
{
    struct xen_memory_reservation *r = (void *)arg;
    xen_pfn_t *list = (void *)(arg + 256);

    *list = HOLE_GFN;
    *r = (struct xen_memory_reservation){.nr_extents = 1, .domid = DOMID_SELF};
    r->extent_start.p = (xen_pfn_t *)(uintptr_t)(ARG_GVA + 256);
    return call(a.v, __HYPERVISOR_memory_op, XENMEM_populate_physmap, ARG_GVA, 0) == 1 &&
           call(a.v, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, ARG_GVA, 0) == 1;
}

static bool bench_multicall(void)
{
    multicall_entry_t *m = (void *)arg;

    for (unsigned i = 0; i < CALLS_MULTI; i++)
        m[i] = (multicall_entry_t){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    return call(a.v, __HYPERVISOR_multicall, ARG_GVA, CALLS_MULTI, 0) == 0 &&
           m[CALLS_MULTI - 1].result > 0;
}

static int by_value(const void *x, const void *y)
{
    double d = *(const double *)x - *(const double *)y;

    return d < 0 ? -1 : d > 0;
}

/* CPU time of n calls of fn, each of which succeeds. */
static double timed(const char *name, bool (*fn)(void), unsigned n)
{
    uint64_t t = cpu_ns();

    for (unsigned i = 0; i < n; i++)
        must(fn(), name);
    return (double)(cpu_ns() - t);
}

static double reference(void)
{
    double ns = timed("reference", bench_version, REFERENCE_CALLS) / REFERENCE_CALLS;

    if (reference_ns == 0 || ns < reference_ns)
        reference_ns = ns;
    return ns;
}

static double quotient(const char *name, bool (*fn)(void), unsigned n)
{
    double before = reference(), ns = timed(name, fn, n) / n;

    return ns * 2 / (before + reference());
}

static double median(double *values, unsigned n)
{
    qsort(values, n, sizeof(*values), by_value);
    return values[n / 2];
}

static void measure(const char *name, bool (*fn)(void))
{
    double ref[BATCHES];
    unsigned n = 64;

    while (timed(name, fn, n) < BATCH_NS)
        n *= 2;
    for (unsigned k = 0; k < BATCHES; k++)
        ref[k] = quotient(name, fn, n);
    printf("%s ref %.3f\n", name, median(ref, BATCHES));
}

static void hypercalls(void)
{
    start_side(&a);
    start_side(&b);
    arg = host(a.d, ARG_GFN);
    go_fifo(&a);
    go_fifo(&b);
    bind_ports();
    grant_page();
    measure("xen_version", bench_version);
    measure("multicall_10", bench_multicall);
    measure("evtchn_send", bench_send);
    measure("evtchn_send_any", bench_send_any);
    must(send_port(a.port), "EVTCHNOP_send");
    measure("evtchn_send_pending", bench_send_pending);
    take_event(b.port);
    b.words[b.port / PORTS_PER_PAGE][b.port % PORTS_PER_PAGE] = 1u << EVTCHN_FIFO_MASKED;
    measure("evtchn_send_masked", bench_send_pending);
    measure("evtchn_alloc_close", bench_alloc_close);
    measure("grant_map_unmap", bench_map);
    measure("grant_copy_4k", bench_copy);
    measure("populate_decrease", bench_populate);
}

static bool bench_audit(void)
{
    struct audit_report r = {0};

    audit_run(&r);
    return r.violations == 0;
}

/* A whole audit of a machine with one domain of so many MiB, in 4 KiB pages. */
static void audit(unsigned mib)
{
    double ref[AUDITS];

    start(0, mib + 64);
    a.d = make_domain(mib + 1);
    a.v = a.d->vcpu[0];
    populate(a.d, 0x1000, (uint64_t)mib << (20 - PAGE_SHIFT));
    for (unsigned k = 0; k < AUDITS; k++)
        ref[k] = quotient("audit", bench_audit, 1) / mib;
    printf("audit_per_mib ref %.3f\n", median(ref, AUDITS));
}

int main(int argc, char **argv)
{
    unsigned domains = 0, mib = 1024;

    for (int i = 1; i + 1 < argc; i += 2) {
        unsigned value = (unsigned)strtoul(argv[i + 1], NULL, 10);

        if (strcmp(argv[i], "--domains") == 0)
            domains = value;
        else if (strcmp(argv[i], "--ports") == 0)
            port_count = value;
        else if (strcmp(argv[i], "--mib") == 0)
            mib = value;
        else if (strcmp(argv[i], "--audit") == 0) {
            audit(value);
            printf("reference ns %.2f\n", reference_ns);
            return 0;
        } else {
            fprintf(stderr, "bench_hypercall: %s: unknown option\n", argv[i]);
            return 2;
        }
    }
    must(port_count > 0 && port_count <= (ARRAY_PAGES - 1) * PORTS_PER_PAGE, "--ports");
    start(domains, mib);
    hypercalls();
    printf("reference ns %.2f\n", reference_ns);
    return 0;
}
