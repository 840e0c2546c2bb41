/* vCPUs: VCPUOP_*, runstate to the nanosecond, timers, vcpu_info. */
#include "tests/unit/fixture.h"

#include <xen/hvm/hvm_vcpu.h>

#include "core/evtchn/evtchn.h"
#include "core/time/pvclock.h"
#include "port/time.h"

#define MS UINT64_C(1000000)
#define ARG 0x100000u /* where arguments lie: a populated page */
#define BAD 0x7ffff000u

static struct domain *d;
static struct vcpu *v, *w;

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(8, 3);
    fixture_populate(d, ARG >> 12, 4);
    v = d->vcpu[0];
    w = d->vcpu[1];
}

static int64_t op_at(struct vcpu *caller, unsigned cmd, unsigned id, uint64_t gva)
{
    return fixture_hypercall(caller, __HYPERVISOR_vcpu_op, cmd, id, gva, 0, 0);
}

static int64_t op(struct vcpu *caller, unsigned cmd, unsigned id, const void *arg, size_t n)
{
    memcpy(fixture_guest(d, ARG), arg, n);
    return op_at(caller, cmd, id, ARG);
}

/* Binds VIRQ_TIMER of vCPU id; returns the port. */
static uint32_t bind_timer(unsigned id)
{
    evtchn_bind_virq_t b = {.virq = VIRQ_TIMER, .vcpu = id};

    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &b, sizeof(b)), 0);
    return b.port;
}

static bool take(uint32_t port)
{
    bool was = evtchn_port_pending(d, port);

    d->shared_info->evtchn_pending[port / 64] &= ~(1ul << port % 64);
    return was;
}

START_TEST(test_errors)
{
    const unsigned with_arg[] = {VCPUOP_initialise,
                                 VCPUOP_get_runstate_info,
                                 VCPUOP_register_runstate_memory_area,
                                 VCPUOP_set_periodic_timer,
                                 VCPUOP_register_vcpu_info,
                                 VCPUOP_register_vcpu_time_memory_area};

    ck_assert_int_eq(op_at(v, VCPUOP_is_up, 3, 0), -XEN_ENOENT);
    ck_assert_int_eq(op_at(v, VCPUOP_is_up, 128, 0), -XEN_ENOENT);
    ck_assert_int_eq(op_at(v, VCPUOP_is_up, ~0u, 0), -XEN_ENOENT);
    ck_assert_int_eq(op_at(v, 14, 0, 0), -XEN_ENOSYS);
    ck_assert_int_eq(op_at(v, VCPUOP_get_physid, 0, ARG), -XEN_EINVAL);
    for (unsigned i = 0; i < sizeof(with_arg) / sizeof(with_arg[0]); i++) {
        ck_assert_int_eq(op_at(v, with_arg[i], 1, BAD), -XEN_EFAULT);
    }
    ck_assert_int_eq(op_at(v, VCPUOP_set_singleshot_timer, 0, BAD), -XEN_EFAULT);
    ck_assert_int_eq(op_at(v, VCPUOP_send_nmi, 1, 5), -XEN_EINVAL);
    ck_assert_int_eq(op_at(v, VCPUOP_send_nmi, 1, 0), 0);
}
END_TEST

START_TEST(test_create)
{
    ck_assert_int_eq(vcpu_create(d, 3), -XEN_EINVAL);
    ck_assert_int_eq(vcpu_create(d, ~0u), -XEN_EINVAL);
    ck_assert_int_eq(vcpu_create(d, 2), -XEN_EEXIST);
    ck_assert_ptr_eq(w->info, &d->shared_info->vcpu_info[1]);
    ck_assert_uint_eq(w->pause_flags, VPF_DOWN);
}
END_TEST

