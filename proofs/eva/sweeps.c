/* Where each sweep begins: sweeps.toml names them, and the sources that they go through. */
#include "world.h"

#include "core/console/console.h"
#include "core/control/control.h"
#include "core/hypercall/hypercall.h"
#include "x86/control/control.h"
#include "x86/hvm/hvm.h"

#define HYPERCALL(name)                                                                            \
    void sweep_##name(void)                                                                        \
    {                                                                                              \
        (void)do_##name(world(), world_args);                                                      \
    }

HYPERCALL(xen_version)
HYPERCALL(vm_assist)
HYPERCALL(set_timer_op)
HYPERCALL(multicall)
HYPERCALL(console_io)
HYPERCALL(sched_op)
HYPERCALL(vcpu_op)
HYPERCALL(event_channel_op)
HYPERCALL(grant_table_op)
HYPERCALL(memory_op)
HYPERCALL(hvm_op)
HYPERCALL(physdev_op)
HYPERCALL(platform_op)
HYPERCALL(domctl)
HYPERCALL(sysctl)

/* An exit of one kind: all that the engine tells of it is arbitrary, but sizes of I/O are
 * 1, 2 or 4. */
static void sweep_exit(int first, int last)
{
    struct vcpu *v = world();

    v->arch->exit.reason = (uint8_t)Frama_C_interval(first, last);
    if (first == EXIT_IO) {
        v->arch->exit.u.io.size = (uint8_t)(1 << Frama_C_interval(0, 2));
    }
    hvm_handle_exit(v);
}

void sweep_cpuid(void)
{
    sweep_exit(EXIT_CPUID, EXIT_CPUID);
}

void sweep_msr(void)
{
    sweep_exit(EXIT_RDMSR, EXIT_WRMSR);
}

void sweep_io(void)
{
    sweep_exit(EXIT_IO, EXIT_IO);
}

void sweep_cr(void)
{
    sweep_exit(EXIT_CR_WRITE, EXIT_CR_WRITE);
}

/* One access of the local APIC's page. */
void sweep_lapic(void)
{
    uint32_t offset, value;
    struct vcpu *v = world();

    ARBITRARY(offset);
    ARBITRARY(value);
    (void)vlapic_mmio(v, offset, (unsigned)Frama_C_interval(0, 8), Frama_C_nondet(0, 1), &value);
}

/* One access of the devices' pages. */
void sweep_mmio(void)
{
    gaddr_t a;
    uint64_t value;
    struct vcpu *v = world();

    ARBITRARY(a);
    ARBITRARY(value);
    (void)vdev_mmio(v, a, (unsigned)Frama_C_interval(1, 8), Frama_C_nondet(0, 1), &value);
}

/* 15 arbitrary bytes are an instruction. */
void sweep_insn(void)
{
    struct insn insn;
    uint8_t bytes[15];

    ARBITRARY(bytes);
    (void)insn_decode(bytes, (unsigned)Frama_C_interval(1, 15), 1u << Frama_C_interval(1, 3),
                      &insn);
}
