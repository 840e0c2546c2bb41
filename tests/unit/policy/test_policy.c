/* The policy tables, said a second time: for every operation, who may do it to whom,
 * under either policy. */
#include "tests/unit/fixture.h"

#include <xen/event_channel.h>
#include <xen/grant_table.h>

#include "core/policy/policy.h"

/* Who asks, and about whom. A driver domain has no rights of its own; the domain
 * that serves xenstore may look at others. */
enum role { DOM0, DOMU, DRIVER, STORE, ROLES };
enum { SYSTEM = ROLES, OBJECTS };

static struct domain *role[OBJECTS]; /* the last is NULL: the system */

static void setup(void)
{
    fixture_start(48, 1);
    for (unsigned i = 0; i < ROLES; i++) {
        role[i] = fixture_domain(4, 1);
    }
    role[DOM0]->privileged = true;
    role[STORE]->xenstore = true;
}

static void teardown(void)
{
    fixture_stop();
}

/* One letter for each object: dom0, domU, driver domain, xenstore, the system.
 *   +  allowed    -  refused    s  allowed, but refused by SILO
 * One word for each subject in the same order. */
struct expectation {
    enum policy_op op;
    const char *dom0, *domu, *driver, *store;
};

#define MAY_SELF "-+---", "--+--", "---+-"
#define MAY_NOTHING "-----", "-----", "-----"
#define MAY_WITH_CONSENT "++ss-", "+s+s-", "+ss+-"

static const struct expectation expected[] = {
    {POLICY_MEMORY_ADJUST, "+++++", MAY_SELF},
    {POLICY_MEMORY_STAT, "+++++", MAY_SELF},
    {POLICY_MEMORY_MAP, "+++++", MAY_SELF},
    {POLICY_FOREIGN_MAP, "+++++", MAY_NOTHING},
    {POLICY_MACHINE_MAP, "+++++", MAY_NOTHING},
    {POLICY_EVTCHN_UNBOUND, "+++++", MAY_SELF},
    {POLICY_EVTCHN_BIND, "+++++", MAY_WITH_CONSENT},
    {POLICY_EVTCHN_SEND, "+++++", "++++-", "++++-", "++++-"},
    {POLICY_EVTCHN_STATUS, "+++++", MAY_SELF},
    {POLICY_EVTCHN_RESET, "+++++", MAY_SELF},
    {POLICY_GRANT_SETUP, "+++++", MAY_SELF},
    {POLICY_GRANT_QUERY, "+++++", MAY_SELF},
    {POLICY_GRANT_MAP, "+++++", MAY_WITH_CONSENT},
    {POLICY_GRANT_COPY, "+++++", MAY_WITH_CONSENT},
    {POLICY_HVM_PARAM_GET, "+++++", MAY_SELF},
    {POLICY_HVM_PARAM_SET, "+++++", MAY_SELF},
    {POLICY_SHUTDOWN_OTHER, "+++++", MAY_NOTHING},
    {POLICY_CONSOLE_READ, "+++++", MAY_NOTHING},
    {POLICY_CONSOLE_WRITE, "+++++", MAY_NOTHING},
    {POLICY_DOMCTL, "+++++", MAY_NOTHING},
    {POLICY_SYSCTL, "+++++", MAY_NOTHING},
    {POLICY_PLATFORM, "+++++", MAY_NOTHING},
    {POLICY_MEMORY_CLAIM, "+++++", MAY_NOTHING},
    {POLICY_POD_TARGET, "+++++", MAY_NOTHING},
    {POLICY_MEM_ACCESS, "+++++", MAY_NOTHING},
    {POLICY_RESOURCE_MAP, "+++++", MAY_NOTHING},
    {POLICY_EVTCHN_PEER, "+++++", MAY_WITH_CONSENT},
    {POLICY_DOMAIN_INFO, "+++++", "-----", "-----", "++++-"},
};

