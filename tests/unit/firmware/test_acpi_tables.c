/* Firmware's ACPI tables, whole, damaged and cut short. */
#include "tests/unit/fixture.h"

#include <stdlib.h>

#include "x86/firmware/acpi_tables.h"

static uint8_t table[4096];
static size_t table_len;

static void put(size_t at, uint64_t v, unsigned n)
{
    memcpy(table + at, &v, n);
}

static void begin(const char *signature, size_t len)
{
    memset(table, 0, sizeof(table));
    memcpy(table, signature, 4);
    table_len = len;
}

static void seal(void)
{
    uint8_t sum = 0;

    put(4, table_len, 4);
    table[9] = 0;
    for (size_t i = 0; i < table_len; i++)
        sum = (uint8_t)(sum + table[i]);
    table[9] = (uint8_t)-sum;
}

static void add_cpu(uint8_t id, uint32_t flags)
{
    uint8_t e[8] = {0, 8, id, id};

    memcpy(e + 4, &flags, 4);
    memcpy(table + table_len, e, 8);
    table_len += 8;
}

static void add_x2(uint32_t id, uint32_t flags)
{
    uint8_t e[16] = {9, 16};

    memcpy(e + 4, &id, 4);
    memcpy(e + 8, &flags, 4);
    memcpy(table + table_len, e, 16);
    table_len += 16;
}

static size_t make_rsdp(uint8_t *p, uint8_t revision)
{
    uint8_t sum = 0;

    memset(p, 0, 36);
    memcpy(p, "RSD PTR ", 8);
    p[15] = revision;
    p[17] = 0x10; /* RSDT at 0x1000 */
    for (unsigned i = 0; i < 20; i++)
        sum = (uint8_t)(sum + p[i]);
    p[8] = (uint8_t)-sum;
    p[20] = 36;
    p[25] = 0x20; /* XSDT at 0x2000 */
    sum = 0;
    for (unsigned i = 0; i < 36; i++)
        sum = (uint8_t)(sum + p[i]);
    p[32] = (uint8_t)-sum;
    return 36;
}

START_TEST(rsdp)
{
    struct acpi_root root;
    uint8_t p[36];

    make_rsdp(p, 2);
    ck_assert(acpi_rsdp_parse(p, 36, &root));
    ck_assert_uint_eq(root.address, 0x2000);
    ck_assert_uint_eq(root.width, 8);
    ck_assert(acpi_rsdp_parse(p, 20, &root));
    ck_assert_uint_eq(root.address, 0x1000);
    ck_assert_uint_eq(root.width, 4);
    ck_assert(!acpi_rsdp_parse(p, 19, &root));
    p[24]++; /* the extended checksum is wrong: the old table it is */
    ck_assert(acpi_rsdp_parse(p, 36, &root));
    ck_assert_uint_eq(root.width, 4);
    p[16]++;
    ck_assert(!acpi_rsdp_parse(p, 36, &root));
    make_rsdp(p, 0);
    ck_assert(acpi_rsdp_parse(p, 36, &root));
    ck_assert_uint_eq(root.width, 4);
    p[0] = 'X';
    ck_assert(!acpi_rsdp_parse(p, 36, &root));
}
END_TEST

START_TEST(header)
{
    uint64_t v;

    begin("XSDT", 36 + 20);
    put(36, 0x1111, 8);
    put(44, 0x2222, 8);
    seal();
    ck_assert_uint_eq(acpi_table_length(table), 56);
    ck_assert(acpi_table_valid(table, 56));
    ck_assert(!acpi_table_valid(table, 55));
    ck_assert(acpi_root_entry(table, 56, 8, 1, &v));
    ck_assert_uint_eq(v, 0x2222);
    ck_assert(!acpi_root_entry(table, 56, 8, 2, &v)); /* half an entry */
    ck_assert(acpi_root_entry(table, 56, 4, 4, &v));
    ck_assert(!acpi_root_entry(table, 56, 4, 5, &v));
    ck_assert(!acpi_root_entry(table, 20, 4, 0, &v));
    table[40]++;
    ck_assert(!acpi_table_valid(table, 56));
    put(4, 35, 4);
    ck_assert_uint_eq(acpi_table_length(table), 0);
    put(4, UINT32_MAX, 4);
    ck_assert_uint_eq(acpi_table_length(table), 0);
}
END_TEST

