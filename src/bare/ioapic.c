/* I/O APICs (82093AA): every line masked, but those that the hypervisor itself
 * takes interrupts from. */
#include "bare/bare.h"

#define IOAPIC_VERSION 1u
#define IOAPIC_ENTRY(n) (0x10u + 2 * (n))
#define ENTRY_MASKED 0x10000u
#define ENTRY_LEVEL 0x8000u
#define ENTRY_LOW_ACTIVE 0x2000u
#define INTI_LOW 3u
#define INTI_LEVEL (3u << 2)

static volatile uint32_t *registers[ACPI_IOAPICS_MAX];
static unsigned lines[ACPI_IOAPICS_MAX];

static uint32_t ioapic_read(unsigned i, unsigned reg)
{
    registers[i][0] = reg;
    return registers[i][4];
}

static void ioapic_write(unsigned i, unsigned reg, uint32_t v)
{
    registers[i][0] = reg;
    registers[i][4] = v;
}

void ioapic_init(void)
{
    const struct acpi_madt *m = &bare_acpi.madt;

    for (unsigned i = 0; i < m->ioapics; i++) {
        uint32_t at = m->ioapic[i].address;

        if (at == 0 || at % 16 != 0)
            continue;
        registers[i] =
            (volatile uint32_t *)((volatile uint8_t *)paging_map_device(at) + at % PAGE_SIZE);
        lines[i] = (ioapic_read(i, IOAPIC_VERSION) >> 16 & 0xff) + 1;
        for (unsigned n = 0; n < lines[i]; n++)
            ioapic_write(i, IOAPIC_ENTRY(n), ENTRY_MASKED);
    }
}

bool ioapic_route(uint8_t irq, uint8_t vector)
{
    const struct acpi_madt *m = &bare_acpi.madt;
    uint32_t gsi = irq, entry = vector;

    for (unsigned i = 0; i < m->overrides; i++) {
        if (m->override[i].source != irq)
            continue;
        gsi = m->override[i].gsi;
        entry |= (m->override[i].flags & INTI_LOW) == INTI_LOW ? ENTRY_LOW_ACTIVE : 0;
        entry |= (m->override[i].flags & INTI_LEVEL) == INTI_LEVEL ? ENTRY_LEVEL : 0;
    }
    for (unsigned i = 0; i < m->ioapics; i++) {
        uint32_t base = m->ioapic[i].gsi_base;

        if (!registers[i] || gsi < base || gsi - base >= lines[i])
            continue;
        ioapic_write(i, IOAPIC_ENTRY(gsi - base) + 1, cpu_areas[0]->apic_id << 24);
        ioapic_write(i, IOAPIC_ENTRY(gsi - base), entry);
        return true;
    }
    return false;
}
