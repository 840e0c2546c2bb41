/* The multiboot2 information structure (Multiboot2 specification 3.4-3.6).
 * Firmware and loader are not trusted to be tidy: every length is checked. */
#include "bare/bare.h"

#include "base/arith.h"
#include "base/string.h"

#define MB2_MAGIC 0x36d76289u
#define MB2_INFO_MAX (1u << 20)
#define MB2_TAG_END 0u
#define MB2_TAG_CMDLINE 1u
#define MB2_TAG_MMAP 6u
#define MB2_TAG_RSDP_OLD 14u
#define MB2_TAG_RSDP_NEW 15u
#define MB2_MEMORY_AVAILABLE 1u
#define LOW_RESERVED (1u << 20)
#define IDENTITY_END (UINT64_C(4) << 30) /* mapped when this runs */

struct tag {
    uint32_t type, size;
};

struct mmap_tag {
    struct tag tag;
    uint32_t entry_size, entry_version;
};

struct mmap_entry {
    uint64_t addr, len;
    uint32_t type, zero;
};

extern uint8_t image_start[], image_end[];

static void add_range(struct bare_boot *b, uint64_t start, uint64_t end)
{
    if (start < end && b->ram_count < BARE_RANGES_MAX) {
        b->ram[b->ram_count].start = start;
        b->ram[b->ram_count].end = end;
        b->ram_count++;
    }
}

/* Cuts [start, end) out of every range. */
static void exclude(struct bare_boot *b, uint64_t start, uint64_t end)
{
    size_t n = b->ram_count;

    for (size_t i = 0; i < n; i++) {
        struct memory_range *r = &b->ram[i];
        uint64_t old_end = r->end;

        if (r->end <= start || r->start >= end)
            continue;
        r->end = r->start < start ? start : r->start;
        add_range(b, end, old_end);
    }
}

static void read_mmap(const struct mmap_tag *m, struct bare_boot *out)
{
    const uint8_t *p = (const uint8_t *)(m + 1), *end = (const uint8_t *)m + m->tag.size;

    if (m->entry_size < sizeof(struct mmap_entry))
        return;
    for (; (size_t)(end - p) >= m->entry_size; p += m->entry_size) {
        struct mmap_entry e;

        memcpy(&e, p, sizeof(e));
        if (e.type != MB2_MEMORY_AVAILABLE || add_overflows(e.addr, e.len))
            continue;
        add_range(out, e.addr, e.addr + e.len);
        out->highest = max_u64(out->highest, e.addr + e.len);
    }
}

static void read_tag(const struct tag *t, struct bare_boot *out)
{
    switch (t->type) {
    case MB2_TAG_CMDLINE:
        out->cmdline = (const char *)(t + 1);
        break;
    case MB2_TAG_MMAP:
        if (t->size >= sizeof(struct mmap_tag))
            read_mmap((const struct mmap_tag *)t, out);
        break;
    case MB2_TAG_RSDP_OLD:
        if (!out->rsdp)
            out->rsdp = (uint64_t)(uintptr_t)(t + 1) - DIRECTMAP_BASE;
        break;
    case MB2_TAG_RSDP_NEW:
        out->rsdp = (uint64_t)(uintptr_t)(t + 1) - DIRECTMAP_BASE;
        break;
    default:
        break;
    }
}

bool multiboot_parse(uint32_t magic, uint32_t info, struct bare_boot *out)
{
    const uint8_t *base = phys_to_ptr(info), *p;
    uint32_t total;

    if (magic != MB2_MAGIC)
        return false;
    memcpy(&total, base, sizeof(total));
    if (total < 16 || total > MB2_INFO_MAX || info + (uint64_t)total > IDENTITY_END)
        return false;
    for (p = base + 8; (size_t)(base + total - p) >= sizeof(struct tag);) {
        const struct tag *t = (const struct tag *)p;

        if (t->type == MB2_TAG_END)
            break;
        if (t->size < sizeof(*t) || t->size > (size_t)(base + total - p))
            return false;
        read_tag(t, out);
        p += align_up(t->size, 8);
    }
    exclude(out, 0, LOW_RESERVED);
    exclude(out, (uint64_t)(uintptr_t)image_start - IMAGE_BASE,
            (uint64_t)(uintptr_t)image_end - IMAGE_BASE);
    exclude(out, info, info + (uint64_t)total);
    return out->ram_count != 0;
}
