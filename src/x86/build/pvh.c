/* Builds a PVH domain: populates its memory, places kernel, initrd, start info and
 * tables in it, and gives vCPU 0 the state of the PVH boot ABI. */
#include "x86/build/pvh.h"

#include <xen/arch-x86/hvm/start_info.h>

#include "base/arith.h"
#include "base/atomic.h"
#include "base/string.h"
#include "core/console/console.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

/* The start block is looked for from here: page 0 stays free for guests that
 * take address 0 for nothing. */
#define START_LOWEST 0x1000u
/* End of the memory below 1 MiB that no PC firmware or video area shadows. */
#define START_LOW_END 0x9f000u

#define SPECIAL_CONSOLE 0u /* index among the special pages */

/* Segment attributes in the VMX access-rights format, SDM table 24-2. */
#define ATTR_CODE32 0xc09bu /* execute/read, accessed; present, 32-bit, 4 KiB units */
#define ATTR_DATA32 0xc093u /* read/write, accessed */
#define ATTR_TSS32 0x008bu  /* busy 32-bit TSS */

/* Where everything goes that is not the kernel, in guest-physical bytes. The
 * start block is one run of memory: start info, modules, map, command line. */
struct placement {
    uint64_t initrd;
    uint64_t start, modules, map, cmdline;
    uint64_t start_end;
    size_t cmdline_len; /* with its NUL, 0: none */
};

const char *pvh_error_text(enum pvh_error e)
{
    switch (e) {
    case PVH_OK:
        return "no error";
    case PVH_TRUNCATED:
        return "the kernel image is shorter than its headers say";
    case PVH_NOT_A_KERNEL:
        return "the kernel image is neither an ELF executable for x86 nor a bzImage";
    case PVH_BAD_COMPRESSION:
        return "the compressed kernel is corrupt or of an unknown format";
    case PVH_NO_NOTE:
        return "the kernel has no PVH entry point (ELF note PHYS32_ENTRY)";
    case PVH_BAD_ELF:
        return "the kernel's segments overlap or do not lie in the domain's memory";
    case PVH_NO_ROOM:
        return "the domain's memory is too small for kernel, initrd and tables";
    case PVH_NO_MEMORY:
        return "the machine has not enough free memory, or the domain's limit is too low";
    case PVH_BAD_ARGUMENT:
        return "memory size, number of vCPUs or command line is out of range";
    }
    return "unknown error";
}

/* Gives the frames of a block that was never mapped back to the machine. */
static void release_pages(struct domain *d, mfn_t m, unsigned order)
{
    uint64_t i;

    for (i = 0; i < UINT64_C(1) << order; i++) {
        mfn_t one = mfn(m.v + i);

        if (frame_get(one, d->id)) {
            (void)frame_release_allocation(one);
            frame_put(one);
        }
    }
}

/* Maps one new block of 2^order frames at g. */
static bool populate_one(struct domain *d, gfn_t g, unsigned order)
{
    mfn_t m = guest_pages_alloc(d, order);

    if (mfn_is_invalid(m)) {
        return false;
    }
    if (p2m_map(d, g, m, order, P2M_RAM_RW) != 0) {
        release_pages(d, m, order);
        return false;
    }
    return true;
}

/* Populates [start, start + bytes) with the largest leaves that fit and that
 * the machine still has. */
static enum pvh_error populate(struct domain *d, uint64_t start, uint64_t bytes)
{
    static const uint8_t orders[] = {P2M_1G, P2M_2M, P2M_4K};
    uint64_t g = start >> PAGE_SHIFT, end = (start + bytes) >> PAGE_SHIFT;
    unsigned largest = 0;

    while (g < end) {
        unsigned i;

        for (i = largest; i < ARRAY_SIZE(orders); i++) {
            uint64_t count = UINT64_C(1) << orders[i];

            if ((g & (count - 1)) != 0 || end - g < count) {
                continue;
            }
            if (populate_one(d, gfn(g), orders[i])) {
                g += count;
                break;
            }
            /* The machine has none of this size left: do not ask again. */
            largest = i + 1;
        }
        if (i == ARRAY_SIZE(orders)) {
            return PVH_NO_MEMORY;
        }
    }
    return PVH_OK;
}

static enum pvh_error populate_map(struct domain *d, const struct mem_region *map, unsigned n)
{
    enum pvh_error error = PVH_OK;
    unsigned i;

    for (i = 0; error == PVH_OK && i < n; i++) {
        error = populate(d, map[i].start, map[i].size);
    }
    return error;
}

