#include "hostsim/world/world.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hostsim/world/world_impl.h"
#include "port/console.h"
#include "port/mem.h"
#include "port/power.h"

/* Where the arena goes when that is free: inside AddressSanitizer's high memory,
 * so that pointers look the same in every run. */
#define WORLD_RAM_AT ((void *)0x200000000000)
#define WORLD_WALLCLOCK_NS UINT64_C(1704067200000000000) /* 2024-01-01 00:00:00 UTC */

struct world world;
uint8_t *port_directmap;

bool (*world_idle_hook)(uint64_t next_ns);
void (*world_console_sink)(uint16_t domid, const char *s, size_t n);
size_t (*world_console_source)(uint16_t domid, char *s, size_t n);
void (*world_trace_sink)(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c);
void (*world_code_changed_sink)(uint64_t mfn, uint64_t count);
void (*world_exit_hook)(void);
bool (*world_acquire_hook)(void);
bool (*world_release_hook)(void);

int world_start(const struct world_config *cfg)
{
    void *p;

    if (world.ram) {
        world_stop();
    }
    if (!cfg->mem_bytes || cfg->mem_bytes % PAGE_SIZE || !cfg->cpus || cfg->cpus > MAX_CPUS) {
        return -1;
    }
    p = mmap(WORLD_RAM_AT, cfg->mem_bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return -1;
    }
    memset(&world, 0, sizeof(world));
    world.cfg = *cfg;
    if (!world.cfg.wallclock_ns) {
        world.cfg.wallclock_ns = WORLD_WALLCLOCK_NS;
    }
    if (!world.cfg.quantum_ns) {
        world.cfg.quantum_ns = WORLD_QUANTUM_NS;
    }
    world.random = cfg->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    world.ram = p;
    port_directmap = p;
    /* Frame 0 stays out, as on a PC: a zero frame number is then never RAM. */
    world.range = (struct memory_range){PAGE_SIZE, cfg->mem_bytes};
    world.boot = (struct boot_info){
        .ram = &world.range, .ram_count = 1, .cpu_count = cfg->cpus, .ram_zeroed = true};
    world_cpus_reset();
    return 0;
}

void world_stop(void)
{
    if (!world.ram) {
        return;
    }
    world_cpus_destroy();
    munmap(world.ram, world.cfg.mem_bytes);
    memset(&world, 0, sizeof(world));
    port_directmap = NULL;
}

const struct boot_info *world_boot_info(void)
{
    return &world.boot;
}

uint8_t *world_ram(void)
{
    return world.ram;
}

uint64_t world_ram_bytes(void)
{
    return world.cfg.mem_bytes;
}

const char *world_panic_text(void)
{
    return world.panic;
}

uint64_t world_random(void)
{
    /* xorshift64*: small, and the same everywhere. */
    uint64_t x = world.random ? world.random : 1;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    world.random = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

void port_code_changed(mfn_t m, uint64_t count)
{
    if (world_code_changed_sink) {
        world_code_changed_sink(m.v, count);
    }
}

void port_console_write(uint16_t domid, const char *s, size_t n)
{
    if (world_console_sink) {
        world_console_sink(domid, s, n);
    }
}

size_t port_console_read(uint16_t domid, char *s, size_t n)
{
    return world_console_source ? world_console_source(domid, s, n) : 0;
}

void port_trace(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c)
{
    if (world_trace_sink) {
        world_trace_sink(ev, a, b, c);
    }
}

void port_panic(const char *msg)
{
    void *frames[32];
    int n = backtrace(frames, 32);

    snprintf(world.panic, sizeof(world.panic), "%s", msg);
    fflush(stdout);
    fprintf(stderr, "corbel: panic on CPU %u at %llu ns: %s\n", world.current,
            world.ram ? (unsigned long long)world_now() : 0, msg);
    backtrace_symbols_fd(frames, n, 2);
    if (world.running) {
        world.end = WORLD_PANIC;
        world_abandon();
    }
    abort();
}

static void world_end_as(enum world_end end)
{
    if (!world.ending) {
        world.ending = true;
        world.end = end;
    }
}

void world_request_stop(void)
{
    world_end_as(WORLD_STOPPED);
}

void port_power_off(void)
{
    world_end_as(WORLD_POWERED_OFF);
}

void port_reboot(void)
{
    world_end_as(WORLD_POWERED_OFF);
}
