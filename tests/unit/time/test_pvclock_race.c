/* A guest that reads its time on another CPU between any two instructions of an
 * update. The update is single-stepped; after each instruction what the guest sees is
 * recorded. A reader that finds the same even version before and after must have read
 * one consistent state, whenever it read what. */
#include "tests/unit/fixture.h"

#include <signal.h>

#include "core/time/pvclock.h"
#include "port/time.h"

#define SNAPSHOTS 20000u

struct wallclock {
    uint32_t version, sec, nsec, sec_hi;
};

struct snapshot {
    vcpu_time_info_t time, copy;
    struct wallclock wall;
};

static struct domain *d;
static struct vcpu *v;
static struct snapshot *seen;
static volatile unsigned steps;
static const volatile vcpu_time_info_t *area; /* the registered copy */

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(4, 1);
    v = d->vcpu[0];
    seen = calloc(SNAPSHOTS, sizeof(*seen));
    steps = 0;
    area = NULL;
}

static void teardown(void)
{
    free(seen);
    fixture_stop();
}

/* The reader may be as slow as it likes, but a word is a word. */
static void copy_words(void *to, const volatile void *from, size_t n)
{
    for (size_t i = 0; i < n / 4; i++) {
        ((uint32_t *)to)[i] = ((const volatile uint32_t *)from)[i];
    }
}

static void look(void)
{
    const volatile shared_info_t *s = d->shared_info;
    struct snapshot *p = &seen[steps];

    if (steps == SNAPSHOTS) {
        return;
    }
    copy_words(&p->time, &v->info->time, sizeof(p->time));
    p->wall = (struct wallclock){s->wc_version, s->wc_sec, s->wc_nsec, s->wc_sec_hi};
    if (area) {
        copy_words(&p->copy, area, sizeof(p->copy));
    }
    steps++;
}

static void stepped(int sig)
{
    look();
}

/* RFLAGS.TF: SDM Vol. 3 17.3.2. The kernel clears it for the handler. */
__attribute__((noinline)) static void trap_flag(bool on)
{
    if (on) {
        __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
    } else {
        __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
    }
}

static void single_step(void (*fn)(void))
{
    struct sigaction a, old;

    memset(&a, 0, sizeof(a));
    a.sa_handler = stepped;
    sigaction(SIGTRAP, &a, &old);
    look();
    trap_flag(true);
    fn();
    trap_flag(false);
    look();
    sigaction(SIGTRAP, &old, NULL);
    ck_assert_uint_lt(steps, SNAPSHOTS);
    ck_assert_uint_gt(steps, 20);
}

/* Neighbouring states with the same even version are equal. */
static void check_states(size_t where, size_t n, bool changes)
{
    unsigned versions = 1;

    for (unsigned i = 1; i < steps; i++) {
        const uint8_t *a = (const uint8_t *)&seen[i - 1] + where;
        const uint8_t *b = (const uint8_t *)&seen[i] + where;
        uint32_t va, vb;

        memcpy(&va, a, sizeof(va));
        memcpy(&vb, b, sizeof(vb));
        versions += va != vb;
        /* Versions only rise, so that no reader sees the same one come back. */
        ck_assert_int_ge((int32_t)(vb - va), 0);
        if (va == vb && va % 2 == 0) {
            ck_assert_mem_eq(a, b, n);
        }
    }
    if (changes) {
        ck_assert_uint_ge(versions, 3);
    }
}

static void one_update(void)
{
    pvclock_update(v);
}

/* Twice in a row, with another result: a reader may have slept through the first. */
static void two_updates(void)
{
    hv->clock.system_time -= 200000;
    pvclock_update(v);
    world_advance(5000000);
    pvclock_update(v);
}

static void one_wallclock(void)
{
    d->time_offset = 12345678901;
    wallclock_update(d);
}

START_TEST(test_time)
{
    world_set_time(3000000);
    single_step(one_update);
    check_states(offsetof(struct snapshot, time), sizeof(vcpu_time_info_t), true);
    ck_assert_uint_eq(seen[steps - 1].time.version % 2, 0);
}
END_TEST

START_TEST(test_time_changes)
{
    world_set_time(3000000);
    pvclock_update(v);
    single_step(two_updates);
    check_states(offsetof(struct snapshot, time), sizeof(vcpu_time_info_t), true);
    ck_assert_uint_eq(seen[steps - 1].time.system_time, 8000000);
    ck_assert_uint_eq(seen[steps - 1].time.flags, 0);
}
END_TEST

/* Whatever the guest wrote as a version before. */
START_TEST(test_hostile_versions)
{
    const uint32_t evil[] = {1, 0x7fffffff, 0x7ffffffe, 0xfffffffc, 0xfffffffe, 0xffffffff};

    for (unsigned i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {
        steps = 0;
        v->info->time.version = evil[i];
        single_step(one_update);
        check_states(offsetof(struct snapshot, time), sizeof(vcpu_time_info_t), false);
        ck_assert_uint_eq(seen[steps - 1].time.version % 2, 0);
        ck_assert_uint_ne(seen[steps - 1].time.version, evil[i]);
    }
}
END_TEST

START_TEST(test_area)
{
    struct vcpu_register_time_memory_area r;

    fixture_populate(d, 0x200, 1);
    memset(&r, 0, sizeof(r));
    r.addr.p = 0x200100;
    memcpy(fixture_guest(d, 0x200000), &r, sizeof(r));
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_vcpu_op,
                                       VCPUOP_register_vcpu_time_memory_area, 0, 0x200000, 0, 0),
                     0);
    area = fixture_guest(d, 0x200100);
    world_set_time(3000000);
    single_step(two_updates);
    check_states(offsetof(struct snapshot, copy), sizeof(vcpu_time_info_t), true);
    ck_assert_uint_eq(seen[steps - 1].copy.system_time, seen[steps - 1].time.system_time);
}
END_TEST

START_TEST(test_wallclock)
{
    single_step(one_wallclock);
    check_states(offsetof(struct snapshot, wall), sizeof(struct wallclock), true);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pvclock race");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_time);
    tcase_add_test(t, test_time_changes);
    tcase_add_test(t, test_hostile_versions);
    tcase_add_test(t, test_area);
    tcase_add_test(t, test_wallclock);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
