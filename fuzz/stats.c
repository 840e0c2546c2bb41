/* What the inputs of a campaign reach, operation by operation. */
#include <stdio.h>
#include <string.h>

#include "fuzz/exec.h"
#include "fuzz/tool.h"

#define ERRORS 256u

static struct {
    uint64_t made, good, skipped;
    uint8_t seen[ERRORS]; /* error codes, by their number */
} tally[GRAMMAR_MAX];

static void count(void *arg, const struct op_done *d)
{
    unsigned i = d->op->code;

    if (d->status == OP_NOBODY || d->status == OP_DIED) {
        tally[i].skipped++;
        return;
    }
    tally[i].made++;
    tally[i].good += d->rc >= 0;
    if (d->rc < 0 && d->rc > -(int64_t)ERRORS) {
        tally[i].seen[-d->rc] = 1;
    }
}

static bool run(const char *path)
{
    static struct program p;
    struct exec_options o = {.hooks = {.done = count}};
    const char *wrong = tool_load(path, &p) == 0 ? exec_run(&p, &o) : NULL;

    if (wrong != NULL) {
        fprintf(stderr, "%s: %s\n", path, wrong);
    }
    return wrong == NULL;
}

/* A file of paths: a campaign has more inputs than a command line has room. */
static bool run_list(const char *list)
{
    FILE *f = fopen(list, "r");
    char path[4096];
    bool ok = f != NULL;

    if (f == NULL) {
        perror(list);
        return false;
    }
    while (ok && fgets(path, sizeof(path), f) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        ok = run(path);
    }
    fclose(f);
    return ok;
}

int tool_stats(int argc, char **argv)
{
    unsigned reached = 0;

    for (int i = 0; i < argc; i++) {
        if (!(argv[i][0] == '@' ? run_list(argv[i] + 1) : run(argv[i]))) {
            return 1;
        }
    }
    printf("%-36s %10s %10s %10s  errors\n", "operation", "made", "good", "not made");
    for (unsigned i = 0; i < grammar_count; i++) {
        printf("%-36s %10llu %10llu %10llu ", grammar_ops[i]->name,
               (unsigned long long)tally[i].made, (unsigned long long)tally[i].good,
               (unsigned long long)tally[i].skipped);
        for (unsigned e = 0; e < ERRORS; e++) {
            if (tally[i].seen[e] != 0) {
                printf(" %u", e);
            }
        }
        printf("\n");
        reached += tally[i].made != 0;
    }
    printf("%u of %u operations reached, %llu hypercalls in %llu programs\n", reached,
           grammar_count, (unsigned long long)exec_stats.hypercalls,
           (unsigned long long)exec_stats.programs);
    return 0;
}
