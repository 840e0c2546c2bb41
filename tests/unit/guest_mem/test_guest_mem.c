/* The door to guest memory: what may be read, what may be written, what wraps. */
#include "tests/unit/fixture.h"

#include "core/guest_mem/guest_mem.h"

#define G0 0x2000ull
#define A0 (G0 << PAGE_SHIFT)

static struct domain *d, *other;
static struct vcpu *v;
static uint64_t changed_mfn;
static unsigned changes;

static void on_code_changed(uint64_t m, uint64_t count)
{
    changed_mfn = m;
    changes++;
}

static void setup(void)
{
    fixture_start(64, 1);
    d = fixture_domain(16, 1);
    other = fixture_domain(16, 1);
    v = d->vcpu[0];
    changes = 0;
    fixture_populate(d, G0, 3);
}

static void teardown(void)
{
    world_code_changed_sink = NULL;
    fixture_stop();
}

START_TEST(copies_across_pages)
{
    uint8_t out[PAGE_SIZE + 100], in[PAGE_SIZE + 100];

    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = (uint8_t)(i * 7 + 1);
    }
    ck_assert_int_eq(guest_copy_out(v, A0 + 4000, out, sizeof(out)), 0);
    ck_assert_uint_eq(*(uint8_t *)fixture_guest(d, A0 + 4000), out[0]);
    ck_assert_uint_eq(*(uint8_t *)fixture_guest(d, A0 + 4096), out[96]);
    memset(in, 0, sizeof(in));
    ck_assert_int_eq(guest_copy_in(v, in, A0 + 4000, sizeof(in)), 0);
    ck_assert_int_eq(memcmp(in, out, sizeof(in)), 0);
    memset(in, 0, sizeof(in));
    ck_assert_int_eq(guest_phys_read(d, gaddr(A0 + 4000), in, sizeof(in)), 0);
    ck_assert_int_eq(memcmp(in, out, sizeof(in)), 0);
    ck_assert_int_eq(guest_phys_zero(d, gaddr(A0 + 4001), sizeof(in) - 2), 0);
    ck_assert_int_eq(guest_phys_read(d, gaddr(A0 + 4000), in, sizeof(in)), 0);
    ck_assert_uint_eq(in[0], out[0]);
    ck_assert_uint_eq(in[1], 0);
    ck_assert_uint_eq(in[sizeof(in) - 2], 0);
    ck_assert_uint_eq(in[sizeof(in) - 1], out[sizeof(in) - 1]);
    /* No reference stays. */
    ck_assert_uint_eq(frame_read(p2m_lookup(d, gfn(G0)).mfn).refs, 1);
}
END_TEST

START_TEST(holes_and_wraps)
{
    uint8_t buf[64] = {0};
    uint64_t bad[] = {
        A0 + 3 * PAGE_SIZE - 10, UINT64_MAX, UINT64_MAX - 62, UINT64_MAX - 63, 1ull << 48,
        0x8000000000000000ull,   A0 - 1};

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_int_eq(guest_copy_in(v, buf, bad[i], 64), -XEN_EFAULT);
        ck_assert_int_eq(guest_copy_out(v, bad[i], buf, 64), -XEN_EFAULT);
        ck_assert_int_eq(guest_phys_read(d, gaddr(bad[i]), buf, 64), -XEN_EFAULT);
        ck_assert_int_eq(guest_phys_write(d, gaddr(bad[i]), buf, 64), -XEN_EFAULT);
        ck_assert_int_eq(guest_phys_zero(d, gaddr(bad[i]), 64), -XEN_EFAULT);
        /* Nothing of nothing is always there. */
        ck_assert_int_eq(guest_copy_in(v, buf, bad[i], 0), 0);
        ck_assert_int_eq(guest_copy_out(v, bad[i], buf, 0), 0);
        ck_assert_int_eq(guest_phys_zero(d, gaddr(bad[i]), 0), 0);
    }
    ck_assert_int_eq(guest_phys_zero(d, gaddr(A0), UINT64_MAX), -XEN_EFAULT);
    ck_assert_int_eq(guest_copy_in(v, buf, A0, SIZE_MAX), -XEN_EFAULT);
}
END_TEST

