#include "hostsim/world/fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define FIBER_STACK ((size_t)2 << 20)
#define FIBER_GUARD ((size_t)4096)

void fiber_swap(void **save, void *load);

/* What the System V ABI lets a callee keep: rbx, rbp, r12-r15, MXCSR's and the
 * x87 control word. */
__asm__(".text\n"
        ".globl fiber_swap\n"
        ".type fiber_swap, @function\n"
        "fiber_swap:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size fiber_swap, . - fiber_swap\n");

static struct fiber *fiber_from, *fiber_to;

static void fiber_arrived(void)
{
#ifdef FIBER_ASAN
    /* Tells where the fiber left behind has its stack: how main's is learnt. */
    __sanitizer_finish_switch_fiber(fiber_to->fake, &fiber_from->bottom, &fiber_from->size);
#endif
}

static void fiber_entry(void)
{
    struct fiber *f = fiber_to;

    fiber_arrived();
    f->fn(f->arg);
    abort();
}

int fiber_create(struct fiber *f, void (*fn)(void *), void *arg)
{
    uint64_t *top;
    char *map = mmap(NULL, FIBER_GUARD + FIBER_STACK, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED || mprotect(map, FIBER_GUARD, PROT_NONE)) {
        return -1;
    }
    *f = (struct fiber){.map = map, .bottom = map + FIBER_GUARD, .size = FIBER_STACK};
    f->fn = fn;
    f->arg = arg;
#ifdef FIBER_ASAN
    __asan_unpoison_memory_region(map + FIBER_GUARD, FIBER_STACK);
#endif
    /* As fiber_swap leaves it: entry's return address is 0, its rsp 8 mod 16. */
    top = (uint64_t *)(void *)(map + FIBER_GUARD + FIBER_STACK);
    top[-1] = 0;
    top[-2] = (uint64_t)(uintptr_t)fiber_entry;
    memset(&top[-8], 0, 6 * sizeof(*top));
    top[-9] = UINT64_C(0x0000037f00001f80);
    f->sp = &top[-9];
    return 0;
}

void fiber_destroy(struct fiber *f)
{
    if (f->map) {
#ifdef FIBER_ASAN
        __asan_unpoison_memory_region(f->map + FIBER_GUARD, FIBER_STACK);
#endif
        munmap(f->map, FIBER_GUARD + FIBER_STACK);
    }
    *f = (struct fiber){0};
}

void fiber_switch(struct fiber *from, struct fiber *to, bool gone)
{
    fiber_from = from;
    fiber_to = to;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(gone ? NULL : &from->fake, to->bottom, to->size);
#endif
    fiber_swap(&from->sp, to->sp);
    fiber_arrived();
}
