/* A PVH guest for benchmarks. Command line: "work=loop rounds=N" runs the
 * measured loop, "work=idle seconds=N" sleeps that long in virtual time. */
#include <stdint.h>

#include <xen/xen.h>

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/sched.h>

void guest_main(const struct hvm_start_info *si);
uint64_t bench_loop(uint64_t rounds, void *data);

static int64_t hypercall3(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    int64_t rc;

    __asm__ volatile("vmmcall"
                     : "=a"(rc), "+D"(a), "+S"(b), "+d"(c)
                     : "a"(nr)
                     : "memory", "rcx", "r8", "r9", "r10", "r11");
    return rc;
}

static void say(const char *s)
{
    uint64_t n = 0;

    while (s[n])
        n++;
    hypercall3(__HYPERVISOR_console_io, 0, n, (uint64_t)(uintptr_t)s);
}

/* The number after "key=", 0 when absent. */
static uint64_t number(const char *p, const char *key)
{
    for (; *p; p++) {
        uint64_t n = 0, v = 0;

        while (key[n] && p[n] == key[n])
            n++;
        if (key[n] || p[n] != '=')
            continue;
        for (n++; p[n] >= '0' && p[n] <= '9'; n++)
            v = v * 10 + (uint64_t)(p[n] - '0');
        return v;
    }
    return 0;
}

static void idle(uint64_t seconds)
{
    static uint64_t no_ports[1];

    for (uint64_t i = 1; i <= seconds; i++) {
        struct sched_poll poll = {.nr_ports = 0, .timeout = i * UINT64_C(1000000000)};

        set_xen_guest_handle(poll.ports, (evtchn_port_t *)(void *)no_ports);
        hypercall3(__HYPERVISOR_sched_op, SCHEDOP_poll, (uint64_t)(uintptr_t)&poll, 0);
    }
}

void guest_main(const struct hvm_start_info *si)
{
    const char *cmdline = (const char *)(uintptr_t)si->cmdline_paddr;
    static uint8_t data[4096] __attribute__((aligned(4096)));
    struct sched_shutdown off = {SHUTDOWN_poweroff};
    uint64_t rounds = number(cmdline, "rounds");

    say("bench: start\n");
    if (rounds)
        bench_loop(rounds, data);
    idle(number(cmdline, "seconds"));
    say("bench: end\n");
    hypercall3(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (uint64_t)(uintptr_t)&off, 0);
}
