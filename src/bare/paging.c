/* The direct map beyond the first 4 GiB that entry.S made (SDM Vol. 3 4.5). */
#include "bare/bare.h"

#include "base/arith.h"
#include "base/string.h"
#include "port/mem.h"
#include "port/power.h"

#define PTE_PRESENT_WRITE 3u
#define PTE_LARGE 0x83u
#define PTE_NX (UINT64_C(1) << 63)
#define TABLE_SPAN (UINT64_C(1) << 30)
#define BOOT_MAPPED (UINT64_C(4) << 30)
#define DIRECTMAP_SLOT 256u
#define DIRECTMAP_MAX (UINT64_C(512) << 30) /* one PML4 slot */

extern uint64_t boot_pml4[512];
uint8_t *port_directmap = (uint8_t *)DIRECTMAP_BASE;

/* One zeroed table page from the first RAM range below 4 GiB that has one. */
static uint64_t take_page(struct bare_boot *boot)
{
    for (size_t i = 0; i < boot->ram_count; i++) {
        struct memory_range *r = &boot->ram[i];
        uint64_t pa = align_up(r->start, PAGE_SIZE);

        if (pa + PAGE_SIZE <= r->end && pa + PAGE_SIZE <= BOOT_MAPPED) {
            r->start = pa + PAGE_SIZE;
            memset(phys_to_ptr(pa), 0, PAGE_SIZE);
            return pa;
        }
    }
    port_panic("no memory for page tables");
}

void paging_init(struct bare_boot *boot)
{
    uint64_t *pdpt = phys_to_ptr(boot_pml4[DIRECTMAP_SLOT] & PAGE_MASK);
    uint64_t end = min_u64(align_up(boot->highest, TABLE_SPAN), DIRECTMAP_MAX);

    for (uint64_t pa = BOOT_MAPPED; pa < end; pa += TABLE_SPAN) {
        uint64_t table = take_page(boot);
        uint64_t *pd = phys_to_ptr(table);

        for (unsigned i = 0; i < 512; i++)
            pd[i] = (pa + ((uint64_t)i << 21)) | PTE_LARGE | PTE_NX;
        pdpt[pa >> 30] = table | PTE_PRESENT_WRITE;
    }
    boot_pml4[0] = 0; /* nothing runs or points below the direct map any more */
    __asm__ volatile("mov %0, %%cr3"
                     :
                     : "r"((uint64_t)(uintptr_t)boot_pml4 - IMAGE_BASE)
                     : "memory");
}
