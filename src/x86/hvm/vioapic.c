/* The IOAPIC (82093AA data sheet 290566, with the EOI register of version 0x20).
 * Messages are sent after the device lock is dropped, since delivering one may
 * take locks of any level. */
#include "base/xen.h"

#include <xen/hvm/save.h>

#include "base/string.h"
#include "x86/hvm/hvm.h"

#define VERSION_VALUE (0x20u | (IOAPIC_PINS - 1) << 16)

#define REDIR_LOGICAL (UINT64_C(1) << 11)
#define REDIR_STATUS (UINT64_C(1) << 12)
#define REDIR_REMOTE_IRR (UINT64_C(1) << 14)
#define REDIR_LEVEL (UINT64_C(1) << 15)
#define REDIR_MASKED (UINT64_C(1) << 16)
#define REDIR_WRITABLE (UINT64_C(0xff0000000001afff) & ~REDIR_STATUS)

/*@ requires \valid(io);
    assigns *io;
    ensures io->select == 0 && io->id == 0 && io->level == 0;
    ensures \forall integer i; 0 <= i < IOAPIC_PINS ==> io->redir[i] == REDIR_MASKED; */
void vioapic_reset(struct vioapic *io)
{
    unsigned i;

    io->select = io->id = 0;
    io->level = 0;
    /*@ loop invariant i <= IOAPIC_PINS;
        loop invariant \forall integer j; 0 <= j < i ==> io->redir[j] == REDIR_MASKED;
        loop assigns i, io->redir[0 .. IOAPIC_PINS - 1];
        loop variant IOAPIC_PINS - i; */
    for (i = 0; i < IOAPIC_PINS; i++)
        io->redir[i] = REDIR_MASKED;
}

/* Sends the message of a redirection entry. No lock held. */
static void send(struct domain *d, uint64_t redir)
{
    uint8_t mode = redir >> 8 & 7;

    vlapic_deliver(d, (uint32_t)(redir >> 56), (redir & REDIR_LOGICAL) != 0, mode, (uint8_t)redir,
                   (redir & REDIR_LEVEL) != 0);
}

/* Would the asserted pin interrupt now? Then *redir is the message, and a level
 * interrupt counts as accepted. Lock held. */
/*@ requires \valid(io) && \valid(redir) && pin < IOAPIC_PINS && \separated(io, redir);
    assigns io->redir[pin], *redir;
    ensures \result ==> *redir == io->redir[pin];
    ensures masked: (\old(io->redir[pin]) & REDIR_MASKED) != 0 ==> !\result;
    ensures once: (\old(io->redir[pin]) & REDIR_LEVEL) != 0 &&
        (\old(io->redir[pin]) & REDIR_REMOTE_IRR) != 0 ==> !\result;
    ensures !\result ==> io->redir[pin] == \old(io->redir[pin]); */
static bool take(struct vioapic *io, unsigned pin, uint64_t *redir)
{
    uint64_t *e = &io->redir[pin];

    if ((*e & REDIR_MASKED) != 0 || (io->level >> pin & 1) == 0)
        return false;
    if ((*e & REDIR_LEVEL) != 0) {
        if ((*e & REDIR_REMOTE_IRR) != 0)
            return false;
        *e |= REDIR_REMOTE_IRR;
    }
    *redir = *e;
    return true;
}

static void try_send(struct domain *d, unsigned pin)
{
    struct vdev *dev = &d->arch->dev;
    uint64_t redir;
    bool go;

    lock_acquire(&dev->lock);
    go = (dev->ioapic.redir[pin] & REDIR_LEVEL) != 0 && take(&dev->ioapic, pin, &redir);
    lock_release(&dev->lock);
    if (go)
        send(d, redir);
}

void vioapic_set_irq(struct domain *d, unsigned pin, bool level)
{
    struct vdev *dev = &d->arch->dev;
    uint64_t redir = 0, bit;
    bool rose, go = false;

    if (pin >= IOAPIC_PINS)
        return;
    bit = UINT64_C(1) << pin;
    lock_acquire(&dev->lock);
    rose = level && (dev->ioapic.level & bit) == 0;
    if (level)
        dev->ioapic.level |= bit;
    else
        dev->ioapic.level &= ~bit;
    if (rose)
        go = take(&dev->ioapic, pin, &redir);
    lock_release(&dev->lock);
    if (go)
        send(d, redir);
}

