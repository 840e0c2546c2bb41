/* A small PVH guest that behaves as no kernel would. What it does is the word
 * after "mode=" on its command line. Whatever that is, only it may suffer. */
#include <stdint.h>

#include <xen/xen.h>

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define FLOOD_CALLS 50000u
#define FILL_AT UINT64_C(0x1000000) /* away from the program, which lies below */
#define FILL_BYTES (UINT64_C(1) << 20)
#define SHARED_GFN 0x300u /* an own page, replaced by the shared info */

void guest_main(const struct hvm_start_info *si);

static int vmcall; /* what the processor calls VMMCALL */

static int64_t hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    int64_t rc;

    __asm__ volatile("test %[intel], %[intel]; jnz 1f; vmmcall; jmp 2f; 1: vmcall; 2:"
                     : "=a"(rc), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     : "a"(nr), [intel] "b"(vmcall)
                     : "memory", "cc", "rcx", "r9", "r11");
    return rc;
}

static int is_intel(void)
{
    uint32_t a = 0, b, c, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return b == 0x756e6547; /* "Genu" */
}

static uint64_t length(const char *s)
{
    uint64_t n = 0;

    while (s[n])
        n++;
    return n;
}

static void say(const char *s)
{
    hypercall(__HYPERVISOR_console_io, 0, length(s), (uint64_t)(uintptr_t)s, 0, 0);
}

static void power_off(void)
{
    struct sched_shutdown s = {SHUTDOWN_poweroff};

    hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (uint64_t)(uintptr_t)&s, 0, 0, 0);
}

static int word_is(const char *cmdline, const char *mode)
{
    const char *p = cmdline;

    for (; *p; p++) {
        uint64_t n = 0;

        if (p[0] != 'm' || p[1] != 'o' || p[2] != 'd' || p[3] != 'e' || p[4] != '=')
            continue;
        while (mode[n] && p[5 + n] == mode[n])
            n++;
        return !mode[n] && (!p[5 + n] || p[5 + n] == ' ');
    }
    return 0;
}

static uint64_t noise(void)
{
    static uint64_t x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static void triple_fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};

    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}

static void fill(void *at, uint64_t bytes)
{
    uint64_t *p = at;

    for (uint64_t i = 0; i < bytes / 8; i++)
        p[i] = noise();
}

/* Garbage in everything that the hypervisor shares with a guest. */
static void scribble(const struct hvm_start_info *si)
{
    struct xen_add_to_physmap map = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = SHARED_GFN};
    static uint8_t fifo[4096] __attribute__((aligned(4096)));
    struct evtchn_init_control control = {.control_gfn = (uint64_t)(uintptr_t)fifo >> 12};
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CONSOLE_PFN};

    hypercall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uint64_t)(uintptr_t)&map, 0, 0, 0);
    hypercall(__HYPERVISOR_hvm_op, HVMOP_get_param, (uint64_t)(uintptr_t)&param, 0, 0, 0);
    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, (uint64_t)(uintptr_t)&ipi, 0, 0, 0);
    for (unsigned round = 0; round < 64; round++) {
        struct evtchn_send send = {.port = ipi.port};

        fill((void *)(uintptr_t)(SHARED_GFN << 12), 4096);
        if (param.value)
            fill((void *)(uintptr_t)(param.value << 12), 4096);
        fill(fifo, sizeof(fifo));
        if (round == 32)
            hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_init_control,
                      (uint64_t)(uintptr_t)&control, 0, 0, 0);
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (uint64_t)(uintptr_t)&send, 0, 0,
                  0);
        say("hostile: scribbled\n");
    }
    fill((void *)(uintptr_t)si, sizeof(*si));
    power_off();
}

static void flood(void)
{
    static uint8_t args[4096];

    for (unsigned i = 0; i < FLOOD_CALLS; i++) {
        uint64_t nr = noise() % 64, sub = noise() % 40, at, third;

        fill(args, 64);
        at = noise() % 4 ? (uint64_t)(uintptr_t)args : noise();
        if (nr == __HYPERVISOR_sched_op || nr == __HYPERVISOR_console_io)
            continue;
        if (nr == __HYPERVISOR_multicall) {
            hypercall(nr, (uint64_t)(uintptr_t)args, noise() % 8, 0, 0, 0);
            continue;
        }
        /* Often a count, where a huge one means honest but long work. */
        third = noise() % 64 ? noise() % 16 : noise();
        if (nr == __HYPERVISOR_vcpu_op)
            third = (uint64_t)(uintptr_t)args;
        hypercall(nr, sub, at, third, noise() % 64, noise());
    }
    say("hostile: flood over\n");
    power_off();
}

void guest_main(const struct hvm_start_info *si)
{
    const char *cmdline = (const char *)(uintptr_t)si->cmdline_paddr;

    vmcall = is_intel();
    say("hostile: started\n");
    if (word_is(cmdline, "triple"))
        triple_fault();
    else if (word_is(cmdline, "spin"))
        for (;;)
            __asm__ volatile("cli; .fill 64, 4, 0x00401f0f"); /* long blocks: cheap to simulate */
    else if (word_is(cmdline, "fill1"))
        fill((void *)FILL_AT, FILL_BYTES);
    else if (word_is(cmdline, "fill3"))
        fill((void *)FILL_AT, 3 * FILL_BYTES);
    else if (word_is(cmdline, "scribble"))
        scribble(si);
    else if (word_is(cmdline, "flood"))
        flood();
    say("hostile: done\n");
    power_off();
}
