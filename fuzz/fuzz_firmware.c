/* Firmware's tables and the boot loader's words: whatever the bytes, an answer and no
 * memory error. The first byte says which parser; with its highest bit set the table gets
 * a right length and checksum first, as most of them are only read then. */
#include <stdlib.h>
#include <string.h>

#include "x86/build/boot_module.h"
#include "x86/firmware/acpi_tables.h"

#define REPAIR 0x80u
#define KINDS 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void repair(uint8_t *t, size_t len)
{
    uint32_t n = (uint32_t)len;
    uint8_t sum = 0;

    if (len < ACPI_HEADER_BYTES) {
        return;
    }
    memcpy(t + 4, &n, sizeof(n));
    t[9] = 0;
    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + t[i]);
    }
    t[9] = (uint8_t)-sum;
    must(acpi_table_valid(t, len));
}

static void rsdp(uint8_t *t, size_t len)
{
    struct acpi_root root;

    for (size_t span = ACPI_RSDP_BYTES; span <= ACPI_RSDP_NEW_BYTES && len >= span;
         span += ACPI_RSDP_NEW_BYTES - ACPI_RSDP_BYTES) {
        size_t at = span == ACPI_RSDP_BYTES ? 8 : 32;
        uint8_t sum = 0;

        t[at] = 0;
        for (size_t i = 0; i < span; i++) {
            sum = (uint8_t)(sum + t[i]);
        }
        t[at] = (uint8_t)-sum;
    }
    if (acpi_rsdp_parse(t, len, &root)) {
        must(root.address != 0 && (root.width == 4 || root.width == 8));
    }
}

static void root_table(const uint8_t *t, size_t len)
{
    uint64_t address;

    for (unsigned width = 4; width <= 8; width += 4) {
        unsigned n = 0;

        while (acpi_root_entry(t, len, width, n, &address)) {
            n++;
        }
        must(n <= len / width);
    }
}

static void madt(const uint8_t *t, size_t len)
{
    struct acpi_madt m;

    if (!acpi_madt_parse(t, len, &m)) {
        return;
    }
    must(m.cpus <= MAX_CPUS && m.ioapics <= ACPI_IOAPICS_MAX && m.overrides <= ACPI_OVERRIDES_MAX);
    for (unsigned i = 0; i < m.cpus; i++) {
        for (unsigned k = 0; k < i; k++) {
            must(m.cpu_apic_id[i] != m.cpu_apic_id[k]);
        }
    }
}

static void mcfg(const uint8_t *t, size_t len)
{
    struct acpi_mcfg m;

    if (acpi_mcfg_parse(t, len, &m)) {
        must(m.segments <= ACPI_SEGMENTS_MAX);
    }
}

static void power(const uint8_t *t, size_t len)
{
    struct acpi_fadt f;
    uint64_t address;
    uint8_t type[2];

    (void)acpi_fadt_parse(t, len, &f);
    (void)acpi_hpet_parse(t, len, &address);
    (void)acpi_s5_find(t, len, type);
}

static void module(const char *s)
{
    struct boot_module m;
    const char *wrong = boot_module_parse(s, &m);

    if (wrong != NULL) {
        must(wrong[0] != '\0');
        return;
    }
    if (m.role == MODULE_KERNEL) {
        must(m.memory >= BOOT_MODULE_MEMORY_MIN && m.memory <= BOOT_MODULE_MEMORY_MAX &&
             m.memory % 4096 == 0 && m.vcpus >= 1 && m.vcpus <= 128);
        must(m.cmdline == NULL || (m.cmdline >= s && m.cmdline <= s + strlen(s)));
    }
    must(m.role == MODULE_OTHER ||
         (m.guest[0] != '\0' && memchr(m.guest, '\0', sizeof(m.guest)) != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *t;

    if (len == 0) {
        return 0;
    }
    /* A block of its own and just as long: the sanitizer sees the first byte too many. */
    t = calloc(1, len);
    must(t != NULL);
    memcpy(t, data + 1, len - 1);
    switch (data[0] % KINDS) {
    case 0:
        rsdp(t, len - 1);
        break;
    case 1:
        module((const char *)t);
        break;
    default:
        if ((data[0] & REPAIR) != 0) {
            repair(t, len - 1);
        }
        if (len > ACPI_HEADER_BYTES) {
            (void)acpi_table_length(t);
        }
        root_table(t, len - 1);
        madt(t, len - 1);
        mcfg(t, len - 1);
        power(t, len - 1);
        break;
    }
    free(t);
    return 0;
}
