/* Memory that is known to be zero without a look at it: whoever notes all writes may say
 * so, and who searches memory for what is not zero passes over it. */
#ifndef CORBEL_BASE_ZERO_LINES_H
#define CORBEL_BASE_ZERO_LINES_H

#include "base/types.h"

#define ZERO_LINE_SHIFT 7u
#define ZERO_LINE_KNOWN 0x80u /* any other value: not known */

struct zero_lines {
    const uint8_t *line; /* a byte for each 128 bytes from base on */
    uintptr_t base;      /* a multiple of 128 */
    size_t bytes;
};

/* How many of the n bytes at p, from the first on, are known to be zero. z may be NULL:
 * nothing is known. */
static inline size_t zero_known(const struct zero_lines *z, const void *p, size_t n)
{
    size_t at, line, end;

    if (z == NULL)
        return 0;
    at = (uintptr_t)p - z->base;
    if (at >= z->bytes || n == 0 || n > z->bytes - at)
        return 0;
    line = at >> ZERO_LINE_SHIFT;
    if (z->line[line] != ZERO_LINE_KNOWN)
        return 0;
    end = (at + n - 1) >> ZERO_LINE_SHIFT;
    while (line <= end && z->line[line] == ZERO_LINE_KNOWN)
        line++;
    return line > end ? n : (line << ZERO_LINE_SHIFT) - at;
}

#endif
