/* What gdb may ask of the guests' vCPUs. A thread of gdb is a vCPU: threads are
 * numbered from 1, guest by guest. While gdb talks, the whole world stands still. */
#include "hostsim/sim/gdbstub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/state.h"
#include "hostsim/engine/engine.h"
#include "hostsim/sim/sim.h"
#include "x86/hvm/hvm.h"

#define BREAKPOINTS 64u
#define REG_RIP 16u
#define REG_FLAGS 17u
#define REGS 24u /* as far as the segment selectors */
#define REG_FILE_BYTES (17 * 8 + 7 * 4)
#define MEMORY_MAX ((GDB_PACKET_MAX - 64) / 2)

static const char target_xml[] =
    "l<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
    "<target version=\"1.0\"><architecture>i386:x86-64</architecture></target>";

/* gdb's register order (its features/i386/64bit-core.xml) in the processor's. */
static const uint8_t gpr_of[16] = {GPR_RAX, GPR_RBX, GPR_RCX, GPR_RDX, GPR_RSI, GPR_RDI,
                                   GPR_RBP, GPR_RSP, GPR_R8,  GPR_R9,  GPR_R10, GPR_R11,
                                   GPR_R12, GPR_R13, GPR_R14, GPR_R15};
static const uint8_t seg_of[6] = {SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS};

static struct {
    uint64_t bp[BREAKPOINTS];
    unsigned bps;
    uint8_t *placed;   /* by thread: how many of bp[] it has */
    unsigned selected; /* thread that g, m and so on mean */
    unsigned resumed;  /* thread that s and c mean, 0: any */
    struct vcpu *stepping;
} server;

/* The vCPU of a thread, NULL when there is none. */
static struct vcpu *thread_vcpu(unsigned thread)
{
    unsigned n = 1;

    for (unsigned i = 0; i < sim.opt.guests; i++) {
        unsigned vcpus = sim.opt.guest[i].vcpus;

        if (thread >= n && thread < n + vcpus) {
            return sim.guest[i].d ? sim.guest[i].d->vcpu[thread - n] : NULL;
        }
        n += vcpus;
    }
    return NULL;
}

/* One past the last thread. */
static unsigned threads_end(void)
{
    unsigned n = 1;

    for (unsigned i = 0; i < sim.opt.guests; i++) {
        n += sim.opt.guest[i].vcpus;
    }
    return n;
}

static unsigned thread_of(const struct vcpu *v)
{
    for (unsigned t = 1; t < threads_end(); t++) {
        if (thread_vcpu(t) == v) {
            return t;
        }
    }
    return 1;
}

/* Gives breakpoints to every vCPU whose engine runs by now. */
static void place_breakpoints(void)
{
    for (unsigned t = 1; t < threads_end(); t++) {
        struct vcpu *v = thread_vcpu(t);

        while (v && server.placed[t] < server.bps &&
               engine_breakpoint_add(v, server.bp[server.placed[t]])) {
            server.placed[t]++;
        }
    }
}

static bool breakpoint_add(uint64_t la)
{
    for (unsigned i = 0; i < server.bps; i++) {
        if (server.bp[i] == la) {
            return true;
        }
    }
    if (server.bps == BREAKPOINTS) {
        return false;
    }
    server.bp[server.bps++] = la;
    place_breakpoints();
    return true;
}

static bool breakpoint_remove(uint64_t la)
{
    unsigned at = 0;

    while (at < server.bps && server.bp[at] != la) {
        at++;
    }
    if (at == server.bps) {
        return false;
    }
    memmove(&server.bp[at], &server.bp[at + 1], (server.bps - at - 1) * sizeof(server.bp[0]));
    server.bps--;
    for (unsigned t = 1; t < threads_end(); t++) {
        if (server.placed[t] > at) {
            (void)engine_breakpoint_remove(thread_vcpu(t), la);
            server.placed[t]--;
        }
    }
    return true;
}

static void read_registers(struct vcpu *v, uint8_t file[REG_FILE_BYTES])
{
    const struct guest_regs *r = &v->arch->regs;
    struct guest_state s;
    uint32_t word = (uint32_t)r->rflags;

    memset(&s, 0, sizeof(s));
    port_guest_save(v, &s);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(file + 8 * i, &r->gpr[gpr_of[i]], 8);
    }
    memcpy(file + 8 * REG_RIP, &r->rip, 8);
    memcpy(file + 17 * 8, &word, 4);
    for (unsigned i = 0; i < 6; i++) {
        word = s.seg[seg_of[i]].sel;
        memcpy(file + 17 * 8 + 4 + 4 * i, &word, 4);
    }
}

/* Selectors are shown but not written: that takes a descriptor with it. */
static bool write_register(struct vcpu *v, unsigned reg, const char *hex)
{
    struct guest_regs *r = &v->arch->regs;
    uint64_t value = 0;

    if (reg >= REGS || !gdb_unhex(&value, hex, reg < REG_FLAGS ? 8 : 4)) {
        return false;
    }
    if (reg < 16) {
        r->gpr[gpr_of[reg]] = value;
    } else if (reg == REG_RIP) {
        r->rip = value;
    } else if (reg == REG_FLAGS) {
        r->rflags = value;
    }
    return true;
}

