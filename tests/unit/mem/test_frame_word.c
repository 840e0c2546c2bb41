/* The bits of a frame word: what is packed comes back, and no field leaks. */
#include "tests/unit/fixture.h"

#include "core/mem/frame_word.h"

START_TEST(used_round_trip)
{
    static const uint64_t refs[] = {0, 1, 2, 0x1555555, FRAME_REFS_MAX - 1, FRAME_REFS_MAX};
    static const uint64_t owners[] = {0, 1, 0x5555, DOMID_XEN, 0x7fff};

    for (unsigned type = 0; type < FRAME_TYPES; type++) {
        for (unsigned i = 0; i < ARRAY_SIZE(refs); i++) {
            for (unsigned j = 0; j < ARRAY_SIZE(owners) * 2; j++) {
                uint64_t word = fw_pack_used(type, j & 1, refs[i], owners[j / 2]);
                struct frame f = fw_unpack(word);

                ck_assert_uint_eq(f.state, FRAME_USED);
                ck_assert_uint_eq(f.type, type);
                ck_assert_uint_eq(f.type_count, 0);
                ck_assert(f.allocated == (j & 1));
                ck_assert_uint_eq(f.refs, refs[i]);
                ck_assert_uint_eq(f.owner, owners[j / 2]);
            }
        }
    }
}
END_TEST

START_TEST(fields_are_apart)
{
    uint64_t word = fw_pack_used(FRAME_L2, true, 5, 77);
    struct frame f = fw_unpack(fw_with_type(word, FRAME_L4, FRAME_TYPE_COUNT_MAX));

    ck_assert(f.type == FRAME_L4 && f.type_count == FRAME_TYPE_COUNT_MAX);
    ck_assert(f.allocated && f.refs == 5 && f.owner == 77 && f.state == FRAME_USED);
    f = fw_unpack(fw_without_allocated(fw_with_refs(word, FRAME_REFS_MAX)));
    ck_assert(f.refs == FRAME_REFS_MAX && !f.allocated);
    ck_assert(f.type == FRAME_L2 && f.type_count == 0 && f.owner == 77);
    /* Values beyond a field are cut, not carried. */
    ck_assert_uint_eq(fw_with_refs(word, (uint64_t)FRAME_REFS_MAX + 1), fw_with_refs(word, 0));
}
END_TEST

START_TEST(free_round_trip)
{
    static const uint64_t links[] = {0, 1, 0x5555555, 0xfffffff};

    for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
        for (unsigned i = 0; i < ARRAY_SIZE(links) * ARRAY_SIZE(links) * 2; i++) {
            struct free_block b = {.order = (uint8_t)order,
                                   .dirty = i & 1,
                                   .next = links[i / 2 % ARRAY_SIZE(links)],
                                   .prev = links[i / 2 / ARRAY_SIZE(links)]};
            struct free_block c = fw_unpack_free(fw_pack_free(b));

            ck_assert(fw_is_free(fw_pack_free(b)) && !fw_is_used(fw_pack_free(b)));
            ck_assert(c.order == b.order && c.dirty == b.dirty);
            ck_assert(c.next == b.next && c.prev == b.prev);
        }
    }
    ck_assert_uint_eq(fw_unpack_free(fw_pack_inner()).order, FRAME_ORDER_INNER);
}
END_TEST

START_TEST(free_has_no_owner)
{
    struct frame f = fw_unpack(fw_pack_free((struct free_block){3, true, 0xfffffff, 0xfffffff}));

    ck_assert_uint_eq(f.state, FRAME_FREE);
    ck_assert(f.refs == 0 && f.type == 0 && f.type_count == 0 && f.owner == 0 && !f.allocated);
    ck_assert_uint_eq(fw_unpack(0).state, FRAME_ABSENT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frame_word");
    TCase *t = tcase_create("frame_word");

    tcase_add_test(t, used_round_trip);
    tcase_add_test(t, fields_are_apart);
    tcase_add_test(t, free_round_trip);
    tcase_add_test(t, free_has_no_owner);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
