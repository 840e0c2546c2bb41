/* What the files of hostsim/world share. */
#ifndef CORBEL_HOSTSIM_WORLD_IMPL_H
#define CORBEL_HOSTSIM_WORLD_IMPL_H

#include "hostsim/world/fiber.h"
#include "hostsim/world/world.h"
#include "port/cpu.h"
#include "port/time.h"

#define WORLD_QUANTUM_NS 20000u
#define WORLD_SLICE_NS 10000000u /* longest time in guest mode without a look around */
#define WORLD_EXIT_NS 500u       /* cost of leaving guest mode */
#define WORLD_WAKE_NS 200u       /* cost of an interrupt that ends idling */
#define WORLD_TURN_NS 50u
#define WORLD_RELAX_NS 100u

enum wcpu_state {
    WCPU_READY,
    WCPU_IDLE, /* until kick or timer */
    WCPU_SPIN, /* until *spin is free */
    WCPU_DONE, /* its body returned */
};

struct wcpu {
    uint64_t clock; /* virtual ns */
    uint64_t timer; /* deadline, TIME_NEVER: disarmed */
    uint64_t kick;  /* time of the first kick not yet seen, or TIME_NEVER */
    uint64_t quantum;
    uint8_t state;          /* enum wcpu_state */
    bool untimed;           /* locks move no clock */
    bool safe;              /* outside the core: idle, in guest mode, between turns */
    struct port_spin *spin; /* what it waits for, or told a hook of last */
    struct fiber fiber;
    void (*body)(void *);
    void *arg;
};

struct world {
    struct world_config cfg;
    uint8_t *ram;
    struct memory_range range;
    struct boot_info boot;
    struct wcpu cpu[MAX_CPUS];
    struct fiber main;
    unsigned current; /* the CPU that executes, or that main pretends to be */
    bool running;     /* inside a CPU's fiber */
    bool ending;      /* no CPU leaves a safe point any more */
    bool draining;    /* end when all CPUs idle */
    bool dead;        /* panicked: cannot go on */
    enum world_end end;
    char panic[512];
    uint64_t random;
};

extern struct world world;

/* Ends the run from the executing fiber, at once and for ever. */
void world_abandon(void);
void world_cpus_reset(void);
void world_cpus_destroy(void);

#endif
