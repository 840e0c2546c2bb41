/* What happens when the hypervisor finds itself wrong: it stops, and says where. */
#include "core/lock.h"
#include "tests/unit/fixture.h"

static struct lock low, high;

static void wrong_order(void *arg)
{
    lock_acquire(&high);
    lock_acquire(&low);
    world_request_stop();
}

static void wrong_release(void *arg)
{
    lock_release(&low);
    world_request_stop();
}

static void (*const wrong[])(void *) = {wrong_order, wrong_release};
static const char *const said[] = {"l->level > level_highest", "lock_held(l)"};

START_TEST(check_stops_the_machine)
{
    const char *text;

    fixture_start(8, 1);
    lock_init(&low, LOCK_DOMAIN);
    lock_init(&high, LOCK_P2M);
    world_set_body(0, wrong[_i], NULL);
    ck_assert_int_eq(world_run(), WORLD_PANIC);
    text = world_panic_text();
    ck_assert_ptr_nonnull(strstr(text, "core/lock.c:"));
    ck_assert_ptr_nonnull(strstr(text, "check failed: "));
    ck_assert_ptr_nonnull(strstr(text, said[_i]));
    /* For good. */
    ck_assert_int_eq(world_run(), WORLD_PANIC);
    world_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("check");
    TCase *t = tcase_create("check");

    tcase_add_loop_test(t, check_stops_the_machine, 0, 2);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