static const char *word_of(const struct expectation *e, unsigned subject)
{
    switch (subject) {
    case DOM0:
        return e->dom0;
    case DOMU:
        return e->domu;
    case DRIVER:
        return e->driver;
    default:
        return e->store;
    }
}

START_TEST(every_cell)
{
    bool seen[POLICY_OPS] = {false};
    unsigned cells = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        const struct expectation *e = &expected[i];

        ck_assert(!seen[e->op]);
        seen[e->op] = true;
        for (unsigned cell = 0; cell < 2 * ROLES * OBJECTS; cell++) {
            unsigned silo = cell % 2, subject = cell / 2 % ROLES, object = cell / 2 / ROLES;
            char want = word_of(e, subject)[object];
            bool may = want == '+' || (want == 's' && !silo);

            hv->policy_silo = silo != 0;
            ck_assert_msg(
                policy_check(e->op, role[subject], role[object]) == (may ? 0 : -XEN_EPERM),
                "operation %u by %u to %u, silo %u: want %c", e->op, subject, object, silo, want);
            cells++;
        }
    }
    /* No operation is forgotten. */
    ck_assert_uint_eq(cells, POLICY_OPS * 2u * ROLES * OBJECTS);
    hv->policy_silo = false;
}
END_TEST

START_TEST(built_in_console)
{
    struct domain *d = role[DOMU], *other = role[DRIVER];

    fixture_populate(d, 0x1000, 1);
    ck_assert_int_eq(console_ring_start(d, gfn(0x1000)), 0);
    ck_assert_int_eq(policy_check(POLICY_CONSOLE_WRITE, d, d), 0);
    ck_assert_int_eq(policy_check(POLICY_CONSOLE_WRITE, d, other), -XEN_EPERM);
    ck_assert_int_eq(policy_check(POLICY_CONSOLE_WRITE, other, d), -XEN_EPERM);
    ck_assert_int_eq(policy_check(POLICY_CONSOLE_READ, d, d), -XEN_EPERM);
}
END_TEST

START_TEST(chosen_at_boot)
{
    struct boot_info boot = *world_boot_info();

    ck_assert(!hv->policy_silo);
    fixture_stop();
    ck_assert_int_eq(world_start(&(struct world_config){.mem_bytes = 8 << 20, .cpus = 1}), 0);
    boot = *world_boot_info();
    boot.silo = true;
    ck_assert_int_eq(hv_init(&boot), 0);
    ck_assert(hv->policy_silo);
    world_stop();
    setup();
}
END_TEST

static int64_t unbound(unsigned caller, domid_t of, domid_t peer, uint32_t *port)
{
    struct evtchn_alloc_unbound op = {.dom = of, .remote_dom = peer};
    int64_t rc = fixture_op(role[caller]->vcpu[0], __HYPERVISOR_event_channel_op,
                            EVTCHNOP_alloc_unbound, &op, sizeof(op));

    *port = op.port;
    return rc;
}

static int64_t bind(unsigned caller, domid_t remote, uint32_t port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = port};

    return fixture_op(role[caller]->vcpu[0], __HYPERVISOR_event_channel_op,
                      EVTCHNOP_bind_interdomain, &op, sizeof(op));
}

