/* Which local interrupt inputs of a CPU's local APIC firmware has connected to NMI
 * (ACPI 6.3 5.2.12.7, 5.2.12.13). The table is hostile, as in acpi_tables.h. */
#ifndef CORBEL_X86_FIRMWARE_ACPI_NMI_H
#define CORBEL_X86_FIRMWARE_ACPI_NMI_H

#include "base/types.h"

#define ACPI_LINTS 2u

struct acpi_nmi {
    bool connected[ACPI_LINTS]; /* LINT0, LINT1 */
    bool low[ACPI_LINTS];       /* active low, else high */
};
/* What the MADT of len bytes at t says of the CPU with this APIC id; entries for all
 * CPUs count for one that the table does not have, too. Not a MADT: nothing. */
struct acpi_nmi acpi_madt_nmi(const uint8_t *t, size_t len, uint32_t apic_id);

#endif
