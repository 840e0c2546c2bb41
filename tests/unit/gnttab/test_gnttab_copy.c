/* Grant tables: copies, parts, chains; races between CPUs. */
#include "core/gnttab/gnttab_private.h"
#include "tests/unit/gnttab/gnttab_calls.h"

#define RW GNTMAP_host_map
#define RO (GNTMAP_host_map | GNTMAP_readonly)
#define MAPS UINT64_C(0x80000000)

static struct domain *a, *b, *c;
static struct vcpu *av, *bv, *cv;

static void setup(unsigned cpus)
{
    fixture_start(32, cpus);
    a = fixture_domain(8, 2);
    b = fixture_domain(8, 2);
    c = fixture_domain(8, 1);
    av = a->vcpu[0];
    bv = b->vcpu[0];
    cv = c->vcpu[0];
    fixture_populate(a, 0x10, 8);
    fixture_populate(b, 0x10, 8);
    fixture_populate(c, 0x10, 8);
}

/* Copies len bytes from (sdom, s, soff) to (ddom, d, doff) for v. */
static int copy(struct vcpu *v, unsigned flags, domid_t sdom, uint64_t s, unsigned soff,
                domid_t ddom, uint64_t d, unsigned doff, unsigned len)
{
    struct gnttab_copy op = {.source = {.domid = sdom, .offset = (uint16_t)soff},
                             .dest = {.domid = ddom, .offset = (uint16_t)doff},
                             .len = (uint16_t)len,
                             .flags = (uint16_t)flags,
                             .status = 99};

    op.source.u.gmfn = s;
    op.dest.u.gmfn = d;
    ck_assert_int_eq(gt(v, GNTTABOP_copy, &op, sizeof(op), 1), 0);
    return op.status;
}

#define SRC GNTCOPY_source_gref
#define DST GNTCOPY_dest_gref

static void copy_cases(void)
{
    gt_grant(a, 9, b->id, 0x12, 0);
    gt_grant(a, 10, b->id, 0x13, GTF_readonly);
    gt_grant(c, 9, b->id, 0x12, 0);
    strcpy(fixture_guest(a, 0x12100), "from a");
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0x100, DOMID_SELF, 0x11, 0x200, 7), GNTST_okay);
    ck_assert_str_eq(fixture_guest(b, 0x11200), "from a");
    strcpy(fixture_guest(b, 0x11300), "from b");
    ck_assert_int_eq(copy(bv, DST, DOMID_SELF, 0x11, 0x300, a->id, 9, 0xff9, 7), GNTST_okay);
    ck_assert_str_eq(fixture_guest(a, 0x12ff9), "from b");
    /* From one to another through a third. */
    ck_assert_int_eq(copy(bv, SRC | DST, a->id, 9, 0x100, c->id, 9, 0, 7), GNTST_okay);
    ck_assert_str_eq(fixture_guest(c, 0x12000), "from a");
    ck_assert_int_eq(copy(bv, 0, DOMID_SELF, 0x11, 0x200, DOMID_SELF, 0x12, 0, 7), GNTST_okay);
    ck_assert_str_eq(fixture_guest(b, 0x12000), "from a");
    ck_assert_int_eq(copy(bv, SRC, a->id, 10, 0, DOMID_SELF, 0x11, 0, 4096), GNTST_okay);
    ck_assert_int_eq(copy(bv, DST, DOMID_SELF, 0x11, 0, a->id, 10, 0, 1), GNTST_general_error);
    ck_assert_uint_eq(gt_marks(a, 9) | gt_marks(a, 10) | gt_marks(c, 9), 0);
    /* Bounds. */
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 1, DOMID_SELF, 0x11, 0, 4096), GNTST_bad_copy_arg);
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0, DOMID_SELF, 0x11, 4095, 2), GNTST_bad_copy_arg);
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0xffff, DOMID_SELF, 0x11, 0xffff, 0xffff),
                     GNTST_bad_copy_arg);
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 4096, DOMID_SELF, 0x11, 4096, 0), GNTST_okay);
    /* Whom and what. */
    ck_assert_int_eq(copy(bv, 0, a->id, 0x12, 0, DOMID_SELF, 0x11, 0, 1), GNTST_permission_denied);
    ck_assert_int_eq(copy(bv, 0, DOMID_SELF, 0x11, 0, a->id, 0x12, 0, 1), GNTST_permission_denied);
    ck_assert_int_eq(copy(bv, SRC, 777, 9, 0, DOMID_SELF, 0x11, 0, 1), GNTST_bad_domain);
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0, DOMID_SELF, 0x9999, 0, 1), GNTST_bad_page);
    ck_assert_int_eq(copy(bv, SRC, a->id, UINT32_MAX, 0, DOMID_SELF, 0x11, 0, 1), GNTST_bad_gntref);
    ck_assert_int_eq(copy(cv, SRC, a->id, 9, 0, DOMID_SELF, 0x11, 0, 1), GNTST_general_error);
    fixture_audit();
}