/* By hypercalls: two domains that do not trust each other, and one that both do. */
START_TEST(silo_event_channels)
{
    domid_t u = role[DOMU]->id, w = role[DRIVER]->id, zero = role[DOM0]->id;
    uint32_t port;

    for (unsigned silo = 0; silo < 2; silo++) {
        hv->policy_silo = silo != 0;
        ck_assert_int_eq(unbound(DOMU, DOMID_SELF, w, &port), silo ? -XEN_EPERM : 0);
        if (!silo) {
            /* Made under one policy, bound under the other. */
            hv->policy_silo = true;
            ck_assert_int_eq(bind(DRIVER, u, port), -XEN_EPERM);
            hv->policy_silo = false;
            ck_assert_int_eq(bind(DRIVER, u, port), 0);
        }
        ck_assert_int_eq(unbound(DOMU, DOMID_SELF, zero, &port), 0);
        ck_assert_int_eq(bind(DOM0, u, port), 0);
        ck_assert_int_eq(unbound(DOM0, DOMID_SELF, w, &port), 0);
        ck_assert_int_eq(bind(DRIVER, zero, port), 0);
        ck_assert_int_eq(unbound(DOMU, DOMID_SELF, DOMID_SELF, &port), 0);
        ck_assert_int_eq(bind(DOMU, DOMID_SELF, port), 0);
        /* The privileged domain sets up what it likes; using it needs consent. */
        ck_assert_int_eq(unbound(DOM0, u, w, &port), 0);
        ck_assert_int_eq(bind(DRIVER, u, port), silo ? -XEN_EPERM : 0);
        ck_assert_int_eq(unbound(DOMU, DOMID_SELF, 4321, &port), silo ? -XEN_ESRCH : 0);
    }
}
END_TEST

static int16_t map_grant(unsigned caller, domid_t granter, grant_ref_t ref)
{
    struct gnttab_map_grant_ref op = {.host_addr = UINT64_C(0x40000) << PAGE_SHIFT,
                                      .flags = GNTMAP_host_map,
                                      .ref = ref,
                                      .dom = granter};
    struct vcpu *v = role[caller]->vcpu[0];

    memcpy(fixture_guest(role[caller], 0x2000), &op, sizeof(op));
    ck_assert_int_eq(
        fixture_hypercall(v, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, 0x2000, 1, 0, 0),
        0);
    memcpy(&op, fixture_guest(role[caller], 0x2000), sizeof(op));
    return op.status;
}

static int16_t copy_grant(unsigned caller, domid_t granter, grant_ref_t ref)
{
    struct gnttab_copy op = {.source = {.u.ref = ref, .domid = granter},
                             .dest = {.u.gmfn = 3, .domid = DOMID_SELF},
                             .len = 8,
                             .flags = GNTCOPY_source_gref};
    struct vcpu *v = role[caller]->vcpu[0];

    memcpy(fixture_guest(role[caller], 0x2000), &op, sizeof(op));
    ck_assert_int_eq(
        fixture_hypercall(v, __HYPERVISOR_grant_table_op, GNTTABOP_copy, 0x2000, 1, 0, 0), 0);
    memcpy(&op, fixture_guest(role[caller], 0x2000), sizeof(op));
    return op.status;
}

START_TEST(silo_grants)
{
    struct domain *u = role[DOMU];
    grant_entry_v1_t *table;
    mfn_t m;

    for (unsigned i = 0; i < ROLES; i++) {
        fixture_populate(role[i], 0, 4);
    }
    ck_assert_int_eq(gnttab_frame_at(u, 0, &m), 0);
    table = mfn_to_ptr(m);
    table[8] =
        (grant_entry_v1_t){.flags = GTF_permit_access, .domid = role[DRIVER]->id, .frame = 1};
    table[9] = (grant_entry_v1_t){.flags = GTF_permit_access, .domid = role[DOM0]->id, .frame = 1};
    hv->policy_silo = true;
    ck_assert_int_eq(map_grant(DRIVER, u->id, 8), GNTST_permission_denied);
    ck_assert_int_eq(copy_grant(DRIVER, u->id, 8), GNTST_permission_denied);
    ck_assert_int_eq(copy_grant(DOM0, u->id, 9), GNTST_okay);
    ck_assert_int_eq(map_grant(DOM0, u->id, 9), GNTST_okay);
    hv->policy_silo = false;
    ck_assert_int_eq(copy_grant(DRIVER, u->id, 8), GNTST_okay);
    ck_assert_int_eq(map_grant(DRIVER, u->id, 8), GNTST_okay);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy");
    TCase *c = tcase_create("policy");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, every_cell);
    tcase_add_test(c, built_in_console);
    tcase_add_test(c, chosen_at_boot);
    tcase_add_test(c, silo_event_channels);
    tcase_add_test(c, silo_grants);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
