/* Hypercalls, console, command line, memory. */
#include <stdarg.h>

#include "guest.h"

#define HOLES 0x30000u /* frame numbers from 768 MiB on: these guests have less memory */
#define HEAP_START 0x400000u
#define LEAST_MEMORY (UINT64_C(24) << 20) /* that a guest has to have */
#define LINE 256u
#define HYPERCALL_SIZE 32u

extern char guest_end[];

const struct hvm_start_info *start_info;
uint8_t hypercall_page[PAGE] __attribute__((aligned(PAGE)));
static uint64_t heap, heap_end;
static uint64_t *free_list;
static uint64_t next_hole = HOLES;

void guest_main(const struct hvm_start_info *si);

int64_t hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    uint64_t at = (uint64_t)(uintptr_t)hypercall_page + nr * HYPERCALL_SIZE;

    __asm__ volatile("call *%0"
                     : "+a"(at), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     :
                     : "memory", "rcx", "r9", "r11");
    return (int64_t)at;
}

bool same(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

void *memset(void *p, int c, size_t n)
{
    void *at = p;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
    return p;
}

void *memcpy(void *to, const void *from, size_t n)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n)::"memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;

    for (; n; n--, p++, q++)
        if (*p != *q)
            return *p < *q ? -1 : 1;
    return 0;
}

static unsigned put_number(char *to, uint64_t v, unsigned base, bool negative)
{
    char digits[24];
    unsigned n = 0, len = 0;

    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    if (negative)
        to[len++] = '-';
    while (n)
        to[len++] = digits[--n];
    return len;
}

/* One conversion at *fmt, behind the %. */
static unsigned convert(char *to, unsigned room, const char **fmt, va_list ap)
{
    bool wide = **fmt == 'l';
    const char *s;
    int64_t i;
    uint64_t u;
    unsigned n = 0;

    *fmt += wide;
    switch (*(*fmt)++) {
    case 's':
        for (s = va_arg(ap, const char *); *s && n < room; s++)
            to[n++] = *s;
        return n;
    case 'd':
        i = wide ? va_arg(ap, long) : va_arg(ap, int);
        return put_number(to, i < 0 ? -(uint64_t)i : (uint64_t)i, 10, i < 0);
    case 'u':
        u = wide ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);
        return put_number(to, u, 10, false);
    default:
        u = wide ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);
        return put_number(to, u, 16, false);
    }
}

void say(const char *fmt, ...)
{
    char line[LINE];
    unsigned n = 0;
    va_list ap;

    va_start(ap, fmt);
    while (*fmt && n < LINE - 26) {
        if (*fmt != '%') {
            line[n++] = *fmt++;
            continue;
        }
        fmt++;
        n += convert(line + n, LINE - 26 - n, &fmt, ap);
    }
    va_end(ap);
    line[n++] = '\n';
    HC3(__HYPERVISOR_console_io, 0 /* CONSOLEIO_write */, n, line);
}

void power_off(unsigned reason)
{
    struct sched_shutdown s = {reason};

    for (;;)
        sched_op(SCHEDOP_shutdown, &s);
}

bool word(const char *name, char *value)
{
    const char *p = (const char *)(uintptr_t)start_info->cmdline_paddr;

    while (p && *p) {
        unsigned n = 0;

        while (name[n] && p[n] == name[n])
            n++;
        if (!name[n] && p[n] == '=') {
            p += n + 1;
            for (n = 0; p[n] && p[n] != ' ' && n < WORD_MAX - 1; n++)
                value[n] = p[n];
            value[n] = 0;
            return true;
        }
        while (*p && *p != ' ')
            p++;
        while (*p == ' ')
            p++;
    }
    return false;
}

uint64_t number(const char *name, uint64_t otherwise)
{
    char value[WORD_MAX];
    uint64_t n = 0;

    if (!word(name, value))
        return otherwise;
    for (const char *s = value; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (uint64_t)(*s - '0');
    return n;
}

/* The RAM that holds the program, from behind it up to whatever comes first. */
static void heap_init(void)
{
    const struct hvm_memmap_table_entry *m = (const void *)(uintptr_t)start_info->memmap_paddr;

    heap = ((uint64_t)(uintptr_t)guest_end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    heap = heap < HEAP_START ? HEAP_START : heap;
    for (unsigned i = 0; i < start_info->memmap_entries; i++)
        if (m[i].type == XEN_HVM_MEMMAP_TYPE_RAM && m[i].addr <= heap &&
            m[i].addr + m[i].size > heap)
            heap_end = m[i].addr + m[i].size;
    if (heap_end == 0)
        heap_end = LEAST_MEMORY; /* Xen gives its hardware domain no map */
}

void *pages_alloc(unsigned n)
{
    uint64_t at = heap;

    if (heap + n * (uint64_t)PAGE > heap_end) {
        say("FAIL runtime: out of memory");
        power_off(SHUTDOWN_crash);
    }
    heap += n * (uint64_t)PAGE;
    return (void *)(uintptr_t)at;
}

void *page_alloc(void)
{
    void *p = free_list;

    if (p)
        free_list = (uint64_t *)(uintptr_t)*free_list;
    else
        p = pages_alloc(1);
    return memset(p, 0, PAGE);
}

void page_free(void *page)
{
    *(uint64_t *)page = (uint64_t)(uintptr_t)free_list;
    free_list = page;
}

uint64_t hole_gfn(unsigned n)
{
    uint64_t at = next_hole;

    next_hole += n;
    return at;
}

void map_4k(uint64_t va, uint64_t pa)
{
    uint64_t *table, cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    table = (uint64_t *)(uintptr_t)(cr3 & ~(uint64_t)(PAGE - 1));
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t *e = &table[va >> shift & 511];

        if (!*e)
            *e = (uint64_t)(uintptr_t)page_alloc() | 7;
        table = (uint64_t *)(uintptr_t)(*e & ~(uint64_t)(PAGE - 1));
    }
    table[va >> 12 & 511] = pa;
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

/* The page that turns a call into a hypercall, whatever the processor: CPUID tells the
 * MSR that writes it (<xen/arch-x86/cpuid.h>). */
static void hypercall_init(void)
{
    for (xen_leaf = 0x40000000; xen_leaf < 0x40010000; xen_leaf += 0x100) {
        struct cpuid c = cpuid(xen_leaf, 0);

        if (c.b == 0x566e6558 && c.c == 0x65584d4d && c.d == 0x4d4d566e) /* XenVMMXenVMM */
            break;
    }
    wrmsr(cpuid(xen_leaf + 2, 0).b, (uint64_t)(uintptr_t)hypercall_page);
}

void play(void); /* acts.c */

void guest_main(const struct hvm_start_info *si)
{
    start_info = si;
    cpu_init(0);
    hypercall_init();
    heap_init();
    event_init();
    event_init_cpu();
    lapic_on();
    irq_on();
    play();
}