START_TEST(test_up_down)
{
    ck_assert_int_eq(op_at(v, VCPUOP_is_up, 0, 0), 1);
    ck_assert_int_eq(op_at(v, VCPUOP_is_up, 1, 0), 0);
    ck_assert_int_eq(op_at(v, VCPUOP_up, 1, 0), -XEN_EINVAL);
    ck_assert_int_eq(op_at(v, VCPUOP_initialise, 0, ARG), -XEN_EEXIST);
    w->initialised = true;
    ck_assert_int_eq(op_at(v, VCPUOP_up, 1, 0), 0);
    ck_assert_int_eq(op_at(v, VCPUOP_up, 1, 0), 0);
    ck_assert_int_eq(op_at(v, VCPUOP_is_up, 1, 0), 1);
    ck_assert_int_eq(w->runstate.state, RUNSTATE_runnable);
    fixture_audit();
    ck_assert_int_eq(op_at(v, VCPUOP_down, 0, 0), 0);
    ck_assert_int_eq(v->runstate.state, RUNSTATE_offline);
    ck_assert(!d->shutting_down);
    fixture_audit();
    /* The last one powers the domain off. */
    ck_assert_int_eq(op_at(w, VCPUOP_down, 1, 0), 0);
    ck_assert(d->shut_down);
    ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_poweroff);
}
END_TEST

START_TEST(test_initialise)
{
    struct vcpu_hvm_context c;

    memset(&c, 0, sizeof(c));
    c.mode = 77;
    ck_assert_int_eq(op(v, VCPUOP_initialise, 1, &c, sizeof(c)), -XEN_EINVAL);
    ck_assert(!w->initialised);
    c.mode = VCPU_HVM_MODE_32B;
    c.cpu_regs.x86_32.cs_ar = 0xc9b;
    c.cpu_regs.x86_32.ds_ar = c.cpu_regs.x86_32.ss_ar = c.cpu_regs.x86_32.es_ar = 0xc93;
    c.cpu_regs.x86_32.tr_ar = 0x8b;
    c.cpu_regs.x86_32.cs_limit = c.cpu_regs.x86_32.ds_limit = ~0u;
    c.cpu_regs.x86_32.ss_limit = c.cpu_regs.x86_32.es_limit = ~0u;
    c.cpu_regs.x86_32.tr_limit = 0x67;
    c.cpu_regs.x86_32.eip = 0x1234;
    c.cpu_regs.x86_32.cr0 = 0x11;
    c.cpu_regs.x86_32.eflags = 2;
    ck_assert_int_eq(op(v, VCPUOP_initialise, 1, &c, sizeof(c)), 0);
    ck_assert(w->initialised);
    ck_assert_int_eq(op(v, VCPUOP_initialise, 1, &c, sizeof(c)), -XEN_EEXIST);
    ck_assert_int_eq(op_at(v, VCPUOP_up, 1, 0), 0);
}
END_TEST

START_TEST(test_runstate_exact)
{
    struct vcpu_runstate_info r;

    world_set_time(1000);
    schedule(); /* v runs from 1000 on */
    ck_assert_ptr_eq(current(), v);
    ck_assert_int_eq(v->runstate.state, RUNSTATE_running);
    world_set_time(4321);
    vcpu_block(v);
    schedule();
    ck_assert_ptr_null(current());
    world_set_time(10000);
    vcpu_kick(v);
    world_set_time(10007);
    schedule();
    world_set_time(10107);
    vcpu_pause_async(v);
    schedule();
    world_set_time(10400);
    vcpu_runstate_get(v, &r);
    ck_assert_int_eq(r.state, RUNSTATE_offline);
    ck_assert_uint_eq(r.state_entry_time, 10107);
    ck_assert_uint_eq(r.time[RUNSTATE_running], 3321 + 100);
    ck_assert_uint_eq(r.time[RUNSTATE_runnable], 1000 + 7);
    ck_assert_uint_eq(r.time[RUNSTATE_blocked], 10000 - 4321);
    ck_assert_uint_eq(r.time[RUNSTATE_offline], 293);
    ck_assert_int_eq(op_at(w, VCPUOP_get_runstate_info, 0, ARG), 0);
    ck_assert_mem_eq(&r, fixture_guest(d, ARG), sizeof(r));
    vcpu_unpause(v);
    vcpu_unpause(v); /* once too often: nothing happens */
    ck_assert_uint_eq(v->pause_count, 0);
    fixture_audit();
}
END_TEST

