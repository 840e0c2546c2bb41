/* hv_init() over memory maps as firmware may give them. */
#include "tests/unit/fixture.h"

#include "core/mem/frame_word.h"

#define MIB UINT64_C(0x100000)

static void start(uint64_t bytes)
{
    struct world_config cfg = {.mem_bytes = bytes, .cpus = 1};

    ck_assert_int_eq(world_start(&cfg), 0);
}

static int init(const struct memory_range *ram, size_t n, uint32_t cpus)
{
    struct boot_info boot = {.ram = ram, .ram_count = n, .cpu_count = cpus};

    return hv_init(&boot);
}

static void stop(void)
{
    fixture_audit();
    world_stop();
    hv = NULL;
}

START_TEST(ordinary)
{
    const struct memory_range ram[] = {{0, 16 * MIB}};

    start(16 * MIB);
    ck_assert_int_eq(init(ram, 1, 3), 0);
    /* Frame 0 is never used. */
    ck_assert_uint_eq(total_page_count(), 4095);
    ck_assert_uint_eq(free_page_count(), 4095 - hv->hyp_pages);
    ck_assert_uint_eq(hv->max_mfn, 4096);
    ck_assert_uint_eq(hv->cpu_count, 3);
    ck_assert(hv->cpu[0].online && !hv->cpu[1].online);
    ck_assert_uint_eq(hv->cpu[2].id, 2);
    ck_assert_uint_eq(frame_read(mfn(0)).state, FRAME_ABSENT);
    ck_assert_uint_eq(frame_read(ptr_to_mfn(hv)).owner, DOMID_XEN);
    ck_assert_uint_eq(frame_read(ptr_to_mfn(hv->frames)).type, FRAME_HYP);
    ck_assert(hv->heap.dirty_pages == free_page_count());
    stop();
}
END_TEST

START_TEST(dirty_memory)
{
    static const uint8_t zeroes[PAGE_SIZE];
    const struct memory_range ram[] = {{0, 16 * MIB}};
    uint64_t n = 0;
    void *p;

    start(16 * MIB);
    memset(world_ram(), 0xcc, world_ram_bytes());
    ck_assert_int_eq(init(ram, 1, 1), 0);
    fixture_audit();
    while ((p = hyp_pages_alloc(NULL, 0, FRAME_HYP)) != NULL) {
        ck_assert_int_eq(memcmp(p, zeroes, PAGE_SIZE), 0);
        n++;
    }
    ck_assert_uint_gt(n, 4000);
    stop();
}
END_TEST

START_TEST(zeroed_memory)
{
    const struct memory_range ram[] = {{0, 16 * MIB}};
    struct boot_info boot = {.ram = ram, .ram_count = 1, .cpu_count = 1, .ram_zeroed = true};

    start(16 * MIB);
    ck_assert_int_eq(hv_init(&boot), 0);
    ck_assert(!page_scrub_some());
    stop();
}
END_TEST

/* Unsorted, overlapping, unaligned, empty, inverted and beyond all memory. */
START_TEST(odd_maps)
{
    const struct memory_range ram[] = {
        {12 * MIB + 1, 14 * MIB + 5000},
        {1 * MIB + 123, 8 * MIB - 1},
        {4 * MIB, 10 * MIB},
        {5 * MIB + 5, 5 * MIB + 9},
        {9 * MIB, 9 * MIB},
        {11 * MIB, 10 * MIB},
        {UINT64_C(1) << 40, UINT64_MAX},
        {UINT64_MAX - 10, UINT64_MAX},
        {0, 4096},
    };
    uint64_t total = 0;

    start(16 * MIB);
    ck_assert_int_eq(init(ram, ARRAY_SIZE(ram), 1), 0);
    total += (14 * MIB >> PAGE_SHIFT) + 1 - ((12 * MIB >> PAGE_SHIFT) + 1);
    total += (10 * MIB >> PAGE_SHIFT) - ((1 * MIB >> PAGE_SHIFT) + 1);
    ck_assert_uint_eq(total_page_count(), total);
    ck_assert_uint_eq(free_page_count(), total - hv->hyp_pages);
    ck_assert(!frame_valid(mfn(1 * MIB >> PAGE_SHIFT)));
    ck_assert(frame_valid(mfn((1 * MIB >> PAGE_SHIFT) + 1)));
    ck_assert(!frame_valid(mfn(10 * MIB >> PAGE_SHIFT)));
    ck_assert(frame_valid(mfn(14 * MIB >> PAGE_SHIFT)));
    ck_assert(!frame_valid(mfn((14 * MIB >> PAGE_SHIFT) + 1)));
    stop();
}
END_TEST

