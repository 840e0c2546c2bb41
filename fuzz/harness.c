/* One input, one program: for libFuzzer and whatever calls like it, and with AFL++'s
 * compiler in persistent mode with inputs in shared memory. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/afl.h"
#include "fuzz/exec.h"
#include "fuzz/mutate.h"
#include "fuzz/oracle.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *groups = getenv("CORBEL_FUZZ_GROUPS");

    if (groups != NULL) {
        mutate_prefer((uint32_t)strtoul(groups, NULL, 0));
    }
    exec_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct program p;
    const char *wrong;

    program_decode(data, len, &p);
    wrong = exec_run(&p, oracle_options());
    if (wrong != NULL) {
        fprintf(stderr, "corbel-fuzz: %s\n", wrong);
        program_print(stderr, &p);
        abort();
    }
    return 0;
}

#ifdef __AFL_FUZZ_TESTCASE_LEN
__AFL_FUZZ_INIT();

int main(int argc, char **argv)
{
    const uint8_t *bytes;

    LLVMFuzzerInitialize(&argc, &argv);
    afl_before_init();
    __AFL_INIT();
    bytes = __AFL_FUZZ_TESTCASE_BUF;
    while (__AFL_LOOP(UINT32_MAX)) {
        do {
            LLVMFuzzerTestOneInput(bytes, (size_t)__AFL_FUZZ_TESTCASE_LEN);
        } while (afl_next());
    }
    return 0;
}
#else
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
    static struct program p;
    uint8_t bytes[(PROGRAM_OPS + 1) * RECORD_BYTES];
    struct rng r = {.s = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    size_t n;

    program_decode(data, len, &p);
    mutate_program(&r, &p, NULL);
    n = program_encode(&p, bytes);
    n = n <= max ? n : max / RECORD_BYTES * RECORD_BYTES;
    for (size_t i = 0; i < n; i++) {
        data[i] = bytes[i];
    }
    return n;
}
#endif
