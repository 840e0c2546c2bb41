#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/domain/domain.h"
#include "core/sched/sched.h"
#include "hostsim/engine/engine.h"
#include "hostsim/sim/sim.h"

#define MEMORY_DEFAULT_MIB 256u
#define MEMORY_MIN_MIB 4u
#define MEMORY_MAX_MIB (512u << 10)
#define PCPUS_DEFAULT_MAX 4u
#define CORBEL_VERSION "0.1.0"

enum option_id {
    OPT_KERNEL = 256,
    OPT_INITRD,
    OPT_MEMORY,
    OPT_VCPUS,
    OPT_EXTRA,
    OPT_NAME,
    OPT_SEED,
    OPT_PCPUS,
    OPT_TRACE,
    OPT_AUDIT,
    OPT_MAX_TIME,
    OPT_MEM,
    OPT_SCHED,
    OPT_SILO,
    OPT_WRITTEN,
    OPT_GDB,
    OPT_CONSOLE,
    OPT_QUIET,
    OPT_VERSION,
    OPT_HELP,
};

static const struct option long_options[] = {
    {"kernel", required_argument, NULL, OPT_KERNEL},
    {"initrd", required_argument, NULL, OPT_INITRD},
    {"ramdisk", required_argument, NULL, OPT_INITRD},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"vcpus", required_argument, NULL, OPT_VCPUS},
    {"extra", required_argument, NULL, OPT_EXTRA},
    {"name", required_argument, NULL, OPT_NAME},
    {"seed", required_argument, NULL, OPT_SEED},
    {"pcpus", required_argument, NULL, OPT_PCPUS},
    {"trace", required_argument, NULL, OPT_TRACE},
    {"audit-every", required_argument, NULL, OPT_AUDIT},
    {"max-time", required_argument, NULL, OPT_MAX_TIME},
    {"mem", required_argument, NULL, OPT_MEM},
    {"sched", required_argument, NULL, OPT_SCHED},
    {"silo", no_argument, NULL, OPT_SILO},
    {"written", no_argument, NULL, OPT_WRITTEN},
    {"gdb", required_argument, NULL, OPT_GDB},
    {"console", required_argument, NULL, OPT_CONSOLE},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: corbel-sim [OPTION]... [XL.CFG]...\n"
    "Boots guests on a simulated machine under Corbel. Guests come from xl.cfg files\n"
    "(name, kernel, ramdisk, memory, vcpus, extra, cmdline, root, type=\"pvh\"), one more\n"
    "from these options:\n"
    "  --kernel FILE      bzImage or ELF with a PVH entry\n"
    "  --initrd FILE      its initial RAM disk\n"
    "  --memory MIB       its memory (256)\n"
    "  --vcpus N          its virtual CPUs (1)\n"
    "  --extra TEXT       its kernel command line\n"
    "  --name NAME        its name (guest)\n"
    "The machine:\n"
    "  --pcpus N          physical CPUs (as many as all vCPUs, at most 4)\n"
    "  --mem MIB          its memory (what the guests need)\n"
    "  --sched NAME       scheduler: credit, rtds or null (credit)\n"
    "  --silo             unprivileged domains may not reach each other\n"
    "  --seed N           decides ties and interleavings (0); equal runs are equal\n"
    "  --max-time SECONDS virtual time after which the run ends\n"
    "Looking inside:\n"
    "  --console NAME     whose console takes standard input (Ctrl-] ends on a terminal)\n"
    "  --trace FILE       writes Chrome trace-event JSON\n"
    "  --audit-every N    audits the hypervisor's state every N exits\n"
    "  --written          counts the pages that each guest writes\n"
    "  --gdb PORT         waits for gdb's \"target remote localhost:PORT\"\n"
    "  --quiet            guests' output only\n"
    "  --version, --help\n"
    "Exit status: 0 all guests powered off, 1 bad usage or input, 2 a guest crashed,\n"
    "3 the hypervisor failed a check or the audit, 4 a guest rebooted or did not end.\n";

/* Reads a decimal or 0x number in [min, max]. */
static int parse_number(const char *name, const char *text, uint64_t min, uint64_t max,
                        uint64_t *out)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 0);

    if (text[0] < '0' || text[0] > '9' || *end || v < min || v > max) {
        return sim_error("--%s: '%s' is not a number from %llu to %llu", name, text,
                         (unsigned long long)min, (unsigned long long)max);
    }
    *out = v;
    return 0;
}

static int parse_seconds(const char *text, uint64_t *ns)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end || !(v > 0 && v < 1e9)) {
        return sim_error("--max-time: '%s' is not a number of seconds", text);
    }
    *ns = (uint64_t)(v * 1e9);
    return *ns ? 0 : sim_error("--max-time: '%s' is too short", text);
}

static bool name_is_good(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++) {
        if (s[i] <= ' ' || s[i] > '~') {
            return false;
        }
    }
    return n > 0 && n < 64;
}

