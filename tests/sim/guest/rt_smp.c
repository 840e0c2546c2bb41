/* Starting further vCPUs, and giving them something to do. */
#include "guest.h"

#include <xen/hvm/hvm_vcpu.h>

#define STACK_PAGES 4u
#define SIPI_PAGE 0x8u /* below 1 MiB, and away from start info */

extern char secondary_entry[], sipi_start[], sipi_end[];
extern uint64_t sipi_stack;
extern uint32_t sipi_cr3, sipi_number;

unsigned vcpus = 1;
static uint64_t stack_of[CPUS_MAX];

static uint64_t stack(unsigned id)
{
    if (!stack_of[id])
        stack_of[id] = (uint64_t)(uintptr_t)pages_alloc(STACK_PAGES) + STACK_PAGES * PAGE;
    return stack_of[id];
}

static uint64_t read_cr3(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3;
}

int64_t cpu_start(unsigned id)
{
    struct vcpu_hvm_context *c = page_alloc();
    int64_t rc;

    cpus[id].alive = 0;
    c->mode = VCPU_HVM_MODE_64B;
    c->cpu_regs.x86_64.rip = (uint64_t)(uintptr_t)secondary_entry;
    c->cpu_regs.x86_64.rsp = stack(id);
    c->cpu_regs.x86_64.rdi = id;
    c->cpu_regs.x86_64.rflags = 2;
    c->cpu_regs.x86_64.cr0 = 0x80010011;
    c->cpu_regs.x86_64.cr3 = read_cr3();
    c->cpu_regs.x86_64.cr4 = 0x620;
    c->cpu_regs.x86_64.efer = 0xd00; /* LME, LMA, NXE */
    rc = vcpu_op(VCPUOP_initialise, id, c);
    page_free(c);
    if (!rc)
        rc = vcpu_op(VCPUOP_up, id, NULL);
    if (!rc && !WAIT(cpus[id].alive))
        rc = -XEN_ETIME;
    return rc;
}

bool cpu_start_sipi(unsigned id)
{
    cpus[id].alive = 0;
    memcpy(AT(SIPI_PAGE), sipi_start, (size_t)(sipi_end - sipi_start));
    sipi_stack = stack(id);
    sipi_cr3 = (uint32_t)read_cr3();
    sipi_number = id;
    lapic_icr(apic_id_of(id), ICR_INIT | ICR_ASSERT);
    rest(MS);
    for (unsigned i = 0; i < 2; i++) {
        lapic_icr(apic_id_of(id), ICR_STARTUP | ICR_ASSERT | SIPI_PAGE);
        rest(MS);
    }
    return WAIT(cpus[id].alive);
}

void cpu_job(unsigned id, void (*job)(void *), void *arg)
{
    cpus[id].job_arg = arg;
    cpus[id].job = job;
}

bool cpu_done(unsigned id)
{
    return WAIT(!cpus[id].job);
}

void secondary_main(unsigned id)
{
    struct cpu *c = &cpus[id];

    cpu_init(id);
    lapic_on();
    event_init_cpu();
    irq_on();
    c->job = NULL;
    c->alive = 1;
    for (;;) {
        if (c->job) {
            c->job(c->job_arg);
            c->job = NULL;
        }
        rest(50000);
    }
}
