/* Turning AMD-V on, the bitmaps that all guests share, and ASIDs. */
#include "bare/svm/svm.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/string.h"
#include "core/console/console.h"
#include "core/mem/page_alloc.h"
#include "port/mem.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define IOPM_BYTES 12288u /* 15.10.1 */
#define MSRPM_BYTES 8192u /* 15.11: two bits for each MSR of 0, 0xc0000000, 0xc0010000 on */
#define MSRPM_RANGE_MSRS 0x2000u
#define MSRPM_RANGE_BYTES 2048u
#define PAGES_ORDER 1u
#define CPUID_PAGE_1G (1u << 26) /* 0x80000001, EDX: nested tables follow it */
#define ASIDS_NEEDED 2u          /* 0 is the host's */

static uint8_t iopm[IOPM_BYTES] __attribute__((aligned(4096)));
static uint8_t msrpm[MSRPM_BYTES] __attribute__((aligned(4096)));
static struct svm_cpu cpus[MAX_CPUS];
static uint32_t asid_count;
static uint64_t generations; /* atomic: the last one given to any CPU */
uint32_t svm_features;

const char *svm_supported(void)
{
    struct cpuid_regs id;

    if (cpuid(0x80000000, 0).eax < 0x8000000a)
        return "the CPU does not describe its AMD-V";
    if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
        return "AMD-V is switched off by the firmware (VM_CR.SVMDIS)";
    id = cpuid(0x8000000a, 0);
    if (!(id.edx & SVM_NESTED_PAGING))
        return "AMD-V without nested paging";
    if (id.ebx < ASIDS_NEEDED)
        return "AMD-V without address space identifiers";
    svm_features = id.edx;
    asid_count = id.ebx;
    return NULL;
}

/* Every port and every MSR ends the guest, but for the MSRs that VMSAVE and VMLOAD
 * switch and x86 leaves to the engine. Those which no one writes twice are written by
 * x86 all the same, which checks the value as not all CPUs (QEMU's) do. */
static void fill_bitmaps(void)
{
    static const struct {
        uint32_t msr;
        uint8_t intercept; /* bit 0: reads, bit 1: writes */
    } switched[] = {
        {0x174, 2},      {0x175, 2},      {0x176, 2},      {0xc0000081, 2}, {0xc0000082, 2},
        {0xc0000083, 2}, {0xc0000084, 2}, {0xc0000100, 0}, {0xc0000101, 0}, {0xc0000102, 0},
    };

    memset(iopm, 0xff, sizeof(iopm));
    memset(msrpm, 0xff, sizeof(msrpm));
    for (unsigned i = 0; i < ARRAY_SIZE(switched); i++) {
        uint32_t msr = switched[i].msr, at = msr % MSRPM_RANGE_MSRS;
        uint32_t range = msr >= 0xc0000000 ? MSRPM_RANGE_BYTES : 0;

        if (msr_passthrough(msr))
            msrpm[range + at / 4] &= (uint8_t) ~((3u ^ switched[i].intercept) << at % 4 * 2);
    }
}

static void new_generation(struct svm_cpu *c)
{
    c->generation = fetch_add_u64(&generations, 1) + 1;
    c->next_asid = 1;
}

int svm_cpu_start(void)
{
    struct svm_cpu *c = &cpus[port_cpu_id()];

    if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
        return -XEN_EIO;
    if (!c->pages) {
        c->pages = hyp_pages_alloc(NULL, PAGES_ORDER, FRAME_HYP);
        if (!c->pages)
            return -XEN_ENOMEM;
    }
    if (load_u64(&generations) == 0) { /* the boot CPU, before all others */
        fill_bitmaps();
        host_features_tell();
        x86_set_p2m_1g((cpuid(0x80000001, 0).edx & CPUID_PAGE_1G) != 0);
        hv_log(2, "AMD-V: %u ASIDs, features %x", asid_count, svm_features);
    }
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, ptr_to_mfn(c->pages).v << PAGE_SHIFT);
    __asm__ volatile("vmsave %%rax" : : "a"(svm_host_pa()) : "memory");
    new_generation(c);
    return 0;
}

void svm_cpu_stop(void)
{
    __asm__ volatile("stgi" ::: "memory");
    wrmsr(MSR_VM_HSAVE_PA, 0);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
}

uint64_t svm_iopm_pa(void)
{
    return image_phys(iopm);
}

uint64_t svm_msrpm_pa(void)
{
    return image_phys(msrpm);
}

uint64_t svm_host_pa(void)
{
    return (ptr_to_mfn(cpus[port_cpu_id()].pages).v + 1) << PAGE_SHIFT;
}

void svm_set_asid(struct svm_vcpu *s, bool drop)
{
    struct svm_cpu *c = &cpus[port_cpu_id()];
    struct vmcb *b = s->vmcb;

    b->tlb_control = TLB_KEEP;
    if (s->generation == c->generation && !drop)
        return;
    if (s->generation == c->generation && (svm_features & SVM_FLUSH_BY_ASID)) {
        b->tlb_control = TLB_FLUSH_ASID;
        return;
    }
    if (c->next_asid == asid_count)
        new_generation(c);
    if (c->next_asid == 1)
        b->tlb_control = TLB_FLUSH_ALL;
    check(c->next_asid < asid_count);
    b->asid = c->next_asid++;
    b->clean &= ~CLEAN_ASID;
    s->generation = c->generation;
}