static struct vcpu_runstate_info area_at(uint64_t gpa)
{
    struct vcpu_runstate_info r;

    for (unsigned i = 0; i < sizeof(r); i++) {
        ((uint8_t *)&r)[i] = *(uint8_t *)fixture_guest(d, gpa + i);
    }
    return r;
}

START_TEST(test_runstate_area)
{
    struct vcpu_register_runstate_memory_area a;
    uint64_t at = ARG + 0x2000 - 20; /* straddles */
    struct frame before = frame_read(p2m_lookup(d, gfn(at >> 12)).mfn);

    memset(&a, 0, sizeof(a));
    a.addr.p = at;
    ck_assert_int_eq(op(v, VCPUOP_register_runstate_memory_area, 0, &a, sizeof(a)), 0);
    ck_assert_int_eq(area_at(at).state, RUNSTATE_runnable);
    d->vm_assist = 1u << VMASST_TYPE_runstate_update_flag;
    world_set_time(777);
    schedule();
    ck_assert_int_eq(area_at(at).state, RUNSTATE_running);
    ck_assert_uint_eq(area_at(at).state_entry_time, 777);
    ck_assert_uint_eq(area_at(at).time[RUNSTATE_runnable], 777);
    world_set_time(1777);
    vcpu_pause_async(v);
    schedule();
    ck_assert_int_eq(area_at(at).state, RUNSTATE_offline);
    ck_assert_uint_eq(area_at(at).state_entry_time, 1777);
    fixture_audit();
    a.addr.p = 0;
    ck_assert_int_eq(op(v, VCPUOP_register_runstate_memory_area, 0, &a, sizeof(a)), 0);
    ck_assert_ptr_null(v->runstate_area.page);
    ck_assert_uint_eq(frame_read(p2m_lookup(d, gfn(at >> 12)).mfn).refs, before.refs);
    vcpu_unpause(v);
    fixture_audit();
}
END_TEST

/* Any address will do. Where there is no memory yet, what comes later is found when
 * the vCPU next runs. */
START_TEST(test_runstate_area_later)
{
    struct vcpu_register_runstate_memory_area a;
    const uint64_t nowhere[] = {BAD, ARG + 0x4000 - 8, ~UINT64_C(0) - 3};
    uint64_t at = ARG + 0x4000 - 8; /* the second page is missing */

    memset(&a, 0, sizeof(a));
    for (unsigned i = 0; i < 3; i++) {
        a.addr.p = nowhere[i];
        ck_assert_int_eq(op(v, VCPUOP_register_runstate_memory_area, 0, &a, sizeof(a)), 0);
        ck_assert_uint_eq(v->runstate_gva, nowhere[i]);
        ck_assert_ptr_null(v->runstate_area.page);
        schedule();
        ck_assert_ptr_null(v->runstate_area.page);
        vcpu_pause_async(v);
        schedule();
        vcpu_unpause(v);
        fixture_audit();
    }
    a.addr.p = at;
    ck_assert_int_eq(op(v, VCPUOP_register_runstate_memory_area, 0, &a, sizeof(a)), 0);
    fixture_populate(d, (at + 8) >> 12, 1);
    world_set_time(5000);
    schedule();
    ck_assert_int_eq(area_at(at).state, RUNSTATE_running);
    ck_assert_uint_eq(area_at(at).state_entry_time, 5000);
    fixture_audit();
    a.addr.p = 0;
    ck_assert_int_eq(op(v, VCPUOP_register_runstate_memory_area, 0, &a, sizeof(a)), 0);
    ck_assert_ptr_null(v->runstate_area.page);
    vcpu_pause_async(v);
    schedule();
    vcpu_unpause(v);
}
END_TEST

