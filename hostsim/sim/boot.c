/* From options to a machine with guests in it, and back to nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_log.h"
#include "core/state.h"
#include "hostsim/engine/engine.h"
#include "hostsim/sim/sim.h"
#include "hostsim/world/trace_json.h"
#include "x86/build/pvh.h"
#include "x86/hvm/hvm.h"

#define MIB (UINT64_C(1) << 20)
#define SCRATCH_MAX ((size_t)2 << 30) /* no kernel unpacks to more */
#define MACHINE_BASE_MIB 32u          /* the hypervisor itself */
#define GUEST_EXTRA_MIB 12u           /* tables, vCPUs, devices of one guest */
#define DRAIN_NS UINT64_C(10000000000)

/* A whole file, mapped. */
struct blob {
    const void *data;
    size_t len;
};

static int blob_open(struct blob *b, const char *who, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *b = (struct blob){0};
    if (fd < 0 || fstat(fd, &st) != 0) {
        int err = errno;

        if (fd >= 0) {
            close(fd);
        }
        return sim_error("%s: %s: %s", who, path, strerror(err));
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return sim_error("%s: %s: %s", who, path,
                         S_ISREG(st.st_mode) ? "the file is empty" : "not a regular file");
    }
    b->data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (b->data == MAP_FAILED) {
        b->data = NULL;
        return sim_error("%s: %s: %s", who, path, strerror(errno));
    }
    b->len = (size_t)st.st_size;
    return 0;
}

static void blob_close(struct blob *b)
{
    if (b->data) {
        munmap((void *)(uintptr_t)b->data, b->len);
    }
    *b = (struct blob){0};
}

/* Second-stage tables take 1/512 with 4 KiB leaves; the frame table as much. */
static uint64_t machine_mib(void)
{
    uint64_t need = MACHINE_BASE_MIB;

    for (unsigned i = 0; i < sim.opt.guests; i++) {
        uint64_t mem = sim.opt.guest[i].memory_mib;

        need += mem + mem / 128 + GUEST_EXTRA_MIB + sim.opt.guest[i].vcpus / 8;
    }
    return need;
}

int boot_machine(void)
{
    struct world_config cfg = {
        .cpus = sim.opt.pcpus, .seed = sim.opt.seed, .max_time_ns = sim.opt.max_time_ns};
    struct boot_info boot;
    uint64_t need = 0;
    int rc;

    for (unsigned i = 0; i < sim.opt.guests; i++) {
        need += sim.opt.guest[i].memory_mib;
    }
    if (sim.opt.mem_mib && sim.opt.mem_mib <= need) {
        return sim_error("--mem %llu: the guests alone need %llu MiB",
                         (unsigned long long)sim.opt.mem_mib, (unsigned long long)need);
    }
    cfg.mem_bytes = (sim.opt.mem_mib ? sim.opt.mem_mib : machine_mib()) * MIB;
    if (world_start(&cfg) != 0) {
        return sim_error("this host cannot give the machine %llu MiB of memory",
                         (unsigned long long)(cfg.mem_bytes / MIB));
    }
    if (engine_start() != 0) {
        return SIM_USAGE;
    }
    boot = *world_boot_info();
    boot.sched_kind = sim.opt.sched_kind;
    boot.silo = sim.opt.silo;
    rc = hv_init(&boot);
    if (rc) {
        return sim_error("the machine's %llu MiB of memory do not suffice",
                         (unsigned long long)(cfg.mem_bytes / MIB));
    }
    for (unsigned i = 1; i < sim.opt.pcpus; i++) {
        world_on_cpu(i);
        cpu_online(i);
    }
    world_on_cpu(0);
    sim.pages_at_start = free_page_count() + hv->hyp_pages;
    return 0;
}

static int create_domain(const struct guest_config *c, struct sim_guest *g)
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = c->vcpus,
        .max_evtchn_port = 1023,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch = {.emulation_flags = XEN_X86_EMU_LAPIC},
    };
    int rc;

    g->domid = domain_unused_id(1);
    /* A UUID that is the same in every run: version 8, its own number inside. */
    memcpy(cfg.handle, "corbel\x80\x00\x80\x00\x00\x00\x00\x00", 14);
    cfg.handle[14] = (uint8_t)(g->domid >> 8);
    cfg.handle[15] = (uint8_t)g->domid;
    rc = domain_create(g->domid, &cfg, false, &g->d);
    if (rc) {
        return rc;
    }
    g->d->max_pages = c->memory_mib * (MIB >> PAGE_SHIFT) + PVH_EXTRA_PAGES;
    trace_json_domain(g->domid, c->name, c->vcpus);
    for (unsigned i = 0; rc == 0 && i < c->vcpus; i++) {
        rc = vcpu_create(g->d, i);
    }
    return rc;
}

