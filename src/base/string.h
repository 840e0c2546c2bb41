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

/*@ // The n characters at s have no NUL, and the next one is one.
    predicate text{L}(char *s, integer n) = 0 <= n < SIZE_MAX && \valid_read(s + (0 .. n)) &&
        s[n] == 0 && \forall integer i; 0 <= i < n ==> s[i] != 0;
    // At least max characters can be read at s, or all up to a NUL.
    predicate readable{L}(char *s, integer max) =
        \valid_read(s + (0 .. max - 1)) || \exists integer n; text(s, n); */

/* Characters before the NUL. */
/*@ requires \exists integer n; text(s, n);
    assigns \nothing;
    ensures text(s, \result); */
size_t str_len(const char *s);

/* Characters before the NUL, or max when there is none among the first max. */
/*@ requires readable(s, max);
    assigns \nothing;
    ensures \result <= max;
    ensures \forall integer i; 0 <= i < \result ==> s[i] != 0;
    ensures \result < max ==> text(s, \result);
    ensures \valid_read(s + (0 .. \result - 1)); */
size_t str_len_max(const char *s, size_t max);

/* Copies src, cut to cap - 1 characters, and ends dst with a NUL. Returns the
 * characters copied. cap 0: nothing is written. */
/*@ requires readable(src, cap - 1) && \valid(dst + (0 .. cap - 1));
    requires \separated(src + (0 .. cap - 1), dst + (0 .. cap - 1));
    assigns dst[0 .. cap - 1];
    ensures cap == 0 ==> \result == 0;
    ensures cap > 0 ==> \result < cap && text(dst, \result);
    ensures \forall integer i; 0 <= i < \result ==> dst[i] == \old(src[i]); */
size_t str_copy(char *dst, const char *src, size_t cap);

/*@ requires \exists integer n; text(a, n);
    requires \exists integer n; text(b, n);
    assigns \nothing;
    ensures \result ==> \exists integer n; text(a, n) && text(b, n) &&
        \forall integer i; 0 <= i < n ==> a[i] == b[i];
    ensures !\result ==> \exists integer n; 0 <= n && a[n] != b[n] &&
        \forall integer i; 0 <= i < n ==> a[i] == b[i] && a[i] != 0; */
bool str_equal(const char *a, const char *b);

#endif
