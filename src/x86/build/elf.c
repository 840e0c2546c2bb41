/* ELF kernels, 64- and 32-bit: checks the headers, finds the PVH entry point in
 * the notes, copies the segments. Layouts: System V gABI ch. 4 and 5. */
#include "base/arith.h"
#include "base/bytes.h"
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

/* Offsets. */
enum {
    EI_CLASS = 4,
    EI_DATA = 5,
    EI_VERSION = 6,
    EH_TYPE = 16,
    EH_MACHINE = 18,
    EH_BYTES = 24, /* what both classes share */

    EH64_PHOFF = 32,
    EH64_PHENTSIZE = 54,
    EH64_PHNUM = 56,
    EH64_BYTES = 64,
    EH32_PHOFF = 28,
    EH32_PHENTSIZE = 42,
    EH32_PHNUM = 44,
    EH32_BYTES = 52,

    PH64_OFFSET = 8,
    PH64_PADDR = 24,
    PH64_FILESZ = 32,
    PH64_MEMSZ = 40,
    PH64_BYTES = 56,
    PH32_OFFSET = 4,
    PH32_PADDR = 12,
    PH32_FILESZ = 16,
    PH32_MEMSZ = 20,
    PH32_BYTES = 32,

    NOTE_NAME_LEN = 0,
    NOTE_DESC_LEN = 4,
    NOTE_TYPE = 8,
    NOTE_BYTES = 12,
};

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

/*@ predicate view_ok{L}(struct elf_view *v) = \valid_read(v) &&
        v->len <= INT64_MAX && readable_bytes(v->data, v->len) &&
        1 <= v->phnum <= ELF_MAX_SEGMENTS && v->phentsize >= (v->wide ? PH64_BYTES : PH32_BYTES) &&
        v->phentsize <= UINT16_MAX && v->phoff + v->phnum * v->phentsize <= v->len;
    logic uint8_t *header{L}(struct elf_view *v, integer i) =
        v->data + (v->phoff + i * v->phentsize);
    logic integer ph_type{L}(struct elf_view *v, integer i) = le32(header(v, i));
    logic integer ph_offset{L}(struct elf_view *v, integer i) =
        v->wide ? le64(header(v, i) + PH64_OFFSET) : le32(header(v, i) + PH32_OFFSET);
    logic integer ph_paddr{L}(struct elf_view *v, integer i) =
        v->wide ? le64(header(v, i) + PH64_PADDR) : le32(header(v, i) + PH32_PADDR);
    logic integer ph_filesz{L}(struct elf_view *v, integer i) =
        v->wide ? le64(header(v, i) + PH64_FILESZ) : le32(header(v, i) + PH32_FILESZ);
    logic integer ph_memsz{L}(struct elf_view *v, integer i) =
        v->wide ? le64(header(v, i) + PH64_MEMSZ) : le32(header(v, i) + PH32_MEMSZ);
    predicate ph_loads{L}(struct elf_view *v, integer i) =
        ph_type(v, i) == ELF_PT_LOAD && ph_memsz(v, i) != 0;
    // What is loaded comes from the file and goes to low memory.
    predicate ph_ok{L}(struct elf_view *v, integer i) = ph_loads(v, i) ==>
        ph_filesz(v, i) <= ph_memsz(v, i) && ph_paddr(v, i) + ph_memsz(v, i) <= PVH_LOWMEM_END &&
        ph_offset(v, i) + ph_filesz(v, i) <= v->len;
    predicate ph_apart{L}(struct elf_view *v, integer i, integer j) =
        ph_loads(v, i) && ph_loads(v, j) ==>
            ph_paddr(v, i) + ph_memsz(v, i) <= ph_paddr(v, j) ||
            ph_paddr(v, j) + ph_memsz(v, j) <= ph_paddr(v, i); */

/* Bytes of a table of n entries. */
/*@ requires n <= ELF_MAX_SEGMENTS && size <= UINT16_MAX;
    assigns \nothing;
    ensures \result == n * size && \result <= ELF_MAX_SEGMENTS * UINT16_MAX; */
static uint64_t table_bytes(uint32_t n, uint32_t size)
{
    return (uint64_t)n * size;
}

