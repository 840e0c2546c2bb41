#include <stdio.h>

#include "base/xen.h"

#include <xen/sched.h>

#include "hostsim/engine/engine.h"
#include "hostsim/sim/sim.h"
#include "hostsim/world/names.h"
#include "port/guest.h"

static const char *end_text(void)
{
    if (sim.interrupted) {
        return "stopped by the user";
    }
    switch (sim.end) {
    case WORLD_DEADLOCK:
        return "all CPUs idle for ever";
    case WORLD_TIME_LIMIT:
        return "time limit reached";
    case WORLD_PANIC:
        return "the hypervisor panicked";
    case WORLD_POWERED_OFF:
        return "machine powered off";
    default:
        return sim.audit_failed ? "audit failed" : "all guests ended";
    }
}

static const char *guest_text(const struct guest_result *r)
{
    if (r->crashed) {
        return "crashed";
    }
    return r->shut_down ? name_of_shutdown(r->code) : "still running";
}

static void put_counts(const char *title, const uint64_t *n, unsigned count, bool hypercalls)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < count; i++) {
        total += n[i];
    }
    printf("  %s: %llu", title, (unsigned long long)total);
    for (unsigned i = 0; i < count; i++) {
        const char *name = hypercalls ? name_of_hypercall(i) : name_of_exit(i);

        if (n[i] && name) {
            printf(", %s %llu", name, (unsigned long long)n[i]);
        } else if (n[i]) {
            printf(", number %u %llu", i, (unsigned long long)n[i]);
        }
    }
    putchar('\n');
}

static void put_guest(const struct guest_config *c, const struct guest_result *r)
{
    printf("guest %s: %s; %u vCPU%s, %llu MiB\n", c->name, guest_text(r), c->vcpus,
           c->vcpus == 1 ? "" : "s", (unsigned long long)c->memory_mib);
    put_counts("exits", r->exits, EXIT_REASONS, false);
    put_counts("hypercalls", r->hypercalls, ARRAY_SIZE(r->hypercalls), true);
    printf("  frames: %llu guest, %llu hypervisor; code run: %llu MB\n",
           (unsigned long long)r->guest_frames, (unsigned long long)r->hyp_frames,
           (unsigned long long)(r->code_bytes / 1000000));
    if (sim.opt.written) {
        printf("  pages written: %llu\n", (unsigned long long)r->written);
    }
}

static void put_audit(void)
{
    const struct audit_report *r = &sim.audit;

    if (sim.end == WORLD_PANIC) {
        printf("panic: %s\n", world_panic_text());
    } else if (r->violations) {
        printf("audit: %u violations, first %s: %s\n", r->violations, r->first ? r->first : "?",
               r->detail);
    } else if (r->frames_leaked) {
        printf("audit: %llu frames leaked\n", (unsigned long long)r->frames_leaked);
    } else {
        printf("audit: clean, 0 frames leaked\n");
    }
}

void summary_print(void)
{
    uint64_t ns = world_latest();
    bool failed = sim.end == WORLD_PANIC || sim.audit_failed;

    if (sim.opt.quiet && !failed) {
        return;
    }
    for (unsigned i = 0; i < sim.opt.guests; i++) {
        put_guest(&sim.opt.guest[i], &sim.guest[i].result);
    }
    printf("machine: %u CPU%s, %llu MiB, seed %llu, Unicorn %s; %s\n", sim.opt.pcpus,
           sim.opt.pcpus == 1 ? "" : "s", (unsigned long long)(world_ram_bytes() >> 20),
           (unsigned long long)sim.opt.seed, engine_version(), end_text());
    printf("time: %llu.%06llu s virtual, %.2f s wall\n", (unsigned long long)(ns / 1000000000),
           (unsigned long long)(ns / 1000 % 1000000), sim.wall_seconds);
    put_audit();
    fflush(stdout);
}
