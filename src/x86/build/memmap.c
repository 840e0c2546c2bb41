/* The physical memory map of a PVH domain. The same map goes into the start info
 * and answers XENMEM_memory_map. */
#include "base/xen.h"

#include <xen/arch-x86/hvm/start_info.h>

#include "base/arith.h"
#include "x86/build/pvh.h"

/* Addresses that a second-stage table reaches. */
#define MEMMAP_LIMIT (UINT64_C(1) << 48)

unsigned memmap_build(uint64_t mem_bytes, struct mem_region *out, unsigned cap)
{
    uint64_t low = min_u64(mem_bytes, PVH_LOWMEM_END);
    uint64_t high = mem_bytes - low;
    unsigned n = high != 0 ? 4 : 3;

    if (mem_bytes == 0 || (mem_bytes & ~PAGE_MASK) != 0 || n > cap ||
        high > MEMMAP_LIMIT - PVH_HIGHMEM_BASE) {
        return 0;
    }
    out[0] = (struct mem_region){0, low, XEN_HVM_MEMMAP_TYPE_RAM};
    out[1] = (struct mem_region){PVH_ACPI_BASE, (uint64_t)PVH_ACPI_PAGES << PAGE_SHIFT,
                                 XEN_HVM_MEMMAP_TYPE_ACPI};
    out[2] = (struct mem_region){PVH_SPECIAL_BASE, (uint64_t)PVH_SPECIAL_PAGES << PAGE_SHIFT,
                                 XEN_HVM_MEMMAP_TYPE_RESERVED};
    if (high != 0) {
        out[3] = (struct mem_region){PVH_HIGHMEM_BASE, high, XEN_HVM_MEMMAP_TYPE_RAM};
    }
    return n;
}