START_TEST(read_only_types)
{
    static const uint8_t types[] = {P2M_RAM_RO, P2M_GRANT_RO, P2M_GRANT_RW, P2M_FOREIGN};
    uint32_t word = 0;

    fixture_populate(other, G0, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        uint64_t a = A0 + 0x100000 + i * PAGE_SIZE;
        bool writable = types[i] == P2M_GRANT_RW || types[i] == P2M_FOREIGN;
        struct p2m_entry e;

        if (types[i] == P2M_RAM_RO) {
            e.mfn = guest_pages_alloc(d, 0);
        } else {
            ck_assert(p2m_get_page(other, gfn(G0), &e));
        }
        ck_assert_int_eq(p2m_map(d, gaddr_gfn(gaddr(a)), e.mfn, P2M_4K, types[i]), 0);
        ck_assert_int_eq(guest_copy_in(v, &word, a, 4), 0);
        ck_assert_int_eq(guest_copy_out(v, a, &word, 4), writable ? 0 : -XEN_EFAULT);
        ck_assert_int_eq(guest_phys_write(d, gaddr(a), &word, 4), writable ? 0 : -XEN_EFAULT);
        ck_assert_ptr_null(guest_page_pin(d, gaddr_gfn(gaddr(a))));
    }
    ck_assert_int_eq(p2m_map(d, gfn(G0 + 9), mfn(0), P2M_4K, P2M_MMIO_DM), 0);
    ck_assert_int_eq(guest_copy_in(v, &word, A0 + 9 * PAGE_SIZE, 4), -XEN_EFAULT);
    ck_assert_int_eq(guest_copy_out(v, A0 + 9 * PAGE_SIZE, &word, 4), -XEN_EFAULT);
}
END_TEST

START_TEST(writes_are_announced)
{
    uint32_t word = 5;

    world_code_changed_sink = on_code_changed;
    ck_assert_int_eq(guest_copy_in(v, &word, A0, 4), 0);
    ck_assert_uint_eq(changes, 0);
    ck_assert_int_eq(guest_copy_out(v, A0 + PAGE_SIZE, &word, 4), 0);
    ck_assert_uint_eq(changes, 1);
    ck_assert_uint_eq(changed_mfn, p2m_lookup(d, gfn(G0 + 1)).mfn.v);
    ck_assert_int_eq(guest_phys_zero(d, gaddr(A0), 2 * PAGE_SIZE), 0);
    ck_assert_uint_eq(changes, 3);
}
END_TEST

START_TEST(pinned_page_outlives_its_mapping)
{
    mfn_t m = p2m_lookup(d, gfn(G0)).mfn;
    struct p2m_entry old;
    void *page = guest_page_pin(d, gfn(G0));

    ck_assert_ptr_nonnull(page);
    ck_assert_ptr_eq(page, mfn_to_ptr(m));
    ck_assert_uint_eq(frame_read(m).refs, 2);
    ck_assert_uint_eq(frame_read(m).type, FRAME_WRITABLE);
    ck_assert_uint_eq(frame_read(m).type_count, 1);
    ck_assert_int_eq(p2m_unmap(d, gfn(G0), &old, false), 0);
    p2m_release_ram(d, old.mfn);
    ck_assert_uint_eq(frame_read(m).state, FRAME_USED);
    memset(page, 1, PAGE_SIZE);
    guest_page_unpin(page);
    ck_assert_uint_eq(frame_read(m).state, FRAME_FREE);
    ck_assert_ptr_null(guest_page_pin(d, gfn(G0)));
    ck_assert_ptr_null(guest_page_pin(d, gfn(UINT64_MAX)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("guest_mem");
    TCase *c = tcase_create("guest_mem");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, copies_across_pages);
    tcase_add_test(c, holes_and_wraps);
    tcase_add_test(c, read_only_types);
    tcase_add_test(c, writes_are_announced);
    tcase_add_test(c, pinned_page_outlives_its_mapping);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
