/* What the programs that E-ACSL instruments call. Memory predicates (\valid and the like)
 * answer yes: the memory is a hosted machine's, which E-ACSL does not follow, and the
 * unit tests run under AddressSanitizer elsewhere. All else is checked; what does not hold
 * ends the program. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "instrumentation_model/e_acsl_assert_data.h"

char eacsl_none[1 << 20] __attribute__((aligned(16)));
unsigned long eacsl_checked; /* how many predicates were looked at */

/* A program that checked nothing shows nothing: the script adds these lines up. */
__attribute__((destructor)) static void tell(void)
{
    char line[32];
    int n = snprintf(line, sizeof(line), "checked %lu\n", eacsl_checked);

    if (eacsl_checked != 0) {
        (void)!write(STDERR_FILENO, line, (size_t)n);
    }
}

/* Marks where a predicate stands, in a file that the script reads: reached() in lib/eacsl.py. */
static void mark(const eacsl_assert_data_t *d)
{
    static unsigned char *marks;
    static const char *known[1 << 16];
    const char **k = &known[(uintptr_t)d->pred_txt >> 3 & ((1 << 16) - 1)];
    uint32_t slot = 5381;

    if (*k == d->pred_txt) {
        return;
    }
    if (marks == NULL) {
        const char *name = getenv("EACSL_REACHED");
        int f = open(name != NULL ? name : "", O_RDWR);
        void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);

        close(f);
        if (p == MAP_FAILED) {
            return;
        }
        marks = p;
    }
    for (const char *c = d->file; *c != '\0'; c++) {
        slot = slot * 33 + (unsigned char)*c;
    }
    marks[(slot + (uint64_t)d->line * 2654435761) % (1 << 20)] = 1;
    *k = d->pred_txt;
}

void __e_acsl_assert(int predicate, eacsl_assert_data_t *d)
{
    eacsl_checked++;
    mark(d);
    if (!predicate) {
        fprintf(stderr, "%s: %s: %s does not hold: %s\n", d->file, d->fct, d->kind, d->pred_txt);
        tell();
        _exit(66);
    }
}

int __e_acsl_valid(void *p, size_t n, void *base, void *addr)
{
    return 1;
}

int __e_acsl_valid_read(void *p, size_t n, void *base, void *addr)
{
    return 1;
}

int __e_acsl_initialized(void *p, size_t n)
{
    return 1;
}

int __e_acsl_separated(size_t n, ...)
{
    return 1;
}

void __e_acsl_full_init(void *p)
{
}

void __e_acsl_initialize(void *p, size_t n)
{
}

void *__e_acsl_store_block(void *p, size_t n)
{
    return p;
}

void *__e_acsl_store_block_duplicate(void *p, size_t n)
{
    return p;
}

void __e_acsl_delete_block(void *p)
{
}

void __e_acsl_mark_readonly(void *p)
{
}

void __e_acsl_globals_init(void)
{
}

void __e_acsl_memory_init(int *argc, char ***argv, size_t n)
{
}

void __e_acsl_memory_clean(void)
{
}

/* Behaviours of one call of a function. */
struct contract {
    size_t n;
    int assumes[];
};

struct contract *__e_acsl_contract_init(size_t n)
{
    struct contract *c = calloc(1, sizeof(*c) + n * sizeof(c->assumes[0]));

    c->n = n;
    return c;
}

void __e_acsl_contract_clean(struct contract *c)
{
    free(c);
}

void __e_acsl_contract_set_behavior_assumes(struct contract *c, size_t i, int assumes)
{
    c->assumes[i] = assumes != 0;
}

int __e_acsl_contract_get_behavior_assumes(const struct contract *c, size_t i)
{
    return c->assumes[i];
}

int __e_acsl_contract_partial_count_behaviors(const struct contract *c, size_t count, ...)
{
    int sum = 0;
    va_list list;

    va_start(list, count);
    for (size_t i = 0; i < count; i++) {
        sum += c->assumes[va_arg(list, size_t)];
    }
    va_end(list);
    return sum;
}

int __e_acsl_contract_partial_count_all_behaviors(const struct contract *c)
{
    int sum = 0;

    for (size_t i = 0; i < c->n; i++) {
        sum += c->assumes[i];
    }
    return sum;
}
