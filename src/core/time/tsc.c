/* An emulated counter is defined as the inverse of the scale that the guest is told:
 * what the guest makes of it never drifts from system time, not by a tick. */
#include "core/time/tsc.h"

#include "base/xen.h"
#include "core/domain/domain.h"
#include "port/time.h"

#define CENTURIES_NS (UINT64_C(1) << 62)

/* The tick that belongs to so many ns: floor(ns * 2^32 / mul), shifted. */
static uint64_t ticks_of(struct pvclock_scale s, uint64_t ns)
{
    uint64_t t = (ns / s.mul << 32) + ((ns % s.mul) << 32) / s.mul;

    return s.shift < 0 ? t << -s.shift : t >> s.shift;
}

uint32_t domain_tsc_khz(const struct domain *d)
{
    return d->tsc.khz != 0 ? d->tsc.khz : port_tsc_khz();
}

struct pvclock_scale domain_tsc_scale(const struct domain *d)
{
    return d->tsc.emulated ? d->tsc.scale : pvclock_scale_of_khz(port_tsc_khz());
}

int domain_tsc_set(struct domain *d, uint32_t mode, uint64_t elapsed_ns, uint32_t khz,
                   uint32_t incarnation)
{
    struct domain_tsc t = {.mode = mode, .incarnation = incarnation + 1};

    switch (mode) {
    case TSC_MODE_DEFAULT:
        t.emulated = khz != 0 && khz != port_tsc_khz();
        break;
    case TSC_MODE_EMULATE:
        t.emulated = true;
        break;
    case TSC_MODE_NATIVE:
        break;
    default:
        return -XEN_EINVAL;
    }
    if (t.emulated) {
        t.khz = khz != 0 ? khz : port_tsc_khz();
        t.scale = pvclock_scale_of_khz(t.khz);
        t.offset = port_time_now() - elapsed_ns;
    }
    d->tsc = t;
    return 0;
}

void domain_tsc_get(const struct domain *d, uint32_t *mode, uint64_t *elapsed_ns, uint32_t *khz,
                    uint32_t *incarnation)
{
    *mode = d->tsc.mode;
    *incarnation = d->tsc.incarnation;
    *elapsed_ns = 0;
    *khz = 0;
    if (d->tsc.emulated) {
        *elapsed_ns = port_time_now() - d->tsc.offset;
        *khz = d->tsc.khz;
    } else if (d->tsc.mode == TSC_MODE_DEFAULT) {
        *elapsed_ns = pvclock_ns(pvclock_scale_of_khz(port_tsc_khz()), port_tsc_read());
        *khz = port_tsc_khz();
    }
    if ((int64_t)*elapsed_ns < 0) {
        *elapsed_ns = 0;
    }
}

uint64_t domain_tsc_read(const struct domain *d)
{
    if (!d->tsc.emulated) {
        return port_tsc_read();
    }
    return ticks_of(d->tsc.scale, port_time_now() - d->tsc.offset);
}

uint64_t domain_tsc_deadline(const struct domain *d, uint64_t tsc)
{
    uint64_t now = port_time_now(), have = domain_tsc_read(d), khz = domain_tsc_khz(d);
    uint64_t left, ms;

    if (tsc <= have) {
        return now;
    }
    left = tsc - have;
    ms = left / khz;
    if (ms >= CENTURIES_NS / 1000000) {
        return TIME_NEVER;
    }
    return now + ms * 1000000 + ((left % khz) * 1000000 + khz - 1) / khz;
}