/* Where in a table of n entries entry i is. */
/*@ requires i < n <= ELF_MAX_SEGMENTS && size <= UINT16_MAX;
    assigns \nothing;
    ensures \result == i * size && \result + size <= n * size; */
static uint64_t entry_at(uint32_t i, uint32_t n, uint32_t size)
{
    uint64_t at = (uint64_t)i * size;

    (void)n;
    /*@ ghost uint32_t k = i + 1;
        /@ loop invariant i < k <= n && i * size + size <= k * size;
           loop assigns k;
           loop variant n - k; @/
        while (k < n) k++; */
    return at;
}

/*@ requires \valid(v) && v->len <= INT64_MAX && readable_bytes(v->data, v->len) &&
        \separated(v, v->data + (0 .. v->len - 1)) && EH_BYTES <= v->len;
    assigns v->phoff, v->phentsize, v->phnum;
    ensures \result == PVH_OK ==> view_ok(v); */
static enum pvh_error read_program_table(struct elf_view *v)
{
    const uint8_t *h = v->data;
    uint32_t least;

    if (v->len < (v->wide ? EH64_BYTES : EH32_BYTES)) {
        return PVH_TRUNCATED;
    }
    if (v->wide) {
        v->phoff = read_le64(h + EH64_PHOFF);
        v->phentsize = read_le16(h + EH64_PHENTSIZE);
        v->phnum = read_le16(h + EH64_PHNUM);
        least = PH64_BYTES;
    } else {
        v->phoff = read_le32(h + EH32_PHOFF);
        v->phentsize = read_le16(h + EH32_PHENTSIZE);
        v->phnum = read_le16(h + EH32_PHNUM);
        least = PH32_BYTES;
    }
    if (v->phentsize < least || v->phnum == 0 || v->phnum > ELF_MAX_SEGMENTS) {
        return PVH_BAD_ELF;
    }
    if (!range_within(v->phoff, table_bytes(v->phnum, v->phentsize), v->len)) {
        return PVH_TRUNCATED;
    }
    return PVH_OK;
}

/*@ requires len <= INT64_MAX && readable_bytes(elf, len) && \valid(v) &&
        \separated(v, elf + (0 .. len - 1));
    assigns *v;
    ensures \result == PVH_OK ==> view_ok(v) && v->data == elf && v->len == len; */
static enum pvh_error elf_open(const uint8_t *elf, size_t len, struct elf_view *v)
{
    uint32_t type, machine;
    bool wide, narrow;

    if (len < 4 || !bytes_are(elf, "\177ELF", 4)) {
        return PVH_NOT_A_KERNEL;
    }
    if (len < EH_BYTES) {
        return PVH_TRUNCATED;
    }
    type = read_le16(elf + EH_TYPE);
    machine = read_le16(elf + EH_MACHINE);
    wide = elf[EI_CLASS] == ELF_CLASS64 && machine == ELF_X86_64;
    narrow = elf[EI_CLASS] == ELF_CLASS32 && (machine == ELF_386 || machine == ELF_X86_64);
    if (elf[EI_DATA] != ELF_LITTLE_ENDIAN || elf[EI_VERSION] != 1 ||
        (type != ELF_EXEC && type != ELF_DYN) || (!wide && !narrow)) {
        return PVH_NOT_A_KERNEL;
    }
    v->data = elf;
    v->len = len;
    v->wide = wide;
    return read_program_table(v);
}

/* Program header i of a checked file, in one shape for both classes. */
/*@ requires view_ok(v) && i < v->phnum;
    assigns \nothing;
    ensures \result.type == ph_type(v, i);
    ensures \result.offset == ph_offset(v, i);
    ensures \result.paddr == ph_paddr(v, i);
    ensures \result.filesz == ph_filesz(v, i);
    ensures \result.memsz == ph_memsz(v, i); */
static struct segment elf_segment(const struct elf_view *v, unsigned i)
{
    const uint8_t *p = v->data + (v->phoff + entry_at(i, v->phnum, v->phentsize));
    struct segment s;

