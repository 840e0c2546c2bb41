/* AFL++'s custom mutator and trimmer: programs in, programs out. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/mutate.h"

#define INPUT_MAX ((PROGRAM_OPS + 1) * RECORD_BYTES)

struct mutator {
    struct rng rng;
    uint8_t out[INPUT_MAX];
    struct program a, b;
    struct program trim, tried; /* the smallest so far, and the last try */
    unsigned step, steps;       /* of as many as were said at first */
};

void *afl_custom_init(void *afl, unsigned seed);
size_t afl_custom_fuzz(struct mutator *m, uint8_t *buf, size_t len, uint8_t **out, uint8_t *add,
                       size_t add_len, size_t max);
int32_t afl_custom_init_trim(struct mutator *m, uint8_t *buf, size_t len);
size_t afl_custom_trim(struct mutator *m, uint8_t **out);
int32_t afl_custom_post_trim(struct mutator *m, unsigned char success);
void afl_custom_deinit(struct mutator *m);

void *afl_custom_init(void *afl, unsigned seed)
{
    const char *groups = getenv("CORBEL_FUZZ_GROUPS");
    struct mutator *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        abort();
    }
    m->rng.s = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    if (groups != NULL) {
        mutate_prefer((uint32_t)strtoul(groups, NULL, 0));
    }
    return m;
}

size_t afl_custom_fuzz(struct mutator *m, uint8_t *buf, size_t len, uint8_t **out, uint8_t *add,
                       size_t add_len, size_t max)
{
    size_t n;

    program_decode(buf, len, &m->a);
    program_decode(add, add != NULL ? add_len : 0, &m->b);
    mutate_program(&m->rng, &m->a, &m->b);
    n = program_encode(&m->a, m->out);
    *out = m->out;
    return n <= max ? n : max / RECORD_BYTES * RECORD_BYTES;
}

int32_t afl_custom_init_trim(struct mutator *m, uint8_t *buf, size_t len)
{
    program_decode(buf, len, &m->trim);
    m->step = 0;
    m->steps = shrink_steps(&m->trim);
    return (int32_t)m->steps;
}

size_t afl_custom_trim(struct mutator *m, uint8_t **out)
{
    if (!shrink_step(&m->trim, m->step, &m->tried)) {
        m->tried = m->trim;
    }
    *out = m->out;
    return program_encode(&m->tried, m->out);
}

/* What a removed run was followed by is at the same step now. */
int32_t afl_custom_post_trim(struct mutator *m, unsigned char success)
{
    if (success != 0 && m->tried.count != m->trim.count) {
        m->trim = m->tried;
    } else {
        m->trim = success != 0 ? m->tried : m->trim;
        m->step++;
    }
    /* afl-fuzz goes on until it hears the number that it heard first. */
    return (int32_t)(m->step < shrink_steps(&m->trim) ? m->step : m->steps);
}

void afl_custom_deinit(struct mutator *m)
{
    free(m);
}
