/* A guest that does what Linux does not, and says how it went: one line PASS or FAIL for
 * each act, RESULT at the end, power-off. Words of the command line:
 *
 *   role=alone    (default) every act that one domain can play; those that need more vCPUs
 *                 than there are, are skipped
 *   role=server, client, third, holder, ...: parts of a play for several domains, see act_pair.c
 *   hw=1          the processor is a real one: see act_cpu.c
 *   only=NAME     of role alone: one table (exit, memory, ...) or one act
 */
#include "guest.h"

static const char *playing;
static unsigned failures, failures_before;

static const struct {
    const char *name, *prefix; /* of each act in this place, where a table is played twice */
    const struct act *acts;
} tables[] = {
    {"exit", "", acts_exit},       {"cpu", "", acts_cpu},          {"emulate", "", acts_emulate},
    {"version", "", acts_version}, {"memory", "", acts_memory},    {"vcpu", "", acts_vcpu},
    {"time", "", acts_time},       {"lapic", "", acts_lapic},      {"evtchn", "", acts_evtchn},
    {"grant", "", acts_grant},     {"smp", "", acts_smp},          {"leak", "", acts_leak},
    {"fifo", "", acts_fifo},       {"fifo", "fifo-", acts_evtchn}, /* once more */
};

void play(void);

bool eq_(const char *file, int line, const char *what, int64_t got, int64_t want)
{
    if (got == want)
        return true;
    if (failures++ == failures_before)
        say("FAIL %s: %s:%d: %s is %ld, not %ld", playing, file, line, what, got, want);
    return false;
}

static void run_act(const struct act *act, const char *prefix)
{
    failures_before = failures;
    playing = act->name;
    act->run();
    if (failures == failures_before)
        say("PASS %s%s", prefix, act->name);
    else if (failures != failures_before + 1)
        say("     %s%s: %u more", prefix, act->name, failures - failures_before - 1);
}

void run_acts(const struct act *table, const char *prefix, const char *only)
{
    for (const struct act *a = table; a->name; a++) {
        if (only && !same(only, a->name))
            continue;
        if (a->vcpus > vcpus)
            say("SKIP %s%s: needs %u vCPUs", prefix, a->name, a->vcpus);
        else
            run_act(a, prefix);
    }
}

static void play_alone(void)
{
    static char only[WORD_MAX];
    bool given = word("only", only);

    for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        run_acts(tables[i].acts, tables[i].prefix,
                 given && !same(only, tables[i].name) ? only : NULL);
}

void play(void)
{
    static char role[WORD_MAX] = "alone";

    word("role", role);
    say("acts: %s, %u vCPUs, Xen leaf %x, TSC %lu MHz", role, vcpus, xen_leaf, tsc_hz() / 1000000);
    if (same(role, "alone"))
        play_alone();
    else
        play_pair(role);
    say("RESULT %s", failures ? "FAIL" : "PASS");
    power_off(SHUTDOWN_poweroff);
}