START_TEST(copies)
{
    setup(1);
    copy_cases();
    ck_assert_int_eq(gt_version(av, 2), 0);
    copy_cases();
    fixture_stop();
}
END_TEST

START_TEST(copies_and_mappings)
{
    grant_handle_t h, k;

    setup(1);
    gt_grant(a, 9, b->id, 0x12, GTF_readonly);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS, &h), GNTST_okay);
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0, DOMID_SELF, 0x11, 0, 8), GNTST_okay);
    ck_assert_uint_eq(gt_marks(a, 9), GTF_reading);
    /* What is mapped from others is not one's own to copy by number. */
    ck_assert_int_eq(copy(bv, 0, DOMID_SELF, MAPS >> 12, 0, DOMID_SELF, 0x11, 0, 8),
                     GNTST_bad_page);
    gt_v1(a, 9)->flags &= (uint16_t)~GTF_readonly;
    ck_assert_int_eq(copy(bv, DST, DOMID_SELF, 0x11, 0, a->id, 9, 0, 8), GNTST_okay);
    ck_assert_uint_eq(gt_marks(a, 9), GTF_reading);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RW, MAPS + 4096, &k), GNTST_okay);
    ck_assert_int_eq(gt_unmap(bv, k, MAPS + 4096), GNTST_okay);
    ck_assert_uint_eq(gt_marks(a, 9), GTF_reading);
    ck_assert_int_eq(gt_unmap(bv, h, MAPS), GNTST_okay);
    fixture_stop();
}
END_TEST

START_TEST(sub_pages)
{
    struct gnttab_pin pin;
    grant_handle_t h;

    setup(1);
    ck_assert_int_eq(gt_version(av, 2), 0);
    *gt_v2(a, 9) = (grant_entry_v2_t){
        .sub_page = {.hdr = {.flags = GTF_permit_access | GTF_sub_page, .domid = b->id},
                     .page_off = 0x100,
                     .length = 0x10,
                     .frame = 0x12}};
    strcpy(fixture_guest(a, 0x12100), "a part of it...");
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0x100, DOMID_SELF, 0x11, 0, 16), GNTST_okay);
    ck_assert_str_eq(fixture_guest(b, 0x11000), "a part of it...");
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0xff, DOMID_SELF, 0x11, 0, 2), GNTST_general_error);
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0x10f, DOMID_SELF, 0x11, 0, 2), GNTST_general_error);
    ck_assert_int_eq(copy(bv, DST, DOMID_SELF, 0x11, 0, a->id, 9, 0x10f, 1), GNTST_okay);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS, &h), GNTST_general_error);
    /* Nor while another CPU copies, whatever the entry says by then. */
    fixture_auditing(false);
    ck_assert_int_eq(gnttab_pin(a, 9, b->id, true, PIN_COPY, &pin), GNTST_okay);
    gt_grant(a, 9, b->id, 0x12, 0);
    ck_assert_int_eq(gt_map(bv, a->id, 9, RO, MAPS, &h), GNTST_general_error);
    ck_assert_int_eq(gt_version(av, 1), -XEN_EBUSY);
    gnttab_unpin(a, 9, true);
    fixture_auditing(true);
    gt_v2(a, 9)->hdr.flags |= GTF_sub_page;
    /* Parts beyond the page give nothing beyond the page. */
    gt_v2(a, 9)->sub_page.page_off = 0xffff;
    gt_v2(a, 9)->sub_page.length = 0xffff;
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0xfff, DOMID_SELF, 0x11, 0, 1), GNTST_general_error);
    ck_assert_int_eq(copy(bv, SRC, a->id, 9, 0xffff, DOMID_SELF, 0x11, 0, 1), GNTST_bad_copy_arg);
    fixture_stop();
}
END_TEST

