#include "core/time/pvclock.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/xen.h"
#include "core/domain/domain.h"
#include "core/state.h"
#include "core/time/quotient.h"
#include "core/vcpu/vcpu.h"
#include "port/time.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* The base lies a little in the past of who takes it, so that no CPU reads a
 * time-stamp counter that is before it. */
#define BASE_AGE_NS UINT64_C(1000000)
/* TSC and system time that drift further apart than this are not one clock. */
#define BASE_DRIFT_NS UINT64_C(100000)

enum base_state { BASE_NONE, BASE_TAKING, BASE_STABLE, BASE_UNSTABLE };

/*@ requires khz != 0;
    assigns \nothing;
    ensures full: 0x80000000 <= \result.mul <= UINT32_MAX;
    ensures -12 <= \result.shift <= 20;
    // So many ns, times 2^32, does a tick take: a tick shifted to the left is 2^shift ticks.
    ensures up: \result.shift >= 0 ==> \let d = khz << \result.shift;
        \result.mul * d <= 1000000 * 0x100000000 < \result.mul * d + d;
    ensures down: \result.shift <= 0 ==> \let n = 1000000 << -\result.shift;
        \result.mul * khz <= n * 0x100000000 < \result.mul * khz + khz; */
struct pvclock_scale pvclock_scale_of_khz(uint32_t khz)
{
    /* ns per tick is num/den; shifted into [1/2, 1) it makes a full 32-bit mul. */
    uint64_t num = 1000000, den = khz;
    struct pvclock_scale s = {.shift = 0};

    check(khz != 0);
    /*@ loop invariant num == 1000000 && 0 < den && (s.shift > 0 ==> den <= 2 * num);
        loop invariant 0 <= s.shift <= 20;
        loop invariant den == khz << s.shift;
        loop assigns den, s.shift;
        loop variant num - den; */
    while (num >= den) {
        den <<= 1;
        s.shift++;
    }
    /*@ loop invariant 1000000 <= num < den <= UINT32_MAX;
        loop invariant -12 <= s.shift <= 20;
        loop invariant s.shift > 0 ==> num == 1000000 && den == khz << s.shift && den <= 2 * num;
        loop invariant s.shift <= 0 ==> den == khz && num == 1000000 << -s.shift;
        loop assigns num, s.shift;
        loop variant den - num; */
    while (num << 1 < den) {
        num <<= 1;
        s.shift--;
    }
    //@ assert s.shift >= 0 ==> den == khz << s.shift && num == 1000000;
    s.mul = quotient_u32(num << 32, den);
    return s;
}

/*@ assigns \nothing;
    ensures \result == a * b && \result <= 0xfffffffe00000001; */
static uint64_t product(uint32_t a, uint32_t b)
{
    return (uint64_t)a * b;
}

/* floor(t * mul / 2^32). */
/*@ assigns \nothing;
    ensures \result == t * mul / 0x100000000; */
static uint64_t times(uint64_t t, uint32_t mul)
{
    uint32_t high = (uint32_t)(t >> 32), low = (uint32_t)(t & UINT32_MAX);

    //@ assert halves: t == high * 0x100000000 + low;
    return product(high, mul) + (product(low, mul) >> 32);
}

uint64_t pvclock_ns(struct pvclock_scale s, uint64_t ticks)
{
    return times(s.shift < 0 ? ticks >> -s.shift : ticks << s.shift, s.mul);
}

static void base_take(struct pvclock_base *b)
{
    uint64_t now = port_time_now(), tsc = port_tsc_read();
    uint64_t age = now < BASE_AGE_NS ? now : BASE_AGE_NS;
    uint64_t ticks = age * port_tsc_khz() / 1000000;

    b->system_time = now - age;
    b->tsc = tsc - ticks;
    store_u32(&b->state, BASE_STABLE);
}

/* Does the base still tell this CPU the right time? It never does again once it
 * did not: guests may already have compared its time with another one. */
static bool base_holds(struct pvclock_base *b, struct pvclock_scale s)
{
    uint64_t now, told;

    if (load_u32(&b->state) == BASE_NONE && cmpxchg_u32(&b->state, BASE_NONE, BASE_TAKING)) {
        base_take(b);
    }
    if (load_u32(&b->state) != BASE_STABLE) {
        return false;
    }
    now = port_time_now();
    told = b->system_time + pvclock_ns(s, port_tsc_read() - b->tsc);
    if (told + BASE_DRIFT_NS < now || now + BASE_DRIFT_NS < told) {
        store_u32(&b->state, BASE_UNSTABLE);
        return false;
    }
    return true;
}

/* Copies time to the area that user space reads (VCPUOP_register_vcpu_time_
 * memory_area). Its address is the guest's choice, so that nothing is aligned. */