void vioapic_eoi(struct domain *d, uint8_t vector)
{
    struct vdev *dev = &d->arch->dev;
    uint64_t again = 0;
    unsigned i;

    lock_acquire(&dev->lock);
    for (i = 0; i < IOAPIC_PINS; i++) {
        uint64_t *e = &dev->ioapic.redir[i];

        if ((uint8_t)*e != vector || (*e & REDIR_REMOTE_IRR) == 0)
            continue;
        *e &= ~REDIR_REMOTE_IRR;
        again |= dev->ioapic.level & UINT64_C(1) << i;
    }
    lock_release(&dev->lock);
    for (i = 0; i < IOAPIC_PINS; i++)
        if ((again >> i & 1) != 0)
            try_send(d, i);
}

/*@ requires \valid_read(io);
    assigns \nothing; */
static uint32_t window_read(const struct vioapic *io)
{
    unsigned pin = io->select < 0x10 ? IOAPIC_PINS : (io->select - 0x10u) / 2;

    if (io->select == 0 || io->select == 2)
        return io->id * UINT32_C(0x1000000);
    if (io->select == 1)
        return VERSION_VALUE;
    if (pin >= IOAPIC_PINS)
        return 0;
    return (uint32_t)(io->redir[pin] >> ((io->select & 1) != 0 ? 32 : 0));
}

/* Returns the pin whose entry changed, or IOAPIC_PINS. */
/*@ requires \valid(io);
    assigns io->id, io->redir[0 .. IOAPIC_PINS - 1];
    ensures \result <= IOAPIC_PINS;
    ensures id: io->id == \old(io->id) || (io->select == 0 && io->id <= 15);
    ensures others: \forall integer i; 0 <= i < IOAPIC_PINS && i != \result ==>
        io->redir[i] == \old(io->redir[i]); */
static unsigned window_write(struct vioapic *io, uint32_t value)
{
    unsigned pin = io->select < 0x10 ? IOAPIC_PINS : (io->select - 0x10u) / 2;
    bool high = (io->select & 1) != 0;
    uint64_t mask, bits = high ? value * UINT64_C(0x100000000) : value;

    if (io->select == 0)
        io->id = value >> 24 & 15;
    if (pin >= IOAPIC_PINS)
        return IOAPIC_PINS;
    mask = REDIR_WRITABLE & (high ? UINT64_C(0xffffffff00000000) : UINT64_C(0xffffffff));
    io->redir[pin] = (io->redir[pin] & ~mask) | (bits & mask);
    /* An edge entry has nothing to end: software clears remote IRR this way. */
    if ((io->redir[pin] & REDIR_LEVEL) == 0)
        io->redir[pin] &= ~REDIR_REMOTE_IRR;
    return pin;
}

/* Registers are 32 bits wide at multiples of 16; narrower reads see part of
 * one, writes count only from its first byte. */
void vioapic_mmio(struct domain *d, uint32_t offset, unsigned size, bool write, uint64_t *value)
{
    struct vdev *dev = &d->arch->dev;
    unsigned reg = offset & ~15u, at = offset & 15, pin = IOAPIC_PINS;
    uint64_t whole = 0;

    lock_acquire(&dev->lock);
    if (!write) {
        if (reg == 0x00)
            whole = dev->ioapic.select;
        else if (reg == 0x10)
            whole = window_read(&dev->ioapic);
        *value = at < 4 ? whole >> (8 * at) : 0;
        if (size < 8)
            *value &= (UINT64_C(1) << (8 * size)) - 1;
    } else if (at == 0 && reg == 0x00) {
        dev->ioapic.select = (uint8_t)*value;
    } else if (at == 0 && reg == 0x10) {
        pin = window_write(&dev->ioapic, (uint32_t)*value);
    }
    lock_release(&dev->lock);
    if (pin < IOAPIC_PINS)
        try_send(d, pin);
    if (write && at == 0 && reg == 0x40)
        vioapic_eoi(d, (uint8_t)*value);
}

_Static_assert(VIOAPIC_NUM_PINS == IOAPIC_PINS, "pins of the save record");

void vioapic_save(const struct vioapic *io, struct hvm_hw_vioapic *r)
{
    memset(r, 0, sizeof(*r));
    r->base_address = IOAPIC_BASE;
    r->ioregsel = io->select;
    r->id = io->id;
    for (unsigned i = 0; i < IOAPIC_PINS; i++)
        r->redirtbl[i].bits = io->redir[i];
}

void vioapic_load(struct vioapic *io, const struct hvm_hw_vioapic *r)
{
    io->select = (uint8_t)r->ioregsel;
    io->id = r->id & 15;
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        uint64_t e = r->redirtbl[i].bits & (REDIR_WRITABLE | REDIR_REMOTE_IRR);

        io->redir[i] = (e & REDIR_LEVEL) != 0 ? e : e & ~REDIR_REMOTE_IRR;
    }
}
