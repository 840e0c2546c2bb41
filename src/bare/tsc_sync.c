/* System time is one CPU's TSC on all of them, so their TSCs must agree. A starting CPU is
 * asked for its own: the answer was true at some moment between question and reply. One
 * outside of that is moved, by IA32_TSC_ADJUST where there is one (SDM Vol. 3 17.17.3),
 * which firmware and other software see and can undo, else by a write of the TSC itself. */
#include "bare/bare.h"

#include "base/arith.h"
#include "base/atomic.h"
#include "core/console/console.h"

#define MSR_TSC 0x10u
#define MSR_TSC_ADJUST 0x3bu
#define CPUID_TSC_ADJUST (1u << 1) /* 7, EBX */
#define QUESTIONS 16u
#define MOVES_MAX 4u
#define SELFTEST_AHEAD (UINT64_C(1) << 36)

/* What is asked: the low bits of tsc_ask, below a number that grows. */
enum request { TSC_READ, TSC_MOVE, TSC_KEEP, TSC_LEAVE, TSC_REQUESTS };

struct distance {
    uint64_t least; /* so far out of the moment of each question, at least; 0: agrees */
    uint64_t ahead; /* the best guess, wrapping: behind is a large number */
};

/* Not before what precedes it is done: SDM Vol. 2, RDTSC. */
static uint64_t read_tsc(void)
{
    __asm__ volatile("lfence" : : : "memory");
    return rdtsc();
}

static uint64_t ask(struct cpu_area *a, enum request what)
{
    uint64_t answer;

    store_u64(&a->tsc_answer, 0);
    store_u64(&a->tsc_ask, (a->tsc_ask / TSC_REQUESTS + 1) * TSC_REQUESTS + what);
    while ((answer = load_u64(&a->tsc_answer)) == 0)
        port_cpu_relax();
    return answer;
}

static struct distance measure(struct cpu_area *a)
{
    struct distance d = {0, 0};
    uint64_t shortest = UINT64_MAX;

    for (unsigned i = 0; i < QUESTIONS; i++) {
        uint64_t before = read_tsc(), theirs = ask(a, TSC_READ), after = read_tsc();

        if (theirs < before)
            d.least = max_u64(d.least, before - theirs);
        else if (theirs > after)
            d.least = max_u64(d.least, theirs - after);
        if (after - before < shortest) {
            shortest = after - before;
            d.ahead = theirs - before - shortest / 2;
        }
    }
    return d;
}

static bool adjustable(void)
{
    return cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & CPUID_TSC_ADJUST) != 0;
}

bool tsc_sync(struct cpu_area *a)
{
    struct distance first = measure(a), d = first;

    for (unsigned i = 0; i < MOVES_MAX && d.least != 0; i++) {
        a->tsc_move = -d.ahead;
        ask(a, TSC_MOVE);
        d = measure(a);
    }
    if (d.least != 0) {
        hv_log(1, "CPU %u: its TSC is %lu ticks off and cannot be set: the CPU is not used", a->id,
               d.least);
        ask(a, TSC_LEAVE);
        return false;
    }
    if (first.least != 0)
        hv_log(1, "CPU %u: its TSC was %lu ticks %s the first CPU's: %s", a->id,
               first.ahead >> 63 ? -first.ahead : first.ahead,
               first.ahead >> 63 ? "behind" : "ahead of", adjustable() ? "adjusted" : "set");
    ask(a, TSC_KEEP);
    return true;
}

static void move(uint64_t by)
{
    if (adjustable())
        wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + by);
    else
        wrmsr(MSR_TSC, rdtsc() + by);
}

bool tsc_obey(struct cpu_area *a)
{
    bool stuck = options.selftest == SELFTEST_TSC_STUCK;
    uint64_t seen = 0, asked;

    if (options.selftest == SELFTEST_TSC || stuck)
        move(SELFTEST_AHEAD);
    for (;;) {
        while ((asked = load_u64(&a->tsc_ask)) == seen)
            port_cpu_relax();
        seen = asked;
        if (seen % TSC_REQUESTS == TSC_MOVE && !stuck)
            move(a->tsc_move);
        store_u64(&a->tsc_answer, read_tsc());
        if (seen % TSC_REQUESTS == TSC_KEEP || seen % TSC_REQUESTS == TSC_LEAVE)
            return seen % TSC_REQUESTS == TSC_KEEP;
    }
}
