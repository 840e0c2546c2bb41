/* Finding, at start-up, where Unicorn's saved context keeps the fields that its
 * public API does not reach: hidden segment state, mode flags, and the pending
 * exception. Each is found by values that only it can hold, and exactly one
 * candidate is demanded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hostsim/engine/unicorn_guest.h"
#include "hostsim/world/world.h"

#define SCRATCH_BYTES (64u << 10)
#define SELECTOR_A 0x1238u
#define SELECTOR_B 0x2340u
#define HFLAGS_LONG ((1u << 7) | (1u << 14) | (1u << 15)) /* PE, LMA, CS64 */

static struct engine_layout layout;

const struct engine_layout *engine_layout(void)
{
    return &layout;
}

struct image {
    uint8_t *bytes;
    size_t len;
};

static uc_engine *scratch_open(uint8_t *ram)
{
    uc_engine *uc;

    if (uc_open(UC_ARCH_X86, UC_MODE_64, &uc) != UC_ERR_OK)
        return NULL;
    uc_ctl_set_cpu_model(uc, UC_CPU_X86_EPYC);
    if (uc_mem_map_ptr(uc, 0, SCRATCH_BYTES, UC_PROT_ALL, ram) != UC_ERR_OK) {
        uc_close(uc);
        return NULL;
    }
    return uc;
}

static void on_exception(uc_engine *uc, uint32_t vector, void *arg)
{
    (void)vector;
    (void)arg;
    uc_emu_stop(uc);
}

static bool image_take(uc_engine *uc, struct image *out)
{
    uc_context *ctx;

    if (uc_context_alloc(uc, &ctx) != UC_ERR_OK)
        return false;
    uc_context_save(uc, ctx);
    out->len = uc_context_size(uc);
    out->bytes = malloc(out->len);
    if (out->bytes)
        memcpy(out->bytes, ctx, out->len);
    uc_context_free(ctx);
    return out->bytes != NULL;
}

/* An engine's context after a #GP for the given selector; 0: before any. */
static bool image_of_fault(uint8_t *ram, uint16_t selector, struct image *out)
{
    static const uint8_t code[] = {0xb8, 0, 0, 0xad, 0xde, 0x8e, 0xd8}; /* mov eax; mov ds,eax */
    uc_engine *uc = scratch_open(ram);
    uc_hook hook;
    bool ok;

    if (!uc)
        return false;
    memcpy(ram + 0x1000, code, sizeof(code));
    memcpy(ram + 0x1001, &selector, sizeof(selector));
    uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *)on_exception, NULL, 1, 0);
    if (selector)
        uc_emu_start(uc, 0x1000, 0, 0, 0);
    ok = image_take(uc, out);
    uc_close(uc);
    return ok;
}

static uint32_t word_at(const struct image *i, size_t at)
{
    uint32_t v;

    memcpy(&v, i->bytes + at, sizeof(v));
    return v;
}

static bool find_exception_fields(uint8_t *ram)
{
    struct image before = {0}, a = {0}, b = {0};
    unsigned errors = 0, olds = 0;
    bool ok = image_of_fault(ram, 0, &before) && image_of_fault(ram, SELECTOR_A, &a) &&
              image_of_fault(ram, SELECTOR_B, &b);

    for (size_t i = 0; ok && i + 4 <= before.len; i += 4) {
        if (word_at(&a, i) == SELECTOR_A && word_at(&b, i) == SELECTOR_B) {
            layout.error_code = i;
            errors++;
        }
        if (word_at(&before, i) == UINT32_MAX && word_at(&a, i) == 13 && word_at(&b, i) == 13) {
            layout.exception = i;
            olds++;
        }
    }
    free(before.bytes);
    free(a.bytes);
    free(b.bytes);
    return ok && errors == 1 && olds == 1;
}

/* Offset of the only 8-byte value v, or 0 when there is none or more. */
static size_t find_u64(const struct image *i, uint64_t v)
{
    size_t found = 0;

    for (size_t at = 4; at + 8 <= i->len; at += 4) {
        if (memcmp(i->bytes + at, &v, 8) != 0)
            continue;
        if (found)
            return 0;
        found = at;
    }
    return found;
}

static bool find_registers(uint8_t *ram)
{
    uint64_t rax = 0x1122334455667788, rcx = 0x99aabbccddeeff01;
    uint64_t fs = 0xffff8123456789a0, gs = 0xffff8fedcba98760;
    uc_engine *uc = scratch_open(ram);
    struct image image = {0};
    unsigned candidates = 0;
    size_t at_rax, at_fs;

    if (!uc)
        return false;
    uc_reg_write(uc, UC_X86_REG_RAX, &rax);
    uc_reg_write(uc, UC_X86_REG_RCX, &rcx);
    uc_reg_write(uc, UC_X86_REG_FS_BASE, &fs);
    uc_reg_write(uc, UC_X86_REG_GS_BASE, &gs);
    if (!image_take(uc, &image)) {
        uc_close(uc);
        return false;
    }
    uc_close(uc);
    at_rax = find_u64(&image, rax);
    at_fs = find_u64(&image, fs);
    if (at_rax && find_u64(&image, rcx) == at_rax + 8 && at_fs > 4 * 24 &&
        find_u64(&image, gs) == at_fs + 24) {
        layout.regs = at_rax;
        layout.segs = at_fs - 8 - 4 * 24; /* ES is the first, FS the fifth */
        for (size_t i = layout.regs + 16 * 8; i + 4 <= layout.segs; i += 4) {
            if ((word_at(&image, i) & HFLAGS_LONG) == HFLAGS_LONG) {
                layout.hflags = i;
                candidates++;
            }
        }
    }
    free(image.bytes);
    return candidates == 1;
}

int engine_calibrate(void)
{
    uint8_t *ram;
    bool ok;

    ram = mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ram == MAP_FAILED)
        return -1;
    ok = find_exception_fields(ram) && find_registers(ram);
    munmap(ram, SCRATCH_BYTES);
    if (!ok) {
        fprintf(stderr, "corbel-sim: this libunicorn keeps its CPU state in an unknown way; "
                        "versions 2.1.1 to 2.1.4 are known to work\n");
        return -1;
    }
    return 0;
}
