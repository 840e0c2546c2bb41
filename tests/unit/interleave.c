#define _GNU_SOURCE /* memfd_create() */
#include "tests/unit/interleave.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/atomic.h"
#include "core/guest_mem/guest_mem.h"
#include "hostsim/world/world_impl.h"
#include "port/guest.h"

#define POINTS_MAX 4000u
#define SWITCHES_MAX 8u
#define RESTARTS_ALONE 64u               /* a call that goes on longer may wait for the other CPU */
#define SCRATCH_GPA UINT64_C(0xd0000000) /* a page per CPU */

/* The machine as it was before: its memory as a file that is mapped privately, so
 * that dropping what was written restores it. */
static int arena_file;
static uint64_t time_before;

/* What the engine has of each vCPU is outside of that memory. */
#define VCPUS_MAX 16u
static struct {
    struct vcpu *v;
    struct guest_state state;
} guest[VCPUS_MAX];
static unsigned guests;

/* The schedule under way: who begins, and the points at which it switches. */
static unsigned first, plan[SWITCHES_MAX], planned;
static unsigned points, taken;
static bool possible[POINTS_MAX]; /* the other CPU could have gone on there */
static bool armed[2];

/* Rows of acquires of one lock: the first ROW_HEAD count, then every ROW_STEP-th. */
#define ROW_HEAD 3u
#define ROW_STEP 32u
enum { ACQUIRE, RELEASE };
static const struct port_spin *row_lock[2][2]; /* by CPU, and acquire or release */
static unsigned row[2][2];

/* Which locks each CPU has taken; once they are known, only what both take counts. */
#define LOCKS_MAX 256u
static const struct port_spin *lock_seen[LOCKS_MAX];
static uint8_t lock_by[LOCKS_MAX]; /* a bit per CPU */
static unsigned locks;
static bool learning, shared_only;
static unsigned explored;
static uint32_t met;
static struct port_spin point_lock;

static const char *schedule_text(void)
{
    static char text[128];
    int n = snprintf(text, sizeof(text), "CPU %u first, switches at", first);

    for (unsigned i = 0; i < planned; i++) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, " %u", plan[i]);
    }
    return text;
}

static bool lock_counts(unsigned cpu, const struct port_spin *s)
{
    unsigned i = 0;

    while (i < locks && lock_seen[i] != s) {
        i++;
    }
    if (learning) {
        ck_assert_uint_lt(i, LOCKS_MAX);
        lock_seen[i] = s;
        lock_by[i] |= (uint8_t)(1u << cpu);
        locks += i == locks;
    }
    return s == &point_lock || !shared_only || (i < locks && lock_by[i] == 3);
}

static bool counts(unsigned cpu, const struct port_spin *s, unsigned kind)
{
    unsigned *n = &row[cpu][kind];

    if (!armed[cpu] || !lock_counts(cpu, s)) {
        return false;
    }
    *n = s == row_lock[cpu][kind] ? *n + 1 : 0;
    row_lock[cpu][kind] = s;
    return *n < ROW_HEAD || *n % ROW_STEP == 0;
}

static bool decide(unsigned kind)
{
    const struct wcpu *other = &world.cpu[1 - port_cpu_id()];
    unsigned here = points;

    if (!counts(port_cpu_id(), world.cpu[port_cpu_id()].spin, kind)) {
        return false;
    }
    ck_assert_msg(points < POINTS_MAX, "no end of points: %s", schedule_text());
    points++;
    possible[here] = other->state == WCPU_READY ||
                     (other->state == WCPU_SPIN && load_u32(&other->spin->word) == 0);
    if (taken < planned && plan[taken] == here) {
        ck_assert_msg(possible[here], "a schedule went another way: %s", schedule_text());
        taken++;
        return true;
    }
    return false;
}

static bool at_acquire(void)
{
    return decide(ACQUIRE);
}

static bool at_release(void)
{
    return world.cpu[port_cpu_id()].spin != &point_lock && decide(RELEASE);
}

void interleave_point(void)
{
    bool was = armed[port_cpu_id()];

    armed[port_cpu_id()] = true;
    port_spin_acquire(&point_lock);
    port_spin_release(&point_lock);
    armed[port_cpu_id()] = was;
}

void interleave_begin(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    interleave_point();
    c->current = v;
    store_u32(&c->resched, 0);
    armed[c->id] = true;
}

void interleave_end(void)
{
    armed[port_cpu_id()] = false;
    this_cpu()->current = NULL;
}

uint64_t interleave_gva(void)
{
    return SCRATCH_GPA + (uint64_t)port_cpu_id() * PAGE_SIZE;
}

void interleave_scratch(struct domain *d)
{
    fixture_populate(d, SCRATCH_GPA >> PAGE_SHIFT, 2);
}

int64_t interleave_call_plain(struct vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    uint64_t args[6] = {a0, a1, a2};
    int64_t rc = HYPERCALL_RESTART;

    for (unsigned i = 0; rc == HYPERCALL_RESTART; i++) {
        if (i >= RESTARTS_ALONE) {
            port_cpu_relax();
        }
        interleave_begin(v);
        rc = hypercall(v, nr, args);
        interleave_end();
    }
    return rc;
}

