/* Locks: levels are enforced, pairs are ordered, holders are known. */
#include "tests/unit/fixture.h"

#include <signal.h>

static struct lock domain_lock, other_domain, p2m_lock, heap_lock;

static void setup(void)
{
    fixture_start(16, 2);
    lock_init(&domain_lock, LOCK_DOMAIN);
    lock_init(&other_domain, LOCK_DOMAIN);
    lock_init(&p2m_lock, LOCK_P2M);
    lock_init(&heap_lock, LOCK_HEAP);
}

static void teardown(void)
{
    fixture_stop();
}

START_TEST(rising)
{
    lock_acquire(&domain_lock);
    lock_acquire(&p2m_lock);
    lock_acquire(&heap_lock);
    ck_assert_uint_eq(this_cpu()->lock_depth, 3);
    ck_assert(lock_held(&domain_lock) && lock_held(&p2m_lock) && lock_held(&heap_lock));
    ck_assert(!lock_held(&other_domain));
    /* Any order of release. */
    lock_release(&p2m_lock);
    lock_release(&domain_lock);
    ck_assert(lock_held(&heap_lock) && !lock_held(&domain_lock));
    lock_release(&heap_lock);
    ck_assert_uint_eq(this_cpu()->lock_depth, 0);
}
END_TEST

START_TEST(pairs)
{
    lock_pair(&domain_lock, &other_domain);
    ck_assert(lock_held(&domain_lock) && lock_held(&other_domain));
    lock_acquire(&p2m_lock);
    lock_release(&p2m_lock);
    unlock_pair(&domain_lock, &other_domain);
    lock_pair(&other_domain, &domain_lock);
    unlock_pair(&domain_lock, &other_domain);
    lock_pair(&domain_lock, &domain_lock);
    ck_assert_uint_eq(this_cpu()->lock_depth, 1);
    unlock_pair(&domain_lock, &domain_lock);
    ck_assert(!lock_held(&domain_lock) && !lock_held(&other_domain));
    ck_assert_uint_eq(this_cpu()->lock_depth, 0);
}
END_TEST

START_TEST(other_cpu)
{
    lock_acquire(&domain_lock);
    world_on_cpu(1);
    ck_assert(!lock_held(&domain_lock));
    ck_assert_uint_eq(this_cpu()->lock_depth, 0);
    world_on_cpu(0);
    lock_release(&domain_lock);
}
END_TEST

/* Each of these must panic: Check sees the abort. */
START_TEST(falling)
{
    lock_acquire(&p2m_lock);
    lock_acquire(&domain_lock);
}
END_TEST

START_TEST(recursive)
{
    lock_acquire(&p2m_lock);
    lock_acquire(&p2m_lock);
}
END_TEST

START_TEST(same_level)
{
    lock_acquire(&domain_lock);
    lock_acquire(&other_domain);
}
END_TEST

START_TEST(not_held)
{
    lock_release(&p2m_lock);
}
END_TEST

START_TEST(pair_below)
{
    lock_acquire(&p2m_lock);
    lock_pair(&domain_lock, &other_domain);
}
END_TEST

START_TEST(pair_of_different_levels)
{
    lock_pair(&domain_lock, &p2m_lock);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lock");
    TCase *t = tcase_create("order");
    TCase *p = tcase_create("panics");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, rising);
    tcase_add_test(t, pairs);
    tcase_add_test(t, other_cpu);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(p, setup, NULL);
    tcase_add_test_raise_signal(p, falling, SIGABRT);
    tcase_add_test_raise_signal(p, recursive, SIGABRT);
    tcase_add_test_raise_signal(p, same_level, SIGABRT);
    tcase_add_test_raise_signal(p, not_held, SIGABRT);
    tcase_add_test_raise_signal(p, pair_below, SIGABRT);
    tcase_add_test_raise_signal(p, pair_of_different_levels, SIGABRT);
    suite_add_tcase(s, p);
    return fixture_run(s);
}
