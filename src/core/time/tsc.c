/* An emulated counter is defined as the inverse of the scale that the guest is told:
 * what the guest makes of it never drifts from system time, not by a tick. */
#include "core/time/tsc.h"

#include "base/xen.h"
#include "core/domain/domain.h"
#include "core/time/quotient.h"
#include "port/time.h"

#define CENTURIES_NS (UINT64_C(1) << 62)

/* floor(ns * 2^32 / mul). */
/*@ requires mul >= 0x80000000 && ns <= CENTURIES_NS;
    assigns \nothing;
    ensures \result * mul <= ns * 0x100000000 < \result * mul + mul; */
static uint64_t over(uint64_t ns, uint32_t mul)
{
    uint64_t whole = quotient(ns, mul), rest = ns - whole * mul;
    uint64_t part = quotient_u32(rest << 32, mul);

    return whole * (UINT64_C(1) << 32) + part;
}

/* The tick that belongs to so many ns. */
static uint64_t ticks_of(struct pvclock_scale s, uint64_t ns)
{
    uint64_t t = over(ns, s.mul);

    return s.shift < 0 ? t << -s.shift : t >> s.shift;
}

/*@ requires \valid_read(d);
    assigns \nothing;
    ensures \result != 0 && (d->tsc.khz != 0 ==> \result == d->tsc.khz); */
uint32_t domain_tsc_khz(const struct domain *d)
{
    return d->tsc.khz != 0 ? d->tsc.khz : port_tsc_khz();
}

/*@ requires \valid_read(d) && (d->tsc.emulated ==> d->tsc.scale.mul >= 0x80000000);
    assigns \nothing;
    ensures \result.mul >= 0x80000000; */
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

/* The first time at or after now at which left more ticks of khz have passed. */
/*@ requires khz != 0 && now <= CENTURIES_NS;
    assigns \nothing;
    ensures never_early: \result == TIME_NEVER || (\result - now) * khz >= left * 1000000;
    ensures not_late: \result == TIME_NEVER || (\result - now) * khz < left * 1000000 + khz;
    ensures never: \result == TIME_NEVER <==> left / khz >= CENTURIES_NS / 1000000; */
static uint64_t time_after(uint64_t now, uint64_t left, uint32_t khz)
{
    uint64_t ms = left / khz, rest = left % khz, ns;

    //@ assert ms * khz + rest == left && rest < khz;
    if (ms >= CENTURIES_NS / 1000000) {
        return TIME_NEVER;
    }
    ns = quotient_u32(rest * 1000000 + khz - 1, khz);
    //@ assert rest * 1000000 <= ns * khz < rest * 1000000 + khz;
    return now + ms * 1000000 + ns;
}

uint64_t domain_tsc_deadline(const struct domain *d, uint64_t tsc)
{
    uint64_t now = port_time_now(), have = domain_tsc_read(d);

    return tsc <= have ? now : time_after(now, tsc - have, domain_tsc_khz(d));
}
