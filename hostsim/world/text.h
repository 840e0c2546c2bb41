/* Guests' output made safe for a terminal or a log. */
#ifndef CORBEL_HOSTSIM_TEXT_H
#define CORBEL_HOSTSIM_TEXT_H

#include <stddef.h>

/* Copies one line without its escape sequences and carriage returns; every other
 * control byte, and what is not UTF-8, becomes \xNN. Writes at most cap bytes
 * (what does not fit is cut); returns how many. */
size_t text_clean(char *dst, size_t cap, const char *src, size_t n);

/* Quotes for JSON, quotation marks included. Returns the length as snprintf
 * does; NUL-terminated within cap. s is UTF-8, or is cleaned to be. */
size_t text_json(char *dst, size_t cap, const char *s);

#endif