START_TEST(bad_arguments)
{
    const struct memory_range ram[] = {{0, 16 * MIB}};
    const struct memory_range small[] = {{0, 3 * PAGE_SIZE}, {16 * MIB - 4096, 16 * MIB}};

    start(16 * MIB);
    ck_assert_int_eq(hv_init(NULL), -XEN_EINVAL);
    ck_assert_int_eq(init(NULL, 1, 1), -XEN_EINVAL);
    ck_assert_int_eq(init(ram, 0, 1), -XEN_EINVAL);
    ck_assert_int_eq(init(ram, 1, 0), -XEN_EINVAL);
    ck_assert_int_eq(init(ram, 1, MAX_CPUS + 1), -XEN_EINVAL);
    ck_assert_int_eq(init(small, 2, 1), -XEN_ENOMEM);
    ck_assert_int_eq(init(small, 1, 1), -XEN_ENOMEM);
    world_stop();
}
END_TEST

/* 32-bit addresses are spared for those who need them. */
START_TEST(high_memory_first)
{
    const struct memory_range ram[] = {{0, 8 * MIB}, {4096 * MIB, 4112 * MIB}};
    uint64_t high;
    void *p;

    start(4112 * MIB);
    ck_assert_int_eq(init(ram, 2, 1), 0);
    ck_assert_uint_ge(ptr_to_mfn(hv).v, HEAP_LOW_FRAMES);
    high = (16 * MIB >> PAGE_SHIFT) - hv->hyp_pages;
    for (uint64_t i = 0; i < high; i++) {
        p = hyp_pages_alloc(NULL, 0, FRAME_HYP);
        ck_assert_uint_ge(ptr_to_mfn(p).v, HEAP_LOW_FRAMES);
    }
    p = hyp_pages_alloc(NULL, 0, FRAME_HYP);
    ck_assert_uint_lt(ptr_to_mfn(p).v, HEAP_LOW_FRAMES);
    stop();
}
END_TEST

/* What the port keeps for a while lies outside RAM, and becomes RAM when it is freed. */
START_TEST(kept_pages)
{
    const struct memory_range ram[] = {{4 * MIB, 16 * MIB}};
    struct boot_info boot = {
        .ram = ram, .ram_count = 1, .cpu_count = 1, .kept = {2 * MIB + 1, 2 * MIB + 8 * PAGE_SIZE}};
    uint64_t first = (2 * MIB >> PAGE_SHIFT) + 1, free_before;

    start(16 * MIB);
    ck_assert_int_eq(hv_init(&boot), 0);
    fixture_audit();
    ck_assert_uint_eq(total_page_count(), (12 * MIB >> PAGE_SHIFT) + 7);
    free_before = free_page_count();
    ck_assert_uint_eq(free_before, total_page_count() - hv->hyp_pages);
    ck_assert(!frame_valid(mfn(first - 1)) && !frame_valid(mfn(first + 7)));
    for (uint64_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(frame_read(mfn(first + i)).type, FRAME_HYP);
        memset(mfn_to_ptr(mfn(first + i)), 0xcc, PAGE_SIZE);
        hyp_pages_free(mfn_to_ptr(mfn(first + i)), 0);
    }
    ck_assert_uint_eq(free_page_count(), free_before + 7);
    fixture_audit();
    ck_assert_uint_eq(frame_read(mfn(first)).state, FRAME_FREE);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("init");
    TCase *t = tcase_create("init");

    tcase_add_test(t, ordinary);
    tcase_add_test(t, dirty_memory);
    tcase_add_test(t, zeroed_memory);
    tcase_add_test(t, odd_maps);
    tcase_add_test(t, bad_arguments);
    tcase_add_test(t, high_memory_first);
    tcase_add_test(t, kept_pages);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
