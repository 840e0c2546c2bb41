/* Either the lines written are known from dirty_note(), or pages are compared. */
#include "fuzz/reset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE_SHIFT DIRTY_LINE_SHIFT
#define LINE ((size_t)1 << LINE_SHIFT)
#define LINES_MAX DIRTY_LINES_MAX

bool dirty_is_noted; /* dirty.c, if it is linked, says so */

/* Assigned as a whole: memcpy() would note the write. */
struct line {
    uint64_t word[LINE / sizeof(uint64_t)];
};

uint8_t *dirty_base;
size_t dirty_bytes;
uint8_t dirty_line[LINES_MAX];

static struct {
    uint8_t *saved;
    size_t count;
    bool taken;
    uint32_t list[LINES_MAX]; /* lines that are dirty */
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

void reset_region(uint8_t *base, size_t bytes)
{
    if (bytes >> LINE_SHIFT > LINES_MAX) {
        abort();
    }
    dirty_base = base;
    dirty_bytes = bytes;
    region.saved = map_bytes(bytes);
}

void dirty_note(const void *p, size_t n)
{
    size_t at = (size_t)((const uint8_t *)p - dirty_base), line, last;

    if (at >= dirty_bytes || n == 0) {
        return;
    }
    last = at + n - 1 < dirty_bytes ? (at + n - 1) >> LINE_SHIFT : (dirty_bytes - 1) >> LINE_SHIFT;
    for (line = at >> LINE_SHIFT; line <= last; line++) {
        if (dirty_line[line] == 0) {
            dirty_line[line] = 1;
            region.list[region.count++] = (uint32_t)line;
        }
    }
}

bool reset_tracks(void)
{
    return dirty_is_noted;
}

static void forget(void)
{
    for (size_t i = 0; i < region.count; i++) {
        dirty_line[region.list[i]] = 0;
    }
    region.count = 0;
}

void reset_take(void)
{
    memcpy(region.saved, dirty_base, dirty_bytes);
    forget();
    region.taken = true;
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

    if (!reset_tracks()) {
        return compare_back();
    }
    for (size_t i = 0; i < region.count; i++) {
        size_t at = (size_t)region.list[i] << LINE_SHIFT;

        *(struct line *)(void *)(dirty_base + at) = *(struct line *)(void *)(region.saved + at);
        dirty_line[region.list[i]] = 0;
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
