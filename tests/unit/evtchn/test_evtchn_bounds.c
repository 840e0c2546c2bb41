/* Event channel operations whose answer cannot be written: the argument lies in
 * memory that the guest may only read. Nothing of them may stay. */
#include "core/evtchn/evtchn_private.h"
#include "core/mem/page_alloc.h"
#include "tests/unit/evtchn/evtchn_calls.h"

#define RO_GFN UINT64_C(0x400)

static struct domain *a, *b;
static struct vcpu *av;

static void setup(void)
{
    mfn_t m;

    fixture_start(32, 1);
    a = fixture_domain(4, 2);
    b = fixture_domain(4, 1);
    av = a->vcpu[0];
    m = guest_pages_alloc(a, 0);
    ck_assert_int_eq(p2m_map(a, gfn(RO_GFN), m, P2M_4K, P2M_RAM_RO), 0);
}

static int64_t call(unsigned cmd, const void *arg, size_t n)
{
    memcpy(fixture_guest(a, RO_GFN << PAGE_SHIFT), arg, n);
    return fixture_hypercall(av, __HYPERVISOR_event_channel_op, cmd, RO_GFN << PAGE_SHIFT, 0, 0, 0);
}

START_TEST(no_answer)
{
    evtchn_alloc_unbound_t alloc = {.dom = DOMID_SELF};
    evtchn_bind_interdomain_t bind = {0};
    evtchn_bind_virq_t virq = {.virq = VIRQ_TIMER};
    evtchn_bind_ipi_t ipi = {.vcpu = 1};
    evtchn_status_t status = {.dom = DOMID_SELF};
    uint32_t peer, active;

    setup();
    active = a->evtchn.active;
    ck_assert_int_eq(call(EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc)), -XEN_EFAULT);
    ck_assert_uint_eq(a->evtchn.active, active);
    ck_assert_int_eq(call(EVTCHNOP_bind_virq, &virq, sizeof(virq)), -XEN_EFAULT);
    ck_assert_uint_eq(a->evtchn.active, active);
    ck_assert_uint_eq(av->virq_port[VIRQ_TIMER], 0);
    ck_assert_int_eq(call(EVTCHNOP_bind_ipi, &ipi, sizeof(ipi)), -XEN_EFAULT);
    ck_assert_uint_eq(a->evtchn.active, active);
    ck_assert_int_eq(call(EVTCHNOP_status, &status, sizeof(status)), -XEN_EFAULT);
    /* The peer's port is free for another to bind, as before. */
    ck_assert_int_eq(evtchn_alloc_unbound(b, a->id, &peer), 0);
    bind.remote_dom = b->id;
    bind.remote_port = peer;
    ck_assert_int_eq(call(EVTCHNOP_bind_interdomain, &bind, sizeof(bind)), -XEN_EFAULT);
    ck_assert_uint_eq(a->evtchn.active, active);
    ck_assert_uint_eq(evtchn_slot(b, peer)->state, EVTCHN_UNBOUND);
    fixture_audit();
    fixture_stop();
}
END_TEST

START_TEST(no_control_answer)
{
    evtchn_init_control_t control = {.control_gfn = RO_GFN, .vcpu = 1};
    uint32_t port;

    setup();
    /* A control block in memory that cannot be written is none. */
    ck_assert_int_eq(call(EVTCHNOP_init_control, &control, sizeof(control)), -XEN_EINVAL);
    fixture_populate(a, 0x200, 1);
    control.control_gfn = 0x200;
    ck_assert_int_eq(call(EVTCHNOP_init_control, &control, sizeof(control)), -XEN_EFAULT);
    control.vcpu = 2;
    ck_assert_int_eq(call(EVTCHNOP_init_control, &control, sizeof(control)), -XEN_ENOENT);
    fixture_audit();
    /* Whichever ABI is in force now, ports work. */
    ck_assert_int_eq(ev_ipi(av, 1, &port), 0);
    ck_assert_int_eq(ev_send(av, port), 0);
    ck_assert_int_eq(ev_close(av, port), 0);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("evtchn_bounds");
    TCase *t = tcase_create("bounds");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, no_answer);
    tcase_add_test(t, no_control_answer);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
