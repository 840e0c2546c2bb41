/* bzImage: finds the compressed kernel in the image and has the port unpack it.
 * Header layout: Linux's boot protocol, "The real-mode kernel header". */
#include "base/bytes.h"
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
    size_t at, len;    /* in the image */
    uint32_t unpacked; /* as the image claims */
};

/*@ requires readable_bytes(p, len);
    assigns \nothing;
    ensures \result ==> len >= 4; */
static bool is_elf(const uint8_t *p, size_t len)
{
    return len >= 4 && bytes_are(p, "\177ELF", 4);
}

/*@ requires len <= INT64_MAX && readable_bytes(p, len) && \valid(out) &&
        \separated(out, p + (0 .. len - 1));
    assigns *out;
    ensures \result == PVH_OK ==> out->len > 4 && out->at + out->len <= len;
    ensures \result == PVH_OK ==> out->unpacked == le32(p + (out->at + out->len - 4)); */
static enum pvh_error find_payload(const uint8_t *p, size_t len, struct payload *out)
{
    uint64_t setup, start, length;

    if (len < BZ_HEADER_END) {
        return len < BZ_MAGIC + 4 || !bytes_are(p + BZ_MAGIC, "HdrS", 4) ? PVH_NOT_A_KERNEL
                                                                         : PVH_TRUNCATED;
    }
    if (read_le16(p + BZ_BOOT_FLAG) != 0xaa55 || !bytes_are(p + BZ_MAGIC, "HdrS", 4) ||
        read_le16(p + BZ_VERSION) < BZ_VERSION_PAYLOAD) {
        return PVH_NOT_A_KERNEL;
    }
    /* A count of zero means four, for old boot loaders' sake. */
    setup = p[BZ_SETUP_SECTS] == 0 ? 4 : p[BZ_SETUP_SECTS];
    start = (setup + 1) * BZ_SECTOR + read_le32(p + BZ_PAYLOAD_OFFSET);
    length = read_le32(p + BZ_PAYLOAD_LENGTH);
    if (length <= 4) {
        return PVH_BAD_COMPRESSION;
    }
    if (start > len || length > len - start) {
        return PVH_TRUNCATED;
    }
    out->at = start;
    out->len = length;
    out->unpacked = read_le32(p + (start + length - 4));
    return PVH_OK;
}

size_t bzimage_unpacked_bound(const uint8_t *kernel, size_t len)
{
    struct payload payload;

    if (is_elf(kernel, len) || find_payload(kernel, len, &payload) != PVH_OK) {
        return 0;
    }
    return payload.unpacked;
}

/*@ requires readable_bytes(in, in_len) && \valid(out + (0 .. cap - 1)) && \valid(n);
    requires \separated(in + (0 .. in_len - 1), out + (0 .. cap - 1), n);
    terminates \true;
    assigns out[0 .. cap - 1], *n; */
static int decompress(const uint8_t *in, size_t in_len, uint8_t *out, size_t cap, size_t *n)
{
    return port_decompress(in, in_len, out, cap, n);
}

/*@ requires len <= INT64_MAX && readable_bytes(kernel, len);
    requires \valid(scratch + (0 .. scratch_cap - 1)) && \valid(elf) && \valid(elf_len);
    requires \separated(kernel + (0 .. len - 1), scratch + (0 .. scratch_cap - 1), elf, elf_len);
    assigns scratch[0 .. scratch_cap - 1], *elf, *elf_len;
    ensures \result == PVH_OK ==> (*elf == kernel && *elf_len == len) ||
        (*elf == scratch && *elf_len <= scratch_cap);
    ensures \result == PVH_OK ==> *elf_len >= 4; */
static enum pvh_error unpack(const uint8_t *kernel, size_t len, uint8_t *scratch,
                             size_t scratch_cap, const uint8_t **elf, size_t *elf_len)
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
    if (kernel[payload.at] != 0x1f || kernel[payload.at + 1] != 0x8b) {
        payload.len -= 4;
    }
    rc = decompress(kernel + payload.at, payload.len, scratch, scratch_cap, &unpacked);
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

enum pvh_error bzimage_unpack(const uint8_t *kernel, size_t len, uint8_t *scratch,
                              size_t scratch_cap, const void **elf, size_t *elf_len)
{
    const uint8_t *found = NULL;
    enum pvh_error error = unpack(kernel, len, scratch, scratch_cap, &found, elf_len);

    if (error == PVH_OK) {
        *elf = found;
    }
    return error;
}