static void reply_registers(struct vcpu *v, char *out)
{
    uint8_t file[REG_FILE_BYTES];

    read_registers(v, file);
    gdb_hex(out, file, sizeof(file));
}

static void reply_register(struct vcpu *v, const char *s, char *out)
{
    uint8_t file[REG_FILE_BYTES];
    uint64_t reg;

    if (!gdb_number(&s, &reg) || reg >= REGS) {
        strcpy(out, "E01");
        return;
    }
    read_registers(v, file);
    gdb_hex(out, file + (reg <= REG_RIP ? 8 * reg : 17 * 8 + 4 * (reg - REG_FLAGS)),
            reg <= REG_RIP ? 8 : 4);
}

static bool write_registers(struct vcpu *v, const char *s)
{
    size_t n = strlen(s);

    for (unsigned i = 0; i < REGS; i++) {
        size_t at = i <= REG_RIP ? 16 * i : 17 * 16 + 8 * (i - REG_FLAGS);

        if (at + (i <= REG_RIP ? 16 : 8) <= n && !write_register(v, i, s + at)) {
            return false;
        }
    }
    return true;
}

static void reply_memory(struct vcpu *v, const char *s, char *out)
{
    uint8_t bytes[MEMORY_MAX];
    uint64_t la, n;

    if (!gdb_number(&s, &la) || *s++ != ',' || !gdb_number(&s, &n) || n > MEMORY_MAX ||
        !engine_debug_read(v, la, bytes, n)) {
        strcpy(out, "E14");
    } else {
        gdb_hex(out, bytes, n);
    }
}

static bool write_memory(struct vcpu *v, const char *s)
{
    uint8_t bytes[MEMORY_MAX];
    uint64_t la, n;

    return gdb_number(&s, &la) && *s++ == ',' && gdb_number(&s, &n) && *s++ == ':' &&
           n <= MEMORY_MAX && strlen(s) >= 2 * n && gdb_unhex(bytes, s, n) &&
           engine_debug_write(v, la, bytes, n);
}

/* Z0,addr,kind and z0: software and hardware breakpoints are one here. */
static void breakpoint_packet(const char *p, char *out)
{
    const char *s = p + 2;
    uint64_t la;

    if (p[1] != '0' && p[1] != '1') {
        return; /* no watchpoints: an empty reply says so */
    }
    if (*s++ != ',' || !gdb_number(&s, &la)) {
        strcpy(out, "E01");
        return;
    }
    strcpy(out, (p[0] == 'Z' ? breakpoint_add(la) : breakpoint_remove(la)) ? "OK" : "E02");
}

static void thread_list(char *out)
{
    size_t n = 0;

    for (unsigned t = 1; t < threads_end() && n + 16 < GDB_PACKET_MAX; t++) {
        if (thread_vcpu(t)) {
            n += (size_t)sprintf(out + n, "%c%x", n ? ',' : 'm', t);
        }
    }
    if (!n) {
        strcpy(out, "l");
    }
}

static void thread_info(const char *s, char *out)
{
    char text[128];
    uint64_t t = 0;
    const struct vcpu *v = gdb_number(&s, &t) ? thread_vcpu((unsigned)t) : NULL;

    if (v) {
        const struct sim_guest *g = sim_guest_of(v->domain->id);
        int n =
            snprintf(text, sizeof(text), "%s vCPU %u", sim.opt.guest[g - sim.guest].name, v->id);

        gdb_hex(out, text, (size_t)n);
    }
}

static void query(const char *p, char *out)
{
    if (strncmp(p, "qSupported", 10) == 0) {
        sprintf(out, "PacketSize=%x;qXfer:features:read+", GDB_PACKET_MAX - 16);
    } else if (strncmp(p, "qXfer:features:read:target.xml:0,", 33) == 0) {
        strcpy(out, target_xml);
    } else if (strcmp(p, "qfThreadInfo") == 0) {
        thread_list(out);
    } else if (strcmp(p, "qsThreadInfo") == 0) {
        strcpy(out, "l");
    } else if (strncmp(p, "qThreadExtraInfo,", 17) == 0) {
        thread_info(p + 17, out);
    } else if (strcmp(p, "qC") == 0) {
        sprintf(out, "QC%x", server.selected);
    } else if (strncmp(p, "qAttached", 9) == 0) {
        strcpy(out, "1");
    }
}

static void select_thread(const char *p, char *out)
{
    const char *s = p + 2;
    uint64_t t = 0;
    bool any = *s == '-' || strcmp(s, "0") == 0;

    if (!any && (!gdb_number(&s, &t) || t >= threads_end() || !thread_vcpu((unsigned)t))) {
        strcpy(out, "E01");
        return;
    }
    if (p[1] == 'g' && !any) {
        server.selected = (unsigned)t;
    } else if (p[1] == 'c') {
        server.resumed = (unsigned)t;
    }
    strcpy(out, "OK");
}

