/* bzimage.c over the hosted decompressors: each format, damage and truncation. */
#include "tests/unit/fixture.h"

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "port/image.h"
#include "tests/unit/build/make_image.h"
#include "x86/build/pvh.h"

#define PLAIN_LEN (64u << 10)

static uint8_t plain[PLAIN_LEN], packed[2 * PLAIN_LEN], image[3 * PLAIN_LEN];
static uint8_t scratch[PLAIN_LEN + 16];

static void setup(void)
{
    uint32_t x = 1;

    make_elf(plain);
    for (size_t i = MAKE_SIZE; i < PLAIN_LEN; i++) {
        x = x * 1103515245 + 12345;
        plain[i] = (uint8_t)((x >> 16) & 0x13);
    }
}

static size_t add_size(size_t len)
{
    uint32_t size = PLAIN_LEN;

    memcpy(packed + len, &size, 4);
    return len + 4;
}

static size_t pack_gzip(void)
{
    z_stream s = {.next_in = plain, .avail_in = PLAIN_LEN, .next_out = packed};

    s.avail_out = sizeof(packed);
    ck_assert_int_eq(deflateInit2(&s, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&s, Z_FINISH), Z_STREAM_END);
    deflateEnd(&s);
    return s.total_out; /* ends with ISIZE */
}

static size_t pack_xz(void)
{
    size_t at = 0;

    ck_assert_int_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, plain, PLAIN_LEN, packed,
                                             &at, sizeof(packed)),
                     LZMA_OK);
    return add_size(at);
}

static size_t pack_lzma(void)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_options_lzma o;

    ck_assert_int_eq(lzma_lzma_preset(&o, 1), 0);
    ck_assert_int_eq(lzma_alone_encoder(&s, &o), LZMA_OK);
    s.next_in = plain;
    s.avail_in = PLAIN_LEN;
    s.next_out = packed;
    s.avail_out = sizeof(packed);
    ck_assert_int_eq(lzma_code(&s, LZMA_FINISH), LZMA_STREAM_END);
    lzma_end(&s);
    return add_size((size_t)s.total_out);
}

static size_t pack_zstd(void)
{
    size_t n = ZSTD_compress(packed, sizeof(packed), plain, PLAIN_LEN, 3);

    ck_assert(!ZSTD_isError(n));
    return add_size(n);
}

static size_t pack_lz4(void)
{
    static const uint8_t magic[] = {0x02, 0x21, 0x4c, 0x18};
    uint32_t half = PLAIN_LEN / 2;
    size_t at = 4;

    memcpy(packed, magic, 4);
    for (uint32_t from = 0; from < PLAIN_LEN; from += half) {
        int n = LZ4_compress_default((const char *)plain + from, (char *)packed + at + 4, (int)half,
                                     (int)(sizeof(packed) - at - 4));

        ck_assert_int_gt(n, 0);
        memcpy(packed + at, &n, 4);
        at += 4 + (size_t)n;
    }
    return add_size(at);
}

static size_t (*const packers[])(void) = {pack_gzip, pack_xz, pack_lzma, pack_zstd, pack_lz4};

static size_t make(int i)
{
    return make_bzimage(image, packed, (uint32_t)packers[i]());
}

static enum pvh_error unpack(size_t len, size_t cap, const void **elf, size_t *elf_len)
{
    uint8_t *copy = malloc(len ? len : 1), *room = malloc(cap ? cap : 1);
    enum pvh_error e;

    memcpy(copy, image, len);
    *elf = NULL;
    *elf_len = 0;
    e = bzimage_unpack(copy, len, room, cap, elf, elf_len);
    if (e == PVH_OK) {
        ck_assert_ptr_eq(*elf, room);
        memcpy(scratch, room, *elf_len);
    }
    free(copy);
    free(room);
    return e;
}

START_TEST(formats)
{
    size_t len = make(_i), elf_len;
    const void *elf;

    ck_assert_uint_eq(bzimage_unpacked_bound(image, len), PLAIN_LEN);
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_OK);
    ck_assert_uint_eq(elf_len, PLAIN_LEN);
    ck_assert_int_eq(memcmp(scratch, plain, PLAIN_LEN), 0);
    /* Too little room is told apart from damage. */
    ck_assert_int_eq(unpack(len, PLAIN_LEN - 1, &elf, &elf_len), PVH_NO_ROOM);
    ck_assert_int_eq(unpack(len, 0, &elf, &elf_len), PVH_NO_ROOM);
    ck_assert_ptr_null(elf);
}
END_TEST

/* A payload that ends early: the header and the image agree, the stream does not. */
START_TEST(cut_stream)
{
    size_t len = packers[_i](), elf_len;
    const void *elf;

    for (size_t cut = 1; cut < len - 8; cut += len / 61 + 1) {
        size_t n = make_bzimage(image, packed, (uint32_t)cut + 4);
        enum pvh_error e = unpack(n, PLAIN_LEN, &elf, &elf_len);

        ck_assert(e == PVH_BAD_COMPRESSION || e == PVH_NOT_A_KERNEL || (e == PVH_OK && _i == 4));
        ck_assert_uint_le(elf_len, PLAIN_LEN);
    }
}
END_TEST

