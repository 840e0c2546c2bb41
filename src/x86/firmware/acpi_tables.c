/* Firmware's tables are not trusted to be well-formed: each field is read only when
 * the table's length holds it, and sub-tables that do not fit end the walk. */
#include "x86/firmware/acpi_tables.h"

#include "base/string.h"

/* Offsets in the tables, and lengths that the fields read here need. */
enum {
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_LENGTH = 20,
    RSDP_XSDT = 24,
    HEADER_LENGTH = 4,
    MADT_LAPIC = 36,
    MADT_FLAGS = 40,
    MADT_ENTRIES = 44,
    MCFG_ENTRIES = 44,
    MCFG_ENTRY = 16,
    HPET_SPACE = 40,
    HPET_ADDRESS = 44,
    HPET_BYTES = 52,
    FADT_DSDT = 40,
    FADT_SMI = 48,
    FADT_ENABLE = 52,
    FADT_PM1A = 64,
    FADT_PM1B = 68,
    FADT_PM_TIMER = 76,
    FADT_BYTES = 80,
    FADT_FLAGS = 112,
    FADT_RESET = 116,
    FADT_RESET_VALUE = 128,
    FADT_RESET_BYTES = 129,
    FADT_X_DSDT = 140,
    FADT_X_DSDT_BYTES = 148,
};

/* 5.2.12 table 5-45 */
enum madt_type {
    MADT_CPU = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_ADDRESS = 5,
    MADT_CPU_X2 = 9,
};
#define MADT_CPU_ENABLED 1u
#define MADT_PCAT_COMPAT 1u
#define FADT_RESET_SUPPORTED (1u << 10)
#define SPACE_MEMORY 0u
#define SPACE_IO 1u
#define AML_PACKAGE 0x12u
#define AML_BYTE 0x0au
#define AML_ONE 0x01u

static uint64_t read_le(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    memcpy(&v, p, n);
    return v;
}

static bool sums_to_zero(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    return sum == 0;
}

bool acpi_rsdp_parse(const uint8_t *p, size_t n, struct acpi_root *out)
{
    if (n < ACPI_RSDP_BYTES || memcmp(p, "RSD PTR ", 8) != 0 || !sums_to_zero(p, ACPI_RSDP_BYTES)) {
        return false;
    }
    out->address = read_le(p + RSDP_RSDT, 4);
    out->width = 4;
    if (n >= ACPI_RSDP_NEW_BYTES && p[RSDP_REVISION] >= 2) {
        uint64_t length = read_le(p + RSDP_LENGTH, 4), xsdt = read_le(p + RSDP_XSDT, 8);

        if (length >= ACPI_RSDP_NEW_BYTES && length <= n && sums_to_zero(p, length) && xsdt != 0) {
            out->address = xsdt;
            out->width = 8;
        }
    }
    return out->address != 0;
}

uint32_t acpi_table_length(const uint8_t *header)
{
    uint32_t length = (uint32_t)read_le(header + HEADER_LENGTH, 4);

    return length < ACPI_HEADER_BYTES || length > ACPI_TABLE_MAX ? 0 : length;
}

bool acpi_table_valid(const uint8_t *t, size_t len)
{
    return len >= ACPI_HEADER_BYTES && acpi_table_length(t) == len && sums_to_zero(t, len);
}

bool acpi_table_is(const uint8_t *t, const char *signature)
{
    return memcmp(t, signature, 4) == 0;
}

bool acpi_root_entry(const uint8_t *t, size_t len, unsigned width, unsigned i, uint64_t *out)
{
    if (len < ACPI_HEADER_BYTES || i >= (len - ACPI_HEADER_BYTES) / width) {
        return false;
    }
    *out = read_le(t + ACPI_HEADER_BYTES + (size_t)i * width, width);
    return true;
}

/* 5.2.12.2, 5.2.12.12: the flags' bit 0 says whether the CPU can be used. */
static void add_cpu(struct acpi_madt *m, uint32_t apic_id, uint32_t flags)
{
    if ((flags & MADT_CPU_ENABLED) == 0 || apic_id == UINT32_MAX) {
        return;
    }
    for (unsigned i = 0; i < m->cpus; i++) {
        if (m->cpu_apic_id[i] == apic_id) {
            return;
        }
    }
    if (m->cpus == MAX_CPUS) {
        m->cpus_left++;
        return;
    }
    m->cpu_apic_id[m->cpus++] = apic_id;
}

static void add_ioapic(struct acpi_madt *m, const uint8_t *e)
{
    if (m->ioapics < ACPI_IOAPICS_MAX) {
        struct acpi_ioapic *io = &m->ioapic[m->ioapics++];

        io->id = e[2];
        io->address = (uint32_t)read_le(e + 4, 4);
        io->gsi_base = (uint32_t)read_le(e + 8, 4);
    }
}

static void add_override(struct acpi_madt *m, const uint8_t *e)
{
    if (m->overrides < ACPI_OVERRIDES_MAX) {
        struct acpi_override *o = &m->override[m->overrides++];

        o->source = e[3];
        o->gsi = (uint32_t)read_le(e + 4, 4);
        o->flags = (uint16_t)read_le(e + 8, 2);
    }
}

