/* The machine's memory goes back to what it was: only what was written is copied.
 * Where the code under test is built with store instrumentation (dirty.c) the lines
 * written are known; else pages are compared. */
#ifndef CORBEL_FUZZ_RESET_H
#define CORBEL_FUZZ_RESET_H

#include "base/types.h"

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

/* Notes a write of n bytes at p. */
void dirty_note(const void *p, size_t n);

/* For dirty.c: whether it is there, and what it looks at for every store. */
extern bool dirty_is_noted;
#define DIRTY_LINE_SHIFT 7u
#define DIRTY_LINE ((size_t)1 << DIRTY_LINE_SHIFT)
#define DIRTY_LINES_MAX ((8u << 20) >> DIRTY_LINE_SHIFT)
extern uint8_t *dirty_base;
extern size_t dirty_bytes;
extern uint8_t dirty_line[DIRTY_LINES_MAX]; /* 1: written to */

#endif
