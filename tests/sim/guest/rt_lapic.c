/* The local APIC, by memory or, once a vCPU has switched, by MSRs. */
#include "guest.h"

#define BASE UINT64_C(0xfee00000)
#define MSR_APIC_BASE 0x1bu
#define X2APIC_ENABLE 0x400u
#define MSR_X2APIC 0x800u

uint32_t lapic_read(uint32_t reg)
{
    if (me()->x2apic)
        return (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4));
    return *(volatile uint32_t *)(uintptr_t)(BASE + reg);
}

void lapic_write(uint32_t reg, uint32_t value)
{
    if (me()->x2apic)
        wrmsr(MSR_X2APIC + (reg >> 4), value);
    else
        *(volatile uint32_t *)(uintptr_t)(BASE + reg) = value;
}

void lapic_icr(uint32_t apic_id, uint32_t value)
{
    if (me()->x2apic) {
        wrmsr(MSR_X2APIC + (LAPIC_ICR >> 4), (uint64_t)apic_id << 32 | value);
        return;
    }
    lapic_write(LAPIC_ICR + 0x10, apic_id << 24);
    lapic_write(LAPIC_ICR, value);
}

void lapic_on(void)
{
    lapic_write(LAPIC_SVR, 0x1ff);
    lapic_write(LAPIC_TPR, 0);
}

void lapic_x2apic(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | X2APIC_ENABLE);
    me()->x2apic = true;
}

/* As Xen numbers them. */
unsigned apic_id_of(unsigned cpu)
{
    return 2 * cpu;
}
