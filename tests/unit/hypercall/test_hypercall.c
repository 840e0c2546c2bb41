/* Dispatch, multicall and the small hypercalls. */
#include "tests/unit/fixture.h"

#include <xen/version.h>

#include "core/arch.h"

#define LIST_GPA 0x1100000ull
#define DATA_GPA 0x1108000ull

static struct domain *d;
static struct vcpu *v;
static unsigned traced[2];
static uint64_t traced_nr;

static void trace(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c)
{
    if (ev == TRACE_HYPERCALL || ev == TRACE_HYPERCALL_DONE) {
        traced[ev - TRACE_HYPERCALL]++;
        traced_nr = a;
    }
}

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(8, 1);
    v = d->vcpu[0];
    fixture_populate(d, LIST_GPA >> PAGE_SHIFT, 16);
    traced[0] = traced[1] = 0;
}

static void teardown(void)
{
    world_trace_sink = NULL;
    this_cpu()->preempt_every = 0;
    fixture_stop();
}

static int64_t call(uint64_t nr, uint64_t a0, uint64_t a1)
{
    return fixture_hypercall(v, nr, a0, a1, 0, 0, 0);
}

START_TEST(unknown_numbers)
{
    static const uint64_t nrs[] = {
        0,  1,    5,          11,         27,
        38, 47,   55,         56,         63,
        64, 1000, UINT32_MAX, UINT64_MAX, 1ull << 32 | __HYPERVISOR_xen_version};

    for (unsigned i = 0; i < ARRAY_SIZE(nrs); i++) {
        int64_t rc = call(nrs[i], 0, 0);

        ck_assert_msg(rc == -XEN_ENOSYS, "%llu gave %lld", (unsigned long long)nrs[i],
                      (long long)rc);
    }
}
END_TEST

START_TEST(calls_are_traced)
{
    world_trace_sink = trace;
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_version, 0), (4 << 16) | 17);
    ck_assert_uint_eq(traced[0], 1);
    ck_assert_uint_eq(traced[1], 1);
    ck_assert_uint_eq(traced_nr, __HYPERVISOR_xen_version);
}
END_TEST

START_TEST(version)
{
    char *data = fixture_guest(d, DATA_GPA);
    xen_feature_info_t *f = (void *)data;

    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_extraversion, DATA_GPA), 0);
    ck_assert_str_eq(data, ".7");
    memset(data, 0xff, PAGE_SIZE);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_capabilities, DATA_GPA), 0);
    ck_assert_ptr_nonnull(strstr(data, "hvm-3.0-x86_64 "));
    ck_assert_int_eq(data[1023], 0);
    ck_assert_int_eq((uint8_t)data[1024], 0xff);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_changeset, DATA_GPA), 0);
    ck_assert_int_eq((uint8_t)data[63], 0);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_compile_info, DATA_GPA), 0);
    ck_assert_str_eq(data, "gcc");
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_platform_parameters, DATA_GPA), 0);
    ck_assert_uint_eq(*(uint64_t *)data, 0xffff800000000000ull);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_pagesize, 0), 4096);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_pagesize, 1), -XEN_EINVAL);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_guest_handle, DATA_GPA), 0);
    ck_assert_int_eq(memcmp(data, d->handle, sizeof(d->handle)), 0);
    f->submap_idx = 0;
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_get_features, DATA_GPA), 0);
    ck_assert_uint_eq(f->submap, arch_features(d));
    f->submap_idx = 1;
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_get_features, DATA_GPA), -XEN_EINVAL);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, 11, DATA_GPA), -XEN_ENOSYS);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_extraversion, 0), -XEN_EFAULT);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_capabilities, 0), -XEN_EFAULT);
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_get_features, UINT64_MAX), -XEN_EFAULT);
    /* What only the privileged domain may know. */
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_commandline, DATA_GPA), 0);
    ck_assert_str_eq(data, "<denied>");
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_build_id, 0), -XEN_EPERM);
    d->privileged = true;
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_commandline, DATA_GPA), 0);
    ck_assert_str_eq(data, "");
    ck_assert_int_eq(call(__HYPERVISOR_xen_version, XENVER_build_id, 0), -XEN_ENODATA);
}
END_TEST

START_TEST(assists)
{
    const uint64_t flag = VMASST_TYPE_runstate_update_flag;

    ck_assert_int_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, flag), 0);
    ck_assert_uint_eq(d->vm_assist, 1ull << flag);
    ck_assert_int_eq(call(__HYPERVISOR_vm_assist, 2, flag), -XEN_ENOSYS);
    ck_assert_int_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_disable, flag), 0);
    ck_assert_uint_eq(d->vm_assist, 0);
    for (uint64_t type = 0; type < 70; type++) {
        if (type != flag) {
            ck_assert_int_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, type), -XEN_EINVAL);
        }
    }
    ck_assert_uint_eq(d->vm_assist, 0);
}
END_TEST

