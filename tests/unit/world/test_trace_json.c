/* The trace file: valid JSON, slices that nest, the same for the same events. */
#include <errno.h>
#include <unistd.h>

#include "hostsim/world/trace_json.h"
#include "port/guest.h"
#include "tests/unit/fixture.h"

/* A strict reader of RFC 8259: each function moves *s behind what it accepts. */
static bool json_value(const char **s);

static void json_space(const char **s)
{
    *s += strspn(*s, " \t\r\n");
}

static bool json_take(const char **s, char c)
{
    json_space(s);
    if (**s != c) {
        return false;
    }
    (*s)++;
    return true;
}

static bool json_string(const char **s)
{
    if (!json_take(s, '"')) {
        return false;
    }
    while (**s && **s != '"') {
        if ((unsigned char)**s < 0x20) {
            return false;
        }
        if (**s == '\\') {
            (*s)++;
            if (**s == 'u') {
                if (strspn(*s + 1, "0123456789abcdefABCDEF") < 4) {
                    return false;
                }
                *s += 4;
            } else if (!strchr("\"\\/bfnrt", **s) || !**s) {
                return false;
            }
        }
        (*s)++;
    }
    return json_take(s, '"');
}

static bool json_number(const char **s)
{
    size_t n;

    *s += **s == '-';
    n = strspn(*s, "0123456789");
    if (n == 0 || (n > 1 && **s == '0')) {
        return false;
    }
    *s += n;
    if (**s == '.') {
        n = strspn(*s + 1, "0123456789");
        *s += 1 + n;
        return n > 0;
    }
    return true;
}

static bool json_list(const char **s, char open, char close)
{
    if (!json_take(s, open)) {
        return false;
    }
    if (json_take(s, close)) {
        return true;
    }
    do {
        if (open == '{' && !(json_string(s) && json_take(s, ':'))) {
            return false;
        }
        if (!json_value(s)) {
            return false;
        }
    } while (json_take(s, ','));
    return json_take(s, close);
}

static bool json_value(const char **s)
{
    json_space(s);
    switch (**s) {
    case '{':
        return json_list(s, '{', '}');
    case '[':
        return json_list(s, '[', ']');
    case '"':
        return json_string(s);
    default:
        return json_number(s);
    }
}

static bool json_valid(const char *s)
{
    bool ok = json_value(&s);

    json_space(&s);
    return ok && !*s;
}

static char path[] = "/tmp/test_trace_XXXXXX";
static char text[65536];

