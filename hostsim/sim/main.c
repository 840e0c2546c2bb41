/* corbel-sim: boots guests on the simulated machine and reports how they ended. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/state.h"
#include "hostsim/engine/engine.h"
#include "hostsim/sim/replay.h"
#include "hostsim/sim/sim.h"

#define LOOK_EVERY 64u /* exits between two looks at the outside world */

struct sim sim;
static volatile sig_atomic_t signalled;
static uint64_t exits;

int sim_error(const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fputs("corbel-sim: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return SIM_USAGE;
}

static void on_signal(int number)
{
    signalled = 1;
}

static void look_around(void)
{
    if (signalled && !sim.interrupted) {
        sim.interrupted = true;
        world_request_stop();
    }
    if (hv->alive_count == 0) {
        world_request_stop();
    }
}

static void on_exit_from_guest(void)
{
    static bool audit_due;

    exits++;
    if (sim.opt.audit_every && exits % sim.opt.audit_every == 0) {
        audit_due = true;
    }
    if (audit_due && world_quiescent()) {
        audit_due = false;
        if (!sim_audit()) {
            world_request_stop();
        }
    }
    if (exits % LOOK_EVERY == 0) {
        (void)console_poll(0);
        gdbstub_poll();
    }
    console_flush();
    look_around();
}

static bool on_all_idle(uint64_t next_ns)
{
    uint64_t now = world_latest();

    console_flush();
    look_around();
    gdbstub_poll();
    if (!console_interactive()) {
        return console_poll(0);
    }
    fflush(stdout);
    /* Somebody types: a guest's sleep takes as long as it says. */
    if (console_poll(next_ns == TIME_NEVER ? UINT64_MAX : next_ns > now ? next_ns - now : 0)) {
        return true;
    }
    look_around();
    return false;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int exit_status(void)
{
    int status = SIM_OK;

    if (sim.end == WORLD_PANIC || sim.audit_failed) {
        return SIM_FAILED;
    }
    for (unsigned i = 0; i < sim.opt.guests; i++) {
        const struct guest_result *r = &sim.guest[i].result;

        if (r->crashed) {
            return SIM_CRASHED;
        }
        if (!r->shut_down || r->code != SHUTDOWN_poweroff) {
            status = SIM_UNFINISHED;
        }
    }
    return status;
}

static void run(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    double start = seconds();

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sim.running = true;
    world_exit_hook = on_exit_from_guest;
    world_idle_hook = on_all_idle;
    sim.end = world_run();
    world_exit_hook = NULL;
    world_idle_hook = NULL;
    sim.wall_seconds = seconds() - start;
    boot_teardown();
}

int main(int argc, char **argv)
{
    int status;

    if (argc > 1 && strcmp(argv[1], "replay") == 0) {
        return replay_main(argc - 1, argv + 1);
    }
    status = options_parse(argc, argv, &sim.opt);
    if (status >= 0) {
        return status;
    }
    status = boot_machine();
    if (status == 0) {
        status = trace_start();
    }
    if (status == 0) {
        status = console_start();
    }
    if (status == 0) {
        status = boot_guests();
    }
    if (status == 0 && sim.opt.gdb_port) {
        status = gdbstub_start();
    }
    if (status == 0) {
        run();
        status = exit_status();
        gdbstub_stop(status);
        console_stop();
        summary_print();
    } else {
        console_stop();
    }
    if (trace_stop() != 0 && status == 0) {
        status = SIM_USAGE;
    }
    engine_stop();
    world_stop();
    return status;
}
