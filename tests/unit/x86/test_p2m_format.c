/* Second-stage entries: what is encoded is decoded, and hardware sees the rights
 * that each type has. */
#include "tests/unit/fixture.h"

#include "core/arch.h"
#include "x86/x86.h"

static const uint8_t formats[] = {P2M_FORMAT_EPT, P2M_FORMAT_NPT};

START_TEST(test_round_trip)
{
    const uint64_t frames[] = {0, 1, 0x12345, (UINT64_C(1) << FRAME_MFN_BITS) - 1,
                               (UINT64_C(1) << 40) - 1};

    for (unsigned f = 0; f < ARRAY_SIZE(formats); f++) {
        for (unsigned t = P2M_RAM_RW; t < P2M_TYPES; t++) {
            for (unsigned level = 0; level < 3; level++) {
                for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
                    uint64_t e = arch_p2m_encode_leaf(formats[f], mfn(frames[i]), t, level);
                    struct p2m_slot s = arch_p2m_decode(formats[f], e, level);

                    ck_assert(s.present && s.leaf);
                    ck_assert_uint_eq(s.type, t);
                    ck_assert_uint_eq(s.mfn.v, frames[i]);
                }
            }
        }
    }
}
END_TEST

START_TEST(test_empty_and_table)
{
    for (unsigned f = 0; f < ARRAY_SIZE(formats); f++) {
        uint64_t empty = arch_p2m_empty(formats[f]);

        ck_assert_uint_eq(empty, 0); /* fresh pages are empty tables */
        ck_assert_uint_eq(arch_p2m_encode_leaf(formats[f], mfn(7), P2M_INVALID, 0), empty);
        for (unsigned level = 0; level <= 3; level++) {
            ck_assert(!arch_p2m_decode(formats[f], empty, level).present);
        }
        for (unsigned level = 1; level <= 3; level++) {
            struct p2m_slot s =
                arch_p2m_decode(formats[f], arch_p2m_encode_table(formats[f], mfn(0x77)), level);

            ck_assert(s.present && !s.leaf);
            ck_assert_uint_eq(s.mfn.v, 0x77);
        }
    }
}
END_TEST

/* What the CPU reads: SDM table 28-6, APM 5.4. */
START_TEST(test_hardware_rights)
{
    static const struct {
        uint8_t type;
        bool r, w, x;
    } want[] = {
        {P2M_RAM_RW, true, true, true},     {P2M_RAM_RO, true, false, true},
        {P2M_SHARED, true, true, false},    {P2M_GRANT_RW, true, true, false},
        {P2M_GRANT_RO, true, false, false}, {P2M_FOREIGN, true, true, false},
        {P2M_MMIO_DM, false, false, false},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
        uint64_t ept = arch_p2m_encode_leaf(P2M_FORMAT_EPT, mfn(0x200), want[i].type, 1);
        uint64_t npt = arch_p2m_encode_leaf(P2M_FORMAT_NPT, mfn(0x200), want[i].type, 1);

        ck_assert_uint_eq(ept & 7, (want[i].r ? 1 : 0) | (want[i].w ? 2 : 0) | (want[i].x ? 4 : 0));
        if (want[i].r) {
            ck_assert_uint_eq((ept >> 3) & 7, 6); /* write-back */
            ck_assert_uint_eq(ept >> 7 & 7, 7);   /* large, A, D */
            ck_assert_uint_eq(npt & 0xe5, 0xe5);  /* P U A D PS */
            ck_assert_uint_eq(npt >> 1 & 1, want[i].w);
            ck_assert_uint_eq(npt >> 63, !want[i].x);
        } else {
            ck_assert_uint_eq(npt & 1, 0);
        }
    }
    ck_assert_uint_eq(arch_p2m_encode_table(P2M_FORMAT_EPT, mfn(1)), 0x1107);
    ck_assert_uint_eq(arch_p2m_encode_table(P2M_FORMAT_NPT, mfn(1)), 0x1027);
}
END_TEST

START_TEST(test_settings)
{
    ck_assert_uint_eq(x86_p2m_format(), P2M_FORMAT_NPT);
    fixture_start(16, 1);
    x86_set_p2m_format(P2M_FORMAT_EPT);
    struct domain *d = fixture_domain(1, 1);
    ck_assert_uint_eq(d->p2m.format, P2M_FORMAT_EPT);
    fixture_populate(d, 0, 4);
    ck_assert_uint_eq(p2m_lookup(d, gfn(2)).type, P2M_RAM_RW);
    x86_set_p2m_format(P2M_FORMAT_NPT);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("p2m_format");
    TCase *t = tcase_create("entries");

    tcase_add_test(t, test_round_trip);
    tcase_add_test(t, test_empty_and_table);
    tcase_add_test(t, test_hardware_rights);
    tcase_add_test(t, test_settings);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
