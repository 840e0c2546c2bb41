/* Just enough ACPI to switch the machine off (ACPI 6.3 5.2.5-5.2.9, 7.4.2).
 * Tables come from firmware: lengths and checksums are checked. */
#include "bare/bare.h"

#include "base/string.h"
#include "core/console/console.h"
#include "port/power.h"

#define SCI_EN 1u
#define SLP_EN (1u << 13)
#define ENABLE_POLLS_MAX 1000000u
#define TABLE_MAX (1u << 20)
#define MAPPED_END (UINT64_C(4) << 30)

struct sdt {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char ids[26];
} __attribute__((packed));

static uint16_t pm1a_control, pm1b_control;
static uint16_t smi_command;
static uint8_t smi_acpi_enable;
static uint16_t sleep_type;
static bool known;

static const struct sdt *table_at(uint64_t pa)
{
    const struct sdt *t = phys_to_ptr(pa);
    uint8_t sum = 0;

    if (pa == 0 || pa + sizeof(*t) > MAPPED_END || t->length < sizeof(*t) ||
        t->length > TABLE_MAX || pa + t->length > MAPPED_END)
        return NULL;
    for (uint32_t i = 0; i < t->length; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)t)[i]);
    return sum == 0 ? t : NULL;
}

static uint64_t read_le(const void *p, unsigned n)
{
    uint64_t v = 0;

    memcpy(&v, p, n);
    return v;
}

/* \_S5 as every firmware writes it: Name (_S5_, Package {type, ...}). */
static bool find_s5(const struct sdt *dsdt)
{
    const uint8_t *p = (const uint8_t *)dsdt;

    for (uint32_t i = sizeof(*dsdt); i + 12 < dsdt->length; i++) {
        if (memcmp(p + i, "_S5_", 4) != 0 || p[i + 4] != 0x12)
            continue;
        i += 5 + (p[i + 5] >> 6) + 2; /* package length bytes, element count */
        if (p[i] == 0x0a)             /* byte prefix */
            i++;
        sleep_type = p[i] & 7;
        return true;
    }
    return false;
}

static void read_fadt(const struct sdt *fadt)
{
    const uint8_t *p = (const uint8_t *)fadt;
    const struct sdt *dsdt = NULL;

    if (fadt->length < 116)
        return;
    smi_command = (uint16_t)read_le(p + 48, 4);
    smi_acpi_enable = p[52];
    pm1a_control = (uint16_t)read_le(p + 64, 4);
    pm1b_control = (uint16_t)read_le(p + 68, 4);
    dsdt = table_at(read_le(p + 40, 4));
    known = pm1a_control != 0 && dsdt && find_s5(dsdt);
}

void acpi_init(uint64_t rsdp, uint64_t rsdp_bytes)
{
    const uint8_t *r = phys_to_ptr(rsdp);
    const struct sdt *root;
    unsigned width;

    if (!rsdp || memcmp(r, "RSD PTR ", 8) != 0)
        return;
    width = rsdp_bytes >= 36 && r[15] >= 2 ? 8 : 4;
    root = table_at(width == 8 ? read_le(r + 24, 8) : read_le(r + 16, 4));
    if (!root)
        return;
    for (uint32_t at = sizeof(*root); at + width <= root->length; at += width) {
        const struct sdt *t = table_at(read_le((const uint8_t *)root + at, width));

        if (t && memcmp(t->signature, "FACP", 4) == 0)
            read_fadt(t);
    }
}

void acpi_power_off(void)
{
    if (!known)
        return;
    if (smi_command != 0 && !(inw(pm1a_control) & SCI_EN)) {
        outb(smi_command, smi_acpi_enable);
        for (unsigned i = 0; i < ENABLE_POLLS_MAX && !(inw(pm1a_control) & SCI_EN); i++) {
        }
    }
    outw(pm1a_control, (uint16_t)(sleep_type << 10 | SLP_EN));
    if (pm1b_control != 0)
        outw(pm1b_control, (uint16_t)(sleep_type << 10 | SLP_EN));
}
