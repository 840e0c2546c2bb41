/* Breaking an invariant on purpose, for the auditor's own tests. */
#ifndef CORBEL_TESTS_AUDIT_BREAK_H
#define CORBEL_TESTS_AUDIT_BREAK_H

#include "tests/unit/fixture.h"

#include "core/arch.h"
#include "core/mem/frame_word.h"

static inline void expect(const char *name)
{
    struct audit_report r;

    audit_run(&r);
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
        fixture_audit();                                                                           \
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