int64_t interleave_call(struct vcpu *v, uint64_t nr, uint64_t a0, void *arg, size_t len,
                        uint64_t a2)
{
    uint64_t at = interleave_gva();
    int64_t rc;

    ck_assert_uint_le(len, PAGE_SIZE);
    ck_assert_int_eq(guest_phys_write(v->domain, gaddr(at), arg, len), 0);
    rc = interleave_call_plain(v, nr, a0, at, a2);
    /* Fails when the domain was ended meanwhile. */
    (void)guest_phys_read(v->domain, gaddr(at), arg, len);
    return rc;
}

static void body(void *arg)
{
    const struct interleave *x = arg;

    x->body[port_cpu_id()]();
    ck_assert_uint_eq(this_cpu()->lock_depth, 0);
}

static void remember_guests(void)
{
    struct domain *d;

    guests = 0;
    for (domid_t id = 0; (d = domain_next(id)) != NULL; id++) {
        id = d->id;
        for (unsigned i = 0; i < d->max_vcpus; i++) {
            ck_assert_uint_lt(guests, VCPUS_MAX);
            guest[guests].v = d->vcpu[i];
            port_guest_save(d->vcpu[i], &guest[guests].state);
            port_guest_destroy(d->vcpu[i]);
            guests++;
        }
        domain_put(d);
    }
}

static void remember(void)
{
    uint64_t n = world_ram_bytes();
    void *p;

    remember_guests();
    arena_file = memfd_create("arena", 0);
    ck_assert_int_ge(arena_file, 0);
    ck_assert_int_eq(write(arena_file, world_ram(), n), (ssize_t)n);
    p = mmap(world_ram(), n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, arena_file, 0);
    ck_assert_ptr_eq(p, world_ram());
    time_before = world_latest();
}

static void restore(const struct interleave *x)
{
    ck_assert_int_eq(madvise(world_ram(), world_ram_bytes(), MADV_DONTNEED), 0);
    for (unsigned i = 0; i < guests; i++) {
        ck_assert_int_eq(port_guest_create(guest[i].v), 0);
        port_guest_load(guest[i].v, &guest[i].state);
    }
    world_cpus_destroy();
    world_cpus_reset();
    world_set_time(time_before);
    world.cpu[1 - first].clock++;
    for (unsigned i = 0; i < 2; i++) {
        world_set_body(i, body, (void *)(uintptr_t)x);
        armed[i] = false;
    }
    memset(row, 0, sizeof(row));
    memset(row_lock, 0, sizeof(row_lock));
    points = taken = 0;
}

static void run(const struct interleave *x)
{
    static struct audit_report r;
    enum world_end end;
    unsigned outcome;

    restore(x);
    if (getenv("INTERLEAVE_TRACE")) {
        fprintf(stderr, "%s: %s\n", x->name, schedule_text());
    }
    world_acquire_hook = at_acquire;
    world_release_hook = x->releases ? at_release : NULL;
    end = world_run();
    world_acquire_hook = world_release_hook = NULL;
    ck_assert_msg(end == WORLD_STOPPED, "%s: %s: ended as %d: %s", x->name, schedule_text(),
                  (int)end, world_panic_text());
    ck_assert_msg(taken == planned, "%s: %s: went another way", x->name, schedule_text());
    memset(&r, 0, sizeof(r));
    audit_run(&r);
    ck_assert_msg(r.violations == 0 && r.frames_leaked == 0, "%s: %s: %u violations, first %s: %s",
                  x->name, schedule_text(), r.violations, r.first ? r.first : "leak", r.detail);
    outcome = x->outcome();
    ck_assert_msg(outcome < 32 && (x->outcomes >> outcome & 1) != 0, "%s: %s: outcome %u", x->name,
                  schedule_text(), outcome);
    met |= UINT32_C(1) << outcome;
    fixture_empty();
    explored++;
}

/* The planned schedule, and all that switch further on as well. */
static void explore(const struct interleave *x)
{
    bool could[POINTS_MAX];
    unsigned ends;

    run(x);
    if (planned == x->switches) {
        return;
    }
    ends = points;
    memcpy(could, possible, ends);
    /* Switching before anything happened is beginning with the other CPU. */
    for (unsigned at = planned > 0 ? plan[planned - 1] + 1 : 1; at < ends; at++) {
        if (could[at]) {
            plan[planned++] = at;
            explore(x);
            planned--;
        }
    }
}

unsigned interleave_explore(const struct interleave *x)
{
    ck_assert_uint_le(x->switches, SWITCHES_MAX);
    x->build();
    ck_assert_uint_eq(hv->cpu_count, 2);
    remember();
    explored = planned = locks = 0;
    met = 0;
    memset(lock_by, 0, sizeof(lock_by));
    learning = true;
    shared_only = false;
    for (first = 0; first < 2; first++) {
        run(x);
    }
    explored = 0;
    learning = false;
    shared_only = x->shared_only;
    for (first = 0; first < 2; first++) {
        explore(x);
    }
    printf("%s: %u schedules, outcomes %#x\n", x->name, explored, met);
    ck_assert_msg(met == x->outcomes, "%s: of outcomes %#x only %#x were met", x->name, x->outcomes,
                  met);
    ck_assert_msg(explored >= x->at_least, "%s: %u schedules only", x->name, explored);
    world_stop();
    hv = NULL;
    close(arena_file);
    return explored;
}
