/* The code under test is built so that before every store it looks at the byte of
 * DIRTY_SHADOW for the line (clang's kernel-address instrumentation with reads, stacks
 * and globals left out) and calls one of these when it is not 0; memcpy and its like
 * come here by the linker's --wrap. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/reset.h"

/* All addresses that a process has. Under valgrind there are fewer, and less room. */
#define ADDRESSES ((size_t)1 << 47)
#define ADDRESSES_FEW ((size_t)1 << 37)

/* Before the first instrumented store. */
__attribute__((constructor(101))) static void say_so(void)
{
    if (!dirty_map(0, ADDRESSES) && !dirty_map(0, ADDRESSES_FEW)) {
        perror("fuzz: no room for notes of what is written");
        abort();
    }
    dirty_is_noted = true;
}

#define STORE(n)                                                                                   \
    void __asan_report_store##n##_noabort(uintptr_t p);                                            \
    void __asan_report_store##n##_noabort(uintptr_t p)                                             \
    {                                                                                              \
        dirty_note((const void *)p, n);                                                            \
    }
STORE(1)
STORE(2)
STORE(4)
STORE(8)
STORE(16)

void __asan_report_store_n_noabort(uintptr_t p, size_t n);
void __asan_report_store_n_noabort(uintptr_t p, size_t n)
{
    dirty_note((const void *)p, n);
}

void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
}

/* The compiler says that AddressSanitizer is there; what fiber.c would tell it. */
void __asan_unpoison_memory_region(const volatile void *p, size_t n);
void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *save, const void **bottom, size_t *size);

void __asan_unpoison_memory_region(const volatile void *p, size_t n)
{
}

void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t size)
{
}

void __sanitizer_finish_switch_fiber(void *save, const void **bottom, size_t *size)
{
}

void *__real_memcpy(void *dst, const void *src, size_t n);
void *__real_memmove(void *dst, const void *src, size_t n);
void *__real_memset(void *dst, int c, size_t n);
void *__wrap_memcpy(void *dst, const void *src, size_t n);
void *__wrap_memmove(void *dst, const void *src, size_t n);
void *__wrap_memset(void *dst, int c, size_t n);

/* Need these bytes no note any more? What is shorter touches two lines at most. */
static inline bool noted(const void *p, size_t n)
{
    uintptr_t at = (uintptr_t)p;

    return n <= DIRTY_LINE + 1 && (n == 0 || (*dirty_shadow(at) | *dirty_shadow(at + n - 1)) == 0);
}

/* What is seldom stands by itself: the wrappers keep nothing then, and jump. */
static __attribute__((noinline)) void *note_and_copy(void *dst, const void *src, size_t n)
{
    dirty_note(dst, n);
    return __real_memcpy(dst, src, n);
}

static __attribute__((noinline)) void *note_and_move(void *dst, const void *src, size_t n)
{
    dirty_note(dst, n);
    return __real_memmove(dst, src, n);
}

void *__wrap_memcpy(void *dst, const void *src, size_t n)
{
    return noted(dst, n) ? __real_memcpy(dst, src, n) : note_and_copy(dst, src, n);
}

void *__wrap_memmove(void *dst, const void *src, size_t n)
{
    return noted(dst, n) ? __real_memmove(dst, src, n) : note_and_move(dst, src, n);
}

static inline bool line_known(const uint8_t *p)
{
    return *dirty_shadow((uintptr_t)p) == DIRTY_ZERO;
}

static inline uint8_t *line_end(uint8_t *p, uint8_t *end)
{
    uint8_t *next = (uint8_t *)(((uintptr_t)p | (DIRTY_LINE - 1)) + 1);

    return next < end ? next : end;
}

/* Zeroes for lines that are known to be zero change nothing: most of what is scrubbed when a
 * domain ends was never written to. */
static void clear_lines(uint8_t *p, uint8_t *end)
{
    while (p < end) {
        uint8_t *from = p;

        if (line_known(p)) {
            p = line_end(p, end);
            continue;
        }
        do {
            p = line_end(p, end);
        } while (p < end && !line_known(p));
        dirty_note(from, (size_t)(p - from));
        __real_memset(from, 0, (size_t)(p - from));
    }
}

static __attribute__((noinline)) void *note_and_set(void *dst, int c, size_t n)
{
    if (c == 0 && n > 4 * DIRTY_LINE && (uintptr_t)dst - (uintptr_t)dirty_base < dirty_bytes) {
        clear_lines(dst, (uint8_t *)dst + n);
        return dst;
    }
    dirty_note(dst, n);
    return __real_memset(dst, c, n);
}

void *__wrap_memset(void *dst, int c, size_t n)
{
    return noted(dst, n) ? __real_memset(dst, c, n) : note_and_set(dst, c, n);
}
