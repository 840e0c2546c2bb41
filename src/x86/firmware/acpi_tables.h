/* What firmware's ACPI tables say about the machine (ACPI 6.3 ch. 5). Pure
 * functions over buffers: a table is len bytes at t, and nothing it says is
 * believed before it was checked against len. The caller maps tables. */
#ifndef CORBEL_X86_FIRMWARE_ACPI_TABLES_H
#define CORBEL_X86_FIRMWARE_ACPI_TABLES_H

#include "base/bytes.h"
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
/*@ requires readable_bytes(p, n) && \valid(out) && \separated(out, p + (0 .. n - 1));
    assigns *out;
    ensures \result ==> out->address != 0 && (out->width == 4 || out->width == 8); */
bool acpi_rsdp_parse(const uint8_t *p, size_t n, struct acpi_root *out);

/* Length of the table whose first ACPI_HEADER_BYTES bytes are at header; 0 when it
 * cannot be one. */
/*@ requires readable_bytes(header, ACPI_HEADER_BYTES);
    assigns \nothing;
    ensures \result == 0 || ACPI_HEADER_BYTES <= \result <= ACPI_TABLE_MAX;
    ensures \result != 0 ==> \result == le32(header + 4); */
uint32_t acpi_table_length(const uint8_t *header);
/* True iff len is the table's length and its bytes add up to 0. */
/*@ requires readable_bytes(t, len);
    assigns \nothing;
    ensures \result ==> ACPI_HEADER_BYTES <= len <= ACPI_TABLE_MAX && len == le32(t + 4); */
bool acpi_table_valid(const uint8_t *t, size_t len);
/* True iff t, valid, has this signature of four letters. */
/*@ requires readable_bytes(t, 4) && \valid_read(signature + (0 .. 3));
    assigns \nothing;
    ensures \result <==> same_bytes(t, signature, 4); */
bool acpi_table_is(const uint8_t *t, const char *signature);

/* 5.2.7, 5.2.8: entry i of a valid root table; false behind its end. */
/*@ requires readable_bytes(t, len) && \valid(out) && \separated(out, t + (0 .. len - 1));
    requires width == 4 || width == 8;
    assigns *out;
    ensures \result <==> ACPI_HEADER_BYTES + (i + 1) * width <= len;
    ensures \result && width == 4 ==> *out == le32(t + (ACPI_HEADER_BYTES + i * 4));
    ensures \result && width == 8 ==> *out == le64(t + (ACPI_HEADER_BYTES + i * 8)); */
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
/*@ predicate madt_ok{L}(struct acpi_madt *m) = \valid(m) && m->cpus <= MAX_CPUS &&
        m->ioapics <= ACPI_IOAPICS_MAX && m->overrides <= ACPI_OVERRIDES_MAX; */
/*@ requires readable_bytes(t, len) && len <= ACPI_TABLE_MAX;
    requires \valid(out) && \separated(out, t + (0 .. len - 1));
    assigns *out;
    ensures madt_ok(out);
    ensures \result ==> out->cpus > 0; */
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
/*@ predicate segment_ok{L}(struct acpi_segment *s) =
        s->address != 0 && s->address % 1048576 == 0 && s->first_bus <= s->last_bus;
    predicate mcfg_ok{L}(struct acpi_mcfg *m) = \valid(m) && m->segments <= ACPI_SEGMENTS_MAX; */
/*@ requires readable_bytes(t, len) && len <= ACPI_TABLE_MAX;
    requires \valid(out) && \separated(out, t + (0 .. len - 1));
    assigns *out;
    ensures mcfg_ok(out);
    ensures \result ==> out->segments > 0; */
bool acpi_mcfg_parse(const uint8_t *t, size_t len, struct acpi_mcfg *out);

/* IA-PC HPET specification 1.0a 3.2.4: the address of its registers. False: not in
 * memory space. */
/*@ requires readable_bytes(t, len) && \valid(address) &&
        \separated(address, t + (0 .. len - 1));
    assigns *address;
    ensures \result ==> *address != 0 && *address % 8 == 0; */
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
/*@ requires readable_bytes(t, len) && \valid(out) && \separated(out, t + (0 .. len - 1));
    assigns *out;
    ensures \result ==> (out->reset_known ==> out->reset_port != 0); */
bool acpi_fadt_parse(const uint8_t *t, size_t len, struct acpi_fadt *out);

/* 7.4.2: SLP_TYPa and SLP_TYPb of \_S5, which every firmware writes as a package of
 * constants in the DSDT. */
/*@ requires readable_bytes(dsdt, len) && len <= ACPI_TABLE_MAX;
    requires \valid(type + (0 .. 1)) && \separated(type + (0 .. 1), dsdt + (0 .. len - 1));
    assigns type[0 .. 1];
    ensures \result ==> type[0] <= 7 && type[1] <= 7; */
bool acpi_s5_find(const uint8_t *dsdt, size_t len, uint8_t type[2]);

#endif
