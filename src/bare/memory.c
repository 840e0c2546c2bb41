/* The four functions that compilers call by themselves. */
#include "base/string.h"

/* Words, then what is left: emulators and older CPUs move no more bytes than words at
 * a time, and almost all that is copied or cleared is pages. */
void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;
    size_t words = n / 8;

    __asm__ volatile("rep movsq; mov %3, %2; rep movsb"
                     : "+D"(d), "+S"(src), "+c"(words)
                     : "r"(n % 8)
                     : "memory");
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;
    size_t words = n / 8;

    __asm__ volatile("rep stosq; mov %2, %1; rep stosb"
                     : "+D"(d), "+c"(words)
                     : "r"(n % 8), "a"((uint8_t)c * UINT64_C(0x0101010101010101))
                     : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    const uint8_t *s = src;
    uint8_t *d = dst;

    if (d <= s || d >= s + n)
        return memcpy(dst, src, n);
    while (n--)
        d[n] = s[n];
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}