/* One sub-table of n bytes. */
static void read_madt_entry(struct acpi_madt *m, const uint8_t *e, unsigned n)
{
    if (e[0] == MADT_CPU && n >= 8 && e[3] != 0xff) {
        add_cpu(m, e[3], (uint32_t)read_le(e + 4, 4));
    } else if (e[0] == MADT_CPU_X2 && n >= 16) {
        add_cpu(m, (uint32_t)read_le(e + 4, 4), (uint32_t)read_le(e + 8, 4));
    } else if (e[0] == MADT_IOAPIC && n >= 12) {
        add_ioapic(m, e);
    } else if (e[0] == MADT_OVERRIDE && n >= 10) {
        add_override(m, e);
    } else if (e[0] == MADT_LAPIC_ADDRESS && n >= 12) {
        m->lapic_address = read_le(e + 4, 8);
    }
}

bool acpi_madt_parse(const uint8_t *t, size_t len, struct acpi_madt *out)
{
    memset(out, 0, sizeof(*out));
    if (len < MADT_ENTRIES || !acpi_table_is(t, "APIC")) {
        return false;
    }
    out->lapic_address = read_le(t + MADT_LAPIC, 4);
    out->has_pic = (read_le(t + MADT_FLAGS, 4) & MADT_PCAT_COMPAT) != 0;
    for (size_t at = MADT_ENTRIES; at + 2 <= len;) {
        unsigned n = t[at + 1];

        if (n < 2 || n > len - at) {
            break;
        }
        read_madt_entry(out, t + at, n);
        at += n;
    }
    return out->cpus != 0;
}

bool acpi_mcfg_parse(const uint8_t *t, size_t len, struct acpi_mcfg *out)
{
    memset(out, 0, sizeof(*out));
    if (len < MCFG_ENTRIES || !acpi_table_is(t, "MCFG")) {
        return false;
    }
    for (size_t at = MCFG_ENTRIES; len - at >= MCFG_ENTRY; at += MCFG_ENTRY) {
        struct acpi_segment *s = &out->segment[out->segments];

        if (out->segments == ACPI_SEGMENTS_MAX) {
            break;
        }
        s->address = read_le(t + at, 8);
        s->segment = (uint16_t)read_le(t + at + 8, 2);
        s->first_bus = t[at + 10];
        s->last_bus = t[at + 11];
        if (s->address != 0 && s->address % (1u << 20) == 0 && s->first_bus <= s->last_bus) {
            out->segments++;
        }
    }
    return out->segments != 0;
}

bool acpi_hpet_parse(const uint8_t *t, size_t len, uint64_t *address)
{
    if (len < HPET_BYTES || !acpi_table_is(t, "HPET") || t[HPET_SPACE] != SPACE_MEMORY) {
        return false;
    }
    *address = read_le(t + HPET_ADDRESS, 8);
    return *address != 0 && *address % 8 == 0;
}

/* A port of the FADT; ports beyond the I/O space are none. */
static uint16_t read_port(const uint8_t *p)
{
    uint64_t port = read_le(p, 4);

    return port > UINT16_MAX ? 0 : (uint16_t)port;
}

/* 4.8.3.6: the reset register, where the FADT is long enough to have one. */
static void read_reset(const uint8_t *t, size_t len, struct acpi_fadt *out)
{
    uint64_t port;

    if (len < FADT_RESET_BYTES || (read_le(t + FADT_FLAGS, 4) & FADT_RESET_SUPPORTED) == 0 ||
        t[FADT_RESET] != SPACE_IO) {
        return;
    }
    port = read_le(t + FADT_RESET + 4, 8);
    if (port != 0 && port <= UINT16_MAX) {
        out->reset_known = true;
        out->reset_port = (uint16_t)port;
        out->reset_value = t[FADT_RESET_VALUE];
    }
}

bool acpi_fadt_parse(const uint8_t *t, size_t len, struct acpi_fadt *out)
{
    memset(out, 0, sizeof(*out));
    if (len < FADT_BYTES || !acpi_table_is(t, "FACP")) {
        return false;
    }
    out->dsdt = read_le(t + FADT_DSDT, 4);
    if (len >= FADT_X_DSDT_BYTES && read_le(t + FADT_X_DSDT, 8) != 0) {
        out->dsdt = read_le(t + FADT_X_DSDT, 8);
    }
    out->smi_command = read_port(t + FADT_SMI);
    out->acpi_enable = t[FADT_ENABLE];
    out->pm1a_control = read_port(t + FADT_PM1A);
    out->pm1b_control = read_port(t + FADT_PM1B);
    out->pm_timer = read_port(t + FADT_PM_TIMER);
    read_reset(t, len, out);
    return true;
}

/* An element of a package of small integers at *at: 20.2.3, ZeroOp, OneOp or a
 * byte. False: something else, or the end. */
static bool read_element(const uint8_t *p, size_t len, size_t *at, uint8_t *out)
{
    if (*at < len && p[*at] <= AML_ONE) {
        *out = p[*at];
        *at += 1;
        return true;
    }
    if (*at + 1 < len && p[*at] == AML_BYTE) {
        *out = p[*at + 1];
        *at += 2;
        return true;
    }
    return false;
}

bool acpi_s5_find(const uint8_t *dsdt, size_t len, uint8_t type[2])
{
    for (size_t i = ACPI_HEADER_BYTES; i + 6 < len; i++) {
        size_t at = i + 5;

        if (memcmp(dsdt + i, "_S5_", 4) != 0 || dsdt[i + 4] != AML_PACKAGE) {
            continue;
        }
        at += (dsdt[at] >> 6) + 2; /* PkgLength (20.2.4), NumElements */
        if (!read_element(dsdt, len, &at, &type[0])) {
            continue;
        }
        if (!read_element(dsdt, len, &at, &type[1])) {
            type[1] = type[0];
        }
        type[0] &= 7;
        type[1] &= 7;
        return true;
    }
    return false;
}