/* Lays the start block out at address at. */
static void place_start(struct placement *p, uint64_t at, unsigned regions)
{
    p->start = at;
    p->modules = p->start + sizeof(struct hvm_start_info);
    p->map = p->modules + sizeof(struct hvm_modlist_entry);
    p->cmdline = p->map + regions * sizeof(struct hvm_memmap_table_entry);
    p->start_end = p->cmdline + p->cmdline_len;
}

/* Decides where initrd and start block go. The kernel keeps the whole range from
 * its lowest to its highest segment; low is the end of memory below 4 GiB. */
static enum pvh_error place(struct placement *p, const struct pvh_image *image,
                            const struct elf_image *kernel, uint64_t low, unsigned regions)
{
    uint64_t kernel_end = align_up(kernel->highest, PAGE_SIZE);
    uint64_t top = low;

    if (kernel->highest > low) {
        return PVH_NO_ROOM;
    }
    p->cmdline_len = 0;
    if (image->cmdline != NULL) {
        p->cmdline_len = str_len_max(image->cmdline, PVH_CMDLINE_MAX) + 1;
        if (p->cmdline_len > PVH_CMDLINE_MAX) {
            return PVH_BAD_ARGUMENT;
        }
    }
    if (image->initrd != NULL) {
        if (image->initrd_len > low || kernel_end > low - image->initrd_len) {
            return PVH_NO_ROOM;
        }
        top = align_down(low - image->initrd_len, PAGE_SIZE);
        if (top < kernel_end) {
            return PVH_NO_ROOM;
        }
        p->initrd = top;
    }
    /* Below the kernel in the first MiB, or else right above it. */
    place_start(p, START_LOWEST, regions);
    if (p->start_end <= min_u64(START_LOW_END, min_u64(top, kernel->lowest))) {
        return PVH_OK;
    }
    place_start(p, max_u64(kernel_end, START_LOWEST), regions);
    return p->start_end <= top ? PVH_OK : PVH_NO_ROOM;
}

static enum pvh_error write_guest(struct domain *d, uint64_t at, const void *src, size_t n)
{
    return guest_phys_write(d, gaddr(at), src, n) == 0 ? PVH_OK : PVH_NO_ROOM;
}

static enum pvh_error write_start(struct domain *d, const struct placement *p,
                                  const struct pvh_image *image, const struct mem_region *map,
                                  unsigned regions)
{
    struct hvm_start_info info = {
        .magic = XEN_HVM_START_MAGIC_VALUE,
        .version = 1,
        .flags = d->privileged ? SIF_PRIVILEGED | SIF_INITDOMAIN : 0,
        .rsdp_paddr = PVH_ACPI_BASE,
        .memmap_paddr = p->map,
        .memmap_entries = regions,
    };
    struct hvm_memmap_table_entry entries[PVH_REGIONS_MAX] = {0};
    enum pvh_error error = PVH_OK;
    unsigned i;

    if (image->initrd != NULL) {
        struct hvm_modlist_entry module = {.paddr = p->initrd, .size = image->initrd_len};

        info.nr_modules = 1;
        info.modlist_paddr = p->modules;
        error = write_guest(d, p->modules, &module, sizeof(module));
    }
    if (error == PVH_OK && p->cmdline_len != 0) {
        info.cmdline_paddr = p->cmdline;
        error = write_guest(d, p->cmdline, image->cmdline, p->cmdline_len);
    }
    for (i = 0; i < regions; i++) {
        entries[i].addr = map[i].start;
        entries[i].size = map[i].size;
        entries[i].type = map[i].type;
    }
    if (error == PVH_OK) {
        error = write_guest(d, p->map, entries, regions * sizeof(entries[0]));
    }
    return error == PVH_OK ? write_guest(d, p->start, &info, sizeof(info)) : error;
}

/* The tables are made in a hypervisor block and copied: a guest's frames need
 * not be contiguous. */
static enum pvh_error write_acpi(struct domain *d, unsigned nr_vcpus)
{
    size_t cap = (size_t)PVH_ACPI_PAGES << PAGE_SHIFT, len;
    unsigned order = order_of_bytes(cap);
    uint8_t *buf = hyp_pages_alloc(NULL, order, FRAME_HYP);
    enum pvh_error error;

