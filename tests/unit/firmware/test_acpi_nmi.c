/* The MADT's NMI entries: by UID, for all, of both kinds, and damaged. Tables lie in buffers
 * of exactly their length: the sanitizer sees what reads beyond. */
#include "tests/unit/fixture.h"

#include <stdlib.h>

#include "x86/firmware/acpi_nmi.h"
#include "x86/firmware/acpi_tables.h"

#define ENTRIES 44u
#define LOW 3u /* flags: active low */

static uint8_t table[4096];
static size_t table_len;

static void begin(void)
{
    memset(table, 0, sizeof(table));
    memcpy(table, "APIC", 4);
    table_len = ENTRIES;
}

static void add(const uint8_t *e)
{
    memcpy(table + table_len, e, e[1]);
    table_len += e[1];
}

static void add_cpu(uint8_t uid, uint8_t apic_id)
{
    add((uint8_t[]){0, 8, uid, apic_id, 1, 0, 0, 0});
}

static void add_x2(uint16_t uid, uint16_t apic_id)
{
    add((uint8_t[]){9, 16, 0, 0, (uint8_t)apic_id, (uint8_t)(apic_id >> 8), 0, 0, 1, 0, 0, 0,
                    (uint8_t)uid, (uint8_t)(uid >> 8), 0, 0});
}

static void add_nmi(uint8_t uid, uint16_t flags, uint8_t lint)
{
    add((uint8_t[]){4, 6, uid, (uint8_t)flags, (uint8_t)(flags >> 8), lint});
}

static void add_x2_nmi(uint32_t uid, uint16_t flags, uint8_t lint)
{
    add((uint8_t[]){10, 12, (uint8_t)flags, (uint8_t)(flags >> 8), (uint8_t)uid,
                    (uint8_t)(uid >> 8), (uint8_t)(uid >> 16), (uint8_t)(uid >> 24), lint, 0, 0,
                    0});
}

/* "-" not connected, "h" active high, "l" active low: LINT0, LINT1. */
static void expect(uint32_t apic_id, const char *want)
{
    uint8_t *copy = malloc(table_len);
    struct acpi_nmi n;

    memcpy(copy, table, table_len);
    n = acpi_madt_nmi(copy, table_len, apic_id);
    free(copy);
    for (unsigned i = 0; i < ACPI_LINTS; i++) {
        char got = !n.connected[i] ? '-' : n.low[i] ? 'l' : 'h';

        ck_assert_msg(got == want[i], "APIC %x, LINT%u: %c, not %c", apic_id, i, got, want[i]);
    }
}

START_TEST(all_cpus)
{
    begin();
    add_cpu(0, 0);
    add_nmi(0xff, 0, 1); /* as QEMU's firmware has it */
    expect(0, "-h");
    expect(77, "-h"); /* even one that is not there */
    begin();
    add_x2_nmi(UINT32_MAX, LOW | 1 << 2, 0);
    add_x2(5, 0x105);
    expect(0x105, "l-");
}
END_TEST

/* A UID is not an APIC id, and entries may come in any order. */
START_TEST(by_uid)
{
    begin();
    add_nmi(7, LOW, 1);
    add_cpu(7, 2);
    add_cpu(2, 7);
    add_x2(300, 0x400);
    add_x2(9, 0x300);
    add_x2_nmi(300, 1, 0);
    add_x2_nmi(0x10007, 1, 0); /* nobody */
    add_nmi(9, 0, 1);
    expect(2, "-l");
    expect(7, "--");
    expect(0x400, "h-");
    expect(0x300, "-h");
    expect(0x107, "--");
    expect(UINT32_MAX, "--");
}
END_TEST

START_TEST(both_inputs)
{
    begin();
    add_cpu(0, 0);
    add_nmi(0, LOW, 0);
    add_nmi(0xff, 1, 1);
    add_nmi(0xff, 0, 2); /* there are only two */
    add_nmi(0xff, 0, 0xff);
    expect(0, "lh");
}
END_TEST

START_TEST(hostile)
{
    struct acpi_nmi n;

    begin();
    add_cpu(0, 0);
    add((uint8_t[]){4, 5, 0xff, 0, 0});                          /* one byte short */
    add((uint8_t[]){10, 11, 0, 0, 255, 255, 255, 255, 1, 0, 0}); /* and again */
    add((uint8_t[]){0, 7, 3, 3, 1, 0, 0});                       /* UID 3 by no whole entry */
    add((uint8_t[]){9, 15, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0});
    add_nmi(3, 0, 1);
    add_nmi(4, 0, 1);
    expect(0, "--");
    expect(3, "--");
    expect(4, "--");
    add_nmi(0, 0, 1);
    expect(0, "-h");
    /* An entry without a length ends the walk, as does one that is longer than the table. */
    table[table_len] = 4;
    table_len += 2;
    add_nmi(0xff, 0, 0);
    expect(0, "-h");
    begin();
    add_cpu(0, 0);
    add_nmi(0xff, 0, 1);
    table[table_len - 5]++;
    expect(0, "--");
    for (table_len = 0; table_len < ENTRIES + 14; table_len++)
        expect(0, "--");
    n = acpi_madt_nmi(table, 0, 0);
    ck_assert(!n.connected[0] && !n.connected[1]);
    memcpy(table, "MCFG", 4);
    table[table_len - 5]--;
    expect(0, "--");
}
END_TEST

START_TEST(noise)
{
    uint32_t x = (uint32_t)_i;

    for (unsigned round = 0; round < 200; round++) {
        begin();
        for (table_len = ENTRIES; table_len < 300; table_len++) {
            x = x * 1103515245 + 12345;
            table[table_len] = (uint8_t)(x >> 16 & (round % 2 ? 0xff : 0x0f));
        }
        for (table_len = ENTRIES; table_len < 300; table_len += 1 + round % 7) {
            uint8_t *copy = malloc(table_len);

            memcpy(copy, table, table_len);
            (void)acpi_madt_nmi(copy, table_len, x & 15);
            free(copy);
        }
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("acpi_nmi");
    Suite *s = suite_create("acpi_nmi");

    tcase_add_test(tc, all_cpus);
    tcase_add_test(tc, by_uid);
    tcase_add_test(tc, both_inputs);
    tcase_add_test(tc, hostile);
    tcase_add_loop_test(tc, noise, 1, 5);
    suite_add_tcase(s, tc);
    return fixture_run(s);
}
