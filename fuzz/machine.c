/* Builds what every program starts from. */
#include "fuzz/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_table.h"
#include "core/state.h"
#include "fuzz/engine.h"
#include "fuzz/reset.h"
#include "hostsim/world/world.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#include <xen/memory.h>

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz: cannot build the machine: %s\n", what);
        abort();
    }
}
#define MUST(x) must((x), #x)

static bool without_locks;

void machine_ram_unlocked(bool on)
{
    without_locks = on;
}

/* As a guest's CPU does in the middle of whatever the hypervisor does. */
static struct p2m_entry walk(struct domain *d, uint64_t g)
{
    struct p2m_entry e = {.type = P2M_INVALID};
    uint64_t at = g;

    if (!p2m_find_leaf(&d->p2m, &at, &e) || at != g) {
        e.type = P2M_INVALID;
    }
    return e;
}

void *machine_ram(struct domain *d, uint64_t gpa)
{
    struct p2m_entry e =
        without_locks ? walk(d, gpa >> PAGE_SHIFT) : p2m_lookup(d, gfn(gpa >> PAGE_SHIFT));

    if ((P2M_SET(e.type) & P2M_SET_WRITABLE) == 0 || mfn_is_invalid(e.mfn)) {
        return NULL;
    }
    return (uint8_t *)mfn_to_ptr(e.mfn) + (gpa & (PAGE_SIZE - 1));
}

static void populate(struct domain *d, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        mfn_t m = guest_pages_alloc(d, 0);

        MUST(!mfn_is_invalid(m));
        MUST(p2m_map(d, gfn(first + i), m, P2M_4K, P2M_RAM_RW) == 0);
    }
}

/* 64-bit code with an identity map, should paging be on. */
static void give_state(struct vcpu *v)
{
    struct guest_state s;

    hvm_vcpu_reset_state(&s);
    s.cr0 = CR0_PE | CR0_ET | CR0_PG;
    s.cr3 = (uint64_t)TABLE_GFN << PAGE_SHIFT;
    s.cr4 = CR4_PAE;
    s.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    s.regs.rip = (uint64_t)CODE_GFN << PAGE_SHIFT;
    s.regs.rflags = RFLAGS_FIXED | RFLAGS_IF;
    hvm_vcpu_load_state(v, &s);
    v->initialised = true;
    vcpu_wake_flags(v, VPF_DOWN);
}

static void write_tables(struct domain *d)
{
    uint64_t *root = machine_ram(d, (uint64_t)TABLE_GFN << PAGE_SHIFT);
    uint64_t *third = machine_ram(d, (uint64_t)(TABLE_GFN + 1) << PAGE_SHIFT);
    uint8_t *code = machine_ram(d, (uint64_t)CODE_GFN << PAGE_SHIFT);

    root[0] = ((uint64_t)(TABLE_GFN + 1) << PAGE_SHIFT) | 7;
    for (uint64_t i = 0; i < 4; i++) {
        third[i] = i << 30 | 0x87;
    }
    memset(code, 0x90, PAGE_SIZE);
}

static struct domain *make_domain(domid_t id, unsigned vcpus, unsigned pages)
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = vcpus,
        .max_evtchn_port = id == 2 ? 1023 : UINT32_MAX,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch = {.emulation_flags = XEN_X86_EMU_LAPIC},
    };
    struct domain *d = NULL;

    memset(cfg.handle, id, sizeof(cfg.handle));
    MUST(domain_create(id, &cfg, id == 0, &d) == 0);
    d->max_pages = pages;
    for (unsigned i = 0; i < vcpus; i++) {
        MUST(vcpu_create(d, i) == 0);
    }
    populate(d, RAM_GFN, TABLE_GFN + 2 - RAM_GFN);
    write_tables(d);
    /* Domain 2's other vCPU stays down, for somebody to bring up. */
    for (unsigned i = 0; i < (id == 2 ? 1 : vcpus); i++) {
        give_state(d->vcpu[i]);
    }
    domain_unpause(d);
    return d;
}

