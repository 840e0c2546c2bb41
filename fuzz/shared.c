#include "fuzz/shared.h"

#include <stddef.h>

void (*shared_access_hook)(const void *p, unsigned size, bool reads);

void shared_access(const void *p, unsigned size, bool reads)
{
    if (shared_access_hook != NULL) {
        shared_access_hook(p, size, reads);
    }
}