START_TEST(test_singleshot)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = 5 * MS};
    uint32_t port = bind_timer(0);

    ck_assert_int_eq(op(w, VCPUOP_set_singleshot_timer, 0, &t, sizeof(t)), -XEN_EINVAL);
    ck_assert_int_eq(op_at(w, VCPUOP_stop_singleshot_timer, 0, 0), -XEN_EINVAL);
    ck_assert_int_eq(op(v, VCPUOP_set_singleshot_timer, 0, &t, sizeof(t)), 0);
    world_set_time(5 * MS - 1);
    timers_run();
    ck_assert(!take(port));
    world_set_time(5 * MS);
    timers_run();
    ck_assert(take(port));
    /* In the past: refused if asked to, else due at once. */
    world_set_time(6 * MS);
    t.flags = VCPU_SSHOTTMR_future;
    ck_assert_int_eq(op(v, VCPUOP_set_singleshot_timer, 0, &t, sizeof(t)), -XEN_ETIME);
    timers_run();
    ck_assert(!take(port));
    t.flags = 0;
    ck_assert_int_eq(op(v, VCPUOP_set_singleshot_timer, 0, &t, sizeof(t)), 0);
    timers_run();
    ck_assert(take(port));
    t.timeout_abs_ns = 8 * MS;
    ck_assert_int_eq(op(v, VCPUOP_set_singleshot_timer, 0, &t, sizeof(t)), 0);
    ck_assert_int_eq(op_at(v, VCPUOP_stop_singleshot_timer, 0, 0), 0);
    world_set_time(9 * MS);
    timers_run();
    ck_assert(!take(port));
}
END_TEST

/* Xen's times are signed: what has the top bit set is past. What lies centuries ahead
 * never comes, and nothing overflows. */
START_TEST(test_timer_extremes)
{
    const uint64_t past[] = {0, 1, UINT64_C(1) << 63, UINT64_MAX, (UINT64_C(1) << 63) + 1};
    const uint64_t far[] = {INT64_MAX, UINT64_C(1) << 62, UINT64_C(1) << 50};
    struct vcpu_set_singleshot_timer t = {.flags = 0};
    struct vcpu_set_periodic_timer p;
    uint32_t port = bind_timer(0);

    world_set_time(MS);
    for (unsigned i = 0; i < 5; i++) {
        t.timeout_abs_ns = past[i];
        ck_assert_int_eq(op(v, VCPUOP_set_singleshot_timer, 0, &t, sizeof(t)), 0);
        ck_assert(timers_pending());
        timers_run();
        ck_assert(take(port));
        fixture_audit();
    }
    for (unsigned i = 0; i < 3; i++) {
        t.timeout_abs_ns = far[i];
        t.flags = VCPU_SSHOTTMR_future;
        ck_assert_int_eq(op(v, VCPUOP_set_singleshot_timer, 0, &t, sizeof(t)), 0);
        ck_assert(v->singleshot.active);
        ck_assert_uint_eq(v->singleshot.expires, far[i]);
        timers_run();
        ck_assert(!take(port));
    }
    ck_assert_int_eq(op_at(v, VCPUOP_stop_singleshot_timer, 0, 0), 0);
    /* set_timer_op: a guest that counts wrongly gets a tick soon. */
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_set_timer_op,
                                           i == 0 ? UINT64_MAX : far[i], 0, 0, 0, 0),
                         0);
        ck_assert_uint_le(v->singleshot.expires, port_time_now() + (UINT64_C(1) << 50));
        fixture_audit();
    }
    ck_assert_int_eq(fixture_hypercall(v, __HYPERVISOR_set_timer_op, 0, 0, 0, 0, 0), 0);
    p.period_ns = (UINT64_MAX >> 2) + 1;
    ck_assert_int_eq(op(v, VCPUOP_set_periodic_timer, 0, &p, sizeof(p)), -XEN_EINVAL);
    p.period_ns = UINT64_MAX;
    ck_assert_int_eq(op(v, VCPUOP_set_periodic_timer, 0, &p, sizeof(p)), -XEN_EINVAL);
    p.period_ns = UINT64_MAX >> 2;
    ck_assert_int_eq(op(v, VCPUOP_set_periodic_timer, 0, &p, sizeof(p)), 0);
    timers_run();
    ck_assert(!take(port));
    fixture_audit();
}
END_TEST

