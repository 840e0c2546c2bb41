/* One program for everything about inputs that is not fuzzing: runs them, prints
 * them, makes them small, measures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz/exec.h"
#include "fuzz/mutate.h"
#include "fuzz/oracle.h"
#include "fuzz/reset.h"
#include "fuzz/tool.h"

#define INPUT_MAX ((PROGRAM_OPS + 1) * RECORD_BYTES)

/* Of this process: others may use the machine too. */
static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int tool_load(const char *path, struct program *p)
{
    static uint8_t bytes[1 << 16];
    FILE *f = fopen(path, "rb");
    size_t n;

    if (f == NULL) {
        perror(path);
        return -1;
    }
    n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    if (n >= 6 && memcmp(bytes, "#fuzz\n", 6) == 0) {
        int line;

        bytes[n < sizeof(bytes) ? n : sizeof(bytes) - 1] = '\0';
        line = program_parse((const char *)bytes, p);
        if (line != 0) {
            fprintf(stderr, "%s: line %d is no operation\n", path, line);
            return -1;
        }
        return 0;
    }
    if (n < 2 * RECORD_BYTES || n % RECORD_BYTES != 0) {
        fprintf(stderr, "%s: no program: %zu bytes are not a header and records of %u\n", path, n,
                RECORD_BYTES);
        return -1;
    }
    program_decode(bytes, n, p);
    return 0;
}

int tool_save(const char *path, const struct program *p)
{
    uint8_t bytes[INPUT_MAX];
    size_t n = program_encode(p, bytes);
    FILE *f = fopen(path, "wb");

    if (f == NULL || fwrite(bytes, 1, n, f) != n) {
        perror(path);
        return -1;
    }
    return fclose(f);
}

static const char *const status_name[OP_STATUSES] = {"", " (and sleeps)", "cannot run",
                                                     "never came back"};

/* The oracle's options, audited after each operation. */
static struct exec_options strict(void)
{
    struct exec_options o = *oracle_options();

    o.audit_each = true;
    return o;
}

static void log_op(const struct op_done *d)
{
    printf("%3u  ", d->index);
    op_print(stdout, d->op);
    if (d->status == OP_NOBODY || d->status == OP_DIED) {
        printf("  -> %s\n", status_name[d->status]);
        return;
    }
    printf("  ->");
    if (d->desc->class == OP_CALL) {
        printf(" %lld", (long long)d->rc);
    }
    printf("%s  [", status_name[d->status]);
    for (unsigned f = 0; f < grammar_fields(d->desc); f++) {
        printf("%s%#llx", f != 0 ? " " : "", (unsigned long long)d->value[f]);
    }
    printf("]\n");
    fflush(stdout);
}

/* Says what came out before the oracle says what it thinks of it. */
static void log_done(void *arg, const struct op_done *d)
{
    const struct exec_hooks *oracle = &oracle_options()->hooks;

    log_op(d);
    if (oracle->done != NULL) {
        oracle->done(oracle->arg, d);
    }
}

static int replay(int argc, char **argv)
{
    struct exec_options o = strict();
    int bad = 0;

    o.hooks.done = log_done;
    for (int i = 0; i < argc; i++) {
        static struct program p;
        const char *wrong;

        if (tool_load(argv[i], &p) != 0) {
            return 2;
        }
        printf("%s: %u operations\n", argv[i], p.count);
        wrong = exec_run(&p, &o);
        if (wrong != NULL) {
            printf("%s: WRONG: %s\n", argv[i], wrong);
            return 1;
        }
        printf("%s: nothing wrong\n", argv[i]);
    }
    return bad;
}

/* Quietly; every input twice, the second time must be like the first. */
static int check(int argc, char **argv)
{
    struct exec_options o = strict();
    int bad = 0;

    for (int i = 0; i < argc; i++) {
        static struct program p;
        const char *wrong;
        uint64_t first;

        if (tool_load(argv[i], &p) != 0) {
            return 2;
        }
        wrong = exec_run(&p, &o);
        first = reset_hash();
        if (wrong == NULL) {
            wrong = exec_run(&p, &o);
        }
        if (wrong == NULL && reset_hash() != first) {
            wrong = "the second run ends in another state than the first";
        }
        (void)reset_back();
        if (wrong == NULL && reset_differs() != 0) {
            wrong = "reset: a write was missed";
        }
        if (wrong != NULL) {
            fprintf(stderr, "%s: %s\n", argv[i], wrong);
            bad++;
        }
    }
    printf("%d inputs, %d with something wrong\n", argc, bad);
    return bad != 0;
}

static int print(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        static struct program p;

        if (tool_load(argv[i], &p) != 0) {
            return 2;
        }
        printf("#fuzz\n");
        program_print(stdout, &p);
    }
    return 0;
}

static struct {
    struct program p[256];
    uint64_t fastest[256];
    unsigned n;
    uint64_t rounds, spent;
    uint64_t resets, in_reset, copied;
} timing;

/* Rounds of all programs until they took ns, or so many; nobody looks at the clock in
 * between, which costs more than some calls do. */
static int bench_all(char **argv, uint64_t ns, uint64_t most)
{
    uint64_t begin = now_ns();

    do {
        for (unsigned i = 0; i < timing.n; i++) {
            const char *wrong = exec_run(&timing.p[i], oracle_options());

            if (wrong != NULL) {
                fprintf(stderr, "%s: %s\n", argv[i], wrong);
                return 1;
            }
        }
        timing.rounds++;
        timing.spent = now_ns() - begin;
    } while (timing.rounds < most && timing.spent < ns);
    return 0;
}

