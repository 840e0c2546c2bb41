/* The 8254 timer and port 61h. Sources: Intel 8254 data sheet (231164). Counts
 * are computed from system time when asked; only channel 0 needs a timer. BCD
 * counting is told back in the status but counts in binary. */
#include "x86/hvm/vdev.h"

#include "base/xen.h"

#include <xen/hvm/save.h>

#include "base/arith.h"
#include "base/string.h"
#include "port/time.h"

#define PIT_HZ UINT64_C(1193182)
#define NS_PER_S UINT64_C(1000000000)

/* Channel 0 may be programmed for a megahertz; it interrupts no more often. */
#define IRQ_PERIOD_MIN_NS UINT64_C(50000)

// Times are less than a century.
/*@ predicate time_ok(integer t) = 0 <= t < 0x4000000000000000;
    predicate channel_ok{L}(struct vpit_channel *c) = \valid(c) && time_ok(c->start) &&
        time_ok(c->stopped) && 1 <= c->access <= 3 && c->mode <= 5 && c->latched <= 2;
    predicate pit_ok{L}(struct vpit *p) = \valid(p) &&
        channel_ok(&p->ch[0]) && channel_ok(&p->ch[1]) && channel_ok(&p->ch[2]);
    logic integer reload{L}(struct vpit_channel *c) = c->reload == 0 ? 65536 : c->reload; */

/*@ assigns \nothing;
    ensures \result * NS_PER_S <= ns * PIT_HZ < (\result + 1) * NS_PER_S; */
static uint64_t ns_to_ticks(uint64_t ns)
{
    return ns / NS_PER_S * PIT_HZ + ns % NS_PER_S * PIT_HZ / NS_PER_S;
}

/* Rounded up: when that many ticks have certainly passed. */
/*@ requires ticks <= 0x40000000000000;
    assigns \nothing;
    ensures \result * PIT_HZ >= ticks * NS_PER_S;
    ensures ticks > 0 ==> (\result - 1) * PIT_HZ < ticks * NS_PER_S; */
static uint64_t ticks_to_ns(uint64_t ticks)
{
    return ticks / PIT_HZ * NS_PER_S + (ticks % PIT_HZ * NS_PER_S + PIT_HZ - 1) / PIT_HZ;
}

/*@ requires \valid_read(c);
    assigns \nothing;
    ensures \result == reload(c) && 1 <= \result <= 65536; */
static uint64_t reload_of(const struct vpit_channel *c)
{
    return c->reload == 0 ? 65536 : c->reload;
}

/*@ requires \valid_read(c);
    assigns \nothing;
    ensures \result <==> c->mode == 2 || c->mode == 3; */