static const char *contents(void)
{
    FILE *f = fopen(path, "r");
    size_t n;

    ck_assert_ptr_nonnull(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void begin(unsigned cpus)
{
    struct world_config cfg = {.mem_bytes = 1u << 20, .cpus = cpus};

    ck_assert_int_eq(world_start(&cfg), 0);
    ck_assert_int_eq(trace_json_open(path, cpus), 0);
}

static void end(void)
{
    ck_assert_int_eq(trace_json_close(), 0);
    world_stop();
}

static void some_events(void)
{
    begin(2);
    trace_json_domain(1, "we\"ird\\ \n\x01 name", 2);
    trace_json_event(TRACE_DOMAIN, 1, 0, 0);
    world_advance(1500);
    trace_json_event(TRACE_SWITCH, 1, 0, 0);
    world_advance(1000);
    trace_json_event(TRACE_EXIT, EXIT_HYPERCALL, 0xffffffff81000000, 0);
    trace_json_event(TRACE_HYPERCALL, 29, 1, 1);
    world_advance(7);
    trace_json_event(TRACE_HYPERCALL_DONE, 29, (uint64_t)-22, 1);
    trace_json_event(TRACE_WAKE, 1, 1, 0);
    trace_json_event(TRACE_INJECT, 0xf3, 0, 0);
    trace_json_event(TRACE_EXIT_DONE, EXIT_HYPERCALL, 0, 0);
    world_on_cpu(1);
    trace_json_event(TRACE_SWITCH, 1, 1, 0);
    world_advance(2000);
    trace_json_event(TRACE_SWITCH, DOMID_IDLE, 0, 0);
    world_on_cpu(0);
    world_advance(500);
    end();
}

START_TEST(events_become_valid_json)
{
    const char *s;

    some_events();
    s = contents();
    ck_assert_msg(json_valid(s), "not valid: %s", s);
    ck_assert_ptr_nonnull(strstr(s, "\"name\":\"physical CPUs\""));
    ck_assert_ptr_nonnull(strstr(s, "we\\u0022ird\\u005c \\u000a\\u0001 name"));
    ck_assert_ptr_nonnull(strstr(s, "{\"name\":\"sched_op\",\"ph\":\"X\",\"pid\":1001,\"tid\":0,"
                                    "\"ts\":2.500,\"dur\":0.007,"
                                    "\"args\":{\"arg0\":\"0x1\",\"result\":-22}}"));
    ck_assert_ptr_nonnull(strstr(s, "{\"name\":\"exit hypercall\",\"ph\":\"X\",\"pid\":1001,"
                                    "\"tid\":0,\"ts\":2.500,\"dur\":0.007,"));
    ck_assert_ptr_nonnull(strstr(s, "{\"name\":\"d1v1\",\"ph\":\"X\",\"pid\":1,\"tid\":1,"
                                    "\"ts\":2.507,\"dur\":2.000}"));
    /* What still ran at the end is there too. */
    ck_assert_ptr_nonnull(strstr(s, "{\"name\":\"on CPU 0\",\"ph\":\"X\",\"pid\":1001,\"tid\":0,"
                                    "\"ts\":1.500,"));
}
END_TEST

START_TEST(equal_events_give_equal_files)
{
    static char first[sizeof(text)];

    some_events();
    strcpy(first, contents());
    some_events();
    ck_assert_str_eq(first, contents());
}
END_TEST

START_TEST(odd_orders_stay_valid)
{
    begin(1);
    /* Ends without beginnings, beginnings without ends, unknown numbers, deep nests. */
    trace_json_event(TRACE_EXIT_DONE, 0, 0, 0);
    trace_json_event(TRACE_HYPERCALL_DONE, 1, 0, 0);
    trace_json_event(TRACE_HYPERCALL, 3, 0, 0);
    trace_json_event(TRACE_SWITCH, 7, 3, 0);
    for (unsigned i = 0; i < 20; i++) {
        trace_json_event(i % 2 ? TRACE_EXIT : TRACE_HYPERCALL, 1000 + i, i, 7);
    }
    trace_json_event(TRACE_EXIT_DONE, 0, 0, 0);
    trace_json_event(TRACE_SWITCH, 7, 3, 0);
    trace_json_event(TRACE_SWITCH, DOMID_IDLE, 0, 0);
    end();
    ck_assert(json_valid(contents()));
    ck_assert_ptr_nonnull(strstr(text, "\"hypercall 1000\""));
    begin(1);
    end();
    ck_assert(json_valid(contents()));
}
END_TEST

START_TEST(files_that_cannot_be_written_are_told)
{
    ck_assert_int_eq(trace_json_open("/nonexistent/trace.json", 1), -1);
    ck_assert_int_eq(errno, ENOENT);
    trace_json_event(TRACE_EXIT, 0, 0, 0);
    ck_assert_int_eq(trace_json_close(), 0);
    if (access("/dev/full", W_OK) == 0) {
        ck_assert_int_eq(trace_json_open("/dev/full", 1), 0);
        ck_assert_int_eq(trace_json_close(), -1);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trace_json");
    TCase *t = tcase_create("trace_json");
    int fd = mkstemp(path), rc;

    if (fd < 0) {
        return 1;
    }
    close(fd);
    tcase_add_test(t, events_become_valid_json);
    tcase_add_test(t, equal_events_give_equal_files);
    tcase_add_test(t, odd_orders_stay_valid);
    tcase_add_test(t, files_that_cannot_be_written_are_told);
    suite_add_tcase(s, t);
    rc = fixture_run(s);
    unlink(path);
    return rc;
}