static void resume(const char *p)
{
    unsigned t = server.resumed ? server.resumed : server.selected;
    struct vcpu *v = thread_vcpu(t);

    if (p[0] == 's' && v) {
        engine_step(v, true);
        server.stepping = v;
    }
}

/* gdb leaves: nothing stops the guests any more. */
static void detach(void)
{
    while (server.bps) {
        (void)breakpoint_remove(server.bp[0]);
    }
    gdb_close();
    engine_debug_hook = NULL;
}

/* Packets about the registers and memory of the selected thread. */
static void answer_about(struct vcpu *v, const char *p, char *out)
{
    const char *s = p + 1;
    uint64_t n = 0;

    switch (p[0]) {
    case 'g':
        reply_registers(v, out);
        break;
    case 'G':
        strcpy(out, write_registers(v, s) ? "OK" : "E01");
        break;
    case 'p':
        reply_register(v, s, out);
        break;
    case 'P':
        strcpy(out, gdb_number(&s, &n) && *s == '=' && write_register(v, (unsigned)n, s + 1)
                        ? "OK"
                        : "E01");
        break;
    case 'm':
        reply_memory(v, s, out);
        break;
    default: /* 'M' */
        strcpy(out, write_memory(v, s) ? "OK" : "E14");
        break;
    }
}

/* Answers one packet; true: the guests go on. */
static bool answer(const char *p, char *out)
{
    struct vcpu *v = thread_vcpu(server.selected);
    const char *s = p + 1;
    uint64_t n = 0;

    out[0] = '\0';
    if (p[0] != '\0' && strchr("gGpPmM", p[0])) {
        if (v) {
            answer_about(v, p, out);
        } else {
            strcpy(out, "E01");
        }
        return false;
    }
    switch (p[0]) {
    case '?':
        sprintf(out, "T05thread:%x;", server.selected);
        break;
    case 'Z':
    case 'z':
        breakpoint_packet(p, out);
        break;
    case 'q':
        query(p, out);
        break;
    case 'H':
        select_thread(p, out);
        break;
    case 'T':
        strcpy(out, gdb_number(&s, &n) && thread_vcpu((unsigned)n) ? "OK" : "E01");
        break;
    case 's':
    case 'c':
        resume(p);
        return true;
    case 'D':
        gdb_send("OK");
        detach();
        return true;
    case 'k':
        sim.interrupted = true;
        world_request_stop();
        detach();
        return true;
    default:
        break;
    }
    return false;
}

/* Talks until gdb lets the guests go on. */
static void converse(void)
{
    static char packet[GDB_PACKET_MAX], out[GDB_PACKET_MAX];

    for (;;) {
        if (!gdb_receive(packet, sizeof(packet))) {
            detach();
            return;
        }
        if (packet[0] == '\003') {
            continue;
        }
        if (answer(packet, out)) {
            return;
        }
        gdb_send(out);
    }
}

static void stopped(struct vcpu *v, unsigned signal)
{
    char text[64];

    if (server.stepping) {
        engine_step(server.stepping, false);
        server.stepping = NULL;
    }
    place_breakpoints();
    if (v) {
        server.selected = thread_of(v);
    }
    server.resumed = 0;
    snprintf(text, sizeof(text), "T%02xthread:%x;", signal, server.selected);
    gdb_send(text);
    converse();
}

static void on_debug(struct vcpu *v, bool stepped)
{
    stopped(v, 5);
}

void gdbstub_poll(void)
{
    char packet[GDB_PACKET_MAX];

    if (!gdb_connected()) {
        return;
    }
    place_breakpoints();
    if (gdb_pending()) {
        if (!gdb_receive(packet, sizeof(packet))) {
            detach();
        } else if (packet[0] == '\003') {
            stopped(current(), 2);
        }
    }
}

int gdbstub_start(void)
{
    server.placed = calloc(threads_end(), sizeof(*server.placed));
    if (!server.placed) {
        return sim_error("--gdb: out of memory");
    }
    fprintf(stderr, "corbel-sim: waiting for gdb on localhost:%u\n", sim.opt.gdb_port);
    if (gdb_listen(sim.opt.gdb_port) != 0) {
        return sim_error("--gdb %u: %s", sim.opt.gdb_port, strerror(errno));
    }
    server.selected = 1;
    engine_debug_hook = on_debug;
    converse();
    return 0;
}

void gdbstub_stop(int status)
{
    char text[16];

    if (gdb_connected()) {
        snprintf(text, sizeof(text), "W%02x", (unsigned)status & 0xff);
        gdb_send(text);
    }
    gdb_close();
    engine_debug_hook = NULL;
    free(server.placed);
    server.placed = NULL;
}
