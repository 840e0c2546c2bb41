/* Kernel images unpacked by the static libraries that are linked into the image
 * (liblzma, zlib, zstd, lz4; boot/CMakeLists.txt). They are user-space code: they
 * use SSE registers, which nothing else in the hypervisor does; they read their
 * stack guard at %fs:0x28; and they ask for memory, which is the heap's and is
 * all given back before this returns. Guests' floating-point state is not held
 * in the registers while guests are built. */
#include "bare/bare.h"
#include "bare/guest.h"

#include "base/atomic.h"
#include "base/string.h"
#include "base/xen.h"
#include "core/console/console.h"
#include "core/mem/page_alloc.h"
#include "port/image.h"
#include "port/power.h"

#define BLOCKS_MAX 64u
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define MSR_FS_BASE 0xc0000100u
#define GUARD_WORDS 8u /* %fs:0x28 is the fifth from 0 */

/* hostsim/world/image.c under this name: the same source serves both ports. */
int image_decompress(const void *in, size_t in_len, void *out, size_t cap, size_t *out_len);

/* corbel.lds: what the libraries want called before anything of theirs. */
typedef void constructor(void);
extern constructor *const image_constructors[], *const image_constructors_end[];

/* What the libraries expect of a C library. */
void *malloc(size_t n);
void *calloc(size_t count, size_t n);
void free(void *p);
_Noreturn void __stack_chk_fail(void);

static struct block {
    void *p; /* NULL: unused */
    unsigned order;
} blocks[BLOCKS_MAX];
static unsigned blocks_used;
static bool discarded;

void *malloc(size_t n)
{
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        if (!blocks[i].p) {
            blocks[i].order = order_of_bytes(n == 0 ? 1 : n);
            blocks[i].p = blocks[i].order > FRAME_ORDER_MAX
                              ? NULL
                              : hyp_pages_alloc(NULL, blocks[i].order, FRAME_HYP);
            blocks_used += blocks[i].p != NULL;
            return blocks[i].p;
        }
    }
    return NULL;
}

void *calloc(size_t count, size_t n)
{
    if (n != 0 && count > SIZE_MAX / n)
        return NULL;
    count *= n;
    return malloc(count != 0 ? count : 1); /* the heap's pages come zeroed */
}

void free(void *p)
{
    for (unsigned i = 0; p && i < BLOCKS_MAX; i++) {
        if (blocks[i].p == p) {
            hyp_pages_free(p, blocks[i].order);
            blocks[i].p = NULL;
            blocks_used--;
            return;
        }
    }
}

_Noreturn void __stack_chk_fail(void)
{
    port_panic("a decompressor overran its stack");
}

bool unpack_all_returned(void)
{
    return blocks_used == 0;
}

void unpack_discard(void)
{
    if (discarded)
        return;
    if (smp_hold(true)) {
        paging_discard(image_text_end, image_unpack_end);
        discarded = true;
    }
    smp_hold(false);
    for (const uint8_t *p = image_text_end; discarded && p < image_unpack_end; p += PAGE_SIZE)
        hyp_pages_free(phys_to_ptr(image_phys(p)), 0);
    if (discarded)
        hv_log(2, "decompressors: %lu KiB of the image given back",
               (uint64_t)(image_unpack_end - image_text_end) >> 10);
}

/* One caller at a time: guests are built by CPU 0. */
int port_decompress(const void *in, size_t in_len, void *out, size_t cap, size_t *out_len)
{
    static uint64_t guard[GUARD_WORDS];
    static bool constructed;
    uint64_t cr0 = read_cr0(), cr4 = read_cr4(), fs = rdmsr(MSR_FS_BASE);
    int rc;

    if (discarded)
        return -XEN_ENOSYS;
    guest_fpu_release(); /* the libraries use SSE */
    guard[5] = rdtsc() & ~UINT64_C(0xff);
    wrmsr(MSR_FS_BASE, (uint64_t)(uintptr_t)guard);
    write_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
    write_cr0((cr0 | CR0_MP) & ~(CR0_EM | CR0_TS));
    if (!constructed) {
        for (constructor *const *c = image_constructors; c < image_constructors_end; c++)
            (*c)();
        constructed = true;
    }
    rc = image_decompress(in, in_len, out, cap, out_len);
    write_cr0(cr0);
    write_cr4(cr4);
    wrmsr(MSR_FS_BASE, fs);
    for (unsigned i = 0; i < BLOCKS_MAX; i++)
        free(blocks[i].p);
    return rc;
}
