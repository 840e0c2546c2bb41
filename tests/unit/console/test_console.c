/* The log, console_io and the built-in console backend. */
#include "tests/unit/fixture.h"

#include <xen/io/console.h>

#include "port/console.h"

#define RING_GFN 0x1000ull
#define TEXT_GPA 0x1100000ull

static struct domain *d;
static struct vcpu *v;
static char out[8192];
static size_t out_len;
static uint16_t out_dom;
static const char *typed;

static void sink(uint16_t domid, const char *s, size_t n)
{
    ck_assert_uint_le(out_len + n, sizeof(out));
    memcpy(out + out_len, s, n);
    out_len += n;
    out_dom = domid;
}

static size_t source(uint16_t domid, char *s, size_t n)
{
    size_t len = typed != NULL ? strlen(typed) : 0;

    n = n < len ? n : len;
    if (n == 0) {
        return 0;
    }
    memcpy(s, typed, n);
    typed += n;
    return n;
}

static void expect_output(uint16_t domid, const char *text)
{
    ck_assert_uint_eq(out_len, strlen(text));
    ck_assert_int_eq(memcmp(out, text, out_len), 0);
    ck_assert_uint_eq(out_dom, domid);
    out_len = 0;
}

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(8, 1);
    v = d->vcpu[0];
    out_len = 0;
    typed = NULL;
    fixture_populate(d, RING_GFN, 1);
    fixture_populate(d, TEXT_GPA >> PAGE_SHIFT, 2);
    world_console_sink = sink;
    world_console_source = source;
}

static void teardown(void)
{
    world_console_sink = NULL;
    world_console_source = NULL;
    fixture_stop();
}

START_TEST(log_lines)
{
    char text[1000];

    hv_log(0, "%s %d", "hello", 42);
    expect_output(PORT_CONSOLE_HV, "(Corbel) hello 42\n");
    hv_log(2, "ends\n");
    expect_output(PORT_CONSOLE_HV, "(Corbel) ends\n");
    hv_log(3, "debug");
    ck_assert_uint_eq(out_len, 0);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    hv_log(0, "%s", text);
    ck_assert_uint_le(out_len, CONSOLE_LINE + 1);
    ck_assert_int_eq(out[out_len - 1], '\n');
}
END_TEST

START_TEST(guest_log_is_limited)
{
    for (unsigned i = 0; i < 1000; i++) {
        hv_log_guest(d, 1, "again %u", i);
    }
    out[out_len] = 0;
    ck_assert_ptr_nonnull(strstr(out, "again 9\n"));
    ck_assert_ptr_null(strstr(out, "again 10\n"));
    out_len = 0;
    world_set_time(world_now() + 2000000000ull);
    hv_log_guest(d, 1, "later");
    out[out_len] = 0;
    ck_assert_ptr_nonnull(strstr(out, "990 more"));
    ck_assert_ptr_nonnull(strstr(out, "later\n"));
}
END_TEST

/* loglvl= and guest_loglvl= are two things. */
START_TEST(levels_shown)
{
    console_show_guests(1);
    hv_log_guest(d, 1, "hidden");
    ck_assert_uint_eq(out_len, 0);
    hv_log(2, "shown");
    expect_output(PORT_CONSOLE_HV, "(Corbel) shown\n");
    hv_log_guest(d, 0, "error");
    expect_output(PORT_CONSOLE_HV, "(Corbel) d1: error\n");
    console_show_guests(4);
    console_show(0);
    hv_log(0, "hidden");
    ck_assert_uint_eq(out_len, 0);
    hv_log_guest(d, 3, "debug");
    expect_output(PORT_CONSOLE_HV, "(Corbel) d1: debug\n");
}
END_TEST

static int64_t console_io(uint64_t cmd, uint64_t count, uint64_t gva)
{
    return fixture_hypercall(v, __HYPERVISOR_console_io, cmd, count, gva, 0, 0);
}

START_TEST(console_io_rights)
{
    memcpy(fixture_guest(d, TEXT_GPA), "early", 5);
    ck_assert_int_eq(console_io(CONSOLEIO_write, 5, TEXT_GPA), -XEN_EPERM);
    ck_assert_int_eq(console_io(CONSOLEIO_read, 5, TEXT_GPA), -XEN_EPERM);
    ck_assert_int_eq(console_io(7, 5, TEXT_GPA), -XEN_EPERM);
    ck_assert_int_eq(console_ring_start(d, gfn(RING_GFN)), 0);
    ck_assert_int_eq(console_io(CONSOLEIO_write, 5, TEXT_GPA), 0);
    expect_output(d->id, "early");
    ck_assert_int_eq(console_io(CONSOLEIO_read, 5, TEXT_GPA), -XEN_EPERM);
    d->privileged = true;
    ck_assert_int_eq(console_io(7, 5, TEXT_GPA), -XEN_ENOSYS);
}
END_TEST

