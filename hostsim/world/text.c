#include "hostsim/world/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ESC 0x1b
#define BEL 0x07

/* Length of the escape sequence at s (ECMA-48 5.4, and xterm's OSC strings). */
static size_t escape_length(const uint8_t *s, size_t n)
{
    size_t i = 2;

    if (n < 2) {
        return n;
    }
    if (s[1] == '[') {
        while (i < n && s[i] >= 0x20 && s[i] < 0x40) {
            i++;
        }
        return i < n && s[i] >= 0x40 && s[i] < 0x7f ? i + 1 : i;
    }
    if (s[1] == ']' || s[1] == 'P' || s[1] == '^' || s[1] == '_' || s[1] == 'X') {
        while (i < n && s[i] != BEL && !(s[i] == '\\' && s[i - 1] == ESC)) {
            i++;
        }
        return i < n ? i + 1 : n;
    }
    i = 1;
    while (i < n && s[i] >= 0x20 && s[i] < 0x30) {
        i++;
    }
    return i < n && s[i] >= 0x30 && s[i] < 0x7f ? i + 1 : i;
}

/* Length of the UTF-8 character at s (RFC 3629), 0 if there is none or it is a
 * C1 control. */
static size_t utf8_length(const uint8_t *s, size_t n)
{
    size_t len = s[0] < 0x80   ? 1
                 : s[0] < 0xc2 ? 0
                 : s[0] < 0xe0 ? 2
                 : s[0] < 0xf0 ? 3
                 : s[0] < 0xf5 ? 4
                               : 0;

    if (!len || len > n) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) ||
        (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] >= 0x90)) {
        return 0;
    }
    return len;
}

size_t text_clean(char *dst, size_t cap, const char *src, size_t n)
{
    const uint8_t *s = (const uint8_t *)src;
    size_t out = 0;

    for (size_t i = 0; i < n;) {
        char hex[8];
        const char *add = src + i;
        size_t take = utf8_length(s + i, n - i);
        size_t len = take;

        if (s[i] == ESC) {
            take = escape_length(s + i, n - i);
            len = 0;
        } else if (s[i] == '\r') {
            len = 0;
        } else if (!take || (s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f) {
            take = 1;
            len = (size_t)snprintf(hex, sizeof(hex), "\\x%02x", s[i]);
            add = hex;
        }
        if (len > cap - out) {
            break;
        }
        memcpy(dst + out, add, len);
        out += len;
        i += take;
    }
    return out;
}

static void put(char *dst, size_t cap, size_t *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++, (*out)++) {
        if (*out + 1 < cap) {
            dst[*out] = s[i];
        }
    }
}

size_t text_json(char *dst, size_t cap, const char *s)
{
    size_t out = 0, n = strlen(s);

    put(dst, cap, &out, "\"", 1);
    for (size_t i = 0; i < n;) {
        size_t len = utf8_length((const uint8_t *)s + i, n - i);
        uint8_t c = (uint8_t)s[i];
        char code[8];

        if (len && c >= 0x20 && c != '"' && c != '\\') {
            put(dst, cap, &out, s + i, len);
        } else {
            put(dst, cap, &out, code, (size_t)snprintf(code, sizeof(code), "\\u%04x", c));
        }
        i += len ? len : 1;
    }
    put(dst, cap, &out, "\"", 1);
    if (cap) {
        dst[out < cap ? out : cap - 1] = '\0';
    }
    return out;
}
