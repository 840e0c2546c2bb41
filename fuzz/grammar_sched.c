/* Scheduling, vCPUs and time: <xen/sched.h>, <xen/vcpu.h>. */
#include "fuzz/grammar_table.h"

#include <xen/hvm/hvm_vcpu.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define SCHED(name, size, ...)                                                                     \
    {                                                                                              \
        "sched_" #name, OP_CALL, SUB_REG, 1, __HYPERVISOR_sched_op, SCHEDOP_##name, size, false,   \
            G_SCHED,                                                                               \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define VCPU(name, size, ...)                                                                      \
    {                                                                                              \
        "vcpu_" #name, OP_CALL, SUB_REG, 2, __HYPERVISOR_vcpu_op, VCPUOP_##name, size, false,      \
            G_SCHED,                                                                               \
        {                                                                                          \
            R(1, "vcpu", K_VCPU, 0), __VA_ARGS__                                                   \
        }                                                                                          \
    }

typedef vcpu_hvm_context_t ctx_t;
typedef vcpu_register_runstate_memory_area_t runstate_t;
typedef vcpu_register_time_memory_area_t time_area_t;
typedef vcpu_register_vcpu_info_t info_t;
typedef vcpu_set_singleshot_timer_t shot_t;

static const uint64_t reasons[] = {SHUTDOWN_poweroff,
                                   SHUTDOWN_reboot,
                                   SHUTDOWN_suspend,
                                   SHUTDOWN_crash,
                                   SHUTDOWN_watchdog,
                                   SHUTDOWN_soft_reset,
                                   0xff};
static const uint64_t modes[] = {VCPU_HVM_MODE_64B, VCPU_HVM_MODE_32B, 2, 0x100};
static const uint64_t cr0s[] = {0x80000011, 0x11, 0x60000010, 0, 0x80000001};
static const uint64_t efers[] = {0x500, 0xd01, 0, 0x100, 0x400};

static const struct op_desc ops[] = {
    {"sched_yield",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_sched_op,
     SCHEDOP_yield,
     0,
     false,
     G_SCHED,
     {R(2, "unused", K_INT, 1)}},
    {"sched_block",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_sched_op,
     SCHEDOP_block,
     0,
     false,
     G_SCHED,
     {R(2, "unused", K_INT, 1)}},
    {"sched_shutdown",
     OP_CALL,
     SUB_REG,
     1,
     __HYPERVISOR_sched_op,
     SCHEDOP_shutdown,
     sizeof(sched_shutdown_t),
     false,
     G_LIFE,
     {E(sched_shutdown_t, reason, reasons)}},
    SCHED(shutdown_code, sizeof(sched_shutdown_t), E(sched_shutdown_t, reason, reasons)),
    SCHED(poll, sizeof(sched_poll_t), L(sched_poll_t, ports, K_PORT, 4, 0),
          S(sched_poll_t, nr_ports, K_COUNT, 0), S(sched_poll_t, timeout, K_TIME, 0)),
    {"sched_remote_shutdown",
     OP_CALL,
     SUB_REG,
     1,
     __HYPERVISOR_sched_op,
     SCHEDOP_remote_shutdown,
     sizeof(sched_remote_shutdown_t),
     false,
     G_LIFE,
     {S(sched_remote_shutdown_t, domain_id, K_DOMID, 0),
      E(sched_remote_shutdown_t, reason, reasons)}},
    SCHED(watchdog, sizeof(sched_watchdog_t), S(sched_watchdog_t, id, K_INT, 4),
          S(sched_watchdog_t, timeout, K_INT, 4)),
    SCHED(pin_override, sizeof(sched_pin_override_t), S(sched_pin_override_t, pcpu, K_VCPU, 0)),
    {"sched_unknown",
     OP_CALL,
     SUB_NONE,
     1,
     __HYPERVISOR_sched_op,
     0,
     16,
     false,
     G_SCHED,
     {R(0, "cmd", K_INT, 16)}},
    VCPU(initialise, sizeof(ctx_t), E(ctx_t, mode, modes), E(ctx_t, cpu_regs.x86_64.cr0, cr0s),
         S(ctx_t, cpu_regs.x86_64.cr3, K_GPA, 0), S(ctx_t, cpu_regs.x86_64.cr4, K_WORD, 0),
         E(ctx_t, cpu_regs.x86_64.efer, efers), S(ctx_t, cpu_regs.x86_64.rip, K_GVA, 0)),
    {"vcpu_up",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_vcpu_op,
     VCPUOP_up,
     0,
     false,
     G_SCHED,
     {R(1, "vcpu", K_VCPU, 0)}},
    {"vcpu_down",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_vcpu_op,
     VCPUOP_down,
     0,
     false,
     G_SCHED,
     {R(1, "vcpu", K_VCPU, 0)}},
    {"vcpu_is_up",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_vcpu_op,
     VCPUOP_is_up,
     0,
     false,
     G_SCHED,
     {R(1, "vcpu", K_VCPU, 0)}},
    VCPU(get_runstate_info, sizeof(vcpu_runstate_info_t), R(3, "unused", K_INT, 1)),
    VCPU(register_runstate_memory_area, sizeof(runstate_t), S(runstate_t, addr.p, K_GVA, 0)),
    VCPU(set_periodic_timer, 8, S(vcpu_set_periodic_timer_t, period_ns, K_WORD, 0)),
    {"vcpu_stop_periodic_timer",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_vcpu_op,
     VCPUOP_stop_periodic_timer,
     0,
     false,
     G_SCHED,
     {R(1, "vcpu", K_VCPU, 0)}},
    VCPU(set_singleshot_timer, sizeof(shot_t), S(shot_t, timeout_abs_ns, K_TIME, 0),
         S(shot_t, flags, K_FLAGS, VCPU_SSHOTTMR_future)),
    {"vcpu_stop_singleshot_timer",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_vcpu_op,
     VCPUOP_stop_singleshot_timer,
     0,
     false,
     G_SCHED,
     {R(1, "vcpu", K_VCPU, 0)}},
    VCPU(register_vcpu_info, sizeof(info_t), S(info_t, mfn, K_GFN, 0),
         S(info_t, offset, K_OFFSET, 0)),
    {"vcpu_send_nmi",
     OP_CALL,
     SUB_REG,
     NO_REG,
     __HYPERVISOR_vcpu_op,
     VCPUOP_send_nmi,
     0,
     false,
     G_SCHED,
     {R(1, "vcpu", K_VCPU, 0), R(2, "arg", K_INT, 1)}},
    VCPU(get_physid, 8, R(3, "unused", K_INT, 1)),
    VCPU(register_vcpu_time_memory_area, sizeof(time_area_t), S(time_area_t, addr.p, K_GVA, 0)),
    {"vcpu_unknown",
     OP_CALL,
     SUB_NONE,
     2,
     __HYPERVISOR_vcpu_op,
     0,
     16,
     false,
     G_SCHED,
     {R(0, "cmd", K_INT, 32), R(1, "vcpu", K_VCPU, 0)}},
    {"set_timer_op",
     OP_CALL,
     SUB_NONE,
     NO_REG,
     __HYPERVISOR_set_timer_op,
     0,
     0,
     false,
     G_SCHED,
     {R(0, "timeout", K_TIME, 0)}},
};

const struct op_table grammar_sched = TABLE(ops);
