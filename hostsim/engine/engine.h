/* The engine as the simulator's front end sees it: start-up, statistics and
 * what a debugger needs. Everything else goes through port/guest.h. */
#ifndef CORBEL_HOSTSIM_ENGINE_H
#define CORBEL_HOSTSIM_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

struct engine_stats {
    uint64_t runs, fills, flushes, code_drops, deliveries, syscalls, plants, planted_calls;
    uint64_t guest_bytes; /* bytes of guest code run */
};

/* Checks the library's version and finds its layout. 0, or -1 with one line on
 * stderr that says what is wrong. After world_start(). */
int engine_start(void);
void engine_stop(void);
const char *engine_version(void);

/* Statistics of one vCPU's engine, zero when it never ran. */
struct engine_stats engine_stats_of(const struct vcpu *v);

/* Debugger: breakpoints on linear addresses of one vCPU, single steps, and its
 * linear memory. A vCPU that hits one stops the world's turn by calling the
 * debug hook with itself; it goes on when the hook returns. */
extern void (*engine_debug_hook)(struct vcpu *v, bool stepped);
bool engine_breakpoint_add(struct vcpu *v, uint64_t la);
bool engine_breakpoint_remove(struct vcpu *v, uint64_t la);
void engine_step(struct vcpu *v, bool on);
bool engine_debug_read(struct vcpu *v, uint64_t la, void *dst, uint64_t n);
bool engine_debug_write(struct vcpu *v, uint64_t la, const void *src, uint64_t n);

#endif
