/* Little-endian numbers at any address, and magic words. For images, tables and records
 * from outside: reading them by bytes needs neither alignment nor casts. */
#ifndef CORBEL_BASE_BYTES_H
#define CORBEL_BASE_BYTES_H

#include "base/types.h"

/*@ logic integer le16{L}(uint8_t *p) = p[0] + 256 * p[1];
    logic integer le32{L}(uint8_t *p) = le16(p) + 65536 * le16(p + 2);
    logic integer le64{L}(uint8_t *p) = le32(p) + 4294967296 * le32(p + 4);
    predicate readable_bytes{L}(uint8_t *p, integer n) = \valid_read(p + (0 .. n - 1));
    predicate same_bytes{L}(uint8_t *p, char *s, integer n) =
        \forall integer i; 0 <= i < n ==> p[i] == (uint8_t)s[i]; */

/*@ requires readable_bytes(p, 2);
    assigns \nothing;
    ensures \result == le16(p); */
static inline uint16_t read_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] + p[1] * 256u);
}

/*@ requires readable_bytes(p, 4);
    assigns \nothing;
    ensures \result == le32(p); */
static inline uint32_t read_le32(const uint8_t *p)
{
    return read_le16(p) + read_le16(p + 2) * UINT32_C(65536);
}

/*@ requires readable_bytes(p, 8);
    assigns \nothing;
    ensures \result == le64(p); */
static inline uint64_t read_le64(const uint8_t *p)
{
    return read_le32(p) + read_le32(p + 4) * UINT64_C(4294967296);
}

/* True iff the n bytes at p are the first n characters of s. */
/*@ requires readable_bytes(p, n) && \valid_read(s + (0 .. n - 1));
    assigns \nothing;
    ensures \result <==> same_bytes(p, s, n); */
static inline bool bytes_are(const uint8_t *p, const char *s, size_t n)
{
    /*@ loop invariant i <= n && same_bytes(p, s, i);
        loop assigns i;
        loop variant n - i; */
    for (size_t i = 0; i < n; i++) {
        if (p[i] != (uint8_t)s[i]) {
            return false;
        }
    }
    return true;
}

#endif
