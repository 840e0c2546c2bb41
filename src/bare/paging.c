/* The final page tables (SDM Vol. 3 4.5). All of RAM in the direct map, never
 * executable; the image in 4 KiB pages by section, none of them both writable
 * and executable, text and constants read-only in the direct map too; the guards
 * of the stacks nowhere. Firmware's tables lie outside what it calls RAM: the
 * direct map covers at least 4 GiB, and there the MTRRs say what is uncached. */
#include "bare/bare.h"

#include "base/arith.h"
#include "base/check.h"
#include "base/string.h"
#include "core/mem/page_alloc.h"
#include "port/mem.h"
#include "port/power.h"

#define PTE_PRESENT UINT64_C(1)
#define PTE_WRITE UINT64_C(2)
#define PTE_UNCACHED UINT64_C(0x18) /* PCD and PWT: entry 3 of the PAT, UC at reset */
#define PTE_LARGE UINT64_C(0x80)
#define PTE_NX (UINT64_C(1) << 63)
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)
#define PTE_DATA (PTE_PRESENT | PTE_WRITE | PTE_NX)
#define PTE_TABLE (PTE_PRESENT | PTE_WRITE)
#define ENTRIES 512u
#define SPAN_2M (UINT64_C(1) << 21)
#define SPAN_1G (UINT64_C(1) << 30)
#define BOOT_MAPPED (UINT64_C(4) << 30)
#define DIRECTMAP_MAX (UINT64_C(512) << 30) /* one PML4 slot */
#define DEVICE_BASE (IMAGE_BASE + SPAN_1G)
#define IMAGE_SLOT 510u
#define DEVICE_SLOT 511u
#define STACK_SPAN (UINT64_C(64) << 10) /* of addresses: the stack, and its guard below */
#define STACK_BASE (DEVICE_BASE + SPAN_2M)
#define FRAMES_BASE (DEVICE_BASE + 32 * SPAN_2M)

extern uint64_t boot_pml4[ENTRIES], boot_pdpt[ENTRIES], boot_pdpt_high[ENTRIES];
extern uint64_t boot_pd[4 * ENTRIES];
uint8_t *port_directmap = (uint8_t *)DIRECTMAP_BASE;

static uint64_t device_pd[ENTRIES] __attribute__((aligned(4096)));
static uint64_t device_pt[ENTRIES] __attribute__((aligned(4096)));
static unsigned devices;

/* A starting CPU's: the image where it is, and one page at its own address. */
static uint64_t start_pml4[ENTRIES] __attribute__((aligned(4096)));
static uint64_t start_tables[3][ENTRIES] __attribute__((aligned(4096)));

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

static void load_tables(void)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(image_phys(boot_pml4)) : "memory");
}

/* Rights of the page of the image that runs at va; 0: a guard, unmapped. */
static uint64_t image_rights(uint64_t va)
{
    for (unsigned i = 0; i < BARE_STACKS; i++) {
        if (va == bare_stacks[i].guard)
            return 0;
    }
    if (va < (uint64_t)(uintptr_t)image_unpack_rodata)
        return PTE_PRESENT;
    if (va < (uint64_t)(uintptr_t)image_rodata_end)
        return PTE_PRESENT | PTE_NX;
    return PTE_DATA;
}

/* A table of the 2 MiB at pa, which hold some of the image: as the image sees
 * itself, or as the direct map shows all of them. */
static uint64_t image_table(struct bare_boot *boot, uint64_t pa, bool direct)
{
    uint64_t table = take_page(boot);
    uint64_t *pt = phys_to_ptr(table);

    for (unsigned i = 0; i < ENTRIES; i++, pa += PAGE_SIZE) {
        bool inside = pa >= image_phys(image_start) && pa < image_phys(image_end);
        uint64_t rights = direct ? PTE_DATA : 0;

        if (inside) {
            rights = image_rights(pa + IMAGE_BASE);
            if (direct && rights)
                rights |= PTE_NX;
        }
        pt[i] = rights ? pa | rights : 0;
    }
    return table | PTE_TABLE;
}

static void map_image(struct bare_boot *boot)
{
    uint64_t table = take_page(boot);
    uint64_t *pd = phys_to_ptr(table);
    uint64_t pa = align_down(image_phys(image_start), SPAN_2M);

    for (; pa < image_phys(image_end); pa += SPAN_2M) {
        pd[pa / SPAN_2M] = image_table(boot, pa, false);
        boot_pd[pa / SPAN_2M] = image_table(boot, pa, true);
    }
    boot_pdpt_high[IMAGE_SLOT] = table | PTE_TABLE;
}

void paging_init(struct bare_boot *boot)
{
    uint64_t end = BOOT_MAPPED;

    multiboot_limit(boot, DIRECTMAP_MAX);
    for (size_t i = 0; i < boot->ram_count; i++)
        end = max_u64(end, align_up(boot->ram[i].end, SPAN_1G));
    for (uint64_t pa = BOOT_MAPPED; pa < end; pa += SPAN_1G) {
        uint64_t table = take_page(boot);
        uint64_t *pd = phys_to_ptr(table);

        for (unsigned i = 0; i < ENTRIES; i++)
            pd[i] = (pa + i * SPAN_2M) | PTE_LARGE | PTE_DATA;
        boot_pdpt[pa / SPAN_1G] = table | PTE_TABLE;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(boot_pd); i++)
        boot_pd[i] |= PTE_NX;
    map_image(boot);
    device_pd[0] = image_phys(device_pt) | PTE_TABLE;
    boot_pdpt_high[DEVICE_SLOT] = image_phys(device_pd) | PTE_TABLE;
    boot_pml4[0] = 0; /* nothing runs or points below the direct map any more */
    load_tables();
}

