/* The only door to guest memory. Everything else works on copies. */
#ifndef CORBEL_CORE_GUEST_MEM_GUEST_MEM_H
#define CORBEL_CORE_GUEST_MEM_GUEST_MEM_H

#include "base/xen.h"

#include "base/types.h"

struct domain;
struct vcpu;

/* Copies n bytes between a buffer and the linear address space of v as its
 * kernel sees it now (v is stopped in an exit). -XEN_EFAULT when any byte is
 * not accessible; then nothing useful may be assumed of dst, and part of a
 * write may have happened. */
int guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n);
int guest_copy_out(struct vcpu *v, uint64_t gva, const void *src, size_t n);

/* The same for guest-physical addresses of any translated domain. */
int guest_phys_read(struct domain *d, gaddr_t a, void *dst, size_t n);
int guest_phys_write(struct domain *d, gaddr_t a, const void *src, size_t n);
int guest_phys_zero(struct domain *d, gaddr_t a, uint64_t n);

/* Maps one guest page for the hypervisor's long-term use (shared word pages:
 * vcpu_info, FIFO arrays, runstate): checks that g is the domain's own
 * writable RAM, takes a general and a FRAME_WRITABLE reference and returns the
 * page. NULL when it is not. */
void *guest_page_pin(struct domain *d, gfn_t g);
void guest_page_unpin(void *page);

#endif
