/* Guests that start with the machine: multiboot modules say which. They are built
 * by the core's own operations, run until each has ended, and are taken away. */
#include "bare/bare.h"

#include "base/atomic.h"
#include "base/string.h"
#include "core/console/console.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "x86/build/boot_module.h"
#include "x86/build/pvh.h"

struct guest {
    struct boot_module config;
    const struct bare_module *kernel, *ramdisk;
    struct domain *d; /* NULL: not built */
    bool told;        /* its end was logged */
};

static struct guest guests[BARE_GUESTS_MAX];
static unsigned guest_count;
static uint64_t pages_before;

/* The guest of that name, added when it is new; NULL: there are too many. */
static struct guest *guest_named(const char *name)
{
    size_t n = str_len(name) + 1;

    for (unsigned i = 0; i < guest_count; i++) {
        if (memcmp(guests[i].config.guest, name, n) == 0)
            return &guests[i];
    }
    if (guest_count == BARE_GUESTS_MAX)
        return NULL;
    memcpy(guests[guest_count].config.guest, name, n);
    return &guests[guest_count++];
}

/* One sentence about what is wrong, or NULL. */
static const char *add_module(const struct bare_module *m)
{
    struct boot_module config;
    const char *wrong = boot_module_parse(m->cmdline, &config);
    struct guest *g;

    if (wrong)
        return wrong;
    if (config.role == MODULE_OTHER) {
        hv_log(1, "module \"%.60s\" names no guest: left alone", m->cmdline);
        return NULL;
    }
    g = guest_named(config.guest);
    if (!g)
        return "there are too many guests";
    if (config.role == MODULE_RAMDISK) {
        if (g->ramdisk)
            return "the guest has a ramdisk already";
        g->ramdisk = m;
        return NULL;
    }
    if (g->kernel)
        return "the guest has a kernel already";
    g->config = config;
    g->kernel = m;
    return NULL;
}

static int create_domain(struct guest *g)
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = g->config.vcpus,
        .max_evtchn_port = 1023,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch = {.emulation_flags = XEN_X86_EMU_LAPIC},
    };
    struct sched_params weight = {.weight = g->config.weight, .cap = SCHED_CAP_KEEP};
    domid_t id = domain_unused_id(1);
    int rc;

    /* A UUID that is the same at every start: version 8, its own number inside. */
    memcpy(cfg.handle, "corbel\x80\x00\x80\x00\x00\x00\x00\x00", 14);
    cfg.handle[14] = (uint8_t)(id >> 8);
    cfg.handle[15] = (uint8_t)id;
    rc = domain_create(id, &cfg, false, &g->d);
    if (rc != 0)
        return rc;
    guest_list_set((unsigned)(g - guests), g->config.guest, g->d);
    g->d->max_pages = (g->config.memory >> PAGE_SHIFT) + PVH_EXTRA_PAGES;
    for (unsigned i = 0; rc == 0 && i < g->config.vcpus; i++) {
        rc = vcpu_create(g->d, i);
        if (rc == 0 && g->config.cpus != 0)
            rc = sched_set_affinity(g->d->vcpu[i], g->config.cpus, g->config.cpus);
    }
    if (rc == 0 && hv->sched_kind == SCHED_CREDIT)
        rc = sched_set_params(g->d, &weight);
    return rc;
}

static enum pvh_error load_guest(struct guest *g)
{
    struct pvh_image image = {.kernel = g->kernel->data,
                              .kernel_len = g->kernel->len,
                              .initrd = g->ramdisk ? g->ramdisk->data : NULL,
                              .initrd_len = g->ramdisk ? g->ramdisk->len : 0,
                              .cmdline = g->config.cmdline};
    size_t cap = bzimage_unpacked_bound(image.kernel, image.kernel_len), elf_len = 0;
    unsigned order = order_of_bytes(cap);
    const void *elf = NULL;
    void *scratch = NULL;
    enum pvh_error e;

    if (cap != 0) {
        scratch = order > FRAME_ORDER_MAX ? NULL : hyp_pages_alloc(NULL, order, FRAME_HYP);
        if (!scratch)
            return PVH_NO_MEMORY;
    }
    e = bzimage_unpack(image.kernel, image.kernel_len, scratch, cap, &elf, &elf_len);
    if (e == PVH_OK)
        e = pvh_build(g->d, &image, elf, elf_len, g->config.memory, g->config.vcpus);
    if (scratch)
        hyp_pages_free(scratch, order);
    return e;
}

