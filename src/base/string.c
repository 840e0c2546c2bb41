#include "base/string.h"

size_t str_len(const char *s)
{
    size_t n = 0;

    /*@ loop invariant n < SIZE_MAX && \forall integer i; 0 <= i < n ==> s[i] != 0;
        loop assigns n;
        loop variant SIZE_MAX - n; */
    while (s[n] != '\0')
        n++;
    return n;
}

size_t str_len_max(const char *s, size_t max)
{
    size_t n = 0;

    /*@ loop invariant n <= max && \valid_read(s + (0 .. n - 1));
        loop invariant \forall integer i; 0 <= i < n ==> s[i] != 0;
        loop assigns n;
        loop variant max - n; */
    while (n < max && s[n] != '\0')
        n++;
    return n;
}

size_t str_copy(char *dst, const char *src, size_t cap)
{
    size_t n = 0;

    if (cap == 0)
        return 0;
    /*@ loop invariant n < cap;
        loop invariant \forall integer i; 0 <= i < n ==> dst[i] == \at(src[i], Pre) && dst[i] != 0;
        loop invariant \forall integer i; 0 <= i < cap ==> src[i] == \at(src[i], Pre);
        loop assigns n, dst[0 .. cap - 1];
        loop variant cap - n; */
    while (n < cap - 1 && src[n] != '\0') {
        dst[n] = src[n];
        n++;
    }
    dst[n] = '\0';
    return n;
}

bool str_equal(const char *a, const char *b)
{
    size_t i = 0;

    /*@ loop invariant i < SIZE_MAX && \valid_read(a + (0 .. i)) && \valid_read(b + (0 .. i));
        loop invariant \forall integer j; 0 <= j < i ==> a[j] == b[j] && a[j] != 0;
        loop assigns i;
        loop variant SIZE_MAX - i; */
    while (a[i] != '\0' && a[i] == b[i])
        i++;
    //@ assert a[i] == b[i] ==> text(a, i) && text(b, i);
    return a[i] == b[i];
}
