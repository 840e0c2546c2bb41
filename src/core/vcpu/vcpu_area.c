/* Structures in guest memory that the hypervisor keeps up to date. */
#include "base/arith.h"
#include "base/atomic.h"
#include "base/check.h"
#include "base/string.h"
#include "base/xen.h"
#include "core/arch.h"
#include "core/guest_mem/guest_mem.h"
#include "core/vcpu/vcpu.h"

static void *pin_at(struct vcpu *caller, uint64_t gva, uint32_t *offset)
{
    gaddr_t a;

    if (!arch_translate(caller, gva, true, &a)) {
        return NULL;
    }
    *offset = (uint32_t)(a.v & (PAGE_SIZE - 1));
    return guest_page_pin(caller->domain, gaddr_gfn(a));
}

int vcpu_area_pin(struct vcpu *caller, uint64_t gva, uint32_t n, struct vcpu_area *out)
{
    struct vcpu_area a = {.page = NULL};
    uint32_t ignored;

    check(n != 0 && n <= PAGE_SIZE);
    if (add_overflows(gva, n - 1)) {
        return -XEN_EFAULT;
    }
    a.page = pin_at(caller, gva, &a.offset);
    if (a.page == NULL) {
        return -XEN_EFAULT;
    }
    if (a.offset + n > PAGE_SIZE) {
        a.page2 = pin_at(caller, align_down(gva + n - 1, PAGE_SIZE), &ignored);
        if (a.page2 == NULL) {
            vcpu_area_unpin(&a);
            return -XEN_EFAULT;
        }
    }
    *out = a;
    return 0;
}

void vcpu_area_unpin(struct vcpu_area *a)
{
    if (a->page != NULL) {
        guest_page_unpin(a->page);
    }
    if (a->page2 != NULL) {
        guest_page_unpin(a->page2);
    }
    *a = (struct vcpu_area){.page = NULL};
}

/* The address, or what is there, may have been replaced meanwhile: by somebody who
 * has looked himself. */
static void settle(struct vcpu *v, const uint64_t *gva, uint32_t n, struct vcpu_area *where)
{
    uint64_t at = load_u64(gva);
    struct vcpu_area a;
    struct runqueue *rq;

    if (at == 0 || where->page != NULL || vcpu_area_pin(v, at, n, &a) != 0) {
        return;
    }
    rq = sched_lock(v);
    if (*gva == at && where->page == NULL) {
        *where = a;
        a = (struct vcpu_area){.page = NULL};
        vcpu_runstate_publish(v);
    }
    lock_release(&rq->lock);
    vcpu_area_unpin(&a);
}

void vcpu_areas_settle(struct vcpu *v)
{
    settle(v, &v->runstate_gva, sizeof(struct vcpu_runstate_info), &v->runstate_area);
    settle(v, &v->time_gva, sizeof(vcpu_time_info_t), &v->time_area);
}

void vcpu_area_write(const struct vcpu_area *a, uint32_t pos, const void *src, uint32_t n)
{
    uint64_t at = (uint64_t)a->offset + pos;
    uint64_t first = at < PAGE_SIZE ? min_u64(n, PAGE_SIZE - at) : 0;

    if (first != 0) {
        memcpy((uint8_t *)a->page + at, src, first);
    }
    if (first < n) {
        check(a->page2 != NULL);
        memcpy((uint8_t *)a->page2 + (at + first - PAGE_SIZE), (const uint8_t *)src + first,
               n - first);
    }
}
