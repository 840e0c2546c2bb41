#include "hostsim/world/trace_json.h"

#include <stdio.h>
#include <string.h>

#include "base/xen.h"

#include "hostsim/world/names.h"
#include "hostsim/world/text.h"
#include "hostsim/world/world.h"
#include "port/cpu.h"

#define PID_CPUS 1u
#define PID_DOMAINS 1000u /* + domid */
#define DEPTH 8u

/* A slice that has begun on a CPU and not ended. */
struct slice {
    uint8_t kind; /* enum trace_event that began it */
    uint64_t start, number, arg;
};

/* What runs on a physical CPU. */
struct lane {
    bool busy;
    uint16_t domid;
    uint64_t vcpu, since;
    struct slice open[DEPTH];
    unsigned depth;
};

static struct {
    FILE *file;
    bool any, closing;
    unsigned cpus;
    struct lane lane[MAX_CPUS];
} trace;

/* What still runs when the file ends ran until the last thing that happened. */
static uint64_t time_of_event(void)
{
    return trace.closing ? world_latest() : world_now();
}

static void begin_event(const char *name, char phase, unsigned pid, uint64_t tid)
{
    char quoted[256];

    text_json(quoted, sizeof(quoted), name);
    fprintf(trace.file, "%s\n{\"name\":%s,\"ph\":\"%c\",\"pid\":%u,\"tid\":%llu",
            trace.any ? "," : "", quoted, phase, pid, (unsigned long long)tid);
    trace.any = true;
}

/* Timestamps are in microseconds. */
static void put_time(const char *key, uint64_t ns)
{
    fprintf(trace.file, ",\"%s\":%llu.%03u", key, (unsigned long long)(ns / 1000),
            (unsigned)(ns % 1000));
}

static void put_name(const char *what, unsigned pid, uint64_t tid, const char *name)
{
    char quoted[256];

    begin_event(what, 'M', pid, tid);
    text_json(quoted, sizeof(quoted), name);
    fprintf(trace.file, ",\"args\":{\"name\":%s}}", quoted);
}

static void put_slice(const char *name, unsigned pid, uint64_t tid, uint64_t start, uint64_t end)
{
    begin_event(name, 'X', pid, tid);
    put_time("ts", start);
    put_time("dur", end > start ? end - start : 0);
}

static void put_instant(const char *name, unsigned pid, uint64_t tid, char scope)
{
    begin_event(name, 'i', pid, tid);
    put_time("ts", time_of_event());
    fprintf(trace.file, ",\"s\":\"%c\"", scope);
}

static void finish(void)
{
    fputc('}', trace.file);
}

static void slice_begin(struct lane *l, enum trace_event kind, uint64_t number, uint64_t arg)
{
    if (l->busy && l->depth < DEPTH) {
        l->open[l->depth++] =
            (struct slice){.kind = kind, .start = time_of_event(), .number = number, .arg = arg};
    }
}

static void slice_end(struct lane *l, bool known, uint64_t result)
{
    const struct slice *s = &l->open[--l->depth];
    unsigned pid = PID_DOMAINS + l->domid;
    char text[64];

    if (s->kind == TRACE_EXIT) {
        snprintf(text, sizeof(text), "exit %s", name_of_exit((unsigned)s->number));
        put_slice(text, pid, l->vcpu, s->start, time_of_event());
        fprintf(trace.file, ",\"args\":{\"rip\":\"%#llx\"}", (unsigned long long)s->arg);
    } else {
        const char *name = name_of_hypercall((unsigned)s->number);

        if (name) {
            snprintf(text, sizeof(text), "%s", name);
        } else {
            snprintf(text, sizeof(text), "hypercall %llu", (unsigned long long)s->number);
        }
        put_slice(text, pid, l->vcpu, s->start, time_of_event());
        fprintf(trace.file, ",\"args\":{\"arg0\":\"%#llx\"", (unsigned long long)s->arg);
        if (known) {
            fprintf(trace.file, ",\"result\":%lld", (long long)result);
        }
        fputc('}', trace.file);
    }
    finish();
}

