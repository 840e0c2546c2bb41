/* The rest of the port on one bare CPU. */
#include "bare/bare.h"
#include "bare/guest.h"

#include "base/atomic.h"
#include "base/xen.h"
#include "core/state.h"
#include "port/power.h"
#include "port/trace.h"

#define BOCHS_SHUTDOWN_PORT 0x8900u

unsigned port_cpu_id(void)
{
    unsigned id;

    __asm__ volatile("movl %%gs:0, %0" : "=r"(id)); /* cpu_area.id */
    return id;
}

/* An interrupt that came since the core last looked waits until HLT: STI holds it
 * off for one instruction. */
void port_cpu_idle(void)
{
    guest_timer_idle();
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

void port_cpu_kick(unsigned cpu)
{
    if (cpu != port_cpu_id() && cpu_areas[cpu])
        lapic_send(cpu_areas[cpu]->apic_id, VECTOR_KICK);
}

void port_cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* Interrupts are off in the hypervisor, but for port_cpu_idle() and the moment in
 * which guest.c takes those that ended a guest's run. */
void port_spin_acquire(struct port_spin *s)
{
    uint32_t self = port_cpu_id() + 1;

    while (load_u32(&s->word) != 0 || !cmpxchg_u32(&s->word, 0, self))
        port_cpu_relax();
}

void port_spin_release(struct port_spin *s)
{
    store_u32(&s->word, 0);
}

void port_power_off(void)
{
    static const char bochs[] = "Shutdown";

    uart_drain();
    acpi_power_off();
    /* Still here: the emulator Bochs ends when its own port reads this. */
    for (const char *p = bochs; *p != '\0'; p++)
        outb(BOCHS_SHUTDOWN_PORT, (uint8_t)*p);
    machine_halt();
}

void port_reboot(void)
{
    uart_drain();
    guest_cpu_stop(); /* a reset by INIT waits for the end of VMX operation: SDM Vol. 3 23.8 */
    acpi_reset();
    outb(0xcf9, 6);
    machine_halt();
}

void port_trace(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c)
{
}

void port_code_changed(mfn_t m, uint64_t count)
{
}
