/* acpi.c: the tables as a guest's parser sees them. */
#include "tests/unit/fixture.h"

#include "x86/build/pvh.h"
#include "x86/hvm/vdev.h"
#include "x86/hvm/vlapic.h"

#define CAP ((size_t)PVH_ACPI_PAGES << PAGE_SHIFT)

static uint8_t buf[CAP];

static void setup(void)
{
    memset(buf, 0xee, sizeof(buf));
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, 4);
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
    return v;
}

static const uint8_t *at(uint64_t address)
{
    ck_assert_uint_ge(address, PVH_ACPI_BASE);
    ck_assert_uint_lt(address, PVH_ACPI_BASE + CAP);
    return buf + (address - PVH_ACPI_BASE);
}

static unsigned sum(const uint8_t *p, size_t n)
{
    uint8_t total = 0;

    for (size_t i = 0; i < n; i++) {
        total = (uint8_t)(total + p[i]);
    }
    return total;
}

/* A table with a right header; its length. */
static uint32_t check_table(const uint8_t *p, const char *signature)
{
    uint32_t len = get32(p + 4);

    ck_assert_mem_eq(p, signature, 4);
    ck_assert_uint_ge(len, 36);
    ck_assert(p + len <= buf + CAP);
    ck_assert_uint_eq(sum(p, len), 0);
    return len;
}

/* Table number i of the XSDT. */
static const uint8_t *table(unsigned i)
{
    const uint8_t *xsdt = at(get64(buf + 24));

    ck_assert_uint_gt(check_table(xsdt, "XSDT"), 36 + 8 * i);
    return at(get64(xsdt + 36 + 8 * i));
}

START_TEST(root)
{
    size_t len = acpi_build(buf, CAP, PVH_ACPI_BASE, 4);

    ck_assert_uint_ne(len, 0);
    ck_assert_uint_eq(buf[len], 0xee); /* nothing is written behind */
    ck_assert_mem_eq(buf, "RSD PTR ", 8);
    ck_assert_uint_eq(sum(buf, 20), 0);
    ck_assert_uint_eq(buf[15], 2);
    ck_assert_uint_eq(get32(buf + 20), 36);
    ck_assert_uint_eq(sum(buf, 36), 0);
    ck_assert_uint_eq(check_table(at(get64(buf + 24)), "XSDT"), 36 + 2 * 8);
}
END_TEST

START_TEST(fadt)
{
    const uint8_t *f, *facs, *dsdt;

    ck_assert_uint_ne(acpi_build(buf, CAP, PVH_ACPI_BASE, 1), 0);
    f = table(0);
    ck_assert_uint_eq(check_table(f, "FACP"), 268);
    ck_assert_uint_eq(f[8], 5);
    ck_assert_uint_eq(f[46], 9);         /* SCI_INT */
    ck_assert_uint_eq(get32(f + 48), 0); /* SMI_CMD: always ACPI mode */
    ck_assert_uint_eq(get32(f + 56), PM1A_EVT_PORT);
    ck_assert_uint_eq(get32(f + 64), PM1A_CNT_PORT);
    ck_assert_uint_eq(get32(f + 76), PM_TMR_PORT);
    ck_assert_uint_eq(f[88], 4);
    ck_assert_uint_eq(f[89], 2);
    ck_assert_uint_eq(f[91], 4);
    ck_assert_uint_eq(get32(f + 112) & (1u << 20), 0); /* not hardware-reduced */
    ck_assert_uint_ne(get32(f + 112) & (1u << 10), 0); /* RESET_REG_SUP */
    ck_assert_uint_eq(f[116], 1);
    ck_assert_uint_eq(get64(f + 120), RESET_PORT);
    ck_assert_uint_eq(f[128], 6);
    ck_assert_uint_eq(get64(f + 132), 0);
    ck_assert_uint_eq(get64(f + 152), PM1A_EVT_PORT);
    ck_assert_uint_eq(get64(f + 176), PM1A_CNT_PORT);
    ck_assert_uint_eq(get64(f + 212), PM_TMR_PORT);

    facs = at(get32(f + 36));
    ck_assert_mem_eq(facs, "FACS", 4);
    ck_assert_uint_eq(get32(facs + 4), 64);
    ck_assert_uint_eq(get32(f + 36) % 64, 0);

    ck_assert_uint_eq(get32(f + 40), get64(f + 140));
    dsdt = at(get64(f + 140));
    ck_assert_uint_eq(check_table(dsdt, "DSDT"), 36 + 12);
    ck_assert_mem_eq(dsdt + 36, "\x08_S5_\x12\x06\x04\0\0\0\0", 12);
}
END_TEST

/* Walks the MADT: one entry per vCPU, one IOAPIC, overrides of IRQ 0 and 9. */
static void check_madt(unsigned vcpus)
{
    const uint8_t *madt = table(1), *p, *end;
    unsigned cpus = 0, ioapics = 0, overrides = 0;

    end = madt + check_table(madt, "APIC");
    ck_assert_uint_eq(get32(madt + 36), LAPIC_BASE);
    ck_assert_uint_eq(get32(madt + 40), 0);
    for (p = madt + 44; p < end; p += p[1]) {
        ck_assert_uint_ne(p[1], 0);
        switch (p[0]) {
        case 0:
            ck_assert_uint_eq(p[2], cpus);
            ck_assert_uint_eq(p[3], 2 * cpus);
            ck_assert_uint_eq(get32(p + 4), 1);
            cpus++;
            break;
        case 9:
            ck_assert_uint_ge(2 * cpus, 255);
            ck_assert_uint_eq(get32(p + 4), 2 * cpus);
            ck_assert_uint_eq(get32(p + 8), 1);
            ck_assert_uint_eq(get32(p + 12), cpus);
            cpus++;
            break;
        case 1:
            ck_assert_uint_eq(get32(p + 4), IOAPIC_BASE);
            ck_assert_uint_eq(get32(p + 8), 0);
            ioapics++;
            break;
        case 2:
            ck_assert(p[3] == 0 || p[3] == 9);
            ck_assert_uint_eq(get32(p + 4), p[3] == 0 ? 2 : 9);
            overrides++;
            break;
        default:
            ck_abort_msg("entry of type %u", p[0]);
        }
    }
    ck_assert_ptr_eq(p, end);
    ck_assert_uint_eq(cpus, vcpus);
    ck_assert_uint_eq(ioapics, 1);
    ck_assert_uint_eq(overrides, 2);
}

START_TEST(madt)
{
    static const unsigned counts[] = {1, 2, 127, 128, 129, 200};

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        setup();
        ck_assert_uint_ne(acpi_build(buf, CAP, PVH_ACPI_BASE, counts[i]), 0);
        check_madt(counts[i]);
    }
}
END_TEST

START_TEST(overflow)
{
    size_t len = acpi_build(buf, CAP, PVH_ACPI_BASE, 8);

    ck_assert_uint_ne(len, 0);
    for (size_t cap = 0; cap < len; cap++) {
        uint8_t *exact = malloc(cap ? cap : 1); /* the sanitizer guards its end */

        ck_assert_uint_eq(acpi_build(exact, cap, PVH_ACPI_BASE, 8), 0);
        free(exact);
    }
    ck_assert_uint_eq(acpi_build(buf, len, PVH_ACPI_BASE, 8), len);
    ck_assert_uint_eq(acpi_build(buf, CAP, PVH_ACPI_BASE, 100000), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("acpi");
    TCase *t = tcase_create("acpi");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, root);
    tcase_add_test(t, fadt);
    tcase_add_test(t, madt);
    tcase_add_test(t, overflow);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