/* Each program by itself, and its reset. */
static void bench_each(unsigned rounds)
{
    for (unsigned k = 0; k < rounds * timing.n; k++) {
        unsigned i = k % timing.n;
        uint64_t from = now_ns(), at;

        (void)exec_run(&timing.p[i], oracle_options());
        at = now_ns();
        if (k < timing.n || at - from < timing.fastest[i]) {
            timing.fastest[i] = at - from;
        }
        timing.copied += reset_back();
        timing.in_reset += now_ns() - at;
        timing.resets++;
    }
}

static int bench(int argc, char **argv)
{
    /* A profiler wants the same work each time. */
    const char *rounds = getenv("CORBEL_FUZZ_BENCH_ROUNDS");
    uint64_t most = rounds != NULL ? strtoull(rounds, NULL, 0) : UINT64_MAX;
    double programs, calls, ops, s;
    unsigned slow = 0;

    timing.n = argc < 256 ? (unsigned)argc : 256;
    for (unsigned i = 0; i < timing.n; i++) {
        if (tool_load(argv[i], &timing.p[i]) != 0) {
            return 2;
        }
    }
    if (bench_all(argv, rounds != NULL ? UINT64_MAX : 3000000000u, most) != 0) {
        return 1;
    }
    programs = (double)(timing.rounds * timing.n);
    calls = (double)exec_stats.hypercalls;
    ops = (double)exec_stats.ops;
    s = (double)timing.spent / 1e9;
    bench_each(rounds != NULL ? 1 : 16);
    if (reset_differs() != 0) {
        fprintf(stderr, "reset: %zu bytes differ\n", reset_differs());
        return 1;
    }
    printf("programs/s %.0f\nhypercalls/s %.0f\noperations/program %.1f\n"
           "reset us %.2f\nreset bytes %.0f\n",
           programs / s, calls / s, ops / programs,
           (double)timing.in_reset / 1e3 / (double)timing.resets,
           (double)timing.copied / (double)timing.resets);
    for (unsigned i = 1; i < timing.n; i++) {
        slow = timing.fastest[i] > timing.fastest[slow] ? i : slow;
    }
    printf("slowest us %.1f %s\n", (double)timing.fastest[slow] / 1e3, argv[slow]);
    for (unsigned i = 0; getenv("CORBEL_FUZZ_BENCH_EACH") != NULL && i < timing.n; i++) {
        printf("%.1f us %s\n", (double)timing.fastest[i] / 1e3, argv[i]);
    }
    return 0;
}

/* Random programs, without a fuzzer: a first look, and first inputs. */
static int generate(int argc, char **argv)
{
    static struct program p;
    struct rng r = {.s = strtoull(argv[0], NULL, 0) * UINT64_C(0x9e3779b97f4a7c15) + 1};
    unsigned long count = strtoul(argv[1], NULL, 0);
    const char *groups = getenv("CORBEL_FUZZ_GROUPS");

    if (groups != NULL) {
        mutate_prefer((uint32_t)strtoul(groups, NULL, 0));
    }
    for (unsigned long i = 0; i < count; i++) {
        unsigned n = 4 + (unsigned)(rng_next(&r) >> 20) % 24;
        const char *wrong = NULL;
        char path[512];

        memset(&p, 0, sizeof(p));
        p.teardown = (rng_next(&r) >> 20) % 8 == 0;
        while (p.count < n) {
            mutate_fresh(&r, &p.op[p.count++]);
        }
        snprintf(path, sizeof(path), "%s/%06lu", argc > 2 ? argv[2] : "/tmp", i);
        if (argc > 2 && tool_save(path, &p) != 0) {
            return 1;
        }
        if (argc <= 2 && (wrong = exec_run(&p, oracle_options())) != NULL) {
            printf("%s\n#fuzz\n", wrong);
            program_print(stdout, &p);
            return 1;
        }
    }
    printf("%llu hypercalls, %llu operations, %llu of them skipped\n",
           (unsigned long long)exec_stats.hypercalls, (unsigned long long)exec_stats.ops,
           (unsigned long long)exec_stats.skipped);
    return 0;
}

static int encode(int argc, char **argv)
{
    static struct program p;

    if (argc != 2 || tool_load(argv[0], &p) != 0) {
        return 2;
    }
    return tool_save(argv[1], &p) != 0;
}

int main(int argc, char **argv)
{
    const char *cmd = argc > 1 ? argv[1] : "";

    if (strcmp(cmd, "grammar") == 0) {
        grammar_document();
        return 0;
    }
    if (strcmp(cmd, "encode") == 0) {
        return encode(argc - 2, argv + 2);
    }
    if (strcmp(cmd, "print") == 0) {
        return print(argc - 2, argv + 2);
    }
    exec_init();
    if (strcmp(cmd, "replay") == 0 && argc > 2) {
        return replay(argc - 2, argv + 2);
    }
    if (strcmp(cmd, "check") == 0 && argc > 2) {
        return check(argc - 2, argv + 2);
    }
    if (strcmp(cmd, "bench") == 0 && argc > 2) {
        return bench(argc - 2, argv + 2);
    }
    if (strcmp(cmd, "stats") == 0 && argc > 2) {
        return tool_stats(argc - 2, argv + 2);
    }
    if (strcmp(cmd, "random") == 0 && argc >= 4) {
        return generate(argc - 2, argv + 2);
    }
    if (strcmp(cmd, "minimise") == 0 && argc == 4) {
        return tool_minimise(argv[2], argv[3]);
    }
    fprintf(stderr, "usage: fuzz_tool grammar | print FILE... | encode TEXT FILE | replay FILE...\n"
                    "       fuzz_tool check FILE... | bench FILE... | stats FILE...\n"
                    "       fuzz_tool minimise FILE OUT\n"
                    "       fuzz_tool random SEED COUNT [DIRECTORY]\n");
    return 2;
}