START_TEST(timer)
{
    uint64_t now = port_time_now();

    ck_assert_int_eq(call(__HYPERVISOR_set_timer_op, now + 5000000, 0), 0);
    ck_assert(v->singleshot.active);
    ck_assert_uint_eq(v->singleshot.expires, now + 5000000);
    ck_assert_int_eq(call(__HYPERVISOR_set_timer_op, 0, 0), 0);
    ck_assert(!v->singleshot.active);
    /* Nonsense from a wrapped counter: soon, not never. */
    ck_assert_int_eq(call(__HYPERVISOR_set_timer_op, UINT64_MAX, 0), 0);
    ck_assert_uint_le(v->singleshot.expires, port_time_now() + 100000000);
    ck_assert_int_eq(call(__HYPERVISOR_set_timer_op, now + (1ull << 50) + (1ull << 40), 0), 0);
    ck_assert_uint_le(v->singleshot.expires, port_time_now() + 100000000);
    ck_assert_int_eq(call(__HYPERVISOR_set_timer_op, 1, 0), 0);
    ck_assert_int_eq(call(__HYPERVISOR_set_timer_op, 0, 0), 0);
}
END_TEST

static struct multicall_entry *list(void)
{
    return fixture_guest(d, LIST_GPA);
}

START_TEST(multicall)
{
    struct multicall_entry *e = list();

    for (unsigned preempt = 0; preempt < 2; preempt++) {
        this_cpu()->preempt_every = preempt;
        memset(e, 0, PAGE_SIZE);
        e[0].op = __HYPERVISOR_xen_version;
        e[0].args[0] = XENVER_version;
        e[1].op = __HYPERVISOR_xen_version;
        e[1].args[0] = 99;
        e[2].op = __HYPERVISOR_multicall;
        e[2].args[0] = LIST_GPA;
        e[2].args[1] = 3;
        e[3].op = UINT64_MAX;
        e[4].op = __HYPERVISOR_xen_version;
        e[4].args[0] = XENVER_pagesize;
        e[5].result = 77;
        ck_assert_int_eq(call(__HYPERVISOR_multicall, LIST_GPA, 5), 0);
        ck_assert_int_eq((int64_t)e[0].result, (4 << 16) | 17);
        ck_assert_int_eq((int64_t)e[1].result, -XEN_ENOSYS);
        ck_assert_int_eq((int64_t)e[2].result, -XEN_EINVAL);
        ck_assert_int_eq((int64_t)e[3].result, -XEN_ENOSYS);
        ck_assert_int_eq((int64_t)e[4].result, 4096);
        ck_assert_int_eq((int64_t)e[5].result, 77);
        ck_assert_uint_eq(e[0].op, __HYPERVISOR_xen_version);
    }
}
END_TEST

START_TEST(multicall_bad_lists)
{
    struct multicall_entry *e = fixture_guest(d, LIST_GPA + 16 * PAGE_SIZE - sizeof(*e));

    ck_assert_int_eq(call(__HYPERVISOR_multicall, 0, 0), 0);
    ck_assert_int_eq(call(__HYPERVISOR_multicall, 0, 1), -XEN_EFAULT);
    ck_assert_int_eq(call(__HYPERVISOR_multicall, UINT64_MAX - 8, UINT32_MAX), -XEN_EFAULT);
    memset(e, 0, sizeof(*e));
    e->op = __HYPERVISOR_xen_version;
    ck_assert_int_eq(call(__HYPERVISOR_multicall, LIST_GPA + 16 * PAGE_SIZE - sizeof(*e), 2),
                     -XEN_EFAULT);
    ck_assert_int_eq((int64_t)e->result, (4 << 16) | 17);
}
END_TEST

/* An entry that is preempted within goes on where it was, and its progress is in
 * the list. */
START_TEST(multicall_continues_entries)
{
    struct multicall_entry *e = list();
    uint64_t args[6] = {LIST_GPA, 2};
    unsigned restarts = 0;
    int64_t rc;

    d->privileged = true;
    memset(e, 0, PAGE_SIZE);
    e[0].op = __HYPERVISOR_console_io;
    e[0].args[0] = CONSOLEIO_write;
    e[0].args[1] = 1000;
    e[0].args[2] = DATA_GPA;
    e[1].op = __HYPERVISOR_xen_version;
    this_cpu()->preempt_every = 1;
    while ((rc = hypercall(v, __HYPERVISOR_multicall, args)) == HYPERCALL_RESTART) {
        restarts++;
        if (restarts == 3) {
            ck_assert_uint_eq(e[0].args[1], 1000 - 3 * 128);
            ck_assert_uint_eq(e[0].args[2], DATA_GPA + 3 * 128);
            ck_assert_uint_eq(args[1], 2);
        }
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(restarts, 8);
    ck_assert_int_eq((int64_t)e[0].result, 0);
    ck_assert_int_eq((int64_t)e[1].result, (4 << 16) | 17);
}
END_TEST

START_TEST(preempt_knob)
{
    this_cpu()->resched = 0;
    ck_assert(!hypercall_preempt());
    this_cpu()->preempt_every = 3;
    ck_assert(!hypercall_preempt());
    ck_assert(!hypercall_preempt());
    ck_assert(hypercall_preempt());
    ck_assert(!hypercall_preempt());
    this_cpu()->preempt_every = 0;
    sched_raise(0);
    ck_assert(hypercall_preempt());
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hypercall");
    TCase *c = tcase_create("hypercall");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, unknown_numbers);
    tcase_add_test(c, calls_are_traced);
    tcase_add_test(c, version);
    tcase_add_test(c, assists);
    tcase_add_test(c, timer);
    tcase_add_test(c, multicall);
    tcase_add_test(c, multicall_bad_lists);
    tcase_add_test(c, multicall_continues_entries);
    tcase_add_test(c, preempt_knob);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