/* a lets c copy from what b has granted to a. */
static void chain(grant_ref_t ref, domid_t to, domid_t of, grant_ref_t of_ref)
{
    *gt_v2(a, ref) = (grant_entry_v2_t){
        .transitive = {
            .hdr = {.flags = GTF_transitive, .domid = to}, .trans_domid = of, .gref = of_ref}};
}

START_TEST(chains)
{
    grant_handle_t h;

    setup(1);
    ck_assert_int_eq(gt_version(av, 2), 0);
    gt_grant(b, 9, a->id, 0x12, 0);
    gt_grant(b, 10, c->id, 0x12, 0);
    gt_grant(b, 11, a->id, 0x13, GTF_readonly);
    chain(20, c->id, b->id, 9);
    chain(21, c->id, b->id, 10); /* not granted to a */
    chain(22, c->id, a->id, 20); /* to oneself */
    chain(23, c->id, 777, 9);
    chain(24, c->id, b->id, 11);
    chain(25, b->id, b->id, 9); /* back to where it came from */
    strcpy(fixture_guest(b, 0x12000), "b's");
    ck_assert_int_eq(copy(cv, SRC, a->id, 20, 0, DOMID_SELF, 0x11, 0, 4), GNTST_okay);
    ck_assert_str_eq(fixture_guest(c, 0x11000), "b's");
    strcpy(fixture_guest(c, 0x11000), "c's");
    ck_assert_int_eq(copy(cv, DST, DOMID_SELF, 0x11, 0, a->id, 20, 0, 4), GNTST_okay);
    ck_assert_str_eq(fixture_guest(b, 0x12000), "c's");
    ck_assert_int_eq(copy(cv, SRC | DST, a->id, 20, 0, a->id, 20, 8, 4), GNTST_okay);
    ck_assert_int_eq(copy(cv, SRC, a->id, 21, 0, DOMID_SELF, 0x11, 0, 4), GNTST_general_error);
    ck_assert_int_eq(copy(cv, SRC, a->id, 22, 0, DOMID_SELF, 0x11, 0, 4), GNTST_general_error);
    ck_assert_int_eq(copy(cv, SRC, a->id, 23, 0, DOMID_SELF, 0x11, 0, 4), GNTST_general_error);
    ck_assert_int_eq(copy(cv, DST, DOMID_SELF, 0x11, 0, a->id, 24, 0, 4), GNTST_general_error);
    ck_assert_int_eq(copy(cv, SRC, a->id, 24, 0, DOMID_SELF, 0x11, 0, 4), GNTST_okay);
    ck_assert_int_eq(copy(bv, SRC, a->id, 25, 0, DOMID_SELF, 0x11, 0, 4), GNTST_okay);
    ck_assert_int_eq(gt_map(cv, a->id, 20, RO, MAPS, &h), GNTST_general_error);
    /* A chain of chains is too long. */
    ck_assert_int_eq(gt_version(bv, 2), 0);
    *gt_v2(b, 9) = (grant_entry_v2_t){
        .transitive = {
            .hdr = {.flags = GTF_transitive, .domid = a->id}, .trans_domid = c->id, .gref = 9}};
    gt_grant(c, 9, b->id, 0x12, 0);
    ck_assert_int_eq(copy(cv, SRC, a->id, 20, 0, DOMID_SELF, 0x11, 0, 4), GNTST_general_error);
    for (grant_ref_t r = 20; r < 26; r++) {
        ck_assert_uint_eq(gt_marks(a, r), 0);
    }
    ck_assert_uint_eq(a->gnttab.pinned + b->gnttab.pinned + c->gnttab.pinned, 0);
    fixture_stop();
}
END_TEST

