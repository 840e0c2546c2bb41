/* The code under test is built so that every store calls one of these first (clang's
 * kernel-address instrumentation with reads, stacks and globals left out); memcpy and
 * its like come here by the linker's --wrap. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fuzz/reset.h"

__attribute__((constructor)) static void say_so(void)
{
    dirty_is_noted = true;
}

#define STORE(n)                                                                                   \
    void __dirty_store##n##_noabort(uintptr_t p);                                                  \
    void __dirty_store##n##_noabort(uintptr_t p)                                                   \
    {                                                                                              \
        size_t at = (size_t)(p - (uintptr_t)dirty_base);                                           \
                                                                                                   \
        if (at < dirty_bytes &&                                                                    \
            (dirty_line[at >> DIRTY_LINE_SHIFT] == 0 || at % DIRTY_LINE > DIRTY_LINE - (n))) {     \
            dirty_note((const void *)p, n);                                                        \
        }                                                                                          \
    }
STORE(1)
STORE(2)
STORE(4)
STORE(8)
STORE(16)

void __dirty_storeN_noabort(uintptr_t p, size_t n);
void __dirty_storeN_noabort(uintptr_t p, size_t n)
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

void *__wrap_memcpy(void *dst, const void *src, size_t n)
{
    dirty_note(dst, n);
    return __real_memcpy(dst, src, n);
}

void *__wrap_memmove(void *dst, const void *src, size_t n)
{
    dirty_note(dst, n);
    return __real_memmove(dst, src, n);
}

void *__wrap_memset(void *dst, int c, size_t n)
{
    dirty_note(dst, n);
    return __real_memset(dst, c, n);
}
