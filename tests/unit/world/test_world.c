/* The simulated machine by itself: virtual time, turns, locks, ends. */
#include <signal.h>

#include "port/console.h"
#include "port/cpu.h"
#include "port/mem.h"
#include "port/power.h"
#include "port/time.h"
#include "tests/unit/fixture.h"

#define US UINT64_C(1000)

static char notes[65536];
static size_t notes_len;

static void note(const char *what)
{
    notes_len += (size_t)snprintf(notes + notes_len, sizeof(notes) - notes_len, "%s@%u:%llu ", what,
                                  port_cpu_id(), (unsigned long long)world_now());
    ck_assert_uint_lt(notes_len, sizeof(notes));
}

static void start(unsigned cpus, uint64_t seed, uint64_t max_ns)
{
    struct world_config cfg = {
        .mem_bytes = 16u << 20, .cpus = cpus, .seed = seed, .max_time_ns = max_ns};

    notes_len = 0;
    notes[0] = 0;
    world_exit_hook = NULL;
    world_acquire_hook = NULL;
    world_idle_hook = NULL;
    ck_assert_int_eq(world_start(&cfg), 0);
}

static void nothing(void *arg)
{
}

/* Runs guest code for arg ns, in slices as an engine would. */
static void busy(void *arg)
{
    uint64_t left = *(uint64_t *)arg;

    while (left) {
        uint64_t now = world_now();
        uint64_t slice = world_deadline() > now ? world_deadline() - now : 0;

        slice = slice < left ? slice : left;
        world_advance(slice);
        left -= slice;
        note("run");
        world_exit_guest();
    }
}

START_TEST(memory_is_mapped)
{
    struct world_config bad = {.mem_bytes = 4097, .cpus = 1};

    start(1, 0, 0);
    ck_assert_ptr_eq(world_ram(), port_directmap);
    ck_assert_uint_eq(world_ram_bytes(), 16u << 20);
    ck_assert_uint_eq(world_boot_info()->ram[0].start, PAGE_SIZE);
    ck_assert_uint_eq(world_boot_info()->ram[0].end, 16u << 20);
    ck_assert_uint_eq(ptr_to_mfn(mfn_to_ptr(mfn(77))).v, 77);
    *(uint8_t *)mfn_to_ptr(mfn(4095)) = 1;
    world_stop();
    ck_assert_int_eq(world_start(&bad), -1);
    bad = (struct world_config){.mem_bytes = 4096, .cpus = MAX_CPUS + 1};
    ck_assert_int_eq(world_start(&bad), -1);
}
END_TEST

START_TEST(time_from_main)
{
    start(3, 0, 0);
    ck_assert_uint_eq(port_time_now(), 0);
    world_advance(100);
    world_on_cpu(2);
    ck_assert_uint_eq(port_cpu_id(), 2);
    ck_assert_uint_eq(port_time_now(), 100);
    ck_assert_uint_eq(port_tsc_read(), 100);
    ck_assert_uint_eq(port_tsc_khz(), 1000000);
    world_set_time(5000);
    world_on_cpu(0);
    ck_assert_uint_eq(port_time_now(), 5000);
    ck_assert_uint_eq(port_wallclock_ns() % 1000000000, 5000);
    port_timer_arm(4999);
    ck_assert(world_should_stop());
    port_timer_arm(TIME_NEVER);
    ck_assert(!world_should_stop());
    port_cpu_kick(0);
    ck_assert(world_should_stop());
    world_exit_guest();
    ck_assert(!world_should_stop());
    ck_assert_uint_eq(port_time_now(), 5500);
    world_stop();
}
END_TEST

START_TEST(guests_keep_within_a_quantum)
{
    uint64_t work = 200 * US;

    start(2, 0, 0);
    world_set_body(0, busy, &work);
    world_set_body(1, busy, &work);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    /* Each slice starts by whoever is behind and ends 20 us past the other. */
    ck_assert_str_eq(strstr(notes, "run@0:"), notes);
    ck_assert_ptr_nonnull(strstr(notes, "run@0:20000 run@1:40500 run@0:61000 run@1:81500 "));
    world_stop();
}
END_TEST

START_TEST(alone_a_guest_runs_to_its_timer)
{
    uint64_t work = 3000 * US;

    start(1, 0, 0);
    port_timer_arm(1234 * US);
    world_set_body(0, busy, &work);
    ck_assert_uint_eq(world_deadline(), 1234 * US);
    port_timer_arm(TIME_NEVER);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert_str_eq(notes, "run@0:3000000 ");
    world_stop();
}
END_TEST

static void sleeper(void *arg)
{
    port_cpu_idle();
    note("woken");
    port_timer_arm(world_now() + 700 * US);
    port_cpu_idle();
    note("timer");
    port_timer_arm(TIME_NEVER);
}

