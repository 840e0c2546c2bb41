/* What each physical CPU has of its own: GDT, TSS, stacks, and the area that holds
 * them, to which GS points. */
#include "bare/bare.h"

#include "base/string.h"
#include "core/mem/page_alloc.h"

#define MSR_GS_BASE 0xc0000101u
#define GDT_CODE64 UINT64_C(0x00af9b000000ffff)
#define GDT_DATA UINT64_C(0x00cf93000000ffff)
#define GDT_TSS_AVAILABLE (UINT64_C(0x89) << 40)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR4_MCE (UINT64_C(1) << 6)
#define CR4_UMIP (UINT64_C(1) << 11)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)

static struct cpu_area boot_area;
struct cpu_area *cpu_areas[MAX_CPUS];

/* Pages of each stack, in the order of the enumeration. */
static const uint8_t stack_pages[BARE_STACKS] = {8, 2, 2, 2};

/* GDT and TSS: the stacks of double faults, NMIs and machine checks are IST 1 to 3. */
static void fill(struct cpu_area *a)
{
    uint64_t base = (uint64_t)(uintptr_t)&a->tss;

    for (unsigned i = STACK_DF; i < BARE_STACKS; i++)
        a->tss.ist[i - 1] = a->stack[i].top;
    a->tss.iomap = sizeof(a->tss);
    a->gdt[CODE_SELECTOR / 8] = GDT_CODE64;
    a->gdt[DATA_SELECTOR / 8] = GDT_DATA;
    a->gdt[TSS_SELECTOR / 8] = (sizeof(a->tss) - 1) | (base & 0xffffff) << 16 | GDT_TSS_AVAILABLE |
                               (base >> 24 & 0xff) << 56;
    a->gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
}

/* What the CPU offers against the hypervisor's own mistakes. Machine checks that
 * nobody takes would reset the machine without a word. */
void cpu_load_control_registers(void)
{
    uint64_t cr4 = read_cr4();
    struct cpuid_regs seven = {0, 0, 0, 0};

    if (cpuid(0, 0).eax >= 7)
        seven = cpuid(7, 0);
    cr4 |= (cpuid(1, 0).edx >> 7 & 1) ? CR4_MCE : 0;
    cr4 |= options.smep && (seven.ebx >> 7 & 1) ? CR4_SMEP : 0;
    cr4 |= options.smap && (seven.ebx >> 20 & 1) ? CR4_SMAP : 0;
    cr4 |= (seven.ecx >> 2 & 1) ? CR4_UMIP : 0;
    write_cr4(cr4);
    write_cr0(read_cr0() | CR0_WP | CR0_NE | CR0_MP);
}

void cpu_area_load(struct cpu_area *a)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdtr = {sizeof(a->gdt) - 1, (uint64_t)(uintptr_t)a->gdt};

    __asm__ volatile("lgdt %0" : : "m"(gdtr));
    __asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
                     :
                     : "i"(CODE_SELECTOR)
                     : "rax", "memory");
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %1, %%fs; mov %1, %%gs"
                     :
                     : "r"(DATA_SELECTOR), "r"(0));
    wrmsr(MSR_GS_BASE, (uint64_t)(uintptr_t)a);
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
    trap_load();
}

void cpu_boot_init(void)
{
    memcpy(boot_area.stack, bare_stacks, sizeof(boot_area.stack));
    boot_area.stage = CPU_RUNNING;
    cpu_areas[0] = &boot_area;
    fill(&boot_area);
    trap_init();
    cpu_area_load(&boot_area);
}

struct cpu_area *cpu_area_create(unsigned id, uint32_t apic_id)
{
    struct cpu_area *a = hyp_pages_alloc(NULL, 0, FRAME_HYP);

    _Static_assert(sizeof(struct cpu_area) <= PAGE_SIZE, "an area is a page");
    if (!a)
        return NULL;
    a->id = id;
    a->apic_id = apic_id;
    for (unsigned i = 0; i < BARE_STACKS; i++) {
        if (!paging_map_stack(id, i, stack_pages[i], &a->stack[i]))
            return NULL; /* once at most: the machine has no memory left for guests either */
    }
    fill(a);
    cpu_areas[id] = a;
    return a;
}

const struct bare_stack *cpu_stack_of(uint64_t va)
{
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        const struct cpu_area *a = cpu_areas[cpu];

        for (unsigned i = 0; a && i < BARE_STACKS; i++) {
            if (va >= a->stack[i].guard && va < a->stack[i].top)
                return &a->stack[i];
        }
    }
    return NULL;
}
