/* Faults on request, so that a test can see them reported ("selftest="). */
#include "bare/bare.h"

#include "base/check.h"
#include "core/console/console.h"

#define RET 0xc3u

static uint8_t data_code[16] = {RET};

static void __attribute__((noinline)) write_byte(uint64_t va)
{
    *(volatile uint8_t *)va = RET;
}

static void __attribute__((noinline)) jump_to(uint64_t va)
{
    __asm__ volatile("call *%0" : : "r"(va) : "memory");
}

static uint64_t __attribute__((noinline)) recurse(volatile uint64_t *up)
{
    volatile uint64_t here[16];

    here[0] = *up + 1;
    return here[0] == 0 ? 0 : recurse(here) + here[0]; /* 0: never */
}

void selftest_run(enum selftest what)
{
    uint64_t zero = 0, text = (uint64_t)(uintptr_t)image_start;

    switch (what) {
    case SELFTEST_NONE:
    case SELFTEST_TSC: /* tsc_sync.c has done it */
    case SELFTEST_TSC_STUCK:
    case SELFTEST_ENTRY: /* first_guest.c does it */
    case SELFTEST_LATE:  /* smp.c has done it */
        return;
    case SELFTEST_PANIC:
        check(what == SELFTEST_NONE);
        break;
    case SELFTEST_STACK:
        recurse(&zero);
        break;
    case SELFTEST_TEXT:
        write_byte(text);
        break;
    case SELFTEST_DATA:
        jump_to((uint64_t)(uintptr_t)data_code);
        break;
    case SELFTEST_DIRECTMAP:
        write_byte((uint64_t)(uintptr_t)phys_to_ptr(text - IMAGE_BASE));
        break;
    }
    hv_log(0, "selftest %u: nothing happened", (unsigned)what);
}
