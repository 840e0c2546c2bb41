/* Bounded formatting: the part of printf that a hypervisor's log needs.
 *
 * Conversions %s %c %d %i %u %x %X %p %%; lengths l, ll and z; flags # 0 and -;
 * a width and, for %s, a precision, as digits or '*'. An unknown conversion is
 * copied as it stands and takes no argument. */
#ifndef CORBEL_BASE_FMT_H
#define CORBEL_BASE_FMT_H

#include <stdarg.h>

#include "base/types.h"

/* Writes at most cap - 1 characters and a NUL into buf; what does not fit is cut.
 * Returns the characters written without the NUL. cap 0: nothing is written. */
size_t fmt_vprint(char *buf, size_t cap, const char *fmt, va_list args);
size_t fmt_print(char *buf, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