    if (buf == NULL) {
        return PVH_NO_MEMORY;
    }
    len = acpi_build(buf, cap, PVH_ACPI_BASE, nr_vcpus);
    error = len == 0 ? PVH_BAD_ARGUMENT : write_guest(d, PVH_ACPI_BASE, buf, len);
    hyp_pages_free(buf, order);
    return error;
}

/* What the guest will ask for: its memory map and parameters. The store's stay 0 until a toolstack
 * sets them: then a guest knows that there is no xenstore to wait for. The control domain talks to
 * the hypervisor's console instead of a ring. */
static enum pvh_error set_params(struct domain *d, const struct mem_region *map, unsigned regions,
                                 unsigned nr_vcpus)
{
    gfn_t first = gaddr_gfn(gaddr(PVH_SPECIAL_BASE));
    gfn_t console = gfn(first.v + SPECIAL_CONSOLE);

    d->arch->special_gfn = first;
    d->arch->vcpu_total = nr_vcpus;
    if (hvm_set_memory_map(d, map, regions) != 0) {
        return PVH_NO_MEMORY;
    }
    if (d->privileged) {
        return PVH_OK;
    }
    if (console_ring_start(d, console) != 0) {
        return PVH_NO_MEMORY;
    }
    d->arch->params[HVM_PARAM_CONSOLE_PFN] = console.v;
    d->arch->params[HVM_PARAM_CONSOLE_EVTCHN] = d->console.port;
    return PVH_OK;
}

/* docs/misc/pvh: flat 32-bit protected mode, paging off, interrupts off, the
 * start info's address in ebx. */
static void start_vcpu(struct vcpu *v, uint32_t entry, uint64_t start_info)
{
    const struct guest_seg data = {.attr = ATTR_DATA32, .limit = UINT32_MAX};
    struct guest_state s;
    unsigned i;

    hvm_vcpu_reset_state(&s);
    memset(&s.regs, 0, sizeof(s.regs));
    s.regs.rip = entry;
    s.regs.rflags = RFLAGS_FIXED;
    s.regs.gpr[GPR_RBX] = start_info;
    s.cr0 = CR0_PE | CR0_ET;
    s.cr2 = 0;
    s.cr3 = 0;
    s.cr4 = 0;
    s.efer = 0;
    for (i = SEG_ES; i <= SEG_GS; i++) {
        s.seg[i] = data;
    }
    s.seg[SEG_CS] = (struct guest_seg){.attr = ATTR_CODE32, .limit = UINT32_MAX};
    s.seg[SEG_LDTR] = (struct guest_seg){.unusable = true};
    s.seg[SEG_TR] = (struct guest_seg){.attr = ATTR_TSS32, .limit = 0x67};
    s.gdtr = (struct guest_dtr){0, 0};
    s.idtr = (struct guest_dtr){0, 0};

    hvm_vcpu_load_state(v, &s);
    store_u32(&v->arch->started, 1);
    v->arch->wait_sipi = false;
    v->initialised = true;
    vcpu_wake_flags(v, VPF_DOWN);
}

enum pvh_error pvh_build(struct domain *d, const struct pvh_image *image, const void *elf,
                         size_t elf_len, uint64_t mem_bytes, unsigned nr_vcpus)
{
    struct mem_region map[PVH_REGIONS_MAX];
    unsigned regions = memmap_build(mem_bytes, map, PVH_REGIONS_MAX);
    struct vcpu *v = domain_vcpu(d, 0);
    struct elf_image kernel;
    struct placement p = {0};
    enum pvh_error error;

    if (regions == 0 || nr_vcpus == 0 || nr_vcpus > d->max_vcpus || v == NULL || v->initialised) {
        return PVH_BAD_ARGUMENT;
    }
    error = elf_parse(elf, elf_len, &kernel);
    if (error == PVH_OK) {
        error = place(&p, image, &kernel, map[0].size, regions);
    }
    if (error == PVH_OK) {
        error = populate_map(d, map, regions);
    }
    if (error == PVH_OK) {
        error = elf_load(d, elf, elf_len);
    }
    if (error == PVH_OK && image->initrd != NULL) {
        error = write_guest(d, p.initrd, image->initrd, image->initrd_len);
    }
    if (error == PVH_OK) {
        error = write_start(d, &p, image, map, regions);
    }
    if (error == PVH_OK) {
        error = write_acpi(d, nr_vcpus);
    }
    if (error == PVH_OK) {
        error = set_params(d, map, regions, nr_vcpus);
    }
    if (error == PVH_OK) {
        start_vcpu(v, kernel.pvh_entry, p.start);
    }
    return error;
}
