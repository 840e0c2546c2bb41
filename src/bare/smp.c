/* The other CPUs: started one by one with INIT and start-up IPIs (SDM Vol. 3 8.4),
 * then each in the core's loop until it is to park or a panic stops it. */
#include "bare/bare.h"

#include "base/arith.h"
#include "base/atomic.h"
#include "base/string.h"
#include "bare/guest.h"
#include "core/console/console.h"
#include "core/state.h"
#include "port/time.h"

#define INIT_WAIT_US 10000u
#define START_WAIT_US 200u
#define ANSWER_WAIT_NS UINT64_C(1000000000)
#define HOLD_WAIT_NS UINT64_C(1000000000)
#define SELFTEST_LATE_US 1050000u

/* entry.S: what runs from the page below 1 MiB. Its last words are the page tables,
 * the CPU's area and the top of its stack. */
extern const uint8_t trampoline_start[], trampoline_words[], trampoline_end[];

static uint32_t holding; /* atomic */

static void say_cpu_failed(unsigned cpu)
{
    hv_log(1, "CPU %u (APIC %u) does not answer", cpu, bare_acpi.madt.cpu_apic_id[cpu]);
}

/* INIT, then up to two start-up IPIs; true iff the CPU has come to smp_main(). One that has
 * not may still be on its way, through page tables and a page that will not be there: INIT
 * takes it back to where it waits for the next start-up IPI, which nobody sends. */
static bool start_one(struct cpu_area *a, uint64_t page)
{
    lapic_init_cpu(a->apic_id);
    clock_wait_us(INIT_WAIT_US);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t since = port_time_now();
        uint64_t patience = i == 0 ? START_WAIT_US * 1000 : ANSWER_WAIT_NS;

        lapic_start_cpu(a->apic_id, (uint8_t)(page >> PAGE_SHIFT));
        while (port_time_now() - since < patience) {
            if (load_u32(&a->stage) != CPU_ABSENT)
                return true;
            port_cpu_relax();
        }
    }
    lapic_init_cpu(a->apic_id);
    clock_wait_us(INIT_WAIT_US);
    store_u32(&a->stage, CPU_ABSENT);
    return false;
}

void smp_start(const struct bare_boot *boot)
{
    size_t size = (size_t)(trampoline_end - trampoline_start);
    uint8_t *page = phys_to_ptr(boot->low_page);
    uint64_t words[3];

    cpu_areas[0]->apic_id = lapic_id();
    if (hv->cpu_count == 1)
        return;
    if (boot->low_page == 0) {
        hv_log(1, "no memory below 640 KiB to start other CPUs from");
        return;
    }
    memcpy(page, trampoline_start, size);
    words[0] = paging_trampoline(boot->low_page);
    for (unsigned i = 1; i < hv->cpu_count; i++) {
        struct cpu_area *a = cpu_area_create(i, bare_acpi.madt.cpu_apic_id[i]);

        if (!a) {
            hv_log(1, "no memory for CPU %u", i);
            break;
        }
        words[1] = (uint64_t)(uintptr_t)a;
        words[2] = a->stack[STACK_BOOT].top;
        memcpy(page + (trampoline_words - trampoline_start), words, sizeof(words));
        memory_fence();
        if (!start_one(a, boot->low_page))
            say_cpu_failed(i);
        else if (!tsc_sync(a))
            store_u32(&a->stage, CPU_ABSENT);
    }
    paging_trampoline(0);
}

unsigned smp_running(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < hv->cpu_count; i++)
        n += cpu_areas[i] && load_u32(&cpu_areas[i]->stage) == CPU_RUNNING;
    return n;
}

/* Outside the core, with nothing left undone, until CPU 0 says so. */
static void stand_still(struct cpu_area *a)
{
    domain_settle();
    store_u32(&a->stage, CPU_HELD);
    while (load_u32(&holding) != 0)
        port_cpu_relax();
    paging_refresh();
    store_u32(&a->stage, CPU_RUNNING);
}

_Noreturn void smp_main(struct cpu_area *a)
{
    bool guests, told = false;

    cpu_area_load(a);
    if (options.selftest == SELFTEST_LATE)
        clock_wait_us(SELFTEST_LATE_US);
    cpu_load_control_registers();
    lapic_cpu_init();
    guests = guest_cpu_start();
    store_u32(&a->stage, CPU_RUNNING);
    if (!tsc_obey(a)) {
        guest_cpu_stop();
        machine_halt();
    }
    if (guests)
        cpu_online(a->id);
    for (;;) {
        if (load_u32(&holding) != 0)
            stand_still(a);
        if (guests)
            cpu_turn();
        else
            port_cpu_idle();
        /* CPU 0 waits for the last guest's end, perhaps asleep. */
        if (load_u32(&hv->alive_count) != 0) {
            told = false;
        } else if (!told) {
            told = true;
            port_cpu_kick(0);
        }
    }
}

bool smp_hold(bool hold)
{
    uint64_t since = port_time_now();

    store_u32(&holding, hold);
    for (unsigned i = 1; hold && i < hv->cpu_count; i++)
        port_cpu_kick(i);
    while (hold && smp_running() > 1 && port_time_now() - since < HOLD_WAIT_NS)
        port_cpu_relax();
    return !hold || smp_running() == 1;
}

void smp_stop(void)
{
    lapic_nmi_others();
}