static bool is_rate(const struct vpit_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

/*@ requires channel_ok(c) && time_ok(now);
    assigns \nothing;
    ensures \result <= 0x14000000000000; // what fits in the time
    ensures c->gate && now >= c->start ==>
        \result * NS_PER_S <= (now - c->start) * PIT_HZ < (\result + 1) * NS_PER_S; */
static uint64_t ticks_since(const struct vpit_channel *c, uint64_t now)
{
    if (!c->gate && c->mode != 1 && c->mode != 5)
        return ns_to_ticks(c->stopped);
    return now > c->start ? ns_to_ticks(now - c->start) : 0;
}

/*@ requires channel_ok(c) && time_ok(now);
    assigns \nothing;
    ensures c->null_count ==> \result == 0;
    ensures c->mode == 2 && \result != 0 ==> \result <= reload(c); */
static uint16_t count_of(const struct vpit_channel *c, uint64_t now)
{
    uint64_t n = reload_of(c), t = ticks_since(c, now);

    if (c->null_count)
        return 0;
    if (c->mode == 2)
        return (uint16_t)(n - t % n);
    if (c->mode == 3) /* counts down by two, twice per period */
        return (uint16_t)((n - 2 * t % n) & ~UINT64_C(1));
    return (uint16_t)(n + 65536 - t % 65536); /* it goes on from 0 to ffff */
}

/*@ requires channel_ok(c) && time_ok(now);
    assigns \nothing;
    ensures c->null_count ==> (\result <==> c->mode != 0); */
static bool output_of(const struct vpit_channel *c, uint64_t now)
{
    uint64_t n = reload_of(c), t = ticks_since(c, now);

    if (c->null_count)
        return c->mode != 0;
    switch (c->mode) {
    case 0:
    case 1:
        return t >= n;
    case 2:
        return !c->gate || t % n != n - 1;
    case 3:
        return !c->gate || t % n < (n + 1) / 2;
    default:
        return t != n;
    }
}

/* When channel 0's output rises next, after the time from. */
/*@ requires channel_ok(c) && time_ok(from) && c->start <= from;
    assigns \nothing;
    ensures rate: (c->mode == 2 || c->mode == 3) && !c->null_count ==> \result >= from +
   IRQ_PERIOD_MIN_NS; ensures none: c->null_count || c->mode == 1 || c->mode == 5 ==> \result ==
   TIME_NEVER; */
static uint64_t next_edge(const struct vpit_channel *c, uint64_t from)
{
    uint64_t n = reload_of(c), t = ticks_since(c, from);

    if (c->null_count)
        return TIME_NEVER;
    if (is_rate(c))
        return max_u64(c->start + ticks_to_ns(t - t % n + n), from + IRQ_PERIOD_MIN_NS);
    if (c->mode == 1 || c->mode == 5 || t >= n)
        return TIME_NEVER;
    return c->start + ticks_to_ns(n);
}

static void arm(struct vpit *p, uint64_t now)
{
    p->next_irq = next_edge(&p->ch[0], now);
    timer_set(&p->irq0, p->next_irq);
}

bool vpit_irq0(struct vpit *p, uint64_t now)
{
    if (p->next_irq == TIME_NEVER)
        return false;
    if (now < p->next_irq) { /* reprogrammed since the timer was armed */
        timer_set(&p->irq0, p->next_irq);
        return false;
    }
    arm(p, now);
    return true;
}

void vpit_reset(struct vpit *p)
{
    unsigned i;

    for (i = 0; i < 3; i++) {
        struct vpit_channel *c = &p->ch[i];

        *c = (struct vpit_channel){.access = 3, .mode = 3, .null_count = true, .gate = i != 2};
    }
    p->port61 = 0;
    p->next_irq = TIME_NEVER;
}

/*@ requires channel_ok(c) && time_ok(now);
    assigns \nothing; */
static uint8_t status_of(const struct vpit_channel *c, uint64_t now)
{
    return (uint8_t)((output_of(c, now) ? 0x80 : 0) | (c->null_count ? 0x40 : 0) | c->access * 16 |
                     c->mode * 2 | (c->bcd ? 1 : 0));
}

/*@ requires channel_ok(c) && time_ok(now);
    assigns c->latch, c->latched;
    ensures channel_ok(c) && c->latched != 0;
    ensures \old(c->latched) != 0 ==> c->latch == \old(c->latch); */
static void latch_count(struct vpit_channel *c, uint64_t now)
{
    if (c->latched != 0)
        return;
    c->latch = count_of(c, now);
    c->latched = c->access == 3 ? 2 : 1;
}

/*@ requires channel_ok(c) && time_ok(now);
    assigns c->has_status, c->high_next, c->latched;
    ensures channel_ok(c);
    ensures \old(c->has_status) ==> \result == c->status && !c->has_status &&
        c->latched == \old(c->latched);
    ensures !\old(c->has_status) && \old(c->latched) != 0 ==>
        c->latched == \old(c->latched) - 1; */
static uint8_t channel_read(struct vpit_channel *c, uint64_t now)
{
    uint16_t count;
    bool high;

    if (c->has_status) {
        c->has_status = false;
        return c->status;
    }
    count = c->latched != 0 ? c->latch : count_of(c, now);
    high = c->access == 2 || (c->access == 3 && c->high_next);
    if (c->access == 3)
        c->high_next = !c->high_next;
    if (c->latched != 0)
        c->latched--;
    return (uint8_t)(high ? count >> 8 : count);
}

/*@ requires channel_ok(c) && time_ok(now);
    assigns c->reload, c->null_count, c->start, c->stopped;
    ensures channel_ok(c) && c->reload == value && c->start == now && !c->null_count; */
static void channel_load(struct vpit_channel *c, uint16_t value, uint64_t now)
{
    c->reload = value;
    c->null_count = false;
    c->start = now;
    c->stopped = 0;
}

/* True iff a count was loaded. */
/*@ requires channel_ok(c) && time_ok(now);
    assigns c->reload, c->null_count, c->start, c->stopped, c->write_high, c->low;
    ensures channel_ok(c);
    ensures \result ==> c->start == now && !c->null_count;
    ensures c->access == 1 ==> \result && c->reload == value;
    ensures c->access == 2 ==> \result && c->reload == 256 * value;
    ensures c->access == 3 ==> (\result <==> \old(c->write_high));
    ensures c->access == 3 && \result ==> c->reload == 256 * value + \old(c->low); */
static bool channel_write(struct vpit_channel *c, uint8_t value, uint64_t now)
{
    switch (c->access) {
    case 1:
        channel_load(c, value, now);
        return true;
    case 2:
        channel_load(c, (uint16_t)(value * 256), now);
        return true;
    default:
        c->write_high = !c->write_high;
        if (c->write_high) {
            c->low = value;
            return false;
        }
        channel_load(c, (uint16_t)(value * 256 + c->low), now);
        return true;
    }
}

/* What the read-back command's value asks for of a channel that it selects. */
/*@ requires channel_ok(c) && time_ok(now);
    assigns c->latch, c->latched, c->status, c->has_status;
    ensures channel_ok(c); */
static void latch(struct vpit_channel *c, uint8_t value, uint64_t now)
{
    if ((value & 0x20) == 0)
        latch_count(c, now);
    if ((value & 0x10) == 0 && !c->has_status) {
        c->status = status_of(c, now);
        c->has_status = true;
    }
}

/*@ requires pit_ok(p) && time_ok(now);
    assigns p->ch[0 .. 2];
    ensures channel_ok(&p->ch[0]);
    ensures channel_ok(&p->ch[1]);
    ensures channel_ok(&p->ch[2]); */
static void read_back(struct vpit *p, uint8_t value, uint64_t now)
{
    if ((value & 2) != 0)
        latch(&p->ch[0], value, now);
    if ((value & 4) != 0)
        latch(&p->ch[1], value, now);
    if ((value & 8) != 0)
        latch(&p->ch[2], value, now);
}

static void control_write(struct vpit *p, uint8_t value, uint64_t now)
{
    struct vpit_channel *c;

    if (value >> 6 == 3) {
        read_back(p, value, now);
        return;
    }
    c = &p->ch[value >> 6];
    if ((value & 0x30) == 0) {
        latch_count(c, now);
        return;
    }
    c->access = value >> 4 & 3;
    c->mode = value >> 1 & 7;
    if (c->mode > 5)
        c->mode &= 3;
    c->bcd = (value & 1) != 0;
    c->null_count = true;
    c->high_next = c->write_high = c->has_status = false;
    c->latched = 0;
    if (c == &p->ch[0])
        arm(p, now);
}

/* Channel 2's gate: bit 0 of port 61h. */
/*@ requires channel_ok(c) && time_ok(now) && c->start <= now && c->stopped <= now;
    assigns c->gate, c->start, c->stopped;
    ensures channel_ok(c) && c->start <= now && c->stopped <= now && (c->gate <==> gate); */
static void set_gate(struct vpit_channel *c, bool gate, uint64_t now)
{
    if (gate == c->gate)
        return;
    if (!gate) {
        c->stopped = now - c->start;
    } else if (c->mode == 0 || c->mode == 4) {
        c->start = now - c->stopped;
    } else {
        c->start = now; /* the rising edge triggers or reloads */
    }
    c->gate = gate;
}

uint8_t vpit_read(struct vpit *p, uint16_t port, uint64_t now)
{
    if (port == 0x61) {
        /* Bit 4 toggles with each refresh, about every 15 us. */
        return (uint8_t)((p->port61 & 3) | (now / 15085 % 2 != 0 ? 0x10 : 0) |
                         (output_of(&p->ch[2], now) ? 0x20 : 0));
    }
    return port == 0x43 ? 0xff : channel_read(&p->ch[port & 3], now);
}

void vpit_write(struct vpit *p, uint16_t port, uint8_t value, uint64_t now)
{
    if (port == 0x61) {
        p->port61 = value & 3;
        set_gate(&p->ch[2], (value & 1) != 0, now);
    } else if (port == 0x43) {
        control_write(p, value, now);
    } else if (channel_write(&p->ch[port & 3], value, now) && port == 0x40) {
        arm(p, now);
    }
}

void vpit_save(const struct vpit *p, struct hvm_hw_pit *r)
{
    memset(r, 0, sizeof(*r));
    for (unsigned i = 0; i < 3; i++) {
        const struct vpit_channel *c = &p->ch[i];
        struct hvm_hw_pit_channel *s = &r->channels[i];

        s->count = c->null_count ? 0 : (uint32_t)reload_of(c);
        s->latched_count = c->latch;
        s->count_latched = c->latched;
        s->status_latched = c->has_status;
        s->status = c->status;
        s->read_state = c->high_next;
        s->write_state = c->write_high;
        s->write_latch = c->low;
        s->rw_mode = c->access;
        s->mode = c->mode;
        s->bcd = c->bcd;
        s->gate = c->gate;
    }
    r->speaker_data_on = p->port61 >> 1 & 1;
}

void vpit_load(struct vpit *p, const struct hvm_hw_pit *r, uint64_t now)
{
    for (unsigned i = 0; i < 3; i++) {
        const struct hvm_hw_pit_channel *s = &r->channels[i];

        p->ch[i] = (struct vpit_channel){
            .reload = (uint16_t)s->count,
            .latch = s->latched_count,
            .latched = s->count_latched > 2 ? 2 : s->count_latched,
            .has_status = s->status_latched != 0,
            .status = s->status,
            .high_next = (s->read_state & 1) != 0,
            .write_high = (s->write_state & 1) != 0,
            .low = s->write_latch,
            .access = (s->rw_mode & 3) != 0 ? s->rw_mode & 3 : 3,
            .mode = s->mode > 5 ? s->mode & 3 : s->mode,
            .bcd = s->bcd != 0,
            .gate = s->gate != 0,
            .null_count = s->count == 0,
            .start = now,
        };
    }
    p->port61 = (uint8_t)((r->speaker_data_on != 0 ? 2 : 0) | (p->ch[2].gate ? 1 : 0));
    arm(p, now);
}
