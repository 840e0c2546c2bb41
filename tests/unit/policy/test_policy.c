/* The policy table: who may do what. */
#include "tests/unit/fixture.h"

#include "core/policy/policy.h"

static struct domain *d, *other;

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(4, 1);
    other = fixture_domain(4, 1);
}

static void teardown(void)
{
    fixture_stop();
}

START_TEST(unprivileged)
{
    static const enum policy_op to_self[] = {
        POLICY_MEMORY_ADJUST, POLICY_MEMORY_STAT,   POLICY_MEMORY_MAP,    POLICY_EVTCHN_UNBOUND,
        POLICY_EVTCHN_BIND,   POLICY_EVTCHN_SEND,   POLICY_EVTCHN_STATUS, POLICY_EVTCHN_RESET,
        POLICY_GRANT_SETUP,   POLICY_GRANT_QUERY,   POLICY_GRANT_MAP,     POLICY_GRANT_COPY,
        POLICY_HVM_PARAM_GET, POLICY_HVM_PARAM_SET,
    };
    static const enum policy_op to_other[] = {
        POLICY_EVTCHN_BIND,
        POLICY_EVTCHN_SEND,
        POLICY_GRANT_MAP,
        POLICY_GRANT_COPY,
    };
    bool self_ok[POLICY_OPS] = {false}, other_ok[POLICY_OPS] = {false};

    for (unsigned i = 0; i < ARRAY_SIZE(to_self); i++) {
        self_ok[to_self[i]] = true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(to_other); i++) {
        other_ok[to_other[i]] = true;
    }
    for (unsigned op = 0; op < POLICY_OPS; op++) {
        ck_assert_int_eq(policy_check(op, d, d), self_ok[op] ? 0 : -XEN_EPERM);
        ck_assert_int_eq(policy_check(op, d, other), other_ok[op] ? 0 : -XEN_EPERM);
        ck_assert_int_eq(policy_check(op, d, NULL), -XEN_EPERM);
    }
}
END_TEST

START_TEST(privileged)
{
    d->privileged = true;
    for (unsigned op = 0; op < POLICY_OPS; op++) {
        ck_assert_int_eq(policy_check(op, d, d), 0);
        ck_assert_int_eq(policy_check(op, d, other), 0);
        ck_assert_int_eq(policy_check(op, d, NULL), 0);
        /* Being an object of the privileged one gives nothing. */
        ck_assert_int_eq(policy_check(op, other, NULL), -XEN_EPERM);
    }
}
END_TEST

START_TEST(built_in_console)
{
    fixture_populate(d, 0x1000, 1);
    ck_assert_int_eq(console_ring_start(d, gfn(0x1000)), 0);
    ck_assert_int_eq(policy_check(POLICY_CONSOLE_WRITE, d, d), 0);
    ck_assert_int_eq(policy_check(POLICY_CONSOLE_WRITE, d, other), -XEN_EPERM);
    ck_assert_int_eq(policy_check(POLICY_CONSOLE_WRITE, other, d), -XEN_EPERM);
    ck_assert_int_eq(policy_check(POLICY_CONSOLE_READ, d, d), -XEN_EPERM);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy");
    TCase *c = tcase_create("policy");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, unprivileged);
    tcase_add_test(c, privileged);
    tcase_add_test(c, built_in_console);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
