#include "core/guest_mem/guest_mem.h"

#include "base/arith.h"
#include "base/check.h"
#include "base/string.h"
#include "core/arch.h"
#include "core/domain/domain.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m.h"
#include "core/vcpu/vcpu.h"
#include "port/mem.h"

/* The part of [at, at + left) that lies in at's page. */
/*@ assigns \nothing;
    ensures \result <= left && at % PAGE_SIZE + \result <= PAGE_SIZE;
    ensures progress: left > 0 ==> \result > 0;
    ensures \result == left || (at + \result) % PAGE_SIZE == 0; */
static size_t page_chunk(uint64_t at, uint64_t left)
{
    return (size_t)min_u64(PAGE_SIZE - at % PAGE_SIZE, left);
}

/* True iff [start, start + n) runs past the end of the address space. n is not 0. */
/*@ requires n > 0;
    assigns \nothing;
    ensures \result <==> start + n > UINT64_MAX + 1; */
static bool wraps(uint64_t start, uint64_t n)
{
    return add_overflows(start, n - 1);
}

/* Copies out of one guest page; dst may be anything. */
static int page_read(struct domain *d, gaddr_t a, void *dst, size_t n)
{
    struct p2m_entry e;

    if (!p2m_get_page(d, gaddr_gfn(a), &e)) {
        return -XEN_EFAULT;
    }
    memcpy(dst, (const uint8_t *)mfn_to_ptr(e.mfn) + (a.v & (PAGE_SIZE - 1)), n);
    frame_put(e.mfn);
    return 0;
}

/* Copies into one guest page; src NULL: zeroes. */
static int page_write(struct domain *d, gaddr_t a, const void *src, size_t n)
{
    struct p2m_entry e;
    uint8_t *p;

    if (!p2m_get_page(d, gaddr_gfn(a), &e)) {
        return -XEN_EFAULT;
    }
    /* What the guest itself may only read is not written for it by a hypercall either. */
    if ((P2M_SET(e.type) & P2M_SET_WRITABLE) == 0) {
        frame_put(e.mfn);
        return -XEN_EFAULT;
    }
    p = (uint8_t *)mfn_to_ptr(e.mfn) + (a.v & (PAGE_SIZE - 1));
    if (src != NULL) {
        memcpy(p, src, n);
    } else {
        memset(p, 0, n);
    }
    port_code_changed(e.mfn, 1);
    frame_put(e.mfn);
    return 0;
}

int guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n)
{
    uint8_t *to = dst;

    if (n == 0) {
        return 0;
    }
    if (wraps(gva, n)) {
        return -XEN_EFAULT;
    }
    while (n != 0) {
        size_t chunk = page_chunk(gva, n);
        gaddr_t a;

        if (!arch_translate(v, gva, false, &a) || page_read(v->domain, a, to, chunk) != 0) {
            return -XEN_EFAULT;
        }
        to += chunk;
        gva += chunk;
        n -= chunk;
    }
    return 0;
}

int guest_copy_out(struct vcpu *v, uint64_t gva, const void *src, size_t n)
{
    const uint8_t *from = src;

    if (n == 0) {
        return 0;
    }
    if (wraps(gva, n)) {
        return -XEN_EFAULT;
    }
    while (n != 0) {
        size_t chunk = page_chunk(gva, n);
        gaddr_t a;

        if (!arch_translate(v, gva, true, &a) || page_write(v->domain, a, from, chunk) != 0) {
            return -XEN_EFAULT;
        }
        from += chunk;
        gva += chunk;
        n -= chunk;
    }
    return 0;
}

int guest_phys_read(struct domain *d, gaddr_t a, void *dst, size_t n)
{
    uint8_t *to = dst;

    if (n != 0 && wraps(a.v, n)) {
        return -XEN_EFAULT;
    }
    while (n != 0) {
        size_t chunk = page_chunk(a.v, n);

        if (page_read(d, a, to, chunk) != 0) {
            return -XEN_EFAULT;
        }
        to += chunk;
        a = gaddr(a.v + chunk);
        n -= chunk;
    }
    return 0;
}

/* src NULL: zeroes. */
static int phys_fill(struct domain *d, gaddr_t a, const uint8_t *src, uint64_t n)
{
    if (n != 0 && wraps(a.v, n)) {
        return -XEN_EFAULT;
    }
    while (n != 0) {
        size_t chunk = page_chunk(a.v, n);

        if (page_write(d, a, src, chunk) != 0) {
            return -XEN_EFAULT;
        }
        src = src != NULL ? src + chunk : NULL;
        a = gaddr(a.v + chunk);
        n -= chunk;
    }
    return 0;
}

int guest_phys_write(struct domain *d, gaddr_t a, const void *src, size_t n)
{
    check(src != NULL || n == 0);
    return phys_fill(d, a, src, n);
}

int guest_phys_zero(struct domain *d, gaddr_t a, uint64_t n)
{
    return phys_fill(d, a, NULL, n);
}

void *guest_page_pin(struct domain *d, gfn_t g)
{
    struct p2m_entry e;

    if (!p2m_get_page(d, g, &e)) {
        return NULL;
    }
    /* Of own RAM the p2m gave the reference only because the domain owns it. */
    if (e.type != P2M_RAM_RW || !frame_get_type(e.mfn, FRAME_WRITABLE)) {
        frame_put(e.mfn);
        return NULL;
    }
    return mfn_to_ptr(e.mfn);
}

void guest_page_unpin(void *page)
{
    mfn_t m = ptr_to_mfn(page);

    frame_put_type(m);
    frame_put(m);
}
