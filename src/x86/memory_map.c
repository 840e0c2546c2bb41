/* The physical memory map that a domain asks for by XENMEM_memory_map. */
#include "base/string.h"
#include "core/arch.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "core/policy/policy.h"
#include "x86/build/pvh.h"
#include "x86/hvm/hvm.h"

#include <xen/memory.h>

#define E820_MAX 1024u

static struct e820_entry *entries_alloc(struct domain *d, uint32_t count, uint8_t *order)
{
    *order = (uint8_t)order_of_bytes(count == 0 ? 1 : count * sizeof(struct e820_entry));
    return hyp_pages_alloc(d, *order, FRAME_HYP);
}

/* Puts the new map in place of the old one, which is freed. */
static void entries_install(struct domain *d, struct e820_entry *e, uint32_t count, uint8_t order)
{
    struct domain_arch *a = d->arch;
    struct e820_entry *old;
    uint8_t old_order;

    lock_acquire(&d->lock);
    old = a->e820;
    old_order = a->e820_order;
    a->e820 = e;
    a->e820_count = count;
    a->e820_order = order;
    lock_release(&d->lock);
    if (old != NULL) {
        hyp_pages_free(old, old_order);
    }
}

int hvm_set_memory_map(struct domain *d, const struct mem_region *map, unsigned count)
{
    struct e820_entry *e;
    uint8_t order;
    unsigned i;

    if (count > E820_MAX) {
        return -XEN_EINVAL;
    }
    e = entries_alloc(d, count, &order);
    if (e == NULL) {
        return -XEN_ENOMEM;
    }
    for (i = 0; i < count; i++) {
        e[i] = (struct e820_entry){map[i].start, map[i].size, map[i].type};
    }
    entries_install(d, e, count, order);
    return 0;
}

void hvm_free_memory_map(struct domain *d)
{
    entries_install(d, NULL, 0, 0);
}

static int64_t memory_map(struct vcpu *v, uint64_t gva)
{
    struct domain *d = v->domain;
    const struct domain_arch *a = d->arch;
    struct xen_memory_map map;
    int rc = 0;

    if (guest_copy_in(v, &map, gva, sizeof(map)) != 0) {
        return -XEN_EFAULT;
    }
    lock_acquire(&d->lock);
    if (a->e820_count == 0) {
        rc = -XEN_ENOSYS;
    } else {
        if (map.nr_entries > a->e820_count) {
            map.nr_entries = a->e820_count;
        }
        rc = guest_copy_out(v, (uint64_t)(uintptr_t)map.buffer.p, a->e820,
                            map.nr_entries * sizeof(struct e820_entry));
    }
    lock_release(&d->lock);
    return rc != 0 ? rc : guest_copy_out(v, gva, &map, sizeof(map));
}

static int64_t set_memory_map(struct vcpu *v, uint64_t gva)
{
    struct xen_foreign_memory_map f;
    struct e820_entry *e;
    struct domain *d;
    uint8_t order;
    int rc;

    if (guest_copy_in(v, &f, gva, sizeof(f)) != 0) {
        return -XEN_EFAULT;
    }
    if (f.map.nr_entries > E820_MAX) {
        return -XEN_EINVAL;
    }
    d = domain_get_for(v, f.domid);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_MEMORY_MAP, v->domain, d);
    if (rc == 0) {
        e = entries_alloc(d, f.map.nr_entries, &order);
        if (e == NULL) {
            rc = -XEN_ENOMEM;
        } else if (guest_copy_in(v, e, (uint64_t)(uintptr_t)f.map.buffer.p,
                                 f.map.nr_entries * sizeof(*e)) != 0) {
            hyp_pages_free(e, order);
            rc = -XEN_EFAULT;
        } else {
            entries_install(d, e, f.map.nr_entries, order);
        }
    }
    domain_put(d);
    return rc;
}

int64_t arch_memory_op(struct vcpu *v, uint32_t op, uint64_t gva)
{
    int rc;

    switch (op) {
    case XENMEM_memory_map:
        return memory_map(v, gva);
    case XENMEM_set_memory_map:
        return set_memory_map(v, gva);
    case XENMEM_machine_memory_map:
        /* Only PV control domains, which do not exist, need an answer. */
        rc = policy_check(POLICY_MACHINE_MAP, v->domain, NULL);
        return rc != 0 ? rc : -XEN_ENOSYS;
    default:
        return -XEN_ENOSYS;
    }
}
