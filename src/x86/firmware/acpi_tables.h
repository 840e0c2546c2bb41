/* What firmware's ACPI tables say about the machine (ACPI 6.3 ch. 5). Pure
 * functions over buffers: a table is len bytes at t, and nothing it says is
 * believed before it was checked against len. The caller maps tables. */
#ifndef CORBEL_X86_FIRMWARE_ACPI_TABLES_H
#define CORBEL_X86_FIRMWARE_ACPI_TABLES_H

#include "base/types.h"
#include "port/cpu.h"

#define ACPI_HEADER_BYTES 36u
#define ACPI_RSDP_BYTES 20u     /* of ACPI 1.0 */
#define ACPI_RSDP_NEW_BYTES 36u /* from ACPI 2.0 */
#define ACPI_TABLE_MAX (1u << 24)
#define ACPI_IOAPICS_MAX 16u
#define ACPI_OVERRIDES_MAX 16u
#define ACPI_SEGMENTS_MAX 8u

/* 5.2.5: where the root table is; width 4: an RSDT, 8: an XSDT. False: signature
 * or checksum is wrong, or there is no root table. */
struct acpi_root {
    uint64_t address;
    unsigned width;
};
bool acpi_rsdp_parse(const uint8_t *p, size_t n, struct acpi_root *out);

/* Length of the table whose first ACPI_HEADER_BYTES bytes are at header; 0 when it
 * cannot be one. */
uint32_t acpi_table_length(const uint8_t *header);
/* True iff len is the table's length and its bytes add up to 0. */
bool acpi_table_valid(const uint8_t *t, size_t len);
/* True iff t, valid, has this signature of four letters. */
bool acpi_table_is(const uint8_t *t, const char *signature);

/* 5.2.7, 5.2.8: entry i of a valid root table; false behind its end. */
bool acpi_root_entry(const uint8_t *t, size_t len, unsigned width, unsigned i, uint64_t *out);

/* 5.2.12: MADT. CPUs in the order of the table, enabled ones only, each once. */
struct acpi_ioapic {
    uint32_t address, gsi_base;
    uint8_t id;
};
struct acpi_override {
    uint8_t source; /* ISA IRQ */
    uint32_t gsi;
    uint16_t flags; /* MPS INTI: polarity in bits 0-1, trigger mode in 2-3 */
};
struct acpi_madt {
    uint64_t lapic_address;
    uint32_t cpu_apic_id[MAX_CPUS];
    unsigned cpus;
    unsigned cpus_left; /* enabled, but more than MAX_CPUS */
    struct acpi_ioapic ioapic[ACPI_IOAPICS_MAX];
    unsigned ioapics;
    struct acpi_override override[ACPI_OVERRIDES_MAX];
    unsigned overrides;
    bool has_pic; /* PCAT_COMPAT: there are 8259s to be silenced */
};
bool acpi_madt_parse(const uint8_t *t, size_t len, struct acpi_madt *out);

/* PCI firmware specification 3.0 4.1.2: MCFG. */
struct acpi_segment {
    uint64_t address; /* of configuration space, of bus 0 */
    uint16_t segment;
    uint8_t first_bus, last_bus;
};
struct acpi_mcfg {
    struct acpi_segment segment[ACPI_SEGMENTS_MAX];
    unsigned segments;
};
bool acpi_mcfg_parse(const uint8_t *t, size_t len, struct acpi_mcfg *out);

/* IA-PC HPET specification 1.0a 3.2.4: the address of its registers. False: not in
 * memory space. */
bool acpi_hpet_parse(const uint8_t *t, size_t len, uint64_t *address);

/* 5.2.9: FADT, as far as power management goes. Ports; 0: there is none. */
struct acpi_fadt {
    uint64_t dsdt;
    uint16_t smi_command, pm1a_control, pm1b_control, pm_timer;
    uint8_t acpi_enable;
    bool reset_known; /* the reset register is an I/O port */
    uint16_t reset_port;
    uint8_t reset_value;
};
bool acpi_fadt_parse(const uint8_t *t, size_t len, struct acpi_fadt *out);

/* 7.4.2: SLP_TYPa and SLP_TYPb of \_S5, which every firmware writes as a package of
 * constants in the DSDT. */
bool acpi_s5_find(const uint8_t *dsdt, size_t len, uint8_t type[2]);

#endif