    //@ assert at: p == header(v, i);
    s.type = read_le32(p);
    if (v->wide) {
        s.offset = read_le64(p + PH64_OFFSET);
        s.paddr = read_le64(p + PH64_PADDR);
        s.filesz = read_le64(p + PH64_FILESZ);
        s.memsz = read_le64(p + PH64_MEMSZ);
    } else {
        s.offset = read_le32(p + PH32_OFFSET);
        s.paddr = read_le32(p + PH32_PADDR);
        s.filesz = read_le32(p + PH32_FILESZ);
        s.memsz = read_le32(p + PH32_MEMSZ);
    }
    return s;
}

/*@ requires \valid_read(v);
    assigns \nothing;
    ensures \result <==> s.offset + s.filesz <= v->len; */
static bool in_file(const struct elf_view *v, struct segment s)
{
    return s.offset <= v->len && s.filesz <= v->len - s.offset;
}

/* True iff the segment occupies memory. */
/*@ assigns \nothing;
    ensures \result <==> s.type == ELF_PT_LOAD && s.memsz != 0; */
static bool loads(struct segment s)
{
    return s.type == ELF_PT_LOAD && s.memsz != 0;
}

/* Segments before i are right. */
/*@ requires view_ok(v) && i < v->phnum;
    requires \forall integer j; 0 <= j < i ==> ph_ok(v, j);
    assigns \nothing;
    ensures \result == PVH_OK ==> ph_ok(v, i);
    ensures \result == PVH_OK ==> \forall integer j; 0 <= j < i ==> ph_apart(v, i, j); */
static enum pvh_error check_segment(const struct elf_view *v, unsigned i)
{
    struct segment s = elf_segment(v, i);
    unsigned j;

    if (!loads(s)) {
        return PVH_OK;
    }
    if (s.filesz > s.memsz || !range_within(s.paddr, s.memsz, PVH_LOWMEM_END)) {
        return PVH_BAD_ELF;
    }
    if (!in_file(v, s)) {
        return PVH_TRUNCATED;
    }
    /*@ loop invariant j <= i && \forall integer k; 0 <= k < j ==> ph_apart(v, i, k);
        loop assigns j;
        loop variant i - j; */
    for (j = 0; j < i; j++) {
        struct segment other = elf_segment(v, j);

        if (loads(other) && s.paddr < other.paddr + other.memsz &&
            other.paddr < s.paddr + s.memsz) {
            return PVH_BAD_ELF;
        }
    }
    return PVH_OK;
}

/* n rounded up to the next multiple of four. */
/*@ assigns \nothing;
    ensures n <= \result <= n + 3 && \result % 4 == 0; */
static uint64_t padded(uint32_t n)
{
    return ((uint64_t)n + 3) / 4 * 4;
}

/* Looks for the PVH entry among one segment's notes: a name and a descriptor
 * follow each header, both padded to four bytes. True iff found. */
/*@ requires len <= INT64_MAX && readable_bytes(notes, len) && \valid(entry) &&
        \separated(entry, notes + (0 .. len - 1));
    assigns *entry;
    ensures !\result ==> *entry == \old(*entry); */
