/* Names of the image's functions, from the table that boot/symbols.py makes. */
#include "bare/bare.h"

extern const uint8_t symbol_table[];

static uint64_t take_uleb128(const uint8_t **p)
{
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = *(*p)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return v;
}

const char *symbol_name(uint64_t va, uint64_t *offset)
{
    uint64_t at = (uint64_t)(uintptr_t)image_start, best_at = 0;
    const uint8_t *p = symbol_table;
    const char *best = NULL;

    for (;;) {
        at += take_uleb128(&p);
        if (*p == '\0' || at > va)
            break;
        best = (const char *)p;
        best_at = at;
        while (*p++ != '\0') {
        }
    }
    *offset = va - best_at;
    return best;
}