START_TEST(damaged)
{
    size_t len = make(_i), elf_len;
    size_t from = MAKE_BZ_SETUP + MAKE_BZ_PAYLOAD;
    const void *elf;

    for (size_t at = from; at < len; at += at < from + 40 ? 1 : 97) {
        image[at] ^= 0x55;
        (void)unpack(len, PLAIN_LEN, &elf, &elf_len);
        ck_assert_uint_le(elf_len, PLAIN_LEN);
        image[at] ^= 0x55;
    }
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_OK);
}
END_TEST

START_TEST(truncated)
{
    size_t len = make(0), elf_len;
    const void *elf;

    for (size_t n = 0; n < len; n += n < 0x300 ? 1 : 211) {
        enum pvh_error e = unpack(n, PLAIN_LEN, &elf, &elf_len);

        ck_assert_int_eq(e, n < 0x206 ? PVH_NOT_A_KERNEL : PVH_TRUNCATED);
        ck_assert_uint_eq(bzimage_unpacked_bound(image, n), 0);
    }
}
END_TEST

START_TEST(hostile_header)
{
    size_t len = make(0), elf_len;
    const void *elf;
    uint32_t word = UINT32_MAX;

    memcpy(image + 0x248, &word, 4); /* payload far outside */
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_TRUNCATED);
    make(0);
    memcpy(image + 0x24c, &word, 4);
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_TRUNCATED);
    word = 3;
    memcpy(image + 0x24c, &word, 4);
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_BAD_COMPRESSION);
    make(0);
    image[0x1f1] = 0xff;
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_TRUNCATED);
    image[0x1f1] = 2; /* the payload is then a run of zeros */
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_BAD_COMPRESSION);
    make(0);
    image[0x206] = 7; /* boot protocol 2.07 */
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_NOT_A_KERNEL);
    make(0);
    image[0x1fe] = 0;
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_NOT_A_KERNEL);
    make(0);
    image[0x202] = 0;
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_NOT_A_KERNEL);
    /* A sound stream of something that is no ELF. */
    plain[0] = 0;
    len = make(1);
    ck_assert_int_eq(unpack(len, PLAIN_LEN, &elf, &elf_len), PVH_NOT_A_KERNEL);
}
END_TEST

/* setup_sects 0 means 4. */
START_TEST(old_setup_sects)
{
    size_t n = pack_gzip(), elf_len;
    const void *elf;

    make_bzimage(image, packed, 8);
    image[0x1f1] = 0;
    memset(image + MAKE_BZ_SETUP, 0, 512);
    memcpy(image + 5 * 512 + MAKE_BZ_PAYLOAD, packed, n);
    memcpy(image + 0x24c, &(uint32_t){(uint32_t)n}, 4);
    ck_assert_int_eq(unpack(5 * 512 + MAKE_BZ_PAYLOAD + n, PLAIN_LEN, &elf, &elf_len), PVH_OK);
}
END_TEST

START_TEST(plain_elf_passes)
{
    const void *elf = NULL;
    size_t elf_len = 0;

    ck_assert_int_eq(bzimage_unpack(plain, PLAIN_LEN, NULL, 0, &elf, &elf_len), PVH_OK);
    ck_assert_ptr_eq(elf, plain);
    ck_assert_uint_eq(elf_len, PLAIN_LEN);
    ck_assert_uint_eq(bzimage_unpacked_bound(plain, PLAIN_LEN), 0);
}
END_TEST

START_TEST(decompress_errors)
{
    uint8_t out[64];
    size_t n = 99;

    ck_assert_int_eq(port_decompress("", 0, out, sizeof(out), &n), -XEN_EINVAL);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(port_decompress("hello, world", 12, out, sizeof(out), &n), -XEN_EINVAL);
    ck_assert_int_eq(port_decompress("BZh91AY&SY", 10, out, sizeof(out), &n), -XEN_ENOSYS);
    ck_assert_int_eq(port_decompress("\x89LZO\0\r\n\x1a\n", 9, out, sizeof(out), &n), -XEN_ENOSYS);
    ck_assert_int_eq(port_decompress("\x02\x21\x4c\x18\0\0\0\0", 8, out, sizeof(out), &n),
                     -XEN_EINVAL);
    ck_assert_int_eq(port_decompress("\x02\x21\x4c\x18\xff\xff\xff\xff", 8, out, sizeof(out), &n),
                     -XEN_EINVAL);
    ck_assert_uint_eq(n, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bzimage");
    TCase *t = tcase_create("bzimage");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, formats, 0, 5);
    tcase_add_loop_test(t, cut_stream, 0, 5);
    tcase_add_loop_test(t, damaged, 0, 5);
    tcase_add_test(t, truncated);
    tcase_add_test(t, hostile_header);
    tcase_add_test(t, old_setup_sects);
    tcase_add_test(t, plain_elf_passes);
    tcase_add_test(t, decompress_errors);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
