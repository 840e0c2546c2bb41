/* XEN_DOMCTL_shadow_op's log of written pages, as a toolstack uses it. */
#include "tests/unit/control/control_calls.h"

#include "core/p2m/p2m_log.h"

#define PAGES 1100u /* of the guest's: two tables and a part of a third */

struct domain *dom0;
struct vcpu *dom0_vcpu;
static struct domain *d;

static void setup(void)
{
    control_setup(1);
    d = domain_get(create(1));
    ck_assert_ptr_nonnull(d);
    fixture_populate(d, 0, PAGES);
}

static void teardown(void)
{
    domid_t id = d->id;

    domain_put(d);
    destroy(id);
    fixture_stop();
}

static int64_t call(struct xen_domctl_shadow_op *s)
{
    struct xen_domctl op = {.u.shadow_op = *s};
    int64_t rc = domctl(XEN_DOMCTL_shadow_op, d->id, &op);

    *s = op.u.shadow_op;
    return rc;
}

static int64_t simple(uint32_t op, uint32_t mode)
{
    struct xen_domctl_shadow_op s = {.op = op, .mode = mode};

    return call(&s);
}

static int64_t read_log(uint32_t op, uint64_t pages, uint64_t gva, uint32_t *dirty)
{
    struct xen_domctl_shadow_op s = {.op = op, .pages = pages, .stats = {77, 77}};
    int64_t rc;

    SET_GVA(s.dirty_bitmap, gva);
    rc = call(&s);
    if (rc == 0) {
        ck_assert_uint_eq(s.pages, pages);
        ck_assert_uint_eq(s.stats.fault_count, 0);
    }
    *dirty = s.stats.dirty_count;
    return rc;
}

static void write_to(uint64_t g)
{
    uint8_t one = 1;

    ck_assert_int_eq(guest_phys_write(d, gaddr(g << PAGE_SHIFT), &one, 1), 0);
}

static bool told(uint64_t g)
{
    return (((uint8_t *)buf())[g / 8] >> (g % 8) & 1) != 0;
}

/* As live migration does. */
START_TEST(rounds)
{
    uint32_t n;

    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_PEEK, 0), -XEN_EINVAL);
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_OFF, 0), 0);
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_ENABLE, XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY), 0);
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0), -XEN_EINVAL);
    write_to(0);
    write_to(600);
    write_to(1099);
    memset(buf(), 0xff, PAGE_SIZE);
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_PEEK, PAGES, BUF_GPA, &n), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert(told(0) && told(600) && told(1099) && !told(1) && !told(1098));
    ck_assert_uint_eq(((uint8_t *)buf())[PAGES / 8 + 1], 0xff); /* not a byte more */
    /* Without a bitmap the count is told. */
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_PEEK, 0, 0, &n), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_CLEAN, PAGES, BUF_GPA, &n), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_CLEAN, PAGES, BUF_GPA, &n), 0);
    ck_assert_uint_eq(n, 0);
    ck_assert(!told(0) && !told(600) && !told(1099));
    write_to(5);
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_CLEAN, 0, 0, &n), 0);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_PEEK, 0, 0, &n), 0);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_OFF, 0), 0);
    ck_assert(!p2m_log_on(d));
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_CLEAN, 0), -XEN_EINVAL);
}
END_TEST

/* Each step of each operation is stopped once, and goes on. */
START_TEST(continued)
{
    uint32_t n;

    this_cpu()->preempt_every = 1;
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0), 0);
    for (unsigned g = 0; g < PAGES; g += 100) {
        write_to(g);
    }
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_CLEAN, PAGES, BUF_GPA, &n), 0);
    this_cpu()->preempt_every = 0;
    ck_assert_uint_eq(n, 11);
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_PEEK, PAGES, BUF_GPA, &n), 0);
    ck_assert_uint_eq(n, 0);
    /* While one operation is under way there is no other; off ends it. */
    d->p2m.log_op = XEN_DOMCTL_SHADOW_OP_CLEAN;
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_PEEK, PAGES, BUF_GPA, &n), -XEN_EBUSY);
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_OFF, 0), 0);
    ck_assert_uint_eq(d->p2m.log_op, 0);
}
END_TEST

START_TEST(hostile)
{
    uint32_t n;

    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_ENABLE, 0), -XEN_EINVAL);
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_ENABLE_TEST, 0), -XEN_EINVAL);
    ck_assert_int_eq(simple(99, 0), -XEN_EINVAL);
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0), 0);
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_PEEK, 2), -XEN_EINVAL);
    ck_assert_int_eq(simple(XEN_DOMCTL_SHADOW_OP_PEEK, XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL), 0);
    write_to(3);
    write_to(700);
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_CLEAN, UINT64_MAX, BUF_GPA, &n), -XEN_EINVAL);
    /* What could not be told was not forgotten. */
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_CLEAN, PAGES, NOWHERE, &n), -XEN_EFAULT);
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_PEEK, PAGES, UINT64_MAX - 8, &n), -XEN_EFAULT);
    ck_assert_int_eq(read_log(XEN_DOMCTL_SHADOW_OP_PEEK, PAGES, BUF_GPA, &n), 0);
    ck_assert_uint_eq(n, 2);
    ck_assert(told(3) && told(700));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("log_dirty");
    TCase *t = tcase_create("log");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, rounds);
    tcase_add_test(t, continued);
    tcase_add_test(t, hostile);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
