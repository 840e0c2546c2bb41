/* Physical CPUs take turns: who is furthest behind in virtual time runs next, so
 * that a run depends on nothing but its inputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/state.h"
#include "hostsim/world/world_impl.h"
#include "port/power.h"

/* When each lock was last released, by a hash of its place in the arena. Who takes a lock
 * moves up to that time: what a CPU sees never lies in its future. Collisions
 * only move a clock a little further. */
#define RELEASE_SLOTS 4096u
static uint64_t release_time[RELEASE_SLOTS];
/* Which of them are not 0: time is set back often, and few locks were used until then. */
static uint64_t *release_used[RELEASE_SLOTS];
static unsigned release_count;

static uint64_t *release_slot(const struct port_spin *s)
{
    uint64_t place = (uint64_t)(uintptr_t)s - (uint64_t)(uintptr_t)world.ram;
    uint64_t h = (place >> 2) * UINT64_C(0x9e3779b97f4a7c15);

    return &release_time[h >> 52];
}

static void release_forget(void)
{
    while (release_count != 0) {
        *release_used[--release_count] = 0;
    }
}

static void release_note(uint64_t *slot, uint64_t now)
{
    if (*slot == 0 && now != 0) {
        release_used[release_count++] = slot;
    }
    *slot = now;
}

static struct wcpu *self(void)
{
    return &world.cpu[world.current];
}

static void new_quantum(struct wcpu *c)
{
    c->quantum = world.cfg.quantum_ns;
    if (world.cfg.seed) {
        c->quantum -= world_random() % (world.cfg.quantum_ns / 2 + 1);
    }
}

void world_cpus_reset(void)
{
    release_forget();
    for (unsigned i = 0; i < world.cfg.cpus; i++) {
        struct wcpu *c = &world.cpu[i];

        *c = (struct wcpu){.timer = TIME_NEVER, .kick = TIME_NEVER, .safe = true};
        new_quantum(c);
    }
}

void world_cpus_destroy(void)
{
    for (unsigned i = 0; i < world.cfg.cpus; i++) {
        fiber_destroy(&world.cpu[i].fiber);
    }
}

/* When c could continue; TIME_NEVER: somebody else has to act first. */
static uint64_t ready_time(const struct wcpu *c)
{
    switch (c->state) {
    case WCPU_READY:
        return c->clock;
    case WCPU_IDLE: {
        uint64_t t = c->timer < c->kick ? c->timer : c->kick;

        return t > c->clock ? t : c->clock;
    }
    case WCPU_SPIN:
        return c->spin->word ? TIME_NEVER : c->clock;
    default:
        return TIME_NEVER;
    }
}

struct survey {
    int next;        /* who continues, -1: nobody can */
    uint64_t time;   /* when */
    unsigned states; /* those that CPUs are in: a bit for each */
    bool any_kick;   /* an idle CPU has something to look at */
};

static struct survey survey_cpus(bool only_unsafe)
{
    struct survey s = {-1, TIME_NEVER, 0, false};
    unsigned i = world.cfg.seed ? (unsigned)(world_random() % world.cfg.cpus) : 0;

    for (unsigned left = world.cfg.cpus; left != 0; left--) {
        const struct wcpu *c = &world.cpu[i];
        uint64_t t = ready_time(c);

        s.states |= 1u << c->state;
        s.any_kick = s.any_kick || (c->state == WCPU_IDLE && c->kick != TIME_NEVER);
        if (t < s.time && !(only_unsafe && c->safe)) {
            s.time = t;
            s.next = (int)i;
        }
        i = i + 1 < world.cfg.cpus ? i + 1 : 0;
    }
    return s;
}

static int end_with(enum world_end end)
{
    world.ending = true;
    world.end = end;
    return -1;
}

/* Chooses who continues; -1: the run ends with world.end. */
static int pick(void)
{
    for (;;) {
        struct survey s = survey_cpus(world.ending);
        bool all_idle = (s.states & (1u << WCPU_READY | 1u << WCPU_SPIN)) == 0;
        bool any_left = (s.states & ~(1u << WCPU_DONE)) != 0;

        if (s.next < 0 && (s.states & 1u << WCPU_SPIN) != 0) {
            snprintf(world.panic, sizeof(world.panic), "all CPUs wait for locks");
            world.dead = true;
            return end_with(WORLD_PANIC);
        }
        if (world.ending) {
            return s.next;
        }
        if (all_idle && !s.any_kick) {
            if (world.draining) {
                return end_with(WORLD_STOPPED);
            }
            if (any_left && world_idle_hook && world_idle_hook(s.time)) {
                continue;
            }
            if (world.ending) {
                continue;
            }
        }
        if (s.next < 0) {
            return end_with(any_left ? WORLD_DEADLOCK : WORLD_STOPPED);
        }
        if (world.cfg.max_time_ns && s.time >= world.cfg.max_time_ns && world.cpu[s.next].safe) {
            (void)end_with(WORLD_TIME_LIMIT);
            continue;
        }
        return s.next;
    }
}