START_TEST(madt)
{
    static const uint8_t ioapic[12] = {1, 12, 3, 0, 0, 0, 0xc0, 0xfe, 24};
    static const uint8_t override[10] = {2, 10, 0, 4, 20, 0, 0, 0, 0xd, 0};
    static const uint8_t address[12] = {5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 1};
    struct acpi_madt m;

    begin("APIC", 44);
    put(36, 0xfee00000, 4);
    put(40, 1, 4);
    add_cpu(0, 1);
    add_cpu(2, 0); /* not enabled */
    add_cpu(4, 1);
    add_cpu(4, 1);
    add_cpu(255, 1);
    add_x2(0x123, 1);
    add_x2(UINT32_MAX, 1);
    memcpy(table + table_len, ioapic, sizeof(ioapic));
    table_len += sizeof(ioapic);
    memcpy(table + table_len, override, sizeof(override));
    table_len += sizeof(override);
    memcpy(table + table_len, address, sizeof(address));
    table_len += sizeof(address);
    ck_assert(acpi_madt_parse(table, table_len, &m));
    ck_assert_uint_eq(m.cpus, 3);
    ck_assert_uint_eq(m.cpu_apic_id[1], 4);
    ck_assert_uint_eq(m.cpu_apic_id[2], 0x123);
    ck_assert_uint_eq(m.ioapics, 1);
    ck_assert_uint_eq(m.ioapic[0].address, 0xfec00000);
    ck_assert_uint_eq(m.ioapic[0].gsi_base, 24);
    ck_assert_uint_eq(m.ioapic[0].id, 3);
    ck_assert_uint_eq(m.overrides, 1);
    ck_assert_uint_eq(m.override[0].source, 4);
    ck_assert_uint_eq(m.override[0].gsi, 20);
    ck_assert_uint_eq(m.override[0].flags, 0xd);
    ck_assert_uint_eq(m.lapic_address, 0x1fee00000);
    ck_assert(m.has_pic);
    ck_assert(!acpi_madt_parse(table, 43, &m));
    ck_assert(!acpi_madt_parse(table, 44, &m)); /* no CPU at all */
    begin("FACP", 44);
    ck_assert(!acpi_madt_parse(table, 44, &m));
}
END_TEST

/* Sub-tables that say nonsense about their length end the walk. */
START_TEST(madt_hostile)
{
    struct acpi_madt m;

    for (unsigned n = 0; n < 256; n++) {
        begin("APIC", 44);
        add_cpu(1, 1);
        table[table_len] = 9;
        table[table_len + 1] = (uint8_t)n;
        for (size_t len = table_len; len < table_len + 20; len++)
            ck_assert(acpi_madt_parse(table, len, &m));
        ck_assert_uint_le(m.cpus, 2);
    }
    begin("APIC", 44);
    for (unsigned i = 0; i < 100; i++)
        add_cpu((uint8_t)i, 1);
    for (unsigned i = 0; i < 40; i++) {
        table[table_len] = 1 + i % 2;
        table[table_len + 1] = 12;
        table_len += 12;
    }
    ck_assert(acpi_madt_parse(table, table_len, &m));
    ck_assert_uint_eq(m.cpus, MAX_CPUS);
    ck_assert_uint_eq(m.cpus_left, 100 - MAX_CPUS);
    ck_assert_uint_eq(m.ioapics, ACPI_IOAPICS_MAX);
    ck_assert_uint_eq(m.overrides, ACPI_OVERRIDES_MAX);
}
END_TEST

START_TEST(mcfg)
{
    struct acpi_mcfg m;

    begin("MCFG", 44 + 16 * 20);
    for (unsigned i = 0; i < 20; i++) {
        put(44 + 16 * i, 0xe0000000u + (i == 1 ? 1u : 0u), 8);
        put(52 + 16 * i, i, 2);
        table[55 + 16 * i] = i == 2 ? 0 : 255;
        table[54 + 16 * i] = i == 2 ? 1 : 0;
    }
    ck_assert(acpi_mcfg_parse(table, 44 + 16 * 4 + 15, &m));
    ck_assert_uint_eq(m.segments, 2); /* neither the crooked one nor the empty one */
    ck_assert_uint_eq(m.segment[1].segment, 3);
    ck_assert(acpi_mcfg_parse(table, table_len, &m));
    ck_assert_uint_eq(m.segments, ACPI_SEGMENTS_MAX);
    ck_assert(!acpi_mcfg_parse(table, 44, &m));
    ck_assert(!acpi_mcfg_parse(table, 43, &m));
}
END_TEST

START_TEST(hpet)
{
    uint64_t at;

    begin("HPET", 56);
    put(44, 0xfed00000, 8);
    ck_assert(acpi_hpet_parse(table, 56, &at));
    ck_assert_uint_eq(at, 0xfed00000);
    ck_assert(!acpi_hpet_parse(table, 51, &at));
    table[40] = 1; /* I/O space */
    ck_assert(!acpi_hpet_parse(table, 56, &at));
    table[40] = 0;
    put(44, 0, 8);
    ck_assert(!acpi_hpet_parse(table, 56, &at));
}
END_TEST

