/* Kernel images made by hand for the builder's tests. */
#ifndef CORBEL_TESTS_MAKE_IMAGE_H
#define CORBEL_TESTS_MAKE_IMAGE_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#include <xen/elfnote.h>

#define MAKE_ENTRY 0x1000040u
#define MAKE_LOAD 0x1000000u
#define MAKE_SIZE 0x1000u  /* of the whole file */
#define MAKE_NOTE 0x200u   /* file offset of the note segment */
#define MAKE_TEXT 0x400u   /* file offset of the loaded bytes */
#define MAKE_FILESZ 0x800u /* of the loaded segment */
#define MAKE_MEMSZ 0x3000u

struct make_elf64 {
    Elf64_Ehdr h;
    Elf64_Phdr load, note, load2;
};

static inline struct make_elf64 *make_headers(uint8_t *image)
{
    return (struct make_elf64 *)image;
}

/* One Xen note with a 32-bit or a 64-bit descriptor; its length. */
static inline size_t make_note(uint8_t *p, uint32_t type, uint64_t value, uint32_t desc_len)
{
    Elf64_Nhdr n = {4, desc_len, type};

    memcpy(p, &n, sizeof(n));
    memcpy(p + sizeof(n), "Xen", 4);
    memcpy(p + sizeof(n) + 4, &value, desc_len);
    return sizeof(n) + 4 + desc_len;
}

/* A 64-bit kernel of MAKE_SIZE bytes: one segment of text at MAKE_LOAD, notes,
 * and a third header of type PT_NULL for tests to use. */
static inline void make_elf(uint8_t *image)
{
    struct make_elf64 *m = make_headers(image);
    size_t i, n;

    memset(image, 0, MAKE_SIZE);
    memcpy(m->h.e_ident, ELFMAG, SELFMAG);
    m->h.e_ident[EI_CLASS] = ELFCLASS64;
    m->h.e_ident[EI_DATA] = ELFDATA2LSB;
    m->h.e_ident[EI_VERSION] = EV_CURRENT;
    m->h.e_type = ET_EXEC;
    m->h.e_machine = EM_X86_64;
    m->h.e_version = EV_CURRENT;
    m->h.e_phoff = sizeof(m->h);
    m->h.e_ehsize = sizeof(m->h);
    m->h.e_phentsize = sizeof(Elf64_Phdr);
    m->h.e_phnum = 3;
    m->load = (Elf64_Phdr){.p_type = PT_LOAD,
                           .p_offset = MAKE_TEXT,
                           .p_vaddr = 0xffffffff80000000 + MAKE_LOAD,
                           .p_paddr = MAKE_LOAD,
                           .p_filesz = MAKE_FILESZ,
                           .p_memsz = MAKE_MEMSZ};
    n = make_note(image + MAKE_NOTE, XEN_ELFNOTE_HYPERCALL_PAGE, 0xffffffff81002000, 8);
    n += make_note(image + MAKE_NOTE + n, XEN_ELFNOTE_PHYS32_ENTRY, MAKE_ENTRY, 4);
    m->note = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = MAKE_NOTE, .p_filesz = n};
    for (i = 0; i < MAKE_FILESZ; i++) {
        image[MAKE_TEXT + i] = (uint8_t)(i * 7 + 1);
    }
}

/* The same as a 32-bit kernel. */
static inline void make_elf32(uint8_t *image)
{
    Elf32_Ehdr h = {.e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT};
    Elf32_Phdr p[2] = {{.p_type = PT_NOTE, .p_offset = MAKE_NOTE},
                       {.p_type = PT_LOAD,
                        .p_offset = MAKE_TEXT,
                        .p_paddr = MAKE_LOAD,
                        .p_filesz = MAKE_FILESZ,
                        .p_memsz = MAKE_MEMSZ}};

    make_elf(image);
    memset(image, 0, MAKE_NOTE + 0x40);
    memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS32;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    h.e_ident[EI_VERSION] = EV_CURRENT;
    h.e_phoff = sizeof(h);
    h.e_phentsize = sizeof(p[0]);
    h.e_phnum = 2;
    p[0].p_filesz = (uint32_t)make_note(image + MAKE_NOTE, XEN_ELFNOTE_PHYS32_ENTRY, MAKE_ENTRY, 8);
    memcpy(image, &h, sizeof(h));
    memcpy(image + sizeof(h), p, sizeof(p));
}

#define MAKE_BZ_SETUP 2048u /* bytes before the protected-mode part: 3 sectors and the first */
#define MAKE_BZ_PAYLOAD 0x80u

/* A bzImage around a payload that already ends with its unpacked size. Returns
 * the image's length. */
static inline size_t make_bzimage(uint8_t *image, const void *payload, uint32_t len)
{
    uint32_t offset = MAKE_BZ_PAYLOAD;

    memset(image, 0, MAKE_BZ_SETUP + offset);
    image[0x1f1] = MAKE_BZ_SETUP / 512 - 1;
    image[0x1fe] = 0x55;
    image[0x1ff] = 0xaa;
    memcpy(image + 0x202, "HdrS", 4);
    image[0x206] = 0x0f;
    image[0x207] = 0x02;
    memcpy(image + 0x248, &offset, 4);
    memcpy(image + 0x24c, &len, 4);
    memcpy(image + MAKE_BZ_SETUP + offset, payload, len);
    return MAKE_BZ_SETUP + offset + len;
}

#endif