/* A guest that keeps arming timers for the past makes its CPU busy for itself only:
 * each pass through timers_run() ends, and another's timer comes in time. */
START_TEST(test_timer_flood)
{
    struct vcpu_set_singleshot_timer t = {.flags = 0};
    struct vcpu_set_periodic_timer p = {.period_ns = MS};
    struct domain *e = fixture_domain(4, 1);
    struct vcpu *victim = e->vcpu[0];
    uint64_t before;

    timer_set(&victim->singleshot, 3 * MS);
    schedule();
    ck_assert_int_eq(op(v, VCPUOP_set_periodic_timer, 0, &p, sizeof(p)), 0);
    for (unsigned i = 0; i < 5000; i++) {
        t.timeout_abs_ns = i;
        ck_assert_int_eq(op(v, VCPUOP_set_singleshot_timer, 0, &t, sizeof(t)), 0);
        before = hv->cpu[0].timers.next_seq;
        timers_run();
        ck_assert_uint_le(hv->cpu[0].timers.next_seq - before, 3);
        world_set_time(port_time_now() + 1000);
    }
    ck_assert(!victim->singleshot.active);
    fixture_audit();
    vcpu_pause_async(v);
    vcpu_pause_async(victim);
    schedule();
}
END_TEST

START_TEST(test_singleshot_wakes)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = 5 * MS};
    uint32_t port = bind_timer(0);

    ck_assert(take(port) || true);
    v->info->evtchn_upcall_pending = 0;
    v->info->evtchn_pending_sel = 0;
    schedule();
    ck_assert_int_eq(op(v, VCPUOP_set_singleshot_timer, 0, &t, sizeof(t)), 0);
    vcpu_block(v);
    schedule();
    ck_assert_int_eq(v->runstate.state, RUNSTATE_blocked);
    world_set_time(5 * MS);
    timers_run();
    ck_assert_int_eq(v->runstate.state, RUNSTATE_runnable);
    ck_assert(take(port));
}
END_TEST

START_TEST(test_periodic)
{
    struct vcpu_set_periodic_timer t = {.period_ns = MS - 1};
    uint32_t port = bind_timer(0);
    unsigned ticks = 0;

    ck_assert_int_eq(op(v, VCPUOP_set_periodic_timer, 0, &t, sizeof(t)), -XEN_EINVAL);
    t.period_ns = ~UINT64_C(0);
    ck_assert_int_eq(op(v, VCPUOP_set_periodic_timer, 0, &t, sizeof(t)), -XEN_EINVAL);
    t.period_ns = 2 * MS;
    schedule();
    ck_assert_int_eq(op(v, VCPUOP_set_periodic_timer, 0, &t, sizeof(t)), 0);
    for (unsigned i = 1; i <= 20; i++) {
        world_set_time(i * MS);
        timers_run();
        ticks += take(port);
    }
    ck_assert_uint_eq(ticks, 10);
    /* Off its CPU it does not tick; what was missed is one tick. */
    vcpu_pause_async(v);
    schedule();
    world_set_time(31 * MS);
    timers_run();
    ck_assert(!take(port));
    vcpu_unpause(v);
    schedule();
    ck_assert(take(port));
    ck_assert_uint_eq(v->periodic_next, 32 * MS);
    ck_assert_int_eq(op_at(v, VCPUOP_stop_periodic_timer, 0, 0), 0);
    world_set_time(50 * MS);
    timers_run();
    ck_assert(!take(port));
    vcpu_pause_async(v);
    schedule();
}
END_TEST

