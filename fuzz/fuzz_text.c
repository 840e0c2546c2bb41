/* Programs as text and as bytes: any text is read or turned away; what was read says
 * the same when it is printed, encoded, decoded and read again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must_equal(const struct program *a, const struct program *b)
{
    uint8_t x[(PROGRAM_OPS + 1) * RECORD_BYTES], y[sizeof(x)];
    size_t n = program_encode(a, x);

    if (program_encode(b, y) != n || memcmp(x, y, n) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct program p, q;
    uint8_t bytes[(PROGRAM_OPS + 1) * RECORD_BYTES];
    char *text = malloc(len + 1), *printed = NULL;
    size_t size;
    FILE *f;

    if (text == NULL) {
        abort();
    }
    memcpy(text, data, len);
    text[len] = '\0';
    if (program_parse(text, &p) == 0) {
        program_decode(bytes, program_encode(&p, bytes), &q);
        must_equal(&p, &q);
    }
    program_decode(data, len, &p);
    f = open_memstream(&printed, &size);
    if (f == NULL) {
        abort();
    }
    program_print(f, &p);
    fclose(f);
    if (program_parse(printed, &q) != 0) {
        abort();
    }
    must_equal(&p, &q);
    free(printed);
    free(text);
    return 0;
}
