/* Memory and string primitives. The four mem* functions are what a compiler may
 * call on its own: libc defines them in user space, the bare port on a machine. */
#ifndef CORBEL_BASE_STRING_H
#define CORBEL_BASE_STRING_H

#include "base/types.h"

/* As ISO C 7.24. */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* Characters before the NUL. */
size_t str_len(const char *s);

/* Characters before the NUL, or max when there is none among the first max. */
size_t str_len_max(const char *s, size_t max);

/* Copies src, cut to cap - 1 characters, and ends dst with a NUL. Returns the
 * characters copied. cap 0: nothing is written. */
size_t str_copy(char *dst, const char *src, size_t cap);

bool str_equal(const char *a, const char *b);

#endif
