/* The rest of the port on one bare CPU. */
#include "bare/bare.h"

#include "base/atomic.h"
#include "base/string.h"
#include "base/xen.h"
#include "core/state.h"
#include "port/console.h"
#include "port/guest.h"
#include "port/image.h"
#include "port/power.h"
#include "port/trace.h"

unsigned port_cpu_id(void)
{
    return 0;
}

void port_cpu_idle(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

void port_cpu_kick(unsigned cpu)
{
}

void port_cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

void port_spin_acquire(struct port_spin *s)
{
    while (!cmpxchg_u32(&s->word, 0, port_cpu_id() + 1))
        port_cpu_relax();
}

void port_spin_release(struct port_spin *s)
{
    store_u32(&s->word, 0);
}

void port_console_write(uint16_t domid, const char *s, size_t n)
{
    uart_write(s, n);
}

size_t port_console_read(uint16_t domid, char *s, size_t n)
{
    return 0;
}

void port_power_off(void)
{
    acpi_power_off();
    machine_halt();
}

void port_reboot(void)
{
    outb(0xcf9, 6);
    machine_halt();
}

void port_trace(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c)
{
}

void port_code_changed(mfn_t m, uint64_t count)
{
}

int port_decompress(const void *in, size_t in_len, void *out, size_t cap, size_t *out_len)
{
    return -XEN_ENOSYS;
}

/* No guest code runs on bare metal yet: a vCPU here has no engine and any try
 * to run it fails. */
int port_guest_create(struct vcpu *v)
{
    return 0;
}

void port_guest_destroy(struct vcpu *v)
{
}

void port_guest_load(struct vcpu *v, const struct guest_state *s)
{
}

void port_guest_save(struct vcpu *v, struct guest_state *s)
{
    memset(s, 0, sizeof(*s));
}

uint64_t port_guest_rdmsr(struct vcpu *v, uint32_t msr)
{
    return 0;
}

void port_guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
}

void port_guest_set_cr(struct vcpu *v, unsigned cr, uint64_t value)
{
}

void port_guest_run(struct vcpu *v, struct guest_regs *regs, const struct guest_entry *in,
                    struct guest_exit *out)
{
    memset(out, 0, sizeof(*out));
    out->reason = EXIT_FAILED;
    out->vectoring.type = EVENT_NONE;
}

void port_guest_flush(struct domain *d)
{
}