/* A hypercall before anything runs, as the vCPU itself would make it. */
static int64_t call(struct vcpu *v, uint64_t nr, uint64_t sub, void *arg, size_t len)
{
    uint64_t args[6] = {sub, arg_base(v->id), 1, 0, 0, 0};
    int64_t rc;

    MUST(guest_phys_write(v->domain, gaddr(arg_base(v->id)), arg, len) == 0);
    store_u32(&this_cpu()->resched, 0);
    v->arch->exit.cr0 = CR0_PE;
    this_cpu()->current = v;
    rc = hypercall(v, nr, args);
    this_cpu()->current = NULL;
    MUST(guest_phys_read(v->domain, gaddr(arg_base(v->id)), arg, len) == 0);
    return rc;
}

static void map(struct domain *d, unsigned space, uint64_t idx, uint64_t g)
{
    struct xen_add_to_physmap a = {.domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = g};

    MUST(call(d->vcpu[0], __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &a, sizeof(a)) == 0);
}

/* Grants 0-7 are reserved by convention; 8.. are given: each domain grants RAM frames
 * to the others, the last of them read-only. */
static void grant(struct domain *d)
{
    grant_entry_v1_t *g = machine_ram(d, (uint64_t)GRANT_GFN << PAGE_SHIFT);

    for (unsigned i = 0; i < 8; i++) {
        g[8 + i] = (grant_entry_v1_t){
            .flags = (uint16_t)(GTF_permit_access | (i >= 6 ? GTF_readonly : 0)),
            .domid = (domid_t)((d->id + 1 + i % 3) % MACHINE_DOMAINS),
            .frame = RAM_GFN + 8 + i,
        };
    }
}

static void connect(struct domain *a, struct domain *b)
{
    evtchn_alloc_unbound_t u = {.dom = DOMID_SELF, .remote_dom = b->id};
    evtchn_bind_interdomain_t i = {.remote_dom = a->id};

    MUST(call(a->vcpu[0], __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &u, sizeof(u)) ==
         0);
    i.remote_port = u.port;
    MUST(call(b->vcpu[0], __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &i,
              sizeof(i)) == 0);
    u = (evtchn_alloc_unbound_t){.dom = DOMID_SELF, .remote_dom = b->id};
    MUST(call(a->vcpu[0], __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &u, sizeof(u)) ==
         0);
}

static uint64_t pages_before;

uint64_t machine_pages(void)
{
    return pages_before;
}

void machine_build(void)
{
    static const struct {
        unsigned vcpus, pages;
    } shape[MACHINE_DOMAINS] = {{2, 96}, {2, 64}, {2, 64}, {1, 64}};
    struct world_config cfg = {.mem_bytes = MACHINE_BYTES, .cpus = MACHINE_CPUS};
    struct domain *d[MACHINE_DOMAINS];
    size_t pool = (engine_pool_bytes() + PAGE_SIZE - 1) & PAGE_MASK;
    uint8_t *end;

    MUST(world_start(&cfg) == 0);
    end = world_ram() + world_ram_bytes();
    MUST(mmap(end, pool, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
              -1, 0) == end);
    engine_pool_at(end);
    reset_region(world_ram(), world_ram_bytes() + pool);
    MUST(hv_init(world_boot_info()) == 0);
    pages_before = free_page_count() + hv->hyp_pages;
    for (unsigned i = 0; i < MACHINE_DOMAINS; i++) {
        d[i] = make_domain((domid_t)i, shape[i].vcpus, shape[i].pages);
        map(d[i], XENMAPSPACE_shared_info, 0, INFO_GFN);
        map(d[i], XENMAPSPACE_grant_table, 0, GRANT_GFN);
        grant(d[i]);
    }
    for (unsigned i = 0; i < MACHINE_DOMAINS; i++) {
        connect(d[i], d[(i + 1) % MACHINE_DOMAINS]);
    }
    /* From now on the domains live by themselves: who made them lets go. */
    for (unsigned i = 0; i < MACHINE_DOMAINS; i++) {
        memset(machine_ram(d[i], arg_base(0)), 0, PAGE_SIZE);
        domain_put(d[i]);
    }
}
