/* The PVH builder on hostile kernel images: whatever the bytes, no memory
 * error, every invariant holds with the domain built, and every frame comes
 * back when it dies. */
#include <stdlib.h>

#include "core/audit/audit.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "hostsim/world/world.h"
#include "x86/build/pvh.h"

#define GUEST_BYTES (UINT64_C(24) << 20)
#define MACHINE_BYTES (UINT64_C(48) << 20)
#define SCRATCH_BYTES (UINT64_C(4) << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A new machine for every input: what one leaves changes nothing for the next. */
static void start(void)
{
    struct world_config cfg = {.mem_bytes = MACHINE_BYTES, .cpus = 1};

    if (world_start(&cfg) != 0 || hv_init(world_boot_info()) != 0) {
        abort();
    }
}

static void audit(void)
{
    struct audit_report r;

    audit_run(&r);
    if (r.violations != 0 || r.frames_leaked != 0) {
        abort();
    }
}

/* What the hypervisor keeps for itself it may keep. */
static uint64_t pages_accounted(void)
{
    return free_page_count() + hv->hyp_pages;
}

static struct domain *create(void)
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = 1,
        .max_evtchn_port = 1023,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch.emulation_flags = XEN_X86_EMU_LAPIC,
    };
    struct domain *d;

    if (domain_create(1, &cfg, false, &d) != 0) {
        abort();
    }
    d->max_pages = (GUEST_BYTES >> PAGE_SHIFT) + PVH_EXTRA_PAGES;
    if (vcpu_create(d, 0) != 0) {
        abort();
    }
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t scratch[SCRATCH_BYTES];
    struct pvh_image image = {.kernel = data, .kernel_len = len, .cmdline = "console=hvc0"};
    struct domain *d;
    uint64_t before;
    const void *elf;
    size_t elf_len;

    start();
    before = pages_accounted();
    d = create();
    if (bzimage_unpack(data, len, scratch, sizeof(scratch), &elf, &elf_len) == PVH_OK &&
        pvh_build(d, &image, elf, elf_len, GUEST_BYTES, 1) == PVH_OK) {
        audit();
    }
    while (domain_kill(d) == -XEN_ERESTART) {
    }
    domain_put(d);
    if (pages_accounted() != before) {
        abort();
    }
    return 0;
}