START_TEST(console_io_privileged)
{
    char *text = fixture_guest(d, TEXT_GPA), *text2 = fixture_guest(d, TEXT_GPA + PAGE_SIZE);

    d->privileged = true;
    memset(text, 'a', PAGE_SIZE);
    memset(text2, 'b', 100);
    this_cpu()->preempt_every = 1;
    ck_assert_int_eq(console_io(CONSOLEIO_write, PAGE_SIZE + 100, TEXT_GPA), 0);
    this_cpu()->preempt_every = 0;
    ck_assert_uint_eq(out_len, PAGE_SIZE + 100);
    ck_assert_int_eq(out[PAGE_SIZE - 1], 'a');
    ck_assert_int_eq(out[PAGE_SIZE], 'b');
    ck_assert_int_eq(console_io(CONSOLEIO_write, 0, 0), 0);
    ck_assert_int_eq(console_io(CONSOLEIO_write, 1, 0), -XEN_EFAULT);
    ck_assert_int_eq(console_io(CONSOLEIO_write, 1, UINT64_MAX), -XEN_EFAULT);
    typed = "ls\n";
    ck_assert_int_eq(console_io(CONSOLEIO_read, 2, TEXT_GPA), 2);
    ck_assert_int_eq(memcmp(text, "ls", 2), 0);
    ck_assert_int_eq(console_io(CONSOLEIO_read, 100, TEXT_GPA), 1);
    ck_assert_int_eq(console_io(CONSOLEIO_read, 100, TEXT_GPA), 0);
    ck_assert_int_eq(console_io(CONSOLEIO_read, 0x80000000u, TEXT_GPA), -XEN_E2BIG);
}
END_TEST

static struct xencons_interface *ring_start(void)
{
    ck_assert_int_eq(console_ring_start(d, gfn(RING_GFN)), 0);
    ck_assert_uint_ne(d->console.port, 0);
    return fixture_guest(d, RING_GFN << PAGE_SHIFT);
}

static void ring_put(struct xencons_interface *r, const char *s)
{
    for (; *s != 0; s++) {
        r->out[MASK_XENCONS_IDX(r->out_prod, r->out)] = *s;
        r->out_prod++;
    }
}

START_TEST(ring_moves_bytes)
{
    struct xencons_interface *r = ring_start();
    struct evtchn_send send = {.port = d->console.port};

    console_ring_service(d);
    ck_assert(!evtchn_port_pending(d, d->console.port));
    ring_put(r, "login: ");
    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_event_channel_op, EVTCHNOP_send, &send, sizeof(send)), 0);
    expect_output(d->id, "login: ");
    ck_assert_uint_eq(r->out_cons, r->out_prod);
    ck_assert(evtchn_port_pending(d, d->console.port));
    typed = "root\n";
    console_ring_service(d);
    ck_assert_uint_eq(r->in_prod, 5);
    ck_assert_int_eq(memcmp(r->in, "root\n", 5), 0);
    /* Around the ends of both rings. */
    r->out_cons = r->out_prod = UINT32_MAX - 2;
    r->in_cons = r->in_prod = UINT32_MAX - 1;
    ring_put(r, "abcdef");
    typed = "xyz";
    console_ring_service(d);
    expect_output(d->id, "abcdef");
    ck_assert_uint_eq(r->in_prod, 1);
    ck_assert_int_eq(r->in[1022], 'x');
    ck_assert_int_eq(r->in[1023], 'y');
    ck_assert_int_eq(r->in[0], 'z');
}
END_TEST

START_TEST(ring_holds_input_back)
{
    struct xencons_interface *r = ring_start();
    char text[3000];

    memset(text, 'k', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    typed = text;
    console_ring_service(d);
    ck_assert_uint_eq(r->in_prod, sizeof(r->in));
    console_ring_service(d);
    ck_assert_uint_eq(r->in_prod, sizeof(r->in));
    r->in_cons += 10;
    console_ring_service(d);
    ck_assert_uint_eq(r->in_prod, sizeof(r->in) + 10);
    ck_assert_uint_eq(strlen(typed), 2999 - 1034);
}
END_TEST

START_TEST(ring_with_spoilt_indices)
{
    struct xencons_interface *r = ring_start();

    r->out_cons = 5;
    r->out_prod = 5 + sizeof(r->out) + 1;
    typed = "x";
    r->in_prod = 7;
    r->in_cons = 8; /* ahead of the producer */
    console_ring_service(d);
    ck_assert_uint_eq(out_len, 0);
    ck_assert_uint_eq(r->out_cons, r->out_prod);
    ck_assert_uint_eq(r->in_prod, 7);
    r->out_prod = r->out_cons + (uint32_t)sizeof(r->out);
    console_ring_service(d);
    ck_assert_uint_eq(out_len, sizeof(r->out));
}
END_TEST

START_TEST(ring_life)
{
    mfn_t m = p2m_lookup(d, gfn(RING_GFN)).mfn;

    ck_assert_int_eq(console_ring_start(d, gfn(RING_GFN + 1)), -XEN_EINVAL);
    ck_assert_int_eq(console_ring_start(d, gfn(UINT64_MAX)), -XEN_EINVAL);
    console_ring_stop(d); /* none */
    ring_start();
    ck_assert_int_eq(console_ring_start(d, gfn(RING_GFN)), -XEN_EEXIST);
    ck_assert_uint_eq(frame_read(m).refs, 2);
    console_ring_stop(d);
    ck_assert_uint_eq(frame_read(m).refs, 1);
    console_ring_stop(d);
    console_ring_service(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("console");
    TCase *c = tcase_create("console");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, log_lines);
    tcase_add_test(c, guest_log_is_limited);
    tcase_add_test(c, levels_shown);
    tcase_add_test(c, console_io_rights);
    tcase_add_test(c, console_io_privileged);
    tcase_add_test(c, ring_moves_bytes);
    tcase_add_test(c, ring_holds_input_back);
    tcase_add_test(c, ring_with_spoilt_indices);
    tcase_add_test(c, ring_life);
    suite_add_tcase(s, c);
    return fixture_run(s);
}
