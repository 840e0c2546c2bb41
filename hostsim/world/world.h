/* The simulated machine: one arena as its memory, physical CPUs as coroutines
 * that take turns in virtual time, one clock, console sinks. Deterministic: the
 * same seed and inputs give the same run. */
#ifndef CORBEL_HOSTSIM_WORLD_H
#define CORBEL_HOSTSIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/init.h"
#include "port/trace.h"

struct world_config {
    uint64_t mem_bytes; /* multiple of 4 KiB */
    unsigned cpus;      /* 1 .. MAX_CPUS */
    uint64_t seed;
    uint64_t wallclock_ns; /* at virtual time 0; a fixed default when 0 */
    uint64_t max_time_ns;  /* virtual; 0: none */
    uint64_t quantum_ns;   /* how far a guest may run ahead of other CPUs; 0: 20 us */
};

/* Maps the arena, resets clock and CPUs. Does not call hv_init(). 0 or -1. */
int world_start(const struct world_config *cfg);
void world_stop(void);

/* What hv_init() needs for this world. */
const struct boot_info *world_boot_info(void);

enum world_end {
    WORLD_POWERED_OFF, /* port_power_off or port_reboot */
    WORLD_DEADLOCK,    /* all CPUs idle and no timer will ever fire */
    WORLD_TIME_LIMIT,
    WORLD_PANIC,   /* port_panic: world_panic_text() */
    WORLD_STOPPED, /* world_request_stop() */
};

/* Runs cpu_turn() for ever on every physical CPU (after cpu_online() where that
 * was not called yet) until something ends it. Except after a panic every CPU is
 * then outside the core, and world_run() may be called again. */
enum world_end world_run(void);
const char *world_panic_text(void);
void world_request_stop(void);

/* Runs fn(arg) as the body of CPU cpu's coroutine instead of cpu_turn() (tests
 * of interleavings). Call before world_run(). */
void world_set_body(unsigned cpu, void (*fn)(void *), void *arg);

/* Virtual time. */
uint64_t world_now(void);        /* of the executing CPU */
void world_advance(uint64_t ns); /* the executing CPU spends ns */
/* While on, taking and releasing locks moves no clock: for what happens a number
 * of times that depends on the host. Returns what it was. */
bool world_untimed(bool on);
void world_set_time(uint64_t ns); /* tests: all CPUs jump to ns, timers become due */
uint64_t world_deadline(void);    /* when the executing guest must stop at the latest */
bool world_should_stop(void);     /* a kick or timer wants this CPU out of guest mode */
void world_exit_guest(void);      /* after a guest slice: yields to the others when due */

/* Called when all CPUs are idle, before time jumps to next_ns (TIME_NEVER: no
 * timer): may feed input; returns true iff something was kicked. */
extern bool (*world_idle_hook)(uint64_t next_ns);

/* Sinks; NULL: dropped. */
extern void (*world_console_sink)(uint16_t domid, const char *s, size_t n);
extern size_t (*world_console_source)(uint16_t domid, char *s, size_t n);
extern void (*world_trace_sink)(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c);
extern void (*world_code_changed_sink)(uint64_t mfn, uint64_t count);

/* Called at every exit from guest mode, on the CPU that left it. */
extern void (*world_exit_hook)(void);

/* Called before every acquire inside world_run(): true forces a switch to
 * another CPU that has something to do, if there is one. */
extern bool (*world_acquire_hook)(void);
/* The same after every release. */
extern bool (*world_release_hook)(void);

/* True iff every other CPU is outside the core: what an audit needs. */
bool world_quiescent(void);

/* Goes on until all CPUs idle with nothing pending, at most for ns of virtual
 * time. After a world_run() that ended without panic. */
enum world_end world_drain(uint64_t ns);

/* The highest clock of all CPUs, and the lowest time at which anything can still
 * happen. */
uint64_t world_latest(void);
uint64_t world_floor(void);

/* Without world_run(), calls from main count as CPU 0's; from now on as cpu's,
 * whose clock moves up to the previous one's. */
void world_on_cpu(unsigned cpu);

/* A number from the world's own generator, started by the seed. */
uint64_t world_random(void);

/* The arena. */
uint8_t *world_ram(void);
uint64_t world_ram_bytes(void);

#endif
