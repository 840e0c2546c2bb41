/* Firmware's tables are not trusted to be well-formed: each field is read only when
 * the table's length holds it, and sub-tables that do not fit end the walk. */
#include "x86/firmware/acpi_tables.h"

#include "base/bytes.h"

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

/*@ requires readable_bytes(p, n);
    assigns \nothing; */
static bool sums_to_zero(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;

    /*@ loop invariant i <= n;
        loop assigns i, sum;
        loop variant n - i; */
    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    return sum == 0;
}

bool acpi_rsdp_parse(const uint8_t *p, size_t n, struct acpi_root *out)
{
    if (n < ACPI_RSDP_BYTES || !bytes_are(p, "RSD PTR ", 8) || !sums_to_zero(p, ACPI_RSDP_BYTES)) {
        return false;
    }
    out->address = read_le32(p + RSDP_RSDT);
    out->width = 4;
    if (n >= ACPI_RSDP_NEW_BYTES && p[RSDP_REVISION] >= 2) {
        uint64_t length = read_le32(p + RSDP_LENGTH), xsdt = read_le64(p + RSDP_XSDT);

        if (length >= ACPI_RSDP_NEW_BYTES && length <= n && sums_to_zero(p, length) && xsdt != 0) {
            out->address = xsdt;
            out->width = 8;
        }
    }
    return out->address != 0;
}

uint32_t acpi_table_length(const uint8_t *header)
{
    uint32_t length = read_le32(header + HEADER_LENGTH);

    return length < ACPI_HEADER_BYTES || length > ACPI_TABLE_MAX ? 0 : length;
}

bool acpi_table_valid(const uint8_t *t, size_t len)
{
    return len >= ACPI_HEADER_BYTES && acpi_table_length(t) == len && sums_to_zero(t, len);
}

bool acpi_table_is(const uint8_t *t, const char *signature)
{
    return bytes_are(t, signature, 4);
}

bool acpi_root_entry(const uint8_t *t, size_t len, unsigned width, unsigned i, uint64_t *out)
{
    if (len < ACPI_HEADER_BYTES || i >= (len - ACPI_HEADER_BYTES) / width) {
        return false;
    }
    t += ACPI_HEADER_BYTES + (size_t)i * width;
    *out = width == 8 ? read_le64(t) : read_le32(t);
    return true;
}

/* 5.2.12.2, 5.2.12.12: the flags' bit 0 says whether the CPU can be used. */
/*@ requires madt_ok(m) && m->cpus_left < UINT32_MAX;
    assigns m->cpu_apic_id[0 .. MAX_CPUS - 1], m->cpus, m->cpus_left;
    ensures madt_ok(m) && m->cpus_left <= \old(m->cpus_left) + 1;
    ensures m->cpus == \old(m->cpus) || (m->cpus == \old(m->cpus) + 1 &&
        m->cpu_apic_id[\old(m->cpus)] == apic_id);
    ensures once: m->cpus > \old(m->cpus) ==>
        \forall integer j; 0 <= j < \old(m->cpus) ==> \old(m->cpu_apic_id[j]) != apic_id; */
