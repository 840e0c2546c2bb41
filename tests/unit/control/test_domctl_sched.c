/* XEN_DOMCTL_scheduler_op and XEN_SYSCTL_scheduler_op where another scheduler than
 * the default one runs. */
#include "tests/unit/control/control_calls.h"

#include "core/sched/sched.h"

struct domain *dom0;
struct vcpu *dom0_vcpu;

static struct xen_domctl op;
static struct xen_domctl_scheduler_op *const s = &op.u.scheduler_op;
static domid_t id;

static void setup(uint8_t kind, uint32_t xen_id, unsigned vcpus)
{
    control_setup(1);
    ck_assert_int_eq(sched_init(kind), 0);
    id = create(vcpus);
    memset(&op, 0, sizeof(op));
    s->sched_id = xen_id;
}

static void teardown(void)
{
    this_cpu()->preempt_every = 0;
    destroy(id);
    fixture_stop();
}

static int64_t call(uint32_t cmd)
{
    s->cmd = cmd;
    return domctl(XEN_DOMCTL_scheduler_op, id, &op);
}

/* One vCPU's parameters, in the array at BUF_GPA. */
static struct xen_domctl_schedparam_vcpu entry(uint32_t vcpu, uint32_t period, uint32_t budget,
                                               uint32_t flags)
{
    struct xen_domctl_schedparam_vcpu e;

    memset(&e, 0, sizeof(e));
    e.u.rtds.period = period;
    e.u.rtds.budget = budget;
    e.u.rtds.flags = flags;
    e.vcpuid = vcpu;
    return e;
}

static int64_t vcpus_call(uint32_t cmd, uint32_t n)
{
    s->u.v.nr_vcpus = n;
    SET_GVA(s->u.v.vcpus, BUF_GPA);
    return call(cmd);
}

START_TEST(rtds_domain)
{
    struct xen_domctl_schedparam_vcpu e[2] = {entry(0, 0, 0, 0), entry(1, 0, 0, 0)};

    setup(SCHED_RTDS, XEN_SCHEDULER_RTDS, 2);
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_getinfo), 0);
    ck_assert_uint_eq(s->u.rtds.period, 10000);
    ck_assert_uint_eq(s->u.rtds.budget, 4000);
    ck_assert_uint_eq(s->u.rtds.flags, XEN_DOMCTL_SCHEDRT_extra);
    /* For all vCPUs at once; whether they may have more stays each one's own. */
    s->u.rtds.period = 20000;
    s->u.rtds.budget = 5000;
    s->u.rtds.flags = 0;
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_putinfo), 0);
    buf_write(e, sizeof(e));
    ck_assert_int_eq(vcpus_call(XEN_DOMCTL_SCHEDOP_getvcpuinfo, 2), 0);
    ck_assert_uint_eq(s->u.v.nr_vcpus, 2);
    buf_read(e, sizeof(e));
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(e[i].u.rtds.period, 20000);
        ck_assert_uint_eq(e[i].u.rtds.budget, 5000);
        ck_assert_uint_eq(e[i].u.rtds.flags, XEN_DOMCTL_SCHEDRT_extra);
    }
    /* A budget above the period, or none to speak of: nothing changes. */
    s->u.rtds.period = 4000;
    s->u.rtds.budget = 5000;
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_putinfo), -XEN_EINVAL);
    s->u.rtds.budget = 9;
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_putinfo), -XEN_EINVAL);
    s->u.rtds.period = s->u.rtds.budget = 0;
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_putinfo), -XEN_EINVAL);
    ck_assert_int_eq(vcpus_call(XEN_DOMCTL_SCHEDOP_getvcpuinfo, 1), 0);
    buf_read(e, sizeof(e[0]));
    ck_assert_uint_eq(e[0].u.rtds.period, 20000);
    s->sched_id = XEN_SCHEDULER_CREDIT;
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_getinfo), -XEN_EINVAL);
    teardown();
}
END_TEST