START_TEST(fadt)
{
    struct acpi_fadt f;

    begin("FACP", 244);
    put(40, 0x1000, 4);
    put(48, 0xb2, 4);
    table[52] = 2;
    put(64, 0x604, 4);
    put(68, 0x10000, 4); /* no port */
    put(76, 0x608, 4);
    put(112, 1u << 10, 4);
    table[116] = 1;
    put(120, 0xcf9, 8);
    table[128] = 0xf;
    put(140, 0x200000000, 8);
    ck_assert(acpi_fadt_parse(table, 244, &f));
    ck_assert_uint_eq(f.dsdt, 0x200000000);
    ck_assert_uint_eq(f.smi_command, 0xb2);
    ck_assert_uint_eq(f.acpi_enable, 2);
    ck_assert_uint_eq(f.pm1a_control, 0x604);
    ck_assert_uint_eq(f.pm1b_control, 0);
    ck_assert_uint_eq(f.pm_timer, 0x608);
    ck_assert(f.reset_known);
    ck_assert_uint_eq(f.reset_port, 0xcf9);
    ck_assert_uint_eq(f.reset_value, 0xf);
    ck_assert(acpi_fadt_parse(table, 116, &f)); /* ACPI 1.0 */
    ck_assert_uint_eq(f.dsdt, 0x1000);
    ck_assert(!f.reset_known);
    ck_assert(!acpi_fadt_parse(table, 79, &f));
    put(120, 0x10000, 8);
    ck_assert(acpi_fadt_parse(table, 244, &f));
    ck_assert(!f.reset_known);
}
END_TEST

START_TEST(s5)
{
    static const uint8_t bytes[] = {8, '_', 'S', '5', '_', 0x12, 8, 4, 0x0a, 5, 0x0a, 7, 0, 0};
    static const uint8_t ones[] = {'_', 'S', '5', '_', 0x12, 0x42, 0, 4, 1, 0};
    uint8_t type[2];

    begin("DSDT", 200);
    memcpy(table + 100, bytes, sizeof(bytes));
    ck_assert(acpi_s5_find(table, 200, type));
    ck_assert_uint_eq(type[0], 5);
    ck_assert_uint_eq(type[1], 7);
    for (size_t len = 36; len < 110; len++)
        ck_assert(!acpi_s5_find(table, len, type));
    begin("DSDT", 200);
    memcpy(table + 50, ones, sizeof(ones));
    ck_assert(acpi_s5_find(table, 200, type));
    ck_assert_uint_eq(type[0], 1);
    ck_assert_uint_eq(type[1], 0);
    table[58] = 0x70; /* not a constant */
    ck_assert(!acpi_s5_find(table, 200, type));
    ck_assert(!acpi_s5_find(table, 10, type));
}
END_TEST

/* Whatever bytes a table has and wherever it ends, nothing beyond it is read: each is in
 * a block of its own, which AddressSanitizer guards. */
START_TEST(noise)
{
    static const char *const names[] = {"APIC", "MCFG", "HPET", "FACP", "DSDT", "XSDT"};
    uint32_t x = 1;

    for (unsigned round = 0; round < 60000; round++) {
        const char *name = names[round % ARRAY_SIZE(names)];
        struct acpi_madt madt_out;
        struct acpi_mcfg mcfg_out;
        struct acpi_fadt fadt_out;
        struct acpi_root root_out;
        uint8_t type[2], *t;
        uint64_t v;
        size_t len;

        x = x * 1664525 + 1013904223;
        len = 1 + (x >> 16) % 260;
        t = malloc(len);
        ck_assert_ptr_nonnull(t);
        for (size_t i = 0; i < len; i++) {
            x = x * 1664525 + 1013904223;
            t[i] = x >> 28 == 0 ? (uint8_t)(x >> 16) : (uint8_t)(x >> 24 & 15);
        }
        memcpy(t, name, len < 4 ? len : 4);
        (void)acpi_rsdp_parse(t, len, &root_out);
        (void)acpi_table_valid(t, len);
        for (unsigned i = 0; i < 70; i++)
            (void)acpi_root_entry(t, len, i % 2 ? 4 : 8, i / 2, &v);
        (void)acpi_madt_parse(t, len, &madt_out);
        (void)acpi_mcfg_parse(t, len, &mcfg_out);
        (void)acpi_hpet_parse(t, len, &v);
        (void)acpi_fadt_parse(t, len, &fadt_out);
        if (len >= 10)
            memcpy(t + (x >> 8) % (len - 5), "_S5_\x12", 5);
        (void)acpi_s5_find(t, len, type);
        free(t);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("acpi_tables");
    TCase *t = tcase_create("acpi_tables");

    tcase_add_test(t, rsdp);
    tcase_add_test(t, header);
    tcase_add_test(t, madt);
    tcase_add_test(t, madt_hostile);
    tcase_add_test(t, mcfg);
    tcase_add_test(t, hpet);
    tcase_add_test(t, fadt);
    tcase_add_test(t, s5);
    tcase_add_test(t, noise);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
