/* Which guests there are, for the serial line: boot_guests.c builds them. */
#include "bare/bare.h"

#include "core/domain/domain.h"

static struct {
    const char *name;
    struct domain *d; /* NULL: not built, or taken away */
} list[BARE_GUESTS_MAX];
static unsigned count;

void guest_list_set(unsigned i, const char *name, struct domain *d)
{
    list[i].name = name;
    list[i].d = d;
    if (count <= i)
        count = i + 1;
}

unsigned guest_list_count(void)
{
    return count;
}

struct domain *guest_list_domain(unsigned i)
{
    return i < count ? list[i].d : NULL;
}

const char *guest_list_name(uint16_t domid)
{
    for (unsigned i = 0; i < count; i++) {
        if (list[i].d && list[i].d->id == domid)
            return list[i].name;
    }
    return NULL;
}
