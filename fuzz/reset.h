/* The machine's memory goes back to what it was: only what was written is copied.
 * Where the code under test is built with store instrumentation (dirty.c) the lines
 * written are known; else pages are compared. */
#ifndef CORBEL_FUZZ_RESET_H
#define CORBEL_FUZZ_RESET_H

#include "base/zero_lines.h"

/* The region to guard; from now on writes are noted. */
void reset_region(uint8_t *base, size_t bytes);
/* Remembers the region as it is. */
void reset_take(void);
/* Puts it back. Returns the bytes copied. */
size_t reset_back(void);
/* Compares everything: how many bytes differ from the snapshot (0 after
 * reset_back(), or writes were missed). */
size_t reset_differs(void);
/* Of all of the region as it is. */
uint64_t reset_hash(void);
/* Is every write noted? */
bool reset_tracks(void);
/* What is known to be zero: it was in the snapshot, and no write was noted. NULL where
 * they are not. */
const struct zero_lines *reset_zero(void);
/* True iff all of that is zero. */
bool reset_zero_holds(void);

/* Notes a write of n bytes at p. */
void dirty_note(const void *p, size_t n);

/* For dirty.c: whether it is there, and the region. */
extern bool dirty_is_noted;
#define DIRTY_LINE_SHIFT ZERO_LINE_SHIFT
#define DIRTY_LINE ((size_t)1 << DIRTY_LINE_SHIFT)
extern uint8_t *dirty_base;
extern size_t dirty_bytes;

/* A byte for every line of the address space, at a place that the compiler is told
 * (CMakeLists.txt): what is stored to a line whose byte is not 0 is noted first. It is
 * one of these for the region's lines that were not written to; all others' is 0. The
 * instrumentation compares bytes with the place in the line, as signed numbers: the least
 * are below all. */
#define DIRTY_SHADOW UINT64_C(0x7fff8000)
#define DIRTY_CLEAN ((uint8_t)0x81)
#define DIRTY_ZERO ((uint8_t)ZERO_LINE_KNOWN) /* and it is zero */

/* Makes room for the lines of these addresses. False: it cannot, or there is some. */
bool dirty_map(uintptr_t from, size_t bytes);

static inline uint8_t *dirty_shadow(uintptr_t p)
{
    return (uint8_t *)((p >> DIRTY_LINE_SHIFT) + DIRTY_SHADOW);
}

#endif
