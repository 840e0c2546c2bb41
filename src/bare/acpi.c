/* Finds firmware's tables, maps them through the direct map, and keeps what they
 * say; x86/firmware/acpi_tables.c reads them. */
#include "bare/bare.h"

#include "base/string.h"
#include "port/power.h"

#define SCI_EN 1u
#define SLP_EN (1u << 13)
#define ENABLE_POLLS_MAX 1000000u
#define MAPPED_END (UINT64_C(4) << 30)
#define TABLES_MAX 256u

struct bare_acpi bare_acpi;
static uint8_t sleep_type[2];
static bool sleep_known;

/* The table at physical address pa and its length; NULL: none, or it is broken. */
static const uint8_t *table_at(uint64_t pa, uint32_t *len)
{
    const uint8_t *t = phys_to_ptr(pa);

    if (pa == 0 || pa > MAPPED_END - ACPI_HEADER_BYTES)
        return NULL;
    *len = acpi_table_length(t);
    if (*len == 0 || *len > MAPPED_END - pa || !acpi_table_valid(t, *len)) {
        bare_acpi.broken++;
        return NULL;
    }
    bare_acpi.tables++;
    return t;
}

static void read_fadt(const uint8_t *t, uint32_t len)
{
    const uint8_t *dsdt;

    bare_acpi.has_fadt = acpi_fadt_parse(t, len, &bare_acpi.fadt);
    if (!bare_acpi.has_fadt || bare_acpi.fadt.pm1a_control == 0)
        return;
    dsdt = table_at(bare_acpi.fadt.dsdt, &len);
    sleep_known = dsdt && acpi_s5_find(dsdt, len, sleep_type);
}

static void read_madt(const uint8_t *t, uint32_t len)
{
    bare_acpi.has_madt = acpi_madt_parse(t, len, &bare_acpi.madt);
    bare_acpi.madt_table = t;
    bare_acpi.madt_len = len;
}

static void read_table(const uint8_t *t, uint32_t len)
{
    if (acpi_table_is(t, "FACP"))
        read_fadt(t, len);
    else if (acpi_table_is(t, "APIC"))
        read_madt(t, len);
    else if (acpi_table_is(t, "MCFG"))
        bare_acpi.has_mcfg = acpi_mcfg_parse(t, len, &bare_acpi.mcfg);
    else if (acpi_table_is(t, "HPET") && !acpi_hpet_parse(t, len, &bare_acpi.hpet))
        bare_acpi.hpet = 0;
}

void acpi_init(uint64_t rsdp, uint64_t rsdp_bytes)
{
    const uint8_t *root, *t;
    struct acpi_root at;
    uint64_t pa;
    uint32_t root_len, len;

    if (!rsdp || !acpi_rsdp_parse(phys_to_ptr(rsdp), rsdp_bytes, &at))
        return;
    root = table_at(at.address, &root_len);
    for (unsigned i = 0; root && i < TABLES_MAX; i++) {
        if (!acpi_root_entry(root, root_len, at.width, i, &pa))
            break;
        t = table_at(pa, &len);
        if (t)
            read_table(t, len);
    }
}

void acpi_power_off(void)
{
    const struct acpi_fadt *f = &bare_acpi.fadt;

    if (!sleep_known)
        return;
    if (f->smi_command != 0 && !(inw(f->pm1a_control) & SCI_EN)) {
        outb(f->smi_command, f->acpi_enable);
        for (unsigned i = 0; i < ENABLE_POLLS_MAX && !(inw(f->pm1a_control) & SCI_EN); i++) {
        }
    }
    outw(f->pm1a_control, (uint16_t)(sleep_type[0] << 10 | SLP_EN));
    if (f->pm1b_control != 0)
        outw(f->pm1b_control, (uint16_t)(sleep_type[1] << 10 | SLP_EN));
}

void acpi_reset(void)
{
    if (bare_acpi.fadt.reset_known)
        outb(bare_acpi.fadt.reset_port, bare_acpi.fadt.reset_value);
}