static void kicker(void *arg)
{
    world_advance(50 * US);
    port_cpu_kick(1);
    note("kick");
    world_advance(5 * US);
    world_exit_guest();
    note("after");
}

START_TEST(a_kick_ends_idling_at_its_time)
{
    start(2, 0, 0);
    world_set_body(0, kicker, NULL);
    world_set_body(1, sleeper, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert_str_eq(notes, "kick@0:50000 woken@1:50200 after@0:55500 timer@1:750400 ");
    world_stop();
}
END_TEST

static void kick_busy(void *arg)
{
    world_advance(10 * US);
    port_cpu_kick(1);
}

START_TEST(a_kick_ends_guest_mode_at_its_time)
{
    uint64_t work = 100 * US;

    start(2, 0, 0);
    world_set_body(0, kick_busy, NULL);
    world_set_body(1, busy, &work);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert_str_eq(notes, "run@1:10000 run@1:100500 ");
    world_stop();
}
END_TEST

static struct port_spin spin;
static uint64_t shared, longest;

static void counter(void *arg)
{
    for (unsigned i = 0; i < 50; i++) {
        uint64_t v;

        port_spin_acquire(&spin);
        ck_assert_uint_eq(spin.word, port_cpu_id() + 1);
        v = shared;
        ck_assert_uint_ge(world_now(), longest);
        world_advance(3 * US);
        port_cpu_relax();
        longest = world_now();
        shared = v + 1;
        port_spin_release(&spin);
        note("c");
        world_advance(world_random() % 2000);
        world_exit_guest();
    }
}

static void run_counters(uint64_t seed, bool (*hook)(void))
{
    start(4, seed, 0);
    shared = longest = 0;
    spin.word = 0;
    world_acquire_hook = hook;
    for (unsigned i = 0; i < 4; i++) {
        world_set_body(i, counter, NULL);
    }
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert_uint_eq(shared, 200);
    ck_assert_uint_eq(spin.word, 0);
    world_stop();
}

static void take_once(void *arg)
{
    port_spin_acquire(&spin);
    note("took");
    port_spin_release(&spin);
}

START_TEST(taking_a_lock_moves_to_its_release)
{
    start(2, 0, 0);
    spin.word = 0;
    world_advance(100);
    port_spin_acquire(&spin);
    port_spin_release(&spin);
    world_advance(900);
    ck_assert(!world_untimed(true));
    port_spin_acquire(&spin);
    port_spin_release(&spin);
    ck_assert(world_untimed(false));
    /* world_on_cpu() would move the other CPU's clock: look from a fiber. */
    world_set_body(0, nothing, NULL);
    world_set_body(1, take_once, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert_str_eq(notes, "took@1:100 ");
    world_stop();
}
END_TEST

static bool always(void)
{
    return true;
}

START_TEST(locks_exclude_and_order_time)
{
    run_counters(0, NULL);
    run_counters(0, always);
    run_counters(7, always);
}
END_TEST

START_TEST(a_seed_decides_everything)
{
    static char first[sizeof(notes)];

    run_counters(42, NULL);
    strcpy(first, notes);
    run_counters(42, NULL);
    ck_assert_str_eq(first, notes);
    run_counters(43, NULL);
    ck_assert_str_ne(first, notes);
}
END_TEST

START_TEST(a_forced_switch_lets_others_first)
{
    start(2, 0, 0);
    world_set_body(0, take_once, NULL);
    world_set_body(1, take_once, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert_str_eq(notes, "took@0:0 took@1:0 ");
    start(2, 0, 0);
    world_acquire_hook = always;
    world_set_body(0, take_once, NULL);
    world_set_body(1, take_once, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert_ptr_nonnull(strstr(notes, "took@1"));
    ck_assert_ptr_nonnull(strstr(notes, "took@0"));
    world_stop();
}
END_TEST

static void take_and_wait(void *arg)
{
    struct port_spin *two = arg;
    unsigned first = port_cpu_id();

    port_spin_acquire(&two[first]);
    port_cpu_relax();
    port_spin_acquire(&two[1 - first]);
}

static void idle_for_ever(void *arg)
{
    for (;;) {
        port_cpu_idle();
    }
}

static unsigned idle_calls;

static bool feed(uint64_t next_ns)
{
    ck_assert_uint_eq(next_ns, TIME_NEVER);
    if (++idle_calls < 3) {
        port_cpu_kick(0);
        return true;
    }
    return false;
}

static bool stop_when_idle(uint64_t next_ns)
{
    world_request_stop();
    return false;
}

static void power_off(void *arg)
{
    world_advance(77);
    port_power_off();
    note("still");
    world_exit_guest();
    note("resumed");
}

static void panic(void *arg)
{
    port_panic("on purpose");
}

START_TEST(every_end_is_told)
{
    struct port_spin two[2] = {{0}, {0}};
    uint64_t work = 10000000 * US;

    start(2, 0, 0);
    world_set_body(0, take_and_wait, two);
    world_set_body(1, take_and_wait, two);
    ck_assert_int_eq(world_run(), WORLD_PANIC);
    ck_assert_str_eq(world_panic_text(), "all CPUs wait for locks");

    start(2, 0, 0);
    world_set_body(0, panic, NULL);
    world_set_body(1, busy, &work);
    ck_assert_int_eq(world_run(), WORLD_PANIC);
    ck_assert_str_eq(world_panic_text(), "on purpose");
    ck_assert_int_eq(world_run(), WORLD_PANIC);

    start(2, 0, 0);
    idle_calls = 0;
    world_idle_hook = feed;
    world_set_body(0, idle_for_ever, NULL);
    world_set_body(1, nothing, NULL);
    ck_assert_int_eq(world_run(), WORLD_DEADLOCK);
    ck_assert_uint_eq(idle_calls, 3);

    start(1, 0, 0);
    world_idle_hook = stop_when_idle;
    world_set_body(0, idle_for_ever, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);

    start(2, 0, 500 * US);
    world_set_body(0, busy, &work);
    world_set_body(1, idle_for_ever, NULL);
    ck_assert_int_eq(world_run(), WORLD_TIME_LIMIT);
    ck_assert_uint_ge(world_latest(), 500 * US);
    ck_assert_uint_le(world_latest(), 501 * US);

    start(1, 0, 0);
    world_set_body(0, power_off, NULL);
    ck_assert_int_eq(world_run(), WORLD_POWERED_OFF);
    ck_assert_str_eq(notes, "still@0:77 ");
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert_str_eq(notes, "still@0:77 resumed@0:577 ");
    world_stop();
}
END_TEST

static void check_quiescent(void *arg)
{
    /* CPU 1 holds the lock and is inside the core until it is released. */
    port_spin_acquire(&spin);
    port_cpu_relax();
    port_spin_release(&spin);
    world_exit_guest();
}

static unsigned quiet, loud;

static void count_quiet(void)
{
    if (world_quiescent()) {
        quiet++;
    } else {
        loud++;
    }
}

static void exit_often(void *arg)
{
    for (unsigned i = 0; i < 5; i++) {
        world_advance(10);
        world_exit_guest();
    }
}

START_TEST(quiescence_is_noticed)
{
    start(2, 0, 0);
    spin.word = 0;
    quiet = loud = 0;
    world_exit_hook = count_quiet;
    world_set_body(1, check_quiescent, NULL);
    world_set_body(0, exit_often, NULL);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    ck_assert_uint_gt(quiet, 0);
    ck_assert_uint_eq(quiet + loud, 6);
    world_stop();
}
END_TEST

START_TEST(a_held_lock_without_a_world_aborts)
{
    start(2, 0, 0);
    spin.word = 2;
    port_spin_acquire(&spin);
}
END_TEST

START_TEST(a_panic_without_a_world_aborts)
{
    start(1, 0, 0);
    port_panic("on purpose");
}
END_TEST

static char console_text[64];

static void console_sink(uint16_t domid, const char *s, size_t n)
{
    snprintf(console_text, sizeof(console_text), "%u:%.*s", domid, (int)n, s);
}

START_TEST(sinks_may_be_absent)
{
    char c;

    start(1, 0, 0);
    world_console_sink = NULL;
    port_console_write(1, "x", 1);
    ck_assert_uint_eq(port_console_read(1, &c, 1), 0);
    port_trace(TRACE_EXIT, 0, 0, 0);
    port_code_changed(mfn(1), 1);
    world_console_sink = console_sink;
    port_console_write(3, "hello", 5);
    ck_assert_str_eq(console_text, "3:hello");
    world_console_sink = NULL;
    world_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("world");
    TCase *t = tcase_create("world");

    tcase_add_test(t, memory_is_mapped);
    tcase_add_test(t, time_from_main);
    tcase_add_test(t, guests_keep_within_a_quantum);
    tcase_add_test(t, alone_a_guest_runs_to_its_timer);
    tcase_add_test(t, a_kick_ends_idling_at_its_time);
    tcase_add_test(t, a_kick_ends_guest_mode_at_its_time);
    tcase_add_test(t, locks_exclude_and_order_time);
    tcase_add_test(t, taking_a_lock_moves_to_its_release);
    tcase_add_test(t, a_seed_decides_everything);
    tcase_add_test(t, a_forced_switch_lets_others_first);
    tcase_add_test(t, every_end_is_told);
    tcase_add_test(t, quiescence_is_noticed);
    tcase_add_test(t, sinks_may_be_absent);
    tcase_add_test_raise_signal(t, a_held_lock_without_a_world_aborts, SIGABRT);
    tcase_add_test_raise_signal(t, a_panic_without_a_world_aborts, SIGABRT);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
