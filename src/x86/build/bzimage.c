/* bzImage: finds the compressed kernel in the image and has the port unpack it.
 * Header layout: Linux's boot protocol, "The real-mode kernel header". */
#include "base/string.h"
#include "base/xen.h"

#include "port/image.h"
#include "x86/build/pvh.h"

/* Offsets in the image. */
#define BZ_SETUP_SECTS 0x1f1u
#define BZ_BOOT_FLAG 0x1feu
#define BZ_MAGIC 0x202u
#define BZ_VERSION 0x206u
#define BZ_PAYLOAD_OFFSET 0x248u
#define BZ_PAYLOAD_LENGTH 0x24cu
#define BZ_HEADER_END 0x250u

#define BZ_SECTOR 512u
#define BZ_VERSION_PAYLOAD 0x0208u /* first version that tells where the payload is */

struct payload {
    const uint8_t *data;
    size_t len;
    uint32_t unpacked; /* as the image claims */
};

static uint16_t read_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)read_u16(p) | (uint32_t)read_u16(p + 2) << 16;
}

static bool is_elf(const uint8_t *p, size_t len)
{
    return len >= 4 && memcmp(p, "\177ELF", 4) == 0;
}

static enum pvh_error find_payload(const uint8_t *p, size_t len, struct payload *out)
{
    uint64_t setup, start, length;

    if (len < BZ_HEADER_END) {
        return len < BZ_MAGIC + 4 || memcmp(p + BZ_MAGIC, "HdrS", 4) != 0 ? PVH_NOT_A_KERNEL
                                                                          : PVH_TRUNCATED;
    }
    if (read_u16(p + BZ_BOOT_FLAG) != 0xaa55 || memcmp(p + BZ_MAGIC, "HdrS", 4) != 0 ||
        read_u16(p + BZ_VERSION) < BZ_VERSION_PAYLOAD) {
        return PVH_NOT_A_KERNEL;
    }
    /* A count of zero means four, for old boot loaders' sake. */
    setup = p[BZ_SETUP_SECTS] == 0 ? 4 : p[BZ_SETUP_SECTS];
    start = (setup + 1) * BZ_SECTOR + read_u32(p + BZ_PAYLOAD_OFFSET);
    length = read_u32(p + BZ_PAYLOAD_LENGTH);
    if (length <= 4) {
        return PVH_BAD_COMPRESSION;
    }
    if (start > len || length > len - start) {
        return PVH_TRUNCATED;
    }
    out->data = p + start;
    out->len = length;
    out->unpacked = read_u32(p + start + length - 4);
    return PVH_OK;
}

size_t bzimage_unpacked_bound(const void *kernel, size_t len)
{
    struct payload payload;

    if (is_elf(kernel, len) || find_payload(kernel, len, &payload) != PVH_OK) {
        return 0;
    }
    return payload.unpacked;
}

enum pvh_error bzimage_unpack(const void *kernel, size_t len, void *scratch, size_t scratch_cap,
                              const void **elf, size_t *elf_len)
{
    struct payload payload;
    enum pvh_error error;
    size_t unpacked = 0;
    int rc;

    if (is_elf(kernel, len)) {
        *elf = kernel;
        *elf_len = len;
        return PVH_OK;
    }
    error = find_payload(kernel, len, &payload);
    if (error != PVH_OK) {
        return error;
    }
    /* Four bytes of size follow the stream. In gzip they belong to the stream
     * itself (ISIZE, RFC 1952), in all other formats the kernel's build adds
     * them. */
    if (payload.data[0] != 0x1f || payload.data[1] != 0x8b) {
        payload.len -= 4;
    }
    rc = port_decompress(payload.data, payload.len, scratch, scratch_cap, &unpacked);
    if (rc == -XEN_E2BIG) {
        return PVH_NO_ROOM;
    }
    if (rc != 0 || unpacked > scratch_cap) {
        return PVH_BAD_COMPRESSION;
    }
    if (!is_elf(scratch, unpacked)) {
        return PVH_NOT_A_KERNEL;
    }
    *elf = scratch;
    *elf_len = unpacked;
    return PVH_OK;
}
