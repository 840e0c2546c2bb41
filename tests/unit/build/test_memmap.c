/* memmap.c: the map for every size of memory. */
#include "tests/unit/fixture.h"

#include <xen/arch-x86/hvm/start_info.h>

#include "x86/build/pvh.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* Sorted, without overlaps, whole pages; RAM sums up. */
static void check_map(uint64_t bytes)
{
    struct mem_region r[PVH_REGIONS_MAX];
    unsigned n = memmap_build(bytes, r, PVH_REGIONS_MAX);
    uint64_t ram = 0, end = 0;

    ck_assert_uint_ne(n, 0);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_uint_ge(r[i].start, end);
        ck_assert_uint_ne(r[i].size, 0);
        ck_assert_uint_eq((r[i].start | r[i].size) & (PAGE_SIZE - 1), 0);
        end = r[i].start + r[i].size;
        if (r[i].type == XEN_HVM_MEMMAP_TYPE_RAM) {
            ram += r[i].size;
            /* Nothing where local APIC and IOAPIC live. */
            ck_assert(end <= PVH_LOWMEM_END || r[i].start >= 4 * GIB);
        }
    }
    ck_assert_uint_eq(ram, bytes);
}

START_TEST(sizes)
{
    struct mem_region r[PVH_REGIONS_MAX];

    check_map(PAGE_SIZE);
    check_map(128 * MIB);
    check_map(PVH_LOWMEM_END - PAGE_SIZE);
    check_map(PVH_LOWMEM_END);
    check_map(PVH_LOWMEM_END + PAGE_SIZE);
    check_map(64 * GIB);
    ck_assert_uint_eq(memmap_build(PVH_LOWMEM_END, r, PVH_REGIONS_MAX), 3);
    ck_assert_uint_eq(memmap_build(PVH_LOWMEM_END + PAGE_SIZE, r, PVH_REGIONS_MAX), 4);
    ck_assert_uint_eq(r[3].start, 4 * GIB);
    ck_assert_uint_eq(r[3].size, PAGE_SIZE);
    ck_assert_uint_eq(r[1].start, PVH_ACPI_BASE);
    ck_assert_uint_eq(r[1].type, XEN_HVM_MEMMAP_TYPE_ACPI);
    ck_assert_uint_eq(r[2].start, PVH_SPECIAL_BASE);
    ck_assert_uint_eq(r[2].type, XEN_HVM_MEMMAP_TYPE_RESERVED);
}
END_TEST

START_TEST(refused)
{
    struct mem_region r[PVH_REGIONS_MAX];

    ck_assert_uint_eq(memmap_build(0, r, PVH_REGIONS_MAX), 0);
    ck_assert_uint_eq(memmap_build(128 * MIB + 1, r, PVH_REGIONS_MAX), 0);
    ck_assert_uint_eq(memmap_build(128 * MIB, r, 2), 0);
    ck_assert_uint_eq(memmap_build(128 * MIB, r, 3), 3);
    ck_assert_uint_eq(memmap_build(8 * GIB, r, 3), 0);
    ck_assert_uint_eq(memmap_build(PAGE_MASK, r, PVH_REGIONS_MAX), 0);
    ck_assert_uint_eq(memmap_build(UINT64_C(1) << 48, r, PVH_REGIONS_MAX), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memmap");
    TCase *t = tcase_create("memmap");

    tcase_add_test(t, sizes);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