START_TEST(rtds_vcpus)
{
    struct xen_domctl_schedparam_vcpu e[3] = {entry(1, 30000, 3000, 0),
                                              entry(0, 40000, 4000, XEN_DOMCTL_SCHEDRT_extra),
                                              entry(2, 50000, 5000, 0)};

    setup(SCHED_RTDS, XEN_SCHEDULER_RTDS, 2);
    /* The third one does not exist; the first two are done. */
    buf_write(e, sizeof(e));
    ck_assert_int_eq(vcpus_call(XEN_DOMCTL_SCHEDOP_putvcpuinfo, 3), -XEN_EINVAL);
    ck_assert_uint_eq(s->u.v.nr_vcpus, 2);
    e[0] = entry(0, 0, 0, 0);
    e[1] = entry(1, 0, 0, 0);
    buf_write(e, sizeof(e));
    ck_assert_int_eq(vcpus_call(XEN_DOMCTL_SCHEDOP_getvcpuinfo, 2), 0);
    buf_read(e, sizeof(e));
    ck_assert_uint_eq(e[0].u.rtds.period, 40000);
    ck_assert_uint_eq(e[0].u.rtds.flags, XEN_DOMCTL_SCHEDRT_extra);
    ck_assert_uint_eq(e[1].u.rtds.budget, 3000);
    ck_assert_uint_eq(e[1].u.rtds.flags, 0);
    /* A bad one in the middle ends it there. */
    e[0] = entry(0, 60000, 6000, 0);
    e[1] = entry(1, 10, 11, 0);
    buf_write(e, sizeof(e));
    ck_assert_int_eq(vcpus_call(XEN_DOMCTL_SCHEDOP_putvcpuinfo, 2), -XEN_EINVAL);
    ck_assert_uint_eq(s->u.v.nr_vcpus, 1);
    /* An interrupted list is done in part, and says so. */
    this_cpu()->preempt_every = 1;
    ck_assert_int_eq(vcpus_call(XEN_DOMCTL_SCHEDOP_getvcpuinfo, 2), 0);
    ck_assert_uint_eq(s->u.v.nr_vcpus, 1);
    this_cpu()->preempt_every = 0;
    buf_read(e, sizeof(e));
    ck_assert_uint_eq(e[0].u.rtds.period, 60000);
    ck_assert_uint_eq(e[1].u.rtds.period, 10);
    /* Lists that are nowhere, endless, or empty. */
    s->u.v.nr_vcpus = UINT32_MAX;
    SET_GVA(s->u.v.vcpus, NOWHERE);
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_getvcpuinfo), -XEN_EFAULT);
    ck_assert_uint_eq(s->u.v.nr_vcpus, 0);
    SET_GVA(s->u.v.vcpus, UINT64_MAX - 3);
    s->u.v.nr_vcpus = 1;
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_putvcpuinfo), -XEN_EFAULT);
    ck_assert_int_eq(vcpus_call(XEN_DOMCTL_SCHEDOP_putvcpuinfo, 0), 0);
    ck_assert_int_eq(call(7), -XEN_EINVAL);
    teardown();
}
END_TEST

/* The null scheduler has nothing to set, and takes what it is told. */
START_TEST(null_scheduler)
{
    struct xen_sysctl sys = {0};

    setup(SCHED_NULL, XEN_SCHEDULER_NULL, 1);
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_getinfo), 0);
    ck_assert_int_eq(call(XEN_DOMCTL_SCHEDOP_putinfo), 0);
    ck_assert_int_eq(vcpus_call(XEN_DOMCTL_SCHEDOP_getvcpuinfo, 1), -XEN_EINVAL);
    ck_assert_int_eq(vcpus_call(XEN_DOMCTL_SCHEDOP_putvcpuinfo, 1), -XEN_EINVAL);
    sys.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    sys.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &sys), -XEN_EINVAL);
    sys.u.scheduler_op.sched_id = XEN_SCHEDULER_NULL;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &sys), -XEN_EOPNOTSUPP);
    memset(&sys, 0, sizeof(sys));
    ck_assert_int_eq(sysctl(XEN_SYSCTL_sched_id, &sys), 0);
    ck_assert_uint_eq(sys.u.sched_id.sched_id, XEN_SCHEDULER_NULL);
    teardown();
}
END_TEST

START_TEST(credit_tunables)
{
    struct xen_sysctl sys = {0};
    struct xen_sysctl_scheduler_op *t = &sys.u.scheduler_op;

    setup(SCHED_CREDIT, XEN_SCHEDULER_CREDIT, 1);
    t->sched_id = XEN_SCHEDULER_CREDIT;
    t->cmd = XEN_SYSCTL_SCHEDOP_putinfo;
    t->u.sched_credit.tslice_ms = 5;
    t->u.sched_credit.ratelimit_us = 500;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &sys), 0);
    /* Refused, and what holds is told. */
    t->u.sched_credit.ratelimit_us = 5001;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &sys), -XEN_EINVAL);
    ck_assert_uint_eq(sched_get_tunables().ratelimit_us, 500);
    t->u.sched_credit.tslice_ms = 5;
    t->u.sched_credit.ratelimit_us = 99;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &sys), -XEN_EINVAL);
    t->u.sched_credit.ratelimit_us = 500;
    t->u.sched_credit.vcpu_migr_delay_us = 1;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &sys), -XEN_EOPNOTSUPP);
    t->u.sched_credit.vcpu_migr_delay_us = UINT32_MAX;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &sys), -XEN_EINVAL);
    t->cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    ck_assert_int_eq(sysctl(XEN_SYSCTL_scheduler_op, &sys), 0);
    ck_assert_uint_eq(t->u.sched_credit.tslice_ms, 5);
    ck_assert_uint_eq(t->u.sched_credit.ratelimit_us, 500);
    ck_assert_uint_eq(t->u.sched_credit.vcpu_migr_delay_us, 0);
    teardown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("domctl_sched");
    TCase *t = tcase_create("schedulers");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, rtds_domain);
    tcase_add_test(t, rtds_vcpus);
    tcase_add_test(t, null_scheduler);
    tcase_add_test(t, credit_tunables);
    suite_add_tcase(suite, t);
    return fixture_run(suite);
}