static bool build(struct guest *g)
{
    uint64_t start = port_time_now();
    enum pvh_error e;
    int rc;

    if (!g->kernel) {
        hv_log(0, "guest %s has no kernel", g->config.guest);
        return false;
    }
    rc = create_domain(g);
    if (rc != 0) {
        hv_log(0, "guest %s: cannot be created: error %d", g->config.guest, rc);
        return false;
    }
    e = load_guest(g);
    if (e != PVH_OK) {
        hv_log(0, "guest %s: %s", g->config.guest, pvh_error_text(e));
        return false;
    }
    hv_log(2, "guest %s is d%u: %lu KiB, %u vCPUs, %lu KiB of the hypervisor, built in %lu ms",
           g->config.guest, (unsigned)g->d->id, g->d->tot_pages * 4, g->config.vcpus,
           g->d->hyp_pages * 4, (port_time_now() - start) / 1000000);
    return true;
}

bool boot_guests_build(const struct bare_boot *boot)
{
    bool ok = true;

    for (unsigned i = 0; i < boot->module_count; i++) {
        const char *wrong = add_module(&boot->modules[i]);

        if (wrong) {
            hv_log(0, "module \"%.60s\": %s", boot->modules[i].cmdline, wrong);
            ok = false;
        }
    }
    if (boot->modules_lost != 0) {
        hv_log(0, "%u modules too many, or broken", boot->modules_lost);
        ok = false;
    }
    pages_before = free_page_count() + hv->hyp_pages;
    for (unsigned i = 0; ok && i < guest_count; i++)
        ok = build(&guests[i]);
    if (ok && guest_count == 0)
        hv_log(0, "no module describes a guest (guest=NAME): there is nothing to run");
    return ok && guest_count != 0;
}

/* Logs the guests that have ended since the last look. */
static void tell_ends(void)
{
    static const char *const ends[] = {
        "powered off", "asked to restart",      "suspended",
        "crashed",     "let its watchdog bite", "asked for a soft reset"};

    for (unsigned i = 0; i < guest_count; i++) {
        struct guest *g = &guests[i];
        uint8_t code = g->d->shutdown_code;

        if (g->told || !load_u8((const uint8_t *)&g->d->shut_down))
            continue;
        g->told = true;
        hv_log(2, "guest %s %s", g->config.guest, code < ARRAY_SIZE(ends) ? ends[code] : "ended");
    }
}

static bool any_crashed(void)
{
    bool crashed = false;

    for (unsigned i = 0; i < guest_count; i++)
        crashed = crashed || guests[i].d->crashed || guests[i].d->shutdown_code == SHUTDOWN_crash;
    return crashed;
}

static void take_away(struct guest *g)
{
    while (domain_kill(g->d) == -XEN_ERESTART) {
    }
    domain_put(g->d);
    domain_settle();
    guest_list_set((unsigned)(g - guests), g->config.guest, NULL);
    g->d = NULL;
}

static bool audit_is_clean(const char *when)
{
    struct audit_report r;

    audit_run(&r);
    hv_log(2, "audit %s: %u violations%s%s, %lu frames leaked", when, r.violations,
           r.first ? ", first " : "", r.first ? r.first : "", r.frames_leaked);
    return r.violations == 0 && r.frames_leaked == 0;
}

bool boot_guests_run(void)
{
    bool ok;

    unpack_discard();
    hv_log(2, "guests start %lu ms after the loader's jump", port_time_now() / 1000000);
    for (unsigned i = 0; i < guest_count; i++)
        domain_unpause(guests[i].d);
    console_start_input();
    while (load_u32(&hv->alive_count) != 0) {
        cpu_turn();
        console_poll();
        tell_ends();
    }
    ok = smp_hold(true);
    domain_settle();
    console_flush();
    tell_ends();
    if (!ok)
        hv_log(0, "%u CPUs do not come to rest", smp_running() - 1);
    ok = !any_crashed() && ok;
    ok = audit_is_clean("with the guests") && ok;
    for (unsigned i = 0; i < guest_count; i++)
        take_away(&guests[i]);
    ok = audit_is_clean("without them") && ok;
    if (free_page_count() + hv->hyp_pages != pages_before) {
        hv_log(0, "free pages: %lu before, %lu after", pages_before,
               free_page_count() + hv->hyp_pages);
        ok = false;
    }
    return ok && unpack_all_returned();
}
