/* A guest that gives its second vCPU a state that no CPU enters: a TSS whose limit does
 * not go with its granularity. The hypervisor takes the context, as every field is valid by
 * itself; the CPU refuses it, and only this guest may suffer. */
#include "guest.h"

#include <xen/hvm/hvm_vcpu.h>

#define CODE_AR 0xc9bu
#define DATA_AR 0xc93u
#define TSS_AR 0x8bu /* no granularity */
#define FLAT_LIMIT 0xfffffu

void play(void);

bool eq_(const char *file, int line, const char *what, int64_t got, int64_t want)
{
    if (got != want)
        say("FAIL %s:%d: %s is %lx, not %lx", file, line, what, got, want);
    return got == want;
}

void play(void)
{
    static struct vcpu_hvm_context c;
    struct vcpu_hvm_x86_32 *r = &c.cpu_regs.x86_32;

    c.mode = VCPU_HVM_MODE_32B;
    r->cr0 = 1;
    r->eflags = 2;
    r->eip = 0x100000;
    r->cs_limit = r->ds_limit = r->ss_limit = r->es_limit = FLAT_LIMIT;
    r->cs_ar = CODE_AR;
    r->ds_ar = r->ss_ar = r->es_ar = DATA_AR;
    r->tr_limit = UINT32_MAX >> 4;
    r->tr_ar = TSS_AR;
    EQ(HC3(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, &c), 0);
    EQ(HC3(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0), 0);
    say("waiting");
    rest(SECOND);
    say("still here");
    power_off(SHUTDOWN_poweroff);
}
