#include "base/check.h"

#include "base/fmt.h"
#include "port/power.h"

void check_failed(const char *expr, const char *file, int line)
{
    char text[256];

    fmt_print(text, sizeof(text), "%s:%d: check failed: %s", file, line, expr);
    port_panic(text);
}
