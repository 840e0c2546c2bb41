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

/* Are this line and the seven after it known to be? Only where their bytes are one word. */
static inline bool zero_known_eight(const struct zero_lines *z, size_t line)
{
    const uint8_t *p = z->line + line;

    return (uintptr_t)p % 8 == 0 &&
           *(const uint64_t *)(const void *)p == UINT64_C(0x0101010101010101) * ZERO_LINE_KNOWN;
}

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
        line += end - line >= 7 && zero_known_eight(z, line) ? 8 : 1;
    return line > end ? n : (line << ZERO_LINE_SHIFT) - at;
}

#endif