/* Ends the innermost slice of that kind and what is inside it. */
static void slice_end_kind(struct lane *l, enum trace_event kind, uint64_t result)
{
    unsigned at = l->depth;

    while (at && l->open[at - 1].kind != kind) {
        at--;
    }
    while (at && l->depth >= at) {
        slice_end(l, l->depth == at, result);
    }
}

static void lane_leave(struct lane *l, unsigned cpu)
{
    char text[64];

    while (l->depth) {
        slice_end(l, false, 0);
    }
    if (l->busy) {
        snprintf(text, sizeof(text), "d%uv%llu", l->domid, (unsigned long long)l->vcpu);
        put_slice(text, PID_CPUS, cpu, l->since, time_of_event());
        finish();
        snprintf(text, sizeof(text), "on CPU %u", cpu);
        put_slice(text, PID_DOMAINS + l->domid, l->vcpu, l->since, time_of_event());
        finish();
    }
    l->busy = false;
}

static void on_switch(struct lane *l, unsigned cpu, uint64_t domid, uint64_t vcpu)
{
    lane_leave(l, cpu);
    l->busy = domid < DOMID_FIRST_RESERVED;
    l->domid = (uint16_t)domid;
    l->vcpu = vcpu;
    l->since = time_of_event();
}

int trace_json_open(const char *path, unsigned cpus)
{
    memset(&trace, 0, sizeof(trace));
    trace.file = fopen(path, "w");
    if (!trace.file) {
        return -1;
    }
    trace.cpus = cpus;
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", trace.file);
    put_name("process_name", PID_CPUS, 0, "physical CPUs");
    for (unsigned i = 0; i < cpus; i++) {
        char text[32];

        snprintf(text, sizeof(text), "CPU %u", i);
        put_name("thread_name", PID_CPUS, i, text);
    }
    return 0;
}

void trace_json_domain(uint16_t domid, const char *name, unsigned vcpus)
{
    char text[128];

    if (!trace.file) {
        return;
    }
    snprintf(text, sizeof(text), "d%u %s", domid, name);
    put_name("process_name", PID_DOMAINS + domid, 0, text);
    for (unsigned i = 0; i < vcpus; i++) {
        snprintf(text, sizeof(text), "vCPU %u", i);
        put_name("thread_name", PID_DOMAINS + domid, i, text);
    }
}

void trace_json_event(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c)
{
    unsigned cpu = port_cpu_id();
    struct lane *l = &trace.lane[cpu];
    char text[64];

    if (!trace.file) {
        return;
    }
    switch (ev) {
    case TRACE_SWITCH:
        on_switch(l, cpu, a, b);
        break;
    case TRACE_EXIT:
    case TRACE_HYPERCALL:
        slice_begin(l, ev, a, b);
        break;
    case TRACE_EXIT_DONE:
        slice_end_kind(l, TRACE_EXIT, 0);
        break;
    case TRACE_HYPERCALL_DONE:
        slice_end_kind(l, TRACE_HYPERCALL, b);
        break;
    case TRACE_INJECT:
        if (l->busy) {
            snprintf(text, sizeof(text), "inject %#llx", (unsigned long long)a);
            put_instant(text, PID_DOMAINS + l->domid, l->vcpu, 't');
            finish();
        }
        break;
    case TRACE_WAKE:
        put_instant("wake", PID_DOMAINS + (unsigned)a, b, 't');
        finish();
        break;
    case TRACE_DOMAIN:
        snprintf(text, sizeof(text), "domain state %llu", (unsigned long long)b);
        put_instant(text, PID_DOMAINS + (unsigned)a, 0, 'p');
        finish();
        break;
    }
}

int trace_json_close(void)
{
    bool failed;

    if (!trace.file) {
        return 0;
    }
    trace.closing = true;
    for (unsigned i = 0; i < trace.cpus; i++) {
        lane_leave(&trace.lane[i], i);
    }
    fputs("\n]}\n", trace.file);
    failed = ferror(trace.file) != 0;
    failed = fclose(trace.file) != 0 || failed;
    trace.file = NULL;
    return failed ? -1 : 0;
}
