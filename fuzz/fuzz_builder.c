/* The PVH builder on hostile kernel images: whatever the bytes, no memory
 * error, and every frame comes back. */
#include <stdlib.h>

#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "hostsim/world/world.h"
#include "x86/build/pvh.h"

#define GUEST_BYTES (UINT64_C(8) << 20)
#define MACHINE_BYTES (UINT64_C(32) << 20)
#define SCRATCH_BYTES (UINT64_C(4) << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct world_config cfg = {.mem_bytes = MACHINE_BYTES, .cpus = 1};

    if (world_start(&cfg) != 0 || hv_init(world_boot_info()) != 0)
        abort();
    return 0;
}

static struct domain *create(void)
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = 1,
        .max_evtchn_port = 1023,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .arch.emulation_flags = XEN_X86_EMU_LAPIC,
    };
    struct domain *d;

    if (domain_create(1, &cfg, false, &d) != 0)
        abort();
    d->max_pages = (GUEST_BYTES >> PAGE_SHIFT) + 64;
    if (vcpu_create(d, 0) != 0)
        abort();
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t scratch[SCRATCH_BYTES];
    struct pvh_image image = {.kernel = data, .kernel_len = len, .cmdline = "console=hvc0"};
    uint64_t before = free_page_count();
    struct domain *d = create();
    const void *elf;
    size_t elf_len;

    if (bzimage_unpack(data, len, scratch, sizeof(scratch), &elf, &elf_len) == PVH_OK)
        (void)pvh_build(d, &image, elf, elf_len, GUEST_BYTES, 1);
    while (domain_kill(d) == -XEN_ERESTART) {
    }
    domain_put(d);
    if (free_page_count() != before)
        abort();
    return 0;
}