/* The entry of the 4 KiB page of the image at pa, in tables of page directories. */
static uint64_t *image_entry(uint64_t *pd, uint64_t pa)
{
    uint64_t *pt = phys_to_ptr(pd[pa / SPAN_2M] & PTE_ADDRESS);

    return &pt[pa >> PAGE_SHIFT & (ENTRIES - 1)];
}

void paging_discard(const uint8_t *start, const uint8_t *end)
{
    uint64_t *pd = phys_to_ptr(boot_pdpt_high[IMAGE_SLOT] & PTE_ADDRESS);

    for (uint64_t pa = image_phys(start); pa < image_phys(end); pa += PAGE_SIZE) {
        *image_entry(pd, pa) = 0;
        *image_entry(boot_pd, pa) = pa | PTE_DATA;
    }
    load_tables();
}

void paging_refresh(void)
{
    load_tables();
}

volatile void *paging_map_device(uint64_t pa)
{
    check(devices < ENTRIES);
    device_pt[devices] = (pa & PTE_ADDRESS) | PTE_DATA | PTE_UNCACHED;
    load_tables();
    return (volatile void *)(DEVICE_BASE + devices++ * PAGE_SIZE);
}

/* Maps the page at p, of the direct map, at va of the device slot. */
static bool map_page(uint64_t va, const void *p, uint64_t rights)
{
    uint64_t *pde = &device_pd[(va - DEVICE_BASE) / SPAN_2M], *pt;

    if (*pde == 0) {
        void *table = hyp_pages_alloc(NULL, 0, FRAME_HYP);

        if (!table)
            return false;
        *pde = (uint64_t)((uint8_t *)table - port_directmap) | PTE_TABLE;
    }
    pt = phys_to_ptr(*pde & PTE_ADDRESS);
    pt[va >> PAGE_SHIFT & (ENTRIES - 1)] = (uint64_t)((const uint8_t *)p - port_directmap) | rights;
    return true;
}

bool paging_frames_fit(uint64_t pages)
{
    return pages <= (DEVICE_BASE + (SPAN_1G - 1) - FRAMES_BASE) / PAGE_SIZE;
}

uint64_t *paging_frames(void)
{
    return (uint64_t *)FRAMES_BASE;
}

bool paging_map_frames(uint64_t i, const void *p, bool write)
{
    return map_page(FRAMES_BASE + i * PAGE_SIZE, p, write ? PTE_DATA : PTE_PRESENT | PTE_NX);
}

bool paging_map_stack(unsigned cpu, unsigned index, unsigned pages, struct bare_stack *out)
{
    uint64_t top = STACK_BASE + (uint64_t)(cpu * BARE_STACKS + index + 1) * STACK_SPAN;

    check((pages + 1) * PAGE_SIZE <= STACK_SPAN && cpu < MAX_CPUS);
    for (unsigned i = 1; i <= pages; i++) {
        void *page = hyp_pages_alloc(NULL, 0, FRAME_HYP);

        if (!page || !map_page(top - i * PAGE_SIZE, page, PTE_DATA))
            return false;
    }
    out->top = top;
    out->guard = top - (pages + 1) * PAGE_SIZE;
    return true;
}

uint64_t paging_trampoline(uint64_t low)
{
    memset(start_pml4, 0, sizeof(start_pml4));
    if (low == 0)
        return 0;
    for (unsigned i = ENTRIES / 2; i < ENTRIES; i++)
        start_pml4[i] = boot_pml4[i];
    start_pml4[0] = image_phys(start_tables[0]) | PTE_TABLE;
    start_tables[0][0] = image_phys(start_tables[1]) | PTE_TABLE;
    start_tables[1][0] = image_phys(start_tables[2]) | PTE_TABLE;
    start_tables[2][low >> PAGE_SHIFT] = low | PTE_PRESENT;
    return image_phys(start_pml4);
}

static void audit_table(const uint64_t *table, unsigned level, bool write, bool exec,
                        struct paging_figures *out)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t e = table[i];
        bool w = write && (e & PTE_WRITE), x = exec && !(e & PTE_NX);

        if (!(e & PTE_PRESENT))
            continue;
        if (level > 0 && !(e & PTE_LARGE)) {
            audit_table(phys_to_ptr(e & PTE_ADDRESS), level - 1, w, x, out);
            continue;
        }
        out->leaves++;
        out->writable_executable += w && x;
    }
}

struct paging_figures paging_audit(void)
{
    struct paging_figures f = {0, 0};

    audit_table(phys_to_ptr(read_cr3() & PTE_ADDRESS), 3, true, true, &f);
    return f;
}

bool paging_mapped(uint64_t va)
{
    const uint64_t *table = phys_to_ptr(read_cr3() & PTE_ADDRESS);

    for (unsigned level = 3;; level--) {
        uint64_t e = table[va >> (PAGE_SHIFT + 9 * level) & (ENTRIES - 1)];

        if (!(e & PTE_PRESENT))
            return false;
        if (level == 0 || (e & PTE_LARGE))
            return true;
        table = phys_to_ptr(e & PTE_ADDRESS);
    }
}
