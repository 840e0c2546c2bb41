/* Hypercall memory_op: what a toolstack asks for, and what is refused. */
#include "tests/unit/hypercall/memory_calls.h"

/* What is answered but not offered. */
START_TEST(refusals)
{
    struct xen_mem_access_op access = {.domid = other->id};
    struct xen_reserved_device_memory_map rdm = {.nr_entries = 5};
    struct xen_reserved_device_memory_map *out = fixture_guest(d, ARG_GPA);
    uint64_t zero[8] = {0};

    ck_assert_int_eq(memory_op(v, XENMEM_access_op, &access, sizeof(access)), -XEN_EPERM);
    ck_assert_int_eq(memory_op(v0, XENMEM_access_op, &access, sizeof(access)), -XEN_ENODEV);
    access.domid = DOMID_SELF;
    ck_assert_int_eq(memory_op(v0, XENMEM_access_op, &access, sizeof(access)), -XEN_ESRCH);
    access.domid = dom0->id;
    ck_assert_int_eq(memory_op(v0, XENMEM_access_op, &access, sizeof(access)), -XEN_EPERM);
    ck_assert_int_eq(memory_op(v0, XENMEM_paging_op, zero, sizeof(zero)), -XEN_ENOSYS);
    ck_assert_int_eq(memory_op(v0, XENMEM_sharing_op, zero, sizeof(zero)), -XEN_ENOSYS);
    ck_assert_int_eq(memory_op(v, XENMEM_reserved_device_memory_map, &rdm, sizeof(rdm)), 0);
    ck_assert_uint_eq(out->nr_entries, 0);
    rdm.flags = ~XENMEM_RDM_ALL;
    ck_assert_int_eq(memory_op(v, XENMEM_reserved_device_memory_map, &rdm, sizeof(rdm)),
                     -XEN_EINVAL);
    ck_assert_int_eq(
        fixture_hypercall(v, __HYPERVISOR_memory_op, XENMEM_maximum_ram_page | 1 << 6, 0, 0, 0, 0),
        -XEN_EINVAL);
}
END_TEST

START_TEST(exchange)
{
    struct xen_memory_exchange good = {
        .in = {.extent_start = {(void *)LIST_GPA}, .nr_extents = 1, .domid = DOMID_SELF},
        .out = {.extent_start = {(void *)LIST_GPA}, .nr_extents = 1, .domid = DOMID_SELF}};
    struct xen_memory_exchange x = good;
    uint64_t before = d->tot_pages;

    ck_assert_int_eq(memory_op(v, XENMEM_exchange, &x, sizeof(x)), -XEN_EINVAL);
    x.nr_exchanged = 1;
    ck_assert_int_eq(memory_op(v, XENMEM_exchange, &x, sizeof(x)), 0);
    x.nr_exchanged = 2;
    ck_assert_int_eq(memory_op(v, XENMEM_exchange, &x, sizeof(x)), -XEN_EINVAL);
    x = good;
    x.in.extent_start.p = (void *)(UINT64_MAX - 3);
    ck_assert_int_eq(memory_op(v, XENMEM_exchange, &x, sizeof(x)), -XEN_EFAULT);
    x = good;
    x.out.extent_order = 10;
    ck_assert_int_eq(memory_op(v, XENMEM_exchange, &x, sizeof(x)), -XEN_EPERM);
    x.out.extent_order = 1;
    ck_assert_int_eq(memory_op(v, XENMEM_exchange, &x, sizeof(x)), -XEN_EINVAL);
    x = good;
    x.out.domid = other->id;
    ck_assert_int_eq(memory_op(v, XENMEM_exchange, &x, sizeof(x)), -XEN_EINVAL);
    x.in.domid = other->id;
    ck_assert_int_eq(memory_op(v, XENMEM_exchange, &x, sizeof(x)), -XEN_EPERM);
    x.in.domid = x.out.domid = 4321;
    ck_assert_int_eq(memory_op(v, XENMEM_exchange, &x, sizeof(x)), -XEN_ESRCH);
    ck_assert_uint_eq(d->tot_pages, before);
}
END_TEST

static int64_t claim(struct vcpu *who, domid_t id, uint64_t pages)
{
    struct xen_memory_reservation r = {.nr_extents = pages, .domid = id};

    return memory_op(who, XENMEM_claim_pages, &r, sizeof(r));
}

START_TEST(claims)
{
    uint64_t has = d->tot_pages;
    struct xen_memory_reservation bad = {.nr_extents = has + 10, .domid = d->id, .mem_flags = 1};

    ck_assert_int_eq(claim(v, d->id, has + 10), -XEN_EPERM);
    ck_assert_int_eq(claim(v0, DOMID_SELF, has + 10), -XEN_EINVAL);
    ck_assert_int_eq(claim(v0, 4321, has + 10), -XEN_EINVAL);
    ck_assert_int_eq(claim(v0, d->id, has), -XEN_EINVAL);
    ck_assert_int_eq(claim(v0, d->id, d->max_pages + 1), -XEN_EINVAL);
    ck_assert_int_eq(memory_op(v0, XENMEM_claim_pages, &bad, sizeof(bad)), -XEN_EINVAL);
    ck_assert_int_eq(claim(v0, d->id, 0), 0);
    ck_assert_int_eq(claim(v0, d->id, has + 10), 0);
    ck_assert_int_eq(claim(v0, d->id, has + 20), -XEN_EINVAL);
    ck_assert_uint_eq(d->outstanding_pages, 10);
    ck_assert_uint_eq(hv->heap.claimed, 10);
    fixture_audit();
    /* Allocating uses it up; freeing does not bring it back. */
    fixture_populate(d, G0, 4);
    ck_assert_uint_eq(d->outstanding_pages, 6);
    *list_of(d, LIST_GPA) = G0;
    ck_assert_int_eq(reserve(v, XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 1);
    ck_assert_uint_eq(d->outstanding_pages, 6);
    fixture_populate(d, G0 + 16, 20);
    ck_assert_uint_eq(d->outstanding_pages, 0);
    ck_assert_uint_eq(hv->heap.claimed, 0);
    /* More than there is; all there is; a dying domain's claim ends. */
    d->max_pages = UINT32_MAX;
    ck_assert_int_eq(claim(v0, d->id, d->tot_pages + free_page_count() + 1), -XEN_ENOMEM);
    ck_assert_int_eq(claim(v0, d->id, d->tot_pages + free_page_count()), 0);
    ck_assert_uint_eq(hv->heap.claimed, free_page_count());
    ck_assert_int_eq(claim(v0, other->id, 10), -XEN_ENOMEM);
    ck_assert(mfn_is_invalid(guest_pages_alloc(other, 0)));
    ck_assert_ptr_null(hyp_pages_alloc(NULL, 0, FRAME_HYP));
    ck_assert_uint_eq(other->tot_pages, 0);
    fixture_populate(d, G0 + 64, 1);
    fixture_audit();
    fixture_kill(d);
    ck_assert_uint_eq(hv->heap.claimed, 0);
    fixture_populate(other, 0, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory_control");
    TCase *c = tcase_create("memory_control");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, refusals);
    tcase_add_test(c, exchange);
    tcase_add_test(c, claims);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