/* Unpacks the kernel and builds the domain's memory with it. */
static int build_domain(const struct guest_config *c, struct sim_guest *g, const struct blob *k,
                        const struct blob *initrd)
{
    struct pvh_image image = {.kernel = k->data,
                              .kernel_len = k->len,
                              .initrd = initrd->data,
                              .initrd_len = initrd->len,
                              .cmdline = c->cmdline};
    size_t cap = bzimage_unpacked_bound(k->data, k->len), elf_len = 0;
    const void *elf = NULL;
    void *scratch = NULL;
    enum pvh_error e;

    cap = cap > SCRATCH_MAX ? SCRATCH_MAX : cap;
    if (cap) {
        scratch = mmap(NULL, cap, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (scratch == MAP_FAILED) {
            return sim_error("%s: %s: %s", c->name, c->kernel, strerror(errno));
        }
    }
    e = bzimage_unpack(k->data, k->len, scratch, cap, &elf, &elf_len);
    if (e == PVH_OK) {
        e = pvh_build(g->d, &image, elf, elf_len, c->memory_mib * MIB, c->vcpus);
    }
    if (scratch) {
        munmap(scratch, cap);
    }
    if (e != PVH_OK) {
        return sim_error("%s: %s: %s", c->name, c->kernel, pvh_error_text(e));
    }
    return 0;
}

static int boot_guest(const struct guest_config *c, struct sim_guest *g)
{
    struct blob kernel = {0}, initrd = {0};
    int rc = blob_open(&kernel, c->name, c->kernel);

    if (rc == 0 && c->ramdisk) {
        rc = blob_open(&initrd, c->name, c->ramdisk);
    }
    if (rc == 0 && create_domain(c, g) != 0) {
        rc = sim_error("%s: the machine has not enough memory for its %u vCPUs", c->name, c->vcpus);
    }
    if (rc == 0) {
        rc = build_domain(c, g, &kernel, &initrd);
    }
    blob_close(&kernel);
    blob_close(&initrd);
    return rc;
}

int boot_guests(void)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < sim.opt.guests; i++) {
        rc = boot_guest(&sim.opt.guest[i], &sim.guest[i]);
    }
    for (unsigned i = 0; rc == 0 && i < sim.opt.guests; i++) {
        struct vcpu *v = sim.guest[i].d->vcpu[0];

        if (sim.opt.written && p2m_log_start(v->domain, P2M_LOG_KEY) == 0) {
            (void)p2m_log_count(v->domain, P2M_LOG_CLEAN);
        }
        if (v->pause_flags & VPF_DOWN) {
            vcpu_wake_flags(v, VPF_DOWN);
        }
        domain_unpause(sim.guest[i].d);
    }
    return rc;
}

struct sim_guest *sim_guest_of(uint16_t domid)
{
    for (unsigned i = 0; i < sim.opt.guests; i++) {
        if (sim.guest[i].d && sim.guest[i].domid == domid) {
            return &sim.guest[i];
        }
    }
    return NULL;
}

bool sim_audit(void)
{
    struct audit_report r;

    memset(&r, 0, sizeof(r));
    audit_run(&r);
    sim.audits++;
    if (!sim.audit_failed) {
        sim.audit = r;
        sim.audit_failed = r.violations != 0;
    }
    return r.violations == 0;
}

static void collect(struct sim_guest *g)
{
    struct guest_result *r = &g->result;

    _Static_assert(EXIT_REASONS <= ARRAY_SIZE(((struct guest_result *)0)->exits), "exits");
    for (unsigned i = 0; i < g->d->max_vcpus; i++) {
        const struct vcpu *v = g->d->vcpu[i];

        if (!v || !v->arch) {
            continue;
        }
        for (unsigned e = 0; e < EXIT_REASONS; e++) {
            r->exits[e] += v->arch->exits[e];
        }
        r->code_bytes += engine_stats_of(v).guest_bytes;
    }
    memcpy(r->hypercalls, g->d->arch->hypercalls, sizeof(r->hypercalls));
    r->guest_frames = g->d->tot_pages;
    r->hyp_frames = g->d->hyp_pages;
    if (sim.opt.written && sim.end != WORLD_PANIC) {
        r->written = p2m_log_count(g->d, P2M_LOG_PEEK);
    }
}

/* All frames must be back where they were before the first guest. */
static void check_frames(void)
{
    uint64_t now = free_page_count() + hv->hyp_pages;

    if (now != sim.pages_at_start && sim.audit.frames_leaked == 0) {
        sim.audit.frames_leaked =
            now < sim.pages_at_start ? sim.pages_at_start - now : now - sim.pages_at_start;
    }
    sim.audit_failed = sim.audit_failed || sim.audit.frames_leaked != 0;
}

void boot_teardown(void)
{
    for (unsigned i = 0; i < sim.opt.guests; i++) {
        struct sim_guest *g = &sim.guest[i];

        g->result.shut_down = g->d->shut_down || g->d->shutting_down;
        g->result.crashed =
            g->d->crashed || (g->result.shut_down && g->d->shutdown_code == SHUTDOWN_crash);
        g->result.code = g->d->shutdown_code;
        collect(g);
    }
    if (sim.end == WORLD_PANIC) {
        return; /* its state is only fit for looking at */
    }
    for (unsigned i = 0; i < sim.opt.guests; i++) {
        if (!sim.guest[i].result.shut_down) {
            domain_shutdown(sim.guest[i].d, SHUTDOWN_poweroff);
        }
    }
    if (world_drain(DRAIN_NS) == WORLD_PANIC) {
        sim.end = WORLD_PANIC;
        return;
    }
    if (!sim_audit()) {
        return;
    }
    for (unsigned i = 0; i < sim.opt.guests; i++) {
        while (domain_kill(sim.guest[i].d) == -XEN_ERESTART) {
        }
        domain_put(sim.guest[i].d);
        sim.guest[i].d = NULL;
    }
    if (sim_audit()) {
        check_frames();
    }
}
