/* Breaking an invariant on purpose, for the auditor's own tests. */
#ifndef CORBEL_TESTS_AUDIT_BREAK_H
#define CORBEL_TESTS_AUDIT_BREAK_H

#include "tests/unit/fixture.h"

#include "base/zero_lines.h"
#include "core/arch.h"
#include "core/mem/frame_word.h"
#include "hostsim/world/world.h"

static inline bool line_is_zero(size_t i)
{
    const uint64_t *word = (const void *)(world_ram() + (i << ZERO_LINE_SHIFT));
    uint64_t any = 0;

    for (unsigned k = 0; k < (1u << ZERO_LINE_SHIFT) / sizeof(*word); k++)
        any |= word[k];
    return any == 0;
}

/* Every line of the machine's memory that is zero. */
static inline struct zero_lines zero_now(void)
{
    static uint8_t line[(64u << 20) >> ZERO_LINE_SHIFT];
    size_t n = world_ram_bytes() >> ZERO_LINE_SHIFT;

    ck_assert_uint_le(n, sizeof(line));
    for (size_t i = 0; i < n; i++)
        line[i] = line_is_zero(i) ? ZERO_LINE_KNOWN : 0;
    return (struct zero_lines){line, (uintptr_t)world_ram(), world_ram_bytes()};
}

/* Who knows what is zero finds what r found, and leaves memory as it was. */
static inline void expect_the_same(const struct audit_report *r)
{
    struct zero_lines zero = zero_now();
    struct audit_report quick;

    audit_run_knowing(&quick, &zero);
    ck_assert_uint_eq(quick.violations, r->violations);
    ck_assert_ptr_eq(quick.first, r->first);
    ck_assert_str_eq(quick.detail, r->detail);
    ck_assert_uint_eq(quick.frames_free, r->frames_free);
    ck_assert_uint_eq(quick.frames_hyp, r->frames_hyp);
    ck_assert_uint_eq(quick.frames_guest, r->frames_guest);
    ck_assert_uint_eq(quick.frames_leaked, r->frames_leaked);
    for (size_t i = 0; i < zero.bytes >> ZERO_LINE_SHIFT; i++) {
        if (zero.line[i] != 0 && !line_is_zero(i))
            ck_abort_msg("line %zu is not zero any more", i);
    }
}

static inline void expect_none(void)
{
    struct audit_report r;

    fixture_audit();
    audit_run(&r);
    expect_the_same(&r);
}

static inline void expect(const char *name)
{
    struct audit_report r;

    audit_run(&r);
    expect_the_same(&r);
    ck_assert_uint_gt(r.violations, 0);
    ck_assert_msg(strcmp(r.first, name) == 0, "expected %s, found %s: %s", name, r.first, r.detail);
    ck_assert_uint_gt(strlen(r.detail), 0);
}

/* Sets an object's field to a wrong value, expects the audit to see it, and mends it. */
#define expect_when(name, field, wrong)                                                            \
    do {                                                                                           \
        __typeof__(field) right_ = (field);                                                        \
        (field) = (wrong);                                                                         \
        expect(name);                                                                              \
        (field) = right_;                                                                          \
        expect_none();                                                                             \
    } while (0)

static inline uint64_t *word_of(mfn_t m)
{
    return &hv->frames[m.v];
}

static inline mfn_t ram(struct domain *d, uint64_t g)
{
    return p2m_lookup(d, gfn(g)).mfn;
}

/* The leaf entry of a 4 KiB gfn, found by value. */
static inline uint64_t *entry_of(struct domain *d, uint64_t g)
{
    uint64_t *table = mfn_to_ptr(d->p2m.root);

    for (unsigned level = 3; level > 0; level--) {
        struct p2m_slot s = arch_p2m_decode(d->p2m.format, table[(g >> (9 * level)) & 511], level);

        ck_assert(s.present && !s.leaf);
        table = mfn_to_ptr(s.mfn);
    }
    return &table[g & 511];
}

#endif
