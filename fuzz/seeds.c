/* Writes the first inputs of the fuzzers. usage: seeds DIRECTORY */
#include <stdio.h>
#include <zlib.h>

#include "tests/unit/build/make_image.h"

static int save(const char *dir, const char *name, const void *bytes, size_t len)
{
    char path[512];
    FILE *f;
    size_t written;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path)) {
        return 1;
    }
    f = fopen(path, "wb");
    if (f == NULL) {
        perror(path);
        return 1;
    }
    written = fwrite(bytes, 1, len, f);
    return fclose(f) != 0 || written != len;
}

/* A bzImage around a gzip stream, which ends with the unpacked size. */
static size_t make_gzip(uint8_t *image, uint8_t *plain)
{
    uint8_t packed[2 * MAKE_SIZE];
    z_stream s = {.next_in = plain, .avail_in = MAKE_SIZE};

    s.next_out = packed;
    s.avail_out = sizeof(packed);
    if (deflateInit2(&s, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return 0;
    }
    (void)deflate(&s, Z_FINISH);
    (void)deflateEnd(&s);
    return make_bzimage(image, packed, (uint32_t)s.total_out);
}

int main(int argc, char **argv)
{
    static uint8_t elf[MAKE_SIZE], image[MAKE_BZ_SETUP + MAKE_BZ_PAYLOAD + 2 * MAKE_SIZE];
    int bad = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: seeds DIRECTORY\n");
        return 2;
    }
    make_elf32(elf);
    bad |= save(argv[1], "elf32", elf, sizeof(elf));
    make_elf(elf);
    bad |= save(argv[1], "elf64", elf, sizeof(elf));
    bad |= save(argv[1], "bzimage-gzip", image, make_gzip(image, elf));
    return bad;
}
