/* ELF kernels, 64- and 32-bit: checks the headers, finds the PVH entry point in
 * the notes, copies the segments. Layouts: System V gABI ch. 4 and 5. */
#include "base/arith.h"
#include "base/string.h"
#include "base/xen.h"

#include <xen/elfnote.h>

#include "core/guest_mem/guest_mem.h"
#include "x86/build/pvh.h"

#define ELF_CLASS32 1u
#define ELF_CLASS64 2u
#define ELF_LITTLE_ENDIAN 1u
#define ELF_EXEC 2u
#define ELF_DYN 3u
#define ELF_386 3u
#define ELF_X86_64 62u
#define ELF_PT_LOAD 1u
#define ELF_PT_NOTE 4u

/* More program headers than any kernel has; bounds the check for overlaps. */
#define ELF_MAX_SEGMENTS 128u

struct elf_ident {
    uint8_t magic[4];
    uint8_t wordsize, endian, version, abi;
    uint8_t pad[8];
    uint16_t type, machine;
    uint32_t file_version;
};

struct elf64_rest {
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf32_rest {
    uint32_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf32_phdr {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

struct elf_note {
    uint32_t name_len, desc_len, type;
};

_Static_assert(sizeof(struct elf_ident) == 24, "gABI: e_ident, e_type, e_machine, e_version");
_Static_assert(sizeof(struct elf64_rest) == 40, "gABI: Elf64_Ehdr is 64 bytes");
_Static_assert(sizeof(struct elf32_rest) == 28, "gABI: Elf32_Ehdr is 52 bytes");
_Static_assert(sizeof(struct elf64_phdr) == 56, "gABI: Elf64_Phdr");
_Static_assert(sizeof(struct elf32_phdr) == 32, "gABI: Elf32_Phdr");

/* A file whose headers have been checked. */
struct elf_view {
    const uint8_t *data;
    size_t len;
    bool wide;
    uint64_t phoff;
    uint32_t phentsize, phnum;
};

struct segment {
    uint32_t type;
    uint64_t offset, paddr, filesz, memsz;
};

static enum pvh_error read_program_table(struct elf_view *v)
{
    const uint8_t *rest = v->data + sizeof(struct elf_ident);
    uint32_t least;

    if (v->wide) {
        struct elf64_rest h;

        if (v->len < sizeof(struct elf_ident) + sizeof(h)) {
            return PVH_TRUNCATED;
        }
        memcpy(&h, rest, sizeof(h));
        v->phoff = h.phoff;
        v->phentsize = h.phentsize;
        v->phnum = h.phnum;
        least = sizeof(struct elf64_phdr);
    } else {
        struct elf32_rest h;

        if (v->len < sizeof(struct elf_ident) + sizeof(h)) {
            return PVH_TRUNCATED;
        }
        memcpy(&h, rest, sizeof(h));
        v->phoff = h.phoff;
        v->phentsize = h.phentsize;
        v->phnum = h.phnum;
        least = sizeof(struct elf32_phdr);
    }
    if (v->phentsize < least || v->phnum == 0 || v->phnum > ELF_MAX_SEGMENTS) {
        return PVH_BAD_ELF;
    }
    if (!range_within(v->phoff, (uint64_t)v->phentsize * v->phnum, v->len)) {
        return PVH_TRUNCATED;
    }
    return PVH_OK;
}

static enum pvh_error elf_open(const void *elf, size_t len, struct elf_view *v)
{
    struct elf_ident id;

    if (len < 4 || memcmp(elf, "\177ELF", 4) != 0) {
        return PVH_NOT_A_KERNEL;
    }
    if (len < sizeof(id)) {
        return PVH_TRUNCATED;
    }
    memcpy(&id, elf, sizeof(id));
    if (id.endian != ELF_LITTLE_ENDIAN || id.version != 1 ||
        (id.type != ELF_EXEC && id.type != ELF_DYN) ||
        !((id.wordsize == ELF_CLASS64 && id.machine == ELF_X86_64) ||
          (id.wordsize == ELF_CLASS32 && (id.machine == ELF_386 || id.machine == ELF_X86_64)))) {
        return PVH_NOT_A_KERNEL;
    }
    v->data = elf;
    v->len = len;
    v->wide = id.wordsize == ELF_CLASS64;
    return read_program_table(v);
}

/* Program header i of a checked file, in one shape for both classes. */
static struct segment elf_segment(const struct elf_view *v, unsigned i)
{
    const uint8_t *p = v->data + v->phoff + (uint64_t)i * v->phentsize;

    if (v->wide) {
        struct elf64_phdr h;

        memcpy(&h, p, sizeof(h));
        return (struct segment){h.type, h.offset, h.paddr, h.filesz, h.memsz};
    } else {
        struct elf32_phdr h;

        memcpy(&h, p, sizeof(h));
        return (struct segment){h.type, h.offset, h.paddr, h.filesz, h.memsz};
    }
}

static bool in_file(const struct elf_view *v, const struct segment *s)
{
    return s->offset <= v->len && s->filesz <= v->len - s->offset;
}

/* True iff the segment occupies memory. */
static bool loads(const struct segment *s)
{
    return s->type == ELF_PT_LOAD && s->memsz != 0;
}

static enum pvh_error check_segment(const struct elf_view *v, unsigned i)
{
    struct segment s = elf_segment(v, i);
    unsigned j;

    if (!loads(&s)) {
        return PVH_OK;
    }
    if (s.filesz > s.memsz || !range_within(s.paddr, s.memsz, PVH_LOWMEM_END)) {
        return PVH_BAD_ELF;
    }
    if (!in_file(v, &s)) {
        return PVH_TRUNCATED;
    }
    for (j = 0; j < i; j++) {
        struct segment other = elf_segment(v, j);

        if (loads(&other) && s.paddr < other.paddr + other.memsz &&
            other.paddr < s.paddr + s.memsz) {
            return PVH_BAD_ELF;
        }
    }
    return PVH_OK;
}

/* Looks for the PVH entry among one segment's notes: a name and a descriptor
 * follow each header, both padded to four bytes. True iff found. */
static bool find_entry(const uint8_t *notes, uint64_t len, uint64_t *entry)
{
    uint64_t at = 0;

    while (len - at >= sizeof(struct elf_note)) {
        struct elf_note note;
        uint64_t name_at = at + sizeof(note), desc_at, next;
        uint32_t narrow;

        memcpy(&note, notes + at, sizeof(note));
        desc_at = name_at + align_up(note.name_len, 4);
        next = desc_at + align_up(note.desc_len, 4);
        /* The last descriptor need not be padded. */
        if (desc_at > len || note.desc_len > len - desc_at) {
            return false;
        }
        if (note.type == XEN_ELFNOTE_PHYS32_ENTRY && note.name_len == 4 &&
            memcmp(notes + name_at, "Xen", 4) == 0) {
            if (note.desc_len == sizeof(uint64_t)) {
                memcpy(entry, notes + desc_at, sizeof(uint64_t));
                return true;
            }
            if (note.desc_len == sizeof(uint32_t)) {
                memcpy(&narrow, notes + desc_at, sizeof(narrow));
                *entry = narrow;
                return true;
            }
        }
        if (next > len) {
            return false;
        }
        at = next;
    }
    return false;
}

static enum pvh_error entry_of(const struct elf_view *v, uint64_t *entry)
{
    unsigned i;

    for (i = 0; i < v->phnum; i++) {
        struct segment s = elf_segment(v, i);

        if (s.type != ELF_PT_NOTE) {
            continue;
        }
        if (!in_file(v, &s)) {
            return PVH_TRUNCATED;
        }
        if (find_entry(v->data + s.offset, s.filesz, entry)) {
            return PVH_OK;
        }
    }
    return PVH_NO_NOTE;
}

enum pvh_error elf_parse(const void *elf, size_t len, struct elf_image *out)
{
    struct elf_view v;
    uint64_t entry = 0, lowest = UINT64_MAX, highest = 0;
    bool inside = false;
    enum pvh_error error = elf_open(elf, len, &v);
    unsigned i;

    if (error == PVH_OK) {
        error = entry_of(&v, &entry);
    }
    for (i = 0; error == PVH_OK && i < v.phnum; i++) {
        struct segment s = elf_segment(&v, i);

        error = check_segment(&v, i);
        if (error != PVH_OK || !loads(&s)) {
            continue;
        }
        lowest = min_u64(lowest, s.paddr);
        highest = max_u64(highest, s.paddr + s.memsz);
        inside = inside || (entry >= s.paddr && entry < s.paddr + s.memsz);
    }
    if (error != PVH_OK) {
        return error;
    }
    if (!inside) {
        return PVH_BAD_ELF;
    }
    out->pvh_entry = (uint32_t)entry;
    out->lowest = lowest;
    out->highest = highest;
    return PVH_OK;
}

enum pvh_error elf_load(struct domain *d, const void *elf, size_t len)
{
    struct elf_view v;
    enum pvh_error error = elf_open(elf, len, &v);
    unsigned i;

    if (error != PVH_OK) {
        return error;
    }
    for (i = 0; i < v.phnum; i++) {
        struct segment s = elf_segment(&v, i);

        error = check_segment(&v, i);
        if (error != PVH_OK) {
            return error;
        }
        if (!loads(&s)) {
            continue;
        }
        if (guest_phys_write(d, gaddr(s.paddr), v.data + s.offset, s.filesz) != 0 ||
            guest_phys_zero(d, gaddr(s.paddr + s.filesz), s.memsz - s.filesz) != 0) {
            return PVH_BAD_ELF;
        }
    }
    return PVH_OK;
}