START_TEST(test_register_info)
{
    struct vcpu_register_vcpu_info r = {.mfn = (ARG >> 12) + 1, .offset = 64};
    vcpu_info_t *info;

    r.offset = 4096 - sizeof(vcpu_info_t) + 8;
    ck_assert_int_eq(op(v, VCPUOP_register_vcpu_info, 1, &r, sizeof(r)), -XEN_EINVAL);
    r.offset = ~0u;
    ck_assert_int_eq(op(v, VCPUOP_register_vcpu_info, 1, &r, sizeof(r)), -XEN_EINVAL);
    r.offset = 4;
    ck_assert_int_eq(op(v, VCPUOP_register_vcpu_info, 1, &r, sizeof(r)), -XEN_EINVAL);
    r.offset = 64;
    r.mfn = 0x999999;
    ck_assert_int_eq(op(v, VCPUOP_register_vcpu_info, 1, &r, sizeof(r)), -XEN_EINVAL);
    r.mfn = ~UINT64_C(0);
    ck_assert_int_eq(op(v, VCPUOP_register_vcpu_info, 1, &r, sizeof(r)), -XEN_EINVAL);
    /* Another one that is up. */
    r.mfn = (ARG >> 12) + 1;
    ck_assert_int_eq(op(w, VCPUOP_register_vcpu_info, 0, &r, sizeof(r)), -XEN_EINVAL);
    w->info->arch.cr2 = 0x1234;
    ck_assert_int_eq(op(v, VCPUOP_register_vcpu_info, 1, &r, sizeof(r)), 0);
    info = fixture_guest(d, ARG + 0x1000 + 64);
    ck_assert_ptr_eq(w->info, info);
    ck_assert_uint_eq(info->arch.cr2, 0x1234);
    ck_assert_uint_eq(info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(info->evtchn_pending_sel, ~0ul);
    ck_assert_uint_eq(info->time.version & 1, 0);
    ck_assert_uint_gt(info->time.version, 0);
    ck_assert_int_eq(op(v, VCPUOP_register_vcpu_info, 1, &r, sizeof(r)), -XEN_EINVAL);
    fixture_audit();
    vcpu_unregister_info(w);
    ck_assert_ptr_eq(w->info, &d->shared_info->vcpu_info[1]);
}
END_TEST

START_TEST(test_beyond_shared_info)
{
    struct domain *big = fixture_domain(4, 40);
    struct vcpu *far = big->vcpu[39];

    ck_assert_ptr_null(far->info);
    pvclock_update(far); /* nothing to show it in */
    ck_assert(!vcpu_event_pending(far));
    fixture_populate(big, 1, 1);
    memset(fixture_guest(big, 0x1000), 0xff, 4096);
    ck_assert_int_eq(vcpu_register_info(far, gfn(1), 128), 0);
    ck_assert_uint_eq(far->info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(far->info->arch.cr2, 0);
    ck_assert(vcpu_event_pending(far));
}
END_TEST

START_TEST(test_block_race)
{
    /* An event that is there already: blocking does not happen. */
    schedule();
    ck_assert_int_eq(op_at(v, VCPUOP_send_nmi, 0, 0), 0);
    vcpu_block(v);
    ck_assert_uint_eq(v->pause_flags, 0);
    vcpu_pause_async(v);
    schedule();
    fixture_audit();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vcpu");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, fixture_stop);
    tcase_add_test(t, test_errors);
    tcase_add_test(t, test_create);
    tcase_add_test(t, test_up_down);
    tcase_add_test(t, test_initialise);
    tcase_add_test(t, test_runstate_exact);
    tcase_add_test(t, test_runstate_area);
    tcase_add_test(t, test_runstate_area_later);
    tcase_add_test(t, test_singleshot);
    tcase_add_test(t, test_timer_extremes);
    tcase_add_test(t, test_timer_flood);
    tcase_add_test(t, test_singleshot_wakes);
    tcase_add_test(t, test_periodic);
    tcase_add_test(t, test_register_info);
    tcase_add_test(t, test_beyond_shared_info);
    tcase_add_test(t, test_block_race);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
