/* Decompression of kernel images by the libraries of the machine that the
 * simulator runs on. Every decoder writes into the caller's buffer and stops at
 * its end; what follows a stream in the input is ignored. */
#include "port/image.h"

#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/xen.h"

/* What a hostile xz or lzma header may make the decoder allocate at most. */
#define LZMA_MEMORY_LIMIT (UINT64_C(256) << 20)

/* Legacy lz4 frames (lz4's lz4_Frame_format, "Legacy frame"): the magic number,
 * then blocks of a 32-bit length and as many bytes, each unpacking to 8 MiB
 * save the last. */
#define LZ4_LEGACY_MAGIC 0x184c2102u
#define LZ4_LEGACY_BLOCK (8 << 20)

/* Steps of zlib's 32-bit counters. */
#define ZLIB_STEP (1u << 30)

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int unpack_gzip(const uint8_t *in, size_t in_len, uint8_t *out, size_t cap, size_t *out_len)
{
    z_stream s = {0};
    size_t read = 0, written = 0;
    int rc = Z_OK;

    /* 16: a gzip header and trailer, nothing else. */
    if (inflateInit2(&s, 16 + MAX_WBITS) != Z_OK) {
        return -XEN_EINVAL;
    }
    while (rc == Z_OK) {
        uInt in_step = in_len - read < ZLIB_STEP ? (uInt)(in_len - read) : ZLIB_STEP;
        uInt out_step = cap - written < ZLIB_STEP ? (uInt)(cap - written) : ZLIB_STEP;

        s.next_in = (z_const Bytef *)(in + read);
        s.avail_in = in_step;
        s.next_out = out + written;
        s.avail_out = out_step;
        rc = inflate(&s, Z_NO_FLUSH);
        read += in_step - s.avail_in;
        written += out_step - s.avail_out;
    }
    inflateEnd(&s);
    *out_len = written;
    if (rc == Z_STREAM_END) {
        return 0;
    }
    /* No progress possible: the output is full, or the input ended early. */
    return rc == Z_BUF_ERROR && written == cap ? -XEN_E2BIG : -XEN_EINVAL;
}

/* xz, and with alone the older lzma format. */
static int unpack_lzma(bool alone, const uint8_t *in, size_t in_len, uint8_t *out, size_t cap,
                       size_t *out_len)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_ret rc = alone ? lzma_alone_decoder(&s, LZMA_MEMORY_LIMIT)
                        : lzma_stream_decoder(&s, LZMA_MEMORY_LIMIT, 0);

    if (rc != LZMA_OK) {
        return -XEN_EINVAL;
    }
    s.next_in = in;
    s.avail_in = in_len;
    s.next_out = out;
    s.avail_out = cap;
    while (rc == LZMA_OK) {
        rc = lzma_code(&s, LZMA_RUN);
    }
    *out_len = cap - s.avail_out;
    if (rc == LZMA_BUF_ERROR && s.avail_out == 0) {
        rc = LZMA_PROG_ERROR;
    }
    lzma_end(&s);
    if (rc == LZMA_STREAM_END) {
        return 0;
    }
    return rc == LZMA_PROG_ERROR ? -XEN_E2BIG : -XEN_EINVAL;
}

static int unpack_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t cap, size_t *out_len)
{
    size_t frame = ZSTD_findFrameCompressedSize(in, in_len);
    size_t n;

    if (ZSTD_isError(frame)) {
        return -XEN_EINVAL;
    }
    n = ZSTD_decompress(out, cap, in, frame);
    if (!ZSTD_isError(n)) {
        *out_len = n;
        return 0;
    }
    return ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall ? -XEN_E2BIG : -XEN_EINVAL;
}

/* One block; its unpacked length, or an error. */
static int unpack_lz4_block(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
    const char *src = (const char *)in;
    int want = room < LZ4_LEGACY_BLOCK ? (int)room : LZ4_LEGACY_BLOCK;
    int n;

    if (len > (size_t)LZ4_compressBound(LZ4_LEGACY_BLOCK)) {
        return -XEN_EINVAL;
    }
    n = LZ4_decompress_safe(src, (char *)out, (int)len, want);
    if (n >= 0) {
        return n;
    }
    /* Corrupt, or too long for the rest of the buffer? */
    if (want < LZ4_LEGACY_BLOCK &&
        LZ4_decompress_safe_partial(src, (char *)out, (int)len, want, want) == want) {
        return -XEN_E2BIG;
    }
    return -XEN_EINVAL;
}

static int unpack_lz4(const uint8_t *in, size_t in_len, uint8_t *out, size_t cap, size_t *out_len)
{
    size_t at = 4, written = 0;

    while (in_len - at >= 4) {
        uint32_t len = read_u32(in + at);
        int n;

        at += 4;
        if (len == LZ4_LEGACY_MAGIC) {
            continue;
        }
        if (len == 0 || len > in_len - at) {
            return -XEN_EINVAL;
        }
        n = unpack_lz4_block(in + at, len, out + written, cap - written);
        if (n < 0) {
            return n;
        }
        at += len;
        written += (size_t)n;
    }
    if (at != in_len || written == 0) {
        return -XEN_EINVAL;
    }
    *out_len = written;
    return 0;
}

int port_decompress(const void *in, size_t in_len, void *out, size_t cap, size_t *out_len)
{
    const uint8_t *p = in;

    *out_len = 0;
    if (in_len < 6) {
        return -XEN_EINVAL;
    }
    if (p[0] == 0x1f && p[1] == 0x8b) {
        return unpack_gzip(p, in_len, out, cap, out_len);
    }
    if (memcmp(p,
               "\xfd"
               "7zXZ",
               6) == 0) {
        return unpack_lzma(false, p, in_len, out, cap, out_len);
    }
    /* Properties byte lc=3 lp=0 pb=2, then a dictionary size that is a multiple
     * of 256: what lzma-utils write. */
    if (p[0] == 0x5d && p[1] == 0 && in_len >= 13) {
        return unpack_lzma(true, p, in_len, out, cap, out_len);
    }
    if (read_u32(p) == ZSTD_MAGICNUMBER) {
        return unpack_zstd(p, in_len, out, cap, out_len);
    }
    if (read_u32(p) == LZ4_LEGACY_MAGIC) {
        return unpack_lz4(p, in_len, out, cap, out_len);
    }
    /* bzip2 and lzo are formats of kernels too, but no library is here for them. */
    if (memcmp(p, "BZh", 3) == 0 || memcmp(p, "\x89LZO", 4) == 0) {
        return -XEN_ENOSYS;
    }
    return -XEN_EINVAL;
}