static void add_cpu(struct acpi_madt *m, uint32_t apic_id, uint32_t flags)
{
    if ((flags & MADT_CPU_ENABLED) == 0 || apic_id == UINT32_MAX) {
        return;
    }
    /*@ loop invariant i <= m->cpus;
        loop invariant \forall integer j; 0 <= j < i ==> m->cpu_apic_id[j] != apic_id;
        loop assigns i;
        loop variant m->cpus - i; */
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

/*@ requires madt_ok(m) && readable_bytes(e, 12) && \separated(m, e + (0 .. 11));
    assigns m->ioapic[0 .. ACPI_IOAPICS_MAX - 1], m->ioapics;
    ensures madt_ok(m); */
static void add_ioapic(struct acpi_madt *m, const uint8_t *e)
{
    if (m->ioapics < ACPI_IOAPICS_MAX) {
        struct acpi_ioapic *io = &m->ioapic[m->ioapics++];

        io->id = e[2];
        io->address = read_le32(e + 4);
        io->gsi_base = read_le32(e + 8);
    }
}

/*@ requires madt_ok(m) && readable_bytes(e, 10) && \separated(m, e + (0 .. 9));
    assigns m->override[0 .. ACPI_OVERRIDES_MAX - 1], m->overrides;
    ensures madt_ok(m); */
static void add_override(struct acpi_madt *m, const uint8_t *e)
{
    if (m->overrides < ACPI_OVERRIDES_MAX) {
        struct acpi_override *o = &m->override[m->overrides++];

        o->source = e[3];
        o->gsi = read_le32(e + 4);
        o->flags = read_le16(e + 8);
    }
}

/* A CPU's sub-table of n bytes, of either kind. */
/*@ requires madt_ok(m) && m->cpus_left < UINT32_MAX;
    requires 2 <= n && readable_bytes(e, n) && \separated(m, e + (0 .. n - 1));
    assigns m->cpu_apic_id[0 .. MAX_CPUS - 1], m->cpus, m->cpus_left;
    ensures madt_ok(m) && m->cpus_left <= \old(m->cpus_left) + 1; */
static void read_cpu(struct acpi_madt *m, const uint8_t *e, unsigned n)
{
    uint32_t id = UINT32_MAX, flags = 0;

    if (e[0] == MADT_CPU_X2 && n >= 16) {
        id = read_le32(e + 4);
        flags = read_le32(e + 8);
    } else if (e[0] == MADT_CPU && n >= 8 && e[3] != 0xff) {
        id = e[3];
        flags = read_le32(e + 4);
    }
    add_cpu(m, id, flags);
}

/* One sub-table of n bytes. */
/*@ requires madt_ok(m) && m->cpus_left < UINT32_MAX;
    requires 2 <= n && readable_bytes(e, n) && \separated(m, e + (0 .. n - 1));
    assigns m->cpu_apic_id[0 .. MAX_CPUS - 1], m->cpus, m->cpus_left, m->lapic_address, m->ioapics,
            m->ioapic[0 .. ACPI_IOAPICS_MAX - 1], m->overrides,
            m->override[0 .. ACPI_OVERRIDES_MAX - 1];
    ensures madt_ok(m) && m->cpus_left <= \old(m->cpus_left) + 1; */
static void read_madt_entry(struct acpi_madt *m, const uint8_t *e, unsigned n)
{
    switch (e[0]) {
    case MADT_CPU:
    case MADT_CPU_X2:
        read_cpu(m, e, n);
        break;
    case MADT_IOAPIC:
        if (n >= 12) {
            add_ioapic(m, e);
        }
        break;
    case MADT_OVERRIDE:
        if (n >= 10) {
            add_override(m, e);
        }
        break;
    case MADT_LAPIC_ADDRESS:
        if (n >= 12) {
            m->lapic_address = read_le64(e + 4);
        }
        break;
    default:
        break;
    }
}

bool acpi_madt_parse(const uint8_t *t, size_t len, struct acpi_madt *out)
{
    out->cpus = out->cpus_left = out->ioapics = out->overrides = 0;
    out->lapic_address = 0;
    out->has_pic = false;
    if (len < MADT_ENTRIES || !acpi_table_is(t, "APIC")) {
        return false;
    }
    out->lapic_address = read_le32(t + MADT_LAPIC);
    out->has_pic = (read_le32(t + MADT_FLAGS) & MADT_PCAT_COMPAT) != 0;
    /*@ loop invariant MADT_ENTRIES <= at <= len && madt_ok(out) && out->cpus_left <= at;
        loop assigns at, *out;
        loop variant len - at; */
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

/* False: an entry that cannot be right. */
/*@ requires readable_bytes(e, MCFG_ENTRY) && \valid(s) && \separated(s, e + (0 .. MCFG_ENTRY - 1));
    assigns s->address, s->segment, s->first_bus, s->last_bus;
    ensures \result <==> segment_ok(s); */
static bool read_segment(const uint8_t *e, struct acpi_segment *s)
{
    s->address = read_le64(e);
    s->segment = read_le16(e + 8);
    s->first_bus = e[10];
    s->last_bus = e[11];
    return s->address != 0 && s->address % (1u << 20) == 0 && s->first_bus <= s->last_bus;
}

bool acpi_mcfg_parse(const uint8_t *t, size_t len, struct acpi_mcfg *out)
{
    out->segments = 0;
    if (len < MCFG_ENTRIES || !acpi_table_is(t, "MCFG")) {
        return false;
    }
    /*@ loop invariant MCFG_ENTRIES <= at <= len && mcfg_ok(out);
        loop assigns at, out->segments, out->segment[0 .. ACPI_SEGMENTS_MAX - 1];
        loop variant len - at; */
    for (size_t at = MCFG_ENTRIES; len - at >= MCFG_ENTRY && out->segments < ACPI_SEGMENTS_MAX;
         at += MCFG_ENTRY) {
        if (read_segment(t + at, &out->segment[out->segments])) {
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
    *address = read_le64(t + HPET_ADDRESS);
    return *address != 0 && *address % 8 == 0;
}

/* A port of the FADT; ports beyond the I/O space are none. */
/*@ requires readable_bytes(p, 4);
    assigns \nothing;
    ensures \result == (le32(p) > UINT16_MAX ? 0 : le32(p)); */
static uint16_t read_port(const uint8_t *p)
{
    uint64_t port = read_le32(p);

    return port > UINT16_MAX ? 0 : (uint16_t)port;
}

/* 4.8.3.6: the reset register, where the FADT is long enough to have one. */
/*@ requires readable_bytes(t, len) && \valid(out) && \separated(out, t + (0 .. len - 1));
    assigns out->reset_known, out->reset_port, out->reset_value;
    ensures !out->reset_known || out->reset_port != 0 || \old(out->reset_known); */
static void read_reset(const uint8_t *t, size_t len, struct acpi_fadt *out)
{
    uint64_t port;

    if (len < FADT_RESET_BYTES || (read_le32(t + FADT_FLAGS) & FADT_RESET_SUPPORTED) == 0 ||
        t[FADT_RESET] != SPACE_IO) {
        return;
    }
    port = read_le64(t + FADT_RESET + 4);
    if (port != 0 && port <= UINT16_MAX) {
        out->reset_known = true;
        out->reset_port = (uint16_t)port;
        out->reset_value = t[FADT_RESET_VALUE];
    }
}

bool acpi_fadt_parse(const uint8_t *t, size_t len, struct acpi_fadt *out)
{
    if (len < FADT_BYTES || !acpi_table_is(t, "FACP")) {
        return false;
    }
    out->dsdt = read_le32(t + FADT_DSDT);
    if (len >= FADT_X_DSDT_BYTES && read_le64(t + FADT_X_DSDT) != 0) {
        out->dsdt = read_le64(t + FADT_X_DSDT);
    }
    out->smi_command = read_port(t + FADT_SMI);
    out->acpi_enable = t[FADT_ENABLE];
    out->pm1a_control = read_port(t + FADT_PM1A);
    out->pm1b_control = read_port(t + FADT_PM1B);
    out->pm_timer = read_port(t + FADT_PM_TIMER);
    out->reset_known = false;
    out->reset_port = out->reset_value = 0;
    read_reset(t, len, out);
    return true;
}

/* An element of a package of small integers at *at: 20.2.3, ZeroOp, OneOp or a
 * byte. False: something else, or the end. */
/*@ requires readable_bytes(p, len) && len < SIZE_MAX && \valid(at) && \valid(out);
    requires \separated(at, out, p + (0 .. len - 1)) && *at < SIZE_MAX;
    assigns *at, *out;
    ensures \result ==> \old(*at) < *at <= len;
    ensures !\result ==> *at == \old(*at) && *out == \old(*out); */
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
    /*@ loop invariant i == ACPI_HEADER_BYTES || ACPI_HEADER_BYTES < i <= len;
        loop assigns i, type[0 .. 1];
        loop variant len - i; */
    for (size_t i = ACPI_HEADER_BYTES; i + 6 < len; i++) {
        size_t at = i + 5;

        if (!bytes_are(dsdt + i, "_S5_", 4) || dsdt[i + 4] != AML_PACKAGE) {
            continue;
        }
        at += dsdt[at] / 64u + 2; /* PkgLength (20.2.4), NumElements */
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
