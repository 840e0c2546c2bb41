/* Port: decompression of kernel images by the machine's libraries. */
#ifndef CORBEL_PORT_IMAGE_H
#define CORBEL_PORT_IMAGE_H

#include "base/types.h"

/* Unpacks a whole compressed stream, its format told by its magic bytes (gzip,
 * xz, lzma, zstd, lz4 legacy). Returns 0 and *out_len, or -XEN_EINVAL (unknown
 * or corrupt), -XEN_E2BIG (does not fit in cap), -XEN_ENOSYS (this port has no
 * library for the format). */
int port_decompress(const void *in, size_t in_len, void *out, size_t cap, size_t *out_len);

#endif
