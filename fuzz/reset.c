/* Either the lines written are known from dirty_note(), or pages are compared. */
#include "fuzz/reset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE_SHIFT DIRTY_LINE_SHIFT
#define LINE ((size_t)1 << LINE_SHIFT)
#define LINES_MAX ((8u << 20) >> LINE_SHIFT)

bool dirty_is_noted; /* dirty.c, if it is linked, says so */

/* Assigned as a whole: memcpy() would note the write. */
struct line {
    uint64_t word[LINE / sizeof(uint64_t)];
};

uint8_t *dirty_base;
size_t dirty_bytes;

static struct {
    uint8_t *saved;
    struct zero_lines zero;
    size_t count;
    uint32_t list[LINES_MAX]; /* lines that are dirty */
    uint8_t clean[LINES_MAX]; /* DIRTY_CLEAN or DIRTY_ZERO: what a line's byte goes back to */
} region;

static void *map_bytes(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        perror("fuzz: mmap");
        abort();
    }
    return p;
}

bool reset_tracks(void)
{
    return dirty_is_noted;
}

bool dirty_map(uintptr_t from, size_t bytes)
{
    uintptr_t first = (uintptr_t)dirty_shadow(from) & ~(uintptr_t)4095;
    size_t n = (uintptr_t)dirty_shadow(from + bytes - 1) + 1 - first;
    void *at = mmap((void *)first, n, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    return at == (void *)first && madvise(at, n, MADV_DONTDUMP) == 0;
}

void reset_region(uint8_t *base, size_t bytes)
{
    if (bytes >> LINE_SHIFT > LINES_MAX) {
        abort();
    }
    if ((uintptr_t)base % LINE != 0 || bytes % LINE != 0) {
        abort();
    }
    dirty_base = base;
    dirty_bytes = bytes;
    if (reset_tracks()) {
        (void)dirty_map((uintptr_t)base, bytes); /* fails where all was mapped */
    }
    region.saved = map_bytes(bytes);
}

void dirty_note(const void *p, size_t n)
{
    size_t at = (size_t)((const uint8_t *)p - dirty_base), line, last;
    uint8_t *shadow = dirty_shadow((uintptr_t)dirty_base);

    if (at >= dirty_bytes || n == 0) {
        return;
    }
    last = at + n - 1 < dirty_bytes ? (at + n - 1) >> LINE_SHIFT : (dirty_bytes - 1) >> LINE_SHIFT;
    for (line = at >> LINE_SHIFT; line <= last; line++) {
        if (shadow[line] != 0) {
            shadow[line] = 0;
            region.list[region.count++] = (uint32_t)line;
        }
    }
}

static bool line_is_zero(size_t line)
{
    const uint64_t *word = (const void *)(dirty_base + (line << LINE_SHIFT));
    uint64_t any = 0;

    for (size_t i = 0; i < LINE / sizeof(*word); i++) {
        any |= word[i];
    }
    return any == 0;
}

const struct zero_lines *reset_zero(void)
{
    return reset_tracks() ? &region.zero : NULL;
}

bool reset_zero_holds(void)
{
    for (size_t i = 0; reset_tracks() && i < dirty_bytes >> LINE_SHIFT; i++) {
        if (region.zero.line[i] == DIRTY_ZERO && !line_is_zero(i)) {
            return false;
        }
    }
    return true;
}

void reset_take(void)
{
    uint8_t *shadow = dirty_shadow((uintptr_t)dirty_base);

    memcpy(region.saved, dirty_base, dirty_bytes);
    region.count = 0;
    for (size_t i = 0; reset_tracks() && i < dirty_bytes >> LINE_SHIFT; i++) {
        region.clean[i] = line_is_zero(i) ? DIRTY_ZERO : DIRTY_CLEAN;
        shadow[i] = region.clean[i];
    }
    region.zero = (struct zero_lines){shadow, (uintptr_t)dirty_base, dirty_bytes};
}

/* Not memcmp(), which the sanitizers and libFuzzer look into. */
static bool page_equal(const uint8_t *a, const uint8_t *b)
{
    const uint64_t *x = (const void *)a, *y = (const void *)b;
    uint64_t differ = 0;

    for (unsigned i = 0; i < 512; i++) {
        differ |= x[i] ^ y[i];
    }
    return differ == 0;
}

static size_t compare_back(void)
{
    size_t copied = 0;

    for (size_t at = 0; at < dirty_bytes; at += 4096) {
        if (!page_equal(dirty_base + at, region.saved + at)) {
            memcpy(dirty_base + at, region.saved + at, 4096);
            copied += 4096;
        }
    }
    return copied;
}

size_t reset_back(void)
{
    size_t copied = region.count << LINE_SHIFT;
    uint8_t *shadow = dirty_shadow((uintptr_t)dirty_base);

    if (!reset_tracks()) {
        return compare_back();
    }
    for (size_t i = 0; i < region.count; i++) {
        size_t at = (size_t)region.list[i] << LINE_SHIFT;

        *(struct line *)(void *)(dirty_base + at) = *(struct line *)(void *)(region.saved + at);
        shadow[region.list[i]] = region.clean[region.list[i]];
    }
    region.count = 0;
    return copied;
}

size_t reset_differs(void)
{
    size_t n = 0;

    for (size_t i = 0; i < dirty_bytes; i++) {
        n += dirty_base[i] != region.saved[i];
    }
    return n;
}

uint64_t reset_hash(void)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i + 8 <= dirty_bytes; i += 8) {
        h = (h ^ *(const uint64_t *)(const void *)(dirty_base + i)) * UINT64_C(0x100000001b3);
        h ^= h >> 29;
    }
    return h;
}