static void publish_copy(struct vcpu *v, const vcpu_time_info_t *t)
{
    const uint32_t rest = offsetof(vcpu_time_info_t, pad0);
    uint32_t changing = t->version - 1;

    vcpu_area_write(&v->time_area, 0, &changing, sizeof(changing));
    memory_fence();
    vcpu_area_write(&v->time_area, rest, (const char *)t + rest, sizeof(*t) - rest);
    memory_fence();
    vcpu_area_write(&v->time_area, 0, &t->version, sizeof(t->version));
}

/* The guest can write here too, so the old version means nothing: it only has to
 * become odd, then even and another one. */
/*@ requires \valid(t) && \valid(from) && \separated(t, from);
    assigns *t, from->version;
    ensures even: t->version % 2 == 0 && from->version == t->version;
    ensures another: t->version != \old(t->version);
    ensures t->tsc_timestamp == from->tsc_timestamp && t->system_time == from->system_time &&
        t->tsc_to_system_mul == from->tsc_to_system_mul && t->tsc_shift == from->tsc_shift &&
        t->flags == from->flags; */
static void publish(vcpu_time_info_t *t, vcpu_time_info_t *from)
{
    uint32_t changing = fetch_or_u32(&t->version, 1) | 1;

    from->version = changing == UINT32_MAX ? 0 : changing + 1;
    //@ assert odd: t->version % 2 == 1 && t->version == changing;
    memory_fence();
    t->tsc_timestamp = from->tsc_timestamp;
    t->system_time = from->system_time;
    t->tsc_to_system_mul = from->tsc_to_system_mul;
    t->tsc_shift = from->tsc_shift;
    t->flags = from->flags;
    //@ assert still_odd: t->version % 2 == 1;
    store_u32(&t->version, from->version);
}

void pvclock_update(struct vcpu *v)
{
    const struct domain_tsc *tsc = &v->domain->tsc;
    struct pvclock_scale s = domain_tsc_scale(v->domain);
    vcpu_time_info_t now = {.tsc_to_system_mul = s.mul, .tsc_shift = s.shift};

    if (tsc->emulated) {
        /* Counts system time itself, so that this stays true for ever. */
        now.flags = XEN_PVCLOCK_TSC_STABLE_BIT;
        now.tsc_timestamp = 0;
        now.system_time = tsc->offset;
    } else if (base_holds(&hv->clock, s)) {
        now.flags = XEN_PVCLOCK_TSC_STABLE_BIT;
        now.tsc_timestamp = hv->clock.tsc;
        now.system_time = hv->clock.system_time;
    } else {
        now.tsc_timestamp = port_tsc_read();
        now.system_time = port_time_now();
    }
    if (v->info != NULL) {
        publish(&v->info->time, &now);
    } else {
        v->time_version += 2;
        now.version = v->time_version;
    }
    if (v->time_area.page != NULL) {
        struct runqueue *rq = sched_lock(v);

        if (v->time_area.page != NULL) {
            publish_copy(v, &now);
        }
        lock_release(&rq->lock);
    }
}

uint64_t wallclock_ns(void)
{
    return port_wallclock_ns() + load_u64(&hv->wallclock_shift);
}

void wallclock_set(uint64_t seconds, uint32_t ns, uint64_t system_time)
{
    uint64_t at_zero = seconds * NS_PER_SECOND + ns - system_time;

    store_u64(&hv->wallclock_shift, at_zero - (port_wallclock_ns() - port_time_now()));
}

/*@ requires \valid(s) && ns < NS_PER_SECOND;
    assigns s->wc_version, s->wc_sec, s->wc_sec_hi, s->wc_nsec;
    ensures even: s->wc_version % 2 == 0 && s->wc_version != \old(s->wc_version);
    ensures s->wc_sec + s->wc_sec_hi * 0x100000000 == seconds && s->wc_nsec == ns; */
static void wallclock_publish(shared_info_t *s, uint64_t seconds, uint32_t ns)
{
    uint32_t changing = fetch_or_u32(&s->wc_version, 1) | 1;

    //@ assert odd: s->wc_version % 2 == 1 && s->wc_version == changing;
    memory_fence();
    s->wc_sec = (uint32_t)(seconds & UINT32_MAX);
    s->wc_sec_hi = (uint32_t)(seconds >> 32);
    s->wc_nsec = ns;
    //@ assert still_odd: s->wc_version % 2 == 1;
    store_u32(&s->wc_version, changing == UINT32_MAX ? 0 : changing + 1);
}

void wallclock_update(struct domain *d)
{
    uint64_t wall = wallclock_ns() - port_time_now();
    uint64_t seconds = wall / NS_PER_SECOND + (uint64_t)d->time_offset;

    wallclock_publish(d->shared_info, seconds, (uint32_t)(wall % NS_PER_SECOND));
}