START_TEST(random_tables)
{
    uint32_t x = 4711 + (uint32_t)_i;
    struct vcpu *v[3];
    grant_handle_t h;

    setup(1);
    v[0] = av;
    v[1] = bv;
    v[2] = cv;
    for (unsigned i = 0; i < 5000; i++) {
        struct vcpu *me = v[(x = x * 1664525 + 1013904223) >> 8 & 1];
        struct domain *you = v[(x >> 10) % 3]->domain;
        uint32_t ref = (x >> 13) % 12, r = x >> 20;

        switch (r % 8) {
        case 0:
            memset(gt_v1(you, ref), (int)(x >> 3), 1);
            break;
        case 1:
            gt_grant(you, ref, me->domain->id, 0x10 + r % 9, r & 0x1fc);
            break;
        case 2:
        case 3:
            (void)gt_map(me, you->id, ref, r & 64 ? RO : RW, MAPS + r % 16 * PAGE_SIZE, &h);
            break;
        case 4:
        case 5:
            (void)gt_unmap(me, ref, MAPS + r % 16 * PAGE_SIZE);
            break;
        case 6:
            (void)copy(me, x >> 5 & 3, r & 64 ? DOMID_SELF : you->id, ref, 0,
                       r & 128 ? DOMID_SELF : you->id, 0x11, 0, 64);
            break;
        default:
            (void)gt_version(me, 1 + (r >> 6) % 2);
            break;
        }
        if (i % 500 == 0) {
            fixture_audit();
        }
    }
    fixture_kill(v[_i % 3]->domain);
    fixture_stop();
}
END_TEST

/* Two CPUs: one maps, copies and unmaps, the other changes the entry meanwhile. */
static void mapper(void *arg)
{
    struct vcpu *v = arg;
    uint64_t at = MAPS + v->id * PAGE_SIZE;
    grant_handle_t h;

    for (unsigned i = 0; i < 200; i++) {
        struct gnttab_map_grant_ref op = {
            .host_addr = at, .flags = i % 3 ? RW : RO, .ref = 9, .dom = a->id};
        uint64_t args[6] = {GNTTABOP_map_grant_ref, 0x10000 + v->id * 512, 1};

        memcpy(fixture_guest(b, args[1]), &op, sizeof(op));
        ck_assert_int_eq(do_grant_table_op(v, args), 0);
        memcpy(&op, fixture_guest(b, args[1]), sizeof(op));
        if (op.status == GNTST_okay) {
            struct gnttab_unmap_grant_ref un = {.host_addr = at, .handle = op.handle};

            h = op.handle;
            memcpy(fixture_guest(b, args[1]), &un, sizeof(un));
            args[0] = GNTTABOP_unmap_grant_ref;
            world_advance(300);
            ck_assert_int_eq(do_grant_table_op(v, args), 0);
            memcpy(&un, fixture_guest(b, args[1]), sizeof(un));
            ck_assert_msg(un.status == GNTST_okay, "handle %u: %d", h, un.status);
        }
    }
}

static uint32_t seed;

static bool switch_often(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 24 < 64;
}

static void changer(void *arg)
{
    for (unsigned i = 0; i < 400; i++) {
        uint64_t args[6] = {GNTTABOP_set_version, 0x10000, 1};

        gt_grant(a, 9, i % 7 ? b->id : c->id, 0x12 + i % 5, i % 4 ? 0 : GTF_readonly);
        *(uint32_t *)fixture_guest(a, args[1]) = 1 + i % 2;
        (void)do_grant_table_op(av, args);
        world_advance(250);
    }
}

START_TEST(races)
{
    setup(3);
    seed = (uint32_t)_i;
    world_acquire_hook = switch_often;
    world_set_body(0, changer, NULL);
    world_set_body(1, mapper, bv);
    world_set_body(2, mapper, b->vcpu[1]);
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_acquire_hook = NULL;
    ck_assert_uint_eq(a->gnttab.pinned, 0);
    ck_assert_uint_eq(gt_marks(a, 9), 0);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gnttab_copy");
    TCase *t = tcase_create("copies and races");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, copies);
    tcase_add_test(t, copies_and_mappings);
    tcase_add_test(t, sub_pages);
    tcase_add_test(t, chains);
    tcase_add_loop_test(t, random_tables, 0, 3);
    tcase_add_loop_test(t, races, 0, 4);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