/* Makes CPU i the one that executes. */
static void wake(int i)
{
    struct wcpu *c = &world.cpu[i];

    c->clock = ready_time(c);
    c->state = WCPU_READY;
    world.current = (unsigned)i;
}

/* Gives way to whoever is next, perhaps the caller itself. */
static void yield(struct wcpu *c, bool gone)
{
    int next = pick();

    if (next < 0) {
        world.running = false;
        fiber_switch(&c->fiber, &world.main, gone);
    } else {
        wake(next);
        if (&world.cpu[next] != c) {
            fiber_switch(&c->fiber, &world.cpu[next].fiber, gone);
        }
    }
}

void world_abandon(void)
{
    world.dead = true;
    world.running = false;
    fiber_switch(&self()->fiber, &world.main, true);
    abort();
}

static void turns(void *arg)
{
    struct wcpu *c = self();
    unsigned id = world.current;

    if (id && !hv->cpu[id].online) {
        cpu_online(id);
    }
    for (;;) {
        cpu_turn();
        c->clock += WORLD_TURN_NS;
        c->safe = true;
        yield(c, false);
        c->safe = false;
    }
}

static void fiber_body(void *arg)
{
    struct wcpu *c = arg;

    c->safe = false;
    c->body(c->arg);
    c->state = WCPU_DONE;
    c->safe = true;
    for (;;) {
        yield(c, false);
    }
}

void world_set_body(unsigned cpu, void (*fn)(void *), void *arg)
{
    world.cpu[cpu].body = fn;
    world.cpu[cpu].arg = arg;
}

enum world_end world_run(void)
{
    int next;

    if (world.dead) {
        return WORLD_PANIC;
    }
    for (unsigned i = 0; i < world.cfg.cpus; i++) {
        struct wcpu *c = &world.cpu[i];

        if (!c->body) {
            c->body = turns;
        }
        if (!c->fiber.map && fiber_create(&c->fiber, fiber_body, c)) {
            port_panic("no memory for the stack of a CPU");
        }
    }
    world.ending = false;
    next = pick();
    if (next >= 0) {
        wake(next);
        world.running = true;
        fiber_switch(&world.main, &world.cpu[next].fiber, false);
    }
    world.current = 0;
    return world.end;
}

enum world_end world_drain(uint64_t ns)
{
    uint64_t limit = world.cfg.max_time_ns;
    enum world_end end;

    world.cfg.max_time_ns = world_latest() + ns;
    world.draining = true;
    end = world_run();
    world.draining = false;
    world.cfg.max_time_ns = limit;
    return end;
}

bool world_quiescent(void)
{
    for (unsigned i = 0; i < world.cfg.cpus; i++) {
        if (i != world.current && !world.cpu[i].safe) {
            return false;
        }
    }
    return true;
}

unsigned port_cpu_id(void)
{
    return world.current;
}

void world_on_cpu(unsigned cpu)
{
    uint64_t now = world_now();

    if (world.running || cpu >= world.cfg.cpus) {
        port_panic("world_on_cpu: no such CPU, or not from main");
    }
    world.current = cpu;
    if (self()->clock < now) {
        self()->clock = now;
    }
}

void port_cpu_idle(void)
{
    struct wcpu *c = self();

    if (world.running) {
        c->state = WCPU_IDLE;
        c->safe = true;
        yield(c, false);
        c->safe = false;
        c->clock += WORLD_WAKE_NS;
    }
    c->kick = TIME_NEVER;
}

void port_cpu_kick(unsigned cpu)
{
    struct wcpu *c = &world.cpu[cpu];

    if (c->kick > self()->clock) {
        c->kick = self()->clock;
    }
}

void port_cpu_relax(void)
{
    struct wcpu *c = self();

    c->clock += WORLD_RELAX_NS;
    if (world.running) {
        yield(c, false);
    }
}

/* Falls just behind the slowest other CPU that has something to do, and yields. */
static void force_switch(struct wcpu *c)
{
    uint64_t t = TIME_NEVER;

    for (unsigned i = 0; i < world.cfg.cpus; i++) {
        const struct wcpu *o = &world.cpu[i];

        if (o != c && (o->state == WCPU_READY || o->state == WCPU_SPIN) && ready_time(o) < t) {
            t = ready_time(o);
        }
    }
    if (t != TIME_NEVER) {
        if (c->clock <= t) {
            c->clock = t + 1;
        }
        yield(c, false);
    }
}

