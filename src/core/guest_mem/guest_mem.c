#include "core/guest_mem/guest_mem.h"

#include "base/arith.h"
#include "base/check.h"
#include "base/string.h"
#include "core/arch.h"
#include "core/domain/domain.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m_log.h"
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

/*@ predicate in_page(integer at, integer n) = at % PAGE_SIZE + n <= PAGE_SIZE; */

/* Copies out of one guest page; dst may be anything. */
/*@ requires in_page(a.v, n) && \valid(dst + (0 .. n - 1));
    terminates \true;
    assigns dst[0 .. n - 1]; */
static int page_read(struct domain *d, gaddr_t a, uint8_t *dst, size_t n)
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
/*@ requires in_page(a.v, n);
    requires src == \null || \valid_read(src + (0 .. n - 1));
    terminates \true;
    assigns \nothing; */
static int page_write(struct domain *d, gaddr_t a, const uint8_t *src, size_t n)
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
    p2m_written(d, gaddr_gfn(a));
    return 0;
}

/*@ requires \valid_read(v) && \valid(to + (0 .. n - 1)) && \separated(v, to + (0 .. n - 1));
    assigns to[0 .. n - 1];
    ensures n > 0 && gva + n > UINT64_MAX + 1 ==> \result != 0;
    ensures \result == 0 || \result == -XEN_EFAULT; */
static int copy_in(struct vcpu *v, uint8_t *to, uint64_t gva, size_t n)
{
    size_t done = 0, chunk;

    if (n == 0) {
        return 0;
    }
    if (wraps(gva, n)) {
        return -XEN_EFAULT;
    }
    /*@ loop invariant done <= n && (done == n || done == 0 || (gva + done) % PAGE_SIZE == 0);
        loop assigns done, chunk, to[0 .. n - 1];
        loop variant n - done; */
    for (; done < n; done += chunk) {
        gaddr_t a;

        chunk = page_chunk(gva + done, n - done);
        if (!arch_translate(v, gva + done, false, &a) ||
            page_read(v->domain, a, to + done, chunk) != 0) {
            return -XEN_EFAULT;
        }
    }
    return 0;
}

int guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n)
{
    return copy_in(v, dst, gva, n);
}

/*@ requires \valid_read(v) && \valid_read(from + (0 .. n - 1));
    assigns \nothing;
    ensures n > 0 && gva + n > UINT64_MAX + 1 ==> \result != 0;
    ensures \result == 0 || \result == -XEN_EFAULT; */
static int copy_out(struct vcpu *v, uint64_t gva, const uint8_t *from, size_t n)
{
    size_t done = 0, chunk;

    if (n == 0) {
        return 0;
    }
    if (wraps(gva, n)) {
        return -XEN_EFAULT;
    }
    /*@ loop invariant done <= n && (done == n || done == 0 || (gva + done) % PAGE_SIZE == 0);
        loop assigns done, chunk;
        loop variant n - done; */
    for (; done < n; done += chunk) {
        gaddr_t a;

        chunk = page_chunk(gva + done, n - done);
        if (!arch_translate(v, gva + done, true, &a) ||
            page_write(v->domain, a, from + done, chunk) != 0) {
            return -XEN_EFAULT;
        }
    }
    return 0;
}

int guest_copy_out(struct vcpu *v, uint64_t gva, const void *src, size_t n)
{
    return copy_out(v, gva, src, n);
}

/*@ requires \valid(to + (0 .. n - 1));
    assigns to[0 .. n - 1];
    ensures n > 0 && a.v + n > UINT64_MAX + 1 ==> \result != 0;
    ensures \result == 0 || \result == -XEN_EFAULT; */
static int phys_read(struct domain *d, gaddr_t a, uint8_t *to, size_t n)
{
    size_t done = 0, chunk;

    if (n != 0 && wraps(a.v, n)) {
        return -XEN_EFAULT;
    }
    /*@ loop invariant done <= n && (done == n || done == 0 || (a.v + done) % PAGE_SIZE == 0);
        loop assigns done, chunk, to[0 .. n - 1];
        loop variant n - done; */
    for (; done < n; done += chunk) {
        chunk = page_chunk(a.v + done, n - done);
        if (page_read(d, gaddr(a.v + done), to + done, chunk) != 0) {
            return -XEN_EFAULT;
        }
    }
    return 0;
}

int guest_phys_read(struct domain *d, gaddr_t a, void *dst, size_t n)
{
    return phys_read(d, a, dst, n);
}

/* src NULL: zeroes. */
/*@ requires src == \null || \valid_read(src + (0 .. n - 1));
    assigns \nothing;
    ensures n > 0 && a.v + n > UINT64_MAX + 1 ==> \result != 0;
    ensures \result == 0 || \result == -XEN_EFAULT; */
static int phys_fill(struct domain *d, gaddr_t a, const uint8_t *src, uint64_t n)
{
    uint64_t done = 0, chunk;

    if (n != 0 && wraps(a.v, n)) {
        return -XEN_EFAULT;
    }
    /*@ loop invariant done <= n && (done == n || done == 0 || (a.v + done) % PAGE_SIZE == 0);
        loop assigns done, chunk;
        loop variant n - done; */
    for (; done < n; done += chunk) {
        chunk = page_chunk(a.v + done, n - done);
        if (page_write(d, gaddr(a.v + done), src != NULL ? src + done : NULL, chunk) != 0) {
            return -XEN_EFAULT;
        }
    }
    return 0;
}

int guest_phys_write(struct domain *d, gaddr_t a, const void *src, size_t n)
{
    check(src != NULL || n == 0);
    return phys_fill(d, a, src, n);
}

/*@ assigns \nothing;
    ensures n > 0 && a.v + n > UINT64_MAX + 1 ==> \result != 0; */
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
    p2m_written(d, g);
    return mfn_to_ptr(e.mfn);
}

void guest_page_unpin(void *page)
{
    mfn_t m = ptr_to_mfn(page);

    frame_put_type(m);
    frame_put(m);
}