static bool find_entry(const uint8_t *notes, uint64_t len, uint64_t *entry)
{
    uint64_t at = 0;

    /*@ loop invariant at <= len;
        loop assigns at;
        loop variant len - at; */
    while (len - at >= NOTE_BYTES) {
        uint32_t name_len = read_le32(notes + at + NOTE_NAME_LEN);
        uint32_t desc_len = read_le32(notes + at + NOTE_DESC_LEN);
        uint64_t name_at = at + NOTE_BYTES, desc_at = name_at + padded(name_len);
        uint64_t next = desc_at + padded(desc_len);

        /* The last descriptor need not be padded. */
        if (desc_at > len || desc_len > len - desc_at) {
            return false;
        }
        if (read_le32(notes + at + NOTE_TYPE) == XEN_ELFNOTE_PHYS32_ENTRY && name_len == 4 &&
            bytes_are(notes + name_at, "Xen", 4)) {
            if (desc_len == sizeof(uint64_t)) {
                *entry = read_le64(notes + desc_at);
                return true;
            }
            if (desc_len == sizeof(uint32_t)) {
                *entry = read_le32(notes + desc_at);
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

/*@ requires view_ok(v) && \valid(entry) && \separated(entry, v->data + (0 .. v->len - 1)) &&
        \separated(entry, v);
    assigns *entry; */
static enum pvh_error entry_of(const struct elf_view *v, uint64_t *entry)
{
    unsigned i;

    /*@ loop invariant i <= v->phnum;
        loop assigns i, *entry;
        loop variant v->phnum - i; */
    for (i = 0; i < v->phnum; i++) {
        struct segment s = elf_segment(v, i);

        if (s.type != ELF_PT_NOTE) {
            continue;
        }
        if (!in_file(v, s)) {
            return PVH_TRUNCATED;
        }
        if (find_entry(v->data + s.offset, s.filesz, entry)) {
            return PVH_OK;
        }
    }
    return PVH_NO_NOTE;
}

enum pvh_error elf_parse(const uint8_t *elf, size_t len, struct elf_image *out)
{
    struct elf_view v;
    uint64_t entry = 0, lowest = UINT64_MAX, highest = 0;
    bool inside = false;
    enum pvh_error error = elf_open(elf, len, &v);
    unsigned i;

    if (error == PVH_OK) {
        error = entry_of(&v, &entry);
    }
    if (error != PVH_OK) {
        return error;
    }
    /*@ loop invariant i <= v.phnum && \forall integer j; 0 <= j < i ==> ph_ok(&v, j);
        loop invariant \forall integer j, k; 0 <= j < k < i ==> ph_apart(&v, k, j);
        loop invariant highest <= PVH_LOWMEM_END;
        loop invariant \forall integer j; 0 <= j < i && ph_loads(&v, j) ==>
            lowest <= ph_paddr(&v, j) && ph_paddr(&v, j) + ph_memsz(&v, j) <= highest;
        loop invariant inside ==> lowest <= entry < highest;
        loop assigns i, lowest, highest, inside, error;
        loop variant v.phnum - i; */
    for (i = 0; i < v.phnum; i++) {
        struct segment s = elf_segment(&v, i);

        error = check_segment(&v, i);
        if (error != PVH_OK) {
            return error;
        }
        if (!loads(s)) {
            continue;
        }
        lowest = min_u64(lowest, s.paddr);
        highest = max_u64(highest, s.paddr + s.memsz);
        inside = inside || (entry >= s.paddr && entry < s.paddr + s.memsz);
    }
    if (!inside) {
        return PVH_BAD_ELF;
    }
    out->pvh_entry = (uint32_t)entry;
    out->lowest = lowest;
    out->highest = highest;
    return PVH_OK;
}

/* Puts a segment where it belongs in the guest's memory, which nothing here reads. */
/*@ requires view_ok(v) && s.offset + s.filesz <= v->len;
    requires s.filesz <= s.memsz && s.paddr + s.memsz <= PVH_LOWMEM_END;
    terminates \true;
    assigns \nothing; */
static int load_segment(struct domain *d, const struct elf_view *v, struct segment s)
{
    int rc = guest_phys_write(d, gaddr(s.paddr), v->data + s.offset, s.filesz);

    return rc != 0 ? rc : guest_phys_zero(d, gaddr(s.paddr + s.filesz), s.memsz - s.filesz);
}

enum pvh_error elf_load(struct domain *d, const uint8_t *elf, size_t len)
{
    struct elf_view v;
    enum pvh_error error = elf_open(elf, len, &v);
    unsigned i;

    if (error != PVH_OK) {
        return error;
    }
    /*@ loop invariant i <= v.phnum && \forall integer j; 0 <= j < i ==> ph_ok(&v, j);
        loop assigns i, error;
        loop variant v.phnum - i; */
    for (i = 0; i < v.phnum; i++) {
        struct segment s = elf_segment(&v, i);

        error = check_segment(&v, i);
        if (error != PVH_OK) {
            return error;
        }
        if (!loads(s)) {
            continue;
        }
        if (load_segment(d, &v, s) != 0) {
            return PVH_BAD_ELF;
        }
    }
    return PVH_OK;
}
