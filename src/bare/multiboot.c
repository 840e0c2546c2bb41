/* The multiboot2 information structure (Multiboot2 specification 3.4-3.6).
 * Firmware and loader are not trusted to be tidy: every length is checked. */
#include "bare/bare.h"

#include "base/arith.h"
#include "base/string.h"

#define MB2_MAGIC 0x36d76289u
#define MB2_INFO_MAX (1u << 20)
#define MB2_TAG_END 0u
#define MB2_TAG_CMDLINE 1u
#define MB2_TAG_MODULE 3u
#define MB2_TAG_MMAP 6u
#define MB2_TAG_EFI64 12u
#define MB2_TAG_RSDP_OLD 14u
#define MB2_TAG_RSDP_NEW 15u
#define MB2_MEMORY_AVAILABLE 1u
#define RSDP_OLD_BYTES 20u
#define RSDP_NEW_BYTES 36u
#define LOW_RESERVED (1u << 20)
#define LOW_MEMORY_END 0xa0000u
#define LOW_MEMORY_START 0x1000u
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

struct module_tag {
    struct tag tag;
    uint32_t start, end;
};

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

void multiboot_limit(struct bare_boot *b, uint64_t end)
{
    exclude(b, end, UINT64_MAX);
}

/* Adds the entries that are RAM, or takes away those that are not: firmware may
 * list both for the same addresses. What is not RAM loses its partial pages. */
static void read_mmap(const struct mmap_tag *m, bool ram, struct bare_boot *out)
{
    const uint8_t *p = (const uint8_t *)(m + 1), *end = (const uint8_t *)m + m->tag.size;

    if (m->tag.size < sizeof(*m) || m->entry_size < sizeof(struct mmap_entry))
        return;
    for (; (size_t)(end - p) >= m->entry_size; p += m->entry_size) {
        struct mmap_entry e;

        memcpy(&e, p, sizeof(e));
        if (add_overflows(e.addr, e.len) || (e.type == MB2_MEMORY_AVAILABLE) != ram)
            continue;
        exclude(out, e.addr, e.addr + e.len);
        if (ram)
            add_range(out, e.addr, e.addr + e.len);
    }
}

static void read_rsdp(const struct tag *t, uint32_t bytes, struct bare_boot *out)
{
    if (t->size - sizeof(*t) < bytes || out->rsdp_bytes > bytes)
        return;
    out->rsdp = (uint64_t)(uintptr_t)(t + 1) - DIRECTMAP_BASE;
    out->rsdp_bytes = bytes;
}

/* A module's text ends in a NUL within the tag. What lies where the direct map
 * does not reach cannot be read. */
static void read_module(const struct module_tag *m, struct bare_boot *out)
{
    const char *text = (const char *)(m + 1);
    struct bare_module *b = &out->modules[out->module_count];
    size_t room;

    if (m->tag.size < sizeof(*m) || m->start >= m->end)
        return;
    room = m->tag.size - sizeof(*m);
    if (out->module_count == BARE_MODULES_MAX || str_len_max(text, room) == room) {
        out->modules_lost++;
        return;
    }
    b->data = phys_to_ptr(m->start);
    b->len = m->end - m->start;
    b->cmdline = text;
    out->module_count++;
}

static void read_tag(const struct tag *t, struct bare_boot *out)
{
    const char *text = (const char *)(t + 1);

    switch (t->type) {
    case MB2_TAG_CMDLINE:
        if (str_len_max(text, t->size - sizeof(*t)) < t->size - sizeof(*t))
            out->cmdline = text;
        break;
    case MB2_TAG_MODULE:
        read_module((const struct module_tag *)t, out);
        break;
    case MB2_TAG_MMAP:
        read_mmap((const struct mmap_tag *)t, true, out);
        break;
    case MB2_TAG_EFI64:
        out->efi = true;
        break;
    case MB2_TAG_RSDP_OLD:
        read_rsdp(t, RSDP_OLD_BYTES, out);
        break;
    case MB2_TAG_RSDP_NEW:
        read_rsdp(t, RSDP_NEW_BYTES, out);
        break;
    default:
        break;
    }
}

/* What is in use, once all RAM is known. */
static void read_holes(const struct tag *t, struct bare_boot *out)
{
    const struct module_tag *m = (const struct module_tag *)t;

    if (t->type == MB2_TAG_MMAP)
        read_mmap((const struct mmap_tag *)t, false, out);
    else if (t->type == MB2_TAG_MODULE && t->size >= sizeof(*m) && m->start < m->end)
        exclude(out, m->start, m->end);
}

/* Gives each tag of the information structure to read; false when one does not
 * fit into it. */
static bool walk(const uint8_t *base, uint32_t total, bool holes, struct bare_boot *out)
{
    uint64_t at = 8;

    while (at + sizeof(struct tag) <= total) {
        const struct tag *t = (const struct tag *)(base + at);

        if (t->type == MB2_TAG_END)
            break;
        if (t->size < sizeof(*t) || t->size > total - at)
            return false;
        if (holes)
            read_holes(t, out);
        else
            read_tag(t, out);
        at += align_up(t->size, 8);
    }
    return true;
}

/* The highest whole page of RAM below 640 KiB: firmware's own data are rather at
 * the start. The page right below the end may be firmware's, too, without saying. */
static uint64_t find_low_page(const struct bare_boot *b)
{
    uint64_t best = 0;

    for (size_t i = 0; i < b->ram_count; i++) {
        uint64_t start = max_u64(align_up(b->ram[i].start, PAGE_SIZE), LOW_MEMORY_START);
        uint64_t end = min_u64(align_down(b->ram[i].end, PAGE_SIZE), LOW_MEMORY_END);

        if (start < end)
            best = max_u64(best, end - PAGE_SIZE);
    }
    return best;
}

bool multiboot_parse(uint32_t magic, uint32_t info, struct bare_boot *out)
{
    const uint8_t *base = phys_to_ptr(info);
    uint32_t total;

    out->cmdline = "";
    if (magic != MB2_MAGIC)
        return false;
    memcpy(&total, base, sizeof(total));
    if (total < 16 || total > MB2_INFO_MAX || info + (uint64_t)total > IDENTITY_END)
        return false;
    if (!walk(base, total, false, out) || !walk(base, total, true, out))
        return false;
    exclude(out, image_phys(image_start), image_phys(image_end));
    exclude(out, info, info + (uint64_t)total);
    out->low_page = find_low_page(out);
    exclude(out, 0, LOW_RESERVED);
    return out->ram_count != 0;
}