/* s is held by another CPU, which has to go on first. */
static __attribute__((noinline)) void spin(struct wcpu *c, struct port_spin *s)
{
    c->spin = s;
    while (s->word) {
        if (s->word == world.current + 1) {
            port_panic("a CPU takes a spin lock that it holds");
        }
        if (!world.running) {
            port_panic("a spin lock is held and nobody runs who could release it");
        }
        c->state = WCPU_SPIN;
        yield(c, false);
    }
}

/* Somebody wants to hear of acquires or releases. */
static __attribute__((noinline)) void tell(struct wcpu *c, struct port_spin *s, bool (*hook)(void))
{
    c->spin = s; /* the hook may look */
    if (world.running && !c->untimed && hook()) {
        force_switch(c);
    }
}

void port_spin_acquire(struct port_spin *s)
{
    struct wcpu *c = self();
    uint64_t released;

    if (world_acquire_hook) {
        tell(c, s, world_acquire_hook);
    }
    if (s->word) {
        spin(c, s);
    }
    s->word = world.current + 1;
    released = *release_slot(s);
    if (c->clock < released && !c->untimed) {
        c->clock = released;
    }
}

static __attribute__((noinline, noreturn)) void not_held(void)
{
    port_panic("a CPU releases a spin lock that it does not hold");
}

void port_spin_release(struct port_spin *s)
{
    struct wcpu *c = self();
    uint64_t *slot = release_slot(s);

    if (s->word != world.current + 1) {
        not_held();
    }
    s->word = 0;
    if (*slot < c->clock && !c->untimed) {
        release_note(slot, c->clock);
    }
    if (world_release_hook) {
        tell(c, s, world_release_hook);
    }
}

uint64_t world_now(void)
{
    return self()->clock;
}

uint64_t world_latest(void)
{
    uint64_t t = 0;

    for (unsigned i = 0; i < world.cfg.cpus; i++) {
        t = world.cpu[i].clock > t ? world.cpu[i].clock : t;
    }
    return t;
}

uint64_t world_floor(void)
{
    uint64_t t = TIME_NEVER;

    for (unsigned i = 0; i < world.cfg.cpus; i++) {
        uint64_t r = ready_time(&world.cpu[i]);

        t = r < t ? r : t;
    }
    return t;
}

void world_advance(uint64_t ns)
{
    self()->clock += ns;
}

bool world_untimed(bool on)
{
    bool was = self()->untimed;

    self()->untimed = on;
    return was;
}

void world_set_time(uint64_t ns)
{
    for (unsigned i = 0; i < world.cfg.cpus; i++) {
        world.cpu[i].clock = ns;
    }
    release_forget();
}

uint64_t world_deadline(void)
{
    const struct wcpu *c = self();
    uint64_t t = c->clock + WORLD_SLICE_NS;

    t = c->timer < t ? c->timer : t;
    t = c->kick < t ? c->kick : t;
    if (world.cfg.max_time_ns && world.cfg.max_time_ns < t) {
        t = world.cfg.max_time_ns;
    }
    for (unsigned i = 0; i < world.cfg.cpus; i++) {
        uint64_t r = ready_time(&world.cpu[i]);

        if (i != world.current && world.running && r < t && r + c->quantum < t) {
            t = r + c->quantum;
        }
    }
    return t;
}

bool world_should_stop(void)
{
    const struct wcpu *c = self();

    return (world.running && world.ending) || c->kick <= c->clock || c->timer <= c->clock ||
           c->clock >= world_deadline();
}

void world_exit_guest(void)
{
    struct wcpu *c = self();

    c->clock += WORLD_EXIT_NS;
    if (world.running) {
        c->safe = true;
        if (world_exit_hook) {
            world_exit_hook();
        }
        yield(c, false);
        c->safe = false;
        new_quantum(c);
    }
    /* Whatever was announced until now, the core sees on its way from here. */
    c->kick = TIME_NEVER;
}

uint64_t port_time_now(void)
{
    return self()->clock;
}

uint64_t port_tsc_read(void)
{
    return self()->clock;
}

uint32_t port_tsc_khz(void)
{
    return 1000000;
}

uint64_t port_wallclock_ns(void)
{
    return world.cfg.wallclock_ns + self()->clock;
}

void port_timer_arm(uint64_t deadline_ns)
{
    self()->timer = deadline_ns;
}