/* Accepts a guest of options or a file after checking it as a whole. 0 or SIM_USAGE. */
static int add_guest(struct sim_options *o, const struct guest_config *g)
{
    const char *where = g->origin ? g->origin : "command line";

    if (o->guests == SIM_GUESTS_MAX) {
        return sim_error("%s: more than %u guests", where, SIM_GUESTS_MAX);
    }
    if (!g->kernel) {
        return sim_error("%s: guest '%s' has no kernel", where, g->name);
    }
    if (!name_is_good(g->name)) {
        return sim_error("%s: a guest's name is 1 to 63 printable characters", where);
    }
    for (unsigned i = 0; i < o->guests; i++) {
        if (strcmp(o->guest[i].name, g->name) == 0) {
            return sim_error("%s: a guest named '%s' exists already", where, g->name);
        }
    }
    if (g->memory_mib < MEMORY_MIN_MIB || g->memory_mib > MEMORY_MAX_MIB) {
        return sim_error("%s: memory=%llu is impossible, expected %u to %u MiB", where,
                         (unsigned long long)g->memory_mib, MEMORY_MIN_MIB, MEMORY_MAX_MIB);
    }
    if (g->vcpus < 1 || g->vcpus > MAX_VCPUS) {
        return sim_error("%s: vcpus=%u is impossible, expected 1 to %u", where, g->vcpus,
                         MAX_VCPUS);
    }
    o->guest[o->guests++] = *g;
    return 0;
}

static int parse_guest_option(int opt, struct guest_config *g)
{
    uint64_t n = 0;
    int rc = 0;

    switch (opt) {
    case OPT_KERNEL:
        g->kernel = optarg;
        break;
    case OPT_INITRD:
        g->ramdisk = optarg;
        break;
    case OPT_MEMORY:
        rc = parse_number("memory", optarg, MEMORY_MIN_MIB, MEMORY_MAX_MIB, &g->memory_mib);
        break;
    case OPT_VCPUS:
        rc = parse_number("vcpus", optarg, 1, MAX_VCPUS, &n);
        g->vcpus = (unsigned)n;
        break;
    case OPT_EXTRA:
        g->cmdline = optarg;
        break;
    default:
        g->name = optarg;
        break;
    }
    return rc;
}

static int parse_machine_option(int opt, struct sim_options *o)
{
    uint64_t n = 0;
    int rc = 0;

    switch (opt) {
    case OPT_SEED:
        return parse_number("seed", optarg, 0, UINT64_MAX, &o->seed);
    case OPT_PCPUS:
        rc = parse_number("pcpus", optarg, 1, MAX_CPUS, &n);
        o->pcpus = (unsigned)n;
        return rc;
    case OPT_TRACE:
        o->trace = optarg;
        return 0;
    case OPT_AUDIT:
        return parse_number("audit-every", optarg, 1, UINT64_MAX, &o->audit_every);
    case OPT_MAX_TIME:
        return parse_seconds(optarg, &o->max_time_ns);
    case OPT_MEM:
        return parse_number("mem", optarg, MEMORY_MIN_MIB, MEMORY_MAX_MIB, &o->mem_mib);
    case OPT_SCHED:
        return sched_kind_of_name(optarg, &o->sched_kind)
                   ? 0
                   : sim_error("--sched: no scheduler is named '%s'", optarg);
    case OPT_SILO:
        o->silo = true;
        return 0;
    case OPT_WRITTEN:
        o->written = true;
        return 0;
    case OPT_GDB:
        rc = parse_number("gdb", optarg, 1, 65535, &n);
        o->gdb_port = (unsigned)n;
        return rc;
    case OPT_CONSOLE:
        o->console = optarg;
        return 0;
    default:
        o->quiet = true;
        return 0;
    }
}

/* What only the whole command line can tell. */
static int check_all(struct sim_options *o)
{
    unsigned vcpus = 0;
    bool found = !o->console;

    if (o->guests == 0) {
        return sim_error("no guest: give --kernel FILE or an xl.cfg file (see --help)");
    }
    for (unsigned i = 0; i < o->guests; i++) {
        vcpus += o->guest[i].vcpus;
        found = found || strcmp(o->console, o->guest[i].name) == 0;
    }
    if (!found) {
        return sim_error("--console: no guest is named '%s'", o->console);
    }
    if (!o->pcpus) {
        o->pcpus = vcpus < PCPUS_DEFAULT_MAX ? vcpus : PCPUS_DEFAULT_MAX;
    }
    return 0;
}

int options_parse(int argc, char **argv, struct sim_options *o)
{
    struct guest_config g = {.name = "guest", .memory_mib = MEMORY_DEFAULT_MIB, .vcpus = 1};
    bool guest_given = false;
    int opt, rc = 0;

    opterr = 0;
    while (rc == 0 && (opt = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (opt == ':') {
            return sim_error("option '%s' needs a value", argv[optind - 1]);
        }
        if (opt == '?') {
            return sim_error("unknown option '%s' (see --help)", argv[optind - 1]);
        }
        if (opt == OPT_HELP) {
            fputs(usage, stdout);
            return SIM_OK;
        }
        if (opt == OPT_VERSION) {
            printf("corbel-sim %s (Unicorn %s)\n", CORBEL_VERSION, engine_version());
            return SIM_OK;
        }
        if (opt <= OPT_NAME) {
            guest_given = true;
            rc = parse_guest_option(opt, &g);
        } else {
            rc = parse_machine_option(opt, o);
        }
    }
    if (rc == 0 && guest_given) {
        rc = add_guest(o, &g);
    }
    for (int i = optind; rc == 0 && i < argc; i++) {
        struct guest_config from_file = {0};

        rc = config_read(argv[i], &from_file);
        if (rc == 0) {
            rc = add_guest(o, &from_file);
        }
    }
    if (rc == 0) {
        rc = check_all(o);
    }
    return rc == 0 ? -1 : rc;
}
