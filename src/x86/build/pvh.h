/* PVH domain builder: from a kernel image to a domain ready to run. Sources:
 * docs/misc/pvh (hvm_start_info), <xen/arch-x86/hvm/start_info.h>,
 * Documentation/x86/boot (bzImage), ELF gABI. Images are hostile input. */
#ifndef CORBEL_X86_BUILD_PVH_H
#define CORBEL_X86_BUILD_PVH_H

#include "base/xen.h"

#include "base/bytes.h"

struct domain;

enum pvh_error {
    PVH_OK,
    PVH_TRUNCATED,       /* image shorter than its headers say */
    PVH_NOT_A_KERNEL,    /* neither ELF nor bzImage */
    PVH_BAD_COMPRESSION, /* payload corrupt or of an unknown format */
    PVH_NO_NOTE,         /* no XEN_ELFNOTE_PHYS32_ENTRY */
    PVH_BAD_ELF,         /* segments overlap, wrap, or lie outside memory */
    PVH_NO_ROOM,         /* memory too small for kernel, initrd and tables */
    PVH_NO_MEMORY,       /* the machine has not enough free memory */
    PVH_BAD_ARGUMENT,
};

/* One sentence for people. */
const char *pvh_error_text(enum pvh_error e);

struct pvh_image {
    const void *kernel;
    size_t kernel_len;
    const void *initrd; /* may be NULL */
    size_t initrd_len;
    const char *cmdline; /* may be NULL */
};

/* bzimage.c: unpacks a bzImage to its ELF through port_decompress(), or passes
 * an ELF on. *elf points into kernel or into scratch. scratch_cap bounds the
 * unpacked size. */
enum pvh_error bzimage_unpack(const uint8_t *kernel, size_t len, uint8_t *scratch,
                              size_t scratch_cap, const void **elf, size_t *elf_len);
/* Upper bound of the unpacked size, from the bzImage header; 0 for an ELF. */
/*@ requires len <= INT64_MAX && readable_bytes(kernel, len);
    assigns \nothing;
    ensures \result <= UINT32_MAX; */
size_t bzimage_unpacked_bound(const uint8_t *kernel, size_t len);

/* elf.c */
struct elf_image {
    uint32_t pvh_entry;       /* from the note */
    uint64_t lowest, highest; /* physical range of its segments */
};
/*@ requires len <= INT64_MAX && readable_bytes(elf, len) && \valid(out);
    assigns *out;
    ensures \result == PVH_OK ==> out->lowest < out->highest <= 0xf0000000 &&
        out->lowest <= out->pvh_entry < out->highest; */
enum pvh_error elf_parse(const uint8_t *elf, size_t len, struct elf_image *out);
/* Copies the segments into guest memory. */
/*@ requires len <= INT64_MAX && readable_bytes(elf, len);
    assigns \nothing; */
enum pvh_error elf_load(struct domain *d, const uint8_t *elf, size_t len);

/* Populates d's memory (mem_bytes, a multiple of 2 MiB preferred; largest
 * leaves that fit; a hole below 4 GiB for devices), loads kernel and initrd,
 * writes start info, memory map and ACPI tables for nr_vcpus, sets up the
 * special pages (console, store, ...) with their HVM params, and gives vCPU 0
 * its start state (docs: 32-bit flat, paging off, ebx = start info). elf is an
 * unpacked image. */
enum pvh_error pvh_build(struct domain *d, const struct pvh_image *image, const void *elf,
                         size_t elf_len, uint64_t mem_bytes, unsigned nr_vcpus);

/* acpi.c: RSDP, XSDT, FADT, MADT, DSDT at guest-physical base; returns the
 * length used, 0 on overflow of cap. buf is the builder's image of that range. */
size_t acpi_build(uint8_t *buf, size_t cap, uint64_t base, unsigned nr_vcpus);

struct mem_region {
    uint64_t start, size;
    uint32_t type; /* XEN_HVM_MEMMAP_TYPE_* */
};
/* e820 of the domain, for start info and XENMEM_memory_map, sorted by address.
 * Returns the number of regions; 0 when cap is too small, mem_bytes is no
 * multiple of 4 KiB, zero, or more than a second-stage table reaches. */
unsigned memmap_build(uint64_t mem_bytes, struct mem_region *out, unsigned cap);

#define PVH_SPECIAL_BASE 0xfeff8000ull /* console, store, ... pages */
#define PVH_SPECIAL_PAGES 8u
#define PVH_ACPI_BASE 0xfc000000ull
#define PVH_ACPI_PAGES 2u
#define PVH_LOWMEM_END 0xf0000000ull /* RAM beyond goes above 4 GiB */
#define PVH_HIGHMEM_BASE 0x100000000ull
#define PVH_REGIONS_MAX 4u    /* entries that memmap_build() makes at most */
#define PVH_CMDLINE_MAX 4096u /* with its NUL */

/* Pages that a domain needs besides its memory: its max_pages must allow for
 * them. */
#define PVH_EXTRA_PAGES (PVH_SPECIAL_PAGES + PVH_ACPI_PAGES)

#endif
